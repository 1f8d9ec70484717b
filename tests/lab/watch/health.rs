//! A healthy site, and what happens in its life: none of it is an incident.
//!
//! Runs as a process of its own beside the faults: names on the machine that carry the process id (`WireGuard` devices, VPN clients) are its
//! own then.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};

use super::daemon::{Daemon, now_ms};
use super::renewals::{DHCP_SERVER, OPENVPN_EVERY_S, Renewals};
use crate::args::{Args, Depth};
use crate::ask::Ask;
use crate::check::{eventually, holds};
use crate::lab::{Lab, Place, Role, VpnWords};
use crate::machine::Run;
use crate::pass::{fresh_seed, lend_product};
use crate::peers::find;
use crate::plan::{Dice, Kind, Plan};
use crate::shell::Done;

const KINDS: [Kind; 3] = [Kind::Leased, Kind::OpenVpn, Kind::WireGuard];
/// A cable that is out for less than half a second is no incident: so long the kernel's word is held back. One that is out for a second is an
/// outage, and known within that second. The signal is away for this to this and more, ms.
const BLINK: (u32, u32) = (50, 300);
/// What setting the signal down and up may add, until the kernel's half second is in danger.
const BLINK_LIMIT_MS: u64 = 450;

/// How long healthy sites are watched.
const FULL_S: u64 = 300;
const USUAL_S: u64 = 150;
const QUICK_S: u64 = 45;

const RENEWED: &str = "the lease is renewed";
const REST: &str = "nothing, for half a minute";

/// Something that happens.
struct Happening {
    name: &'static str,
    on: &'static [Kind],
    happens: fn(&mut Lab, &Daemon, &mut Dice) -> Done,
}

const LIFE: [Happening; 9] = [
    Happening { name: "the daemon stands still for 8-20 s, as in a suspend", on: &KINDS, happens: stand_still },
    Happening { name: "containers start and stop", on: &KINDS, happens: containers },
    Happening {
        name: "every neighbour is forgotten",
        on: &KINDS,
        happens: |lab, _, _| lab.terminal().ip(&format!("neigh flush dev {}\n", lab.plan.nic)),
    },
    Happening { name: "the cable blinks for a moment", on: &[Kind::Leased, Kind::OpenVpn, Kind::WireGuard], happens: blink },
    Happening { name: "the centre's certificate is renewed", on: &KINDS, happens: certificate },
    Happening {
        name: "the resolvers restart",
        on: &KINDS,
        happens: |lab, _, _| lab.stop(Role::Dnsmasq).and_then(|()| lab.start(Role::Dnsmasq)),
    },
    Happening { name: RENEWED, on: &[Kind::Leased], happens: renew },
    Happening {
        name: "another route comes and goes",
        on: &KINDS,
        happens: |lab, _, _| lab.terminal().ip("route add 198.51.100.0/24 dev lo\nroute del 198.51.100.0/24 dev lo\n"),
    },
    Happening {
        name: REST,
        on: &KINDS,
        happens: |_, daemon, _| {
            pause(daemon, 30_000);
            Ok(())
        },
    },
];

/// Tells a process of this kind that it is to end with the one that started it.
const BESIDE: &str = "ISONET_LAB_BESIDE";

/// This program once more, for healthy sites.
pub(super) fn beside(args: &Args, seed: u64) -> Done<Child> {
    let own = std::env::current_exe().map_err(|e| format!("cannot find the lab's binary: {e}"))?;
    let mut command = Command::new(own);
    command.args(["--health", "--seed", &seed.to_string()]).env(BESIDE, "1").stdin(Stdio::null());
    match args.depth {
        Depth::Full => drop(command.arg("--full")),
        Depth::Quick => drop(command.arg("--quick")),
        Depth::Usual => {}
    }
    if let Some(seconds) = args.healthy_for {
        command.args(["--healthy-for", &seconds.to_string()]);
    }
    for kind in &args.kinds {
        command.args(["--kind", kind.name()]);
    }
    command.spawn().map_err(|e| format!("cannot start the healthy sites: {e}"))
}

