//! Whether what protects this PC is there, and what the bureau's list names is not. Pure.

use super::super::memory::fact;
use crate::baseline::{Firewall, Guard, Seen};
use crate::config::Firewall as Wanted;
use crate::model::{Evidence, Finding, FindingCode, Origin, Severity, Subject};
use crate::sys::packages::Installed;
use crate::sys::proc::Program;

/// Lines of evidence about the firewall; the rest is to be looked up on the PC.
const MOST_LINES: usize = 8;

/// Whether a firewall is to be there: one that kept something out at enrolment, or one that is asked for and could not be seen then.
pub fn is_expected(wanted: Wanted, was: &Seen<Firewall>) -> bool {
    match (wanted, was) {
        (Wanted::None, _) | (Wanted::Auto, Seen::Unseen(_)) => false,
        (Wanted::Nftables, Seen::Unseen(_)) => true,
        (Wanted::Auto | Wanted::Nftables, Seen::Seen(firewall)) => !firewall.guards.is_empty(),
    }
}

/// An expected firewall that keeps nothing out any more, or less than at enrolment. One that keeps out more is all the better. `services` are
/// those in charge, with their state in systemd's word.
pub fn firewall(was: &Seen<Firewall>, now: &Firewall, services: &[(String, String)]) -> Option<Finding> {
    let down = match was {
        Seen::Seen(_) => now.guards.is_empty(),
        // What it kept out is not known.
        Seen::Unseen(_) => now.rules == 0,
    };
    if !down {
        return was.get().and_then(|was| changed(was, now));
    }
    let enrolled = was.get().map(|was| fact("firewall.enrolled", "", was.rules));
    // Rules that others have come and go, with each ban and each container, and change nothing here.
    let left = if was.get().is_some() { "keeps nothing out" } else { "none" };
    let open = was.get().into_iter().flat_map(|was| &was.guards).map(|guard| fact("firewall.table", &guard.table, "keeps nothing out"));
    let services = services.iter().map(|(name, state)| fact("firewall.service", name, state));
    let lines = enrolled.into_iter().chain([fact("firewall.now", "", left)]).chain(open).chain(services).take(MOST_LINES);
    Some(Finding::new(FindingCode::FirewallDown, Subject::Terminal, Origin::LocalChange).because(lines))
}

/// What each table keeps out less than at enrolment.
fn changed(was: &Firewall, now: &Firewall) -> Option<Finding> {
    // In other words the same rule looks like another one.
    let comparable = was.tool.is_some() && was.tool == now.tool;
    let lines = was.guards.iter().flat_map(|then| match now.guards.iter().find(|guard| guard.table == then.table) {
        None => vec![(Severity::Medium, fact("firewall.table", &then.table, "keeps nothing out"))],
        Some(guard) => weaker(then, guard, comparable),
    });
    let lines: Vec<(Severity, Evidence)> = lines.take(MOST_LINES).collect();
    let severity = lines.iter().map(|(severity, _)| *severity).max()?;
    let finding = Finding::new(FindingCode::FirewallChanged, Subject::Terminal, Origin::LocalChange);
    Some(Finding { severity, ..finding }.because(lines.into_iter().map(|(_, line)| line)))
}

fn weaker(then: &Guard, now: &Guard, comparable: bool) -> Vec<(Severity, Evidence)> {
    let mut lines = Vec::new();
    for (chain, _) in then.policies.iter().filter(|(_, policy)| *policy == "drop") {
        match now.policies.get(chain).map(String::as_str) {
            Some("drop") => {}
            policy => lines.push((Severity::Medium, fact("firewall.policy", format!("{} {chain}", then.table), policy.unwrap_or("none")))),
        }
    }
    let counted = |then: u32, now: u32| format!("{then} -> {now}");
    if now.refusing < then.refusing {
        lines.push((Severity::Medium, fact("firewall.refusing", &then.table, counted(then.refusing, now.refusing))));
    }
    if now.accepting > then.accepting {
        lines.push((Severity::Low, fact("firewall.accepting", &then.table, counted(then.accepting, now.accepting))));
    }
    let as_many = (then.refusing, then.accepting) == (now.refusing, now.accepting);
    if lines.is_empty() && as_many && comparable && then.digest != now.digest {
        lines.push((Severity::Low, fact("firewall.table", &then.table, "other rules")));
    }
    lines
}

