//! Real receivers, as processes of a test.

pub mod nats;
pub mod syslog;

use rustix::process::{Pid, Signal, kill_process};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// A loopback address that nobody else has, with this port.
pub fn address(port: u16) -> SocketAddr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = (std::process::id() << 6) + NEXT.fetch_add(1, Ordering::Relaxed);
    let [_, b, c, d] = number.to_be_bytes();
    // 127.64.0.0 and up, where no other test listens.
    SocketAddr::from((Ipv4Addr::new(127, 64 | b, c, d), port))
}

/// Where `tests/ship/fetch` has laid the receivers; `None` = it has not, which is said.
pub fn receivers() -> Option<PathBuf> {
    laid("ship/receivers", "fetch")
}

fn laid(at: &str, by: &str) -> Option<PathBuf> {
    // TARGET/debug/deps/ship-…
    let test = std::env::current_exe().unwrap();
    let laid = test.ancestors().nth(3).unwrap().join(at);
    if laid.is_dir() {
        return Some(laid);
    }
    println!("SKIPPED: tests/ship/{by} has laid no receivers at {}", laid.display());
    None
}

/// A process that ends with the test.
pub struct Process(Child);

impl Process {
    fn id(&self) -> u32 {
        self.0.id()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }

    fn ended(mut self) -> ExitStatus {
        self.0.wait().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until somebody listens there.
pub fn listens(at: SocketAddr, log: &Path) {
    let began = isonet::sys::clock::now();
    while TcpStream::connect(at).is_err() {
        let told = || std::fs::read_to_string(log).unwrap_or_default();
        assert!(began.elapsed() < Duration::from_secs(90), "nobody listens at {at}: {}", told());
        std::thread::sleep(Duration::from_millis(5));
    }
}
