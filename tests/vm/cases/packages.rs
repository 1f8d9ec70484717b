//! Its package changes, and what the service keeps does not: upgraded with incidents open, removed, installed again.

use serde_json::Value;

use super::Takes::Seconds;
use super::clock::shift;
use super::usb::{Stick, opened, plug, pull, resolved, used};
use super::{Case, WATCHED, case};
use crate::Done;
use crate::daemon::{Ground, shown, word};
use crate::place::{self, natively};
use crate::sticks;
use crate::table::Got;

#[rustfmt::skip]
pub(super) const CASES: &[Case] = &[
    case("upgraded with incidents open", "no record lost, nothing opened anew, each goes on under its id", Seconds, upgraded),
    case("removed with an incident open, installed again", "the same epoch and chain; the incident ends under its id", Seconds, reinstalled),
];

const CODES: [&str; 3] = ["usb.storage", "usb.mounted", "clock.stepped"];

/// All of the log, byte for byte.
fn log(ground: &mut Ground<'_>) -> Done<String> {
    Ok(ground.pc.must("cat /var/lib/isonet/spool/*.jsonl")?.out)
}

fn version(ground: &mut Ground<'_>) -> Done<String> {
    Ok(ground.pc.must(&natively("dpkg-query -W -f '${Version}' isonet; sha256sum </usr/bin/isonet | head -c 8"))?.out)
}

/// What a person has written, and what was normal at enrolment.
fn kept(ground: &mut Ground<'_>) -> Done<String> {
    Ok(ground.pc.must("sha256sum /etc/isonet/isonet.toml; find /var/lib/isonet -path '*baseline*' -type f | sort | xargs sha256sum")?.out)
}

/// Codes and ids of the incidents that were opened.
fn ids(ground: &Ground<'_>, mark: usize) -> Vec<(String, String)> {
    let opened = ground.since(mark).iter().filter(|record| word(record, "/incident/phase") == "opened");
    let about = opened.filter(|record| CODES.contains(&word(record, "/cause/code")));
    about.map(|record| (word(record, "/cause/code").to_owned(), word(record, "/incident/id").to_owned())).collect()
}

fn events(ground: &Ground<'_>, mark: usize, name: &str) -> usize {
    ground.since(mark).iter().filter(|record| word(record, "/agent/event") == name).count()
}

/// The log is the one from before and more, in one epoch and one chain; how many records it had and has.
fn goes_on(ground: &mut Ground<'_>, before: &str) -> Done<(usize, usize)> {
    let after = log(ground)?;
    if !after.starts_with(before) {
        return Err("the log is not the one from before".to_owned());
    }
    let epoch = |line: &str| serde_json::from_str::<Value>(line).map(|record| word(&record, "/epoch").to_owned()).unwrap_or_default();
    let mut epochs: Vec<String> = after.lines().map(epoch).collect();
    epochs.dedup();
    if epochs.len() != 1 {
        return Err(format!("epochs: {epochs:?}"));
    }
    ground.pc.must("isonet --lang en verify-log")?;
    Ok((before.lines().count(), after.lines().count()))
}

/// The new program has started, and the old one had ended in order.
fn started(ground: &mut Ground<'_>, mark: usize) -> Done {
    ground.wait("its start", mark, |record| word(record, "/agent/event") == "started")?;
    ground.pc.must("systemctl show -p MainPID --value isonet >/run/daemon.pid")?;
    let told = ["stopped", "started", "gap"].map(|name| events(ground, mark, name));
    if told == [1, 1, 0] { Ok(()) } else { Err(format!("ends, starts and gaps: {told:?}: {}", shown(ground.since(mark)))) }
}

fn same_id(record: &Value, all: &[(String, String)]) -> Done {
    let id = (word(record, "/cause/code").to_owned(), word(record, "/incident/id").to_owned());
    if all.contains(&id) { Ok(()) } else { Err(format!("{id:?} is none of {all:?}")) }
}

fn upgraded(ground: &mut Ground<'_>) -> Done<Got> {
    // The case before may have left a dead battery: a PC that does not know the time is put right by whoever sets it forward.
    ground.stop()?;
    shift(ground, 40 * 86_400)?;
    ground.pc.must("busybox hwclock -w -u")?;
    ground.begin_with(place::BEFORE)?;
    let begin = ground.mark()?;
    let stick = plug(ground, "UPGRADE1", sticks::partitioned, &serde_json::json!({}))?;
    used(ground, &stick, "mkdir -p /media/stick; mount /dev/DISK1 /media/stick", "usb.mounted", begin)?;
    shift(ground, 86_400)?;
    ground.told("clock.stepped", "opened", begin, |_| true)?;
    let (all, keeps, from) = (ids(ground, begin), kept(ground)?, version(ground)?);
    let (before, mark) = (log(ground)?, ground.mark()?);
    place::unpack(&mut ground.pc, place::PACKAGE)?;
    started(ground, mark)?;
    ground.nothing_but(&CODES, mark, WATCHED)?;
    let (to, keeps_now) = (version(ground)?, kept(ground)?);
    if from == to || keeps != keeps_now {
        return Err(format!("{from} became {to}; kept was\n{keeps}\nand is\n{keeps_now}"));
    }
    ended(ground, &stick, begin, mark, &all)?;
    let (had, has) = goes_on(ground, &before)?;
    Ok(Got::of(format!("{} to {}: {had} records kept and {} more, {} incidents went on", first(&from), first(&to), has - had, all.len())))
}

fn first(version: &str) -> &str {
    version.lines().next().unwrap_or_default()
}

/// All three go on under their ids, and two of them end.
fn ended(ground: &mut Ground<'_>, stick: &Stick, begin: usize, mark: usize, all: &[(String, String)]) -> Done {
    ground.pc.must("umount /media/stick")?;
    same_id(&resolved(ground, "usb.mounted", stick.serial, mark)?, all)?;
    pull(ground, stick)?;
    same_id(&resolved(ground, "usb.storage", stick.serial, mark)?, all)?;
    shift(ground, -86_400)?;
    same_id(&ground.told("clock.stepped", "updated", mark, |_| true)?, all)?;
    let now = ids(ground, begin);
    if now == all && all.len() == CODES.len() { Ok(()) } else { Err(format!("opened: {now:?}, before: {all:?}")) }
}

fn reinstalled(ground: &mut Ground<'_>) -> Done<Got> {
    let begin = ground.mark()?;
    let stick = plug(ground, "REMOVED1", sticks::partitioned, &serde_json::json!({}))?;
    opened(ground, "usb.storage", stick.serial, begin)?;
    let (all, keeps, before, mark) = (ids(ground, begin), kept(ground)?, log(ground)?, ground.mark()?);
    ground.pc.must(&natively("dpkg -r isonet && ! systemctl -q is-active isonet && test ! -e /run/isonet && test ! -e /usr/bin/isonet"))?;
    place::unpack(&mut ground.pc, place::PACKAGE)?;
    started(ground, mark)?;
    pull(ground, &stick)?;
    same_id(&resolved(ground, "usb.storage", stick.serial, mark)?, &all)?;
    ground.nothing_but(&CODES, mark, WATCHED)?;
    let now = ids(ground, begin);
    if now != all || kept(ground)? != keeps {
        return Err(format!("opened: {now:?}, before: {all:?}; kept: {keeps}"));
    }
    let (had, has) = goes_on(ground, &before)?;
    Ok(Got::of(format!("{had} records kept and {} more, one epoch", has - had)))
}
