//! A disk that forgets what it was not told to keep: after a power cut everything before the last flush is on it, and of what was written after
//! that some, in no order.
//!
//! QEMU (`blklogwrites`) logs every write and flush as Linux's `dm-log-writes` does: a block with a head, then for each request a block with
//! where, how long and what, followed by the bytes. All numbers are little-endian.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use crate::Done;

const MAGIC: u64 = 0x6a_7366_7773_6872;
const FLUSH: u64 = 1;
const DISCARD: u64 = 4;

/// Chance, by a seed that can be given again.
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Less than `bound`, which is not 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// Writes that reached the disk, and those that did not.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Fate {
    pub(crate) kept: usize,
    pub(crate) lost: usize,
}

#[derive(Debug, Clone, Copy)]
struct Request {
    flags: u64,
    /// On the disk, in the log, and how long.
    to: u64,
    from: u64,
    bytes: u64,
}

/// Does to `disk` what the log says that was done, as far as a disk with a cache has done it when the power fails.
pub(crate) fn replay(log: &Path, disk: &Path, dice: &mut Dice) -> Done<Fate> {
    let told = |e: std::io::Error| format!("cannot replay {}: {e}", log.display());
    let file = File::open(log).map_err(told)?;
    let requests = requests(&file).map_err(told)?;
    let flushed = requests.iter().rposition(|request| request.flags & FLUSH != 0).unwrap_or(0);
    let disk = OpenOptions::new().write(true).open(disk).map_err(told)?;
    let mut fate = Fate::default();
    for (at, request) in requests.iter().enumerate().filter(|(_, request)| request.bytes > 0 && request.flags & DISCARD == 0) {
        if at > flushed && dice.below(2) == 0 {
            fate.lost += 1;
            continue;
        }
        let mut bytes = vec![0; usize::try_from(request.bytes).map_err(|e| e.to_string())?];
        file.read_exact_at(&mut bytes, request.from).map_err(told)?;
        disk.write_all_at(&bytes, request.to).map_err(told)?;
        fate.kept += 1;
    }
    Ok(fate)
}

/// How many writes the disk could forget now.
pub(crate) fn in_flight(log: &Path) -> usize {
    let requests = File::open(log).and_then(|log| requests(&log)).unwrap_or_default();
    requests.iter().rev().take_while(|request| request.flags & FLUSH == 0).filter(|request| request.bytes > 0).count()
}

/// Up to where the log is whole: its writer was killed.
fn requests(log: &File) -> std::io::Result<Vec<Request>> {
    let length = log.metadata()?.len();
    let mut head = [0; 28];
    let mut all = Vec::new();
    if log.read_exact_at(&mut head, 0).is_err() {
        return Ok(all);
    }
    let block = u64::from(u32::from_le_bytes([head[24], head[25], head[26], head[27]]));
    if number(&head, 0) != MAGIC || block == 0 {
        return Err(std::io::Error::other("it is no log of writes"));
    }
    let mut at = block;
    while at + block <= length {
        let mut entry = [0; 32];
        log.read_exact_at(&mut entry, at)?;
        let [sector, sectors, flags] = [0, 8, 16].map(|field| number(&entry, field));
        let bytes = if flags & DISCARD == 0 { sectors * block } else { 0 };
        let is_nothing = sectors == 0 && flags == 0;
        if is_nothing || at + block + bytes > length {
            break;
        }
        all.push(Request { flags, to: sector * block, from: at + block, bytes });
        at += block + bytes;
    }
    Ok(all)
}

fn number(bytes: &[u8], at: usize) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(number)
}
