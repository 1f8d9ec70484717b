//! A long life in a short one: faults come and go, the configuration is read again, people ask. What the daemon holds does not grow.

use crate::run::Run;
use crate::site::{CENTRES, Site};
use rustix::process::Signal;
use std::time::{Duration, Instant};

/// How long it is watched: `ISONET_SOAK_SECONDS`.
const SECONDS: u64 = 36;
/// One round of all that happens; what is held is looked at in the calm at its end.
const ROUND: Duration = Duration::from_secs(9);
/// How far the allocator's own store may breathe: a leak of a hundred bytes a look is more than that within the hour.
const BREATH_KB: u64 = 192;

/// Threads for blocking work stay a while after it, each with what it has open; in a short run a calm moment may see one more.
const SPARE: u64 = 2;

/// What a process holds in a calm moment.
#[derive(Debug, Clone, Copy)]
struct Held {
    anonymous_kb: u64,
    descriptors: u64,
    threads: u64,
}

impl Held {
    fn by(pid: u32) -> Self {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let number = |key: &str| {
            let line = status.lines().find(|line| line.starts_with(key)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count() as u64;
        Self { anonymous_kb: number("RssAnon:"), descriptors, threads: number("Threads:") }
    }
}

#[test]
fn nothing_grows_while_faults_come_and_go() {
    let Some(site) = Site::new() else { return };
    let seconds = std::env::var("ISONET_SOAK_SECONDS").map_or(SECONDS, |text| text.parse().unwrap());
    let config = |language: &str| {
        let centres = site.config(&[("settlement", CENTRES[0]), ("catalogue", CENTRES[1])]);
        site.write("isonet.toml", &format!("language = \"{language}\"\n{centres}"));
    };
    config("en");
    let mut run = Run::settled(&site);
    let mut seen: Vec<Held> = Vec::new();
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end {
        let calm = Instant::now() + ROUND;
        for centres in [&CENTRES[..1], &CENTRES[1..], &CENTRES[..]] {
            for centre in centres {
                site.cut(centre);
            }
            run.listen(Duration::from_millis(600));
            for centre in centres {
                site.mend(centre);
            }
            run.listen(Duration::from_millis(900));
        }
        config(if seen.len().is_multiple_of(2) { "zh-CN" } else { "en" });
        run.signal(Signal::HUP);
        let mut status = site.command(env!("CARGO_BIN_EXE_isonet"));
        status.arg("--config").arg(site.path("isonet.toml")).args(["status", "--json"]);
        assert!(status.output().unwrap().stdout.starts_with(b"{"), "{}", run.log());
        run.listen(calm.saturating_duration_since(Instant::now()));
        seen.push(Held::by(run.pid()));
    }
    run.stop();
    // The first third is for growing up.
    let (before, after) = seen[seen.len() / 3..].split_at(seen.len() / 3);
    let least = |of: &[Held], what: fn(&Held) -> u64| of.iter().map(what).min().unwrap();
    let pair = |what: fn(&Held) -> u64| (least(before, what), least(after, what));
    let (kb, descriptors, threads) = (pair(|held| held.anonymous_kb), pair(|held| held.descriptors), pair(|held| held.threads));
    println!("{} rounds in {seconds} s: anonymous kB {kb:?}, descriptors {descriptors:?}, threads {threads:?}", seen.len());
    assert!(kb.1 <= kb.0 + BREATH_KB, "anonymous memory grew: {seen:?}");
    assert!(descriptors.1 <= descriptors.0 + SPARE, "descriptors grew: {seen:?}");
    assert!(threads.1 <= threads.0 + SPARE, "threads grew: {seen:?}");
}
