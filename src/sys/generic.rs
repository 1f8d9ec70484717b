//! Generic netlink as bytes: a question with one attribute, and the messages and attributes of an answer. Pure.

use std::io;

pub(in crate::sys) const NLMSG_ERROR: u16 = 2;
pub(in crate::sys) const NLMSG_DONE: u16 = 3;
/// `nlmsghdr`.
pub(in crate::sys) const MESSAGE_HEADER: usize = 16;
/// `nlmsghdr` and `genlmsghdr`.
pub(in crate::sys) const HEADERS: usize = MESSAGE_HEADER + 4;
/// The controller of generic netlink has a fixed number.
pub(in crate::sys) const CONTROLLER: u16 = 16;
const CTRL_CMD_GETFAMILY: u8 = 3;
pub(in crate::sys) const CTRL_ATTR_FAMILY_ID: u16 = 1;
pub(in crate::sys) const CTRL_ATTR_FAMILY_NAME: u16 = 2;
const REQUEST: u16 = 1;
pub(in crate::sys) const REQUEST_DUMP: u16 = 0x301;
/// The two high bits of an attribute's type are flags.
const TYPE_MASK: u16 = 0x3fff;

/// Asks for the number of a family.
pub(in crate::sys) fn family_request(name: &str) -> Vec<u8> {
    request(CONTROLLER, REQUEST, CTRL_CMD_GETFAMILY, 1, CTRL_ATTR_FAMILY_NAME, format!("{name}\0").as_bytes())
}

/// The number of the family.
pub(in crate::sys) fn family_answer(bytes: &[u8]) -> io::Result<u16> {
    for message in messages(bytes) {
        let message = message?;
        if let Some(id) =
            attributes(message.attributes).find(|(kind, _)| *kind == CTRL_ATTR_FAMILY_ID).and_then(|(_, data)| data.first_chunk())
        {
            return Ok(u16::from_ne_bytes(*id));
        }
    }
    Err(malformed())
}

/// A question with one attribute.
pub(in crate::sys) fn request(kind: u16, flags: u16, command: u8, version: u8, attribute: u16, value: &[u8]) -> Vec<u8> {
    let length = 4 + value.len();
    let mut bytes = header(length.next_multiple_of(4), kind, flags, command, version);
    bytes.extend(u16::try_from(length).unwrap_or(u16::MAX).to_ne_bytes());
    bytes.extend(attribute.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(HEADERS + length.next_multiple_of(4), 0);
    bytes
}

/// A question about all there are.
pub(in crate::sys) fn request_all(kind: u16, command: u8) -> Vec<u8> {
    header(0, kind, REQUEST_DUMP, command, 0)
}

fn header(body: usize, kind: u16, flags: u16, command: u8, version: u8) -> Vec<u8> {
    let mut bytes = u32::try_from(HEADERS + body).unwrap_or(u32::MAX).to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend([0; 8]);
    bytes.extend([command, version, 0, 0]);
    bytes
}

/// One message.
pub(in crate::sys) struct Message<'a> {
    pub(in crate::sys) kind: u16,
    pub(in crate::sys) attributes: &'a [u8],
}

/// The messages of one datagram; the kernel's refusal is an error with its number.
pub(in crate::sys) fn messages(mut bytes: &[u8]) -> impl Iterator<Item = io::Result<Message<'_>>> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let read = (|| {
            let length = usize::try_from(u32::from_ne_bytes(*bytes.first_chunk()?)).ok()?;
            let message = bytes.get(..length).filter(|message| message.len() >= MESSAGE_HEADER)?;
            let kind = u16::from_ne_bytes(*message.get(4..)?.first_chunk()?);
            Some((message, kind, length.next_multiple_of(4)))
        })();
        let Some((message, kind, next)) = read else {
            bytes = &[];
            return Some(Err(malformed()));
        };
        bytes = bytes.get(next..).unwrap_or_default();
        let number = message.get(MESSAGE_HEADER..).and_then(<[u8]>::first_chunk).map(|number| i32::from_ne_bytes(*number));
        if matches!(kind, NLMSG_ERROR | NLMSG_DONE) && number.is_some_and(|number| number < 0) {
            bytes = &[];
            return Some(Err(io::Error::from_raw_os_error(number.unwrap_or(0).saturating_neg())));
        }
        let attributes = if matches!(kind, NLMSG_ERROR | NLMSG_DONE) { &[] } else { message.get(HEADERS..).unwrap_or_default() };
        Some(Ok(Message { kind, attributes }))
    })
}

/// The attributes of a message or of a nested one; what does not fit ends them.
pub(in crate::sys) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(*bytes.first_chunk()?));
        let kind = u16::from_ne_bytes(*bytes.get(2..)?.first_chunk()?) & TYPE_MASK;
        let data = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, data))
    })
}

pub(in crate::sys) fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a malformed answer")
}
