//! Who keeps the clock, and who sets it: a time daemon, the kernel, the battery clock's own keepers, a person whom the audit names.

use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use super::Takes::Seconds;
use super::clock::{apart, exact, shift, size};
use super::{Case, SOON, WATCHED, case};
use crate::Done;
use crate::daemon::{Ground, proof, word};
use crate::table::Got;

#[rustfmt::skip]
pub(super) const CASES: &[Case] = &[
    case("battery clock set by 3 h, as by hwclock --set", "clock.rtc-changed once, 10800 s; ends with hwclock -w", Seconds, battery),
    case("date set a day on and back, hwclock -w after each", "clock.stepped; nothing of the battery clock", Seconds, written),
    case("battery clock in local time, put right by hwclock -w", "nothing", Seconds, local),
    case("chronyd puts the clock an hour forward; the kernel the battery clock", "nothing", Seconds, ntp),
    case("leap second", "nothing but the step before it", Seconds, leap),
    case("virtual machine, date two hours on", "clock.stepped, low", Seconds, hosted),
    case("audited: date set by a user, then by clock_adjtime, then the tick", "each program with its login", Seconds, audited),
];

/// The battery clock is read again so long after the last time, if the date is set.
const READ_AGAIN: Duration = Duration::from_millis(5200);
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

fn of_battery(records: &[Value]) -> usize {
    records.iter().filter(|record| word(record, "/cause/code") == "clock.rtc-changed").count()
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
    if of_battery(ground.since(mark)) != 1 {
        return Err("it was told more than once".to_owned());
    }
    ground.pc.must("hwclock -w -u")?;
    look(ground, 1)?;
    ground.told("clock.rtc-changed", "resolved", mark, |_| true)?;
    ground.pc.must("inside inject -1")?;
    Ok(Got::of(told))
}

fn written(ground: &mut Ground<'_>) -> Done<Got> {
    ground.afresh()?;
    let mark = ground.mark()?;
    let before = shown(ground)?;
    shift(ground, 86_400)?;
    ground.told("clock.stepped", "opened", mark, |_| true)?;
    ground.pc.must("hwclock -w -u")?;
    let by = shown(ground)? - before;
    look(ground, 1)?;
    shift(ground, -86_400)?;
    ground.pc.must("hwclock -w -u")?;
    look(ground, -1)?;
    ground.nothing_but(&["clock.stepped"], mark, Duration::from_secs(1))?;
    if by < 86_000 {
        Err(format!("the battery clock moved by {by} s"))
    } else {
        Ok(Got::of(format!("nothing, it moved by {by} s and back")))
    }
}

fn local(ground: &mut Ground<'_>) -> Done<Got> {
    ground.stop()?;
    // Two minutes off, as after a long time without power.
    ground.pc.must("sed -i 's/UTC/LOCAL/' /etc/adjtime; hwclock -w -l; inside battery -120")?;
    let mark = ground.mark()?;
    ground.start()?;
    let before = shown(ground)?;
    ground.pc.must("hwclock -w -l")?;
    let by = shown(ground)? - before;
    look(ground, 1)?;
    ground.nothing_but(&[], mark, WATCHED)?;
    ground.stop()?;
    ground.pc.must("inside inject -1; sed -i 's/LOCAL/UTC/' /etc/adjtime; hwclock -w -u")?;
    ground.start()?;
    if (115..200).contains(&by) {
        Ok(Got::of(format!("nothing, it moved by {by} s")))
    } else {
        Err(format!("the battery clock moved by {by} s"))
    }
}

fn ntp(ground: &mut Ground<'_>) -> Done<Got> {
    ground.afresh()?;
    let mark = ground.mark()?;
    let (before, battery) = (apart(ground)?, shown(ground)?);
    ground.pc.must(
        "mkdir -p /run/chrony; printf 'server 127.0.0.1 iburst minpoll 0 maxpoll 0\\nmakestep 1 -1\\nrtcsync\\npidfile /run/chrony/pid\\n\
         cmdport 0\\nbindcmdaddress /\\n' >/run/chrony.conf
         inside ntp 3600 >/run/ntp.log 2>&1 & echo $! >/run/ntp.pid
         chronyd -d -u root -F 0 -f /run/chrony.conf >/run/chrony.log 2>&1 & echo $! >/run/chronyd.pid",
    )?;
    let done = ntp_stepped(ground, mark, before, battery);
    let log = ground.pc.run("kill $(cat /run/chronyd.pid /run/ntp.pid); cat /run/ntp.log /run/chrony.log")?.out;
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

fn leap(ground: &mut Ground<'_>) -> Done<Got> {
    ground.afresh()?;
    let mark = ground.mark()?;
    ground.pc.must("now=$(date +%s); date -s @$((now / 86400 * 86400 + 86400 - 4)) >/dev/null; inside leap")?;
    let before = apart(ground)?;
    ground.told("clock.stepped", "opened", mark, |_| true)?;
    ground.pc.until("test $(( $(date +%s) % 86400 )) -le 60", SOON)?;
    sleep(Duration::from_secs(2));
    let by = apart(ground)? - before;
    if by != -1000 {
        return Err(format!("no leap second: the clock went {by} ms"));
    }
    // A look that has something to tell.
    ground.nothing_but(&["clock.stepped"], mark, Duration::from_secs(6))?;
    let counted = ground.since(mark).iter().any(|record| !proof(record, "clock.steps").is_empty());
    ground.pc.must("inside kept")?;
    if counted { Err("it was taken for a step".to_owned()) } else { Ok(Got::of(format!("nothing, {by} ms"))) }
}

fn hosted(ground: &mut Ground<'_>) -> Done<Got> {
    ground
        .pc
        .must("sed 's/^flags.*/& hypervisor/' /proc/cpuinfo >/run/hosted; cp /proc/cpuinfo /run/real; cat /run/hosted >/run/cpuinfo")?;
    ground.afresh()?;
    let mark = ground.mark()?;
    shift(ground, 7200)?;
    let record = ground.told("clock.stepped", "opened", mark, |_| true);
    ground.pc.must("cat /run/real >/run/cpuinfo")?;
    let record = record?;
    match word(&record, "/cause/severity") {
        "low" => Ok(Got::of(format!("{}, low", proof(&record, "clock.step")))),
        other => Err(format!("{other}: {record}")),
    }
}

fn audited(ground: &mut Ground<'_>) -> Done<Got> {
    ground.pc.must("inside audit; cp /bin/busybox /run/date")?;
    ground.afresh()?;
    let mark = ground.mark()?;
    ground.pc.must("(echo 1000 >/proc/self/loginuid; /run/date -s @$(( $(date +%s) + 7200 )) >/dev/null)")?;
    let record = ground.told("clock.stepped", "opened", mark, |_| true)?;
    let by_hand = proof(&record, "clock.program");
    ground.pc.must("inside inject -3600; adjtimex -t 11000 >/dev/null")?;
    let both = |record: &Value| size(&proof(record, "clock.step")).is_some_and(|ms| ms < 7_000_000);
    let injected = proof(&ground.told("clock.stepped", "updated", mark, both)?, "clock.program");
    ground.pc.must("inside inject 1")?;
    let rate = proof(&ground.told("clock.rate", "opened", mark, |_| true)?, "clock.program");
    ground.pc.must("adjtimex -t 10000 >/dev/null; inside inject -1")?;
    let told = format!("{by_hand} | {injected} | {rate}");
    if told == "date login 1000 | date login 1000; inside no login | busybox no login" { Ok(Got::of(told)) } else { Err(told) }
}
