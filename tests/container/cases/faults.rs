//! What happens to processes: it stands still, is killed, gets no memory, has no files left.

use std::time::{Duration, Instant};

use super::{Row, must};
use crate::Done;
use crate::container::{PATIENCE, tried, until, within};
use crate::ground::Ground;
use crate::records::Records;

pub(super) const CASES: &[Row] = &[
    ("a frozen loop is started anew by the watchdog: one gap, and the open incident goes on", frozen),
    ("killed as for want of memory, the same", killed),
    ("memory that is refused is outlived or ends in the same", starved),
    ("without files left it goes on, accuses nobody, and answers when there are some again", without_files),
    ("without files for long it is started anew: one gap, and the open incident goes on", without_files_for_long),
];

/// An incident is open, this ends the process, and the next one goes on from there.
fn ended_and_went_on(ground: &Ground, centre: &str, deed: impl FnOnce(u32) -> Done) -> Done<Duration> {
    ground.watching()?;
    let count = |records: &Records, phase: &str| records.incidents(&format!("disconnection:{centre}"), phase).len();
    ground.network.cut(centre)?;
    let before = ground.recorded("an incident", PATIENCE, |records| count(records, "opened") == 1)?;
    let pid = ground.pid()?;
    let begin = Instant::now();
    deed(pid)?;
    within(Duration::from_mins(1), "another process", || {
        let (state, now) = (ground.property("ActiveState").ok()?, ground.pid().ok()?);
        (state == "active" && now != 0 && now != pid).then_some(())
    })?;
    let took = begin.elapsed();
    ground.watching()?;
    ground.network.mend(centre)?;
    let after = ground
        .recorded("its end", PATIENCE, |records| records.continues(&before) && count(records, "resolved") > count(&before, "resolved"))?;
    must(after.events("gap") == before.events("gap") + 1, || format!("{} gaps more", after.events("gap") - before.events("gap")))?;
    must(count(&after, "opened") == 1 && count(&after, "resolved") == 1, || "opened again".to_owned())?;
    must(count(&after, "updated") == count(&before, "updated"), || "it was reopened".to_owned())?;
    must(after.epochs().len() == 1, || format!("{:?}", after.epochs()))?;
    ground.log_is_whole()?;
    Ok(took)
}

fn frozen(ground: &mut Ground) -> Done<String> {
    ground.unit("quick", "WatchdogSec=3\nRestartSec=1")?;
    ground.restart()?;
    let took = ended_and_went_on(ground, "frozen", |pid| ground.container.run(&format!("kill -STOP {pid}")).map(drop))?;
    let log = ground.container.run("journalctl -u isonet --no-pager -o cat | grep -i watchdog | tail -1")?;
    must(!log.is_empty(), || "the watchdog is not mentioned".to_owned())?;
    Ok(format!("with a watchdog of 3 s active again after {} ms; one gap, one incident throughout", took.as_millis()))
}

fn killed(ground: &mut Ground) -> Done<String> {
    let took = ended_and_went_on(ground, "killed", |pid| ground.container.run(&format!("kill -KILL {pid}")).map(drop))?;
    Ok(format!(
        "SIGKILL, which is what the kernel does for want of memory: active again after {} ms; one gap, one incident throughout",
        took.as_millis()
    ))
}

fn starved(ground: &mut Ground) -> Done<String> {
    ground.watching()?;
    let before = ground.records()?;
    let pid = ground.pid()?;
    // Not a byte more than it has; then it is made to want some.
    limit(ground, &format!("--pid {pid} --as=$(awk '/VmSize/ {{ print $2 * 1024 }}' /proc/{pid}/status):"))?;
    for _ in 0..20 {
        ground.container.tried("timeout 3 isonet incidents --json >/dev/null; timeout 3 isonet status >/dev/null")?;
    }
    let outlived = ground.pid()? == pid;
    if outlived {
        limit(ground, &format!("--pid {pid} --as=unlimited:"))?;
    }
    ground.watching()?;
    let after = ground.recorded("its word", PATIENCE, |records| {
        records.continues(&before) && (outlived || records.events("started") > before.events("started"))
    })?;
    let gaps = after.events("gap") - before.events("gap");
    must(gaps == usize::from(!outlived), || format!("{gaps} gaps"))?;
    nobody_accused(&before, &after)?;
    ground.log_is_whole()?;
    Ok(if outlived {
        "address space held at what it had: outlived, nothing accused"
    } else {
        "address space held at what it had: ended, started anew, one gap, nothing accused"
    }
    .to_owned())
}

