//! Where proxies are written: which files are read, how, and which are watched. Blocks; the parsers stand beside it.

use super::{Lead, Says, browsers, desktop, written};
use crate::sys::{files, leases};
use std::path::{Path, PathBuf};

/// No such file is larger.
const LARGEST: u64 = 256 * 1024;
/// Files of one directory, and homes.
const MOST_FILES: usize = 64;
const MOST_HOMES: usize = 32;

const SHELL_FILES: [&str; 5] = ["/etc/environment", "/etc/profile", "/etc/bash.bashrc", "/etc/systemd/system.conf", "/etc/apt/apt.conf"];
const SHELL_DIRECTORIES: [&str; 4] = ["/etc/environment.d", "/etc/profile.d", "/etc/systemd/system.conf.d", "/etc/apt/apt.conf.d"];
const CHROMIUM: [&str; 8] = [
    "/etc/chromium/policies/managed",
    "/etc/chromium/policies/recommended",
    "/etc/chromium-browser/policies/managed",
    "/etc/chromium-browser/policies/recommended",
    "/etc/opt/chrome/policies/managed",
    "/etc/opt/chrome/policies/recommended",
    "/etc/opt/edge/policies/managed",
    "/etc/opt/edge/policies/recommended",
];
const FIREFOX: [&str; 4] = [
    "/etc/firefox/policies/policies.json",
    "/etc/firefox-esr/policies/policies.json",
    "/usr/lib/firefox/distribution/policies.json",
    "/usr/lib/firefox-esr/distribution/policies.json",
];
/// Below each home.
const HOME_SHELL: [&str; 4] = [".profile", ".bash_profile", ".bashrc", ".pam_environment"];
const HOME_DESKTOP: [&str; 2] = [".config/glib-2.0/settings/keyfile", ".config/dconf/user.txt"];

/// How a file is read.
type Parser = fn(&str) -> Vec<Says>;

fn shell(text: &str) -> Vec<Says> {
    written::proxies(text).into_iter().map(Says::Proxy).collect()
}

/// Files and directories of the system that are worth watching: writing to them is rare. Homes are not watched, as programs write there all
/// the time; they are read each minute.
pub fn watched() -> (Vec<PathBuf>, Vec<PathBuf>) {
    let files = SHELL_FILES.iter().chain(&FIREFOX).map(PathBuf::from).collect();
    let directories = SHELL_DIRECTORIES.iter().chain(&CHROMIUM).map(PathBuf::from).chain(keyfile_directories(Path::new("/"))).collect();
    (files, directories)
}

/// All that is written, in the order of the places, and what this program's own environment and the address server said.
pub fn leads() -> Vec<Lead> {
    let mut found = below(Path::new("/"));
    for (key, value) in std::env::vars_os() {
        if let (Some(key), Some(value)) = (key.to_str(), value.to_str()) {
            found.extend(shell(&format!("{key}={value}")).into_iter().map(|says| Lead { says, place: "environment".to_owned() }));
        }
    }
    found.extend(leases::scripts().into_iter().map(|url| Lead { says: Says::Script(url), place: "DHCP".to_owned() }));
    found
}

/// What is written below a root. Whose home it was is nobody's business: a place there is told as `~/NAME`.
fn below(root: &Path) -> Vec<Lead> {
    let mut found = Vec::new();
    let mut read = |path: PathBuf, parser: Parser, home: Option<&Path>| {
        let Ok(text) = files::read_text(&path, LARGEST) else { return };
        let within = home.and_then(|home| path.strip_prefix(home).ok()).map(|rest| format!("~/{}", rest.display()));
        let place = within.unwrap_or_else(|| format!("/{}", path.strip_prefix(root).unwrap_or(&path).display()));
        found.extend(parser(&text).into_iter().map(|says| Lead { says, place: place.clone() }));
    };
    let at = |place: &str| root.join(place.trim_start_matches('/'));
    for file in SHELL_FILES.iter().map(|file| at(file)).chain(SHELL_DIRECTORIES.iter().flat_map(|place| names(&at(place)))) {
        read(file, shell, None);
    }
    for file in keyfile_directories(root).iter().flat_map(|place| names(place)) {
        read(file, desktop::says, None);
    }
    for file in CHROMIUM.iter().flat_map(|place| names(&at(place))) {
        read(file, browsers::chromium, None);
    }
    for file in FIREFOX {
        read(at(file), browsers::firefox, None);
    }
    for home in homes(root) {
        let of_shells = HOME_SHELL.iter().map(|file| home.join(file)).chain(names(&home.join(".config/environment.d")));
        for file in of_shells {
            read(file, shell, Some(&home));
        }
        for file in HOME_DESKTOP {
            read(home.join(file), desktop::says, Some(&home));
        }
    }
    found
}

