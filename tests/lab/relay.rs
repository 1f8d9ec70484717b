//! A long line: packets towards the centre take a detour through a tun device and a process that keeps them for a while.
//! The kernel here has no netem.

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::check::{eventually, holds};
use crate::lab::{Lab, Place, Role};
use crate::shell::Done;

/// Where the delaying process waits inside the operator's router.
pub(crate) const AT: &str = "127.0.0.1:5999";
const DEV: &str = "slow0";
const TABLE: &str = "99";

/// How long two packets have to be apart for the one not to overtake the other.
const OVERTAKING: Duration = Duration::from_millis(5);

/// What the detour does to packets.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Manner {
    /// Keeps each for this long. One way only, so this is the round trip.
    Late(Duration),
    /// Passes each on twice, and of two that come close to each other the later one first.
    Twice,
}

impl Manner {
    /// What a stub's name says: `detour-300` for milliseconds, `detour-twice`.
    pub(crate) fn parse(text: &str) -> Option<Manner> {
        match text.strip_prefix("detour-")? {
            "twice" => Some(Manner::Twice),
            ms => ms.parse().ok().map(|ms| Manner::Late(Duration::from_millis(ms))),
        }
    }
}

/// Sends every datagram back to where it came from, in the manner asked for.
pub(crate) fn send_back(socket: &UdpSocket, manner: Manner) {
    match manner {
        Manner::Late(time) => delay(socket, time),
        Manner::Twice => repeat_and_swap(socket),
    }
}

fn repeat_and_swap(socket: &UdpSocket) {
    let mut held: Option<(Vec<u8>, SocketAddr)> = None;
    let mut buffer = vec![0u8; 65_536];
    let twice = |packet: &[u8], to: SocketAddr| {
        for _ in 0..2 {
            let _ = socket.send_to(packet, to);
        }
    };
    if socket.set_read_timeout(Some(OVERTAKING)).is_err() {
        return;
    }
    loop {
        let next = match socket.recv_from(&mut buffer) {
            Ok((length, from)) => Some((buffer[..length].to_vec(), from)),
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => None,
            Err(_) => return,
        };
        match (held.take(), next) {
            (None, next) => held = next,
            (Some((first, to)), next) => {
                if let Some((second, to)) = next {
                    twice(&second, to);
                }
                twice(&first, to);
            }
        }
    }
}

fn delay(socket: &UdpSocket, time: Duration) {
    let Ok(out) = socket.try_clone() else { return };
    let (late, due) = mpsc::channel::<(Instant, Vec<u8>, SocketAddr)>();
    thread::spawn(move || {
        for (when, packet, to) in due {
            thread::sleep(when.saturating_duration_since(Instant::now()));
            let _ = out.send_to(&packet, to);
        }
    });
    let mut buffer = vec![0u8; 65_536];
    while let Ok((length, from)) = socket.recv_from(&mut buffer) {
        if late.send((Instant::now() + time, buffer[..length].to_vec(), from)).is_err() {
            return;
        }
    }
}

impl Lab {
    /// Packets towards the centre, or towards the VPN's server, are 0.3 s under way.
    pub(crate) fn long_line(&mut self) -> Done {
        self.detour("detour-300")
    }

    /// Packets towards the centre, or towards the VPN's server, take a detour that treats them as this stub's name says.
    pub(crate) fn detour(&mut self, manner: &str) -> Done {
        self.start_stub(Role::DelayStub, Place::Isp, &[format!("{manner}@{AT}")])?;
        // The other half gives up at the first packet that nobody takes.
        let log = self.log(Role::DelayStub);
        eventually("the delaying process listens", || {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            holds(said.contains("ready"), said)
        })?;
        self.start(Role::DelayTun)?;
        self.later(|lab| {
            lab.stop(Role::DelayTun)?;
            lab.stop(Role::DelayStub)
        });
        let isp = self.at(Place::Isp);
        eventually("the detour is there", || {
            let said = isp.try_run(&["ip", "-o", "link", "show", "dev", DEV])?;
            holds(said.out.contains("LOWER_UP"), format!("{}{}", said.out, said.err))
        })?;
        for (prefix, hop) in self.far_prefixes() {
            let family = if prefix.contains(':') { "-6" } else { "-4" };
            let ip = |words: &str| -> Vec<String> { format!("ip {family} {words}").split(' ').map(str::to_owned).collect() };
            let rule = format!("iif {DEV} lookup {TABLE}");
            isp.run_owned(&ip(&format!("rule add {rule}")))?;
            isp.run_owned(&ip(&format!("route add {prefix} via {hop} dev edge onlink table {TABLE}")))?;
            isp.run_owned(&ip(&format!("route replace {prefix} dev {DEV}")))?;
            let undo = [ip(&format!("rule del {rule}")), ip(&format!("route flush table {TABLE}")), ip(&format!("route del {prefix}"))];
            self.later(move |lab| {
                let isp = lab.at(Place::Isp);
                undo.iter().try_for_each(|words| isp.run_owned(words))?;
                lab.restore(Place::Isp)
            });
        }
        Ok(())
    }

    /// What lies behind the detour, with the next hop after it.
    fn far_prefixes(&self) -> Vec<(String, std::net::IpAddr)> {
        let plan = &self.plan;
        let hop = plan.isp_edge.host(2);
        if self.has_vpn() {
            return vec![(format!("{}/32", hop.v4), std::net::IpAddr::V4(hop.v4))];
        }
        let prefixes = plan.inner.prefixes(plan.families);
        prefixes.into_iter().zip(hop.ips(plan.families)).collect()
    }

    pub(crate) fn start_delay_tun(&mut self) -> Done {
        let mut command = self.at(Place::Isp).command("socat");
        command.args([&format!("TUN,tun-name={DEV},tun-type=tun,iff-no-pi,iff-up"), &format!("UDP4:{AT}")]);
        self.spawn(Role::DelayTun, command)
    }
}
