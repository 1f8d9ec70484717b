//! Who may be connected at once, and who has to go when another comes.
//!
//! Everybody is let in, at a bounded rate. When all places are taken, whoever has sent no whole request for longest goes first, then whoever has
//! been taking an answer for longest: idle and slow clients cost those who ask properly nothing. Followers have places of their own.

use super::attend::{House, Peer, Stage, attend};
use super::door::{Door, Guest as Stream};
use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;
use tokio::task::{AbortHandle, JoinSet, yield_now};
use tokio::time::{Instant, sleep, sleep_until};

/// Connections at once, per socket, besides followers.
const MOST: usize = 16;
/// An answer that is not taken after this may make room for another.
const TAKEN_BY: Duration = Duration::from_secs(1);
/// Connections that are let in a second at most: about 5 % of one slow core.
const MOST_A_SECOND: u32 = 500;
/// Rest after the system refused a connection: others must end first.
const REST: Duration = Duration::from_millis(200);

/// Receives whoever comes, until it is dropped.
pub(super) async fn receive(door: Door, house: Rc<House>) {
    let mut guests = Guests::default();
    let mut pace = Pace { since: Instant::now(), count: 0 };
    let mut refused = false;
    loop {
        pace.step().await;
        match door.accept().await {
            Ok(stream) => {
                refused = false;
                guests.admit(stream, &house);
                // It gets its chance to be heard before the next may take its place.
                yield_now().await;
            }
            Err(error) => {
                // Once, however often it is tried.
                if !std::mem::replace(&mut refused, true) {
                    tracing::warn!(%error, "clients cannot be let in");
                }
                sleep(REST).await;
            }
        }
    }
}

/// How many came in this second.
struct Pace {
    since: Instant,
    count: u32,
}

impl Pace {
    async fn step(&mut self) {
        let ends = self.since + Duration::from_secs(1);
        if self.count >= MOST_A_SECOND {
            sleep_until(ends).await;
        }
        if Instant::now() >= ends {
            *self = Self { since: Instant::now(), count: 0 };
        }
        self.count += 1;
    }
}

/// Those connected now, the oldest first.
#[derive(Default)]
struct Guests {
    tasks: JoinSet<()>,
    all: VecDeque<Guest>,
}

struct Guest {
    stage: Rc<Cell<Stage>>,
    task: AbortHandle,
}

impl Guests {
    fn admit(&mut self, stream: Stream, house: &Rc<House>) {
        while self.tasks.try_join_next().is_some() {}
        self.all.retain(|guest| !guest.task.is_finished());
        let now = Instant::now();
        let stages: Vec<Stage> = self.all.iter().map(|guest| guest.stage.get()).collect();
        match room(&stages, now) {
            Room::Free => {}
            Room::InsteadOf(place) => {
                if let Some(gone) = self.all.remove(place) {
                    gone.task.abort();
                }
            }
            // The stream closes as it is dropped.
            Room::None => return,
        }
        let stage = Rc::new(Cell::new(Stage::Arriving));
        let (house, its) = (Rc::clone(house), Rc::clone(&stage));
        let task = match stream {
            Stream::File(stream) => {
                let peer = Peer::of(&stream);
                self.tasks.spawn_local(attend(stream, peer, house, its))
            }
            Stream::Port(stream) => self.tasks.spawn_local(attend(stream, Peer::nobody(), house, its)),
        };
        self.all.push_back(Guest { stage, task });
    }
}

/// Whether there is room for one more.
#[derive(Debug, PartialEq, Eq)]
enum Room {
    Free,
    InsteadOf(usize),
    None,
}

fn room(stages: &[Stage], now: Instant) -> Room {
    let placed = stages.iter().filter(|stage| **stage != Stage::Following).count();
    if placed < MOST {
        return Room::Free;
    }
    let slow = |stage: &Stage| matches!(stage, Stage::Taking(since) if now.duration_since(*since) >= TAKEN_BY);
    let idle = stages.iter().position(|stage| *stage == Stage::Arriving);
    idle.or_else(|| stages.iter().position(slow)).map_or(Room::None, Room::InsteadOf)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_idle_go_first_then_the_slow_and_followers_do_not_count() {
        let now = Instant::now() + Duration::from_mins(1);
        let slow = Stage::Taking(now.checked_sub(Duration::from_secs(2)).expect("a minute was added"));
        let mut stages = vec![Stage::Asking; MOST - 2];
        assert_eq!(room(&stages, now), Room::Free);
        stages.extend([slow, Stage::Arriving, Stage::Arriving]);
        assert_eq!(room(&stages, now), Room::InsteadOf(MOST - 1));
        stages.truncate(MOST - 1);
        stages.push(Stage::Taking(now));
        assert_eq!(room(&stages, now), Room::InsteadOf(MOST - 2));
        assert_eq!(room(&[Stage::Asking; MOST], now), Room::None);
        assert_eq!(room(&[Stage::Following; 2 * MOST], now), Room::Free);
    }
}
