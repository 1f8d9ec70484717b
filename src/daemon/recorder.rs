//! The log as the loop sees it: drafts go in, words about what is on disk come out. Never waits for the disk; the thread of the
//! log does.

use super::beat;
use super::keyring::Keyring;
use super::lost::{Lost, remedy};
use super::receivers::Grounds;
use super::service::Orders;
use super::shipping::{self, Couriers, Shipping};
use crate::baseline::{Enrolment, machine_fingerprint, machine_id_hash, this_terminal};
use crate::catalogue::{Lang, RuleSet};
use crate::config::Config;
use crate::config::policy::{self, Policy};
use crate::model::{
    AgentEvent, Draft, Goodbye, HEARTBEAT_SCHEMA, Heartbeat, Incident, IncidentId, LogNow, OpenNow, RuleReference, Stamp, TerminalCard,
    Time, Watched, Watcher, What,
};
use crate::report::SinkState;
use crate::sink::Beat;
use crate::spool::{
    Anchor, Claims, Cursors, Digest, Disk, DiskError, Health, Known, Limits, News, OpenError, Position, Recorded, Spool, State, gap,
    last_alive,
};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking, spawn_local};
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
    state: Arc<Disk>,
    dir: PathBuf,
    config: Limits,
    words: mpsc::Receiver<News>,
    shipping: Shipping,
    /// Until somebody takes them over.
    couriers: Option<Couriers>,
    head: Position,
    head_hash: Digest,
    card: TerminalCard,
    /// Between two signs of life at the receiver that wants fewest.
    interval: Duration,
    keyring: Keyring,
    rules: Option<RuleSet>,
    names: BTreeMap<u64, IncidentId>,
    refused: bool,
    /// There is no log in this run.
    lost: Option<Lost>,
    /// The last one that was told, or remembered from an earlier run.
    policy: Option<Policy>,
    /// Policies to be remembered, each when the record with this ticket is on disk.
    untold: VecDeque<(u64, Policy)>,
    /// Remembers the one before.
    remembering: Option<JoinHandle<()>>,
    state_dir: PathBuf,
    lived: Option<Stamp>,
}

impl Recorder {
    /// Opens the log below `state` and records the start; gives the incidents that it left open. Where the directory cannot be used, the
    /// service goes on without a log and says so.
    pub fn open(orders: &Orders, now: &Stamp) -> Result<(Self, Vec<Incident>), RecorderError> {
        match Self::with_log(orders, now) {
            Err(error) => match Lost::of(&error, now) {
                Some(lost) => Ok((Self::without_log(orders, lost), Vec::new())),
                None => Err(error),
            },
            opened => opened,
        }
    }

