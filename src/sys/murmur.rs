//! A bare ear for groups of netlink messages: that something was said, never what. Whoever hears it looks at the state again.

use super::errqueue::watched;
use crate::model::Unseen;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, Protocol, RecvFlags, SocketFlags, SocketType};
use socket2::Socket;
use std::io;
use tokio::io::unix::AsyncFd;

/// Messages are only counted as heard, so little of them need fit.
const BUFFER: usize = 512;
/// So many messages are passed over before anybody else gets a turn.
const MOST: usize = 256;

/// What is listened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Talk {
    /// Forwarding of an interface or of all was switched, a network namespace got a number. Needs no privilege.
    Forwarding,
    /// The rules of nftables changed. Needs `CAP_NET_ADMIN`.
    Rules,
}

impl Talk {
    /// Protocol and groups, as bits (1 << (group - 1)).
    fn address(self) -> (Option<Protocol>, u32) {
        match self {
            // RTNLGRP_IPV4_NETCONF, RTNLGRP_IPV6_NETCONF, RTNLGRP_NSID.
            Self::Forwarding => (None, 1 << 23 | 1 << 24 | 1 << 27),
            // NFNLGRP_NFTABLES.
            Self::Rules => (Some(rustix::net::netlink::NETFILTER), 1 << 6),
        }
    }
}

/// An open ear.
pub struct Murmur(AsyncFd<Socket>);

impl Murmur {
    /// Begins to listen. Must be called within a tokio runtime with I/O enabled.
    pub fn open(talk: Talk) -> Result<Self, Unseen> {
        let failed = |e: io::Error| match e.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) => Unseen::Capability("CAP_NET_ADMIN".to_owned()),
            _ => Unseen::Error(format!("listen to netlink: {e}")),
        };
        let (protocol, groups) = talk.address();
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, protocol).map_err(|e| failed(e.into()))?;
        rustix::net::bind(&socket, &SocketAddrNetlink::new(0, groups)).map_err(|e| failed(e.into()))?;
        watched(socket.into()).map(Self).map_err(failed)
    }

    /// Waits until something was said since the last time, and passes over all of it. Lost messages are heard too. Cancelling it loses nothing.
    pub async fn heard(&self) -> io::Result<()> {
        let mut buffer = [0; BUFFER];
        let mut heard = false;
        loop {
            let mut guard = self.0.readable().await?;
            for _ in 0..MOST {
                match rustix::net::recv(guard.get_inner(), &mut buffer[..], RecvFlags::empty()) {
                    Ok(_) | Err(rustix::io::Errno::NOBUFS) => heard = true,
                    Err(rustix::io::Errno::AGAIN) => {
                        guard.clear_ready();
                        break;
                    }
                    Err(rustix::io::Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            if heard {
                return Ok(());
            }
        }
    }
}
