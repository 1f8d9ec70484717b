//! What terminals sent: the healthy, and one for each thing that can be wrong with a chain.

use crate::terminal::{Terminal, life, sealed};
use isonet::model::{AgentEvent, Body, Severity};
use isonet::spool::Digest;
use std::fmt::Write as _;

fn started() -> Body {
    Body::Agent { severity: Severity::Info, agent: AgentEvent::Started }
}

/// Lines by `\n`, each ended by it.
fn lines<'a>(all: impl IntoIterator<Item = &'a String>) -> String {
    all.into_iter().fold(String::new(), |mut text, line| {
        writeln!(text, "{line}").unwrap();
        text
    })
}

/// A terminal with a log of so many records of no consequence.
fn plain(id: &str, records: usize) -> Terminal {
    let mut terminal = Terminal::new(id, "610102", "telecom");
    (0..records).for_each(|_| {
        terminal.push(started());
    });
    terminal
}

fn gap(terminal: &Terminal, from: u64, to: u64, after: Digest) -> AgentEvent {
    AgentEvent::SpoolGap { epoch: terminal.epoch.clone(), from, to, reason: "cap".to_owned(), before: None, after: Some(after.to_string()) }
}

fn hash_of(line: &str) -> Digest {
    serde_json::from_value(serde_json::from_str::<serde_json::Value>(line).unwrap()["hash"].clone()).unwrap()
}

/// All of it, a line each. `altered` is healthy here: its second record is changed at the receiver.
pub fn planted() -> String {
    let mut text = String::new();

    // Healthy: every sort of record, an incident that ended, all of it twice, with NUL and quotes in it.
    let mut well = Terminal::new("well", "610102", "telecom");
    well.card.site = Some("it's \"2\" \\ \0 号".to_owned());
    well.day();
    let opened = well.opens();
    well.resolves(opened);
    text += &lines(well.lines.iter().chain(&well.lines));
    text += &lines([&well.beat(None), &well.beat(None)]);
    // Healthy: an incident that is open, and one more number of an earlier life that nobody knows anything of.
    let mut open = Terminal::new("open", "610102", "telecom");
    open.opens();
    text += &lines(&open.lines);
    // Healthy: the oldest are gone, and a record says so.
    let mut covered = plain("covered", 4);
    let after = hash_of(&covered.lines[2]);
    covered.agent(gap(&covered, 1, 3, after));
    text += &lines(&covered.lines[3..]);
    // Healthy: an incident of an earlier life, which the newest does not name any more.
    let mut reborn = Terminal::new("reborn", "610102", "telecom");
    reborn.opens();
    text += &lines(&reborn.lines);
    let mut reborn = plain("reborn", 0);
    reborn.epoch = life("reborn", 1);
    reborn.push(started());
    text += &lines(&reborn.lines);
    // Healthy: shortened on its way by syslog, and whole by another.
    let short = plain("short", 1);
    let whole = &short.lines[0];
    let cut = whole.replacen("{\"schema\":\"incident/1\",", "{\"schema\":\"incident/1\",\"truncated\":true,", 1);
    text += &lines([&cut, whole, &cut]);
    // Lost.
    let missing = plain("missing", 6);
    text += &lines(missing.lines.iter().enumerate().filter(|(i, _)| ![1, 2, 4].contains(i)).map(|(_, line)| line));
    // Lost, and only a part of it is accounted for.
    let mut half = plain("half", 5);
    let after = hash_of(&half.lines[3]);
    half.agent(gap(&half, 2, 4, after));
    text += &lines(&half.lines[4..]);
    // What the gap is said to have ended in is not what comes after it.
    let mut bridged = plain("bridged", 4);
    bridged.agent(gap(&bridged, 1, 3, Digest::of(b"another")));
    text += &lines(&bridged.lines[3..]);
    // Written anew at the terminal, well sealed, and not by the one after it.
    let mut forged = plain("forged", 3);
    let honest = forged.lines.clone();
    let mut record = forged.record(started());
    record.seq = 2;
    "019a9c3e-7b1c-7a00-8000-00000000ffff".clone_into(&mut record.event_id);
    forged.lines[1] = sealed(&record, hash_of(&honest[0])).0;
    text += &lines(&forged.lines);
    // The same, after the true one had come.
    let mut late = plain("late", 3);
    text += &lines(&late.lines);
    let mut record = late.record(started());
    record.seq = 2;
    "019a9c3e-7b1c-7a00-8000-00000000fffe".clone_into(&mut record.event_id);
    late.lines[1] = sealed(&record, hash_of(&late.lines[0])).0;
    text += &lines(&late.lines);
    // All of the log written anew; a sign of life had named its head.
    let mut anew = plain("anew", 3);
    text += &lines([&anew.beat(None)]);
    let mut other = plain("anew", 0);
    other.card.site = Some("other".to_owned());
    (0..3).for_each(|_| {
        other.push(started());
    });
    text += &lines(&other.lines);
    anew.lines.clear();
    // Another head under the same number.
    let heads = plain("heads", 2);
    text += &lines(&heads.lines);
    text += &lines([&heads.beat(None), &heads.beat_of(2, Digest::of(b"x"), None)]);
    // Changed in the receiver's own tables, below.
    text += &lines(&plain("altered", 3).lines);
    // Nothing that anybody sends may hold up what comes after it.
    text += "no JSON\n{\"schema\":\"incident/1\"}\n[1]\n{\"schema\":\"other/1\"}\n";
    let behind = plain("behind", 5);
    text += &lines(&behind.lines[..3]);
    text += &lines([&behind.beat(None)]);
    text
}
