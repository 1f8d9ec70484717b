//! Whom this PC's programs talk to where proxies usually listen: each is asked once whether it leads to the internet. Pure.
//!
//! * Only neighbours inside are asked, one at a time, and never the centre, the VPN's server or a receiver of records: what they do on such a
//!   port is their service. A connection alone is nothing; only who proved itself by way of the other end is told.
//! * Who refused is left alone for a day. Who led outward is told as long as anybody talks to it, and a little longer.

use crate::baseline::Baseline;
use crate::config::{Config, Sink};
use crate::model::Origin;
use crate::probe::outside::Speaks;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

/// Ports on which proxies usually listen, and what they understand there.
const PORTS: [(u16, Speaks); 11] = [
    (1080, Speaks::Socks),
    (3128, Speaks::Http),
    (7890, Speaks::Http),
    (7891, Speaks::Socks),
    (8080, Speaks::Http),
    (8118, Speaks::Http),
    (8123, Speaks::Http),
    (8888, Speaks::Http),
    (10_808, Speaks::Socks),
    (10_809, Speaks::Http),
    (20_171, Speaks::Http),
];
/// How long it counts after the last connection was seen.
const LINGERS: u64 = 10 * 60_000;
/// How long one that refused is left alone.
const LEFT_ALONE: u64 = 24 * 60 * 60_000;
/// Who proved itself once by way of it must do so again: so often it is asked for that.
const MOST_TRIES: u8 = 3;
/// Neighbours that are remembered.
const MOST: usize = 64;

/// What one on this port understands; `None` = proxies do not usually listen there.
pub fn speaks(port: u16) -> Option<Speaks> {
    PORTS.iter().find(|(usual, _)| *usual == port).map(|(_, speaks)| *speaks)
}

/// Whether it has another part in this site, whatever it does on its ports.
pub fn has_a_part(ip: IpAddr, config: &Config, baseline: &Baseline) -> bool {
    let literal = |host: &str| host.trim_matches(['[', ']']).parse::<IpAddr>().ok();
    let centres = config.centres.iter().flat_map(|centre| centre.addresses.iter().copied().chain(literal(&centre.host)));
    let servers = config.vpns.iter().filter_map(|vpn| vpn.server.as_ref()?.address());
    let receivers = config.sinks.iter().flat_map(|sink| match sink {
        Sink::Journal { .. } => Vec::new(),
        Sink::Syslog { address, .. } => vec![address.ip()],
        Sink::Nats { servers, .. } => servers.iter().filter_map(|url| literal(url.host_str()?)).collect(),
    });
    let named = baseline.hosts_entries.iter().flat_map(|entry| entry.addresses.iter().copied());
    centres.chain(servers).chain(receivers).chain(named).any(|known| known == ip)
}

/// A neighbour that somebody talks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Neighbour {
    /// When a connection was last seen, and when it was last asked (`boottime_ms`).
    seen: u64,
    asked: Option<u64>,
    tries: u8,
    origin: Origin,
}

/// What is remembered of them.
#[derive(Debug, Clone, Default)]
pub struct Observed(BTreeMap<SocketAddr, Neighbour>);

impl Observed {
    /// Notes whom programs talk to now. `led` says who proved to lead outward.
    pub fn notice(&mut self, talked_to: &BTreeSet<SocketAddr>, origin: Origin, led: impl Fn(SocketAddr) -> bool, now: u64) {
        for at in talked_to {
            if let Some(neighbour) = self.0.get_mut(at) {
                neighbour.seen = now;
            } else if self.0.len() < MOST || self.forget_one(now) {
                self.0.insert(*at, Neighbour { seen: now, asked: None, tries: 0, origin });
            }
        }
        self.0.retain(|at, one| now < one.seen + LINGERS || (!led(*at) && one.asked.is_some_and(|asked| now < asked + LEFT_ALONE)));
    }

    /// Makes room: one that does not count any more, and may be asked once more should it come again.
    fn forget_one(&mut self, now: u64) -> bool {
        let gone = self.0.iter().filter(|(_, one)| now >= one.seen + LINGERS).min_by_key(|(_, one)| one.seen);
        gone.map(|(at, _)| *at).is_some_and(|at| self.0.remove(&at).is_some())
    }

