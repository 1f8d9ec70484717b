//! Who this terminal is to a NATS server: a key it signs with, a password, a token, or nobody. Pure.
//!
//! A credentials file holds a JWT of the user and the seed of the key that the JWT is for, between lines of dashes; or the seed alone, where
//! the server's configuration lists its public key. The seed never leaves this module: only signatures do.

use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Map, Value, json};
use url::Url;

/// Largest credentials file, bytes; those of NATS are a kilobyte.
pub const LARGEST: u64 = 64 << 10;
/// The first byte of a seed: `S` in base32.
const SEED: u8 = 18 << 3;
/// The kind of key that users have: `U` in base32.
const USER: u8 = 20 << 3;

/// What is wrong with a credentials file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// There is no seed in it.
    #[error("has no seed of a user's key (a line that begins with SU)")]
    NoSeed,
    /// The seed was mistyped or cut off.
    #[error("the seed of the key is damaged")]
    Damaged,
}

/// The key of a user, with the JWT that says whose it is.
pub struct Credentials {
    jwt: Option<String>,
    key: Ed25519KeyPair,
}

impl Credentials {
    /// From the text of a file.
    pub fn read(text: &str) -> Result<Self, Fault> {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let mut jwt = None;
        while let Some(line) = lines.next() {
            if line.contains("BEGIN NATS USER JWT") {
                jwt = Some(lines.by_ref().take_while(|line| !line.starts_with("---")).collect());
            } else if line.starts_with("SU") {
                return Ok(Self { jwt, key: seed(line)? });
            }
        }
        Err(Fault::NoSeed)
    }

    /// What a server is to be told that asked for `nonce` to be signed.
    fn proof(&self, nonce: &str) -> [(&'static str, String); 2] {
        let sig = BASE64URL_NOPAD.encode(self.key.sign(nonce.as_bytes()).as_ref());
        match &self.jwt {
            Some(jwt) => [("jwt", jwt.clone()), ("sig", sig)],
            None => [("nkey", public(self.key.public_key().as_ref())), ("sig", sig)],
        }
    }
}

fn seed(text: &str) -> Result<Ed25519KeyPair, Fault> {
    let raw = BASE32_NOPAD.decode(text.as_bytes()).map_err(|_| Fault::Damaged)?;
    let (body, crc) = raw.split_last_chunk::<2>().ok_or(Fault::Damaged)?;
    let [seed, user, key @ ..] = body else { return Err(Fault::Damaged) };
    if crc16(body) != u16::from_le_bytes(*crc) || *seed != SEED | USER >> 5 || *user != USER << 3 {
        return Err(Fault::Damaged);
    }
    Ed25519KeyPair::from_seed_unchecked(key).map_err(|_| Fault::Damaged)
}

/// A user's public key as servers write it.
fn public(key: &[u8]) -> String {
    let mut raw = vec![USER];
    raw.extend_from_slice(key);
    raw.extend_from_slice(&crc16(&raw).to_le_bytes());
    BASE32_NOPAD.encode(&raw)
}

/// CRC-16/XMODEM.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte) << 8, |crc, _| if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 })
    })
}

/// What `CONNECT` says: who we are to the server at `url`, which may name a user with a password, or a token.
pub fn connect(url: &Url, credentials: Option<&Credentials>, nonce: Option<&str>, encrypted: bool) -> String {
    let mut said = Map::new();
    for (key, value) in [("lang", "rust"), ("name", "isonet"), ("version", env!("CARGO_PKG_VERSION"))] {
        said.insert(key.to_owned(), value.into());
    }
    for key in ["headers", "no_responders"] {
        said.insert(key.to_owned(), true.into());
    }
    for key in ["verbose", "pedantic", "echo"] {
        said.insert(key.to_owned(), false.into());
    }
    said.insert("protocol".to_owned(), json!(1));
    said.insert("tls_required".to_owned(), encrypted.into());
    let user = (!url.username().is_empty()).then(|| decoded(url.username()));
    let named = match (user, url.password()) {
        (Some(user), Some(password)) => vec![("user", user), ("pass", decoded(password))],
        (Some(token), None) => vec![("auth_token", token)],
        (None, _) => Vec::new(),
    };
    let proof = credentials.map(|credentials| credentials.proof(nonce.unwrap_or_default()));
    for (key, value) in named.into_iter().chain(proof.into_iter().flatten()) {
        said.insert(key.to_owned(), Value::String(value));
    }
    format!("CONNECT {}\r\n", Value::Object(said))
}

