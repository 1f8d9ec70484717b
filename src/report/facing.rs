//! What the report knows besides the diagnosis: whose PC, when, whom to call, for what kind of screen.

use super::OpenIncident;
use crate::catalogue::RuleSet;
use crate::config::{Config, Contact, ContactRole, Terminal};
use crate::model::Actor;
use jiff::Zoned;
use std::collections::BTreeMap;

/// What became of the question to the daemon for what this user may not see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Help {
    /// Nothing was missing, or nobody was asked.
    NotNeeded,
    /// So many looks were made by the daemon.
    Looks(usize),
    /// The daemon could not help.
    None,
}

/// The surroundings of a report.
#[derive(Debug, Clone)]
pub struct Facing {
    /// When the round ended, in the terminal's own time zone.
    pub at: Zoned,
    /// How long the round took, milliseconds.
    pub took_ms: u64,
    /// How many samples the diagnosis rests on.
    pub samples: u32,
    /// The terminal's short id as people say it; `None` = not known.
    pub id: Option<String>,
    /// What the configuration says of the terminal.
    pub terminal: Terminal,
    /// Whom to call. An actor that is missing is named by role alone.
    pub contacts: BTreeMap<Actor, Contact>,
    /// Who is named first where several can act.
    pub order: Vec<Actor>,
    /// The rules whose articles are cited; `None` = none is.
    pub rules: Option<RuleSet>,
    /// What the daemon has open, the oldest first; `None` = no daemon answered.
    pub open: Option<Vec<OpenIncident>>,
    /// What the daemon saw for this user.
    pub help: Help,
    /// What the queue may be told while one cannot settle; `None` = nothing is suggested.
    pub while_down: Option<String>,
    /// The file to which a missing fact of the site is to be added.
    pub config_file: String,
}

impl Facing {
    /// One look of one sample for this configuration, citing no rules, with no daemon. The id `auto` is for the shell to derive: until then it is not known.
    pub fn new(config: &Config, at: Zoned, took_ms: u64) -> Self {
        let actors = [Actor::Vendor, Actor::Software, Actor::Operator, Actor::Bureau, Actor::Centre, Actor::Insured, Actor::Institution];
        Self {
            at,
            took_ms,
            samples: 1,
            id: Some(config.terminal.id.clone()).filter(|id| id != "auto"),
            terminal: config.terminal.clone(),
            contacts: actors.into_iter().filter_map(|actor| Some((actor, config.contact(actor)?.clone()))).collect(),
            order: config.contacts.order.iter().copied().map(ContactRole::actor).collect(),
            rules: None,
            open: None,
            help: Help::NotNeeded,
            while_down: config.while_down.clone(),
            config_file: "/etc/isonet/isonet.toml".to_owned(),
        }
    }

    /// Actors in the order of this site: the counter itself, which reads this; then those that [`order`](Self::order) names; then the rest
    /// as they come. Where the centre cannot be called apart from the bureau, the bureau is called for it.
    pub(super) fn ordered(&self, actors: &[Actor]) -> Vec<Actor> {
        let rank = |actor: &Actor| match actor {
            Actor::Shop => 0,
            other => self.order.iter().position(|named| named == other).map_or(usize::MAX, |place| place + 1),
        };
        let known = |actor: Actor| self.contacts.contains_key(&actor);
        let mut ordered = actors.to_vec();
        ordered.sort_by_key(rank);
        let centre = ordered.iter().position(|actor| *actor == Actor::Centre);
        if let Some(centre) = centre.filter(|_| !known(Actor::Centre) && known(Actor::Bureau) && !actors.contains(&Actor::Bureau)) {
            ordered.insert(centre + 1, Actor::Bureau);
        }
        ordered
    }
}

/// How the text is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Colour by ANSI sequences. Nothing is said by colour alone.
    pub color: bool,
    /// Columns of the screen; less than 40 counts as 40.
    pub width: usize,
    /// For an engineer: every piece of evidence, where to look, what could not be seen.
    pub verbose: bool,
}

impl Default for Style {
    /// Plain text of 80 columns for a clerk.
    fn default() -> Self {
        Self { color: false, width: 80, verbose: false }
    }
}
