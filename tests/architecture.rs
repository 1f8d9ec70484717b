//! The shape of the crate, held by a test: what decides is pure, what is unsafe stands in one place, every file says what it is for.
#![allow(clippy::unwrap_used, reason = "a helper of a test fails the test")]

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that decide. They take values and give values.
const PURE: &[&str] = &["model", "infer", "incident", "catalogue", "report", "field", "notice"];
/// What a deciding folder may not name: the outside world, the clocks, and the folders that touch them.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::io",
    "std::process",
    "std::env",
    "std::thread",
    "std::os",
    "tokio",
    "rustix",
    "libc::",
    "socket2",
    "TcpStream",
    "UdpSocket",
    "Instant::",
    "SystemTime",
    "Timestamp::now",
    "Zoned::now",
    "println!",
    "eprintln!",
    "crate::sys",
    "crate::probe",
    "crate::cli",
    "config::load",
];

fn sources() -> Vec<PathBuf> {
    fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert!(found.len() > 20, "the sources were not found");
    found
}

/// The first path component below `src`.
fn folder(path: &Path) -> &str {
    let inside = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap();
    inside.components().next().unwrap().as_os_str().to_str().unwrap()
}

/// The lines of code proper: no comments, no tests.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let shipped = text.split("#[cfg(test)]").next().unwrap_or_default();
    shipped.lines().enumerate().map(|(i, line)| (i + 1, line.split("//").next().unwrap_or_default()))
}

fn impure(text: &str) -> Vec<(usize, &'static str)> {
    code(text).flat_map(|(n, line)| IMPURE.iter().filter(move |word| line.contains(**word)).map(move |word| (n, *word))).collect()
}

#[test]
fn what_decides_is_free_of_the_outside_world() {
    let mut faults = Vec::new();
    for path in sources().iter().filter(|path| PURE.contains(&folder(path))) {
        let found = impure(&fs::read_to_string(path).unwrap());
        faults.extend(found.into_iter().map(|(n, word)| format!("{}:{n} names {word}", path.display())));
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn the_check_itself_sees_a_fault() {
    assert_eq!(impure("use std::fs;\nlet t = Instant::now();"), [(1, "std::fs"), (2, "Instant::")]);
    assert!(impure("// std::fs is forbidden here\n#[cfg(test)]\nmod tests { use std::fs; }").is_empty());
}

#[test]
fn unsafe_code_stands_in_sys_only() {
    for path in sources().iter().filter(|path| folder(path) != "sys") {
        let text = fs::read_to_string(path).unwrap();
        for (n, line) in code(&text) {
            assert!(!line.contains("unsafe "), "{}:{n}", path.display());
        }
    }
}

#[test]
fn every_file_says_what_it_is_for() {
    for path in sources() {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("//!") || text.starts_with("use super::"), "{} does not open with //!", path.display());
    }
}

#[test]
fn code_of_a_file_fits_in_a_head() {
    for path in sources() {
        let text = fs::read_to_string(&path).unwrap();
        let lines = code(&text).filter(|(_, line)| !line.trim().is_empty()).count();
        assert!(lines <= 600, "{} has {lines} lines of code: two subjects in one?", path.display());
    }
}
