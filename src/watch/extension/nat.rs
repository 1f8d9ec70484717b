//! Rules that hide others behind this PC's address, out of all that are listed. Pure.
//!
//! The old packet filter's are listed in the words of nftables, so both are seen here. Containers and virtual machines bring such a rule for
//! their own prefix; what a rule is limited to is kept, also where the limit stands in the rule that jumps to its chain.

use crate::baseline::{Rule, read_rules};
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Jumps followed backwards, so that chains that call each other end.
const DEEPEST: usize = 8;
/// Rules and ways that are kept: a hostile rule set must not take all memory.
const MOST: usize = 256;

/// What a rule is limited to; an empty one to nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Limits {
    /// Prefixes of the sender.
    pub sources: Vec<IpNet>,
    /// Interface it came in by.
    pub from: Option<String>,
    /// Interface it goes out by.
    pub out: Option<String>,
}

/// A rule that changes the sender's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NatRule {
    /// Table and chain, e.g. `ip nat POSTROUTING`.
    pub place: String,
    /// The rule without its counters.
    pub text: String,
    /// Each way by which packets come to it.
    pub ways: Vec<Limits>,
}

impl NatRule {
    /// The line that a baseline keeps: where it stands and whom it hides. Another release of the tool may list the same rule in other words.
    pub fn line(&self) -> String {
        let or_any = |name: &Option<String>| name.clone().unwrap_or_else(|| "any".to_owned());
        let way = |way: &Limits| {
            let sources: Vec<String> = way.sources.iter().map(ToString::to_string).collect();
            let sources = if sources.is_empty() { "any".to_owned() } else { sources.join(",") };
            format!("{sources} in {} out {}", or_any(&way.from), or_any(&way.out))
        };
        let mut ways: Vec<String> = self.ways.iter().map(way).collect();
        ways.sort();
        ways.dedup();
        format!("nat {}: {}", self.place, ways.join("; "))
    }
}

/// All rules that change the sender's address.
pub fn rules(ruleset: &str) -> Vec<NatRule> {
    let lines = read_rules(ruleset).rules;
    let mut callers: BTreeMap<(&str, &str), Vec<&Rule<'_>>> = BTreeMap::new();
    for line in &lines {
        for target in line.targets() {
            callers.entry((line.table, target)).or_default().push(line);
        }
    }
    let found = lines.iter().filter(|line| translates(&line.words)).take(MOST);
    found
        .map(|line| NatRule {
            place: format!("{} {}", line.table, line.chain),
            text: line.words.join(" "),
            ways: ways(line, &callers, DEEPEST),
        })
        .collect()
}

fn translates(words: &[&str]) -> bool {
    words.iter().any(|word| matches!(*word, "masquerade" | "snat" | "\"MASQUERADE\"" | "\"SNAT\""))
}

fn after<'a>(words: &[&'a str], key: &str) -> Option<&'a str> {
    words.iter().position(|word| *word == key).and_then(|at| words.get(at + 1)).copied()
}

/// By which ways packets come to a rule: its own limits, and where it has none those of the rules that jump to its chain.
fn ways(line: &Rule<'_>, callers: &BTreeMap<(&str, &str), Vec<&Rule<'_>>>, depth: usize) -> Vec<Limits> {
    let own = limits(&line.words);
    let called = callers.get(&(line.table, line.chain)).filter(|_| own == Limits::default() && depth > 0);
    match called {
        Some(callers_of) => callers_of.iter().flat_map(|caller| ways(caller, callers, depth - 1)).take(MOST).collect(),
        None => vec![own],
    }
}

fn limits(words: &[&str]) -> Limits {
    let name = |keys: [&str; 2]| {
        let told = keys.iter().find_map(|key| after(words, key));
        told.and_then(|name| name.strip_prefix('"')?.strip_suffix('"')).map(str::to_owned)
    };
    Limits { sources: sources(words), from: name(["iifname", "iif"]), out: name(["oifname", "oif"]) }
}

/// The prefixes after `saddr`; none where they are excluded, named elsewhere or not understood.
fn sources(words: &[&str]) -> Vec<IpNet> {
    let Some(at) = words.iter().position(|word| *word == "saddr") else { return Vec::new() };
    let given = &words[at + 1..];
    let list: Vec<&str> = match given.first() {
        Some(&"{") => given[1..].iter().take_while(|word| **word != "}").map(|word| word.trim_end_matches(',')).collect(),
        Some(one) => vec![*one],
        None => Vec::new(),
    };
    let parsed: Option<Vec<IpNet>> = list.into_iter().map(net).collect();
    parsed.unwrap_or_default()
}