    fn without_log(orders: &Orders, lost: Lost) -> Self {
        tracing::error!("{}", lost.told(orders.lang));
        let (state, config) = (orders.state_dir.as_path(), &orders.loaded.config);
        let (_, words) = mpsc::channel(1);
        let (dir, head) = (state.join("spool"), Position { epoch: String::new(), seq: 0 });
        let (shipping, couriers) = Shipping::new(&dir, Cursors::none(Disk::look(&state.join("cursors"))), head.clone());
        Self {
            spool: None,
            state: Arc::new(Disk::look(state)),
            shipping,
            couriers: Some(couriers),
            head_hash: Digest::ZERO,
            card: card(config),
            interval: interval(config),
            keyring: Keyring::empty(),
            dir,
            config: Limits::from(&config.retention),
            words,
            head,
            rules: orders.loaded.rules.clone(),
            names: BTreeMap::new(),
            refused: false,
            lost: Some(lost),
            policy: None,
            untold: VecDeque::new(),
            remembering: None,
            state_dir: state.to_owned(),
            lived: None,
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
        let card = card(config);
        let (spool, started) = Spool::start(disk, Some(Disk::look(&dir)), &claims, card.clone(), news)?;
        let anchor = match anchor {
            Known::Is(anchor) => Some(anchor),
            Known::Absent | Known::Unreadable | Known::Refused(_) => None,
        };
        cursors.arrange(started.order);
        let missed = gap(anchor.as_ref(), started.last.as_ref(), now);
        let lived = last_alive(anchor.as_ref(), started.last.as_ref());
        let (shipping, couriers) = Shipping::new(&dir, cursors, started.head.clone());
        let mut recorder = Self {
            spool: Some(spool),
            state: Arc::new(own),
            dir,
            config: Limits::from(&config.retention),
            words,
            shipping,
            couriers: Some(couriers),
            head: started.head,
            head_hash: started.head_hash,
            card,
            interval: interval(config),
            keyring: Keyring::open(state),
            rules: orders.loaded.rules.clone(),
            names: BTreeMap::new(),
            refused: false,
            lost: None,
            policy: last_policy(state),
            untold: VecDeque::new(),
            remembering: None,
            state_dir: state.to_owned(),
            lived,
        };
        let open = started.open.into_iter().map(|(id, incident)| {
            recorder.names.insert(incident.key, id);
            incident
        });
        let open = open.collect();
        recorder.submit(missed.into_iter().chain([AgentEvent::Started]).map(|event| of_agent(event, now)).collect());
        recorder.tell_key(now);
        recorder.tell_policy(config, now);
        recorder.ship(orders);
        Ok((recorder, open))
    }

    /// Ships to the sinks of this configuration from now on.
    fn ship(&mut self, orders: &Orders) {
        let config = &orders.loaded.config;
        let grounds = Grounds::new(config, Enrolment::of(Some(&orders.state_dir)), self.lived.as_ref());
        self.shipping.ship_to(config, &grounds, orders.lang);
    }

    /// Hands drafts over.
    pub fn submit(&self, drafts: Vec<Draft>) {
        let Some(spool) = &self.spool else { return };
        for draft in drafts {
            let rule = self.article(&draft.what);
            spool.record(Draft { rule, ..draft });
        }
    }

    /// Hands one draft over, and gives the ticket under which it is told as recorded; `None` = there is no log.
    pub fn submit_one(&self, draft: Draft) -> Option<u64> {
        let rule = self.article(&draft.what);
        self.spool.as_ref().map(|spool| spool.record(Draft { rule, ..draft }).0)
    }

    /// The article that an incident touches, by the rules of this site.
    fn article(&self, what: &What) -> Option<RuleReference> {
        let What::Incident(incident) = what else { return None };
        Some(self.rules.as_ref()?.touched_by(&incident.cause.code)?.reference(Lang::ZhCn))
    }

    /// What the writer says next. Cancelling it loses nothing.
    pub async fn next(&mut self) -> News {
        match self.words.recv().await {
            Some(news) => news,
            None => std::future::pending().await,
        }
    }

    /// Takes it in; gives what is on disk now and was not before. Only of incidents that are open by their key the names are kept: one that
    /// comes back brings its name along.
    pub fn take(&mut self, news: News, is_open: impl Fn(u64) -> bool) -> Vec<Recorded> {
        match news {
            // How it is now is asked for when somebody wants to know; that it changed is told where the log itself cannot.
            News::Health(health) => {
                if let Some(trouble) = self.trouble_of(health, Lang::En) {
                    tracing::error!("{trouble}");
                } else {
                    tracing::info!("records reach the disk again");
                }
                Vec::new()
            }
            News::Recorded(recorded) => {
                if let Some(last) = recorded.last() {
                    (self.head, self.head_hash) = (last.at.clone(), last.hash);
                    self.shipping.on_disk(&last.at);
                }
                self.keep_policy(&recorded);
                self.keyring.recorded(&recorded);
                self.names.extend(recorded.iter().filter_map(|record| record.incident.clone()));
                self.names.retain(|key, _| is_open(*key));
                recorded
            }
        }
    }

    /// The name under which the log has an open incident of this run; `None` = it is not on disk yet.
    pub fn name(&self, key: u64) -> Option<&IncidentId> {
        self.names.get(&key)
    }

    /// Algorithm and fingerprint of the key that signs; `None` = there is none.
    pub fn key(&self) -> Option<String> {
        let key = self.keyring.key()?.public();
        Some(format!("{} {}", key.algorithm().code(), key.fingerprint()))
    }

    /// Where the couriers speak to the loop; only once.
    pub fn couriers(&mut self) -> Option<Couriers> {
        self.couriers.take()
    }

    /// What receivers do not promise, where these are the open incidents.
    pub fn lacks<'a>(&self, open: impl Iterator<Item = &'a Incident>) -> Watched {
        let mut known = BTreeMap::new();
        for incident in open {
            if let Some((Watcher::Shipping, sink)) = Watcher::of_blindness(&incident.cause.object) {
                known.extend(incident.evidence.first().map(|line| (sink.to_owned(), line.result.clone())));
            }
        }
        self.shipping.lacks(|sink| known.get(sink).cloned())
    }

