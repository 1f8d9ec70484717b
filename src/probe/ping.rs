//! ICMP echo: is it alive, how far, does it lose packets?
//!
//! With `CAP_NET_RAW` surge-ping sends the series. It has its ways: on a raw socket its `Ok` also carries "destination unreachable", so only a
//! true echo reply counts, and it loses what the network says of a failure. So while it hears nothing, [`crate::sys::icmp`] asks beside it
//! and tells the reason; without the capability that is the only one who asks.

use crate::model::{FailureKind, IfName, Outcome, Reply, Sighting};
use crate::sys::caps::{Capabilities, Capability};
use crate::sys::icmp::{self, Echo, Until};
use futures_util::future::select_ok;
use std::cell::Cell;
use std::net::IpAddr;
use std::pin::pin;
use std::time::Duration;
use surge_ping::{Client, Config, ICMP, IcmpPacket, PingIdentifier, PingSequence, SurgeError};
use tokio::time::{Instant, sleep, timeout};

/// Echoes in a series: one lost packet is no dead host.
const COUNT: u16 = 3;
/// Time between two.
const GAP: Duration = Duration::from_millis(50);
/// A series that has heard nothing by then gets company. Any answer on a healthy path to a centre is there before.
const DETAIL_AFTER: Duration = Duration::from_millis(100);
/// Customary size of a ping's payload.
const PAYLOAD: [u8; 56] = [0x5a; 56];
/// ICMP types of an echo reply, version 4 and 6.
const REPLIES: (u8, u8) = (0, 129);

/// Asks for an echo, out of `device` if given. The first answer ends it; silence takes the whole `timeout`.
pub async fn ping(target: IpAddr, device: Option<&IfName>, timeout: Duration) -> Sighting {
    Sighting::Ping(target, ask(target, device, timeout).await)
}

async fn ask(target: IpAddr, device: Option<&IfName>, patience: Duration) -> Outcome<Reply> {
    let began = Instant::now();
    let Some(client) = raw_client(target, device) else { return detail(target, device, patience).await };
    let mut series = pin!(series(&client, target, patience));
    match timeout(DETAIL_AFTER.min(patience), &mut series).await {
        Ok(Some(reply)) => return Outcome::Ok(reply),
        Ok(None) => return detail(target, device, patience.saturating_sub(began.elapsed())).await,
        Err(_) => {}
    }
    let mut detail = pin!(detail(target, device, patience.saturating_sub(began.elapsed())));
    tokio::select! {
        Some(reply) = &mut series => Outcome::Ok(reply),
        outcome = &mut detail => since(outcome, began),
    }
}

/// Counts a failure's time from the first packet, whoever sent it.
fn since(outcome: Outcome<Reply>, began: Instant) -> Outcome<Reply> {
    match outcome {
        Outcome::Failed(mut failure) => {
            if failure.kind == FailureKind::Silence {
                failure.elapsed = began.elapsed();
            }
            Outcome::Failed(failure)
        }
        other => other,
    }
}

/// The same question over the socket that hears refusals.
async fn detail(target: IpAddr, device: Option<&IfName>, timeout: Duration) -> Outcome<Reply> {
    let route = icmp::Route { device: device.cloned(), ttl: None };
    icmp::echo(target, &Echo { route, timeout, count: COUNT, gap: GAP, until: Until::FirstAnswer }).await
}

/// surge-ping on a raw socket; `None` where it would not have one, or not reach the target (a link-local one needs a scope).
fn raw_client(target: IpAddr, device: Option<&IfName>) -> Option<Client> {
    let link_local = matches!(target, IpAddr::V6(ip) if ip.is_unicast_link_local());
    if link_local || !Capabilities::of_this_process().has(Capability::NetRaw) {
        return None;
    }
    let kind = if target.is_ipv4() { ICMP::V4 } else { ICMP::V6 };
    let mut config = Config::builder().kind(kind).sock_type_hint(socket2::Type::RAW);
    if let Some(device) = device {
        config = config.interface(device.as_str());
    }
    let client = Client::new(&config.build()).ok()?;
    // It falls back to a ping socket without a word, and there every refusal is a time-out.
    let raw = client.get_socket().get_type() == socket2::Type::RAW;
    tracing::debug!(%target, raw, "surge-ping has a socket");
    raw.then_some(client)
}

/// The first echo reply of a series; `None` when there can be none any more.
async fn series(client: &Client, target: IpAddr, patience: Duration) -> Option<Reply> {
    let sent = Cell::new(0);
    let identifier = PingIdentifier(identifier());
    let echoes = (0..COUNT).map(|number| {
        let sent = &sent;
        Box::pin(async move {
            let wait = GAP * u32::from(number);
            sleep(wait).await;
            let mut pinger = client.pinger(target, identifier).await;
            pinger.timeout(patience.saturating_sub(wait));
            sent.set(number + 1);
            let (packet, rtt) = pinger.ping(PingSequence(number), &PAYLOAD).await?;
            reply(&packet).map(|ttl| (rtt, ttl))
        })
    });
    let ((rtt, ttl), _) = select_ok(echoes).await.ok()?;
    Some(Reply { rtt, ttl, series: (sent.get(), 1) })
}

/// The TTL of a true echo reply; an error for anything else that surge-ping calls a success.
fn reply(packet: &IcmpPacket) -> Result<Option<u8>, SurgeError> {
    match packet {
        IcmpPacket::V4(packet) if packet.get_icmp_type().0 == REPLIES.0 => Ok(packet.get_ttl()),
        IcmpPacket::V6(packet) if packet.get_icmpv6_type().0 == REPLIES.1 => Ok(Some(packet.get_max_hop_limit()).filter(|hops| *hops > 0)),
        IcmpPacket::V4(_) | IcmpPacket::V6(_) => Err(SurgeError::NetworkError),
    }
}

/// Tells our echoes from those of another program, and of another ping of ours.
fn identifier() -> u16 {
    use std::hash::{BuildHasher, Hasher};
    (std::hash::RandomState::new().build_hasher().finish() >> 48) as u16
}
