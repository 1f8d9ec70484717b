//! What the journal keeps of a unit since the last boot, read by `journalctl`: its files have no stable format of their own to read.

use super::log::{TAIL, judge};
use super::{child, unit};
use crate::model::{Unseen, VpnLog};
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

/// Longest that it may take.
const ANSWER: Duration = Duration::from_secs(1);
/// The same where a person waits for it.
const LONG_ANSWER: Duration = Duration::from_secs(5);
/// How many of the unit's last lines are asked for.
const LINES: &str = "--lines=200";
/// Where the journal lies: kept over a restart, or until the next one.
const PLACES: [&str; 2] = ["/var/log/journal", "/run/log/journal"];
/// What writes it.
const JOURNAL: &str = "systemd-journald";
/// Whose members may read all of it.
const READERS: &str = "group systemd-journal";

/// Judges the last lines of a unit. Blocks for at most a second. The error says why they could not be read.
pub fn read_journal(name: &str) -> Result<VpnLog, Unseen> {
    let Some(unit) = unit::full_name(name) else {
        return Err(Unseen::Error(format!("read the journal of the VPN's unit: {name:?} is no name of a unit")));
    };
    match access(&PLACES.map(Path::new)) {
        Access::NoJournal => return Err(Unseen::NotMounted(JOURNAL.to_owned())),
        Access::Denied => return Err(Unseen::Capability(READERS.to_owned())),
        Access::Readable => {}
    }
    let unit = format!("--unit={unit}");
    let words = [unit.as_str(), "--boot", LINES, "--output=cat", "--no-pager", "--quiet"];
    let text = child::output("/usr/bin/journalctl", &words, ANSWER, TAIL);
    text.map(|text| judge(&text)).ok_or_else(|| Unseen::Error("read the journal of the VPN's unit: journalctl gave nothing".to_owned()))
}

/// The last lines that a unit of our own logged within so long, at most `most` bytes, for people. Blocks for a few seconds at most.
pub fn unit_log(name: &str, within: Duration, most: u64) -> Result<String, Unseen> {
    let unit = unit::full_name(name).ok_or_else(|| Unseen::Error(format!("read the journal: {name:?} is no name of a unit")))?;
    match access(&PLACES.map(Path::new)) {
        Access::NoJournal => return Err(Unseen::NotMounted(JOURNAL.to_owned())),
        Access::Denied => return Err(Unseen::Capability(READERS.to_owned())),
        Access::Readable => {}
    }
    let (unit, since) = (format!("--unit={unit}"), format!("--since=-{}s", within.as_secs()));
    let words = [unit.as_str(), since.as_str(), "--lines=5000", "--output=short-iso", "--no-pager", "--quiet"];
    let text = child::output("/usr/bin/journalctl", &words, LONG_ANSWER, most);
    text.ok_or_else(|| Unseen::Error("read the journal: journalctl gave nothing".to_owned()))
}

/// Whether this user may read what the system's services have logged. `journalctl` itself shows others only their own lines, of which
/// there are none, as if nothing had been logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    Readable,
    Denied,
    NoJournal,
}

fn access(places: &[&Path]) -> Access {
    let mut found = Access::NoJournal;
    for place in places {
        let machines = match fs::read_dir(place) {
            Ok(machines) => machines,
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                found = Access::Denied;
                continue;
            }
            Err(_) => continue,
        };
        for system in machines.flatten().map(|machine| machine.path().join("system.journal")) {
            match File::open(&system) {
                Ok(_) => return Access::Readable,
                Err(error) if error.kind() == ErrorKind::PermissionDenied => found = Access::Denied,
                Err(_) => {}
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_journal_is_readable_denied_or_not_there() {
        let place = tempfile::tempdir().expect("a directory");
        assert_eq!(access(&[Path::new("/nonexistent"), place.path()]), Access::NoJournal);
        let machine = place.path().join("0123456789abcdef");
        fs::create_dir(&machine).expect("a machine's directory");
        assert_eq!(access(&[place.path()]), Access::NoJournal);
        let file = machine.join("system.journal");
        fs::write(&file, "x").expect("a journal");
        assert_eq!(access(&[place.path()]), Access::Readable);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o000)).expect("closed");
        // Root reads it all the same.
        let expected = if File::open(&file).is_ok() { Access::Readable } else { Access::Denied };
        assert_eq!(access(&[place.path()]), expected);
    }

    #[test]
    fn what_is_no_units_name_is_asked_of_nobody() {
        assert!(matches!(read_journal("--file=/etc/shadow"), Err(Unseen::Error(why)) if why.contains("is no name of a unit")));
    }
}
