//! Reload, a bad file, the level of the log, the journal's explanations.

use super::{Row, must};
use crate::Done;
use crate::container::{PATIENCE, until};
use crate::ground::Ground;

pub(super) const CASES: &[Row] = &[
    ("a reload takes what has changed, and says what is watched less", reloaded),
    ("a reload of a bad file fails, and the configuration in force stays", refused),
    ("with a bad file at a start the configuration that was last in force goes on", started_with_a_bad_file),
    ("the level of the log changes while it runs", relevelled),
    ("journalctl -x explains what is recorded", explained),
    ("the support bundle holds the unit, its log and its state, and no secret of theirs", bundled),
];

fn reloaded(ground: &mut Ground) -> Done<String> {
    ground.watching()?;
    let (pid, before) = (ground.pid()?, ground.records()?);
    ground.container.write("/etc/isonet/conf.d/60-clock.toml", "[clock]\nstep = \"5s\"")?;
    ground.container.run("systemctl reload isonet")?;
    let after =
        ground.recorded("the new policy", PATIENCE, |records| records.events("policy-changed") > before.events("policy-changed"))?;
    let told = after.all().filter(|record| record.pointer("/agent/event") == Some(&"policy-changed".into())).last().unwrap_or_default();
    must(told.to_string().contains("clock.step"), || told.to_string())?;
    must(ground.pid()? == pid && ground.property("ActiveState")? == "active", || "it was not a reload".to_owned())?;
    ground.container.run("rm /etc/isonet/conf.d/60-clock.toml && systemctl reload isonet")?;
    ground.recorded("the old policy", PATIENCE, |records| records.events("policy-changed") > after.events("policy-changed"))?;
    Ok("one process, policy.changed with clock.step as weakened, and back".to_owned())
}

fn refused(ground: &mut Ground) -> Done<String> {
    let (pid, before) = (ground.pid()?, ground.records()?);
    ground.container.write("/etc/isonet/conf.d/99-bad.toml", "[[centre]]\nhots = \"x\"")?;
    let said = ground.container.tried("systemctl reload isonet")?;
    must(said.code != 0, || "systemctl says nothing".to_owned())?;
    let told = |ground: &Ground| ground.status().ok()?.pointer("/agent/config_trouble")?.as_str().map(str::to_owned);
    let trouble = until("the status to say so", || told(ground))?;
    must(ground.property("StatusText")?.contains("not right"), || "the manager is not told".to_owned())?;
    must(ground.pid()? == pid && ground.property("ActiveState")? == "active", || "it did not go on".to_owned())?;
    must(ground.records()?.events("policy-changed") == before.events("policy-changed"), || "a policy was taken".to_owned())?;
    let log = ground.container.run("journalctl -u isonet -n 30 --no-pager -o cat")?;
    must(log.contains("99-bad.toml:2:1"), || log.clone())?;
    Ok(format!("systemctl reload ends with {}, the journal names the line, the status: {trouble}", said.code))
}

/// The bad file of the case before is still there.
fn started_with_a_bad_file(ground: &mut Ground) -> Done<String> {
    let begin = ground.records()?;
    ground.container.write("/etc/isonet/conf.d/99-bad.toml", "[[centre]]\nhots = \"x\"")?;
    ground.restart()?;
    let status = ground.watching()?;
    must(status.pointer("/agent/config_trouble").is_some_and(serde_json::Value::is_string), || status.to_string())?;
    must(status["connected"] == true, || format!("the centre is not watched: {status}"))?;
    ground.container.run("rm /etc/isonet/conf.d/99-bad.toml")?;
    until("the good file to be taken", || ground.status().ok()?.pointer("/agent/config_trouble")?.is_null().then_some(()))?;
    let after = ground.records()?;
    must(after.events("policy-changed") == begin.events("policy-changed"), || "the policy is called changed".to_owned())?;
    Ok("active, the centre watched as before, and the status says so; mended, it is taken at once".to_owned())
}

