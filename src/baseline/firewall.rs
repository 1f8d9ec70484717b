//! The firewall: what is listed, and what of it protects this PC. Reading it needs `CAP_NET_ADMIN`; without that there is nothing to see, which
//! is not "no firewall".
//!
//! What protects is a table that keeps packets from coming in or going out: by the policy of a chain, or by a rule that refuses. Software for
//! containers, virtual machines, tunnels and bans brings tables, chains and rules of its own and takes them again; these are nobody's
//! protection and are passed over, and so is what only passes through this PC.

use super::identity::sha256;
use super::ruleset::{Base, Rule, Ruleset, as_nftables, read};
use super::{Firewall, Guard, Seen};
use crate::model::Unseen;
use crate::sys::{clock, files};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Where the tool lives; a PC's search path is not trusted.
const PLACES: [&str; 3] = ["/usr/sbin/nft", "/sbin/nft", "/usr/bin/nft"];
/// The same for the old packet filter: its name, where the kernel lists its tables in use, and its tools. Where both filters have their tools
/// one of them is called legacy.
const OLD: [(&str, &str, [&str; 4]); 2] = [
    (
        "iptables",
        "/proc/self/net/ip_tables_names",
        ["/usr/sbin/iptables-legacy-save", "/sbin/iptables-legacy-save", "/usr/sbin/iptables-save", "/sbin/iptables-save"],
    ),
    (
        "ip6tables",
        "/proc/self/net/ip6_tables_names",
        ["/usr/sbin/ip6tables-legacy-save", "/sbin/ip6tables-legacy-save", "/usr/sbin/ip6tables-save", "/sbin/ip6tables-save"],
    ),
];

/// Who brings tables and chains of its own, by how their names begin, in small letters.
const GUESTS: [&str; 32] = [
    "docker",
    "podman",
    "netavark",
    "cni",
    "libvirt",
    "lxc",
    "lxd",
    "incus",
    "kube",
    "cali",
    "flannel",
    "weave",
    "cilium",
    "nm-sh",
    "sh-in-",
    "sh-fw-",
    "wg-quick",
    "ts-",
    "tailscale",
    "mullvad",
    "io.systemd.nat",
    "f2b-",
    "fail2ban",
    "sshguard",
    "crowdsec",
    "denyhosts",
    "miniupnpd",
    "zerotier",
    "netbird",
    "nordvpn",
    "openvpn",
    "strongswan",
];
/// Their interfaces.
const GUEST_CARDS: [&str; 16] =
    ["docker", "podman", "cni", "virbr", "vnet", "veth", "lxc", "lxd", "incus", "cali", "flannel", "tun", "tap", "wg", "ppp", "tailscale"];
/// Where packets come in to this PC or leave it.
const HOOKS: [&str; 4] = ["input", "output", "prerouting", "ingress"];

/// Rules listed are at most so many bytes.
const LARGEST: usize = 4 << 20;

/// The tool answers in milliseconds; a kernel that is stuck must not hold up an enrolment.
const PATIENCE: Duration = Duration::from_secs(5);

/// All rules that are to be seen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listing {
    /// As `nft -a list ruleset` prints them, those of the old packet filter in the same words.
    pub text: String,
    /// The old packet filter has rules, and why they could not be listed.
    pub hidden: Option<Unseen>,
    /// Which programs listed them: another release may print the same rule in other words.
    tools: String,
}

/// Lists the rules of this namespace and sees what protects.
pub fn look() -> Seen<Firewall> {
    match rules() {
        Ok(listing) => match (protection(&listing.text), listing.hidden) {
            (firewall, Some(why)) if firewall.guards.is_empty() => Seen::Unseen(why),
            (firewall, _) => Seen::Seen(Firewall { tool: Some(listing.tools), ..firewall }),
        },
        Err(why) => Seen::Unseen(why),
    }
}

/// All rules of this namespace. Blocks, for seconds at the worst.
pub fn rules() -> Result<Listing, Unseen> {
    let nft = PLACES.into_iter().find(|place| Path::new(place).exists());
    let listed = nft.map_or_else(|| Err(Unseen::Error("nft: not installed".to_owned())), |tool| output(tool, &["-a", "list", "ruleset"]));
    let mut used: Vec<&str> = nft.into_iter().filter(|_| listed.is_ok()).collect();
    let (mut text, mut hidden) = (String::new(), None);
    for (program, tables, tools) in OLD {
        let in_use = files::read_word(Path::new(tables)).is_some_and(|tables| !tables.is_empty());
        if !in_use {
            continue;
        }
        let Some(tool) = tools.into_iter().find(|tool| Path::new(tool).exists()) else {
            hidden = Some(Unseen::Error(format!("{program}-legacy-save: not installed")));
            continue;
        };
        match output(tool, &[]) {
            Ok(saved) => {
                used.push(tool);
                text += &as_nftables(&saved, program);
            }
            Err(why) => hidden = Some(why),
        }
    }
    let text = match listed {
        Ok(listed) => listed + &text,
        // Without nftables' own tool the old one shows all that is to be seen.
        Err(Unseen::Error(_)) if !used.is_empty() => text,
        Err(why) => return Err(why),
    };
    Ok(Listing { text, hidden, tools: releases(&used) })
}

