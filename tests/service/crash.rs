//! Killed at any moment, again and again, while incidents open and close.
//!
//! What stands in the log as whole lines when the daemon dies counts as reported: its own readers could have seen it. (What a power cut
//! takes is another matter, and the log's own tests'.)

use crate::log::{is_sound, lines, word};
use crate::run::Run;
use crate::site::{CENTRES, Site};
use rustix::process::Signal;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How often it is killed: `ISONET_KILLS`.
const KILLS: usize = 40;
/// Each centre is cut off and given back about this often, as far as `ip` is quick enough: alone and together.
const TOGGLES: [Duration; 2] = [Duration::from_millis(700), Duration::from_millis(1100)];
/// Longest life between two kills.
const LONGEST: u64 = 2500;

#[test]
fn nothing_that_was_recorded_is_lost_or_doubled_however_often_it_is_killed() {
    let Some(site) = Site::new() else { return };
    site.write("isonet.toml", &format!("language = \"en\"\n{}", site.config(&[("settlement", CENTRES[0]), ("catalogue", CENTRES[1])])));
    let kills = std::env::var("ISONET_KILLS").map_or(KILLS, |text| text.parse().unwrap());
    let seed = std::env::var("ISONET_SEED").map_or_else(|_| u64::from(std::process::id()), |text| text.parse().unwrap());
    println!("seed {seed}, {kills} kills");
    let mut dice = Dice(seed);
    let mut faults = Faults { site: &site, cut: [false; 2], next: [Instant::now(); 2] };
    let mut reported: Vec<String> = Vec::new();
    for kill in 1..=kills {
        let run = Run::start(&site, &[]);
        // Often while it starts, often while it writes, sometimes after a while.
        let life = Duration::from_millis(if dice.below(4) == 0 { dice.below(120) } else { dice.below(LONGEST) });
        faults.go_on_for(life);
        let written = lines(&site);
        run.signal(Signal::KILL);
        run.ended();
        let kept = lines(&site);
        assert!(kept.starts_with(&written) && kept.starts_with(&reported), "kill {kill}: a record is gone");
        // What the last one wrote between the look and its end could be read as well.
        reported = kept;
    }
    for (centre, _) in CENTRES.iter().zip(faults.cut).filter(|(_, cut)| *cut) {
        site.mend(centre);
    }
    let mut run = Run::start(&site, &[]);
    run.hears("STATUS=You can settle");
    let resolved = crate::site::until(|| Course::of(&lines(&site)).open.is_empty());
    run.stop();
    assert!(resolved, "what is over is closed");

    let all = lines(&site);
    assert!(all.starts_with(&reported), "the last start lost a record");
    is_sound(&site);
    let course = Course::of(&all);
    let Course { opened, changes, started, gaps, .. } = &course;
    println!("{} records, {changes} of {opened} incidents, {started} starts, {gaps} gaps", all.len());
    assert!(course.changes >= kills, "too little happened: {} changes of incidents", course.changes);
    // Whoever is killed before its first record leaves nothing to tell of; between its gap and its start, the next one tells of it again.
    assert!(course.started <= kills + 1 && course.gaps + 1 >= course.started, "{started} starts, {gaps} gaps");
}

/// Come and go, whoever looks.
struct Faults<'a> {
    site: &'a Site,
    cut: [bool; 2],
    next: [Instant; 2],
}

impl Faults<'_> {
    fn go_on_for(&mut self, life: Duration) {
        let end = Instant::now() + life;
        loop {
            for (at, centre) in CENTRES.iter().enumerate() {
                let now = Instant::now();
                if now < self.next[at] {
                    continue;
                }
                if self.cut[at] {
                    self.site.mend(centre);
                } else {
                    self.site.cut(centre);
                }
                (self.cut[at], self.next[at]) = (!self.cut[at], now + TOGGLES[at]);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let next = self.next[0].min(self.next[1]).saturating_duration_since(Instant::now());
            std::thread::sleep(left.min(next));
        }
    }
}

/// What a log tells, checked while it is read.
#[derive(Default)]
struct Course {
    started: usize,
    gaps: usize,
    opened: usize,
    changes: usize,
    /// Open incidents: the last revision of each, and what it is about.
    open: BTreeMap<String, (u64, String)>,
}

impl Course {
    fn of(lines: &[String]) -> Self {
        let mut course = Self::default();
        let mut closed: BTreeMap<String, u64> = BTreeMap::new();
        let mut told_of_gap = false;
        for (at, line) in lines.iter().enumerate() {
            let record: Value = serde_json::from_str(line).unwrap();
            assert_eq!(record["seq"], at as u64 + 1, "gapless: {line}");
            assert_eq!(record["epoch"], serde_json::from_str::<Value>(&lines[0]).unwrap()["epoch"], "one epoch: {line}");
            match word(&record, "/agent/event") {
                "gap" => (course.gaps, told_of_gap) = (course.gaps + 1, true),
                "started" => {
                    assert!(course.started == 0 || told_of_gap, "it was killed and does not say so: {line}");
                    (course.started, told_of_gap) = (course.started + 1, false);
                }
                _ => {}
            }
            if record.get("incident").is_some() {
                course.incident(&record, &mut closed);
            }
        }
        course
    }

    fn incident(&mut self, record: &Value, closed: &mut BTreeMap<String, u64>) {
        let id = word(record, "/incident/id").to_owned();
        let rev = record.pointer("/incident/rev").and_then(Value::as_u64).unwrap();
        let about = word(record, "/incident/fingerprint").to_owned();
        self.changes += 1;
        let doubled = self.open.iter().find(|(other, (_, its))| **other != id && *its == about);
        assert!(doubled.is_none(), "doubled: {record} while {doubled:?} is open");
        match (word(record, "/incident/phase"), word(record, "/incident/change")) {
            ("opened", _) => {
                self.opened += 1;
                assert!(!closed.contains_key(&id) && rev == 1, "opened twice: {record}");
                let before = self.open.insert(id, (rev, about));
                assert!(before.is_none(), "opened while open: {record}");
            }
            ("updated", "reopened") => {
                let before = closed.remove(&id);
                assert!(before == Some(rev - 1) && !self.open.contains_key(&id), "reopened out of nothing: {record}");
                self.open.insert(id, (rev, about));
            }
            ("updated", _) => assert_eq!(self.open.insert(id, (rev, about)).map(|it| it.0), Some(rev - 1), "{record}"),
            ("resolved", _) => {
                assert_eq!(self.open.remove(&id).map(|it| it.0), Some(rev - 1), "closed what was not open: {record}");
                closed.insert(id, rev);
            }
            other => panic!("{other:?}: {record}"),
        }
    }
}

/// `SplitMix64`.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}
