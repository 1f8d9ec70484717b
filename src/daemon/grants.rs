//! The grants of this terminal: who may give one, on whose authority, and where they are kept.
//!
//! # The file
//! `grants` in the state directory, one JSON object `{"schema": "grants/1", "windows": [...]}`, replaced as a whole. The daemon is the only one
//! who writes it. What has passed of an open window is written each minute, so that starting the PC anew prolongs none.
//!
//! # The bureau's code
//! The bureau's authority is proved by an Ed25519 signature, by the key that `rules.bureau-key` has, over these lines, each ended by a line feed:
//!
//! ```text
//! isonet grant 1
//! 1338d0d8ec234423            the terminal's id, `-` where it has none
//! usb                         what is allowed
//! 2026-12-01T10:00:00Z        until when, UTC, whole seconds
//! 0951:1666:60A4              the device, `-` = any
//! ```
//!
//! Its 64 bytes are given as hexadecimal digits or base64, by word of mouth, message or in a file. It holds for this terminal, this act and this
//! end, and once: the same code is not taken again, so that what was revoked stays so. A code that is not right refuses the grant altogether;
//! without a code it is the institution's own.

use crate::config::{Config, bytes};
use crate::incident::{Standing, Window};
use crate::model::{AgentEvent, Authority, Grant, Scope, Stamp};
use crate::sys::files;
use ring::signature::{ED25519, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Name of the file in the state directory.
pub const FILE_NAME: &str = "grants";
const SCHEMA: &str = "grants/1";
/// Largest file that is read.
const LARGEST: u64 = 1 << 20;
/// Windows that are kept; the oldest that are over go first.
const MOST: usize = 100;
/// Longest window, ms: what is needed for longer is another state and is enrolled.
const LONGEST_MS: i64 = 31 * 24 * 3_600_000;
/// Longest name, reason or device, characters.
const LONGEST_TEXT: usize = 200;

/// What is asked of the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Order {
    /// A new one.
    Grant(Wanted),
    /// The end of one.
    Revoke {
        /// Which.
        revoke: String,
    },
}

/// A grant that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// What.
    pub what: Scope,
    /// Until when.
    pub until: jiff::Timestamp,
    /// Who allowed it.
    pub by: String,
    /// What for.
    pub reason: String,
    /// Only this device.
    #[serde(default)]
    pub device: Option<String>,
    /// The bureau's code.
    #[serde(default)]
    pub code: Option<String>,
}

/// Why a grant is not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotGranted {
    /// A name, reason or device is empty, too long or has control characters.
    #[error("a text is empty, too long or has control characters")]
    Text,
    /// Its end is not in the future.
    #[error("its end is past")]
    Past,
    /// It would last for longer than a month.
    #[error("it is longer than 31 days")]
    TooLong,
    /// There is a code, and no key to check it with.
    #[error("rules.bureau-key is not configured")]
    NoKey,
    /// The code is not the bureau's for this.
    #[error("the code is not the bureau's for this grant")]
    Code,
    /// The code was used before.
    #[error("the code was used before")]
    Used,
    /// None of this name is open.
    #[error("no such grant is open")]
    Unknown,
    /// There are too many.
    #[error("too many grants are open")]
    TooMany,
}

/// What a list of grants shows: `grants/1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    /// [`SCHEMA`].
    pub schema: String,
    /// All that are kept, the latest last.
    pub grants: Vec<ListedGrant>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListedGrant {
    /// The grant.
    pub grant: Grant,
    /// It is open.
    pub open: bool,
    /// It was called back.
    pub revoked: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: String,
    windows: Vec<Window>,
    /// Codes that were used, as they were given.
    used: Vec<String>,
}

/// All of them.
pub struct Grants {
    path: PathBuf,
    windows: Arc<Vec<Window>>,
    used: Vec<String>,
}

impl Grants {
    /// Reads them. A damaged file grants nothing: it is set aside, and that is said.
    pub fn open(state_dir: &Path) -> Self {
        let path = state_dir.join(FILE_NAME);
        let read = match files::read(&path, LARGEST) {
            Ok(bytes) => serde_json::from_slice::<File>(&bytes).map_err(|error| error.to_string()),
            Err(error) if error.is_absent() => Ok(File { schema: SCHEMA.to_owned(), windows: Vec::new(), used: Vec::new() }),
            Err(error) => Err(error.line()),
        };
        let read = read.and_then(|file| if file.schema == SCHEMA { Ok(file) } else { Err(format!("schema {}", file.schema)) });
        let (windows, used) = read.map_or_else(
            |why| {
                let aside = path.with_extension("damaged");
                tracing::error!(why, "the grants could not be read and are set aside as {}; none is in force", aside.display());
                let _ = std::fs::rename(&path, aside);
                (Vec::new(), Vec::new())
            },
            |file| (file.windows, file.used),
        );
        Self { path, windows: Arc::new(windows), used }
    }

    /// All windows, for whoever judges by them.
    pub fn windows(&self) -> Arc<Vec<Window>> {
        Arc::clone(&self.windows)
    }

    /// Whether any is open: then time is to be counted.
    pub fn any_open(&self, now: &Stamp) -> bool {
        self.windows.iter().any(|window| window.standing(now) == Standing::Open)
    }

