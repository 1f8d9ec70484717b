//! What the observations mean: the diagnosis, language-free. [`report`](crate::report) turns it into words.

use super::{Actor, Cause, FindingCode, Layer, Severity, Subject, Unseen, Watcher};
use serde::{Deserialize, Serialize};

/// The whole answer to one round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// Every critical centre can be used. `None` = could not tell (none configured, or not enough seen): never "fine".
    pub connected: Option<bool>,
    /// Each centre by itself; this PC's own part where none is configured.
    pub services: Vec<Service>,
    /// The separation from the internet, as far as one look can tell.
    pub isolation: Isolation,
    /// One item per layer and chain, from this PC outwards.
    pub path: Vec<PathItem>,
    /// Ranked, the root first. What the root explains is not repeated as a verdict.
    pub verdicts: Vec<Verdict>,
    /// What looks like a fault and is none.
    pub notes: Vec<Note>,
    /// What could not be seen, and why.
    pub blind: Vec<Blind>,
}

/// Whether the service at the end of one way can be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Whose.
    pub chain: Chain,
    /// `None` = could not tell.
    pub usable: Option<bool>,
}

/// Separation from the internet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Isolation {
    /// Looked at, and whole.
    Intact,
    /// Something points outward; not proved.
    Suspect,
    /// Proved open.
    Broken,
    /// Not enough is known (not enrolled).
    Unknown,
}

impl Isolation {
    /// The name in JSON.
    pub fn code(self) -> &'static str {
        match self {
            Self::Intact => "intact",
            Self::Suspect => "suspect",
            Self::Broken => "broken",
            Self::Unknown => "unknown",
        }
    }

    /// With what watchers have found and is still so: it outweighs what one look at the routes can say. A finding below critical, whatever
    /// lowered it, points outward and no more; a look-alike of the internet is not the internet.
    #[must_use]
    pub fn told(self, open: impl IntoIterator<Item = (FindingCode, Severity)>) -> Self {
        open.into_iter().fold(self, |so_far, (code, severity)| match (code.watcher(), severity, so_far) {
            (Watcher::Isolation, Severity::Critical, _) => Self::Broken,
            (Watcher::Isolation, Severity::Low | Severity::Medium | Severity::High, Self::Intact | Self::Unknown) => Self::Suspect,
            _ => so_far,
        })
    }
}

/// Which chain a path item belongs to: this PC's own part, or the way to one centre.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Chain {
    /// Shared by all centres, or no centre is configured. `"local"` in JSON.
    Local,
    /// The centre of this name.
    Centre(String),
}

/// One layer of one chain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PathItem {
    /// Whose.
    pub chain: Chain,
    /// Which.
    pub layer: Layer,
    /// What stands there, e.g. `link:eth0`.
    pub subject: Subject,
    /// How it is.
    pub state: LayerState,
    /// A short language-free fact: an address, `ECONNREFUSED`, `HTTP 200`.
    pub fact: String,
    /// Time of the exchange that tells.
    pub ms: Option<f64>,
}

/// State of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LayerState {
    /// It works: it answered, or something above it did.
    Ok,
    /// The path breaks here.
    Failed,
    /// Could not tell.
    Unknown,
    /// Not there, not needed, or beyond the break.
    Skipped,
}

impl LayerState {
    /// The name in JSON.
    pub fn code(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Skipped => "skipped",
        }
    }
}

/// How sure a verdict is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Certainty {
    /// Fits, among others.
    Possible,
    /// Fits best.
    Likely,
    /// The signature excludes the look-alikes.
    Proven,
}

impl Certainty {
    /// The name in JSON.
    pub fn code(self) -> &'static str {
        match self {
            Self::Possible => "possible",
            Self::Likely => "likely",
            Self::Proven => "proven",
        }
    }
}

/// One cause, argued.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// What is wrong.
    pub cause: Cause,
    /// Where.
    pub subject: Subject,
    /// How sure.
    pub certainty: Certainty,
    /// How bad here.
    pub severity: Severity,
    /// It stops settlement; otherwise it only makes something worse.
    pub disconnects: bool,
    /// Who acts, the first to call first.
    pub who_acts: Vec<Actor>,
    /// What proves it.
    pub evidence: Vec<Evidence>,
    /// Look-alikes that were excluded.
    pub ruled_out: Vec<RuledOut>,
    /// What fails only because of this.
    pub explains: Vec<Subject>,
}

impl Verdict {
    /// A cause that disconnects, yet to be argued; severity and actors are the cause's own.
    pub fn new(cause: Cause, subject: Subject, certainty: Certainty) -> Self {
        Self {
            cause,
            subject,
            certainty,
            severity: cause.severity(),
            disconnects: true,
            who_acts: cause.actors().to_vec(),
            evidence: Vec::new(),
            ruled_out: Vec::new(),
            explains: Vec::new(),
        }
    }

