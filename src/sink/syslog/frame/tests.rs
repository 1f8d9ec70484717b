use super::*;
use crate::config::Terminal;
use crate::model::{AgentEvent, Body, RECORD_SCHEMA, Record, Severity, TerminalCard, Time};
use crate::spool::{Digest, Position, seal};
use crate::sys::clock;

const SENDER: Sender = Sender { enterprise: 32473, pid: 4711 };

/// A message taken apart as a receiver does.
struct Message {
    header: Vec<String>,
    data: String,
    body: Vec<u8>,
}

/// The one message of these bytes, which have to be one frame.
fn taken_apart(frame: &[u8]) -> Message {
    let blank = frame.iter().position(|byte| *byte == b' ').expect("a length");
    let length: usize = std::str::from_utf8(&frame[..blank]).expect("digits").parse().expect("a number");
    let message = &frame[blank + 1..];
    assert_eq!(message.len(), length);
    assert!(length <= LIMIT, "{length}");
    let mut parts = message.splitn(7, |byte| *byte == b' ');
    let mut header: Vec<String> = Vec::new();
    for _ in 0..6 {
        let part = parts.next().expect("six parts");
        assert!(!part.is_empty() && part.iter().all(u8::is_ascii_graphic), "{part:?}");
        header.push(String::from_utf8_lossy(part).into_owned());
    }
    let rest = parts.next().expect("more");
    let end = if rest.first() == Some(&b'-') { 1 } else { element(rest) };
    assert_eq!(rest[end], b' ');
    Message { header, data: String::from_utf8(rest[..end].to_vec()).expect("UTF-8"), body: rest[end + 1..].to_vec() }
}

/// Where an element of structured data ends (RFC 5424, 6.3).
fn element(bytes: &[u8]) -> usize {
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in bytes.iter().enumerate() {
        assert!(!byte.is_ascii_control());
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b']' if !quoted => return at + 1,
            _ => {}
        }
    }
    panic!("no end: {}", String::from_utf8_lossy(bytes));
}

fn entry(bytes: Vec<u8>, epoch: &str, seq: u64) -> Entry {
    let hash = Digest::of(&bytes);
    Entry { at: Position { epoch: epoch.to_owned(), seq }, bytes, hash }
}

fn record(weakened: Vec<String>, id: &str) -> Entry {
    let mut terminal = TerminalCard::of(&Terminal::default(), Some(id.to_owned()), Some("0011223344556677".to_owned()), "p");
    terminal.region = Some("610102".to_owned());
    let mut time = Time::from(&clock::stamp());
    time.wall = "2026-11-18T03:04:05.678901234Z".parse().expect("a time");
    let agent = AgentEvent::PolicyChanged { from: None, to: "t".to_owned(), weakened };
    let body = Body::Agent { severity: Severity::High, agent };
    let (event_id, epoch) = ("019a9c3e-7b1c-7a00-8000-000000000007".to_owned(), "019a9c3e-7b1c-7a00-8000-5f2d9c1e4b7a".to_owned());
    let record = Record { schema: RECORD_SCHEMA.to_owned(), event_id, epoch: epoch.clone(), seq: 7, terminal, time, body };
    entry(sealed(&record), &epoch, 7)
}

/// As in the log.
fn sealed(record: &Record) -> Vec<u8> {
    let json = serde_json::to_string(record).expect("a record is JSON");
    let value = format!("{},\"prev_hash\":\"{}\"}}", &json[..json.len() - 1], Digest::ZERO);
    seal(value.as_bytes()).trim_ascii_end().to_vec()
}

fn told(entry: &Entry, sending: u32) -> Message {
    let mut frame = Vec::new();
    SENDER.record(&mut frame, entry, sending);
    taken_apart(&frame)
}

