//! Who is at the other end of a Unix socket, with all groups: `SO_PEERCRED` tells the first one only.
#![allow(unsafe_code, reason = "SO_PEERGROUPS has no safe wrapper")]

use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// Groups of one user; Linux allows 65,536.
const MOST: usize = 65_536;

/// The supplementary groups of whoever connected, at that time.
pub fn groups(socket: impl AsFd) -> io::Result<Vec<u32>> {
    let mut groups = vec![0_u32; 64];
    loop {
        let room = groups.len() * size_of::<u32>();
        let mut length = libc::socklen_t::try_from(room).map_err(io::Error::other)?;
        let fd = socket.as_fd().as_raw_fd();
        // SAFETY: the descriptor is open, and the pointers are to live memory of which the length is told.
        let result = unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_PEERGROUPS, groups.as_mut_ptr().cast(), &raw mut length) };
        if result == 0 {
            groups.truncate(usize::try_from(length).unwrap_or_default() / size_of::<u32>());
            return Ok(groups);
        }
        let error = io::Error::last_os_error();
        if error.raw_os_error() != Some(libc::ERANGE) || groups.len() >= MOST {
            return Err(error);
        }
        groups.resize(MOST, 0);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_groups_of_this_process_are_told() {
        let (one, _other) = std::os::unix::net::UnixStream::pair().expect("a pair");
        let mut told = super::groups(&one).expect("told");
        let mut own: Vec<u32> = rustix::process::getgroups().expect("groups").iter().map(|group| group.as_raw()).collect();
        told.sort_unstable();
        own.sort_unstable();
        assert_eq!(told, own);
    }
}
