//! Who keeps the clock, and who sets it: a time daemon, the kernel, the battery clock's own keepers, a person whom the audit names.

use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use super::Takes::Seconds;
use super::clock::{apart, exact, size};
use super::{Case, SOON, case};
use crate::Done;
use crate::daemon::{Ground, proof, word};
use crate::place::Place;
use crate::table::Got;

#[rustfmt::skip]
pub(super) const CASES: &[Case] = &[
    case("battery clock set by 3 h, as by hwclock --set", "clock.rtc-changed once; ends with hwclock -w", Seconds, battery),
    case("battery clock put into local time and back, with the settings", "nothing", Seconds, local),
    case("chronyd puts the clock an hour forward, the kernel the battery clock", "nothing", Seconds, ntp),
    case("date set on and back, hwclock -w after each, a leap second between", "clock.stepped; neither leap second nor battery clock", Seconds, written),
    case("audited, hosted: date by a user, clock_adjtime, tick", "low; each program with its login", Seconds, audited),
];

/// The battery clock is read again so long after the last time, if the date is set.
const READ_AGAIN: Duration = Duration::from_millis(2200);
/// A time daemon that runs has ten seconds to vouch for a step.
const VOUCHED: Duration = Duration::from_secs(11);
/// The battery clock counts whole seconds.
const WHOLE_MS: i64 = 1000;

/// Brings a look at the battery clock: a second forward or back is told of nowhere, and one after the other leaves the date as it was.
fn look(ground: &mut Ground<'_>, seconds: i64) -> Done {
    sleep(READ_AGAIN);
    ground.pc.must(&format!("inside inject {seconds}")).map(drop)
}

/// What the battery clock shows, seconds.
fn shown(ground: &mut Ground<'_>) -> Done<i64> {
    ground.pc.must("cat /sys/class/rtc/rtc0/since_epoch")?.out.parse().map_err(|e| format!("no battery clock: {e}"))
}

fn battery(ground: &mut Ground<'_>) -> Done<Got> {
    ground.afresh()?;
    let mark = ground.mark()?;
    let before = shown(ground)?;
    ground.pc.must("inside battery 10800")?;
    if (shown(ground)? - before - 10_800).abs() > 2 {
        return Err("the battery clock was not set".to_owned());
    }
    look(ground, 1)?;
    let record = ground.told("clock.rtc-changed", "opened", mark, |_| true)?;
    let told = exact(&record, "clock.battery-step", 10_800_000, WHOLE_MS)?;
    look(ground, -1)?;
    ground.nothing_but(&["clock.rtc-changed"], mark, Duration::from_secs(1))?;
    if ground.since(mark).iter().filter(|record| word(record, "/cause/code") == "clock.rtc-changed").count() != 1 {
        return Err("it was told more than once".to_owned());
    }
    ground.pc.must("hwclock -w -u")?;
    look(ground, 1)?;
    ground.told("clock.rtc-changed", "resolved", mark, |_| true)?;
    Ok(Got::of(told))
}

fn local(ground: &mut Ground<'_>) -> Done<Got> {
    let mark = ground.mark()?;
    let before = shown(ground)?;
    ground.pc.must("sed -i 's/UTC/LOCAL/' /etc/adjtime; hwclock -w -l")?;
    let by = shown(ground)? - before;
    look(ground, -1)?;
    ground.pc.must("sed -i 's/LOCAL/UTC/' /etc/adjtime; hwclock -w -u")?;
    look(ground, 1)?;
    ground.nothing_but(&[], mark, Duration::from_secs(1))?;
    ground.pc.must("inside inject -1")?;
    if (28_790..28_830).contains(&by) {
        Ok(Got::of(format!("nothing, it moved by {by} s")))
    } else {
        Err(format!("the battery clock moved by {by} s"))
    }
}

/// How many it tells of: one is not counted.
fn steps(record: &Value) -> u32 {
    proof(record, "clock.steps").split_whitespace().find_map(|word| word.parse().ok()).unwrap_or(1)
}

/// Over midnight, where a leap second belongs.
fn written(ground: &mut Ground<'_>) -> Done<Got> {
    let mark = ground.mark()?;
    let before = shown(ground)?;
    let script = "now=$(date +%s); to=$((now / 86400 * 86400 + 86400 - 5)); date -s @$to >/dev/null; echo $((to - now))";
    let by: i64 = ground.pc.must(script)?.out.parse().map_err(|e| format!("not set: {e}"))?;
    let set = apart(ground)?;
    let first = steps(&ground.told("clock.stepped", "opened", mark, |_| true)?);
    ground.pc.must("hwclock -w -u; inside leap")?;
    let moved = shown(ground)? - before;
    ground.pc.until("test $(( $(date +%s) % 86400 )) -le 60", SOON)?;
    sleep(Duration::from_secs(2));
    let leapt = apart(ground)? - set;
    ground.pc.must(&format!("inside kept; inside inject -{by}; hwclock -w -u"))?;
    look(ground, 1)?;
    let last = ground.told("clock.stepped", "updated", mark, |record| steps(record) >= first + 2)?;
    ground.nothing_but(&["clock.stepped"], mark, Duration::from_secs(1))?;
    if steps(&last) != first + 2 {
        return Err(format!("the leap second was counted: {last}"));
    }
    if leapt != -1000 || moved < by - 60 {
        return Err(format!("the leap second was {leapt} ms, the battery clock moved by {moved} s of {by} s"));
    }
    Ok(Got::of(format!("{}; battery clock {moved} s, leap second {leapt} ms", proof(&last, "clock.steps"))))
}