/// Watches healthy sites for as long as is asked for; true if nothing was made of it.
pub(crate) fn health(args: &Args, run: &Run) -> Done<bool> {
    if std::env::var_os(BESIDE).is_some() {
        set_parent_process_death_signal(Some(Signal::TERM)).map_err(|e| format!("cannot follow the process that started this: {e}"))?;
    }
    if args.depth == Depth::Full && find("udhcpc").is_none() {
        return Err("programs are missing; apt-get install --no-install-recommends udhcpc".to_owned());
    }
    let seed = args.seed.unwrap_or_else(fresh_seed);
    // As long as the faults beside it take; in a quick run much shorter.
    let seconds = args.healthy_for.unwrap_or(match args.depth {
        Depth::Full => FULL_S,
        Depth::Quick => QUICK_S,
        Depth::Usual => USUAL_S,
    });
    println!("health: seed {seed} (again with --health --seed {seed}), {seconds} s");
    let product = lend_product(run)?;
    let kinds: Vec<Kind> = KINDS.into_iter().filter(|kind| args.kinds.contains(kind)).collect();
    let wrong: Vec<Done> = std::thread::scope(|scope| {
        let all: Vec<_> = kinds.iter().map(|kind| (*kind, scope.spawn(|| live(run, *kind, seed, seconds, &product)))).collect();
        let ended = |(kind, site): (Kind, std::thread::ScopedJoinHandle<'_, Done>)| {
            site.join().unwrap_or_else(|_| Err("the lab itself fell over".to_owned())).map_err(|why| format!("{kind}: {why}"))
        };
        all.into_iter().map(ended).collect()
    });
    let failed = wrong.iter().filter(|site| site.is_err()).count();
    for why in wrong.iter().filter_map(|site| site.as_ref().err()) {
        println!("FAIL    health {why}");
    }
    let short = usize::from(args.depth == Depth::Quick && seconds < FULL_S);
    if short > 0 {
        println!(
            "SKIPPED health: only {seconds} s of a healthy life, for want of time; --full watches {FULL_S} s, in which WireGuard renews its keys"
        );
    }
    println!("{} passed, {failed} failed, {short} skipped", wrong.len() - failed);
    Ok(failed == 0)
}

fn live(run: &Run, kind: Kind, seed: u64, seconds: u64, product: &Path) -> Done {
    let plan = Plan { resolver_count: 2, ..Plan::draw(seed, kind) };
    println!("{plan}");
    let mut lab = Lab::up(run, plan)?;
    let lived = prepare(&mut lab).and_then(|()| Daemon::start(&lab, product, &Ask::default())).and_then(|daemon| {
        let mut renewals = Renewals::of(&lab)?;
        let told = happen(&mut lab, &daemon, &mut renewals, seed ^ kind as u64, seconds)?;
        let told = format!("{}; {told}", renewals.proof(&lab, seconds)?);
        lab.settles()?;
        let spool = lab.path("daemon/state/spool");
        daemon.stop()?;
        let report = isonet::spool::verify(&isonet::spool::Disk::look(&spool)).map_err(|e| format!("the log cannot be read: {e}"))?;
        holds(report.is_whole() && report.epochs.len() == 1, format!("the log is not whole: {report:?}"))?;
        Ok(told)
    });
    lab.down();
    println!("PASS    health {kind}: no incident in {seconds} s: {}", lived?);
    Ok(())
}

