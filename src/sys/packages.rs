//! Which software is installed, by the names of packages (dpkg) and of menu entries. Other package databases are not read: what they install
//! with a menu entry is seen by that.

use super::files;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// dpkg's database.
const DPKG: &str = "/var/lib/dpkg/status";
/// A PC with ten thousand packages has a database of this size.
const LARGEST: u64 = 64 << 20;
/// Where menu entries are; those in homes are their owners' own.
const MENUS: [&str; 4] = [
    "/usr/share/applications",
    "/usr/local/share/applications",
    "/var/lib/flatpak/exports/share/applications",
    "/var/lib/snapd/desktop/applications",
];
/// Entries of one menu that are looked at.
const MOST_ENTRIES: usize = 16_384;

/// The names of what is installed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Installed {
    /// Packages.
    pub packages: Vec<String>,
    /// Menu entries, without `.desktop`.
    pub entries: Vec<String>,
    /// The state of what was read.
    pub(crate) read: Vec<Option<(SystemTime, u64)>>,
}

impl Installed {
    /// As it is now; what was read before is not read again while nothing changed. Blocks.
    #[must_use]
    pub fn again(self, root: &Path) -> Self {
        let at = |path: &str| root.join(path.trim_start_matches('/'));
        let places: Vec<PathBuf> = std::iter::once(DPKG).chain(MENUS).map(at).collect();
        let state = |place: &PathBuf| place.metadata().ok().and_then(|data| Some((data.modified().ok()?, data.len())));
        let read = places.iter().map(state).collect();
        if self.read == read {
            return self;
        }
        let packages = files::read_text(&places[0], LARGEST).map(|text| packages(&text)).unwrap_or_default();
        let entries = places[1..].iter().filter_map(|menu| menu.read_dir().ok()).flat_map(|entries| entries.flatten().take(MOST_ENTRIES));
        let names = entries.filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".desktop")?.to_owned()));
        Self { packages, entries: names.collect(), read }
    }
}

/// The packages whose state is "installed": one that was removed leaves its configuration and its stanza behind.
fn packages(status: &str) -> Vec<String> {
    let stanzas = status.split("\n\n");
    let installed = stanzas.filter_map(|stanza| {
        let field = |name: &str| stanza.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        (field("Status")?.ends_with(" installed")).then_some(field("Package")?.to_owned())
    });
    installed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const STATUS: &str = "Package: teamviewer\nStatus: install ok installed\nPriority: optional\n\n\
        Package: navicat\nStatus: deinstall ok config-files\n\nPackage: half\nStatus: install ok half-installed\n\nPackage: broken\n";

    #[test]
    fn a_package_counts_while_it_is_installed() {
        assert_eq!(packages(STATUS), ["teamviewer"]);
    }

    #[test]
    fn packages_and_menu_entries_are_read_again_when_they_changed() {
        let dir = tempfile::tempdir().expect("a directory");
        let menu = dir.path().join("usr/share/applications");
        fs::create_dir_all(&menu).expect("made");
        fs::create_dir_all(dir.path().join("var/lib/dpkg")).expect("made");
        let installed = Installed::default().again(dir.path());
        assert_eq!((installed.packages.len(), installed.entries.len()), (0, 0));
        fs::write(dir.path().join("var/lib/dpkg/status"), STATUS).expect("written");
        fs::write(menu.join("com.example.Tool.desktop"), "").expect("written");
        fs::write(menu.join("mimeinfo.cache"), "").expect("written");
        let installed = installed.again(dir.path());
        assert_eq!(
            (installed.packages.as_slice(), installed.entries.as_slice()),
            (&["teamviewer".to_owned()][..], &["com.example.Tool".to_owned()][..])
        );
        assert_eq!(installed.clone().again(dir.path()), installed);
    }

    mod any_bytes {
        use super::*;
        use crate::testing::{cases, hostile};
        use proptest::prelude::*;

        proptest! {
            #![proptest_config(cases())]

            #[test]
            fn of_a_package_database_are_no_more_packages_than_stanzas(bytes in hostile(vec![STATUS.as_bytes().to_vec()], 400)) {
                let text = String::from_utf8_lossy(&bytes);
                prop_assert!(packages(&text).len() <= text.split("\n\n").count());
            }
        }
    }
}