fn ntp(ground: &mut Ground<'_>) -> Done<Got> {
    let mark = ground.mark()?;
    let (before, battery) = (apart(ground)?, shown(ground)?);
    ground.pc.must(
        "mkdir -p /run/chrony; printf 'server 127.0.0.1 iburst minpoll 0 maxpoll 0\\nmakestep 1 -1\\nrtcsync\\npidfile /run/chrony/pid\\n\
         cmdport 0\\nbindcmdaddress /\\n' >/run/chrony.conf
         inside ntp 3600 >/run/ntp.log 2>&1 & echo $! >/run/ntp.pid
         /usr/sbin/chronyd -d -u root -F 0 -f /run/chrony.conf >/run/chrony.log 2>&1 & echo $! >/run/chronyd.pid",
    )?;
    let done = ntp_stepped(ground, mark, before, battery);
    ground.pc.run("kill $(cat /run/chronyd.pid /run/ntp.pid)")?;
    ground.pc.until("! kill -0 $(cat /run/chronyd.pid)", SOON)?;
    let log = ground.pc.run("adjtimex -t 10000 -f 0 >/dev/null; cat /run/ntp.log /run/chrony.log")?.out;
    let (by, battery) = done.map_err(|e| format!("{e}\n{log}"))?;
    look(ground, 1)?;
    ground.nothing_but(&["settings.time"], mark, Duration::from_secs(1))?;
    ground.pc.must("inside inject -1")?;
    Ok(Got::of(format!("nothing; the clock went {by} ms, the battery clock {battery} s")))
}

/// By how much the clock was stepped, and the battery clock after it.
fn ntp_stepped(ground: &mut Ground<'_>, mark: usize, before: i64, battery: i64) -> Done<(i64, i64)> {
    ground.pc.until("grep -q 'System clock was stepped' /run/chrony.log", SOON)?;
    let by = apart(ground)? - before;
    if (by - 3_600_000).abs() > 2000 {
        return Err(format!("the clock went {by} ms"));
    }
    ground.nothing_but(&["settings.time"], mark, VOUCHED)?;
    let moved = shown(ground)? - battery;
    if moved < 3600 { Err(format!("the kernel has not set the battery clock: {moved} s")) } else { Ok((by, moved)) }
}

/// As the README says it.
const MAY_READ_AUDIT: &str = "mkdir -p /run/systemd/system/isonet.service.d && printf '[Service]\nAmbientCapabilities=CAP_NET_RAW CAP_AUDIT_READ\n\
     CapabilityBoundingSet=CAP_NET_RAW CAP_AUDIT_READ\n' >/run/systemd/system/isonet.service.d/audit.conf && systemctl daemon-reload";

fn audited(ground: &mut Ground<'_>) -> Done<Got> {
    if ground.place == Place::Installed {
        ground.pc.must(MAY_READ_AUDIT)?;
    }
    ground.pc.must("inside audit && cp /bin/busybox /run/date")?;
    ground.pc.must("cp /proc/cpuinfo /run/real; sed 's/^flags.*/& hypervisor/' /run/real >/run/hosted; cat /run/hosted >/run/cpuinfo")?;
    let started = ground.afresh();
    ground.pc.must("cat /run/real >/run/cpuinfo")?;
    started?;
    let mark = ground.mark()?;
    ground.pc.must("(echo 1000 >/proc/self/loginuid; /run/date -s @$(( $(date +%s) + 7200 )) >/dev/null)")?;
    let record = ground.told("clock.stepped", "opened", mark, |_| true)?;
    let by_hand = proof(&record, "clock.program");
    if word(&record, "/cause/severity") != "low" {
        return Err(format!("the machine below may have held it: {record}"));
    }
    ground.pc.must("inside inject -3600; adjtimex -t 11000 >/dev/null")?;
    let both = |record: &Value| size(&proof(record, "clock.step")).is_some_and(|ms| ms < 7_000_000);
    let injected = proof(&ground.told("clock.stepped", "updated", mark, both)?, "clock.program");
    // In the order of their paths, which is another one where the service is installed.
    let mut injected: Vec<&str> = injected.split("; ").collect();
    injected.sort_unstable();
    let injected = injected.join("; ");
    ground.pc.must("inside inject 1")?;
    let rate = proof(&ground.told("clock.rate", "opened", mark, |_| true)?, "clock.program");
    ground.pc.must("adjtimex -t 10000 >/dev/null; inside inject -1")?;
    let told = format!("{by_hand} / {injected} / {rate}");
    if told == "date login 1000 / date login 1000; inside no login / busybox no login" { Ok(Got::of(told)) } else { Err(told) }
}
