//! Receivers as the configuration has them, and what their sinks need to know of this PC.

use crate::baseline::{Enrolment, this_terminal};
use crate::config::{Config, LogTransport, Retry, Sink as Configured};
use crate::model::{ClockState, Stamp};
use crate::sink::Pace;
use crate::sink::nats::{Names, NatsSink, Target};
use crate::sink::syslog::{Patience, Receiver, SyslogSink};
use crate::sink::way::{Files, Gate};
use crate::watch::takes_enrolled_way;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// The enterprise number for documentation (RFC 5612).
const DOCUMENTATION: u32 = 32473;

/// What sinks that cross the network need to know of this PC.
pub struct Grounds {
    config: Arc<Config>,
    enrolment: Arc<Enrolment>,
    /// It is later than this, whatever the clock says.
    floor: jiff::Timestamp,
}

impl Grounds {
    /// `lived`: when an earlier run was last alive, as the log has it.
    pub fn new(config: &Config, enrolment: Enrolment, lived: Option<&Stamp>) -> Self {
        Self { config: Arc::new(config.clone()), enrolment: Arc::new(enrolment), floor: floor(built(), lived) }
    }

    /// Lets through what takes an enrolled way. Before enrolment there is nothing to hold it against.
    fn gate(&self) -> Gate {
        let (config, enrolment) = (Arc::clone(&self.config), Arc::clone(&self.enrolment));
        Rc::new(move |to| {
            let (config, enrolment) = (Arc::clone(&config), Arc::clone(&enrolment));
            Box::pin(async move {
                match enrolment.baseline() {
                    Some(baseline) => takes_enrolled_way(to, &config, baseline).await,
                    None => Ok(()),
                }
            })
        })
    }

    /// The files of an encrypted way; `None` = the configuration names no authority, without which there is none.
    fn files(&self, ca: Option<&PathBuf>, identity: (Option<&PathBuf>, Option<&PathBuf>)) -> Option<Files> {
        let identity = identity.0.cloned().zip(identity.1.cloned());
        Some(Files { ca: ca?.clone(), identity, floor: self.floor })
    }

    /// The way to this receiver, and when it is tried again; `None` = it is no syslog receiver.
    pub fn syslog(&self, sink: &Configured) -> Option<(SyslogSink, Pace)> {
        let Configured::Syslog { address, transport, server_name, ca, client_cert, client_key, enterprise_number, retry, .. } = sink else {
            return None;
        };
        let files = match transport {
            // The configuration was checked: it names the authority.
            LogTransport::Tls => Some(self.files(ca.as_ref(), (client_cert.as_ref(), client_key.as_ref()))?),
            LogTransport::Tcp => None,
        };
        let receiver = Receiver {
            address: *address,
            server_name: server_name.clone().unwrap_or_else(|| address.ip().to_string()),
            files,
            enterprise: enterprise_number.unwrap_or(DOCUMENTATION),
            patience: Patience::default(),
        };
        Some((SyslogSink::new(receiver, self.gate()), pace(*retry)))
    }

    /// The way to these servers, and when they are tried again; `None` = it is no NATS receiver. `spool`: the log, to hold against it what is stored.
    pub fn nats(&self, sink: &Configured, spool: &Path) -> Option<(NatsSink, Pace)> {
        let Configured::Nats { servers, stream, domain, subject, credentials, ca, client_cert, client_key, retry, .. } = sink else {
            return None;
        };
        let terminal = &self.config.terminal;
        let target = Target {
            servers: servers.clone(),
            stream: stream.clone(),
            domain: domain.clone(),
            subject: subject.clone(),
            names: Names::new(terminal.region.as_deref(), this_terminal(terminal).as_deref()),
            credentials: credentials.clone(),
            // Servers over TLS need them; the configuration was checked.
            files: self.files(ca.as_ref(), (client_cert.as_ref(), client_key.as_ref())),
            keep: self.config.retention.keep,
            spool: spool.to_owned(),
            patience: ANSWERS,
        };
        Some((NatsSink::new(target, self.gate()), pace(*retry)))
    }
}

/// How long a server of NATS may take for each answer.
const ANSWERS: Duration = Duration::from_secs(5);

fn pace(retry: Retry) -> Pace {
    Pace { first: retry.first, longest: retry.longest }
}

/// When this program was built, where the build says so.
fn built() -> Option<jiff::Timestamp> {
    let seconds = option_env!("SOURCE_DATE_EPOCH")?.parse().ok()?;
    jiff::Timestamp::from_second(seconds).ok()
}

/// The latest time that has certainly passed. A clock that nobody kept proves nothing: it may have been ahead.
fn floor(built: Option<jiff::Timestamp>, lived: Option<&Stamp>) -> jiff::Timestamp {
    let kept = lived.filter(|at| at.clock == ClockState::Synchronised).map(|at| at.wall);
    built.max(kept).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_later_than_the_build_and_than_the_last_time_that_was_kept() {
        let at = |text: &str| text.parse::<jiff::Timestamp>().expect("a time");
        let stamp = |wall: &str, clock| Stamp { wall: at(wall), clock, ..crate::sys::clock::stamp() };
        let built = Some(at("2026-11-01T00:00:00Z"));
        let kept = stamp("2026-12-01T00:00:00Z", ClockState::Synchronised);
        let ahead = stamp("2099-12-01T00:00:00Z", ClockState::Unsynchronised);
        assert_eq!(floor(built, Some(&kept)), kept.wall);
        assert_eq!(floor(built, Some(&ahead)), at("2026-11-01T00:00:00Z"));
        assert_eq!(floor(None, Some(&kept)), kept.wall);
        assert_eq!(floor(None, None), jiff::Timestamp::UNIX_EPOCH);
    }
}
