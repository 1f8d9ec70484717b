//! What is right: a time daemon knows that vouches for the clock, or the servers of the centre. Pure.

use super::judge::{HOUR, SECOND, Seen};

/// Fastest drift of a PC's own clock: one part in so many.
pub(super) const DRIFT: i64 = 5_000;
/// Servers tell whole seconds, and the answer was on its way for a while.
const COARSE: i64 = 2 * SECOND;
/// What servers say while the clock is being set may be of before or after.
const UNSURE: i64 = 15 * SECOND;
/// So long a time daemon's word is better than the servers'.
const BETTER: i64 = 24 * HOUR;

/// The right time less the time since boot: it stands still whatever is done to the clock.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Right {
    pub apart: i64,
    pub at: i64,
    pub by: Witness,
}

/// Who says what is right.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Witness {
    /// A time daemon that vouched for the clock.
    Keeper,
    /// The servers of the centre.
    Server,
}

impl Right {
    /// Whether a clock that is so far apart is right, as far as can be told.
    pub(super) fn fits(&self, apart: i64, boot: i64, limit: i64) -> bool {
        let coarse = if self.by == Witness::Server { COARSE } else { 0 };
        (apart - self.apart).abs() < limit + coarse + (boot - self.at) / DRIFT
    }

    /// Takes in what the servers say, unless a time daemon says better. As long as it is the same but for its coarseness the first word stands.
    /// `stepped` = when the clock was last set.
    pub(super) fn hear(known: &mut Option<Self>, seen: &Seen, stepped: Option<i64>) {
        let Some(server) = seen.server else { return };
        let (apart, at) = (server.apart_ms.saturating_mul(1_000_000), i64::try_from(server.at_ms).unwrap_or(0).saturating_mul(1_000_000));
        let sure = stepped.is_none_or(|stepped| (at - stepped).abs() > UNSURE);
        let stands = known.is_some_and(|right| match right.by {
            Witness::Keeper => at - right.at < BETTER,
            Witness::Server => right.fits(apart, at, 0),
        });
        if sure && !stands {
            *known = Some(Self { apart, at, by: Witness::Server });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::desk::{Desk, MORNING};
    use super::*;

    /// The desk's clock less its time since boot.
    const APART: i64 = MORNING - 600 * SECOND;

    fn known_by(by: Witness) -> Right {
        Right { apart: APART, at: 600 * SECOND, by }
    }

    /// What is known after the servers said, so many seconds later, that this PC is behind by so many.
    fn after(known: Right, seconds: i64, behind: i64, stepped: Option<i64>) -> Right {
        let mut desk = Desk::new();
        desk.run(seconds);
        desk.served(behind);
        let mut known = Some(known);
        Right::hear(&mut known, &desk.seen(), stepped);
        known.expect("stays known")
    }

    #[test]
    fn a_clock_may_drift_and_servers_are_coarse() {
        let (keeper, server, limit) = (known_by(Witness::Keeper), known_by(Witness::Server), 2 * SECOND);
        let fits = |right: Right, off: i64, later: i64| right.fits(APART + off, right.at + later, limit);
        assert!(fits(keeper, limit - 1, 0) && !fits(keeper, limit, 0) && fits(server, limit, 0) && !fits(server, 2 * limit, 0));
        assert!(!fits(keeper, 3 * SECOND, HOUR) && fits(keeper, 3 * SECOND, 2 * HOUR), "a second in 5000");
    }

    #[test]
    fn a_time_daemons_word_is_better_for_a_day_and_the_servers_first_word_stands_while_they_agree() {
        let (keeper, server) = (known_by(Witness::Keeper), known_by(Witness::Server));
        let other = |known: Right, seconds, behind: i64| {
            let heard = after(known, seconds, behind, None);
            let replaced = Right { apart: APART + behind * SECOND, at: (600 + seconds) * SECOND, by: Witness::Server };
            assert!(heard == known || heard == replaced);
            heard != known
        };
        assert!(!other(keeper, 60, 3600) && !other(keeper, 23 * 3600, 3600) && other(keeper, 24 * 3600, 3600));
        assert!(!other(server, 60, 1) && other(server, 60, 60));
    }

    #[test]
    fn what_servers_say_around_a_step_is_not_taken_in() {
        let known = known_by(Witness::Server);
        for (stepped, taken) in [(660, false), (646, false), (644, true), (674, false), (676, true)] {
            assert_eq!(after(known, 60, 60, Some(stepped * SECOND)) != known, taken, "{stepped}");
        }
    }
}
