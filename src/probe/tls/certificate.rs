//! Certificates: what they say, and whether the configured CA stands behind them. Pure over bytes and a given time.
//!
//! The verdict has to be the settlement program's, not a stricter one of ours: what only this verifier refuses (old formats, weak
//! keys, a name in the common name) is accepted or called unsupported, never a fault.

use crate::model::{CertificateFacts, TlsFault};
use jiff::Timestamp;
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error, RootCertStore};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;

/// Most names kept of one certificate, and most characters of each text.
const MOST_NAMES: usize = 32;
const LONGEST_TEXT: usize = 256;

/// Below this the verifier refuses an RSA key that older programs accept.
const SMALLEST_RSA_BITS: usize = 2048;

/// The certificates somebody configured as trusted.
#[derive(Debug, Clone)]
pub struct Trust {
    anchors: RootCertStore,
    /// The same, whole: a server's own certificate may be configured instead of its issuer's.
    exact: Vec<CertificateDer<'static>>,
    /// The verifier understands some of them only in part: an issuer that it does not know may be one of those.
    partial: bool,
}

impl Trust {
    /// Trusts these.
    pub fn new(certificates: Vec<CertificateDer<'static>>) -> Self {
        let mut anchors = RootCertStore::empty();
        // What cannot be an anchor can still be matched whole.
        let (_, ignored) = anchors.add_parsable_certificates(certificates.iter().cloned());
        Self { anchors, exact: certificates, partial: ignored > 0 }
    }

    /// Trusts the public roots that are built into this program, and nobody else.
    pub fn embedded() -> Self {
        Self { anchors: webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect(), exact: Vec::new(), partial: false }
    }

    /// What is wrong with `chain` (the server's own certificate first) for `name` at `now`; `None` = nothing. An unknown issuer
    /// outweighs a wrong name, which outweighs the dates.
    pub fn judge(&self, chain: &[CertificateDer<'_>], name: &ServerName<'_>, now: Timestamp) -> Option<TlsFault> {
        let Some((leaf, rest)) = chain.split_first() else {
            return Some(TlsFault::Other("no certificate".to_owned()));
        };
        let Some(parsed) = parse(leaf) else { return Some(TlsFault::Unsupported) };
        let (issuer, dates) = self.path(leaf, rest, now);
        issuer.or_else(|| wrong_name(leaf, &parsed, name)).or(dates)
    }

    /// The faults of the path: of trust, and of dates.
    fn path(&self, leaf: &CertificateDer<'_>, rest: &[CertificateDer<'_>], now: Timestamp) -> (Option<TlsFault>, Option<TlsFault>) {
        let dates = own_dates(leaf, now);
        if self.exact.iter().any(|trusted| trusted == leaf) {
            return (None, dates);
        }
        let Some(at_now) = self.verify(leaf, rest, unix(now)) else { return (None, dates) };
        if !matches!(at_now, TlsFault::Expired | TlsFault::NotYetValid) {
            return (Some(at_now), dates);
        }
        // The verifier stops at the dates. Ask again at a time when all of them are valid, to see what else there is.
        match self.verify(leaf, rest, unix(common_time(leaf, rest))) {
            Some(other) if !matches!(other, TlsFault::Expired | TlsFault::NotYetValid) => (Some(other), Some(at_now)),
            Some(_) | None => (None, Some(at_now)),
        }
    }

    fn verify(&self, leaf: &CertificateDer<'_>, rest: &[CertificateDer<'_>], now: UnixTime) -> Option<TlsFault> {
        let algorithms = ring::default_provider().signature_verification_algorithms.all;
        let result = ParsedCertificate::try_from(leaf)
            .and_then(|parsed| verify_server_cert_signed_by_trust_anchor(&parsed, &self.anchors, rest, now, algorithms));
        let Err(error) = result else { return None };
        let weak = || self.exact.iter().chain(rest).chain([leaf]).any(weak_key);
        Some(match fault(&error) {
            // A forged issuer and a key too weak for the verifier give the same error.
            TlsFault::UnknownIssuer if matches!(error, Error::InvalidCertificate(CertificateError::BadSignature)) && weak() => {
                TlsFault::Unsupported
            }
            TlsFault::Unsupported if self_issued(leaf) => TlsFault::UnknownIssuer,
            TlsFault::UnknownIssuer if self.partial => TlsFault::Unsupported,
            fault => fault,
        })
    }
}

