//! Which capabilities this process really has: effective ones, asked of the kernel itself, so that a system without `/proc` or with a
//! false one does not make a probe blind.

#![allow(unsafe_code, reason = "capget has no wrapper in libc")]

/// The version of the call that knows 64 capabilities (`_LINUX_CAPABILITY_VERSION_3`).
const VERSION: u32 = 0x2008_0522;

/// `struct __user_cap_header_struct`; process 0 is this one.
#[repr(C)]
struct Header {
    version: u32,
    process: libc::c_int,
}

/// `struct __user_cap_data_struct`: half of each set.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Half {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

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

    /// Those of this process. What the kernel does not tell counts as missing: the probe then says what it could not see.
    pub fn of_this_process() -> Self {
        let header = Header { version: VERSION, process: 0 };
        let mut halves = [Half::default(); 2];
        // SAFETY: both pointers are to live structures laid out as the kernel's, and version 3 fills exactly two halves.
        let result = unsafe { libc::syscall(libc::SYS_capget, &raw const header, halves.as_mut_ptr()) };
        if result == 0 { Self::of(halves) } else { Self::NONE }
    }

    fn of([low, high]: [Half; 2]) -> Self {
        Self(u64::from(high.effective) << 32 | u64::from(low.effective))
    }

    /// Whether it is there.
    pub fn has(self, capability: Capability) -> bool {
        self.0 & (1 << capability as u8) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_effective_set_counts_and_not_the_permitted_one() {
        let low = Half { effective: 1 << 13, permitted: u32::MAX, inheritable: u32::MAX };
        let caps = Capabilities::of([low, Half { effective: 1, ..Half::default() }]);
        assert!(caps.has(Capability::NetRaw));
        assert!(!caps.has(Capability::NetAdmin));
        assert_eq!(caps, Capabilities(1 << 32 | 1 << 13));
    }

    #[test]
    fn the_kernel_says_the_same_in_both_ways() {
        let status = std::fs::read_to_string("/proc/self/status").expect("a status");
        let line = status.lines().find_map(|line| line.strip_prefix("CapEff:")).expect("a line");
        let told = u64::from_str_radix(line.trim(), 16).expect("a number");
        assert_eq!(Capabilities::of_this_process(), Capabilities(told));
    }
}
