//! Names: as applications resolve them ([`lookup`]), and one question to one resolver ([`query`]).
//!
//! The two are kept apart on purpose: the first tells what the settlement program gets, the second which resolver is to blame.
//! Neither caches anything.

mod query;
mod question;
mod wire;

pub use query::{query, query_at, wildcard_check, wildcard_check_at};
#[cfg(test)]
pub(in crate::probe) use question::answer;
pub(in crate::probe) use question::question;

use crate::model::{Errno, Failure, FailureKind, Lookup, LookupSource, Outcome, Rcode, Sighting, Unseen};
use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::pin::pin;
use std::thread;
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{Instant, sleep_until, timeout_at};

/// Most `getaddrinfo` calls at once. They cannot be cancelled, and one against dead resolvers lasts tens of seconds.
const MOST_CALLS: usize = 8;

/// A quick "temporary failure" is a resolver's own word; a slow one is the silence of all of them.
const QUICK: Duration = Duration::from_millis(1500);

/// Patience before a name is asked for once more: several round trips of the slowest healthy line.
const AGAIN: Duration = Duration::from_millis(700);

/// Room for `getaddrinfo` and the name service modules it loads.
const STACK: usize = 512 * 1024;

static PLACES: Semaphore = Semaphore::const_new(MOST_CALLS);

/// Resolves `name` as applications do. `from_hosts` are the addresses the hosts file gives for it, if it names it: they win.
pub async fn lookup(name: &str, from_hosts: Option<Vec<IpAddr>>, patience: Duration) -> Sighting {
    let begun = Instant::now();
    let found = |source, addresses| Outcome::Ok(Lookup { addresses, source, elapsed: begun.elapsed() });
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    let outcome = match (bare.parse(), from_hosts.filter(|addresses| !addresses.is_empty())) {
        (Ok(literal), _) => found(LookupSource::Literal, vec![literal]),
        (Err(_), Some(addresses)) => found(LookupSource::Hosts, addresses),
        (Err(_), None) => match ask_twice(name, begun + patience).await {
            Answered::Addresses(addresses) => found(LookupSource::Dns, addresses),
            Answered::Error(error) => failed(&error, begun.elapsed()),
            Answered::Nothing => Outcome::Failed(Failure { kind: FailureKind::Silence, elapsed: begun.elapsed() }),
            Answered::NotAsked(why) => Outcome::Unknown(why),
        },
    };
    Sighting::Lookup(name.to_owned(), outcome)
}

enum Answered {
    Addresses(Vec<IpAddr>),
    Error(io::Error),
    Nothing,
    NotAsked(Unseen),
}

/// Asks the system, and once more beside it when nothing has come for a while: the C library repeats a lost question only after five seconds,
/// and one lost datagram is to decide nothing. The first word counts. Not while earlier calls hang: those resolvers are dead.
async fn ask_twice(name: &str, deadline: Instant) -> Answered {
    let mut first = pin!(ask_system(name, deadline));
    let again = async {
        sleep_until(Instant::now() + AGAIN).await;
        if PLACES.available_permits() < MOST_CALLS / 2 {
            return std::future::pending().await;
        }
        ask_system(name, deadline).await
    };
    tokio::select! {
        biased;
        answered = &mut first => answered,
        answered = again => answered,
    }
}

/// Calls `getaddrinfo` on a thread of its own, which outlives the deadline and ends with its call; it holds its place among
/// [`MOST_CALLS`] until then, and who finds none free waits.
async fn ask_system(name: &str, deadline: Instant) -> Answered {
    let Ok(Ok(place)) = timeout_at(deadline, PLACES.acquire()).await else {
        return Answered::NotAsked(Unseen::Error(format!("getaddrinfo: {MOST_CALLS} earlier calls have not returned")));
    };
    let (answer, answered) = oneshot::channel();
    let asked = name.to_owned();
    let started = thread::Builder::new().name("getaddrinfo".to_owned()).stack_size(STACK).spawn(move || {
        let result = (asked.as_str(), 0).to_socket_addrs().map(|all| distinct(all.map(|at| at.ip())));
        drop(place);
        // Nobody waits any more when the deadline has passed.
        drop(answer.send(result));
    });
    if let Err(error) = started {
        return Answered::NotAsked(Unseen::Error(format!("getaddrinfo: start a thread: {error}")));
    }
    match timeout_at(deadline, answered).await {
        Ok(Ok(Ok(addresses))) => Answered::Addresses(addresses),
        Ok(Ok(Err(error))) => Answered::Error(error),
        Ok(Err(_)) => Answered::NotAsked(Unseen::Error("getaddrinfo: its thread ended without an answer".to_owned())),
        Err(_) => Answered::Nothing,
    }
}

