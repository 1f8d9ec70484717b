//! TLS servers.

use super::peer::{PATIENCE, in_time, reset, says, tcp, wait, wall};
use isonet::model::{FailureKind, Outcome, TlsFacts, TlsFault, TlsKey};
use isonet::probe::http::date_offset;
use isonet::probe::tcp::connect;
use isonet::probe::tls::{Setup, Trust, handshake};
use proptest::prelude::*;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};
use std::io::{BufReader, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use url::Url;

pub const NAME: &str = "settle.centre.example";

/// A certificate authority of our own.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, "Centre CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        dated(&mut params, 2020, 2040);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub fn der(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    pub fn trusted(&self) -> Setup {
        Setup { trust: Some(Trust::new(vec![self.der()])), ..Setup::default() }
    }

    fn issue(&self, params: &CertificateParams) -> Server {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Server { chain: vec![certificate.der().clone()], key: key.serialize_der() }
    }

    /// A healthy server.
    pub fn server(&self) -> Server {
        self.issue(&params(NAME, 2026, 2027))
    }
}

fn dated(params: &mut CertificateParams, from: i32, to: i32) {
    params.not_before = rcgen::date_time_ymd(from, 1, 1);
    params.not_after = rcgen::date_time_ymd(to, 1, 1);
}

fn params(name: &str, from: i32, to: i32) -> CertificateParams {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    dated(&mut params, from, to);
    params
}

pub struct Server {
    chain: Vec<CertificateDer<'static>>,
    key: Vec<u8>,
}

impl Server {
    /// Asks for a client's certificate, goes on without one, and answers every request with `answer`.
    pub fn asking(&self, clients: &Authority, answer: &'static str) -> SocketAddr {
        let mut roots = RootCertStore::empty();
        roots.add(clients.der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).allow_unauthenticated().build().unwrap();
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let key = PrivateKeyDer::Pkcs8(self.key.clone().into());
        serve(builder.with_client_cert_verifier(verifier).with_single_cert(self.chain.clone(), key).unwrap(), answer)
    }

    fn config(&self, versions: &[&'static SupportedProtocolVersion], clients: Option<&Authority>) -> ServerConfig {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone()).with_protocol_versions(versions).unwrap();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority.der()).unwrap();
                builder.with_client_cert_verifier(WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap())
            }
        };
        builder.with_single_cert(self.chain.clone(), PrivateKeyDer::Pkcs8(self.key.clone().into())).unwrap()
    }

    /// Answers every request with `answer`.
    pub fn start(&self, answer: &'static str) -> SocketAddr {
        serve(self.config(rustls::ALL_VERSIONS, None), answer)
    }
}

fn serve(config: ServerConfig, answer: &'static str) -> SocketAddr {
    let config = Arc::new(config);
    tcp(move |stream| {
        let connection = rustls::ServerConnection::new(config.clone()).unwrap();
        let mut stream = BufReader::new(rustls::StreamOwned::new(connection, stream));
        let mut request = Vec::new();
        let mut byte = [0];
        while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
            request.push(byte[0]);
        }
        if request.ends_with(b"\r\n\r\n") {
            let stream = stream.get_mut();
            drop(stream.write_all(answer.as_bytes()));
            stream.conn.send_close_notify();
            drop(stream.flush());
        }
    })
}

const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nDate: Sun, 22 Nov 2026 06:00:00 GMT\r\n\r\nok";

fn shake_as(at: SocketAddr, name: &str, setup: &Setup) -> Outcome<TlsFacts> {
    in_time(PATIENCE, async {
        let (_, stream) = connect(at, PATIENCE).await;
        let key = TlsKey { at, server_name: name.to_owned() };
        handshake(&key, stream.unwrap(), setup, wall(), PATIENCE).await.outcome
    })
}

fn shake(at: SocketAddr, setup: &Setup) -> Outcome<TlsFacts> {
    shake_as(at, NAME, setup)
}

