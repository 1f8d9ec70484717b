//! IKE's first packet (RFC 7296), by which a stranger learns that an `IPsec` server lives, and the reading of what comes back.
//!
//! The request is well formed and offers only an encryption for private use (numbers from 1024 on), which nobody takes: a server says
//! "no proposal chosen" and keeps nothing. One under pressure asks for a cookie, one that speaks only another version says so: every
//! answer with our own number on it is a sign of life.

/// IKE's header.
const HEADER: usize = 28;
/// What tells IKE from ESP on port 4500 (RFC 3948).
const NON_ESP: [u8; 4] = [0; 4];
/// The port where IKE shares with ESP.
const SHARED_PORT: u16 = 4500;
/// IKE's own port.
const PORT: u16 = 500;

/// The exchange that opens a session, in version 2.
const SA_INIT: u8 = 34;
/// The sender of a packet opened the exchange.
const INITIATOR: u8 = 0x08;
/// The packet is an answer (version 2 only).
const RESPONSE: u8 = 0x20;
/// 2048-bit MODP, which every implementation knows; its public value is as long as its modulus.
const GROUP: u16 = 14;
const PUBLIC_VALUE: usize = 256;
const NONCE: usize = 32;

/// Payload types.
const SA: u8 = 33;
const KEY_EXCHANGE: u8 = 34;
const NONCE_PAYLOAD: u8 = 40;
const NONE: u8 = 0;

/// Whether a port speaks IKE.
pub(super) fn is_spoken_on(port: u16) -> bool {
    matches!(port, PORT | SHARED_PORT)
}

/// The other of the two ports of IKE.
pub(super) fn other_port(port: u16) -> u16 {
    if port == PORT { SHARED_PORT } else { PORT }
}

/// The opening of a session with `spi`, our random number of it, for this port.
pub(super) fn request(spi: u64, port: u16) -> Vec<u8> {
    let mut payloads = payload(KEY_EXCHANGE, &proposal());
    let mut exchange = GROUP.to_be_bytes().to_vec();
    exchange.extend([0, 0]);
    exchange.extend(noise(spi, PUBLIC_VALUE));
    payloads.extend(payload(NONCE_PAYLOAD, &exchange));
    payloads.extend(payload(NONE, &noise(!spi, NONCE)));

    let mut packet = if port == SHARED_PORT { NON_ESP.to_vec() } else { Vec::new() };
    packet.extend(spi.to_be_bytes());
    packet.extend([0; 8]);
    packet.extend([SA, 0x20, SA_INIT, INITIATOR]);
    packet.extend([0; 4]);
    packet.extend(length32(HEADER + payloads.len()));
    packet.extend(payloads);
    packet
}

/// A payload: what comes next, its length, its body.
fn payload(next: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![next, 0];
    bytes.extend(length16(4 + body.len()));
    bytes.extend(body);
    bytes
}

/// One proposal of four transforms: an encryption nobody has, and what everybody knows.
fn proposal() -> Vec<u8> {
    const TRANSFORMS: [(u8, u16); 4] = [(1, 65_501), (2, 5), (3, 12), (4, GROUP)];
    let last = TRANSFORMS.len() - 1;
    let transforms: Vec<u8> = TRANSFORMS
        .iter()
        .enumerate()
        .flat_map(|(i, (kind, id))| {
            let more = if i == last { 0 } else { 3 };
            let [high, low] = id.to_be_bytes();
            [more, 0, 0, 8, *kind, 0, high, low]
        })
        .collect();
    let mut bytes = vec![0, 0];
    bytes.extend(length16(8 + transforms.len()));
    bytes.extend([1, 1, 0, 4]);
    bytes.extend(transforms);
    bytes
}

fn length16(length: usize) -> [u8; 2] {
    u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes()
}

fn length32(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes()
}

/// Bytes that look drawn by lot: nothing secret hangs on them (xorshift).
fn noise(seed: u64, count: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()[0]
    };
    // Neither a leading zero nor the modulus: a value that any implementation takes for a number.
    std::iter::once(0x5a).chain(std::iter::repeat_with(next)).take(count).collect()
}