fn distinct(addresses: impl Iterator<Item = IpAddr>) -> Vec<IpAddr> {
    let mut seen = HashSet::new();
    addresses.filter(|ip| seen.insert(*ip)).take(64).collect()
}

/// What glibc's error means. The standard library passes on only its text, which is English whatever the locale, because nothing
/// here calls `setlocale`.
fn failed(error: &io::Error, elapsed: Duration) -> Outcome<Lookup> {
    let text = error.to_string();
    let kind = if let Some(errno) = error.raw_os_error() {
        FailureKind::Local(Errno(errno))
    } else if text.contains("Name or service not known") || text.contains("No address associated") {
        FailureKind::Rcode(Rcode::NxDomain)
    } else if text.contains("Temporary failure") && elapsed > QUICK {
        FailureKind::Silence
    } else if text.contains("Temporary failure") || text.contains("Non-recoverable failure") {
        FailureKind::Rcode(Rcode::ServFail)
    } else {
        return Outcome::Unknown(Unseen::Error(format!("getaddrinfo: {text}")));
    };
    Outcome::Failed(Failure { kind, elapsed })
}

#[cfg(test)]
mod tests {
    use super::{MOST_CALLS, PLACES, failed, lookup};
    use crate::model::{FailureKind, LookupSource, Outcome, Rcode, Sighting, Unseen};
    use std::io;
    use std::time::Duration;

    fn outcome(sighting: Sighting) -> Outcome<crate::model::Lookup> {
        match sighting {
            Sighting::Lookup(_, outcome) => outcome,
            other => panic!("not a lookup: {other:?}"),
        }
    }

    #[tokio::test]
    async fn an_address_is_its_own_answer() {
        for literal in ["10.20.0.10", "fd00::10", "[fd00::10]"] {
            let seen = outcome(lookup(literal, None, Duration::from_secs(1)).await);
            assert_eq!(seen.ok().map(|found| found.source), Some(LookupSource::Literal), "{literal}");
        }
    }

    #[tokio::test]
    async fn the_hosts_file_is_the_source_where_it_has_the_name() {
        let at = "10.20.0.10".parse().unwrap();
        let seen = outcome(lookup("settle.centre.example", Some(vec![at]), Duration::from_secs(1)).await);
        let found = seen.ok().unwrap();
        assert_eq!((found.source, found.addresses.as_slice()), (LookupSource::Hosts, &[at][..]));
    }

    #[test]
    fn glibc_errors_are_told_apart() {
        let kind = |text: &str, ms| match failed(&io::Error::other(text.to_owned()), Duration::from_millis(ms)) {
            Outcome::Failed(failure) => Some(failure.kind),
            Outcome::Ok(_) | Outcome::Unknown(_) => None,
        };
        let prefix = "failed to lookup address information";
        assert_eq!(kind(&format!("{prefix}: Name or service not known"), 5), Some(FailureKind::Rcode(Rcode::NxDomain)));
        assert_eq!(kind(&format!("{prefix}: Temporary failure in name resolution"), 5), Some(FailureKind::Rcode(Rcode::ServFail)));
        assert_eq!(kind(&format!("{prefix}: Temporary failure in name resolution"), 9000), Some(FailureKind::Silence));
        assert_eq!(kind("something else", 5), None);
    }

    #[tokio::test]
    async fn who_finds_no_place_waits_and_then_accuses_nobody() {
        // Other tests may hold some: whoever takes all that are left has them all.
        let mut taken = Vec::new();
        while let Ok(place) = PLACES.try_acquire() {
            taken.push(place);
        }
        assert!(taken.len() <= MOST_CALLS);
        let seen = outcome(lookup("localhost", None, Duration::from_millis(20)).await);
        assert!(matches!(&seen, Outcome::Unknown(Unseen::Error(_))), "{seen:?}");
        drop(taken);
        let seen = outcome(lookup("localhost", None, Duration::from_secs(5)).await);
        assert!(seen.ok().is_some(), "{seen:?}");
    }
}
