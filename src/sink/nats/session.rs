//! One connection to one NATS server, from its `INFO` to its end.
//!
//! * What a server says before encryption begins is only read, and only its `INFO`: where TLS is configured nothing is sent before it, whatever
//!   the server claims, and bytes that came in the clear behind `INFO` end it.
//! * Other servers that it names are not enrolled and therefore never asked.
//! * Every wait has an end. A session whose wait ended without an answer to a look is given up by whoever waits.
//! * It answers `PING` whenever it reads. Reading may be cancelled at any time.

use super::credentials::{Credentials, connect};
use super::wire::{self, Info, Message, Said};
use crate::sink::way::{Line, Way, refused};
use crate::sink::{Hindrance, Obstacle};
use ring::rand::{SecureRandom, SystemRandom};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};
use url::Url;

/// How much is read at once, bytes.
const READ: usize = 16 << 10;
/// How much is written before the server has to have taken it, bytes: a slow line gets through so much in time.
const WRITE: usize = 16 << 10;

/// Who connects, and how.
pub struct Caller<'a> {
    /// Whence connections come.
    pub way: &'a Way,
    /// The key, where there is one.
    pub credentials: Option<&'a Credentials>,
    /// A word of the subjects where answers come in, so that a server can let a terminal read its own and nobody else's.
    pub inbox: &'a str,
    /// For each answer.
    pub patience: Duration,
}

/// A connection that was accepted.
pub struct Session {
    line: Line,
    /// Where the server is.
    pub at: SocketAddr,
    /// The same for words to engineers.
    pub receiver: String,
    inbox: String,
    questions: u64,
    patience: Duration,
    /// Largest message that the server takes, bytes.
    pub max_payload: u64,
    read: Vec<u8>,
    out: Vec<u8>,
}

impl Session {
    /// Connects to the server of a URL at one of its addresses.
    pub async fn open(caller: &Caller<'_>, url: &Url, at: SocketAddr) -> Result<Self, Hindrance> {
        let receiver = at.to_string();
        let mut stream = caller.way.open(at, caller.patience).await?;
        let mut read = Vec::new();
        let info = match timeout(caller.patience, said(&mut stream, &mut read, &receiver)).await {
            Ok(first) => match first? {
                Said::Info(info) => *info,
                Said::Refused(words) => return Err(refusal(&receiver, &words)),
                _ => return Err(Hindrance::new(Obstacle::Garbage, format!("{receiver}: does not begin as NATS does"))),
            },
            Err(_) => return Err(Hindrance::new(Obstacle::Silent, format!("{receiver}: says nothing once connected"))),
        };
        admits(&info, caller.way.is_encrypted(), &read, &receiver)?;
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let line = caller.way.secure(stream, host, caller.patience).await?;
        let mut random = [0; 12];
        SystemRandom::new().fill(&mut random).map_err(|_| Hindrance::new(Obstacle::Here, "no random numbers"))?;
        let inbox = format!("_INBOX.{}.{}", caller.inbox, data_encoding::HEXLOWER.encode(&random));
        let hello = connect(url, caller.credentials, info.nonce.as_deref(), caller.way.is_encrypted());
        let out = format!("{hello}SUB {inbox}.* 1\r\n").into_bytes();
        let mut session =
            Self { line, at, receiver, inbox, questions: 0, patience: caller.patience, max_payload: info.max_payload, read, out };
        // A server that refuses says so before it answers.
        match session.settle().await? {
            Some(hindrance) => Err(hindrance),
            None => Ok(session),
        }
    }

    /// A word that no other question of this session has, nor any other session.
    pub fn unique(&mut self) -> String {
        self.questions += 1;
        let (_, random) = self.inbox.rsplit_once('.').unwrap_or_default();
        format!("{random}-{}", self.questions)
    }

    /// Puts a message into the queue.
    pub fn publish(&mut self, subject: &str, headers: &[(&str, &str)], payload: &[u8]) {
        wire::publish(&mut self.out, subject, None, headers, payload);
    }

