//! The way to a receiver: over an enrolled route, to a server that the configured authority vouches for, or not at all.
//!
//! * Before a connection is opened the [`Gate`] is asked about the address. In the daemon it holds the kernel's route against what was
//!   enrolled, so that nothing leaves by a way that somebody added.
//! * Only the configured authority counts, never the public ones: nobody outside can vouch for a server of an isolated network.
//! * A certificate's dates are judged by this PC's clock, but never by a time before [`Files::floor`]: who sets the clock back does not make the
//!   server's certificate "not valid yet" and himself unseen.
//! * Sessions are resumed, so that a sign of life costs one round trip.

use super::{Hindrance, Obstacle};
use crate::probe::tls::{SetupError, certificates, is_about_a_certificate, private_key, tls_error};
use crate::sys::clock;
use futures_util::future::LocalBoxFuture;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::ring;
use rustls::pki_types::{ServerName, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, Error, RootCertStore};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Sessions kept for resumption: a receiver has few servers.
const SESSIONS: usize = 4;

/// Says whether packets to an address take an enrolled way; the error says which they take instead.
pub type Gate = Rc<dyn Fn(IpAddr) -> LocalBoxFuture<'static, Result<(), String>>>;

/// Asks the gate about a receiver.
pub async fn admit(gate: &Gate, at: SocketAddr) -> Result<(), Hindrance> {
    gate(at.ip()).await.map_err(|why| Hindrance::new(Obstacle::WrongWay, format!("{at}: {why}")))
}

/// The files of an encrypted way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// PEM file with the authority.
    pub ca: PathBuf,
    /// PEM files with this terminal's certificate and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// It is later than this, whatever the clock says.
    pub floor: jiff::Timestamp,
}

/// By which one sees that a file is another one: its number, its size, and when it was changed; `None` = it cannot be read.
pub type Mark = Option<(u64, u64, i64, i64)>;

impl Files {
    /// The state in which they are now. Another one = they have to be read again.
    pub fn marks(&self) -> Vec<Mark> {
        let mark = |path: &PathBuf| std::fs::metadata(path).ok().map(|file| (file.ino(), file.size(), file.mtime(), file.mtime_nsec()));
        let identity = self.identity.iter().flat_map(|(cert, key)| [cert, key]);
        std::iter::once(&self.ca).chain(identity).map(mark).collect()
    }
}

/// Opens connections. Cheap to clone.
#[derive(Clone)]
pub struct Way {
    gate: Gate,
    tls: Option<TlsConnector>,
}

impl Way {
    /// Reads the files; `None` = not encrypted.
    pub fn new(gate: Gate, files: Option<&Files>) -> Result<Self, Hindrance> {
        let tls = files.map(connector).transpose().map_err(|error| Hindrance::new(Obstacle::Here, error.to_string()))?;
        Ok(Self { gate, tls })
    }

    /// Whether it encrypts.
    pub fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }

    /// The same without resumption of sessions, for servers that offer and then refuse it.
    #[must_use]
    pub fn without_sessions(&self) -> Self {
        let without = |tls: &TlsConnector| {
            let mut config = ClientConfig::clone(tls.config());
            config.resumption = Resumption::disabled();
            TlsConnector::from(Arc::new(config))
        };
        Self { gate: Rc::clone(&self.gate), tls: self.tls.as_ref().map(without) }
    }

    /// A connection in the clear: all of it, or what comes before encryption begins.
    pub async fn open(&self, at: SocketAddr, patience: Duration) -> Result<TcpStream, Hindrance> {
        admit(&self.gate, at).await?;
        let receiver = at.to_string();
        let stream = match timeout(patience, TcpStream::connect(at)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(Hindrance::of(&receiver, &error)),
            Err(_) => return Err(Hindrance::new(Obstacle::Silent, format!("{receiver}: no answer to a connection"))),
        };
        stream.set_nodelay(true).map_err(|error| Hindrance::of(&receiver, &error))?;
        Ok(stream)
    }

    /// Encrypts it, where that is configured; `name` is what the server's certificate has to be for.
    pub async fn secure(&self, stream: TcpStream, name: &str, patience: Duration) -> Result<Line, Hindrance> {
        let Some(tls) = &self.tls else { return Ok(Line::Plain(stream)) };
        let server = ServerName::try_from(name.to_owned())
            .map_err(|_| Hindrance::new(Obstacle::Here, format!("`{name}` is not a name or address of a server")))?;
        match timeout(patience, tls.connect(server, stream)).await {
            Ok(Ok(stream)) => Ok(Line::Tls(Box::new(stream))),
            Ok(Err(error)) => Err(refused(name, &error)),
            Err(_) => {
                Err(Hindrance::new(Obstacle::Silent, format!("{name}: no answer to a TLS handshake, as of a server that does not encrypt")))
            }
        }
    }
}

fn connector(files: &Files) -> Result<TlsConnector, SetupError> {
    let provider = Arc::new(ring::default_provider());
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&files.ca)? {
        // What cannot be an anchor vouches for nobody.
        let _ = roots.add(certificate);
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .build()
        .map_err(|_| SetupError::NoCertificate(files.ca.clone()))?;
    let builder = ClientConfig::builder_with_details(provider, Arc::new(NotBefore(files.floor)))
        .with_protocol_versions(rustls::DEFAULT_VERSIONS)
        .expect("the provider has the default versions")
        .with_webpki_verifier(verifier);
    let mut config = match &files.identity {
        Some((cert, key)) => builder
            .with_client_auth_cert(certificates(cert)?, private_key(key)?)
            .map_err(|error| SetupError::Identity(cert.clone(), key.clone(), error))?,
        None => builder.with_no_client_auth(),
    };
    config.resumption = Resumption::in_memory_sessions(SESSIONS);
    Ok(TlsConnector::from(Arc::new(config)))
}

/// This PC's clock, but never before a time that has certainly passed.
#[derive(Debug)]
struct NotBefore(jiff::Timestamp);

impl TimeProvider for NotBefore {
    fn current_time(&self) -> Option<UnixTime> {
        let now = clock::wall().max(self.0);
        u64::try_from(now.as_second()).ok().map(|seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

/// What an error of an encrypted connection says.
pub fn refused(receiver: &str, error: &io::Error) -> Hindrance {
    let Some(tls) = tls_error(error) else { return Hindrance::of(receiver, error) };
    let obstacle = match tls {
        Error::InvalidCertificate(_) | Error::NoCertificatesPresented => Obstacle::Certificate,
        Error::AlertReceived(alert) if is_about_a_certificate(*alert) => Obstacle::Identity,
        Error::InvalidMessage(_)
        | Error::InappropriateMessage { .. }
        | Error::InappropriateHandshakeMessage { .. }
        | Error::PeerMisbehaved(_) => Obstacle::Garbage,
        Error::PeerIncompatible(_) | Error::AlertReceived(_) => Obstacle::Setup,
        _ => Obstacle::Broken,
    };
    Hindrance::new(obstacle, format!("{receiver}: {tls}"))
}

/// A connection to a receiver.
#[derive(Debug)]
pub enum Line {
    /// In the clear.
    Plain(TcpStream),
    /// Encrypted.
    Tls(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for Line {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Line {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_sets_the_clock_back_does_not_make_it_earlier_than_it_certainly_is() {
        let judged_by = |floor: i64| {
            let at = jiff::Timestamp::from_second(floor).expect("in range");
            NotBefore(at).current_time().expect("a time").as_secs()
        };
        assert_eq!(judged_by(4_000_000_000), 4_000_000_000);
        assert!(judged_by(0) >= 1_700_000_000, "the clock counts, where it is later");
    }
}
