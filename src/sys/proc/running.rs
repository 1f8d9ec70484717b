//! Which programs run on this PC, in whatever namespace, and when one of them ends. Blocks: a walk over all processes takes 4-6 ms.

#![allow(unsafe_code, reason = "a descriptor is registered with the runtime without the wrapper that closes it late")]

use super::{COMM_MAX, cut};
use crate::model::Unseen;
use futures_util::future::select_all;
use rustix::fd::OwnedFd;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::path::Path;
use sysinfo::{ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System, UpdateKind};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Processes whose end is listened for: a program with more of them is not over when one ends.
const MOST_ENDS: usize = 32;

/// A program that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Its process.
    pub pid: u32,
    /// The process's name, 15 bytes at most.
    pub name: String,
    /// The name of its file; `None` = we may not see it, or there is none.
    pub file: Option<String>,
}

impl Program {
    /// By its process name or the name of its file.
    pub fn is_called(&self, name: &str) -> bool {
        self.file.as_deref() == Some(name) || self.name.as_bytes() == cut(name.as_bytes())
    }

    /// Whether its name may go on: the kernel keeps no more of it.
    pub fn is_cut(&self) -> bool {
        self.name.len() == COMM_MAX
    }
}

/// All of them but ourselves.
pub fn programs() -> Result<Vec<Program>, Unseen> {
    // Mounted with `hidepid`, /proc shows a user only its own processes.
    if !Path::new("/proc/1").exists() {
        return Err(Unseen::Hidden("/proc".to_owned()));
    }
    let mut system = System::new().map_err(|_| Unseen::NotMounted("/proc".to_owned()))?;
    let what = ProcessRefreshKind::nothing().with_exe(UpdateKind::Always).without_tasks();
    system.refresh_processes_specifics(ProcessesToUpdate::All, false, what);
    let ours = std::process::id();
    let all = system
        .processes()
        .values()
        .filter(|process| process.pid().as_u32() != ours && !matches!(process.status(), ProcessStatus::Zombie | ProcessStatus::Dead));
    let program = |process: &sysinfo::Process| Program {
        pid: process.pid().as_u32(),
        name: process.name().to_string_lossy().into_owned(),
        file: process.exe().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned()),
    };
    Ok(all.map(program).collect())
}

/// Hears that processes end.
#[derive(Debug, Default)]
pub struct Ends(Vec<AsyncFd<OwnedFd>>);

impl Ends {
    /// Of these processes. One that cannot be watched, or has ended already, is left out; so are those past the first few dozen. Must be called within a tokio runtime with I/O
    /// enabled.
    pub fn of(pids: impl IntoIterator<Item = u32>) -> Self {
        let open = |pid: u32| {
            let process = pidfd_open(Pid::from_raw(i32::try_from(pid).ok()?)?, PidfdFlags::NONBLOCK).ok()?;
            // SAFETY: an `OwnedFd` owns one descriptor, always returns that one, and is closed only when dropped, which the `AsyncFd` does.
            unsafe { AsyncFd::register_with_interest(process, Interest::READABLE) }.ok()
        };
        Self(pids.into_iter().filter_map(open).take(MOST_ENDS).collect())
    }

    /// Waits until one of them ended; for ever where there is none. Cancelling it loses nothing.
    pub async fn next(&mut self) {
        if self.0.is_empty() {
            return std::future::pending().await;
        }
        let ends = self.0.iter().map(|process| Box::pin(async { process.readable().await.map(drop) }));
        let (_, index, _) = select_all(ends).await;
        self.0.swap_remove(index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[tokio::test]
    async fn a_program_is_seen_while_it_runs_and_its_end_is_heard() {
        let mut child = Command::new("sleep").arg("600").spawn().expect("started");
        let runs = |pid| programs().expect("seen").iter().any(|program| program.pid == pid && program.is_called("sleep"));
        // Between fork and exec it has our name.
        while !runs(child.id()) {
            tokio::task::yield_now().await;
        }
        assert!(!programs().expect("seen").iter().any(|program| program.pid == std::process::id()), "ourselves");
        let mut ends = Ends::of([child.id()]);
        let early = tokio::time::timeout(std::time::Duration::from_millis(50), ends.next()).await;
        assert!(early.is_err(), "it runs");
        child.kill().expect("killed");
        tokio::time::timeout(std::time::Duration::from_secs(10), ends.next()).await.expect("heard");
        assert!(!runs(child.id()), "a dead process is none, even before it is buried");
        child.wait().expect("buried");
    }
}
