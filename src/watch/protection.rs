//! What protects this PC: its packet filter, its antivirus program, and that listed software is not there.
//!
//! The firewall is looked at when the kernel says that its rules changed (nftables), and once a minute (the old packet filter too); the antivirus
//! program is looked for when it ended, and once a minute; other programs once a minute. Of programs nothing is kept but the configured names that matched.

mod judge;

use super::aside::aside;
use super::memory::{Memory, Sights, after_a_restart, once_it_stands};
use super::{Blind, Given, Look, Watch};
use crate::baseline::{Firewall, Seen, look_at_firewall};
use crate::config::Rules;
use crate::model::{Finding, FindingCode, Unseen, Watcher};
use crate::sys::murmur::{Murmur, Talk};
use crate::sys::packages::Installed;
use crate::sys::proc::{Ends, Program, programs, unit_words};
use futures_util::future::LocalBoxFuture;
use judge::{antivirus, firewall, forbidden, in_transit, is_expected};
use std::path::Path;
use std::time::Duration;

/// Rules are taken away and brought back when a firewall is loaded anew; so long it may take, ms.
const RELOAD_MS: u64 = 400;
/// So long when it is put together piece by piece, ms.
const PIECES_MS: u64 = 10_000;
/// So long a service may take to be started anew, ms.
const SERVICE_MS: u64 = 30_000;
/// Between two looks meanwhile.
const CLOSE: Duration = Duration::from_millis(500);
/// Who is in charge of rules.
const SERVICES: [&str; 6] =
    ["firewalld.service", "ufw.service", "nftables.service", "netfilter-persistent.service", "iptables.service", "ip6tables.service"];

/// Looks after them.
#[derive(Default)]
pub struct Protection {
    memory: Memory,
    /// Since when a service in charge is on its way (boottime, ms).
    transit: Option<u64>,
    /// Hears changes of the rules; `None` = may not, or nobody asks for it.
    rules: Option<Murmur>,
    antivirus: Ends,
    installed: Installed,
    measure: Option<Rules>,
}

/// What was read off the loop. `None` = not asked for.
struct Read {
    firewall: Option<Seen<Firewall>>,
    /// Those in charge of it, where it keeps nothing out.
    services: Option<Vec<(String, String)>>,
    running: Option<Result<Vec<Program>, Unseen>>,
    installed: Installed,
}

impl Watch for Protection {
    fn watcher(&self) -> Watcher {
        Watcher::Protection
    }

    fn look<'a>(&'a mut self, given: &'a Given) -> LocalBoxFuture<'a, Look> {
        Box::pin(async move {
            let rules = &given.config.rules;
            if self.measure.as_ref() != Some(rules) {
                self.memory.begin_again();
                self.measure = Some(rules.clone());
            }
            let expected = given.baseline().is_some_and(|baseline| is_expected(rules.firewall, &baseline.firewall));
            // Before reading, so that what changes meanwhile is heard.
            self.listen(expected);
            let Some(read) = self.read(rules, expected).await else {
                return Look::blind("software.processes", Unseen::Error("look for programs: gave up".to_owned()));
            };
            let (mut seen, mut blind, mut waits) = (Sights::default(), Vec::new(), false);
            if let Some((baseline, now)) = given.baseline().zip(read.firewall) {
                match now {
                    Seen::Seen(now) => {
                        let found = firewall(&baseline.firewall, &now, read.services.as_deref().unwrap_or_default());
                        waits = self.waits(found.is_some() && in_transit(read.services.as_deref()), given.at.boottime_ms);
                        if waits {
                            seen.unseen.extend([FindingCode::FirewallDown, FindingCode::FirewallChanged]);
                        } else {
                            seen.found.extend(found);
                        }
                    }
                    Seen::Unseen(why) => {
                        seen.unseen.extend([FindingCode::FirewallDown, FindingCode::FirewallChanged]);
                        blind.push(Blind { what: "firewall.rules", why });
                    }
                }
            }
            match read.running {
                Some(Ok(running)) => {
                    seen.found.extend(antivirus(&rules.antivirus, &running));
                    seen.found.extend(forbidden(&rules.forbidden_software, &running, &read.installed));
                    let own = running.iter().filter(|program| rules.antivirus.iter().any(|name| program.is_called(name)));
                    self.antivirus = Ends::of(own.map(|program| program.pid));
                }
                Some(Err(why)) => {
                    seen.found.extend(forbidden(&rules.forbidden_software, &[], &read.installed));
                    seen.unseen.extend([FindingCode::AntivirusDown, FindingCode::SoftwareForbidden]);
                    blind.push(Blind { what: "software.processes", why });
                }
                None => {}
            }
            self.installed = read.installed;
            let (found, again) = self.memory.take(seen, &given.at, due);
            Look { found, blind, again: if waits { again.min(CLOSE) } else { again } }
        })
    }

