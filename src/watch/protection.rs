//! What protects this PC: its packet filter, its antivirus program, and that listed software is not there.
//!
//! Rules are counted when the kernel says that they changed, and once a minute; the antivirus program is looked for when it ended, and once a
//! minute; other programs once a minute. Of programs nothing is kept but the configured names that matched.

mod judge;

use super::memory::{Memory, Sights, after_a_restart, once_it_stands};
use super::{Blind, Given, Look, Watch};
use crate::baseline::{Firewall, Seen, look_at_firewall};
use crate::config::Rules;
use crate::model::{Finding, FindingCode, Unseen, Watcher};
use crate::sys::murmur::{Murmur, Talk};
use crate::sys::packages::Installed;
use crate::sys::proc::{Ends, Program, programs};
use futures_util::future::LocalBoxFuture;
use judge::{antivirus, firewall, forbidden, is_expected};
use std::path::Path;

/// Rules are taken away and brought back when a firewall is started anew; so long it may take, ms.
const RELOAD_MS: u64 = 400;
/// Where the kernel lists the tables of the old packet filter that are in use. Their rules are not counted.
const OLD_TABLES: [&str; 2] = ["/proc/net/ip_tables_names", "/proc/net/ip6_tables_names"];

/// Looks after them.
#[derive(Default)]
pub struct Protection {
    memory: Memory,
    /// Hears changes of the rules; `None` = may not, or nobody asks for it.
    rules: Option<Murmur>,
    antivirus: Ends,
    installed: Installed,
    measure: Option<Rules>,
}

/// What was read off the loop. `None` = not asked for.
struct Read {
    firewall: Option<Seen<Firewall>>,
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
            let (mut seen, mut blind) = (Sights::default(), Vec::new());
            if let Some((baseline, now)) = given.baseline().zip(read.firewall) {
                match now {
                    Seen::Seen(now) => seen.found.extend(firewall(&baseline.firewall, now)),
                    Seen::Unseen(why) => {
                        seen.unseen.push(FindingCode::FirewallDown);
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
            Look { found, blind, again }
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
        let read = tokio::task::spawn_blocking(move || Read {
            firewall: expected.then(count),
            running: (software || programs_too).then(programs),
            installed: if software { installed.again(Path::new("/")) } else { Installed::default() },
        });
        read.await.ok()
    }
}

/// The rules, counted. None in nftables says nothing where the old packet filter is in use.
fn count() -> Seen<Firewall> {
    let old = || OLD_TABLES.iter().any(|list| std::fs::read(list).is_ok_and(|tables| !tables.trim_ascii().is_empty()));
    match look_at_firewall() {
        Seen::Seen(firewall) if firewall.rules == 0 && old() => {
            Seen::Unseen(Unseen::Error("the rules of iptables-legacy are not counted".to_owned()))
        }
        seen => seen,
    }
}

fn due(finding: &Finding, since_ms: u64) -> u64 {
    match finding.code {
        FindingCode::AntivirusDown => after_a_restart(since_ms),
        FindingCode::FirewallDown => once_it_stands(since_ms, RELOAD_MS),
        _ => since_ms,
    }
}
