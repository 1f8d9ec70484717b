//! What is seen inside the sandbox, held against what is seen without it; and each line that the unit leaves out, put in.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Row, must};
use crate::Done;
use crate::container::PATIENCE;
use crate::ground::Ground;

pub(super) const CASES: &[Row] = &[
    ("a centre that is written into conf.d is watched at once, and enrolment is taken", enrolled),
    ("inside the sandbox no more is unseen than without it", compared),
    ("inside the sandbox every watcher that can be stirred here tells", told),
    ("each line that the unit leaves out for its watchers' sake would blind one", blinded),
    ("the drop-in for CAP_NET_ADMIN shows the firewall's rules", netadmin),
];

fn enrolled(ground: &mut Ground) -> Done<String> {
    ground.configure()?;
    ground.recorded("the new policy", PATIENCE, |records| records.events("policy-changed") > 0)?;
    ground.container.run("isonet enroll --by Li")?;
    let owner = ground.container.run("stat -c '%a %U:%G' /var/lib/isonet/baseline")?;
    must(owner == "640 isonet:isonet\n", || owner.clone())?;
    ground.container.run("systemctl reload isonet")?;
    let status = ground.watching()?;
    crate::container::until("the centre to be looked at", || (ground.status().ok()?["connected"] == true).then_some(()))?;
    Ok(format!("connected; isolation {}", status["isolation"].as_str().unwrap_or("?")))
}

/// The same user with the same rights and groups, without the unit.
const OUTSIDE: &str = "mkdir -p /run/isonet && chown isonet:isonet /run/isonet && \
    STATE_DIRECTORY=/var/lib/isonet RUNTIME_DIRECTORY=/run/isonet setpriv --reuid=isonet --regid=isonet --groups=isonet,adm,systemd-journal \
    --inh-caps=-all,+net_raw --ambient-caps=-all,+net_raw --bounding-set=-all,+net_raw /usr/bin/isonet run </dev/null >/dev/null 2>&1 & echo $!";

fn without_sandbox(ground: &Ground, start: &str) -> Done<BTreeSet<String>> {
    ground.container.run("systemctl stop isonet")?;
    ground.container.run(start)?;
    let blind = ground.blind();
    ground
        .container
        .run("pkill -TERM -x isonet; while pgrep -x isonet >/dev/null; do sleep 0.05; done; chown -R isonet:isonet /var/lib/isonet")?;
    ground.restart()?;
    blind
}

fn compared(ground: &mut Ground) -> Done<String> {
    let inside = ground.blind()?;
    let outside = without_sandbox(ground, OUTSIDE)?;
    must(inside == outside, || format!("inside {inside:#?}, without the sandbox {outside:#?}"))?;
    // And what root sees besides: what the rights alone keep from it.
    let root = "mkdir -p /run/isonet && /usr/bin/isonet run </dev/null >/dev/null 2>&1 & echo $!";
    let all = without_sandbox(ground, root)?;
    ground.watching()?;
    let lost: Vec<&str> = inside.difference(&all).map(|line| line.split(':').next().unwrap_or_default()).collect();
    must(all.is_subset(&inside), || format!("root sees less: {all:?} against {inside:?}"))?;
    Ok(format!("unseen both ways: {}; of this for want of rights: {}", brief(&inside), lost.join(", ")))
}

fn brief(blind: &BTreeSet<String>) -> String {
    let names: Vec<&str> = blind.iter().map(|line| line.split(':').next().unwrap_or_default()).collect();
    names.join(", ")
}

/// What is staged, the finding that is due, and the way back.
const STIRRED: &[(&str, &str, &str)] = &[
    ("hostname till-9", "settings.hostname", "hostname till"),
    ("cp /etc/hosts /tmp/hosts && echo 10.9.9.9 settlement >>/etc/hosts", "settings.hosts", "cat /tmp/hosts >/etc/hosts"),
    (
        "cp /etc/resolv.conf /tmp/resolv && echo nameserver 10.79.1.9 >/etc/resolv.conf",
        "settings.resolver",
        "cat /tmp/resolv >/etc/resolv.conf",
    ),
    (
        "ip link add u0 type veth peer name u1 && ip link set u0 up && ip link set u1 up && ip addr add 10.80.1.2/24 dev u0 && \
      ip route add default via 10.80.1.1 metric 50",
        "isolation.",
        "ip link del u0",
    ),
];

