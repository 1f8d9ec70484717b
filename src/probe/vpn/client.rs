//! The VPN's client on this PC: process, unit, log, handshake. All of it blocks, so it runs off the loop and is waited for only so long.

use super::is_wireguard;
use crate::config::{Vpn, VpnKind};
use crate::model::{IfName, Link, LinkKind, ProcessState, UnitState, Unseen, VpnLog};
use crate::sys::caps::Capabilities;
use crate::sys::proc;
use crate::sys::wireguard::{self, Handshake};
use std::thread;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

/// What is known of the client.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) process: ProcessState,
    pub(super) unit: UnitState,
    pub(super) log: VpnLog,
    /// `None` = this kind has none.
    pub(super) handshake: Option<Handshake>,
}

/// Looks at the client.
pub(super) async fn look(config: &Vpn, link: Option<&Link>, deadline: Instant) -> Client {
    let wanted = config.clone();
    let holder = link.filter(|link| link.kind == LinkKind::Tun).map(|link| (link.name.clone(), link.carrier));
    let device = link.map(|link| (link.name.clone(), link.kind.clone()));
    let (answer, looking) = oneshot::channel();
    // Without a thread the answer's sender is dropped at once, and what it would have told stays unknown.
    let _ = thread::Builder::new().name("vpn-client".to_owned()).spawn(move || {
        // Nobody waits any more when the deadline has passed.
        let _ = answer.send(blocking(&wanted, holder.as_ref(), device.as_ref()));
    });
    match timeout_at(deadline, looking).await {
        Ok(Ok(client)) => client,
        Ok(Err(_)) | Err(_) => Client {
            process: ProcessState::Unknown,
            unit: UnitState::Unknown,
            log: VpnLog::Unread,
            handshake: is_wireguard(config).then_some(Handshake::Unseen(Unseen::Deadline)),
        },
    }
}

fn blocking(config: &Vpn, holder: Option<&(IfName, bool)>, device: Option<&(IfName, LinkKind)>) -> Client {
    let by_name = by_name(config);
    let process = if by_name == ProcessState::Running { by_name } else { held(holder).unwrap_or(by_name) };
    Client {
        process,
        unit: config.unit.as_deref().map_or(UnitState::Unknown, proc::unit_state),
        log: config.log.as_deref().map_or(VpnLog::Unread, proc::read_log),
        handshake: device
            .filter(|_| is_wireguard(config))
            .map(|(name, kind)| wireguard::handshake(name, kind, Capabilities::of_this_process())),
    }
}

/// The process by its configured name. A usual name may be seen, but its absence says nothing: the program may be called otherwise.
fn by_name(config: &Vpn) -> ProcessState {
    if let Some(name) = &config.process {
        return proc::process_state(name);
    }
    let usual = match config.kind {
        VpnKind::Openvpn => "openvpn",
        VpnKind::Openconnect => "openconnect",
        VpnKind::L2tp => "pppd",
        VpnKind::Ipsec => "charon",
        VpnKind::Wireguard | VpnKind::Tun => return ProcessState::Unknown,
    };
    match proc::process_state(usual) {
        ProcessState::Running => ProcessState::Running,
        ProcessState::Absent | ProcessState::Unknown => ProcessState::Unknown,
    }
}

/// A userspace tunnel has a signal exactly while a program holds it, whatever the program is called.
fn held(holder: Option<&(IfName, bool)>) -> Option<ProcessState> {
    let (name, carrier) = holder?;
    (*carrier || proc::tunnel_holder(name).is_some()).then_some(ProcessState::Running)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tunnel_with_a_signal_is_held_by_somebody() {
        assert_eq!(held(Some(&(IfName::new("tun-none"), true))), Some(ProcessState::Running));
        assert_eq!(held(Some(&(IfName::new("tun-none"), false))), None);
        assert_eq!(held(None), None);
    }
}
