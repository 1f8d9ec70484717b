//! The VPN's client on this PC: process, unit, log, handshake. All of it blocks, so it runs off the loop and is waited for only so long.

use super::is_wireguard;
use crate::baseline::Owner;
use crate::config::{Vpn, VpnKind};
use crate::model::{IfName, Link, LinkKind, ProcessState, UnitState, Unseen, VpnLog};
use crate::sys::caps::Capabilities;
use crate::sys::proc;
use crate::sys::wireguard::{self, Handshake};
use std::thread;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

/// Where to look for the client.
#[derive(Debug, Clone)]
pub(super) struct Whereabouts {
    config: Vpn,
    /// Who held the tunnel at enrolment, where the configuration names nobody.
    learned: Option<Owner>,
    device: Option<(IfName, LinkKind, bool)>,
}

impl Whereabouts {
    /// `owner` is who held the tunnel at enrolment, if anybody did. `WireGuard` has no client that it would hang on.
    pub(super) fn new(config: &Vpn, owner: Option<&Owner>, link: Option<&Link>) -> Self {
        let unnamed = config.process.is_none() && config.unit.is_none() && !is_wireguard(config);
        Self {
            config: config.clone(),
            learned: owner.filter(|owner| unnamed && !owner.process.is_empty()).cloned(),
            device: link.map(|link| (link.name.clone(), link.kind.clone(), link.carrier)),
        }
    }

    /// The program that is looked for because it held the tunnel at enrolment.
    pub(super) fn learned(&self) -> Option<String> {
        self.learned.as_ref().map(|owner| owner.process.clone())
    }

    /// A service of the system's own: what runs in somebody's session is not its to tell of.
    fn unit(&self) -> Option<&str> {
        let learned = self.learned.as_ref().and_then(|owner| owner.unit.as_deref()).filter(|unit| unit.ends_with(".service"));
        self.config.unit.as_deref().or(learned)
    }

    /// The journal is read where the client has no log of its own.
    fn journal(&self) -> Option<&str> {
        self.unit().filter(|_| self.config.log.is_none())
    }
}

/// What is known of the client.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) process: ProcessState,
    pub(super) unit: UnitState,
    /// What its own log says, or why that could not be read. [`VpnLog::Unread`] = none is configured.
    pub(super) log: Result<VpnLog, Unseen>,
    /// `None` = this kind has none.
    pub(super) handshake: Option<Handshake>,
}

/// Looks at the client.
pub(super) async fn look(at: &Whereabouts, deadline: Instant) -> Client {
    let wanted = at.clone();
    apart(move || blocking(&wanted), deadline).await.unwrap_or_else(|| Client {
        process: ProcessState::Unknown,
        unit: UnitState::Unknown,
        log: if at.config.log.is_some() { Err(Unseen::Deadline) } else { Ok(VpnLog::Unread) },
        handshake: is_wireguard(&at.config).then_some(Handshake::Unseen(Unseen::Deadline)),
    })
}

/// What only trouble makes worth knowing.
#[derive(Debug, Default)]
pub(super) struct Late {
    /// What the journal says of its unit; `None` = not asked.
    pub(super) journal: Option<Result<VpnLog, Unseen>>,
    /// The handshake after packets were sent into the tunnel: a session that lives renews an old one at once.
    pub(super) handshake: Option<Handshake>,
}

/// Whether there is anything for [`look_again`] to see.
pub(super) fn has_more(at: &Whereabouts) -> bool {
    at.journal().is_some() || (is_wireguard(&at.config) && at.device.is_some())
}

/// Looks once more when there is trouble.
pub(super) async fn look_again(at: &Whereabouts, deadline: Instant) -> Late {
    let wanted = at.clone();
    let look = move || Late { journal: wanted.journal().map(proc::read_journal), handshake: handshake(&wanted) };
    let missed = || at.journal().map(|_| Err(Unseen::Deadline));
    apart(look, deadline).await.unwrap_or_else(|| Late { journal: missed(), handshake: None })
}

