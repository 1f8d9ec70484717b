//! The protocol of the service manager.

use crate::log::word;
use crate::run::Run;
use crate::site::{CENTRES, Site};
use rustix::process::Signal;
use std::time::Duration;

#[test]
fn it_is_ready_in_time_and_says_how_things_stand_in_the_configured_language() {
    let Some(site) = Site::new() else { return };
    for (language, first, well, cut) in
        [("zh-CN", "正在做第一次检查", "可以结算：", "不能结算"), ("en", "The first look", "You can settle: ", "You cannot settle")]
    {
        site.write("isonet.toml", &format!("language = \"{language}\"\n{}", site.config(&[("settlement", CENTRES[0])])));
        let mut run = Run::start(&site, &[]);
        let (ready, _) = run.hears("READY=1");
        println!("READY after {} ms", ready.as_millis());
        assert!(ready < Duration::from_secs(2), "{ready:?}");
        run.hears(&format!("STATUS={first}"));
        let (_, status) = run.hears(&format!("STATUS={well}"));
        assert!(!status.trim_end().contains('\n'), "one line: {status:?}");
        site.cut(CENTRES[0]);
        let (_, status) = run.hears("STATUS=");
        println!("{status}");
        assert!(status.contains(cut), "{status}");
        site.mend(CENTRES[0]);
        run.hears(&format!("STATUS={well}"));
        run.stop();
    }
}

#[test]
fn the_watchdog_is_fed_at_half_its_time() {
    let Some(site) = Site::new() else { return };
    site.write("isonet.toml", &site.config(&[("settlement", CENTRES[0])]));
    let mut run = Run::start(&site, &[("WATCHDOG_USEC", "600000")]);
    run.hears("READY=1");
    let mut times = vec![run.hears("WATCHDOG=1").0];
    while times.len() < 9 {
        times.push(run.hears("WATCHDOG=1").0);
    }
    let mut gaps: Vec<u128> = times.windows(2).map(|pair| pair[1].saturating_sub(pair[0]).as_millis()).collect();
    gaps.sort_unstable();
    println!("a sign of life every {gaps:?} ms of 600");
    assert!((250..=400).contains(&gaps[gaps.len() / 2]), "half of 600 ms: {gaps:?}");
    assert!(gaps[gaps.len() - 1] < 600, "the watchdog would have bitten: {gaps:?}");
    run.stop();
}

#[test]
fn a_stopped_daemon_does_not_feed_its_watchdog() {
    let Some(site) = Site::new() else { return };
    site.write("isonet.toml", &site.config(&[("settlement", CENTRES[0])]));
    let mut run = Run::start(&site, &[("WATCHDOG_USEC", "400000")]);
    run.hears("WATCHDOG=1");
    run.signal(Signal::STOP);
    // What was sent before it stood still.
    while run.hears_within("WATCHDOG=1", Duration::from_millis(250)).is_some() {}
    assert!(run.hears_within("WATCHDOG=1", Duration::from_millis(800)).is_none(), "{:?}", run.told);
    run.signal(Signal::CONT);
    run.hears("WATCHDOG=1");
    run.stop();
}

#[test]
fn a_hangup_reloads_and_says_so() {
    let Some(site) = Site::new() else { return };
    site.write("isonet.toml", &format!("language = \"en\"\n{}", site.config(&[("settlement", CENTRES[0])])));
    let mut run = Run::settled(&site);
    let before = monotonic_us();
    run.signal(Signal::HUP);
    let (_, reloading) = run.hears("RELOADING=1");
    let told = reloading.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC=")).and_then(|text| text.parse::<i64>().ok());
    assert!(told.is_some_and(|told| before <= told && told <= monotonic_us()), "{reloading:?}");
    run.hears("READY=1");
    run.stop();
}

#[test]
fn the_end_is_announced_and_recorded() {
    let Some(site) = Site::new() else { return };
    site.write("isonet.toml", &format!("language = \"en\"\n{}", site.config(&[("settlement", CENTRES[0])])));
    for (signal, nth) in [(Signal::TERM, 1), (Signal::INT, 2)] {
        let mut run = Run::settled(&site);
        run.signal(signal);
        run.hears("STOPPING=1");
        assert_eq!(run.ended().code(), Some(0));
        let events = crate::log::events(&site);
        assert_eq!(events.iter().filter(|event| *event == "stopped").count(), nth, "{events:?}");
        assert_eq!(events.last().map(String::as_str), Some("stopped"), "{events:?}");
        assert!(!events.contains(&"gap".to_owned()), "a goodbye leaves no gap: {events:?}");
    }
    crate::log::is_sound(&site);
}

#[test]
fn a_service_manager_that_does_not_read_holds_nobody_up() {
    let Some(site) = Site::new() else { return };
    site.write("isonet.toml", &format!("language = \"en\"\n{}", site.config(&[("settlement", CENTRES[0])])));
    // Its queue is full before the daemon says a word.
    let mut run = Run::start_unheard(&site, &[("WATCHDOG_USEC", "200000")]);
    for turn in 1..=3 {
        site.cut(CENTRES[0]);
        let opened = |record: &serde_json::Value| record.pointer("/incident/occurrences") == Some(&serde_json::json!(turn));
        crate::log::incident(&site, "opened", |record| word(record, "/incident/phase") != "resolved" && opened(record));
        site.mend(CENTRES[0]);
        if turn < 3 {
            crate::log::incident(&site, "resolved", |record| word(record, "/incident/phase") == "resolved" && opened(record));
        }
    }
    // Now it reads: first what was said first, in the end how things stand.
    run.hears("READY=1");
    run.hears("WATCHDOG=1");
    run.hears("STATUS=You can settle");
    run.stop();
    crate::log::is_sound(&site);
}

fn monotonic_us() -> i64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec * 1_000_000 + now.tv_nsec / 1000
}
