//! A local user without the group: what he tries, and what becomes of it.

use std::time::{Duration, Instant};

use super::{Row, must};
use crate::Done;
use crate::container::{FILES, Said, tried};
use crate::ground::Ground;
use crate::inside::WORD;

pub(super) const CASES: &[Row] = &[
    ("a local user without the group reads nothing that is not for him", reads_nothing),
    ("a local user cannot end, stop, trace, or pretend to be the service", touches_nothing),
    ("a local user who floods the public socket costs others a moment at most, and fills nothing", floods),
];

const CLERK: [&str; 3] = ["--reuid=clerk", "--regid=clerk", "--clear-groups"];

fn as_clerk(ground: &Ground, script: &str) -> Done<Said> {
    tried(&mut ground.container.command_of(&CLERK, script))
}

/// Each of these must fail.
fn all_fail(ground: &Ground, tries: &[(&str, String)]) -> Done<String> {
    for (what, script) in tries {
        let said = as_clerk(ground, script)?;
        must(said.code != 0, || format!("{what} is possible: {script}: {}", said.out))?;
    }
    Ok(tries.iter().map(|(what, _)| *what).collect::<Vec<_>>().join("; "))
}

fn reads_nothing(ground: &mut Ground) -> Done<String> {
    ground.watching()?;
    let pid = ground.pid()?;
    ground.container.run("install -m 640 -g isonet /dev/null /etc/isonet/client.key && echo secret >/etc/isonet/client.key")?;
    let read = |path: &str| format!("cat {path} >/dev/null");
    let told = all_fail(
        ground,
        &[
            ("list the state", "ls /var/lib/isonet".to_owned()),
            ("read the records", read("/var/lib/isonet/spool/*")),
            ("read the baseline", read("/var/lib/isonet/baseline")),
            ("read a key of 0640 for the group", read("/etc/isonet/client.key")),
            ("verify the log", "isonet verify-log".to_owned()),
            ("see incidents", "isonet incidents".to_owned()),
            ("give a grant", "isonet grant usb --until 23:59 --by X --reason Y".to_owned()),
            (
                "the control socket",
                format!("{FILES}/inside {WORD} ask /run/isonet/control.sock 'GET /v1/status HTTP/1.1\\nHost: isonet\\n\\n'"),
            ),
            ("the process's environment", read(&format!("/proc/{pid}/environ"))),
            ("its memory", read(&format!("/proc/{pid}/mem"))),
            ("its map", read(&format!("/proc/{pid}/maps"))),
            ("its files", format!("ls /proc/{pid}/fd/ | grep .")),
            ("its root", format!("ls /proc/{pid}/root/")),
        ],
    )?;
    enrols_nothing(ground)?;
    for path in [
        "/v1/incidents",
        "/v1/world",
        "/v1/diagnosis",
        "/metrics",
        "/v1/grants",
        "/v1/records",
        "/v1/status/../incidents",
        "//v1/incidents",
    ] {
        let said =
            as_clerk(ground, &format!("{FILES}/inside {WORD} ask /run/isonet/public.sock 'GET {path} HTTP/1.1\\nHost: isonet\\n\\n'"))?;
        must(!said.out.starts_with("HTTP/1.1 200"), || format!("{path}: {}", said.out))?;
    }
    let order = "POST /v1/grants HTTP/1.1\\nHost: isonet\\nContent-Length: 2\\n\\n{}";
    let said = as_clerk(ground, &format!("{FILES}/inside {WORD} ask /run/isonet/public.sock '{order}'"))?;
    must(!said.out.starts_with("HTTP/1.1 2"), || said.out.clone())?;
    Ok(format!("refused: {told}; enrol; at the public socket all but /v1/status"))
}

/// Neither where he is at home nor where the service is.
fn enrols_nothing(ground: &Ground) -> Done<()> {
    let baseline =
        |ground: &Ground| ground.container.run("sha256sum /var/lib/isonet/baseline; stat -c '%Y %i %U %a' /var/lib/isonet/baseline");
    // Enrolled, so that there is something to overwrite.
    ground.container.tried("isonet enroll --by Wang")?;
    let before = baseline(ground)?;
    for arguments in ["--by X", "--update --by X --reason Y", "--show"] {
        let said = as_clerk(ground, &format!("STATE_DIRECTORY=/var/lib/isonet isonet enroll {arguments} --lang en"))?;
        must(said.code == 77 && said.out.is_empty() && said.err.contains("sudo"), || format!("enroll {arguments}: {said:?}"))?;
        as_clerk(ground, &format!("HOME=/tmp/clerk isonet enroll {arguments}; rm -rf /tmp/clerk"))?;
        must(baseline(ground)? == before, || format!("enroll {arguments} changed what is enrolled"))?;
    }
    Ok(())
}

