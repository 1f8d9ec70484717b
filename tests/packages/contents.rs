//! What is in the packages, as `dpkg-deb`, `rpm` and `lintian` see it.

use crate::ground::{VERSION, has, packages, run, source};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// What both packages hold beside directories, man pages and what their kind alone has: mode and path.
const BOTH: [(&str, &str); 21] = [
    ("-rw-r--r--", "/etc/isonet/isonet.toml"),
    ("-rw-r--r--", "/etc/xdg/autostart/isonet-notify.desktop"),
    ("-rwxr-xr-x", "/usr/bin/isonet"),
    ("-rw-r--r--", "/usr/lib/systemd/catalog/isonet.catalog"),
    ("-rw-r--r--", "/usr/lib/systemd/catalog/isonet.zh_CN.catalog"),
    ("-rw-r--r--", "/usr/lib/systemd/user/isonet-notify.service"),
    ("-rw-r--r--", "/usr/lib/sysusers.d/isonet.conf"),
    ("-rw-r--r--", "/usr/share/applications/isonet.desktop"),
    ("-rw-r--r--", "/usr/share/bash-completion/completions/isonet"),
    ("-rw-r--r--", "/usr/share/doc/isonet/README.md"),
    ("-rw-r--r--", "/usr/share/doc/isonet/README.zh-CN.md"),
    ("-rw-r--r--", "/usr/share/doc/isonet/examples/isonet-audit.conf"),
    ("-rw-r--r--", "/usr/share/doc/isonet/examples/isonet-netadmin.conf"),
    ("-rw-r--r--", "/usr/share/doc/isonet/examples/rules.toml"),
    ("-rw-r--r--", "/usr/share/doc/isonet/third-party.txt.gz"),
    ("-rw-r--r--", "/usr/share/fish/vendor_completions.d/isonet.fish"),
    ("-rw-r--r--", "/usr/share/isonet/schema/diagnosis-1.json"),
    ("-rw-r--r--", "/usr/share/isonet/schema/heartbeat-1.json"),
    ("-rw-r--r--", "/usr/share/isonet/schema/incident-1.json"),
    ("-rw-r--r--", "/usr/share/isonet/schema/status-1.json"),
    ("-rw-r--r--", "/usr/share/man/man1/isonet.1.gz"),
];

const DEB: [(&str, &str); 6] = [
    ("-rw-r--r--", "/lib/systemd/system/isonet.service"),
    ("-rw-r--r--", "/usr/share/doc/isonet/changelog.Debian.gz"),
    ("-rw-r--r--", "/usr/share/doc/isonet/changelog.gz"),
    ("-rw-r--r--", "/usr/share/doc/isonet/copyright"),
    ("-rw-r--r--", "/usr/share/lintian/overrides/isonet"),
    ("-rw-r--r--", "/usr/share/zsh/vendor-completions/_isonet"),
];

const RPM: [(&str, &str); 4] = [
    ("-rw-r--r--", "/usr/lib/systemd/system/isonet.service"),
    ("-rw-r--r--", "/usr/share/doc/isonet/CHANGELOG.md"),
    ("-rw-r--r--", "/usr/share/licenses/isonet/LICENSE"),
    ("-rw-r--r--", "/usr/share/zsh/site-functions/_isonet"),
];

const KIT: &str = "/usr/share/doc/isonet/examples/ops/";

/// All files of a folder and of its folders.
fn below(folder: &Path, name: &str) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("it can be read").map(|entry| entry.expect("it can be read"));
    entries
        .flat_map(|entry| {
            let name = format!("{name}{}", entry.file_name().display());
            if entry.path().is_dir() { below(&entry.path(), &format!("{name}/")) } else { vec![name] }
        })
        .collect()
}

/// Mode, owner and path of every file; directories must be root's and open to read, and are left out.
fn files(listed: impl Iterator<Item = (String, String, String)>) -> BTreeSet<(String, String)> {
    let mut files = BTreeSet::new();
    for (mode, owner, path) in listed {
        assert!(["0/0", "root/root"].contains(&owner.as_str()), "{path} belongs to {owner}");
        if mode.starts_with('d') {
            assert_eq!(mode, "drwxr-xr-x", "{path}");
        } else {
            files.insert((mode, path));
        }
    }
    files
}

