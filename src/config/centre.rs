//! The `[[centre]]` tables: what settlement talks to.

use super::text::duration;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

/// One centre.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Centre {
    /// Unique.
    pub name: String,
    /// Name or address.
    pub host: String,
    /// Send echo requests. Their silence alone is never a fault.
    #[serde(default = "yes")]
    pub ping: bool,
    /// Ports that must accept a connection.
    #[serde(default)]
    pub tcp: Vec<u16>,
    /// The TLS service.
    #[serde(default)]
    pub tls: Option<CentreTls>,
    /// The web service.
    #[serde(default)]
    pub http: Option<CentreHttp>,
    /// The VPN it is behind; `None` = direct.
    #[serde(default)]
    pub via: Option<String>,
    /// Known addresses: still testable when DNS is dead.
    #[serde(default)]
    pub addresses: Vec<IpAddr>,
    /// Where its addresses must lie; empty = not judged.
    #[serde(default)]
    pub expect_prefixes: Vec<IpNet>,
    /// A place that swallows a large request.
    #[serde(default)]
    pub upload_test: Option<UploadTest>,
    /// Settlement needs it; otherwise its failure is a degradation.
    #[serde(default = "yes")]
    pub critical: bool,
}

fn yes() -> bool {
    true
}

/// The TLS service of a centre.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct CentreTls {
    /// Port.
    pub port: u16,
    /// PEM file with the CA; `None` = the certificate is not judged.
    pub ca: Option<PathBuf>,
    /// The name it must carry; `None` = the centre's host.
    pub server_name: Option<String>,
    /// PEM file with this terminal's certificate.
    pub client_cert: Option<PathBuf>,
    /// PEM file with its key.
    pub client_key: Option<PathBuf>,
}

impl Default for CentreTls {
    fn default() -> Self {
        Self { port: 443, ca: None, server_name: None, client_cert: None, client_key: None }
    }
}

/// The web service of a centre.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CentreHttp {
    /// What is asked for, with GET.
    pub url: Url,
    /// Status codes that mean health.
    #[serde(default = "status_ok")]
    pub status: Vec<u16>,
    /// Slower than this is slow.
    #[serde(default = "default_slow", with = "duration")]
    pub slow: Duration,
    /// A text in the body that means maintenance.
    #[serde(default)]
    pub maintenance_marker: Option<String>,
}

fn status_ok() -> Vec<u16> {
    vec![200]
}

impl CentreHttp {
    /// Below the timeout of a probe, or it could never be seen.
    pub const DEFAULT_SLOW: Duration = Duration::from_secs(1);
}

fn default_slow() -> Duration {
    CentreHttp::DEFAULT_SLOW
}

/// A place that swallows a large request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct UploadTest {
    /// Where.
    pub url: Url,
    /// How much: more than one full packet.
    #[serde(default = "three_kilobytes")]
    pub bytes: u32,
}

fn three_kilobytes() -> u32 {
    3000
}
