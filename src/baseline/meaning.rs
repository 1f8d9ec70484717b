//! What a configuration file says, apart from how it says it: comments, order, spaces, and what decides nothing here. Pure.

use std::collections::BTreeSet;

/// What decides where the time comes from, in the words of chrony, ntp and systemd-timesyncd, in small letters. Where logs are kept, as a
/// new release of a package may say otherwise, does not.
const OF_TIME: [&str; 22] = [
    "server",
    "pool",
    "peer",
    "refclock",
    "initstepslew",
    "makestep",
    "local",
    "manual",
    "rtcsync",
    "rtcfile",
    "include",
    "includefile",
    "confdir",
    "sourcedir",
    "tinker",
    "disable",
    "enable",
    "fudge",
    "broadcastclient",
    "multicastclient",
    "ntp",
    "fallbackntp",
];

/// The entries of a hosts file, each once, in order. What every system brings for itself is left out: its own name, `localhost`, `ip6-...`.
pub(super) fn hosts(text: &str) -> String {
    let entries = text.lines().flat_map(|line| {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        let address = words.next().unwrap_or_default();
        let names = words.map(|name| name.trim_end_matches('.').to_lowercase()).filter(|name| !name.is_empty() && !is_own(address, name));
        names.map(move |name| format!("{address} {name}"))
    });
    in_order(entries)
}

fn is_own(address: &str, name: &str) -> bool {
    let loopback = address.starts_with("127.") || address == "::1";
    address == "127.0.1.1" || name.starts_with("ip6-") || loopback && name.starts_with("localhost")
}

/// The lines that decide where the time comes from.
pub(super) fn time(text: &str) -> String {
    let said = |line: &str| {
        let plain = line.replace('=', " ").to_lowercase();
        let words: Vec<&str> = plain.split_whitespace().take_while(|word| !word.starts_with(['#', ';', '!', '%'])).collect();
        // `NTP=` takes back what was said before.
        let decides = words.first().is_some_and(|first| OF_TIME.contains(first) && (words.len() > 1 || !first.ends_with("ntp")));
        decides.then(|| words.join(" "))
    };
    in_order(text.lines().filter_map(said))
}

fn in_order(lines: impl Iterator<Item = String>) -> String {
    lines.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hosts_file_says_the_same_in_any_order_and_with_any_comment() {
        let first = "127.0.0.1 localhost\n127.0.1.1 till\n10.1.0.9\tsettle.centre.example  settle # the centre\n::1 localhost ip6-localhost ip6-loopback\n";
        let again = "# Your system has configured 'manage_etc_hosts' as True.\n10.1.0.9 settle\n10.1.0.9 Settle.centre.example.\n127.0.1.1 till.shop.example till\n127.0.0.1 localhost localhost4\nff02::1 ip6-allnodes\n";
        assert_eq!(hosts(first), hosts(again));
        assert_eq!(hosts(first), "10.1.0.9 settle\n10.1.0.9 settle.centre.example");
    }

    #[test]
    fn another_address_or_name_says_something_else() {
        for other in ["10.1.0.8 settle", "10.1.0.9 settle other", "", "127.0.0.1 settle", "10.1.0.9 settle\n10.9.9.9 localhost"] {
            assert_ne!(hosts("10.1.0.9 settle"), hosts(other), "{other}");
        }
    }

    #[test]
    fn time_configuration_says_the_same_with_other_comments_and_other_logs() {
        let first = "# Welcome\nserver 10.1.0.3 iburst\nmakestep 1 3\nlogdir /var/log/chrony\n";
        let again = "! new release\nmakestep  1 3\nserver 10.1.0.3 iburst # the bureau's\nntsdumpdir /var/lib/chrony\n";
        assert_eq!(time(first), time(again));
        assert_eq!(time("[Time]\nNTP=10.1.0.3\n"), time("[Time]\n# defaults\nNTP = 10.1.0.3\nRootDistanceMaxSec=5\n"));
        assert_eq!(time("[Time]\n#NTP=\nNTP=\nFallbackNTP=\n"), "");
        assert_eq!(time("This directory is for your own files; see server.\n"), "");
    }

    #[test]
    fn another_server_says_something_else() {
        for other in ["server 10.66.6.6", "server 10.1.0.3 iburst", "#server 10.1.0.3", "server 10.1.0.3\nlocal stratum 1", "pool 10.1.0.3"]
        {
            assert_ne!(time("server 10.1.0.3"), time(other), "{other}");
        }
        assert_ne!(time("NTP=10.1.0.3"), time("NTP=10.1.0.4"));
    }

    mod any_bytes {
        use super::*;
        use crate::testing::{cases, hostile};
        use proptest::prelude::*;

        proptest! {
            #![proptest_config(cases())]

            #[test]
            fn of_a_configuration_say_the_same_when_said_again(bytes in hostile(vec![b"10.1.0.9 settle a.b # c\n".to_vec(), b"server 10.1.0.3 iburst\nNTP=a b\n".to_vec()], 300)) {
                let text = String::from_utf8_lossy(&bytes);
                prop_assert_eq!(hosts(&hosts(&text)), hosts(&text));
                prop_assert_eq!(time(&time(&text)), time(&text));
            }
        }
    }
}
