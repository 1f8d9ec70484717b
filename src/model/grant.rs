//! An authorised window: what somebody allowed, until when, on whose authority.

use super::{Authority, FindingCode};
use serde::{Deserialize, Serialize};

/// What is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// A way to the internet.
    Internet,
    /// Storage, telephones, adapters at USB.
    Usb,
    /// Date, time, time zone.
    Clock,
    /// What decides how this PC works.
    Settings,
    /// Software and protection.
    Software,
    /// The network of this PC, and ways for others through it.
    Network,
    /// Parts, cables, the place.
    Hardware,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 7] = [Self::Internet, Self::Usb, Self::Clock, Self::Settings, Self::Software, Self::Network, Self::Hardware];

    /// The name on the command line and in JSON.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Internet => "internet",
            Self::Usb => "usb",
            Self::Clock => "clock",
            Self::Settings => "settings",
            Self::Software => "software",
            Self::Network => "network",
            Self::Hardware => "hardware",
        }
    }

    /// Whether it speaks of such a finding. What may follow from an allowed act is allowed with it: a cable elsewhere is another port.
    pub const fn covers(self, code: FindingCode) -> bool {
        use FindingCode as F;
        match code {
            F::IsolationUplinkSuspect | F::IsolationLookalike => matches!(self, Self::Internet | Self::Network),
            F::IsolationInternetReachable | F::IsolationPublicDns | F::IsolationProxyPath => matches!(self, Self::Internet),
            F::IsolationGrantOverrun | F::UploadOverdue => false,
            F::ExtensionForwarding
            | F::ExtensionNat
            | F::ExtensionBridge
            | F::ExtensionSharing
            | F::ExtensionForeignNamespace
            | F::SettingsResolver
            | F::SettingsHosts
            | F::SettingsNetwork => matches!(self, Self::Network) || matches!(self, Self::Settings) && is_setting(code),
            F::IdentityChanged => matches!(self, Self::Hardware),
            F::MovedGateway | F::MovedLink => matches!(self, Self::Hardware | Self::Network),
            F::UsbStorage | F::UsbMounted | F::UsbRawRead | F::UsbHiddenMount | F::UsbPhone | F::UsbNetwork => matches!(self, Self::Usb),
            F::ClockStepped | F::ClockRate | F::ClockOfflineChange | F::ClockRtcChanged => matches!(self, Self::Clock),
            F::ClockTimezone | F::SettingsTime => matches!(self, Self::Clock | Self::Settings),
            F::SettingsHostname => matches!(self, Self::Settings),
            F::FirewallDown | F::FirewallChanged => matches!(self, Self::Software | Self::Network),
            F::AntivirusDown | F::SoftwareForbidden => matches!(self, Self::Software),
        }
    }
}

const fn is_setting(code: FindingCode) -> bool {
    matches!(code, FindingCode::SettingsResolver | FindingCode::SettingsHosts | FindingCode::SettingsNetwork)
}

/// A grant as it was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// Its name: `g-` and eight hexadecimal digits.
    pub id: String,
    /// What is allowed.
    pub what: Scope,
    /// Until when.
    pub until: jiff::Timestamp,
    /// Who allowed it.
    pub by: String,
    /// What for.
    pub reason: String,
    /// Only this device; `None` = any. As a finding names it (`vendor:product:serial`), or its serial alone.
    pub device: Option<String>,
    /// On whose authority.
    pub authority: Authority,
    /// The user of this PC who entered it.
    pub uid: u32,
}
