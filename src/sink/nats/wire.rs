//! What NATS servers and clients say to each other, as bytes. Pure.
//!
//! A line in ASCII that ends in CR LF, after `MSG` and `HMSG` so many bytes and CR LF. Whatever a server sends, nothing is kept that is longer
//! than [`LONGEST_LINE`] or [`LARGEST_MESSAGE`].

use serde::Deserialize;

/// Longest line of a server, bytes: a large cluster names all its servers in `INFO`.
pub const LONGEST_LINE: usize = 64 << 10;
/// Largest message that is taken, bytes, headers included: a record comes back in base64 within JSON.
pub const LARGEST_MESSAGE: usize = 1 << 20;
/// Most headers of a message.
const MOST_HEADERS: usize = 64;
/// How headers begin.
const HEADERS: &str = "NATS/1.0";

/// What a server says.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    /// Who it is and what it wants.
    Info(Box<Info>),
    /// Are you there?
    Ping,
    /// I am here, and have seen to all you said before.
    Pong,
    /// Well.
    Ok,
    /// Not so; its words.
    Refused(String),
    /// What came in for a subscription.
    Message(Message),
}

/// Who a server is and what it wants, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
pub struct Info {
    /// Its version.
    pub version: String,
    /// To be signed by whoever has a key.
    pub nonce: Option<String>,
    /// It insists on TLS.
    pub tls_required: bool,
    /// It can do TLS.
    pub tls_available: bool,
    /// It knows headers.
    pub headers: bool,
    /// Largest message it takes, bytes.
    pub max_payload: u64,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Message {
    /// To whom it went.
    pub subject: String,
    /// In place of an answer: 503 = nobody is there to answer.
    pub status: Option<u16>,
    /// Names as they came, values without blanks around them.
    pub headers: Vec<(String, String)>,
    /// What it says.
    pub payload: Vec<u8>,
}

impl Message {
    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// It is not the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A line without end.
    #[error("a line of more than {LONGEST_LINE} bytes")]
    Line,
    /// A message without end.
    #[error("a message of more than {LARGEST_MESSAGE} bytes")]
    Size,
    /// Something else.
    #[error("no line of NATS")]
    Other,
}

/// The first thing said, and how many bytes it takes. `None` = there is more to come.
pub fn read(bytes: &[u8]) -> Result<Option<(Said, usize)>, Malformed> {
    let Some(end) = bytes.iter().take(LONGEST_LINE).position(|b| *b == b'\n') else {
        return if bytes.len() >= LONGEST_LINE { Err(Malformed::Line) } else { begins(bytes).then_some(None).ok_or(Malformed::Other) };
    };
    let line = std::str::from_utf8(&bytes[..end]).map_err(|_| Malformed::Other)?.trim_end_matches('\r');
    let taken = end + 1;
    let (verb, rest) = line.split_once([' ', '\t']).unwrap_or((line, ""));
    let said = match verb.to_ascii_uppercase().as_str() {
        "INFO" => Said::Info(serde_json::from_str(rest).map_err(|_| Malformed::Other)?),
        "PING" => Said::Ping,
        "PONG" => Said::Pong,
        "+OK" => Said::Ok,
        "-ERR" => Said::Refused(rest.trim().trim_matches('\'').to_owned()),
        "MSG" => return message(rest, &bytes[taken..], Form::Plain).map(|read| read.map(|(said, more)| (said, taken + more))),
        "HMSG" => return message(rest, &bytes[taken..], Form::Headed).map(|read| read.map(|(said, more)| (said, taken + more))),
        _ => return Err(Malformed::Other),
    };
    Ok(Some((said, taken)))
}

/// Whether an unfinished line can become one of NATS: whoever says something else is not waited for.
fn begins(line: &[u8]) -> bool {
    const VERBS: [&[u8]; 7] = [b"INFO", b"PING", b"PONG", b"+OK", b"-ERR", b"MSG", b"HMSG"];
    VERBS.iter().any(|verb| line.iter().zip(*verb).all(|(got, want)| got.eq_ignore_ascii_case(want)))
}

#[derive(Clone, Copy, PartialEq)]
enum Form {
    Plain,
    Headed,
}

/// `<subject> <sid> [reply] [<bytes of headers>] <bytes>`, then these bytes.
fn message(line: &str, after: &[u8], form: Form) -> Result<Option<(Said, usize)>, Malformed> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let (subject, headers, all) = match (form, words.as_slice()) {
        (Form::Plain, [subject, _, all] | [subject, _, _, all]) => (subject, "0", all),
        (Form::Headed, [subject, _, headers, all] | [subject, _, _, headers, all]) => (subject, *headers, all),
        _ => return Err(Malformed::Other),
    };
    let number = |word: &str| word.parse::<usize>().map_err(|_| Malformed::Other);
    let (headers, all) = (number(headers)?, number(all)?);
    if all > LARGEST_MESSAGE {
        return Err(Malformed::Size);
    }
    if headers > all {
        return Err(Malformed::Other);
    }
    let Some(body) = after.get(..all + 2) else { return Ok(None) };
    if !body.ends_with(b"\r\n") {
        return Err(Malformed::Other);
    }
    let mut message = Message { subject: (*subject).to_owned(), payload: body[headers..all].to_vec(), ..Message::default() };
    if form == Form::Headed {
        (message.status, message.headers) = read_headers(&body[..headers])?;
    }
    Ok(Some((Said::Message(message), all + 2)))
}

