//! Certificates, and the clock they are judged by. A date fault is the certificate's only when the clock is right.

use super::{Standing, portal, tcp};
use crate::infer::evidence;
use crate::infer::scene::Way;
use crate::model::{Cause, Certainty, ClockState, Evidence, FailureKind, Outcome, Reason, Subject, TlsFacts, TlsFault, TlsKey, Verdict};
use std::net::SocketAddr;

/// Clocks that differ by more than this disagree. Certificates and tickets of the centres tolerate about as much.
pub const CLOCK_TOLERANCE_S: u64 = 300;

pub fn judge(way: &Way<'_>) -> Standing {
    let seen = handshakes(way);
    if seen.iter().any(|(_, outcome)| outcome.ok().is_some()) {
        return Standing::Passed;
    }
    let failed = seen.iter().find_map(|(key, outcome)| Some((*key, *outcome, outcome.failure()?)));
    let Some((key, outcome, failure)) = failed else {
        return if way.centre.is_some_and(|c| c.tls.is_some()) { Standing::Unknown } else { Standing::Absent };
    };
    let proof = evidence::tls(key.at, outcome);
    let say = |cause, certainty| Verdict::new(cause, Subject::Endpoint(key.at), certainty).because([proof.clone()]);
    match &failure.kind {
        // What a portal shows in the place of a certificate, if anything.
        FailureKind::Tls(TlsFault::UnknownIssuer | TlsFault::NameMismatch, _)
        | FailureKind::Closed { .. }
        | FailureKind::Garbage(_)
        | FailureKind::Silence
            if let Some(portal) = portal::judge(way) =>
        {
            Standing::Broken(portal)
        }
        FailureKind::Tls(fault, facts) => faulty(way, key, fault, facts.as_deref(), &proof),
        FailureKind::Closed { received: 0, .. } | FailureKind::Garbage(_) => {
            let connected = way.scene.world.tcp(key.at).and_then(Outcome::ok).map_or(failure.elapsed, |reply| reply.rtt);
            Standing::Broken(tcp::accepted_in_vain(way, key.at, connected, &[proof]))
        }
        FailureKind::Closed { .. } | FailureKind::Silence | FailureKind::TooLarge => {
            Standing::Broken(vec![say(Cause::PathMtuBlackHole, Certainty::Possible), say(Cause::TcpAcceptAll, Certainty::Possible)])
        }
        FailureKind::Local(_) if failure.is_ours() => Standing::Unknown,
        FailureKind::Local(_) | FailureKind::Icmp(_) | FailureKind::Refused | FailureKind::Rcode(_) => {
            Standing::Broken(vec![say(Cause::CentreOutage, Certainty::Possible)])
        }
    }
}

/// A server's date and ours, so many seconds apart.
pub fn clocks_disagree(offset_s: i64) -> bool {
    offset_s.unsigned_abs() > CLOCK_TOLERANCE_S
}

/// The handshakes of this way, with their keys.
pub fn handshakes<'a>(way: &Way<'a>) -> Vec<(&'a TlsKey, &'a Outcome<TlsFacts>)> {
    let Some(port) = way.centre.and_then(|c| c.tls.as_ref()).map(|tls| tls.port) else {
        return Vec::new();
    };
    let ours = |at: SocketAddr| at.port() == port && way.targets.contains(&at.ip());
    let all = way.scene.world.observations().filter_map(|o| match &o.sighting {
        crate::model::Sighting::Tls(key, outcome) if ours(key.at) => Some((key, outcome)),
        _ => None,
    });
    all.collect()
}

/// What this tool cannot speak, the settlement program may well speak.
pub fn not_ours(outcome: &Outcome<TlsFacts>) -> bool {
    let kind = outcome.failure().map(|failure| &failure.kind);
    matches!(kind, Some(FailureKind::Tls(TlsFault::Unsupported | TlsFault::Other(_), _)))
}

fn faulty(way: &Way<'_>, key: &TlsKey, fault: &TlsFault, facts: Option<&TlsFacts>, proof: &Evidence) -> Standing {
    let subject = Subject::Endpoint(key.at);
    let offset = facts.and_then(|f| f.date_offset_s);
    let dates = facts
        .and_then(|f| f.certificate.as_ref())
        .map(|c| evidence::state("tls.certificate", key.at, format!("{} .. {}", c.not_before, c.not_after)));
    let proof: Vec<_> = [Some(proof.clone()), dates].into_iter().flatten().collect();
    let say = |cause, certainty| Verdict::new(cause, subject.clone(), certainty).because(proof.clone());
    let verdicts = match fault {
        TlsFault::Expired => dated(way, key, Cause::TlsExpired, offset, say),
        TlsFault::NotYetValid => dated(way, key, Cause::TlsNotYetValid, offset, say),
        TlsFault::UnknownIssuer => vec![say(Cause::TlsUntrusted, Certainty::Proven)],
        TlsFault::NameMismatch => vec![say(Cause::TlsNameMismatch, Certainty::Proven)],
        TlsFault::ClientCertificate => vec![say(Cause::TlsClientCert, Certainty::Likely)],
        TlsFault::Unsupported | TlsFault::Other(_) => return Standing::Unknown,
    };
    Standing::Broken(verdicts)
}

/// A fault of dates: the certificate's, or our clock's?
fn dated(way: &Way<'_>, key: &TlsKey, cause: Cause, offset: Option<i64>, say: impl Fn(Cause, Certainty) -> Verdict) -> Vec<Verdict> {
    let server = key.at.to_string();
    match offset {
        Some(seconds) if clocks_disagree(seconds) => {
            let differs = format!("{seconds:+} s");
            let wrong = Verdict { subject: Subject::Terminal, ..say(Cause::ClockWrong, Certainty::Proven) };
            vec![wrong.because([evidence::state("http.date", &server, &differs)]).not(cause, Reason::ClockDiffers(differs))]
        }
        Some(seconds) => {
            let agrees = evidence::state("http.date", &server, format!("{seconds:+} s"));
            vec![say(cause, Certainty::Proven).because([agrees]).not(Cause::ClockWrong, Reason::ClockAgrees(server))]
        }
        None => {
            let kept = way.scene.world.newest().is_some_and(|stamp| stamp.clock == ClockState::Synchronised);
            let clock = Verdict { subject: Subject::Terminal, ..say(Cause::ClockWrong, Certainty::Possible) };
            let certificate = say(cause, if kept { Certainty::Likely } else { Certainty::Possible });
            vec![certificate, clock]
        }
    }
}
