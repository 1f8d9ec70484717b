//! The only edge to the operating system, and the only place where `unsafe` may stand.
//!
//! Everything here asks the kernel one thing and returns the model's words for it. What decodes bytes is a pure function beside the
//! call, so that it can be tested with hostile input. A failure of the peer comes back as [`Outcome::Failed`](crate::model::Outcome),
//! a failure of ours as [`Outcome::Unknown`](crate::model::Outcome): nothing here panics or waits past the time it is given.

pub mod arp;
pub mod audit;
pub mod caps;
pub mod changes;
pub mod clock;
pub mod clockset;
pub mod datagrams;
pub mod dialup;
pub mod disks;
pub mod files;
pub mod hostname;
pub mod icmp;
pub mod journald;
pub mod leases;
pub mod listeners;
pub mod memory;
pub mod mounts;
pub mod murmur;
pub mod netlink;
pub mod packages;
pub mod peer;
pub mod proc;
pub mod resolv;
pub mod rtc;
pub mod screen;
pub mod served;
pub mod sources;
pub mod stream;
pub mod udp;
pub mod uevent;
pub mod usb;
pub mod wire;
pub mod wireguard;
pub mod wireless;

mod ear;
mod errqueue;
mod generic;
mod socket;
