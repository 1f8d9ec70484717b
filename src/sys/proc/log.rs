//! What a VPN client's log says since its last start: did the server refuse us?

use crate::model::VpnLog;
use crate::sys::files;
use std::path::Path;

/// How much of the log's end is read.
const TAIL: u64 = 64 * 1024;

/// Lines that forget what was before them: a fresh start, or a session that was accepted. Lower case.
const FRESH: &[&str] = &[
    "initialization sequence completed", // OpenVPN
    "openvpn 2.",                        // its first line
    "established dtls connection",       // OpenConnect
    "connected as ",                     // OpenConnect
    "authentication succeeded",          // pppd: CHAP and PAP
    "local  ip address",                 // pppd
    "ike_sa ",                           // strongSwan, with "established"
];

/// Lines by which a server refuses credentials or certificate. Lower case.
const REFUSED: &[&str] = &[
    "auth_failed",                      // OpenVPN
    "authentication_failed",            // strongSwan
    "chap authentication failed",       // pppd
    "pap authentication failed",        // pppd
    "failed to authenticate ourselves", // pppd
    "ms-chap authentication failed",    // pppd
    "failed to obtain webvpn cookie",   // OpenConnect
    "login failed",                     // OpenConnect
    "alert certificate ",               // OpenSSL: expired, revoked, unknown, required
    "alert bad certificate",            // OpenSSL
    "alert unknown ca",                 // OpenSSL
];

/// Reads the end of a log. Blocks.
pub fn read_log(path: &Path) -> VpnLog {
    files::read_tail(path, TAIL).map_or(VpnLog::Unread, |text| judge(&text))
}

/// The last telling line decides. Only markers are looked for: nothing of the log is kept or shown, for it may hold names.
fn judge(text: &str) -> VpnLog {
    let mut state = VpnLog::Quiet;
    for line in text.lines() {
        let line = line.to_ascii_lowercase();
        if REFUSED.iter().any(|marker| line.contains(marker)) {
            state = VpnLog::AuthFailed;
        } else if FRESH.iter().any(|marker| line.contains(marker) && (*marker != "ike_sa " || line.contains("established"))) {
            state = VpnLog::Quiet;
        }
    }
    state
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
        assert_eq!(judge(&format!("{refused}2026-01-02 Initialization Sequence Completed\n")), VpnLog::Quiet);
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
        assert_eq!(judge("AUTHENTICATION_FAILED\nIKE_SA centre[1] established between"), VpnLog::Quiet);
        assert_eq!(judge("AUTHENTICATION_FAILED\ninitiating IKE_SA centre[1]"), VpnLog::AuthFailed);
    }

    #[test]
    fn a_log_that_is_not_there_is_unread() {
        assert_eq!(read_log(Path::new("/nonexistent/openvpn.log")), VpnLog::Unread);
        assert_eq!(read_log(Path::new("/proc/self")), VpnLog::Unread);
    }

    mod any_bytes {
        use super::*;
        use crate::testing::{cases, hostile};

        proptest! {
            #![proptest_config(cases())]

            #[test]
            fn of_a_log_are_quiet_or_a_refusal(bytes in hostile(vec![b"x OpenVPN 2.6.3\nx AUTH: AUTH_FAILED\nIKE_SA a established\n".to_vec()], 400)) {
                let text = String::from_utf8_lossy(&bytes);
                prop_assert!(judge(&text) != VpnLog::Unread);
            }
        }
    }
}
