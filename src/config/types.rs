//! The checked configuration: plain data, one struct per table, every field with its default. What is `None` or empty is *not
//! configured* and accuses nobody.

use super::centre::Centre;
use super::duties::{Clock, IsolationSettings, Retention, Rules, Sink, Upload, Usb, Web};
use super::text::{TextError, duration};
use super::vpn::Vpn;
use crate::model::Actor;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Everything the agent is told.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Config {
    /// Language of texts.
    pub language: LanguageChoice,
    /// Where records and the baseline live; `None` = the default place for this user.
    pub state_dir: Option<PathBuf>,
    /// Where sockets live; `None` = the default place for this user.
    pub run_dir: Option<PathBuf>,
    /// How much the service says of itself.
    #[serde(skip_serializing_if = "LogLevel::is_usual")]
    pub log_level: LogLevel,
    /// What the queue may be told while one cannot settle, in the bureau's words; `None` = nothing is suggested. Left out where it is written
    /// down, as [`log_level`](Self::log_level) is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub while_down: Option<String>,
    /// Who this terminal is.
    pub terminal: Terminal,
    /// Whom to call.
    pub contacts: Contacts,
    /// How it reaches the centre.
    pub network: Network,
    /// The VPNs.
    #[serde(rename = "vpn")]
    pub vpns: Vec<Vpn>,
    /// Names.
    pub dns: Dns,
    /// The centres.
    #[serde(rename = "centre")]
    pub centres: Vec<Centre>,
    /// Pace and patience.
    pub probe: Probe,
    /// Separation from the internet.
    pub isolation: IsolationSettings,
    /// USB devices.
    pub usb: Usb,
    /// The clock.
    pub clock: Clock,
    /// The terminal rules.
    pub rules: Rules,
    /// Daily transfers.
    pub upload: Upload,
    /// Announced windows.
    pub maintenance: Vec<Maintenance>,
    /// Where records go.
    #[serde(rename = "sink")]
    pub sinks: Vec<Sink>,
    /// The status page.
    pub web: Web,
    /// How long records stay.
    pub retention: Retention,
}

impl Config {
    /// Whom to call for this actor; `None` = not configured, or nobody to call (the shop itself).
    pub fn contact(&self, actor: Actor) -> Option<&Contact> {
        self.contacts.of.get(&ContactRole::of(actor)?)
    }

    /// The VPN of this name.
    pub fn vpn(&self, name: &str) -> Option<&Vpn> {
        self.vpns.iter().find(|vpn| vpn.name == name)
    }

    /// The centre of this name.
    pub fn centre(&self, name: &str) -> Option<&Centre> {
        self.centres.iter().find(|centre| centre.name == name)
    }
}

/// The language of everything a person reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum LanguageChoice {
    /// By the locale.
    #[default]
    #[serde(rename = "auto")]
    Auto,
    /// Chinese.
    #[serde(rename = "zh-CN")]
    ZhCn,
    /// English.
    #[serde(rename = "en")]
    En,
}

/// How much the service says of itself in its log. Records are no part of that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogLevel {
    /// Only what keeps it from its work.
    Error,
    /// And what somebody should look at.
    Warn,
    /// And what happens seldom: a start, a new configuration.
    #[default]
    Info,
    /// And what it does.
    Debug,
    /// And how.
    Trace,
}

impl LogLevel {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }

    /// Left out where it is written down: the digest of a policy stays what it was before the key was there.
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
    fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

/// Who this terminal is. Travels with every incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Terminal {
    /// `auto` = derived from the machine id, never the machine id itself.
    pub id: String,
    /// The institution's code at the bureau.
    pub institution: Option<String>,
    /// The institution's name.
    pub name: Option<String>,
    /// What sort of institution.
    pub kind: TerminalKind,
    /// Where in the house it stands.
    pub site: Option<String>,
    /// Code of the region.
    pub region: Option<String>,
    /// Who provides the line.
    pub line: Option<String>,
    /// The person in charge of this PC.
    pub person_in_charge: Option<String>,
    /// Services on this PC that settlement needs (the card reader's, the settlement program's): address and port.
    pub local_services: Vec<SocketAddr>,
}

impl Default for Terminal {
    fn default() -> Self {
        Self {
            id: "auto".to_owned(),
            institution: None,
            name: None,
            kind: TerminalKind::default(),
            site: None,
            region: None,
            line: None,
            person_in_charge: None,
            local_services: Vec::new(),
        }
    }
}

/// What sort of institution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TerminalKind {
    /// A retail pharmacy.
    Pharmacy,
    /// A clinic.
    Clinic,
    /// A hospital.
    Hospital,
    /// Not said, or none of these.
    #[default]
    Other,
}

/// Whom to call.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Contacts {
    /// Where several can act, these are named first, in this order; the others follow in the catalogue's.
    pub order: Vec<ContactRole>,
    /// How to reach each.
    #[serde(flatten)]
    pub of: BTreeMap<ContactRole, Contact>,
}

