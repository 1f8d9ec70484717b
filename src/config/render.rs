//! Problems in words: where, what was found, what would be right, and the line itself with a mark under the spot.
//!
//! What comes from a file is shown without anything that could steer a terminal, and cut to a window around the spot.

use super::load::{ConfigError, LoadNote};
use super::named_words;
use super::problem::{Excerpt, Found, Located, Problem, Unread};
use super::schema::Kind;
use super::text::duration;
use super::values::is_steering;
use crate::catalogue::Lang;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;
use unicode_width::UnicodeWidthChar;

/// Columns of the offending line that are shown at most.
const WINDOW: usize = 100;

/// Characters of a found value that are shown at most.
const LONGEST_QUOTE: usize = 60;

/// A problem as a few lines.
pub fn render_problem(located: &Located, lang: Lang) -> String {
    let (what, right) = words(&located.problem, lang);
    let mut text = format!("{}:{}:{}: ", shown(&located.file), located.line, located.column);
    if !located.key.is_empty() {
        let _ = write!(text, "{}: ", clean(&located.key));
    }
    text.push_str(&what);
    let gutter = located.line.to_string().len().max(4);
    if let Some(excerpt) = &located.excerpt {
        let (line, mark) = underlined(excerpt);
        let _ = write!(text, "\n{:>gutter$} | {line}\n{:>gutter$} | {mark}", located.line, "");
    }
    if !right.is_empty() {
        let _ = write!(text, "\n{:>gutter$} = {right}", "");
    }
    text
}

/// A failed load in words, all problems one after another; every line is ended.
pub fn render_error(error: &ConfigError, lang: Lang) -> String {
    let mut text = match error {
        ConfigError::Missing(path) => {
            lang.pick(format!("配置文件 {} 不存在", shown(path)), format!("configuration file {} does not exist", shown(path)))
        }
        ConfigError::Unreadable { path, source } => {
            lang.pick(format!("无法读取 {}：{source}", shown(path)), format!("cannot read {}: {source}", shown(path)))
        }
        ConfigError::NotAFile(path) => lang.pick(
            format!("{} 不是普通文件（是目录、管道或设备），未读取", shown(path)),
            format!("{} is not a plain file (a directory, a pipe or a device): it was not read", shown(path)),
        ),
        ConfigError::Invalid(problems) => {
            let mut lines: Vec<String> = problems.iter().map(|problem| render_problem(problem, lang)).collect();
            let count = problems.len();
            lines.push(lang.pick(
                format!("配置中有 {count} 处问题，未被采用"),
                format!("{count} {} in the configuration; it was not used", if count == 1 { "problem" } else { "problems" }),
            ));
            lines.join("\n")
        }
    };
    text.push('\n');
    text
}

/// A note in words.
pub fn render_note(note: &LoadNote, lang: Lang) -> String {
    match note {
        LoadNote::NoFile(path) => {
            let path = shown(path);
            lang.pick(format!("没有 {path}，使用内置默认值"), format!("there is no {path}: the built-in defaults are used"))
        }
        LoadNote::Ignored(path) => {
            let path = shown(path);
            lang.pick(
                format!("未读取 {path}：conf.d 中只读取以 .toml 结尾的普通文件"),
                format!("{path} was not read: in conf.d only plain files that end in .toml count"),
            )
        }
    }
}

