//! Takes secrets out of text. Rather too much than too little: what is hidden here can be asked for by telephone.

use serde_json::Value;

/// What stands in the place of a secret.
const MASK: &str = "(masked)";

/// A word after which a secret may stand; compared without case, `-` and `_`.
const WORDS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "passwort",
    "pwd",
    "pass",
    "secret",
    "token",
    "psk",
    "presharedkey",
    "privatekey",
    "sharedkey",
    "apikey",
    "accesskey",
    "authkey",
    "credential",
    "credentials",
    "seed",
    "cookie",
    "pin",
    "otp",
    "userpass",
    "密码",
    "口令",
    "密钥",
    "令牌",
];
/// Words after which the rest of the line is one.
const WHOLE_LINE: &[&str] = &["authorization", "cookie", "setcookie"];
/// Characters that part words, and end a value that is not quoted.
const ENDS: &[char] = &[' ', '\t', '\n', '\r', '"', '\'', '`', ',', ';', '&', '<', '>', '(', ')', '{', '}', '[', ']', '|'];

/// Takes secrets out.
#[derive(Debug, Clone, Default)]
pub struct Scrub {
    /// Secrets that are known by themselves.
    known: Vec<String>,
}

impl Scrub {
    /// Besides what looks like a secret it hides these, the longest first. Short ones are in every text and are left out.
    pub fn new(known: impl IntoIterator<Item = String>) -> Self {
        let mut known: Vec<String> = known.into_iter().filter(|secret| secret.chars().count() >= 6).collect();
        known.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        known.dedup();
        Self { known }
    }

    /// Passwords and values of queries in the addresses of a text, to be hidden wherever else they stand.
    pub fn secrets_of(text: &str) -> Vec<String> {
        let address = |rest: &str| {
            let end = rest.find(|c: char| "\"'<>".contains(c) || c.is_whitespace()).unwrap_or(rest.len());
            let (before, query) = rest[..end].split_once('?').unwrap_or((&rest[..end], ""));
            let user = before.split('/').next().and_then(|authority| authority.rsplit_once('@')).map(|(user, _)| user);
            let password = user.map(|user| user.split_once(':').map_or(user, |(_, password)| password).to_owned());
            let values = query.split('&').filter_map(|pair| pair.split_once('=')).map(|(_, value)| value.to_owned());
            password.into_iter().chain(values).collect::<Vec<_>>()
        };
        text.split("://").skip(1).flat_map(address).collect()
    }

