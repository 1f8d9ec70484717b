//! Who changed the clock, by the kernel's audit (`NETLINK_AUDIT`, the group for readers). Needs `CAP_AUDIT_READ` in the PC's own namespaces, and rules
//! that somebody else has loaded: the kernel tells nothing of a call that no rule is about. Nothing is changed, no rule is loaded, and an audit daemon
//! loses nothing by it.
//!
//! A system that is audited speaks of thousands of calls a minute. The kernel sifts them: only what is about the clock comes in, and it waits in the
//! socket until it is asked for, so listening wakes nobody.

mod record;

pub use record::{Changed, ClockAct};

use crate::model::Unseen;
use record::{CLOCK_CALLS, Events, INJECTED, NTP_VALUE, SYSCALL};
use rustix::io::Errno;
use rustix::net::netlink::{AUDIT, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType};
use socket2::{SockFilter, Socket};
use std::io;

/// `AUDIT_NLGRP_READLOG` as a set of groups.
const READERS: u32 = 1;
/// The kernel keeps a line below this.
const BUFFER: usize = 9 * 1024;
/// So many are read at once; more are of a storm that is told by its first.
const MOST_AT_ONCE: usize = 512;

/// An ear for them.
#[derive(Debug)]
pub struct Audit {
    socket: Socket,
    buffer: Vec<u8>,
    events: Events,
}

impl Audit {
    /// Begins to listen.
    pub fn open() -> Result<Self, Unseen> {
        let failed = |what: &str, e: io::Error| match e.kind() {
            io::ErrorKind::PermissionDenied => Unseen::Capability("CAP_AUDIT_READ".to_owned()),
            _ => Unseen::Error(format!("{what}: {e}")),
        };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, Some(AUDIT))
            .map_err(|e| failed("open a socket for the audit", e.into()))?;
        let socket = Socket::from(socket);
        // Before anything can come in.
        socket.attach_filter(&sieve()).map_err(|e| failed("sift the audit", e))?;
        rustix::net::bind(&socket, &SocketAddrNetlink::new(0, READERS)).map_err(|e| failed("listen to the audit", e.into()))?;
        Ok(Self { socket, buffer: vec![0; BUFFER], events: Events::default() })
    }

    /// Who changed the clock since it was last asked for, as far as the kernel has said so by now. Does not wait.
    pub fn heard(&mut self) -> Vec<ClockAct> {
        let mut acts = Vec::new();
        for _ in 0..MOST_AT_ONCE {
            match rustix::net::recvfrom(&self.socket, &mut self.buffer[..], RecvFlags::empty()) {
                Ok((length, _, from)) => {
                    let port = from.and_then(|from| SocketAddrNetlink::try_from(from).ok()).map(|from| from.pid());
                    let message = self.buffer.get(..length).filter(|_| port == Some(0));
                    acts.extend(message.and_then(|message| self.events.take(message)));
                }
                // Lines were lost, or nothing happened: what comes next counts all the same.
                Err(Errno::NOBUFS | Errno::INTR) => {}
                Err(_) => break,
            }
        }
        acts
    }
}

/// Where the text of a message begins, behind its header.
const TEXT: u32 = 16;
/// The stamp of a line, `audit(1795154400.123:45678): `, without its two words: its length is that of its numbers, one to eleven digits each.
const STAMP: std::ops::RangeInclusive<u32> = 7..=30;
/// From its end, the bracket, to the number of the call: `): arch=c000003e syscall=`.
const TO_CALL: u32 = 25;

