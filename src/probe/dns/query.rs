//! One question to exactly one resolver, with the details that tell its failures apart.
//!
//! A resolver object per question: hickory's own pool would hide a dead first server behind a living second one, and its cache
//! would answer for both.

use super::wire::{Seen, Wire};
use crate::model::{Answer, Failure, FailureKind, Outcome, QueryKey, Rcode, Sighting, Unseen};
use hickory_resolver::Resolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// The port of DNS.
const PORT: u16 = 53;

/// Most addresses kept of one answer.
const MOST_ADDRESSES: usize = 32;

/// Once one family has answered with addresses, how long the other may still take: some boxes drop every AAAA question.
const SECOND_FAMILY: Duration = Duration::from_millis(100);

/// A top-level domain that is nobody's, so that only a resolver that answers everything answers for it. Not `invalid`: that one is
/// answered by the resolver library itself, without asking.
const NOBODYS: &str = "isonet-test";

/// Asks `resolver` for the addresses of `name`, both families at once. The question is repeated every third of a second, so one
/// lost datagram decides nothing.
pub async fn query(resolver: IpAddr, name: &str, patience: Duration) -> Sighting {
    query_at(SocketAddr::new(resolver, PORT), name, patience).await
}

/// [`query`] with the port as a parameter.
pub async fn query_at(resolver: SocketAddr, name: &str, patience: Duration) -> Sighting {
    let outcome = ask(resolver, name, patience).await;
    Sighting::Query(QueryKey { resolver: resolver.ip(), name: name.to_owned() }, outcome)
}

/// Asks `resolver` for names that nobody can have registered: one under `suffix` and one under a top-level domain of nobody. The
/// key's name is `*`. `Ok` with addresses says that it answers whatever it is asked, as portals do.
pub async fn wildcard_check(resolver: IpAddr, suffix: Option<&str>, patience: Duration) -> Sighting {
    wildcard_check_at(SocketAddr::new(resolver, PORT), suffix, patience).await
}

/// [`wildcard_check`] with the port as a parameter.
pub async fn wildcard_check_at(resolver: SocketAddr, suffix: Option<&str>, patience: Duration) -> Sighting {
    let outside = format!("{}.{NOBODYS}", random_label());
    // Without a suffix of the centre's, the second question goes to the same top-level domain under another label.
    let inside = format!("{}.{}", random_label(), suffix.unwrap_or(NOBODYS).trim_matches('.'));
    let (inside, outside) = tokio::join!(ask(resolver, &inside, patience), ask(resolver, &outside, patience));
    let outcome = if has_addresses(&inside) { inside } else { outside };
    Sighting::Query(QueryKey { resolver: resolver.ip(), name: "*".to_owned() }, outcome)
}

/// A label that nobody has registered: 64 bits from the operating system, by way of the hasher's keys.
fn random_label() -> String {
    format!("x{:016x}", RandomState::new().hash_one(PORT))
}

async fn ask(at: SocketAddr, name: &str, patience: Duration) -> Outcome<Answer> {
    let begun = Instant::now();
    let mut fqdn = match Name::from_utf8(name) {
        Ok(fqdn) => fqdn,
        Err(error) => return Outcome::Unknown(Unseen::Error(format!("query `{name}`: {error}"))),
    };
    fqdn.set_fqdn(true);
    let wire = Wire::default();
    let resolver = match resolver(at, patience, wire.clone()) {
        Ok(resolver) => resolver,
        Err(error) => return Outcome::Unknown(Unseen::Error(format!("query `{name}`: {error}"))),
    };
    let mut four = pin!(family(&resolver, &wire, &fqdn, RecordType::A, begun, patience));
    let mut six = pin!(family(&resolver, &wire, &fqdn, RecordType::AAAA, begun, patience));
    let (first, second) = tokio::select! {
        first = &mut four => {
            let second = rest(&first, six).await;
            (first, second)
        }
        first = &mut six => {
            let second = rest(&first, four).await;
            (first, second)
        }
    };
    merge(first, second)
}