/// What is there from the beginning: a centre that forbids ping, a lease, rekeys.
fn prepare(lab: &mut Lab) -> Done {
    lab.filter(Place::Centre, "input", &["icmp type echo-request drop".to_owned(), "icmpv6 type echo-request drop".to_owned()])?;
    let nic = lab.plan.nic;
    lab.terminal()
        .sysctl(&[&format!("net.ipv4.neigh.{nic}.base_reachable_time_ms=2000"), &format!("net.ipv4.neigh.{nic}.gc_stale_time=2")])?;
    match lab.plan.kind {
        Kind::OpenVpn => {
            let words = || ["--reneg-sec", OPENVPN_EVERY_S].map(str::to_owned).to_vec();
            lab.vpn_with(VpnWords { server: words(), client: words(), ..VpnWords::default() }, true)?;
        }
        Kind::Leased => lease(lab)?,
        Kind::LeasedV6 | Kind::WireGuard | Kind::OpenConnect | Kind::Ipsec => {}
    }
    lab.settles()
}

/// Lets things happen until the time is over; counts them.
fn happen(lab: &mut Lab, daemon: &Daemon, renewals: &mut Renewals, seed: u64, seconds: u64) -> Done<String> {
    let mut dice = Dice::new(seed);
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    let mut lately = "nothing yet";
    let end = now_ms() + seconds * 1000;
    while now_ms() < end {
        // A short life has no time for rest.
        let can = |it: &&Happening| it.on.contains(&lab.plan.kind) && (it.name != REST || seconds > 2 * QUICK_S);
        let life: Vec<&Happening> = LIFE.iter().filter(can).collect();
        // Everything once before anything twice; what has to be proved before all.
        let first = life.iter().copied().find(|it| counts.is_empty() && it.name == RENEWED);
        let fresh: Vec<&Happening> = life.iter().copied().filter(|it| !counts.contains_key(it.name)).collect();
        let due = if fresh.is_empty() { life } else { fresh };
        let it = first.unwrap_or_else(|| due[dice.below(u32::try_from(due.len()).unwrap_or(1)) as usize]);
        (it.happens)(lab, daemon, &mut dice).map_err(|e| format!("the lab itself: {}: {e}", it.name))?;
        *counts.entry(it.name).or_default() += 1;
        pause(daemon, u64::from(3000 + dice.below(4000)));
        renewals.look(lab)?;
        let made: Vec<String> = daemon.after(0).iter().filter(|seen| seen.is_incident()).map(|seen| seen.told(daemon.began_ms)).collect();
        if !made.is_empty() {
            return Err(format!(
                "made incidents of: {} (or of {lately} before), {} ms after the start:\n       {}\n       {}",
                it.name,
                now_ms() - daemon.began_ms,
                made.join("\n       "),
                daemon.tail()
            ));
        }
        lately = it.name;
    }
    Ok(counts.iter().map(|(name, times)| format!("{times}x {name}")).collect::<Vec<_>>().join("; "))
}

/// Time passes; a record of an incident ends it.
fn pause(daemon: &Daemon, ms: u64) {
    daemon.shows(0, ms, |log| log.iter().any(super::daemon::Seen::is_incident));
}

fn stand_still(_: &mut Lab, daemon: &Daemon, dice: &mut Dice) -> Done {
    daemon.signal(Signal::STOP)?;
    std::thread::sleep(Duration::from_millis(u64::from(8000 + dice.below(12_000))));
    daemon.signal(Signal::CONT)
}

/// As a container engine does: a bridge, its ports, namespaces behind them, all gone again; some of it in one go.
fn containers(lab: &mut Lab, _: &Daemon, dice: &mut Dice) -> Done {
    let terminal = lab.terminal();
    terminal.ip("link add docker0 type bridge\naddr add 172.17.0.1/16 dev docker0\nlink set docker0 up\n")?;
    for number in 0..5 + dice.below(5) {
        terminal.ip(&format!(
            "link add veth{number} type veth peer name ceth{number}\nlink set veth{number} master docker0 up\nlink set ceth{number} up\n\
             addr add 172.17.0.{}/16 dev ceth{number}\n",
            number + 2
        ))?;
        terminal.ip(&format!("link del veth{number}\n"))?;
    }
    terminal.ip("link del docker0\n")
}