/// What the kernel does to each line: of all calls those about the clock pass, and the lines that say what became of the clock.
fn sieve() -> Vec<SockFilter> {
    const LOAD_HALF: u16 = 0x28;
    const LOAD: u16 = 0x20;
    const LOAD_FROM_X: u16 = 0x40;
    const SET_X: u16 = 0x01;
    const EQUAL: u16 = 0x15;
    const JUMP: u16 = 0x05;
    const RETURN: u16 = 0x06;
    // Loads make network order of what they find, the header is in the machine's.
    let kind = |kind: u16| u32::from(u16::from_be_bytes(kind.to_ne_bytes()));
    let text = |text: &[u8; 4]| u32::from_be_bytes(*text);
    let op = SockFilter::new;
    let count = |steps: usize| u32::try_from(steps).unwrap_or(0);
    let (calls, places) = (count(CLOCK_CALLS.len()), count(STAMP.count()));
    // Its parts: the kind of line, four steps for each place where the stamp may end, the numbers, `drop`, `pass`.
    let numbers = 4 + 4 * places + 1;
    let (drop, pass) = (numbers + 1 + calls, numbers + 2 + calls);
    let far = |from: u32, to: u32| u8::try_from(to - from - 1).unwrap_or(0);
    let mut steps = vec![
        op(LOAD_HALF, 0, 0, 4),
        op(EQUAL, far(1, pass), 0, kind(INJECTED)),
        op(EQUAL, far(2, pass), 0, kind(NTP_VALUE)),
        op(EQUAL, 0, far(3, drop), kind(SYSCALL)),
    ];
    for length in STAMP {
        let end = TEXT + 6 + length;
        steps.push(op(LOAD, 0, 0, end));
        steps.push(op(EQUAL, 0, 2, text(b"): a")));
        steps.push(op(SET_X, 0, 0, end + TO_CALL));
        let at = count(steps.len());
        steps.push(op(JUMP, 0, 0, numbers - at - 1));
    }
    let at = count(steps.len());
    steps.push(op(JUMP, 0, 0, drop - at - 1));
    steps.push(op(LOAD_FROM_X, 0, 0, 0));
    for &number in CLOCK_CALLS {
        let at = count(steps.len());
        steps.push(op(EQUAL, far(at, pass), 0, text(number)));
    }
    steps.push(op(RETURN, 0, 0, 0));
    steps.push(op(RETURN, 0, 0, u32::MAX));
    steps
}

#[cfg(test)]
mod tests {
    use super::record::tests::{SET, message};
    use super::*;
    use socket2::{Domain, Type};

    #[test]
    fn the_kernel_sifts_what_is_about_the_clock() {
        let (here, there) = Socket::pair(Domain::UNIX, Type::DGRAM, None).expect("a pair");
        here.attach_filter(&sieve()).expect("the kernel takes it");
        here.set_nonblocking(true).expect("set");
        let passes = |kind: u16, text: &str| {
            there.send(&message(kind, text)).expect("sent");
            rustix::net::recv(&here, &mut [0_u8; 16][..], RecvFlags::empty()).is_ok()
        };
        assert!(passes(SYSCALL, SET));
        for stamp in ["1.001:7", "978307200.000:1", "17951544000.999:12345678901"] {
            assert!(passes(SYSCALL, &SET.replace("1795154400.123:456", stamp)), "{stamp}");
        }
        assert!(!passes(SYSCALL, &SET.replace("syscall=227", "syscall=59")));
        assert!(!passes(SYSCALL, &SET.replace("syscall=227", "syscall=2270")));
        assert!(!passes(SYSCALL, "audit(1795154400.123:456): ") && !passes(SYSCALL, ""));
        assert!(!passes(1302, SET), "a path");
        assert!(passes(INJECTED, "audit(1795154400.123:456): sec=3600 nsec=0"));
        assert!(passes(NTP_VALUE, "audit(1795154400.123:456): op=tick old=10000 new=11000"));
    }

    #[test]
    fn who_may_not_listen_is_told_so() {
        match Audit::open() {
            Ok(mut audit) => drop(audit.heard()),
            Err(why) => assert!(matches!(why, Unseen::Capability(_) | Unseen::Error(_)), "{why:?}"),
        }
    }
}
