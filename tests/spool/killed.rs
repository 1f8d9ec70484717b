//! A process that writes incidents is killed at random moments, hundreds of times: every record it was told of is there, the chain is whole,
//! no number twice, no incident doubled or lost.

use super::world::{all, assert_gapless, card, incident};
use isonet::model::{Body, Draft, Phase};
use isonet::spool::{Claims, Cursors, Disk, Known, News, Position, Reader, Spool, verify};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;

/// Where the child works. Set = this process is the child.
const CHILD: &str = "ISONET_TEST_SPOOL_CHILD";
const KILLS: u32 = 220;

fn claims() -> Claims {
    Claims { fingerprint: "this-machine".to_owned(), anchor: Known::Absent, cursors: Known::Absent }
}

/// Opens, updates and resolves incidents without end, and says on standard output what it was told is recorded.
fn child(dir: &Path) {
    let (tell, told) = mpsc::channel();
    let store = Disk::own(dir).unwrap();
    let (spool, start) = Spool::start(store, None, &claims(), card(), move |news| {
        if let News::Recorded(records) = news {
            let lines = records.iter().map(|r| format!("REC {} {}\n", r.at.seq, r.hash)).collect::<Vec<_>>().concat();
            std::io::stdout().write_all(lines.as_bytes()).unwrap();
            tell.send(records.len()).unwrap();
        }
    })
    .unwrap();
    assert!(start.events.iter().all(|event| matches!(event, isonet::model::AgentEvent::TornTail { .. })), "{:?}", start.events);
    // What was open is resolved first, under its old name.
    let mut drafts: Vec<Draft> = start.open.iter().map(|(_, open)| incident(open.key, Phase::Resolved, 9)).collect();
    for key in 1_000.. {
        drafts.extend([Phase::Opened, Phase::Updated, Phase::Resolved].map(|phase| incident(key, phase, 9)));
        let mut waiting = drafts.len();
        for draft in drafts.drain(..) {
            spool.record(draft);
        }
        while waiting > 6 {
            waiting -= told.recv().unwrap().min(waiting);
        }
    }
}

#[test]
fn a_killed_writer_loses_nothing_it_reported() {
    if let Some(dir) = std::env::var_os(CHILD) {
        child(&PathBuf::from(dir));
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let spool = dir.path().join("spool");
    let mut reported = BTreeMap::new();
    let mut random = Random(u64::from(std::process::id()) | 1);
    println!("seed {}", random.0);
    for kill in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["killed::a_killed_writer_loses_nothing_it_reported", "--exact", "--nocapture"])
            .env(CHILD, &spool)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (enough, spin) = (random.below(12), random.below(200_000));
        let mut seen = 0;
        let mut take = |line: String| {
            let Some((seq, hash)) = line.strip_prefix("REC ").and_then(|rest| rest.split_once(' ')) else { return 0 };
            let former = reported.insert(seq.parse::<u64>().unwrap(), hash.to_owned());
            assert_eq!(former, None, "the number {seq} was given twice");
            1
        };
        while seen < enough {
            seen += take(lines.next().expect("the child goes on until it is killed").unwrap());
        }
        // A moment that no line is tied to.
        for n in 0..spin {
            std::hint::black_box(n);
        }
        child.kill().unwrap();
        // What it had said before it died. The last line may be cut, and is then not said.
        for line in lines.map_while(Result::ok).filter(|line| line.len() > 70) {
            take(line);
        }
        assert!(!child.wait().unwrap().success(), "kill {kill}");
    }
    let there: BTreeMap<_, _> = all(Disk::look(&spool)).into_iter().map(|(at, hash)| (at.seq, hash.to_string())).collect();
    assert!(reported.iter().all(|(seq, hash)| there.get(seq) == Some(hash)), "a record that was reported is not there");
    assert_gapless(&all(Disk::look(&spool)));
    let report = verify(&Disk::look(&spool)).unwrap();
    assert!(report.is_whole() && report.epochs.len() == 1, "{report:?}");
    assert_each_incident_once(&spool);
    println!("{KILLS} kills, {} records reported, {} there", reported.len(), report.records);
}

/// Each incident is opened once, goes on until it is resolved once, and only what the last child left is open.
fn assert_each_incident_once(spool: &Path) {
    let mut phases: BTreeMap<String, Vec<Phase>> = BTreeMap::new();
    let mut reader = Reader::after(Disk::look(spool), Position { epoch: String::new(), seq: 0 });
    for entry in reader.next(usize::MAX, None).unwrap() {
        if let Body::Incident(body) = entry.record().unwrap().body {
            phases.entry(body.incident.id.to_string()).or_default().push(body.incident.phase);
        }
    }
    let open = phases.values().filter(|phases| phases.last() != Some(&Phase::Resolved)).count();
    assert!(open <= 4, "{open} open");
    for (id, phases) in &phases {
        assert_eq!(phases.iter().filter(|phase| **phase == Phase::Opened).count(), 1, "{id}: {phases:?}");
        assert_eq!(phases[0], Phase::Opened, "{id}: {phases:?}");
        assert!(phases.iter().filter(|phase| **phase == Phase::Resolved).count() <= 1, "{id}: {phases:?}");
    }
}

/// xorshift: moments, not secrets.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

#[test]
fn a_cursor_outlives_whoever_moved_it() {
    let dir = tempfile::tempdir().unwrap();
    let at = |seq| Position { epoch: "e".to_owned(), seq };
    for seq in 1..50 {
        let mut cursors = Cursors::open(Disk::own(dir.path()).unwrap()).unwrap();
        cursors.arrange(vec!["e".to_owned()]);
        assert_eq!(cursors.get("nats"), (seq > 1).then(|| at(seq - 1)));
        cursors.advance("nats", at(seq)).unwrap();
        // What a cut between writing beside and renaming leaves.
        std::fs::write(dir.path().join(".new-nats.cursor"), b"half").unwrap();
    }
}
