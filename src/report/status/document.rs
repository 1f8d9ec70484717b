//! The document `status/1`.

use crate::catalogue::{self, Lang};
use crate::model::{self, Certainty, Chain, Diagnosis, Isolation, Layer, LayerState, NoteCode, Severity, Verdict};
use crate::report::answer::{Answer, actors};
use crate::report::open::{OpenIncident, RFC_3339};
use crate::report::{Facing, text};
use serde::{Deserialize, Serialize};

/// Who looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum View {
    /// Root and the group `isonet`.
    Whole,
    /// Anybody on this PC.
    Clerk,
}

/// What the daemon holds now: the input of a [`Status`].
#[derive(Debug)]
pub struct Standing<'a> {
    /// What the last round meant; `None` = the first is under way.
    pub latest: Option<&'a Diagnosis>,
    /// Open incidents, the oldest first.
    pub open: Vec<OpenIncident>,
    /// The daemon's own affairs.
    pub agent: Agent,
}

/// How things stand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Status {
    /// `status/1`.
    pub schema: String,
    /// For whom it is.
    pub view: View,
    /// Which PC.
    pub terminal: TerminalName,
    /// When the last round ended, RFC 3339; `None` = the first is under way.
    pub looked_at: Option<String>,
    /// Every critical centre can be used; `None` = could not tell, never fine.
    pub connected: Option<bool>,
    /// The separation from the internet.
    pub isolation: Isolation,
    /// The same in words.
    pub say: Say,
    /// One item per layer and chain, from this PC outwards.
    pub path: Vec<Step>,
    /// Ranked, the root first.
    pub causes: Vec<Finding>,
    /// The oldest first.
    pub open_incidents: Vec<OpenIncident>,
    /// The daemon's own affairs; `None` for a clerk.
    pub agent: Option<Agent>,
}

/// Which PC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TerminalName {
    /// Its id; `None` = not known.
    pub id: Option<String>,
    /// What people call it; `None` = not configured.
    pub name: Option<String>,
}

/// What a person is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Say {
    /// Whether one can settle, and whose fault it is not.
    pub first: String,
    /// The one act; `None` before the first round has ended.
    pub act: Option<String>,
    /// Whom to call and what to read out; `None` before the first round has ended.
    pub call: Option<String>,
    /// The separation from the internet.
    pub isolation: String,
    /// What never to do.
    pub never: String,
}

/// One layer of one chain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Which layer.
    pub layer: Layer,
    /// The layer in words.
    pub name: String,
    /// `local`, or the centre's name.
    pub chain: String,
    /// How it is.
    pub state: LayerState,
    /// What stands there.
    pub subject: Option<String>,
    /// A short language-free fact.
    pub summary: Option<String>,
    /// Time of the exchange that tells.
    pub ms: Option<f64>,
}

/// One cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// Its code.
    pub cause: String,
    /// In words.
    pub title: String,
    /// How sure.
    pub certainty: Certainty,
    /// How bad.
    pub severity: Severity,
    /// What the counter does about it, step by step.
    pub advice: Vec<String>,
    /// Who acts first.
    pub who_acts: String,
    /// Whom to call; `None` = no number is known.
    pub contact: Option<Callee>,
    /// Where.
    pub subject: Option<String>,
}

/// Whom to call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Callee {
    /// The person.
    pub name: String,
    /// The number.
    pub phone: String,
    /// In which role.
    pub role: String,
}

/// The daemon's own affairs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agent {
    /// Of this program.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// Since when it runs, RFC 3339.
    pub started: String,
    /// Rounds that have ended.
    pub rounds: u64,
    /// Pulses that have ended.
    pub pulses: u64,
    /// Algorithm and fingerprint of the key that signs for this terminal; `None` = there is none.
    #[serde(default)]
    pub key: Option<String>,
    /// What is not right about the configuration on disk; `None` = it is the one in force.
    pub config_trouble: Option<String>,
    /// The log.
    pub log: LogHealth,
    /// Where records are shipped, and how far each is, in the order of the configuration.
    #[serde(default)]
    pub sinks: Vec<SinkState>,
    /// What watches without being asked, and whether it sees.
    pub watchers: Vec<Watcher>,
    /// What the last round could not see.
    pub blind: Vec<Gap>,
}

/// How the log is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogHealth {
    /// Whether records reach the disk.
    pub state: LogState,
    /// What hinders them, in words.
    pub trouble: Option<String>,
    /// Records written since the start.
    pub recorded: u64,
    /// Records that wait for the disk.
    pub waiting: u64,
}

/// How far a sink is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SinkState {
    /// Its name in the configuration.
    pub name: String,
    /// `journal`, `syslog`, `nats`.
    pub kind: String,
    /// The last record that its receiver has, as `EPOCH/SEQ`; `None` = none yet.
    pub shipped: Option<String>,
    /// Records on disk that it does not have; `None` = they are of several epochs and were not counted.
    pub waiting: Option<u64>,
    /// Age of the oldest of them, seconds; `None` = there is none, or the clock went back.
    pub oldest_s: Option<u64>,
    /// What hinders it; `None` = nothing.
    pub trouble: Option<String>,
    /// What was shipped last went through.
    #[serde(default)]
    pub connected: bool,
    /// Seconds until it is tried again; `None` = nothing failed.
    #[serde(default)]
    pub retry_s: Option<u64>,
    /// Seconds since the last sign of life went; `None` = none has yet, or it wants none.
    #[serde(default)]
    pub beat_s: Option<u64>,
    /// What its receiver does not promise though records need it; `None` = nothing is known to be missing.
    #[serde(default)]
    pub lacks: Option<String>,
}