fn touches_nothing(ground: &mut Ground) -> Done<String> {
    ground.watching()?;
    let (pid, before) = (ground.pid()?, ground.records()?);
    let told = all_fail(
        ground,
        &[
            ("TERM", format!("kill -TERM {pid}")),
            ("KILL", format!("kill -KILL {pid}")),
            ("STOP", format!("kill -STOP {pid}")),
            ("HUP", format!("kill -HUP {pid}")),
            ("other limits", format!("prlimit --pid {pid} --nofile=3")),
            ("another priority", format!("renice -n 19 {pid}")),
            ("a file beside the sockets", "touch /run/isonet/x".to_owned()),
            ("a link in place of a socket", "ln -sf /tmp/x /run/isonet/public.sock".to_owned()),
            ("the lock", "exec 9<>/run/isonet/lock".to_owned()),
            ("a pipe in the state", "mkfifo /var/lib/isonet/x".to_owned()),
            ("a drop-in", "touch /etc/isonet/conf.d/x.toml".to_owned()),
            ("stop by systemctl", "systemctl --no-ask-password stop isonet".to_owned()),
            ("a forged event of the kernel", format!("{FILES}/inside {WORD} uevent {pid}")),
            ("the same as root of a user namespace", format!("unshare -Ur {FILES}/inside {WORD} uevent {pid}")),
            (
                "another daemon on the same directories",
                "STATE_DIRECTORY=/var/lib/isonet RUNTIME_DIRECTORY=/run/isonet timeout 5 isonet run".to_owned(),
            ),
        ],
    )?;
    // These are let through by the system, and must change nothing.
    let said = |socket: &str, text: &str| as_clerk(ground, &format!("{FILES}/inside {WORD} datagram {socket} '{text}'"));
    said("/run/systemd/notify", "STOPPING=1\\nERRNO=5\\nWATCHDOG=trigger\\nMAINPID=1\\nSTATUS=forged")?;
    said(
        "/run/systemd/journal/socket",
        "SYSLOG_IDENTIFIER=isonet\\n_SYSTEMD_UNIT=isonet.service\\nUNIT=isonet.service\\nMESSAGE=forged by a user",
    )?;
    as_clerk(
        ground,
        "for d in isonet isonet.service systemd-private-isonet; do mkfifo /tmp/$d; ln -s /etc/shadow /tmp/.$d; done; mkdir -p /dev/shm/isonet",
    )?;
    as_clerk(
        ground,
        "printf '#!/bin/sh\\nsleep 20\\n' >\"/tmp/$(printf 'x\\033[2J) 1 2\\nopenvpn')\"; chmod 755 /tmp/x*; (setsid /tmp/x* </dev/null >/dev/null 2>&1 &) ",
    )?;
    ground.container.run("systemctl reload isonet; isonet status >/dev/null")?;
    ground.watching()?;
    must(ground.pid()? == pid && ground.property("ActiveState")? == "active", || "it is another process".to_owned())?;
    must(!ground.property("StatusText")?.contains("forged"), || "the manager believed him".to_owned())?;
    let forged = ground.container.run("journalctl _SYSTEMD_UNIT=isonet.service --no-pager -o cat | grep -c forged || true")?;
    must(forged.trim() == "0", || "the journal takes his word for the service's".to_owned())?;
    ground
        .container
        .run("isonet stop 2>/dev/null; rm -rf /tmp/isonet* /tmp/.isonet* /tmp/x* /tmp/systemd-private-isonet /dev/shm/isonet; true")?;
    let after = ground.records()?;
    must(after.continues(&before) && after.incidents("", "opened").len() == before.incidents("", "opened").len(), || {
        "something was told".to_owned()
    })?;
    ground.log_is_whole()?;
    Ok(format!(
        "refused: {told}; of no effect: words to systemd's and the journal's sockets in the service's name, pipes and links in /tmp, a program with a hostile name"
    ))
}

fn floods(ground: &mut Ground) -> Done<String> {
    ground.watching()?;
    let (pid, before) = (ground.pid()?, ground.records()?);
    let lines = |ground: &Ground| -> Done<usize> { Ok(ground.container.run("journalctl -u isonet --no-pager -o cat")?.lines().count()) };
    let used = |ground: &Ground| ground.container.run("du -sk /var/lib/isonet /run/isonet | awk '{ sum += $1 } END { print sum }'");
    let (said_before, used_before) = (lines(ground)?, used(ground)?);
    let mut crowd = ground.container.command_of(&CLERK, &format!("{FILES}/inside {WORD} crowd /run/isonet/public.sock 6"));
    let crowd = crowd.stdout(std::process::Stdio::piped()).spawn().map_err(|e| e.to_string())?;
    let begin = Instant::now();
    let mut slowest = [Duration::ZERO; 2];
    let mut failed = 0;
    let mut asked = 0;
    while begin.elapsed() < Duration::from_secs(5) {
        for (who, slowest) in [
            ground.container.command("timeout 15 isonet status"),
            ground.container.command_of(&["--reuid=li", "--regid=li", "--clear-groups"], "timeout 15 isonet status"),
        ]
        .iter_mut()
        .zip(&mut slowest)
        {
            let begin = Instant::now();
            failed += usize::from(tried(who)?.code != 0);
            asked += 1;
            *slowest = (*slowest).max(begin.elapsed());
        }
    }
    let came = crowd.wait_with_output().map_err(|e| e.to_string())?;
    let came = String::from_utf8_lossy(&came.stdout).trim().to_owned();
    must(failed == 0, || format!("{failed} of {asked} questions of others were not answered"))?;
    must(slowest[0] < Duration::from_secs(3) && slowest[1] < Duration::from_secs(10), || format!("{slowest:?}"))?;
    must(ground.pid()? == pid, || "it ended".to_owned())?;
    let (said, grown) = (lines(ground)? - said_before, used(ground)?);
    must(said < 50, || format!("{said} lines in the journal"))?;
    let after = ground.records()?;
    must(after.incidents("", "opened").len() == before.incidents("", "opened").len(), || "an incident was opened by it".to_owned())?;
    let memory =
        ground.property("MainPID").and_then(|pid| ground.container.run(&format!("awk '/VmRSS/ {{ print $2 }}' /proc/{pid}/status")))?;
    Ok(format!(
        "{came} connections in 6 s (half, nonsense, endless, untaken): root waits {} ms at most, another clerk {} ms; {said} lines in the journal, \
         state and sockets {} then {} KiB, {} KiB of memory",
        slowest[0].as_millis(),
        slowest[1].as_millis(),
        used_before.trim(),
        grown.trim(),
        memory.trim()
    ))
}
