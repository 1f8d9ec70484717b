//! What a watcher finds against the rules of the site: its own axis beside the causes of a disconnection.
//!
//! A finding observes and does not convict: what was granted, enrolled or there before is none, and *suspect* states rank low. A code is part
//! of the product's interface: never renamed, never reused. Texts are in [`catalogue`](crate::catalogue).

use super::{Actor, Blind, Evidence, GrantReference, Severity, Subject};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// Where it came from, as far as this PC can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// Something was changed at this PC while it was watched.
    LocalChange,
    /// Nothing was changed at this PC: the operator's or the bureau's network did.
    Upstream,
    /// It was there when watching began.
    PreExisting,
}

impl Origin {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::LocalChange, Self::Upstream, Self::PreExisting];

    /// The name in JSON.
    pub const fn code(self) -> &'static str {
        match self {
            Self::LocalChange => "local-change",
            Self::Upstream => "upstream",
            Self::PreExisting => "pre-existing",
        }
    }
}

/// Who looks after what. Each tells all that it finds, every time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Watcher {
    /// Ways outward.
    Isolation,
    /// Ways for others through this PC.
    Extension,
    /// This machine and where it stands.
    Identity,
    /// What is plugged in.
    Usb,
    /// Date and time.
    Clock,
    /// What decides how this PC works.
    Settings,
    /// Packet filter, antivirus, software.
    Protection,
    /// The day's upload.
    Upload,
    /// What receivers of records promise.
    Shipping,
}

impl Watcher {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Isolation,
        Self::Extension,
        Self::Identity,
        Self::Usb,
        Self::Clock,
        Self::Settings,
        Self::Protection,
        Self::Upload,
        Self::Shipping,
    ];

    /// The name in JSON.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Isolation => "isolation",
            Self::Extension => "extension",
            Self::Identity => "identity",
            Self::Usb => "usb",
            Self::Clock => "clock",
            Self::Settings => "settings",
            Self::Protection => "protection",
            Self::Upload => "upload",
            Self::Shipping => "shipping",
        }
    }

    /// What this watcher cannot see, as an incident names it.
    pub fn blindness(self, what: &str) -> String {
        format!("watch.{}.{what}", self.code())
    }

    /// The watcher and the thing of a name made by [`blindness`](Self::blindness).
    pub fn of_blindness(name: &str) -> Option<(Self, &str)> {
        let (code, what) = name.strip_prefix("watch.")?.split_once('.')?;
        Some((Self::ALL.into_iter().find(|watcher| watcher.code() == code)?, what))
    }
}

/// What a watcher tells after a look.
#[derive(Debug, Clone, PartialEq)]
pub struct Watched {
    /// Who.
    pub watcher: Watcher,
    /// All that it finds, every time; `None` = it could not look.
    pub found: Option<Vec<Finding>>,
    /// What it could not see.
    pub blind: Vec<Blind>,
}

/// What was found, as it is now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// What.
    pub code: FindingCode,
    /// Where: two findings with one code and one subject are the same.
    pub subject: Subject,
    /// How bad, by what is proved: the code's own, lower where less is, higher where its extent says so (a date off by a day).
    pub severity: Severity,
    /// Where it came from.
    pub origin: Origin,
    /// What was seen.
    pub evidence: Vec<Evidence>,
    /// The authorised window that covers it, or did.
    pub grant: Option<GrantReference>,
}

impl Finding {
    /// With the severity of its code, yet to be argued.
    pub fn new(code: FindingCode, subject: Subject, origin: Origin) -> Self {
        Self { code, subject, severity: code.severity(), origin, evidence: Vec::new(), grant: None }
    }

    /// Adds proof.
    #[must_use]
    pub fn because(mut self, evidence: impl IntoIterator<Item = Evidence>) -> Self {
        self.evidence.extend(evidence);
        self
    }
}