/// The line in a window around the mark, and the line of carets under it. Wide characters take two columns in both.
fn underlined(excerpt: &Excerpt) -> (String, String) {
    let text = veiled(&excerpt.text);
    let width = |c: char| if c == '\t' { 4 } else { c.width().unwrap_or(1) };
    let before: usize = text[..excerpt.marked.start].chars().map(width).sum();
    // So far to the right that the mark begins within the first third.
    let skip = if before + 20 > WINDOW { before - WINDOW / 3 } else { 0 };
    let (mut column, mut line, mut mark) = (0, String::new(), String::new());
    for (at, c) in text.char_indices() {
        let wide = width(c);
        let inside = excerpt.marked.contains(&at);
        column += wide;
        if column <= skip {
            continue;
        }
        if column > skip + WINDOW {
            line.push_str("...");
            break;
        }
        if line.is_empty() && skip > 0 {
            line.push_str("...");
            mark.push_str("   ");
        }
        match c {
            '\t' => line.push_str("    "),
            c if c.is_control() || is_steering(c) => line.push('?'),
            c => line.push(c),
        }
        let pad = if c.is_control() && c != '\t' || is_steering(c) { 1 } else { wide };
        mark.extend(std::iter::repeat_n(if inside { '^' } else { ' ' }, pad));
    }
    if !mark.contains('^') {
        mark.push('^');
    }
    (line, mark.trim_end().to_owned())
}

/// Without the passwords and tokens of URLs: what is said of a configuration is read by more people than the configuration. Of the same length.
fn veiled(text: &str) -> String {
    let mut told = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        let end = after.find(|c: char| c.is_whitespace() || "\"'".contains(c)).unwrap_or(after.len());
        let secret = after[..end].rfind('@').unwrap_or(0);
        told.extend([before, "://"]);
        told.extend(std::iter::repeat_n('*', secret));
        rest = &after[secret..];
    }
    told + rest
}

/// Without anything that could steer a terminal.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || is_steering(c) { '?' } else { c }).collect()
}

fn shown(path: &Path) -> String {
    clean(&path.to_string_lossy())
}

fn quoted(text: &str) -> String {
    let text = &veiled(text);
    let mut cut: String = clean(text).chars().take(LONGEST_QUOTE).collect();
    if text.chars().count() > LONGEST_QUOTE {
        cut.push_str("...");
    }
    format!("\"{cut}\"")
}

fn list<S: AsRef<str>>(words: &[S], lang: Lang) -> String {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    clean(&words.join(lang.pick("、", ", ")))
}

/// What is wrong, and what would be right (empty when the first says it all).
fn words(problem: &Problem, lang: Lang) -> (String, String) {
    match problem {
        Problem::NotUtf8(at) => (
            lang.pick(format!("第 {at} 字节处不是 UTF-8 文本"), format!("byte {at} is not UTF-8 text")),
            lang.pick("请将文件另存为 UTF-8 编码", "save the file in UTF-8").to_owned(),
        ),
        Problem::TooLarge(most) => (
            lang.pick(format!("文件超过 {most} 字节"), format!("the file is larger than {most} bytes")),
            lang.pick("请检查文件名是否写错", "check that this is the right file").to_owned(),
        ),
        Problem::Syntax(message) => (syntax(message, lang), String::new()),
        Problem::UnknownKey { nearest, elsewhere, known } => {
            (lang.pick("没有这个配置项", "there is no such key here").to_owned(), unknown_key(*nearest, elsewhere, known, lang))
        }
        Problem::NotForKind { kind, kinds } => (
            lang.pick(format!("类型 {kind} 没有这个配置项"), format!("a table of kind {kind} has no such key")),
            lang.pick(format!("只用于类型：{}", list(kinds, lang)), format!("it belongs to kind {}", list(kinds, lang))),
        ),
        Problem::BadValue { found, want, nearest } => bad_value(found, *want, *nearest, lang),
        Problem::HostBits { found, network } => (
            lang.pick(format!("{} 含有主机位", quoted(found)), format!("{} has host bits set", quoted(found))),
            lang.pick(format!("应写作 \"{network}\""), format!("write \"{network}\"")),
        ),
        Problem::Scheme { found, allowed } => (
            lang.pick(format!("不支持 {} 开头的网址", quoted(found)), format!("a URL with the scheme {} is of no use here", quoted(found))),
            lang.pick(format!("可用：{}", list(allowed, lang)), format!("use {}", list(allowed, lang))),
        ),
        Problem::Missing { key, want } => (
            lang.pick(format!("缺少必填项 {key}"), format!("the key {key} is needed and missing")),
            lang.pick(format!("请填写 {key}：{}", describe(*want, lang)), format!("add {key}: {}", describe(*want, lang))),
        ),
        Problem::TooMany(most) => (
            lang.pick("项目太多", "there are too many of these").to_owned(),
            lang.pick(format!("最多 {most} 项"), format!("write {most} at most")),
        ),
        Problem::More(count) => (
            lang.pick(format!("本文件还有 {count} 处问题未列出"), format!("{count} further problems of this file are not listed")),
            String::new(),
        ),
        Problem::DuplicateName { name, first_line } => (
            lang.pick(
                format!("名称 {} 重复，第 {first_line} 行已使用", quoted(name)),
                format!("the name {} was used in line {first_line} already", quoted(name)),
            ),
            lang.pick("每个名称只能使用一次", "give each its own name").to_owned(),
        ),
        other => joint(other, lang),
    }
}

