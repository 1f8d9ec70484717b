//! The evidence of an outage that a real daemon saw, checked by somebody who has nothing but the bundle, and by OpenSSL.

use crate::ground::{Ground, isonet, now, wait_for};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

/// Checks it as on another PC: no state, no configuration of this one.
fn verified(path: &Path, lang: &str) -> (Option<i32>, String) {
    let elsewhere = tempfile::tempdir().unwrap();
    let mut command = Command::new(isonet());
    command.args(["--lang", lang, "verify-log"]).arg(path).env_clear().env("HOME", elsewhere.path()).current_dir(&elsewhere);
    let Output { status, stdout, .. } = command.output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap())
}

fn sh(dir: &Path, script: &str) -> String {
    let out = Command::new("sh").args(["-ec", script]).current_dir(dir).output().unwrap();
    assert!(out.status.success(), "{script}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

/// A daemon that has seen an outage from its beginning to its end, and what it is called.
fn outage() -> Option<(Ground, String)> {
    let ground = Ground::new()?;
    ground.cable("down");
    let phase = |phase: &str| {
        let listed = ground.isonet(&[], "incidents --json").json();
        listed["incidents"].as_array()?.iter().any(|record| record["incident"]["phase"] == phase).then_some(())
    };
    // It is told before it is recorded; what ends before that is none.
    wait_for("the outage", Duration::from_secs(20), || phase("opened"));
    ground.cable("up");
    wait_for("its end", Duration::from_secs(40), || phase("resolved"));
    let listed = ground.isonet(&[], "incidents --lang en").out;
    let id = listed.rsplit_once('#').unwrap().1.trim().to_owned();
    Some((ground, id))
}

/// What the documentation of the key says, as it stands there.
fn one_liner() -> String {
    let text = include_str!("../../src/key/mod.rs");
    let from = text.find("//! sed 's/,\"signature\"").unwrap();
    let lines = text[from..].lines().take_while(|line| *line != "//! ```").map(|line| line.trim_start_matches("//! "));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn evidence_is_checked_elsewhere_and_by_openssl_and_every_changed_byte_is_found() {
    let Some((mut ground, id)) = outage() else { return };
    let dir = ground.path("");
    let made = ground.isonet(&[], &format!("--lang en evidence {id} --out {}", ground.path("e.tar.gz").display()));
    assert_eq!(made.status, Some(0), "{made:?}");
    let status = ground.status();
    let key = status["agent"]["key"].as_str().unwrap().strip_prefix("ed25519 ").unwrap().to_owned();
    assert!(made.out.contains(&key), "{made:?}");
    let again = ground.isonet(&[], &format!("evidence {id} --out {}", ground.path("e.tar.gz").display()));
    assert_eq!(again.status, Some(74), "what is there is not replaced: {again:?}");
    assert_eq!(ground.isonet(&[], "evidence 4711").status, Some(66));
    assert_eq!(ground.isonet(&[], "evidence yesterday").status, Some(64));
    // The PC goes; what was made stays.
    ground.end(rustix::process::Signal::TERM);
    fs::remove_dir_all(ground.path("state")).unwrap();
    for (lang, words) in [
        ("en", ["The evidence is whole", "What happened", "Disconnected", "Connected again", "What it does not prove", &key]),
        ("zh-CN", ["材料完整", "发生了什么", "连不上了", "恢复了", "不能证明什么", &key]),
    ] {
        let (status, out) = verified(&ground.path("e.tar.gz"), lang);
        assert_eq!(status, Some(0), "{out}");
        assert!(words.iter().all(|word| out.contains(word)), "{out}");
    }
    sh(&dir, "mkdir out && tar -xzf e.tar.gz -C out --strip-components 1");
    assert_eq!(verified(&ground.path("out"), "en").0, Some(0), "unpacked");
    if Command::new("openssl").arg("version").output().is_ok() {
        let told = sh(&dir, &format!("LINE=out/head.json\n{}", one_liner().replace("LINE", "$LINE")));
        assert!(told.contains("Signature Verified Successfully") && told.contains(&key), "{told}");
    } else {
        println!("SKIPPED: `openssl` is not installed: its word on the signature");
    }
    let began = now();
    let mut flipped = 0;
    for name in ["records.jsonl", "head.json", "README.txt", "before.jsonl", "key.pem"] {
        let path = ground.path("out").join(name);
        let whole = fs::read(&path).unwrap();
        // Each byte of all files is flipped in the tests of the library; here one in so many, by the program.
        for at in (0..whole.len()).step_by(701) {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            fs::write(&path, changed).unwrap();
            let (status, out) = verified(&ground.path("out"), "en");
            assert_eq!(status, Some(65), "byte {at} of {name}: {out}");
            assert!(out.contains("proves nothing"), "{out}");
            flipped += 1;
        }
        fs::write(&path, whole).unwrap();
    }
    assert_eq!(verified(&ground.path("out"), "en").0, Some(0), "as it was again");
    println!("{flipped} flipped bytes found in {:?}", began.elapsed());
}
