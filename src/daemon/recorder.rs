//! The log as the loop sees it: drafts go in, words about what is on disk come out. Never waits for the disk; the threads of the log and of
//! the anchor do.

use super::lost::Lost;
use super::service::Orders;
use super::shipping::{self, Shipping};
use crate::baseline::{machine_fingerprint, machine_id_hash, this_terminal};
use crate::catalogue::{Lang, RuleSet};
use crate::config::Config;
use crate::config::policy::{self, Policy};
use crate::model::{AgentEvent, Cause, Draft, Incident, IncidentId, RuleReference, Stamp, TerminalCard, What};
use crate::report::SinkState;
use crate::spool::{
    Anchor, Claims, Cursors, Digest, Disk, DiskError, Health, Known, Limits, News, OpenError, Position, Recorded, Spool, State, gap,
};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Words of the writer that wait for the loop. It takes them at once; the writer would rather lose a word than wait, and the next tells more.
const WORDS: usize = 1024;

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum RecorderError {
    /// The directory could not be had.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The log could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The cursors could not be listed.
    #[error("list the cursors in {path}")]
    Cursors {
        /// Where.
        path: PathBuf,
        /// The refusal.
        source: io::Error,
    },
}

/// The writer of the log, seen from the loop.
pub struct Recorder {
    spool: Option<Spool>,
    state: Disk,
    dir: PathBuf,
    config: Limits,
    words: mpsc::Receiver<News>,
    shipping: Shipping,
    head: (Position, Digest),
    rules: Option<RuleSet>,
    names: BTreeMap<u64, IncidentId>,
    health: Health,
    refused: bool,
    /// There is no log in this run.
    lost: Option<Lost>,
    /// A policy to be remembered when the record with this ticket is on disk.
    policy: Option<(u64, Policy)>,
    state_dir: PathBuf,
}

impl Recorder {
    /// Opens the log below `state` and records the start; gives the incidents that it left open. Where the directory cannot be used, the
    /// service goes on without a log and says so.
    pub fn open(orders: &Orders, now: &Stamp) -> Result<(Self, Vec<Incident>), RecorderError> {
        match Self::with_log(orders, now) {
            Err(error) => match Lost::of(&error) {
                Some(lost) => Ok((Self::without_log(orders, lost, now), Vec::new())),
                None => Err(error),
            },
            opened => opened,
        }
    }

    fn without_log(orders: &Orders, lost: Lost, now: &Stamp) -> Self {
        tracing::error!("{}", lost.told(orders.lang));
        let (state, config) = (orders.state_dir.as_path(), &orders.loaded.config);
        let (_, words) = mpsc::channel(1);
        let (dir, head) = (state.join("spool"), Position { epoch: String::new(), seq: 0 });
        let failing = State::Failing { since: now.clone(), why: lost.why.clone() };
        Self {
            spool: None,
            state: Disk::look(state),
            shipping: Shipping::new(&dir, Cursors::none(Disk::look(&state.join("cursors"))), head.clone()),
            dir,
            config: Limits::from(&config.retention),
            words,
            head: (head, Digest::ZERO),
            rules: orders.loaded.rules.clone(),
            names: BTreeMap::new(),
            health: Health { state: failing, waiting: 0, given_up: 0 },
            refused: false,
            lost: Some(lost),
            policy: None,
            state_dir: state.to_owned(),
        }
    }

    fn with_log(orders: &Orders, now: &Stamp) -> Result<(Self, Vec<Incident>), RecorderError> {
        let (state, config) = (orders.state_dir.as_path(), &orders.loaded.config);
        let dir = state.join("spool");
        let disk = Disk::own(&dir)?;
        let own = Disk::own(state)?;
        let mut cursors = shipping::cursors(state)?;
        let anchor = Anchor::load(&own);
        let claims = Claims { fingerprint: machine_fingerprint(), anchor: Anchor::claim(&anchor), cursors: cursors.claim() };
        let (tell, words) = mpsc::channel(WORDS);
        let news = move |news| drop(tell.try_send(news));
        let (spool, started) = Spool::start(disk, Some(Disk::look(&dir)), &claims, card(config), news)?;
        let anchor = match anchor {
            Known::Is(anchor) => Some(anchor),
            Known::Absent | Known::Unreadable | Known::Refused(_) => None,
        };
        cursors.arrange(started.order);
        let missed = gap(anchor.as_ref(), started.last.as_ref(), now);
        let health = spool.health();
        let hash = anchor.map_or(Digest::ZERO, |anchor| anchor.hash);
        let shipping = Shipping::new(&dir, cursors, started.head.clone());
        let mut recorder = Self {
            spool: Some(spool),
            state: own,
            dir,
            config: Limits::from(&config.retention),
            words,
            shipping,
            head: (started.head, hash),
            rules: orders.loaded.rules.clone(),
            names: BTreeMap::new(),
            health,
            refused: false,
            lost: None,
            policy: None,
            state_dir: state.to_owned(),
        };
        let open = started.open.into_iter().map(|(id, incident)| {
            recorder.names.insert(incident.key, id);
            incident
        });
        let open = open.collect();
        recorder.submit(missed.into_iter().chain([AgentEvent::Started]).map(|event| of_agent(event, now)).collect());
        recorder.tell_policy(config, now);
        recorder.shipping.ship_to(config, orders.lang);
        Ok((recorder, open))
    }

    /// Hands drafts over.
    pub fn submit(&self, drafts: Vec<Draft>) {
        let Some(spool) = &self.spool else { return };
        for draft in drafts {
            let rule = self.article(&draft.what);
            spool.record(Draft { rule, ..draft });
        }
    }

