//! The state of a systemd unit, cheaply where its processes show it, by one short `systemctl show` where they do not.

use super::child;
use crate::model::UnitState;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longest that systemd may take to answer.
const ANSWER: Duration = Duration::from_millis(500);
/// Where services live: unified hierarchy, hybrid, and the old one.
const SLICES: [&str; 3] = ["/sys/fs/cgroup/system.slice", "/sys/fs/cgroup/unified/system.slice", "/sys/fs/cgroup/systemd/system.slice"];

/// The state of a unit; `name` without a suffix means a service. Blocks for at most half a second.
pub fn unit_state(name: &str) -> UnitState {
    let Some(unit) = full_name(name) else { return UnitState::Unknown };
    if SLICES.iter().any(|slice| has_processes(Path::new(slice), &unit)) {
        return UnitState::Active;
    }
    // A unit may be active without a process (wg-quick), so their absence alone says nothing.
    if Path::new("/run/systemd/system").is_dir() {
        ask_systemd(&unit).map_or(UnitState::Unknown, |text| judge(&text))
    } else {
        UnitState::Unknown
    }
}

/// Those of these units that systemd knows, each with its state in systemd's word, e.g. `deactivating`; `None` = it does not answer. Blocks for
/// at most half a second.
pub fn unit_words(units: &[&str]) -> Option<Vec<(String, String)>> {
    if !Path::new("/run/systemd/system").is_dir() {
        return Some(Vec::new());
    }
    let words: Vec<&str> = ["show", "--property=Id,LoadState,ActiveState", "--"].iter().chain(units).copied().collect();
    child::output("/usr/bin/systemctl", &words, ANSWER, 4096).map(|text| known(&text))
}

/// What systemd says of a unit's state and its files, `Key=value` a line. `None` = it does not answer. Blocks for at most half a second.
pub fn unit_facts(name: &str) -> Option<String> {
    let unit = full_name(name)?;
    let words = [
        "show",
        "--property=Id,LoadState,ActiveState,SubState,Result,UnitFileState,NRestarts,ExecMainStartTimestamp,ExecMainCode,ExecMainStatus",
        "--property=MemoryCurrent,TasksCurrent,WatchdogTimestamp,FragmentPath,DropInPaths,NeedDaemonReload",
        "--",
        &unit,
    ];
    child::output("/usr/bin/systemctl", &words, ANSWER, 16 << 10)
}

/// The version of systemd, as it says it.
pub fn systemd_version() -> Option<String> {
    let text = child::output("/usr/bin/systemctl", &["--version"], ANSWER, 4096)?;
    text.lines().next().map(str::to_owned)
}

/// Blocks of `Key=value`, one for each unit.
fn known(text: &str) -> Vec<(String, String)> {
    let unit = |block: &str| {
        let value = |key: &str| block.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        let (id, state) = (value("Id")?, value("ActiveState")?);
        (value("LoadState")? == "loaded").then(|| (id.to_owned(), state.to_owned()))
    };
    text.split("\n\n").filter_map(unit).collect()
}

/// The name with its suffix; `None` for what cannot be a unit's name and must not reach a path or a command line.
pub(super) fn full_name(name: &str) -> Option<String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
    let good = !name.is_empty() && name.len() < 256 && !name.starts_with(['-', '.']) && name.chars().all(legal);
    let has_suffix = [".service", ".socket", ".target", ".scope", ".mount", ".timer"].iter().any(|suffix| name.ends_with(suffix));
    good.then(|| if has_suffix { name.to_owned() } else { format!("{name}.service") })
}

/// Instances of a template stand one slice deeper.
fn has_processes(slice: &Path, unit: &str) -> bool {
    if has_process(&slice.join(unit)) {
        return true;
    }
    let Ok(entries) = fs::read_dir(slice) else { return false };
    let deeper = entries.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|suffix| suffix == "slice"));
    deeper.map(|path| path.join(unit)).any(|path| has_process(&path))
}

/// Whether a control group, or one directly in it, holds a process.
fn has_process(group: &Path) -> bool {
    let own = |group: &Path| fs::read(group.join("cgroup.procs")).is_ok_and(|list| !list.trim_ascii().is_empty());
    own(group)
        || fs::read_dir(group)
            .is_ok_and(|entries| entries.flatten().map(|entry: fs::DirEntry| entry.path()).any(|path: PathBuf| own(&path)))
}

