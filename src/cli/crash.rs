//! A defect of ours: one line that can be passed on, and the exit status 70. No half answer is ever taken for a whole one.

use super::{INTERNAL, complain};
use std::panic::{PanicHookInfo, set_hook};

/// From now on a panic in any thread or task ends the process with one line instead of a backtrace.
pub(super) fn end_on_panic() {
    set_hook(Box::new(|info| {
        complain(&line(info));
        std::process::exit(i32::from(INTERNAL));
    }));
}

/// In both languages: what broke is not asked which one is spoken.
fn line(info: &PanicHookInfo<'_>) -> String {
    let place = info.location().map_or_else(|| "?".to_owned(), |at| format!("{}:{}", at.file(), at.line()));
    let said = info.payload_as_str().unwrap_or("?");
    let said: String = said.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect();
    let version = env!("CARGO_PKG_VERSION");
    format!("isonet: 程序内部出错，请把这一行报告给开发方 / internal error, please report this line: isonet {version}, {place}: {said}")
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    /// Set in the process that is to panic.
    const VICTIM: &str = "ISONET_TEST_PANICS";

    /// This very test is run again as a process of its own, because the hook ends the process.
    #[test]
    fn a_panic_of_any_thread_is_one_line_and_status_70() {
        if std::env::var_os(VICTIM).is_some() {
            super::end_on_panic();
            let thread = std::thread::spawn(|| panic!("of a thread\nin two lines"));
            let _ = thread.join();
            return;
        }
        let me = std::env::current_exe().expect("a test binary");
        let name = "cli::crash::tests::a_panic_of_any_thread_is_one_line_and_status_70";
        let out = Command::new(me).args(["--exact", name, "--nocapture"]).env(VICTIM, "1").output().expect("runs");
        let err = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(70), "{err}");
        assert_eq!(err.lines().count(), 1, "{err}");
        assert!(err.contains("程序内部出错") && err.contains("internal error") && err.contains("of a thread in two lines"), "{err}");
    }
}
