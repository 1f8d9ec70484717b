//! Which keys of a configuration watch, keep or tell less than before. Pure.
//!
//! A key is named where the later value could let something pass that the earlier one would have shown; whether somebody wanted it is not
//! judged. Contacts, language, names, the program's own log and announced maintenance are no part of the watch.

use super::centre::Centre;
use super::duties::{Firewall, IsolationMode, IsolationSettings, LogTransport, Roots, Sink, Usb};
use super::types::{Access, Config};
use super::vpn::Vpn;
use ipnet::IpNet;

/// The keys, in the order of the file; `vpn.NAME` and the like where a whole table is gone.
pub fn weakened(old: &Config, new: &Config) -> Vec<String> {
    let mut found = Found(Vec::new());
    found.lists(old, new);
    found.network(old, new);
    found.vpns(&old.vpns, &new.vpns);
    found.dns(old, new);
    for before in &old.centres {
        found.centre(before, new.centre(&before.name));
    }
    found.probe(old, new);
    found.isolation(&old.isolation, &new.isolation);
    found.when("usb.allow", !usb_covered(&old.usb, &new.usb));
    found.when("clock.step", new.clock.step > old.clock.step);
    found.when("clock.time-daemons", grown(&old.clock.time_daemons, &new.clock.time_daemons));
    found.rules(old, new);
    found.upload(old, new);
    for before in &old.sinks {
        found.sink(before, new.sinks.iter().find(|sink| sink.name() == before.name()));
    }
    found.when("retention.keep", new.retention.keep < old.retention.keep);
    found.when("retention.unacknowledged", new.retention.unacknowledged < old.retention.unacknowledged);
    found.0
}

struct Found(Vec<String>);

impl Found {
    fn when(&mut self, key: impl Into<String>, weaker: bool) {
        if weaker {
            self.0.push(key.into());
        }
    }

    fn lost<T>(&mut self, key: impl Into<String>, old: Option<&T>, new: Option<&T>) {
        self.when(key, old.is_some() && new.is_none());
    }

    fn lists(&mut self, old: &Config, new: &Config) {
        self.when("terminal.local-services", shrunk(&old.terminal.local_services, &new.terminal.local_services));
    }

    fn network(&mut self, old: &Config, new: &Config) {
        let (before, after) = (old.network.access, new.network.access);
        // Over broadband an outer path exists by design; where the access is not known, less can be called a breach.
        self.when("network.access", before != after && matches!(after, Access::VpnOverInternet | Access::Unknown));
        self.when("network.allowed-prefixes", widened(&old.network.allowed_prefixes, &new.network.allowed_prefixes));
    }

    fn vpns(&mut self, old: &[Vpn], new: &[Vpn]) {
        for before in old {
            let key = |name: &str| format!("vpn.{}.{name}", before.name);
            let Some(after) = new.iter().find(|vpn| vpn.name == before.name) else {
                self.0.push(format!("vpn.{}", before.name));
                continue;
            };
            self.lost(key("server"), before.server.as_ref(), after.server.as_ref());
            self.lost(key("unit"), before.unit.as_ref(), after.unit.as_ref());
            self.lost(key("process"), before.process.as_ref(), after.process.as_ref());
            self.lost(key("log"), before.log.as_ref(), after.log.as_ref());
            self.lost(key("inside"), before.inside.as_ref(), after.inside.as_ref());
        }
    }

    fn dns(&mut self, old: &Config, new: &Config) {
        let (before, after) = (&old.dns, &new.dns);
        self.when("dns.names", shrunk(&before.names, &after.names));
        self.when("dns.expect-prefixes", widened(&before.expect_prefixes, &after.expect_prefixes));
        self.lost("dns.control-name", before.control_name.as_ref(), after.control_name.as_ref());
        self.when("dns.slow", after.slow > before.slow);
    }

