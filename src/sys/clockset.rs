//! Hears that the wall clock was set, by whomever and however, within milliseconds: a timer on it that is never due, and that the kernel
//! cancels when the clock jumps. It also does so at every resume and when the clock is set to what it shows: an event only means "look". Each set wakes
//! whoever listens, whether he has read of the one before or not, so in a storm of them one has to stop listening for a while.

#![allow(unsafe_code, reason = "registering a descriptor with the runtime is a promise about it")]

use rustix::io::Errno;
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime};
use std::io;
use std::os::fd::OwnedFd;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// So far ahead that it is never due, seconds since 1970: the year 2200. The kernel's clock ends in 2262.
const NEVER: i64 = 7_258_118_400;

/// An ear on the wall clock.
pub struct ClockSet(AsyncFd<OwnedFd>);

impl ClockSet {
    /// Must be called within a tokio runtime with I/O enabled.
    pub fn open() -> io::Result<Self> {
        let timer = timerfd_create(TimerfdClockId::Realtime, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        arm(&timer)?;
        // SAFETY: an `OwnedFd` owns one descriptor, always returns that one, and is closed only when dropped, which the `AsyncFd` does.
        Ok(Self(unsafe { AsyncFd::register_with_interest(timer, Interest::READABLE) }.map_err(io::Error::from)?))
    }

    /// Waits until the clock was set, and listens again before it returns: what is read afterwards misses no later set. Cancelling it loses
    /// nothing. An error is final: there is nothing more to hear.
    pub async fn heard(&self) -> io::Result<()> {
        let mut guard = self.0.readable().await?;
        let told = rustix::io::read(guard.get_inner(), &mut [0_u8; 8]);
        guard.clear_ready();
        match told {
            Err(Errno::AGAIN | Errno::INTR) => Ok(()),
            // The timer was cancelled; or it is due, because the clock was set to a year beyond.
            Err(Errno::CANCELED) | Ok(_) => self.listen(),
            Err(error) => Err(error.into()),
        }
    }

    /// Hears nothing, and is woken by nothing, until it listens again.
    pub fn rest(&self) -> io::Result<()> {
        let none = Timespec { tv_sec: 0, tv_nsec: 0 };
        let never = Itimerspec { it_interval: none, it_value: none };
        timerfd_settime(self.0.get_ref(), TimerfdTimerFlags::empty(), &never).map(drop).or_else(unless_cancelled)
    }

    /// Hears of what comes from now on.
    pub fn listen(&self) -> io::Result<()> {
        arm(self.0.get_ref())
    }
}

/// Sets the timer. Where the clock was set since the last time the kernel says so once more, and has set it all the same.
fn arm(timer: &OwnedFd) -> io::Result<()> {
    let never = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: Timespec { tv_sec: NEVER, tv_nsec: 0 } };
    let flags = TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET;
    timerfd_settime(timer, flags, &never).map(drop).or_else(unless_cancelled)
}

fn unless_cancelled(error: Errno) -> io::Result<()> {
    if error == Errno::CANCELED { Ok(()) } else { Err(error.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn it_rests_and_listens_as_often_as_one_likes() {
        let ear = ClockSet::open().expect("needs no privilege");
        for _ in 0..3 {
            ear.rest().expect("rests");
            ear.rest().expect("still rests");
            ear.listen().expect("listens");
        }
        assert!(tokio::time::timeout(Duration::from_millis(20), ear.heard()).await.is_err());
    }

    #[tokio::test]
    async fn a_clock_that_nobody_sets_is_silent() {
        let ear = ClockSet::open().expect("needs no privilege");
        assert!(tokio::time::timeout(Duration::from_millis(20), ear.heard()).await.is_err());
    }
}
