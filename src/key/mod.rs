//! The terminal's own key: what it says under its name can be checked by anybody who has the public half. Pure; the file is `store`'s.
//!
//! A chain of hashes alone shows a change only to whoever knew its head before. So the head is signed: in every sign of life
//! ([`Heartbeat`](crate::model::Heartbeat)) and in every bundle of evidence ([`evidence`](crate::evidence)).
//!
//! # A signed statement
//!
//! One line of compact JSON whose bytes end in
//!
//! ```text
//! ,"signature":{"algorithm":"ed25519","key":"<64 hex>","value":"<base64>"}}
//! ```
//!
//! Signed are the exact bytes of the line *before* `,"signature":`. `key` is the fingerprint of the public key: the SHA-256 of its DER
//! encoding (`SubjectPublicKeyInfo`), which the acceptance sheet and `isonet status` show. The statement names the key itself, too:
//!
//! ```text
//! "key":{"algorithm":"ed25519","public":"<base64 of the DER encoding>"}
//! ```
//!
//! Anybody can check one with OpenSSL (1.1.1 or later), and whose it is by the fingerprint:
//!
//! ```sh
//! sed 's/,"signature":.*//' LINE | tr -d '\n' > text
//! sed 's/.*"value":"\([^"]*\)"}}$/\1/' LINE | openssl base64 -d -A > signature
//! sed 's/.*"public":"\([^"]*\)".*/\1/' LINE | openssl base64 -d -A > key.der
//! openssl pkeyutl -verify -pubin -keyform DER -inkey key.der -rawin -in text -sigfile signature && sha256sum key.der
//! ```
//!
//! What it does not prove: the key lies on the PC that it speaks for, readable by root, who could sign another statement with it. Only what a
//! receiver got and kept in time binds root, too.
//!
//! The algorithm stands wherever a key or a signature does, so that SM2 with SM3 can take its place where that is asked for.

mod store;

pub use store::{FILE_NAME, Held, KeyError, Made, TOLD, Told, ensure, load};

use crate::config::bytes;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

/// What stands before a public Ed25519 key in DER (RFC 8410).
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// What stands before a private one in PKCS#8 (RFC 8410).
const PKCS8: [u8; 16] = [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
/// Between a statement and its signature.
const SIGNATURE: &str = ",\"signature\":";
/// Bytes of a seed, and of a public key.
const HALF: usize = 32;
/// Bytes of a signature.
const WHOLE: usize = 64;

/// How it is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// RFC 8032.
    Ed25519,
}

impl Algorithm {
    /// The name in JSON.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
        }
    }
}

/// The public half.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; HALF]);

impl PublicKey {
    /// By what it is used.
    pub fn algorithm(&self) -> Algorithm {
        Algorithm::Ed25519
    }

    /// From base64 of its DER encoding; `None` = it is no key of a kind that is known here.
    pub fn from_base64(text: &str) -> Option<Self> {
        let der = bytes(text, SPKI.len() + HALF)?;
        let key = der.strip_prefix(&SPKI)?;
        Some(Self(key.try_into().ok()?)).filter(|key| key.base64() == text)
    }

    fn der(&self) -> Vec<u8> {
        [&SPKI[..], &self.0].concat()
    }

    /// Base64 of its DER encoding.
    pub fn base64(&self) -> String {
        base64(&self.der())
    }

    /// As a file that OpenSSL reads.
    pub fn pem(&self) -> String {
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", self.base64())
    }

    /// By which people know it: SHA-256 of its DER encoding, 64 hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        hex(&Sha256::digest(self.der()))
    }
}

/// The whole key. Shows nothing of itself in logs.
pub struct Key {
    seed: [u8; HALF],
    pair: Ed25519KeyPair,
    public: PublicKey,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Key").field(&self.public.fingerprint()).finish()
    }
}

impl Key {
    /// A new one; `None` = the system has no random numbers.
    pub fn new() -> Option<Self> {
        let mut seed = [0; HALF];
        SystemRandom::new().fill(&mut seed).ok()?;
        Self::of(seed)
    }

    fn of(seed: [u8; HALF]) -> Option<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).ok()?;
        let public = PublicKey(pair.public_key().as_ref().try_into().ok()?);
        Some(Self { seed, pair, public })
    }

    /// Its public half.
    pub fn public(&self) -> PublicKey {
        self.public
    }

    /// Signs a statement, given as `{...}` with at least one member: the line, without a line feed.
    pub fn sign(&self, statement: &[u8]) -> Vec<u8> {
        let mut line = statement.strip_suffix(b"}").unwrap_or(statement).to_vec();
        let value = base64(self.pair.sign(&line).as_ref());
        line.extend_from_slice(tail(&self.public.fingerprint(), &value).as_bytes());
        line
    }

    /// PKCS#8 as a file that OpenSSL reads.
    fn pem(&self) -> String {
        let der = [&PKCS8[..], &self.seed].concat();
        format!("{BEGIN}\n{}\n{END}\n", base64(&der))
    }

    fn from_pem(text: &str) -> Option<Self> {
        let (_, rest) = text.split_once(BEGIN)?;
        let (body, _) = rest.split_once(END)?;
        let der = bytes(body, PKCS8.len() + HALF)?;
        Self::of(der.strip_prefix(&PKCS8)?.try_into().ok()?)
    }
}

