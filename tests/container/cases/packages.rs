//! Install, upgrade, remove, purge.

use std::time::{Duration, Instant};

use super::{Row, must};
use crate::Done;
use crate::container::{PATIENCE, until};
use crate::ground::Ground;

pub(super) const FIRST: &[Row] = &[
    ("once installed it is active within two seconds", installed),
    ("the unit says nothing wrong to systemd and is exposed no more than it says", analysed),
    ("it listens at the declared sockets only", sockets),
    ("status answers root and the group, and tells others what a clerk may see", audience),
];

pub(super) const LAST: &[Row] = &[
    ("an upgrade with an incident open loses nothing and opens nothing again", upgraded),
    ("a terminal that leaves ships its last record, does not start by accident, and comes back enrolled", retired),
    ("removed and installed again it goes on with its own log", reinstalled),
    ("a purge leaves nothing of it", purged),
    ("a first start with a bad file waits for a good one, and needs no hand then", first_start),
];

fn installed(ground: &mut Ground) -> Done<String> {
    let begin = Instant::now();
    ground.install(&ground.old)?;
    let took = begin.elapsed();
    // Whatever is left to wait for after dpkg is done.
    until("the service", || (ground.property("ActiveState").ok()? == "active").then_some(()))?;
    let late = begin.elapsed().saturating_sub(took);
    let stamp = |name: &str| ground.property(name)?.parse::<u64>().map_err(|e| format!("{name}: {e}"));
    let start = Duration::from_micros(stamp("ActiveEnterTimestampMonotonic")?.saturating_sub(stamp("InactiveExitTimestampMonotonic")?));
    must(late + start < Duration::from_secs(2), || format!("started in {start:?}, {late:?} after dpkg"))?;
    ground.container.run("systemctl is-enabled isonet")?;
    ground.container.run("isonet status")?;
    Ok(format!("dpkg took {} ms, of which the start {} ms; active when it was done", took.as_millis(), start.as_millis()))
}

fn analysed(ground: &mut Ground) -> Done<String> {
    let said = ground.container.tried("systemd-analyze verify /lib/systemd/system/isonet.service")?;
    must(said.code == 0 && said.out.is_empty() && said.err.is_empty(), || format!("verify: {}{}", said.out, said.err))?;
    let security = ground.container.run("systemd-analyze security --no-pager isonet")?;
    let level = security.lines().find_map(|line| line.split("isonet.service: ").nth(1)).unwrap_or_default();
    let figure: f64 = level.split(' ').next().unwrap_or_default().parse().map_err(|e| format!("{security}: {e}"))?;
    must(figure <= 2.5, || security.clone())?;
    let asked: Vec<String> =
        security.lines().filter_map(|line| line.strip_prefix("✗ ")?.split_whitespace().next().map(str::to_owned)).collect();
    Ok(format!("verify is silent; security: {figure}, counted: {}", asked.join(" ")))
}

fn sockets(ground: &mut Ground) -> Done<String> {
    let pid = ground.pid()?;
    let listening = ground.container.run(&format!("ss -Hlxtunp | grep 'pid={pid},'"))?;
    let mut told: Vec<String> = Vec::new();
    for line in listening.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        // A datagram socket without a name only speaks.
        if let ["u_dgr", "UNCONN", _, _, "*", ..] = fields.as_slice() {
            continue;
        }
        told.push(format!("{} {}", fields[0], fields[4]));
    }
    told.sort();
    // Of ports the page's alone, on loopback.
    let declared = ["tcp 127.0.0.1:8787", "u_str /run/isonet/control.sock", "u_str /run/isonet/public.sock"];
    must(told == declared, || listening.clone())?;
    let files = ground.container.run(&format!("lsof -nP -p {pid} -a -i -sTCP:LISTEN -Fn | grep '^n' || true"))?;
    must(files.trim() == "n127.0.0.1:8787", || files.clone())?;
    let modes = ground.container.run("stat -c '%a %U:%G %n' /run/isonet/*.sock /var/lib/isonet")?;
    let wanted =
        "660 isonet:isonet /run/isonet/control.sock\n666 isonet:isonet /run/isonet/public.sock\n750 isonet:isonet /var/lib/isonet\n";
    must(modes == wanted, || modes.clone())?;
    Ok("control.sock 0660, public.sock 0666; one port, 127.0.0.1:8787; the state 0750".to_owned())
}

