//! Whether this machine, or this process alone, stood still while something was under way.
//!
//! Whoever sleeps through an exchange finds all patience used up when it wakes, and would blame the silence of those who had answered
//! in time. What was asked before a standstill is therefore worth nothing and is asked again.

use crate::sys::clock;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// How often one looks. A look costs a reading of the clock.
const TICK: Duration = Duration::from_millis(200);
/// Nobody who is awake is kept from looking for so long, not even on a machine that is three times too busy.
const STANDSTILL: Duration = Duration::from_millis(1500);

/// Runs `work` to its end; `None` if there was a standstill meanwhile, as soon as it is over.
pub async fn awake<T>(work: impl Future<Output = T>) -> Option<T> {
    let mut watch = Watch { last: clock::boottime() };
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tokio::pin!(work);
    poll_fn(|context| {
        // Before the work gets to see that its time is over.
        if watch.slept(clock::boottime()) {
            return Poll::Ready(None);
        }
        while ticks.poll_tick(context).is_ready() {}
        match work.as_mut().poll(context) {
            Poll::Ready(_) if watch.slept(clock::boottime()) => Poll::Ready(None),
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// When somebody last looked at the clock that goes on during suspend.
struct Watch {
    last: Duration,
}

impl Watch {
    fn slept(&mut self, now: Duration) -> bool {
        let gap = now.saturating_sub(self.last);
        self.last = now;
        gap > STANDSTILL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_long_gap_between_two_looks_is_a_standstill() {
        let mut watch = Watch { last: Duration::from_secs(100) };
        assert!(!watch.slept(Duration::from_millis(100_200)));
        assert!(!watch.slept(Duration::from_millis(101_400)), "a busy machine");
        assert!(watch.slept(Duration::from_millis(107_900)), "asleep for six seconds");
        assert!(!watch.slept(Duration::from_secs(108)), "and awake again");
    }

    #[tokio::test]
    async fn work_that_nothing_interrupts_gives_its_result() {
        assert_eq!(awake(async { 7 }).await, Some(7));
    }
}
