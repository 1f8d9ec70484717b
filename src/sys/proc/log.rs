//! What a VPN client's log says since its last start: how did its session begin, end, or fail to begin? The log is a file, or what the
//! journal keeps of the client's unit (`journal.rs`). Only markers are looked for: nothing of a log is kept or shown, for it may hold names.

use crate::model::{Unseen, VpnLog};
use crate::sys::{files, sources};
use std::path::Path;

/// How much of the log's end is read.
pub(super) const TAIL: u64 = 64 * 1024;

/// Lower-case words of a line, all of which it must hold, and what they mean. The first row that fits a line counts.
const MARKERS: &[(&[&str], VpnLog)] = &[
    // A server refuses credentials or certificate.
    (&["auth_failed"], VpnLog::AuthFailed),                      // OpenVPN
    (&["your certificate has expired"], VpnLog::AuthFailed),     // OpenVPN, of the client's own
    (&["authentication_failed"], VpnLog::AuthFailed),            // strongSwan
    (&["eap authentication failed"], VpnLog::AuthFailed),        // strongSwan
    (&["chap authentication failed"], VpnLog::AuthFailed),       // pppd, MS-CHAP too
    (&["pap authentication failed"], VpnLog::AuthFailed),        // pppd
    (&["failed to authenticate ourselves"], VpnLog::AuthFailed), // pppd
    (&["failed to obtain webvpn cookie"], VpnLog::AuthFailed),   // OpenConnect
    (&["login failed"], VpnLog::AuthFailed),                     // OpenConnect
    (&["alert certificate "], VpnLog::AuthFailed),               // OpenSSL: expired, revoked, unknown, required
    (&["alert bad certificate"], VpnLog::AuthFailed),            // OpenSSL
    (&["alert unknown ca"], VpnLog::AuthFailed),                 // OpenSSL
    // Idle, or as old as it may become.
    (&["inactivity timeout (--inactive)"], VpnLog::IdleTimeout), // OpenVPN
    (&["due to lack of activity"], VpnLog::IdleTimeout),         // pppd
    (&["connect time expired"], VpnLog::IdleTimeout),            // pppd
    (&["server disconnect", "idle"], VpnLog::IdleTimeout),       // OpenConnect
    (&["server disconnect", "timeout"], VpnLog::IdleTimeout),    // OpenConnect
    // The server says goodbye.
    (&["server disconnect"], VpnLog::EndedByServer),            // OpenConnect
    (&["session terminated by server"], VpnLog::EndedByServer), // OpenConnect
    (&["lcp terminated by peer"], VpnLog::EndedByServer),       // pppd
    (&["received delete for ike_sa"], VpnLog::EndedByServer),   // strongSwan
    (&["server-pushed-halt"], VpnLog::EndedByServer),           // OpenVPN
    (&["remote-exit"], VpnLog::EndedByServer),                  // OpenVPN, explicit-exit-notify of its server
    // The server went silent or away.
    (&["inactivity timeout (--ping-"], VpnLog::Dropped),     // OpenVPN
    (&["connection reset, restarting"], VpnLog::Dropped),    // OpenVPN over TCP
    (&["tls key negotiation failed"], VpnLog::Dropped),      // OpenVPN
    (&["cstp dead peer detection"], VpnLog::Dropped),        // OpenConnect
    (&["reconnect failed"], VpnLog::Dropped),                // OpenConnect
    (&["peer not responding"], VpnLog::Dropped),             // strongSwan
    (&["giving up after", "retransmits"], VpnLog::Dropped),  // strongSwan
    (&["no response to", "echo-requests"], VpnLog::Dropped), // pppd
    // The client fails.
    (&["exiting due to fatal error"], VpnLog::Died),         // OpenVPN
    (&["unrecoverable i/o error"], VpnLog::Died),            // OpenConnect
    (&["fatal signal"], VpnLog::Died),                       // pppd
    (&["main process exited", "/failure"], VpnLog::Died),    // systemd
    (&["main process exited", "code=killed"], VpnLog::Died), // systemd
    (&["main process exited", "code=dumped"], VpnLog::Died), // systemd
    // A session.
    (&["initialization sequence completed"], VpnLog::Established), // OpenVPN
    (&["established dtls connection"], VpnLog::Established),       // OpenConnect
    (&["connected as "], VpnLog::Established),                     // OpenConnect
    (&["configured as ", "connected"], VpnLog::Established),       // OpenConnect 9
    (&["local  ip address"], VpnLog::Established),                 // pppd
    (&["ike_sa ", "established"], VpnLog::Established),            // strongSwan
    // A fresh start, or credentials that were accepted.
    (&["openvpn 2."], VpnLog::Quiet),               // OpenVPN's first line
    (&["authentication succeeded"], VpnLog::Quiet), // pppd: CHAP and PAP
];