    /// A sign of life, as things are on disk now. `open`: see [`beat::open`].
    pub fn beat(&self, now: &Stamp, uptime: Duration, (open, more_open): (Vec<OpenNow>, u64), goodbye: Option<Goodbye>) -> Beat {
        let health = self.health();
        let key = self.keyring.key();
        let beat = Heartbeat {
            schema: HEARTBEAT_SCHEMA.to_owned(),
            terminal: self.card.clone(),
            epoch: self.head.epoch.clone(),
            seq: self.head.seq,
            hash: self.head_hash.to_string(),
            time: Time::from(now),
            uptime_s: uptime.as_secs(),
            interval_s: self.interval.as_secs(),
            open,
            more_open,
            log: LogNow { well: health.state == State::Well, waiting: health.waiting as u64, given_up: health.given_up },
            goodbye,
            key: key.map(|key| beat::card(key.public())),
        };
        beat::seal(&beat, key)
    }

    /// How far each sink is.
    pub fn sinks(&self, now: &Stamp, lang: Lang) -> Vec<SinkState> {
        self.shipping.sinks(now, lang)
    }

    /// The last record that is on disk.
    pub fn head(&self) -> &Position {
        &self.head
    }

    /// How many names are kept.
    #[cfg(test)]
    pub fn names_held(&self) -> usize {
        self.names.len()
    }

    /// Ships to one receiver more.
    #[cfg(test)]
    pub fn ship_to(&mut self, name: &str, beats: Duration, sink: impl crate::sink::Sink + 'static) {
        self.shipping.begin(name, "nats", crate::sink::Pace::FLEET, Some(beats), sink);
    }

    /// Everything handed over has been dealt with, and the loop has been told.
    #[cfg(test)]
    pub fn is_idle(&self) -> bool {
        self.spool.as_ref().is_none_or(Spool::is_idle)
    }

    /// Records reach the disk.
    pub fn is_well(&self) -> bool {
        self.health().state == State::Well
    }

    /// Every receiver has all that is on the disk.
    pub fn all_shipped(&self) -> bool {
        self.shipping.acknowledged().is_some_and(|least| least == self.head)
    }

    /// How the log is doing, now.
    pub fn health(&self) -> Health {
        let without = || {
            let failing = |lost: &Lost| State::Failing { since: lost.since.clone(), why: lost.why.clone(), kind: lost.kind };
            Health { state: self.lost.as_ref().map_or(State::Well, failing), waiting: 0, given_up: 0 }
        };
        self.spool.as_ref().map_or_else(without, Spool::health)
    }

    /// When an earlier run was last alive; `None` = this is the first, or nothing is known of it.
    pub fn lived(&self) -> Option<&Stamp> {
        self.lived.as_ref()
    }

