//! Proxies in the settings of GNOME and of the desktops that keep theirs likewise, where those are text: keyfiles of dconf and of `GSettings`.
//! Pure, for any text.

use super::{Named, Says};
use crate::probe::outside::Speaks;
use std::collections::BTreeMap;

/// What such a file says. One that says that no proxy is used says nothing else.
pub fn says(text: &str) -> Vec<Says> {
    let groups = groups(text);
    let value =
        |group: &str, key: &str| groups.get(group).and_then(|keys| keys.get(key)).map(String::as_str).filter(|value| !value.is_empty());
    let mode = value("system/proxy", "mode");
    let mut found = Vec::new();
    if matches!(mode, None | Some("manual")) {
        for (group, speaks) in [("http", Speaks::Http), ("https", Speaks::Http), ("ftp", Speaks::Http), ("socks", Speaks::Socks)] {
            let group = format!("system/proxy/{group}");
            let port = value(&group, "port").and_then(|port| port.rsplit(' ').next()?.parse().ok()).filter(|port| *port != 0);
            if let (Some(host), Some(port)) = (value(&group, "host"), port) {
                found.push(Says::Proxy(Named { speaks, host: host.to_owned(), port }));
            }
        }
    }
    match (mode, value("system/proxy", "autoconfig-url")) {
        (None | Some("auto"), Some(url)) => found.push(Says::Script(url.to_owned())),
        (Some("auto"), None) => found.push(Says::Discover),
        _ => {}
    }
    found
}

/// Keys and values without their quotes, by group; of `org/gnome/system/proxy` what follows `org/gnome`.
fn groups(text: &str) -> BTreeMap<&str, BTreeMap<&str, String>> {
    let mut groups: BTreeMap<&str, BTreeMap<&str, String>> = BTreeMap::new();
    let mut group = "";
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            group = name.trim_matches('/');
            group = group.strip_prefix("org/gnome/").unwrap_or(group);
        } else if let Some((key, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) {
            let value = value.trim().trim_matches(|c| matches!(c, '\'' | '"'));
            if !value.contains(char::is_control) {
                groups.entry(group).or_default().insert(key.trim(), value.to_owned());
            }
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(speaks: Speaks, host: &str, port: u16) -> Says {
        Says::Proxy(Named { speaks, host: host.to_owned(), port })
    }

    const HOSTS: &str = "[system/proxy/http]\nhost='10.1.0.5'\nport=3128\n[system/proxy/socks]\nhost='10.1.0.6'\nport=uint32 1080\n";

    #[test]
    fn proxies_and_scripts_are_read_by_the_mode() {
        let both = vec![proxy(Speaks::Http, "10.1.0.5", 3128), proxy(Speaks::Socks, "10.1.0.6", 1080)];
        let url = "autoconfig-url='http://10.1.0.9/proxy.pac'\n";
        let script = vec![Says::Script("http://10.1.0.9/proxy.pac".to_owned())];
        assert_eq!(says(&format!("[system/proxy]\nmode='manual'\n{url}{HOSTS}")), both);
        assert_eq!(says(HOSTS), both, "the mode may stand in another file");
        assert_eq!(says(&format!("[system/proxy]\nmode='auto'\n{url}{HOSTS}")), script);
        assert_eq!(says(&format!("[org/gnome/system/proxy]\n{url}")), script);
        assert_eq!(says("[system/proxy]\nmode='auto'\n"), [Says::Discover]);
    }

    #[test]
    fn what_is_switched_off_or_not_filled_in_says_nothing() {
        for text in [
            format!("[system/proxy]\nmode='none'\nautoconfig-url='http://10.1.0.9/'\n{HOSTS}"),
            "[system/proxy/http]\nhost=''\nport=8080\n".to_owned(),
            "[system/proxy/http]\nhost='10.1.0.5'\nport=0\n".to_owned(),
            "[system/proxy/http]\n#host='10.1.0.5'\nport=3128\n".to_owned(),
            "[org/gnome/desktop]\nhost='10.1.0.5'\nport=3128\n".to_owned(),
            String::new(),
        ] {
            assert_eq!(says(&text), [], "{text}");
        }
    }

    mod any_bytes {
        use super::*;
        use crate::testing::{cases, hostile};
        use proptest::prelude::*;

        proptest! {
            #![proptest_config(cases())]

            #[test]
            fn of_a_keyfile_never_panic(bytes in hostile(vec![format!("[system/proxy]\nmode='manual'\n{HOSTS}").into_bytes()], 200)) {
                prop_assert!(says(&String::from_utf8_lossy(&bytes)).len() <= 5);
            }
        }
    }
}
