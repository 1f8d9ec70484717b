//! Wipes what isonet keeps in its state directory, and nothing else: names are its own, no link is followed, and what it does not know stays.

use crate::baseline::FILE_NAME as BASELINE;
use crate::config::policy;
use crate::daemon::grants;
use crate::key;
use crate::spool::ANCHOR;
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, fsync, openat, unlinkat};
use rustix::io::Errno;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

/// Files in the state directory. Not the note that the terminal has left: by it no service starts.
const FILES: [&str; 6] = [BASELINE, key::FILE_NAME, key::TOLD, policy::FILE_NAME, grants::FILE_NAME, ANCHOR];
/// Directories in it, of which all files are ours.
const DIRECTORIES: [&str; 2] = ["spool", "cursors"];

/// Deletes all of it; what is not there is no error. The key goes first: from then on nothing can be signed in this terminal's name.
pub(super) fn wipe(state: &Path) -> io::Result<()> {
    let open = |at: BorrowedFd<'_>, path: &Path| {
        openat(at, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
    };
    let told = |name: &str, errno: Errno| io::Error::other(format!("{}: {}", state.join(name).display(), io::Error::from(errno)));
    let dir = open(CWD, state).map_err(|errno| told("", errno))?;
    for name in [key::FILE_NAME].into_iter().chain(FILES) {
        remove(dir.as_fd(), name, AtFlags::empty()).map_err(|errno| told(name, errno))?;
    }
    for name in DIRECTORIES {
        match open(dir.as_fd(), Path::new(name)) {
            Ok(below) => {
                empty(below.as_fd()).map_err(|errno| told(name, errno))?;
                remove(dir.as_fd(), name, AtFlags::REMOVEDIR).map_err(|errno| told(name, errno))?;
            }
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(told(name, errno)),
        }
    }
    fsync(&dir).map_err(|errno| told("", errno))
}

/// Removes the files of a directory; a directory in it stays.
fn empty(dir: BorrowedFd<'_>) -> rustix::io::Result<()> {
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        if entry.file_type() != FileType::Directory {
            remove(dir, entry.file_name(), AtFlags::empty())?;
        }
    }
    Ok(())
}

fn remove(dir: BorrowedFd<'_>, name: impl rustix::path::Arg, flags: AtFlags) -> rustix::io::Result<()> {
    match unlinkat(dir, name, flags) {
        Err(Errno::NOENT) => Ok(()),
        done => done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_is_ours_goes_and_what_is_not_stays() {
        let dir = tempfile::tempdir().expect("a directory");
        let (state, other) = (dir.path().join("state"), dir.path().join("other"));
        let write = |path: &Path| fs::write(path, "x").expect("written");
        for made in [&state.join("spool"), &state.join("cursors"), &other] {
            fs::create_dir_all(made).expect("made");
        }
        for name in FILES.into_iter().chain(["retired", "mine.txt", "spool/00000001.jsonl", "cursors/a.cursor"]) {
            write(&state.join(name));
        }
        write(&other.join("precious"));
        std::os::unix::fs::symlink(&other, state.join("spool/link")).expect("linked");
        wipe(&state).expect("wiped");
        let mut left: Vec<String> =
            fs::read_dir(&state).expect("there").map(|entry| entry.expect("read").file_name().to_string_lossy().into_owned()).collect();
        left.sort();
        assert_eq!(left, ["mine.txt", "retired"]);
        assert!(other.join("precious").exists(), "the link went, what it points to did not");
        wipe(&state).expect("twice is no error");
    }

    #[test]
    fn a_link_in_the_place_of_a_directory_is_not_followed() {
        let dir = tempfile::tempdir().expect("a directory");
        let (state, other) = (dir.path().join("state"), dir.path().join("other"));
        fs::create_dir_all(&state).expect("made");
        fs::create_dir_all(&other).expect("made");
        fs::write(other.join("precious"), "x").expect("written");
        std::os::unix::fs::symlink(&other, state.join("spool")).expect("linked");
        let error = wipe(&state).expect_err("it is refused").to_string();
        assert!(error.contains("spool") && other.join("precious").exists(), "{error}");
    }
}
