//! The journal's socket for entries with fields: one datagram an entry, or a sealed file where one does not fit.
//!
//! Nothing here waits: a journal that is full, stopped or gone is an error at once.

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, sendmsg_addr};
use std::fs::File;
use std::io::{self, IoSlice, Write};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::linux::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

/// Where the system's journal listens.
pub const SOCKET: &str = "/run/systemd/journal/socket";

/// A way to the journal. It is not connected, so that a journal that was restarted is found again.
#[derive(Debug)]
pub struct Journal {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Journal {
    /// To the journal that listens there, now or later.
    pub fn at(path: &Path) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket, path: path.to_owned() })
    }

    /// Hands an entry over. `WouldBlock` = the journal does not keep up.
    pub fn send(&self, entry: &[u8]) -> io::Result<()> {
        match self.socket.send_to(entry, &self.path) {
            Ok(_) => Ok(()),
            Err(error) if matches!(error.raw_os_error(), Some(libc::EMSGSIZE | libc::ENOBUFS)) => self.send_file(entry),
            Err(error) => Err(error),
        }
    }

    /// The journal maps the file, so it must be one that nobody can change any more.
    fn send_file(&self, entry: &[u8]) -> io::Result<()> {
        let mut file = File::from(memfd_create("isonet-journal", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?);
        file.write_all(entry)?;
        fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::SEAL)?;
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        let fds = [file.as_fd()];
        if !ancillary.push(SendAncillaryMessage::ScmRights(&fds)) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let to = SocketAddrUnix::new(&self.path)?;
        sendmsg_addr(&self.socket, &to, &[IoSlice::new(&[])], &mut ancillary, SendFlags::NOSIGNAL | SendFlags::DONTWAIT)?;
        Ok(())
    }
}

/// Whether what is written to this file goes to the journal: systemd names device and inode of the stream in `JOURNAL_STREAM`.
pub fn is_journal(file: impl AsFd, journal_stream: Option<&str>) -> bool {
    let Some((device, inode)) = journal_stream.and_then(|told| told.split_once(':')) else { return false };
    let Ok(file) = file.as_fd().try_clone_to_owned().map(File::from) else { return false };
    file.metadata().is_ok_and(|meta| device.parse() == Ok(meta.st_dev()) && inode.parse() == Ok(meta.st_ino()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
    use std::io::{IoSliceMut, Read, Seek};

    fn listener() -> (tempfile::TempDir, PathBuf, UnixDatagram) {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("socket");
        let socket = UnixDatagram::bind(&path).expect("bound");
        (dir, path, socket)
    }

    #[test]
    fn an_entry_arrives_as_one_datagram() {
        let (_dir, path, listener) = listener();
        Journal::at(&path).expect("a socket").send(b"MESSAGE=x\n").expect("sent");
        let mut bytes = [0; 64];
        let length = listener.recv(&mut bytes).expect("received");
        assert_eq!(&bytes[..length], b"MESSAGE=x\n");
    }

    #[test]
    fn what_fits_no_datagram_arrives_as_a_sealed_file() {
        let (_dir, path, listener) = listener();
        let entry = vec![b'x'; 4 << 20];
        Journal::at(&path).expect("a socket").send(&entry).expect("sent");
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut bytes = [0; 64];
        let got = recvmsg(&listener, &mut [IoSliceMut::new(&mut bytes)], &mut ancillary, RecvFlags::empty()).expect("received");
        assert_eq!(got.bytes, 0);
        let fd = ancillary.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
            _ => None,
        });
        let mut file = File::from(fd.expect("a file came along"));
        let seals = rustix::fs::fcntl_get_seals(&file).expect("asked");
        assert!(seals.contains(SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::SEAL));
        let mut read = Vec::new();
        file.rewind().and_then(|()| file.read_to_end(&mut read)).expect("read");
        assert!(read == entry);
    }

    #[test]
    fn a_journal_that_is_gone_full_or_back_is_noticed_at_once() {
        let (_dir, path, listener) = listener();
        let journal = Journal::at(&path).expect("a socket");
        let full = std::iter::repeat_with(|| journal.send(b"MESSAGE=x\n")).take(100_000).find_map(Result::err);
        assert_eq!(full.map(|error| error.kind()), Some(io::ErrorKind::WouldBlock));
        drop(listener);
        assert_eq!(journal.send(b"x").expect_err("gone").kind(), io::ErrorKind::ConnectionRefused);
        std::fs::remove_file(&path).expect("removed");
        assert_eq!(journal.send(b"x").expect_err("gone").kind(), io::ErrorKind::NotFound);
        let _again = UnixDatagram::bind(&path).expect("bound");
        journal.send(b"x").expect("a new journal is found");
    }

    #[test]
    fn the_stream_of_the_journal_is_told_by_its_inode() {
        let file = tempfile::tempfile().expect("a file");
        let meta = file.metadata().expect("asked");
        let told = format!("{}:{}", meta.st_dev(), meta.st_ino());
        assert!(is_journal(&file, Some(&told)));
        assert!(!is_journal(&file, Some("1:1")) && !is_journal(&file, Some("x")) && !is_journal(&file, None));
    }
}
