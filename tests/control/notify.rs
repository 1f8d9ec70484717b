//! `isonet notify` and `isonet page` on a real desktop: dunst on an X server of its own and a session bus of its own, as an ordinary user. What
//! dunst prints is compared with what is expected. A day with devices and breaches is played by a daemon of the test's; an outage is a real one.

use crate::desktop::{NOBODY, SOON, Session, can_show, users, users_dir};
use crate::ground::{Ground, Ours, can_stage, isonet, now, others_can_run, wait_for};
use serde_json::{Value, json};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

/// A daemon that says what the test has it say.
pub(crate) struct Played {
    pub(crate) dir: TempDir,
    said: Arc<Mutex<Said>>,
}

#[derive(Default)]
struct Said {
    status: String,
    /// Connections so far, and which of the statuses was asked for last.
    came: usize,
    asked: usize,
    told: usize,
    listeners: Vec<UnixStream>,
}

impl Played {
    pub(crate) fn new(status: &Value) -> Self {
        let dir = users_dir();
        fs::create_dir(dir.path().join("run")).unwrap();
        let config = format!("run-dir = \"{0}/run\"\nstate-dir = \"{0}/state\"\n", dir.path().display());
        fs::write(dir.path().join("isonet.toml"), config).unwrap();
        let socket = dir.path().join("run/public.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        fs::set_permissions(&socket, PermissionsExt::from_mode(0o666)).unwrap();
        let said = Arc::new(Mutex::new(Said { status: status.to_string(), ..Said::default() }));
        let shared = Arc::clone(&said);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                answer(stream, &mut shared.lock().unwrap());
            }
        });
        Self { dir, said }
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.dir.path().join("isonet.toml")
    }

    /// The status is this from now on; waits until it was asked for.
    pub(crate) fn say(&self, status: &Value) {
        let told = {
            let mut said = self.said.lock().unwrap();
            said.status = status.to_string();
            said.told += 1;
            said.listeners.retain_mut(|listener| listener.write_all(b"f\r\ndata: changed\n\n\r\n").is_ok());
            said.told
        };
        wait_for("a question", SOON, || (self.said.lock().unwrap().asked >= told).then_some(()));
    }

    /// Somebody wants to be told of changes.
    pub(crate) fn wait_for_listener(&self) {
        wait_for("somebody who listens", SOON, || (!self.said.lock().unwrap().listeners.is_empty()).then_some(()));
    }

    pub(crate) fn came(&self) -> usize {
        self.said.lock().unwrap().came
    }
}

fn answer(mut stream: UnixStream, said: &mut Said) {
    said.came += 1;
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n == 1) {
        request.push(byte[0]);
    }
    if request.starts_with(b"GET /v1/changes ") {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(b"f\r\ndata: changed\n\n\r\n").unwrap();
        said.listeners.push(stream);
    } else {
        said.asked = said.told;
        let text = &said.status;
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}", text.len()).unwrap();
    }
}

pub(crate) fn status(connected: bool, isolation: &str, open: &[Value]) -> Value {
    let act = if connected { "Nothing to do." } else { "Do this first: push the cable in." };
    json!({
        "schema": "status/1", "view": "clerk", "looked_at": "2026-11-23T09:00:00+08:00", "connected": connected, "isolation": isolation,
        "say": { "first": "-", "act": act, "call": null, "isolation": "There is a way to the internet.", "never": "-" },
        "a-member-of-later": [1, 2], "open_incidents": open,
    })
}

pub(crate) fn incident(id: u32, kind: &str, cause: &str, severity: &str) -> Value {
    json!({
        "id": format!("a/{id}"), "kind": kind, "cause": cause, "title": format!("title of {cause}"), "certainty": "proven",
        "severity": severity, "object": null, "centres": [], "since": format!("2026-11-23T08:00:{id:02}+08:00"), "occurrences": 1,
        "flapping": false, "planned": null, "new-too": true,
    })
}

pub(crate) fn outage(times: u32) -> Value {
    let mut it = incident(1, "disconnection", "link.no-carrier", "high");
    it["occurrences"] = times.into();
    it["flapping"] = (times >= 3).into();
    it
}

