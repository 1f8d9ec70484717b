//! Syslog as a receiver: RFC 5424 with octet counting, over TLS (RFC 5425) or TCP (RFC 6587), in batches that end with the connection.
//!
//! Syslog has no acknowledgement. What it has is the end of a connection: a batch is written, our side of the connection is shut down, and a
//! receiver that reads sees that end after the last record and closes its side in turn. Only that counts as taken:
//!
//! * Its end has to come after ours, and its kernel has to have everything by then ([`sys::stream`](crate::sys::stream)). A receiver that is stopped
//!   while records are under way ends first, or leaves them unread, which its kernel tells us by breaking the connection off.
//! * Under TLS the end has to be a `close_notify`, where the receiver ever sent one: then a connection that just ends was ended by a kernel, for
//!   a process that is no more. It is not believed once; if the next ends so too, that is how this receiver does it now.
//! * Not one byte may come back: a syslog receiver never writes.
//!
//! # The bound
//!
//! The end of a connection says that the receiver has read the records, not that it has stored them. What it reads it holds in memory for a
//! moment. A receiver that is stopped in good order writes that out: nothing is lost. One that is killed loses what it had read and not
//! written: as long as it keeps up, that is part of one batch, at most 500 records. A receiver that writes before it reads on (rsyslog with
//! a ruleset whose queue is `direct`; syslog-ng with `flow-control`) loses none. Measured with `tests/ship`, rsyslog 8.2302 and syslog-ng 3.38:
//!
//! (figures follow)
//!
//! What was sent and not acknowledged is sent again, and says so: `try` is 2 and more on what may be there twice, and also in the first batch of
//! a run, as the run before may have sent it.

mod frame;
mod marks;

pub use frame::{LIMIT, Sender};

use super::way::{Files, Gate, Line, Way, refused};
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
    /// For its last words on a connection that failed.
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

/// The way to it.
pub struct SyslogSink {
    receiver: Receiver,
    gate: Gate,
    /// `None` = its files are to be read (again).
    way: Option<Way>,
    /// That way led to it once.
    led: bool,
    marks: Marks,
    /// It ends connections with a `close_notify`, as far as is known.
    notifies: bool,
}

impl SyslogSink {
    /// Nothing is sent yet, and no file read.
    pub fn new(receiver: Receiver, gate: Gate) -> Self {
        Self { receiver, gate, way: None, led: false, marks: Marks::new(), notifies: false }
    }

    async fn batch(&mut self, cargo: Cargo<'_>) -> Result<(), Hindrance> {
        let patience = self.receiver.patience;
        let mut line = self.line().await?;
        let before = self.marks;
        self.marks.sent(cargo.records.len());
        match timeout(patience.batch, self.write(&mut line, cargo, before)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(self.last_words(&mut line, &error).await),
            Err(_) => return Err(self.hindered(Obstacle::Silent, "it reads too slowly")),
        }
        let ended = timeout(patience.end, self.ended(&mut line));
        ended.await.unwrap_or_else(|_| Err(self.hindered(Obstacle::Silent, "it has not ended the connection after a batch")))?;
        self.marks.taken(cargo.records.len());
        Ok(())
    }

    /// A connection, over which nothing was sent.
    async fn line(&mut self) -> Result<Line, Hindrance> {
        let way = if let Some(way) = &self.way {
            way.clone()
        } else {
            self.led = false;
            self.way.insert(Way::new(self.gate.clone(), self.receiver.files.as_ref())?).clone()
        };
        let line = match self.opened(&way).await {
            // rsyslog's driver for OpenSSL does that to clients with a certificate.
            Err(refusal) if self.led && refusal.obstacle == Obstacle::Setup => {
                tracing::debug!(%refusal, "sessions are not resumed any more");
                let way = self.way.insert(way.without_sessions()).clone();
                self.opened(&way).await?
            }
            opened => opened?,
        };
        self.led = true;
        Ok(line)
    }

    async fn opened(&self, way: &Way) -> Result<Line, Hindrance> {
        let Receiver { address, server_name, patience, .. } = &self.receiver;
        let stream = way.open(*address, patience.connect).await?;
        way.secure(stream, server_name, patience.connect).await
    }

    async fn write(&self, line: &mut Line, cargo: Cargo<'_>, marks: Marks) -> io::Result<()> {
        let sender = Sender { enterprise: self.receiver.enterprise, pid: std::process::id() };
        let mut bytes = Vec::with_capacity(CHUNK + LIMIT);
        if let Some(beat) = cargo.beat {
            sender.beat(&mut bytes, beat);
        }
        for (index, record) in cargo.records.iter().enumerate() {
            sender.record(&mut bytes, record, marks.sending(index));
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
        match line.read(&mut [0; 64]).now_or_never() {
            None => {}
            Some(Ok(1..)) => return Err(self.hindered(Obstacle::Garbage, "it wrote back")),
            Some(Ok(0)) => return Err(self.hindered(Obstacle::Broken, "it ended the connection before we did")),
            Some(Err(error)) => return Err(self.failed(&error)),
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
        if let Line::Tls(_) = line {
            // A receiver that did and does not any more was killed, or is another one.
            let did = std::mem::replace(&mut self.notifies, notified);
            if did && !notified {
                return Err(self.hindered(Obstacle::Broken, "the connection ended as that of a killed process does"));
            }
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
        match self.batch(cargo).await {
            Ok(()) => Shipped::all(cargo.records.len()),
            Err(hindrance) => {
                // What is wrong may be mended in a file.
                if matches!(hindrance.obstacle, Obstacle::Certificate | Obstacle::Identity | Obstacle::Here) {
                    self.way = None;
                }
                Shipped::only(0, hindrance)
            }
        }
    }
}