/// Whether a service in charge is just being started or ended, or may be: what it takes away it may bring again.
pub fn in_transit(services: Option<&[(String, String)]>) -> bool {
    let Some(services) = services else { return true };
    services.iter().any(|(_, state)| matches!(state.as_str(), "activating" | "deactivating" | "reloading" | "refreshing"))
}

/// Of the antivirus programs one must run.
pub fn antivirus(names: &[String], running: &[Program]) -> Option<Finding> {
    if names.is_empty() || names.iter().any(|name| running.iter().any(|program| program.is_called(name))) {
        return None;
    }
    let finding = Finding::new(FindingCode::AntivirusDown, Subject::Program(names.join(", ")), Origin::LocalChange);
    Some(finding.because(names.iter().map(|name| fact("antivirus.program", name, "not running"))))
}

/// Each name of the list that runs or is installed. Only the list's own name is told.
pub fn forbidden(list: &[String], running: &[Program], installed: &Installed) -> Vec<Finding> {
    list.iter().filter_map(|name| on_the_list(name, running, installed)).collect()
}

fn on_the_list(name: &str, running: &[Program], installed: &Installed) -> Option<Finding> {
    let runs = |program: &Program| {
        let cut = program.is_cut() && is_beginning(&program.name, name);
        cut || occurs(name, &program.name).is_some() || program.file.as_deref().is_some_and(|file| occurs(name, file).is_some())
    };
    // `fonts-x` is not x, and neither is `libx`.
    let is_installed = installed.packages.iter().any(|package| occurs(name, package) == Some(0))
        || installed.entries.iter().any(|entry| occurs(name, entry).is_some());
    let lines = [
        running.iter().any(runs).then(|| fact("software.running", name, "running")),
        is_installed.then(|| fact("software.installed", name, "installed")),
    ];
    let lines: Vec<_> = lines.into_iter().flatten().collect();
    let finding = Finding::new(FindingCode::SoftwareForbidden, Subject::Program(name.to_owned()), Origin::LocalChange);
    (!lines.is_empty()).then(|| finding.because(lines))
}

fn is_beginning(beginning: &str, whole: &str) -> bool {
    whole.len() > beginning.len() && whole.to_lowercase().starts_with(&beginning.to_lowercase())
}

