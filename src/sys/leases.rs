//! Name servers that the network handed out, from the lease files of DHCP clients. What cannot be read is passed over: this only ever says
//! that a change came from outside.

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

/// All of them.
pub fn name_servers() -> BTreeSet<IpAddr> {
    let entries = PLACES.iter().filter_map(|place| Path::new(place).read_dir().ok()).flat_map(|entries| entries.flatten().take(MOST_FILES));
    let texts = entries.filter_map(|entry| files::read_tail(&entry.path(), LARGEST).ok());
    texts.flat_map(|text| parse(&text)).collect()
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

    mod any_bytes {
        use super::*;
        use crate::testing::{cases, hostile};
        use proptest::prelude::*;

        proptest! {
            #![proptest_config(cases())]

            #[test]
            fn of_a_lease_are_no_more_servers_than_words(bytes in hostile(vec![b"DNS=10.0.0.2 fd00::1\n".to_vec()], 300)) {
                let text = String::from_utf8_lossy(&bytes);
                prop_assert!(parse(&text).len() <= text.len());
            }
        }
    }
}
