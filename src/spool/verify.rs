//! Proving a directory whole, or naming what is not.

use super::chain::{Damage, Jump};
use super::flaw::Flaw;
use super::known::{Known, Unreadable};
use super::recover::{self, Epochs, Eyes};
use super::seal::Digest;
use super::store::Store;
use std::io;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Records that prove themselves and belong where they stand.
    pub records: u64,
    /// Each epoch, the oldest first.
    pub epochs: Vec<EpochReport>,
    /// Where the log is not as it was written, the first first; empty = it is whole.
    pub damages: Vec<Damage>,
    /// What the system did not let be read. Whether it is as it was written, nobody can say.
    pub unreadable: Vec<Unreadable>,
    /// Numbers that are missing and accounted for.
    pub gaps: Vec<Jump>,
    /// Bytes at the end that were never finished.
    pub torn: Option<u64>,
}

/// One epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpochReport {
    /// Its name.
    pub epoch: String,
    /// Its records.
    pub records: u64,
    /// Its last number.
    pub last: u64,
    /// The hash of its last record: what a receiver's copy has to have at that number.
    pub head: Digest,
}

impl Report {
    /// All was read and nothing is damaged. What the log itself accounts for is no damage.
    pub fn is_whole(&self) -> bool {
        self.damages.is_empty() && self.unreadable.is_empty()
    }
}

/// Reads everything. Takes no lock: beside a running daemon the end may look unfinished.
pub fn verify(store: &dyn Store) -> io::Result<Report> {
    prove(store, &mut |_| {})
}

/// The same, and each line that proves itself and belongs where it stands, without its line feed, goes to `each`, in the order of the log.
pub fn prove(store: &dyn Store, each: &mut dyn FnMut(&[u8])) -> io::Result<Report> {
    let mut order = Vec::new();
    let (mut unnamed, mut refused) = (None, None);
    match Epochs::load(store) {
        Known::Is(epochs) => order.extend(epochs.earlier.into_iter().map(|e| e.epoch).chain([epochs.epoch])),
        Known::Absent => unnamed = Some(Flaw::Absent),
        Known::Unreadable => unnamed = Some(Flaw::Unusable),
        Known::Refused(refusal) => refused = Some(Unreadable { file: recover::EPOCH.to_owned(), refusal }),
    }
    let found = recover::scan(store, &order, None, Eyes { own: &|_| true, each: &mut |line| each(line.bytes) })?;
    let named = unnamed.filter(|_| !found.segments.is_empty());
    let mut damages: Vec<Damage> = found.damages;
    damages.extend(named.map(|why| Damage { file: recover::EPOCH.to_owned(), line: 1, why }));
    let unreadable = refused.into_iter().chain(found.unreadable).collect();
    let epochs: Vec<_> = found
        .chains
        .into_iter()
        .map(|(epoch, chain)| EpochReport { epoch, records: chain.records, last: chain.seq, head: chain.hash })
        .collect();
    Ok(Report { records: epochs.iter().map(|e| e.records).sum(), epochs, damages, unreadable, gaps: found.jumps, torn: found.torn })
}
