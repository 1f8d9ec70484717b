//! Who set the clock: by the programs that run, and, where the PC is audited, by name. Pure.

use super::judge::about;
use crate::model::Evidence;
use crate::sys::audit::{Changed, ClockAct};
use std::collections::BTreeSet;

/// Programs that keep the clock right by servers; any other that is configured as one that may set the clock just sets it.
pub(super) const KEEPERS: [&str; 8] = ["chronyd", "systemd-timesyncd", "ntpd", "openntpd", "ntp-daemon", "ptp4l", "phc2sys", "timemaster"];
/// Of these, those that correct the length of the kernel's tick.
const TICK_SETTERS: [&str; 4] = ["chronyd", "ntp-daemon", "ptp4l", "phc2sys"];
/// Where the system's own programs are: a program of a time daemon's name elsewhere is none.
const SYSTEM: [&str; 5] = ["/usr/sbin/", "/usr/bin/", "/usr/lib/", "/usr/libexec/", "/sbin/"];
/// The same, on systems that keep them apart.
const SYSTEM_APART: [&str; 2] = ["/lib/", "/bin/"];
/// Of so many it is told who they are.
const MOST: usize = 4;

/// Programs that may set the clock, as far as they run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Programs {
    /// Could not look, or it was not asked for.
    #[default]
    Unknown,
    /// These run, of those that keep clocks and those that are configured.
    Running(Vec<String>),
}

impl Programs {
    fn running(&self) -> &[String] {
        match self {
            Self::Unknown => &[],
            Self::Running(names) => names,
        }
    }

    /// Certainly no time daemon runs.
    pub(super) fn without_keeper(&self) -> bool {
        self.without(&KEEPERS)
    }

    /// Certainly nothing runs that corrects the tick.
    pub(super) fn without_tick_setter(&self) -> bool {
        self.without(&TICK_SETTERS)
    }

    fn without(&self, known: &[&str]) -> bool {
        match self {
            Self::Unknown => false,
            Self::Running(names) => !names.iter().any(|name| known.contains(&name.as_str())),
        }
    }

    /// A program that may set the clock and is no time daemon.
    pub(super) fn setter(&self) -> Option<&str> {
        self.running().iter().map(String::as_str).find(|name| !KEEPERS.contains(name))
    }
}

/// Programs that set the clock, as the audit names them; empty = it does not say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Named(BTreeSet<(String, Option<u32>)>);

/// What kind of programs these are, all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doer<'a> {
    /// Time daemons of the system.
    Keeper,
    /// Such, or programs that are configured as ones that may set the clock; one of these.
    Allowed(&'a str),
    /// At least one that is neither.
    Other,
}

impl Named {
    /// Takes in what the audit said of this.
    pub(super) fn hear(&mut self, acts: &[ClockAct], of: Changed) {
        for act in acts.iter().filter(|act| act.changed == of) {
            if self.0.len() < MOST {
                self.0.insert((act.file.clone(), act.login));
            }
        }
    }

    /// What they are; `allowed` = the programs of the configuration. `None` = nobody was named.
    pub(super) fn doer<'a>(&'a self, allowed: &[String]) -> Option<Doer<'a>> {
        let mut all = None;
        for (file, _) in &self.0 {
            let one = kind(file, allowed);
            all = match (all, one) {
                (Some(Doer::Other), _) | (_, Doer::Other) => Some(Doer::Other),
                (Some(Doer::Allowed(name)), _) | (_, Doer::Allowed(name)) => Some(Doer::Allowed(name)),
                _ => Some(Doer::Keeper),
            };
        }
        all
    }

    /// A line for each. Of the file only its name: where it lies may be a person's own place.
    pub(super) fn evidence(&self) -> impl Iterator<Item = Evidence> {
        self.0.iter().map(|(file, login)| {
            about("clock.program", name(file), login.map_or_else(|| "no login".to_owned(), |login| format!("login {login}")))
        })
    }
}

fn kind<'a>(file: &'a str, allowed: &[String]) -> Doer<'a> {
    let name = name(file);
    if KEEPERS.contains(&name) {
        let systems = SYSTEM.iter().chain(&SYSTEM_APART).any(|folder| file.starts_with(folder)) && !file.contains("/../");
        return if systems { Doer::Keeper } else { Doer::Other };
    }
    if allowed.iter().any(|allowed| allowed == name) { Doer::Allowed(name) } else { Doer::Other }
}

fn name(file: &str) -> &str {
    // A program that was replaced while it ran.
    file.trim_end_matches(" (deleted)").rsplit('/').next().unwrap_or(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(files: &[&str]) -> Named {
        let mut named = Named::default();
        let acts: Vec<_> =
            files.iter().map(|file| ClockAct { changed: Changed::Time, file: (*file).to_owned(), login: Some(1000) }).collect();
        named.hear(&acts, Changed::Time);
        named
    }

    #[test]
    fn all_who_set_it_have_to_be_allowed() {
        let allowed = ["his-client".to_owned(), "chronyd".to_owned()];
        for (files, doer) in [
            (&[][..], None),
            (&["/usr/sbin/chronyd"], Some(Doer::Keeper)),
            (&["/usr/sbin/chronyd", "/usr/lib/systemd/systemd-timesyncd (deleted)"], Some(Doer::Keeper)),
            (&["/lib/systemd/systemd-timesyncd"], Some(Doer::Keeper)),
            (&["/tmp/chronyd"], Some(Doer::Other)),
            (&["/usr/lib/../../tmp/chronyd"], Some(Doer::Other)),
            (&["/opt/his/his-client"], Some(Doer::Allowed("his-client"))),
            (&["/opt/his/his-client", "/usr/sbin/chronyd"], Some(Doer::Allowed("his-client"))),
            (&["/opt/his/his-client", "/usr/bin/date"], Some(Doer::Other)),
            (&["/usr/bin/date", "/usr/sbin/chronyd"], Some(Doer::Other)),
        ] {
            assert_eq!(named(files).doer(&allowed), doer, "{files:?}");
        }
    }

    #[test]
    fn each_is_told_once_by_its_name_without_its_place_and_not_without_end() {
        let lines: Vec<_> = named(&["/home/li/date", "/home/li/date"]).evidence().map(|line| (line.target, line.result)).collect();
        assert_eq!(lines, [("date".to_owned(), "login 1000".to_owned())]);
        let many: Vec<String> = (0..9).map(|n| format!("/bin/{n}")).collect();
        assert_eq!(named(&many.iter().map(String::as_str).collect::<Vec<_>>()).evidence().count(), MOST);
        let mut rate = Named::default();
        rate.hear(&[ClockAct { changed: Changed::Rate, file: "/bin/x".to_owned(), login: None }], Changed::Time);
        assert_eq!(rate, Named::default(), "another's matter");
    }
}
