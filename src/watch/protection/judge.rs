//! Whether what protects this PC is there, and what the bureau's list names is not. Pure.

use super::super::memory::fact;
use crate::baseline::{Firewall, Seen};
use crate::config::Firewall as Wanted;
use crate::model::{Finding, FindingCode, Origin, Subject};
use crate::sys::packages::Installed;
use crate::sys::proc::Program;

/// Whether a firewall is to be there: one that had rules at enrolment, or one that is asked for and could not be seen then.
pub fn is_expected(wanted: Wanted, was: &Seen<Firewall>) -> bool {
    match (wanted, was) {
        (Wanted::None, _) | (Wanted::Auto, Seen::Unseen(_)) => false,
        (Wanted::Nftables, Seen::Unseen(_)) => true,
        (Wanted::Auto | Wanted::Nftables, Seen::Seen(firewall)) => firewall.rules > 0,
    }
}

/// An expected firewall without any rule. Fewer rules than before are none of our business: services bring and take theirs.
pub fn firewall(was: &Seen<Firewall>, now: Firewall) -> Option<Finding> {
    if now.rules > 0 {
        return None;
    }
    let enrolled = was.get().map(|firewall| fact("firewall.enrolled", "", firewall.rules));
    let finding = Finding::new(FindingCode::FirewallDown, Subject::Terminal, Origin::LocalChange);
    Some(finding.because(enrolled.into_iter().chain([fact("firewall.now", "", "none")])))
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

    const fn rules(rules: u32) -> Firewall {
        Firewall { tables: 1, rules }
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

    #[test]
    fn a_firewall_that_had_rules_and_has_none_is_down() {
        assert_eq!(told(firewall(&Seen::Seen(rules(4)), rules(0))), ["firewall.enrolled  4", "firewall.now  none"]);
        assert_eq!(told(firewall(&unseen(), rules(0))), ["firewall.now  none"]);
        assert_eq!(told(firewall(&Seen::Seen(rules(40)), rules(3))), NONE, "a container's rules are gone");
    }

    #[test]
    fn a_firewall_is_expected_where_there_was_one_or_where_one_is_asked_for() {
        for (wanted, was, expected) in [
            (Wanted::Auto, Seen::Seen(rules(4)), true),
            (Wanted::Nftables, Seen::Seen(rules(4)), true),
            (Wanted::Nftables, unseen(), true),
            (Wanted::Auto, unseen(), false),
            (Wanted::Auto, Seen::Seen(rules(0)), false),
            (Wanted::Nftables, Seen::Seen(rules(0)), false),
            (Wanted::None, Seen::Seen(rules(4)), false),
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
        let running = [program("twine", Some("twine")), program("remote-desktop-", None)];
        let installed = Installed { packages: names(&["fonts-wine", "libwine"]), ..Installed::default() };
        assert_eq!(told(forbidden(&list, &running, &installed)), NONE);
        assert_eq!(told(forbidden(&[], &running, &installed)), NONE);
    }
}
