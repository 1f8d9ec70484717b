//! A small log, cut at every byte and changed in every bit: never a wrong record accepted, always a start.

use super::memory::{Memory, Sync};
use super::world::{all, incident, no_claims, open, started, write};
use isonet::model::{AgentEvent, Phase};
use isonet::spool::{Claims, Digest, Known, Position, Reader, Refusal, verify};
use std::collections::{BTreeMap, BTreeSet};

/// Three segments (writes that failed end a segment) with five records, and what they are.
struct Small {
    files: BTreeMap<String, Vec<u8>>,
    records: Vec<(Position, Digest)>,
}

fn small() -> Small {
    let store = Memory::new(Sync::Real);
    let (mut log, _) = open(store.clone(), &no_claims());
    for batch in [vec![started(), incident(1, Phase::Opened, 2)], vec![started()], vec![incident(1, Phase::Updated, 4), started()]] {
        log.load((1..).zip(batch).map(|(ticket, draft)| super::world::item(ticket, draft)), &super::world::card(), &super::world::stamp(3));
        store.fail_after(if log.head().seq == 0 { 99 } else { 0 }, libc::EIO);
        let _ = log.flush();
        store.heal();
        log.flush().unwrap();
    }
    let (files, records) = (store.files(), all(store));
    assert_eq!((super::memory::segments(&files).len(), records.len()), (3, 5));
    Small { files, records }
}

impl Small {
    /// What the anchor knows: numbers up to here are given away.
    fn claims(&self) -> Claims {
        Claims { anchor: Known::Is(self.records.last().unwrap().clone()), ..no_claims() }
    }

    fn accepts_only_genuine(&self, store: &Memory, what: &str) {
        for record in all(store.clone()) {
            assert!(self.records.contains(&record), "{what}: accepted {record:?}");
        }
    }

    /// Starts on these files and writes on; everything that can be read is genuine or new, and no number names two records.
    fn survives(&self, files: &BTreeMap<String, Vec<u8>>, what: &str) -> (Vec<AgentEvent>, Memory) {
        let store = Memory::with(files);
        let given: BTreeSet<_> = self.records.iter().map(|(at, _)| at.clone()).collect();
        self.accepts_only_genuine(&store, what);
        let (mut log, start) = open(store.clone(), &self.claims());
        for (id, incident) in &start.open {
            assert!(given.contains(&Position { epoch: id.epoch.clone(), seq: id.seq }), "{what}: {incident:?}");
        }
        let written = write(&mut log, vec![started()]);
        assert!(written.iter().all(|new| !given.contains(&new.at)), "{what}: a number was given twice: {written:?}");
        let after: BTreeSet<_> = all(store.clone()).into_iter().collect();
        assert!(written.iter().all(|new| after.contains(&(new.at.clone(), new.hash))), "{what}");
        // The next start has nothing new to say.
        drop(log);
        let (_, again) = open(store.clone(), &no_claims());
        assert_eq!(again.events, [], "{what}: said twice");
        (start.events, store)
    }
}

#[test]
fn cut_at_every_byte_it_starts_and_accepts_no_wrong_record() {
    let small = small();
    for (name, bytes) in &small.files {
        for end in 0..bytes.len() {
            let mut files = small.files.clone();
            files.insert(name.clone(), bytes[..end].to_vec());
            let (events, _) = small.survives(&files, &format!("{name} cut at {end}"));
            assert!(!events.is_empty(), "{name} cut at {end}: not noticed");
        }
    }
}

#[test]
fn changed_in_every_bit_it_starts_and_accepts_no_wrong_record() {
    let small = small();
    for (name, bytes) in &small.files {
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut files = small.files.clone();
                files.get_mut(name).unwrap()[at] ^= 1 << bit;
                let what = format!("{name}, bit {bit} of byte {at}");
                small.accepts_only_genuine(&Memory::with(&files), &what);
                // Starting costs more than reading: one bit of each byte, another one each time.
                if bit == at % 8 {
                    let (events, _) = small.survives(&files, &what);
                    assert!(!events.is_empty(), "{what}: not noticed");
                }
            }
        }
    }
}

#[test]
fn what_the_disk_does_not_give_accuses_nobody_and_costs_nothing_else() {
    let small = small();
    let segments = super::memory::segments(&small.files);
    for name in segments.iter().chain([&"epoch".to_owned()]) {
        for (errno, why) in [(libc::EIO, "Input/output error (os error 5)"), (libc::EACCES, "Permission denied (os error 13)")] {
            let store = Memory::with(&small.files);
            store.refuse_reading(name, errno);
            let report = verify(&store).unwrap();
            assert_eq!(report.damages, [], "{name}");
            assert_eq!((report.is_whole(), report.unreadable.len(), &report.unreadable[0].file), (false, 1, name));
            let (mut log, start) = open(store.clone(), &small.claims());
            assert_eq!(start.events, [AgentEvent::Unreadable { file: name.clone(), why: why.to_owned() }]);
            let new = write(&mut log, vec![started()]);
            assert!(new.iter().all(|new| !small.records.iter().any(|(at, _)| *at == new.at)), "{name}: a number was given twice");
            // Said once, and all is there again when the disk gives it again.
            drop(log);
            assert_eq!(open(store.clone(), &no_claims()).1.events, [], "{name}: said twice");
            store.heal();
            let (there, report) = (all(store.clone()), verify(&store).unwrap());
            assert!(small.records.iter().chain(&new.iter().map(|r| (r.at.clone(), r.hash)).collect::<Vec<_>>()).all(|r| there.contains(r)));
            assert!(report.is_whole(), "{name}: {report:?}");
        }
    }
}

