//! What the agent is told: types, loading, checking.
//!
//! The types are plain data. A value that is `None` or empty is *not configured* and accuses nobody; every other field carries its default.

mod duties;
mod text;
mod types;
mod vpn;

pub use duties::{
    Anchor, Canary, Clock, Firewall, IsolationMode, IsolationSettings, LogTransport, Retention, Roots, Rules, Sink, Upload, Usb,
    UsbAllowed, Web, WebListen,
};
pub use text::{ByteSize, TextError, duration};
pub use types::{
    Access, Centre, CentreHttp, CentreTls, Clear, Config, Contact, ContactRole, Dns, GatewayChoice, LanguageChoice, Maintenance, Network,
    Probe, Raise, Terminal, TerminalKind, UploadTest,
};
pub use vpn::{IfPattern, ServerName, Transport, Vpn, VpnKind};