macro_rules! findings {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $watcher:ident, $severity:ident, [$($actor:ident),+];)+) => {
        /// What kind of thing was found.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(into = "&'static str", try_from = "String")]
        pub enum FindingCode { $($(#[$doc])* $name),+ }

        impl FindingCode {
            /// All of them, by what they are about.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The stable code, e.g. `usb.storage`.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code),+ }
            }

            /// Who finds it.
            pub const fn watcher(self) -> Watcher {
                match self { $(Self::$name => Watcher::$watcher),+ }
            }

            /// How bad it is when it is proved.
            pub const fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity),+ }
            }

            /// Who acts, the first to call first.
            pub const fn actors(self) -> &'static [Actor] {
                match self { $(Self::$name => &[$(Actor::$actor),+]),+ }
            }

            /// The one with this code.
            pub fn from_code(code: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|finding| finding.code() == code)
            }
        }
    };
}

impl FindingCode {
    /// How long what tells of a moment (the date was set) stands unless it is undone; `None` = it tells of what is there, and stands as long as that.
    pub const fn stands(self) -> Option<Duration> {
        match self {
            Self::ClockStepped | Self::ClockOfflineChange | Self::ClockRtcChanged => Some(Duration::from_mins(30)),
            _ => None,
        }
    }
}

findings! {
    /// A way outward appeared that was not there at enrolment; nothing is proved yet.
    IsolationUplinkSuspect = "isolation.uplink-suspect", Isolation, Low, [Vendor, Bureau];
    /// Authenticated hosts of the internet answered.
    IsolationInternetReachable = "isolation.internet-reachable", Isolation, Critical, [Vendor, Bureau];
    /// Names of the public internet are resolved.
    IsolationPublicDns = "isolation.public-dns", Isolation, High, [Operator, Bureau];
    /// A proxy leads outward.
    IsolationProxyPath = "isolation.proxy-path", Isolation, Critical, [Vendor, Bureau];
    /// Something answers in the place of the internet, and is not it.
    IsolationLookalike = "isolation.lookalike", Isolation, Info, [Bureau];
    /// A granted window is over, and what it allowed is still there.
    IsolationGrantOverrun = "isolation.grant-overrun", Isolation, Critical, [Vendor, Bureau];
    /// This PC passes on packets of others.
    ExtensionForwarding = "extension.forwarding", Extension, High, [Vendor, Bureau];
    /// This PC hides others behind its address.
    ExtensionNat = "extension.nat", Extension, High, [Vendor, Bureau];
    /// Two physical ports are joined.
    ExtensionBridge = "extension.bridge", Extension, High, [Vendor, Bureau];
    /// This PC shares its network: hotspot, address server, proxy.
    ExtensionSharing = "extension.sharing", Extension, High, [Vendor, Bureau];
    /// A namespace of this PC has a network of its own outward.
    ExtensionForeignNamespace = "extension.foreign-namespace", Extension, Medium, [Vendor, Bureau];
    /// Another machine than the enrolled one.
    IdentityChanged = "identity.changed", Identity, High, [Vendor, Bureau];
    /// Another router than the enrolled one.
    MovedGateway = "moved.gateway", Identity, Medium, [Operator, Bureau];
    /// Another port or cable than the enrolled one.
    MovedLink = "moved.link", Identity, Low, [Vendor, Bureau];
    /// A storage device was plugged in.
    UsbStorage = "usb.storage", Usb, Low, [Shop, Bureau];
    /// Files of a storage device can be read and written.
    UsbMounted = "usb.mounted", Usb, High, [Shop, Bureau];
    /// A storage device was read past its files.
    UsbRawRead = "usb.raw-read", Usb, High, [Shop, Bureau];
    /// A storage device is in use where others do not see it.
    UsbHiddenMount = "usb.hidden-mount", Usb, High, [Shop, Bureau];
    /// A telephone or camera was plugged in.
    UsbPhone = "usb.phone", Usb, Medium, [Shop, Bureau];
    /// A network adapter, or a telephone as one, was plugged in.
    UsbNetwork = "usb.network", Usb, High, [Shop, Bureau];
    /// The system date was set.
    ClockStepped = "clock.stepped", Clock, High, [Shop, Vendor];
    /// The clock was made to run at another rate.
    ClockRate = "clock.rate", Clock, Medium, [Vendor];
    /// The date was set while nobody watched.
    ClockOfflineChange = "clock.offline-change", Clock, High, [Shop, Vendor];
    /// The battery clock was set.
    ClockRtcChanged = "clock.rtc-changed", Clock, Medium, [Vendor];
    /// The time zone is another.
    ClockTimezone = "clock.timezone", Clock, Medium, [Vendor];
    /// Where this PC takes its time from is set differently.
    SettingsTime = "settings.time", Settings, Low, [Vendor];
    /// The computer's name is another.
    SettingsHostname = "settings.hostname", Settings, Low, [Vendor];
    /// Other name servers are set.
    SettingsResolver = "settings.resolver", Settings, Medium, [Vendor];
    /// The hosts file is another.
    SettingsHosts = "settings.hosts", Settings, Medium, [Vendor, Software];
    /// The network is set up differently.
    SettingsNetwork = "settings.network", Settings, Medium, [Vendor];
    /// The packet filter is off, or keeps nothing out.
    FirewallDown = "firewall.down", Protection, High, [Vendor];
    /// The packet filter keeps less out.
    FirewallChanged = "firewall.changed", Protection, Medium, [Vendor];
    /// The antivirus program does not run.
    AntivirusDown = "antivirus.down", Protection, High, [Vendor];
    /// Software on the list of the bureau is installed or runs.
    SoftwareForbidden = "software.forbidden", Protection, Medium, [Shop, Vendor];
    /// The day's upload is late.
    UploadOverdue = "upload.overdue", Upload, Medium, [Software, Bureau];
}