/// Where a name stands in another as a word of its own, without case: `navicat` in `navicat16-premium` and, as a daemon's, `teamviewer` in
/// `teamviewerd`; `team` is not in `steamcmd`. Writing without spaces knows no words: such a name may stand anywhere.
fn occurs(name: &str, within: &str) -> Option<usize> {
    let (name, within) = (name.trim().to_lowercase(), within.to_lowercase());
    let (first, last) = (name.chars().next()?, name.chars().last()?);
    let letter = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphabetic());
    within.match_indices(&name).map(|(at, _)| at).find(|at| {
        let (before, after) = (within[..*at].chars().next_back(), &within[at + name.len()..]);
        let mut following = after.chars();
        let (next, then) = (following.next(), following.next());
        let daemon = next == Some('d') && !then.is_some_and(char::is_alphanumeric);
        let begins = !first.is_ascii_alphanumeric() || !(letter(before) || before.is_some_and(|c| c.is_ascii_digit()));
        let ends = !last.is_ascii_alphanumeric() || !letter(next) || daemon;
        begins && ends
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Unseen;

    /// One table with a policy and two rules of each kind.
    fn rules() -> Firewall {
        let policies = [("input".to_owned(), "drop".to_owned()), ("output".to_owned(), "accept".to_owned())].into();
        let guard = Guard { table: "inet filter".to_owned(), policies, refusing: 2, accepting: 2, digest: "a".to_owned() };
        Firewall { tables: 1, rules: 5, guards: vec![guard], tool: Some("t".to_owned()) }
    }

    fn open(rules: u32) -> Firewall {
        Firewall { tables: 1, rules, ..Firewall::default() }
    }

    fn unseen() -> Seen<Firewall> {
        Seen::Unseen(Unseen::Capability("CAP_NET_ADMIN".to_owned()))
    }

    fn program(name: &str, file: Option<&str>) -> Program {
        Program { pid: 7, name: name.to_owned(), file: file.map(str::to_owned) }
    }

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|name| (*name).to_owned()).collect()
    }

    fn told(found: impl IntoIterator<Item = Finding>) -> Vec<String> {
        let lines = found.into_iter().flat_map(|finding| finding.evidence);
        lines.map(|line| format!("{} {} {}", line.k, line.target, line.result)).collect()
    }

    const NONE: [&str; 0] = [];
    const NOW: &str = "firewall.now  keeps nothing out";

    #[test]
    fn a_firewall_that_keeps_nothing_out_any_more_is_down() {
        let down = |was: &Seen<Firewall>, now: &Firewall| told(firewall(was, now, &[]));
        let table = "firewall.table inet filter keeps nothing out";
        assert_eq!(down(&Seen::Seen(rules()), &open(0)), ["firewall.enrolled  5", NOW, table]);
        assert_eq!(
            down(&Seen::Seen(rules()), &open(40)),
            ["firewall.enrolled  5", NOW, table],
            "a ban or a container brings rules and is no news"
        );
        assert_eq!(down(&unseen(), &open(0)), ["firewall.now  none"]);
        assert_eq!(down(&unseen(), &open(3)), NONE, "what protected is not known");
        let found = firewall(&Seen::Seen(rules()), &open(0), &[("nftables.service".to_owned(), "inactive".to_owned())]).expect("down");
        assert_eq!((found.code, found.severity), (FindingCode::FirewallDown, Severity::High));
        assert_eq!(told([found])[3], "firewall.service nftables.service inactive");
    }

    /// What is told when this changes.
    fn after(change: impl Fn(&mut Firewall)) -> Vec<String> {
        let mut now = rules();
        change(&mut now);
        let found = firewall(&Seen::Seen(rules()), &now, &[]);
        let head = found.iter().map(|finding| format!("{} {:?}", finding.code, finding.severity)).collect::<Vec<_>>();
        head.into_iter().chain(told(found)).collect()
    }

    #[test]
    fn a_firewall_that_keeps_less_out_is_changed() {
        let policy = |now: &mut Firewall, policy: &str| now.guards[0].policies.insert("input".to_owned(), policy.to_owned());
        assert_eq!(after(|now| drop(policy(now, "accept"))), ["firewall.changed Medium", "firewall.policy inet filter input accept"]);
        assert_eq!(
            after(|now| drop(now.guards[0].policies.remove("input"))),
            ["firewall.changed Medium", "firewall.policy inet filter input none"]
        );
        let swapped = |now: &mut Firewall| (now.guards[0].refusing, now.guards[0].accepting) = (1, 3);
        let lines = ["firewall.changed Medium", "firewall.refusing inet filter 2 -> 1", "firewall.accepting inet filter 2 -> 3"];
        assert_eq!(after(swapped), lines, "drop became accept");
        assert_eq!(after(|now| now.guards[0].accepting = 3), ["firewall.changed Low", "firewall.accepting inet filter 2 -> 3"]);
        assert_eq!(after(|now| now.guards[0].digest = "b".to_owned()), ["firewall.changed Low", "firewall.table inet filter other rules"]);
        let renamed = |now: &mut Firewall| now.guards[0].table = "inet other".to_owned();
        assert_eq!(after(renamed), ["firewall.changed Medium", "firewall.table inet filter keeps nothing out"]);
    }

    #[test]
    fn a_firewall_that_is_as_it_was_or_keeps_more_out_is_well() {
        assert_eq!(after(|_| {}), NONE);
        assert_eq!(after(|now| (now.rules, now.tables) = (90, 7)), NONE, "containers came");
        let tighter = |now: &mut Firewall| {
            (now.guards[0].refusing, now.guards[0].digest) = (3, "b".to_owned());
            now.guards[0].policies.insert("output".to_owned(), "drop".to_owned());
            now.guards.push(Guard { table: "ip more".to_owned(), ..now.guards[0].clone() });
        };
        assert_eq!(after(tighter), NONE);
        assert_eq!(after(|now| (now.guards[0].accepting, now.guards[0].digest) = (1, "b".to_owned())), NONE);
        let upgraded = |now: &mut Firewall| (now.guards[0].digest, now.tool) = ("b".to_owned(), Some("u".to_owned()));
        assert_eq!(after(upgraded), NONE, "another release lists the same rules in other words");
    }

    #[test]
    fn a_service_that_is_being_started_anew_takes_its_rules_away_for_a_moment() {
        let states = |state: &str| [("ufw.service".to_owned(), "active".to_owned()), ("firewalld.service".to_owned(), state.to_owned())];
        assert!(["activating", "deactivating", "reloading"].iter().all(|state| in_transit(Some(&states(state)))));
        assert!(!["active", "inactive", "failed"].iter().any(|state| in_transit(Some(&states(state)))));
        assert!(in_transit(None) && !in_transit(Some(&[])), "a manager that does not answer, and none at all");
    }

    #[test]
    fn a_firewall_is_expected_where_there_was_one_or_where_one_is_asked_for() {
        for (wanted, was, expected) in [
            (Wanted::Auto, Seen::Seen(rules()), true),
            (Wanted::Nftables, Seen::Seen(rules()), true),
            (Wanted::Nftables, unseen(), true),
            (Wanted::Auto, unseen(), false),
            (Wanted::Auto, Seen::Seen(open(0)), false),
            (Wanted::Auto, Seen::Seen(open(40)), false),
            (Wanted::Nftables, Seen::Seen(open(0)), false),
            (Wanted::None, Seen::Seen(rules()), false),
        ] {
            assert_eq!(is_expected(wanted, &was), expected, "{wanted:?} {was:?}");
        }
    }

    #[test]
    fn antivirus_is_down_when_none_of_its_programs_runs() {
        let wanted = names(&["clamd", "freshclam"]);
        let told = |running: &[Program]| told(antivirus(&wanted, running));
        assert_eq!(
            told(&[program("bash", Some("bash"))]),
            ["antivirus.program clamd not running", "antivirus.program freshclam not running"]
        );
        assert_eq!(told(&[program("main", Some("clamd"))]), NONE, "by the name of its file");
        assert_eq!(told(&[program("freshclam", None)]), NONE, "one of them will do");
        assert!(antivirus(&[], &[]).is_none(), "none is asked for");
        assert!(antivirus(&names(&["a-very-long-program"]), &[program("a-very-long-pro", None)]).is_none(), "cut by the kernel");
    }

    #[test]
    fn a_name_of_the_list_is_found_as_a_word_only() {
        for (name, within) in [
            ("navicat", "Navicat16-premium-cs"),
            ("teamviewer", "TeamViewer_Service"),
            ("teamviewer", "teamviewerd"),
            ("teamviewer", "com.teamviewer.TeamViewer"),
            ("steam", "steam"),
            ("向日葵", "向日葵远程控制"),
            ("db-tool", "my-db-tool.bin"),
        ] {
            assert!(occurs(name, within).is_some(), "{name} in {within}");
        }
        for (name, within) in [
            ("team", "steamcmd"),
            ("team", "steam"),
            ("team", "teamwork"),
            ("wine", "twine"),
            ("wine", "winery"),
            ("vnc", "vncdotool"),
            ("", "bash"),
            (" ", "bash"),
            ("x", "linux"),
            ("3proxy", "13proxy"),
        ] {
            assert_eq!(occurs(name, within), None, "{name} in {within}");
        }
    }

    #[test]
    fn listed_software_is_told_by_the_lists_name_alone() {
        let list = names(&["navicat", "teamviewer", "remote-desktop-tool"]);
        let running = [program("navicat16-cs", Some("navicat16-cs")), program("remote-desktop-", None), program("isonet", Some("isonet"))];
        let installed = Installed { packages: names(&["teamviewer", "bash"]), ..Installed::default() };
        assert_eq!(
            told(forbidden(&list, &running, &installed)),
            ["software.running navicat running", "software.installed teamviewer installed", "software.running remote-desktop-tool running"]
        );
    }

    #[test]
    fn what_only_resembles_the_list_is_not_found() {
        let list = names(&["wine", "navicat"]);
        let running = [program("twine", Some("twine")), program("remote-desktop-", None), program("navi", None)];
        let installed = Installed { packages: names(&["fonts-wine", "libwine"]), ..Installed::default() };
        assert_eq!(told(forbidden(&list, &running, &installed)), NONE);
        assert_eq!(told(forbidden(&[], &running, &installed)), NONE);
    }
}
