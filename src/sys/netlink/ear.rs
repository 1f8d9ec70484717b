//! An ear for the kernel's word that does not stay deaf: one that broke off is opened again, and whatever may have been missed meanwhile is a
//! change.

use super::events::{Events, Heard};
use crate::model::Unseen;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Between two attempts to hear the kernel again. What looks by the clock goes on meanwhile; only the word at once is missing.
const AGAIN: Duration = Duration::from_mins(1);

/// How the kernel is heard.
pub type Open = fn() -> Result<Events, Unseen>;

/// Hears the kernel, or tries to.
pub struct Ear {
    open: Open,
    events: Result<Events, Instant>,
}

impl Ear {
    /// Begins to listen. Must be called within a tokio runtime with I/O enabled.
    pub fn open() -> Self {
        Self::by(Events::open)
    }

    /// The same by another way to open it.
    pub fn by(open: Open) -> Self {
        let events = open().map_err(|why| {
            tracing::warn!(?why, "changes of the network are not heard; tried again each minute");
            Instant::now() + AGAIN
        });
        Self { open, events }
    }

    /// Changes are heard.
    pub fn hears(&self) -> bool {
        self.events.is_ok()
    }

    /// Waits until the network changed or may have. Cancelling it loses nothing.
    pub async fn changed(&mut self) {
        self.changed_or(|_| false).await;
    }

    /// The same, or until what was heard `matters` otherwise.
    pub async fn changed_or(&mut self, matters: impl Fn(&Heard) -> bool) {
        loop {
            match &mut self.events {
                Ok(events) => match events.next().await {
                    Ok(heard) if heard.changed || matters(&heard) => return,
                    Ok(_) => {}
                    Err(error) => {
                        tracing::error!(%error, "the kernel's word of changes broke off");
                        *self = Self::by(self.open);
                        return;
                    }
                },
                Err(again) => {
                    sleep_until(*again).await;
                    match (self.open)() {
                        Ok(events) => {
                            tracing::info!("changes of the network are heard again");
                            self.events = Ok(events);
                            return;
                        }
                        Err(_) => self.events = Err(Instant::now() + AGAIN),
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::net::{Ipv4Addr, UdpSocket};

    thread_local! {
        static FAIL: Cell<u32> = const { Cell::new(0) };
    }

    /// Fails as often as it is told to.
    fn open() -> Result<Events, Unseen> {
        match FAIL.get() {
            0 => Events::open(),
            left => {
                FAIL.set(left - 1);
                Err(Unseen::Error("too many open files".to_owned()))
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_ear_that_cannot_be_had_is_asked_for_each_minute_and_then_everything_may_have_changed() {
        FAIL.set(3);
        let began = Instant::now();
        let mut ear = Ear::by(open);
        assert!(!ear.hears());
        let heard = tokio::time::timeout(Duration::from_hours(1), ear.changed()).await;
        assert!(ear.hears() && heard.is_ok());
        assert_eq!(began.elapsed().as_secs(), 3 * 60, "two attempts more failed");
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_can_be_broken_off_without_putting_off_the_next_attempt() {
        FAIL.set(1);
        let mut ear = Ear::by(open);
        let began = Instant::now();
        for _ in 0..7 {
            // What else happens in the loop ends the wait each time.
            let _ = tokio::time::timeout(Duration::from_secs(8), ear.changed()).await;
        }
        assert!(!ear.hears());
        let _ = tokio::time::timeout(Duration::from_hours(1), ear.changed()).await;
        assert_eq!((ear.hears(), began.elapsed().as_secs()), (true, 60));
    }

    /// The first breaks off at once: the socket of a question to a port where nobody is. Those after it are sound.
    fn open_broken() -> Result<Events, Unseen> {
        if FAIL.replace(FAIL.get() + 1) > 0 {
            return Events::open();
        }
        let nobody = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.connect(nobody).unwrap();
        socket.set_nonblocking(true).unwrap();
        socket.send(b"?").unwrap();
        Ok(Events::over(socket.into()).unwrap())
    }

    #[tokio::test]
    async fn an_ear_that_breaks_off_is_opened_again_at_once_and_everything_may_have_changed() {
        let mut ear = Ear::by(open_broken);
        let changed = tokio::time::timeout(Duration::from_secs(20), ear.changed()).await;
        assert!(changed.is_ok() && ear.hears());
        assert_eq!(FAIL.get(), 2, "opened");
    }
}
