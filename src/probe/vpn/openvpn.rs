//! OpenVPN's first packet, by which a client without keys can learn that the service lives.

/// `P_CONTROL_HARD_RESET_CLIENT_V2` in the upper five bits, key id 0 in the lower three.
const HARD_RESET_CLIENT_V2: u8 = 7 << 3;

/// The opening of a session: opcode, our random session id, no acknowledgements, packet number 0. A server answers with its own reset; with
/// `tls-auth` or `tls-crypt` it stays silent to strangers, so silence proves nothing.
pub(super) fn hard_reset(session: u64) -> Vec<u8> {
    let mut packet = vec![HARD_RESET_CLIENT_V2];
    packet.extend(session.to_be_bytes());
    packet.push(0);
    packet.extend(0_u32.to_be_bytes());
    packet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_packet_is_as_the_protocol_has_it() {
        assert_eq!(hard_reset(0x0102_0304_0506_0708), [0x38, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0]);
    }
}