/// Sets or shows a limit, as the user of the service: he may lower and raise his own below the hard ones.
fn limit(ground: &Ground, words: &str) -> Done<String> {
    let said =
        tried(&mut ground.container.command_of(&["--reuid=isonet", "--regid=isonet", "--clear-groups"], &format!("prlimit {words}")))?;
    if said.code == 0 { Ok(said.out) } else { Err(format!("prlimit {words}: {}", said.err)) }
}

/// Incidents of the agent about itself are what is wanted.
fn nobody_accused(before: &Records, after: &Records) -> Done {
    let opened = |records: &Records| -> Vec<serde_json::Value> {
        let all = records.incidents("", "opened").into_iter();
        all.filter(|record| !record.pointer("/cause/code").and_then(serde_json::Value::as_str).unwrap_or_default().starts_with("agent."))
            .collect()
    };
    let (old, new) = (opened(before), opened(after));
    must(new.len() == old.len(), || format!("accused: {:#?}", &new[old.len()..]))
}

/// Takes away all files that are not open already; gives what was allowed before.
fn take_files(ground: &Ground, pid: u32) -> Done<String> {
    let usual = limit(ground, &format!("--pid {pid} --nofile -o SOFT --noheadings"))?;
    limit(ground, &format!("--pid {pid} --nofile=3:"))?;
    Ok(usual.trim().to_owned())
}

fn without_files(ground: &mut Ground) -> Done<String> {
    ground.unit("quick", "")?;
    ground.restart()?;
    ground.watching()?;
    let before = ground.records()?;
    let pid = ground.pid()?;
    let usual = take_files(ground, pid)?;
    // Long enough for pulses and rounds to fail of it.
    let asked = Instant::now();
    let mut refused = 0;
    while asked.elapsed() < Duration::from_secs(6) {
        refused += usize::from(ground.container.tried("timeout 1 isonet status >/dev/null")?.code != 0);
    }
    limit(ground, &format!("--pid {pid} --nofile={usual}:"))?;
    let begin = Instant::now();
    until("an answer", || ground.container.tried("timeout 3 isonet status >/dev/null").ok().filter(|said| said.code == 0))?;
    let answered = begin.elapsed();
    until("the centre to be seen", || (ground.status().ok()?["connected"] == true).then_some(()))?;
    let seen = begin.elapsed();
    let after = ground.records()?;
    must(ground.pid()? == pid && after.events("gap") == before.events("gap"), || "it ended".to_owned())?;
    nobody_accused(&before, &after)?;
    Ok(format!(
        "6 s without a file to open: the process stays, {refused} questions refused, nobody accused; it answers {} ms after, and sees the centre {} ms after",
        answered.as_millis(),
        seen.as_millis()
    ))
}

fn without_files_for_long(ground: &mut Ground) -> Done<String> {
    ground.unit("quick", "WatchdogSec=3\nRestartSec=1")?;
    ground.restart()?;
    let took = ended_and_went_on(ground, "files", |pid| take_files(ground, pid).map(drop));
    ground.unit("quick", "")?;
    ground.restart()?;
    let took = took?;
    Ok(format!(
        "it cannot tell the watchdog (3 s here, 30 as shipped) that it lives: active again after {} ms; one gap, one incident throughout",
        took.as_millis()
    ))
}
