//! What clients are told, made from what the loop holds: at most once per change, and only when somebody asks.

use super::control::{Asked, Control, Freshness, Question};
use super::metrics::{self, Gauges};
use super::recorder::Recorder;
use super::tally::Tally;
use crate::catalogue::{self, Lang};
use crate::incident::Engine;
use crate::infer::World;
use crate::model::{self, Blind, IncidentKind};
use crate::report::page::{self, History};
use crate::report::{self, Agent, Facing, LogHealth, LogState, OpenIncident, Standing, Status, View, Watcher};
use crate::spool::State;
use crate::sys::clock;
use crate::watch::Watchers;
use hyper::body::Bytes;
use jiff::Zoned;
use std::collections::BTreeMap;

/// Clients that wait for a round at most.
const MOST_WAITING: usize = 32;

/// What the loop holds.
pub struct Held<'a> {
    /// The incidents, and what the last round meant.
    pub engine: &'a Engine,
    /// Everything seen in it.
    pub world: &'a World,
    /// The surroundings; `at` and `took_ms` are the last round's.
    pub facing: &'a Facing,
    /// The log.
    pub recorder: &'a Recorder,
    /// What has happened.
    pub tally: &'a Tally,
    /// When the service started.
    pub started: &'a Zoned,
    /// Who looks after the rules of the site.
    pub watchers: &'a Watchers,
    /// The kernel's word of changes is heard.
    pub hears_network: bool,
    /// Changes of the configuration's files are noticed.
    pub sees_files: bool,
    /// Times of the last day.
    pub history: &'a History,
    /// Where the page is served.
    pub control: &'a Control,
}

/// What has to happen now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Nothing.
    Nothing,
    /// Somebody waits for a round that has not begun.
    Round,
}

/// Documents made since the last change, and who waits for a round.
#[derive(Default)]
pub struct Answers {
    made: BTreeMap<(Question, Lang), Option<Bytes>>,
    waiting: Vec<Waiting>,
}

struct Waiting {
    asked: Asked,
    since_ms: u64,
}

impl Answers {
    /// Something changed.
    pub fn outdated(&mut self) {
        self.made.clear();
    }

    /// How much is kept: documents, and clients that wait.
    #[cfg(test)]
    pub fn held(&self) -> usize {
        self.made.len() + self.waiting.len()
    }

    /// Answers, or lets it wait for a round that begins from now (`boottime_ms`) on.
    pub fn take(&mut self, asked: Asked, now_ms: u64, held: &Held<'_>) -> Next {
        match asked.question {
            Question::Diagnosis(Freshness::Fresh) | Question::World(Freshness::Fresh) => {
                self.waiting.retain(|waiting| !waiting.asked.answer.is_closed());
                if self.waiting.len() < MOST_WAITING {
                    self.waiting.push(Waiting { asked, since_ms: now_ms });
                }
                Next::Round
            }
            Question::Status(_)
            | Question::Page(_)
            | Question::Diagnosis(Freshness::Latest)
            | Question::World(Freshness::Latest)
            | Question::Metrics => {
                self.answer(asked, held);
                Next::Nothing
            }
        }
    }

    /// A round that began at that time has ended and counts.
    pub fn round_ended(&mut self, began_ms: u64, held: &Held<'_>) -> Next {
        let (ready, rest) = std::mem::take(&mut self.waiting).into_iter().partition(|waiting| waiting.since_ms <= began_ms);
        self.waiting = rest;
        for Waiting { asked, .. } in ready {
            self.answer(asked, held);
        }
        self.waiting.retain(|waiting| !waiting.asked.answer.is_closed());
        if self.waiting.is_empty() { Next::Nothing } else { Next::Round }
    }

    fn answer(&mut self, asked: Asked, held: &Held<'_>) {
        let document = self.made.entry((latest(asked.question), asked.lang)).or_insert_with(|| held.document(asked.question, asked.lang));
        // A client that left does not need it.
        let _ = asked.answer.send(document.clone());
    }
}

/// Documents do not tell why their round was run.
fn latest(question: Question) -> Question {
    match question {
        Question::Diagnosis(_) => Question::Diagnosis(Freshness::Latest),
        Question::World(_) => Question::World(Freshness::Latest),
        Question::Status(_) | Question::Page(_) | Question::Metrics => question,
    }
}

