//! What answers from public addresses prove. Pure.
//!
//! * A proof is a handshake in which the other side showed a certificate for the right name, by an authority that is trusted, and the key that
//!   belongs to it. All else that answers is a lookalike at most: wildcards, portals, squatted addresses and middleboxes do that every day.
//! * It takes two operators in one round, or one twice, ten seconds apart; or the organisation's own canary once, which saw the connection come
//!   from outside.
//! * A wrong clock must not hide a breach: where dates are all that is wrong, they are believed only when something else bears the clock out.
//! * What is held counts for one way (interface, next hop, table, family) and no longer than packets take that way.

use super::topology::{is_public, line, way};
use crate::config::Anchor;
use crate::model::{ClockState, Evidence, IfName, Origin, TlsFault};
use crate::probe::canary::Echo;
use crate::probe::outside::Answer;
use crate::probe::tls::Shown;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// One operator alone must prove itself twice, so far apart (milliseconds).
pub const APART_MS: u64 = 10_000;
/// Different operators are not both this near: that is a box in the house.
const TOO_NEAR: Duration = Duration::from_millis(2);
/// Rounds in a row without any proof after which a way is held to be closed.
const MISSES: u32 = 2;
/// This program was written then; whatever a clock says, it is later now (2026-01-01).
const WRITTEN_S: i64 = 1_767_225_600;

/// Among operators the canary; none of them has an empty name.
const CANARY: &str = "";

/// The way that the kernel chooses for a destination.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path {
    /// Out through this.
    pub device: IfName,
    /// To this next hop.
    pub gateway: Option<IpAddr>,
    /// By this table.
    pub table: u32,
    /// IPv6.
    pub v6: bool,
}

/// What one anchor answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// Who was asked.
    pub anchor: Anchor,
    /// Which way the question took.
    pub path: Path,
    /// What came back.
    pub answer: Answer,
}

/// What the canary answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    /// Where it was asked.
    pub at: SocketAddr,
    /// Which way the question took.
    pub path: Path,
    /// What came back.
    pub echo: Echo,
}

/// What all answered.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Round {
    /// Anchors.
    pub said: Vec<Said>,
    /// The canary, where one was asked.
    pub canary: Option<Heard>,
    /// Addresses of nobody, and whether somebody answered there.
    pub controls: Vec<(SocketAddr, bool)>,
}

impl Round {
    /// The ways that it took.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.said.iter().map(|said| &said.path).chain(self.canary.iter().map(|heard| &heard.path))
    }
}

/// A canary that saw the connection come from inside stands inside, whatever it signs.
pub fn from_outside(heard: Heard, is_inside: impl Fn(IpAddr) -> bool) -> Heard {
    match heard.echo {
        Echo::Signed(seen) if is_inside(seen) || !is_public(&seen.into()) => Heard { echo: Echo::Unproved("seen from inside"), ..heard },
        _ => heard,
    }
}

/// What an answer is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grade {
    /// Nobody answered.
    Nothing,
    /// Somebody else: why.
    Lookalike(String),
    /// It is who it should be; `aside` = but for the dates, which accuse this PC's clock.
    Proved {
        /// Dates are not right by this PC's clock.
        aside: bool,
    },
}

/// What each answer of a round is worth, in order.
pub fn grades(round: &Round, clock: ClockState) -> Vec<Grade> {
    let mut grades: Vec<Grade> = round.said.iter().map(|said| by_itself(&said.answer)).collect();
    // A certificate that is valid by this PC's clock bears the clock out, and so does a time daemon.
    let borne_out = clock == ClockState::Synchronised || grades.contains(&Grade::Proved { aside: false });
    for (grade, said) in grades.iter_mut().zip(&round.said) {
        let expired = matches!(&said.answer, Answer::Shown(Shown { fault: Some(TlsFault::Expired), .. }));
        if borne_out && expired && *grade == (Grade::Proved { aside: true }) {
            *grade = Grade::Lookalike("certificate expired".to_owned());
        }
    }
    let proved: Vec<usize> = (0..grades.len()).filter(|i| matches!(grades[*i], Grade::Proved { .. })).collect();
    let others = |i: usize, j: usize| round.said[i].anchor.operator != round.said[j].anchor.operator;
    let leaf = |i: usize| shown(&round.said[i]).and_then(|shown| Some(&shown.certificate.as_ref()?.sha256));
    let near = |i: usize| shown(&round.said[i]).is_some_and(|shown| shown.distance < TOO_NEAR);
    for &i in &proved {
        let twin = proved.iter().any(|j| others(i, *j) && leaf(i) == leaf(*j));
        let house = near(i) && proved.iter().all(|j| near(*j)) && proved.iter().any(|j| others(i, *j));
        if twin {
            grades[i] = Grade::Lookalike("one certificate for two operators".to_owned());
        } else if house {
            grades[i] = Grade::Lookalike("too near".to_owned());
        }
    }
    grades
}

fn shown(said: &Said) -> Option<&Shown> {
    if let Answer::Shown(shown) = &said.answer { Some(shown) } else { None }
}

