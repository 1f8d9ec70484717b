//! What time the servers of the centre show: the only witness of the right time where no time daemon runs. Pure.

use crate::infer::World;
use crate::model::{Outcome, Sighting};

/// Servers whose clocks differ by more say nothing, seconds.
const AGREE_S: i64 = 5;

/// The right time as the servers have it, in a form that stands still whatever is done to this PC's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerTime {
    /// Their wall clock less this PC's time since boot, milliseconds. Coarse: they tell whole seconds.
    pub apart_ms: i64,
    /// When they said so, since boot.
    pub at_ms: u64,
}

/// By what they said in a round; `None` = none did, or they do not agree.
pub fn server_time(world: &World) -> Option<ServerTime> {
    let said = world.observations().filter_map(|observation| {
        let offset = match &observation.sighting {
            // Whoever sends elsewhere may be a portal.
            Sighting::Http(_, _, Outcome::Ok(facts)) if facts.location.is_none() => facts.date_offset_s?,
            Sighting::Tls(_, Outcome::Ok(facts)) => facts.date_offset_s?,
            _ => return None,
        };
        let (at, wall) = (observation.at.boottime_ms, observation.at.wall.as_millisecond());
        let apart_ms = wall.checked_add(offset.checked_mul(1000)?)?.checked_sub(i64::try_from(at).ok()?)?;
        Some(ServerTime { apart_ms, at_ms: at })
    });
    let mut said: Vec<ServerTime> = said.collect();
    said.sort_by_key(|time| time.apart_ms);
    let (first, last) = (said.first()?, said.last()?);
    (last.apart_ms.checked_sub(first.apart_ms)? <= AGREE_S * 1000).then(|| said[said.len() / 2])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ClockState, HttpFacts, Observation, Stamp};
    use std::time::Duration;

    fn world(offsets: &[Option<i64>]) -> World {
        let mut world = World::default();
        for (n, offset) in offsets.iter().enumerate() {
            let soon = Duration::from_millis(20);
            let facts =
                HttpFacts { status: 200, first_byte: soon, total: soon, maintenance: false, location: None, date_offset_s: *offset };
            let wall = jiff::Timestamp::from_second(1_795_154_400).expect("in range");
            let at = Stamp { boot_id: "b".to_owned(), boottime_ms: 600_000, wall, offset_s: 0, clock: ClockState::Unknown };
            let address = format!("10.0.0.{n}:80").parse().expect("an address");
            world.apply(Observation { at, sighting: Sighting::Http("http://centre/".to_owned(), address, Outcome::Ok(facts)) });
        }
        world
    }

    #[test]
    fn servers_that_agree_are_believed_and_others_are_not() {
        let apart = |offsets: &[Option<i64>]| server_time(&world(offsets)).map(|time| time.apart_ms - 1_795_153_800_000);
        assert_eq!(apart(&[Some(-86_400)]), Some(-86_400_000));
        assert_eq!(apart(&[Some(2), None, Some(1), Some(0)]), Some(1000));
        assert_eq!(apart(&[Some(0), Some(600)]), None);
        assert_eq!(apart(&[None]), None);
        assert_eq!(apart(&[]), None);
        assert_eq!(apart(&[Some(i64::MAX)]), None);
    }
}