    /// Asks a question, sends whatever is in the queue before it, and waits for the answer. `None` = none came in time.
    pub async fn ask(&mut self, subject: &str, headers: &[(&str, &str)], payload: &[u8]) -> Result<Option<Message>, Hindrance> {
        self.questions += 1;
        let reply = format!("{}.{}", self.inbox, self.questions);
        wire::publish(&mut self.out, subject, Some(&reply), headers, payload);
        self.flush().await?;
        let until = Instant::now() + self.patience;
        loop {
            match timeout_at(until, self.next()).await {
                Err(_) => return Ok(None),
                // Answers to earlier questions come late or never.
                Ok(Ok(Said::Message(message))) if message.subject == reply => return Ok(Some(message)),
                Ok(Ok(Said::Refused(words))) => return Err(refusal(&self.receiver, &words)),
                Ok(said) => drop(said?),
            }
        }
    }

    /// Sends the queue and waits until the server has seen to it all. What it does not permit comes back.
    pub async fn settle(&mut self) -> Result<Option<Hindrance>, Hindrance> {
        self.out.extend_from_slice(b"PING\r\n");
        self.flush().await?;
        let until = Instant::now() + self.patience;
        let mut forbidden = None;
        loop {
            match timeout_at(until, self.next()).await {
                Err(_) => return Err(Hindrance::new(Obstacle::Silent, format!("{}: no answer to PING", self.receiver))),
                Ok(Ok(Said::Pong)) => return Ok(forbidden),
                Ok(Ok(Said::Refused(words))) if is_forbidden(&words) => forbidden = Some(refusal(&self.receiver, &words)),
                Ok(Ok(Said::Refused(words))) => return Err(refusal(&self.receiver, &words)),
                Ok(said) => drop(said?),
            }
        }
    }

    /// Answers the server while there is nothing to say, until the connection ends.
    pub async fn idle(&mut self) -> Hindrance {
        loop {
            match self.next().await {
                Ok(Said::Refused(words)) if !is_forbidden(&words) => return refusal(&self.receiver, &words),
                Ok(_) => {}
                Err(hindrance) => return hindrance,
            }
        }
    }

    /// What the server says next, `PING` excepted, which is answered.
    async fn next(&mut self) -> Result<Said, Hindrance> {
        loop {
            // A PONG that a cancelled turn left behind goes first.
            self.flush().await?;
            match said(&mut self.line, &mut self.read, &self.receiver).await? {
                Said::Ping => self.out.extend_from_slice(b"PONG\r\n"),
                said => return Ok(said),
            }
        }
    }

    /// Writes the queue; what is written leaves it at once.
    async fn flush(&mut self) -> Result<(), Hindrance> {
        while !self.out.is_empty() {
            let piece = self.out.len().min(WRITE);
            let written = match timeout(self.patience, self.line.write(&self.out[..piece])).await {
                Err(_) => return Err(Hindrance::new(Obstacle::Silent, format!("{}: takes no more bytes", self.receiver))),
                Ok(Ok(0)) => return Err(Hindrance::new(Obstacle::Broken, format!("{}: takes no more bytes", self.receiver))),
                Ok(written) => written.map_err(|error| refused(&self.receiver, &error))?,
            };
            self.out.drain(..written);
        }
        match timeout(self.patience, self.line.flush()).await {
            Err(_) => Err(Hindrance::new(Obstacle::Silent, format!("{}: takes no more bytes", self.receiver))),
            Ok(flushed) => flushed.map_err(|error| refused(&self.receiver, &error)),
        }
    }
}

