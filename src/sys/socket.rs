//! Small socket calls that no safe wrapper offers.

#![allow(unsafe_code, reason = "setsockopt with options that the wrappers lack, and the name calls of libc")]

use crate::model::{Errno, IfName};
use socket2::Socket;
use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Length of an integer option.
const INT_LENGTH: libc::socklen_t = 4;
const _: () = assert!(size_of::<libc::c_int>() == INT_LENGTH as usize);

/// Sets an integer socket option.
pub(super) fn set_int(fd: BorrowedFd<'_>, level: libc::c_int, name: libc::c_int, value: libc::c_int) -> io::Result<()> {
    // SAFETY: the descriptor is borrowed and hence open; the pointer is to a live c_int and the length is its size.
    let result = unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, (&raw const value).cast(), INT_LENGTH) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The name of an interface by its index, in this network namespace; `None` when there is none of that index.
pub(super) fn if_name(index: u32) -> io::Result<Option<IfName>> {
    let mut buffer = [0_u8; libc::IF_NAMESIZE];
    // SAFETY: the buffer is writable and IF_NAMESIZE bytes long, which is what the call requires.
    let found = unsafe { libc::if_indextoname(index, buffer.as_mut_ptr().cast()) };
    if found.is_null() {
        let error = io::Error::last_os_error();
        return if matches!(error.raw_os_error(), Some(libc::ENXIO | libc::ENODEV)) { Ok(None) } else { Err(error) };
    }
    let name = CStr::from_bytes_until_nul(&buffer).map_err(io::Error::other)?;
    Ok(Some(IfName::new(name.to_string_lossy())))
}

/// The indices of all interfaces, from another source than the link dump.
pub(super) fn if_indices() -> io::Result<Vec<u32>> {
    // SAFETY: the call takes nothing and gives a list that is ours, or null.
    let list = unsafe { libc::if_nameindex() };
    if list.is_null() {
        return Err(io::Error::last_os_error());
    }
    let mut indices = Vec::new();
    let mut entry = list;
    // SAFETY: the list ends with an entry of index 0, which is not passed.
    while let index @ 1.. = unsafe { (*entry).if_index } {
        indices.push(index);
        // SAFETY: the entry was not the last one.
        entry = unsafe { entry.add(1) };
    }
    // SAFETY: the list came from `if_nameindex` and is freed once.
    unsafe { libc::if_freenameindex(list) };
    Ok(indices)
}

/// The index of an interface by its name; `ENODEV` when there is none.
pub(super) fn if_index(name: &IfName) -> io::Result<u32> {
    let name = CString::new(name.as_str()).map_err(|_| io::Error::from_raw_os_error(libc::ENODEV))?;
    // SAFETY: the pointer is to a NUL-terminated string that lives through the call.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    if index == 0 { Err(io::Error::last_os_error()) } else { Ok(index) }
}

/// The Ethernet address of an interface; `EAFNOSUPPORT` where it has none (tunnels, PPP).
pub(super) fn hardware_address(socket: &Socket, name: &IfName) -> io::Result<[u8; 6]> {
    // SAFETY: `ifreq` is a plain structure of integers, for which all-zero bytes are a valid value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    let bytes = name.as_str().as_bytes();
    if bytes.len() >= libc::IF_NAMESIZE {
        return Err(io::Error::from_raw_os_error(libc::ENODEV));
    }
    for (to, from) in request.ifr_name.iter_mut().zip(bytes) {
        *to = libc::c_char::from_ne_bytes([*from]);
    }
    // SAFETY: the descriptor is open, and the pointer is to a live, writable `ifreq` with a NUL-terminated name, as SIOCGIFHWADDR expects.
    if unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFHWADDR, &raw mut request) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: after success the kernel has filled this member of the union.
    let address = unsafe { request.ifr_ifru.ifru_hwaddr };
    if address.sa_family != libc::ARPHRD_ETHER {
        return Err(io::Error::from_raw_os_error(libc::EAFNOSUPPORT));
    }
    let mut mac = [0; 6];
    for (to, from) in mac.iter_mut().zip(address.sa_data) {
        [*to] = from.to_ne_bytes();
    }
    Ok(mac)
}

/// The kernel's error number; errors without one do not come from the kernel and count as `EIO`.
pub(super) fn errno(error: &io::Error) -> Errno {
    Errno(error.raw_os_error().unwrap_or(libc::EIO))
}

/// Random enough to tell our packets from a stranger's; not for secrets.
pub(super) fn nonce() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::hash::RandomState::new().build_hasher().finish()
}