    /// A text without secrets.
    pub fn text(&self, text: &str) -> String {
        let known = self.known.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), MASK));
        let blocks = without_blocks(&known);
        let addresses = without_user(&blocks);
        let lines: Vec<String> = addresses.split('\n').map(|line| without_tokens(&after_words(line))).collect();
        lines.join("\n")
    }

    /// A document without secrets. What stands under a key that is such a word goes as a whole; addresses lose their query.
    pub fn json(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = without_query(&self.text(text)),
            Value::Array(items) => items.iter_mut().for_each(|item| self.json(item)),
            Value::Object(members) => {
                for (key, member) in members.iter_mut() {
                    if is_word(key, WORDS) && (member.is_string() || member.is_number() || member.is_array()) {
                        *member = Value::from(MASK);
                    } else {
                        self.json(member);
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// One JSON document a line; what is none is treated as text.
    pub fn lines(&self, text: &str) -> String {
        let line = |line: &str| match serde_json::from_str::<Value>(line) {
            // What holds no secret stays as it was written, to the byte: its hash can be checked.
            Ok(mut value) => {
                let before = value.clone();
                self.json(&mut value);
                if value == before { line.to_owned() } else { value.to_string() }
            }
            Err(_) => self.text(line),
        };
        text.split('\n').map(line).collect::<Vec<_>>().join("\n")
    }

    /// A file of the configuration that was written by a program: quoted addresses lose their query, too.
    pub fn toml(&self, text: &str) -> String {
        let line = |line: &str| line.split('"').map(without_query).collect::<Vec<_>>().join("\"");
        self.text(&text.split('\n').map(line).collect::<Vec<_>>().join("\n"))
    }

    /// The lines of a unit's file: what it puts into the environment or hands over as credentials keeps its name only.
    pub fn unit(&self, text: &str) -> String {
        // What was commented out was in force once.
        let is_secret = |key: &str| {
            let key = key.trim().trim_start_matches(['#', ';']).trim();
            key == "Environment" || key.ends_with("Credential") || key.ends_with("CredentialEncrypted")
        };
        let line = |line: &str| match line.split_once('=') {
            Some((key, value)) if is_secret(key) => {
                let name = value.trim().trim_matches(['"', '\'']).split(['=', ':']).next().unwrap_or_default();
                format!("{key}={name}={MASK}")
            }
            _ => self.text(line),
        };
        // A line that goes on in the next one could hide its end there.
        text.replace("\\\n", " ").split('\n').map(line).collect::<Vec<_>>().join("\n")
    }
}

/// Armoured blocks but certificates, also where their ends of line are written as `\n`.
fn without_blocks(text: &str) -> String {
    const BEGIN: &str = "-----BEGIN ";
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find(BEGIN) {
        out.push_str(&rest[..at]);
        let block = &rest[at..];
        let end = block.find("-----END ").and_then(|end| Some(end + 9 + block[end + 9..].find("-----")? + 5)).unwrap_or(block.len());
        let label = block[BEGIN.len()..].split("-----").next().unwrap_or_default();
        let open = matches!(label, "CERTIFICATE" | "PUBLIC KEY");
        out.push_str(if open { &block[..end] } else { MASK });
        rest = &block[end..];
    }
    out + rest
}

/// Addresses without the user and the password in them.
fn without_user(text: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find("://") {
        let from = at + 3;
        out.push_str(&rest[..from]);
        rest = &rest[from..];
        let end = rest.find(|c: char| "/?#\"'<>\\".contains(c) || c.is_whitespace()).unwrap_or(rest.len());
        if let Some(user) = rest[..end].rfind('@').or_else(|| in_a_password(rest, end)) {
            out.push_str(MASK);
            rest = &rest[user..];
        }
    }
    out + rest
}

/// The sign behind a password with a slash or the like in it, which ends the authority too early: what stands behind its colon is no port.
fn in_a_password(rest: &str, end: usize) -> Option<usize> {
    let (_, port) = rest[..end].split_once(':').filter(|(host, _)| !host.starts_with('['))?;
    let whole = rest.find(|c: char| "\"'<>\\".contains(c) || c.is_whitespace()).unwrap_or(rest.len());
    rest[..whole].rfind('@').filter(|_| !port.bytes().all(|b| b.is_ascii_digit()))
}

/// An address that is all of a text, without its query and fragment.
fn without_query(text: &str) -> String {
    let is_address =
        text.split_once("://").is_some_and(|(scheme, _)| scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b)));
    match text.find(['?', '#']).filter(|_| is_address && !text.contains(char::is_whitespace)) {
        Some(at) => format!("{}?{MASK}", &text[..at]),
        None => text.to_owned(),
    }
}

/// A line without the values that stand behind telling words: `word = value`, `word: value`, `--word value`, `"word": "value"`.
fn after_words(line: &str) -> String {
    let (mut out, mut at) = (String::with_capacity(line.len()), 0);
    while let Some((begin, end)) = next_word(line, at) {
        out.push_str(&line[at..end]);
        at = end;
        let word = &line[begin..end];
        let option = line[..begin].ends_with("--");
        let Some(value) = value_after(line, end, option) else { continue };
        let whole = is_word(word, WHOLE_LINE);
        if !whole && !is_word(word, WORDS) {
            continue;
        }
        out.push_str(&line[end..value]);
        let after = &line[value..];
        let length = match after.chars().next() {
            _ if whole => after.len(),
            Some(quote @ ('"' | '\'')) => after[1..].find(quote).map_or(after.len(), |close| close + 2),
            // A bracket may be part of it.
            Some(open) if "([{<|&;,".contains(open) => after.find(char::is_whitespace).unwrap_or(after.len()),
            _ => after.find(ENDS).unwrap_or(after.len()),
        };
        if length > 0 && !after.starts_with(MASK) {
            out.push_str(MASK);
            at = value + length;
        } else {
            at = value;
        }
    }
    out + &line[at..]
}

/// The next run of letters, digits, `-` and `_`; dashes in front do not belong to it.
fn next_word(line: &str, from: usize) -> Option<(usize, usize)> {
    let inside = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let begin = from + line[from..].find(|c: char| c.is_alphanumeric() || c == '_')?;
    let end = line[begin..].find(|c: char| !inside(c)).map_or(line.len(), |length| begin + length);
    Some((begin, end))
}

/// Where the value behind a word begins, if one does.
fn value_after(line: &str, end: usize, option: bool) -> Option<usize> {
    let rest = &line[end..];
    let closed = rest.trim_start_matches(['"', '\'', '\\']);
    let signs = closed.trim_start().trim_start_matches(['=', ':', '：', '是']);
    let found = signs.len() < closed.trim_start().len() || (option && closed.starts_with(' '));
    found.then(|| line.len() - signs.trim_start_matches([' ', '\t', '\\', '>']).len())
}

/// Whether a word is, or ends in, one of these.
fn is_word(word: &str, list: &[&str]) -> bool {
    let plain = word.to_lowercase();
    let bare: String = plain.chars().filter(|c| *c != '-' && *c != '_').collect();
    let ending = plain.rsplit(['-', '_']).next().unwrap_or_default();
    list.iter()
        .any(|one| bare == *one || ending == *one || (one.len() > 5 && bare.ends_with(one)) || (!one.is_ascii() && bare.ends_with(one)))
}

/// A line without what looks like a key or a token by itself: 32 bytes in base64, a signed token, the seed of a signing key.
fn without_tokens(line: &str) -> String {
    let inside = |c: char| c.is_ascii_alphanumeric() || "+/=_-.".contains(c);
    let (mut out, mut rest) = (String::with_capacity(line.len()), line);
    while let Some(begin) = rest.find(inside) {
        out.push_str(&rest[..begin]);
        rest = &rest[begin..];
        let end = rest.find(|c| !inside(c)).unwrap_or(rest.len());
        let token = &rest[..end];
        // `key=VALUE` is one run of such characters.
        match token.find('=').filter(|at| at + 1 < token.len() && !token[at + 1..].bytes().all(|b| b == b'=')) {
            Some(at) => {
                out.push_str(&token[..=at]);
                out.push_str(if is_token(&token[at + 1..]) { MASK } else { &token[at + 1..] });
            }
            None => out.push_str(if is_token(token) { MASK } else { token }),
        }
        rest = &rest[end..];
    }
    out + rest
}

fn is_token(token: &str) -> bool {
    let base64 = token.len() == 44 && token.ends_with('=') && !token[..43].contains(['=', '.', '-', '_']);
    let signed = token.starts_with("eyJ") && token.len() > 20;
    let seed = token.len() == 58 && token.starts_with('S') && token.bytes().all(|b| b.is_ascii_uppercase() || (b'2'..=b'7').contains(&b));
    base64 || signed || seed
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scrubbed(text: &str) -> String {
        Scrub::default().text(text)
    }

    #[test]
    fn whatever_carries_a_secret_loses_it_and_keeps_the_rest() {
        for (text, kept) in [
            ("password = hunter2 next", "password = "),
            ("PASSWORD=\"hunter2 hunter2\"", "PASSWORD="),
            ("vpn_password: hunter2, user: bob", "user: bob"),
            ("{\"db-password\":\"hunter2\",\"a\":1}", "\"a\":1"),
            ("openvpn --pass hunter2 --config x", "--config x"),
            ("https://bob:hunter2@host.example/path", "@host.example/path"),
            ("nats tls://hunter2@10.0.0.1:4222 gone", "@10.0.0.1:4222 gone"),
            ("GET /x?token=hunter2&page=7", "&page=7"),
            ("Authorization: Bearer hunter2 hunter2", "Authorization: "),
            ("用户 bob 密码：hunter2", "用户 bob"),
            ("PrivateKey = aHVudGVyMmh1bnRlcjJodW50ZXIyaHVudGVyMjIyMjI=", "PrivateKey"),
            ("wg0 peer aHVudGVyMmh1bnRlcjJodW50ZXIyaHVudGVyMjIyMjI= up", "wg0 peer"),
            ("jwt eyJhbGciOiJIUzI1NiJ9.hunter2.sig end", "end"),
            ("-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\nafter", "after"),
            ("a\\n-----BEGIN OpenVPN Static key V1-----\\nhunter2\\n-----END OpenVPN Static key V1-----\\nb", "\\nb"),
            ("-----BEGIN RSA PRIVATE KEY-----\nhunter2 and no end", ""),
            ("password = (hunter2) next", " next"),
            ("psk=[hunter2 up", " up"),
            ("proxy http://bob:hun/hunter2@host.example:3128 gone", "@host.example:3128 gone"),
        ] {
            let out = scrubbed(text);
            assert!(
                !out.contains("hunter2") && !out.contains("aHVudGVy") && out.contains(kept) && out.contains(MASK),
                "{text:?} -> {out:?}"
            );
        }
    }

    #[test]
    fn what_is_no_secret_stays() {
        for text in [
            "password authentication failed for bob",
            "the token expired",
            "2026-11-22T09:10:51+00:00 isonet: opened vpn.not-started",
            "sha256 1f2e3d4c5b6a79881f2e3d4c5b6a79881f2e3d4c5b6a79881f2e3d4c5b6a7988",
            "https://settle.example:8443/health",
            "10.20.0.0/16 dev tun0 proto static metric 50",
            "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
            "https://settle.example:8443/a@b and http://[fe80::1]/a@b",
            "bypass: yes, compass = north, spin: 3",
            "",
        ] {
            assert_eq!(scrubbed(text), text);
        }
    }

    #[test]
    fn known_secrets_go_wherever_they_stand() {
        let scrub = Scrub::new(["correct horse".to_owned(), "abc".to_owned()]);
        assert_eq!(scrub.text("x correct horse y abc"), "x (masked) y abc", "a short one is in every text");
    }

    #[test]
    fn passwords_in_addresses_are_known_from_then_on() {
        let text =
            "url = \"https://bob:hunter2@h/p?token=hunter22&x=hunter23\"\nservers = [\"tls://hunter24@h:4222\", 'https://plain/x']\n";
        assert_eq!(Scrub::secrets_of(text), ["hunter2", "hunter22", "hunter23", "hunter24"]);
    }

    #[test]
    fn a_document_stays_one() {
        let mut value = serde_json::json!({
            "url": "https://bob:hunter2@h/p?x=hunter2#y", "token": "hunter2", "list": ["password: hunter2", 1, null], "deep": {"psk": "hunter2", "n": "ok"}
        });
        Scrub::default().json(&mut value);
        let text = value.to_string();
        assert!(!text.contains("hunter2") && text.contains("\"n\":\"ok\"") && text.contains("@h/p?(masked)"), "{text}");
        let mut more = serde_json::json!({ "passwords": 1, "pin": 482_913, "secret": ["hunter2"], "token": { "is_known": true, "at": "x" }, "psk": null });
        Scrub::default().json(&mut more);
        assert_eq!(
            more,
            serde_json::json!({ "passwords": 1, "pin": MASK, "secret": MASK, "token": { "is_known": true, "at": "x" }, "psk": null })
        );
        let lines = Scrub::default().lines("{\"b\":1,  \"a\":\"x\"}\n{\"a\":\"password=hunter2\"}\nnot json password=hunter2\n");
        assert!(lines.starts_with("{\"b\":1,  \"a\":\"x\"}\n") && !lines.contains("hunter2") && lines.ends_with('\n'), "{lines}");
    }

    #[test]
    fn a_unit_keeps_the_names_of_its_environment() {
        let unit = "[Service]\nEnvironment=\"A=hunter2\" B=hunter2\nSetCredential=key:hunter2\nExecStart=/usr/bin/isonet run\nEnvironment=C=1 \\\n D=hunter2\n# Environment=E=hunter2\n;SetCredential=k:hunter2\n";
        let out = Scrub::default().unit(unit);
        assert!(
            !out.contains("hunter2") && out.contains("Environment=A=(masked)") && out.contains("ExecStart=/usr/bin/isonet run"),
            "{out}"
        );
    }

    mod any_bytes {
        use super::*;
        use crate::testing::{cases, hostile};

        proptest! {
            #![proptest_config(cases())]
            #[test]
            fn never_panic_and_twice_is_once(bytes in hostile(vec![b"a=1 password: x -----BEGIN K-----y https://u@h/".to_vec()], 200)) {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let once = scrubbed(&text);
                let _ = (Scrub::default().lines(&text), Scrub::default().unit(&text));
                prop_assert_eq!(text.matches('\n').count() >= once.matches('\n').count(), true);
            }
        }
    }
}
