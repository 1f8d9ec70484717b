//! The service loses its life or what it lives on: frozen, killed for its memory, without a file to open. It is started anew and goes on.

use std::time::Duration;

use serde_json::{Value, json};

use super::Takes::Seconds;
use super::usb::{news, opened, plug, pull, resolved};
use super::{Case, SOON, case};
use crate::Done;
use crate::daemon::{Ground, word};
use crate::place::natively;
use crate::sticks;
use crate::table::Got;

#[rustfmt::skip]
pub(super) const CASES: &[Case] = &[
    case("service frozen", "the watchdog has it started anew; one gap, the incident goes on", Seconds, frozen),
    case("service killed for its memory", "started anew; one gap, the incident goes on", Seconds, out_of_memory),
    case("service without a file to open", "what happened meanwhile is told; the incident goes on", Seconds, out_of_files),
];

/// The unit's watchdog, the time to end and to start anew, on a loaded machine.
const STARTED_ANEW: Duration = Duration::from_mins(2);
/// The unit's `MemoryMax`, bytes.
const SHIPPED: u64 = 256 << 20;
/// It opens files every few seconds.
const WITHOUT_FILES: Duration = Duration::from_secs(15);

fn count(ground: &Ground<'_>, mark: usize, event: &str) -> usize {
    ground.since(mark).iter().filter(|record| word(record, "/agent/event") == event).count()
}

/// With an incident open, does this to the service, which is started anew; what the service manager says of the end.
fn survives(ground: &mut Ground<'_>, serial: &'static str, harm: &str, mend: &str) -> Done<String> {
    let begin = ground.mark()?;
    let stick = plug(ground, serial, sticks::partitioned, &json!({}))?;
    let record = opened(ground, "usb.storage", serial, begin)?;
    let mark = ground.mark()?;
    let restarts = "systemctl show --value -p NRestarts isonet";
    let before = ground.pc.must(restarts)?.out;
    let at = ground.pc.must(harm)?.at_ms;
    let came = ground.pc.until(&format!("test $({restarts}) != {before}"), STARTED_ANEW)?.at_ms;
    ground.pc.must(mend)?;
    ground.wait("its start", mark, |record| word(record, "/agent/event") == "started")?;
    ground.pc.until("systemctl is-active isonet && systemctl show -p MainPID --value isonet >/run/daemon.pid", SOON)?;
    pull(ground, &stick)?;
    let end = resolved(ground, "usb.storage", serial, mark)?;
    let id = |record: &Value| word(record, "/incident/id").to_owned();
    let anew = news(ground, mark) > 0;
    let (gaps, starts) = (count(ground, mark, "gap"), count(ground, mark, "started"));
    if id(&record) != id(&end) || anew || gaps != 1 || starts != 1 {
        return Err(format!(
            "{gaps} gaps, {starts} starts; opened as {}, ended as {}: {}",
            id(&record),
            id(&end),
            crate::daemon::shown(ground.since(mark))
        ));
    }
    let ended = ground
        .pc
        .must(&natively("journalctl -b -u isonet -o cat | grep -E 'Failed with result|Watchdog timeout|OOM killer' | tail -n 2"))?
        .out;
    Ok(format!("{}; started anew after {} ms", ended.replace('\n', "; "), came - at))
}

fn frozen(ground: &mut Ground<'_>) -> Done<Got> {
    let told = survives(ground, "FROZEN01", "kill -STOP $(cat /run/daemon.pid)", "true")?;
    if told.contains("result 'watchdog'") { Ok(Got::of(told)) } else { Err(told) }
}

/// Takes memory in the service's control group until there is none; of the two the kernel prefers to end the service.
const EATER: &str = "cd /sys/fs/cgroup/system.slice/isonet.service && dmesg -c >/dev/null && (sh -c 'echo $$ >cgroup.procs; \
     echo -999 >/proc/$$/oom_score_adj; exec awk \"BEGIN { s = \\\"x\\\"; while (1) s = s s }\"' </dev/null >/dev/null 2>&1 &)";

fn out_of_memory(ground: &mut Ground<'_>) -> Done<Got> {
    let limit = ground.pc.must("cat /sys/fs/cgroup/system.slice/isonet.service/memory.max")?.out;
    if limit != SHIPPED.to_string() {
        return Err(format!("the limit in force is {limit}"));
    }
    let told = survives(ground, "MEMORY01", EATER, "true")?;
    // Not for want of memory in the PC, but by the unit's own limit.
    ground.pc.must("dmesg | grep -q 'Memory cgroup out of memory: Killed process .*(isonet)'")?;
    if told.contains("result 'oom-kill'") { Ok(Got::of(format!("{told}; limit {limit}"))) } else { Err(told) }
}

fn out_of_files(ground: &mut Ground<'_>) -> Done<Got> {
    let mark = ground.mark()?;
    let first = plug(ground, "FILES001", sticks::partitioned, &json!({}))?;
    opened(ground, "usb.storage", first.serial, mark)?;
    ground.pc.must(&natively("prlimit --pid $(cat /run/daemon.pid) --nofile=$(ls /proc/$(cat /run/daemon.pid)/fd | wc -l):"))?;
    let second = plug(ground, "FILES002", sticks::whole, &json!({}))?;
    std::thread::sleep(WITHOUT_FILES);
    ground.pc.must(&natively("systemctl is-active isonet && prlimit --pid $(systemctl show -p MainPID --value isonet) --nofile=1024:"))?;
    opened(ground, "usb.storage", second.serial, mark)?;
    for stick in [&first, &second] {
        pull(ground, stick)?;
        resolved(ground, "usb.storage", stick.serial, mark)?;
    }
    ground.pc.must("systemctl show -p MainPID --value isonet >/run/daemon.pid")?;
    let (news, starts) = (news(ground, mark), count(ground, mark, "started"));
    if news != 2 || starts > 1 {
        Err(format!("{news} incidents, {starts} starts"))
    } else {
        Ok(Got::of(format!("both told, {starts} starts anew")))
    }
}
