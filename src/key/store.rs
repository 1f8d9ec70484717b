//! The file of the key: `STATE/key`, for the service's user only (0600).
//!
//! A few lines that say what it is, then PKCS#8 in PEM, which OpenSSL reads as it is. One of the lines is the fingerprint of the machine: a copied disk
//! finds a key that is another PC's, and makes its own. `STATE/key.told` has the fingerprint of the key that the record log was last told of.

use super::{Algorithm, Key};
use crate::spool::is_same_machine;
use crate::sys::files::{self, ReadError};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::io;
use std::path::{Path, PathBuf};

/// Name of the file in the state directory.
pub const FILE_NAME: &str = "key";
/// Name of the file that says which key the log knows of.
pub const TOLD: &str = "key.told";
/// What its first line says.
const HEAD: &str = "isonet key 1";
/// Nobody else may read it.
const MODE: u32 = 0o600;
/// Largest file read, bytes.
const LARGEST: u64 = 64 << 10;

/// Why the key in force was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    /// There was none.
    First,
    /// The one that was there is another machine's: the disk was copied.
    Cloned,
    /// There had been one, and it was gone or damaged.
    Lost,
}

impl Made {
    /// The name in JSON and in the file.
    pub const fn code(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Cloned => "cloned",
            Self::Lost => "lost",
        }
    }
}