/// Whether these bytes from this port are an answer to the session `spi`. Takes any bytes.
pub(super) fn is_answer(bytes: &[u8], spi: u64, port: u16) -> bool {
    let message = if port == SHARED_PORT { bytes.strip_prefix(&NON_ESP) } else { Some(bytes) };
    let Some(header) = message.and_then(|message| message.first_chunk::<HEADER>()) else { return false };
    let whole = message.map_or(0, <[u8]>::len);
    let length = u32::from_be_bytes([header[24], header[25], header[26], header[27]]);
    let ours = header[..8] == spi.to_be_bytes();
    // A server of the first version has no such flag and may say that it is one.
    let answers = header[17] >> 4 == 1 || header[19] & RESPONSE != 0;
    ours && answers && usize::try_from(length).is_ok_and(|length| (HEADER..=whole).contains(&length))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPI: u64 = 0x0102_0304_0506_0708;

    /// What strongSwan 5.9.8 answered to the request: "no proposal chosen".
    const REFUSAL: &str = "0102030405060708 0000000000000000 29202220 00000000 00000024 00000008 0000000e";

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<char> = hex.chars().filter(char::is_ascii_hexdigit).collect();
        digits.chunks(2).map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).expect("two digits")).collect()
    }

    #[test]
    fn the_lengths_of_the_request_agree_with_it() {
        let packet = request(SPI, PORT);
        assert_eq!(packet[..8], SPI.to_be_bytes());
        assert_eq!(packet[24..28], length32(packet.len()));
        let mut at = HEADER;
        let mut kinds = vec![packet[16]];
        while at < packet.len() {
            kinds.push(packet[at]);
            at += usize::from(u16::from_be_bytes([packet[at + 2], packet[at + 3]]));
        }
        assert_eq!((at, kinds), (packet.len(), vec![SA, KEY_EXCHANGE, NONCE_PAYLOAD, NONE]));
        assert_eq!(request(SPI, SHARED_PORT)[4..], packet, "the same behind the marker");
        assert!(packet.len() < 576, "fits every path");
    }

    #[test]
    fn an_answer_with_our_number_on_it_is_one() {
        let refusal = bytes(REFUSAL);
        assert!(is_answer(&refusal, SPI, PORT));
        assert!(is_answer(&[&NON_ESP[..], &refusal].concat(), SPI, SHARED_PORT));
        let mut first_version = refusal.clone();
        (first_version[17], first_version[19]) = (0x10, 0);
        assert!(is_answer(&first_version, SPI, PORT));
    }

    #[test]
    fn what_is_no_answer_is_none() {
        let refusal = bytes(REFUSAL);
        assert!(!is_answer(&refusal, SPI + 1, PORT), "another session's");
        assert!(!is_answer(&refusal, SPI, SHARED_PORT), "without the marker");
        assert!(!is_answer(&refusal[..35], SPI, PORT), "cut");
        assert!(!is_answer(&request(SPI, PORT), SPI, PORT), "an echo service");
        assert!(!is_answer(&request(SPI, SHARED_PORT), SPI, SHARED_PORT), "an echo service");
        assert!(!is_answer(&[], SPI, PORT) && !is_answer(&[0], SPI, SHARED_PORT));
    }

    mod any_bytes {
        use super::*;
        use crate::testing::{cases, hostile};
        use proptest::prelude::*;

        proptest! {
            #![proptest_config(cases())]

            #[test]
            fn of_an_ike_server_are_an_answer_only_with_our_number(seed in hostile(vec![bytes(REFUSAL), request(SPI, SHARED_PORT)], 600)) {
                for port in [PORT, SHARED_PORT] {
                    let ours = seed.windows(8).any(|part| part == SPI.to_be_bytes());
                    prop_assert!(!is_answer(&seed, SPI, port) || (ours && seed.len() >= HEADER));
                }
            }

            #[test]
            fn of_what_we_sent_ourselves_are_no_answer(spi in any::<u64>(), cut in 0..400_usize) {
                for port in [PORT, SHARED_PORT] {
                    let sent = request(spi, port);
                    prop_assert!(!is_answer(&sent[..cut.min(sent.len())], spi, port));
                }
            }

            #[test]
            fn behind_a_true_head_are_an_answer_whatever_they_are(spi in any::<u64>(), body in proptest::collection::vec(any::<u8>(), 0..200), less in 0..200_usize) {
                let mut answer = bytes(REFUSAL)[..HEADER].to_vec();
                answer[..8].copy_from_slice(&spi.to_be_bytes());
                let claimed = HEADER + body.len().saturating_sub(less);
                answer[24..28].copy_from_slice(&length32(claimed));
                answer.extend(&body);
                prop_assert!(is_answer(&answer, spi, PORT));
                let more = length32(answer.len() + 1);
                answer[24..28].copy_from_slice(&more);
                prop_assert!(!is_answer(&answer, spi, PORT), "it claims more than came");
            }
        }
    }
}