/// Whether records reach the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogState {
    /// They do.
    Well,
    /// They do not.
    Failing,
}

/// Something that watches without being asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watcher {
    /// What it watches: `network`, `configuration`, or a watcher of the rules.
    pub what: String,
    /// In words.
    pub name: String,
    /// It sees.
    pub sees: bool,
    /// What is lost without it, in words.
    pub because: Option<String>,
}

/// Something that could not be seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gap {
    /// What.
    pub what: String,
    /// Why.
    pub because: String,
}

impl Status {
    /// Of the daemon; `facing.at` is when the last round ended.
    pub fn of(standing: &Standing<'_>, view: View, facing: &Facing, lang: Lang) -> Self {
        let latest = standing.latest;
        let (path, verdicts) = latest.map(|seen| (&seen.path[..], &seen.verdicts[..])).unwrap_or_default();
        let whole = Self {
            schema: "status/1".to_owned(),
            view,
            terminal: TerminalName { id: facing.id.clone(), name: facing.terminal.name.clone() },
            looked_at: latest.map(|_| facing.at.strftime(RFC_3339).to_string()),
            connected: latest.and_then(|seen| seen.connected),
            isolation: latest.map_or(Isolation::Unknown, |seen| seen.isolation),
            say: Say::of(standing, facing, lang),
            path: path.iter().map(|item| Step::of(item, lang)).collect(),
            causes: verdicts.iter().map(|verdict| Finding::of(verdict, facing, lang)).collect(),
            open_incidents: standing.open.clone(),
            agent: Some(Agent { blind: latest.map(|seen| gaps(seen, lang)).unwrap_or_default(), ..standing.agent.clone() }),
        };
        match view {
            View::Whole => whole,
            View::Clerk => whole.for_a_clerk(),
        }
    }

    fn for_a_clerk(mut self) -> Self {
        self.agent = None;
        for step in &mut self.path {
            (step.subject, step.summary, step.ms) = (None, None, None);
        }
        for cause in &mut self.causes {
            cause.subject = None;
        }
        self.open_incidents = self.open_incidents.into_iter().map(OpenIncident::for_a_clerk).collect();
        self
    }
}

/// The separation from the internet as it is said where there is a watch: one look cannot tell, a watcher that sees and has found nothing can.
/// The value of `status/1` is that of the look.
pub(in crate::report) fn separation(seen: &Diagnosis, agent: &Agent, lang: Lang) -> (Isolation, &'static str) {
    let watched = seen.isolation == Isolation::Unknown
        && seen.notes.iter().all(|note| note.code != NoteCode::NotEnrolled)
        && agent.watchers.iter().any(|watcher| watcher.what == model::Watcher::Isolation.code() && watcher.sees);
    if watched {
        let words = lang.pick(
            "和互联网的隔离：一直在看，没有发现通往互联网的路。",
            "Separation from the internet: watched all the time, no way to the internet was seen.",
        );
        return (Isolation::Intact, words);
    }
    (seen.isolation, text::isolation(seen, lang))
}

impl Say {
    fn of(standing: &Standing<'_>, facing: &Facing, lang: Lang) -> Self {
        let never = catalogue::never_do(lang).to_owned();
        let Some(seen) = standing.latest else {
            let first =
                lang.pick("正在做第一次检查，还不知道能不能结算。", "The first look is under way: not known yet whether you can settle.");
            let isolation = catalogue::isolation(Isolation::Unknown, lang).to_owned();
            return Self { first: first.to_owned(), act: None, call: None, isolation, never };
        };
        let answer = Answer::of(seen, facing);
        Self {
            first: text::first(&answer, lang),
            act: Some(text::act(&answer, facing, lang)),
            call: Some(text::call(&answer, facing, lang)),
            isolation: separation(seen, &standing.agent, lang).1.to_owned(),
            never,
        }
    }
}

impl Step {
    fn of(item: &crate::model::PathItem, lang: Lang) -> Self {
        let chain = match &item.chain {
            Chain::Local => "local",
            Chain::Centre(name) => name,
        };
        Self {
            layer: item.layer,
            name: catalogue::layer(item.layer, lang).to_owned(),
            chain: chain.to_owned(),
            state: item.state,
            subject: Some(item.subject.to_string()),
            summary: Some(item.fact.clone()),
            ms: item.ms.filter(|ms| ms.is_finite()),
        }
    }
}

impl Finding {
    fn of(verdict: &Verdict, facing: &Facing, lang: Lang) -> Self {
        let text = catalogue::text(verdict.cause, lang);
        let actors = actors(verdict, facing);
        let contact = actors.iter().find_map(|actor| {
            let found = facing.contacts.get(actor)?;
            Some(Callee { name: found.name.clone(), phone: found.phone.clone(), role: actor.code().to_owned() })
        });
        Self {
            cause: verdict.cause.code().to_owned(),
            title: text.title.to_owned(),
            certainty: verdict.certainty,
            severity: verdict.severity,
            advice: text.shop.iter().map(|step| (*step).to_owned()).collect(),
            who_acts: actors.first().map_or("bureau", |actor| actor.code()).to_owned(),
            contact,
            subject: Some(verdict.subject.to_string()),
        }
    }
}

fn gaps(seen: &Diagnosis, lang: Lang) -> Vec<Gap> {
    seen.blind.iter().map(|gap| Gap { what: gap.what.clone(), because: catalogue::unseen(&gap.because, lang) }).collect()
}