fn net(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCKER: &str = "table ip nat { # handle 1\n\tchain DOCKER { # handle 1\n\t\tiifname \"docker0\" counter packets 0 bytes 0 return # handle 9\n\t}\n\n\
        \tchain POSTROUTING { # handle 2\n\t\ttype nat hook postrouting priority srcnat; policy accept;\n\
        \t\toifname != \"docker0\" ip saddr 172.17.0.0/16 counter packets 12 bytes 720 masquerade # handle 3\n\
        \t\tip saddr 172.18.0.0/16 counter packets 0 bytes 0 jump PODS # handle 4\n\t}\n\n\
        \tchain PODS { # handle 5\n\t\tip daddr != 224.0.0.0/4 masquerade comment \"their masquerade is here\" # handle 6\n\t}\n}\n";

    fn sources(rule: &NatRule) -> Vec<String> {
        rule.ways.iter().flat_map(|way| way.sources.iter().map(ToString::to_string)).collect()
    }

    #[test]
    fn a_rule_is_kept_with_what_limits_it_here_or_where_it_is_called() {
        let found = rules(DOCKER);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].line(), "nat ip nat POSTROUTING: 172.17.0.0/16 in any out any");
        assert_eq!(sources(&found[0]), ["172.17.0.0/16"]);
        assert_eq!(found[0].ways[0].out, None, "all but that one is no limit");
        assert_eq!(found[1].place, "ip nat PODS");
        assert_eq!(sources(&found[1]), ["172.18.0.0/16"]);
    }

    #[test]
    fn counting_packets_and_other_words_do_not_make_another_rule() {
        for (words, others) in
            [("packets 12 bytes 720", "packets 99 bytes 9999"), ("bytes 720 masquerade", "bytes 720 xt target \"MASQUERADE\"")]
        {
            assert_eq!(rules(DOCKER)[0].line(), rules(&DOCKER.replace(words, others))[0].line());
        }
        assert_ne!(rules(DOCKER)[0].line(), rules(&DOCKER.replace("ip saddr 172.17.0.0/16", ""))[0].line());
    }

    #[test]
    fn every_way_of_writing_it_is_seen_and_other_rules_are_not() {
        let rule =
            |text: &str| rules(&format!("table ip nat {{ # handle 1\n\tchain post {{ # handle 2\n\t\t{text} # handle 3\n\t}}\n}}\n"));
        let of = |text: &str| rule(text).first().map(|rule| rule.ways[0].clone());
        assert_eq!(of("masquerade"), Some(Limits::default()));
        assert_eq!(of("oifname \"eth0\" masquerade").and_then(|way| way.out).as_deref(), Some("eth0"));
        assert_eq!(of("iifname \"eth1\" oif \"eth0\" snat to 10.1.0.7").and_then(|way| way.from).as_deref(), Some("eth1"));
        assert_eq!(of("oifname \"eth0\" counter packets 0 bytes 0 xt target \"MASQUERADE\"").map(|way| way.sources), Some(Vec::new()));
        assert_eq!(of("ip saddr { 10.9.0.0/24, 10.8.0.1 } masquerade").map(|way| way.sources.len()), Some(2));
        assert_eq!(of("ip saddr != 10.9.0.0/24 masquerade").map(|way| way.sources), Some(Vec::new()));
        assert_eq!(of("ip saddr @inside masquerade").map(|way| way.sources), Some(Vec::new()));
        assert_eq!(of("tcp dport 22 accept comment \"no masquerade here\""), None);
        assert_eq!(of("tcp dport 80 dnat to 10.9.0.2"), None);
    }

    #[test]
    fn the_old_packet_filters_are_seen_with_their_limits() {
        let saved = "*nat\n:POSTROUTING ACCEPT [12:720]\n:SHARE - [0:0]\n-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE\n-A POSTROUTING -o eth0 -j SHARE\n-A SHARE -j MASQUERADE\nCOMMIT\n";
        let listing = crate::baseline::as_nftables(saved, "iptables");
        let found = rules(&listing);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].line(), "nat iptables nat POSTROUTING: 172.17.0.0/16 in any out any");
        assert_eq!((sources(&found[0]), found[0].ways[0].out.clone()), (vec!["172.17.0.0/16".to_owned()], None));
        assert_eq!(found[1].ways[0].out.as_deref(), Some("eth0"));
    }

    #[test]
    fn chains_that_call_each_other_end() {
        let text = "table ip t { # handle 1\n\tchain a { # handle 2\n\t\tjump b # handle 3\n\t\tmasquerade # handle 4\n\t}\n\tchain b { # handle 5\n\t\tjump a # handle 6\n\t}\n}\n";
        assert_eq!(rules(text).len(), 1);
    }

    mod any_bytes {
        use super::*;
        use crate::testing::{cases, hostile};
        use proptest::prelude::*;

        proptest! {
            #![proptest_config(cases())]
            #[test]
            fn never_panic(bytes in hostile(vec![DOCKER.as_bytes().to_vec()], 400)) {
                rules(&String::from_utf8_lossy(&bytes));
            }
        }
    }
}
