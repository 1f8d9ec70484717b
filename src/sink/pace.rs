//! How soon to try again, and how fast to go. Pure, but for the draw.
//!
//! After an outage of a region all its terminals want to return at once. A pause is therefore drawn anew from the whole of a span that
//! doubles with each failure ("full jitter"): half a million terminals with 30 s to 300 s come back over five minutes, at most 3,400 a second,
//! where a fixed pause of 10 s brings 50,000 in one second and a doubling pause without a draw brings all.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;
use tokio::time::Instant;

/// The spans from which pauses are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// After the first failure.
    pub first: Duration,
    /// The longest.
    pub longest: Duration,
}

impl Pace {
    /// For receivers that a whole region shares.
    pub const FLEET: Self = Self { first: Duration::from_secs(30), longest: Duration::from_mins(5) };
    /// For what is on this PC.
    pub const LOCAL: Self = Self { first: Duration::from_secs(1), longest: Duration::from_mins(1) };

    /// The span after so many failures in a row, the first being 1.
    pub fn span(self, failures: u32) -> Duration {
        let doubled = 2u32.checked_pow(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        self.first.checked_mul(doubled).map_or(self.longest, |span| span.min(self.longest))
    }
}

/// When to try again.
#[derive(Debug)]
pub struct Retry {
    pace: Pace,
    failures: u32,
    /// Drawn from the operating system, once.
    keys: RandomState,
    draws: u64,
}

impl Retry {
    /// Nothing has failed yet.
    pub fn new(pace: Pace) -> Self {
        Self { pace, failures: 0, keys: RandomState::new(), draws: 0 }
    }

    /// Something went through.
    pub fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// It failed: wait so long.
    pub fn failed(&mut self) -> Duration {
        self.failures = self.failures.saturating_add(1);
        self.pace.span(self.failures).mul_f64(self.draw())
    }

    /// A time around this one, a fifth more or less: what all terminals do now and then, they do not do together.
    pub fn around(&mut self, time: Duration) -> Duration {
        time.mul_f64(0.8 + 0.4 * self.draw())
    }

    /// From 0 to 1.
    fn draw(&mut self) -> f64 {
        self.draws = self.draws.wrapping_add(1);
        let drawn = self.keys.hash_one(self.draws);
        f64::from(u32::try_from(drawn >> 32).unwrap_or(0)) / f64::from(u32::MAX)
    }
}

/// A bucket of tokens: so many records may go at once, and then so many a second.
#[derive(Debug)]
pub struct Bucket {
    per_second: f64,
    most: f64,
    tokens: f64,
    at: Instant,
}

impl Bucket {
    /// A full one.
    pub fn new(per_second: u32, most: u32, now: Instant) -> Self {
        Self { per_second: f64::from(per_second), most: f64::from(most), tokens: f64::from(most), at: now }
    }

    /// How many may go now, at most `wanted`. They are not taken yet.
    pub fn holds(&mut self, wanted: usize, now: Instant) -> usize {
        self.fill(now);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and what the bucket takes")]
        let whole = self.tokens.floor() as usize;
        whole.min(wanted)
    }

    /// So many went.
    pub fn take(&mut self, records: usize) {
        self.tokens -= f64::from(u32::try_from(records).unwrap_or(u32::MAX));
    }

    /// How long until it holds so many, which may not be more than it takes.
    pub fn until(&mut self, records: u32, now: Instant) -> Duration {
        self.fill(now);
        Duration::from_secs_f64((f64::from(records) - self.tokens).max(0.0) / self.per_second)
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.tokens = (self.tokens + passed * self.per_second).min(self.most);
        self.at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace::FLEET;

    #[test]
    fn the_span_doubles_up_to_the_longest() {
        let spans: Vec<u64> = (1..8).map(|failures| PACE.span(failures).as_secs()).collect();
        assert_eq!(spans, [30, 60, 120, 240, 300, 300, 300]);
        assert_eq!(PACE.span(u32::MAX), PACE.longest);
    }

    #[test]
    fn a_region_that_returns_spreads_over_the_whole_span() {
        let pauses: Vec<f64> = (0..4000).map(|_| Retry::new(PACE).failed().as_secs_f64()).collect();
        assert!(pauses.iter().all(|pause| (0.0..=30.0).contains(pause)));
        for second in 0..30 {
            let here = pauses.iter().filter(|pause| (f64::from(second)..f64::from(second + 1)).contains(*pause)).count();
            assert!((60..220).contains(&here), "{here} of 4000 in second {second}");
        }
    }

    #[test]
    fn a_success_begins_anew() {
        let mut retry = Retry::new(PACE);
        for _ in 0..9 {
            retry.failed();
        }
        retry.succeeded();
        assert!(retry.failed() <= PACE.first);
    }

    #[tokio::test(start_paused = true)]
    async fn a_bucket_lets_a_burst_through_and_then_its_rate() {
        let begin = Instant::now();
        let mut bucket = Bucket::new(10, 50, begin);
        assert_eq!(bucket.holds(80, begin), 50);
        bucket.take(50);
        assert_eq!((bucket.holds(80, begin), bucket.until(20, begin)), (0, Duration::from_secs(2)));
        assert_eq!(bucket.holds(80, begin + Duration::from_secs(2)), 20);
        assert_eq!(bucket.holds(80, begin + Duration::from_mins(1)), 50, "it takes no more");
    }
}
