//! What the agent is told: types, loading, checking.
//!
//! The types are plain data. A value that is `None` or empty is *not configured* and accuses nobody; every other field carries its default.
//! [`load()`] reads `isonet.toml` and its `conf.d`, checks them along one [`schema`] and reports all problems at once.

#[cfg(test)]
mod agreement;
mod centre;
mod duties;
mod known;
mod load;
mod meaning;
mod named;
mod named_words;
mod places;
pub mod policy;
mod problem;
mod render;
mod rule_set;
pub mod schema;
mod text;
mod tree;
mod types;
mod values;
mod vpn;
mod walk;
mod weaker;

pub use centre::{Centre, CentreHttp, CentreTls, UploadTest};
pub use duties::{
    Anchor, Canary, Clock, Firewall, IsolationMode, IsolationSettings, LogTransport, Retention, Retry, Roots, Rules, Sink, Upload, Usb,
    UsbAllowed, Web, WebListen,
};
pub use known::{Known, known};
pub use load::{
    ConfigError, DEFAULT_FILE, LARGEST_FILE, LoadNote, Loaded, drop_in_dir, load, load_from, load_places, load_with, parse, remembered,
};
pub use named::{FileFault, FileRole, NamedFile};
pub use places::{Owner, run_dir, run_dirs, state_dir};
pub use policy::Policy;
pub use problem::{Excerpt, Found, Located, Problem, Unread};
pub use render::{render_error, render_note, render_problem};
pub use rule_set::{EXAMPLE, example};
pub use text::{ByteSize, TextError, bytes, duration};
pub use types::{
    Access, Clear, Config, Contact, ContactRole, Contacts, Dns, GatewayChoice, LanguageChoice, LogLevel, Maintenance, Network, Probe,
    Raise, Terminal, TerminalKind,
};
pub use vpn::{IfPattern, ServerName, Transport, Vpn, VpnKind};
pub use weaker::weakened;
