//! What `JetStream` answers: acknowledgements, refusals, messages that it holds. Pure.

use super::wire::{Message, one_line, read_headers};
use crate::sink::{Hindrance, Obstacle};
use data_encoding::BASE64;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Its number for "no message found".
const NO_MESSAGE: u32 = 10037;

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct Refusal {
    /// As in HTTP.
    pub code: u16,
    /// Its own.
    pub err_code: u32,
    /// In words.
    pub description: String,
}

/// What to do about a refusal to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remedy {
    /// Look at what is stored: it is not what we thought, or the server cannot say yet.
    Look,
    /// One by one: it does not take several as one.
    Singly,
    /// Later.
    Wait(Hindrance),
}

impl Refusal {
    /// What to do about it when records were to be stored.
    pub fn remedy(&self, receiver: &str) -> Remedy {
        match self.err_code {
            // Wrong last sequence; its check, or the same id, is under way; a batch that was not whole or holds something that is stored.
            10071 | 10164 | 10158 | 10163 | 10176 | 10201 => Remedy::Look,
            // Batches: switched off, their headers, their ids, their length, their end; too many of them at the same time.
            10174 | 10175 | 10177 | 10179 | 10199 | 10200 | 10210 | 10211 => Remedy::Singly,
            _ => Remedy::Wait(self.hindrance(receiver)),
        }
    }

    /// As what keeps records from being taken.
    pub fn hindrance(&self, receiver: &str) -> Hindrance {
        let obstacle = match (self.err_code, self.code) {
            // Resources of account, memory, storage, server; the stream's own limits; its share.
            (10002 | 10023 | 10028 | 10047 | 10077 | 10122, _) => Obstacle::Full,
            // JetStream is off.
            (10035 | 10039 | 10076, _) => Obstacle::Setup,
            (_, 429 | 500..) => Obstacle::Busy,
            (_, 401 | 403) => Obstacle::Identity,
            _ => Obstacle::Setup,
        };
        Hindrance::new(obstacle, format!("{receiver}: {} ({})", one_line(&self.description), self.err_code))
    }
}

/// What became of what was to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is stored, the last of it under this number.
    Stored(u64),
    /// One of this id was stored not long ago.
    Known,
    /// It is not stored.
    Refused(Refusal),
}

/// Reads an acknowledgement by this stream of `count` messages sent as one; only what says all of that counts.
pub fn outcome(message: &Message, stream: &str, count: usize) -> Result<Outcome, String> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Ack {
        stream: String,
        seq: u64,
        duplicate: bool,
        count: Option<usize>,
        error: Option<Refusal>,
    }
    if let Some(status) = message.status {
        return Ok(Outcome::Refused(nobody(status)));
    }
    let ack: Ack = json(message)?;
    match ack {
        Ack { error: Some(refusal), .. } => Ok(Outcome::Refused(refusal)),
        ack if ack.stream != stream => Err(format!("acknowledged by stream `{}`, not by `{stream}`", one_line(&ack.stream))),
        Ack { duplicate: true, .. } => Ok(Outcome::Known),
        Ack { seq: 0, .. } => Err("acknowledged without a number".to_owned()),
        ack if ack.count.unwrap_or(1) != count => Err(format!("acknowledged {} of {count}", ack.count.unwrap_or(1))),
        ack => Ok(Outcome::Stored(ack.seq)),
    }
}

/// What a status says in place of an answer.
fn nobody(status: u16) -> Refusal {
    let description = match status {
        503 => "nobody answers for it".to_owned(),
        status => format!("status {status}"),
    };
    Refusal { code: status, err_code: 0, description }
}

/// An answer of the API, or its refusal.
pub fn answer<T: DeserializeOwned>(message: &Message) -> Result<Result<T, Refusal>, String> {
    #[derive(Deserialize)]
    struct Refused {
        error: Refusal,
    }
    if let Some(status) = message.status {
        return Ok(Err(nobody(status)));
    }
    if let Ok(refused) = json::<Refused>(message) {
        return Ok(Err(refused.error));
    }
    json(message).map(Ok)
}

fn json<T: DeserializeOwned>(message: &Message) -> Result<T, String> {
    serde_json::from_slice(&message.payload).map_err(|error| format!("not an answer of JetStream: {error}"))
}

/// A message that a stream holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Its number in the stream.
    pub seq: u64,
    /// What it says; `None` = it only marks where messages were.
    pub payload: Option<Vec<u8>>,
}

/// The answer to a direct look at the last message of a subject; `None` = there is none.
pub fn held_directly(message: Message) -> Result<Result<Option<Held>, Refusal>, String> {
    match message.status {
        Some(404) => return Ok(Ok(None)),
        Some(status) => return Ok(Err(nobody(status))),
        None => {}
    }
    let seq = message.header("Nats-Sequence").and_then(|seq| seq.parse().ok()).ok_or("a message without its number")?;
    let marks = message.header("Nats-Marker-Reason").is_some();
    Ok(Ok(Some(Held { seq, payload: (!marks).then_some(message.payload) })))
}