    fn stirred(&mut self) -> LocalBoxFuture<'_, ()> {
        Box::pin(async move {
            let rules = async {
                match &self.rules {
                    Some(ear) => ear.heard().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                heard = rules => if heard.is_err() {
                    // The next look opens it again.
                    self.rules = None;
                },
                () = self.antivirus.next() => {}
            }
        })
    }
}

impl Protection {
    fn listen(&mut self, expected: bool) {
        if !expected {
            self.rules = None;
        } else if self.rules.is_none() {
            let ear = Murmur::open(Talk::Rules);
            self.rules = ear.inspect_err(|why| tracing::info!(?why, "changes of the firewall are noticed within a minute")).ok();
        }
    }

    async fn read(&mut self, rules: &Rules, expected: bool) -> Option<Read> {
        let installed = std::mem::take(&mut self.installed);
        let (software, programs_too) = (!rules.forbidden_software.is_empty(), !rules.antivirus.is_empty());
        let read = aside(move || {
            let firewall = expected.then(look_at_firewall);
            let open = firewall.as_ref().and_then(Seen::get).is_some_and(|firewall| firewall.guards.is_empty());
            Read {
                firewall,
                services: if open { unit_words(&SERVICES) } else { Some(Vec::new()) },
                running: (software || programs_too).then(programs),
                installed: if software { installed.again(Path::new("/")) } else { Installed::default() },
            }
        });
        read.await.ok()
    }

    /// Whether what is missing may be about to come back with its service.
    fn waits(&mut self, on_its_way: bool, now: u64) -> bool {
        self.transit = on_its_way.then(|| self.transit.unwrap_or(now));
        self.transit.is_some_and(|since| now < since + SERVICE_MS)
    }
}

fn due(finding: &Finding, since_ms: u64) -> u64 {
    match finding.code {
        FindingCode::AntivirusDown => after_a_restart(since_ms),
        FindingCode::FirewallDown => once_it_stands(since_ms, RELOAD_MS),
        FindingCode::FirewallChanged => once_it_stands(since_ms, PIECES_MS),
        _ => since_ms,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Origin, Subject};

    #[test]
    fn what_is_loaded_or_started_anew_has_time_for_it_and_listed_software_has_none() {
        let waits = |code| due(&Finding::new(code, Subject::Terminal, Origin::LocalChange), 1_000_000) - 1_000_000;
        assert_eq!(waits(FindingCode::FirewallDown), RELOAD_MS);
        assert_eq!(waits(FindingCode::FirewallChanged), PIECES_MS);
        assert_eq!(waits(FindingCode::AntivirusDown), 30_000);
        assert_eq!(waits(FindingCode::SoftwareForbidden), 0);
    }

    #[test]
    fn a_service_on_its_way_is_waited_for_half_a_minute_and_no_longer() {
        let mut protection = Protection::default();
        assert!(!protection.waits(false, 1000));
        assert!(protection.waits(true, 2000) && protection.waits(true, 2000 + SERVICE_MS - 1));
        assert!(!protection.waits(true, 2000 + SERVICE_MS), "it hangs");
        assert!(!protection.waits(false, 90_000) && protection.waits(true, 100_000), "the next time");
    }
}
