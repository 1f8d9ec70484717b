//! Syslog as a receiver: RFC 5424 with octet counting, over TLS (RFC 5425) or TCP (RFC 6587), in batches that end with the connection.
//!
//! Syslog has no acknowledgement. What it has is the end of a connection: a batch is written, our side of the connection is shut down, and
//! a receiver that reads sees that end after the last record and closes its side in turn. Only that counts as taken:
//!
//! * Its end has to come after ours, and its kernel has to have everything by then ([`sys::stream`](crate::sys::stream)). A receiver that
//!   is stopped while records are under way ends first, or leaves them unread, which its kernel tells us by breaking the connection off.
//! * Under TLS the end has to be a `close_notify`, where the receiver ever sent one: then a connection that just ends was ended by a
//!   kernel, for a process that is no more. It is not believed once; if the next ends so too, that is how this receiver does it now.
//! * Not one byte may come back: a syslog receiver never writes.
//! * How a receiver ends connections is learnt before records are trusted to it: under TLS by a connection without any, in the clear by one
//!   that is left open for a moment with the first message in it, which a server that expects encryption ends at once. syslog-ng would end
//!   it like one that has read it. From a receiver that ends without a `close_notify` a batch counts only once it answers another
//!   connection.
//!
//! # The bound
//!
//! The end of a connection says that the receiver has read the records, not that it has stored them. What it reads it holds in memory for a
//! moment. A receiver that is stopped in good order writes that out: nothing is lost. One that is killed loses what it had read and not
//! written: as long as it keeps up, that is part of one batch, at most 500 records. rsyslog with a ruleset whose queue is `direct` writes
//! before it reads on and loses none. A receiver whose memory holds more than a batch (a slow disk, a full queue) loses more; nothing that
//! it says tells us. All of this is the receiver's own end: something between that ends connections itself (a balancer that is no mere router) takes
//! records in its place, unless TLS goes through it.
//!
//! Measured by `tests/ship` with rsyslog 8.2302 and syslog-ng 3.38, batches of 500, 12 ends each at moments from the begin of a batch to
//! just after its acknowledgement (0 lost of 6,000 shipped around them unless a figure stands there; of four passes the worst):
//!
//! | receiver | ends with | stopped | killed | resumes sessions |
//! |---|---|---|---|---|
//! | rsyslog, TCP | - | 0 | at most 95 of a batch | - |
//! | rsyslog, its driver `gtls` | end of the stream | 0 | at most 68 of a batch | never |
//! | rsyslog, its driver `ossl` | `close_notify` | 0 | at most 301 of a batch | without client certificates; with them it would refuse, and is not asked |
//! | syslog-ng, TCP | - | 0 | 0 | - |
//! | syslog-ng, TLS | `close_notify` | 0 | 0; in the fleet's chaos (`tests/fleet`) 3 by 13 kills | never |
//! | rsyslog, `direct` queue, TLS | as above | 0 | 0 | as above |
//!
//! rsyslog's driver `ossl` closes the socket of every connection twice, up to its pull request 6375 (December 2025). A file that another
//! thread opens between the two is closed in its place, and what goes into that file afterwards goes into somebody's connection: lost, and told by
//! us as garbage that came back. So the receivers' kit uses `gtls`.
//!
//! # Sent twice
//!
//! What was sent and not acknowledged is sent again, and says so: `try` is 2 and more on what may be there twice, and also in the first
//! batch of a run, as the run before may have sent it. Each connection is in order; what an older one still had on its way may come in behind.

mod frame;
mod marks;

pub use frame::{LIMIT, Sender};

use super::way::{Files, Gate, Line, Mark, Way, refused};
use super::{Cargo, Hindrance, Obstacle, Shipped, Sink};
use crate::sys::stream::{End, end};
use futures_util::FutureExt;
use marks::Marks;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::yield_now;
use tokio::time::timeout;

/// What is written at once, bytes, about.
const CHUNK: usize = 16 << 10;

/// How long is waited for what, at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For a connection, and again for its encryption.
    pub connect: Duration,
    /// For the receiver to take some more bytes.
    pub stall: Duration,
    /// For it to take all of a batch.
    pub batch: Duration,
    /// For its end of the connection.
    pub end: Duration,
    /// For its last words on a connection that failed, or for it to end one that it does not understand.
    pub words: Duration,
}

impl Default for Patience {
    /// A batch of 500 takes less than two minutes by a line of 64 kbit/s.
    fn default() -> Self {
        let s = Duration::from_secs;
        Self { connect: s(10), stall: s(20), batch: s(300), end: s(30), words: s(1) }
    }
}

