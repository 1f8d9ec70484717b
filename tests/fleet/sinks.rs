//! The product's sinks, as agents of the fleet are told to ship.

use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use isonet::sink::nats::{Names, NatsSink, Target};
use isonet::sink::syslog::{Patience, Receiver, SyslogSink};
use isonet::sink::way::{Files, Gate};
use isonet::sink::{Courier, Sink};
use tokio::task::spawn_local;

use crate::Done;
use crate::agent::{CursorFirst, Mutant, Orders, Tls, To};
use crate::certificates::NAME;

/// Every way is right here.
fn gate() -> Gate {
    Rc::new(|_| Box::pin(async { Ok(()) }))
}

/// To these servers, under this terminal's name.
pub(crate) fn nats(servers: &[String], terminal: &str, spool: &Path, patience: Duration) -> Done<NatsSink> {
    let servers = servers.iter().map(|server| server.parse().map_err(|e| format!("{server}: {e}"))).collect::<Done<_>>()?;
    let target = Target {
        servers,
        stream: crate::STREAM.to_owned(),
        domain: None,
        subject: "isonet.{region}.{terminal}.{epoch}".to_owned(),
        names: Names::new(Some("610102"), Some(terminal)),
        credentials: None,
        files: None,
        keep: Duration::from_hours(200 * 24),
        spool: spool.to_owned(),
        patience,
    };
    Ok(NatsSink::new(target, gate()))
}

/// To this receiver, which it does not wait for long.
fn syslog(address: SocketAddr, tls: Option<Tls>) -> SyslogSink {
    let files = tls.map(|Tls { ca, cert, key }| Files { ca, identity: Some((cert, key)), floor: jiff::Timestamp::UNIX_EPOCH });
    let s = Duration::from_secs;
    let patience = Patience { connect: s(2), stall: s(2), batch: s(10), end: s(3), words: Duration::from_millis(300) };
    SyslogSink::new(Receiver { address, server_name: NAME.to_owned(), files, enterprise: 32473, patience }, gate())
}

/// Sets the courier to work.
pub(crate) fn begin(orders: &Orders, courier: Courier) -> Done {
    let spool = orders.state.join("spool");
    match &orders.to {
        To::Nats { servers, terminal } => run(courier, nats(servers, terminal, &spool, Duration::from_secs(2))?, orders.mutant),
        To::Syslog { address, tls } => run(courier, syslog(*address, tls.clone()), orders.mutant),
    }
    Ok(())
}

fn run(courier: Courier, sink: impl Sink + 'static, mutant: Option<Mutant>) {
    match mutant {
        None => drop(spawn_local(courier.run(sink))),
        Some(Mutant::CursorFirst) => drop(spawn_local(courier.run(CursorFirst(sink)))),
    }
}
