//! The age of WireGuard's newest handshake: from a userspace implementation's socket, or from the kernel by generic netlink.
//!
//! Both answers carry the private key. It is never copied out of the buffer, the buffer is wiped as soon as the times have been read
//! from it, and nothing of it is ever logged. The readers in [`parse`] are pure and take any bytes.

#![allow(unsafe_code, reason = "reading a netlink answer into a buffer that can be wiped")]

mod parse;

use super::{caps, clock};
use crate::model::{IfName, LinkKind, Unseen};
use parse::Newest;
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where userspace implementations put their socket.
const SOCKETS: [&str; 2] = ["/var/run/wireguard", "/run/wireguard"];
/// Longest answer that is read: a terminal has one peer, a few hundred bytes.
const ANSWER_MAX: usize = 256 * 1024;
/// Longest wait for either answer; both are local.
const ANSWER: Duration = Duration::from_millis(300);
/// The userspace socket allows control, so it is for root alone.
const SOCKET_NEEDS: &str = "CAP_DAC_OVERRIDE";

/// What is known of handshakes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Handshake {
    /// The newest is this old.
    Age(Duration),
    /// There was none since the interface came up.
    Never,
    /// Could not be read.
    Unseen(Unseen),
}

/// Asks for the newest handshake of an interface. Blocks for at most 0.6 s; usually for well under a millisecond.
pub fn handshake(interface: &IfName, kind: &LinkKind, capabilities: caps::Capabilities) -> Handshake {
    let newest = if *kind == LinkKind::Wireguard { from_kernel(interface, capabilities) } else { from_socket(interface) };
    match newest {
        Ok(Newest::Never) => Handshake::Never,
        Ok(Newest::At(at)) => age(at, clock::wall().as_duration()),
        Err(why) => Handshake::Unseen(why),
    }
}

/// WireGuard stamps with the wall clock, so a clock that was set back in between makes the age unknowable.
fn age(at: Duration, wall: jiff::SignedDuration) -> Handshake {
    match Duration::try_from(wall).ok().and_then(|wall| wall.checked_sub(at)) {
        Some(age) => Handshake::Age(age),
        None => Handshake::Unseen(Unseen::Error("read the WireGuard handshake: it lies in the future of this clock".into())),
    }
}

fn from_socket(interface: &IfName) -> Result<Newest, Unseen> {
    let name = format!("{interface}.sock");
    let path = SOCKETS.iter().map(|dir| Path::new(dir).join(&name)).find(|path| path.exists());
    // A directory that we may not enter hides its sockets.
    let path: PathBuf = path.ok_or_else(|| Unseen::Error(format!("find the WireGuard socket of {interface}: none to be seen")))?;
    let trouble = |e: io::Error| match e.kind() {
        io::ErrorKind::PermissionDenied => Unseen::Capability(SOCKET_NEEDS.into()),
        _ => Unseen::Error(format!("ask {}: {e}", path.display())),
    };
    let mut stream = UnixStream::connect(&path).map_err(trouble)?;
    stream.set_read_timeout(Some(ANSWER)).and_then(|()| stream.set_write_timeout(Some(ANSWER))).map_err(trouble)?;
    stream.write_all(b"get=1\n\n").map_err(trouble)?;
    let mut secret = Secret::new();
    secret.read_until_blank_line(&mut stream).map_err(trouble)?;
    parse::uapi(secret.bytes()).ok_or_else(|| Unseen::Error(format!("ask {}: an answer that is not WireGuard's", path.display())))
}

