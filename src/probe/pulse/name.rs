//! The question of a pulse to a name server: encoded once, asked on a fresh socket each time, as applications do. An old socket could go
//! on through a filter that lets nothing new pass.
//!
//! Only the plain case is settled here: one family's address, or silence. Whatever else comes is asked again with the care of
//! [`dns::query`], which knows both families, long answers over TCP and every oddity.

use crate::model::{Outcome, Sighting};
use crate::probe::dns;
use crate::sys::datagrams::{Datagrams, Trouble};
use hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// The port of DNS.
const PORT: u16 = 53;
/// The question is repeated so often: one lost datagram decides nothing.
const AGAIN: Duration = Duration::from_millis(333);

/// What a name server is asked for all day.
pub(super) struct Question {
    text: String,
    name: Name,
    /// For each family, but for their number; `None` = not a name that can be asked for.
    four: Option<Vec<u8>>,
    six: Option<Vec<u8>>,
}

/// What came.
#[derive(Debug, PartialEq, Eq)]
enum Heard {
    /// An address of that name.
    Address,
    /// Nothing in time, or a refusal by the network.
    Nothing,
    /// Something that wants a closer look.
    Unclear,
}

impl Question {
    /// For the addresses of `name`.
    pub(super) fn new(name: &str) -> Self {
        let text = name.to_owned();
        let Ok(mut name) = Name::from_utf8(name) else { return Self { text, name: Name::root(), four: None, six: None } };
        name.set_fqdn(true);
        Self { four: dns::question(&name, RecordType::A), six: dns::question(&name, RecordType::AAAA), name, text }
    }

    /// Whether `resolver` gives an address. `like` is one that worked: its family is asked for.
    pub(super) async fn is_answered(&self, resolver: IpAddr, like: Option<IpAddr>, patience: Duration) -> bool {
        let six = like.is_some_and(|ip| ip.is_ipv6());
        let (record, question) = if six { (RecordType::AAAA, &self.six) } else { (RecordType::A, &self.four) };
        let heard = match question {
            Some(question) => ask(SocketAddr::new(resolver, PORT), question.clone(), (&self.name, record), patience).await,
            None => Heard::Unclear,
        };
        match heard {
            Heard::Address => true,
            Heard::Nothing => false,
            Heard::Unclear => {
                let sighting = Box::pin(dns::query(resolver, &self.text, patience)).await;
                matches!(&sighting, Sighting::Query(_, Outcome::Ok(answer)) if !answer.addresses.is_empty())
            }
        }
    }
}

async fn ask(at: SocketAddr, mut question: Vec<u8>, (name, record): (&Name, RecordType), patience: Duration) -> Heard {
    let deadline = Instant::now() + patience;
    let id = (RandomState::new().hash_one(at) >> 48) as u16;
    question[..2].copy_from_slice(&id.to_be_bytes());
    let socket = match Datagrams::open(at) {
        Ok(socket) => socket,
        Err(trouble) => return against(&trouble),
    };
    loop {
        if let Err(trouble) = socket.send(&question) {
            return against(&trouble);
        }
        match timeout_at(deadline.min(Instant::now() + AGAIN), socket.receive()).await {
            Ok(Ok(bytes)) => return heard(&bytes, id, name, record),
            Ok(Err(trouble)) => return against(&trouble),
            Err(_) if Instant::now() >= deadline => return Heard::Nothing,
            Err(_) => {}
        }
    }
}

fn against(trouble: &Trouble) -> Heard {
    match trouble {
        Trouble::Local(_) | Trouble::Icmp(_) => Heard::Nothing,
        // Our own trouble accuses nobody before it was seen twice.
        Trouble::Unseen(_) => Heard::Unclear,
    }
}

/// What a datagram says; only a whole answer to this very question is one.
fn heard(bytes: &[u8], id: u16, name: &Name, record: RecordType) -> Heard {
    let Ok(message) = Message::from_vec(bytes) else { return Heard::Unclear };
    let about = &message.metadata;
    let ours = about.id == id
        && about.message_type == MessageType::Response
        && matches!(message.queries.as_slice(), [asked] if asked.name() == name && asked.query_type() == record);
    let whole = !about.truncation && about.response_code == ResponseCode::NoError;
    let address = |data: &RData| match record {
        RecordType::AAAA => matches!(data, RData::AAAA(_)),
        _ => matches!(data, RData::A(_)),
    };
    if ours && whole && message.answers.iter().any(|answer| address(&answer.data)) { Heard::Address } else { Heard::Unclear }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::dns::answer;

    fn name() -> Name {
        Name::from_ascii("settle.centre.").expect("a name")
    }

    fn of(change: impl FnOnce(&mut Vec<u8>)) -> Heard {
        let mut bytes = answer();
        change(&mut bytes);
        heard(&bytes, 0x1234, &name(), RecordType::A)
    }

    #[test]
    fn an_address_of_the_name_is_an_answer() {
        assert_eq!(of(|_| {}), Heard::Address);
    }

    #[test]
    fn an_answer_to_another_question_or_without_an_address_wants_a_closer_look() {
        assert_eq!(of(|bytes| bytes[1] = 0x35), Heard::Unclear, "another id");
        assert_eq!(of(|bytes| bytes[2] = 0x01), Heard::Unclear, "a question");
        assert_eq!(of(|bytes| bytes[2] |= 0x02), Heard::Unclear, "cut short");
        assert_eq!(of(|bytes| bytes[3] = 0x82), Heard::Unclear, "SERVFAIL");
        assert_eq!(of(|bytes| bytes[13] = b'x'), Heard::Unclear, "another name");
        assert_eq!(of(|bytes| bytes.truncate(40)), Heard::Unclear, "no whole record");
        assert_eq!(heard(&answer(), 0x1234, &name(), RecordType::AAAA), Heard::Unclear, "another family");
    }

    mod any_bytes {
        use super::{Heard, RecordType, answer, heard, name};
        use crate::testing::{cases, hostile};
        use proptest::prelude::*;

        proptest! {
            #![proptest_config(cases())]

            #[test]
            fn of_a_name_server_are_an_address_only_under_our_number(bytes in hostile(vec![answer()], 200)) {
                let heard = heard(&bytes, 0x1234, &name(), RecordType::A);
                prop_assert!(heard != Heard::Address || bytes.starts_with(&[0x12, 0x34]));
            }
        }
    }
}
