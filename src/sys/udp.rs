//! One UDP datagram, and whatever the network says back to it: data, an ICMP error with its sender, the kernel's refusal, or nothing.
//!
//! With a small TTL this is a walk that needs no privilege at all.

use super::clock;
pub use super::errqueue::Route;
use super::errqueue::{Connected, Event, Kind, Refusal};
use crate::model::{Failure, FailureKind, Outcome, Reply, Unseen};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// An answer to a datagram.
#[derive(Debug, Clone, PartialEq)]
pub struct Datagram {
    /// Time and TTL.
    pub reply: Reply,
    /// What it holds, at most 2 kB of it.
    pub data: Vec<u8>,
}

/// Sends one datagram to an address and waits for the first word about it, at most `timeout`.
pub async fn exchange(target: SocketAddr, payload: &[u8], route: &Route, timeout: Duration) -> Outcome<Datagram> {
    let began = clock::now();
    let failed = |kind, elapsed| Outcome::Failed(Failure { kind, elapsed });
    let socket = match Connected::open(Kind::Udp, target, route) {
        Ok(socket) => socket,
        Err(Refusal::Local(errno)) => return failed(FailureKind::Local(errno), began.elapsed()),
        Err(Refusal::Forbidden) => return Outcome::Unknown(Unseen::Error("open a UDP socket: not permitted".into())),
        Err(Refusal::Unseen(why)) => return Outcome::Unknown(why),
    };
    let sent = clock::now();
    if let Err(errno) = socket.send(payload) {
        return failed(FailureKind::Local(errno), sent.elapsed());
    }
    let answer = tokio::time::timeout(timeout, socket.next()).await;
    let elapsed = sent.elapsed();
    let less = |waited: Duration| elapsed.checked_sub(waited).unwrap_or(elapsed);
    match answer {
        Err(_) => failed(FailureKind::Silence, elapsed),
        Ok(Err(why)) => Outcome::Unknown(why),
        Ok(Ok(Event::Local(errno))) => failed(FailureKind::Local(errno), elapsed),
        Ok(Ok(Event::Icmp { error, waited, .. })) => failed(FailureKind::Icmp(error), less(waited)),
        Ok(Ok(Event::Data { bytes, ttl, waited })) => {
            Outcome::Ok(Datagram { reply: Reply { ttl, ..Reply::once(less(waited)) }, data: bytes })
        }
    }
}

/// The address from which the kernel would send to this destination; nothing is sent. `None` when there is no way there.
pub fn source_for(target: IpAddr, route: &Route) -> Option<IpAddr> {
    Connected::open(Kind::Udp, SocketAddr::new(target, 9), route).ok()?.source().filter(|source| !source.is_unspecified())
}