fn relevelled(ground: &mut Ground) -> Done<String> {
    let pid = ground.pid()?;
    // Nonsense at the socket is worth a line to whoever wants to know.
    let lines = |ground: &Ground| -> Done<usize> {
        ground.container.run(&format!(
            "timeout 20 {}/inside {} ask /run/isonet/public.sock 'nonsense\\n\\n' >/dev/null; true",
            crate::container::FILES,
            crate::inside::WORD
        ))?;
        Ok(ground.container.run("journalctl -u isonet -p 7..7 --no-pager -o cat")?.lines().count())
    };
    let quiet = lines(ground)?;
    ground.container.write("/etc/isonet/conf.d/70-log.toml", "log-level = \"debug\"")?;
    ground.container.run("systemctl reload isonet")?;
    until("lines of debug", || (lines(ground).ok()? > quiet).then_some(()))?;
    ground.container.run("rm /etc/isonet/conf.d/70-log.toml && systemctl reload isonet")?;
    until("silence again", || {
        let now = lines(ground).ok()?;
        (lines(ground).ok()? == now).then_some(())
    })?;
    must(ground.pid()? == pid, || "it was started anew".to_owned())?;
    Ok("log-level = \"debug\" counts with the reload and ends with the next".to_owned())
}

fn explained(ground: &mut Ground) -> Done<String> {
    ground.watching()?;
    let before = ground.records()?.incidents("disconnection:explained", "opened").len();
    ground.network.cut("explained")?;
    ground.recorded("an incident", PATIENCE, |records| records.incidents("disconnection:explained", "opened").len() > before)?;
    let told = until("the entry with its explanation", || {
        let text = ground.container.tried("journalctl -x -u isonet --no-pager -n 200").ok()?.out;
        let at = text.rfind("Defined-By: isonet")?;
        text[at..].contains("Incident:").then_some(text)
    });
    ground.network.mend("explained")?;
    let told = told?;
    let subject = told.lines().rev().find_map(|line| line.split("Subject: ").nth(1)).unwrap_or_default().to_owned();
    must(told.contains("At the counter:") && told.contains("For an engineer:"), || told.clone())?;
    ground.recorded("its end", PATIENCE, |records| records.incidents("disconnection:explained", "resolved").len() > before)?;
    Ok(format!("journalctl -x -u isonet: \"{subject}\", the counter's steps, the engineer's, the incident's number"))
}

/// What systemd itself says, with a secret in a drop-in and one that somebody's program has put into the service's log.
fn bundled(ground: &mut Ground) -> Done<String> {
    let drop_in = "/etc/systemd/system/isonet.service.d/90-secret.conf";
    ground.container.run("mkdir -p /etc/systemd/system/isonet.service.d")?;
    ground.container.write(drop_in, "[Service]\nEnvironment=A_TOKEN=hunter2secret\n")?;
    ground.container.run("systemctl daemon-reload")?;
    ground.container.run(
        "printf '%s\\n' MESSAGE='of old: password=hunter2secret' OBJECT_SYSTEMD_UNIT=isonet.service PRIORITY=4 | logger --journald && \
         journalctl --sync && cd /root && rm -rf bundle* && isonet support-bundle --no-diagnose --out bundle.tar.gz && mkdir bundle && tar xzf bundle.tar.gz -C bundle",
    )?;
    ground.container.run(&format!("rm {drop_in} && systemctl daemon-reload"))?;
    let secrets = ground.container.run("grep -rl hunter2secret /root/bundle || true")?;
    must(secrets.trim().is_empty(), || format!("secrets in {secrets}"))?;
    let of = |file: &str| ground.container.run(&format!("cat /root/bundle/*/{file}"));
    let (log, state, unit, status) = (of("service.log")?, of("service.txt")?, of("unit/*")?, of("status.json")?);
    for (what, holds) in [
        ("the log", log.contains("of old: ") && log.contains("systemd[1]")),
        ("the state", state.contains("ActiveState=active") && state.contains("NRestarts=")),
        ("the unit", unit.contains("ProtectSystem=strict") && unit.contains("Environment=A_TOKEN=(masked)")),
        ("the status", status.contains("\"agent\"")),
    ] {
        must(holds, || format!("{what} is not what it should be:\n{log}\n{state}\n{unit}\n{status}"))?;
    }
    Ok(format!("{} lines of the log, unit with its drop-in, state, status", log.lines().count()))
}