/// Reads the end of a log. Blocks. The error says why it could not be read.
pub fn read_log(path: &Path) -> Result<VpnLog, Unseen> {
    files::read_tail(path, TAIL).map(|text| judge(&text)).map_err(|error| sources::of_log(path, &error))
}

/// The last telling line decides, but for what is only the echo of a reason that was told before.
pub(super) fn judge(text: &str) -> VpnLog {
    text.lines().fold(VpnLog::Quiet, |state, line| meaning(line).map_or(state, |heard| next(state, heard)))
}

fn meaning(line: &str) -> Option<VpnLog> {
    let line = line.to_ascii_lowercase();
    MARKERS.iter().find(|(words, _)| words.iter().all(|word| line.contains(word))).map(|(_, state)| *state)
}

/// A client that was refused or sent away also loses its server, and ends with an error: the reason stands until a new beginning.
fn next(state: VpnLog, heard: VpnLog) -> VpnLog {
    let told = matches!(state, VpnLog::AuthFailed | VpnLog::IdleTimeout | VpnLog::EndedByServer);
    match heard {
        VpnLog::Dropped | VpnLog::Died if told => state,
        VpnLog::EndedByServer if matches!(state, VpnLog::AuthFailed | VpnLog::IdleTimeout) => state,
        _ => heard,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_refusal_counts_until_a_session_is_accepted() {
        let refused =
            "2026-01-01 OpenVPN 2.6.3 x86_64\n2026-01-01 AUTH: Received control message: AUTH_FAILED\n2026-01-01 SIGTERM received\n";
        assert_eq!(judge(refused), VpnLog::AuthFailed);
        assert_eq!(judge(&format!("{refused}2026-01-02 Initialization Sequence Completed\n")), VpnLog::Established);
        assert_eq!(judge(&format!("{refused}2026-01-02 OpenVPN 2.6.3 x86_64\n")), VpnLog::Quiet);
        assert_eq!(judge(&format!("Initialization Sequence Completed\n{refused}")), VpnLog::AuthFailed);
    }

    #[test]
    fn every_kind_of_client_is_understood() {
        for line in [
            "pppd[1]: CHAP authentication failed: E=691",
            "charon: received AUTHENTICATION_FAILED notify error",
            "OpenSSL: error:0A000415:SSL routines::sslv3 alert certificate expired",
            "tlsv1 alert unknown ca",
            "Failed to obtain WebVPN cookie",
        ] {
            assert_eq!(judge(line), VpnLog::AuthFailed, "{line}");
        }
        assert_eq!(judge("pppd: CHAP authentication failed\npppd: CHAP authentication succeeded"), VpnLog::Quiet);
        assert_eq!(judge("AUTHENTICATION_FAILED\nIKE_SA centre[1] established between"), VpnLog::Established);
        assert_eq!(judge("AUTHENTICATION_FAILED\ninitiating IKE_SA centre[1]"), VpnLog::AuthFailed);
    }

    #[test]
    fn how_a_session_ended_is_told_apart() {
        for (line, state) in [
            ("[vpn-server] Inactivity timeout (--ping-restart), restarting", VpnLog::Dropped),
            ("Connection reset, restarting [0]", VpnLog::Dropped),
            ("TLS Error: TLS key negotiation failed to occur within 60 seconds (check your network connectivity)", VpnLog::Dropped),
            ("CSTP Dead Peer Detection detected dead peer!", VpnLog::Dropped),
            ("09[IKE] giving up after 5 retransmits", VpnLog::Dropped),
            ("Inactivity timeout (--inactive), exiting", VpnLog::IdleTimeout),
            ("Terminating connection due to lack of activity.", VpnLog::IdleTimeout),
            ("Received server disconnect: b0 'Idle Timeout'", VpnLog::IdleTimeout),
            ("Received server disconnect: b0 'Session terminated'", VpnLog::EndedByServer),
            ("LCP terminated by peer (User request)", VpnLog::EndedByServer),
            ("12[IKE] received DELETE for IKE_SA centre[1]", VpnLog::EndedByServer),
            ("Exiting due to fatal error", VpnLog::Died),
            ("openvpn-client@centre.service: Main process exited, code=exited, status=1/FAILURE", VpnLog::Died),
            ("openvpn-client@centre.service: Main process exited, code=killed, status=9/KILL", VpnLog::Died),
            ("openvpn-client@centre.service: Main process exited, code=exited, status=0/SUCCESS", VpnLog::Established),
            ("SIGTERM[hard,] received, process exiting", VpnLog::Established),
        ] {
            assert_eq!(judge(&format!("Initialization Sequence Completed\n{line}\n")), state, "{line}");
        }
    }

    #[test]
    fn a_reason_that_was_told_outlives_its_echo() {
        let ended = "Main process exited, code=exited, status=1/FAILURE\n";
        assert_eq!(judge(&format!("AUTH_FAILED\n{ended}")), VpnLog::AuthFailed);
        let expired = "OpenVPN 2.6.3 x86_64\nWARNING: Your certificate has expired!\n";
        assert_eq!(judge(&format!("{expired}TLS Error: TLS key negotiation failed to occur within 60 seconds\n")), VpnLog::AuthFailed);
        assert_eq!(
            judge(&format!("{expired}Initialization Sequence Completed\n")),
            VpnLog::Established,
            "its server takes it nevertheless"
        );
        assert_eq!(judge(&format!("14[IKE] received EAP_FAILURE, EAP authentication failed\n{ended}")), VpnLog::AuthFailed);
        assert_eq!(judge(&format!("CHAP authentication failed\nLCP terminated by peer\n{ended}")), VpnLog::AuthFailed);
        assert_eq!(
            judge(&format!("Terminating connection due to lack of activity.\nLCP terminated by peer\n{ended}")),
            VpnLog::IdleTimeout
        );
        assert_eq!(judge(&format!("Session terminated by server; exiting.\nReconnect failed\n{ended}")), VpnLog::EndedByServer);
        assert_eq!(judge(&format!("Inactivity timeout (--ping-restart), restarting\n{ended}")), VpnLog::Died);
    }

    #[test]
    fn a_log_that_cannot_be_read_says_which_and_why() {
        for path in ["/nonexistent/openvpn.log", "/proc/self"] {
            assert!(matches!(read_log(Path::new(path)), Err(Unseen::Error(why)) if why.contains(path)), "{path}");
        }
    }

    mod any_bytes {
        use super::*;
        use crate::testing::{cases, hostile};
        use proptest::collection::vec;
        use proptest::sample::select;

        /// A line for every row of the table.
        fn every_marker() -> Vec<Vec<u8>> {
            MARKERS.iter().map(|(words, _)| format!("2026-01-01 {}\n", words.join(" x ")).into_bytes()).collect()
        }

        proptest! {
            #![proptest_config(cases())]

            #[test]
            fn of_a_log_are_read_to_their_end(bytes in hostile(vec![b"x OpenVPN 2.6.3\nx AUTH: AUTH_FAILED\nIKE_SA a established\n".to_vec()], 400)) {
                let text = String::from_utf8_lossy(&bytes);
                prop_assert!(judge(&text) != VpnLog::Unread);
            }

            #[test]
            fn before_the_last_telling_line_decide_nothing(
                bytes in hostile(every_marker(), 200),
                end in select(vec![
                    ("Initialization Sequence Completed", VpnLog::Established),
                    ("OpenVPN 2.6.3 x86_64", VpnLog::Quiet),
                    ("AUTH: Received control message: AUTH_FAILED", VpnLog::AuthFailed),
                    ("Terminating connection due to lack of activity.", VpnLog::IdleTimeout),
                ]),
            ) {
                // As the file is read: its end, cut anywhere, lossily.
                let from = bytes.len().saturating_sub(100);
                let text = String::from_utf8_lossy(&bytes[from..]);
                prop_assert_eq!(judge(&format!("{text}\n{}\n", end.0)), end.1);
            }

            #[test]
            fn of_a_log_without_a_marker_tell_nothing(bytes in vec(any::<u8>(), 0..200)) {
                let text = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
                let telling = MARKERS.iter().any(|(words, _)| words.iter().all(|word| text.contains(word)));
                prop_assert!(telling || judge(&text) == VpnLog::Quiet);
            }
        }
    }
}