fn failure(seen: &Outcome<TlsFacts>) -> FailureKind {
    seen.failure().unwrap_or_else(|| panic!("{seen:?}")).kind.clone()
}

fn fault(seen: &Outcome<TlsFacts>) -> TlsFault {
    match failure(seen) {
        FailureKind::Tls(fault, _) => fault,
        other => panic!("not about TLS: {other:?}"),
    }
}

#[test]
fn a_proper_server_is_believed() {
    let ca = Authority::new();
    let seen = shake(ca.server().start(ANSWER), &ca.trusted());
    let facts = seen.ok().unwrap_or_else(|| panic!("{seen:?}"));
    assert!(facts.verified);
    assert_eq!(facts.version.as_deref(), Some("TLSv1_3"));
    let certificate = facts.certificate.as_ref().unwrap();
    assert_eq!(certificate.names, [NAME]);
    assert!(certificate.issuer.contains("Centre CA"));
    assert_eq!(certificate.not_after.to_string(), "2027-01-01T00:00:00Z");
    assert_eq!(certificate.sha256.len(), 64);
}

#[test]
fn an_address_is_a_name_too() {
    let ca = Authority::new();
    let at = ca.issue(&params("127.0.0.1", 2026, 2027)).start(ANSWER);
    let seen = shake_as(at, "127.0.0.1", &ca.trusted());
    assert_eq!(seen.ok().unwrap().certificate.as_ref().unwrap().names, ["127.0.0.1"]);
    assert_eq!(fault(&shake_as(at, "127.0.0.2", &ca.trusted())), TlsFault::NameMismatch);
}

#[test]
fn without_a_ca_nothing_is_judged() {
    let seen = shake(Authority::new().issue(&params("elsewhere.example", 2001, 2002)).start(ANSWER), &Setup::default());
    assert!(seen.ok().is_some_and(|facts| !facts.verified && facts.certificate.is_some()), "{seen:?}");
}

#[test]
fn every_fault_has_its_name_and_its_certificate() {
    let ca = Authority::new();
    let judged = |params: &CertificateParams| shake(ca.issue(params).start(ANSWER), &ca.trusted());
    let expired = judged(&params(NAME, 2024, 2025));
    assert_eq!(fault(&expired), TlsFault::Expired);
    assert!(matches!(failure(&expired), FailureKind::Tls(_, Some(facts)) if facts.certificate.is_some() && facts.verified));
    assert_eq!(fault(&judged(&params(NAME, 2030, 2031))), TlsFault::NotYetValid);
    assert_eq!(fault(&judged(&params("elsewhere.example", 2026, 2027))), TlsFault::NameMismatch);
    assert_eq!(fault(&shake(Authority::new().server().start(ANSWER), &ca.trusted())), TlsFault::UnknownIssuer);
}

#[test]
fn the_most_telling_fault_wins() {
    let ca = Authority::new();
    let stranger = Authority::new().issue(&params("elsewhere.example", 2024, 2025)).start(ANSWER);
    assert_eq!(fault(&shake(stranger, &ca.trusted())), TlsFault::UnknownIssuer);
    let misnamed = ca.issue(&params("elsewhere.example", 2024, 2025)).start(ANSWER);
    assert_eq!(fault(&shake(misnamed, &ca.trusted())), TlsFault::NameMismatch);
}

#[test]
fn what_other_programs_accept_is_accepted() {
    let ca = Authority::new();
    let mut only_common_name = CertificateParams::new(Vec::new()).unwrap();
    only_common_name.distinguished_name.push(DnType::CommonName, NAME);
    dated(&mut only_common_name, 2026, 2027);
    let seen = shake(ca.issue(&only_common_name).start(ANSWER), &ca.trusted());
    assert!(seen.ok().is_some(), "{seen:?}");

    // The server's own certificate configured instead of its issuer's.
    let mut own = params(NAME, 2026, 2027);
    own.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = own.self_signed(&key).unwrap().der().clone();
    let at = Server { chain: vec![certificate.clone()], key: key.serialize_der() }.start(ANSWER);
    let pinned = Setup { trust: Some(Trust::new(vec![certificate])), ..Setup::default() };
    assert!(shake(at, &pinned).ok().is_some());
    assert_eq!(fault(&shake(at, &ca.trusted())), TlsFault::UnknownIssuer);
}

