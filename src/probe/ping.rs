//! ICMP echo: is it alive, how far, does it lose packets?
//!
//! With `CAP_NET_RAW` surge-ping sends the series. It has its ways: on a raw socket its `Ok` also carries "destination unreachable" and redirects,
//! so that each packet is looked at for what it is. Routers say only a few refusals a second, so a refusal that has been heard is used and
//! not asked for again. While a series hears nothing, [`crate::sys::icmp`] asks once beside it, for what only the kernel's error queue
//! tells; without the capability it is the only one who asks.

use crate::model::{Errno, Failure, FailureKind, IcmpError, IfName, Outcome, Reply, Sighting};
use crate::sys::caps::{Capabilities, Capability};
use crate::sys::icmp::{self, Echo, Until};
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::cell::Cell;
use std::net::IpAddr;
use std::pin::pin;
use std::time::Duration;
use surge_ping::{Client, Config, ICMP, IcmpPacket, PingIdentifier, PingSequence, SurgeError};
use tokio::time::{Instant, sleep, timeout};

/// When the echoes of a series leave. One lost packet is no dead host; and a router that has just refused others says why only after a
/// second, when its budget for refusals has grown again.
const LEAVE: [Duration; 3] = [Duration::ZERO, Duration::from_millis(50), Duration::from_millis(1100)];
/// Time between two echoes where only one socket asks.
const GAP: Duration = Duration::from_millis(550);
/// A series that has heard nothing by then gets company. Any answer on a healthy path to a centre is there before.
const DETAIL_AFTER: Duration = Duration::from_millis(100);
/// Customary size of a ping's payload.
const PAYLOAD: usize = 56;

/// Asks for an echo, out of `device` if given. The first answer ends it; silence takes the whole `timeout`.
pub async fn ping(target: IpAddr, device: Option<&IfName>, timeout: Duration) -> Sighting {
    Sighting::Ping(target, ask(target, device, timeout).await)
}

/// Whether it answers at all, on one socket that hears refusals, too. The cheapest of the ways to ask: no task, no table of echoes.
pub async fn is_alive(target: IpAddr, timeout: Duration) -> bool {
    detail(target, None, 3, timeout).await.ok().is_some()
}

async fn ask(target: IpAddr, device: Option<&IfName>, patience: Duration) -> Outcome<Reply> {
    let began = Instant::now();
    let Some(client) = raw_client(target, device) else { return detail(target, device, 3, patience).await };
    let mut series = pin!(series(&client, target, patience));
    if let Ok(end) = timeout(DETAIL_AFTER.min(patience), &mut series).await {
        return told(end, began);
    }
    let mut detail = pin!(detail(target, device, 1, patience.saturating_sub(began.elapsed())));
    tokio::select! {
        end = &mut series => told(end, began),
        outcome = &mut detail => match outcome {
            // It began later: the series has the last word on silence.
            Outcome::Failed(Failure { kind: FailureKind::Silence, .. }) | Outcome::Unknown(_) => told(series.await, began),
            outcome => outcome,
        },
    }
}

/// How a series ended.
#[derive(Debug)]
enum End {
    Reply(Reply),
    Refused(FailureKind),
    Silence,
}

fn told(end: End, began: Instant) -> Outcome<Reply> {
    let kind = match end {
        End::Reply(reply) => return Outcome::Ok(reply),
        End::Refused(kind) => kind,
        End::Silence => FailureKind::Silence,
    };
    Outcome::Failed(Failure { kind, elapsed: began.elapsed() })
}

