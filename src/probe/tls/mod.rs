//! TLS: the handshake, the certificate, and the verdict of the configured CA.
//!
//! The handshake is completed whatever the certificate, so that facts are seen even of a refused one, and judged afterwards. Nothing
//! confidential ever travels over such a connection.
//!
//! A server can cost no more than 64 kB of handshake and the patience: compressed certificates (RFC 8879) are not asked for, and a message
//! that claims more than 64 kB ends the handshake before it is read.

mod certificate;
mod files;
mod prove;
mod record;

pub use certificate::Trust;
pub use files::{LARGEST_PEM, Setup, SetupError, certificates, identity, private_key};
pub use prove::{Shown, prove};

use super::stream::{Received, Tallied, Wall};
use super::tcp::lost;
use crate::model::{Failure, FailureKind, Outcome, TlsFacts, TlsFault, TlsKey, Unseen};
use record::Recorder;
use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::sign::CertifiedKey;
use rustls::{AlertDescription, ClientConfig, Error, InvalidMessage, ProtocolVersion, SupportedProtocolVersion};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;

/// A connection after its handshake.
pub type Stream = tokio_rustls::client::TlsStream<Tallied<TcpStream>>;

/// This terminal's certificate and key.
pub type Identity = Arc<CertifiedKey>;

/// Longest and shortest wait for a TLS 1.3 server's word on our certificate, which comes a round trip after our side of the
/// handshake has ended.
const LAST_WORD: Duration = Duration::from_millis(300);
const LEAST_WORD: Duration = Duration::from_millis(50);

/// Patience and most bytes for what a broken connection still holds.
const UNREAD: Duration = Duration::from_millis(50);
const MOST_UNREAD: u64 = 16 * 1024;

/// An IPv6 address without its brackets.
pub(super) fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

/// What came of a handshake.
#[derive(Debug)]
pub struct Handshake {
    /// What to report.
    pub outcome: Outcome<TlsFacts>,
    /// There whenever the handshake itself went through, also when the certificate was refused or could not be judged.
    pub stream: Option<Stream>,
    /// The server asked for a certificate and was shown none. Some refuse that only in the answer to the first request.
    pub unshown: bool,
}

impl From<Outcome<TlsFacts>> for Handshake {
    fn from(outcome: Outcome<TlsFacts>) -> Self {
        Self { outcome, stream: None, unshown: false }
    }
}

/// Shakes hands over `tcp`.
pub async fn handshake(key: &TlsKey, tcp: TcpStream, setup: &Setup, wall: Wall, patience: Duration) -> Handshake {
    let Ok(name) = ServerName::try_from(key.server_name.clone()) else {
        return Outcome::Unknown(Unseen::Error(format!("`{}` is not a server name", key.server_name))).into();
    };
    let recorder = Recorder::new(setup.identity.clone());
    let connector = match connector(&recorder, rustls::DEFAULT_VERSIONS) {
        Ok(connector) => connector,
        Err(error) => return Outcome::Unknown(Unseen::Error(format!("set up TLS: {error}"))).into(),
    };
    let begun = Instant::now();
    let tcp = Tallied::new(tcp);
    let tally = tcp.tally();
    let failed = |kind| Outcome::Failed(Failure { kind, elapsed: begun.elapsed() }).into();
    let mut stream = match timeout(patience, connector.connect(name.clone(), tcp).into_fallible()).await {
        Ok(Ok(stream)) => stream,
        Ok(Err((error, tcp))) => {
            let unread = if tls_error(&error).is_none() { unread_alert(tcp).await } else { None };
            let told = unread.map(|alert| FailureKind::Tls(alerted(alert, recorder.asked()), None));
            return failed(told.unwrap_or_else(|| broken(&error, recorder.asked(), &tally.received())));
        }
        Err(_) => return failed(FailureKind::Silence),
    };
    let elapsed = begun.elapsed();
    if recorder.asked()
        && stream.get_ref().1.protocol_version() == Some(ProtocolVersion::TLSv1_3)
        && let Some(error) = last_word(&mut stream, (LEAST_WORD + elapsed * 2).min(LAST_WORD)).await
    {
        return failed(broken(&error, true, &tally.received()));
    }
    let facts = facts(&stream, &recorder, setup, elapsed);
    let outcome = match (refusal(&recorder, setup, &name, wall), &setup.unjudged) {
        (None, Some(why)) => Outcome::Unknown(why.clone()),
        (Some(fault), _) => Outcome::Failed(Failure { kind: FailureKind::Tls(fault, Some(Box::new(facts))), elapsed }),
        (None, None) => Outcome::Ok(facts),
    };
    Handshake { outcome, stream: Some(stream), unshown: recorder.asked() && setup.identity.is_none() }
}

