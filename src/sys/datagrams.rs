//! A UDP socket for several datagrams with one peer, which also hears what the network says back.

use super::errqueue::{Connected, Event, Kind, Refusal, Route};
use crate::model::{Errno, IcmpError, Unseen};
use std::net::SocketAddr;

/// Why a datagram did not leave, or no answer will come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The kernel refused.
    Local(Errno),
    /// An ICMP error came back.
    Icmp(IcmpError),
    /// Our own failure.
    Unseen(Unseen),
}

/// A connected UDP socket, routed as applications are.
#[derive(Debug)]
pub struct Datagrams(Connected);

impl Datagrams {
    /// Opens a socket to `peer`. Nothing is sent yet; without a route it fails here.
    pub fn open(peer: SocketAddr) -> Result<Self, Trouble> {
        Connected::open(Kind::Udp, peer, &Route::default()).map(Self).map_err(|refusal| match refusal {
            Refusal::Local(errno) => Trouble::Local(errno),
            Refusal::Forbidden => Trouble::Unseen(Unseen::Error("open a UDP socket: not permitted".to_owned())),
            Refusal::Unseen(why) => Trouble::Unseen(why),
        })
    }

    /// Sends one datagram.
    pub fn send(&self, bytes: &[u8]) -> Result<(), Trouble> {
        self.0.send(bytes).map_err(Trouble::Local)
    }

    /// Waits for the next datagram, or for the word that none will come. At most 2 kB of it are kept.
    pub async fn receive(&self) -> Result<Vec<u8>, Trouble> {
        match self.0.next().await {
            Ok(Event::Data { bytes, .. }) => Ok(bytes),
            Ok(Event::Icmp { error, .. }) => Err(Trouble::Icmp(error)),
            Ok(Event::Local(errno)) => Err(Trouble::Local(errno)),
            Err(why) => Err(Trouble::Unseen(why)),
        }
    }
}
