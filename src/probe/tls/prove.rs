//! Who answers at a public address: a handshake of TLS 1.3 and nothing else. No request, no certificate of ours, no session to resume; the
//! name that is asked for is public. The connection is closed as soon as the other side has proved who it is, or has not.

use super::super::stream::{Tallied, Wall};
use super::record::Recorder;
use super::{Trust, broken, certificate, connector};
use crate::model::{CertificateFacts, FailureKind, TlsFault};
use rustls::pki_types::ServerName;
use rustls::version::TLS13;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

/// What was shown in a handshake that went through.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// What is wrong with it; `None` = it is who it should be.
    pub fault: Option<TlsFault>,
    /// Its certificate; `None` = one that cannot be read.
    pub certificate: Option<CertificateFacts>,
    /// It was signed by nobody but itself.
    pub self_issued: bool,
    /// From our first byte to its first: there and back, and no more than that.
    pub distance: Duration,
}

/// Shakes hands over `tcp` and judges by `trust` and by this PC's clock. The error says why it did not go through.
pub async fn prove(tcp: TcpStream, name: &str, trust: &Trust, wall: Wall, patience: Duration) -> Result<Shown, FailureKind> {
    let Ok(name) = ServerName::try_from(name.to_owned()) else {
        return Err(FailureKind::Tls(TlsFault::NameMismatch, None));
    };
    let recorder = Recorder::new(None);
    let connector = connector(&recorder, &[&TLS13]).map_err(|error| FailureKind::Tls(TlsFault::Other(error.to_string()), None))?;
    let begun = Instant::now();
    let tcp = Tallied::new(tcp);
    let tally = tcp.tally();
    match timeout(patience, connector.connect(name.clone(), tcp)).await {
        Err(_) => return Err(FailureKind::Silence),
        Ok(Err(error)) => return Err(broken(&error, recorder.asked(), &tally.received())),
        // Dropping the stream closes it.
        Ok(Ok(_)) => {}
    }
    let chain = recorder.chain();
    let unsigned = recorder.bad_signature().then_some(TlsFault::Unsupported);
    Ok(Shown {
        fault: unsigned.or_else(|| trust.judge(&chain, &name, wall.now())),
        certificate: chain.first().and_then(certificate::facts),
        self_issued: chain.first().is_some_and(certificate::self_issued),
        distance: tally.received().first.map_or(Duration::ZERO, |first| first.duration_since(begun)),
    })
}