/// Problems of values that are right alone and wrong together.
fn joint(problem: &Problem, lang: Lang) -> (String, String) {
    match problem {
        Problem::UnknownVpn { found, known } if known.is_empty() => (
            lang.pick(format!("没有名为 {} 的 VPN", quoted(found)), format!("there is no VPN named {}", quoted(found))),
            lang.pick("请添加 [[vpn]]；不经过 VPN 时删去 via", "add a [[vpn]], or leave via out where there is no VPN").to_owned(),
        ),
        Problem::UnknownVpn { found, known } => (
            lang.pick(format!("没有名为 {} 的 VPN", quoted(found)), format!("there is no VPN named {}", quoted(found))),
            lang.pick(format!("已有的 VPN：{}", list(known, lang)), format!("there is {}", list(known, lang))),
        ),
        Problem::ReservedName(name) => (
            lang.pick(format!("中心不能命名为 {}", quoted(name)), format!("a centre cannot be named {}", quoted(name))),
            lang.pick("在诊断结果中，这个名称表示本机：请换一个名称", "in a diagnosis it stands for this PC: choose another name")
                .to_owned(),
        ),
        Problem::WindowReversed => (
            lang.pick("结束时间不晚于开始时间", "the window does not end after it begins").to_owned(),
            lang.pick("to 必须晚于 from", "to must be later than from").to_owned(),
        ),
        Problem::NotApproved(keys) => (
            lang.pick("定期探测互联网须经批准", "periodic proofs need leave").to_owned(),
            lang.pick(
                format!("请填写 {}，或改为 \"event-only\"", list(keys, lang)),
                format!("add {}, or write \"event-only\"", list(keys, lang)),
            ),
        ),
        Problem::SlowNotBelowTimeout { slow, timeout } => (
            lang.pick(
                format!("判定为慢的时间 {slow} 不短于超时 {timeout}，永远不会生效"),
                format!("slow is {slow} and the timeout {timeout}: the exchange is given up before it is slow"),
            ),
            lang.pick("slow 必须短于 probe.timeout", "slow must be shorter than probe.timeout").to_owned(),
        ),
        Problem::LacksPartner { partner } => (
            lang.pick(format!("缺少与之配对的 {partner}"), format!("this is of no use without {partner}")),
            lang.pick("client-cert 与 client-key 必须同时填写", "write both client-cert and client-key").to_owned(),
        ),
        Problem::RuleSetUnreadable { path, why } => unreadable(path, why, lang),
        Problem::ReservedSet(name) => (
            lang.pick(format!("{name} 是自带的那一套规定的代号"), format!("{name} is the name of the set that ships")),
            lang.pick("请给自己的一套另起代号", "give your own set another name").to_owned(),
        ),
        Problem::Repeated(word) => (
            lang.pick(format!("{} 写了两次", quoted(word)), format!("{} stands there twice", quoted(word))),
            lang.pick("只能写一次", "write it once").to_owned(),
        ),
        Problem::Twice { word, first_line } => (
            lang.pick(
                format!("{} 重复，第 {first_line} 行已写过", quoted(word)),
                format!("{} stands in line {first_line} already", quoted(word)),
            ),
            lang.pick("只能写一次", "write it once").to_owned(),
        ),
        Problem::File { path, role, fault } => named_words::words(&shown(path), *role, fault, lang),
        Problem::Refused(message) => (
            lang.pick(format!("配置未被接受：{}", clean(message)), format!("the configuration was refused: {}", clean(message))),
            lang.pick("这是 isonet 自身的缺陷，请报告", "this is a defect of isonet: please report it").to_owned(),
        ),
        // The rest is put into words by the caller.
        _ => (String::new(), String::new()),
    }
}