/// Runs what blocks on a thread of its own; `None` when it takes too long. Without a thread the answer's sender is dropped at once, and
/// what it would have told stays unknown.
async fn apart<T: Send + 'static>(look: impl FnOnce() -> T + Send + 'static, deadline: Instant) -> Option<T> {
    let (answer, looking) = oneshot::channel();
    let _ = thread::Builder::new().name("vpn-client".to_owned()).spawn(move || {
        // Nobody waits any more when the deadline has passed.
        let _ = answer.send(look());
    });
    timeout_at(deadline, looking).await.ok()?.ok()
}

fn blocking(at: &Whereabouts) -> Client {
    let by_name = by_name(at);
    Client {
        process: if by_name == ProcessState::Running { by_name } else { held(at.device.as_ref()).unwrap_or(by_name) },
        unit: at.unit().map_or(UnitState::Unknown, proc::unit_state),
        log: at.config.log.as_deref().map_or(Ok(VpnLog::Unread), proc::read_log),
        handshake: handshake(at),
    }
}

fn handshake(at: &Whereabouts) -> Option<Handshake> {
    let (name, kind, _) = at.device.as_ref().filter(|_| is_wireguard(&at.config))?;
    Some(wireguard::handshake(name, kind, Capabilities::of_this_process()))
}

/// The process by its configured or learned name. A usual name may be seen, but its absence says nothing: the program may be called
/// otherwise.
fn by_name(at: &Whereabouts) -> ProcessState {
    if let Some(name) = at.config.process.as_ref().or(at.learned.as_ref().map(|owner| &owner.process)) {
        return proc::process_state(name);
    }
    let usual = match at.config.kind {
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
fn held(device: Option<&(IfName, LinkKind, bool)>) -> Option<ProcessState> {
    let (name, _, carrier) = device.filter(|(_, kind, _)| *kind == LinkKind::Tun)?;
    (*carrier || proc::tunnel_holder(name).is_some()).then_some(ProcessState::Running)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vpn(text: &str) -> Vpn {
        let config: crate::config::Config =
            toml::from_str(&format!("[[vpn]]\nname = \"centre\"\ninterface = \"tun0\"\n{text}")).expect("a configuration");
        config.vpns[0].clone()
    }

    fn owner(process: &str, unit: &str) -> Owner {
        Owner { interface: IfName::new("tun0"), process: process.to_owned(), unit: Some(unit.to_owned()) }
    }

    #[test]
    fn a_tunnel_with_a_signal_is_held_by_somebody() {
        let device = |kind, carrier| Some((IfName::new("tun-none"), kind, carrier));
        assert_eq!(held(device(LinkKind::Tun, true).as_ref()), Some(ProcessState::Running));
        assert_eq!(held(device(LinkKind::Tun, false).as_ref()), None);
        assert_eq!(held(device(LinkKind::Ppp, true).as_ref()), None);
        assert_eq!(held(None), None);
    }

    #[test]
    fn a_learned_client_is_looked_for_where_the_configuration_names_none() {
        let gone = owner("no-such-client-anywhere", "easyconnect.service");
        let at = |text: &str| Whereabouts::new(&vpn(text), Some(&gone), None);
        let learned = at("kind = \"tun\"");
        assert_eq!(learned.learned().as_deref(), Some("no-such-client-anywhere"));
        assert_eq!((by_name(&learned), learned.unit()), (ProcessState::Absent, Some("easyconnect.service")));
        assert_eq!(by_name(&Whereabouts::new(&vpn("kind = \"tun\""), None, None)), ProcessState::Unknown);
        for told in ["kind = \"tun\"\nprocess = \"x\"", "kind = \"tun\"\nunit = \"x.service\"", "kind = \"wireguard\""] {
            assert_eq!(at(told).learned(), None, "{told}");
        }
        let in_a_session = owner("gui", "app-vpn.scope");
        assert_eq!(Whereabouts::new(&vpn("kind = \"tun\""), Some(&in_a_session), None).unit(), None);
    }

    #[test]
    fn the_journal_is_read_where_a_unit_is_known_and_no_log() {
        let journal = |text: &str| Whereabouts::new(&vpn(text), None, None).journal().map(str::to_owned);
        assert_eq!(journal("unit = \"a.service\"").as_deref(), Some("a.service"));
        assert_eq!(journal("unit = \"a.service\"\nlog = \"/var/log/a\""), None);
        assert_eq!(journal("process = \"a\""), None);
    }
}
