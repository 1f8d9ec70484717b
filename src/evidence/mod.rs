//! The evidence of an incident: a bundle that another machine checks without this one. Pure: lines of the log go in, bytes come out.
//!
//! # What is in it
//!
//! One directory, packed (`.tar.gz`) or not:
//!
//! | file | what |
//! |---|---|
//! | `README.txt` | what happened when, what shows it, and what it does *not* prove, in Chinese and in English; made from the records alone |
//! | `records.jsonl` | lines of the log byte for byte: from the record before the incident's first one to the last on the disk, nothing left out |
//! | `before.jsonl` | from before that: the records that say which configuration was in force and which key signs; may be empty |
//! | `head.json` | the statement `evidence/1` ([`Statement`](crate::model::Statement)), signed by the terminal's key |
//! | `key.pem` | the public key |
//!
//! # What holds it together
//!
//! Each record has its own hash and that of the one before ([`spool`](crate::spool)), so the lines prove each other up to the last; the statement
//! has that one's hash and the SHA-256 of every other file, and is signed ([`key`](crate::key) says how to check it with OpenSSL). The page
//! on top is made anew from the records and has to be the same. So no byte of any file can be changed, nor one of the archive;
//! but a later version may compress otherwise, and then only takes care of what is in it. Nothing is in it that the records do not hold, but for the public key.
//!
//! Whether the key is the terminal's is not in the bundle: its fingerprint is on the acceptance sheet and in the register of who enrolled it.

mod archive;
mod check;
mod gather;

pub use archive::{Files, pack};
pub use check::{Checked, Doubt, Fault, check, check_archive};
pub use gather::{Gather, Gathered};

use crate::key::Key;
use crate::model::{EVIDENCE_SCHEMA, IncidentId, KeyCard, Statement, Time};
use crate::report;
use crate::spool::Digest;
use std::collections::BTreeMap;

/// The page on top.
pub const PAGE: &str = "README.txt";
/// Lines of the log.
pub const RECORDS: &str = "records.jsonl";
/// Lines from before those.
pub const BEFORE: &str = "before.jsonl";
/// The signed statement.
pub const HEAD: &str = "head.json";
/// The public key.
pub const KEY: &str = "key.pem";
/// All files, in the order in which they are packed.
pub const FILES: [&str; 5] = [PAGE, RECORDS, BEFORE, HEAD, KEY];
/// Most of all files together, bytes.
pub const MOST: usize = 128 << 20;
/// Most of the records, bytes: the page on top says them once more.
pub const MOST_RECORDS: usize = MOST / 2;

/// Makes the files of a bundle that is called `bundle`, signed now.
pub fn make(gathered: &Gathered, incident: &IncidentId, bundle: &str, now: Time, key: &Key) -> Files {
    let last = gathered.last();
    let mut statement = Statement {
        schema: EVIDENCE_SCHEMA.to_owned(),
        bundle: bundle.to_owned(),
        made_by: env!("CARGO_PKG_VERSION").to_owned(),
        terminal: last.terminal,
        time: now,
        incident: incident.clone(),
        epoch: last.epoch,
        seq: last.seq,
        hash: gathered.hash().to_string(),
        stretches: gathered.stretches().to_vec(),
        files: BTreeMap::new(),
        key: KeyCard { algorithm: key.public().algorithm().code().to_owned(), public: key.public().base64() },
        fingerprint: key.public().fingerprint(),
    };
    let mut files = Files::from([
        (RECORDS.to_owned(), gathered.records().to_vec()),
        (BEFORE.to_owned(), gathered.before()),
        (KEY.to_owned(), key.public().pem().into_bytes()),
    ]);
    let page = report::evidence_page(&statement, &lines(&files, RECORDS), &lines(&files, BEFORE));
    files.insert(PAGE.to_owned(), page.into_bytes());
    statement.files = digests(&files);
    let statement = serde_json::to_vec(&statement).expect("plain data with string keys always serialises");
    let mut line = key.sign(&statement);
    line.push(b'\n');
    files.insert(HEAD.to_owned(), line);
    files
}

/// SHA-256 of each file but the statement.
fn digests(files: &Files) -> BTreeMap<String, String> {
    let others = files.iter().filter(|(name, _)| *name != HEAD);
    others.map(|(name, bytes)| (name.clone(), Digest::of(bytes).to_string())).collect()
}

/// What the lines of a file say. A line of a later version, in words that this one does not know, is left out.
fn lines(files: &Files, name: &str) -> Vec<crate::model::Record> {
    let bytes = files.get(name).map(Vec::as_slice).unwrap_or_default();
    bytes.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
}

#[cfg(test)]
mod tests;
