//! What happens to processes: it stands still, is killed, gets no memory, has no files left.

use std::time::{Duration, Instant};

use super::{Row, must};
use crate::Done;
use crate::container::{PATIENCE, until, within};
use crate::ground::Ground;
use crate::records::Records;

pub(super) const CASES: &[Row] = &[
    ("a frozen loop is started anew by the watchdog: one gap, and the open incident goes on", frozen),
    ("killed as for want of memory, the same", killed),
    ("memory that is refused is outlived or ends in the same", starved),
    ("without files left it goes on, accuses nobody, and answers when there are some again", without_files),
];

const OUTAGE: &str = "disconnection:settlement";

/// An incident is open, this ends the process, and the next one goes on from there.
fn ended_and_went_on(ground: &Ground, deed: impl FnOnce(u32) -> Done) -> Done<(Duration, Records)> {
    ground.watching()?;
    let earlier = ground.records()?;
    ground.network.cut()?;
    let is_open = |records: &Records| count(records, "opened") + reopened(records) > count(&earlier, "opened") + reopened(&earlier);
    let before = ground.recorded("an incident", PATIENCE, is_open)?;
    let pid = ground.pid()?;
    let begin = Instant::now();
    deed(pid)?;
    within(Duration::from_mins(1), "another process", || {
        let (state, now) = (ground.property("ActiveState").ok()?, ground.pid().ok()?);
        (state == "active" && now != 0 && now != pid).then_some(())
    })?;
    let took = begin.elapsed();
    ground.watching()?;
    ground.network.mend()?;
    let after = ground
        .recorded("its end", PATIENCE, |records| records.continues(&before) && count(records, "resolved") > count(&before, "resolved"))?;
    must(after.events("gap") == before.events("gap") + 1, || format!("{} gaps more", after.events("gap") - before.events("gap")))?;
    must(count(&after, "opened") == count(&before, "opened") && reopened(&after) == reopened(&before), || "opened again".to_owned())?;
    must(after.epochs().len() == 1, || format!("{:?}", after.epochs()))?;
    ground.log_is_whole()?;
    Ok((took, after))
}

fn count(records: &Records, phase: &str) -> usize {
    records.incidents(OUTAGE, phase).len()
}

fn reopened(records: &Records) -> usize {
    records.incidents(OUTAGE, "updated").iter().filter(|record| record.pointer("/incident/change") == Some(&"reopened".into())).count()
}

fn frozen(ground: &mut Ground) -> Done<String> {
    ground.unit("quick", "WatchdogSec=3\nRestartSec=1")?;
    ground.restart()?;
    let (took, _) = ended_and_went_on(ground, |pid| ground.container.run(&format!("kill -STOP {pid}")).map(drop))?;
    let log = ground.container.run("journalctl -u isonet --no-pager -o cat | grep -i watchdog | tail -1")?;
    must(!log.is_empty(), || "the watchdog is not mentioned".to_owned())?;
    Ok(format!("with a watchdog of 3 s active again after {} ms; one gap, one incident throughout", took.as_millis()))
}

fn killed(ground: &mut Ground) -> Done<String> {
    let (took, _) = ended_and_went_on(ground, |pid| ground.container.run(&format!("kill -KILL {pid}")).map(drop))?;
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
    ground.container.run(&format!("prlimit --pid {pid} --as=$(awk '/VmSize/ {{ print $2 * 1024 }}' /proc/{pid}/status)"))?;
    for _ in 0..20 {
        ground.container.tried("timeout 3 isonet incidents --json >/dev/null; timeout 3 isonet status >/dev/null")?;
    }
    let outlived = ground.pid()? == pid;
    if outlived {
        ground.container.run(&format!("prlimit --pid {pid} --as=unlimited"))?;
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

fn without_files(ground: &mut Ground) -> Done<String> {
    ground.watching()?;
    let before = ground.records()?;
    let pid = ground.pid()?;
    let limit = ground.container.run(&format!("prlimit --pid {pid} --nofile -o SOFT --noheadings"))?;
    ground.container.run(&format!("prlimit --pid {pid} --nofile=$(ls /proc/{pid}/fd | wc -l):{}", limit.trim()))?;
    // Long enough for pulses to fail, and for incidents to be opened by them.
    let asked = Instant::now();
    let mut refused = 0;
    while asked.elapsed() < Duration::from_secs(12) {
        if ground.container.tried("timeout 2 isonet status >/dev/null")?.code != 0 {
            refused += 1;
        }
    }
    ground.container.run(&format!("prlimit --pid {pid} --nofile={0}:{0}", limit.trim()))?;
    must(ground.pid()? == pid, || "it ended".to_owned())?;
    let begin = Instant::now();
    until("an answer", || ground.container.tried("timeout 3 isonet status >/dev/null").ok().filter(|said| said.code == 0))?;
    let answered = begin.elapsed();
    until("the centre to be seen", || (ground.status().ok()?["connected"] == true).then_some(()))?;
    let after = ground.records()?;
    nobody_accused(&before, &after)?;
    must(after.events("gap") == before.events("gap"), || "a gap".to_owned())?;
    ground.unit("quick", "")?;
    ground.restart()?;
    Ok(format!(
        "12 s without a file to open: the process stays, {refused} questions refused, nobody accused; answers {} ms after",
        answered.as_millis()
    ))
}