/// Waits for the other family: for long only while the first gave no address.
async fn rest(first: &Outcome<Answer>, second: impl Future<Output = Outcome<Answer>>) -> Option<Outcome<Answer>> {
    if has_addresses(first) { timeout(SECOND_FAMILY, second).await.ok() } else { Some(second.await) }
}

fn has_addresses(outcome: &Outcome<Answer>) -> bool {
    outcome.ok().is_some_and(|answer| !answer.addresses.is_empty())
}

/// Addresses of either family win, then the more telling failure, then an empty answer.
fn merge(first: Outcome<Answer>, second: Option<Outcome<Answer>>) -> Outcome<Answer> {
    let Some(second) = second else { return first };
    match (first, second) {
        (Outcome::Ok(mut a), Outcome::Ok(b)) => {
            if a.addresses.is_empty() {
                a.elapsed = b.elapsed;
            }
            a.addresses.extend(b.addresses);
            a.addresses.sort_by_key(IpAddr::is_ipv6);
            Outcome::Ok(a)
        }
        (Outcome::Ok(answer), other) | (other, Outcome::Ok(answer)) => {
            if answer.addresses.is_empty() {
                other
            } else {
                Outcome::Ok(answer)
            }
        }
        (Outcome::Failed(a), Outcome::Failed(b)) => Outcome::Failed(if telling(&b.kind) > telling(&a.kind) { b } else { a }),
        (Outcome::Failed(failure), Outcome::Unknown(_)) | (Outcome::Unknown(_), Outcome::Failed(failure)) => Outcome::Failed(failure),
        (Outcome::Unknown(why), Outcome::Unknown(_)) => Outcome::Unknown(why),
    }
}

/// How much a failure says.
fn telling(kind: &FailureKind) -> u8 {
    match kind {
        FailureKind::Rcode(_) => 4,
        FailureKind::Icmp(_) | FailureKind::Local(_) | FailureKind::Refused => 3,
        FailureKind::Garbage(_) | FailureKind::Closed { .. } | FailureKind::TooLarge | FailureKind::Tls(..) => 2,
        FailureKind::Silence => 1,
    }
}

fn resolver(at: SocketAddr, patience: Duration, wire: Wire) -> Result<Resolver<Wire>, NetError> {
    let mut server = NameServerConfig::new(at.ip(), true, vec![ConnectionConfig::udp(), ConnectionConfig::tcp()]);
    for connection in &mut server.connections {
        connection.port = at.port();
    }
    let mut opts = ResolverOpts::default();
    opts.timeout = patience;
    // The datagram is repeated below this level; what comes back as an error is an answer.
    opts.attempts = 0;
    opts.num_concurrent_reqs = 1;
    opts.cache_size = 0;
    opts.use_hosts_file = ResolveHosts::Never;
    // Old servers answer FORMERR to EDNS.
    opts.edns0 = false;
    opts.try_tcp_on_error = false;
    opts.os_port_selection = true;
    Resolver::builder_with_config(ResolverConfig::from_name_servers(vec![server]), wire).with_options(opts).build()
}

async fn family(
    resolver: &Resolver<Wire>,
    wire: &Wire,
    name: &Name,
    record: RecordType,
    begun: Instant,
    patience: Duration,
) -> Outcome<Answer> {
    let answer = timeout(patience, resolver.lookup(name.clone(), record)).await;
    let elapsed = begun.elapsed();
    match answer {
        Ok(Ok(found)) => match code(found.message().response_code) {
            None => {
                let addresses = found.answers().iter().filter_map(|record| address(&record.data)).take(MOST_ADDRESSES).collect();
                Outcome::Ok(Answer { addresses, elapsed })
            }
            Some(rcode) => Outcome::Failed(Failure { kind: FailureKind::Rcode(rcode), elapsed }),
        },
        Ok(Err(error)) => refused(&error, &wire.seen(), elapsed),
        Err(_) => failed(unanswered(&wire.seen()), elapsed),
    }
}

