//! The day's upload and download: done when their marker changed on the day on which they were due.

mod judge;

use super::aside::aside;
use super::memory::{Memory, at_once};
use super::{Blind, Given, Look, MINUTE, Watch};
use crate::config::Upload;
use crate::model::{Unseen, Watcher};
use futures_util::future::LocalBoxFuture;
use judge::{Kind, Mark, Marker, judge};
use std::io;
use std::path::Path;

/// Entries of a directory that are looked at.
const MOST_ENTRIES: usize = 65_536;

/// Looks after the markers.
#[derive(Debug, Default)]
pub struct Uploads {
    memory: Memory,
    late: judge::Late,
    measure: Option<Upload>,
}

impl Watch for Uploads {
    fn watcher(&self) -> Watcher {
        Watcher::Upload
    }

    fn look<'a>(&'a mut self, given: &'a Given) -> LocalBoxFuture<'a, Look> {
        Box::pin(async move {
            let settings = given.config.upload.clone();
            if self.measure.as_ref() != Some(&settings) {
                self.memory.begin_again();
                self.measure = Some(settings.clone());
            }
            let Some(due) = settings.due else { return Look::of(Vec::new()) };
            let wanted = [(Kind::Upload, settings.marker), (Kind::Download, settings.download_marker)];
            // A marker may lie on a share that does not answer.
            let read = aside(move || {
                wanted.into_iter().filter_map(|(kind, path)| path.map(|path| (kind, newest(&path), path))).collect::<Vec<_>>()
            });
            let Ok(read) = read.await else { return Look::blind("upload.marker", Unseen::Error("read the markers: gave up".to_owned())) };
            let (mut markers, mut blind) = (Vec::new(), Vec::new());
            for (kind, newest, path) in read {
                match newest {
                    Ok(mark) => markers.push(Marker { kind, path: path.display().to_string(), mark }),
                    Err(error) => {
                        let why = Unseen::Error(format!("read {}: {error}", path.display()));
                        blind.push(Blind { what: "upload.marker", why });
                    }
                }
            }
            let kept = given.baseline().map(|baseline| (baseline.host.clock, baseline.taken_at));
            // What cannot be seen of one says nothing of the other, and nothing may close.
            let found = if blind.is_empty() { judge(&markers, due, &given.at, kept, &mut self.late) } else { None };
            let found = found.and_then(|found| self.memory.take(found, &given.at, at_once).0);
            Look { found, blind, again: MINUTE }
        })
    }

    fn stirred(&mut self) -> LocalBoxFuture<'_, ()> {
        // Lateness comes with the clock alone, and that it is made good is told within a minute.
        Box::pin(std::future::pending())
    }
}

/// The newest modification of a file, or of a directory and what is directly in it. A marker that is not there is none; where not even its
/// directory is there, the disk may be missing.
fn newest(path: &Path) -> io::Result<Mark> {
    let there = match path.metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let parent = path.parent().ok_or(io::ErrorKind::NotFound)?;
            return parent.metadata().map(|_| Mark::Absent);
        }
        there => there?,
    };
    let mut newest = there.modified()?;
    if there.is_dir() {
        for entry in path.read_dir()?.take(MOST_ENTRIES) {
            // What was removed meanwhile is not the newest.
            if let Ok(modified) = entry?.metadata().and_then(|entry| entry.modified()) {
                newest = newest.max(modified);
            }
        }
    }
    jiff::Timestamp::try_from(newest).map(Mark::Changed).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{File, FileTimes};
    use std::time::{Duration, SystemTime};

    fn dated(path: &Path, seconds: u64) {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        File::open(path).expect("there").set_times(FileTimes::new().set_modified(time)).expect("dated");
    }

    #[test]
    fn the_newest_of_a_directory_counts_and_an_absent_marker_is_not_a_missing_disk() {
        let dir = tempfile::tempdir().expect("a directory");
        let changed = |seconds| Mark::Changed(jiff::Timestamp::from_second(seconds).expect("a time"));
        let file = dir.path().join("last-upload");
        std::fs::write(&file, "").expect("written");
        dated(&file, 2000);
        dated(dir.path(), 1000);
        assert_eq!(newest(&file).expect("read"), changed(2000));
        assert_eq!(newest(dir.path()).expect("read"), changed(2000));
        dated(dir.path(), 3000);
        assert_eq!(newest(dir.path()).expect("read"), changed(3000));
        assert_eq!(newest(&dir.path().join("none")).expect("its directory is there"), Mark::Absent);
        assert!(newest(&dir.path().join("none/none")).is_err());
    }
}