fn audience(ground: &mut Ground) -> Done<String> {
    ground.watching()?;
    let asks = |identity: &[&str]| -> Done<serde_json::Value> {
        let said = crate::container::tried(&mut ground.container.command_of(identity, "isonet status --json"))?;
        serde_json::from_str(&said.out).map_err(|e| format!("{identity:?}: {e}: {}{}", said.out, said.err))
    };
    let root = asks(&[])?;
    let member = asks(&["--reuid=li", "--regid=li", "--groups=isonet"])?;
    let clerk = asks(&["--reuid=clerk", "--regid=clerk", "--clear-groups"])?;
    for (who, status) in [("root", &root), ("a member of isonet", &member)] {
        must(status["view"] == "whole" && status["agent"].is_object(), || format!("{who}: {status}"))?;
    }
    must(clerk["view"] == "clerk" && clerk["agent"].is_null(), || format!("a clerk: {clerk}"))?;
    Ok("root and a member of isonet: all; a clerk: the answer alone".to_owned())
}

const CENTRE: &str = "upgraded";
const OUTAGE: &str = "disconnection:upgraded";

fn upgraded(ground: &mut Ground) -> Done<String> {
    ground.watching()?;
    ground.network.cut(CENTRE)?;
    let before = ground.recorded("an incident", PATIENCE, |records| !records.incidents(OUTAGE, "opened").is_empty())?;
    let opened = before.incidents(OUTAGE, "opened").len();
    let version = |ground: &Ground| ground.container.run("dpkg-query -W -f '${Version}' isonet");
    let from = version(ground)?;
    ground.install(&ground.new)?;
    let to = version(ground)?;
    must(from != to, || format!("{from} and {to}"))?;
    ground.watching()?;
    ground.network.mend(CENTRE)?;
    let after = ground.recorded("its end", PATIENCE, |records| {
        records.continues(&before) && records.incidents(OUTAGE, "resolved").len() > before.incidents(OUTAGE, "resolved").len()
    })?;
    must(after.epochs().len() == 1, || format!("{:?}", after.epochs()))?;
    must(after.incidents(OUTAGE, "opened").len() == opened, || "opened again".to_owned())?;
    must(after.events("stopped") > before.events("stopped") && after.events("gap") == before.events("gap"), || {
        "it did not end in order".to_owned()
    })?;
    must(ground.container.run("cat /etc/isonet/conf.d/50-site.toml")?.contains("settlement"), || "the configuration is gone".to_owned())?;
    ground.log_is_whole()?;
    Ok(format!(
        "{from} to {to}: {} records kept and {} more, one epoch, no gap, the incident closed under its id",
        before.lines.len(),
        after.lines.len() - before.lines.len()
    ))
}

