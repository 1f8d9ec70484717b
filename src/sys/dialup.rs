//! Whether this PC dials up its line by itself (PPPoE): what pppd, Debian's or NetworkManager's files say, and whether a dialler runs.
//!
//! Such files hold passwords: one word is looked for in them, and nothing of them is kept or shown.

use super::files::{self, ReadError};
use super::proc;
use crate::model::{Outcome, ProcessState, Unseen};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where sessions are set up, and the word (without spaces, in small letters) by which one over Ethernet is known from one by telephone.
const PLACES: [(&str, &str); 3] = [
    ("etc/ppp/peers", "pppoe"),
    ("etc/NetworkManager/system-connections", "type=pppoe"),
    ("run/NetworkManager/system-connections", "type=pppoe"),
];
/// Largest such file; they have some twenty lines.
const LARGEST: u64 = 64 * 1024;
/// Files of one place that are looked at.
const MOST: usize = 64;
/// Programs that dial.
const DIALLERS: [&str; 2] = ["pppd", "pppoe"];

/// Files and programs that speak for a session, sorted; empty = there are none. `programs`: whether a running dialler counts, which
/// it does not where a VPN uses the same program. `root` is `/`, but for tests. Blocks for some milliseconds.
pub fn traces(root: &Path, programs: bool) -> Outcome<Vec<String>> {
    let mut found = Vec::new();
    let mut hidden = None;
    for (place, word) in PLACES {
        match set_up_in(&root.join(place), word) {
            Ok(files) => found.extend(files.iter().map(|path| path.display().to_string())),
            Err(why) => hidden = Some(why),
        }
    }
    if programs {
        let running = DIALLERS.iter().filter(|name| proc::process_state(name) == ProcessState::Running);
        found.extend(running.map(ToString::to_string));
    }
    found.sort();
    match hidden {
        // What was found suffices.
        Some(why) if found.is_empty() => Outcome::Unknown(why),
        _ => Outcome::Ok(found),
    }
}

fn set_up_in(place: &Path, word: &str) -> Result<Vec<PathBuf>, Unseen> {
    let hidden = |path: &Path| Unseen::Hidden(path.display().to_string());
    let entries = match fs::read_dir(place) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(hidden(place)),
        // Without the program there is no such directory.
        Err(_) => return Ok(Vec::new()),
    };
    let mut found = Vec::new();
    let mut unread = None;
    for path in entries.flatten().take(MOST).map(|entry| entry.path()) {
        match files::read_text(&path, LARGEST) {
            Ok(text) if speaks_of(&text, word) => found.push(path),
            Err(ReadError::Io { source, .. }) if source.kind() == io::ErrorKind::PermissionDenied => unread = Some(hidden(&path)),
            // A directory, a pipe, a picture: no set-up.
            Ok(_) | Err(_) => {}
        }
    }
    match unread {
        Some(why) if found.is_empty() => Err(why),
        _ => Ok(found),
    }
}

/// A line that is no comment holds the word. Takes any text.
fn speaks_of(text: &str, word: &str) -> bool {
    let told = text.lines().map(str::trim_start).filter(|line| !line.starts_with(['#', ';']));
    told.map(|line| line.to_ascii_lowercase().replace([' ', '\t'], "")).any(|line| line.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(files: &[(&str, &str)]) -> (tempfile::TempDir, Outcome<Vec<String>>) {
        let root = tempfile::tempdir().expect("a directory");
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            fs::write(path, text).expect("written");
        }
        let found = traces(root.path(), false);
        (root, found)
    }

    fn names(files: &[(&str, &str)]) -> Vec<String> {
        let (root, found) = with(files);
        let below = |path: &String| path.strip_prefix(&format!("{}/", root.path().display())).map(str::to_owned);
        found.ok().expect("seen").iter().filter_map(below).collect()
    }

    #[test]
    fn a_session_over_ethernet_is_found_wherever_it_is_set_up() {
        let dsl = "etc/ppp/peers/dsl-provider";
        assert_eq!(names(&[(dsl, "noipdefault\nplugin rp-pppoe.so eth0\n")]), [dsl]);
        assert_eq!(names(&[(dsl, "pty \"/usr/sbin/pppoe -I eth0\"\n")]), [dsl]);
        let managed = "etc/NetworkManager/system-connections/宽带.nmconnection";
        assert_eq!(names(&[(managed, "[connection]\nid=宽带\ntype = pppoe\n")]), [managed]);
    }

    #[test]
    fn a_telephone_a_sample_and_a_cable_are_no_session() {
        // What Debian's package brings along.
        let sample =
            "# example configuration for a dialup connection authenticated with PAP\nconnect \"/usr/sbin/chat -v -f x\"\n/dev/modem\n";
        let commented = "#plugin rp-pppoe.so\n  # pty \"pppoe\"\n";
        let cable = "[connection]\ntype=ethernet\n";
        let files = [
            ("etc/ppp/peers/provider", sample),
            ("etc/ppp/peers/old", commented),
            ("etc/NetworkManager/system-connections/c.nmconnection", cable),
        ];
        assert_eq!(names(&files), [""; 0]);
        assert_eq!(names(&[]), [""; 0]);
    }

    #[test]
    fn what_is_hidden_is_unknown_unless_something_else_is_found() {
        use std::os::unix::fs::PermissionsExt;
        let (root, _) = with(&[("etc/ppp/peers/dsl", "plugin pppoe.so\n")]);
        let peers = root.path().join("etc/ppp/peers");
        fs::set_permissions(&peers, fs::Permissions::from_mode(0o000)).expect("closed");
        // Root reads it all the same.
        let seen = traces(root.path(), false);
        let closed = fs::read_dir(&peers).is_err();
        assert_eq!(matches!(seen, Outcome::Unknown(Unseen::Hidden(_))), closed, "{seen:?}");
        fs::set_permissions(&peers, fs::Permissions::from_mode(0o755)).expect("opened");
    }

    mod any_bytes {
        use super::*;
        use crate::testing::{cases, hostile};
        use proptest::prelude::*;

        proptest! {
            #![proptest_config(cases())]

            #[test]
            fn of_a_set_up_speak_of_a_session_only_with_its_word(bytes in hostile(vec![b"#x\nplugin rp-pppoe.so eth0\n type = pppoe\n".to_vec()], 300)) {
                let text = String::from_utf8_lossy(&bytes);
                let word = text.to_ascii_lowercase().replace([' ', '\t'], "").contains("pppoe");
                prop_assert!(!speaks_of(&text, "pppoe") || word);
            }
        }
    }
}
