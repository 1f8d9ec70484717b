//! The process of an agent: started, killed, frozen, asked to end.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::Done;
use crate::agent::{Orders, is_shipped};

/// An agent, or the place of one.
pub(crate) struct Agent {
    pub(crate) orders: Orders,
    child: Option<Child>,
}

impl Agent {
    pub(crate) fn start(orders: Orders) -> Done<Self> {
        let mut agent = Self { orders, child: None };
        agent.begin()?;
        Ok(agent)
    }

    /// Begins to live again.
    pub(crate) fn begin(&mut self) -> Done {
        let own = std::env::current_exe().map_err(|e| format!("this program has no path: {e}"))?;
        let orders = serde_json::to_string(&self.orders).map_err(|e| e.to_string())?;
        let child = Command::new(own).env(crate::AGENT, orders).stdin(Stdio::null()).spawn().map_err(|e| format!("no agent: {e}"))?;
        self.child = Some(child);
        Ok(())
    }

    /// Whether it still lives.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    pub(crate) fn id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(child) = &self.child {
            let pid = Pid::from_child(child);
            // One that is gone needs no signal.
            let _ = kill_process(pid, signal);
        }
    }

    /// Killed at once.
    pub(crate) fn kill(&mut self) {
        self.signal(Signal::KILL);
        if let Some(mut child) = self.child.take() {
            let _ = child.wait();
        }
    }

    /// Asked to end, and ends.
    pub(crate) fn end(&mut self) -> Done {
        self.signal(Signal::TERM);
        let Some(mut child) = self.child.take() else { return Ok(()) };
        let status = child.wait().map_err(|e| e.to_string())?;
        // One that has hardly begun has no ear for it yet.
        let asked_early = std::os::unix::process::ExitStatusExt::signal(&status) == Some(Signal::TERM.as_raw());
        if status.success() || asked_early { Ok(()) } else { Err(format!("the agent ended with {status}")) }
    }

    /// Waits until the cursor is at the end of the log.
    pub(crate) fn ships_all(&mut self, limit: Duration) -> Done<Duration> {
        let begin = Instant::now();
        while !is_shipped(&self.orders.state) {
            if !self.is_alive() {
                return Err("the agent ended by itself".to_owned());
            }
            if begin.elapsed() > limit {
                return Err(format!("not all was shipped within {} s: {}", limit.as_secs(), standing(&self.orders.state)));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(begin.elapsed())
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Cursor and end of the log, in words.
fn standing(state: &Path) -> String {
    use isonet::spool::{Cursors, Disk, newest};
    let cursor = Cursors::open(Disk::look(&state.join("cursors"))).ok().and_then(|cursors| cursors.get(crate::agent::SINK));
    let end = newest(&Disk::look(&state.join("spool"))).ok().flatten();
    format!("cursor {cursor:?}, log {end:?}")
}