/// Which releases of programs these are, as far as size and date of their files tell.
fn releases(programs: &[&str]) -> String {
    let files = programs.iter().filter_map(|place| std::fs::metadata(place).ok());
    let known: Vec<String> = files.map(|file| format!("{}-{}", file.size(), file.mtime())).collect();
    sha256(known.join(" ").as_bytes())[..16].to_owned()
}

/// What such a program prints.
fn output(tool: &str, words: &[&str]) -> Result<String, Unseen> {
    let failed = |text: String| Err(Unseen::Error(text));
    let mut list = Command::new(tool);
    list.args(words).env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match list.spawn() {
        Ok(child) => child,
        Err(error) => return failed(format!("{tool}: {error}")),
    };
    let (Some(out), Some(err)) = (child.stdout.take(), child.stderr.take()) else {
        return failed(format!("{tool}: no output"));
    };
    let said = said(out.into(), err.into(), PATIENCE);
    if said.is_err() {
        // Stuck. Should it have ended just now, there is nothing to kill.
        let _ = child.kill();
    }
    match (said, child.wait()) {
        (Ok((text, complaint)), Ok(status)) => {
            judge(tool, status.success(), &String::from_utf8_lossy(&text), &String::from_utf8_lossy(&complaint))
        }
        (Err(error), _) | (_, Err(error)) => failed(format!("{tool}: {error}")),
    }
}

/// All that comes out of two pipes until both end; an error if that takes longer than `patience`, or is more than [`LARGEST`].
fn said(out: OwnedFd, err: OwnedFd, patience: Duration) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let end = clock::now() + patience;
    let mut pipes = [(Some(File::from(out)), Vec::new()), (Some(File::from(err)), Vec::new())];
    let mut part = vec![0; 64 << 10];
    loop {
        let mut open: Vec<(&mut Option<File>, &mut Vec<u8>)> =
            pipes.iter_mut().filter(|(pipe, _)| pipe.is_some()).map(|(pipe, text)| (pipe, text)).collect();
        if open.is_empty() {
            let [(_, text), (_, complaint)] = pipes;
            return Ok((text, complaint));
        }
        let left = Timespec::try_from(end.saturating_duration_since(clock::now())).map_err(io::Error::other)?;
        let mut polled: Vec<PollFd<'_>> =
            open.iter().filter_map(|(pipe, _)| pipe.as_ref()).map(|pipe| PollFd::new(pipe, PollFlags::IN)).collect();
        match poll(&mut polled, Some(&left)) {
            Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
            Err(Errno::INTR) => continue,
            answer => answer?,
        };
        let ready: Vec<bool> = polled.iter().map(|one| !one.revents().is_empty()).collect();
        for ((pipe, text), _) in open.iter_mut().zip(ready).filter(|(_, ready)| *ready) {
            let read = match pipe.as_mut().map_or(Ok(0), |pipe| pipe.read(&mut part)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read?,
            };
            text.extend_from_slice(&part[..read]);
            if text.len() > LARGEST {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            if read == 0 {
                **pipe = None;
            }
        }
    }
}

fn judge(tool: &str, succeeded: bool, text: &str, complaint: &str) -> Result<String, Unseen> {
    if complaint.contains("Operation not permitted") || complaint.contains("Permission denied") {
        Err(Unseen::Capability("CAP_NET_ADMIN".to_owned()))
    } else if succeeded {
        Ok(text.to_owned())
    } else {
        let line = complaint.lines().next().unwrap_or("failed");
        Err(Unseen::Error(format!("{tool}: {}", line.chars().filter(|c| !c.is_control()).take(200).collect::<String>())))
    }
}

/// What of the listed rules protects.
pub fn protection(listing: &str) -> Firewall {
    let (tables, rules) = count(listing);
    let set = read(listing);
    let names: BTreeSet<&str> = set.bases.iter().map(|base| base.table).collect();
    let guards =
        names.into_iter().filter(|table| !table.split(' ').any(|word| is_of(word, &GUESTS))).filter_map(|table| guard(table, &set));
    Firewall { tables, rules, guards: guards.collect(), tool: None }
}

