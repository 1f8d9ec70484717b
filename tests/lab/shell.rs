//! Running other programs: inside a namespace, with a time limit, with readable errors.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

/// Everything in the lab fails with one sentence.
pub(crate) type Done<T = ()> = Result<T, String>;

/// What a program said.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) status: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    pub(crate) fn ok(&self) -> bool {
        self.status == Some(0)
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Said {
        Said {
            status: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Set when a signal has come: from then on only the removal runs anything.
static STOPPING: AtomicBool = AtomicBool::new(false);

/// From now on whoever wants to run a program waits for the process to end.
pub(crate) fn stop_all_others() {
    STOPPING.store(true, Ordering::SeqCst);
}

/// Waits for ever if the process is about to end.
pub(crate) fn stand_by() {
    while STOPPING.load(Ordering::SeqCst) {
        std::thread::park();
    }
}

/// Runs to the end, feeding `input`.
pub(crate) fn run(command: Command, input: &str) -> Done<Said> {
    stand_by();
    run_even_now(command, input)
}

/// The same, also while everything is being removed.
pub(crate) fn run_even_now(mut command: Command, input: &str) -> Done<Said> {
    let shown = format!("{command:?}");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| format!("cannot start {shown}: {e}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that ends without reading its input is judged by its status.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().map_err(|e| format!("cannot wait for {shown}: {e}"))?;
    Ok(output.into())
}

/// Runs to the end and insists on success.
pub(crate) fn must(command: Command, input: &str) -> Done<Said> {
    let shown = format!("{command:?}");
    let said = run(command, input)?;
    if said.ok() { Ok(said) } else { Err(format!("{shown} ended with {:?}: {}{}", said.status, said.err.trim(), said.out.trim())) }
}

/// `ip -batch -` in the machine's own namespace: many changes, one process.
pub(crate) fn ip_batch(lines: &str) -> Done {
    let mut command = Command::new("ip");
    command.args(["-batch", "-"]);
    must(command, lines).map(drop)
}

/// A network namespace by name.
#[derive(Debug, Clone)]
pub(crate) struct Netns {
    pub(crate) name: String,
}

impl Netns {
    /// A command that will run inside, with the namespace's own `/etc` files.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]);
        command
    }

    /// Runs words inside and returns what was said, whatever the status.
    pub(crate) fn try_run(&self, words: &[&str]) -> Done<Said> {
        let mut command = self.command(words[0]);
        command.args(&words[1..]);
        run(command, "")
    }

    /// Runs words inside and insists on success.
    pub(crate) fn run(&self, words: &[&str]) -> Done<Said> {
        let mut command = self.command(words[0]);
        command.args(&words[1..]);
        must(command, "")
    }

    /// The same, for words that were put together.
    pub(crate) fn run_owned(&self, words: &[String]) -> Done {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.run(&words).map(drop)
    }

    /// Feeds lines to `ip -batch` inside the namespace.
    pub(crate) fn ip(&self, lines: &str) -> Done {
        let mut command = Command::new("ip");
        command.args(["-n", &self.name, "-batch", "-"]);
        must(command, lines).map(drop)
    }

    /// The same, for lines that may find their work already done.
    pub(crate) fn ip_lenient(&self, lines: &str) -> Done {
        let mut command = Command::new("ip");
        command.args(["-n", &self.name, "-force", "-batch", "-"]);
        run(command, lines).map(drop)
    }

    pub(crate) fn nft(&self, rules: &str) -> Done {
        let mut command = self.command("nft");
        command.args(["-f", "-"]);
        must(command, rules).map(drop)
    }

    pub(crate) fn sysctl(&self, settings: &[&str]) -> Done {
        let mut command = self.command("sysctl");
        command.arg("-qw").args(settings);
        must(command, "").map(drop)
    }
}