fn connector(recorder: &Arc<Recorder>, versions: &[&'static SupportedProtocolVersion]) -> Result<TlsConnector, Error> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)?
        .dangerous()
        .with_custom_certificate_verifier(recorder.clone())
        .with_client_cert_resolver(recorder.clone());
    // Every handshake is a full one: a resumed session shows no certificate.
    config.resumption = Resumption::disabled();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// The error with which the server ends the connection right after the handshake, if it does.
async fn last_word(stream: &mut Stream, patience: Duration) -> Option<io::Error> {
    match timeout(patience, stream.fill_buf()).await {
        Ok(Err(error)) => Some(error),
        Ok(Ok([])) => Some(io::ErrorKind::UnexpectedEof.into()),
        Ok(Ok(_)) | Err(_) => None,
    }
}

/// The alert that a server sent just before it closed, while we were still writing: our write fails first, and the reason is left
/// unread. Before encryption begins it is in the clear.
async fn unread_alert(mut tcp: Tallied<TcpStream>) -> Option<AlertDescription> {
    let mut unread = Vec::new();
    // Whether it ends by an end, a reset or the deadline: what there is, is there.
    let _ = timeout(UNREAD, (&mut tcp).take(MOST_UNREAD).read_to_end(&mut unread)).await;
    match unread.last_chunk()? {
        [21, 3, _, 0, 2, _, description] => Some(AlertDescription::from(*description)),
        _ => None,
    }
}

fn facts(stream: &Stream, recorder: &Recorder, setup: &Setup, elapsed: Duration) -> TlsFacts {
    TlsFacts {
        elapsed,
        version: stream.get_ref().1.protocol_version().map(|version| format!("{version:?}")),
        certificate: recorder.chain().first().and_then(certificate::facts),
        verified: setup.trust.is_some(),
        date_offset_s: None,
    }
}

fn refusal(recorder: &Recorder, setup: &Setup, name: &ServerName<'_>, wall: Wall) -> Option<TlsFault> {
    let fault = setup.trust.as_ref()?.judge(&recorder.chain(), name, wall.now());
    // A signature that only our verifier cannot check (a weak key) is no fault of the server's.
    fault.or_else(|| recorder.bad_signature().then_some(TlsFault::Unsupported))
}

/// What a failed handshake says.
fn broken(error: &io::Error, asked: bool, received: &Received) -> FailureKind {
    match tls_error(error) {
        None => lost(error, received.bytes),
        Some(Error::AlertReceived(alert)) => FailureKind::Tls(alerted(*alert, asked), None),
        Some(Error::PeerIncompatible(_)) => FailureKind::Tls(TlsFault::Unsupported, None),
        Some(Error::InvalidMessage(message)) => unreadable(message, &received.head),
        Some(Error::InappropriateMessage { .. } | Error::InappropriateHandshakeMessage { .. } | Error::PeerMisbehaved(_)) => {
            FailureKind::Garbage("malformed-tls".to_owned())
        }
        Some(Error::DecryptError | Error::PeerSentOversizedRecord) => FailureKind::Garbage("malformed-tls".to_owned()),
        Some(other) => FailureKind::Tls(certificate::fault(other), None),
    }
}

/// The TLS error inside an I/O error.
pub fn tls_error(error: &io::Error) -> Option<&Error> {
    error.get_ref().and_then(|inner| inner.downcast_ref())
}

/// A server's alert over an established connection, found in the error of the layer above.
pub(super) fn alert_within(error: &io::Error) -> Option<FailureKind> {
    match tls_error(error)? {
        Error::AlertReceived(alert) => Some(FailureKind::Tls(alerted(*alert, true), None)),
        _ => Some(FailureKind::Garbage("malformed-tls".to_owned())),
    }
}

/// Whether a server's alert is a judgement on the certificate that it was shown, or was not.
pub fn is_about_a_certificate(alert: AlertDescription) -> bool {
    use AlertDescription as Alert;
    matches!(
        alert,
        Alert::CertificateRequired
            | Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied
    )
}

/// What an alert says; `asked`: the server had asked for a certificate of ours.
fn alerted(alert: AlertDescription, asked: bool) -> TlsFault {
    use AlertDescription as Alert;
    match alert {
        Alert::CertificateRequired => TlsFault::ClientCertificate,
        alert if asked && (alert == Alert::HandshakeFailure || is_about_a_certificate(alert)) => TlsFault::ClientCertificate,
        Alert::HandshakeFailure | Alert::ProtocolVersion | Alert::InsufficientSecurity => TlsFault::Unsupported,
        other => TlsFault::Other(format!("alert {}", u8::from(other))),
    }
}

/// Bytes that are not TLS as we speak it: the national TLCP (version 1.1) and SSL are protocols, the rest is not.
fn unreadable(message: &InvalidMessage, head: &[u8]) -> FailureKind {
    // A chain longer than this tool takes may well be taken by the settlement program.
    if matches!(message, InvalidMessage::HandshakePayloadTooLarge | InvalidMessage::CertificatePayloadTooLarge) {
        return FailureKind::Tls(TlsFault::Unsupported, None);
    }
    let record = head.first().is_some_and(|kind| (20..=23).contains(kind));
    match head.get(1..3) {
        Some([1, 1] | [2 | 3, 0]) if record => FailureKind::Tls(TlsFault::Unsupported, None),
        Some([3, _]) if record && !matches!(message, InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion) => {
            FailureKind::Garbage("malformed-tls".to_owned())
        }
        Some(_) | None => FailureKind::Garbage("not-tls".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::{AlertDescription, FailureKind, InvalidMessage, TlsFault, alerted, unreadable};

    #[test]
    fn a_handshake_alert_is_about_our_certificate_only_when_one_was_asked_for() {
        assert_eq!(alerted(AlertDescription::HandshakeFailure, true), TlsFault::ClientCertificate);
        assert_eq!(alerted(AlertDescription::HandshakeFailure, false), TlsFault::Unsupported);
        assert_eq!(alerted(AlertDescription::CertificateRequired, false), TlsFault::ClientCertificate);
        assert_eq!(alerted(AlertDescription::ProtocolVersion, true), TlsFault::Unsupported);
    }

    #[test]
    fn the_national_protocol_is_unsupported_and_a_web_page_is_garbage() {
        let unsupported = FailureKind::Tls(TlsFault::Unsupported, None);
        assert_eq!(unreadable(&InvalidMessage::UnknownProtocolVersion, &[22, 1, 1, 0, 60]), unsupported);
        assert_eq!(unreadable(&InvalidMessage::InvalidContentType, b"HTTP/1.1"), FailureKind::Garbage("not-tls".to_owned()));
    }

    mod any_bytes {
        use super::*;
        use crate::probe::tls::{Recorder, connector};
        use crate::testing::{cases, hostile};
        use proptest::prelude::*;
        use rustls::pki_types::ServerName;
        use rustls::{ClientConnection, ServerConfig, ServerConnection};
        use std::sync::{Arc, LazyLock};

        const NAME: &str = "settle.centre.example";

        fn client() -> (Arc<Recorder>, ClientConnection) {
            let recorder = Recorder::new(None);
            let config = Arc::clone(connector(&recorder, rustls::DEFAULT_VERSIONS).unwrap().config());
            (recorder, ClientConnection::new(config, ServerName::try_from(NAME).unwrap()).unwrap())
        }

        /// What a server says to a hello, in both versions: alerts, hellos, and a chain.
        static FLIGHTS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
            let key = rcgen::KeyPair::generate().unwrap();
            let der = rcgen::CertificateParams::new(vec![NAME.to_owned()]).unwrap().self_signed(&key).unwrap().der().clone();
            let flight = |version| {
                let provider = Arc::new(rustls::crypto::ring::default_provider());
                let config =
                    ServerConfig::builder_with_provider(provider).with_protocol_versions(&[version]).unwrap().with_no_client_auth();
                let config = config.with_single_cert(vec![der.clone()], key.serialize_der().try_into().unwrap()).unwrap();
                let (mut server, mut hello, mut bytes) = (ServerConnection::new(Arc::new(config)).unwrap(), Vec::new(), Vec::new());
                client().1.write_tls(&mut hello).unwrap();
                server.read_tls(&mut hello.as_slice()).unwrap();
                server.process_new_packets().unwrap();
                while server.wants_write() {
                    server.write_tls(&mut bytes).unwrap();
                }
                bytes
            };
            let alert = vec![21, 3, 3, 0, 2, 2, 40];
            vec![flight(&rustls::version::TLS12), flight(&rustls::version::TLS13), alert]
        });

        proptest! {
            #![proptest_config(cases())]

            #[test]
            fn of_a_tls_server_are_a_handshake_or_a_word_about_it(bytes in hostile(FLIGHTS.clone(), 400)) {
                let (recorder, mut client) = client();
                client.write_tls(&mut std::io::sink()).unwrap();
                let mut rest = bytes.as_slice();
                while !rest.is_empty() && client.wants_read() {
                    if client.read_tls(&mut rest).is_err() {
                        break;
                    }
                    if let Err(error) = client.process_new_packets() {
                        let error = std::io::Error::new(std::io::ErrorKind::InvalidData, error);
                        let received = super::super::Received { bytes: bytes.len() as u64, head: bytes[..bytes.len().min(8)].to_vec(), ..super::super::Received::default() };
                        let told = super::super::broken(&error, recorder.asked(), &received);
                        prop_assert!(!matches!(told, FailureKind::Silence));
                        break;
                    }
                }
                let kept: usize = recorder.chain().iter().map(|der| der.len()).sum();
                prop_assert!(kept <= bytes.len());
                // An alert that was left unread.
                let _ = bytes.last_chunk::<7>();
            }
        }
    }
}
