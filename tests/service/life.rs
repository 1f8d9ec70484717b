//! Ends and beginnings.

use crate::log::{events, incident, incidents, records, word};
use crate::run::Run;
use crate::site::{CENTRES, Site};
use rustix::process::Signal;

fn one_centre() -> Option<Site> {
    let site = Site::new()?;
    site.write("isonet.toml", &format!("language = \"en\"\n{}", site.config(&[("settlement", CENTRES[0])])));
    Some(site)
}

/// The incident that is cut off here is opened.
fn opened(site: &Site) -> serde_json::Value {
    site.cut(CENTRES[0]);
    let opened = incident(site, "opened", |record| word(record, "/incident/phase") == "opened");
    assert_eq!(word(&opened, "/cause/code"), "route.blocked", "{opened}");
    opened
}

#[test]
fn a_restart_takes_the_open_incident_up_again() {
    let Some(site) = one_centre() else { return };
    let run = Run::settled(&site);
    let opened = opened(&site);
    run.stop();
    let before = records(&site).len();

    let mut run = Run::start(&site, &[]);
    run.hears("STATUS=You cannot settle");
    let kept = incidents(&site).len();
    site.mend(CENTRES[0]);
    let resolved = incident(&site, "resolved", |record| word(record, "/incident/phase") == "resolved");
    run.stop();
    assert_eq!(word(&resolved, "/incident/id"), word(&opened, "/incident/id"));
    assert_eq!(resolved.pointer("/incident/rev"), Some(&serde_json::json!(2)), "{resolved}");
    assert_eq!(incidents(&site).len(), kept + 1, "nothing but the end was written of it");
    let new: Vec<String> = events(&site).split_off(before - 1);
    assert_eq!(new, ["started", "stopped"], "no gap, no other policy: {:#?}", records(&site));
    crate::log::is_sound(&site);
}

#[test]
fn what_ended_while_nobody_looked_is_resolved_by_the_next_run() {
    let Some(site) = one_centre() else { return };
    let run = Run::settled(&site);
    let opened = opened(&site);
    run.signal(Signal::KILL);
    assert!(run.ended().code().is_none());
    site.mend(CENTRES[0]);
    let run = Run::settled(&site);
    let resolved = incident(&site, "resolved", |record| word(record, "/incident/phase") == "resolved");
    assert_eq!(word(&resolved, "/incident/id"), word(&opened, "/incident/id"));
    assert!(events(&site).contains(&"gap".to_owned()), "it did not say goodbye: {:?}", events(&site));
    run.stop();
    crate::log::is_sound(&site);
}

#[test]
fn a_second_daemon_on_the_same_state_is_refused_in_words() {
    let Some(site) = one_centre() else { return };
    let run = Run::settled(&site);
    let before = records(&site).len();
    // The same configuration, and one that shares only the log.
    let apart = std::fs::read_to_string(site.path("isonet.toml")).unwrap().replace("/run\"", "/elsewhere\"");
    site.write("apart/isonet.toml", &apart);
    for (config, names) in [("isonet.toml", "/run"), ("apart/isonet.toml", "/state")] {
        let out = site.command(env!("CARGO_BIN_EXE_isonet")).arg("--config").arg(site.path(config)).arg("run").output().unwrap();
        let told = String::from_utf8_lossy(&out.stderr).into_owned();
        println!("{:?}: {told}", out.status.code());
        assert!(out.status.code().is_some_and(|code| code != 0) && out.stdout.is_empty(), "{told}");
        assert!(told.lines().count() <= 3 && told.contains("another") && told.contains(names), "{told}");
        assert_eq!(records(&site).len(), before, "it wrote nothing");
    }
    run.stop();
    crate::log::is_sound(&site);
}
