//! At the counter: what settlement needs on this very PC besides a network.

use crate::baseline::{card_readers, usb_now};
use crate::model::{Outcome, Sighting, Unseen};

/// The card readers plugged in. A few small files of sysfs; nothing is sent to a device.
pub fn readers() -> Sighting {
    Sighting::CardReaders(match usb_now() {
        Some(devices) => Outcome::Ok(card_readers(&devices)),
        None => Outcome::Unknown(Unseen::Error("no USB bus is shown by this system".to_owned())),
    })
}
