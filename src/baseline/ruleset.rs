//! Rules of a packet filter, out of what the system's own programs list. Pure.
//!
//! `iptables` of today writes into nftables and is listed there. What the old packet filter holds (`iptables-legacy-save`) is put into the
//! words of nftables by [`as_nftables`], so that one reader does for both.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule<'a> {
    /// Family and name, e.g. `ip filter`.
    pub table: &'a str,
    /// Its chain.
    pub chain: &'a str,
    /// What it says, without what is counted.
    pub words: Vec<&'a str>,
}

impl<'a> Rule<'a> {
    /// The chains that it leads to.
    pub fn targets(&self) -> impl Iterator<Item = &'a str> {
        let named = self.words.windows(2).filter(|pair| matches!(pair[0], "jump" | "goto"));
        named.map(|pair| pair[1].trim_end_matches(','))
    }
}

/// A chain into which the kernel itself leads packets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base<'a> {
    /// Its table.
    pub table: &'a str,
    /// Its name.
    pub chain: &'a str,
    /// `filter`, `nat` or `route`.
    pub kind: &'a str,
    /// Where, e.g. `input`.
    pub hook: &'a str,
    /// What becomes of a packet that no rule decides on.
    pub policy: &'a str,
}

/// All that is listed and in force.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ruleset<'a> {
    /// Where packets come in.
    pub bases: Vec<Base<'a>>,
    /// In their order.
    pub rules: Vec<Rule<'a>>,
}

/// Reads what `nft -a list ruleset` prints: every rule ends in its handle, and so do the openings of tables, chains and sets. Tables that
/// sleep are passed over.
pub fn read(listing: &str) -> Ruleset<'_> {
    let (mut table, mut chain) = ("", "");
    let (mut set, mut asleep) = (Ruleset::default(), BTreeSet::new());
    for line in listing.lines().map(str::trim) {
        let Some((text, _)) = line.rsplit_once("# handle ") else {
            if line.starts_with("flags ") && line.contains("dormant") && chain.is_empty() {
                asleep.insert(table);
            }
            set.bases.extend((!chain.is_empty()).then(|| base(table, chain, line)).flatten());
            continue;
        };
        let text = text.trim_end();
        if let Some(opened) = text.strip_suffix('{').map(str::trim_end) {
            match opened.split_once(' ') {
                Some(("table", name)) => (table, chain) = (name, ""),
                Some(("chain", name)) => chain = name,
                _ => chain = "",
            }
        } else if !chain.is_empty() {
            let text = text.split_once(" comment \"").map_or(text, |(before, _)| before);
            set.rules.push(Rule { table, chain, words: without_counts(text) });
        }
    }
    set.rules.retain(|rule| !asleep.contains(rule.table));
    set.bases.retain(|base| !asleep.contains(base.table));
    set
}

/// `type filter hook input priority filter; policy drop;`.
fn base<'a>(table: &'a str, chain: &'a str, line: &'a str) -> Option<Base<'a>> {
    let mut words = line.split_whitespace();
    let kind = words.next().filter(|word| *word == "type").and_then(|_| words.next())?;
    let hook = words.next().filter(|word| *word == "hook").and_then(|_| words.next())?;
    let policy = line.rsplit_once("policy ").map_or("accept", |(_, policy)| policy.trim_end_matches(';'));
    Some(Base { table, chain, kind, hook, policy })
}

/// What grows while packets pass is no part of a rule.
fn without_counts(text: &str) -> Vec<&str> {
    let mut words: Vec<&str> = text.split_whitespace().collect();
    for (begin, length) in [(&["counter", "packets"][..], 5), (&["used"][..], 3)] {
        while let Some(at) = words.windows(begin.len()).position(|some| some == begin) {
            words.drain(at..words.len().min(at + length));
        }
    }
    words.retain(|word| *word != "counter");
    words
}

/// What `iptables-legacy-save` prints, as nftables would list it. `program` stands for the family: `iptables` or `ip6tables`.
pub fn as_nftables(saved: &str, program: &str) -> String {
    let (mut listing, mut table, mut chains) = (String::new(), "", Vec::new());
    let mut rules: BTreeMap<&str, String> = BTreeMap::new();
    for line in saved.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('*') {
            (table, chains, rules) = (name, Vec::new(), BTreeMap::new());
        } else if let Some(chain) = line.strip_prefix(':') {
            chains.extend(chain.split_once(' '));
        } else if let Some((chain, rule)) = line.strip_prefix("-A ").and_then(|rule| rule.split_once(' ')) {
            let _ = writeln!(rules.entry(chain).or_default(), "\t\t{} # handle 0", words_of(rule, &chains));
        } else if line == "COMMIT" {
            let _ = writeln!(listing, "table {program} {table} {{ # handle 0");
            for (chain, policy) in std::mem::take(&mut chains) {
                let _ = writeln!(listing, "\tchain {chain} {{ # handle 0");
                if let Some(policy) = policy.split(' ').next().filter(|policy| *policy != "-") {
                    let (kind, policy) = (if table == "nat" { "nat" } else { "filter" }, policy.to_lowercase());
                    let _ = writeln!(listing, "\t\ttype {kind} hook {} priority 0; policy {policy};", chain.to_lowercase());
                }
                listing += &rules.remove(chain).unwrap_or_default();
                listing += "\t}\n";
            }
            listing += "}\n";
        }
    }
    listing
}

