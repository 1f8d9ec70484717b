//! Logs of the program itself: lines on stderr, or entries of the journal where stderr leads there anyway.
//!
//! Under systemd the journal learns the priority of each line, and a journal that does not keep up never holds the program back: what it does
//! not take is dropped.
//!
//! The service's level can be set while it runs ([`set`]), by the configuration; `ISONET_LOG` is stronger.

use super::complain;
use crate::config::LogLevel;
use crate::sys::journald;
use std::io::{self, Write};
use std::path::Path;
use std::sync::OnceLock;
use tracing::{Level, Metadata};
use tracing_subscriber::Registry;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::{MakeWriter, layer};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload::{self, Handle};
use tracing_subscriber::util::SubscriberInitExt;

/// What lets lines pass, to be replaced while the program runs; not there where `ISONET_LOG` has spoken.
static FILTER: OnceLock<Handle<Targets, Registry>> = OnceLock::new();

/// Says what `ISONET_LOG` asks for (`debug`, `isonet=debug`), and without it what is given: a clerk must not see logs.
pub(super) fn start(unasked: &str) {
    let asked = std::env::var("ISONET_LOG").ok();
    let filter = asked.as_deref().unwrap_or(unasked).parse().unwrap_or_else(|error| {
        complain(&format!("isonet: 看不懂 ISONET_LOG，已忽略 / ISONET_LOG is not understood and is ignored: {error}"));
        Targets::new()
    });
    let (filter, handle) = reload::Layer::new(filter);
    if asked.is_none() {
        // It is started once.
        let _ = FILTER.set(handle);
    }
    let registry = tracing_subscriber::registry().with(filter);
    match journal() {
        // The journal knows time and priority itself.
        Some(journal) => registry.with(layer().with_ansi(false).without_time().with_level(false).with_writer(ToJournal(journal))).init(),
        None => registry.with(layer().with_ansi(false).with_writer(io::stderr)).init(),
    }
}

/// From now on the log says this much; nothing changes where `ISONET_LOG` has spoken.
pub(super) fn set(level: LogLevel) {
    let Some(filter) = FILTER.get() else { return };
    if let Err(error) = filter.reload(targets(level)) {
        complain(&format!("isonet: 日志级别没能改 / the level of the log could not be set: {error}"));
    }
}

/// More than usual is said by this program only: what its libraries have to say helps nobody at a terminal.
fn targets(level: LogLevel) -> Targets {
    let own: LevelFilter = level.word().parse().expect("a word of tracing's own");
    Targets::new().with_default(own.min(LevelFilter::INFO)).with_target(env!("CARGO_PKG_NAME"), own)
}

/// The way to the journal, if stderr leads there.
fn journal() -> Option<journald::Journal> {
    let stream = std::env::var("JOURNAL_STREAM").ok();
    journald::is_journal(io::stderr(), stream.as_deref()).then(|| journald::Journal::at(Path::new(journald::SOCKET)).ok())?
}

/// Makes each line an entry of the journal.
struct ToJournal(journald::Journal);

/// One line on its way.
struct Line<'a> {
    journal: &'a journald::Journal,
    priority: u8,
}

impl<'a> MakeWriter<'a> for ToJournal {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { journal: &self.0, priority: 6 }
    }

    fn make_writer_for(&'a self, meta: &Metadata<'_>) -> Line<'a> {
        Line { journal: &self.0, priority: priority(*meta.level()) }
    }
}

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // There is nobody to tell that the journal is full.
        let _ = self.journal.send(&entry(self.priority, line));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}

/// In the journal's form for values that may have several lines.
fn entry(priority: u8, line: &[u8]) -> Vec<u8> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let mut entry = format!("SYSLOG_IDENTIFIER=isonet\nPRIORITY={priority}\nMESSAGE\n").into_bytes();
    entry.extend_from_slice(&(line.len() as u64).to_le_bytes());
    entry.extend_from_slice(line);
    entry.push(b'\n');
    entry
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixDatagram;

    #[test]
    fn a_level_counts_for_this_program_and_only_info_and_less_for_what_it_uses() {
        let says = |level, target: &str, at| targets(level).would_enable(target, &at);
        assert!(says(LogLevel::Debug, "isonet::daemon", Level::DEBUG) && !says(LogLevel::Debug, "hyper", Level::DEBUG));
        assert!(says(LogLevel::Trace, "isonet::daemon", Level::TRACE) && says(LogLevel::Trace, "hyper", Level::INFO));
        assert!(says(LogLevel::Error, "hyper", Level::ERROR) && !says(LogLevel::Error, "isonet::daemon", Level::WARN));
        assert!(!says(LogLevel::Info, "isonet::daemon", Level::DEBUG), "the usual");
    }

    #[test]
    fn a_line_becomes_an_entry_with_its_priority_and_nothing_waits() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("socket");
        let listener = UnixDatagram::bind(&path).expect("bound");
        let to = ToJournal(journald::Journal::at(&path).expect("a socket"));
        let lines = layer().with_ansi(false).without_time().with_level(false).with_writer(to);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), || {
            tracing::warn!(disk = "full", "the log waits");
            // Far more than the socket holds.
            (0..10_000).for_each(|_| tracing::error!("again"));
        });
        let mut bytes = [0; 256];
        let length = listener.recv(&mut bytes).expect("received");
        let told = String::from_utf8_lossy(&bytes[..length]).into_owned();
        assert!(told.starts_with("SYSLOG_IDENTIFIER=isonet\nPRIORITY=4\nMESSAGE\n"), "{told:?}");
        assert!(told.ends_with("the log waits disk=\"full\"\n"), "{told:?}");
        let length = listener.recv(&mut bytes).expect("received");
        assert!(String::from_utf8_lossy(&bytes[..length]).contains("PRIORITY=3\n"));
    }
}
