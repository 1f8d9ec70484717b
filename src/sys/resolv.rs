//! Which name servers the system would ask, and what the hosts file says: `/etc/resolv.conf`, the files behind a local stub, `/etc/hosts`.
//!
//! The parsers take any bytes. A missing resolv.conf is a system without resolvers; an unreadable one is unknown.

use super::files::{self, ReadError};
use crate::model::{Outcome, ResolverSetup, Unseen};
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

/// Largest file that is read. A hosts file of a hundred thousand lines still fits.
const FILE_MAX: u64 = 1024 * 1024;
/// Addresses of one name that are taken from the hosts file.
const ADDRESSES_MAX: usize = 64;
/// The C library uses no more than three (`MAXNS`).
const SERVERS_MAX: usize = 3;

/// Where the files are.
#[derive(Debug, Clone)]
pub struct Places {
    /// What applications read.
    pub resolv_conf: PathBuf,
    /// Where the servers behind a stub on the loopback may be listed, the likeliest first.
    pub behind_stub: Vec<PathBuf>,
    /// The hosts file.
    pub hosts: PathBuf,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            resolv_conf: "/etc/resolv.conf".into(),
            behind_stub: vec!["/run/systemd/resolve/resolv.conf".into(), "/run/NetworkManager/no-stub-resolv.conf".into()],
            hosts: "/etc/hosts".into(),
        }
    }
}

/// The resolvers of this system.
pub fn resolvers(places: &Places) -> Outcome<ResolverSetup> {
    let listed = match files::read(&places.resolv_conf, FILE_MAX) {
        Ok(bytes) => parse_resolv_conf(&bytes),
        Err(e) if e.is_absent() => Vec::new(),
        Err(e) => return Outcome::Unknown(Unseen::Error(e.line())),
    };
    let Some(stub) = listed.iter().copied().find(IpAddr::is_loopback) else {
        return Outcome::Ok(ResolverSetup { servers: listed, stub: None });
    };
    let behind = places.behind_stub.iter().find_map(|path| servers_behind(path));
    Outcome::Ok(ResolverSetup { servers: behind.unwrap_or(listed), stub: Some(stub) })
}

fn servers_behind(path: &Path) -> Option<Vec<IpAddr>> {
    let servers = parse_resolv_conf(&files::read(path, FILE_MAX).ok()?);
    (!servers.is_empty() && !servers.iter().any(IpAddr::is_loopback)).then_some(servers)
}

/// The addresses of a name in the hosts file, in order; empty = it is not there.
pub fn hosts(places: &Places, name: &str) -> Result<Vec<IpAddr>, ReadError> {
    match files::read(&places.hosts, FILE_MAX) {
        Ok(bytes) => Ok(parse_hosts(&bytes, name)),
        Err(e) if e.is_absent() => Ok(Vec::new()),
        Err(e) => Err(e),
    }
}

/// Domains in which short names are looked for, the first two of the last `search` or `domain` line.
pub fn search(places: &Places) -> Vec<String> {
    files::read(&places.resolv_conf, FILE_MAX).map(|bytes| parse_search(&bytes)).unwrap_or_default()
}

fn parse_search(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let of = |line: &str| {
        let mut words = line.split_whitespace();
        let key = words.next().filter(|key| matches!(*key, "search" | "domain"));
        key.map(|_| words.map(|word| word.trim_end_matches('.')).filter(|word| is_domain(word)).take(2).map(str::to_owned).collect())
    };
    text.lines().filter_map(of).next_back().unwrap_or_default()
}

fn is_domain(word: &str) -> bool {
    !word.is_empty() && word.len() <= 253 && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
}

/// The `nameserver` lines, as the C library reads them: the keyword at the very beginning, then an address, the first three. A zone such as
/// `%eth0` is dropped; what is no address is passed over.
fn parse_resolv_conf(bytes: &[u8]) -> Vec<IpAddr> {
    let mut servers = Vec::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        let Some(rest) = line.strip_prefix(b"nameserver").filter(|rest| rest.first().is_some_and(u8::is_ascii_whitespace)) else {
            continue;
        };
        let Ok(text) = std::str::from_utf8(rest.trim_ascii_start()) else { continue };
        let word = text.split([' ', '\t', '\r', '#', ';']).next().unwrap_or_default();
        // The C library takes 0.0.0.0 for "this host".
        let ip = address(word).map(|ip| if ip == Ipv4Addr::UNSPECIFIED { Ipv4Addr::LOCALHOST.into() } else { ip });
        if let Some(ip) = ip.filter(|ip| !servers.contains(ip)) {
            servers.push(ip);
        }
        // A megabyte of them must not take all day.
        if servers.len() == SERVERS_MAX {
            break;
        }
    }
    servers
}

/// Lines `address name name… # comment`. Names compare without case, a final dot aside.
fn parse_hosts(bytes: &[u8], name: &str) -> Vec<IpAddr> {
    let wanted = name.strip_suffix('.').unwrap_or(name);
    let mut found = Vec::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        let line = line.split(|byte| *byte == b'#').next().unwrap_or_default();
        let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let Some(ip) = words.next().and_then(|word| address(std::str::from_utf8(word).ok()?)) else { continue };
        if words.any(|word| word.strip_suffix(b".").unwrap_or(word).eq_ignore_ascii_case(wanted.as_bytes())) && !found.contains(&ip) {
            found.push(ip);
        }
        if found.len() == ADDRESSES_MAX {
            break;
        }
    }
    found
}