fn by_itself(answer: &Answer) -> Grade {
    let shown = match answer {
        Answer::Nothing => return Grade::Nothing,
        Answer::Unproved(what) => return Grade::Lookalike(what.clone()),
        Answer::Shown(shown) => shown,
    };
    let long_dead =
        || shown.certificate.as_ref().is_none_or(|it| it.not_after < Timestamp::from_second(WRITTEN_S).unwrap_or(Timestamp::MIN));
    let other = |what: &str| Grade::Lookalike(what.to_owned());
    match &shown.fault {
        None => Grade::Proved { aside: false },
        Some(TlsFault::Expired) if long_dead() => other("certificate expired"),
        Some(TlsFault::Expired | TlsFault::NotYetValid) => Grade::Proved { aside: true },
        Some(TlsFault::UnknownIssuer) if shown.self_issued => other("issuer unknown, signed by itself"),
        Some(TlsFault::UnknownIssuer) => other("issuer unknown"),
        Some(TlsFault::NameMismatch) => other("other name"),
        Some(TlsFault::ClientCertificate) => other("client certificate"),
        Some(TlsFault::Unsupported) => other("protocol not supported by this tool"),
        Some(TlsFault::Other(text)) => Grade::Lookalike(text.clone()),
    }
}

/// Whether every operator failed trust in a way that speaks of our roots: right names, authorities of their own, and nobody who answers for
/// all. They have aged, or the file of them is another's.
pub fn roots_aged(round: &Round) -> bool {
    let strangers = round.said.iter().filter_map(|said| {
        let shown = shown(said)?;
        let facts = shown.certificate.as_ref()?;
        let named = facts.names.iter().any(|name| covers(name, &said.anchor.server_name));
        let stranger = shown.fault == Some(TlsFault::UnknownIssuer) && !shown.self_issued && named && shown.distance >= TOO_NEAR;
        stranger.then_some((&said.anchor.operator, &facts.issuer))
    });
    let strangers: BTreeSet<_> = strangers.collect();
    let distinct = |of: fn(&(&String, &String)) -> String| strangers.iter().map(of).collect::<BTreeSet<_>>().len();
    let answered = round.said.iter().filter(|said| said.answer != Answer::Nothing).count();
    let alone = round.controls.iter().all(|(_, answered)| !answered);
    alone && strangers.len() == answered && distinct(|s| s.0.clone()) >= 2 && distinct(|s| s.1.clone()) >= 2
}

fn covers(pattern: &str, name: &str) -> bool {
    let parent = |rest: &str| name.split_once('.').is_some_and(|(_, parent)| parent.eq_ignore_ascii_case(rest));
    pattern.eq_ignore_ascii_case(name) || pattern.strip_prefix("*.").is_some_and(parent)
}

/// The way through a proxy, apart from all others.
pub fn through(proxy: SocketAddr) -> Path {
    Path { device: IfName::new(proxy.to_string()), gateway: None, table: 0, v6: proxy.is_ipv6() }
}

/// Who proved itself by one way.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    /// Enough did.
    pub proven: bool,
    /// As it was when enough did.
    pub origin: Origin,
    /// Operators: when each first did (`boottime_ms`), and what is told of it.
    operators: BTreeMap<String, (u64, Evidence)>,
    controls: Vec<Evidence>,
    misses: u32,
}

/// What is held of all ways, and who answers in place of the internet.
#[derive(Debug, Clone, Default)]
pub struct Proofs {
    held: BTreeMap<Path, Held>,
    lookalikes: BTreeMap<SocketAddr, Lookalike>,
}

/// Somebody who answers in place of the internet.
#[derive(Debug, Clone, PartialEq)]
struct Lookalike {
    /// What it was asked for, as evidence calls it.
    k: &'static str,
    path: Path,
    why: String,
    origin: Origin,
}

/// The same, as it is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Unmasked<'a> {
    /// Where it answers.
    pub at: SocketAddr,
    /// By which way.
    pub path: &'a Path,
    /// Since when.
    pub origin: Origin,
    /// What is told of it.
    pub lines: Vec<Evidence>,
}

impl Proofs {
    /// Forgets ways that packets do not take any more.
    pub fn keep_only(&mut self, taken: &BTreeSet<Path>) {
        self.held.retain(|path, _| taken.contains(path));
        self.lookalikes.retain(|_, lookalike| taken.contains(&lookalike.path));
    }