/// The verifier's error in our words.
pub(super) fn fault(error: &Error) -> TlsFault {
    let Error::InvalidCertificate(error) = error else {
        return TlsFault::Other(short(&error.to_string()));
    };
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsFault::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => TlsFault::NotYetValid,
        CertificateError::UnknownIssuer | CertificateError::BadSignature => TlsFault::UnknownIssuer,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => TlsFault::NameMismatch,
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => TlsFault::Other("purpose".to_owned()),
        CertificateError::Revoked => TlsFault::Other("revoked".to_owned()),
        // Old formats, algorithms and extensions that other programs take.
        _ => TlsFault::Unsupported,
    }
}

fn wrong_name(leaf: &CertificateDer<'_>, x509: &X509Certificate<'_>, name: &ServerName<'_>) -> Option<TlsFault> {
    let result = ParsedCertificate::try_from(leaf).and_then(|parsed| verify_server_name(&parsed, name));
    let fault = fault(&result.err()?);
    let by_common_name = || !has_alternative_names(x509) && common_names(x509).any(|common| covers(&common, &name.to_str()));
    match fault {
        TlsFault::NameMismatch if by_common_name() => None,
        other => Some(other),
    }
}

fn has_alternative_names(x509: &X509Certificate<'_>) -> bool {
    !matches!(x509.subject_alternative_name(), Ok(None))
}

fn common_names(x509: &X509Certificate<'_>) -> impl Iterator<Item = String> {
    x509.subject().iter_common_name().filter_map(|common| common.as_str().ok()).map(str::to_ascii_lowercase).collect::<Vec<_>>().into_iter()
}

/// Whether `pattern`, perhaps with `*` as its first label, stands for `name`.
fn covers(pattern: &str, name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    pattern == name || pattern.strip_prefix("*.").is_some_and(|rest| name.split_once('.').is_some_and(|(_, parent)| parent == rest))
}

fn parse<'a>(der: &'a CertificateDer<'_>) -> Option<X509Certificate<'a>> {
    X509Certificate::from_der(der).ok().map(|(_, x509)| x509)
}

/// Whether somebody could be trusted by it: it is a certificate, of whatever version.
pub(super) fn is_readable(der: &CertificateDer<'_>) -> bool {
    parse(der).is_some() || RootCertStore::empty().add(der.clone().into_owned()).is_ok()
}

fn validity(der: &CertificateDer<'_>) -> Option<(Timestamp, Timestamp)> {
    let validity = parse(der)?;
    let validity = validity.validity();
    Some((timestamp(validity.not_before.timestamp()), timestamp(validity.not_after.timestamp())))
}

/// Dates beyond what a calendar holds stand for the end of it.
fn timestamp(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap_or(if seconds < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

fn own_dates(leaf: &CertificateDer<'_>, now: Timestamp) -> Option<TlsFault> {
    let (begin, end) = validity(leaf)?;
    if now > end {
        Some(TlsFault::Expired)
    } else if now < begin {
        Some(TlsFault::NotYetValid)
    } else {
        None
    }
}

/// A time at which the whole chain is valid, or at least its first certificate.
fn common_time(leaf: &CertificateDer<'_>, rest: &[CertificateDer<'_>]) -> Timestamp {
    let Some((begin, _)) = validity(leaf) else { return Timestamp::UNIX_EPOCH };
    let all: Vec<_> = rest.iter().chain([leaf]).filter_map(validity).collect();
    let latest = all.iter().map(|(begin, _)| *begin).max().unwrap_or(begin);
    if all.iter().all(|(_, end)| latest <= *end) { latest } else { begin }
}

fn unix(at: Timestamp) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(at.as_second()).unwrap_or(0)))
}

fn weak_key(der: &CertificateDer<'_>) -> bool {
    parse(der).is_some_and(|x509| match x509.public_key().parsed() {
        Ok(PublicKey::RSA(key)) => key.key_size() < SMALLEST_RSA_BITS,
        Ok(_) | Err(_) => false,
    })
}

pub(super) fn self_issued(der: &CertificateDer<'_>) -> bool {
    parse(der).is_some_and(|x509| x509.subject().as_raw() == x509.issuer().as_raw())
}