    /// The article that an incident touches, by the rules of this site.
    fn article(&self, what: &What) -> Option<RuleReference> {
        let What::Incident(incident) = what else { return None };
        let cause = Cause::from_code(&incident.cause.code)?;
        Some(self.rules.as_ref()?.touched_by(cause)?.reference(Lang::ZhCn))
    }

    /// What the writer says next. Cancelling it loses nothing.
    pub async fn next(&mut self) -> News {
        match self.words.recv().await {
            Some(news) => news,
            None => std::future::pending().await,
        }
    }

    /// Takes it in; gives what is on disk now and was not before.
    pub fn take(&mut self, news: News) -> Vec<Recorded> {
        match news {
            News::Health(health) => {
                self.health = health;
                Vec::new()
            }
            News::Recorded(recorded) => {
                if let Some(last) = recorded.last() {
                    self.head = (last.at.clone(), last.hash);
                    self.shipping.on_disk(&last.at);
                }
                self.keep_policy(&recorded);
                self.names.extend(recorded.iter().filter_map(|record| record.incident.clone()));
                recorded
            }
        }
    }

    /// The name under which the log has an incident of this run; `None` = it is not on disk yet.
    pub fn name(&self, key: u64) -> Option<&IncidentId> {
        self.names.get(&key)
    }

    /// How far each sink is.
    pub fn sinks(&self, now: &Stamp) -> Vec<SinkState> {
        self.shipping.sinks(now)
    }

    /// The last record that is on disk.
    pub fn head(&self) -> &Position {
        &self.head.0
    }

    /// How the log is doing.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// Where its files are.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Writes the sign of life, and lets go of what is too old.
    pub fn anchor(&mut self, now: &Stamp) {
        // Without a log there is nothing to claim about its end.
        if self.lost.is_some() {
            return;
        }
        let anchor = Anchor { head: self.head.0.clone(), hash: self.head.1, at: now.clone() };
        if let Err(error) = anchor.store(&self.state) {
            tracing::warn!(%error, "the sign of life was not written");
        }
        if let Some(spool) = &self.spool {
            spool.tidy(self.config, self.shipping.acknowledged(), now.clone());
        }
    }

    /// From now on under another configuration.
    pub fn reconfigure(&mut self, orders: &Orders, now: &Stamp) {
        let config = &orders.loaded.config;
        self.rules.clone_from(&orders.loaded.rules);
        if self.lost.is_none() {
            self.shipping.ship_to(config, orders.lang);
        }
        self.config = Limits::from(&config.retention);
        if let Some(spool) = &self.spool {
            spool.set_card(card(config));
        }
        self.tell_policy(config, now);
    }

    /// Records what changed since the last policy. What cannot be read or written of it is said; the log goes on without.
    fn tell_policy(&mut self, config: &Config, now: &Stamp) {
        let last = Policy::load(&self.state_dir).unwrap_or_else(|error| {
            tracing::warn!(error = &error as &dyn std::error::Error, "the last policy is not known");
            None
        });
        let policy = Policy::of(config);
        if let (Some(event), Some(spool)) = (policy.after(last.as_ref()), &self.spool) {
            let (ticket, _) = spool.record(of_agent(event, now));
            self.policy = Some((ticket, policy));
        }
    }

    /// Remembers the policy whose change is on disk now: a crash in between tells the change twice, never not at all.
    fn keep_policy(&mut self, recorded: &[Recorded]) {
        if let Some((_, policy)) = self.policy.take_if(|(ticket, _)| recorded.iter().any(|record| record.ticket == Some(*ticket)))
            && let Err(error) = policy.store(&self.state_dir)
        {
            tracing::warn!(error = &error as &dyn std::error::Error, "the policy was not written");
        }
    }

    /// The configuration on disk is not right.
    pub fn refuse_configuration(&mut self) {
        self.refused = true;
    }

    /// The configuration on disk is right, whether or not it is another one.
    pub fn accept_configuration(&mut self) {
        self.refused = false;
    }

    /// What hinders the log, in words.
    pub fn trouble(&self, lang: Lang) -> Option<String> {
        if let Some(lost) = &self.lost {
            return Some(lost.told(lang));
        }
        let State::Failing { why, .. } = &self.health.state else { return None };
        let waiting = self.health.waiting;
        Some(match lang {
            Lang::ZhCn => format!("记录写不进磁盘（{why}），{waiting} 条等着。"),
            Lang::En => format!("Records cannot be written to disk ({why}); {waiting} are waiting."),
        })
    }

    /// That the configuration on disk was not right, in words.
    pub fn refused(&self, lang: Lang) -> Option<String> {
        let zh = "配置文件改得不对，仍按原来的运行。";
        let en = "The configuration on disk is not right; the one before stays in force.";
        self.refused.then(|| lang.pick(zh, en).to_owned())
    }

    /// Waits until all is on disk, at most so long, and writes the last sign of life.
    pub async fn close(mut self, now: &Stamp, patience: Duration) {
        if let Some(spool) = self.spool.take() {
            let closed = tokio::task::spawn_blocking(move || spool.close());
            if let Ok(Ok(health)) = timeout(patience, closed).await
                && health.waiting > 0
            {
                tracing::error!(waiting = health.waiting, "records could not be written before the end");
            }
        }
        while let Ok(news) = self.words.try_recv() {
            self.take(news);
        }
        self.anchor(now);
    }
}

fn card(config: &Config) -> TerminalCard {
    TerminalCard::of(&config.terminal, this_terminal(&config.terminal), machine_id_hash(), &policy::digest(config))
}

fn of_agent(event: AgentEvent, now: &Stamp) -> Draft {
    Draft::new(now, What::Agent(event))
}
