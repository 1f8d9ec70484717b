//! The kernel's word that a device came, went or changed (`NETLINK_KOBJECT_UEVENT`, group 1). Needs no privilege.
//!
//! A message only means "look again now"; the verdict always comes from reading the state, so a lost message is a delay and no miss. Only the
//! kernel is believed: its port is 0, and it gives every other sender a port of its own, so that a program that plays the kernel does not
//! even bring a look. (One that may do anything in its namespace can have the kernel tell a message in its name; it gains a look by that.)
//! Messages come in bursts of thousands when a dock or a container starts: those that speak of nothing at USB and of no disk are read and
//! passed over.

use super::errqueue::watched;
use crate::model::Unseen;
use rustix::io::Errno;
use rustix::net::netlink::{KOBJECT_UEVENT, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType};
use socket2::Socket;
use std::io;
use tokio::io::unix::AsyncFd;

/// The kernel's own messages. Group 2 has those that udev tells again.
const KERNEL: u32 = 1;
/// The kernel builds a message of at most 2048 bytes of variables and a path.
const BUFFER: usize = 8 * 1024;
/// So many messages are read before anybody else gets a turn.
const MOST_AT_ONCE: usize = 256;

/// What a message says, as far as anybody here asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uevent {
    /// `add`, `remove`, `change`, `bind`, ...
    pub action: String,
    /// Where the device sits, below `/sys`.
    pub path: String,
    /// `usb`, `block`, `net`, ...
    pub subsystem: String,
}

impl Uevent {
    /// Reads `ACTION@PATH`, then variables, each ended by a zero byte. `None` = not of the kernel's making (udev's begin with `libudev`), or
    /// damaged.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut parts = bytes.split(|byte| *byte == 0).map(String::from_utf8_lossy);
        let head = parts.next()?;
        let (action, path) = head.split_once('@').filter(|(action, path)| !action.is_empty() && path.starts_with('/'))?;
        let subsystem = parts.find_map(|part| part.strip_prefix("SUBSYSTEM=").map(str::to_owned))?;
        Some(Self { action: action.to_owned(), path: path.to_owned(), subsystem })
    }

    /// Whether it can matter to what is plugged in: anything of USB, any disk (a card, a disc, a loop over a stick), a network card at USB.
    pub fn concerns_usb(&self) -> bool {
        let at_usb =
            || self.path.split('/').any(|part| part.strip_prefix("usb").is_some_and(|n| n.starts_with(|c: char| c.is_ascii_digit())));
        matches!(self.subsystem.as_str(), "usb" | "block") || self.subsystem == "net" && at_usb()
    }
}

/// An open ear for them.
pub struct Uevents {
    socket: AsyncFd<Socket>,
    buffer: Vec<u8>,
}

/// What came in.
enum Heard {
    /// From the kernel, and perhaps cut off.
    Kernel(usize),
    /// Of another sender.
    Other,
    /// The kernel had to drop messages.
    Lost,
    /// Nothing more at present.
    Nothing,
}

impl Uevents {
    /// Begins to listen. Must be called within a tokio runtime with I/O enabled.
    pub fn open() -> Result<Self, Unseen> {
        let failed = |what: &str, e: io::Error| Unseen::Error(format!("{what}: {e}"));
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, Some(KOBJECT_UEVENT))
            .map_err(|e| failed("open a socket for device events", e.into()))?;
        rustix::net::bind(&socket, &SocketAddrNetlink::new(0, KERNEL)).map_err(|e| failed("listen to device events", e.into()))?;
        let socket = watched(socket.into()).map_err(|e| failed("watch device events", e))?;
        Ok(Self { socket, buffer: vec![0; BUFFER] })
    }

    /// Waits until a message of the kernel is `wanted`, or some were lost. Cancelling it loses nothing but what nobody wants.
    pub async fn heard(&mut self, wanted: impl Fn(&Uevent) -> bool) -> io::Result<()> {
        loop {
            let mut guard = self.socket.readable().await?;
            let mut stirred = false;
            for _ in 0..MOST_AT_ONCE {
                match receive(guard.get_inner(), &mut self.buffer)? {
                    // What cannot be understood may be anything.
                    Heard::Kernel(length) => {
                        stirred |= self.buffer.get(..length).and_then(Uevent::parse).is_none_or(|event| wanted(&event));
                    }
                    Heard::Other => {}
                    Heard::Lost => stirred = true,
                    Heard::Nothing => {
                        guard.clear_ready();
                        break;
                    }
                }
            }
            if stirred {
                return Ok(());
            }
            tokio::task::yield_now().await;
        }
    }
}

