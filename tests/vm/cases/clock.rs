//! Date and time: set, set back, made to run fast, changed while nobody watched, lost with the power.

use serde_json::Value;
use std::time::{Duration, Instant};

use super::Takes::{Boot, Little, Minute, Seconds};
use super::{Case, SOON, WATCHED, case, within};
use crate::Done;
use crate::daemon::{Ground, boot_ms, proof, word};
use crate::place::Place;
use crate::table::Got;

/// Seen by the minute only, and staged long before.
#[rustfmt::skip]
pub(super) const BY_THE_MINUTE: &[Case] = &[
    case("battery clock set", "clock.rtc-changed, forward 3 h", Minute, battery),
    case("time zone changed", "clock.timezone, from Shanghai to UTC; ends when set back", Minute, zone),
    case("clock made to run a tenth fast", "clock.rate, tick 11000; what was set back before has ended", Minute, rate),
];

#[rustfmt::skip]
pub(super) const CASES: &[Case] = &[
    case("date set to what it shows", "nothing", Seconds, same_date),
    case("suspend and resume", "nothing", Seconds, suspend),
    case("date set a day on", "clock.stepped, critical, exact", Little, |ground| stepped(ground, 86_400)),
    case("that date set back", "the same incident, set back", Little, set_back),
    case("date set 400 days back", "clock.stepped, critical, exact", Seconds, |ground| stepped(ground, -400 * 86_400)),
    case("stopped, date changed, started", "clock.offline-change, exact", Seconds, offline),
    case("killed in its first minute, date set back, started", "clock.offline-change, exact", Seconds, first_minute),
    case("date set 1000 times", "one incident, few records, little work", Seconds, storm),
];

#[rustfmt::skip]
pub(super) const BOOTS: &[Case] = &[
    case("power fails, comes back an hour later", "nothing", Boot, |ground| power_cut(ground, 3600)),
    case("started an hour behind its last time", "clock.offline-change, back 1 h", Seconds, |ground| behind(ground, Excuse::None)),
    case("the same, the time being that of timesyncd's file", "nothing", Seconds, |ground| behind(ground, Excuse::File)),
    case("the same by 8 h, battery clock in local time", "nothing", Seconds, |ground| behind(ground, Excuse::Local)),
    case("switched off, battery clock 10 days back", "clock.offline-change at once, back 10 days", Boot, |ground| power_cut(ground, -10 * 86_400)),
    case("power fails, battery dead and in 2014", "nothing", Boot, dead_battery),
];

/// From the date's being set to the record, by a processor that may be emulated on a busy machine.
const TOLD_MS: i64 = 2500;
/// What only a look by the clock sees is seen within a minute.
const BY_THE_MINUTE_MS: i64 = 65_000;
/// What the agent says of a step is rounded.
const EXACT_MS: i64 = 2;
/// Its last sign of life is of two clocks, read one after the other by a program that may have been interrupted in between.
const KEPT_MS: i64 = 50;

/// The wall clock and the time since boot, milliseconds.
fn clocks(ground: &mut Ground<'_>) -> Done<(i64, i64)> {
    let said =
        ground.pc.must("adjtimex | grep -E 'time.tv_(sec|usec)' | tr -dc '0-9\\n' | tr '\\n' ' '; cut -d' ' -f1 /proc/uptime | tr -d .")?;
    let numbers: Vec<i64> = said.out.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    match numbers[..] {
        [seconds, micros, up] => Ok((seconds * 1000 + micros / 1000, up * 10)),
        _ => Err(format!("no clocks in {}", said.out)),
    }
}

