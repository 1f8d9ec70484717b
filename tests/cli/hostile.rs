//! A machine that withholds what every other one has: files, threads, descriptors, memory, interfaces.

use crate::ground::{Ground, blind, causes, is_root, isonet, make_fifo, mode};
use std::fs;

/// Replaces `/etc` by a directory with these two files of ours.
fn with_etc(make: impl Fn(&std::path::Path)) -> Option<Ground> {
    let ground = Ground::black_hole()?;
    let etc = ground.path("etc");
    fs::create_dir(&etc).unwrap();
    for name in ["resolv.conf", "hosts"] {
        make(&etc.join(name));
    }
    Some(ground.then(&format!("mount --bind {} /etc", etc.display())))
}

#[test]
fn files_of_garbage_accuse_nothing_but_the_names() {
    let garbage: Vec<u8> = (0..1_u32 << 20).map(|i| i.wrapping_mul(2_654_435_761).to_be_bytes()[1]).collect();
    let lines = "nameserver ".repeat(100_000).into_bytes();
    for bytes in [garbage, vec![0; 1 << 20], b"nameserver \xff\xfe\nsearch \xc3\x28\n".to_vec(), lines] {
        let Some(ground) = with_etc(|path| fs::write(path, &bytes).unwrap()) else { return };
        let ran = ground.run("diagnose --json --deadline 1s");
        ran.assert_no_panic();
        let diagnosis = ran.diagnosis();
        let causes = causes(&diagnosis);
        assert!(causes.iter().all(|cause| cause.starts_with("dns.")), "nothing else is touched: {causes:?}");
    }
}

#[test]
fn a_directory_or_a_pipe_in_the_place_of_resolv_conf_is_named() {
    let makers: [fn(&std::path::Path); 2] = [|path| fs::create_dir(path).unwrap(), make_fifo];
    for make in makers {
        let Some(ground) = with_etc(make) else { return };
        let ran = ground.run("diagnose --json");
        ran.assert_no_panic();
        let diagnosis = ran.diagnosis();
        assert!(blind(&diagnosis, "dns.resolvers").is_some_and(|why| why.contains("not a regular file")), "{:#}", diagnosis["blind"]);
    }
}

#[test]
fn without_proc_or_sys_it_still_answers() {
    for gone in [
        "mount -t tmpfs x /proc",
        "mount -t tmpfs x /sys",
        "mount -t tmpfs x /sys\nmount -t tmpfs x /proc",
        "mount -o remount,ro,bind /proc",
    ] {
        let Some(ground) = Ground::black_hole() else { return };
        let ran = ground.then(gone).run("diagnose --json --deadline 1s");
        ran.assert_no_panic();
        let diagnosis = ran.diagnosis();
        assert!(matches!(ran.status, Some(20 | 40)), "{diagnosis:#}");
    }
}

/// With a VPN whose program, unit and log are looked at.
const VPN: &str = "[[vpn]]\nname = \"v\"\ninterface = \"tun9\"\nprocess = \"openvpn\"\nunit = \"openvpn@v\"\nlog = \"/nonexistent/v.log\"\n\
    [[centre]]\nname = \"settle\"\nhost = \"10.66.0.9\"\ntcp = [443]\nvia = \"v\"\n";

#[test]
fn what_the_system_does_not_show_is_named_with_a_remedy_and_accuses_no_program() {
    let cases = [
        ("mount -t tmpfs x /proc", "process.list", "/proc is not there; mount"),
        ("mount -t tmpfs x /sys", "link.medium", "/sys is not there; mount"),
        ("mount -t tmpfs x /sys\nmount -t tmpfs x /run", "unit.state", "/run/systemd is not there; mount or start it"),
        ("true", "vpn.log", "read /nonexistent/v.log: No such file"),
    ];
    for (gone, what, why) in cases {
        let Some(ground) = Ground::black_hole() else { return };
        ground.configure(VPN);
        let ran = ground.then(gone).run("diagnose --json --deadline 1s");
        ran.assert_no_panic();
        let diagnosis = ran.diagnosis();
        assert!(blind(&diagnosis, what).is_some_and(|because| because.contains(why)), "{what}: {:#}", diagnosis["blind"]);
        if what == "process.list" {
            let sure = |verdict: &&serde_json::Value| verdict["cause"] == "vpn.not-started" && verdict["certainty"] == "proven";
            assert!(!diagnosis["verdicts"].as_array().unwrap().iter().any(|verdict| sure(&verdict)), "{:#}", diagnosis["verdicts"]);
        }
    }
}

