//! The notices' unit under a real user's manager, on a session bus of that user's. What a desktop does to it is done by a unit that wants the
//! graphical session, as desktops do; who shows notices is a part of this program.

use std::time::Duration;

use super::{Row, must};
use crate::Done;
use crate::container::{FILES, tried, until};
use crate::ground::Ground;
use crate::inside::WORD;

pub(super) const CASES: &[Row] = &[
    ("a user's manager has the notices' unit enabled, and starts it for no session without a desktop", enabled),
    ("in a session where nobody shows notices it runs in its sandbox, and sleeps", sleeps),
    ("once somebody shows notices an outage is told, once, and goes with its end", tells),
    ("it ends with the session, and well", ends),
    ("without a bus it ends well and is not started again; one that does not answer is given up", without_a_bus),
];

const UNIT: &str = "isonet-notify.service";
const SHOWN: &str = "/home/li/shown";
const CENTRE: &str = "noticed";

/// As who sits at the PC, in what is his.
fn as_li(ground: &Ground, script: &str) -> Done<String> {
    let script = format!(
        "export HOME=/home/li XDG_RUNTIME_DIR=/run/user/$(id -u) DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/$(id -u)/bus; cd; {script}"
    );
    let said = tried(&mut ground.container.command_of(&["--reuid=li", "--regid=li", "--init-groups"], &script))?;
    if said.code == 0 { Ok(said.out) } else { Err(format!("`{script}` ended with {}: {}{}", said.code, said.out, said.err)) }
}

fn property(ground: &Ground, name: &str) -> Done<String> {
    Ok(as_li(ground, &format!("systemctl --user show -p {name} --value {UNIT}"))?.trim().to_owned())
}

fn is(ground: &Ground, name: &str, wanted: &str) -> Option<()> {
    (property(ground, name).ok()? == wanted).then_some(())
}

fn enabled(ground: &mut Ground) -> Done<String> {
    ground.watching()?;
    ground.container.run("loginctl enable-linger li")?;
    until("li's manager", || as_li(ground, "systemctl --user is-system-running --wait").ok())?;
    let said =
        as_li(ground, &format!("systemctl --user is-enabled {UNIT}; systemd-analyze --user verify /usr/lib/systemd/user/{UNIT} 2>&1"))?;
    must(said.trim() == "enabled", || said.clone())?;
    must(is(ground, "ActiveState", "inactive").is_some(), || "it runs though nobody is at the screen".to_owned())?;
    Ok("enabled by the package, verify is silent, inactive without a graphical session".to_owned())
}

fn sleeps(ground: &mut Ground) -> Done<String> {
    let place = ".config/systemd/user";
    as_li(
        ground,
        &format!(
            "mkdir -p {place} && printf '[Unit]\\nBindsTo=graphical-session.target\\nBefore=graphical-session.target\\n[Service]\\n\
             ExecStart=/bin/sleep infinity\\n' >{place}/desktop.service && printf '[Service]\\nExecStart={FILES}/inside {WORD} desktop {SHOWN}\\n' \
             >{place}/shows.service && systemctl --user daemon-reload && systemctl --user start desktop"
        ),
    )?;
    until("the unit", || is(ground, "ActiveState", "active"))?;
    let pid = property(ground, "MainPID")?;
    let held = ground.container.run(&format!("grep -E '^(NoNewPrivs|Seccomp):' /proc/{pid}/status | tr -s '\\t\\n' ' '"))?;
    must(held.trim() == "NoNewPrivs: 1 Seccomp: 2", || held.clone())?;
    let woken = |ground: &Ground| ground.container.run(&format!("cat /proc/{pid}/task/*/status | grep ^voluntary")).ok();
    let mut before = woken(ground);
    until("its sleep", || {
        std::thread::sleep(Duration::from_secs(1));
        let now = woken(ground);
        (std::mem::replace(&mut before, now.clone()) == now && now.is_some()).then_some(())
    })?;
    std::thread::sleep(Duration::from_secs(5));
    must(woken(ground) == before, || "it wakes up though there is nothing to do".to_owned())?;
    must(property(ground, "NRestarts")? == "0" && property(ground, "MainPID")? == pid, || "it was started again".to_owned())?;
    let said = log(ground)?;
    must(said.is_empty(), || said)?;
    Ok(format!("{}; not awake once in five seconds", held.trim()))
}