/// The wall clock less the time since boot, milliseconds, by the kernel's own books: whatever happens between two readings, it is exact.
pub(super) fn apart(ground: &mut Ground<'_>) -> Done<i64> {
    // Each processor learns of a step by its next timer. Clocks 1 and 2 are the wall's and the boot's, each less the same third.
    let script = "sleep 0.3; awk '/^cpu:/ { c = $2 } /^ clock / { k = $2 } /\\.offset:/ { o[c, k] = $2 } \
                  END { printf \"%.0f %.0f\", (o[0, \"1:\"] - o[0, \"2:\"]) / 1e6, (o[1, \"1:\"] - o[1, \"2:\"]) / 1e6 }' /proc/timer_list";
    let said = ground.pc.must(script)?.out;
    let numbers: Vec<i64> = said.split(' ').filter_map(|word| word.parse().ok()).collect();
    match numbers[..] {
        [one, other] if one == other && one != 0 => Ok(one),
        _ => Err(format!("no clocks in {said}")),
    }
}

/// `forward 86399.412 s` in milliseconds.
pub(super) fn size(told: &str) -> Option<i64> {
    let mut words = told.split_whitespace().skip_while(|word| !["forward", "back"].contains(word));
    let sign = if words.next()? == "back" { -1 } else { 1 };
    Some(sign * words.next()?.replace('.', "").parse::<i64>().ok()?)
}

/// The size that is told under `key` is that.
pub(super) fn exact(record: &Value, key: &str, real_ms: i64, limit_ms: i64) -> Done<String> {
    let told = proof(record, key);
    let size = size(&told).ok_or_else(|| format!("no size in {record}"))?;
    if (size - real_ms).abs() <= limit_ms { Ok(told) } else { Err(format!("it was {real_ms} ms, told is {told}")) }
}

/// Puts the date `seconds` on, all at once.
pub(super) fn shift(ground: &mut Ground<'_>, seconds: i64) -> Done<u64> {
    Ok(ground.pc.must(&format!("date -s @$(( $(date +%s) + {seconds} )) >/dev/null"))?.at_ms)
}

fn stepped(ground: &mut Ground<'_>, seconds: i64) -> Done<Got> {
    ground.afresh()?;
    let mark = ground.mark()?;
    let before = apart(ground)?;
    let at = shift(ground, seconds)?;
    let by = apart(ground)? - before;
    let record = ground.told("clock.stepped", "opened", mark, |_| true)?;
    let told = exact(&record, "clock.step", by, EXACT_MS)?;
    if word(&record, "/cause/severity") != "critical" {
        return Err(format!("not critical: {record}"));
    }
    let late = within(TOLD_MS, boot_ms(&record) - i64::try_from(at).unwrap_or(i64::MAX))?;
    ground.nothing_but(&["clock.stepped"], mark, Duration::from_secs(1))?;
    Ok(Got::of(told).after(late))
}

fn set_back(ground: &mut Ground<'_>) -> Done<Got> {
    let mark = ground.mark()?;
    shift(ground, -86_400)?;
    let record = ground.told("clock.stepped", "updated", mark, |record| !proof(record, "clock.after").is_empty())?;
    ground.nothing_but(&["clock.stepped"], mark, Duration::from_secs(1))?;
    let opened = ground.since(mark).iter().any(|record| word(record, "/incident/phase") == "opened");
    if opened { Err("a second incident".to_owned()) } else { Ok(Got::of(proof(&record, "clock.after"))) }
}

fn same_date(ground: &mut Ground<'_>) -> Done<Got> {
    let mark = ground.mark()?;
    ground.pc.must("date -s \"$(date '+%Y-%m-%d %H:%M:%S')\" >/dev/null")?;
    ground.nothing_but(&[], mark, WATCHED)?;
    Ok(Got::of("nothing"))
}