/// A receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receiver {
    /// Address and port.
    pub address: SocketAddr,
    /// What its certificate has to be for.
    pub server_name: String,
    /// `None` = not encrypted.
    pub files: Option<Files>,
    /// Private enterprise number of the structured data.
    pub enterprise: u32,
    /// How long to wait for it.
    pub patience: Patience,
}

/// What is known of how it ends connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manners {
    /// Nothing yet in this run, or since it failed.
    Unknown,
    /// Without a word.
    Silent,
    /// With a `close_notify`.
    Notifies,
}

/// The way to it.
pub struct SyslogSink {
    receiver: Receiver,
    gate: Gate,
    /// With the state in which its files were; `None` = they could not be read.
    way: Option<(Way, Vec<Mark>)>,
    marks: Marks,
    manners: Manners,
}

impl SyslogSink {
    /// Nothing is sent yet, and no file read.
    pub fn new(receiver: Receiver, gate: Gate) -> Self {
        Self { receiver, gate, way: None, marks: Marks::new(), manners: Manners::Unknown }
    }

    /// Ships all of it, or says how many records were taken before what.
    async fn batch(&mut self, Cargo { mut beat, records }: Cargo<'_>) -> Result<(), (usize, Hindrance)> {
        let (marks, mut begin) = (self.marks, 0);
        if self.manners == Manners::Unknown && !records.is_empty() {
            // Under TLS a connection without records shows how it ends them. In the clear one with something in it shows that it is not ended for that.
            begin = usize::from(self.receiver.files.is_none() && beat.is_none());
            self.round(Cargo { beat, records: &records[..begin] }, (marks, 0)).await.map_err(|hindrance| (0, hindrance))?;
            beat = None;
        }
        let rest = Cargo { beat, records: &records[begin..] };
        if rest.beat.is_some() || !rest.records.is_empty() {
            self.round(rest, (marks, begin)).await.map_err(|hindrance| (begin, hindrance))?;
        }
        if self.manners == Manners::Silent && !rest.records.is_empty() {
            // A program that ends while it has all of it unread may end like one that has read it. One that goes on answers again.
            self.round(Cargo { beat: None, records: &[] }, (marks, begin)).await.map_err(|hindrance| (begin, hindrance))?;
        }
        Ok(())
    }

