//! The terminal's id: stable, and telling nothing about the machine id it is made from.

use super::files::Root;
use crate::config::Terminal;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

/// Makes the digest ours: the same machine id under another application's tag gives another id.
const TAG: &str = "isonet terminal id, first form\n";

/// The id of this terminal: what the configuration says, or 16 hexadecimal digits derived from the machine id. `None` = the
/// system has no usable machine id.
pub fn terminal_id(terminal: &Terminal, machine_id: Option<&str>) -> Option<String> {
    if terminal.id != "auto" {
        return Some(terminal.id.clone());
    }
    let id = machine_id.map(str::trim).filter(|id| id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()))?;
    Some(sha256(format!("{TAG}{}", id.to_ascii_lowercase()).as_bytes())[..16].to_owned())
}

/// A digest of the machine id, whatever id is configured; `None` = there is no usable machine id.
pub fn machine_id_hash() -> Option<String> {
    of_system(Root(Path::new("/")), &Terminal::default())
}

/// The id of the terminal whose files lie below `root`.
pub(super) fn of_system(root: Root<'_>, terminal: &Terminal) -> Option<String> {
    let machine_id = root.text("/etc/machine-id").or_else(|| root.text("/var/lib/dbus/machine-id"));
    terminal_id(terminal, machine_id.as_deref())
}

/// The id of the terminal on which this runs.
pub fn this_terminal(terminal: &Terminal) -> Option<String> {
    of_system(Root(Path::new("/")), terminal)
}

/// What tells this machine from a clone of its disk: its built-in network cards, its disks, its board, each as a short digest, in one line.
/// A part that was exchanged changes one of them, another machine all of them.
pub fn machine_fingerprint() -> String {
    fingerprint(Root(Path::new("/")))
}

fn fingerprint(root: Root<'_>) -> String {
    let cards = root.names("/sys/class/net").into_iter().filter_map(|name| {
        let card = format!("/sys/class/net/{name}");
        let permanent = root.word(&format!("{card}/addr_assign_type")).as_deref() == Some("0");
        let built_in = root.link_name(&format!("{card}/device/subsystem")).is_some_and(|bus| bus != "usb");
        root.word(&format!("{card}/address")).filter(|_| permanent && built_in)
    });
    let disks = root.names("/sys/block").into_iter().filter_map(|name| {
        let fixed = root.word(&format!("/sys/block/{name}/removable")).as_deref() == Some("0");
        let serial = ["serial", "wwid"].into_iter().find_map(|file| root.word(&format!("/sys/block/{name}/device/{file}")));
        serial.filter(|_| fixed)
    });
    let board = root.word("/sys/class/dmi/id/product_uuid");
    let parts: BTreeSet<String> =
        cards.chain(disks).chain(board).map(|part| sha256(format!("{TAG}{part}").as_bytes())[..16].to_owned()).collect();
    parts.into_iter().collect::<Vec<_>>().join(" ")
}

/// SHA-256 in hexadecimal.
pub(super) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_stable_short_and_no_part_of_the_machine_id() {
        let machine = "0123456789abcdef0123456789abcdef";
        let id = terminal_id(&Terminal::default(), Some(&format!("{machine}\n"))).expect("derived");
        assert_eq!(id, "1338d0d8ec234423", "it must never change");
        assert!(!machine.contains(&id));
        assert_eq!(terminal_id(&Terminal::default(), Some("uninitialized\n")), None);
        assert_eq!(terminal_id(&Terminal::default(), None), None);
        let told = Terminal { id: "counter-2".to_owned(), ..Terminal::default() };
        assert_eq!(terminal_id(&told, None).as_deref(), Some("counter-2"));
    }
}