fn retired(ground: &mut Ground) -> Done<String> {
    let run = |command: &str| ground.container.run(command);
    ground.watching()?;
    // Who may ask everything may not end it.
    let member = ["--reuid=li", "--regid=li", "--groups=isonet"];
    let words = "HOME=/home/li isonet --lang en retire --yes --by Li --reason closed";
    let refused = crate::container::tried(&mut ground.container.command_of(&member, words))?;
    must(refused.code == 77 && refused.err.contains("Only root"), || format!("a member of isonet: {refused:?}"))?;
    // The journal takes whatever it is given.
    let begin = Instant::now();
    let report = run("rm -rf /root/out; mkdir /root/out; isonet --lang en retire --yes --by Wang --reason closed --out /root/out")?;
    let took = begin.elapsed();
    for words in ["Shipped, all of it, to: journal", "does not start with the PC any more", "exported and checked"] {
        must(report.contains(words), || format!("no {words:?} in\n{report}"))?;
    }
    must(!report.contains("Not done"), || report.clone())?;
    run("isonet verify-log /root/out/isonet-retired-*")?;
    let journal = run("journalctl -o cat -u isonet ISONET_CODE=agent.stopped -n 1")?;
    must(journal.contains("taken out of service") && journal.contains("Wang"), || format!("the journal's last: {journal}"))?;
    // Whoever starts it, by whatever way.
    let enabled = ground.container.tried("systemctl is-enabled isonet")?;
    must(enabled.out.trim() == "disabled", || format!("{enabled:?}"))?;
    run("systemctl start isonet; systemctl enable --now isonet 2>&1; true")?;
    let state = (ground.property("ActiveState")?, ground.property("ConditionResult")?);
    must(state == ("inactive".to_owned(), "no".to_owned()), || format!("started: {state:?}"))?;
    let by_hand = ground.container.tried("isonet --lang en run")?;
    must(by_hand.code == 78 && by_hand.err.contains("taken out of service"), || format!("{by_hand:?}"))?;
    // An upgrade of the package wakes it up no more.
    ground.install(&ground.new)?;
    must(ground.property("ActiveState")? == "inactive", || "an upgrade started it".to_owned())?;
    let again = run("isonet --lang en enroll --update --by Li --reason back; systemctl enable --now isonet 2>&1")?;
    must(again.contains("had left service"), || again.clone())?;
    ground.watching()?;
    run("isonet verify-log")?;
    Ok(format!("retired in {} ms, with its unit; back after it was enrolled", took.as_millis()))
}

fn reinstalled(ground: &mut Ground) -> Done<String> {
    let before = ground.records()?;
    ground.container.run("dpkg -r isonet")?;
    must(ground.container.tried("systemctl is-active isonet")?.out.trim() != "active", || "it is still active".to_owned())?;
    ground.container.run(
        "test -d /var/lib/isonet/spool && test -e /etc/isonet/isonet.toml && test -e /var/lib/isonet/baseline && ! test -e /run/isonet",
    )?;
    ground.install(&ground.new)?;
    ground.watching()?;
    let after = ground.recorded("the next start", PATIENCE, |records| {
        records.continues(&before) && records.events("started") > before.events("started")
    })?;
    must(after.epochs() == before.epochs(), || format!("{:?}", after.epochs()))?;
    ground.log_is_whole()?;
    Ok(format!("{} records kept, the same epoch and chain, the baseline still there", before.lines.len()))
}

fn purged(ground: &mut Ground) -> Done<String> {
    ground.container.run("dpkg -P isonet")?;
    let left = ground
        .container
        .tried("ls -d /var/lib/isonet /etc/isonet /run/isonet /usr/bin/isonet /lib/systemd/system/isonet.service 2>/dev/null")?
        .out;
    must(left.is_empty(), || left.clone())?;
    let running = ground.container.tried("systemctl show -p LoadState --value isonet; pgrep -x isonet")?.out;
    Ok(format!("no file of it is left; the unit is {}", running.trim()))
}

fn first_start(ground: &mut Ground) -> Done<String> {
    ground.container.write("/etc/isonet/conf.d/99-bad.toml", "nonsense = 1")?;
    let said = ground.install(&ground.new)?;
    let state = ground.property("ActiveState")?;
    must(state != "active", || "it runs on a configuration that nobody wrote".to_owned())?;
    let log = ground.container.run("journalctl -u isonet --no-pager -o cat")?;
    must(log.contains("99-bad.toml:1:1"), || log.clone())?;
    ground.container.run("rm /etc/isonet/conf.d/99-bad.toml")?;
    let begin = Instant::now();
    until("the service", || (ground.property("ActiveState").ok()? == "active").then_some(()))?;
    Ok(format!(
        "dpkg ends with {}, the journal names file and line; {} ms after the file is mended it is active",
        said.code,
        begin.elapsed().as_millis()
    ))
}