fn failed(kind: Result<FailureKind, Unseen>, elapsed: Duration) -> Outcome<Answer> {
    match kind {
        Ok(kind) => Outcome::Failed(Failure { kind, elapsed }),
        Err(why) => Outcome::Unknown(why),
    }
}

fn address(data: &RData) -> Option<IpAddr> {
    match data {
        RData::A(a) => Some(IpAddr::V4(a.0)),
        RData::AAAA(aaaa) => Some(IpAddr::V6(aaaa.0)),
        _ => None,
    }
}

/// `None` = no error.
fn code(code: ResponseCode) -> Option<Rcode> {
    match code {
        ResponseCode::NoError => None,
        ResponseCode::ServFail => Some(Rcode::ServFail),
        ResponseCode::NXDomain => Some(Rcode::NxDomain),
        ResponseCode::Refused => Some(Rcode::Refused),
        other => Some(Rcode::Other(other.into())),
    }
}

/// What the library's error means together with what was seen on the wire.
fn refused(error: &NetError, seen: &Seen, elapsed: Duration) -> Outcome<Answer> {
    let told = match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => Some(none.response_code),
        NetError::Dns(DnsError::ResponseCode(code)) => Some(*code),
        _ => None,
    };
    let garbage = |what| seen.against().unwrap_or_else(|| Ok(FailureKind::Garbage(seen.oddity.unwrap_or(what).to_owned())));
    let kind = match (told.map(code), error) {
        (Some(None), _) => return Outcome::Ok(Answer { addresses: Vec::new(), elapsed }),
        (Some(Some(rcode)), _) => Ok(FailureKind::Rcode(rcode)),
        (None, NetError::Io(_) | NetError::Timeout | NetError::NoConnections | NetError::Busy) => unanswered(seen),
        (None, NetError::Truncated) => garbage("truncated"),
        (None, _) => garbage("malformed"),
    };
    failed(kind, elapsed)
}

/// What the wire says when no answer could be used.
fn unanswered(seen: &Seen) -> Result<FailureKind, Unseen> {
    if let Some(rcode) = seen.bare_rcode
        && let Some(rcode) = code(ResponseCode::from(0, rcode))
    {
        return Ok(FailureKind::Rcode(rcode));
    }
    let odd = || Ok(seen.oddity.map_or(FailureKind::Silence, |what| FailureKind::Garbage(what.to_owned())));
    seen.against().unwrap_or_else(odd)
}

#[cfg(test)]
mod tests {
    use super::merge;
    use crate::model::{Answer, Failure, FailureKind, Outcome, Rcode};
    use std::net::IpAddr;
    use std::time::Duration;

    const ELAPSED: Duration = Duration::from_millis(3);

    fn answer(addresses: &[&str]) -> Outcome<Answer> {
        let addresses: Vec<IpAddr> = addresses.iter().map(|ip| ip.parse().unwrap()).collect();
        Outcome::Ok(Answer { addresses, elapsed: ELAPSED })
    }

    fn failed(kind: FailureKind) -> Outcome<Answer> {
        Outcome::Failed(Failure { kind, elapsed: ELAPSED })
    }

    #[test]
    fn either_family_is_enough() {
        let silent = failed(FailureKind::Silence);
        assert_eq!(merge(silent.clone(), Some(answer(&["fd00::1"]))), answer(&["fd00::1"]));
        assert_eq!(merge(answer(&["10.0.0.1"]), Some(silent)), answer(&["10.0.0.1"]));
        assert_eq!(merge(answer(&["10.0.0.1"]), None), answer(&["10.0.0.1"]));
        assert_eq!(merge(answer(&["fd00::1"]), Some(answer(&["10.0.0.1"]))), answer(&["10.0.0.1", "fd00::1"]));
    }

    #[test]
    fn an_empty_answer_of_one_family_does_not_hide_the_failure_of_the_other() {
        let servfail = failed(FailureKind::Rcode(Rcode::ServFail));
        assert_eq!(merge(answer(&[]), Some(servfail.clone())), servfail);
        assert_eq!(merge(failed(FailureKind::Silence), Some(servfail.clone())), servfail);
    }
}