fn pem(text: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(text.as_bytes()).unwrap()
}

#[test]
fn what_only_this_tool_is_too_strict_for_is_no_fault() {
    let name = ServerName::try_from(NAME).unwrap();
    let now = "2030-01-01T00:00:00Z".parse().unwrap();
    // Keys of 1024 bits, and a certificate of the first version of the format: both still at work in old installations.
    let weak = Trust::new(vec![pem(include_str!("certificates/weak-ca.pem"))]);
    assert_eq!(weak.judge(&[pem(include_str!("certificates/weak-leaf.pem"))], &name, now), Some(TlsFault::Unsupported));
    let first_version = Trust::new(vec![pem(include_str!("certificates/v1-ca.pem"))]);
    assert_eq!(first_version.judge(&[pem(include_str!("certificates/v1-leaf.pem"))], &name, now), Some(TlsFault::Unsupported));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_certificate_is_judged_without_a_panic(damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let mut der = pem(include_str!("certificates/weak-leaf.pem")).to_vec();
        for (at, byte) in damage {
            let at = at.index(der.len());
            der[at] = byte;
        }
        let trust = Trust::new(vec![pem(include_str!("certificates/weak-ca.pem"))]);
        let name = ServerName::try_from(NAME).unwrap();
        trust.judge(&[CertificateDer::from(der)], &name, "2030-01-01T00:00:00Z".parse().unwrap());
    }
}

#[test]
fn a_server_that_wants_our_certificate_says_so_in_both_versions() {
    let ca = Authority::new();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let at = serve(ca.server().config(&[version], Some(&ca)), ANSWER);
        assert_eq!(fault(&shake(at, &ca.trusted())), TlsFault::ClientCertificate, "{version:?}");
        // The server goes by the real clock.
        let client = ca.issue(&params("terminal", 2020, 2040));
        let key = PrivateKeyDer::Pkcs8(client.key.into());
        let identity = rustls::sign::CertifiedKey::from_der(client.chain, key, &rustls::crypto::ring::default_provider()).unwrap();
        let setup = Setup { identity: Some(Arc::new(identity)), ..ca.trusted() };
        let seen = shake(at, &setup);
        assert!(seen.ok().is_some(), "{version:?}: {seen:?}");
    }
}

#[test]
fn the_date_is_read_from_a_server_that_is_refused() {
    let at = Authority::new().server().start(ANSWER);
    let offset = in_time(PATIENCE, async {
        let (_, stream) = connect(at, PATIENCE).await;
        let key = TlsKey { at, server_name: NAME.to_owned() };
        let shaken = handshake(&key, stream.unwrap(), &Authority::new().trusted(), wall(), PATIENCE).await;
        assert_eq!(fault(&shaken.outcome), TlsFault::UnknownIssuer);
        date_offset(shaken.stream.unwrap(), &Url::parse("https://settle.centre.example/").unwrap(), wall(), PATIENCE).await
    });
    assert!((3590..=3600).contains(&offset.unwrap()), "{offset:?}");
}

#[test]
fn what_is_not_tls_is_garbage() {
    let garbage = |what: &str| FailureKind::Garbage(what.to_owned());
    let none = Setup::default();
    assert_eq!(failure(&shake(says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), &none)), garbage("not-tls"));
    assert_eq!(failure(&shake(says(&[0x5a; 4000]), &none)), garbage("not-tls"));
    assert_eq!(failure(&shake(says(&[22, 3, 3, 0, 4, 2, 0, 0, 0]), &none)), garbage("malformed-tls"));
}