/// A key of `[contacts]`: an actor who can be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ContactRole {
    /// The vendor of the PC and its system.
    Vendor,
    /// The vendor of the settlement software.
    Software,
    /// The line operator.
    Operator,
    /// The insurance bureau.
    Bureau,
    /// The institution's own IT.
    Institution,
    /// The hotline for the insured.
    Insured,
    /// The insurance centre, where it can be called apart from the bureau.
    Centre,
}

impl ContactRole {
    /// The key for an actor; `None` for the shop, who is reading this.
    pub fn of(actor: Actor) -> Option<Self> {
        Some(match actor {
            Actor::Shop => return None,
            Actor::Vendor => Self::Vendor,
            Actor::Software => Self::Software,
            Actor::Operator => Self::Operator,
            Actor::Bureau => Self::Bureau,
            Actor::Institution => Self::Institution,
            Actor::Insured => Self::Insured,
            Actor::Centre => Self::Centre,
        })
    }

    /// Who it is.
    pub fn actor(self) -> Actor {
        match self {
            Self::Vendor => Actor::Vendor,
            Self::Software => Actor::Software,
            Self::Operator => Actor::Operator,
            Self::Bureau => Actor::Bureau,
            Self::Institution => Actor::Institution,
            Self::Insured => Actor::Insured,
            Self::Centre => Actor::Centre,
        }
    }
}

/// How to reach somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Contact {
    /// Whom to ask for.
    pub name: String,
    /// Number to call.
    pub phone: String,
}

/// How the terminal reaches the centre.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Network {
    /// The kind of access: decides what "isolated" means.
    pub access: Access,
    /// What counts as inside; empty = what enrolment learned.
    pub allowed_prefixes: Vec<IpNet>,
    /// The next hop.
    pub gateway: GatewayChoice,
}

/// Kinds of access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// A line of its own.
    LeasedLine,
    /// A VPN box or private-APN modem stands in the shop.
    VpnBox,
    /// A VPN client on this PC over ordinary broadband: an outer path exists by design.
    VpnOverInternet,
    /// Through a front-end server of the institution.
    FrontEnd,
    /// Not said.
    #[default]
    Unknown,
}

/// The next hop: learned, or told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum GatewayChoice {
    /// As the routes say.
    #[default]
    Auto,
    /// This one.
    Address(IpAddr),
}

impl From<GatewayChoice> for String {
    fn from(choice: GatewayChoice) -> Self {
        match choice {
            GatewayChoice::Auto => "auto".to_owned(),
            GatewayChoice::Address(ip) => ip.to_string(),
        }
    }
}

impl TryFrom<String> for GatewayChoice {
    type Error = TextError;

    fn try_from(text: String) -> Result<Self, TextError> {
        if text == "auto" { Ok(Self::Auto) } else { text.parse().map(Self::Address).map_err(|_| TextError::Gateway) }
    }
}

/// Names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Dns {
    /// Name servers to ask; empty = the system's.
    pub resolvers: Vec<IpAddr>,
    /// Names that settlement needs besides those of the centres.
    pub names: Vec<String>,
    /// Where their addresses must lie; empty = not judged.
    pub expect_prefixes: Vec<IpNet>,
    /// A name that always exists inside: tells a dead zone from a dead server.
    pub control_name: Option<String>,
    /// Slower than this is slow.
    #[serde(with = "duration")]
    pub slow: Duration,
}

impl Default for Dns {
    fn default() -> Self {
        Self { resolvers: Vec::new(), names: Vec::new(), expect_prefixes: Vec::new(), control_name: None, slow: Duration::from_secs(1) }
    }
}

/// Pace and patience.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Probe {
    /// Between two looks at what is healthy.
    #[serde(with = "duration")]
    pub interval: Duration,
    /// How long one exchange may take.
    #[serde(with = "duration")]
    pub timeout: Duration,
    /// What opens an incident.
    pub raise: Raise,
    /// What closes it.
    pub clear: Clear,
}

impl Default for Probe {
    fn default() -> Self {
        Self { interval: Duration::from_secs(15), timeout: Duration::from_secs(2), raise: Raise::default(), clear: Clear::default() }
    }
}

/// What opens an incident: so many failures in a row within so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Raise {
    /// How many.
    pub failures: u32,
    /// Within how long.
    #[serde(with = "duration")]
    pub within: Duration,
}

impl Default for Raise {
    fn default() -> Self {
        Self { failures: 3, within: Duration::from_secs(15) }
    }
}

/// What closes an incident: so many successes in a row within so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Clear {
    /// How many.
    pub successes: u32,
    /// Within how long.
    #[serde(with = "duration")]
    pub within: Duration,
}

impl Default for Clear {
    fn default() -> Self {
        Self { successes: 2, within: Duration::from_secs(10) }
    }
}

/// An announced window: an outage inside it is labelled so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Maintenance {
    /// Begin.
    pub from: jiff::Timestamp,
    /// End, later than the begin.
    pub to: jiff::Timestamp,
    /// What for.
    #[serde(default)]
    pub note: Option<String>,
}
