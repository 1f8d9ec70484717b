//! Tables about what the daemon watches, keeps and ships: isolation, USB, clock, rules, daily transfers, sinks, page, retention.

use super::text::{ByteSize, TextError, duration};
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

/// Separation from the internet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct IsolationSettings {
    /// When to look for a way out.
    pub mode: IsolationMode,
    /// Between two looks in periodic mode.
    #[serde(with = "duration")]
    pub interval: Duration,
    /// Whom to trust when a public server proves who it is.
    pub roots: Roots,
    /// Public servers that only the internet can prove.
    pub anchors: Vec<Anchor>,
    /// Addresses that must stay silent; an answer from them unmasks a box that answers for everybody.
    pub controls: Vec<SocketAddr>,
    /// The organisation's own proof.
    pub canary: Option<Canary>,
    /// Who allowed periodic proofs.
    pub approved_by: Option<String>,
    /// Under which number.
    pub approval_no: Option<String>,
}

impl Default for IsolationSettings {
    fn default() -> Self {
        let anchor = |octets: [u8; 4], server_name: &str, operator: &str| Anchor {
            address: SocketAddr::from((octets, 443)),
            server_name: server_name.to_owned(),
            operator: operator.to_owned(),
        };
        Self {
            mode: IsolationMode::EventOnly,
            interval: Duration::from_mins(1),
            roots: Roots::Embedded,
            // Two operators, so that neither alone can be mistaken for the internet.
            anchors: vec![anchor([223, 5, 5, 5], "dns.alidns.com", "alibaba"), anchor([1, 12, 12, 12], "doh.pub", "tencent")],
            // TEST-NET-3 (RFC 5737): nobody lives there.
            controls: vec![SocketAddr::from(([203, 0, 113, 1], 443))],
            canary: None,
            approved_by: None,
            approval_no: None,
        }
    }
}

/// When to look for a way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IsolationMode {
    /// Only when something on this PC's network changed.
    #[default]
    EventOnly,
    /// Also at intervals, with leave.
    Periodic,
    /// Never: judged by topology only.
    Off,
}

/// Whom to trust in a proof. Never the machine's own store: a root added there would turn a lookalike into the internet.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub enum Roots {
    /// The public roots built into the program.
    #[default]
    Embedded,
    /// A PEM file.
    File(PathBuf),
}

impl From<Roots> for String {
    fn from(roots: Roots) -> Self {
        match roots {
            Roots::Embedded => "embedded".to_owned(),
            Roots::File(path) => path.to_string_lossy().into_owned(),
        }
    }
}

impl From<String> for Roots {
    fn from(text: String) -> Self {
        if text == "embedded" { Self::Embedded } else { Self::File(text.into()) }
    }
}

/// A public server that can prove who it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Anchor {
    /// Address and port: no DNS is needed.
    pub address: SocketAddr,
    /// The name its certificate must carry.
    pub server_name: String,
    /// Whose it is; proofs count per operator.
    pub operator: String,
}

/// The organisation's own server outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Canary {
    /// Address and port.
    pub address: SocketAddr,
    /// Its Ed25519 key, base64 or hexadecimal.
    pub public_key: String,
}

/// USB devices.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Usb {
    /// Storage that may be plugged in.
    pub allow: Vec<UsbAllowed>,
}

/// A USB device that is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct UsbAllowed {
    /// Vendor id, four hexadecimal digits.
    pub vendor: String,
    /// Product id, four hexadecimal digits.
    pub product: String,
    /// Serial; `None` = any of this product.
    #[serde(default)]
    pub serial: Option<String>,
}

/// The clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Clock {
    /// A jump of at least this is an incident.
    #[serde(with = "duration")]
    pub step: Duration,
    /// Programs that may set the clock.
    pub time_daemons: Vec<String>,
}

impl Default for Clock {
    fn default() -> Self {
        Self { step: Duration::from_secs(2), time_daemons: ["chronyd", "systemd-timesyncd", "ntpd"].map(str::to_owned).to_vec() }
    }
}

/// The terminal rules.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Rules {
    /// The set that applies: `example`, or the path of a bureau's own; `None` = no article is cited.
    pub set: Option<String>,
    /// Programs that must not be there.
    pub forbidden_software: Vec<String>,
    /// Programs of which one must run.
    pub antivirus: Vec<String>,
    /// Which firewall is looked at.
    pub firewall: Firewall,
    /// The key by which the bureau signs grants, Ed25519, in hexadecimal or base64; `None` = it signs none.
    pub bureau_key: Option<String>,
}

/// Which firewall is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Firewall {
    /// Whatever is there.
    #[default]
    Auto,
    /// nftables.
    Nftables,
    /// None is wanted.
    None,
}

/// Daily transfers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Upload {
    /// A file or directory that changes with each upload.
    pub marker: Option<PathBuf>,
    /// A file or directory that changes with each download.
    pub download_marker: Option<PathBuf>,
    /// By when each day, local time.
    pub due: Option<jiff::civil::Time>,
}

