use super::*;
use crate::model::CertificateFacts;
use ClockState::{Synchronised, Unsynchronised};

const FAR: Duration = Duration::from_millis(20);

fn path(device: &str) -> Path {
    Path { device: IfName::new(device), gateway: Some("192.168.42.1".parse().unwrap()), table: 254, v6: false }
}

/// A handshake with `operator`, who shows a certificate of its own.
fn shown(operator: &str, fault: Option<TlsFault>) -> Shown {
    let certificate = CertificateFacts {
        subject: String::new(),
        issuer: format!("CA of {operator}"),
        names: vec![format!("dns.{operator}.example")],
        not_before: "2026-01-01T00:00:00Z".parse().unwrap(),
        not_after: "2026-09-01T00:00:00Z".parse().unwrap(),
        sha256: operator.to_owned(),
    };
    Shown { fault, certificate: Some(certificate), self_issued: false, distance: FAR }
}

fn said(operator: &str, answer: Answer) -> Said {
    let last = if operator == "a" { 1 } else { 2 };
    let anchor = Anchor {
        address: SocketAddr::from(([223, 5, 5, last], 443)),
        server_name: format!("dns.{operator}.example"),
        operator: operator.to_owned(),
    };
    Said { anchor, path: path("up0"), answer }
}

fn faulty(fault: impl Into<Option<TlsFault>>) -> Round {
    let fault = fault.into();
    let one = |operator: &str| said(operator, Answer::Shown(shown(operator, fault.clone())));
    Round { said: vec![one("a"), one("b")], canary: None, controls: vec![("203.0.113.1:443".parse().unwrap(), false)] }
}

fn good() -> Round {
    faulty(None)
}

fn changed(mut round: Round, change: impl Fn(&mut Shown)) -> Round {
    for said in &mut round.said {
        if let Answer::Shown(shown) = &mut said.answer {
            change(shown);
        }
    }
    round
}

/// Whether a round proves the internet, and how many lookalikes it shows.
fn judged(round: &Round, clock: ClockState) -> (bool, usize) {
    let mut proofs = Proofs::default();
    proofs.take(round, clock, 5000, |_| Origin::LocalChange);
    (!proofs.proven().is_empty(), proofs.lookalikes().count())
}

#[test]
fn two_operators_in_one_round_prove_it_whatever_a_middlebox_says_elsewhere() {
    assert_eq!(judged(&good(), Unsynchronised), (true, 0));
    let mut round = good();
    round.controls[0].1 = true;
    assert_eq!(judged(&round, Unsynchronised), (true, 0), "a box that takes all connections has no keys of others");
}

#[test]
fn what_is_not_authenticated_proves_nothing() {
    let faults = [TlsFault::UnknownIssuer, TlsFault::NameMismatch, TlsFault::Unsupported, TlsFault::ClientCertificate];
    for fault in faults.into_iter().chain([TlsFault::Other("purpose".to_owned())]) {
        assert_eq!(judged(&faulty(fault.clone()), Unsynchronised), (false, 2), "{fault:?}");
    }
    for answer in [Answer::Unproved("not the protocol: not-tls".to_owned()), Answer::Unproved("silence".to_owned())] {
        let round = Round { said: vec![said("a", answer.clone()), said("b", answer)], canary: None, controls: Vec::new() };
        assert_eq!(judged(&round, Unsynchronised), (false, 2));
    }
    let silent = Round { said: vec![said("a", Answer::Nothing), said("b", Answer::Nothing)], canary: None, controls: Vec::new() };
    assert_eq!(judged(&silent, Unsynchronised), (false, 0));
}

#[test]
fn one_certificate_for_two_operators_and_two_operators_in_the_house_are_lookalikes() {
    let twins = changed(good(), |shown| shown.certificate.as_mut().unwrap().sha256 = "the same".to_owned());
    assert_eq!(judged(&twins, Unsynchronised), (false, 2));
    let near = changed(good(), |shown| shown.distance = Duration::from_micros(300));
    assert_eq!(judged(&near, Unsynchronised), (false, 2));
    let mut one_near = good();
    one_near.said[0] = changed(good(), |shown| shown.distance = Duration::ZERO).said[0].clone();
    assert_eq!(judged(&one_near, Unsynchronised), (true, 0), "an operator's box may stand next door");
}