/// What `der` says; `None` when it cannot be read.
pub(super) fn facts(der: &CertificateDer<'_>) -> Option<CertificateFacts> {
    let x509 = parse(der)?;
    let (not_before, not_after) = validity(der)?;
    let names = match x509.subject_alternative_name() {
        Ok(Some(names)) => names.value.general_names.iter().filter_map(name).take(MOST_NAMES).collect(),
        Ok(None) | Err(_) => common_names(&x509).map(|common| short(&common)).take(MOST_NAMES).collect(),
    };
    Some(CertificateFacts {
        subject: short(&x509.subject().to_string()),
        issuer: short(&x509.issuer().to_string()),
        names,
        not_before,
        not_after,
        sha256: hex(&Sha256::digest(der)),
    })
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(short(name)),
        GeneralName::IPAddress(bytes) => address(bytes).map(|ip| ip.to_string()),
        _ => None,
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let four = || <[u8; 4]>::try_from(bytes).map(|ip| IpAddr::V4(Ipv4Addr::from(ip)));
    four().or_else(|_| <[u8; 16]>::try_from(bytes).map(|ip| IpAddr::V6(Ipv6Addr::from(ip)))).ok()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A peer's text, bounded and without what would disturb a terminal.
fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(LONGEST_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use super::{LONGEST_TEXT, MOST_NAMES, covers, facts};
    use proptest::prelude::*;
    use rcgen::{CertificateParams, KeyPair};
    use rustls::pki_types::CertificateDer;

    fn certificate() -> CertificateDer<'static> {
        let names = vec!["settle.centre.example".to_owned(), "10.20.0.10".to_owned(), "fd00::10".to_owned()];
        CertificateParams::new(names).unwrap().self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    #[test]
    fn names_and_addresses_are_both_named() {
        assert_eq!(facts(&certificate()).unwrap().names, ["settle.centre.example", "10.20.0.10", "fd00::10"]);
        assert_eq!(facts(&CertificateDer::from(vec![0x30, 0x80])), None);
    }

    #[test]
    fn a_common_name_is_cut_and_cannot_steer_a_terminal() {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, format!("a\u{1b}[2J{}", "b".repeat(1000)));
        let der = params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone();
        let names = facts(&der).unwrap().names;
        assert!(names[0].starts_with("a[2jb") && names[0].len() == LONGEST_TEXT, "{names:?}");
    }

    #[test]
    fn the_embedded_roots_are_there_and_trust_no_stranger() {
        let (trust, one) = (super::Trust::embedded(), certificate());
        assert!(trust.anchors.len() > 100);
        let name = rustls::pki_types::ServerName::try_from("settle.centre.example").unwrap();
        let now = "2030-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(trust.judge(&[one], &name, now), Some(crate::model::TlsFault::UnknownIssuer));
    }

    mod any_bytes {
        use super::*;
        use crate::probe::tls::Trust;
        use crate::testing::{cases, hostile};
        use rustls::pki_types::ServerName;
        use std::sync::LazyLock;

        /// Making one takes longer than reading it.
        static ONE: LazyLock<CertificateDer<'static>> = LazyLock::new(certificate);

        proptest! {
            #![proptest_config(cases())]

            #[test]
            fn of_a_certificate_give_few_and_short_facts(der in hostile(vec![ONE.to_vec()], 400)) {
                let der = CertificateDer::from(der);
                if let Some(facts) = facts(&der) {
                    prop_assert!(facts.names.len() <= MOST_NAMES);
                    let texts = facts.names.iter().chain([&facts.subject, &facts.issuer]);
                    prop_assert!(texts.into_iter().all(|text| text.chars().count() <= LONGEST_TEXT && !text.chars().any(char::is_control)));
                }
                let name = ServerName::try_from("settle.centre.example").unwrap();
                let now = "2030-01-01T00:00:00Z".parse().unwrap();
                Trust::new(vec![ONE.clone()]).judge(&[der.clone(), der.clone()], &name, now);
                Trust::new(vec![der]).judge(std::slice::from_ref(&*ONE), &name, now);
            }
        }
    }

    #[test]
    fn a_star_stands_for_one_label() {
        assert!(covers("settle.centre.example", "Settle.centre.example"));
        assert!(covers("*.centre.example", "settle.centre.example"));
        assert!(!covers("*.centre.example", "a.settle.centre.example"));
        assert!(!covers("*.centre.example", "centre.example"));
    }
}