/// Where records go. Its name is what its cursor hangs on: renamed, it starts anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub enum Sink {
    /// The system's journal.
    Journal {
        /// Unique.
        name: String,
    },
    /// RFC 5424 over a stream.
    Syslog {
        /// Unique.
        name: String,
        /// Address and port of the server.
        address: SocketAddr,
        /// What carries it.
        #[serde(default)]
        transport: LogTransport,
        /// What its certificate is for; `None` = its address.
        #[serde(default)]
        server_name: Option<String>,
        /// PEM file with the CA: the only one that counts.
        #[serde(default)]
        ca: Option<PathBuf>,
        /// PEM file with this terminal's certificate.
        #[serde(default)]
        client_cert: Option<PathBuf>,
        /// PEM file with its key.
        #[serde(default)]
        client_key: Option<PathBuf>,
        /// Private enterprise number for the structured data; `None` = the documentation number.
        #[serde(default)]
        enterprise_number: Option<u32>,
        /// Between two signs of life, about.
        #[serde(default = "default_heartbeat", with = "duration")]
        heartbeat: Duration,
        /// When to try again after a failure.
        #[serde(default)]
        retry: Retry,
    },
    /// NATS `JetStream`.
    Nats {
        /// Unique.
        name: String,
        /// Servers, any of which will do.
        servers: Vec<Url>,
        /// The stream.
        #[serde(default = "default_stream")]
        stream: String,
        /// The `JetStream` domain that it is in, where that is not the servers' own; `None` = theirs.
        #[serde(default)]
        domain: Option<String>,
        /// The subject, with `{region}`, `{terminal}` and `{epoch}` filled in.
        #[serde(default = "default_subject")]
        subject: String,
        /// Credentials file.
        #[serde(default)]
        credentials: Option<PathBuf>,
        /// PEM file with the CA: the only one that counts.
        #[serde(default)]
        ca: Option<PathBuf>,
        /// PEM file with this terminal's certificate.
        #[serde(default)]
        client_cert: Option<PathBuf>,
        /// PEM file with its key.
        #[serde(default)]
        client_key: Option<PathBuf>,
        /// Between two signs of life, about.
        #[serde(default = "default_heartbeat", with = "duration")]
        heartbeat: Duration,
        /// When to try again after a failure.
        #[serde(default)]
        retry: Retry,
    },
}

impl Sink {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Journal { name } | Self::Syslog { name, .. } | Self::Nats { name, .. } => name,
        }
    }

    /// Between two signs of life, about; `None` = it wants none.
    pub fn heartbeat(&self) -> Option<Duration> {
        match self {
            Self::Journal { .. } => None,
            Self::Syslog { heartbeat, .. } | Self::Nats { heartbeat, .. } => Some(*heartbeat),
        }
    }
}

/// The spans from which the pauses after failures are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Retry {
    /// After the first failure.
    #[serde(with = "duration")]
    pub first: Duration,
    /// The longest.
    #[serde(with = "duration")]
    pub longest: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { first: Duration::from_secs(30), longest: Duration::from_mins(5) }
    }
}

fn default_heartbeat() -> Duration {
    Duration::from_mins(5)
}

fn default_stream() -> String {
    "ISONET".to_owned()
}

fn default_subject() -> String {
    "isonet.{region}.{terminal}.{epoch}".to_owned()
}

/// What carries syslog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogTransport {
    /// Encrypted.
    #[default]
    Tls,
    /// In the clear.
    Tcp,
}

/// The status page.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Web {
    /// Where it listens.
    pub listen: WebListen,
}

/// Where the status page listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum WebListen {
    /// Nowhere.
    Off,
    /// Here.
    Address(SocketAddr),
}

impl Default for WebListen {
    fn default() -> Self {
        Self::Address(SocketAddr::from((Ipv4Addr::LOCALHOST, 8787)))
    }
}

impl From<WebListen> for String {
    fn from(listen: WebListen) -> Self {
        match listen {
            WebListen::Off => "off".to_owned(),
            WebListen::Address(at) => at.to_string(),
        }
    }
}

impl TryFrom<String> for WebListen {
    type Error = TextError;

    fn try_from(text: String) -> Result<Self, TextError> {
        if text == "off" {
            return Ok(Self::Off);
        }
        // The page is for this PC alone, whatever a configuration says.
        let at = text.parse().ok().filter(|at: &SocketAddr| at.ip().is_loopback());
        at.map(Self::Address).ok_or(TextError::Listen)
    }
}

/// How long records stay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Retention {
    /// Six months are the rule; a little more, so that the end of the term is not a race.
    #[serde(with = "duration")]
    pub keep: Duration,
    /// How much may wait for a sink before the oldest goes.
    pub unacknowledged: ByteSize,
}

impl Default for Retention {
    fn default() -> Self {
        Self { keep: Duration::from_hours(200 * 24), unacknowledged: ByteSize::mib(64) }
    }
}
