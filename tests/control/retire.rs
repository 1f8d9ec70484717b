//! `isonet retire`: a terminal leaves, and stays away until it is enrolled again.

use crate::commands::NOBODY;
use crate::ground::{Ground, Ran, others_can_run, wait_for};
use isonet::model::{AgentEvent, Body, Record};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

const WHO: &str = "--by Wang --reason closed";

/// The last record of the log.
fn last_record(state: &Path) -> (Record, String) {
    let mut last = None;
    let report = isonet::spool::prove(&isonet::spool::Disk::look(&state.join("spool")), &mut |line| {
        last = Some(serde_json::from_slice::<Record>(line).unwrap());
    });
    let report = report.unwrap();
    assert!(report.is_whole());
    (last.unwrap(), report.epochs.last().unwrap().head.to_string())
}

/// The one export below a directory.
fn export(below: &Path) -> PathBuf {
    let mut found: Vec<PathBuf> = fs::read_dir(below).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.file_name().unwrap().to_string_lossy().starts_with("isonet-retired-"));
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// The daemon has ended by itself; how.
fn ended(ground: &mut Ground) -> Option<i32> {
    ground.ended(Duration::from_secs(15))
}

fn said(ran: &Ran, status: i32, words: &[&str]) {
    assert_eq!(ran.status, Some(status), "{ran:?}");
    for word in words {
        assert!(ran.out.contains(word) || ran.err.contains(word), "{word}: {ran:?}");
    }
}

#[test]
fn a_terminal_leaves_with_a_report_and_stays_away_until_it_is_enrolled_again() {
    let Some(mut ground) = Ground::new() else { return };
    let out = ground.path("out");
    fs::create_dir(&out).unwrap();
    ground.cable("down");
    let opened = || ground.get("/v1/incidents?open=1").json()["incidents"].as_array().is_some_and(|open| !open.is_empty()).then_some(());
    wait_for("an incident", Duration::from_secs(20), opened);
    // Not by accident, and not by anybody.
    said(&ground.isonet(&[], "--lang en retire --yes"), 64, &["--by"]);
    said(&ground.isonet(&[], &format!("--lang en retire {WHO}")), 64, &["--yes", "nobody watches"]);
    if others_can_run() {
        said(&ground.isonet(NOBODY, &format!("--lang en retire --yes {WHO}")), 77, &[]);
    }
    said(&ground.isonet(&[], &format!("--lang en retire --offline --yes {WHO}")), 64, &["the service runs"]);
    ground.connected(Some(false)).expect("nothing was done");

    let ran = ground.isonet(&[], &format!("--lang en retire --yes {WHO} --out {}", out.display()));
    said(&ran, 0, &["final report", "By: Wang", "Reason: closed", "Open at the end (1)", "PSAM", "isonet retire --wipe"]);
    assert_eq!(ended(&mut ground), Some(0));
    let state = ground.path("state");
    let (last, hash) = last_record(&state);
    let Body::Agent { agent, .. } = &last.body else { panic!("{last:?}") };
    let (by, note) = (Some("Wang".to_owned()), Some("closed".to_owned()));
    assert_eq!(*agent, AgentEvent::Stopped { reason: "retired".to_owned(), by, note });
    assert!(ran.out.contains(&hash), "the report names the last record: {}", ran.out);

    // The export proves itself, and nothing of it can be changed.
    let export = export(&out);
    let verify = || ground.isonet(&[], &format!("--lang en verify-log {}", export.display()));
    said(&verify(), 0, &["every file fit", "The log is whole"]);
    said(&ground.isonet(&[], &format!("--lang en verify-log {}", out.display())), 66, &["no records", "isonet-retired-"]);
    let page = fs::read_to_string(export.join("report.txt")).unwrap();
    assert!(page.contains("终端退出使用") && page.contains("Terminal taken out of service"), "{page}");
    let is_segment = |name: &String| Path::new(name).extension().is_some_and(|extension| extension == "jsonl");
    let segment = export.join("records").join(names(&export.join("records")).into_iter().find(is_segment).unwrap());
    for path in [export.join("report.txt"), segment, export.join("key.pem"), export.join("retirement.json")] {
        let whole = fs::read(&path).unwrap();
        let mut other = whole.clone();
        let middle = other.len() / 2;
        other[middle] ^= 1;
        fs::write(&path, &other).unwrap();
        said(&verify(), 65, &["not as it was made"]);
        fs::write(&path, whole).unwrap();
    }
    fs::write(export.join("records/more"), "x").unwrap();
    said(&verify(), 65, &["records/more does not belong in it"]);
    fs::remove_file(export.join("records/more")).unwrap();
    said(&verify(), 0, &[]);

    // It does not come back by accident.
    said(&ground.isonet(&[], "--lang en run"), 78, &["taken out of service", "by Wang", "enroll"]);
    said(&ground.isonet(&[], "--lang en status"), 69, &["taken out of service"]);
    said(&ground.isonet(&[], "--lang zh-CN status"), 69, &["已退出使用"]);

    // Again: nothing new is recorded. Then what is kept goes, but for the note.
    let again = ground.path("again");
    fs::create_dir(&again).unwrap();
    said(&ground.isonet(&[], &format!("--lang en retire --out {}", again.display())), 0, &["before", "final report"]);
    assert_eq!(last_record(&state).1, hash);
    fs::write(state.join("mine"), "x").unwrap();
    fs::remove_dir_all(&again).unwrap();
    fs::create_dir(&again).unwrap();
    // A disk that is too small for it: all that is kept stays.
    let (kept, small) = (names(&state), format!("mount -t tmpfs -o size=16k none {} && exec \"$@\"", again.display()));
    let in_small = ["unshare", "--mount", "--propagation", "private", "sh", "-c", &small, "sh"];
    let ran = ground.isonet(&in_small, &format!("--lang en retire --wipe --out {}", again.display()));
    said(&ran, 74, &["nothing was exported, and nothing wiped", "No space left", "--out"]);
    assert_eq!((names(&state), last_record(&state).1), (kept, hash));
    said(&ground.isonet(&[], &format!("--lang en retire --wipe --out {}", again.display())), 0, &["were wiped"]);
    assert_eq!(names(&state), ["mine", "retired"], "all that a run leaves is known, and nothing else went");
    said(&ground.isonet(&[], &format!("verify-log {}", self::export(&again).display())), 0, &[]);
    said(&ground.isonet(&[], "--lang en retire --wipe"), 0, &["were wiped"]);

    // Enrolled again it is in service again.
    ground.cable("up");
    said(&ground.isonet(&[], "--lang en enroll --by Li"), 0, &["had left service"]);
    ground.start();
    wait_for("a look that finds all well", Duration::from_secs(20), || ground.connected(Some(true)));
}