fn ask_systemd(unit: &str) -> Option<String> {
    let words = ["show", "--property=LoadState,ActiveState,SubState,Result", "--", unit];
    child::output("/usr/bin/systemctl", &words, ANSWER, 4096)
}

/// Reads the answer of `systemctl show`.
fn judge(text: &str) -> UnitState {
    let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).unwrap_or_default();
    match (value("LoadState"), value("ActiveState"), value("SubState")) {
        ("not-found" | "error" | "bad-setting" | "", _, _) => UnitState::Unknown,
        (_, "failed", _) => UnitState::Failed,
        // It crashed and waits to be started again.
        (_, "activating", "auto-restart" | "auto-restart-queued") if value("Result") != "success" => UnitState::Failed,
        (_, "active" | "activating" | "reloading" | "refreshing", _) => UnitState::Active,
        (_, "inactive" | "deactivating", _) => UnitState::Inactive,
        _ => UnitState::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_units_those_are_named_that_there_are() {
        let text = "Id=ufw.service\nLoadState=not-found\nActiveState=inactive\n\nId=firewalld.service\nActiveState=deactivating\nLoadState=loaded\n";
        assert_eq!(known(text), [("firewalld.service".to_owned(), "deactivating".to_owned())]);
        assert_eq!(known("nonsense"), []);
    }

    #[test]
    fn a_unit_with_a_process_is_active_also_as_an_instance_of_a_template() {
        let dir = tempfile::tempdir().expect("a directory");
        let plain = dir.path().join("openvpn.service");
        let instance = dir.path().join("system-openvpn.slice/openvpn-client@centre.service");
        for group in [&plain, &instance] {
            fs::create_dir_all(group).expect("a group");
            fs::write(group.join("cgroup.procs"), "").expect("written");
        }
        assert!(!has_processes(dir.path(), "openvpn.service"), "empty");
        fs::write(plain.join("cgroup.procs"), "12\n").expect("written");
        fs::write(instance.join("cgroup.procs"), "13\n").expect("written");
        assert!(has_processes(dir.path(), "openvpn.service"));
        assert!(has_processes(dir.path(), "openvpn-client@centre.service"));
        assert!(!has_processes(dir.path(), "other.service"));
    }

    #[test]
    fn names_that_are_no_unit_are_refused() {
        assert_eq!(full_name("openvpn").as_deref(), Some("openvpn.service"));
        assert_eq!(full_name("openvpn-client@centre.service").as_deref(), Some("openvpn-client@centre.service"));
        for bad in ["", "../x", "--now", "a b", "a/b", "中心"] {
            assert_eq!(full_name(bad), None, "{bad}");
        }
    }

    #[test]
    fn systemds_words_are_understood_and_an_unknown_unit_is_unknown() {
        let say = |load: &str, active: &str, sub: &str, result: &str| {
            judge(&format!("LoadState={load}\nActiveState={active}\nSubState={sub}\nResult={result}\n"))
        };
        assert_eq!(say("loaded", "active", "exited", "success"), UnitState::Active);
        assert_eq!(say("loaded", "failed", "failed", "exit-code"), UnitState::Failed);
        assert_eq!(say("loaded", "activating", "auto-restart", "exit-code"), UnitState::Failed);
        assert_eq!(say("loaded", "inactive", "dead", "success"), UnitState::Inactive);
        assert_eq!(say("not-found", "inactive", "dead", "success"), UnitState::Unknown);
        assert_eq!(judge(""), UnitState::Unknown);
    }

    mod any_bytes {
        use super::*;
        use crate::testing::{cases, hostile};
        use proptest::prelude::*;

        proptest! {
            #![proptest_config(cases())]

            #[test]
            fn of_systemds_answer_are_a_state(bytes in hostile(vec![b"LoadState=loaded\nActiveState=failed\nSubState=failed\nResult=exit-code\n".to_vec()], 200)) {
                let text = String::from_utf8_lossy(&bytes);
                let _ = judge(&text);
                prop_assert!(full_name(&text).is_none_or(|name| !name.contains(['/', ' ', '\0'])));
            }
        }
    }
}