#[test]
fn a_protocol_that_this_tool_does_not_speak_is_no_fault() {
    let none = Setup::default();
    // An alert of the national TLCP, a hello of it, and an alert of TLS that says `protocol version`.
    for words in [&[21, 1, 1, 0, 2, 2, 70][..], &[22, 1, 1, 0, 4, 2, 0, 0, 0], &[21, 3, 1, 0, 2, 2, 70]] {
        let words: &'static [u8] = Vec::leak(words.to_vec());
        assert_eq!(fault(&shake(says(words), &none)), TlsFault::Unsupported, "{words:?}");
    }
}

#[test]
fn an_end_a_reset_and_silence_are_told_apart() {
    let none = Setup::default();
    let after_hello = |end: fn(std::net::TcpStream)| {
        tcp(move |mut stream| {
            assert!(stream.read(&mut [0; 2048]).is_ok());
            end(stream);
        })
    };
    assert_eq!(failure(&shake(after_hello(drop), &none)), FailureKind::Closed { received: 0, reset: false });
    assert_eq!(failure(&shake(after_hello(reset), &none)), FailureKind::Closed { received: 0, reset: true });
    assert_eq!(failure(&shake(tcp(wait), &none)), FailureKind::Silence);
    assert_eq!(failure(&shake(says(&[22, 3, 3]), &none)), FailureKind::Silence);
}

#[test]
fn a_chain_that_is_too_long_for_this_tool_accuses_nobody_and_costs_little() {
    let ca = Authority::new();
    let server = ca.server();
    let chain: Vec<_> = server.chain.iter().cycle().take(300).cloned().collect();
    let length = chain.iter().map(|der| der.len()).sum::<usize>();
    assert!(length > 1 << 16, "{length}");
    let long = Server { chain, key: server.key }.start(ANSWER);
    let before = super::peer::peak_memory();
    assert_eq!(fault(&shake(long, &ca.trusted())), TlsFault::Unsupported);
    let grown = super::peer::peak_memory() - before;
    assert!(grown < 16 * 1024, "{grown} kB");
}

/// The extensions of a hello, by number.
fn extensions(hello: &[u8]) -> Vec<u16> {
    let two = |at: usize| usize::from(u16::from_be_bytes([hello[at], hello[at + 1]]));
    // Record and handshake header, version and random, then session, suites and compressions, each with its length.
    let session = 5 + 4 + 34;
    let suites = session + 1 + usize::from(hello[session]);
    let compressions = suites + 2 + two(suites);
    let mut at = compressions + 1 + usize::from(hello[compressions]) + 2;
    let mut found = Vec::new();
    while at + 4 <= hello.len() {
        found.push(u16::from_be_bytes([hello[at], hello[at + 1]]));
        at += 4 + two(at + 2);
    }
    found
}

#[test]
fn compressed_certificates_are_not_asked_for() {
    let (tell, told) = std::sync::mpsc::channel();
    let listener = tcp(move |mut stream| {
        let mut hello = vec![0; 4096];
        let length = stream.read(&mut hello).unwrap();
        hello.truncate(length);
        drop(tell.send(hello));
    });
    assert!(shake(listener, &Setup::default()).failure().is_some());
    let asked = extensions(&told.recv().unwrap());
    // RFC 8879: compress_certificate is 27. The name (0) is there, so the list was read.
    assert!(asked.contains(&0) && !asked.contains(&27), "{asked:?}");
}

#[test]
fn a_flood_of_empty_records_ends() {
    let flood = tcp(|mut stream| {
        let block = [20, 3, 3, 0, 1, 1].repeat(1000);
        while stream.write_all(&block).is_ok() {}
    });
    assert!(shake(flood, &Setup::default()).failure().is_some());
}