/// The key of a state directory.
#[derive(Debug)]
pub struct Held {
    /// It.
    pub key: Key,
    /// Why it was made.
    pub made: Made,
    /// Whose it is; see [`machine_fingerprint`](crate::baseline::machine_fingerprint).
    machine: String,
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It is there and cannot be read.
    #[error("read the key: {0}")]
    Unreadable(#[from] ReadError),
    /// It is there and is no key.
    #[error("the key {0} is damaged")]
    Damaged(PathBuf),
    /// The system has no random numbers.
    #[error("the system gives no random numbers for a key")]
    NoRandom,
    /// It could not be written.
    #[error("write the key {path}")]
    Write {
        /// Where.
        path: PathBuf,
        /// The refusal.
        source: io::Error,
    },
}

/// Reads the key; `None` = there is none.
pub fn load(state_dir: &Path) -> Result<Option<Held>, KeyError> {
    let path = state_dir.join(FILE_NAME);
    let text = match files::read_text(&path, LARGEST) {
        Ok(text) => text,
        Err(error) if error.is_absent() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    read(&text).map(Some).ok_or(KeyError::Damaged(path))
}

fn read(text: &str) -> Option<Held> {
    let mut lines = text.lines();
    let is_ours = lines.next() == Some(HEAD) && lines.next()? == format!("algorithm: {}", Algorithm::Ed25519.code());
    let machine = lines.next()?.strip_prefix("machine:")?.trim().to_owned();
    let made = lines.next()?.strip_prefix("made: ")?;
    let made = [Made::First, Made::Cloned, Made::Lost].into_iter().find(|known| known.code() == made)?;
    is_ours.then_some(Held { key: Key::from_pem(text)?, made, machine })
}

/// Reads the key, or makes one where there is none that is this machine's. The state directory must be there.
pub fn ensure(state_dir: &Path, machine: &str) -> Result<Held, KeyError> {
    let made = match load(state_dir) {
        Ok(Some(held)) if !is_same_machine(&held.machine, machine) => Made::Cloned,
        Ok(Some(held)) if held.machine == machine || machine.is_empty() => return Ok(held),
        // Parts are exchanged one at a time: those that are there now are remembered.
        Ok(Some(held)) => return store(state_dir, Held { machine: machine.to_owned(), ..held }, Existing::Replaced),
        Ok(None) if Told::load(state_dir).is_some() => Made::Lost,
        Ok(None) => Made::First,
        Err(KeyError::Damaged(_)) => Made::Lost,
        Err(error) => return Err(error),
    };
    let existing = if made == Made::First { Existing::Kept } else { Existing::Replaced };
    store(state_dir, Held { key: Key::new().ok_or(KeyError::NoRandom)?, made, machine: machine.to_owned() }, existing)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Existing {
    Kept,
    Replaced,
}

/// Writes it: beside, synced, renamed. Where another process was first, its key counts.
fn store(state_dir: &Path, held: Held, existing: Existing) -> Result<Held, KeyError> {
    let path = state_dir.join(FILE_NAME);
    let failed = |source| KeyError::Write { path: path.clone(), source };
    let (algorithm, machine, made) = (Algorithm::Ed25519.code(), &held.machine, held.made.code());
    let text = format!("{HEAD}\nalgorithm: {algorithm}\nmachine: {machine}\nmade: {made}\n{}", held.key.pem());
    let temporary = state_dir.join(format!(".{FILE_NAME}.{}", std::process::id()));
    // Left behind by a run that was cut off: nobody else uses this name.
    let _ = std::fs::remove_file(&temporary);
    let flags = if existing == Existing::Kept { RenameFlags::NOREPLACE } else { RenameFlags::empty() };
    let written = files::write_new(&temporary, text.as_bytes(), Some(MODE))
        .and_then(|()| files::give(&temporary, state_dir))
        .and_then(|()| Ok(renameat_with(CWD, &temporary, CWD, &path, flags)?))
        .and_then(|()| std::fs::File::open(state_dir)?.sync_all());
    if written.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    match written {
        Ok(()) => Ok(held),
        Err(error) if existing == Existing::Kept && path.exists() => load(state_dir)?.ok_or_else(|| failed(error)),
        Err(error) => Err(failed(error)),
    }
}

/// Which key the record log was last told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told(pub String);

impl Told {
    /// `None` = none, or it cannot be read: telling it twice is better than never.
    pub fn load(state_dir: &Path) -> Option<Self> {
        files::read_word(&state_dir.join(TOLD)).filter(|word| word.len() == 64).map(Self)
    }

    /// Remembers it; whole or not at all.
    pub fn store(&self, state_dir: &Path) -> io::Result<()> {
        files::replace_as(&state_dir.join(TOLD), format!("{}\n", self.0).as_bytes(), 0o640)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_is_made_once_and_only_its_owner_may_read_it() {
        let dir = tempfile::tempdir().expect("a directory");
        assert!(load(dir.path()).expect("nothing there").is_none());
        let first = ensure(dir.path(), "card disk").expect("made");
        assert_eq!(first.made, Made::First);
        let mode = std::fs::metadata(dir.path().join(FILE_NAME)).expect("there").permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
        let again = ensure(dir.path(), "card disk").expect("read");
        assert_eq!(again.key.public(), first.key.public());
    }

    #[test]
    fn a_part_is_exchanged_and_the_key_stays_but_another_machine_makes_its_own() {
        let dir = tempfile::tempdir().expect("a directory");
        let first = ensure(dir.path(), "card disk").expect("made").key.public();
        assert_eq!(ensure(dir.path(), "card disk2").expect("kept").key.public(), first);
        assert_eq!(ensure(dir.path(), "card2 disk2").expect("kept").key.public(), first, "each start remembers what is there");
        assert_eq!(ensure(dir.path(), "").expect("kept").key.public(), first, "nothing to compare with");
        let clone = ensure(dir.path(), "card9 disk9").expect("made");
        assert_eq!(clone.made, Made::Cloned);
        assert_ne!(clone.key.public(), first);
        assert_eq!(ensure(dir.path(), "card9").expect("kept").key.public(), clone.key.public());
    }

    #[test]
    fn a_damaged_or_missing_key_is_replaced_and_that_is_known() {
        let dir = tempfile::tempdir().expect("a directory");
        let first = ensure(dir.path(), "").expect("made").key.public();
        let path = dir.path().join(FILE_NAME);
        std::fs::write(&path, "isonet key 1\nalgorithm: sm2\n").expect("written");
        assert!(matches!(load(dir.path()), Err(KeyError::Damaged(_))));
        assert_eq!(ensure(dir.path(), "").expect("made").made, Made::Lost);
        Told(first.fingerprint()).store(dir.path()).expect("stored");
        assert_eq!(Told::load(dir.path()), Some(Told(first.fingerprint())));
        std::fs::remove_file(path).expect("removed");
        assert_eq!(ensure(dir.path(), "").expect("made").made, Made::Lost);
    }
}