/// The rest of a line of the old packet filter: what matters here in the words of nftables, everything else as it is.
fn words_of(rule: &str, chains: &[(&str, &str)]) -> String {
    let mut words = quoted(rule).into_iter();
    let (mut out, mut not): (Vec<String>, &str) = (Vec::new(), "");
    while let Some(word) = words.next() {
        let mut of = |key: &str, quote: &str| {
            let value = words.next().unwrap_or_default();
            format!("{key} {not}{quote}{value}{quote}")
        };
        let said = match word {
            "!" => {
                not = "!= ";
                continue;
            }
            "-s" => of("ip saddr", ""),
            "-d" => of("ip daddr", ""),
            "-i" => of("iifname", "\""),
            "-o" => of("oifname", "\""),
            "--comment" => {
                words.next();
                continue;
            }
            "-j" | "-g" => {
                let target = words.next().unwrap_or_default();
                let known = chains.iter().any(|(chain, _)| *chain == target);
                if known { format!("jump {target}") } else { target.to_lowercase() }
            }
            other => format!("{not}{other}"),
        };
        not = "";
        out.push(said);
    }
    out.join(" ")
}

/// Words, of which one in quotation marks may have spaces.
fn quoted(text: &str) -> Vec<&str> {
    let (mut words, mut rest) = (Vec::new(), text.trim_start());
    while !rest.is_empty() {
        let (word, after) =
            match rest.strip_prefix('"').and_then(|inner| inner.split_once("\" ").or_else(|| Some((inner.strip_suffix('"')?, "")))) {
                Some(split) => split,
                None => rest.split_once(' ').unwrap_or((rest, "")),
            };
        words.push(word);
        rest = after.trim_start();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTED: &str = "table inet filter { # handle 1\n\tset known { # handle 4\n\t\ttype ipv4_addr\n\t\tflags interval\n\t}\n\n\tchain input { # handle 1\n\
        \t\ttype filter hook input priority filter; policy drop;\n\t\ttcp dport 22 counter packets 3 bytes 7 accept comment \"no { drop\" # handle 5\n\
        \t\tquota over 10 mbytes used 3 mbytes drop # handle 6\n\t}\n}\ntable ip old { # handle 2\n\tflags dormant\n\n\tchain in { # handle 1\n\t\ttype filter hook input priority 0; policy drop;\n\t\tdrop # handle 2\n\t}\n}\n";

    const SAVED: &str = "# Generated by iptables-save v1.8.9 on Sun Nov 22 18:00:00 2026\n*nat\n:PREROUTING ACCEPT [0:0]\n:POSTROUTING ACCEPT [12:720]\n:DOCKER - [0:0]\n\
        -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER\n-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE\n\
        -A DOCKER -i docker0 -m comment --comment \"a b\" -j RETURN\nCOMMIT\n*filter\n:INPUT DROP [3:4]\n-A INPUT ! -s 10.0.0.0/8 -p tcp -m tcp --dport 22 -j REJECT --reject-with icmp-port-unreachable\nCOMMIT\n";

    #[test]
    fn what_is_in_force_is_read_without_its_counts() {
        let set = read(LISTED);
        let base = Base { table: "inet filter", chain: "input", kind: "filter", hook: "input", policy: "drop" };
        assert_eq!(set.bases, [base]);
        let rules: Vec<String> = set.rules.iter().map(|rule| rule.words.join(" ")).collect();
        assert_eq!(rules, ["tcp dport 22 accept", "quota over 10 mbytes drop"]);
    }

    #[test]
    fn the_old_packet_filter_reads_the_same() {
        let listing = as_nftables(SAVED, "iptables");
        let set = read(&listing);
        let bases: Vec<String> =
            set.bases.iter().map(|base| format!("{} {} {} {}", base.table, base.hook, base.kind, base.policy)).collect();
        assert_eq!(
            bases,
            ["iptables nat prerouting nat accept", "iptables nat postrouting nat accept", "iptables filter input filter drop"]
        );
        let rules: Vec<String> = set.rules.iter().map(|rule| format!("{}: {}", rule.chain, rule.words.join(" "))).collect();
        assert_eq!(
            rules,
            [
                "PREROUTING: -m addrtype --dst-type LOCAL jump DOCKER",
                "POSTROUTING: ip saddr 172.17.0.0/16 oifname != \"docker0\" masquerade",
                "DOCKER: iifname \"docker0\" -m comment return",
                "INPUT: ip saddr != 10.0.0.0/8 -p tcp -m tcp --dport 22 reject --reject-with icmp-port-unreachable",
            ]
        );
    }

    mod any_bytes {
        use super::*;
        use crate::testing::{cases, hostile};
        use proptest::prelude::*;

        proptest! {
            #![proptest_config(cases())]

            #[test]
            fn of_listed_rules_give_no_more_rules_than_lines(bytes in hostile(vec![LISTED.into(), SAVED.into()], 400)) {
                let text = String::from_utf8_lossy(&bytes);
                prop_assert!(read(&text).rules.len() <= text.lines().count());
                let listing = as_nftables(&text, "iptables");
                prop_assert!(read(&listing).rules.len() <= text.lines().count());
            }
        }
    }
}