/// Undoes the escapes of a URL.
fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::signature::{ED25519, UnparsedPublicKey};

    /// From the documentation of NATS.
    const SEED_TEXT: &str = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";
    const PUBLIC: &str = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4";

    fn file() -> String {
        format!(
            "-----BEGIN NATS USER JWT-----\neyJ0.abc.def\n------END NATS USER JWT------\n\n*** IMPORTANT ***\n\n\
             -----BEGIN USER NKEY SEED-----\r\n{SEED_TEXT}\r\n------END USER NKEY SEED------\n"
        )
    }

    fn told(line: &str) -> Value {
        serde_json::from_str(line.strip_prefix("CONNECT ").expect("a CONNECT").trim_end()).expect("JSON")
    }

    #[test]
    fn the_key_signs_what_the_server_asked_and_never_shows_its_seed() {
        let credentials = Credentials::read(&file()).expect("they are whole");
        assert_eq!(public(credentials.key.public_key().as_ref()), PUBLIC);
        let line = connect(&Url::parse("tls://a:1").expect("a URL"), Some(&credentials), Some("nonce"), true);
        let said = told(&line);
        assert_eq!((said["jwt"].as_str(), &said["nkey"], &said["user"]), (Some("eyJ0.abc.def"), &Value::Null, &Value::Null));
        let signature = BASE64URL_NOPAD.decode(said["sig"].as_str().expect("a signature").as_bytes()).expect("base64");
        UnparsedPublicKey::new(&ED25519, credentials.key.public_key()).verify(b"nonce", &signature).expect("it is ours");
        assert!(!line.contains(SEED_TEXT));
        let said =
            told(&connect(&Url::parse("tls://a:1").expect("a URL"), Some(&Credentials::read(SEED_TEXT).expect("a seed")), Some("n"), true));
        assert_eq!((said["nkey"].as_str(), &said["jwt"]), (Some(PUBLIC), &Value::Null));
    }

    #[test]
    fn a_password_or_a_token_stands_in_the_url() {
        let said = told(&connect(&Url::parse("nats://a%40b:p%2Fw@c:1").expect("a URL"), None, None, false));
        assert_eq!((said["user"].as_str(), said["pass"].as_str(), &said["auth_token"]), (Some("a@b"), Some("p/w"), &Value::Null));
        let said = told(&connect(&Url::parse("nats://t0ken@c:1").expect("a URL"), None, None, false));
        assert_eq!((said["auth_token"].as_str(), &said["user"]), (Some("t0ken"), &Value::Null));
    }

    #[test]
    fn a_file_that_is_none_is_told_from_one_that_is_damaged() {
        let fault = |text: &str| Credentials::read(text).err();
        assert_eq!(fault(""), Some(Fault::NoSeed));
        assert_eq!(fault("-----BEGIN NATS USER JWT-----\neyJ"), Some(Fault::NoSeed));
        assert_eq!(fault(&SEED_TEXT.replace('3', "4")), Some(Fault::Damaged));
        assert_eq!(fault(&SEED_TEXT[..50]), Some(Fault::Damaged));
        assert_eq!(fault("SU"), Some(Fault::Damaged));
    }

    mod any_bytes {
        use super::*;
        use crate::testing::{cases, hostile};
        use proptest::prelude::*;

        proptest! {
            #![proptest_config(cases())]

            #[test]
            fn no_file_breaks_it(bytes in hostile(vec![file().into_bytes(), SEED_TEXT.into()], 300)) {
                let _ = Credentials::read(&String::from_utf8_lossy(&bytes));
            }
        }
    }
}