#[test]
fn a_segment_that_cannot_be_read_is_passed_over_by_who_reads_on() {
    let small = small();
    let segments = super::memory::segments(&small.files);
    // Broken, or deleted between a look at the directory and one at the file.
    for errno in [libc::EIO, libc::ENOENT] {
        let store = Memory::with(&small.files);
        store.refuse_reading(&segments[1], errno);
        assert_eq!(all(store).iter().map(|(at, _)| at.seq).collect::<Vec<_>>(), [1, 2, 4, 5]);
    }
    let store = Memory::with(&small.files);
    store.refuse_reading(&segments[1], libc::EACCES);
    let mut reader = Reader::after(store.clone(), Position { epoch: String::new(), seq: 0 });
    let read = |reader: &mut Reader<Memory>| reader.next(99, None).map(|some| some.iter().map(|e| e.at.seq).collect::<Vec<_>>());
    // A right that is missing can be given: what is there is not passed over for good.
    assert_eq!(read(&mut reader).unwrap(), [1, 2]);
    assert_eq!(read(&mut reader).unwrap_err().raw_os_error(), Some(libc::EACCES));
    store.heal();
    assert_eq!(read(&mut reader).unwrap(), [3, 4, 5]);
}

#[test]
fn an_anchor_or_cursor_that_the_disk_does_not_give_accuses_nobody() {
    let small = small();
    let refusal = Refusal { kind: std::io::ErrorKind::Other, why: "Input/output error (os error 5)".to_owned() };
    for (file, claims) in [
        ("anchor", Claims { anchor: Known::Refused(refusal.clone()), ..no_claims() }),
        ("cursors", Claims { cursors: Known::Refused(refusal.clone()), ..no_claims() }),
    ] {
        let (_, start) = open(Memory::with(&small.files), &claims);
        assert_eq!(start.events, [AgentEvent::Unreadable { file: file.to_owned(), why: refusal.why.clone() }]);
        assert!(start.renewal.is_some(), "what bounds the numbers is not known");
    }
}

#[test]
fn a_file_that_is_missing_is_noticed() {
    let small = small();
    for name in small.files.keys() {
        let mut files = small.files.clone();
        files.remove(name);
        let (events, _) = small.survives(&files, &format!("{name} removed"));
        assert!(!events.is_empty(), "{name} removed: not noticed");
    }
}

#[test]
fn the_torn_end_is_set_aside_and_is_nobodys_act() {
    let small = small();
    let name = &super::memory::segments(&small.files)[2];
    let bytes = &small.files[name];
    let mut files = small.files.clone();
    files.insert(name.clone(), [&bytes[..], b"{\"schema\":\"inci"].concat());
    let store = Memory::with(&files);
    let (mut log, start) = open(store.clone(), &small.claims());
    assert_eq!(start.events, [AgentEvent::TornTail { bytes: 15 }]);
    assert_eq!(start.head.seq, 5);
    assert_eq!(write(&mut log, vec![]).iter().map(|r| r.at.seq).collect::<Vec<_>>(), [6]);
    let files = store.files();
    assert_eq!(files[&format!("{name}.{}.torn", bytes.len())], b"{\"schema\":\"inci");
    assert_eq!(&files[name], bytes, "only the unfinished end is gone");
    let report = verify(&store).unwrap();
    assert!(report.is_whole() && report.torn.is_none(), "{report:?}");
}

#[test]
fn damage_in_the_middle_is_kept_reported_once_and_written_around() {
    let small = small();
    let first = &super::memory::segments(&small.files)[0];
    let mut files = small.files.clone();
    files.get_mut(first).unwrap()[30] ^= 1;
    let (events, store) = small.survives(&files, "a byte");
    let why = "the hash does not fit the content".to_owned();
    assert_eq!(events, [AgentEvent::Tampered { file: first.clone(), line: 1, why }]);
    assert_eq!(store.files()[first], files[first], "kept as it is");
    let report = verify(&store).unwrap();
    assert_eq!((report.is_whole(), report.damages[0].line, report.records), (false, 1, 6));
}

#[test]
fn the_hash_of_a_line_can_be_checked_by_hand() {
    let small = small();
    let name = &super::memory::segments(&small.files)[0];
    let bytes = &small.files[name];
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(name), bytes).unwrap();
    let script = r#"sed -n 2p SEGMENT | sed 's/,"hash":"[0-9a-f]*"}$//' | tr -d '\n' | sha256sum"#.replace("SEGMENT", name);
    let output = std::process::Command::new("sh").args(["-c", &script]).current_dir(dir.path()).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{}  -\n", small.records[1].1));
}
