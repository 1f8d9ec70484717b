//! Bytes read and written, told so that an incident is not written anew with every file that is copied. Pure.
//!
//! The kernel's counters are exact; what is *told* of them follows in steps: at once when a counter begins to run, then when it doubled (and
//! by no less than [`STEP`]), and when it rests after it grew: a short rest for a quarter or more, a long one for a twentieth. So a copy of 4 GB is told some ten times and not two
//! thousand. The last word, when the device is gone, is exact as of the last look.

/// A counter that runs is told again after so many bytes at least.
const STEP: u64 = 16 << 20;
/// A counter that did not move for so long rests.
const REST_MS: u64 = 6_000;
/// And for so long, rests for good.
const LONG_REST_MS: u64 = 60_000;
/// Reads with longer pauses between them are not one reading.
const PAUSE_MS: u64 = 60_000;
/// More than this in one go is no recognising of a disk any more. The kernel reads some 100 kB to find partitions; each blkid (udev) 1.1 MB of
/// the disk and of each partition, as measured; udisks, LVM and RAID look once more each. A stick with four partitions comes to some 15 MB.
pub const RECOGNISING: u64 = 32 << 20;

/// A counter, and what was told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counter {
    exact: u64,
    told: u64,
    moved_ms: u64,
}

impl Counter {
    /// As it is when it is met.
    pub fn new(bytes: u64, at_ms: u64) -> Self {
        Self { exact: bytes, told: bytes, moved_ms: at_ms }
    }

    /// Takes a sample in.
    pub fn sample(&mut self, bytes: u64, at_ms: u64) {
        let is_another_disk = bytes < self.exact;
        if bytes != self.exact {
            (self.exact, self.moved_ms) = (bytes, at_ms);
        }
        let grown = self.exact.saturating_sub(self.told);
        let parts = match at_ms.saturating_sub(self.moved_ms) {
            ..REST_MS => 0,
            REST_MS..LONG_REST_MS => 4,
            LONG_REST_MS.. => 20,
        };
        let begins = self.told == 0 && grown > 0;
        let ran = grown >= self.told.max(STEP);
        let rested = grown > 0 && parts > 0 && grown.saturating_mul(parts) >= self.told;
        if is_another_disk || begins || ran || rested {
            self.told = self.exact;
        }
    }

    /// What is exact is told now.
    pub fn tell(&mut self) {
        self.told = self.exact;
    }

    /// What is told.
    pub fn told(&self) -> u64 {
        self.told
    }

    /// What the kernel counted.
    pub fn exact(&self) -> u64 {
        self.exact
    }
}

/// What was read while no file system of the disk was in use anywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PastFiles {
    /// As of the last look.
    seen: u64,
    was_in_use: bool,
    /// In the reading that goes on.
    burst: u64,
    grew_ms: u64,
    /// In all readings that were too long for recognising.
    counter: Counter,
}

impl PastFiles {
    /// Of a disk that is met: what was read before, nobody saw how.
    pub fn met(read: u64, in_use: bool, at_ms: u64) -> Self {
        Self { seen: read, was_in_use: in_use, burst: 0, grew_ms: at_ms, counter: Counter::new(0, at_ms) }
    }

    /// Takes a sample in.
    pub fn sample(&mut self, read: u64, in_use: bool, at_ms: u64) {
        let grown = if in_use || self.was_in_use { 0 } else { read.saturating_sub(self.seen) };
        (self.seen, self.was_in_use) = (read, in_use);
        let mut total = self.counter.exact();
        if grown > 0 {
            if at_ms.saturating_sub(self.grew_ms) > PAUSE_MS {
                self.burst = 0;
            }
            self.grew_ms = at_ms;
            let before = self.burst;
            self.burst += grown;
            if self.burst > RECOGNISING {
                total += if before > RECOGNISING { grown } else { self.burst };
            }
        }
        self.counter.sample(total, at_ms);
    }

    /// As [`Counter::tell`].
    pub fn tell(&mut self) {
        self.counter.tell();
    }

    /// Whether it was read past its files, and how much of that is told and was counted.
    pub fn found(&self) -> Option<Counter> {
        (self.counter.exact() > 0).then_some(self.counter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn a_copy_of_four_gigabytes_is_told_some_ten_times_and_exactly_at_its_end() {
        let mut written = Counter::new(0, 0);
        let mut told = vec![0];
        // 10 MiB/s, looked at every two seconds, then quiet.
        for second in (2..500).step_by(2) {
            written.sample((second * 10 * MIB + 512).min(4096 * MIB), second * 1000);
            if told.last() != Some(&written.told()) {
                told.push(written.told());
            }
        }
        assert!(told.len() <= 12, "{told:?}");
        assert_eq!(written.told(), 4096 * MIB);
    }

    #[test]
    fn the_first_byte_written_is_told_at_once() {
        let mut written = Counter::new(0, 0);
        written.sample(512, 2_000);
        assert_eq!(written.told(), 512);
    }

    #[test]
    fn a_trickle_is_told_rarely() {
        let mut read = Counter::new(MIB, 0);
        let mut told = 0;
        let mut last = MIB;
        for minute in 1..=1440 {
            for at in [0, 20] {
                read.sample(MIB + minute * 4096, minute * 60_000 + at * 1000);
            }
            told += u32::from(read.told() != last);
            last = read.told();
        }
        assert!((5..=10).contains(&told), "{told}");
        assert_eq!(read.exact(), MIB + 1440 * 4096);
    }

    #[test]
    fn what_was_left_untold_is_told_after_a_long_rest() {
        let mut read = Counter::new(0, 0);
        for (at_ms, bytes, told) in [(2_000, 60, 60), (4_000, 64, 60), (12_000, 64, 60), (64_000, 64, 64)] {
            read.sample(bytes * MIB, at_ms);
            assert_eq!(read.told(), told * MIB, "at {at_ms}");
        }
    }

    #[test]
    fn a_counter_that_begins_anew_is_another_disk_s() {
        let mut read = Counter::new(900 * MIB, 0);
        read.sample(MIB, 2_000);
        assert_eq!((read.told(), read.exact()), (MIB, MIB));
    }

    #[test]
    fn a_disk_copied_past_its_files_is_found_with_its_bytes() {
        let mut raw = PastFiles::met(2 * MIB, false, 0);
        for look in 1..=10 {
            raw.sample(2 * MIB + look * 20 * MIB, false, look * 2_000);
        }
        assert_eq!(raw.found().map(|counter| counter.exact()), Some(200 * MIB));
    }

    #[test]
    fn recognising_a_disk_again_and_again_is_no_reading() {
        let mut raw = PastFiles::met(0, false, 0);
        for look in 1..=1000 {
            raw.sample(look * 12 * MIB, false, look * 120_000);
        }
        assert_eq!(raw.found(), None);
    }

    #[test]
    fn what_is_read_while_files_are_in_use_is_theirs() {
        let mut raw = PastFiles::met(0, false, 0);
        raw.sample(500 * MIB, true, 2_000);
        raw.sample(900 * MIB, true, 4_000);
        // Unmounted between two looks: whose bytes these are cannot be told.
        raw.sample(990 * MIB, false, 6_000);
        raw.sample(991 * MIB, false, 8_000);
        assert_eq!(raw.found(), None);
    }

    #[test]
    fn what_was_read_before_anybody_watched_accuses_nobody() {
        let mut raw = PastFiles::met(900 * MIB, false, 0);
        raw.sample(900 * MIB, false, 2_000);
        assert_eq!(raw.found(), None);
    }
}
