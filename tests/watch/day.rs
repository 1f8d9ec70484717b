//! A short day at a terminal, from its morning to a line that comes and goes, as its desktop is told of it: the daemon is a real one, so are the
//! faults, the bus and dunst. Only the sticks are files in the place of `/sys/bus`.

use crate::desktop::{Ours, Printed, SOON, Session, can_show};
use crate::ground::{Daemon, GATEWAY, Ground, PATIENCE, wait_for};
use crate::isolation::{REACHABLE, Stage};
use crate::usb::Ports;
use crate::usb_ears::tell;
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::Duration;

/// An end is told once it has lasted for a minute.
const LASTED: Duration = Duration::from_secs(100);
/// How often the line comes and goes; `ISONET_FLAPS` has it more often.
const FLAPS: usize = 20;
const CENTRE: &str = "[probe]\ninterval = \"1s\"\n[[centre]]\nname = \"settle\"\nhost = \"10.81.1.1\"\ntcp = [4430]\n";

/// What the daemon says now.
fn status(ground: &Ground) -> Value {
    let out = ground.isonet(&["status", "--json"]).output().unwrap();
    serde_json::from_slice(&out.stdout).unwrap_or_default()
}

fn connected(ground: &Ground, wanted: bool) {
    wait_for(&format!("connected: {wanted}"), PATIENCE, || (status(ground)["connected"] == wanted).then_some(()));
}

/// One cannot settle, and there is an incident that says so.
fn disconnected(ground: &Ground) -> Option<()> {
    let status = status(ground);
    let open = status["open_incidents"].as_array()?.iter().any(|one| one["kind"] == "disconnection");
    (open && status["connected"] == false).then_some(())
}

/// The far end of the cable is pulled or pushed in.
fn cable(ground: &Ground, state: &str) {
    ground.beyond_run(&format!("ip link set b0 {state}"));
}

/// Those that are shown, not only written anew.
fn loud(session: &Session) -> Vec<Printed> {
    session.printed().into_iter().filter(|it| it.urgency == "NORMAL").collect()
}

fn told(session: &Session, many: usize, patience: Duration) -> Printed {
    let told = wait_for(&format!("{many} notices"), patience, || Some(loud(session)).filter(|told| told.len() >= many));
    assert_eq!(told.len(), many, "{told:#?}");
    told[many - 1].clone()
}

#[test]
fn a_real_day_shows_exactly_the_notices_it_should() {
    if !can_show() {
        return;
    }
    let Some(stage) = Stage::new(CENTRE) else { return };
    let ground = &stage.ground;
    // The user reads the configuration and the socket in there.
    std::fs::set_permissions(ground.path("."), PermissionsExt::from_mode(0o755)).unwrap();
    let mut centre = ground.beyond_command("socat");
    let listens = format!("TCP-LISTEN:4430,bind={GATEWAY},fork,reuseaddr");
    let _centre = Ours(centre.args(["-T", "30", &listens, "PIPE"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let ports = Ports::new(ground);
    let daemon = ground.watch();
    let mut session = Session::new();
    session.show();
    let _notify = session.notify(&ground.path("isonet.toml"));
    wait_for("one that tells this session", SOON, || session.owned("io.github.isonet.Notify").then_some(()));
    connected(ground, true);
    day(&stage, &ports, &daemon, &session);
}

fn day(stage: &Stage, ports: &Ports<'_>, daemon: &Daemon<'_>, session: &Session) {
    let ground = &stage.ground;
    // The cable is pulled, and pushed in again.
    cable(ground, "down");
    let outage = told(session, 1, SOON);
    assert_eq!(outage.summary, "You cannot settle now");
    assert_eq!(outage.body.matches("Do this first: ").count(), 1, "the one thing to do: {outage:?}");
    cable(ground, "up");
    let over = told(session, 2, LASTED);
    assert_eq!((over.summary.as_str(), over.id), ("You can settle again", outage.id), "in its place");

    // A second way leads to the internet, and is cut.
    let _outside = stage.second(&stage.internet());
    stage.leads_to_all();
    let breach = told(session, 3, SOON);
    assert!(breach.summary.contains("internet") && breach.id != outage.id, "{breach:?}");
    assert!(!breach.body.is_empty(), "what to do: {breach:?}");
    ground.here("ip link delete up0");
    ground.here(&format!("ip route replace default via {GATEWAY} dev t0"));
    daemon.sees(REACHABLE, "resolved", LASTED, |_| true);

    // Its end is no news: the notice goes away, in a minute. Meanwhile somebody plugs a stick in, and takes it.
    ports.stick("1-1", "60AF", "sdz");
    tell(ground, 1);
    let stick = told(session, 4, SOON);
    assert!(![outage.id, breach.id].contains(&stick.id) && !stick.body.is_empty(), "{stick:?}");
    ports.unplug("1-1");
    tell(ground, 1);

    // The line comes and goes, each time until it is believed.
    let flaps = std::env::var("ISONET_FLAPS").ok().and_then(|flaps| flaps.parse().ok()).unwrap_or(FLAPS);
    for _ in 0..flaps {
        cable(ground, "down");
        wait_for("the outage", PATIENCE, || disconnected(ground));
        cable(ground, "up");
        connected(ground, true);
    }
    let times = wait_for("the count", PATIENCE, || status(ground).pointer("/open_incidents/0/occurrences")?.as_u64());
    // By the words of the moment: the first outage may be over before the notice has had its second of a free screen.
    let flapping = told(session, 5, SOON);
    assert!(["You cannot settle now", "Settling works on and off"].contains(&flapping.summary.as_str()), "{flapping:?}");
    println!("{flaps} times down, {times} counted before it was called flapping");

    for it in session.printed() {
        println!("{:6} {:3} {} | {}", it.urgency, it.id, it.summary, it.body.replace('\n', " / "));
    }
    let quiet: Vec<_> = session.printed().into_iter().filter(|it| it.urgency != "NORMAL").collect();
    assert!(quiet.iter().all(|it| it.urgency == "LOW"), "never louder: {quiet:#?}");
    wait_for("no word about breach and stick any more", LASTED, || (session.standing() == 1).then_some(()));
}
