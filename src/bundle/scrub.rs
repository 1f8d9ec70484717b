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
    "passcode",
    "密码",
    "口令",
    "密钥",
    "私钥",
    "令牌",
    "凭据",
    "验证码",
];
/// Words after which the rest of the line is one.
const WHOLE_LINE: &[&str] = &["authorization", "cookie", "setcookie"];
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
                    if is_word(key, WORDS) && !member.is_null() && !member.is_boolean() {
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
        logical(text).into_iter().map(|one| line(&one)).collect::<Vec<_>>().join("\n")
    }
}

/// The lines of a unit's file as systemd joins them: what ends in a backslash goes on in the next line that is no comment.
fn logical(text: &str) -> Vec<String> {
    let (mut lines, mut open): (Vec<String>, Option<String>) = (Vec::new(), None);
    for line in text.replace("\r\n", "\n").split(['\n', '\r']) {
        if open.is_some() && line.trim_start().starts_with(['#', ';']) {
            lines.push(line.to_owned());
            continue;
        }
        let whole = open.take().map_or_else(|| line.to_owned(), |before| format!("{before} {line}"));
        match whole.strip_suffix('\\') {
            Some(before) => open = Some(before.to_owned()),
            None => lines.push(whole),
        }
    }
    lines.extend(open);
    lines
}

/// Armoured blocks but certificates, also where their ends of line are written as `\n`.
fn without_blocks(text: &str) -> String {
    const BEGIN: &str = "-----BEGIN ";
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find(BEGIN) {
        out.push_str(&rest[..at]);
        let block = &rest[at..];
        let label = block[BEGIN.len()..].split("-----").next().unwrap_or_default();
        let close = format!("-----END {label}-----");
        let ended = block.find(&close).map(|at| at + close.len());
        let end = ended.unwrap_or(block.len());
        // One that was cut off could hold the next.
        let open = matches!(label, "CERTIFICATE" | "PUBLIC KEY") && ended.is_some() && !block[BEGIN.len()..end].contains(BEGIN);
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
            Some(quote @ ('"' | '\'')) => quoted(after, quote),
            _ => unquoted(after),
        };
        if length > 0 {
            out.push_str(MASK);
            at = value + length;
        } else {
            at = value;
        }
    }
    out + &line[at..]
}

/// How long a value in quotes is, with them. A quote behind a backslash does not end it.
fn quoted(after: &str, quote: char) -> usize {
    let escaped = |at: usize| after[..at].bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1;
    after.match_indices(quote).skip(1).find(|(at, _)| !escaped(*at)).map_or(after.len(), |(at, _)| at + 1)
}

/// How long a value without quotes is: to a blank or a quote, or to a sign behind which something else begins. Any other sign may belong to it.
fn unquoted(after: &str) -> usize {
    let ends = |at: usize, c: char| {
        let rest = &after[at + c.len_utf8()..];
        let ends_here = || rest.is_empty() || rest.starts_with(|c: char| c.is_whitespace() || "\"'`,;)}]>".contains(c));
        match c {
            '"' | '\'' | '`' => true,
            ',' | ';' | '&' | '|' => ends_here() || begins_with_a_name(rest),
            ')' | '}' | ']' | '>' => ends_here(),
            _ => c.is_whitespace(),
        }
    };
    after.char_indices().find(|(at, c)| ends(*at, *c)).map_or(after.len(), |(at, _)| at)
}