fn unreadable(path: &Path, why: &Unread, lang: Lang) -> (String, String) {
    let path = shown(path);
    let what = match why {
        Unread::Missing => lang.pick(format!("文件 {path} 不存在"), format!("the file {path} does not exist")),
        Unread::NotAFile => lang.pick(format!("{path} 不是普通文件"), format!("{path} is not a plain file")),
        Unread::Error(error) => {
            let error = clean(error);
            lang.pick(format!("无法读取 {path}：{error}"), format!("cannot read {path}: {error}"))
        }
    };
    (what, lang.pick("请核对路径；没有自己的一套就删去 set", "check the path, or leave set out").to_owned())
}

fn unknown_key(nearest: Option<&'static str>, elsewhere: &[String], known: &[&'static str], lang: Lang) -> String {
    match nearest {
        Some(key) => lang.pick(format!("是不是想写 {key}？"), format!("did you mean {key}?")),
        None if !elsewhere.is_empty() => {
            lang.pick(format!("它应写在 {} 中", list(elsewhere, lang)), format!("it belongs to {}", list(elsewhere, lang)))
        }
        None => lang.pick(format!("可用的配置项：{}", list(known, lang)), format!("known keys: {}", list(known, lang))),
    }
}

fn bad_value(found: &Found, want: Kind, nearest: Option<&'static str>, lang: Lang) -> (String, String) {
    let what = match found {
        Found::Text(text) if text.trim().is_empty() => lang.pick("值是空的", "the value is empty").to_owned(),
        Found::Text(text) => lang.pick(format!("{} 不可用", quoted(text)), format!("{} does not fit", quoted(text))),
        Found::Integer(number) | Found::Float(number) => {
            lang.pick(format!("数字 {} 不可用", clean(number)), format!("the number {} does not fit", clean(number)))
        }
        Found::Boolean(value) => lang.pick(format!("{value} 不可用"), format!("{value} does not fit")),
        Found::Datetime(at) => lang.pick(format!("时间 {at} 不可用"), format!("the time {at} does not fit")),
        Found::List => lang.pick("这里不能是列表", "a list does not fit").to_owned(),
        Found::Table => lang.pick("这里不能是表", "a table does not fit").to_owned(),
    };
    let mut right = lang.pick(format!("应为{}", describe(want, lang)), format!("write {}", describe(want, lang)));
    if let Some(word) = nearest {
        right += &lang.pick(format!("；是不是想写 \"{word}\"？"), format!("; did you mean \"{word}\"?"));
    }
    (what, right)
}

