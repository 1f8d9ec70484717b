//! Users by JWT, as a centre with many terminals has them: an operator vouches for the account, the account for the user, and takes it back.

use super::log::Log;
use super::refusals::{all, eventually};
use super::{assert_stored, obstacle, sink, target};
use crate::peers::nats::{Admin, Servers, Setup, Version};
use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD};
use isonet::sink::Obstacle;
use isonet::sink::nats::Target;
use isonet::sys::clock::stamp;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// The first bytes of the public keys.
const OPERATOR: u8 = 14 << 3;
const ACCOUNT: u8 = 0;
const USER: u8 = 20 << 3;

/// A key as NATS writes it.
struct Key {
    seed: [u8; 32],
    pair: Ed25519KeyPair,
    kind: u8,
}

impl Key {
    fn new(number: u8, kind: u8) -> Self {
        let seed = [number; 32];
        Self { seed, pair: Ed25519KeyPair::from_seed_unchecked(&seed).unwrap(), kind }
    }

    fn public(&self) -> String {
        written(&[&[self.kind], self.pair.public_key().as_ref()].concat())
    }

    fn secret(&self) -> String {
        written(&[&[(18 << 3) | (self.kind >> 5), (self.kind & 31) << 3][..], &self.seed].concat())
    }

    /// What this key says of another.
    fn vouches(&self, other: &Key, kind: &str, mut nats: Value, expires: Option<i64>) -> String {
        nats["type"] = kind.into();
        nats["version"] = 2.into();
        let mut claims = json!({ "jti": "x", "iat": now() - 60, "iss": self.public(), "name": kind, "sub": other.public(), "nats": nats });
        if let Some(expires) = expires {
            claims["exp"] = expires.into();
        }
        let part = |value: Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let text = format!("{}.{}", part(json!({ "typ": "JWT", "alg": "ed25519-nkey" })), part(claims));
        let signature = BASE64URL_NOPAD.encode(self.pair.sign(text.as_bytes()).as_ref());
        format!("{text}.{signature}")
    }
}

fn now() -> i64 {
    stamp().wall.as_second()
}

fn written(raw: &[u8]) -> String {
    let crc = raw.iter().fold(0_u16, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 })
    });
    BASE32_NOPAD.encode(&[raw, &crc.to_le_bytes()].concat())
}

#[tokio::test]
async fn a_user_whose_jwt_expired_or_was_revoked_is_refused_until_there_is_another() {
    let (operator, system, account) = (Key::new(1, OPERATOR), Key::new(2, ACCOUNT), Key::new(3, ACCOUNT));
    let (admin, terminal, renewed) = (Key::new(4, USER), Key::new(5, USER), Key::new(6, USER));
    let anything = json!({ "pub": {}, "sub": {}, "subs": -1, "data": -1, "payload": -1 });
    let limits = json!({
        "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1, "leaf": -1,
        "mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1,
    });
    // A server does not reload what another operator says, and each has the second in it.
    let of_operator = operator.vouches(&operator, "operator", json!({ "system_account": system.public() }), None);
    let of_system = operator.vouches(&system, "account", json!({}), None);
    let conf = |revoked: Value| {
        let of_account = operator.vouches(&account, "account", json!({ "limits": limits, "revocations": revoked }), None);
        format!(
            "operator: {of_operator}\nsystem_account: {0}\nresolver: MEMORY\nresolver_preload: {{ {0}: {of_system}, {1}: {of_account} }}",
            system.public(),
            account.public(),
        )
    };
    let by_jwt = Admin::Jwt(account.vouches(&admin, "user", anything.clone(), None), admin.seed);
    let setup = Setup { lines: conf(json!({})), admin: Some(by_jwt), ..Setup::default() };
    let Some(servers) = Servers::start(Version::New, 1, &setup) else { return };
    servers.stream("CREATE", &json!({}));
    let mut log = Log::with(2);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("terminal.creds");
    let creds = |user: &Key, expires| {
        let (jwt, seed) = (account.vouches(user, "user", anything.clone(), expires), user.secret());
        let (begin, end) = ("-----BEGIN", "------END");
        let text = format!(
            "{begin} NATS USER JWT-----\n{jwt}\n{end} NATS USER JWT------\n\n{begin} USER NKEY SEED-----\n{seed}\n{end} USER NKEY SEED------\n"
        );
        std::fs::write(&path, text).unwrap();
    };
    let fresh = |log: &Log| sink(Target { credentials: Some(path.clone()), ..target(log, &servers) });
    let mut sink = fresh(&log);
    creds(&terminal, Some(now() - 10));
    eventually(&log, &mut sink, Some(Obstacle::Identity), "").await;
    creds(&terminal, None);
    eventually(&log, &mut sink, None, "").await;
    assert_stored(&log, &servers);
    log.write(3);
    drop(sink);
    let begun = Instant::now();
    // It takes no second word on an account within a second of the first, and leaves those in who are in, without a word about either.
    while obstacle(&all(&log, &mut fresh(&log)).await) != Some(Obstacle::Identity) {
        assert!(begun.elapsed() < Duration::from_secs(20));
        let revoked = conf(json!({ terminal.public(): now() }));
        servers.reconfigure(0, |before| format!("{}{revoked}\n", before.split("operator: ").next().unwrap()));
        tokio::time::sleep(Duration::from_millis(1200)).await;
    }
    creds(&renewed, None);
    eventually(&log, &mut fresh(&log), None, "").await;
    assert_stored(&log, &servers);
}
