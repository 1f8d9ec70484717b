//! What the shells propose at a press of the tabulator: real bash, zsh and fish, beside a real daemon.

use crate::ground::{Ground, Ours, isonet, wait_for};
use serde_json::Value;
use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(10);

fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    if !found {
        println!("SKIPPED: `{program}` is not installed");
    }
    found
}

/// Types at a shell on a terminal of its own and waits for what it shows.
struct Shell {
    script: Ours,
    shown: Arc<Mutex<String>>,
}

impl Shell {
    fn start(command: &str, home: &Path) -> Self {
        let bin = Path::new(isonet()).parent().unwrap().display().to_string();
        let mut script = Command::new("script");
        script.args(["-qfec", command, "/dev/null"]).env_clear().env("HOME", home).env("TERM", "dumb").env("LC_ALL", "C.UTF-8");
        script.env("PATH", format!("{bin}:{}", std::env::var("PATH").unwrap())).env("PS1", "> ").env("PROMPT", "> ");
        let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (mut out, shown) = (child.stdout.take().unwrap(), Arc::new(Mutex::new(String::new())));
        let kept = Arc::clone(&shown);
        std::thread::spawn(move || {
            let mut some = [0; 4096];
            while let Ok(length @ 1..) = out.read(&mut some) {
                kept.lock().unwrap().push_str(&String::from_utf8_lossy(&some[..length]));
            }
        });
        Self { script: Ours(child), shown }
    }

    fn types(&mut self, keys: &str) {
        self.script.0.stdin.as_mut().unwrap().write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until it shows this after what it showed at `from` bytes.
    fn until(&self, from: usize, text: &str) {
        wait_for(text, PATIENCE, || self.shown.lock().unwrap().get(from..).is_some_and(|shown| shown.contains(text)).then_some(()));
    }

    fn at(&self) -> usize {
        self.shown.lock().unwrap().len()
    }

    /// Types the beginning of a line and the tabulator, and waits for the rest of it.
    fn completes(&mut self, begin: &str, rest: &str) {
        let from = self.at();
        self.types(&format!("{begin}\t"));
        self.until(from, &format!("{begin}{rest}"));
        // Forget the line.
        self.types("\u{15}");
    }
}

/// A daemon with one open incident, and its number.
fn with_incident(ground: &mut Ground) -> String {
    ground.cable("down");
    let number = wait_for("an incident", Duration::from_secs(20), || {
        let told = ground.get("/v1/incidents?open=1").json();
        let id = told["incidents"].as_array()?.first()?["incident"]["id"].as_str()?.to_owned();
        Some(id.rsplit('/').next()?.to_owned())
    });
    // A second one would be another choice.
    assert_eq!(ground.get("/v1/incidents").json()["incidents"].as_array().map(Vec::len), Some(1));
    number
}

#[test]
fn bash_completes_commands_codes_and_numbers() {
    let Some(mut ground) = Ground::new() else { return };
    let number = with_incident(&mut ground);
    let config = ground.path("isonet.toml").display().to_string();
    let mut shell = Shell::start("bash --norc --noprofile -i", &ground.path(""));
    shell.types("bind 'set enable-bracketed-paste off'; source <(isonet completions bash); echo rea'dy'\n");
    shell.until(0, "ready\r\n");
    shell.completes("isonet diag", "nose");
    shell.completes("isonet explain vpn.not-s", "tarted");
    shell.completes("isonet explain account.arr", "ears");
    shell.completes("isonet help diag", "nose");
    shell.completes("isonet export --format ocs", "f");
    shell.completes(&format!("isonet --config {config} evidence "), &number);
    shell.completes(&format!("isonet --config {config} incidents comment "), &number);
}

#[test]
fn zsh_completes_from_the_directory_of_the_package_at_the_first_key() {
    let Some(mut ground) = Ground::new() else { return };
    if !has("zsh") {
        return;
    }
    let number = with_incident(&mut ground);
    let config = ground.path("isonet.toml").display().to_string();
    fs::create_dir(ground.path("functions")).unwrap();
    let script = Command::new(isonet()).args(["completions", "zsh"]).output().unwrap();
    fs::write(ground.path("functions/_isonet"), script.stdout).unwrap();
    let mut shell = Shell::start("zsh -f -i", &ground.path(""));
    shell.types("unsetopt zle_bracketed_paste; fpath=(~/functions $fpath); autoload -Uz compinit; compinit -u; echo rea'dy'\n");
    shell.until(0, "ready\r\n");
    shell.completes("isonet explain vpn.not-s", "tarted");
    shell.completes(&format!("isonet --config {config} evidence "), &number);
}

#[test]
fn fish_shows_what_each_proposal_means() {
    let Some(mut ground) = Ground::new() else { return };
    if !has("fish") {
        return;
    }
    let number = with_incident(&mut ground);
    let bin = Path::new(isonet()).parent().unwrap().display().to_string();
    let config = ground.path("isonet.toml").display().to_string();
    let home = ground.path("");
    let proposed = |line: &str| {
        let mut fish = Command::new("fish");
        fish.args(["--no-config", "-c", &format!("isonet completions fish | source; complete -C '{line}'")]);
        fish.env_clear().env("HOME", &home).env("LC_ALL", "C.UTF-8");
        let out = fish.env("PATH", format!("{bin}:{}", std::env::var("PATH").unwrap())).output().unwrap();
        assert!(out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).into_owned()
    };
    assert_eq!(proposed("isonet explain vpn.not-s"), "vpn.not-started\tThe VPN is not started\n");
    // Whoever asks by a message is not offered codes.
    let told = proposed("isonet explain --symptom ");
    assert!(told.starts_with("1\t") && told.lines().count() == 7 && !told.contains("vpn."), "{told}");
    let told = proposed("isonet help ver");
    assert!(told.starts_with("verify-log\t") && told.lines().count() == 1, "{told}");
    let told = proposed(&format!("isonet --config {config} evidence "));
    assert!(told.starts_with(&format!("{number}\t")) && told.contains(", open"), "{told}");
    let given = ground.isonet(&[], "--lang en grant usb --until 2h --by Li --reason scan --json");
    let grants: Value = serde_json::from_str(&given.out).unwrap();
    let id = grants["grants"][0]["grant"]["id"].as_str().unwrap_or_else(|| panic!("{grants:#}")).to_owned();
    let told = proposed(&format!("isonet --config {config} grant revoke "));
    assert!(told.contains(&id) && told.contains("scan"), "{told}");
    // Nobody there: nothing is proposed, and nothing is said.
    ground.end(rustix::process::Signal::TERM);
    let told = proposed(&format!("isonet --config {config} evidence "));
    assert!(told.lines().all(|line| line.starts_with('-')), "{told}");
}
