//! Proxies that are literally written in a script (PAC). The script is read as text and never run: what it would answer is not known, only what
//! it could.

use super::Named;
use super::written::server;
use crate::probe::outside::Speaks;

/// Proxies of one script that count.
const MOST: usize = 8;

/// All of them, in order: what follows the words of the answer's language.
pub fn proxies(text: &str) -> Vec<Named> {
    let mut found: Vec<Named> = Vec::new();
    let mut words =
        text.split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ';' | '`')).filter(|word| !word.is_empty()).peekable();
    while let Some(word) = words.next() {
        let speaks = match word.to_ascii_uppercase().as_str() {
            "PROXY" | "HTTP" => Speaks::Http,
            "SOCKS" | "SOCKS5" => Speaks::Socks,
            _ => continue,
        };
        let Some(named) = words.peek().filter(|next| is_host_and_port(next)).and_then(|next| server(next)) else { continue };
        let named = Named { speaks, ..named };
        if found.len() < MOST && !found.contains(&named) {
            found.push(named);
        }
    }
    found
}

fn is_host_and_port(text: &str) -> bool {
    let port = text.rsplit_once(':').is_some_and(|(_, port)| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()));
    port && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']' | '_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        proxies(text).into_iter().map(|it| format!("{} {} {:?}", it.host, it.port, it.speaks)).collect()
    }

    #[test]
    fn what_is_written_out_is_found_once() {
        let text = "function FindProxyForURL(url, host) {\n  if (isPlainHostName(host)) return 'DIRECT';\n  if (shExpMatch(url, \"http:*\"))\n    \
             return \"PROXY 10.1.0.5:3128; PROXY proxy.house:8080; DIRECT\";\n  return 'SOCKS5 [fd00::5]:1080; PROXY 10.1.0.5:3128';\n}\n";
        assert_eq!(found(text), ["10.1.0.5 3128 Http", "proxy.house 8080 Http", "[fd00::5] 1080 Socks"]);
    }

    #[test]
    fn what_a_script_computes_or_only_mentions_is_not_known() {
        for text in [
            "return \"PROXY \" + name + \":3128\";",
            "return \"DIRECT\";",
            "// the proxy is at the front desk",
            "return 'PROXY proxy.house';",
            "PROXY $host:3128",
            "HTTPS 10.1.0.5:443",
            "",
        ] {
            assert_eq!(found(text), Vec::<String>::new(), "{text}");
        }
    }

    mod any_bytes {
        use super::*;
        use crate::testing::{cases, hostile};
        use proptest::prelude::*;

        proptest! {
            #![proptest_config(cases())]

            #[test]
            fn of_a_script_name_few_hosts_without_blanks(bytes in hostile(vec![b"return \"PROXY 10.1.0.5:3128; SOCKS5 [fd00::5]:1080\";".to_vec()], 200)) {
                let found = proxies(&String::from_utf8_lossy(&bytes));
                prop_assert!(found.len() <= MOST && found.iter().all(|it| it.port != 0 && !it.host.is_empty() && !it.host.contains(char::is_whitespace)));
            }
        }
    }
}