#[test]
fn cut_off_while_receivers_are_waited_for_it_goes_on_where_it_was() {
    let Some(mut ground) = Ground::without_daemon() else { return };
    let config = fs::read_to_string(ground.path("isonet.toml")).unwrap();
    let sinks = "[[sink]]\nkind = \"nats\"\nname = \"fleet\"\nservers = [\"nats://10.66.0.2:4222\"]\n";
    fs::write(ground.path("isonet.toml"), config + sinks).unwrap();
    ground.start();
    wait_for("a first look", Duration::from_secs(20), || ground.connected(Some(true)));
    let mut retire =
        ground.beside(crate::ground::isonet(), &format!("retire --yes {WHO} --wait 10m --out {}", ground.path("out").display()));
    fs::create_dir(ground.path("out")).unwrap();
    let state = ground.path("state");
    wait_for("the note", Duration::from_secs(10), || state.join("retired").exists().then_some(()));
    assert!(retire.try_wait().unwrap().is_none(), "it waits for the receiver");
    // It answers meanwhile, and another order changes nothing.
    assert_eq!(ground.get("/v1/status").status, 200);
    retire.kill().unwrap();
    retire.wait().unwrap();
    ground.end(rustix::process::Signal::KILL);
    said(&ground.isonet(&[], "--lang en run"), 78, &["taken out of service"]);
    let ran = ground.isonet(&[], &format!("--lang en retire --out {}", ground.path("out").display()));
    said(&ran, 0, &["before", "fleet lacks", "the export has them"]);
    let Body::Agent { agent: AgentEvent::Stopped { reason, .. }, .. } = last_record(&state).0.body else {
        panic!("the last record is another")
    };
    assert_eq!(reason, "retired");
}

#[test]
fn a_service_that_is_not_there_is_named_and_can_be_done_without() {
    let Some(mut ground) = Ground::new() else { return };
    ground.end(rustix::process::Signal::TERM);
    let out = ground.path("out");
    fs::create_dir(&out).unwrap();
    said(
        &ground.isonet(&[], &format!("--lang en retire --yes {WHO} --out {}", out.display())),
        69,
        &["systemctl start isonet", "--offline"],
    );
    said(
        &ground.isonet(&[], &format!("--lang en retire --yes --offline {WHO} --out {}", out.display())),
        0,
        &["no record says that the terminal left", "final report"],
    );
    said(&ground.isonet(&[], "--lang en run"), 78, &["taken out of service"]);
    // A place that cannot be written to is named, and nothing is wiped.
    said(&ground.isonet(&[], "--lang en retire --wipe --out /proc"), 74, &["nothing wiped", "/proc"]);
    assert!(ground.path("state").join("spool").is_dir());
}