/// The same question over the socket that hears refusals.
async fn detail(target: IpAddr, device: Option<&IfName>, count: u16, timeout: Duration) -> Outcome<Reply> {
    let route = icmp::Route { device: device.cloned(), ttl: None };
    icmp::echo(target, &Echo { route, timeout, count, gap: GAP, until: Until::FirstAnswer }).await
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

/// Ours by its first bytes, so that whoever hears the answer knows it.
fn payload() -> [u8; PAYLOAD] {
    let mut payload = [0x5a; PAYLOAD];
    payload[..8].copy_from_slice(&icmp::mark());
    payload
}

/// Sends a series and gives the first word about it.
async fn series(client: &Client, target: IpAddr, patience: Duration) -> End {
    let sent = Cell::new(0);
    let identifier = PingIdentifier(identifier());
    let sent_here = &sent;
    let mut echoes: FuturesUnordered<_> = (0..)
        .zip(LEAVE)
        .map(|(number, wait)| async move {
            sleep(wait).await;
            let mut pinger = client.pinger(target, identifier).await;
            pinger.timeout(patience.saturating_sub(wait));
            sent_here.set(number + 1);
            pinger.ping(PingSequence(number), &payload()).await
        })
        .collect();
    while let Some(echo) = echoes.next().await {
        match echo.map(|(packet, rtt)| (Heard::from(&packet), rtt)) {
            Ok((Heard::Reply(ttl), rtt)) => return End::Reply(Reply { rtt, ttl, series: (sent.get(), 1) }),
            Ok((Heard::Refusal(error), _)) => return End::Refused(FailureKind::Icmp(error)),
            Err(SurgeError::IOError(error)) if error.raw_os_error().is_some() => {
                return End::Refused(FailureKind::Local(Errno(error.raw_os_error().unwrap_or(0))));
            }
            Ok((Heard::Other, _)) | Err(_) => {}
        }
    }
    End::Silence
}

/// What surge-ping calls a success.
#[derive(Debug, PartialEq, Eq)]
enum Heard {
    /// An echo reply, and its TTL where that can be seen.
    Reply(Option<u8>),
    /// An ICMP error about our echo.
    Refusal(IcmpError),
    /// A redirect and the like: it consumed the echo and says nothing about the target.
    Other,
}

impl From<&IcmpPacket> for Heard {
    fn from(packet: &IcmpPacket) -> Self {
        match packet {
            IcmpPacket::V4(packet) => {
                let (kind, code) = (packet.get_icmp_type().0, packet.get_icmp_code().0);
                Self::of(kind, code, packet.get_source().into(), packet.get_ttl())
            }
            IcmpPacket::V6(packet) => {
                let (kind, code) = (packet.get_icmpv6_type().0, packet.get_icmpv6_code().0);
                Self::of(kind, code, packet.get_source().into(), Some(packet.get_max_hop_limit()).filter(|hops| *hops > 0))
            }
        }
    }
}

impl Heard {
    fn of(kind: u8, code: u8, source: IpAddr, ttl: Option<u8>) -> Self {
        let (reply, errors): (u8, &[u8]) = if source.is_ipv4() { (0, &[3, 11, 12]) } else { (129, &[1, 2, 3, 4]) };
        if kind == reply {
            Self::Reply(ttl)
        } else if errors.contains(&kind) {
            Self::Refusal(icmp::error(source, kind, code))
        } else {
            Self::Other
        }
    }
}

/// Tells our echoes from those of another program, and of another ping of ours.
fn identifier() -> u16 {
    use std::hash::{BuildHasher, Hasher};
    (std::hash::RandomState::new().build_hasher().finish() >> 48) as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::IcmpKind;

    #[test]
    fn only_an_echo_reply_is_a_reply_and_a_redirect_is_nothing() {
        let v4: IpAddr = "10.0.0.1".parse().expect("an address");
        let v6: IpAddr = "fd00::1".parse().expect("an address");
        assert_eq!(Heard::of(0, 0, v4, Some(64)), Heard::Reply(Some(64)));
        assert_eq!(Heard::of(129, 0, v6, None), Heard::Reply(None));
        assert_eq!(Heard::of(5, 1, v4, None), Heard::Other);
        assert_eq!(Heard::of(137, 0, v6, None), Heard::Other);
        assert_eq!(Heard::of(3, 13, v4, None), Heard::Refusal(IcmpError { kind: IcmpKind::AdminProhibited, offender: Some(v4) }));
        assert_eq!(Heard::of(1, 0, v6, None), Heard::Refusal(IcmpError { kind: IcmpKind::NetUnreachable, offender: Some(v6) }));
    }

    mod any_bytes {
        use super::*;
        use crate::testing::{cases, hostile};
        use proptest::prelude::*;
        use std::net::{Ipv4Addr, Ipv6Addr};
        use surge_ping::{Icmpv4Packet, Icmpv6Packet};

        fn seeds() -> Vec<Vec<u8>> {
            let ip = [0x45, 0, 0, 84, 0, 0, 0, 0, 57, 1, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
            let (reply, unreachable) = ([0, 0, 0, 0, 1, 2, 0, 1], [3, 1, 0, 0, 0, 0, 0, 0]);
            let request = [8, 0, 0, 0, 1, 2, 0, 1];
            let four = vec![[&ip[..], &reply, &payload()].concat(), [&ip[..], &unreachable, &ip, &request].concat()];
            let inner = [&[0x60, 0, 0, 0, 0, 8, 58, 64][..], &[1; 32], &[128, 0, 0, 0, 1, 2, 0, 1]].concat();
            let six = vec![[&[129, 0, 0, 0, 1, 2, 0, 1][..], &payload()].concat(), [&[1, 3, 0, 0, 0, 0, 0, 0][..], &inner].concat()];
            [four, six].concat()
        }

        proptest! {
            #![proptest_config(cases())]

            /// The library decodes them on a task of its own, whose end would look like silence.
            #[test]
            fn of_a_ping_are_decoded_or_refused(bytes in hostile(seeds(), 200)) {
                if let Ok(packet) = Icmpv4Packet::decode(&bytes, socket2::Type::RAW, Ipv4Addr::LOCALHOST, Ipv4Addr::LOCALHOST) {
                    let _ = Heard::from(&IcmpPacket::V4(packet));
                }
                if let Ok(packet) = Icmpv6Packet::decode(&bytes, Ipv6Addr::LOCALHOST) {
                    let _ = Heard::from(&IcmpPacket::V6(packet));
                }
            }
        }
    }
}
