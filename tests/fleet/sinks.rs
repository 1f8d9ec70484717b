//! The product's sinks, as agents of the fleet are told to ship.

use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use isonet::sink::nats::{Names, NatsSink, Target};
use isonet::sink::way::Gate;
use isonet::sink::{Courier, Sink};
use tokio::task::spawn_local;

use crate::Done;
use crate::agent::{CursorFirst, Mutant, Orders, To};

/// Every way is right here.
fn gate() -> Gate {
    Rc::new(|_| Box::pin(async { Ok(()) }))
}

/// To these servers, under this terminal's name.
pub(crate) fn nats(servers: &[String], terminal: &str, spool: &Path) -> Done<NatsSink> {
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
        patience: Duration::from_secs(2),
    };
    Ok(NatsSink::new(target, gate()))
}

/// Sets the courier to work.
pub(crate) fn begin(orders: &Orders, courier: Courier) -> Done {
    let spool = orders.state.join("spool");
    match &orders.to {
        To::Nats { servers, terminal } => run(courier, nats(servers, terminal, &spool)?, orders.mutant),
        To::Syslog { address } => return Err(format!("not yet: {address}")),
    }
    Ok(())
}

fn run(courier: Courier, sink: impl Sink + 'static, mutant: Option<Mutant>) {
    match mutant {
        None => drop(spawn_local(courier.run(sink))),
        Some(Mutant::CursorFirst) => drop(spawn_local(courier.run(CursorFirst(sink)))),
    }
}
