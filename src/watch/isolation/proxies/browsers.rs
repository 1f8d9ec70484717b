//! Proxies in the policies of browsers: what an administrator has set for all users. Pure, for any text.

use super::Says;
use super::written::server;
use serde_json::Value;

/// Policies of Chromium and its kin, in the form of all versions.
pub fn chromium(text: &str) -> Vec<Says> {
    let Ok(policies) = serde_json::from_str::<Value>(text) else { return Vec::new() };
    let settings = policies.get("ProxySettings").unwrap_or(&policies);
    let word = |key: &str| settings.get(key).and_then(Value::as_str).filter(|word| !word.is_empty());
    // Old policies have a number in place of the word.
    let mode = word("ProxyMode").or_else(|| {
        let number = settings.get("ProxyServerMode")?.as_u64()?;
        ["direct", "auto_detect", "fixed_servers", "system", "pac_script"].get(usize::try_from(number).ok()?).copied()
    });
    match mode {
        Some("auto_detect") => vec![Says::Discover],
        Some("direct" | "system") => Vec::new(),
        _ => {
            let script = word("ProxyPacUrl").filter(|_| mode != Some("fixed_servers")).map(|url| Says::Script(url.to_owned()));
            let servers = word("ProxyServer").filter(|_| mode != Some("pac_script")).unwrap_or_default();
            script.into_iter().chain(listed(servers)).collect()
        }
    }
}

/// Policies of Firefox.
pub fn firefox(text: &str) -> Vec<Says> {
    let Ok(policies) = serde_json::from_str::<Value>(text) else { return Vec::new() };
    let word = |key: &str| policies.pointer("/policies/Proxy")?.get(key)?.as_str().filter(|word| !word.is_empty());
    match word("Mode") {
        Some("autoDetect") => vec![Says::Discover],
        Some("autoConfig") => word("AutoConfigURL").map(|url| Says::Script(url.to_owned())).into_iter().collect(),
        Some("manual") => {
            let plain = ["HTTPProxy", "SSLProxy", "FTPProxy"].into_iter().filter_map(word).flat_map(listed);
            let socks = word("SOCKSProxy").and_then(|at| server(&format!("socks://{at}"))).map(Says::Proxy);
            plain.chain(socks).collect()
        }
        _ => Vec::new(),
    }
}

/// `HOST:PORT`, or `http=HOST:PORT;https=HOST:PORT;socks=HOST:PORT`.
fn listed(text: &str) -> Vec<Says> {
    let one = |part: &str| match part.split_once('=') {
        Some((scheme, at)) if !at.contains("://") => server(&format!("{}://{at}", scheme.trim())),
        Some((_, at)) => server(at),
        None => server(part),
    };
    text.split([';', ',']).filter(|part| !part.trim().is_empty()).filter_map(one).map(Says::Proxy).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Named;
    use super::*;
    use crate::probe::outside::Speaks;

    fn proxy(speaks: Speaks, port: u16) -> Says {
        Says::Proxy(Named { speaks, host: "10.1.0.5".to_owned(), port })
    }

    #[test]
    fn chromiums_policies_are_read_in_every_form() {
        let http = || vec![proxy(Speaks::Http, 3128)];
        let script = || vec![Says::Script("http://10.1.0.9/p.pac".to_owned())];
        for (text, expected) in [
            (
                r#"{"ProxySettings":{"ProxyMode":"fixed_servers","ProxyServer":"10.1.0.5:3128","ProxyPacUrl":"http://10.1.0.9/p.pac"}}"#,
                http(),
            ),
            (
                r#"{"ProxyMode":"fixed_servers","ProxyServer":"http=10.1.0.5:3128;socks=10.1.0.5:1080"}"#,
                vec![proxy(Speaks::Http, 3128), proxy(Speaks::Socks, 1080)],
            ),
            (r#"{"ProxyServerMode":2,"ProxyServer":"http://10.1.0.5:3128"}"#, http()),
            (r#"{"ProxyServer":"socks5://10.1.0.5:1080"}"#, vec![proxy(Speaks::Socks, 1080)]),
            (r#"{"ProxyMode":"pac_script","ProxyPacUrl":"http://10.1.0.9/p.pac","ProxyServer":"10.1.0.5:3128"}"#, script()),
            (r#"{"ProxySettings":{"ProxyMode":"auto_detect"}}"#, vec![Says::Discover]),
        ] {
            assert_eq!(chromium(text), expected, "{text}");
        }
    }

    #[test]
    fn firefoxs_policies_are_read_by_their_mode() {
        let of = |proxy: &str| firefox(&format!(r#"{{"policies":{{"Proxy":{proxy}}}}}"#));
        assert_eq!(
            of(r#"{"Mode":"manual","HTTPProxy":"10.1.0.5:3128","SOCKSProxy":"10.1.0.5:1080"}"#),
            [proxy(Speaks::Http, 3128), proxy(Speaks::Socks, 1080)]
        );
        assert_eq!(
            of(r#"{"Mode":"autoConfig","AutoConfigURL":"http://10.1.0.9/p.pac"}"#),
            [Says::Script("http://10.1.0.9/p.pac".to_owned())]
        );
        assert_eq!(of(r#"{"Mode":"autoDetect"}"#), [Says::Discover]);
        for off in [r#"{"Mode":"none","HTTPProxy":"10.1.0.5:3128"}"#, r#"{"Mode":"system"}"#, r#"{"HTTPProxy":"10.1.0.5:3128"}"#, "3"] {
            assert_eq!(of(off), [], "{off}");
        }
    }

    #[test]
    fn policies_without_a_proxy_say_nothing() {
        for text in [r#"{"HomepageLocation":"http://10.1.0.5:3128"}"#, r#"{"ProxyMode":"direct","ProxyServer":"10.1.0.5:3128"}"#, "{", ""] {
            assert_eq!((chromium(text), firefox(text)), (Vec::new(), Vec::new()), "{text}");
        }
    }

    mod any_bytes {
        use super::*;
        use crate::testing::{cases, hostile};
        use proptest::prelude::*;

        proptest! {
            #![proptest_config(cases())]

            #[test]
            fn of_a_policy_never_panic(bytes in hostile(vec![br#"{"ProxyServer":"http=10.1.0.5:3128;socks=h:1"}"#.to_vec(), br#"{"policies":{"Proxy":{"Mode":"manual","HTTPProxy":"h:1"}}}"#.to_vec()], 200)) {
                let text = String::from_utf8_lossy(&bytes);
                let _ = (chromium(&text), firefox(&text));
            }
        }
    }
}
