//! A question as a datagram, encoded once and asked again and again.

use hickory_resolver::proto::op::{Message, Query};
use hickory_resolver::proto::rr::{Name, RecordType};

/// The question for one family of addresses, as a datagram but for its number (the first two bytes). Without EDNS: old servers answer
/// FORMERR to it. `None` = not a name that can be asked for.
pub fn question(name: &Name, record: RecordType) -> Option<Vec<u8>> {
    let mut message = Message::query();
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(name.clone(), record));
    message.to_vec().ok()
}

/// An answer for `settle.centre`, under the number 0x1234: an alias and an address, the name by a pointer.
#[cfg(test)]
pub fn answer() -> Vec<u8> {
    let mut bytes = vec![0x12, 0x34, 0x81, 0x80, 0, 1, 0, 2, 0, 0, 0, 0, 6];
    bytes.extend(b"settle\x06centre\0\0\x01\0\x01");
    bytes.extend([0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, 4, 1, b'a', 0xc0, 19]);
    bytes.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 20, 0, 10]);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_read_as_it_was_meant() {
        let name = Name::from_ascii("settle.centre.").expect("a name");
        let bytes = question(&name, RecordType::AAAA).expect("encoded");
        let message = Message::from_vec(&bytes).expect("a message");
        assert!(message.metadata.recursion_desired);
        assert_eq!((message.queries[0].name(), message.queries[0].query_type()), (&name, RecordType::AAAA));
        assert!(message.edns.is_none());
    }
}