fn receive(socket: &Socket, buffer: &mut [u8]) -> io::Result<Heard> {
    match rustix::net::recvfrom(socket, buffer, RecvFlags::TRUNC) {
        Ok((_, whole, from)) => {
            let port = from.and_then(|from| SocketAddrNetlink::try_from(from).ok()).map(|from| from.pid());
            Ok(if port == Some(0) { Heard::Kernel(whole) } else { Heard::Other })
        }
        Err(Errno::AGAIN) => Ok(Heard::Nothing),
        Err(Errno::NOBUFS) => Ok(Heard::Lost),
        Err(Errno::INTR) => Ok(Heard::Other),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STICK: &[u8] = b"add@/devices/pci0000:00/0000:00:04.0/usb1/1-1/1-1:1.0\0ACTION=add\0DEVPATH=/devices/pci0000:00/0000:00:04.0/usb1/1-1/1-1:1.0\0SUBSYSTEM=usb\0DEVTYPE=usb_interface\0PRODUCT=951/1666/110\0INTERFACE=8/6/80\0SEQNUM=1234\0";

    fn net(path: &str) -> Uevent {
        Uevent::parse(format!("add@{path}\0ACTION=add\0SUBSYSTEM=net\0").as_bytes()).expect("an event")
    }

    #[test]
    fn a_message_of_the_kernel_is_read_and_one_of_udev_is_not() {
        let event = Uevent::parse(STICK).expect("an event");
        assert_eq!((event.action.as_str(), event.subsystem.as_str()), ("add", "usb"));
        assert!(event.path.ends_with("/1-1:1.0"));
        assert_eq!(Uevent::parse(b"libudev\0\xfe\xed\xca\xfe\0\0\0\x28ACTION=add\0SUBSYSTEM=usb\0"), None);
        assert_eq!(Uevent::parse(b"add@/devices/x\0ACTION=add\0"), None);
    }

    #[test]
    fn what_is_at_usb_concerns_it_and_a_container_s_card_does_not() {
        assert!(Uevent::parse(STICK).expect("an event").concerns_usb());
        assert!(net("/devices/pci0000:00/0000:00:04.0/usb1/1-2/1-2:1.0/net/enx1").concerns_usb());
        assert!(!net("/devices/virtual/net/veth12").concerns_usb());
        assert!(!net("/devices/virtual/net/usbipv").concerns_usb());
        assert!(Uevent::parse(b"change@/devices/virtual/block/loop3\0SUBSYSTEM=block\0").expect("an event").concerns_usb());
    }

    #[tokio::test]
    async fn a_program_that_plays_the_kernel_brings_no_look() {
        let ear = Uevents::open().expect("an ear");
        let own = rustix::net::getsockname(ear.socket.get_ref()).expect("its address");
        let own = SocketAddrNetlink::try_from(own).expect("of netlink").pid();
        let forger = rustix::net::socket(AddressFamily::NETLINK, SocketType::RAW, Some(KOBJECT_UEVENT)).expect("a socket");
        // To this one ear: others on this machine listen, too.
        match rustix::net::sendto(&forger, STICK, rustix::net::SendFlags::empty(), &SocketAddrNetlink::new(own, 0)) {
            Err(Errno::PERM) => return println!("SKIPPED: only root may send such a message at all"),
            sent => assert_eq!(sent, Ok(STICK.len())),
        }
        let mut buffer = vec![0; BUFFER];
        loop {
            match receive(ear.socket.get_ref(), &mut buffer).expect("received") {
                // The kernel itself may have said something meanwhile.
                Heard::Kernel(length) => assert_ne!(buffer.get(..length), Some(STICK), "it passes for the kernel"),
                Heard::Other => break,
                Heard::Lost | Heard::Nothing => panic!("it did not come in"),
            }
        }
    }

    mod any_bytes {
        use super::*;
        use crate::testing::{cases, hostile};
        use proptest::prelude::*;

        proptest! {
            #![proptest_config(cases())]
            #[test]
            fn an_event_is_read_or_refused(bytes in hostile(vec![STICK.to_vec(), b"libudev\0\xfe\xed".to_vec()], 4096)) {
                if let Some(event) = Uevent::parse(&bytes) {
                    prop_assert!(event.path.starts_with('/') && !event.action.is_empty());
                    prop_assert!(bytes.windows(10).any(|window| window == b"SUBSYSTEM="));
                    event.concerns_usb();
                }
            }
        }
    }
}