/// A status, and names with their values.
type Headers = (Option<u16>, Vec<(String, String)>);

/// Reads the headers of a message.
pub fn read_headers(bytes: &[u8]) -> Result<Headers, Malformed> {
    let text = std::str::from_utf8(bytes).map_err(|_| Malformed::Other)?;
    let mut lines = text.split("\r\n");
    let first = lines.next().and_then(|line| line.strip_prefix(HEADERS)).ok_or(Malformed::Other)?.trim();
    let status = match first.split_ascii_whitespace().next() {
        Some(code) => Some(code.parse().map_err(|_| Malformed::Other)?),
        None => None,
    };
    let mut headers = Vec::new();
    for line in lines.filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').ok_or(Malformed::Other)?;
        if headers.len() == MOST_HEADERS {
            return Err(Malformed::Size);
        }
        headers.push((name.trim().to_owned(), value.trim().to_owned()));
    }
    Ok((status, headers))
}

/// Appends a message. Subjects, names and values are without blanks at their ends, line feeds and, but for values, blanks within: whoever
/// makes them sees to that.
pub fn publish(out: &mut Vec<u8>, subject: &str, reply: Option<&str>, headers: &[(&str, &str)], payload: &[u8]) {
    let mut head = String::new();
    if !headers.is_empty() {
        head.push_str(HEADERS);
        head.push_str("\r\n");
        for (name, value) in headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        head.push_str("\r\n");
    }
    let reply = reply.map(|reply| format!(" {reply}")).unwrap_or_default();
    let all = head.len() + payload.len();
    let line = match head.len() {
        0 => format!("PUB {subject}{reply} {all}\r\n"),
        headers => format!("HPUB {subject}{reply} {headers} {all}\r\n"),
    };
    out.extend_from_slice(line.as_bytes());
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(payload);
    out.extend_from_slice(b"\r\n");
}

