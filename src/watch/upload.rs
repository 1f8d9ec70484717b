//! The day's upload and download: done when their marker changed on the day on which they were due.

mod judge;

use super::aside::aside;
use super::memory::{Memory, at_once};
use super::{Blind, Given, Look, MINUTE, Watch};
use crate::config::Upload;
use crate::model::{Unseen, Watcher};
use futures_util::future::LocalBoxFuture;
use judge::{Kind, Mark, Marker, judge, left};
use std::io;
use std::path::Path;

/// Entries of a directory that are looked at.
const MOST_ENTRIES: usize = 65_536;

/// Looks after the markers.
#[derive(Debug, Default)]
pub struct Uploads {
    memory: Memory,
    late: judge::Late,
    /// What an earlier run left late is among them.
    recalled: bool,
    measure: Option<Upload>,
}

impl Watch for Uploads {
    fn watcher(&self) -> Watcher {
        Watcher::Upload
    }

    fn look<'a>(&'a mut self, given: &'a Given) -> LocalBoxFuture<'a, Look> {
        Box::pin(async move {
            if !std::mem::replace(&mut self.recalled, true) {
                self.late = left(&given.left_open);
            }
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
    use super::super::{Watchers, memory};
    use super::*;
    use crate::baseline::Enrolment;
    use crate::config::Config;
    use crate::incident::{Ledger, Thresholds};
    use crate::model::{ClockState, Finding, FindingCode, Incident, Origin, Stamp, Subject, Watched};
    use std::fs::{File, FileTimes};
    use std::sync::Arc;
    use std::time::{Duration, SystemTime};
    use tokio::task::LocalSet;

    /// The morning after the day on which it was due.
    fn morning() -> Stamp {
        let wall = "2026-11-23T08:00:00+08:00".parse().expect("a time");
        Stamp { boot_id: "b".to_owned(), boottime_ms: 600_000, wall, offset_s: 8 * 3600, clock: ClockState::Synchronised }
    }

    /// What is told in the morning, when an earlier run left this open.
    async fn told_after_a_restart(config: &Arc<Config>, left: &[Incident]) -> Vec<Finding> {
        let enrolled = Arc::new(Enrolment::Enrolled(Box::new(crate::baseline::tests::baseline())));
        let told = async {
            let mut watchers = Watchers::begin(vec![Box::<Uploads>::default()], morning, config, &enrolled);
            watchers.recall(left, None);
            watchers.next().await.found.expect("judged")
        };
        LocalSet::new().run_until(told).await
    }

    #[tokio::test]
    async fn what_an_earlier_run_told_late_stays_so_after_midnight() {
        let dir = tempfile::tempdir().expect("a directory");
        let marker = dir.path().join("last-upload");
        std::fs::write(&marker, "").expect("written");
        let before = |day: &str| SystemTime::from(format!("{day}T21:50:00+08:00").parse::<jiff::Timestamp>().expect("a time"));
        let set = |day| File::open(&marker).expect("there").set_times(FileTimes::new().set_modified(before(day))).expect("dated");
        set("2026-11-21");
        let mut config = Config::default();
        (config.upload.due, config.upload.marker) = (Some(jiff::civil::time(22, 0, 0, 0)), Some(marker.clone()));
        let config = Arc::new(config);
        assert_eq!(told_after_a_restart(&config, &[]).await, [], "nobody worked");
        let subject = Subject::File(marker.display().to_string());
        let lines = [memory::fact("upload.marker", marker.display(), "2026-11-21"), memory::fact("upload.due", "", "2026-11-22 22:00")];
        let finding = Finding::new(FindingCode::UploadOverdue, subject, Origin::LocalChange).because(lines.clone());
        let seen = Watched { watcher: Watcher::Upload, found: Some(vec![finding]), blind: Vec::new() };
        let left = Ledger::default().watch(&seen, &Stamp { boottime_ms: 1, ..morning() }, &Thresholds::default());
        let told = told_after_a_restart(&config, &left).await;
        assert_eq!(told.iter().map(|finding| finding.evidence.as_slice()).collect::<Vec<_>>(), [&lines], "the same as before");
        set("2026-11-22");
        assert_eq!(told_after_a_restart(&config, &left).await, [], "made good meanwhile");
    }

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
