//! Whether a resolver knows the public internet. A resolver that answers whatever it is asked knows nothing: names that nobody can have
//! registered are asked for beside those that everybody knows.

use super::dns::query;
use crate::model::{Answer, FailureKind, Outcome, Rcode, Sighting};
use futures_util::future::join3;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::time::Duration;

/// For one question.
const PATIENCE: Duration = Duration::from_millis(1500);
/// Top-level domains that have a label for everything but what nobody has registered.
const SUFFIXES: [&str; 2] = ["com", "cn"];

/// What a resolver knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Knows {
    /// No public names, or it could not be asked.
    Nothing,
    /// An answer to everything.
    Everything,
    /// The public internet: what it says of the names.
    Internet(Vec<(String, Vec<IpAddr>)>),
}

/// Asks `resolver` for two names that everybody knows, and only if it knows the first for the rest. `is_public` says which addresses can be
/// those of public servers.
pub async fn known(resolver: IpAddr, names: &[String; 2], is_public: impl Fn(IpAddr) -> bool) -> Knows {
    let [first, second] = names;
    let first_answer = addresses(ask(resolver, first).await);
    if !first_answer.iter().any(|ip| is_public(*ip)) {
        return Knows::Nothing;
    }
    let nobody = SUFFIXES.map(|suffix| format!("x{:016x}.{suffix}", RandomState::new().hash_one(suffix)));
    let (second_answer, one, other) = join3(ask(resolver, second), ask(resolver, &nobody[0]), ask(resolver, &nobody[1])).await;
    judge([(first, first_answer), (second, addresses(second_answer))], &[one, other], is_public)
}

/// Pure. Both names have public addresses, each its own, and nobody's names do not exist.
fn judge(known: [(&String, Vec<IpAddr>); 2], nobody: &[Outcome<Answer>], is_public: impl Fn(IpAddr) -> bool) -> Knows {
    if nobody.iter().any(|answer| answer.ok().is_some()) {
        return Knows::Everything;
    }
    let absent = |answer: &Outcome<Answer>| answer.failure().is_some_and(|failure| failure.kind == FailureKind::Rcode(Rcode::NxDomain));
    let public = known.iter().all(|(_, found)| found.iter().any(|ip| is_public(*ip)));
    let apart = known[0].1.iter().all(|ip| !known[1].1.contains(ip));
    if public && apart && nobody.iter().all(absent) {
        Knows::Internet(known.into_iter().map(|(name, found)| (name.clone(), found)).collect())
    } else {
        Knows::Nothing
    }
}

async fn ask(resolver: IpAddr, name: &str) -> Outcome<Answer> {
    match query(resolver, name, PATIENCE).await {
        Sighting::Query(_, outcome) => outcome,
        _ => Outcome::Unknown(crate::model::Unseen::Skipped),
    }
}

fn addresses(answer: Outcome<Answer>) -> Vec<IpAddr> {
    if let Outcome::Ok(answer) = answer { answer.addresses } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Failure;

    fn says(addresses: &[&str]) -> Outcome<Answer> {
        Outcome::Ok(Answer { addresses: addresses.iter().map(|ip| ip.parse().unwrap()).collect(), elapsed: Duration::ZERO })
    }

    fn fails(kind: FailureKind) -> Outcome<Answer> {
        Outcome::Failed(Failure { kind, elapsed: Duration::ZERO })
    }

    fn judged(first: &[&str], second: &[&str], nobody: &[Outcome<Answer>]) -> Knows {
        let (a, b) = ("a.example".to_owned(), "b.example".to_owned());
        let private = |ip: IpAddr| matches!(ip, IpAddr::V4(v4) if v4.is_private());
        judge([(&a, addresses(says(first))), (&b, addresses(says(second)))], nobody, |ip| !private(ip))
    }

    #[test]
    fn only_names_that_differ_beside_names_that_do_not_exist_are_the_internet() {
        let absent = || fails(FailureKind::Rcode(Rcode::NxDomain));
        let real = |nobody: &[Outcome<Answer>]| judged(&["223.5.5.5"], &["1.12.12.12"], nobody);
        assert!(matches!(real(&[absent(), absent()]), Knows::Internet(names) if names.len() == 2));
        assert_eq!(real(&[absent(), says(&["198.18.0.1"])]), Knows::Everything);
        assert_eq!(real(&[says(&[]), absent()]), Knows::Everything, "no error is an answer");
        assert_eq!(real(&[absent(), fails(FailureKind::Silence)]), Knows::Nothing);
        assert_eq!(judged(&["223.5.5.5"], &["223.5.5.5"], &[absent(), absent()]), Knows::Nothing, "one box for all");
        assert_eq!(judged(&["10.0.0.1"], &["10.0.0.2"], &[absent(), absent()]), Knows::Nothing, "names of the house");
    }
}
