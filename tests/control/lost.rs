//! A daemon whose directory for records cannot be used: it watches all the same, says what is wrong and what to do, and claims nothing.

use crate::commands::NOBODY;
use crate::ground::{Ground, assert_schema, others_can_run, wait_for};
use rustix::process::Signal;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A file system that goes away with the value.
struct Mounted(PathBuf);

impl Mounted {
    /// In memory, at `at`, with these options.
    fn new(at: &Path, options: &str) -> Self {
        fs::create_dir(at).unwrap();
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", options, "none"]).arg(at).status().unwrap();
        assert!(done.success(), "mount -o {options}");
        Self(at.to_owned())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Without blanks and line ends: lines break where the screen ends.
fn squeezed(text: &str) -> String {
    text.split_whitespace().collect()
}

/// It watches, sees an outage, and says this about its records, everywhere.
fn watches_and_says(ground: &mut Ground, wrapper: &[&str], words: [&str; 2]) {
    ground.start_as(wrapper);
    wait_for("a first look", Duration::from_secs(20), || ground.connected(Some(true)));
    let status = ground.status();
    assert_schema(&status, "status/1");
    assert_eq!((&status["agent"]["log"]["state"], &status["agent"]["log"]["recorded"]), (&"failing".into(), &0.into()), "{status:#}");
    assert!(ground.log().contains("the watch goes on, but nothing is recorded"), "{}", ground.log());
    for (lang, words) in [("en", words[0]), ("zh-CN", words[1])] {
        let ran = ground.isonet(&[], &format!("status --lang {lang}"));
        let has = |words: &str| squeezed(&ran.out).contains(&squeezed(words));
        assert!(ran.status == Some(0) && has(words) && has("systemctl restart isonet"), "{words}: {}", ran.out);
    }
    ground.cable("down");
    wait_for("the incident", Duration::from_secs(20), || {
        let status = ground.status();
        let open = status["open_incidents"].as_array().unwrap().clone();
        assert!(open.iter().all(|incident| incident["id"].is_null()), "nothing is claimed to be on disk: {status:#}");
        (!open.is_empty()).then_some(())
    });
    assert_eq!(ground.end(Signal::TERM), Some(0), "{}", ground.log());
}

#[test]
fn a_file_in_the_place_of_the_directory() {
    let Some(mut ground) = Ground::without_daemon() else { return };
    fs::create_dir(ground.path("state")).unwrap();
    fs::write(ground.path("state/spool"), "not a directory").unwrap();
    watches_and_says(&mut ground, &[], ["move it away", "移走"]);
    assert_eq!(fs::read(ground.path("state/spool")).unwrap(), b"not a directory");
}

#[test]
fn a_read_only_file_system_at_the_first_start() {
    let Some(mut ground) = Ground::without_daemon() else { return };
    let _state = Mounted::new(&ground.path("state"), "ro");
    watches_and_says(&mut ground, &[], ["Make the file system writable", "可写"]);
}

#[test]
fn a_full_file_system_at_the_first_start() {
    let Some(mut ground) = Ground::without_daemon() else { return };
    let _state = Mounted::new(&ground.path("state"), "nr_inodes=1");
    watches_and_says(&mut ground, &[], ["Free some disk space", "腾出磁盘空间"]);
}

#[test]
fn a_directory_that_belongs_to_somebody_else() {
    let Some(mut ground) = Ground::without_daemon() else { return };
    if !others_can_run() {
        return;
    }
    // As after `isonet run` was tried by root.
    ground.start();
    wait_for("a first look", Duration::from_secs(20), || ground.connected(Some(true)));
    assert_eq!(ground.end(Signal::TERM), Some(0));
    let before = fs::read_dir(ground.path("state/spool")).unwrap().count();
    chown(ground.path("state"), Some(65534), Some(65534)).unwrap();
    fs::remove_dir_all(ground.run_dir()).unwrap();
    fs::create_dir(ground.run_dir()).unwrap();
    chown(ground.run_dir(), Some(65534), Some(65534)).unwrap();
    fs::set_permissions(ground.path("log"), fs::Permissions::from_mode(0o666)).unwrap();
    let anchor = fs::read(ground.path("state/anchor")).unwrap();
    watches_and_says(&mut ground, NOBODY, ["Give it, with all in it, to the user", "交给运行 isonet 的用户"]);
    assert_eq!(fs::read_dir(ground.path("state/spool")).unwrap().count(), before);
    assert_eq!(fs::read(ground.path("state/anchor")).unwrap(), anchor, "the log's end is claimed as before");
    // Once it may be used again, it goes on as if nothing had been.
    chown(ground.path("state"), Some(0), Some(0)).unwrap();
    fs::remove_dir_all(ground.run_dir()).unwrap();
    ground.cable("up");
    ground.start();
    wait_for("records", Duration::from_secs(20), || (ground.status()["agent"]["log"]["recorded"].as_u64()? > 0).then_some(()));
    assert_eq!(ground.end(Signal::TERM), Some(0));
    assert_eq!(ground.isonet(&[], "verify-log").status, Some(0));
}

#[test]
fn a_file_system_that_fills_up_later_is_told_with_its_remedy_and_so_is_its_end() {
    let Some(mut ground) = Ground::without_daemon() else { return };
    let _state = Mounted::new(&ground.path("state"), "size=64k");
    ground.start();
    wait_for("a first look", Duration::from_secs(20), || ground.connected(Some(true)));
    // What is left of the last page takes one record, not all that two outages need.
    let _ = fs::write(ground.path("state/hog"), vec![0; 1 << 17]);
    let has_open = |ground: &Ground| !ground.status()["open_incidents"].as_array().unwrap().is_empty();
    for (state, open) in [("down", true), ("up", false), ("down", true)] {
        ground.cable(state);
        wait_for("the incident or its end", Duration::from_secs(20), || (has_open(&ground) == open).then_some(()));
    }
    let failing = || (ground.status()["agent"]["log"]["state"] == "failing").then_some(());
    wait_for("the full disk", Duration::from_secs(10), failing);
    let spool = ground.path("state/spool").display().to_string();
    for (lang, words) in [("en", "Free some disk space; they are written then"), ("zh-CN", "腾出磁盘空间，之后会自己补写")] {
        let ran = ground.isonet(&[], &format!("status --lang {lang}"));
        let has = |words: &str| squeezed(&ran.out).contains(&squeezed(words));
        assert!(has(words) && has(&spool), "{words}: {}", ran.out);
    }
    wait_for("a word in the journal", Duration::from_secs(10), || {
        let log = ground.log();
        (log.contains("Records cannot be written in") && log.contains("Free some disk space")).then_some(())
    });
    fs::remove_file(ground.path("state/hog")).unwrap();
    wait_for("its end", Duration::from_mins(1), || ground.log().contains("records reach the disk again").then_some(()));
    assert_eq!(ground.status()["agent"]["log"]["state"], "well");
}
