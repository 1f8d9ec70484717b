//! What the way loses, counted once there is trouble: of who answered, and of what.

use super::ground::{Ground, mtu_towards};
use super::{Looks, TROUBLE, Weight};
use crate::probe::loss;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use tokio::time::sleep_until;

/// Hosts whose echoes are counted at most: each is sent twenty, and a centre twenty large ones.
const MOST_COUNTED: usize = 16;
/// Hosts with which exchanges are counted at most: each is a dozen of them.
const MOST_EXCHANGED: usize = 6;
/// The port of name servers.
const DNS: u16 = 53;

impl Looks {
    /// Who answers is asked again and again, if there is trouble at all.
    pub(super) fn count_losses(&mut self, ground: &Rc<Ground>, ip: IpAddr) {
        // Without a centre there is nothing that losses could hinder.
        let full = self.counted.len() >= MOST_COUNTED;
        if ground.config.centres.is_empty() || ip.is_loopback() || full || !self.counted.insert(ip) {
            return;
        }
        self.count(ground, async move |g| g.emit(loss::series(ip, None, g.left()).await).await);
        if self.centres.contains(&ip) {
            self.count(ground, async move |g| {
                if let Some(mtu) = mtu_towards(g, ip).await {
                    g.emit(loss::series_large(ip, mtu, g.left()).await).await;
                }
            });
        }
    }

    /// The same, and of questions, to a name server that answers them.
    pub(super) fn count_questions(&mut self, ground: &Rc<Ground>, resolver: IpAddr, name: &str) {
        self.count_losses(ground, resolver);
        let name = name.to_owned();
        if self.may_exchange(resolver) {
            self.count(ground, async move |g| {
                if let Some(seen) = loss::questions(SocketAddr::new(resolver, DNS), &name, g.left()).await {
                    g.emit(seen).await;
                }
            });
        }
    }

    /// The same, and of handshakes, with a port of a centre that accepts them.
    pub(super) fn count_handshakes(&mut self, ground: &Rc<Ground>, at: SocketAddr) {
        self.count_losses(ground, at.ip());
        if self.may_exchange(at.ip()) {
            self.count(ground, async move |g| {
                if let Some(seen) = loss::handshakes(at, g.left()).await {
                    g.emit(seen).await;
                }
            });
        }
    }

    fn may_exchange(&mut self, ip: IpAddr) -> bool {
        !ip.is_loopback() && self.exchanged.len() < MOST_EXCHANGED && self.exchanged.insert(ip)
    }

    fn count(&mut self, ground: &Rc<Ground>, count: impl AsyncFnOnce(&Ground) + 'static) {
        let ground = Rc::clone(ground);
        self.start(Weight::Counting, async move {
            sleep_until(ground.began + TROUBLE).await;
            count(&ground).await;
        });
    }
}
