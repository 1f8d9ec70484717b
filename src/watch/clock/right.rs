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
