//! One daemon a run directory. A lock that dies with its holder tells a living daemon from a socket left behind, where asking at the socket
//! could only tell a quick one from a slow one.

use super::door::ControlError;
use rustix::fs::{FlockOperation, flock, fstat, stat};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The file name. Nobody else may open it: a lock that anybody can take could keep the daemon from starting.
const NAME: &str = "lock";
/// How often a file that is removed under our hands is tried again.
const TRIES: usize = 8;

/// The lock, held until it is dropped. Then the file goes, too.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    _file: File,
}

impl Lock {
    pub(super) fn take(dir: &Path) -> Result<Self, ControlError> {
        let path = dir.join(NAME);
        for _ in 0..TRIES {
            let opened = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
            let file = opened.map_err(ControlError::io("open the lock", &path))?;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(rustix::io::Errno::WOULDBLOCK) => return Err(ControlError::Taken(dir.to_owned())),
                Err(error) => return Err(ControlError::io("lock", &path)(error.into())),
            }
            // A daemon that ended just now may have removed the file between our opening and locking it.
            let same = match (fstat(&file), stat(&path)) {
                (Ok(ours), Ok(there)) => (ours.st_dev, ours.st_ino) == (there.st_dev, there.st_ino),
                _ => false,
            };
            if same {
                return Ok(Self { path, _file: file });
            }
        }
        Err(ControlError::Taken(dir.to_owned()))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Still locked while it is removed: whoever opened it before finds another file there, or none.
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_holds_it_and_it_is_free_again_after() {
        let dir = tempfile::tempdir().expect("a directory");
        let held = Lock::take(dir.path()).expect("it is free");
        assert!(matches!(Lock::take(dir.path()), Err(ControlError::Taken(_))));
        drop(held);
        assert!(!dir.path().join(NAME).exists());
        Lock::take(dir.path()).expect("it is free again");
    }

    #[test]
    fn a_file_left_behind_locks_nobody_out() {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join(NAME), "").expect("a file");
        Lock::take(dir.path()).expect("nobody holds it");
    }
}