fn address(word: &str) -> Option<IpAddr> {
    word.split('%').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ips(list: &[&str]) -> Vec<IpAddr> {
        list.iter().map(|text| text.parse().expect("an address")).collect()
    }

    #[test]
    fn the_last_line_of_domains_counts() {
        let text = b"search a.example b.example c.example\nnameserver 10.0.0.1\n domain x.\nsearch shop.example. /bad other.example\n";
        assert_eq!(parse_search(text), ["shop.example", "other.example"]);
        assert_eq!(parse_search(b"# search a.example\nsearching b\n"), Vec::<String>::new());
    }

    #[test]
    fn reads_nameservers_with_comments_zones_and_carriage_returns() {
        let text = b"# nameserver 9.9.9.9\nnameserver 10.0.0.53 # first\r\nnameserver\tfe80::1%eth0\r\n  nameserver 10.9.9.9\n\
            nameserver10.8.8.8\nnameserver nonsense\nnameserver \xff\xfe\nsearch x\nnameserver 10.0.0.53\nnameserver 10.0.0.54;c";
        assert_eq!(parse_resolv_conf(text), ips(&["10.0.0.53", "fe80::1", "10.0.0.54"]));
    }

    #[test]
    fn keeps_only_the_three_that_applications_use() {
        let text = (1..=9).map(|n| format!("nameserver 10.0.0.{n}\n")).collect::<Vec<_>>().concat();
        assert_eq!(parse_resolv_conf(text.as_bytes()), ips(&["10.0.0.1", "10.0.0.2", "10.0.0.3"]));
    }

    fn places(dir: &Path) -> Places {
        Places { resolv_conf: dir.join("resolv.conf"), behind_stub: vec![dir.join("none"), dir.join("behind")], hosts: dir.join("hosts") }
    }

    #[test]
    fn a_stub_is_replaced_by_the_servers_behind_it_where_those_can_be_read() {
        let dir = tempfile::tempdir().expect("a directory");
        let places = places(dir.path());
        std::fs::write(&places.resolv_conf, "nameserver 127.0.0.53\n").expect("written");
        let alone = ResolverSetup { servers: ips(&["127.0.0.53"]), stub: Some(ips(&["127.0.0.53"])[0]) };
        assert_eq!(resolvers(&places), Outcome::Ok(alone.clone()));
        std::fs::write(dir.path().join("behind"), "nameserver 10.0.0.53\n").expect("written");
        assert_eq!(resolvers(&places), Outcome::Ok(ResolverSetup { servers: ips(&["10.0.0.53"]), ..alone }));
    }

    #[test]
    fn an_absent_file_means_no_resolver_and_an_unreadable_one_means_unknown() {
        let dir = tempfile::tempdir().expect("a directory");
        let places = places(dir.path());
        assert_eq!(resolvers(&places), Outcome::Ok(ResolverSetup::default()));
        std::fs::create_dir(&places.resolv_conf).expect("a directory in its place");
        assert!(matches!(resolvers(&places), Outcome::Unknown(Unseen::Error(_))));
        std::fs::remove_dir(&places.resolv_conf).expect("removed");
        std::fs::write(&places.resolv_conf, vec![b'n'; 2 << 20]).expect("written");
        assert!(matches!(resolvers(&places), Outcome::Unknown(Unseen::Error(_))));
    }

    #[test]
    fn a_name_is_found_in_the_hosts_file_without_case() {
        let text = b"127.0.0.1 localhost\n10.1.1.1\tApi.Centre.example api # api2\n\xff\xfe bad\n10.9 api\nfd00::1 API.centre.example.\n";
        assert_eq!(parse_hosts(text, "api.centre.EXAMPLE"), ips(&["10.1.1.1", "fd00::1"]));
        assert_eq!(parse_hosts(text, "api2"), ips(&[]), "in a comment");
        assert_eq!(parse_hosts(text, "centre.example"), ips(&[]));
    }

    #[test]
    fn a_megabyte_of_addresses_is_read_in_no_time() {
        let lines = |line: fn(u32) -> String| (0..60_000).map(line).collect::<String>();
        let hosts = lines(|n| format!("10.{}.{}.{} a\n", n >> 16, n >> 8 & 255, n & 255));
        assert_eq!(parse_hosts(hosts.as_bytes(), "a").len(), ADDRESSES_MAX);
        let conf = lines(|n| format!("nameserver 10.{}.{}.{}\n", n >> 16, n >> 8 & 255, n & 255));
        assert_eq!(parse_resolv_conf(conf.as_bytes()).len(), SERVERS_MAX);
    }

    mod any_bytes {
        use super::*;
        use crate::testing::{cases, hostile};

        fn conf() -> Vec<u8> {
            b"nameserver 10.0.0.53 # first\r\nnameserver\tfe80::1%eth0\nsearch x\nnameserver 10.0.0.54\n".to_vec()
        }

        fn hosts() -> Vec<u8> {
            b"127.0.0.1 localhost\n10.1.1.1\tApi.Centre.example api # api2\nfd00::1 API.centre.example.\n".to_vec()
        }

        proptest! {
            #![proptest_config(cases())]

            #[test]
            fn of_resolv_conf_give_three_resolvers_at_most(bytes in hostile(vec![conf()], 400)) {
                prop_assert!(parse_resolv_conf(&bytes).len() <= SERVERS_MAX);
            }

            #[test]
            fn of_the_hosts_file_give_few_addresses(bytes in hostile(vec![hosts()], 400), name in "[a-z.]{0,12}") {
                prop_assert!(parse_hosts(&bytes, &name).len() <= ADDRESSES_MAX);
                let _ = parse_hosts(&bytes, "api.centre.example");
            }
        }
    }
}
