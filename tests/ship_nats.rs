//! The NATS sink against real servers.

#[path = "shared/dice.rs"]
mod dice;
#[path = "ship/log.rs"]
mod log;
#[path = "ship/nats.rs"]
mod nats;
#[path = "ship/nats_chaos.rs"]
mod nats_chaos;
#[path = "ship/peers"]
mod peers {
    pub mod nats;
}
#[path = "ship/proxy.rs"]
mod proxy;