    /// Takes in a round that began at `now_ms`. `origin` is asked when a way becomes proven.
    pub fn take(&mut self, round: &Round, clock: ClockState, now_ms: u64, origin: impl Fn(&Path) -> Origin) {
        let grades = grades(round, clock);
        let mut by_path: BTreeMap<&Path, BTreeMap<&str, Evidence>> = BTreeMap::new();
        for (said, grade) in round.said.iter().zip(&grades) {
            let proved = by_path.entry(&said.path).or_default();
            match grade {
                Grade::Proved { aside } => {
                    self.lookalikes.remove(&said.anchor.address);
                    proved.insert(&said.anchor.operator, told(&said.anchor, *aside));
                }
                Grade::Lookalike(why) => self.unmask(said.anchor.address, "outside.tls", &said.path, why, &origin),
                Grade::Nothing => {
                    self.lookalikes.remove(&said.anchor.address);
                }
            }
        }
        if let Some(Heard { at, path, echo }) = &round.canary {
            let proved = by_path.entry(path).or_default();
            if let Echo::Unproved(why) = echo {
                self.unmask(*at, "outside.canary", path, why, &origin);
            } else {
                self.lookalikes.remove(at);
            }
            if let Echo::Signed(seen) = echo {
                proved.insert(CANARY, line("outside.canary", at.to_string(), format!("saw {seen}")));
            }
        }
        for (path, proved) in by_path {
            self.take_path(path, proved, &round.controls, now_ms, &origin);
        }
    }

    fn unmask(&mut self, at: SocketAddr, k: &'static str, path: &Path, why: &str, origin: impl Fn(&Path) -> Origin) {
        let new = || Lookalike { k, path: path.clone(), why: String::new(), origin: origin(path) };
        why.clone_into(&mut self.lookalikes.entry(at).or_insert_with(new).why);
    }

    fn take_path(
        &mut self,
        path: &Path,
        proved: BTreeMap<&str, Evidence>,
        controls: &[(SocketAddr, bool)],
        now_ms: u64,
        origin: impl Fn(&Path) -> Origin,
    ) {
        let nothing = || Held { proven: false, origin: Origin::Upstream, operators: BTreeMap::new(), controls: Vec::new(), misses: 0 };
        if proved.is_empty() {
            if let Some(held) = self.held.get_mut(path) {
                held.misses += 1;
                if held.misses >= MISSES {
                    self.held.remove(path);
                }
            }
            return;
        }
        let held = self.held.entry(path.clone()).or_insert_with(nothing);
        held.misses = 0;
        let enough = proved.len() >= 2 || proved.contains_key(CANARY);
        let again = proved.keys().any(|operator| held.operators.get(*operator).is_some_and(|(first, _)| now_ms >= first + APART_MS));
        for (operator, evidence) in proved {
            held.operators.entry(operator.to_owned()).or_insert((now_ms, evidence));
        }
        if !held.proven && (enough || again) {
            held.proven = true;
            held.origin = origin(path);
            let word = |answered: bool| if answered { "connected" } else { "silence" };
            held.controls =
                controls.iter().map(|(at, answered)| line("outside.control", at.to_string(), word(*answered).to_owned())).collect();
        }
    }

    /// Enough is held of this way, and nothing has spoken against it since.
    pub fn is_proven(&self, path: &Path) -> bool {
        self.held.get(path).is_some_and(|held| held.proven && held.misses == 0)
    }

    /// When somebody first proved who it is, alone and not yet twice; the earliest.
    pub fn alone_since(&self) -> Option<u64> {
        let alone = self.held.values().filter(|held| !held.proven);
        alone.flat_map(|held| held.operators.values().map(|(first, _)| *first)).min()
    }

    /// Somebody proved who it is by this way, alone and not yet twice.
    pub fn is_alone(&self, path: &Path) -> bool {
        self.held.get(path).is_some_and(|held| !held.proven)
    }

    /// Whether this operator proved itself by this way.
    pub fn knows(&self, path: &Path, operator: &str) -> bool {
        self.held.get(path).is_some_and(|held| held.operators.contains_key(operator))
    }

    /// Ways that are proven, by interface, with where they came from and what is told of them.
    pub fn proven(&self) -> BTreeMap<&IfName, (Origin, Vec<Evidence>)> {
        let mut found: BTreeMap<&IfName, (Origin, Vec<Evidence>)> = BTreeMap::new();
        for (path, held) in self.held.iter().filter(|(_, held)| held.proven) {
            let (_, lines) = found.entry(&path.device).or_insert((held.origin, Vec::new()));
            let family = if path.v6 { "IPv6" } else { "IPv4" };
            lines.push(line("outside.path", family.to_owned(), way(&path.device, path.gateway, path.table)));
            lines.extend(held.operators.values().map(|(_, evidence)| evidence.clone()));
            lines.extend(held.controls.iter().cloned());
        }
        found
    }

    /// Who answers in place of the internet.
    pub fn lookalikes(&self) -> impl Iterator<Item = Unmasked<'_>> {
        self.lookalikes.iter().map(|(at, Lookalike { k, path, why, origin })| {
            let route = line("outside.path", at.to_string(), way(&path.device, path.gateway, path.table));
            Unmasked { at: *at, path, origin: *origin, lines: vec![line(k, at.to_string(), why.clone()), route] }
        })
    }
}

fn told(anchor: &Anchor, aside: bool) -> Evidence {
    let what = if aside { "verified but for the dates" } else { "verified" };
    line("outside.tls", anchor.address.to_string(), format!("{} {what}", anchor.server_name))
}

#[cfg(test)]
#[path = "proof_tests.rs"]
mod tests;
