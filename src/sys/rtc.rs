//! The clock on the battery. Read from `/sys` and never by its device, which serves one at a time.

use super::clock::{self, Moment};
use super::files;
use std::path::Path;

/// Whoever was kept waiting for longer between two readings does not know how they belong together, nanoseconds.
const TOGETHER: i64 = 500_000_000;

/// No PC has more.
const MOST: usize = 8;

/// What a battery clock says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatteryClock {
    /// As the kernel calls it, e.g. `rtc0`.
    pub name: String,
    /// Seconds since 1970, taken for UTC.
    pub since_epoch: i64,
}

/// What all battery clocks show, and the other clocks at that moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Dials {
    /// The other clocks.
    pub at: Moment,
    /// All that can be read, by name.
    pub clocks: Vec<BatteryClock>,
    /// Nothing kept this program waiting in between, as on a PC that has too much to do: the two can be compared to the second.
    pub together: bool,
}

/// Reads them. Off the loop.
pub fn dials(root: &Path) -> Dials {
    let at = clock::moment();
    let clocks = battery_clocks(root);
    Dials { at, clocks, together: together(at, clock::moment()) }
}

fn together(before: Moment, after: Moment) -> bool {
    after.boot - before.boot <= TOGETHER
}

/// All that can be read, by name. Reading one takes up to a few milliseconds: off the loop.
fn battery_clocks(root: &Path) -> Vec<BatteryClock> {
    let Ok(entries) = std::fs::read_dir(root.join("sys/class/rtc")) else { return Vec::new() };
    let read = |entry: std::fs::DirEntry| {
        let since_epoch = files::read_word(&entry.path().join("since_epoch"))?.parse().ok()?;
        Some(BatteryClock { name: entry.file_name().into_string().ok()?, since_epoch })
    };
    let mut clocks: Vec<BatteryClock> = entries.flatten().take(MOST).filter_map(read).collect();
    clocks.sort_by(|a, b| a.name.cmp(&b.name));
    clocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_had_to_wait_between_two_readings_does_not_put_them_together() {
        let before = clock::moment();
        let after = |ms: i64| Moment { boot: before.boot + ms * 1_000_000, ..before };
        assert!(together(before, after(20)) && !together(before, after(600)));
    }

    #[test]
    fn a_clock_is_read_and_one_that_does_not_answer_is_left_out() {
        let root = tempfile::tempdir().expect("a directory");
        assert_eq!(battery_clocks(root.path()), []);
        let class = root.path().join("sys/class/rtc");
        for (name, text) in [("rtc1", "x\n"), ("rtc0", "1795360000\n")] {
            std::fs::create_dir_all(class.join(name)).expect("made");
            std::fs::write(class.join(name).join("since_epoch"), text).expect("written");
        }
        std::fs::create_dir_all(class.join("rtc2")).expect("made");
        assert_eq!(battery_clocks(root.path()), [BatteryClock { name: "rtc0".to_owned(), since_epoch: 1_795_360_000 }]);
    }
}