/// The pages of the manual are told by their number: one for each command in each language.
fn assert_holds(files: &BTreeSet<(String, String)>, expected: &[(&str, &str)]) {
    let (pages, rest): (Vec<_>, Vec<_>) = files.iter().partition(|(_, path)| path.contains("/man1/isonet-"));
    let expected: BTreeSet<_> =
        BOTH.iter().chain(expected).chain(&[("-rw-r--r--", "/usr/share/man/zh_CN/man1/isonet.1.gz")]).copied().collect();
    let rest: BTreeSet<_> = rest.iter().map(|(mode, path)| (mode.as_str(), path.as_str())).collect();
    let (kit, rest): (BTreeSet<_>, BTreeSet<_>) = rest.into_iter().partition(|(_, path)| path.starts_with(KIT));
    assert_eq!(rest, expected);
    // The receivers' kit, all of it.
    let there: BTreeSet<_> = kit.iter().map(|(mode, path)| (*mode, path[KIT.len()..].to_owned())).collect();
    assert_eq!(there, below(&source("config/ops"), "").into_iter().map(|path| ("-rw-r--r--", path)).collect());
    let (chinese, english): (Vec<&str>, Vec<&str>) = pages.iter().map(|(_, path)| path.as_str()).partition(|path| path.contains("/zh_CN/"));
    assert_eq!(chinese.iter().map(|path| path.replace("/zh_CN", "")).collect::<Vec<_>>(), english);
    assert!(english.contains(&"/usr/share/man/man1/isonet-diagnose.1.gz"), "{english:?}");
}

#[test]
fn the_deb_holds_what_it_should_and_all_of_it_is_roots() {
    let Some(packages) = packages() else { return };
    let listing = run(Command::new("dpkg-deb").arg("-c").arg(&packages.deb));
    let listed = listing.lines().map(|line| {
        let word: Vec<_> = line.split_whitespace().collect();
        (word[0].to_owned(), word[1].to_owned(), word[5].trim_start_matches('.').to_owned())
    });
    assert_holds(&files(listed), &DEB);
}

#[test]
fn the_rpm_holds_what_it_should_and_all_of_it_is_roots() {
    let Some(packages) = packages().filter(|_| has("rpm")) else { return };
    let format = "[%{FILEMODES:perms} %{FILEUSERNAME}/%{FILEGROUPNAME} %{FILENAMES}\\n]";
    let listing = run(Command::new("rpm").args(["-qp", "--qf", format]).arg(&packages.rpm));
    let listed = listing.lines().map(|line| {
        let word: Vec<_> = line.split_whitespace().collect();
        (word[0].to_owned(), word[1].to_owned(), word[2].to_owned())
    });
    assert_holds(&files(listed), &RPM);
}

#[test]
fn a_configuration_that_was_changed_is_the_administrators_in_both() {
    let Some(packages) = packages() else { return };
    let conffiles = run(Command::new("dpkg-deb").arg("--info").arg(&packages.deb).arg("conffiles"));
    assert_eq!(conffiles.trim(), "/etc/isonet/isonet.toml\n/etc/xdg/autostart/isonet-notify.desktop");
    if has("rpm") {
        let flags = run(Command::new("rpm").args(["-qp", "--qf", "[%{FILENAMES} %{FILEFLAGS:fflags}\\n]"]).arg(&packages.rpm));
        let kept: Vec<_> = flags.lines().filter(|line| line.split_whitespace().nth(1).is_some_and(|flag| flag.contains('c'))).collect();
        assert_eq!(kept, ["/etc/isonet/isonet.toml cn", "/etc/xdg/autostart/isonet-notify.desktop cn"]);
    }
}