/// A table that keeps something out; `None` = it lets everything pass.
fn guard(table: &str, set: &Ruleset<'_>) -> Option<Guard> {
    let watches = |base: &&Base<'_>| base.table == table && base.kind == "filter" && HOOKS.contains(&base.hook);
    let bases: Vec<&Base<'_>> = set.bases.iter().filter(watches).collect();
    let mut chains: BTreeMap<&str, Vec<&Rule<'_>>> = BTreeMap::new();
    for rule in set.rules.iter().filter(|rule| rule.table == table && !is_guests(rule)) {
        chains.entry(rule.chain).or_default().push(rule);
    }
    let (mut reached, mut ahead): (Vec<&Rule<'_>>, Vec<&str>) = (Vec::new(), bases.iter().map(|base| base.chain).collect());
    while let Some(chain) = ahead.pop() {
        // Once is enough, and chains that call each other come to an end.
        let rules = chains.remove(chain).unwrap_or_default();
        ahead.extend(rules.iter().flat_map(|rule| rule.targets()));
        reached.extend(rules);
    }
    let refusing = reached.iter().filter(|rule| has_verdict(rule, &["drop", "reject"])).count();
    let policies = bases.iter().map(|base| (base.chain.to_owned(), base.policy.to_owned())).collect();
    let shut = bases.iter().any(|base| base.policy == "drop");
    (shut || refusing > 0).then(|| Guard {
        table: table.to_owned(),
        policies,
        refusing: u32::try_from(refusing).unwrap_or(u32::MAX),
        accepting: u32::try_from(reached.iter().filter(|rule| has_verdict(rule, &["accept"])).count()).unwrap_or(u32::MAX),
        digest: digest(&reached),
    })
}

fn is_of(name: &str, beginnings: &[&str]) -> bool {
    let name = name.to_lowercase();
    beginnings.iter().any(|beginning| name.starts_with(beginning))
}

/// A rule that such software brings, wherever it stands.
fn is_guests(rule: &Rule<'_>) -> bool {
    // Docker calls its further bridges after their number.
    let bridge = |name: &str| name.strip_prefix("br-").is_some_and(|rest| rest.len() == 12 && rest.bytes().all(|b| b.is_ascii_hexdigit()));
    let card = |name: &str| is_of(name, &GUEST_CARDS) || bridge(name);
    let named = |pair: &[&str]| matches!(pair[0], "iifname" | "oifname" | "iif" | "oif" | "!=" | "{") || pair[0].ends_with(',');
    let mut cards = rule.words.windows(2).filter(|pair| named(pair)).filter_map(|pair| pair[1].strip_prefix('"'));
    is_of(rule.chain, &GUESTS)
        || rule.targets().any(|target| is_of(target, &GUESTS))
        || cards.any(|name| card(name.trim_end_matches(['"', ','])))
}

fn has_verdict(rule: &Rule<'_>, verdicts: &[&str]) -> bool {
    let word = |word: &&str| word.trim_matches(['"', ',']).to_lowercase();
    rule.words.iter().any(|said| verdicts.contains(&word(said).as_str()))
}

/// Of all that the rules say, in whatever order they were loaded. Which zone an interface belongs to comes and goes with the interface.
fn digest(rules: &[&Rule<'_>]) -> String {
    let lines: BTreeSet<String> = rules.iter().filter(|rule| !only_sorts(rule)).map(|rule| line(rule)).collect();
    sha256(lines.into_iter().collect::<Vec<_>>().join("\n").as_bytes())[..16].to_owned()
}

fn only_sorts(rule: &Rule<'_>) -> bool {
    let by_card = rule.words.iter().any(|word| matches!(*word, "iifname" | "oifname" | "iif" | "oif"));
    by_card && rule.targets().next().is_some() && !has_verdict(rule, &["accept", "drop", "reject"])
}

/// A rule in words that stay the same: the members of a set come in any order, and an interface given by its number is listed by its name only
/// while it is there.
fn line(rule: &Rule<'_>) -> String {
    let mut text = vec![rule.chain.to_owned()];
    let mut words = rule.words.iter().copied();
    while let Some(word) = words.next() {
        let by_number = matches!(text.last().map(String::as_str), Some("iif" | "oif"))
            || text.last().is_some_and(|last| last == "!=") && matches!(text.iter().rev().nth(1).map(String::as_str), Some("iif" | "oif"));
        let value = if word == "{" { members(&mut words) } else { word.to_owned() };
        text.push(if by_number && word != "!=" { "*".to_owned() } else { value });
    }
    text.join(" ")
}

/// The members of a set, sorted, up to its end.
fn members<'a>(words: &mut impl Iterator<Item = &'a str>) -> String {
    let inner: Vec<&str> = words.by_ref().take_while(|word| *word != "}").collect();
    let inner = inner.join(" ");
    let mut members: Vec<&str> = inner.split(", ").collect();
    members.sort_unstable();
    format!("{{{}}}", members.join(", "))
}

/// Tables, and rules: with `-a` every rule ends in its handle, and so do the openings of tables, chains and sets.
fn count(ruleset: &str) -> (u32, u32) {
    let (mut tables, mut rules) = (0, 0);
    for line in ruleset.lines().map(str::trim) {
        let Some((before, _)) = line.rsplit_once("# handle ") else { continue };
        if !before.trim_end().ends_with('{') {
            rules += 1;
        } else if before.starts_with("table ") {
            tables += 1;
        }
    }
    (tables, rules)
}

#[cfg(test)]
#[path = "firewall_tests.rs"]
mod tests;