/// Others' words, fit to stand in a line of ours.
pub fn one_line(words: &str) -> String {
    words.chars().take(200).map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(bytes: &[u8]) -> Said {
        let (said, taken) = read(bytes).expect("it is NATS").expect("it is whole");
        assert_eq!(taken, bytes.len());
        said
    }

    #[test]
    fn what_a_server_says_is_read() {
        let Said::Info(info) = whole(b"INFO {\"version\":\"2.15.1\",\"headers\":true,\"nonce\":\"ab\",\"max_payload\":1048576}\r\n") else {
            panic!("no INFO")
        };
        assert_eq!((info.version.as_str(), info.nonce.as_deref(), info.headers, info.tls_required), ("2.15.1", Some("ab"), true, false));
        assert_eq!(whole(b"PING\r\n"), Said::Ping);
        assert_eq!(whole(b"pong\n"), Said::Pong);
        assert_eq!(whole(b"+OK\r\n"), Said::Ok);
        assert_eq!(whole(b"-ERR 'Authorization Violation'\r\n"), Said::Refused("Authorization Violation".to_owned()));
        let Said::Message(message) = whole(b"MSG _INBOX.a.1 1 4\r\n{\r\n}\r\n") else { panic!("no message") };
        assert_eq!((message.subject.as_str(), message.payload.as_slice()), ("_INBOX.a.1", b"{\r\n}".as_slice()));
        let Said::Message(message) = whole(b"HMSG _INBOX.a.1 1 16 16\r\nNATS/1.0 503\r\n\r\n\r\n") else { panic!("no message") };
        assert_eq!((message.status, message.payload.len()), (Some(503), 0));
        let Said::Message(message) = whole(b"HMSG a 1 r 30 32\r\nNATS/1.0\r\nNats-Sequence: 7\r\n\r\nhi\r\n") else { panic!("no message") };
        assert_eq!((message.status, message.header("nats-sequence"), message.payload.as_slice()), (None, Some("7"), b"hi".as_slice()));
    }

    #[test]
    fn what_is_cut_off_is_waited_for_and_what_is_no_nats_is_not() {
        let said = b"HMSG a 1 r 30 32\r\nNATS/1.0\r\nNats-Sequence: 7\r\n\r\nhi\r\n";
        for end in 0..said.len() {
            assert_eq!(read(&said[..end]), Ok(None), "{end} bytes");
        }
        for other in [&b"HTTP/1.1 400"[..], b"220 mail", b"\x15\x03\x01", b"SSH-2.0-x\r\n", b"MSG a 1 5\r\nhello!!", b"HMSG a 1 9 5\r\n"] {
            assert_eq!(read(other), Err(Malformed::Other), "{other:?}");
        }
        assert_eq!(read(b"MSG a 1 99999999\r\n"), Err(Malformed::Size));
        assert_eq!(read(&[b"INFO ".as_slice(), &vec![b'x'; LONGEST_LINE]].concat()), Err(Malformed::Line));
    }

    #[test]
    fn a_message_is_written_with_its_lengths() {
        let mut out = Vec::new();
        publish(&mut out, "a.b", None, &[], b"hi");
        publish(&mut out, "a.b", Some("r"), &[("K", "v")], b"hi");
        assert_eq!(out, b"PUB a.b 2\r\nhi\r\nHPUB a.b r 18 20\r\nNATS/1.0\r\nK: v\r\n\r\nhi\r\n");
    }

    mod any_bytes {
        use super::super::*;
        use crate::testing::{cases, hostile};
        use proptest::prelude::*;

        fn seeds() -> Vec<Vec<u8>> {
            [
                &b"INFO {\"version\":\"2.15.1\",\"headers\":true,\"nonce\":\"ab\",\"max_payload\":1048576}\r\n"[..],
                b"HMSG a 1 r 30 32\r\nNATS/1.0\r\nNats-Sequence: 7\r\n\r\nhi\r\n",
                b"HMSG a 1 16 16\r\nNATS/1.0 503\r\n\r\n\r\n",
                b"MSG _INBOX.a.1 1 4\r\nabcd\r\nPING\r\n",
                b"-ERR 'x'\r\n+OK\r\n",
            ]
            .map(<[u8]>::to_vec)
            .to_vec()
        }

        proptest! {
            #![proptest_config(cases())]

            #[test]
            fn reading_ends_goes_on_and_keeps_no_more_than_came(bytes in hostile(seeds(), 300)) {
                let mut at = 0;
                while let Ok(Some((said, taken))) = read(&bytes[at..]) {
                    prop_assert!(taken > 0 && at + taken <= bytes.len());
                    if let Said::Message(message) = said {
                        prop_assert!(message.payload.len() <= taken);
                    }
                    at += taken;
                }
            }

            #[test]
            fn where_a_cut_falls_changes_nothing(bytes in hostile(seeds(), 300), cut in any::<prop::sample::Index>()) {
                let cut = cut.index(bytes.len() + 1);
                if let Ok(Some(whole)) = read(&bytes[..cut]) {
                    prop_assert_eq!(read(&bytes), Ok(Some(whole)));
                }
            }

            #[test]
            fn what_is_written_can_be_read(subject in "[a-z.]{1,20}", name in "[A-Za-z-]{1,10}", value in "[!-~]{1,20}", payload in any::<Vec<u8>>()) {
                let mut out = Vec::new();
                publish(&mut out, &subject, None, &[(&name, &value)], &payload);
                // A server hands it on with the number of the subscription.
                let text = [b"HMSG ".as_slice(), subject.as_bytes(), b" 1", &out["HPUB ".len() + subject.len()..]].concat();
                let Ok(Some((Said::Message(message), _))) = read(&text) else { return Err(TestCaseError::fail("unreadable")) };
                prop_assert_eq!(message.header(&name), Some(value.as_str()));
                prop_assert_eq!(message.payload, payload);
            }
        }
    }
}