fn told(ground: &mut Ground) -> Done<String> {
    ground.watching()?;
    // By the kernel's word, while it runs.
    let mut seen = Vec::new();
    for (stage, code, heal) in STIRRED {
        let before = ground.records()?.incidents(code, "opened").len();
        ground.container.run(stage)?;
        let begin = std::time::Instant::now();
        let found = ground.recorded(code, Duration::from_secs(20), |records| records.incidents(code, "opened").len() > before);
        ground.container.run(heal)?;
        found?;
        seen.push(format!("{code} {} ms", begin.elapsed().as_millis()));
    }
    // By a look, which a start brings: programs of others, forwarding.
    ground.container.run("cp /bin/sleep /tmp/teamviewer && (setsid setpriv --reuid=li --regid=li --clear-groups /tmp/teamviewer 600 </dev/null >/dev/null 2>&1 &)")?;
    ground.network.switch("net.ipv4.ip_forward=1")?;
    ground.container.run("ln -sf /usr/share/zoneinfo/Asia/Tokyo /etc/localtime")?;
    ground.restart()?;
    for code in ["software.forbidden", "extension.forwarding", "clock.timezone"] {
        let found = ground.recorded(code, PATIENCE, |records| !records.incidents(code, "opened").is_empty());
        if let Err(why) = found {
            return Err(format!("{why}; {:?}", ground.status()?["open_incidents"]));
        }
        seen.push(code.to_owned());
    }
    ground.container.run("pkill -x teamviewer")?;
    ground.network.switch("net.ipv4.ip_forward=0")?;
    ground.container.run("ln -sf /usr/share/zoneinfo/Etc/UTC /etc/localtime")?;
    // What a user has set in his home is read, where the home lets it.
    let pid = ground.pid()?;
    let enter = |script: &str| format!("nsenter -t {pid} -m setpriv --reuid=isonet --regid=isonet --clear-groups sh -c '{script}'");
    ground.container.run(&enter("cat /home/li/.profile >/dev/null"))?;
    let writes =
        ground.container.tried(&enter("for place in /etc /usr /home/li /var/lib /boot; do touch $place/x && echo $place; done; true"))?;
    must(writes.out.is_empty(), || format!("it may write in {}", writes.out))?;
    Ok(format!("{}; homes are read, nothing beside its own directories is written", seen.join(", ")))
}

/// A line that other services have, and what it must show as blind here: part of a line of the status, or `hostname`, which only a change shows.
const BLINDING: &[(&str, &str)] = &[
    ("ProtectProc=invisible", ""),
    ("ProcSubset=pid", ""),
    ("ProtectClock=yes", "clock"),
    ("SystemCallFilter=~adjtimex clock_adjtime", "clock"),
    ("RestrictAddressFamilies=\nRestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_PACKET", "network"),
    ("PrivateUsers=yes", ""),
    ("ProtectHostname=yes", "hostname"),
];

fn blinded(ground: &mut Ground) -> Done<String> {
    let usual = sight(ground)?;
    let mut shown = Vec::new();
    let mut seeing = Vec::new();
    for (lines, what) in BLINDING {
        ground.unit("blinding", lines)?;
        ground.restart()?;
        let sight = sight(ground);
        let name = lines.lines().last().unwrap_or_default();
        match sight {
            Ok(sight) if sight != usual && sight.iter().any(|line| line.contains(what)) => {
                let more: BTreeSet<String> = sight.difference(&usual).cloned().collect();
                shown.push(format!("{name}: {}", brief(&more)));
            }
            Ok(sight) => seeing.push(format!("{name} ({what}): {sight:?}")),
            // Not even to be asked.
            Err(why) => shown.push(format!("{name}: {}", why.lines().next().unwrap_or_default())),
        }
    }
    ground.unit("blinding", "")?;
    ground.restart()?;
    must(self::sight(ground)? == usual, || "it does not see again".to_owned())?;
    must(seeing.is_empty(), || format!("nothing is lost by: {seeing:#?}; lost by others: {shown:#?}"))?;
    Ok(shown.join("; "))
}

/// All that is not seen: what it says itself, the listed program, and the host's name if a change of it is not told.
fn sight(ground: &Ground) -> Done<BTreeSet<String>> {
    let begin = ground.records()?;
    let mut unseen = ground.blind()?;
    let said = ground.container.run(&format!(
        "isonet diagnose --json >/dev/null; {} ask /run/isonet/control.sock 'GET /v1/diagnosis HTTP/1.1\\nHost: isonet\\n\\n'",
        inside()
    ))?;
    let body: serde_json::Value = said.split("\r\n\r\n").nth(1).and_then(|body| serde_json::from_str(body.trim()).ok()).unwrap_or_default();
    for gap in body["blind"].as_array().ok_or(format!("no diagnosis: {said}"))? {
        unseen.insert(format!("{}: {}", gap["what"].as_str().unwrap_or("?"), gap["because"].as_str().unwrap_or("?")));
    }
    let count = |records: &crate::records::Records| {
        records.incidents("settings.hostname", "opened").len() + records.incidents("settings.hostname", "updated").len()
    };
    ground.container.run("hostname till-8")?;
    let told = ground.recorded("the host's name", Duration::from_secs(6), |records| count(records) > count(&begin));
    ground.container.run("hostname till")?;
    if told.is_err() {
        unseen.insert("hostname: a change is not told".to_owned());
    }
    Ok(unseen)
}

fn inside() -> String {
    format!("{}/inside {}", crate::container::FILES, crate::inside::WORD)
}

fn netadmin(ground: &mut Ground) -> Done<String> {
    let usual = ground.blind()?;
    let lines = include_str!("../../../systemd/isonet-netadmin.conf");
    ground.container.write("/etc/systemd/system/isonet.service.d/netadmin.conf", lines)?;
    ground.container.run("systemctl daemon-reload")?;
    ground.restart()?;
    let more = ground.blind()?;
    ground.unit("netadmin", "")?;
    ground.restart()?;
    let gone: BTreeSet<String> = usual.difference(&more).cloned().collect();
    must(!gone.is_empty() && more.is_subset(&usual), || format!("{usual:?}, with it {more:?}"))?;
    must(!more.iter().any(|line| line.contains("CAP_NET_ADMIN")), || format!("{more:?}"))?;
    Ok(format!("no longer unseen: {}", brief(&gone)))
}