fn suspend(ground: &mut Ground<'_>) -> Done<Got> {
    let mark = ground.mark()?;
    let asleep = "cut -d' ' -f1 /proc/uptime | tr -d .";
    let before: i64 = ground.pc.must(asleep)?.out.parse().map_err(|e| format!("no time: {e}"))?;
    ground.pc.must("(sleep 0.2; echo mem >/sys/power/state) </dev/null >/dev/null 2>&1 &")?;
    let deadline = Instant::now() + SOON;
    while ground.pc.monitor("query-status", &serde_json::json!({}))?.get("status").is_none_or(|status| status != "suspended") {
        if Instant::now() > deadline {
            return Err("it does not fall asleep".to_owned());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    std::thread::sleep(Duration::from_secs(3));
    ground.pc.monitor("system_wakeup", &serde_json::json!({}))?;
    let after: i64 = ground.pc.must(asleep)?.out.parse().map_err(|e| format!("no time: {e}"))?;
    ground.pc.until("dmesg | grep -q 'PM: suspend exit'", SOON)?;
    ground.nothing_but(&[], mark, WATCHED)?;
    Ok(Got::of(format!("nothing, {} ms of sleep counted", (after - before) * 10)))
}

/// Findings of what only a look by the minute sees; they come and go while other cases run.
pub(crate) const SLOW: [&str; 3] = ["clock.rtc-changed", "clock.timezone", "clock.rate"];

/// Changes the battery clock by its ports, past the kernel, and the time zone; long before anybody waits for the agent to see it.
pub(crate) fn stage_slow(ground: &mut Ground<'_>) -> Done {
    if ground.slow.is_some() {
        return Ok(());
    }
    ground.slow = Some(ground.mark()?);
    ground.pc.must("ln -sf /usr/share/zoneinfo/UTC /etc/localtime")?;
    hours(ground, 3)
}

/// Moves the hours of the battery clock by `by`; it counts them in two decimal digits. Not near midnight.
fn hours(ground: &mut Ground<'_>, by: i64) -> Done {
    let port = |byte: &str, port: u32| format!("printf '\\x{byte}' | dd of=/dev/port bs=1 seek={port} 2>/dev/null");
    let read = format!("{}; dd if=/dev/port bs=1 skip=113 count=1 2>/dev/null | xxd -p", port("04", 112));
    let now: i64 = ground.pc.must(&read)?.out.parse().map_err(|e| format!("not an hour: {e}"))?;
    let then = format!("{:02}", now + by);
    ground.pc.must(&format!("{}; {}", port("04", 112), port(&then, 113)))?;
    let read: i64 = ground.pc.must(&read)?.out.parse().map_err(|e| format!("not an hour: {e}"))?;
    if read == now + by { Ok(()) } else { Err(format!("the battery clock shows hour {read}")) }
}

fn slowly(ground: &mut Ground<'_>, code: &str) -> Done<Value> {
    stage_slow(ground)?;
    let mark = ground.slow.unwrap_or_default();
    ground.told_within(Duration::from_secs(75), code, "opened", mark, |_| true)
}

fn battery(ground: &mut Ground<'_>) -> Done<Got> {
    let record = slowly(ground, "clock.rtc-changed")?;
    hours(ground, -3)?;
    let told = proof(&record, "clock.battery-step");
    match size(&told) {
        Some(ms) if (ms - 3 * 3_600_000).abs() < 5000 => Ok(Got::of(told)),
        _ => Err(format!("not by 3 h: {record}")),
    }
}

fn zone(ground: &mut Ground<'_>) -> Done<Got> {
    let record = slowly(ground, "clock.timezone")?;
    ground.pc.must("ln -sf /usr/share/zoneinfo/Asia/Shanghai /etc/localtime")?;
    let (now, then) = (proof(&record, "clock.zone"), proof(&record, "clock.zone-enrolled"));
    if now.ends_with("UTC") && then.ends_with("Asia/Shanghai") { Ok(Got::of(format!("{now}, {then}"))) } else { Err(record.to_string()) }
}

fn rate(ground: &mut Ground<'_>) -> Done<Got> {
    let mark = ground.mark()?;
    let at = i64::try_from(ground.pc.must("adjtimex -t 11000 >/dev/null && adjtimex | grep -q 'tick: *11000'")?.at_ms).unwrap_or(0);
    let long = Duration::from_secs(75);
    let record = ground.told_within(long, "clock.rate", "opened", mark, |_| true)?;
    let late = within(BY_THE_MINUTE_MS, boot_ms(&record) - at)?;
    ground.pc.must("adjtimex -t 10000 >/dev/null")?;
    // The same minute saw the end of what was undone before.
    for code in ["clock.timezone", "clock.rtc-changed"] {
        if let Some(mark) = ground.slow {
            ground.told_within(long, code, "resolved", mark, |_| true)?;
        }
    }
    Ok(Got::of(proof(&record, "clock.tick")).after(late))
}

fn offline(ground: &mut Ground<'_>) -> Done<Got> {
    ground.stop()?;
    let before = apart(ground)?;
    shift(ground, 400 * 86_400)?;
    let by = apart(ground)? - before;
    let mark = ground.mark()?;
    ground.start()?;
    let record = ground.told("clock.offline-change", "opened", mark, |_| true)?;
    Ok(Got::of(exact(&record, "clock.offline", by, KEPT_MS)?))
}

fn first_minute(ground: &mut Ground<'_>) -> Done<Got> {
    ground.afresh()?;
    ground.kill()?;
    if ground.pc.run("test -e /state/isonet/anchor")?.status == 0 {
        return Err("it has left a sign of life besides its records".to_owned());
    }
    let before = apart(ground)?;
    shift(ground, -10 * 86_400)?;
    let by = apart(ground)? - before;
    let mark = ground.mark()?;
    ground.start()?;
    let record = ground.told("clock.offline-change", "opened", mark, |_| true)?;
    Ok(Got::of(exact(&record, "clock.offline", by, KEPT_MS)?))
}

/// What explains that the clock is behind.
#[derive(Clone, Copy)]
enum Excuse {
    None,
    File,
    Local,
}

/// Stands for what a system does while it starts, after the PC really started anew: the agent finds what it left in the boot before, the clocks as
/// such a system would have them, and in one hour, or eight, of which only the excuse differs.
fn behind(ground: &mut Ground<'_>, excuse: Excuse) -> Done<Got> {
    const FILE: &str = "/var/lib/systemd/timesync/clock";
    let back = if matches!(excuse, Excuse::Local) { 8 * 3600 } else { 3600 };
    let last = "last=$(cat /state/kept.at)";
    let set = format!("date -s @$((last - {back} + 20)) >/dev/null");
    let prepare = match excuse {
        Excuse::None => format!("{last}; {set}; hwclock -w -u"),
        Excuse::File => {
            let touch = format!("mkdir -p ${{file%/*}}; touch -d @$((last - {back})) $file");
            format!("{last}; file={FILE}; {set}; {touch}; hwclock -w -u; inside battery -25920000")
        }
        Excuse::Local => format!("{last}; {set}; sed -i 's/UTC/LOCAL/' /etc/adjtime; hwclock -w -l"),
    };
    let mark = ground.start_from_kept(&prepare)?;
    let undo = format!("rm -f {FILE}; sed -i 's/LOCAL/UTC/' /etc/adjtime; hwclock -w -u");
    let got = match excuse {
        Excuse::None => {
            let record = ground.told("clock.offline-change", "opened", mark, |_| true)?;
            let told = proof(&record, "clock.offline");
            match size(&told) {
                Some(ms) if (ms / 1000 + back).abs() < 90 && told.ends_with("or more") => told,
                _ => return Err(format!("not back by {back} s: {record}")),
            }
        }
        Excuse::File | Excuse::Local => {
            ground.nothing_but(&[], mark, WATCHED)?;
            "nothing".to_owned()
        }
    };
    ground.pc.must(&undo)?;
    Ok(Got::of(got))
}

fn storm(ground: &mut Ground<'_>) -> Done<Got> {
    ground.afresh()?;
    let mark = ground.mark()?;
    let work = "awk '{print $14 + $15}' /proc/$(cat /run/daemon.pid)/stat";
    let ticks = |said: String| said.parse::<u32>().map_err(|e| format!("no times of the agent: {e}"));
    // How often its loop was woken.
    let wakes = "awk '/^voluntary/ {print $2}' /proc/$(cat /run/daemon.pid)/status";
    let (before, woken) = (ticks(ground.pc.must(work)?.out)?, ticks(ground.pc.must(wakes)?.out)?);
    // The `date` of a shell that runs it without starting a program.
    let script = "cut -d' ' -f1 /proc/uptime; now=$(date +%s); i=1; while [ $i -le 1000 ]; do date -s @$((now + i * 5)) >/dev/null; i=$((i + 1)); done; cut -d' ' -f1 /proc/uptime";
    let said = ground.pc.must(script)?.out;
    let took: Vec<u32> = said.lines().filter_map(|line| line.replace('.', "").parse().ok()).collect();
    let took = took.last().zip(took.first()).map_or(0, |(end, begin)| end - begin);
    ground.told("clock.stepped", "opened", mark, |_| true)?;
    ground.wait("the end of the row", mark, |record| size(&proof(record, "clock.step")).is_some_and(|ms| ms > 4_900_000))?;
    let (worked, woken) = (ticks(ground.pc.must(work)?.out)? - before, ticks(ground.pc.must(wakes)?.out)? - woken);
    let mut all = ground.since(mark).iter().filter(|record| record.get("incident").is_some());
    let opened = all.clone().filter(|record| word(record, "/incident/phase") == "opened").count();
    let (records, last) = (all.clone().count(), all.next_back().map(|record| proof(record, "clock.steps")).unwrap_or_default());
    let text = format!("{records} records, {last}, {worked}0 ms of work in {took}0 ms, woken {woken} times");
    // It is woken and looks once a second, however often the clock is set.
    if opened == 1 && records <= 20 && worked <= took / 2 && woken <= 400 {
        Ok(Got::of(text))
    } else {
        Err(format!("{opened} incidents, {text}"))
    }
}

/// Cuts the power and comes back with the battery clock `seconds` from where the date was.
fn power(ground: &mut Ground<'_>, seconds: i64) -> Done<usize> {
    let real = clocks(ground)?.0 / 1000 + seconds;
    let mark = ground.mark()?;
    ground.pc.must("sync")?;
    let rtc = jiff::Timestamp::from_second(real).map_err(|e| e.to_string())?.strftime("%Y-%m-%dT%H:%M:%S").to_string();
    ground.power_cut(&rtc)?;
    let now = clocks(ground)?.0 / 1000;
    // systemd does not believe in a time before it was built.
    let lifted = ground.place == Place::Installed && now > real && seconds < -366 * 86_400;
    if (now - real).abs() > 60 && !lifted {
        return Err(format!("the PC took up {now} from a battery clock at {real}"));
    }
    ground.start_since(mark)?;
    Ok(mark)
}

fn power_cut(ground: &mut Ground<'_>, seconds: i64) -> Done<Got> {
    if seconds > 0 {
        ground.keep()?;
    } else {
        // Switched off in good order: the agent's last sign of life is of just now.
        ground.stop()?;
    }
    let mark = power(ground, seconds)?;
    if seconds > 0 {
        ground.nothing_but(&[], mark, WATCHED)?;
        return Ok(Got::of("nothing"));
    }
    let record = ground.told("clock.offline-change", "opened", mark, |_| true)?;
    let told = proof(&record, "clock.offline");
    // The PC needs some seconds to end and to start, an emulated one beside a build a minute; what is told is the least that it can have been.
    match size(&told) {
        Some(ms) if (0..120).contains(&(ms / 1000 - seconds)) => Ok(Got::of(told)),
        _ => Err(format!("not by {seconds} s: {record}")),
    }
}

fn dead_battery(ground: &mut Ground<'_>) -> Done<Got> {
    let now = clocks(ground)?.0 / 1000;
    let mark = power(ground, 1_388_534_400 - now)?;
    ground.nothing_but(&["clock.offline-change"], mark, WATCHED)?;
    let told = ground
        .since(mark)
        .iter()
        .any(|record| word(record, "/cause/code") == "clock.offline-change" && word(record, "/incident/phase") == "opened");
    if told { Err("a dead battery is nobody's act".to_owned()) } else { Ok(Got::of("nothing")) }
}
