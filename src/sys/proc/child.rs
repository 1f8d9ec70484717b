//! A short call of one of the system's own programs: bounded in time and in what is read, with an empty environment.

use crate::sys::clock;
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Duration;

/// Runs a program and gives the first `most` bytes of what it printed; `None` when it cannot be run, fails, or is not done within
/// `patience`, after which it is ended. Blocks until then.
pub(super) fn output(program: &str, words: &[&str], patience: Duration, most: u64) -> Option<String> {
    let began = clock::now();
    let mut child = Command::new(program)
        .args(words)
        .env_clear()
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    // Read while it runs: a full pipe would hold it up.
    let text = child.stdout.take().and_then(|pipe| reader(pipe, most));
    let text = text.and_then(|text| text.recv_timeout(patience).ok());
    let ended = text.is_some() && wait(&mut child, patience.saturating_sub(began.elapsed()));
    if !ended {
        // Either may fail only because it has ended meanwhile.
        let _ = child.kill();
        let _ = child.wait();
    }
    text.filter(|_| ended)
}

fn reader(pipe: impl Read + Send + 'static, most: u64) -> Option<Receiver<String>> {
    let (sender, receiver) = sync_channel(1);
    let read = move || {
        let mut bytes = Vec::new();
        let mut pipe = pipe;
        // What comes after is swallowed, so that the program comes to its end.
        if pipe.by_ref().take(most).read_to_end(&mut bytes).is_ok() && std::io::copy(&mut pipe, &mut std::io::sink()).is_ok() {
            // Nobody waits any more when the time is over.
            let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
        }
    };
    thread::Builder::new().name("child-output".to_owned()).spawn(read).ok().map(|_| receiver)
}

/// Whether it ends well by itself in that time.
fn wait(child: &mut Child, patience: Duration) -> bool {
    let began = clock::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) if began.elapsed() < patience => thread::sleep(Duration::from_millis(2)),
            Ok(None) | Err(_) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(50);
    const LONG: Duration = Duration::from_secs(5);

    #[test]
    fn what_a_program_prints_is_read_up_to_the_bound() {
        assert_eq!(output("/bin/sh", &["-c", "echo hello"], LONG, 100).as_deref(), Some("hello\n"));
        let flood = output("/bin/sh", &["-c", "head -c 300000 /dev/zero | tr '\\0' x"], LONG, 1000);
        assert_eq!(flood.map(|text| text.len()), Some(1000), "and it comes to its end");
    }

    #[test]
    fn one_that_hangs_fails_or_is_not_there_says_nothing() {
        let began = clock::now();
        assert_eq!(output("/bin/sleep", &["30"], SHORT, 100), None);
        assert_eq!(output("/bin/sh", &["-c", "exec >&-; exec sleep 30"], SHORT, 100), None, "nor one that only stops talking");
        assert!(began.elapsed() < LONG);
        assert_eq!(output("/bin/sh", &["-c", "echo no; exit 1"], LONG, 100), None);
        assert_eq!(output("/nonexistent/program", &[], LONG, 100), None);
    }
}
