//! The checked configuration: plain data, one struct per table, every field with its default. What is `None` or empty is *not
//! configured* and accuses nobody.

use crate::model::IfName;
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
    /// Who this terminal is.
    pub terminal: Terminal,
    /// Whom to call, keyed by actor.
    pub contacts: BTreeMap<ContactRole, Contact>,
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