fn from_kernel(interface: &IfName, capabilities: caps::Capabilities) -> Result<Newest, Unseen> {
    if !capabilities.has(caps::Capability::NetAdmin) {
        return Err(Unseen::Capability(caps::Capability::NetAdmin.name().into()));
    }
    let trouble = |e: io::Error| match e.raw_os_error() {
        Some(libc::EPERM) => Unseen::Capability(caps::Capability::NetAdmin.name().into()),
        _ => Unseen::Error(format!("ask the kernel about {interface}: {e}")),
    };
    let socket =
        Socket::new(Domain::from(libc::AF_NETLINK), Type::RAW.cloexec(), Some(Protocol::from(libc::NETLINK_GENERIC))).map_err(trouble)?;
    socket.set_read_timeout(Some(ANSWER)).map_err(trouble)?;
    let mut secret = Secret::new();
    socket.send(&parse::family_request()).map_err(trouble)?;
    secret.read_datagram(&socket).map_err(trouble)?;
    let family = parse::family_answer(secret.bytes()).map_err(trouble)?;
    socket.send(&parse::device_request(family, interface)).map_err(trouble)?;
    let mut newest = Newest::Never;
    loop {
        secret.read_datagram(&socket).map_err(trouble)?;
        let part = parse::device_answer(secret.bytes()).map_err(trouble)?;
        newest = newest.max(part.newest);
        if part.last {
            return Ok(newest);
        }
    }
}

/// A buffer of fixed place that is overwritten with zeroes before each use and when it goes.
struct Secret {
    buffer: Box<[u8]>,
    length: usize,
}

impl Secret {
    fn new() -> Self {
        Self { buffer: vec![0; ANSWER_MAX].into_boxed_slice(), length: 0 }
    }

    fn bytes(&self) -> &[u8] {
        self.buffer.get(..self.length).unwrap_or_default()
    }

    fn wipe(&mut self) {
        for byte in &mut self.buffer[..self.length] {
            // SAFETY: a reference is valid for writes; volatile keeps the compiler from leaving the write out.
            unsafe { std::ptr::write_volatile(byte, 0) };
        }
        self.length = 0;
    }

    fn read_until_blank_line(&mut self, stream: &mut UnixStream) -> io::Result<()> {
        self.wipe();
        while !self.bytes().ends_with(b"\n\n") {
            let room = &mut self.buffer[self.length..];
            if room.is_empty() {
                return Err(io::Error::other("the answer is too long"));
            }
            match stream.read(room)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                got => self.length += got,
            }
        }
        Ok(())
    }

    fn read_datagram(&mut self, socket: &Socket) -> io::Result<()> {
        self.wipe();
        let mut reader = socket;
        self.length = reader.read(&mut self.buffer)?;
        Ok(())
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.wipe();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[test]
    fn an_age_is_told_only_by_a_clock_that_went_forward() {
        let wall = jiff::SignedDuration::from_secs(1000);
        assert_eq!(age(Duration::from_secs(879), wall), Handshake::Age(Duration::from_secs(121)));
        assert!(matches!(age(Duration::from_secs(2000), wall), Handshake::Unseen(_)));
    }

    #[test]
    fn an_answer_is_wiped_before_the_next() {
        let (mut ours, theirs) = UnixStream::pair().expect("a pair");
        let mut writer = &theirs;
        io::copy(&mut Cursor::new(b"private_key=00\n\n"), &mut writer).expect("written");
        let mut secret = Secret::new();
        secret.read_until_blank_line(&mut ours).expect("an answer");
        assert_eq!(secret.bytes(), b"private_key=00\n\n");
        secret.wipe();
        assert!(secret.buffer.iter().all(|byte| *byte == 0));
        drop(theirs);
        assert!(secret.read_until_blank_line(&mut ours).is_err(), "an answer that ends early is an error");
    }

    #[test]
    fn an_interface_without_a_socket_is_unseen() {
        assert!(matches!(
            handshake(&IfName::new("nosuch0"), &LinkKind::Tun, caps::Capabilities::NONE),
            Handshake::Unseen(Unseen::Error(_))
        ));
        let kernel = handshake(&IfName::new("nosuch0"), &LinkKind::Wireguard, caps::Capabilities::NONE);
        assert_eq!(kernel, Handshake::Unseen(Unseen::Capability("CAP_NET_ADMIN".into())));
    }
}