#[test]
fn a_staged_day_shows_exactly_the_notices_it_should() {
    if !can_stage() || !can_show() {
        return;
    }
    let well = status(true, "intact", &[]);
    let played = Played::new(&well);
    let mut session = Session::new();
    session.show();
    let _notify = session.notify(&played.config());
    played.wait_for_listener();

    // A healthy morning, with what is no business of a clerk's.
    for n in 0..30 {
        let others = [incident(7, "degradation", "path.slow", "medium"), incident(8, "finding", "clock.stepped", "high")];
        played.say(&status(true, "intact", &others[..n % 3]));
    }
    // A hundred outages of one line, the first of which lasts until it is told.
    played.say(&status(false, "intact", &[outage(1)]));
    session.wait_for(1, SOON);
    played.say(&status(true, "intact", &[]));
    for times in 2..=100 {
        played.say(&status(false, "intact", &[outage(times)]));
        played.say(&status(true, "intact", &if times >= 3 { vec![outage(times)] } else { Vec::new() }));
    }
    let stick = incident(2, "finding", "usb.storage", "low");
    let loud = || session.printed().into_iter().filter(|it| it.urgency == "NORMAL").collect::<Vec<_>>();
    played.say(&status(true, "intact", &[outage(100), stick.clone()]));
    wait_for("the stick", SOON, || (loud().len() >= 2).then_some(()));
    let mut breach = incident(3, "finding", "isolation.internet-reachable", "critical");
    breach["title"] = "<b>a</b> & <img src=\"http://10.0.0.1/\"/>\u{1b}[2J\n\u{202e}b".into();
    played.say(&status(true, "broken", &[outage(100), stick, breach]));

    let told = wait_for("the last of them", SOON, || Some(loud()).filter(|told| told.len() >= 3));
    let short: Vec<(&str, &str)> = told.iter().map(|it| (it.summary.as_str(), it.body.as_str())).collect();
    assert_eq!(short[0], ("You cannot settle now", "title of link.no-carrier.\nDo this first: push the cable in."));
    assert_eq!(short[1].0, "title of usb.storage");
    assert!(!short[1].1.is_empty(), "the one thing to do: {short:?}");
    assert!(short[2].0.starts_with("<b>a</b> & <img") && !short[2].0.contains(['\u{1b}', '\n', '\u{202e}']), "{short:?}");
    assert_eq!(short.len(), 3, "{short:?}");
    let quiet: Vec<_> = session.printed().into_iter().filter(|it| it.urgency != "NORMAL").collect();
    assert!(quiet.len() <= 5 && quiet.iter().all(|it| it.urgency == "LOW" && it.id == told[0].id), "only the text of the first: {quiet:?}");
    assert_eq!(session.standing(), 3);
}

#[test]
fn a_real_outage_that_comes_back_is_told_once() {
    if !can_stage() || !can_show() {
        return;
    }
    let Some(ground) = Ground::new() else { return };
    let mut session = Session::new();
    session.show();
    let _notify = session.notify(&ground.path("isonet.toml"));
    for _ in 0..2 {
        ground.cable("down");
        wait_for("the outage", SOON, || ground.connected(Some(false)));
        session.wait_for(1, SOON);
        ground.cable("up");
        wait_for("its end", SOON, || ground.status()["open_incidents"].as_array().filter(|open| open.is_empty()).map(drop));
    }
    // The second came before the end of the first was believed, so it is the same.
    let told: Vec<_> = session.printed().into_iter().filter(|it| it.urgency == "NORMAL").collect();
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!(told[0].summary, "You cannot settle now");
    assert!(told[0].body.contains("Do this first: "), "{told:#?}");
}

#[test]
fn a_real_recovery_is_told_once_it_has_lasted() {
    if !can_stage() || !can_show() {
        return;
    }
    let Some(ground) = Ground::new() else { return };
    let mut session = Session::new();
    session.show();
    let _notify = session.notify(&ground.path("isonet.toml"));
    ground.cable("down");
    let began = now();
    session.wait_for(1, SOON);
    ground.cable("up");
    let told = wait_for("the recovery", Duration::from_secs(100), || {
        Some(session.printed()).filter(|told| told.last().is_some_and(|it| it.summary == "You can settle again"))
    });
    assert!(began.elapsed() >= Duration::from_mins(1), "it may have come back");
    let loud: Vec<_> = told.iter().filter(|it| it.urgency == "NORMAL").collect();
    assert_eq!(loud.len(), 2, "{told:#?}");
    assert_eq!(loud[0].id, loud[1].id, "in its place");
    assert_eq!(session.standing(), 1);
}

/// How often the threads of a process gave up the processor.
pub(crate) fn switches(ours: &Ours) -> u64 {
    let threads = fs::read_dir(format!("/proc/{}/task", ours.0.id())).unwrap().flatten();
    let one = |text: String| {
        let line = text.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).unwrap();
        line.trim().parse::<u64>().unwrap()
    };
    threads.filter_map(|thread| fs::read_to_string(thread.path().join("status")).ok()).map(one).sum()
}