#[test]
fn both_ask_for_the_c_library_and_the_service_manager_they_need() {
    let Some(packages) = packages() else { return };
    let field = |name: &str| run(Command::new("dpkg-deb").arg("-f").arg(&packages.deb).arg(name)).trim().to_owned();
    assert_eq!(field("Package"), "isonet");
    assert_eq!(field("Version"), format!("{VERSION}-1"));
    assert_eq!(field("Section"), "net");
    assert_eq!(field("Architecture"), if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" });
    let depends = field("Depends");
    for needed in ["libc6 (>= 2.28)", "systemd (>= 241)", "init-system-helpers (>= 1.54~)"] {
        assert!(depends.contains(needed), "{depends}");
    }
    if has("rpm") {
        let needs = run(Command::new("rpm").args(["-qp", "--requires"]).arg(&packages.rpm));
        for needed in ["glibc >= 2.28", "systemd >= 239", "/bin/sh"] {
            assert!(needs.lines().any(|line| line == needed), "{needs}");
        }
        // What packages of old distributions can read.
        assert!(!needs.contains("PayloadIsZstd"), "{needs}");
    }
}

#[test]
fn the_scripts_of_both_are_sound() {
    let mut scripts = Vec::new();
    for kind in ["deb", "rpm"] {
        let list = std::fs::read_dir(source("systemd/packages").join(kind)).expect("it is there");
        scripts.extend(list.flatten().map(|entry| entry.path()).filter(|path| path.file_name().is_some_and(|name| name != "overrides")));
    }
    assert_eq!(scripts.len(), 6);
    for script in &scripts {
        run(Command::new("sh").arg("-n").arg(script));
    }
    if has("shellcheck") {
        run(Command::new("shellcheck").args(["--shell", "sh"]).args(&scripts));
        run(Command::new("shellcheck").args(["build", "tree"].map(|name| source("tests/packages").join(name))));
    }
}

#[test]
fn lintian_finds_no_error_and_no_warning_in_the_deb() {
    let Some(packages) = packages().filter(|_| has("lintian")) else { return };
    let out = Command::new("lintian").args(["--fail-on", "error,warning", "--tag-display-limit", "0"]).arg(&packages.deb).output();
    let out = out.expect("lintian runs");
    assert!(out.status.success(), "{}", crate::ground::said_at_all(&out));
}

#[test]
fn shells_and_man_take_what_was_made_for_them() {
    let Some(packages) = packages() else { return };
    let dir = TempDir::new().expect("a directory can be made");
    run(Command::new("dpkg-deb").arg("-x").arg(&packages.deb).arg(dir.path()));
    let share = dir.path().join("usr/share");
    run(Command::new("bash").arg("-n").arg(share.join("bash-completion/completions/isonet")));
    if !has("man") {
        return;
    }
    for (page, expected) in
        [("man1/isonet.1.gz", "EXIT STATUS"), ("zh_CN/man1/isonet.1.gz", "退出状态"), ("man1/isonet-diagnose.1.gz", "--json")]
    {
        let path = share.join("man").join(page);
        let out =
            Command::new("man").args(["--warnings", "--local-file"]).arg(&path).env("LC_ALL", "C.UTF-8").env("MANWIDTH", "80").output();
        let out = out.expect("man runs");
        let text = String::from_utf8_lossy(&out.stdout);
        assert!(out.status.success() && text.contains(expected), "{}", crate::ground::said_at_all(&out));
        // About long words of Chinese, which has no blanks between them, the formatter always complains.
        assert!(out.stderr.is_empty() || page.starts_with("zh_CN"), "{page}: {}", String::from_utf8_lossy(&out.stderr));
    }
}

#[test]
fn desktops_understand_what_is_for_them() {
    let files = ["isonet.desktop", "isonet-notify.desktop"].map(|name| source("config/desktop").join(name));
    if has("desktop-file-validate") {
        let said = run(Command::new("desktop-file-validate").args(&files));
        assert_eq!(said, "");
    }
    let text = std::fs::read_to_string(&files[0]).expect("it is there");
    for line in ["Name=Insurance network check", "Name[zh_CN]=医保网络检查", "Exec=isonet page", "Terminal=false"] {
        assert!(text.lines().any(|other| other == line), "{line}");
    }
}