const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";

fn tail(fingerprint: &str, value: &str) -> String {
    let algorithm = Algorithm::Ed25519.code();
    format!("{SIGNATURE}{{\"algorithm\":\"{algorithm}\",\"key\":\"{fingerprint}\",\"value\":\"{value}\"}}}}")
}

/// Why a line is no statement of that key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsigned {
    /// It does not end as a signed statement does.
    #[error("does not end in a signature")]
    Shape,
    /// It names another key.
    #[error("is signed by another key")]
    OtherKey,
    /// The signature is not that of the bytes before it.
    #[error("the signature does not fit the content")]
    Wrong,
}

/// Checks a signed line, without a line feed, against this key.
pub fn check(line: &[u8], key: &PublicKey) -> Result<(), Unsigned> {
    let text = std::str::from_utf8(line).map_err(|_| Unsigned::Shape)?;
    // The first is the last: nobody can hide another one in front.
    let (before, after) = text.split_once(SIGNATURE).ok_or(Unsigned::Shape)?;
    let value = after.rsplit_once("\"value\":\"").and_then(|(_, end)| end.strip_suffix("\"}}")).ok_or(Unsigned::Shape)?;
    let signature = bytes(value, WHOLE).filter(|signature| base64(signature) == value).ok_or(Unsigned::Shape)?;
    let named = after.split_once("\"key\":\"").and_then(|(_, rest)| rest.get(..2 * HALF)).ok_or(Unsigned::Shape)?;
    // One signature has one spelling.
    if text[before.len()..] != tail(named, value) {
        return Err(Unsigned::Shape);
    }
    if named != key.fingerprint() {
        return Err(Unsigned::OtherKey);
    }
    UnparsedPublicKey::new(&ED25519, key.0).verify(before.as_bytes(), &signature).map_err(|_| Unsigned::Wrong)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// RFC 4648, with the padding.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let whole = group.iter().fold(0_u32, |held, byte| held << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for place in 0..4 {
            let digit = ALPHABET[(whole >> (18 - 6 * place) & 63) as usize];
            text.push(if place > group.len() { '=' } else { char::from(digit) });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        Key::of([7; HALF]).expect("any seed is one")
    }

    #[test]
    fn base64_is_as_everybody_has_it() {
        for (plain, coded) in [("", ""), ("M", "TQ=="), ("Ma", "TWE="), ("Man", "TWFu"), ("Many hands", "TWFueSBoYW5kcw==")] {
            assert_eq!(base64(plain.as_bytes()), coded);
            assert_eq!(bytes(coded, plain.len()).as_deref(), Some(plain.as_bytes()));
        }
    }

    #[test]
    fn no_bit_of_a_signed_statement_can_be_changed() {
        let key = key();
        let line = key.sign(br#"{"schema":"x/1","n":1}"#);
        assert_eq!(check(&line, &key.public()), Ok(()));
        for at in 0..line.len() {
            for bit in 0..8 {
                let mut changed = line.clone();
                changed[at] ^= 1 << bit;
                assert!(check(&changed, &key.public()).is_err(), "bit {bit} of byte {at}");
            }
        }
        assert!((0..line.len()).all(|end| check(&line[..end], &key.public()).is_err()));
        assert_eq!(check(&line, &Key::of([8; HALF]).expect("a key").public()), Err(Unsigned::OtherKey));
    }

    #[test]
    fn nothing_can_be_put_in_front_of_a_signature() {
        let key = key();
        let twice = key.sign(&key.sign(br#"{"a":1}"#));
        assert_eq!(check(&twice, &key.public()), Err(Unsigned::Shape));
    }

    #[test]
    fn both_halves_are_written_as_openssl_has_them() {
        let key = key();
        let again = Key::from_pem(&key.pem()).expect("what was written is read");
        assert_eq!(again.public(), key.public());
        assert_eq!(PublicKey::from_base64(&key.public().base64()), Some(key.public()));
        assert_eq!(PublicKey::from_base64(&base64(&[0; 44])), None);
        assert!(Key::from_pem("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----").is_none());
        assert!(!format!("{key:?}").contains("seed"), "{key:?}");
    }
}