#[test]
fn without_a_desktop_it_is_quiet() {
    if !can_stage() || !can_show() {
        return;
    }
    let played = Played::new(&status(false, "intact", &[outage(1)]));
    // No bus: nothing to do, and nothing wrong.
    let mut command = users(isonet(), played.dir.path());
    let ran = command.arg("--config").arg(played.config()).arg("notify").stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
    assert_eq!((ran.status.code(), ran.stdout.len(), ran.stderr.len()), (Some(0), 0, 0), "{ran:?}");

    // A bus on which nobody shows notices: it sleeps.
    let mut session = Session::new();
    let mut notify = session.notify(&played.config());
    wait_for("one that tells this session", SOON, || session.owned("io.github.isonet.Notify").then_some(()));
    let mut before = 0;
    wait_for("sleep", SOON, || {
        let was = std::mem::replace(&mut before, switches(&notify));
        thread::sleep(Duration::from_secs(1));
        (was == before).then_some(())
    });
    thread::sleep(Duration::from_secs(3));
    assert_eq!(switches(&notify), before, "it was awake while there is nothing to do");
    let memory = fs::read_to_string(format!("/proc/{}/status", notify.0.id())).unwrap();
    println!("{:?}", memory.lines().filter(|line| line.starts_with("Rss") || line.starts_with("VmHWM")).collect::<Vec<_>>());
    assert_eq!(played.came(), 0, "nobody asks on behalf of nobody");
    // A second one leaves it to the first.
    let mut second = session.notify(&played.config());
    assert_eq!(wait_for("its end", SOON, || second.0.try_wait().unwrap()).code(), Some(0));

    // Somebody comes: what is open is told, once.
    session.show();
    let told = session.wait_for(1, SOON);
    assert_eq!(told[0].summary, "You cannot settle now");
    // The session ends, and so does it.
    session.shown = None;
    session.bus = None;
    assert_eq!(wait_for("its end", SOON, || notify.0.try_wait().unwrap()).code(), Some(0));
}

#[test]
fn a_daemon_that_is_away_is_no_news_and_is_found_again() {
    if !can_stage() || !can_show() {
        return;
    }
    let played = Played::new(&status(true, "intact", &[]));
    let mut session = Session::new();
    session.show();
    let _notify = session.notify(&played.config());
    played.wait_for_listener();
    played.say(&status(true, "intact", &[]));
    // It ends, and what it says after its start is another status.
    {
        let mut said = played.said.lock().unwrap();
        said.status = status(false, "intact", &[outage(1)]).to_string();
        said.listeners.clear();
    }
    let told = session.wait_for(1, Duration::from_secs(30));
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].summary, "You cannot settle now");
}

/// `isonet page` with a browser that only notes what it is given.
fn page(config: &Path, dir: &Path, with_opener: bool) -> (Option<i32>, String, String) {
    let bin = dir.join("bin");
    fs::create_dir_all(&bin).unwrap();
    if with_opener {
        let script = format!("#!/bin/sh\nprintf '%s' \"$1\" >{}/opened\n", dir.display());
        fs::write(bin.join("xdg-open"), script).unwrap();
        fs::set_permissions(bin.join("xdg-open"), PermissionsExt::from_mode(0o755)).unwrap();
    }
    let mut command = users("env", dir);
    // Nothing else that opens pages is found.
    command
        .arg(format!("PATH={}", bin.display()))
        .arg(format!("XDG_RUNTIME_DIR={}", dir.display()))
        .arg(isonet())
        .arg("--config")
        .arg(config)
        .args(["--lang", "en", "page"]);
    let ran = Command::output(command.stderr(Stdio::piped())).unwrap();
    let opened = fs::read_to_string(dir.join("opened")).unwrap_or_default();
    (ran.status.code(), opened, String::from_utf8_lossy(&ran.stderr).into_owned())
}

#[test]
fn the_launcher_opens_the_page_of_a_service_that_answers_and_else_one_look() {
    if !can_stage() || !others_can_run() {
        return;
    }
    let played = Played::new(&status(true, "intact", &[]));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let config = fs::read_to_string(played.config()).unwrap();
    fs::write(played.config(), format!("{config}[web]\nlisten = \"{at}\"\n")).unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut asked = [0; 1024];
            let _ = stream.read(&mut asked);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
    });
    let dir = users_dir();
    let (code, opened, said) = page(&played.config(), dir.path(), true);
    assert_eq!((code, opened.as_str()), (Some(0), format!("http://{at}/").as_str()), "{said}");

    // The service does not answer; whatever answers at the port is not its page.
    fs::remove_file(played.dir.path().join("run/public.sock")).unwrap();
    let (code, opened, said) = page(&played.config(), dir.path(), true);
    let file = dir.path().join("isonet/check.html");
    assert_eq!((code, opened.as_str()), (Some(0), file.to_str().unwrap()), "{said}");
    let there = fs::metadata(&file).unwrap();
    assert_eq!((there.mode() & 0o777, there.uid()), (0o600, NOBODY));
    assert!(fs::read_to_string(&file).unwrap().contains("<html"));

    // Nothing opens pages: it says where it is.
    let (code, _, said) = page(&played.config(), users_dir().path(), false);
    assert!(code == Some(74) && said.contains("check.html"), "{code:?} {said}");
}