impl FindingCode {
    /// Whether a watcher that cannot see `what` (as in [`Blind`]) may miss this, of which it had this proof, although it is there: that it is not told
    /// is then no end of it.
    pub fn is_hidden_by(self, proof: &[Evidence], what: &str) -> bool {
        // A hotspot is told by its card, all other sharing by who listens.
        let hotspot = proof.iter().any(|line| line.k == "extension.hotspot");
        match what {
            "outside.roots" => self.watcher() == Watcher::Isolation && self != Self::IsolationUplinkSuspect,
            "extension.nat" => self == Self::ExtensionNat,
            "extension.sharing" => self == Self::ExtensionSharing && !hotspot,
            "extension.wireless" => self == Self::ExtensionSharing && hotspot,
            "extension.namespaces" => self == Self::ExtensionForeignNamespace,
            "firewall.rules" => matches!(self, Self::FirewallDown | Self::FirewallChanged),
            "software.processes" => matches!(self, Self::AntivirusDown | Self::SoftwareForbidden),
            "settings.hostname" => self == Self::SettingsHostname,
            _ => false,
        }
    }
}

impl fmt::Display for FindingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl From<FindingCode> for &'static str {
    fn from(finding: FindingCode) -> Self {
        finding.code()
    }
}

impl TryFrom<String> for FindingCode {
    type Error = String;

    fn try_from(code: String) -> Result<Self, String> {
        Self::from_code(&code).ok_or_else(|| format!("`{code}` is not the code of a finding"))
    }
}

#[cfg(test)]
mod tests {
    use super::FindingCode;
    use crate::model::Cause;

    #[test]
    fn every_code_is_unique_and_no_cause() {
        for (i, finding) in FindingCode::ALL.iter().enumerate() {
            assert_eq!(FindingCode::from_code(finding.code()), Some(*finding));
            assert!(FindingCode::ALL[i + 1..].iter().all(|other| other.code() != finding.code()), "{finding} twice");
            assert_eq!(Cause::from_code(finding.code()), None);
        }
    }
}