    /// Counts the time that has passed, and gives what is to be written.
    pub fn count(&mut self, now: &Stamp) -> Unsaved {
        for window in Arc::make_mut(&mut self.windows) {
            window.count(now);
        }
        self.unsaved()
    }

    /// What is listed.
    pub fn listed(&self, now: &Stamp) -> Listed {
        let listed = |window: &Window| ListedGrant {
            grant: window.grant.clone(),
            open: !window.revoked && window.standing(now) == Standing::Open,
            revoked: window.revoked,
        };
        Listed { schema: SCHEMA.to_owned(), grants: self.windows.iter().map(listed).collect() }
    }

    /// Does what is asked for by this user, and gives what is to be recorded and written.
    pub fn take(
        &mut self,
        order: Order,
        uid: u32,
        terminal: Option<&str>,
        config: &Config,
        now: &Stamp,
    ) -> Result<(AgentEvent, Unsaved), NotGranted> {
        let event = match order {
            Order::Grant(wanted) => self.give(wanted, uid, terminal, config, now)?,
            Order::Revoke { revoke } => {
                let open = |window: &&mut Window| window.grant.id == revoke && !window.revoked && window.standing(now) == Standing::Open;
                let window = Arc::make_mut(&mut self.windows).iter_mut().find(open).ok_or(NotGranted::Unknown)?;
                window.revoke(now);
                AgentEvent::GrantRevoked { id: revoke, uid }
            }
        };
        Ok((event, self.unsaved()))
    }

    fn give(&mut self, wanted: Wanted, uid: u32, terminal: Option<&str>, config: &Config, now: &Stamp) -> Result<AgentEvent, NotGranted> {
        let texts = [Some(&wanted.by), Some(&wanted.reason), wanted.device.as_ref()];
        if !texts.into_iter().flatten().all(|text| is_fit(text)) {
            return Err(NotGranted::Text);
        }
        let length = wanted.until.as_millisecond().saturating_sub(now.wall.as_millisecond());
        if length > LONGEST_MS {
            return Err(NotGranted::TooLong);
        }
        let authority = self.authority(&wanted, terminal, config)?;
        let id = format!("g-{}", &uuid::Uuid::now_v7().simple().to_string()[24..]);
        let Wanted { what, until, by, reason, device, code } = wanted;
        let grant = Grant { id, what, until, by, reason, device, authority, uid };
        let window = Window::open(grant.clone(), now).ok_or(NotGranted::Past)?;
        let windows = Arc::make_mut(&mut self.windows);
        if windows.len() >= MOST {
            let over = windows.iter().position(|window| window.standing(now) == Standing::Over).ok_or(NotGranted::TooMany)?;
            windows.remove(over);
        }
        windows.push(window);
        self.used.extend(code);
        let surplus = self.used.len().saturating_sub(10 * MOST);
        self.used.drain(..surplus);
        Ok(AgentEvent::Granted { grant })
    }

    fn authority(&self, wanted: &Wanted, terminal: Option<&str>, config: &Config) -> Result<Authority, NotGranted> {
        let Some(code) = &wanted.code else { return Ok(Authority::Institution) };
        let key = config.rules.bureau_key.as_deref().and_then(|key| bytes(key, 32)).ok_or(NotGranted::NoKey)?;
        let signature = bytes(code, 64).ok_or(NotGranted::Code)?;
        let verified = UnparsedPublicKey::new(&ED25519, key).verify(signed_text(wanted, terminal).as_bytes(), &signature);
        verified.map_err(|_| NotGranted::Code)?;
        let again = self.used.iter().any(|used| bytes(used, 64).as_ref() == Some(&signature));
        if again { Err(NotGranted::Used) } else { Ok(Authority::Bureau) }
    }

    fn unsaved(&self) -> Unsaved {
        let file = File { schema: SCHEMA.to_owned(), windows: self.windows.to_vec(), used: self.used.clone() };
        let text = serde_json::to_vec_pretty(&file).expect("plain data with string keys always serialises");
        Unsaved { path: self.path.clone(), text }
    }
}

/// What is to be written. Writing waits for the disk, so it is done elsewhere, one after the other.
pub struct Unsaved {
    path: PathBuf,
    text: Vec<u8>,
}

impl Unsaved {
    /// Writes it. Blocks.
    pub fn save(self) -> std::io::Result<()> {
        files::replace(&self.path, &self.text)?;
        std::fs::set_permissions(&self.path, std::fs::Permissions::from_mode(0o640))
    }
}

/// What the bureau signs.
pub fn signed_text(wanted: &Wanted, terminal: Option<&str>) -> String {
    let until = jiff::Timestamp::from_second(wanted.until.as_second()).unwrap_or(wanted.until);
    let device = wanted.device.as_deref().unwrap_or("-");
    format!("isonet grant 1\n{}\n{}\n{until}\n{device}\n", terminal.unwrap_or("-"), wanted.what.code())
}

fn is_fit(text: &str) -> bool {
    !text.trim().is_empty() && text.chars().count() <= LONGEST_TEXT && !text.contains(char::is_control)
}

#[cfg(test)]
#[path = "grants_tests.rs"]
mod tests;
