//! What shows that a request comes from a page of this run, and who may see everything on it.
//!
//! The token is in every form, for whoever sees the page. A key is given over `control.sock`, so only to root and the group, and opens the
//! whole view in one browser for some hours.

use data_encoding::HEXLOWER;
use ring::rand::{SecureRandom, SystemRandom};
use std::cell::RefCell;
use std::collections::VecDeque;

/// How long a key opens the whole view: a working day. Milliseconds.
const OPENS_MS: u64 = 8 * 60 * 60 * 1000;
/// Keys at once; the oldest goes.
const MOST: usize = 8;

/// The secrets of this run.
pub(super) struct Keys {
    token: String,
    given: RefCell<VecDeque<(String, u64)>>,
}

impl Keys {
    /// New ones; `None` = the system gives no randomness, and nothing that needs them is possible.
    pub(super) fn draw() -> Option<Self> {
        Some(Self { token: secret()?, given: RefCell::default() })
    }

    /// What forms carry.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// Whether a form is of this run.
    pub(super) fn is_token(&self, told: &str) -> bool {
        same(&self.token, told)
    }

    /// One more key, from this time since boot on.
    pub(super) fn give(&self, now_ms: u64) -> Option<String> {
        let key = secret()?;
        let mut given = self.given.borrow_mut();
        if given.len() >= MOST {
            given.pop_front();
        }
        given.push_back((key.clone(), now_ms + OPENS_MS));
        Some(key)
    }

    /// Whether a key opens now.
    pub(super) fn opens(&self, told: &str, now_ms: u64) -> bool {
        self.given.borrow().iter().any(|(key, until)| same(key, told) && now_ms < *until)
    }
}

/// 128 bits, as nobody can guess them.
fn secret() -> Option<String> {
    let mut bytes = [0; 16];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(HEXLOWER.encode(&bytes))
}

/// Compares in a time that does not tell where they differ.
fn same(one: &str, other: &str) -> bool {
    one.len() == other.len() && one.bytes().zip(other.bytes()).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_opens_for_its_time_and_the_ninth_replaces_the_first() {
        let keys = Keys::draw().expect("there is randomness");
        let first = keys.give(1000).expect("there is randomness");
        assert!(keys.opens(&first, 1000) && !keys.opens(&first, 1000 + OPENS_MS));
        assert!(!keys.opens("", 1000) && !keys.opens(keys.token(), 1000) && !keys.opens(&first[..31], 1000));
        for _ in 0..MOST {
            keys.give(1000);
        }
        assert!(!keys.opens(&first, 1000));
        assert!(keys.is_token(keys.token()) && !keys.is_token(""));
    }
}