/// The answer of the stream's leader to the same question.
pub fn held(message: &Message) -> Result<Result<Option<Held>, Refusal>, String> {
    #[derive(Deserialize)]
    struct Found {
        message: Stored,
    }
    #[derive(Deserialize)]
    struct Stored {
        seq: u64,
        #[serde(default)]
        hdrs: String,
        #[serde(default)]
        data: String,
    }
    let Stored { seq, hdrs, data } = match answer::<Found>(message)? {
        Ok(found) => found.message,
        Err(refusal) if refusal.err_code == NO_MESSAGE => return Ok(Ok(None)),
        Err(refusal) => return Ok(Err(refusal)),
    };
    let decoded = |text: &str| BASE64.decode(text.as_bytes()).map_err(|_| "a message that is no base64".to_owned());
    let (_, headers) =
        if hdrs.is_empty() { (None, Vec::new()) } else { read_headers(&decoded(&hdrs)?).map_err(|error| error.to_string())? };
    let marks = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("Nats-Marker-Reason"));
    Ok(Ok(Some(Held { seq, payload: if marks { None } else { Some(decoded(&data)?) } })))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(payload: &str) -> Message {
        Message { payload: payload.into(), ..Message::default() }
    }

    #[test]
    fn only_an_acknowledgement_of_all_by_the_right_stream_counts() {
        let read = |payload| outcome(&said(payload), "ISONET", 1);
        assert_eq!(read(r#"{"stream":"ISONET","seq":12}"#), Ok(Outcome::Stored(12)));
        assert_eq!(read(r#"{"stream":"ISONET","seq":12,"duplicate":true}"#), Ok(Outcome::Known));
        for other in
            [r#"{"stream":"OTHER","seq":12}"#, r#"{"seq":12}"#, r#"{"stream":"ISONET","seq":0}"#, r#"{"stream":"ISONET"}"#, "+OK", "{}"]
        {
            assert!(read(other).is_err(), "{other}");
        }
        let batch = |payload| outcome(&said(payload), "ISONET", 3);
        assert_eq!(batch(r#"{"stream":"ISONET","seq":12,"batch":"b","count":3}"#), Ok(Outcome::Stored(12)));
        assert!(batch(r#"{"stream":"ISONET","seq":12,"batch":"b","count":2}"#).is_err());
        assert!(batch(r#"{"stream":"ISONET","seq":12}"#).is_err(), "an older server stored the last one only for all we know");
        let none = outcome(&Message { status: Some(503), ..Message::default() }, "ISONET", 1);
        assert!(matches!(none, Ok(Outcome::Refused(Refusal { code: 503, .. }))));
    }

    #[test]
    fn refusals_are_sorted_by_what_has_to_be_done() {
        let remedy = |code, err_code| Refusal { code, err_code, description: "x".to_owned() }.remedy("r");
        let waits = |remedy| match remedy {
            Remedy::Wait(hindrance) => Some(hindrance.obstacle),
            _ => None,
        };
        assert_eq!(remedy(400, 10071), Remedy::Look);
        assert_eq!(remedy(400, 10174), Remedy::Singly);
        assert_eq!(waits(remedy(503, 10077)), Some(Obstacle::Full));
        assert_eq!(waits(remedy(503, 10039)), Some(Obstacle::Setup));
        assert_eq!(waits(remedy(404, 10059)), Some(Obstacle::Setup));
        assert_eq!(waits(remedy(503, 10008)), Some(Obstacle::Busy));
        assert_eq!(waits(remedy(503, 0)), Some(Obstacle::Busy));
    }

    #[test]
    fn both_ways_of_looking_give_the_same() {
        let leader = held(&said(r#"{"message":{"subject":"a","seq":7,"hdrs":"TkFUUy8xLjANCkE6IGINCg0K","data":"aGk="}}"#));
        assert_eq!(leader, Ok(Ok(Some(Held { seq: 7, payload: Some(b"hi".to_vec()) }))));
        let headers = vec![("Nats-Sequence".to_owned(), "7".to_owned())];
        assert_eq!(held_directly(Message { headers: headers.clone(), ..said("hi") }), leader);
        assert_eq!(held(&said(r#"{"error":{"code":404,"err_code":10037,"description":"no message found"}}"#)), Ok(Ok(None)));
        assert_eq!(held_directly(Message { status: Some(404), ..Message::default() }), Ok(Ok(None)));
        assert!(matches!(held(&said(r#"{"error":{"code":404,"err_code":10059,"description":"stream not found"}}"#)), Ok(Err(_))));
        let marker = headers.into_iter().chain([("Nats-Marker-Reason".to_owned(), "MaxAge".to_owned())]).collect();
        assert_eq!(held_directly(Message { headers: marker, ..said("") }), Ok(Ok(Some(Held { seq: 7, payload: None }))));
    }

    mod any_bytes {
        use super::super::*;
        use crate::testing::{cases, hostile};
        use proptest::prelude::*;

        fn seeds() -> Vec<Vec<u8>> {
            vec![
                br#"{"stream":"ISONET","seq":12,"batch":"b","count":3}"#.to_vec(),
                br#"{"message":{"subject":"a","seq":7,"hdrs":"TkFUUy8xLjANCkE6IGINCg0K","data":"aGk="}}"#.to_vec(),
                br#"{"error":{"code":404,"err_code":10037,"description":"no message found"}}"#.to_vec(),
            ]
        }

        proptest! {
            #![proptest_config(cases())]

            #[test]
            fn no_answer_breaks_it(payload in hostile(seeds(), 200)) {
                let message = Message { payload, ..Message::default() };
                let _ = held(&message);
                let _ = answer::<crate::sink::nats::stream::Stream>(&message);
                if let Ok(Outcome::Stored(seq)) = outcome(&message, "ISONET", 3) {
                    prop_assert!(seq > 0);
                }
            }
        }
    }
}