/// The files of a directory, by name.
fn names(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut inside: Vec<PathBuf> = entries.map(|entry| entry.path()).take(MOST_FILES).collect();
    inside.sort();
    inside
}

/// `/etc/dconf/db/NAME.d`.
fn keyfile_directories(root: &Path) -> Vec<PathBuf> {
    let mut inside = names(&root.join("etc/dconf/db"));
    inside.retain(|path| path.extension().is_some_and(|extension| extension == "d"));
    inside
}

/// Homes of people, as far as they may be entered: those of the password file that a person can have.
fn homes(root: &Path) -> Vec<PathBuf> {
    let text = files::read_text(&root.join("etc/passwd"), LARGEST).unwrap_or_default();
    let home = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        let id: u32 = fields.get(2)?.parse().ok()?;
        let person = id == 0 || (1000..65_534).contains(&id);
        fields.get(5).filter(|home| person && home.len() > 1).map(|home| root.join(home.trim_start_matches('/')))
    };
    let mut homes: Vec<PathBuf> = text.lines().filter_map(home).take(MOST_HOMES).collect();
    homes.dedup();
    homes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_place_is_read() {
        let root = tempfile::tempdir().expect("a directory");
        let write = |place: &str, text: &str| {
            let path = root.path().join(place);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            std::fs::write(path, text).expect("written");
        };
        write("etc/passwd", "root:x:0:0::/root:/bin/sh\nbin:x:2:2::/bin:/usr/sbin/nologin\nli:x:1000:1000::/home/li:/bin/sh\n");
        write("etc/environment", "http_proxy=http://10.1.0.1:3128\n");
        write("etc/profile.d/proxy.sh", "export https_proxy=http://10.1.0.2:3128\n");
        write("etc/dconf/db/local.d/00-proxy", "[system/proxy/http]\nhost='10.1.0.3'\nport=3128\n");
        write("etc/dconf/db/local", "binary");
        write("etc/chromium/policies/managed/p.json", r#"{"ProxyServer":"10.1.0.4:3128"}"#);
        write("etc/firefox/policies/policies.json", r#"{"policies":{"Proxy":{"Mode":"autoConfig","AutoConfigURL":"file:///p.pac"}}}"#);
        write("home/li/.bashrc", "export all_proxy=socks5://10.1.0.5:1080\n");
        write("home/li/.config/dconf/user.txt", "[system/proxy]\nmode='auto'\n");
        write("bin/.profile", "export http_proxy=http://10.1.0.9:3128\n");
        let said: Vec<String> = below(root.path())
            .into_iter()
            .map(|lead| {
                let place = lead.place;
                match lead.says {
                    Says::Proxy(named) => format!("{}:{} {place}", named.host, named.port),
                    Says::Script(url) => format!("{url} {place}"),
                    Says::Discover => format!("wpad {place}"),
                }
            })
            .collect();
        let expected = [
            "10.1.0.1:3128 /etc/environment",
            "10.1.0.2:3128 /etc/profile.d/proxy.sh",
            "10.1.0.3:3128 /etc/dconf/db/local.d/00-proxy",
            "10.1.0.4:3128 /etc/chromium/policies/managed/p.json",
            "file:///p.pac /etc/firefox/policies/policies.json",
            "10.1.0.5:1080 ~/.bashrc",
            "wpad ~/.config/dconf/user.txt",
        ];
        assert_eq!(said, expected);
    }
}