    /// Adds proof.
    #[must_use]
    pub fn because(mut self, evidence: impl IntoIterator<Item = Evidence>) -> Self {
        self.evidence.extend(evidence);
        self
    }

    /// Excludes a look-alike.
    #[must_use]
    pub fn not(mut self, cause: Cause, because: Reason) -> Self {
        self.ruled_out.push(RuledOut { cause, because });
        self
    }

    /// Makes it a mere degradation of this severity.
    #[must_use]
    pub fn degrades(mut self, severity: Severity) -> Self {
        self.disconnects = false;
        self.severity = severity;
        self
    }
}

/// One line of proof, language-free.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// What was asked, e.g. `tcp.connect`.
    pub k: String,
    /// Of whom.
    pub target: String,
    /// What came back, e.g. `ECONNREFUSED`, `silence`, `rcode NXDOMAIN`.
    pub result: String,
    /// After how long.
    pub ms: Option<f64>,
    /// How many exchanges it speaks of: 1, or the length of a series.
    pub n: u32,
    /// When it was seen (`boottime_ms`); `None` in a diagnosis, which has one time for all.
    pub boot_ms: Option<u64>,
}

/// A look-alike that the evidence excludes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuledOut {
    /// What it is not.
    pub cause: Cause,
    /// Why not.
    pub because: Reason,
}

/// Why a look-alike is excluded. The catalogue has the sentence; the argument is a language-free fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// This answered in this round.
    Answered(String),
    /// The signal on this interface is there.
    CarrierPresent(String),
    /// This interface has this usable address.
    AddressPresent(String),
    /// The refusal came from this device at once, so no packet left.
    RefusedLocally(String),
    /// The error was sent by this address, which lies beyond.
    ErrorFromBeyond(String),
    /// The clock agrees with this server's to within five minutes.
    ClockAgrees(String),
    /// The clock differs from this server's by this much.
    ClockDiffers(String),
    /// The program or interface is there.
    Running(String),
    /// The program or interface is not there.
    NotRunning(String),
    /// The route leaves through the right device.
    RouteRight(String),
}

/// Something that looks like a fault and is none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Note {
    /// Which.
    pub code: NoteCode,
    /// About what.
    pub subject: Subject,
}

/// The notes there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum NoteCode {
    /// The centre does not answer ping, though it works.
    #[serde(rename = "centre.ping-forbidden")]
    CentrePingForbidden,
    /// The gateway does not answer ping, though it forwards or answers ARP.
    #[serde(rename = "gateway.ping-forbidden")]
    GatewayPingForbidden,
    /// No centre is configured.
    #[serde(rename = "centre.not-configured")]
    CentreNotConfigured,
    /// No baseline was taken.
    #[serde(rename = "baseline.not-enrolled")]
    NotEnrolled,
    /// A way outward exists by design (VPN over broadband).
    #[serde(rename = "isolation.outer-path")]
    OuterPath,
    /// Names come from the hosts file or are bare addresses, so DNS was not needed.
    #[serde(rename = "dns.not-needed")]
    DnsNotNeeded,
    /// No CA is configured for the centre: the certificate was not judged.
    #[serde(rename = "tls.not-judged")]
    TlsNotJudged,
    /// The centre speaks a protocol this tool does not.
    #[serde(rename = "tls.unsupported")]
    TlsUnsupported,
    /// One look only; what needs history is at most possible.
    #[serde(rename = "diagnosis.one-look")]
    OneLook,
    /// Some address families of the name are not reachable from here, another works.
    #[serde(rename = "address.other-family")]
    OtherFamily,
    /// An announced maintenance window is open.
    #[serde(rename = "centre.maintenance-window")]
    MaintenanceWindow,
}

/// Something that could not be seen.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Blind {
    /// What, e.g. `gateway.arp`.
    pub what: String,
    /// Why.
    pub because: Unseen,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_watchers_proved_breaks_the_isolation_and_what_is_lower_makes_it_suspect() {
        use FindingCode::{IsolationInternetReachable, IsolationLookalike, IsolationUplinkSuspect, UsbStorage};
        let told = |found: &[(FindingCode, Severity)]| Isolation::Unknown.told(found.iter().copied());
        assert_eq!(told(&[]), Isolation::Unknown);
        assert_eq!(told(&[(IsolationLookalike, Severity::Info)]), Isolation::Unknown);
        assert_eq!(told(&[(UsbStorage, Severity::Critical)]), Isolation::Unknown, "another matter");
        assert_eq!(told(&[(IsolationUplinkSuspect, Severity::Low)]), Isolation::Suspect);
        let both = [(IsolationInternetReachable, Severity::Critical), (IsolationUplinkSuspect, Severity::Low)];
        assert_eq!(told(&both), Isolation::Broken);
        assert_eq!(told(&[(IsolationInternetReachable, Severity::Low)]), Isolation::Suspect, "granted");
        assert_eq!(Isolation::Broken.told([(IsolationUplinkSuspect, Severity::Low)]), Isolation::Broken);
    }
}