#[test]
fn a_wrong_clock_does_not_hide_a_breach_and_a_dead_certificate_is_no_proof() {
    assert_eq!(judged(&faulty(TlsFault::NotYetValid), Unsynchronised), (true, 0));
    assert_eq!(judged(&faulty(TlsFault::Expired), Unsynchronised), (true, 0));
    // Where a time daemon keeps the clock, or another anchor bears it out, the dates are believed.
    assert_eq!(judged(&faulty(TlsFault::Expired), Synchronised), (false, 2));
    let mut one = good();
    one.said[0] = faulty(TlsFault::Expired).said[0].clone();
    assert_eq!(judged(&one, Unsynchronised), (false, 1));
    // Nobody's clock makes a certificate of last year valid.
    let dead = changed(faulty(TlsFault::Expired), |shown| {
        shown.certificate.as_mut().unwrap().not_after = "2025-12-31T00:00:00Z".parse().unwrap();
    });
    assert_eq!(judged(&dead, Unsynchronised), (false, 2));
}

#[test]
fn one_operator_alone_must_prove_itself_twice_ten_seconds_apart() {
    let alone = Round { said: vec![good().said[0].clone(), said("b", Answer::Nothing)], canary: None, controls: Vec::new() };
    let mut proofs = Proofs::default();
    for (at, proven) in [(0, false), (2000, false), (9999, false), (10_000, true)] {
        proofs.take(&alone, Unsynchronised, at, |_| Origin::LocalChange);
        assert_eq!(!proofs.proven().is_empty(), proven, "{at}");
        assert_eq!(proofs.alone_since(), (!proven).then_some(0));
    }
}

#[test]
fn two_operators_by_two_ways_are_each_alone() {
    let mut round = good();
    round.said[1].path = path("up1");
    assert_eq!(judged(&round, Unsynchronised), (false, 0));
}

#[test]
fn a_proof_ends_with_its_way_or_when_two_rounds_are_in_vain() {
    let silent = Round { said: vec![said("a", Answer::Nothing), said("b", Answer::Nothing)], canary: None, controls: Vec::new() };
    let mut proofs = Proofs::default();
    proofs.take(&good(), Unsynchronised, 0, |_| Origin::Upstream);
    proofs.take(&silent, Unsynchronised, 1, |_| Origin::Upstream);
    assert!(!proofs.proven().is_empty() && !proofs.is_proven(&path("up0")));
    proofs.take(&good(), Unsynchronised, 2, |_| Origin::Upstream);
    proofs.take(&silent, Unsynchronised, 3, |_| Origin::Upstream);
    proofs.take(&silent, Unsynchronised, 4, |_| Origin::Upstream);
    assert!(proofs.proven().is_empty());
    proofs.take(&good(), Unsynchronised, 5, |_| Origin::Upstream);
    proofs.keep_only(&BTreeSet::from([path("other")]));
    assert!(proofs.proven().is_empty());
}

#[test]
fn the_same_again_is_told_in_the_same_words() {
    let mut proofs = Proofs::default();
    proofs.take(&good(), Unsynchronised, 0, |_| Origin::Upstream);
    let told = |proofs: &Proofs| proofs.proven().into_values().flat_map(|(_, lines)| lines).collect::<Vec<_>>();
    let first = told(&proofs);
    let mut other = good();
    other.said[1].answer = Answer::Nothing;
    other.controls[0].1 = true;
    proofs.take(&other, Unsynchronised, 60_000, |_| Origin::PreExisting);
    assert_eq!(told(&proofs), first);
    let words: Vec<String> = first.iter().map(|l| format!("{} {} {}", l.k, l.target, l.result)).collect();
    assert_eq!(words[0], "outside.path IPv4 via 192.168.42.1 dev up0");
    assert_eq!(words[1], "outside.tls 223.5.5.1:443 dns.a.example verified");
    assert_eq!(words[3], "outside.control 203.0.113.1:443 silence");
}

#[test]
fn aged_roots_are_a_blindness_and_a_house_authority_is_a_lookalike() {
    let strangers = faulty(TlsFault::UnknownIssuer);
    assert!(roots_aged(&strangers));
    let house = changed(strangers.clone(), |shown| shown.certificate.as_mut().unwrap().issuer = "House CA".to_owned());
    let by_itself = changed(strangers.clone(), |shown| shown.self_issued = true);
    let near = changed(strangers.clone(), |shown| shown.distance = Duration::ZERO);
    let mut one = strangers.clone();
    one.said.pop();
    let mut box_for_all = strangers;
    box_for_all.controls[0].1 = true;
    for round in [house, by_itself, near, one, box_for_all, good(), Round::default()] {
        assert!(!roots_aged(&round));
    }
}
