//! The firewall, counted. Reading nftables needs `CAP_NET_ADMIN`; without it there is nothing to see, which is not "no firewall".

use super::{Firewall, Seen};
use crate::model::Unseen;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Where the tool lives; a PC's search path is not trusted.
const PLACES: [&str; 3] = ["/usr/sbin/nft", "/sbin/nft", "/usr/bin/nft"];

/// Rules listed are at most so many bytes.
const LARGEST: u64 = 4 << 20;

/// The tool answers in milliseconds; a kernel that is stuck must not hold up an enrolment.
const PATIENCE: Duration = Duration::from_secs(5);

/// Lists the rules of this namespace with `nft` and counts them.
pub fn look() -> Seen<Firewall> {
    match rules() {
        Ok(text) => Seen::Seen(count(&text)),
        Err(why) => Seen::Unseen(why),
    }
}

/// The rules of this namespace as `nft -a list ruleset` prints them. Blocks, for seconds at the worst.
pub fn rules() -> Result<String, Unseen> {
    let failed = |text: String| Err(Unseen::Error(text));
    let Some(tool) = PLACES.into_iter().find(|place| Path::new(place).exists()) else {
        return failed("nft: not installed".to_owned());
    };
    let mut list = Command::new(tool);
    list.args(["-a", "list", "ruleset"]).env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match list.spawn() {
        Ok(child) => child,
        Err(error) => return failed(format!("{tool}: {error}")),
    };
    let (Some(out), Some(err)) = (child.stdout.take(), child.stderr.take()) else {
        return failed(format!("{tool}: no output"));
    };
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        let (mut text, mut complaint) = (Vec::new(), Vec::new());
        let read = out.take(LARGEST).read_to_end(&mut text).and_then(|_| err.take(4096).read_to_end(&mut complaint));
        // Nobody listens any more when patience ran out.
        let _ = send.send((read.is_ok(), text, complaint));
    });
    let answer = receive.recv_timeout(PATIENCE);
    if answer.is_err() {
        // Stuck. Should it have ended just now, there is nothing to kill.
        let _ = child.kill();
    }
    let ended = child.wait();
    match (answer, ended) {
        (Ok((true, text, complaint)), Ok(status)) => {
            judge(tool, status.success(), &String::from_utf8_lossy(&text), &String::from_utf8_lossy(&complaint))
        }
        _ => failed(format!("{tool}: no answer")),
    }
}

fn judge(tool: &str, succeeded: bool, text: &str, complaint: &str) -> Result<String, Unseen> {
    if complaint.contains("Operation not permitted") {
        Err(Unseen::Capability("CAP_NET_ADMIN".to_owned()))
    } else if succeeded {
        Ok(text.to_owned())
    } else {
        let line = complaint.lines().next().unwrap_or("failed");
        Err(Unseen::Error(format!("{tool}: {}", line.chars().filter(|c| !c.is_control()).take(200).collect::<String>())))
    }
}

/// Tables, and rules: with `-a` every rule ends in its handle, and so do the openings of tables, chains and sets.
pub(super) fn count(ruleset: &str) -> Firewall {
    let mut firewall = Firewall { tables: 0, rules: 0 };
    for line in ruleset.lines().map(str::trim) {
        let Some((before, _)) = line.rsplit_once("# handle ") else { continue };
        if !before.trim_end().ends_with('{') {
            firewall.rules += 1;
        } else if before.starts_with("table ") {
            firewall.tables += 1;
        }
    }
    firewall
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = "table inet filter { # handle 1\n\tset known { # handle 4\n\t\ttype ipv4_addr\n\t}\n\n\tchain input { # handle 1\n\
        \t\ttype filter hook input priority filter; policy accept;\n\t\ttcp dport 22 accept # handle 5\n\t\tip saddr { 10.0.0.1, 10.0.0.2 } drop # handle 6\n\t}\n}\n";

    #[test]
    fn rules_are_counted_apart_from_what_holds_them() {
        assert_eq!(count(RULES), Firewall { tables: 1, rules: 2 });
        assert_eq!(count(""), Firewall { tables: 0, rules: 0 });
    }

    #[test]
    fn a_refusal_is_no_empty_firewall() {
        let refused = judge("nft", true, "", "Operation not permitted (you must be root)\nnetlink: Error: cache initialization failed");
        assert_eq!(refused, Err(Unseen::Capability("CAP_NET_ADMIN".to_owned())));
        assert!(judge("nft", false, "", "no such thing\u{1b}").is_err());
    }
}
