//! What a program has used so far, and what it holds: read from /proc, so that measuring costs it nothing.

use std::fs;
use std::ops::Sub;

/// Sums over the threads of some processes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Used {
    /// On the processor, user and kernel, nanoseconds.
    pub cpu_ns: u64,
    /// Times that a thread had gone to sleep and was woken.
    pub wakes: u64,
    /// Bytes that reached the block layer.
    pub disk: u64,
}

impl Used {
    /// By these processes until now.
    pub fn by(pids: &[u32]) -> Self {
        pids.iter().fold(Self::default(), |mut sum, pid| {
            for task in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
                let text = |name| fs::read_to_string(task.path().join(name)).unwrap_or_default();
                sum.cpu_ns += text("schedstat").split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or(0);
                sum.wakes += field(&text("status"), "voluntary_ctxt_switches:").unwrap_or(0);
            }
            sum.disk += field(&read(*pid, "io"), "write_bytes:").unwrap_or(0);
            sum
        })
    }
}

impl Sub for Used {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        // A thread that ended takes its sums along.
        Self {
            cpu_ns: self.cpu_ns.saturating_sub(before.cpu_ns),
            wakes: self.wakes.saturating_sub(before.wakes),
            disk: self.disk.saturating_sub(before.disk),
        }
    }
}

/// Memory in KiB.
#[derive(Debug, Clone, Copy, Default)]
pub struct Held {
    pub anonymous: u64,
    pub pss: u64,
    pub rss: u64,
    /// Open descriptors.
    pub files: usize,
}

impl Held {
    pub fn by(pids: &[u32]) -> Self {
        pids.iter().fold(Self::default(), |sum, pid| {
            let text = read(*pid, "smaps_rollup");
            let kib = |name| field(&text, name).unwrap_or(0);
            Self {
                anonymous: sum.anonymous + kib("Anonymous:"),
                pss: sum.pss + kib("Pss:"),
                rss: sum.rss + kib("Rss:"),
                files: sum.files + fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count),
            }
        })
    }
}

fn read(pid: u32, name: &str) -> String {
    fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default()
}

fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

/// The value that so many percent do not exceed.
pub fn percentile(values: &mut [f64], percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get((values.len() * percent / 100).min(values.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}