    /// Where its files are.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Has the sign of life written, and lets go of what is too old.
    pub fn anchor(&self, now: &Stamp) {
        if let Some(spool) = &self.spool {
            spool.tidy(self.config, self.shipping.acknowledged(), now.clone());
            spool.anchor(Arc::clone(&self.state) as _, now.clone());
        }
    }

    /// From now on under another configuration.
    pub fn reconfigure(&mut self, orders: &Orders, now: &Stamp) {
        let config = &orders.loaded.config;
        self.rules.clone_from(&orders.loaded.rules);
        if self.lost.is_none() {
            self.ship(orders);
        }
        self.config = Limits::from(&config.retention);
        if let Some(spool) = &self.spool {
            self.card = card(config);
            spool.set_card(self.card.clone());
        }
        self.interval = interval(config);
        self.tell_policy(config, now);
    }

    /// Records a key that the log does not know of.
    fn tell_key(&mut self, now: &Stamp) {
        if let (Some(event), Some(spool)) = (self.keyring.news(), &self.spool) {
            let (ticket, _) = spool.record(of_agent(event, now));
            self.keyring.tells(ticket);
        }
    }

    /// Records what changed since the last policy.
    fn tell_policy(&mut self, config: &Config, now: &Stamp) {
        let policy = Policy::of(config);
        if let (Some(event), Some(spool)) = (policy.after(self.policy.as_ref()), &self.spool) {
            let (ticket, _) = spool.record(of_agent(event, now));
            self.policy = Some(policy.clone());
            self.untold.push_back((ticket, policy));
        }
    }

