//! The unit and its drop-ins against systemd 241: each directive with the release that brought it, by systemd's NEWS and manuals.

use std::collections::BTreeMap;

/// The oldest release that is supported.
const OLDEST: u32 = 241;

/// Directives by section, and the release that brought each; 0 = older than 200, or never without.
const KNOWN: &[(&str, &[(&str, u32)])] = &[
    (
        "Unit",
        &[
            ("Description", 0),
            ("After", 0),
            ("PartOf", 0),
            ("ConditionPathExists", 0),
            ("StartLimitIntervalSec", 230),
            ("StartLimitBurst", 230),
        ],
    ),
    (
        "Service",
        &[
            ("Type", 0),
            ("User", 0),
            ("Group", 0),
            ("SupplementaryGroups", 0),
            ("ExecStartPre", 0),
            ("ExecStart", 0),
            ("ExecReload", 0),
            ("WatchdogSec", 0),
            ("Restart", 0),
            ("RestartSec", 0),
            ("TimeoutStopSec", 0),
            ("StandardOutput", 0),
            ("StandardError", 0),
            ("UMask", 0),
            ("PrivateTmp", 0),
            ("NoNewPrivileges", 0),
            ("CapabilityBoundingSet", 0),
            ("SystemCallFilter", 0),
            ("LimitNOFILE", 0),
            ("LimitCORE", 0),
            ("DevicePolicy", 208),
            ("SystemCallArchitectures", 209),
            ("SystemCallErrorNumber", 209),
            ("RuntimeDirectory", 211),
            ("RuntimeDirectoryMode", 211),
            ("RestrictAddressFamilies", 211),
            ("ProtectHome", 214),
            ("ProtectSystem", 214),
            ("TasksMax", 227),
            ("AmbientCapabilities", 229),
            ("MemoryMax", 231),
            ("MemoryDenyWriteExecute", 231),
            ("RestrictRealtime", 231),
            ("ProtectControlGroups", 232),
            ("ProtectKernelModules", 232),
            ("ProtectKernelTunables", 232),
            ("RemoveIPC", 232),
            ("RestrictNamespaces", 233),
            ("StateDirectory", 235),
            ("StateDirectoryMode", 235),
            ("ConfigurationDirectory", 235),
            ("LockPersonality", 235),
            ("PrivateMounts", 239),
            ("RestrictSUIDSGID", 242),
            ("ProtectKernelLogs", 244),
        ],
    ),
    ("Install", &[("WantedBy", 0)]),
];

/// Values that are younger than their directive.
const VALUES: &[(&str, &str, u32)] = &[
    ("ProtectSystem", "strict", 232),
    ("SystemCallFilter", "@privileged", 231),
    ("SystemCallFilter", "@resources", 231),
    ("SystemCallFilter", "@system-service", 239),
];

/// Passed over by releases that do not know them, which the unit says itself.
const PASSED_OVER: [&str; 2] = ["RestrictSUIDSGID", "ProtectKernelLogs"];

const FILES: [(&str, &str); 4] = [
    ("isonet.service", include_str!("../../systemd/isonet.service")),
    ("isonet-notify.service", include_str!("../../systemd/user/isonet-notify.service")),
    ("isonet-netadmin.conf", include_str!("../../systemd/isonet-netadmin.conf")),
    ("isonet-audit.conf", include_str!("../../systemd/isonet-audit.conf")),
];

/// All that a release of systemd would not understand of a file, one line each.
fn unknown_to(release: u32, text: &str) -> Vec<String> {
    let known: BTreeMap<(&str, &str), u32> =
        KNOWN.iter().flat_map(|(section, list)| list.iter().map(move |(name, since)| ((*section, *name), *since))).collect();
    let (mut section, mut before, mut told) = ("", "", Vec::new());
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name;
        } else if !line.starts_with('#')
            && let Some((name, value)) = line.split_once('=')
        {
            let words = value.split([' ', '~']).filter(|word| word.starts_with('@') || name == "ProtectSystem");
            let young = words.map(|word| VALUES.iter().find(|(of, is, _)| *of == name && *is == word).map_or(u32::MAX, |one| one.2));
            let since = known.get(&(section, name)).copied().unwrap_or(u32::MAX).max(young.max().unwrap_or(0));
            let is_said = PASSED_OVER.contains(&name) && before.starts_with(&format!("# Of {since}:"));
            if since > release && !is_said {
                told.push(format!(
                    "[{section}] {line}: {}",
                    if since == u32::MAX { "not in the list".to_owned() } else { format!("of {since}") }
                ));
            }
        } else if !line.is_empty() && !line.starts_with(['#', ';']) {
            told.push(format!("[{section}] {line}: no directive"));
        }
        before = line;
    }
    told
}

#[test]
fn the_oldest_supported_release_of_systemd_knows_each_line_or_is_said_to_pass_it_over() {
    for (file, text) in FILES {
        assert_eq!(unknown_to(OLDEST, text), [""; 0], "{file}");
    }
}

#[test]
fn a_line_that_is_unknown_or_younger_is_told() {
    let service = |line: &str| unknown_to(OLDEST, &format!("[Service]\n{line}\n"));
    assert_eq!(service("ProtectHostname=yes"), ["[Service] ProtectHostname=yes: not in the list"]);
    assert_eq!(service("ProtectKernelLogs=yes"), ["[Service] ProtectKernelLogs=yes: of 244"], "nothing above says so");
    assert_eq!(service("# Of 244: the log\nProtectKernelLogs=yes"), [""; 0]);
    assert_eq!(service("SystemCallFilter=~@privileged @pkey"), ["[Service] SystemCallFilter=~@privileged @pkey: not in the list"]);
    assert_eq!(unknown_to(OLDEST, "[Unit]\nUMask=0027\n").len(), 1, "in the wrong section it is not known");
    // What the packages for RPM ask for.
    assert_eq!(unknown_to(239, FILES[0].1), [""; 0]);
    assert!(unknown_to(238, FILES[0].1).len() >= 2, "mounts of its own, and the calls of a service");
}