    fn centre(&mut self, before: &Centre, after: Option<&Centre>) {
        let key = |name: &str| format!("centre.{}.{name}", before.name);
        let Some(after) = after else {
            self.0.push(format!("centre.{}", before.name));
            return;
        };
        self.when(key("ping"), before.ping && !after.ping);
        self.when(key("tcp"), shrunk(&before.tcp, &after.tcp));
        self.lost(key("tls"), before.tls.as_ref(), after.tls.as_ref());
        if let (Some(before), Some(after)) = (&before.tls, &after.tls) {
            self.lost(key("tls.ca"), before.ca.as_ref(), after.ca.as_ref());
        }
        self.lost(key("http"), before.http.as_ref(), after.http.as_ref());
        if let (Some(before), Some(after)) = (&before.http, &after.http) {
            self.when(key("http.status"), grown(&before.status, &after.status));
            self.when(key("http.slow"), after.slow > before.slow);
        }
        self.when(key("expect-prefixes"), widened(&before.expect_prefixes, &after.expect_prefixes));
        self.lost(key("upload-test"), before.upload_test.as_ref(), after.upload_test.as_ref());
        self.when(key("critical"), before.critical && !after.critical);
    }

    fn probe(&mut self, old: &Config, new: &Config) {
        let (before, after) = (&old.probe, &new.probe);
        self.when("probe.interval", after.interval > before.interval);
        self.when("probe.timeout", after.timeout > before.timeout);
        // Harder to open, easier to close.
        self.when("probe.raise", after.raise.failures > before.raise.failures || after.raise.within < before.raise.within);
        self.when("probe.clear", after.clear.successes < before.clear.successes || after.clear.within > before.clear.within);
    }

    fn isolation(&mut self, old: &IsolationSettings, new: &IsolationSettings) {
        self.when("isolation.mode", eagerness(new.mode) < eagerness(old.mode));
        let both = old.mode == IsolationMode::Periodic && new.mode == IsolationMode::Periodic;
        self.when("isolation.interval", both && new.interval > old.interval);
        // Who chooses the roots chooses what counts as proof.
        self.when("isolation.roots", old.roots != new.roots && new.roots != Roots::Embedded);
        self.when("isolation.anchors", shrunk(&old.anchors, &new.anchors));
        self.when("isolation.controls", shrunk(&old.controls, &new.controls));
        self.when("isolation.canary", old.canary.is_some() && new.canary != old.canary);
    }

    fn rules(&mut self, old: &Config, new: &Config) {
        let (before, after) = (&old.rules, &new.rules);
        self.when("rules.set", before.set.is_some() && after.set != before.set);
        self.when("rules.forbidden-software", shrunk(&before.forbidden_software, &after.forbidden_software));
        // One of them must run: with more of them it is easier, without any nothing is asked for.
        let antivirus = !before.antivirus.is_empty() && (after.antivirus.is_empty() || grown(&before.antivirus, &after.antivirus));
        self.when("rules.antivirus", antivirus);
        self.when("rules.firewall", before.firewall != Firewall::None && after.firewall == Firewall::None);
        // Whoever holds the key can have findings lowered.
        self.when("rules.bureau-key", after.bureau_key.is_some() && after.bureau_key != before.bureau_key);
    }

    fn upload(&mut self, old: &Config, new: &Config) {
        let (before, after) = (&old.upload, &new.upload);
        self.lost("upload.marker", before.marker.as_ref(), after.marker.as_ref());
        self.lost("upload.download-marker", before.download_marker.as_ref(), after.download_marker.as_ref());
        self.when("upload.due", before.due.is_some_and(|due| after.due.is_none_or(|later| later > due)));
    }

