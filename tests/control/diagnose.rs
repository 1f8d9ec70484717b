//! `isonet diagnose` beside a daemon: it takes what helps, and nothing that answers at the socket delays it or changes what it says.

use crate::ground::{Ground, Ran, assert_schema, others_can_run, wait_for};
use serde_json::{Value, json};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;
use std::time::Duration;

/// Root without the rights that probes use.
const POWERLESS: &[&str] = &["setpriv", "--bounding-set=-net_raw,-net_admin"];

/// Longest that a daemon may delay it (300 ms), and what starting a program costs on a busy machine.
const DELAY: Duration = Duration::from_secs(1);

#[test]
fn a_daemon_sees_for_whoever_may_ask_it_and_tells_its_incidents_to_everybody() {
    let Some(ground) = Ground::new() else { return };
    // Within two seconds after a round the daemon runs no other for us, and we do not wait for it.
    let ran = wait_for("the watch to help", Duration::from_secs(20), || {
        Some(ground.isonet(POWERLESS, "diagnose --verbose --lang en")).filter(|ran| ran.out.contains("were made by the watch"))
    });
    assert!(!ran.out.contains("gateway.arp"), "{}", ran.out);
    let ran = ground.isonet(POWERLESS, "diagnose --json");
    assert_schema(&ran.json(), "diagnosis/1");
    assert_eq!(ran.json()["open_incidents"], json!([]));
    if others_can_run() {
        let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
        let ran = ground.isonet(&nobody, "diagnose --verbose --lang en");
        assert!(ran.out.contains("the watch did not help"), "{ran:?}");
        assert_eq!(ground.isonet(&nobody, "diagnose --json").json()["open_incidents"], json!([]));
    }
}

#[test]
fn without_a_daemon_open_incidents_are_not_known() {
    let Some(ground) = Ground::without_daemon() else { return };
    let ran = ground.isonet(POWERLESS, "diagnose --json");
    assert_schema(&ran.json(), "diagnosis/1");
    assert_eq!(ran.json()["open_incidents"], Value::Null);
}

/// What answers in place of a daemon: gets the connection, ends when the client does.
type Impostor = fn(UnixStream);

fn silent(mut stream: UnixStream) {
    let _ = stream.read_to_end(&mut Vec::new());
}

fn endless(mut stream: UnixStream) {
    let head = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n[");
    while head.is_ok() && stream.write_all(&[b'['; 4096]).is_ok() {}
}

fn dripping(mut stream: UnixStream) {
    for byte in b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n".iter().cycle() {
        if stream.write_all(&[*byte]).is_err() {
            return;
        }
        thread::sleep(Duration::from_millis(100));
    }
}

fn nonsense(mut stream: UnixStream) {
    let _ = stream.write_all(b"\x00\xff\x1b[2J not HTTP at all\r\n\r\n");
}

/// Everything is broken, says this one, and speaks of a time that has not come.
fn lying(mut stream: UnixStream) {
    let mut asked = [0; 4096];
    let got = stream.read(&mut asked).unwrap_or(0);
    let world = json!([{
        "at": {"boot_id": fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap().trim(), "boottime_ms": u64::MAX,
               "wall": "2026-01-01T00:00:00Z", "clock": "synchronised"},
        "sighting": {"links": {"ok": []}}
    }]);
    let body = if String::from_utf8_lossy(&asked[..got]).contains("/v1/world") {
        world.to_string()
    } else {
        json!({"connected": false}).to_string()
    };
    let _ = write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
}

/// What must be the same, whoever answers.
fn verdict(ran: &Ran) -> (Option<i32>, Value, Vec<Value>) {
    let diagnosis = ran.json();
    let causes = diagnosis["verdicts"].as_array().unwrap().iter().map(|verdict| verdict["cause"].clone()).collect();
    (ran.status, diagnosis["connected"].clone(), causes)
}

#[test]
fn a_dead_slow_or_lying_socket_delays_nothing_and_changes_nothing() {
    let Some(ground) = Ground::without_daemon() else { return };
    fs::create_dir(ground.run_dir()).unwrap();
    let alone = verdict(&ground.isonet(POWERLESS, "diagnose --json"));
    let impostors: [(&str, Impostor); 5] =
        [("silent", silent), ("endless", endless), ("dripping", dripping), ("nonsense", nonsense), ("lying", lying)];
    for (name, answer) in impostors {
        let _ = fs::remove_file(ground.control());
        let listener = UnixListener::bind(ground.control()).unwrap();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                thread::spawn(move || answer(stream));
            }
        });
        let began = crate::ground::now();
        let ran = ground.isonet(POWERLESS, "diagnose --json");
        let took = began.elapsed();
        assert_eq!(verdict(&ran), alone, "{name}");
        assert_eq!(ran.json()["open_incidents"], Value::Null, "{name}");
        let round = Duration::from_millis(ran.json()["took_ms"].as_u64().unwrap());
        // `took_ms` holds the delay, so it is bounded by what such a round takes alone.
        assert!(round < Duration::from_secs(1) + DELAY && took < round + DELAY, "{name}: {took:?}, the round {round:?}");
    }
}
