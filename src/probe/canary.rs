//! The organisation's own proof that the internet is reached: a server of its own outside, which signs what it is asked.
//!
//! # For whoever writes that server
//! One exchange over TCP, at the configured address. The terminal connects and sends 32 random bytes. The server answers with 80 bytes and
//! closes:
//!
//! | bytes | what |
//! |---|---|
//! | 0..16 | the address that the connection came from, as the server saw it: IPv6, or IPv4 as `::ffff:a.b.c.d` |
//! | 16..80 | an Ed25519 signature over the 16 bytes `isonet canary 1\n`, the 32 bytes of the question and those 16 bytes of the address |
//!
//! There is nothing else: no request, no name, no length. The question is new each time, so an answer of yesterday is none; nothing in it tells
//! which terminal asks. In Python, with the package `cryptography`:
//!
//! ```text
//! class Canary(socketserver.BaseRequestHandler):
//!     def handle(self):
//!         self.request.settimeout(5)
//!         question = self.request.recv(32, socket.MSG_WAITALL)
//!         ip = ipaddress.ip_address(self.client_address[0])
//!         seen = ip.packed if ip.version == 6 else bytes(10) + b"\xff\xff" + ip.packed
//!         self.request.sendall(seen + key.sign(b"isonet canary 1\n" + question + seen))
//! ```
//!
//! It stands on the internet and nowhere else. An address from inside in its answer means that the way there does not leave the private
//! network, and proves nothing.

use super::outside::CONNECTING;
use super::tcp::{self, Segments};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ED25519, UnparsedPublicKey};
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// What is signed begins so: a signature for anything else is none for this.
pub const TAG: &[u8; 16] = b"isonet canary 1\n";
/// Length of the question.
pub const QUESTION: usize = 32;
/// Length of the address in the answer, and of all of it.
const ADDRESS: usize = 16;
const ANSWER: usize = ADDRESS + 64;
/// For the exchange: several round trips of the slowest line.
const ANSWERING: Duration = Duration::from_secs(2);

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Echo {
    /// Nobody is there, or somebody who refuses.
    Nothing,
    /// Somebody took the connection and is not the canary: why not, as a short fact.
    Unproved(&'static str),
    /// It is the canary, and saw the connection come from there.
    Signed(IpAddr),
}

/// Asks who is at `at`. `key` is the public one, 32 bytes.
pub async fn ask(at: SocketAddr, key: &[u8]) -> Echo {
    let Ok(mut tcp) = tcp::open::<()>(at, Segments::Full, CONNECTING).await else { return Echo::Nothing };
    let mut question = [0; QUESTION];
    if SystemRandom::new().fill(&mut question).is_err() {
        return Echo::Nothing;
    }
    match timeout(ANSWERING, exchange(&mut tcp, &question)).await {
        Ok(Ok(answer)) => judge(&answer, &question, key),
        Ok(Err(_)) => Echo::Unproved("closed after connecting"),
        Err(_) => Echo::Unproved("silence"),
    }
}

async fn exchange(tcp: &mut TcpStream, question: &[u8]) -> io::Result<[u8; ANSWER]> {
    tcp.write_all(question).await?;
    let mut answer = [0; ANSWER];
    tcp.read_exact(&mut answer).await?;
    Ok(answer)
}

/// What an answer to this question is worth. Pure.
fn judge(answer: &[u8; ANSWER], question: &[u8; QUESTION], key: &[u8]) -> Echo {
    let (address, signature) = answer.split_at(ADDRESS);
    let signed = [TAG.as_slice(), question, address].concat();
    if UnparsedPublicKey::new(&ED25519, key).verify(&signed, signature).is_err() {
        return Echo::Unproved("signature not valid");
    }
    let octets: [u8; ADDRESS] = address.try_into().expect("split there");
    Echo::Signed(Ipv6Addr::from(octets).to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::signature::{Ed25519KeyPair, KeyPair};

    const QUESTIONS: [[u8; QUESTION]; 2] = [[1; QUESTION], [2; QUESTION]];

    fn pair(seed: u8) -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("a key")
    }

    fn answer(pair: &Ed25519KeyPair, tag: &[u8], question: &[u8], seen: &str) -> [u8; ANSWER] {
        let address = match seen.parse::<IpAddr>().expect("an address") {
            IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
            IpAddr::V6(ip) => ip.octets(),
        };
        let signature = pair.sign(&[tag, question, &address].concat());
        [&address[..], signature.as_ref()].concat().try_into().expect("so long")
    }

    fn judged(answer: &[u8; ANSWER]) -> Echo {
        judge(answer, &QUESTIONS[0], pair(7).public_key().as_ref())
    }

    #[test]
    fn only_the_keys_own_signature_over_this_question_and_this_address_is_an_answer() {
        for seen in ["59.44.1.2", "2409:8a00::2"] {
            assert_eq!(judged(&answer(&pair(7), TAG, &QUESTIONS[0], seen)), Echo::Signed(seen.parse().expect("an address")));
        }
        let good = answer(&pair(7), TAG, &QUESTIONS[0], "59.44.1.2");
        let mut elsewhere = good;
        elsewhere[15] ^= 1;
        let mut damaged = good;
        damaged[20] ^= 1;
        let wrong = [
            answer(&pair(8), TAG, &QUESTIONS[0], "59.44.1.2"),
            answer(&pair(7), TAG, &QUESTIONS[1], "59.44.1.2"),
            answer(&pair(7), b"isonet grant 1\n", &QUESTIONS[0], "59.44.1.2"),
            answer(&pair(7), b"", &QUESTIONS[0], "59.44.1.2"),
            elsewhere,
            damaged,
            [0; ANSWER],
            [0xff; ANSWER],
        ];
        for answer in &wrong {
            assert_eq!(judged(answer), Echo::Unproved("signature not valid"));
        }
        assert_eq!(judge(&good, &QUESTIONS[0], &[]), Echo::Unproved("signature not valid"), "no key");
    }
}