/// Whether a text begins with `name=` or `name:`.
fn begins_with_a_name(text: &str) -> bool {
    let end = text.find(|c: char| !(c.is_alphanumeric() || "_-".contains(c))).unwrap_or(text.len());
    end > 0 && text[end..].starts_with(['=', ':'])
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
    let single = bare.strip_suffix('s').filter(|word| word.len() > 4).unwrap_or(&bare);
    // `compass` ends in a word of four letters and is none.
    list.iter().any(|one| bare == *one || ending == *one || (one.len() > 4 && single.ends_with(one)))
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
            ("-----BEGIN CERTIFICATE-----\ncut\n-----BEGIN EC PRIVATE KEY-----\nhunter2\n-----END EC PRIVATE KEY-----\nx", ""),
            ("-----BEGIN CERTIFICATE-----\n-----BEGIN K-----\nhunter2\n-----END K-----\n-----END CERTIFICATE-----\nafter", "after"),
            ("-----BEGIN A-----\nx\n-----END B-----\nhunter2\n-----END A-----\nafter", "after"),
            ("-----BEGIN PUBLIC KEY-----\nhunter2 and no end", ""),
            ("https://bob:p@hunter2@host.example/path", "@host.example/path"),
            ("seed SUHUNTER2HUNTER2HUNTER2HUNTER2HUNTER2HUNTER2HUNTER2HUNTER2 end", "end"),
            ("{\"password\":\"a\\\"hunter2\",\"b\":1}", "\"b\":1"),
            ("password = a,hunter2;(hunter2{hunter2&hunter2 next", "next"),
            ("(user=bob;password=a)hunter2;host=h)", "host=h"),
            ("\"accessToken\": \"hunter2\", \"n\": 1", "\"n\": 1"),
            ("passwords: hunter2 next", "next"),
            ("私钥：hunter2 好", "好"),
        ] {
            let out = scrubbed(text);
            assert!(
                !out.contains("hunter2")
                    && !out.contains("HUNTER2")
                    && !out.contains("aHVudGVy")
                    && out.contains(kept)
                    && out.contains(MASK),
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
    fn of_two_known_secrets_the_longer_goes_as_a_whole() {
        assert_eq!(Scrub::new(["hunter".to_owned(), "hunter2x".to_owned()]).text("a hunter2x hunter b"), "a (masked) (masked) b");
    }

    #[test]
    fn an_address_in_a_configuration_loses_its_query() {
        let out = Scrub::default().toml("url = \"https://h/p?x=hunter2\" # why? so\n");
        assert_eq!(out, "url = \"https://h/p?(masked)\" # why? so\n");
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
            "url": "https://bob:hunter2@h/p?x=hunter2#y", "token": "hunter2", "list": ["password: hunter2", 1, null], "deep": {"psk": "hunter2", "n": "ok"},
            "tokens": ["hunter2"], "credentials": {"user": "hunter2"}, "authToken": "hunter2"
        });
        Scrub::default().json(&mut value);
        let text = value.to_string();
        assert!(!text.contains("hunter2") && text.contains("\"n\":\"ok\"") && text.contains("@h/p?(masked)"), "{text}");
        let mut more = serde_json::json!({ "passwords": 1, "pin": 482_913, "secret": ["hunter2"], "token": { "at": "x" }, "is_secret": true, "psk": null });
        Scrub::default().json(&mut more);
        assert_eq!(
            more,
            serde_json::json!({ "passwords": MASK, "pin": MASK, "secret": MASK, "token": MASK, "is_secret": true, "psk": null })
        );
        let lines = Scrub::default().lines("{\"b\":1,  \"a\":\"x\"}\n{\"a\":\"password=hunter2\"}\nnot json password=hunter2\n");
        assert!(lines.starts_with("{\"b\":1,  \"a\":\"x\"}\n") && !lines.contains("hunter2") && lines.ends_with('\n'), "{lines}");
    }

    #[test]
    fn a_unit_keeps_the_names_of_its_environment() {
        let credentials = Scrub::default().unit("SetCredential=key:a hunter2\nLoadCredentialEncrypted=key:a hunter2\nExecStart=/bin/x \\");
        assert!(!credentials.contains("hunter2") && credentials.ends_with("/bin/x "), "{credentials}");
        let between = Scrub::default().unit("Environment=A=1 \\\r\n# a comment\r\n;another\n  B=hunter2 \\\n");
        assert!(!between.contains("hunter2") && between.contains("# a comment"), "a comment does not end the line: {between}");
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