    fn sink(&mut self, before: &Sink, after: Option<&Sink>) {
        let name = before.name();
        let key = |key: &str| format!("sink.{name}.{key}");
        match (before, after) {
            (Sink::Journal { .. }, Some(Sink::Journal { .. })) => {}
            (
                Sink::Syslog { transport, ca, client_cert, heartbeat, .. },
                Some(Sink::Syslog { transport: transport_now, ca: ca_now, client_cert: cert_now, heartbeat: heartbeat_now, .. }),
            ) => {
                self.when(key("heartbeat"), heartbeat_now > heartbeat);
                self.when(key("transport"), *transport == LogTransport::Tls && *transport_now == LogTransport::Tcp);
                self.lost(key("ca"), ca.as_ref(), ca_now.as_ref());
                self.lost(key("client-cert"), client_cert.as_ref(), cert_now.as_ref());
            }
            (
                Sink::Nats { servers, credentials, ca, client_cert, heartbeat, .. },
                Some(Sink::Nats {
                    servers: servers_now,
                    credentials: credentials_now,
                    ca: ca_now,
                    client_cert: cert_now,
                    heartbeat: heartbeat_now,
                    ..
                }),
            ) => {
                self.when(key("heartbeat"), heartbeat_now > heartbeat);
                let plain = |servers: &[url::Url]| servers.iter().any(|server| server.scheme() != "tls");
                self.when(key("servers"), plain(servers_now) && !plain(servers));
                self.lost(key("credentials"), credentials.as_ref(), credentials_now.as_ref());
                self.lost(key("ca"), ca.as_ref(), ca_now.as_ref());
                self.lost(key("client-cert"), client_cert.as_ref(), cert_now.as_ref());
            }
            // Gone, or something else under its name.
            (Sink::Journal { .. } | Sink::Syslog { .. } | Sink::Nats { .. }, _) => self.0.push(format!("sink.{name}")),
        }
    }
}

fn eagerness(mode: IsolationMode) -> u8 {
    match mode {
        IsolationMode::Off => 0,
        IsolationMode::EventOnly => 1,
        IsolationMode::Periodic => 2,
    }
}

/// Something of the old list is not in the new one.
fn shrunk<T: PartialEq>(old: &[T], new: &[T]) -> bool {
    old.iter().any(|item| !new.contains(item))
}

/// Something of the new list was not in the old one.
fn grown<T: PartialEq>(old: &[T], new: &[T]) -> bool {
    shrunk(new, old)
}

/// More addresses count as right than before. An empty list judges nothing (or leaves it to enrolment), so emptying one widens it; filling one
/// widens it only by addresses that are public, because what enrolment had learned is not known here.
fn widened(old: &[IpNet], new: &[IpNet]) -> bool {
    match (old, new) {
        ([_, ..], []) => true,
        ([], new) => new.iter().any(|net| !private().iter().any(|inside| inside.contains(net))),
        (old, new) => new.iter().any(|net| !old.iter().any(|before| before.contains(net))),
    }
}

/// RFC 1918, 6598 and 4193.
fn private() -> [IpNet; 5] {
    ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"]
        .map(|net| net.parse().expect("a constant prefix is well-formed"))
}