fn describe(kind: Kind, lang: Lang) -> String {
    let fixed = |zh: &str, en: &str| lang.pick(zh, en).to_owned();
    match kind {
        Kind::Boolean => fixed(" true 或 false", "true or false"),
        Kind::Integer(least, most) => lang
            .pick(format!(" {least} 到 {most} 之间的整数（不加引号）"), format!("a whole number from {least} to {most}, without quotes")),
        Kind::Text => fixed("一行带引号的文字", "a line of text in quotes, not empty"),
        Kind::Word => fixed(
            "一个不含空格和 . * > / \\ 的词，最多 64 个字符",
            "one word in quotes, without spaces and . * > / \\, of at most 64 characters",
        ),
        Kind::Subject => fixed(
            "用点隔开的几个词，其中要有 {epoch}，可以有 {region}、{terminal}；不含空格和 * >",
            "words with dots between them, in quotes, with {epoch} and, if wanted, {region} and {terminal}; without spaces and * >",
        ),
        Kind::Choice(words) => lang.pick(format!("以下之一：{}", list(words, lang)), format!("one of {}", list(words, lang))),
        Kind::Duration(least, most) => {
            let text = |ms| duration::render(Duration::from_millis(ms));
            lang.pick(
                format!("带单位的时长，如 \"15s\"、\"2m\"、\"500ms\"，范围 {} 到 {}", text(least), text(most)),
                format!("a duration such as \"15s\", \"2m\" or \"500ms\", from {} to {}", text(least), text(most)),
            )
        }
        Kind::Size => fixed("带单位的大小，如 \"64MiB\"", "a size such as \"64MiB\""),
        Kind::Path => fixed("以 / 开头的绝对路径", "an absolute path, which begins with /"),
        Kind::Roots => fixed(" \"embedded\" 或以 / 开头的绝对路径", "\"embedded\", or an absolute path, which begins with /"),
        Kind::Address => fixed(" IP 地址，如 \"10.20.0.1\"", "an IP address such as \"10.20.0.1\""),
        Kind::Gateway => fixed(" \"auto\" 或 IP 地址", "\"auto\", or an IP address"),
        Kind::Prefix => fixed("网段，如 \"10.0.0.0/8\"", "a prefix such as \"10.0.0.0/8\""),
        Kind::Endpoint => {
            fixed(" IP 地址加端口，如 \"10.20.0.14:6514\"", "an IP address and a port such as \"10.20.0.14:6514\" or \"[fd00::1]:6514\"")
        }
        Kind::Listen => fixed(
            " \"off\" 或本机回环地址加端口，如 \"127.0.0.1:8787\"",
            "\"off\", or a loopback address of this PC and a port such as \"127.0.0.1:8787\"",
        ),
        Kind::Host => fixed("主机名或 IP 地址，不带端口", "a host name or an IP address, without a port"),
        Kind::Server => fixed("主机名加端口，如 \"vpn.centre.example:1194\"", "a host and a port such as \"vpn.centre.example:1194\""),
        Kind::Interface => fixed("网卡名或通配，如 \"tun0\"、\"ppp*\"", "an interface such as \"tun0\", or a pattern such as \"ppp*\""),
        Kind::Url(schemes) => lang.pick(
            format!("完整网址，以 {} 开头", list(&with_slashes(schemes), lang)),
            format!("a full URL that begins with {}", list(&with_slashes(schemes), lang)),
        ),
        Kind::Timestamp => {
            fixed("带时区的时间，如 \"2026-12-01T22:00:00+08:00\"", "a time with its offset such as \"2026-12-01T22:00:00+08:00\"")
        }
        Kind::TimeOfDay => fixed("一天中的时刻，如 \"22:00\"", "a time of day such as \"22:00\""),
        Kind::UsbId => fixed("四位十六进制数，如 \"0951\"", "four hexadecimal digits such as \"0951\""),
        Kind::PublicKey => fixed("32 字节的 Ed25519 公钥（十六进制或 base64）", "an Ed25519 key of 32 bytes in hexadecimal or base64"),
        Kind::RuleSet => fixed(" \"example\" 或以 / 开头的绝对路径", "\"example\", or an absolute path, which begins with /"),
        Kind::Code => {
            fixed("一个原因或观察的代码（isonet explain --list）", "the code of a cause or an observation (isonet explain --list)")
        }
        Kind::List(of) => {
            lang.pick(format!("方括号中的列表，每项为{}", describe(*of, lang)), format!("a list in brackets, each {}", describe(*of, lang)))
        }
        Kind::Table(_) => fixed("一个表", "a table"),
        Kind::Tables(..) | Kind::Variants(_) => fixed("一个或多个表，每个以 [[...]] 开头", "tables, each of which begins with [[...]]"),
    }
}

