//! rsyslog and syslog-ng as receivers of the fleet, ended in good order or killed.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use crate::Done;
use crate::agent::{Tls, To};
use crate::chaos::Receiver;
use crate::dice::Dice;
use crate::oracle::Stored;
use crate::peers::syslog::{Kind, Receiver as Daemon, Setup, World};
use crate::proxy::Proxy;

/// How it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Stopped,
    Killed,
}

/// A receiver, and what it takes to speak to it.
pub(crate) struct Syslog {
    daemon: Daemon,
    tls: Option<Tls>,
    ending: Ending,
    pub(crate) ends: usize,
    _world: World,
}

impl Syslog {
    pub(crate) fn start(kind: Kind, encrypted: bool, ending: Ending) -> Done<Self> {
        let world = World::new();
        let (setup, tls) = if encrypted {
            let (ca, client) = (world.authority.file.clone(), world.client.clone());
            (world.tls(), Some(Tls { ca, cert: client.cert, key: client.key }))
        } else {
            (Setup::default(), None)
        };
        let daemon = Daemon::start(kind, setup).ok_or("tests/ship/fetch has not run")?;
        Ok(Self { daemon, tls, ending, ends: 0, _world: world })
    }

    /// How agents come to it by a proxy.
    pub(crate) fn to(&self) -> impl Fn(&[Proxy]) -> To + use<> {
        let tls = self.tls.clone();
        move |proxies| To::Syslog { address: proxies[0].address, tls: tls.clone() }
    }

    /// Goes, in good order.
    pub(crate) fn away(&mut self) {
        self.daemon.stop();
    }

    pub(crate) fn back(&mut self) {
        self.daemon.begin();
    }

    /// The numbers of what it has stored until now.
    pub(crate) fn numbers(&self) -> BTreeSet<u64> {
        self.daemon.stored().into_iter().map(|message| message.seq).collect()
    }
}

impl Receiver for Syslog {
    fn addresses(&self) -> Vec<SocketAddr> {
        vec![self.daemon.at()]
    }

    fn harm(&mut self, dice: &mut Dice) -> Done<String> {
        if dice.below(4) == 0 {
            self.daemon.freeze();
            std::thread::sleep(Duration::from_millis(1000 + dice.below(3000)));
            self.daemon.thaw();
            return Ok("receiver frozen".to_owned());
        }
        match self.ending {
            Ending::Stopped => self.daemon.stop(),
            Ending::Killed => self.daemon.kill(),
        }
        self.ends += 1;
        std::thread::sleep(Duration::from_millis(dice.below(1000)));
        self.daemon.begin();
        Ok(format!("receiver {:?}", self.ending).to_lowercase())
    }

    fn heal(&mut self) -> Done {
        Ok(())
    }

    /// After a stop in good order; what was being written when it was killed is not whole and does not count.
    fn stored(&mut self) -> Done<Vec<Stored>> {
        self.daemon.stop();
        let mut messages = self.daemon.stored();
        messages.retain(|message| serde_json::from_slice::<serde_json::Value>(&message.body).is_ok());
        Ok(messages.into_iter().map(|message| Stored { marked: message.sending > 1, line: message.body }).collect())
    }

    fn killed(&self) -> usize {
        if self.ending == Ending::Killed { self.ends } else { 0 }
    }
}
