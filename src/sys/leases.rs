//! What the network handed out, from the lease files of DHCP clients: name servers, and scripts that name proxies. What cannot be read is
//! passed over: this only ever says that something came from outside.

use super::files;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;

/// Where systemd-networkd, NetworkManager and dhclient keep them.
const PLACES: [&str; 4] = ["/run/systemd/netif/leases", "/var/lib/NetworkManager", "/var/lib/dhcp", "/var/lib/dhclient"];
/// No lease file is larger but one that was never tidied up, of which the end counts.
const LARGEST: u64 = 256 * 1024;
/// Files of one directory that are looked at.
const MOST_FILES: usize = 256;

/// Longest address of a script.
const LONGEST_SCRIPT: usize = 512;

/// All name servers.
pub fn name_servers() -> BTreeSet<IpAddr> {
    texts().flat_map(|text| parse(&text)).collect()
}

/// Addresses of scripts that name proxies (option 252).
pub fn scripts() -> BTreeSet<String> {
    texts().flat_map(|text| parse_scripts(&text)).collect()
}

fn texts() -> impl Iterator<Item = String> {
    let entries = PLACES.iter().filter_map(|place| Path::new(place).read_dir().ok()).flat_map(|entries| entries.flatten().take(MOST_FILES));
    entries.filter_map(|entry| files::read_tail(&entry.path(), LARGEST).ok())
}

/// `OPTION_252=` and hexadecimal digits of systemd, `option wpad "…";` of dhclient.
fn parse_scripts(text: &str) -> BTreeSet<String> {
    let unhex = |digits: &str| -> Option<String> {
        let bytes: Option<Vec<u8>> = (0..digits.len()).step_by(2).map(|i| u8::from_str_radix(digits.get(i..i + 2)?, 16).ok()).collect();
        String::from_utf8(bytes?).ok()
    };
    let quoted = |rest: &str| rest.split('"').nth(1).map(str::to_owned);
    let found = text.lines().filter_map(|line| {
        let line = line.trim();
        let of_dhclient = || ["option wpad", "option unknown-252", "option wpad-url"].iter().find_map(|key| line.strip_prefix(key));
        line.strip_prefix("OPTION_252=").and_then(unhex).or_else(|| of_dhclient().and_then(quoted))
    });
    // Some servers end it by a zero or a line feed.
    let tidy = found.map(|url| url.trim_matches(|c: char| c.is_whitespace() || c == '\0').to_owned());
    tidy.filter(|url| !url.is_empty() && url.len() <= LONGEST_SCRIPT && !url.contains(char::is_control)).collect()
}

/// `DNS=a b` of systemd and NetworkManager, `option domain-name-servers a, b;` of dhclient.
fn parse(text: &str) -> BTreeSet<IpAddr> {
    let lists = text.lines().filter_map(|line| {
        let line = line.trim();
        line.strip_prefix("DNS=")
            .or_else(|| line.strip_prefix("option domain-name-servers "))
            .or_else(|| line.strip_prefix("option dhcp6.name-servers "))
    });
    lists.flat_map(|list| list.split([' ', ',', ';'])).filter_map(|word| word.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_of_each_client_are_found() {
        let dhclient = "lease {\n  interface \"eth0\";\n  fixed-address 10.0.0.7;\n  option routers 10.0.0.1;\n  option domain-name-servers 10.0.0.2,10.0.0.3;\n}\n";
        let networkd = "# This is private data. Do not parse.\nADDRESS=10.0.0.7\nROUTER=10.0.0.1\nDNS=10.0.0.2 10.0.0.3\n";
        let servers: BTreeSet<IpAddr> = ["10.0.0.2", "10.0.0.3"].map(|ip| ip.parse().expect("an address")).into();
        assert_eq!(parse(dhclient), servers);
        assert_eq!(parse(networkd), servers);
        assert_eq!(parse("option routers 10.0.0.1;\n#DNS=10.0.0.1"), BTreeSet::new());
    }

    #[test]
    fn a_script_that_was_handed_out_is_found() {
        let url = BTreeSet::from(["http://10.1.0.9/w.dat".to_owned()]);
        assert_eq!(parse_scripts("ADDRESS=10.0.0.7\nOPTION_252=687474703a2f2f31302e312e302e392f772e64617400\n"), url);
        assert_eq!(parse_scripts("  option wpad \"http://10.1.0.9/w.dat\\n\";\n".replace("\\n", "").as_str()), url);
        for text in ["OPTION_252=6", "OPTION_252=zz", "OPTION_253=68747470", "option wpad;", "option wpad \"\";", ""] {
            assert_eq!(parse_scripts(text), BTreeSet::new(), "{text}");
        }
    }

    mod any_bytes {
        use super::*;
        use crate::testing::{cases, hostile};
        use proptest::prelude::*;

        proptest! {
            #![proptest_config(cases())]

            #[test]
            fn of_a_lease_are_no_more_servers_than_words(bytes in hostile(vec![b"DNS=10.0.0.2 fd00::1\nOPTION_252=6874\noption wpad \"h\";\n".to_vec()], 300)) {
                let text = String::from_utf8_lossy(&bytes);
                prop_assert!(parse(&text).len() <= text.len());
                prop_assert!(parse_scripts(&text).iter().all(|url| url.len() <= LONGEST_SCRIPT));
            }
        }
    }
}
