//! What this PC shows of itself: is there a process list, a `/sys`, a systemd to ask? Where one is missing, what is read from it is
//! unknown, and that is said once, with what to do about it. It never means that a program or a card is missing.

use super::files;
use crate::model::{Source, Unseen};
use std::io;
use std::path::Path;

/// Why the processes of others cannot be seen; `None` = they can. `root` is `/`, but for tests.
pub fn processes(root: &Path) -> Option<Unseen> {
    let proc = root.join("proc");
    if let Err(error) = std::fs::metadata(proc.join("self")) {
        return Some(missing("/proc", &proc, &error));
    }
    // Every system has a first process; `hidepid` shows a user only its own.
    (!proc.join("1").exists()).then(|| Unseen::Hidden("/proc".to_owned()))
}

/// Why speed, duplex and kind of the cards cannot be seen.
pub fn cards(root: &Path) -> Option<Unseen> {
    let sys = root.join("sys");
    std::fs::read_dir(sys.join("class/net")).err().map(|error| missing("/sys", &sys, &error))
}

/// Why the state of a unit cannot be seen: neither its control group nor systemd's word.
pub fn units(root: &Path) -> Option<Unseen> {
    let groups = ["", "unified/", "systemd/"].iter().any(|kind| root.join("sys/fs/cgroup").join(kind).join("system.slice").is_dir());
    let asked = root.join("run/systemd/system").is_dir();
    (!groups && !asked).then(|| Unseen::NotMounted("/run/systemd".to_owned()))
}

/// Why a log cannot be read.
pub fn log(path: &Path) -> Option<Unseen> {
    files::read_tail(path, 1).err().map(|error| of_log(path, &error))
}

/// An error of reading a log, as a reason with a remedy.
pub fn of_log(path: &Path, error: &files::ReadError) -> Unseen {
    match error {
        files::ReadError::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
            Unseen::Hidden(path.display().to_string())
        }
        error => Unseen::Error(error.line()),
    }
}

/// What is missing, by what stands in its place: nothing at all, or something that we may not look into.
fn missing(name: &str, mount: &Path, error: &io::Error) -> Unseen {
    match error.kind() {
        io::ErrorKind::NotFound => Unseen::NotMounted(name.to_owned()),
        io::ErrorKind::PermissionDenied => Unseen::Hidden(name.to_owned()),
        _ => Unseen::Error(format!("read {}: {error}", mount.display())),
    }
}

/// All that is missing of what is wanted: units where one is configured, logs where they are.
pub fn missing_of(root: &Path, wants_programs: bool, wants_units: bool, logs: &[&Path]) -> Vec<(Source, Unseen)> {
    let found = [
        wants_programs.then(|| processes(root)).flatten().map(|why| (Source::Processes, why)),
        cards(root).map(|why| (Source::Cards, why)),
        wants_units.then(|| units(root)).flatten().map(|why| (Source::Units, why)),
        logs.iter().find_map(|path| log(path)).map(|why| (Source::VpnLog, why)),
    ];
    found.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(directories: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("a directory");
        for directory in directories {
            std::fs::create_dir_all(root.path().join(directory)).expect("made");
        }
        root
    }

    const WHOLE: [&str; 4] = ["proc/self", "proc/1", "sys/class/net/lo", "sys/fs/cgroup/system.slice"];

    fn found(directories: &[&str]) -> Vec<(Source, Unseen)> {
        missing_of(root(directories).path(), true, true, &[])
    }

    #[test]
    fn a_system_that_shows_all_is_not_complained_about() {
        assert_eq!(found(&WHOLE), []);
        assert_eq!(missing_of(root(&WHOLE[..3]).path(), true, false, &[]), [], "no unit is configured");
        assert_eq!(missing_of(root(&WHOLE[2..]).path(), false, true, &[]), [], "no program is looked for");
    }

    #[test]
    fn what_is_not_mounted_and_what_is_hidden_are_told_apart() {
        assert_eq!(found(&["sys/class/net", "run/systemd/system"]), [(Source::Processes, Unseen::NotMounted("/proc".into()))]);
        assert_eq!(found(&["proc/self", "sys/class/net", "run/systemd/system"]), [(Source::Processes, Unseen::Hidden("/proc".into()))]);
        let without_sys = [(Source::Cards, Unseen::NotMounted("/sys".into())), (Source::Units, Unseen::NotMounted("/run/systemd".into()))];
        assert_eq!(found(&["proc/self", "proc/1"]), without_sys);
    }

    #[test]
    fn a_log_that_cannot_be_read_is_named() {
        assert!(matches!(log(Path::new("/nonexistent/v.log")), Some(Unseen::Error(why)) if why.contains("/nonexistent/v.log")));
        assert!(matches!(log(Path::new("/")), Some(Unseen::Error(_))));
        let dir = root(&[]);
        std::fs::write(dir.path().join("v.log"), "x").expect("written");
        assert_eq!(log(&dir.path().join("v.log")), None);
    }
}