/// Whether this server can be spoken to as configured. `more` came behind its `INFO`.
fn admits(info: &Info, encrypts: bool, more: &[u8], receiver: &str) -> Result<(), Hindrance> {
    let no = |obstacle, why: &str| Err(Hindrance::new(obstacle, format!("{receiver}: {why}")));
    match (encrypts, info.tls_required || info.tls_available) {
        (true, false) => no(Obstacle::Plain, "offers no TLS"),
        (true, true) if !more.is_empty() => no(Obstacle::Garbage, "goes on in the clear"),
        (false, _) if info.tls_required => no(Obstacle::Setup, "insists on TLS: write tls:// and ca into the configuration"),
        _ if !info.headers => no(Obstacle::Setup, "knows no headers: needs nats-server 2.9 or later"),
        _ => Ok(()),
    }
}

/// Reads what is said next; keeps what came behind it.
async fn said(line: &mut (impl AsyncRead + Unpin), read: &mut Vec<u8>, receiver: &str) -> Result<Said, Hindrance> {
    loop {
        match wire::read(read) {
            Ok(Some((said, taken))) => {
                read.drain(..taken);
                return Ok(said);
            }
            Ok(None) => {}
            Err(malformed) => return Err(Hindrance::new(Obstacle::Garbage, format!("{receiver}: {malformed}"))),
        }
        read.reserve(READ);
        match line.read_buf(read).await {
            Ok(0) => return Err(Hindrance::new(Obstacle::Broken, format!("{receiver}: closed the connection"))),
            Ok(_) => {}
            Err(error) => return Err(refused(receiver, &error)),
        }
    }
}

/// One subject is closed to us; the connection stays.
fn is_forbidden(words: &str) -> bool {
    words.to_ascii_lowercase().starts_with("permissions violation")
}

/// What a server's refusal is.
fn refusal(receiver: &str, words: &str) -> Hindrance {
    let lower = words.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let obstacle = if has(&["authentication timeout"]) {
        Obstacle::Broken
    } else if has(&["authorization", "authentication", "permissions violation"]) {
        Obstacle::Identity
    } else if has(&["connections exceeded", "slow consumer"]) {
        Obstacle::Busy
    } else if has(&["secure connection", "maximum payload"]) {
        Obstacle::Setup
    } else if has(&["protocol", "parser error", "invalid"]) {
        Obstacle::Garbage
    } else {
        Obstacle::Broken
    };
    Hindrance::new(obstacle, format!("{receiver}: {}", wire::one_line(words)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_sorted_by_what_has_to_be_done() {
        let is = |words: &str| refusal("r", words).obstacle;
        for words in
            ["Authorization Violation", "User Authentication Expired", "User Authentication Revoked", "Account Authentication Expired"]
        {
            assert_eq!(is(words), Obstacle::Identity, "{words}");
        }
        assert_eq!(is("Permissions Violation for Publish to \"isonet.a.b.c\""), Obstacle::Identity);
        assert_eq!(is("Authentication Timeout"), Obstacle::Broken);
        assert_eq!(is("maximum connections exceeded"), Obstacle::Busy);
        assert_eq!(is("Stale Connection"), Obstacle::Broken);
        assert_eq!(is("Unknown Protocol Operation"), Obstacle::Garbage);
    }

    #[test]
    fn a_server_that_does_not_encrypt_is_never_spoken_to_where_tls_is_configured() {
        let info = Info { headers: true, ..Info::default() };
        let is = |info: &Info, encrypts, more: &[u8]| admits(info, encrypts, more, "r").err().map(|hindrance| hindrance.obstacle);
        let required = Info { tls_required: true, ..info.clone() };
        let available = Info { tls_available: true, ..info.clone() };
        assert_eq!(is(&info, true, b""), Some(Obstacle::Plain));
        assert_eq!((is(&required, true, b""), is(&available, true, b"")), (None, None));
        assert_eq!(is(&required, true, b"PING\r\n"), Some(Obstacle::Garbage));
        assert_eq!((is(&info, false, b""), is(&available, false, b""), is(&required, false, b"")), (None, None, Some(Obstacle::Setup)));
        assert_eq!(is(&Info { headers: false, ..info }, false, b""), Some(Obstacle::Setup));
    }
}