impl Held<'_> {
    fn document(&self, question: Question, lang: Lang) -> Option<Bytes> {
        let text = match question {
            Question::Status(view) => json(&Status::of(&self.standing(lang), view, self.facing, lang)),
            Question::Page(view) => self.page(view, lang),
            Question::Diagnosis(_) => {
                let facing = Facing { open: Some(self.open(lang)), ..self.facing.clone() };
                report::to_json(self.engine.latest()?, &facing, lang)
            }
            Question::World(_) => {
                self.engine.latest()?;
                json(self.world)
            }
            Question::Metrics => self.metrics(lang),
        };
        Some(text.into())
    }

    fn open(&self, lang: Lang) -> Vec<OpenIncident> {
        let open = self.engine.open();
        open.map(|incident| OpenIncident::of(incident, self.recorder.name(incident.key), self.started, lang)).collect()
    }

    fn page(&self, view: View, lang: Lang) -> String {
        let now = clock::stamp();
        let page = page::Now {
            latest: self.engine.latest(),
            open: &self.open(lang),
            agent: &self.agent(lang),
            history: self.history,
            facing: self.facing,
            view,
            now: &now.wall.to_zoned(self.facing.at.time_zone().clone()),
            now_ms: now.boottime_ms,
        };
        page::standing(&page, lang)
    }

    fn standing(&self, lang: Lang) -> Standing<'_> {
        Standing { latest: self.engine.latest(), open: self.open(lang), agent: self.agent(lang) }
    }

    fn agent(&self, lang: Lang) -> Agent {
        Agent {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            started: self.started.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
            rounds: self.tally.rounds,
            pulses: self.tally.pulses,
            key: self.recorder.key(),
            config_trouble: self.recorder.refused(lang),
            log: self.log(lang),
            watchers: self.watchers(lang),
            sinks: self.recorder.sinks(&clock::stamp(), lang),
            blind: Vec::new(),
        }
    }

    fn watchers(&self, lang: Lang) -> Vec<Watcher> {
        let own = [network(self.hears_network, lang), configuration(self.sees_files, lang)];
        let page = self.control.page_trouble(lang).map(|trouble| page_closed(trouble, lang));
        own.into_iter().chain(page).chain(self.watchers.blind().map(|(watcher, blind)| of_the_rules(watcher, blind, lang))).collect()
    }

    fn log(&self, lang: Lang) -> LogHealth {
        let health = self.recorder.health();
        let state = match health.state {
            State::Well => LogState::Well,
            State::Failing { .. } => LogState::Failing,
        };
        LogHealth { state, trouble: self.recorder.trouble(lang), recorded: self.tally.recorded, waiting: health.waiting as u64 }
    }

    fn metrics(&self, lang: Lang) -> String {
        let count = |kind| self.engine.open().filter(|incident| incident.fingerprint.kind() == kind).count() as u64;
        let gauges = Gauges {
            connected: self.engine.latest().and_then(|seen| seen.connected),
            open: &[
                ("disconnection", count(IncidentKind::Disconnection)),
                ("degradation", count(IncidentKind::Degradation)),
                ("blindness", count(IncidentKind::Blindness)),
                ("finding", count(IncidentKind::Finding)),
            ],
            log: &self.log(lang),
            started: self.started.timestamp().as_second(),
        };
        metrics::render(self.tally, &gauges)
    }
}

fn of_the_rules(watcher: model::Watcher, blind: Option<&[Blind]>, lang: Lang) -> Watcher {
    let because = match blind {
        None => Some(lang.pick("还没有看过。", "it has not looked yet.").to_owned()),
        Some([]) => None,
        Some(blind) => {
            let named = |blind: &Blind| {
                let what = catalogue::unseen_what(&blind.what, lang).unwrap_or(&blind.what).to_owned();
                format!("{what}{}{}", lang.pick("：", ": "), catalogue::unseen(&blind.because, lang))
            };
            let all: Vec<String> = blind.iter().map(named).collect();
            Some(format!("{}{}", all.join(lang.pick("；", "; ")), lang.pick("。", ".")))
        }
    };
    let name = catalogue::watcher(watcher, lang).to_owned();
    Watcher { what: watcher.code().to_owned(), name, sees: because.is_none(), because }
}

fn network(sees: bool, lang: Lang) -> Watcher {
    Watcher {
        what: "network".to_owned(),
        name: lang.pick("网卡、地址、路由的变化", "Changes of links, addresses and routes").to_owned(),
        sees,
        because: (!sees).then(|| {
            lang.pick("听不到内核的通知，只能定时检查，发现得慢一些。", "the kernel is not heard; looks come by the clock only, and later.")
                .to_owned()
        }),
    }
}

fn configuration(sees: bool, lang: Lang) -> Watcher {
    Watcher {
        what: "configuration".to_owned(),
        name: lang.pick("配置文件的变化", "Changes of the configuration").to_owned(),
        sees,
        because: (!sees).then(|| {
            lang.pick("看不到文件变化，改完配置要重新加载（SIGHUP）。", "files are not watched; reload by SIGHUP after a change.")
                .to_owned()
        }),
    }
}

fn page_closed(trouble: String, lang: Lang) -> Watcher {
    Watcher { what: "page".to_owned(), name: lang.pick("状态网页", "The status page").to_owned(), sees: false, because: Some(trouble) }
}

fn json(document: &impl serde::Serialize) -> String {
    serde_json::to_string(document).expect("plain data with string keys always serialises")
}