fn blink(lab: &mut Lab, _: &Daemon, dice: &mut Dice) -> Done {
    let switch = lab.at(Place::Switch);
    let begin = now_ms();
    switch.ip("link set port1 down\n")?;
    std::thread::sleep(Duration::from_millis(u64::from(BLINK.0 + dice.below(BLINK.1 - BLINK.0))));
    switch.ip("link set port1 up\n")?;
    let took = now_ms() - begin;
    holds(took < BLINK_LIMIT_MS, format!("the machine is too slow to blink: {took} ms"))
}

/// Another good certificate; its server is away for a moment.
fn certificate(lab: &mut Lab, _: &Daemon, _: &mut Dice) -> Done {
    for kind in ["pem", "key"] {
        let (next, good) = (lab.path(&format!("renewed.{kind}")), lab.path(&format!("good.{kind}")));
        let swap = || -> std::io::Result<()> {
            let aside = lab.path("aside");
            std::fs::copy(&good, &aside)?;
            std::fs::copy(&next, &good)?;
            std::fs::rename(&aside, &next)
        };
        swap().map_err(|e| format!("cannot renew {}: {e}", good.display()))?;
    }
    // Without a master process it cannot take the new one in while it runs.
    lab.stop(Role::Nginx)?;
    lab.start(Role::Nginx)
}

/// The terminal's IPv4 address is a lease from now on: the same one, for two minutes (dnsmasq knows no shorter ones), renewed after one.
fn lease(lab: &mut Lab) -> Done {
    if find("udhcpc").is_none() {
        println!("health: `udhcpc` is not installed; the lease is played by `ip`");
        return Ok(());
    }
    let (ip, gateway) = (lab.plan.terminal.v4, lab.plan.gateway.v4);
    let mut server = lab.at(Place::Shop).command("dnsmasq");
    server
        .args(["--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--port=0", "--user=root", "--log-facility=-"])
        .args(["--interface=lan", "--bind-interfaces", "--no-ping", &format!("--dhcp-range={ip},{ip},255.255.255.0,2m")])
        .args([&format!("--dhcp-option=3,{gateway}"), &format!("--dhcp-leasefile={}", lab.text_path("leases"))]);
    lab.spawn(DHCP_SERVER, server)?;
    lab.write(
        "leased",
        "#!/bin/sh\ncase $1 in bound|renew) ;; *) exit 0;; esac\n\
         ip -4 addr replace \"$ip/$mask\" dev \"$interface\" valid_lft \"$lease\" preferred_lft \"$lease\"\n\
         ip route replace default via \"$router\" dev \"$interface\"\n",
    )?;
    let script = lab.path("leased");
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755))
        .map_err(|e| format!("cannot make {} a program: {e}", script.display()))?;
    let mut client = lab.terminal().command("udhcpc");
    client.args(["-f", "-i", lab.plan.nic, "-t", "10", "-T", "1", "-s", &script.display().to_string()]);
    lab.extra("dhcp-client", client)?;
    eventually("the address is a lease", || {
        let said = lab.terminal().run(&["ip", "-4", "-o", "addr", "show", "dev", lab.plan.nic])?;
        holds(said.out.contains("valid_lft") && !said.out.contains("valid_lft forever"), said.out)
    })
}

fn renew(lab: &mut Lab, _: &Daemon, _: &mut Dice) -> Done {
    if let Some(client) = lab.peers.get(&Role::Extra("dhcp-client")) {
        // Asks at once, as half of the lease's time would make it.
        return kill_process(Pid::from_child(client), Signal::USR1).map_err(|e| format!("cannot wake the DHCP client: {e}"));
    }
    let (ip, nic) = (lab.plan.terminal.v4, lab.plan.nic);
    lab.terminal().ip(&format!(
        "addr replace {ip}/24 dev {nic} valid_lft 20 preferred_lft 20\naddr replace {ip}/24 dev {nic} valid_lft 3600 preferred_lft 3600\n"
    ))
}