#[test]
fn processes_that_are_hidden_from_this_user_are_named_and_called_neither_running_nor_absent() {
    if !is_root() {
        println!("SKIPPED: only root can mount a process list that hides, and become another user");
        return;
    }
    let Some(ground) = Ground::black_hole() else { return };
    ground.configure(VPN);
    fs::copy(isonet(), ground.path("isonet")).unwrap();
    fs::set_permissions(ground.path("isonet"), mode(0o755)).unwrap();
    let (binary, config) = (ground.path("isonet"), ground.path("isonet.toml"));
    let nobody = "exec setpriv --reuid 65533 --regid 65533 --clear-groups";
    let hide = "mount -t proc -o hidepid=2 proc /proc";
    let ran = ground.then(hide).shell(&format!("{nobody} {} --config {} diagnose --json --lang zh", binary.display(), config.display()));
    ran.assert_no_panic();
    let diagnosis = ran.diagnosis();
    assert!(blind(&diagnosis, "process.list").is_some_and(|why| why.contains("/proc") && why.contains("root")), "{:#}", diagnosis["blind"]);
}

#[test]
fn without_descriptors_it_says_what_it_could_not_ask_and_accuses_nobody() {
    let Some(ground) = Ground::black_hole() else { return };
    // The loop itself needs nine.
    let ran = ground.then("ulimit -n 10").run("diagnose --json");
    ran.assert_status(40).assert_no_panic();
    let diagnosis = ran.diagnosis();
    assert!(causes(&diagnosis).is_empty(), "{:#}", diagnosis["verdicts"]);
    assert!(blind(&diagnosis, "tcp.connect").is_some_and(|why| why.contains("Too many open files")), "{:#}", diagnosis["blind"]);
}

#[test]
fn with_too_few_descriptors_to_begin_it_says_so() {
    for limit in [4, 6, 8] {
        let Some(ground) = Ground::apart("") else { return };
        let ran = ground.then(&format!("ulimit -n {limit}")).run("diagnose --json");
        ran.assert_status(70);
        assert!(ran.out.is_empty() && ran.err.contains("Too many open files") && ran.err.lines().count() == 1, "{ran:?}");
    }
}

#[test]
fn with_little_memory_it_answers_or_says_so() {
    let with = |kilobytes: u32| Some(Ground::black_hole()?.then(&format!("ulimit -v {kilobytes}")));
    let starts = |kilobytes: &u32| with(*kilobytes).is_none_or(|ground| ground.run("--version").status == Some(0));
    // What the kernel cannot map or grow it ends itself, without a word from us: a debug image alone takes most of this.
    let least = (8_000..200_000).step_by(4_000).find(starts).unwrap();
    for kilobytes in [4_000, 8_000, 24_000, 88_000].map(|more| least + more) {
        let Some(ground) = with(kilobytes) else { return };
        let ran = ground.run("diagnose --json --deadline 1s");
        assert!(!ran.err.contains("RUST_BACKTRACE") && ran.err.lines().count() <= 1, "{ran:?}");
        match ran.status {
            Some(70) => assert!(ran.out.is_empty() && !ran.err.is_empty(), "{ran:?}"),
            // The loader's own words: it did not even begin.
            Some(127) => assert!(ran.err.contains("loading shared libraries"), "{ran:?}"),
            _ => drop(ran.diagnosis()),
        }
    }
}

#[test]
fn without_threads_it_names_what_needed_one() {
    if !is_root() {
        println!("SKIPPED: only root can become a user without processes");
        return;
    }
    let Some(ground) = Ground::black_hole() else { return };
    fs::copy(isonet(), ground.path("isonet")).unwrap();
    fs::set_permissions(ground.path("isonet"), mode(0o755)).unwrap();
    let command = "exec prlimit --nproc=1 setpriv --reuid 65533 --regid 65533 --clear-groups";
    let binary = ground.path("isonet");
    let config = ground.path("isonet.toml");
    let ran = ground.shell(&format!("{command} {} --config {} diagnose --json", binary.display(), config.display()));
    ran.assert_no_panic();
    let diagnosis = ran.diagnosis();
    assert!(blind(&diagnosis, "dns.lookup").is_some_and(|why| why.contains("thread")), "{:#}", diagnosis["blind"]);
}
