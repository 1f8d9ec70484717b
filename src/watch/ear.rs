//! A watcher's ear for the kernel's word that the network changed. One that broke off is opened again, and whatever may have been missed
//! meanwhile is a reason to look.

use crate::model::Unseen;
use crate::sys::netlink::Events;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Between two attempts to hear the kernel again. Looks by the clock go on meanwhile.
const AGAIN: Duration = Duration::from_mins(1);

/// Hears the kernel, or tries to.
pub struct Ear(Result<Events, Instant>);

impl Ear {
    /// Begins to listen. Must be called within a tokio runtime with I/O enabled.
    pub fn open() -> Self {
        Self(Events::open().map_err(|why| Self::later(&why)))
    }

    /// Waits until the network changed or may have. Cancelling it loses nothing.
    pub async fn stirred(&mut self) {
        self.stirred_by(&BTreeSet::new()).await;
    }

    /// The same, or until one of these neighbours answers with another hardware address.
    pub async fn stirred_by(&mut self, neighbours: &BTreeSet<IpAddr>) {
        loop {
            match &mut self.0 {
                Ok(events) => match events.next().await {
                    Ok(heard) if heard.changed || !heard.moved.is_disjoint(neighbours) => return,
                    Ok(_) => {}
                    Err(error) => {
                        tracing::error!(%error, "the kernel's word of changes broke off");
                        *self = Self::open();
                        return;
                    }
                },
                Err(again) => {
                    sleep_until(*again).await;
                    self.0 = Events::open().map_err(|why| Self::later(&why));
                    return;
                }
            }
        }
    }

    fn later(why: &Unseen) -> Instant {
        tracing::warn!(?why, "changes of the network are not heard; tried again in a minute");
        Instant::now() + AGAIN
    }
}
