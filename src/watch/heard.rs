//! What the daemon's rounds brought that watchers want to know. Pure.

use super::ServerTime;
use super::server_time::server_time;
use crate::infer::World;
use crate::model::{Outcome, Sighting};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

/// Addresses that are remembered: names that lead to ever others do not grow without end.
const MOST: usize = 64;

/// What rounds brought until now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Heard {
    /// What time the servers showed last; `None` = none of them ever did.
    pub server: Option<ServerTime>,
    /// Where names of the configuration led; `None` = no round has ended yet.
    pub known: Option<Arc<BTreeSet<IpAddr>>>,
}

impl Heard {
    /// What one round brought.
    pub fn of(world: &World) -> Self {
        let led = world.observations().filter_map(|observation| match &observation.sighting {
            Sighting::Lookup(_, Outcome::Ok(found)) => Some(&found.addresses),
            _ => None,
        });
        Self { server: server_time(world), known: Some(Arc::new(led.flatten().copied().take(MOST).collect())) }
    }

    /// Takes a later round in. What that one did not bring stays: programs keep connections to where a name led before.
    pub fn and_then(&mut self, later: Self) {
        self.server = later.server.or(self.server);
        self.known = match (self.known.take(), later.known) {
            (Some(before), Some(now)) if !now.is_subset(&before) => {
                let all: BTreeSet<IpAddr> = before.union(&now).copied().collect();
                Some(if all.len() <= MOST { Arc::new(all) } else { now })
            }
            (before, now) => before.or(now),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ClockState, Lookup, LookupSource, Observation, Stamp};
    use std::time::Duration;

    fn round(addresses: impl Iterator<Item = [u8; 4]>) -> Heard {
        let addresses = addresses.map(IpAddr::from).collect();
        let found = Lookup { addresses, source: LookupSource::Dns, elapsed: Duration::ZERO };
        let wall = jiff::Timestamp::UNIX_EPOCH;
        let at = Stamp { boot_id: "b".to_owned(), boottime_ms: 0, wall, offset_s: 0, clock: ClockState::Unknown };
        let mut world = World::default();
        world.apply(Observation { at, sighting: Sighting::Lookup("settle.centre.example".to_owned(), Outcome::Ok(found)) });
        Heard::of(&world)
    }

    #[test]
    fn where_names_led_is_known_from_the_first_round_on_and_stays_known() {
        let mut heard = Heard::default();
        assert_eq!(heard.known, None, "no round yet");
        heard.and_then(Heard::of(&World::default()));
        assert_eq!(heard.known.as_deref(), Some(&BTreeSet::new()), "nothing was found");
        for last in [1, 2] {
            heard.and_then(round([[10, 20, 0, last]].into_iter()));
        }
        heard.and_then(Heard::of(&World::default()));
        assert_eq!(heard.known.as_deref().map(BTreeSet::len), Some(2));
    }

    #[test]
    fn names_that_lead_to_ever_other_places_do_not_fill_the_memory() {
        let mut heard = Heard::default();
        for n in 0..=u8::MAX {
            heard.and_then(round((0..3).map(|m| [10, n, 0, m])));
            assert!(heard.known.as_ref().is_some_and(|known| known.len() <= MOST && known.contains(&IpAddr::from([10, n, 0, 0]))));
        }
        assert!(round((0..=u8::MAX).map(|n| [10, 0, 0, n])).known.is_some_and(|known| known.len() == MOST));
    }
}