    /// Remembers the policy whose change is on disk now: a crash in between tells the change twice, never not at all. The disk is waited for
    /// elsewhere, one policy after the other.
    fn keep_policy(&mut self, recorded: &[Recorded]) {
        let is_told = |(ticket, _): &(u64, Policy)| recorded.iter().any(|record| record.ticket == Some(*ticket));
        let told = self.untold.iter().rposition(is_told).and_then(|last| self.untold.drain(..=last).next_back());
        if let Some((_, policy)) = told {
            let (dir, before) = (self.state_dir.clone(), self.remembering.take());
            self.remembering = Some(spawn_local(async move {
                if let Some(before) = before {
                    // Whatever became of it, this one comes after it.
                    let _ = before.await;
                }
                let stored = spawn_blocking(move || policy.store(&dir)).await;
                if let Ok(Err(error)) = stored {
                    tracing::warn!(error = &error as &dyn std::error::Error, "the policy was not written");
                }
            }));
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
        self.trouble_of(self.health(), lang)
    }

    fn trouble_of(&self, health: Health, lang: Lang) -> Option<String> {
        let Health { state: State::Failing { why, kind, .. }, waiting, .. } = health else { return None };
        let (dir, remedy) = (self.dir.display(), remedy(kind, lang));
        Some(match lang {
            Lang::ZhCn => format!("记录写不进 {dir}（{why}），{waiting} 条等着。{remedy}，之后会自己补写。"),
            Lang::En => format!("Records cannot be written in {dir} ({why}); waiting: {waiting}. {remedy}; they are written then."),
        })
    }

    /// That the configuration on disk was not right, in words.
    pub fn refused(&self, lang: Lang) -> Option<String> {
        let zh = "配置文件改得不对，仍按原来的运行；哪里不对，运行 isonet check-config 看。";
        let en = "The configuration on disk is not right; the one before stays in force. See isonet check-config.";
        self.refused.then(|| lang.pick(zh, en).to_owned())
    }

    /// Waits until all is on disk, the last sign of life as well; at most so long for each. Then receivers that are there are given what they do not
    /// have, and `goodbye`.
    pub async fn close(mut self, now: &Stamp, patience: Duration, goodbye: impl FnOnce(&Self) -> Beat) {
        if let Some(spool) = self.spool.take() {
            spool.anchor(Arc::clone(&self.state) as _, now.clone());
            let closed = spawn_blocking(move || spool.close());
            if let Ok(Ok(health)) = timeout(patience, closed).await
                && health.waiting > 0
            {
                tracing::error!(waiting = health.waiting, "records could not be written before the end");
            }
        }
        while let Ok(news) = self.words.try_recv() {
            self.take(news, |_| true);
        }
        let last = goodbye(&self);
        self.shipping.farewell(last).await;
        for remembering in self.remembering.take().into_iter().chain(self.keyring.remembering()) {
            let _ = timeout(patience, remembering).await;
        }
    }
}

/// What cannot be read of it is said; the log goes on without.
fn last_policy(state: &Path) -> Option<Policy> {
    Policy::load(state).unwrap_or_else(|error| {
        tracing::warn!(error = &error as &dyn std::error::Error, "the last policy is not known");
        None
    })
}

fn card(config: &Config) -> TerminalCard {
    TerminalCard::of(&config.terminal, this_terminal(&config.terminal), machine_id_hash(), &policy::digest(config))
}

/// Between two signs of life at the receiver that wants fewest.
fn interval(config: &Config) -> Duration {
    config.sinks.iter().filter_map(crate::config::Sink::heartbeat).max().unwrap_or(Duration::from_mins(5))
}

fn of_agent(event: AgentEvent, now: &Stamp) -> Draft {
    Draft::new(now, What::Agent(event))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Loaded;
    use crate::daemon::OnDisk;
    use crate::model::{Body, ClockState};
    use crate::spool::Reader;
    use tokio::task::LocalSet;

    fn orders(state: &Path, text: &str) -> Orders {
        let config = toml::from_str(text).expect("a configuration");
        let loaded = Loaded { config, rules: None, sources: Vec::new(), notes: Vec::new(), files: Vec::new() };
        Orders {
            loaded,
            file: None,
            state_dir: state.to_owned(),
            run_dir: None,
            lang: Lang::En,
            on_disk: OnDisk::InForce,
            set_log_level: |_| {},
        }
    }

    fn now() -> Stamp {
        Stamp { boot_id: "b".to_owned(), boottime_ms: 1, wall: jiff::Timestamp::UNIX_EPOCH, offset_s: 0, clock: ClockState::Unknown }
    }

    /// All changes of the policy in the log, from and to.
    fn told(state: &Path) -> Vec<(Option<String>, String)> {
        let mut reader = Reader::after(Disk::look(&state.join("spool")), Position { epoch: String::new(), seq: 0 });
        let entries = reader.next(usize::MAX, None).expect("a log");
        let changes = entries.iter().filter_map(|entry| match entry.record().expect("a record").body {
            Body::Agent { agent: AgentEvent::PolicyChanged { from, to, .. }, .. } => Some((from, to)),
            _ => None,
        });
        changes.collect()
    }

    #[tokio::test]
    async fn a_policy_that_is_changed_back_before_the_first_change_is_on_disk_is_told_both_times() {
        let dir = tempfile::tempdir().expect("a directory");
        let (first, second) = (orders(dir.path(), ""), orders(dir.path(), "[probe]\ninterval = '60s'"));
        let run = async |change_back| {
            let (mut recorder, _) = Recorder::open(&first, &now()).expect("a log");
            if change_back {
                recorder.reconfigure(&second, &now());
                recorder.reconfigure(&first, &now());
            }
            recorder.close(&now(), Duration::from_secs(30), |_| Beat(Arc::from(*b"{}"))).await;
        };
        LocalSet::new().run_until(run(true)).await;
        let (one, other) = (Policy::of(&first.loaded.config), Policy::of(&second.loaded.config).digest);
        let due = [(None, one.digest.clone()), (Some(one.digest.clone()), other.clone()), (Some(other), one.digest.clone())];
        assert_eq!(told(dir.path()), due);
        assert_eq!(Policy::load(dir.path()).expect("remembered"), Some(one));
        LocalSet::new().run_until(run(false)).await;
        assert_eq!(told(dir.path()).len(), 3, "nothing has changed since");
    }
}