    /// One connection. The marks are those at the begin of the batch, of which so many records went over others.
    async fn round(&mut self, cargo: Cargo<'_>, (marks, before): (Marks, usize)) -> Result<(), Hindrance> {
        let patience = self.receiver.patience;
        let mut line = self.line().await?;
        if !cargo.records.is_empty() {
            self.marks = marks;
            self.marks.sent(before + cargo.records.len());
        }
        match timeout(patience.batch, self.write(&mut line, cargo, (marks, before))).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(self.last_words(&mut line, &error).await),
            Err(_) => return Err(self.hindered(Obstacle::Silent, "it reads too slowly")),
        }
        if self.manners == Manners::Unknown && matches!(line, Line::Plain(_)) {
            self.stays(&mut line).await?;
        }
        let ended = timeout(patience.end, self.ended(&mut line));
        ended.await.unwrap_or_else(|_| Err(self.hindered(Obstacle::Silent, "it has not ended the connection after a batch")))
    }

    /// A server that expects encryption ends a connection as soon as it sees that there is none; a receiver leaves it open.
    async fn stays(&self, line: &mut Line) -> Result<(), Hindrance> {
        match timeout(self.receiver.patience.words, line.read(&mut [0; 64])).await {
            Err(_) => Ok(()),
            Ok(read) => Err(self.early(read)),
        }
    }

    /// Something came before our end.
    fn early(&self, read: io::Result<usize>) -> Hindrance {
        match read {
            Ok(0) => self.hindered(Obstacle::Broken, "it ended the connection before we did"),
            Ok(_) => self.hindered(Obstacle::Garbage, "it wrote back"),
            Err(error) => self.failed(&error),
        }
    }

    /// A connection, over which nothing was sent.
    async fn line(&mut self) -> Result<Line, Hindrance> {
        let marks = self.receiver.files.as_ref().map(Files::marks).unwrap_or_default();
        let way = match &self.way {
            Some((way, read)) if *read == marks => way.clone(),
            _ => {
                self.way = None;
                let mut way = Way::new(self.gate.clone(), self.receiver.files.as_ref())?;
                // rsyslog's driver for OpenSSL offers sessions to clients with a certificate and then refuses them, as a failed handshake.
                if self.receiver.files.as_ref().is_some_and(|files| files.identity.is_some()) {
                    way = way.without_sessions();
                }
                self.way.insert((way, marks)).0.clone()
            }
        };
        self.opened(&way).await
    }

    async fn opened(&self, way: &Way) -> Result<Line, Hindrance> {
        let Receiver { address, server_name, patience, .. } = &self.receiver;
        let stream = way.open(*address, patience.connect).await?;
        way.secure(stream, server_name, patience.connect).await
    }

    async fn write(&self, line: &mut Line, cargo: Cargo<'_>, (marks, before): (Marks, usize)) -> io::Result<()> {
        let sender = Sender { enterprise: self.receiver.enterprise, pid: std::process::id() };
        let mut bytes = Vec::with_capacity(CHUNK + LIMIT);
        if let Some(beat) = cargo.beat {
            sender.beat(&mut bytes, beat);
        }
        for (index, record) in cargo.records.iter().enumerate() {
            sender.record(&mut bytes, record, marks.sending(before + index));
            if bytes.len() >= CHUNK {
                self.push(line, &bytes).await?;
                bytes.clear();
            }
        }
        self.push(line, &bytes).await?;
        self.soon(line.flush()).await
    }

    async fn push(&self, line: &mut Line, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.soon(line.write(bytes)).await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                taken => bytes = &bytes[taken..],
            }
        }
        Ok(())
    }

    async fn soon<T>(&self, step: impl Future<Output = io::Result<T>>) -> io::Result<T> {
        timeout(self.receiver.patience.stall, step).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Ends our side, and waits for the receiver's end in answer.
    async fn ended(&mut self, line: &mut Line) -> Result<(), Hindrance> {
        // Lets the kernel's word of what came meanwhile through.
        yield_now().await;
        if let Some(read) = line.read(&mut [0; 64]).now_or_never() {
            return Err(self.early(read));
        }
        if let Err(error) = line.shutdown().await {
            return Err(self.last_words(line, &error).await);
        }
        let notified = match line.read(&mut [0; 64]).await {
            Ok(0) => true,
            Ok(_) => return Err(self.hindered(Obstacle::Garbage, "it wrote back")),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => false,
            Err(error) => return Err(self.failed(&error)),
        };
        let stream = match line {
            Line::Plain(stream) => stream,
            Line::Tls(tls) => tls.get_mut().0,
        };
        self.closed(stream).await?;
        let now = if notified && matches!(line, Line::Tls(_)) { Manners::Notifies } else { Manners::Silent };
        let before = std::mem::replace(&mut self.manners, now);
        // A receiver that did and does not any more was killed, or is another one.
        if (before, now) == (Manners::Notifies, Manners::Silent) {
            return Err(self.hindered(Obstacle::Broken, "the connection ended as that of a killed process does"));
        }
        Ok(())
    }

    /// The end of the stream below, by the kernel's word.
    async fn closed(&self, stream: &mut TcpStream) -> Result<(), Hindrance> {
        match stream.read(&mut [0; 64]).await {
            Ok(0) => {}
            Ok(_) => return Err(self.hindered(Obstacle::Garbage, "it wrote back after its end")),
            Err(error) => return Err(self.failed(&error)),
        }
        match end(stream) {
            Ok(End::Whole) => Ok(()),
            Ok(End::Early) => Err(self.hindered(Obstacle::Broken, "it ended the connection before it had all")),
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// Why a connection failed: a refusal, which comes before the end, says more than the end.
    async fn last_words(&self, line: &mut Line, error: &io::Error) -> Hindrance {
        let words = async {
            let mut bytes = [0; 64];
            while line.read(&mut bytes).await? > 0 {}
            Ok::<_, io::Error>(())
        };
        match timeout(self.receiver.patience.words, words).await {
            Ok(Err(said)) if said.get_ref().is_some() => self.failed(&said),
            _ => self.failed(error),
        }
    }

    fn failed(&self, error: &io::Error) -> Hindrance {
        refused(&self.receiver.address.to_string(), error)
    }

    fn hindered(&self, obstacle: Obstacle, what: &str) -> Hindrance {
        Hindrance::new(obstacle, format!("{}: {what}", self.receiver.address))
    }
}

impl Sink for SyslogSink {
    async fn ship(&mut self, cargo: Cargo<'_>) -> Shipped {
        let all = cargo.records.len();
        match self.batch(cargo).await {
            Ok(()) => {
                self.marks.taken(all, all);
                Shipped::all(all)
            }
            Err((taken, hindrance)) => {
                self.marks.taken(taken, all);
                // Who is there in the clear next may be somebody else.
                if self.receiver.files.is_none() {
                    self.manners = Manners::Unknown;
                }
                Shipped::only(taken, hindrance)
            }
        }
    }
}
