//! A long line: packets towards the centre take a detour through a tun device and a process that keeps them for a while.
//! The kernel here has no netem.

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

/// How long it keeps each packet; one way only, so this is the round trip.
const DELAY: Duration = Duration::from_millis(300);

/// Sends every datagram back to where it came from, later, in order.
pub(crate) fn delay(socket: &UdpSocket) {
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
        if late.send((Instant::now() + DELAY, buffer[..length].to_vec(), from)).is_err() {
            return;
        }
    }
}

impl Lab {
    /// Packets towards the centre, or towards the VPN's server, are 0.3 s under way.
    pub(crate) fn long_line(&mut self) -> Done {
        self.start(Role::DelayStub)?;
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