/// What the unit wrote.
fn log(ground: &Ground) -> Done<String> {
    ground.container.run("journalctl --no-pager -o cat _SYSTEMD_USER_UNIT=isonet-notify.service")
}

fn shown(ground: &Ground) -> Vec<String> {
    let text = ground.container.run(&format!("cat {SHOWN} 2>/dev/null || true")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn tells(ground: &mut Ground) -> Done<String> {
    as_li(ground, "systemctl --user start shows")?;
    ground.network.cut(CENTRE)?;
    let told = until("a notice", || Some(shown(ground)).filter(|told| !told.is_empty()));
    ground.network.mend(CENTRE)?;
    let told = told.map_err(|why| format!("{why}: {:?} {}", property(ground, "ActiveState"), log(ground).unwrap_or_default()))?;
    until("its end", || (ground.status().ok()?["connected"] == true).then_some(()))?;
    must(told.len() == 1 && told[0].starts_with("Some(Ok(1)) | You cannot settle now | "), || format!("{told:?}"))?;
    Ok(told[0].clone())
}

fn ends(ground: &mut Ground) -> Done<String> {
    as_li(ground, "systemctl --user stop desktop")?;
    until("its end", || is(ground, "ActiveState", "inactive"))?;
    must(is(ground, "Result", "success").is_some(), || format!("{:?}", property(ground, "Result")))?;
    Ok("with the graphical session, result success".to_owned())
}

/// A drop-in of the unit for what is not so in this container; none where there are no lines.
fn drop_in(ground: &Ground, lines: &str) -> Done {
    let place = format!(".config/systemd/user/{UNIT}.d");
    let write =
        if lines.is_empty() { String::new() } else { format!("mkdir {place} && printf '[Service]\\n{lines}' >{place}/test.conf && ") };
    as_li(ground, &format!("systemctl --user stop desktop; rm -rf {place}; {write}systemctl --user daemon-reload")).map(drop)
}

/// Nothing to do, and no reason to try again; a bus that does not answer is tried some times.
fn without_a_bus(ground: &mut Ground) -> Done<String> {
    drop_in(ground, "Environment=DBUS_SESSION_BUS_ADDRESS=\\nRestartSec=100ms\\n")?;
    as_li(ground, "systemctl --user start desktop")?;
    let ran = until("its end", || {
        let ran = property(ground, "ExecMainExitTimestampMonotonic").ok()?;
        (ran != "0" && is(ground, "ActiveState", "inactive").is_some()).then_some(ran)
    })?;
    std::thread::sleep(Duration::from_secs(2));
    must(property(ground, "NRestarts")? == "0" && property(ground, "ExecMainExitTimestampMonotonic")? == ran, || {
        "started again".to_owned()
    })?;
    must(is(ground, "Result", "success").is_some(), || format!("{:?}", property(ground, "Result")))?;
    let said = log(ground)?;
    must(said.is_empty(), || said)?;

    drop_in(ground, "Environment=DBUS_SESSION_BUS_ADDRESS=unix:path=/nowhere\\nRestartSec=100ms\\n")?;
    as_li(ground, "systemctl --user start desktop")?;
    until("the last try", || is(ground, "ActiveState", "failed"))?;
    let (tries, said) = (log(ground)?.lines().count(), log(ground)?);
    must((2..=5).contains(&tries) && said.lines().all(|line| line.contains("/nowhere")), || said.clone())?;
    as_li(ground, &format!("systemctl --user stop desktop shows; systemctl --user reset-failed {UNIT}"))?;
    drop_in(ground, "")?;
    ground.container.run("loginctl disable-linger li")?;
    Ok(format!(
        "none: result success, not started again; one that does not answer: {tries} tries, \"{}\"",
        said.lines().next().unwrap_or_default()
    ))
}
