//! The binary on systems as old as the desktops that it is made for.

use crate::ground::{can_chroot, inside, packages, run, said, said_at_all, thorough, tree};
use serde_json::Value;
use std::process::Command;
use tempfile::TempDir;

/// Kylin V10, UOS 20 and Debian 10 have this one.
const GLIBC: (u32, u32) = (2, 28);

/// Where each of the C library's parts is to be had from the package that is asked for.
const LIBRARIES: [&str; 7] =
    ["libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"];

fn program() -> Option<TempDir> {
    if !thorough() {
        println!("SKIPPED: this binary was made for the C library of this machine; tests/run --full makes one for {}.{}", GLIBC.0, GLIBC.1);
        return None;
    }
    let dir = TempDir::new().expect("a directory can be made");
    run(Command::new("dpkg-deb").arg("-x").arg(&packages()?.deb).arg(dir.path()));
    Some(dir)
}

#[test]
fn the_binary_asks_for_no_symbol_that_an_old_c_library_lacks() {
    let Some(dir) = program() else { return };
    let binary = dir.path().join("usr/bin/isonet");
    let symbols = run(Command::new("objdump").arg("-T").arg(&binary));
    let asked = symbols.split(|c: char| c.is_whitespace() || c == '(' || c == ')').filter_map(|word| word.strip_prefix("GLIBC_"));
    let versions: Vec<_> =
        asked.filter_map(|version| version.split_once('.')).map(|(major, rest)| (major, rest.split('.').next())).collect();
    let newest =
        versions.iter().filter_map(|(major, minor)| Some((major.parse::<u32>().ok()?, minor.as_ref()?.parse::<u32>().ok()?))).max();
    assert!(newest.is_some_and(|newest| newest <= GLIBC), "{newest:?}");
    let headers = run(Command::new("objdump").arg("-p").arg(&binary));
    for library in headers.lines().filter_map(|line| line.trim().strip_prefix("NEEDED")) {
        assert!(LIBRARIES.contains(&library.trim()), "{library}");
    }
    println!("newest symbol: GLIBC_{newest:?}");
}

#[test]
fn the_binary_works_with_the_oldest_c_library_that_can_be_had() {
    let (Some(dir), true) = (program(), can_chroot()) else { return };
    let Some(tree) = tree("old") else { return };
    let tree = crate::ground::Copied::new(&tree);
    run(Command::new("cp").arg(dir.path().join("usr/bin/isonet")).arg(tree.path().join("usr/bin")));
    run(Command::new("cp").arg("-r").arg(dir.path().join("etc/isonet")).arg(tree.path().join("etc")));
    let isonet = |arguments: &[&str]| inside(tree.path(), &[&["/usr/bin/isonet"], arguments].concat());
    assert!(said(&isonet(&["--version"]), "--version").starts_with("isonet "));
    said(&isonet(&["check-config", "--lang", "en"]), "check-config");
    let looked = isonet(&["diagnose", "--json"]);
    let told: Value = serde_json::from_slice(&looked.stdout).unwrap_or_else(|error| panic!("{error}: {}", said_at_all(&looked)));
    assert_eq!(told["schema"], "diagnosis/1");
    assert_eq!(told["connected"], false, "there is no network card at all");
    assert_eq!(looked.status.code(), Some(20), "{}", said_at_all(&looked));
}
