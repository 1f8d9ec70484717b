//! The files of the TLS configuration: whom to trust, and what to show when asked.
//!
//! Read once a look, bounded, never waiting for a pipe. A file that is of no use is an error that names it: a server is not accused
//! because our copy of its authority is missing or damaged.

use super::Identity;
use super::certificate::{Trust, is_readable};
use crate::config::CentreTls;
use crate::model::Unseen;
use crate::sys::files::{self, ReadError};
use rustls::crypto::ring;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Largest PEM file read: a store of all public CAs is a fifth of it.
pub const LARGEST_PEM: u64 = 1024 * 1024;

/// What a handshake needs beside the address.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// Whom to trust; `None` = nothing is judged.
    pub trust: Option<Trust>,
    /// What to show when asked.
    pub identity: Option<Identity>,
    /// Why the authority that is configured cannot be used. The look goes on, for all else is seen without it; its judgement is unknown.
    pub unjudged: Option<Unseen>,
}

/// A file of the TLS configuration is of no use.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// It cannot be read.
    #[error("{}", .0.line())]
    Read(ReadError),
    /// It holds no certificate.
    #[error("{0}: no PEM certificate in it")]
    NoCertificate(PathBuf),
    /// It holds no private key.
    #[error("{0}: no PEM private key in it")]
    NoKey(PathBuf),
    /// It is PEM, but damaged.
    #[error("{0}: damaged PEM: {1}")]
    Damaged(PathBuf, PemError),
    /// What it calls a certificate is none: which of them, from 1.
    #[error("{0}: certificate {1} in it cannot be read")]
    NotACertificate(PathBuf, usize),
    /// The key is not the certificate's, or of an unknown kind.
    #[error("use {0} and {1} as a client certificate: {2}")]
    Identity(PathBuf, PathBuf, rustls::Error),
}

impl From<SetupError> for Unseen {
    fn from(error: SetupError) -> Self {
        Self::Error(error.to_string())
    }
}

impl Setup {
    /// Reads the files that `config` names. An authority of no use leaves the handshake unjudged; a certificate of ours that is of no use
    /// is an error, for without it a server's refusal would say nothing about the server.
    pub fn load(config: &CentreTls) -> Result<Self, SetupError> {
        let identity = match (&config.client_cert, &config.client_key) {
            (Some(cert), Some(key)) => Some(identity(cert, key)?),
            (Some(_) | None, None) | (None, Some(_)) => None,
        };
        Ok(match config.ca.as_deref().map(certificates).transpose() {
            Ok(trusted) => Self { trust: trusted.map(Trust::new), identity, unjudged: None },
            Err(error) => Self { trust: None, identity, unjudged: Some(error.into()) },
        })
    }
}

/// The certificates in a PEM file, at least one, each of them readable.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, SetupError> {
    let bytes = read(path)?;
    let found: Vec<_> =
        CertificateDer::pem_slice_iter(&bytes).collect::<Result<_, _>>().map_err(|error| SetupError::Damaged(path.to_owned(), error))?;
    if found.is_empty() {
        return Err(SetupError::NoCertificate(path.to_owned()));
    }
    match found.iter().position(|der| !is_readable(der)) {
        Some(at) => Err(SetupError::NotACertificate(path.to_owned(), at + 1)),
        None => Ok(found),
    }
}

/// The private key in a PEM file.
pub fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, SetupError> {
    PrivateKeyDer::from_pem_slice(&read(path)?).map_err(|error| match error {
        PemError::NoItemsFound => SetupError::NoKey(path.to_owned()),
        error => SetupError::Damaged(path.to_owned(), error),
    })
}

/// A certificate with its key, which must belong together.
pub fn identity(cert: &Path, key: &Path) -> Result<Identity, SetupError> {
    let chain = certificates(cert)?;
    CertifiedKey::from_der(chain, private_key(key)?, &ring::default_provider())
        .map(Arc::new)
        .map_err(|error| SetupError::Identity(cert.to_owned(), key.to_owned(), error))
}

fn read(path: &Path) -> Result<Vec<u8>, SetupError> {
    files::read(path, LARGEST_PEM).map_err(SetupError::Read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rcgen::{CertificateParams, KeyPair};
    use std::sync::LazyLock;

    fn pair() -> (String, String) {
        let key = KeyPair::generate().expect("a key");
        (CertificateParams::new(vec!["x".to_owned()]).expect("a name").self_signed(&key).expect("signed").pem(), key.serialize_pem())
    }

    fn words(text: &str, read: impl Fn(&Path) -> Result<(), SetupError>) -> String {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("f.pem");
        std::fs::write(&path, text).expect("written");
        read(&path).expect_err("of no use").to_string().replace(&dir.path().display().to_string(), "DIR")
    }

    fn as_certificates(text: &str) -> String {
        words(text, |path| certificates(path).map(drop))
    }

    #[test]
    fn each_uselessness_of_a_file_has_its_own_words() {
        assert_eq!(as_certificates(""), "DIR/f.pem: no PEM certificate in it");
        assert_eq!(as_certificates(&pair().1), "DIR/f.pem: no PEM certificate in it", "a key");
        assert!(as_certificates("-----BEGIN CERTIFICATE-----\n???\n-----END CERTIFICATE-----\n").contains("damaged PEM"));
        assert!(as_certificates("-----BEGIN CERTIFICATE-----\nAAAA\n").contains("damaged PEM"), "without an end");
        let (good, _) = pair();
        let second = format!("{good}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        assert_eq!(as_certificates(&second), "DIR/f.pem: certificate 2 in it cannot be read");
        assert_eq!(words(&good, |path| private_key(path).map(drop)), "DIR/f.pem: no PEM private key in it");
    }

    #[test]
    fn a_key_that_is_not_the_certificates_is_told() {
        let dir = tempfile::tempdir().expect("a directory");
        let (cert, key) = (dir.path().join("c.pem"), dir.path().join("k.pem"));
        let ours = pair();
        std::fs::write(&cert, &ours.0).expect("written");
        std::fs::write(&key, &ours.1).expect("written");
        assert!(identity(&cert, &key).is_ok());
        std::fs::write(&key, pair().1).expect("written");
        assert!(matches!(identity(&cert, &key), Err(SetupError::Identity(..))));
    }

    #[test]
    fn a_pipe_is_not_waited_for_and_a_giant_is_not_cut() {
        let dir = tempfile::tempdir().expect("a directory");
        let fifo = dir.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).expect("a fifo");
        assert!(matches!(certificates(&fifo), Err(SetupError::Read(ReadError::NotAFile { .. }))));
        let giant = dir.path().join("giant.pem");
        std::fs::write(&giant, vec![b'\n'; 2 << 20]).expect("written");
        assert!(matches!(certificates(&giant), Err(SetupError::Read(ReadError::TooLarge { .. }))));
    }

    mod any_bytes {
        use super::*;
        use crate::testing::{cases, hostile};

        proptest! {
            #![proptest_config(cases())]

            #[test]
            fn of_a_pem_file_are_read_or_refused(text in hostile(vec![PAIR.0.clone().into(), PAIR.1.clone().into()], 300)) {
                let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
                let read: usize = found.iter().flatten().filter(|der| is_readable(der)).map(|der| der.len()).sum();
                prop_assert!(read <= text.len());
                let _ = PrivateKeyDer::from_pem_slice(&text);
            }
        }
    }

    static PAIR: LazyLock<(String, String)> = LazyLock::new(pair);
}
