//! Enrolment and the baseline, as the commands meet them.

use crate::ground::{Ground, blind, is_root, mode};

#[test]
fn a_terminal_is_enrolled_once_shown_and_updated_only_with_a_reason() {
    let Some(ground) = Ground::black_hole() else { return };
    ground.run("enroll --show").assert_status(66);
    let ran = ground.run("enroll --by 'Wang Wu'");
    ran.assert_status(0);
    assert!(ran.out.contains("isonet acceptance sheet") && ran.out.contains("Wang Wu") && ran.err.is_empty(), "{ran:?}");
    let kept = std::fs::read(ground.path("state/baseline")).unwrap();
    let ran = ground.run("enroll");
    ran.assert_status(64);
    assert!(ran.out.is_empty() && ran.err.contains("enrolled already"), "{ran:?}");
    ground.run("enroll --update --by Li").assert_status(64);
    ground.run("enroll --show --update").assert_status(64);
    let ran = ground.run("enroll --show --lang zh");
    ran.assert_status(0);
    assert!(ran.out.starts_with("isonet 登记验收单"), "{ran:?}");
    assert_eq!(std::fs::read(ground.path("state/baseline")).unwrap(), kept, "nothing of this changed it");
    let ran = ground.then("ip address add 10.9.9.9/24 dev t0").run("enroll --update --by Li --reason 'new card'");
    ran.assert_status(0);
    assert!(ran.out.contains("new card") && ran.out.contains("none -> present"), "{ran:?}");
}

#[test]
fn a_damaged_baseline_blinds_the_diagnosis_and_fails_the_enrolment() {
    let Some(ground) = Ground::apart("") else { return };
    for damage in [&b"{"[..], b"\xff\xfe\0\0", b"", b"{\"schema\": \"baseline/99\"}"] {
        ground.write("state/baseline", damage);
        let ran = ground.run("diagnose --json");
        ran.assert_status(20);
        let diagnosis = ran.diagnosis();
        assert!(blind(&diagnosis, "baseline").is_some(), "{:#}", diagnosis["blind"]);
        let ran = ground.run("enroll --show");
        ran.assert_status(74);
        assert!(ran.out.is_empty() && ran.err.contains("baseline"), "{ran:?}");
        ground.run("enroll").assert_status(74);
        assert_eq!(std::fs::read(ground.path("state/baseline")).unwrap(), damage, "it is kept for inspection");
    }
}

#[test]
fn who_may_not_enrol_changes_nothing_and_is_told_how() {
    if !is_root() {
        println!("SKIPPED: only root can keep a directory from another user");
        return;
    }
    let Some(ground) = Ground::apart("") else { return };
    let state = ground.path("state");
    std::fs::set_permissions(&state, mode(0o750)).unwrap();
    let asked = |arguments: &str| {
        let ran = ground.run_as_nobody(arguments)?;
        ran.assert_status(77);
        assert!(ran.out.is_empty() && ran.err.contains("sudo") && ran.err.contains(&state.display().to_string()), "{ran:?}");
        Some(())
    };
    if asked("enroll --by X").is_none() {
        return;
    }
    assert!(!ground.path("state/baseline").exists());
    ground.run("enroll --by 'Wang Wu'").assert_status(0);
    let kept = std::fs::read(ground.path("state/baseline")).unwrap();
    let files = || std::fs::read_dir(&state).unwrap().count();
    let before = files();
    for arguments in ["enroll --by X", "enroll --update --by X --reason Y", "enroll --show", "enroll --update --by X --reason Y --lang zh"]
    {
        asked(arguments);
    }
    // Where he may look and not write.
    std::fs::set_permissions(&state, mode(0o755)).unwrap();
    std::fs::set_permissions(ground.path("state/baseline"), mode(0o644)).unwrap();
    asked("enroll --update --by X --reason Y");
    assert_eq!((std::fs::read(ground.path("state/baseline")).unwrap(), files()), (kept, before));
}

#[test]
fn a_state_directory_that_cannot_be_written_is_told() {
    let Some(ground) = Ground::apart("mount -t tmpfs -o ro x /mnt") else { return };
    ground.write("isonet.toml", "state-dir = \"/mnt\"\n");
    let ran = ground.run("enroll");
    ran.assert_status(74);
    assert!(ran.out.is_empty() && ran.err.contains("/mnt"), "{ran:?}");
}

#[test]
fn a_configuration_that_is_not_right_hides_neither_the_service_nor_its_records() {
    let ground = Ground::new();
    let (state, run) = (ground.path("elsewhere"), ground.path("run"));
    ground.write("elsewhere/spool/nothing", "");
    let places = format!("state-dir = \"{}\"\nrun-dir = \"{}\"\nlanguage = \"en\"\n", state.display(), run.display());
    for mistake in ["nonsense = 1\n", "[probe]\ntimeout = \"long\"\n", "[[centre]]\nname = \"x\"\nhost = \n"] {
        ground.write("isonet.toml", format!("{places}{mistake}"));
        let told = |arguments: &str, status: i32| {
            let ran = ground.run(arguments);
            ran.assert_status(status);
            assert_eq!(ran.err.matches("isonet check-config").count(), 1, "{ran:?}");
            ran
        };
        assert!(told("status", 69).err.contains(&run.display().to_string()), "{mistake}");
        told("incidents", 0);
        assert!(told("verify-log", 0).out.contains("0 records"), "{mistake}");
        told("export --format jsonl", 0);
        told("status --lang zh-CN", 69).err.contains("语言和目录");
        // What was asked for by name is not put in doubt by it.
        let ran = ground.run(&format!("verify-log {}", state.join("spool").display()));
        assert_eq!((ran.status, ran.err.matches("check-config").count()), (Some(66), 0), "{ran:?}");
        assert!(ran.err.contains("no records"), "{ran:?}");
        ground.run("check-config").assert_status(78);
    }
    for arguments in ["status", "incidents", "verify-log", "export --format csv"] {
        ground.bare(&format!("--config nowhere.toml {arguments}")).assert_status(66);
    }
}

#[test]
fn what_leaves_this_pc_is_told_without_a_service_and_only_of_a_right_configuration() {
    let ground = Ground::new();
    ground.write("isonet.toml", "[[sink]]\nname = \"audit\"\nkind = \"syslog\"\naddress = \"192.0.2.14:6514\"\ntransport = \"tcp\"\n");
    let zh = ground.run("status --what-is-sent --lang zh-CN");
    zh.assert_status(0);
    assert!(zh.err.is_empty() && zh.out.contains("192.0.2.14:6514，不加密") && zh.out.contains("还没有登记"), "{zh:?}");
    let en = ground.run("status --what-is-sent --lang en");
    assert!(en.out.contains("not encrypted") && en.out.contains("\"schema\": \"incident/1\""), "{en:?}");
    ground.run("status --what-is-sent --json").assert_status(64);
    ground.write("isonet.toml", "[[sink]]\nname = \"audit\"\n");
    ground.run("status --what-is-sent").assert_status(78);
}
