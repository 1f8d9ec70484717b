//! A handshake that goes through whatever the certificate, and remembers what was shown and asked.

use super::Identity;
use rustls::client::ResolvesClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{DigitallySignedStruct, Error, SignatureScheme};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Most certificates kept of a chain.
const LONGEST_CHAIN: usize = 12;

/// What the peer showed and asked for.
#[derive(Debug)]
pub(super) struct Recorder {
    algorithms: WebPkiSupportedAlgorithms,
    identity: Option<Identity>,
    chain: Mutex<Vec<CertificateDer<'static>>>,
    bad_signature: AtomicBool,
    asked: AtomicBool,
}

impl Recorder {
    /// Shows `identity` when asked for one.
    pub(super) fn new(identity: Option<Identity>) -> Arc<Self> {
        Arc::new(Self {
            algorithms: ring::default_provider().signature_verification_algorithms,
            identity,
            chain: Mutex::default(),
            bad_signature: AtomicBool::default(),
            asked: AtomicBool::default(),
        })
    }

    /// The chain shown, the server's own certificate first.
    pub(super) fn chain(&self) -> Vec<CertificateDer<'static>> {
        self.chain.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The server could not prove that the certificate is its own, as far as the verifier can tell.
    pub(super) fn bad_signature(&self) -> bool {
        self.bad_signature.load(Ordering::Acquire)
    }

    /// The server asked for a certificate of ours.
    pub(super) fn asked(&self) -> bool {
        self.asked.load(Ordering::Acquire)
    }

    #[allow(clippy::unnecessary_wraps, reason = "it stands in for a verifier")]
    fn note(&self, result: &Result<HandshakeSignatureValid, Error>) -> Result<HandshakeSignatureValid, Error> {
        self.bad_signature.fetch_or(result.is_err(), Ordering::AcqRel);
        Ok(HandshakeSignatureValid::assertion())
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain = std::iter::once(leaf).chain(rest).take(LONGEST_CHAIN).map(|der| der.clone().into_owned()).collect();
        *self.chain.lock().unwrap_or_else(PoisonError::into_inner) = chain;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.note(&verify_tls12_signature(message, leaf, signed, &self.algorithms))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.note(&verify_tls13_signature(message, leaf, signed, &self.algorithms))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl ResolvesClientCert for Recorder {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::Release);
        self.identity.clone()
    }

    fn has_certs(&self) -> bool {
        self.identity.is_some()
    }
}