    /// Who is to be asked now. `alone` says by way of whom somebody proved itself once and not yet twice, `has_a_part` who is passed over.
    pub fn next(&self, alone: impl Fn(SocketAddr) -> bool, has_a_part: impl Fn(&SocketAddr) -> bool, now: u64) -> Option<SocketAddr> {
        let due = |(at, one): &(&SocketAddr, &Neighbour)| {
            let again = one.tries < MOST_TRIES && alone(**at);
            now < one.seen + LINGERS && one.asked.is_none_or(|asked| again || now >= asked + LEFT_ALONE)
        };
        self.0.iter().filter(|(at, _)| !has_a_part(at)).find(due).map(|(at, _)| *at)
    }

    /// It is being asked.
    pub fn asked(&mut self, at: SocketAddr, now: u64) {
        if let Some(one) = self.0.get_mut(&at) {
            one.tries = if one.asked.is_some_and(|asked| now >= asked + LEFT_ALONE) { 1 } else { one.tries.saturating_add(1) };
            one.asked = Some(now);
        }
    }

    /// Who counts, with where it came from.
    pub fn counted(&self, now: u64) -> BTreeMap<SocketAddr, Origin> {
        self.0.iter().filter(|(_, one)| now < one.seen + LINGERS).map(|(at, one)| (*at, one.origin)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn set(list: &[&str]) -> BTreeSet<SocketAddr> {
        list.iter().map(|text| at(text)).collect()
    }

    const NEVER: fn(SocketAddr) -> bool = |_| false;
    const NOBODY: fn(&SocketAddr) -> bool = |_| false;

    #[test]
    fn usual_ports_are_known_and_those_of_services_are_not() {
        assert_eq!((speaks(3128), speaks(1080)), (Some(Speaks::Http), Some(Speaks::Socks)));
        for port in [22, 53, 80, 443, 1433, 1521, 3306, 5432, 8443] {
            assert_eq!(speaks(port), None, "{port}");
        }
    }

    #[test]
    fn the_centre_the_vpn_and_receivers_of_records_have_a_part_and_a_neighbour_has_none() {
        let config: Config = toml::from_str(
            "[[centre]]\nname = 'a'\nhost = '10.20.0.10'\n[[centre]]\nname = 'b'\nhost = 'b.example'\naddresses = ['10.20.0.11']\n\
             [[vpn]]\nname = 'v'\ninterface = 'tun0'\nserver = '10.20.0.12:1194'\n\
             [[sink]]\nname = 's'\nkind = 'syslog'\naddress = '10.20.0.13:6514'\n\
             [[sink]]\nname = 'n'\nkind = 'nats'\nservers = ['tls://10.20.0.14:4222']\n",
        )
        .unwrap();
        let mut baseline = crate::baseline::tests::baseline();
        baseline.hosts_entries =
            vec![crate::baseline::HostsEntry { name: "c.example".to_owned(), addresses: vec!["10.20.0.15".parse().unwrap()] }];
        for last in 10..=16 {
            let ip = IpAddr::from([10, 20, 0, last]);
            assert_eq!(has_a_part(ip, &config, &baseline), last < 16, "{ip}");
        }
    }

    #[test]
    fn each_is_asked_once_and_who_refused_is_left_alone_for_a_day() {
        let mut observed = Observed::default();
        let talked = set(&["10.1.0.5:3128", "10.1.0.6:8080"]);
        let mut asked = Vec::new();
        for now in (0..3 * LEFT_ALONE).step_by(60_000) {
            observed.notice(&talked, Origin::LocalChange, NEVER, now);
            if let Some(next) = observed.next(NEVER, NOBODY, now) {
                observed.asked(next, now);
                asked.push((next, now / LEFT_ALONE));
            }
        }
        let (one, other) = (at("10.1.0.5:3128"), at("10.1.0.6:8080"));
        assert_eq!(asked, [(one, 0), (other, 0), (one, 1), (other, 1), (one, 2), (other, 2)]);
    }

    #[test]
    fn one_that_refused_is_left_alone_even_when_nobody_talked_to_it_meanwhile() {
        let mut observed = Observed::default();
        let talked = set(&["10.1.0.5:3128"]);
        observed.notice(&talked, Origin::LocalChange, NEVER, 0);
        observed.asked(at("10.1.0.5:3128"), 0);
        observed.notice(&set(&[]), Origin::LocalChange, NEVER, 2 * LINGERS);
        assert!(observed.counted(2 * LINGERS).is_empty());
        observed.notice(&talked, Origin::LocalChange, NEVER, 3 * LINGERS);
        assert_eq!(observed.next(NEVER, NOBODY, 3 * LINGERS), None);
    }

    #[test]
    fn one_that_led_outward_counts_while_it_is_talked_to_and_is_asked_anew_when_it_comes_again() {
        let mut observed = Observed::default();
        let (talked, led) = (set(&["10.1.0.5:3128"]), |_: SocketAddr| true);
        observed.notice(&talked, Origin::PreExisting, led, 0);
        observed.asked(at("10.1.0.5:3128"), 0);
        assert_eq!(observed.next(NEVER, NOBODY, 0), None);
        for now in [LINGERS / 2, LINGERS, 2 * LINGERS - 1] {
            observed.notice(&if now == LINGERS { talked.clone() } else { set(&[]) }, Origin::LocalChange, led, now);
            assert_eq!(observed.counted(now), BTreeMap::from([(at("10.1.0.5:3128"), Origin::PreExisting)]), "{now}");
        }
        observed.notice(&set(&[]), Origin::LocalChange, led, 2 * LINGERS);
        assert!(observed.counted(2 * LINGERS).is_empty());
        observed.notice(&talked, Origin::LocalChange, led, 2 * LINGERS + 1);
        assert_eq!(observed.next(NEVER, NOBODY, 2 * LINGERS + 1), Some(at("10.1.0.5:3128")));
    }

    #[test]
    fn who_is_alone_behind_it_is_asked_again_and_not_for_ever() {
        let mut observed = Observed::default();
        observed.notice(&set(&["10.1.0.5:3128"]), Origin::LocalChange, NEVER, 0);
        let mut times = 0;
        while let Some(next) = observed.next(|_| true, NOBODY, 0) {
            observed.asked(next, 0);
            times += 1;
        }
        assert_eq!(times, MOST_TRIES);
    }

    #[test]
    fn a_crowd_of_neighbours_is_bounded() {
        let mut observed = Observed::default();
        let crowd: BTreeSet<SocketAddr> = (0..=u8::MAX).map(|n| SocketAddr::from(([10, 1, 0, n], 8080))).collect();
        observed.notice(&crowd, Origin::LocalChange, NEVER, 0);
        assert_eq!(observed.counted(0).len(), MOST);
    }

    #[test]
    fn whoever_has_a_part_is_passed_over_and_holds_up_nobody() {
        let mut observed = Observed::default();
        observed.notice(&set(&["10.1.0.5:3128", "10.1.0.6:3128"]), Origin::LocalChange, NEVER, 0);
        assert_eq!(observed.next(NEVER, |one| *one == at("10.1.0.5:3128"), 0), Some(at("10.1.0.6:3128")));
    }

    #[test]
    fn those_who_refused_and_are_gone_make_room_for_others_and_those_who_are_talked_to_do_not() {
        let mut observed = Observed::default();
        let crowd: BTreeSet<SocketAddr> = (0..64).map(|n| SocketAddr::from(([10, 1, 0, n], 8080))).collect();
        observed.notice(&crowd, Origin::LocalChange, NEVER, 0);
        while let Some(next) = observed.next(NEVER, NOBODY, 0) {
            observed.asked(next, 0);
        }
        let other = set(&["10.1.1.1:8080"]);
        observed.notice(&crowd.union(&other).copied().collect(), Origin::LocalChange, NEVER, 1);
        assert_eq!(observed.next(NEVER, NOBODY, 1), None, "no room");
        observed.notice(&other, Origin::LocalChange, NEVER, 1 + LINGERS);
        assert_eq!((observed.next(NEVER, NOBODY, 1 + LINGERS), observed.0.len()), (Some(at("10.1.1.1:8080")), MOST));
    }
}