#[test]
fn a_record_goes_as_it_is_behind_what_a_receiver_sorts_by() {
    let entry = record(vec!["isolation.mode".to_owned()], "1338d0d8ec234423");
    let message = told(&entry, 1);
    let header = ["<131>1", "2026-11-18T03:04:05.678901Z", "1338d0d8ec234423", "isonet", "4711", "agent.policy-changed"];
    assert_eq!(message.header, header);
    let data = format!(
        "[isonet@32473 eid=\"019a9c3e-7b1c-7a00-8000-000000000007\" seq=\"7\" epoch=\"019a9c3e-7b1c-7a00-8000-5f2d9c1e4b7a\" \
         cause=\"agent.policy-changed\" sev=\"high\" h=\"{}\" try=\"1\"]",
        entry.hash
    );
    assert_eq!(message.data, data);
    assert_eq!(message.body, entry.bytes);
}

#[test]
fn a_name_that_may_not_stand_there_gives_way_to_one_that_may() {
    assert_eq!(told(&record(Vec::new(), "柜台 2"), 1).header[2], "0011223344556677");
}

#[test]
fn a_record_that_is_too_long_says_that_it_is_not_whole_and_keeps_its_place_in_the_chain() {
    let long = record(vec!["监听".repeat(40); 60], "1338d0d8ec234423");
    assert!(long.bytes.len() > LIMIT);
    let body: Value = serde_json::from_slice(&told(&long, 3).body).expect("JSON");
    let whole: Value = serde_json::from_slice(&long.bytes).expect("JSON");
    assert_eq!(body["truncated"], true);
    for kept in ["schema", "event_id", "epoch", "seq", "kind", "severity", "time", "terminal", "prev_hash"] {
        assert_eq!((kept, &body[kept]), (kept, &whole[kept]));
    }
    assert_eq!((&body["hash"], &body["agent"]), (&Value::from(long.hash.to_string()), &Value::Null));
}

#[test]
fn a_sign_of_life_has_a_code_of_its_own_and_no_number() {
    let beat = |text: &str| Beat(text.as_bytes().into());
    let mut frame = Vec::new();
    SENDER
        .beat(&mut frame, &beat(r#"{"schema":"heartbeat/1","terminal":{"id":"t1"},"time":{"wall":"2026-11-18T12:00:00+08:00"},"seq":9}"#));
    let message = taken_apart(&frame);
    assert_eq!(message.header, ["<134>1", "2026-11-18T04:00:00.000000Z", "t1", "isonet", "4711", "heartbeat"]);
    assert_eq!(message.data, "-");
    let long = format!(r#"{{"schema":"heartbeat/1","epoch":"e","seq":9,"open":["{}"]}}"#, "x".repeat(LIMIT));
    frame.clear();
    SENDER.beat(&mut frame, &beat(&long));
    assert_eq!(taken_apart(&frame).body, br#"{"schema":"heartbeat/1","truncated":true,"epoch":"e","seq":9}"#);
}

mod any_bytes {
    use super::*;
    use crate::testing::{cases, hostile};
    use proptest::prelude::*;

    fn seeds() -> Vec<Vec<u8>> {
        vec![
            record(vec!["a\"]\\\n\u{7f}".to_owned()], "]\" \\").bytes,
            record(vec!["监听".repeat(40); 60], &"长".repeat(2000)).bytes,
            br#"{"cause":{"code":"]\"\\\u0000","severity":"low"},"incident":{"phase":"\n"},"event_id":"\u001b"}"#.to_vec(),
        ]
    }

    proptest! {
        #![proptest_config(cases())]

        /// Whatever stands in the log makes one frame of one message that a receiver can take apart, with an object of JSON in it.
        #[test]
        fn every_line_is_one_message(line in hostile(seeds(), 300), epoch in ".{0,300}", seq: u64, sending: u32) {
            let entry = entry(line, &epoch, seq);
            let message = told(&entry, sending);
            let body: Value = serde_json::from_slice(&message.body).expect("JSON");
            prop_assert!(body.is_object());
            if message.body != entry.bytes {
                prop_assert_eq!(&body["truncated"], true);
                prop_assert_eq!(&body["hash"], &Value::from(entry.hash.to_string()));
            }
        }

        #[test]
        fn every_sign_of_life_is_one_message(line in hostile(seeds(), 300)) {
            let mut frame = Vec::new();
            SENDER.beat(&mut frame, &Beat(line.into()));
            prop_assert!(serde_json::from_slice::<Value>(&taken_apart(&frame).body).expect("JSON").is_object());
        }
    }
}