/// Every device that may be plugged in now could be before.
fn usb_covered(old: &Usb, new: &Usb) -> bool {
    new.allow.iter().all(|now| {
        let covers = |before: &super::duties::UsbAllowed| {
            before.vendor.eq_ignore_ascii_case(&now.vendor)
                && before.product.eq_ignore_ascii_case(&now.product)
                && (before.serial.is_none() || before.serial == now.serial)
        };
        old.allow.iter().any(covers)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn between(old: &str, new: &str) -> Vec<String> {
        let config = |text: &str| toml::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        weakened(&config(old), &config(new))
    }

    const VPN: &str = "[[vpn]]\nname='a'\ninterface='tun0'\n";
    const CENTRE: &str = "[[centre]]\nname='s'\nhost='h'\n";
    const SYSLOG: &str = "[[sink]]\nname='x'\nkind='syslog'\naddress='10.0.0.1:1'\n";
    const NATS: &str = "[[sink]]\nname='x'\nkind='nats'\n";
    const ANCHOR: &str = "address='1.1.1.1:443',server-name='a',operator=";

    /// The key, the earlier and the later form; the other way round nothing is weaker unless it says so.
    fn cases() -> Vec<(&'static str, String, String)> {
        let table = |head: &str, line: &str| format!("{head}\n{line}\n");
        let pair = |key, head: &str, old: &str, new: &str| (key, table(head, old), table(head, new));
        vec![
            pair("terminal.local-services", "[terminal]", "local-services=['127.0.0.1:1','127.0.0.1:2']", "local-services=['127.0.0.1:1']"),
            pair("network.access", "[network]", "access='leased-line'", "access='vpn-over-internet'"),
            pair("network.allowed-prefixes", "[network]", "allowed-prefixes=['10.1.0.0/16']", "allowed-prefixes=['10.0.0.0/8']"),
            ("vpn.a", VPN.to_owned(), String::new()),
            pair("vpn.a.server", VPN, "server='v:1'", ""),
            pair("vpn.a.unit", VPN, "unit='u'", ""),
            pair("vpn.a.process", VPN, "process='p'", ""),
            pair("vpn.a.log", VPN, "log='/l'", ""),
            pair("vpn.a.inside", VPN, "inside='10.0.0.1'", ""),
            pair("dns.names", "[dns]", "names=['a','b']", "names=['b']"),
            pair("dns.expect-prefixes", "[dns]", "expect-prefixes=['10.1.0.0/16']", "expect-prefixes=[]"),
            pair("dns.control-name", "[dns]", "control-name='c'", ""),
            pair("dns.slow", "[dns]", "slow='1s'", "slow='2s'"),
            ("centre.s", CENTRE.to_owned(), String::new()),
            pair("centre.s.ping", CENTRE, "", "ping=false"),
            pair("centre.s.tcp", CENTRE, "tcp=[1,2]", "tcp=[1]"),
            pair("centre.s.tls", CENTRE, "tls={port=443}", ""),
            pair("centre.s.tls.ca", CENTRE, "tls={ca='/c'}", "tls={}"),
            pair("centre.s.http", CENTRE, "http={url='http://h/'}", ""),
            pair("centre.s.http.status", CENTRE, "http={url='http://h/',status=[200]}", "http={url='http://h/',status=[200,500]}"),
            pair("centre.s.http.slow", CENTRE, "http={url='http://h/',slow='1s'}", "http={url='http://h/',slow='2s'}"),
            pair("centre.s.expect-prefixes", CENTRE, "expect-prefixes=['10.1.0.0/16']", "expect-prefixes=['10.1.0.0/16','10.2.0.0/16']"),
            pair("centre.s.upload-test", CENTRE, "upload-test={url='http://h/'}", ""),
            pair("centre.s.critical", CENTRE, "", "critical=false"),
            pair("probe.interval", "[probe]", "interval='15s'", "interval='1h'"),
            pair("probe.timeout", "[probe]", "timeout='2s'", "timeout='9s'"),
            pair("probe.raise", "[probe]", "raise={failures=3,within='15s'}", "raise={failures=9,within='15s'}"),
            pair("probe.raise", "[probe]", "raise={failures=3,within='15s'}", "raise={failures=3,within='1s'}"),
            pair("probe.clear", "[probe]", "clear={successes=2,within='10s'}", "clear={successes=1,within='10s'}"),
            pair("probe.clear", "[probe]", "clear={successes=2,within='10s'}", "clear={successes=2,within='1h'}"),
            pair("isolation.mode", "[isolation]", "mode='periodic'", "mode='event-only'"),
            pair("isolation.mode", "[isolation]", "mode='event-only'", "mode='off'"),
            pair("isolation.interval", "[isolation]\nmode='periodic'", "interval='60s'", "interval='1h'"),
            pair("isolation.roots", "[isolation]", "", "roots='/r.pem'"),
            (
                "isolation.anchors",
                format!("[isolation]\nanchors=[{{{ANCHOR}'a'}},{{{ANCHOR}'b'}}]"),
                format!("[isolation]\nanchors=[{{{ANCHOR}'a'}}]"),
            ),
            pair("isolation.controls", "[isolation]", "controls=['203.0.113.1:443']", "controls=[]"),
            pair("isolation.canary", "[isolation]", "canary={address='198.51.100.1:443',public-key='k'}", ""),
            pair("usb.allow", "[usb]", "allow=[]", "allow=[{vendor='0951',product='1666'}]"),
            pair("usb.allow", "[usb]", "allow=[{vendor='0951',product='1666',serial='a'}]", "allow=[{vendor='0951',product='1666'}]"),
            pair("clock.step", "[clock]", "step='2s'", "step='1h'"),
            pair("clock.time-daemons", "[clock]", "time-daemons=['chronyd']", "time-daemons=['chronyd','his']"),
            pair("rules.set", "[rules]", "set='example'", ""),
            pair("rules.forbidden-software", "[rules]", "forbidden-software=['a','b']", "forbidden-software=['b']"),
            pair("rules.antivirus", "[rules]", "antivirus=['clamd']", "antivirus=[]"),
            pair("rules.firewall", "[rules]", "firewall='auto'", "firewall='none'"),
            pair("rules.bureau-key", "[rules]", "", "bureau-key='k'"),
            pair("upload.marker", "[upload]", "marker='/m'", ""),
            pair("upload.download-marker", "[upload]", "download-marker='/m'", ""),
            pair("upload.due", "[upload]", "due='20:00'", "due='22:00'"),
            ("sink.x", "[[sink]]\nname='x'\nkind='journal'\n".to_owned(), String::new()),
            ("sink.x", SYSLOG.to_owned(), "[[sink]]\nname='x'\nkind='journal'\n".to_owned()),
            pair("sink.x.transport", SYSLOG, "transport='tls'", "transport='tcp'"),
            pair("sink.x.ca", SYSLOG, "ca='/c'", ""),
            pair("sink.x.heartbeat", SYSLOG, "", "heartbeat='10m'"),
            pair("sink.x.client-cert", SYSLOG, "client-cert='/c'\nclient-key='/k'", ""),
            pair("sink.x.servers", NATS, "servers=['tls://a:1']", "servers=['nats://a:1']"),
            pair("sink.x.credentials", NATS, "servers=['tls://a:1']\ncredentials='/c'", "servers=['tls://a:1']"),
            pair("retention.keep", "[retention]", "keep='200d'", "keep='30d'"),
            pair("retention.unacknowledged", "[retention]", "unacknowledged='64MiB'", "unacknowledged='1MiB'"),
        ]
    }

    #[test]
    fn each_key_that_watches_less_is_named_and_nothing_else() {
        for (key, old, new) in cases() {
            assert_eq!(between(&old, &new), [key], "{old}\n->\n{new}");
        }
    }

    #[test]
    fn what_watches_more_is_not_named() {
        for (key, old, new) in cases() {
            // Something else under the name of a sink is a change of receiver both ways.
            if key == "sink.x" && !new.is_empty() {
                continue;
            }
            let found = between(&new, &old);
            assert!(found.is_empty(), "{key}: {found:?}\n{new}\n->\n{old}");
        }
    }

    #[test]
    fn prefixes_filled_in_for_the_first_time_are_wider_only_where_public() {
        let first = |net: &str| between("", &format!("[network]\nallowed-prefixes=['{net}']"));
        assert!(first("10.0.0.0/8").is_empty() && first("172.20.0.0/16").is_empty() && first("fd00::/8").is_empty());
        assert_eq!(first("0.0.0.0/0"), ["network.allowed-prefixes"]);
        assert_eq!(first("8.0.0.0/8"), ["network.allowed-prefixes"]);
    }

    #[test]
    fn whom_to_call_is_no_part_of_the_watch() {
        let contacts = "language='en'\n[contacts]\nvendor={name='v',phone='1'}\n[terminal]\nname='n'\nperson-in-charge='p'";
        assert!(between(contacts, "").is_empty() && between("", contacts).is_empty());
    }

    #[test]
    fn the_same_configuration_is_not_weaker_than_itself() {
        for (_, old, new) in cases() {
            assert!(between(&old, &old).is_empty() && between(&new, &new).is_empty());
        }
    }
}
