//! What keeps a receiver from taking records.

use std::io;

/// What keeps a receiver from taking records, and in whose words. All of it may pass, so a sink tries again; its words and what to do are in
/// [`catalogue::hindered`](crate::catalogue::hindered).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{obstacle:?}: {detail}")]
pub struct Hindrance {
    /// What it is.
    pub obstacle: Obstacle,
    /// Who or what, and the words of whoever said so: an address, a file, a refusal. For engineers, in English.
    pub detail: String,
}

/// Kinds of hindrances, by what has to be done about each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Obstacle {
    /// Nobody listens there.
    Absent,
    /// No answer, or no acknowledgement, in time.
    Silent,
    /// The connection ended before all was acknowledged.
    Broken,
    /// It does not keep up.
    Busy,
    /// The way there is not one that was enrolled, so nothing was sent.
    WrongWay,
    /// Its certificate is not one that the configured authority vouches for now.
    Certificate,
    /// It does not encrypt, though it has to.
    Plain,
    /// It does not accept who we are.
    Identity,
    /// It speaks something else.
    Garbage,
    /// It has no room left for records.
    Full,
    /// It is not set up as records need it.
    Setup,
    /// Somebody else ships under this terminal's name.
    Foreign,
    /// Something on this PC: a file that cannot be read, a log that cannot be read.
    Here,
}

impl Obstacle {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Absent,
        Self::Silent,
        Self::Broken,
        Self::Busy,
        Self::WrongWay,
        Self::Certificate,
        Self::Plain,
        Self::Identity,
        Self::Garbage,
        Self::Full,
        Self::Setup,
        Self::Foreign,
        Self::Here,
    ];
}

impl Hindrance {
    /// One.
    pub fn new(obstacle: Obstacle, detail: impl Into<String>) -> Self {
        Self { obstacle, detail: detail.into() }
    }

    /// Sorts an error of a connection to `receiver`.
    pub fn of(receiver: &str, error: &io::Error) -> Self {
        use io::ErrorKind as Kind;
        let obstacle = match error.kind() {
            Kind::NotFound | Kind::ConnectionRefused => Obstacle::Absent,
            Kind::WouldBlock => Obstacle::Busy,
            Kind::TimedOut | Kind::HostUnreachable | Kind::NetworkUnreachable | Kind::NetworkDown => Obstacle::Silent,
            _ => Obstacle::Broken,
        };
        Self::new(obstacle, format!("{receiver}: {error}"))
    }
}
