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
    for kilobytes in [32_000, 40_000, 64_000, 128_000] {
        let Some(ground) = Ground::black_hole() else { return };
        let ran = ground.then(&format!("ulimit -v {kilobytes}")).run("diagnose --json --deadline 1s");
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
