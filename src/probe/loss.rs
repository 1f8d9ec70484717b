//! What gets lost on the way: a series of echoes to somebody who is known to answer, and one of large packets beside it. Many hosts
//! ration echoes, so the same is counted of what they do not ration: questions to a name server, handshakes with a port that accepts.

use super::{dns, tcp};
use crate::model::{Failure, FailureKind, IfName, Outcome, Reply, Sighting};
use crate::sys::datagrams::Datagrams;
use crate::sys::icmp::{Echo, Route, Until, echo, echo_of};
use futures_util::stream::{FuturesUnordered, StreamExt};
use hickory_resolver::proto::rr::{Name, RecordType};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// Echoes of a series: enough to tell one loss in ten from bad luck.
const COUNT: u16 = 20;
/// Time between two.
const GAP: Duration = Duration::from_millis(40);
/// The whole series: sending, and a round trip for the last.
const LONGEST: Duration = Duration::from_millis(1600);

/// Counts what comes back, out of `device` if given.
pub async fn series(target: IpAddr, device: Option<&IfName>, patience: Duration) -> Sighting {
    let route = Route { device: device.cloned(), ttl: None };
    let how = Echo { route, timeout: patience.min(LONGEST), count: COUNT, gap: GAP, until: Until::AllAnswered };
    Sighting::Series(target, echo(target, &how).await)
}

/// Exchanges of a series that are no echoes: each is work for a server.
const EXCHANGES: u128 = 12;
/// Fewer are no statistics.
const LEAST: u16 = 8;
/// What has not come by then was lost: several round trips of the slowest healthy line, and less than the second after which TCP repeats
/// its first packet.
const LOST_AFTER: Duration = Duration::from_millis(700);

/// Asks `resolver` for `name` again and again, one datagram each, and counts answers of whatever kind. `None` = not a name one can ask for,
/// or no time.
pub async fn questions(resolver: SocketAddr, name: &str, patience: Duration) -> Option<Sighting> {
    let mut name = Name::from_utf8(name).ok()?;
    name.set_fqdn(true);
    let record = if resolver.is_ipv4() { RecordType::A } else { RecordType::AAAA };
    let question = dns::question(&name, record)?;
    let outcome = exchanges(patience, |number| {
        let mut question = question.clone();
        question[..2].copy_from_slice(&number.to_be_bytes());
        async move {
            let Ok(socket) = Datagrams::open(resolver) else { return };
            if socket.send(&question).is_ok() {
                while socket.receive().await.is_ok_and(|answer| !answer.starts_with(&question[..2])) {}
            }
        }
    })
    .await?;
    Some(Sighting::Exchanges(resolver, outcome))
}

/// Shakes hands with a port again and again, and counts what came about without a repetition. `None` = no time.
pub async fn handshakes(at: SocketAddr, patience: Duration) -> Option<Sighting> {
    let outcome = exchanges(patience, |_| async move { drop(tcp::connect(at, 2 * LOST_AFTER).await) }).await?;
    Some(Sighting::Exchanges(at, outcome))
}

/// A series of exchanges, each from a port of its own; its round trip is the shortest. Any word ends one, also of a refusal: only what brings
/// none was lost.
async fn exchanges<F: Future<Output = ()>>(patience: Duration, exchange: impl Fn(u16) -> F) -> Option<Outcome<Reply>> {
    let began = Instant::now();
    let fit = patience.saturating_sub(LOST_AFTER).as_millis() / GAP.as_millis();
    let count = u16::try_from(fit.min(EXCHANGES)).ok().filter(|count| *count >= LEAST)?;
    let mut all: FuturesUnordered<_> = (0..count)
        .map(|number| {
            let exchange = exchange(number);
            async move {
                sleep(GAP * u32::from(number)).await;
                let sent = Instant::now();
                timeout(LOST_AFTER, exchange).await.ok().map(|()| sent.elapsed())
            }
        })
        .collect();
    let (mut answered, mut rtt) = (0, Duration::MAX);
    while let Some(took) = all.next().await {
        answered += u16::from(took.is_some());
        rtt = took.map_or(rtt, |took| rtt.min(took));
    }
    if answered == 0 {
        return Some(Outcome::Failed(Failure { kind: FailureKind::Silence, elapsed: began.elapsed() }));
    }
    Some(Outcome::Ok(Reply { rtt, ttl: None, series: (count, answered) }))
}

/// Headers of IP and ICMP before an echo's payload, and the largest packet of Ethernet.
const HEADERS_V4: u32 = 28;
const HEADERS_V6: u32 = 48;
const ETHERNET: u32 = 1500;

/// Counts what comes back of packets as large as a card with this `mtu` sends. They are marked as not to be divided, as TCP's are.
pub async fn series_large(target: IpAddr, mtu: u32, patience: Duration) -> Sighting {
    let headers = if target.is_ipv4() { HEADERS_V4 } else { HEADERS_V6 };
    let payload = mtu.min(ETHERNET).saturating_sub(headers);
    let how = Echo { route: Route::default(), timeout: patience.min(LONGEST), count: COUNT, gap: GAP, until: Until::AllAnswered };
    Sighting::SeriesLarge(target, echo_of(target, &how, usize::try_from(payload).unwrap_or(0)).await)
}
