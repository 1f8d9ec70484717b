//! What a program has used so far, and what it holds: read from /proc, so that measuring costs it nothing.

use std::collections::BTreeMap;
use std::fs;
use std::ops::AddAssign;
use std::path::PathBuf;

/// What some processes used between two readings.
#[derive(Debug, Clone, Copy, Default)]
pub struct Used {
    /// On the processor, user and kernel, nanoseconds.
    pub cpu_ns: u64,
    /// Times that a thread had gone to sleep and was woken.
    pub wakes: u64,
}

impl AddAssign for Used {
    fn add_assign(&mut self, more: Self) {
        (self.cpu_ns, self.wakes) = (self.cpu_ns + more.cpu_ns, self.wakes + more.wakes);
    }
}

/// Reads what the threads of some processes use. A thread that ends takes its account along: what it did since the last reading is lost, so
/// read often.
pub struct Meter<'a> {
    pids: &'a [u32],
    threads: BTreeMap<PathBuf, Used>,
}

impl<'a> Meter<'a> {
    pub fn new(pids: &'a [u32]) -> Self {
        Self { pids, threads: threads(pids) }
    }

    /// What was used since the last reading.
    pub fn read(&mut self) -> Used {
        let now = threads(self.pids);
        let mut sum = Used::default();
        for (thread, used) in &now {
            let before = self.threads.get(thread).copied().unwrap_or_default();
            sum += Used { cpu_ns: used.cpu_ns.saturating_sub(before.cpu_ns), wakes: used.wakes.saturating_sub(before.wakes) };
        }
        self.threads = now;
        sum
    }
}

fn threads(pids: &[u32]) -> BTreeMap<PathBuf, Used> {
    let all = pids.iter().flat_map(|pid| fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten());
    all.map(|task| {
        let text = |name| fs::read_to_string(task.path().join(name)).unwrap_or_default();
        let cpu_ns = text("schedstat").split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or(0);
        (task.path(), Used { cpu_ns, wakes: field(&text("status"), "voluntary_ctxt_switches:").unwrap_or(0) })
    })
    .collect()
}

/// Bytes of this process that reached the block layer.
pub fn written(pid: u32) -> u64 {
    field(&read(pid, "io"), "write_bytes:").unwrap_or(0)
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
