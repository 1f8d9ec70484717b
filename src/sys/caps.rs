//! Which capabilities this process really has: effective ones, as the kernel lists them.

use super::files;
use std::path::Path;

/// Highest number of octets of `/proc/self/status` that is read: it is about 1.5 kB.
const STATUS_MAX: u64 = 64 * 1024;

/// The effective capabilities of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Capabilities(u64);

/// A capability some probe can use, by the kernel's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capability {
    /// `CAP_NET_ADMIN`: the age of WireGuard's handshake.
    NetAdmin = 12,
    /// `CAP_NET_RAW`: ARP, neighbour solicitation, echo where ping sockets are switched off.
    NetRaw = 13,
}

impl Capability {
    /// The name people and manuals use.
    pub fn name(self) -> &'static str {
        match self {
            Self::NetAdmin => "CAP_NET_ADMIN",
            Self::NetRaw => "CAP_NET_RAW",
        }
    }
}

impl Capabilities {
    /// None at all.
    pub const NONE: Self = Self(0);

    /// Reads those of this process. What cannot be read counts as missing: the probe then says what it could not see.
    pub fn of_this_process() -> Self {
        files::read_text(Path::new("/proc/self/status"), STATUS_MAX).ok().and_then(|status| parse(&status)).unwrap_or_default()
    }

    /// Whether it is there.
    pub fn has(self, capability: Capability) -> bool {
        self.0 & (1 << capability as u8) != 0
    }
}

/// Finds the effective set in the text of `/proc/PID/status`.
fn parse(status: &str) -> Option<Capabilities> {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(line.trim(), 16).ok().map(Capabilities)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_effective_set_and_not_the_permitted_one() {
        let status = "Name:\tx\nCapPrm:\t000001ffffffffff\nCapEff:\t0000000000002000\nCapBnd:\t000001ffffffffff\n";
        let caps = parse(status).expect("there is a CapEff line");
        assert!(caps.has(Capability::NetRaw));
        assert!(!caps.has(Capability::NetAdmin));
    }

    #[test]
    fn text_without_the_line_gives_nothing() {
        assert_eq!(parse("Name:\tx\n"), None);
        assert_eq!(parse("CapEff:\tnonsense\n"), None);
    }
}