fn with_slashes(schemes: &[&str]) -> Vec<String> {
    schemes.iter().map(|scheme| format!("{scheme}://")).collect()
}

/// The parser speaks English. What is met often has a Chinese sentence; the rest keeps the parser's words.
const SYNTAX_ZH: [(&str, &str); 18] = [
    ("string values must be quoted", "文字必须加引号"),
    ("duplicate key", "同一个表中重复写了这一项"),
    ("missing assignment", "缺少等号 ="),
    ("missing opening quote", "缺少前引号"),
    ("invalid basic string", "引号没有成对"),
    ("invalid literal string", "引号没有成对"),
    ("missing value", "等号后面没有值"),
    ("key with no value", "只有名称，没有值"),
    ("unclosed array table", "[[ 没有对应的 ]]"),
    ("unclosed array", "[ 没有对应的 ]"),
    ("unclosed inline table", "{ 没有对应的 }"),
    ("unclosed table", "[ 没有对应的 ]"),
    ("missing comma", "缺少逗号"),
    ("extra comma", "多了一个逗号"),
    ("unexpected content", "这里不应有其他内容"),
    ("unexpected key or value", "每项应各占一行"),
    ("invalid unquoted key", "名称中有不允许的字符"),
    ("unexpected leading zero", "数字不能以 0 开头"),
];

fn syntax(message: &str, lang: Lang) -> String {
    let message = clean(message);
    match lang {
        Lang::En => format!("not valid TOML: {message}"),
        Lang::ZhCn => match SYNTAX_ZH.iter().find(|(en, _)| message.starts_with(en)) {
            Some((_, zh)) => format!("TOML 语法错误：{zh}"),
            None => format!("TOML 语法错误：{message}"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use unicode_width::UnicodeWidthStr;

    #[test]
    fn the_caret_stands_under_double_width_characters() {
        let text = "name = \"第三药店\" 坏".to_owned();
        let at = text.find('坏').expect("there");
        let (line, mark) = underlined(&Excerpt { marked: at..text.len(), text });
        assert_eq!(line, "name = \"第三药店\" 坏");
        assert_eq!(mark, format!("{}^^", " ".repeat(7 + 10 + 1)));
    }

    #[test]
    fn no_password_and_no_token_of_a_url_is_shown() {
        let text = "servers = [\"nats://hub:p/w@c:70000\", 'tls://t0ken@d', \"tls://e\"] # 药".to_owned();
        let at = text.find("70000").expect("there");
        let (line, mark) = underlined(&Excerpt { marked: at..at + 5, text });
        assert_eq!(line, "servers = [\"nats://*******@c:70000\", 'tls://*****@d', \"tls://e\"] # 药");
        assert_eq!(mark.find('^'), line.find("70000"));
        assert_eq!(quoted("nats://hub:pw@c:70000"), "\"nats://******@c:70000\"");
    }

    #[test]
    fn what_could_steer_a_terminal_is_not_shown() {
        let text = "a = \"\u{1b}[2J\u{202e}x\"".to_owned();
        let (line, _) = underlined(&Excerpt { marked: 4..text.len(), text });
        assert_eq!(line, "a = \"?[2J?x\"");
        assert!(!quoted("\u{1b}\n").contains(|c: char| c.is_control()));
    }

    proptest! {
        #[test]
        fn a_long_line_is_cut_around_its_mark(head in "[a-z药\t]{0,300}", spot in "[0-9店]{1,5}", tail in "[a-z]{0,300}") {
            let marked = head.len()..head.len() + spot.len();
            let (line, mark) = underlined(&Excerpt { text: format!("{head}{spot}{tail}"), marked });
            prop_assert!(line.width() <= WINDOW + 10, "{}", line.width());
            prop_assert!(line.contains(spot.as_str()));
            let column = line[..line.find(spot.as_str()).expect("shown")].width();
            prop_assert_eq!(column, mark.find('^').expect("marked"));
            prop_assert_eq!(mark.len() - column, spot.width());
        }
    }
}
