//! The NATS sink against real servers.

#[path = "ship/log.rs"]
mod log;
#[path = "ship/nats.rs"]
mod nats;
#[path = "ship/peers"]
mod peers {
    pub mod nats;
}
