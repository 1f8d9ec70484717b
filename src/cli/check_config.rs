//! `isonet check-config`: every problem at once; without any, what was read and what is not configured and therefore not checked. The
//! files that the configuration names are looked at, too.

pub(super) mod files;

use super::grammar::Global;
use super::{complain, print};
use crate::catalogue::Lang;
use crate::config::{Access, Config, ContactRole, LanguageChoice, Loaded, Located, load, render_error, render_note, render_problem};
use std::path::{Path, PathBuf};
use unicode_width::UnicodeWidthStr;

/// A configuration that cannot do what it says (`EX_CONFIG`).
const NOT_RIGHT: u8 = 78;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// 要检查的文件（及其旁的 conf.d）/ Check this file, and the conf.d beside it, instead of the one in use
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// 只问能不能启动：所指定的文件（证书等）缺失或无用时照样说明，但不算失败 / Ask only whether a start is possible: files that are named and missing or of no use are told as warnings, and do not fail
    #[arg(long)]
    start: bool,
}

/// What a file that is named and of no use means for the exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Files {
    /// Something does not work as configured.
    MustServe,
    /// Probing goes on without it and says what it could not judge: no reason not to start.
    MayMiss,
}

pub fn run(global: &Global, arguments: &Arguments) -> u8 {
    let file = arguments.file.as_deref().or(global.config.as_deref());
    let files = if arguments.start { Files::MayMiss } else { Files::MustServe };
    match check(file, files, |choice| global.lang(choice)) {
        Ok(text) => print(&text).err().unwrap_or(0),
        Err((text, status)) => {
            complain(&text);
            status
        }
    }
}

/// Checks the given file, or the one at the default place. `speak` turns the file's choice of language into a language. `Err` holds what
/// goes to the standard error output, and the exit status.
fn check(file: Option<&Path>, files: Files, speak: impl Fn(LanguageChoice) -> Lang) -> Result<String, (String, u8)> {
    match load(file) {
        Ok(loaded) => {
            let lang = speak(loaded.config.language);
            let found = self::files::look(&loaded.files);
            match (found.problems.is_empty(), files) {
                (true, _) => Ok(summary(&loaded, &found.notes, lang)),
                (false, Files::MayMiss) => Err((warned(&found.problems, &found.notes, lang), 0)),
                (false, Files::MustServe) => Err((of_no_use(&found.problems, &found.notes, lang), NOT_RIGHT)),
            }
        }
        Err(error) => Err((render_error(&error, speak(LanguageChoice::Auto)), error.exit_code())),
    }
}

/// The files that are of no use, and beside them what is only worth knowing.
fn of_no_use(problems: &[Located], notes: &[Located], lang: Lang) -> String {
    let mut lines: Vec<String> = problems.iter().map(|problem| render_problem(problem, lang)).collect();
    lines.extend(notes.iter().map(|note| noted(note, lang)));
    let count = problems.len();
    lines.push(lang.pick(
        format!("配置写法正确，但其中指定的文件有 {count} 处问题"),
        format!(
            "the configuration is well formed; {count} {} with the files that it names",
            if count == 1 { "problem" } else { "problems" }
        ),
    ));
    lines.join("\n") + "\n"
}

/// The same where it only keeps something from being judged.
fn warned(problems: &[Located], notes: &[Located], lang: Lang) -> String {
    let warning = |problem: &Located| format!("{}{}", lang.pick("警告：", "warning: "), render_problem(problem, lang));
    let mut lines: Vec<String> = problems.iter().map(warning).collect();
    lines.extend(notes.iter().map(|note| noted(note, lang)));
    let count = problems.len();
    lines.push(lang.pick(
        format!("可以启动；其中指定的文件有 {count} 处问题，要用到它们的检查会说明没法判断"),
        format!(
            "it can start; {count} {} with the files that it names: what needs them will be said to be unknown",
            if count == 1 { "problem" } else { "problems" }
        ),
    ));
    lines.join("\n") + "\n"
}

fn noted(note: &Located, lang: Lang) -> String {
    format!("{}{}", lang.pick("提示：", "note: "), render_problem(note, lang))
}

/// What was read, and what is missing.
fn summary(loaded: &Loaded, notes: &[Located], lang: Lang) -> String {
    let mut lines: Vec<String> = loaded.notes.iter().map(|note| render_note(note, lang)).collect();
    lines.extend(notes.iter().map(|note| noted(note, lang)));
    if !loaded.sources.is_empty() {
        lines.push(lang.pick("已读取：", "Read:").to_owned());
        lines.extend(loaded.sources.iter().map(|path| format!("  {}", path.display())));
        lines.push(lang.pick("没有问题。", "No problems.").to_owned());
    }
    let gaps = unconfigured(&loaded.config);
    if !gaps.is_empty() {
        lines.push(lang.pick("未配置（右侧是因此缺少的内容）：", "Not configured (and what is missing for it):").to_owned());
        let widest = gaps.iter().map(|gap| gap.key.width()).max().unwrap_or_default();
        lines.extend(gaps.iter().map(|gap| format!("  {}{}  {}", gap.key, " ".repeat(widest - gap.key.width()), gap.meaning(lang))));
    }
    lines.join("\n") + "\n"
}

/// A site fact that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The key to add.
    pub key: String,
    topic: Topic,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Topic {
    Centre,
    Ports,
    Authority,
    VpnServer,
    VpnInside,
    Access,
    Prefixes,
    Identity,
    Contact,
    Rules,
    Transfers,
    Sinks,
}

impl Gap {
    /// What is not checked for want of it.
    pub fn meaning(&self, lang: Lang) -> &'static str {
        match self.topic {
            Topic::Centre => lang.pick("能否结算", "whether one can settle"),
            Topic::Ports => lang.pick("中心的服务是否可用", "whether the service works"),
            Topic::Authority => lang.pick("证书是否可信", "whether the certificate is genuine"),
            Topic::VpnServer => lang.pick("VPN 服务器是否可达", "whether the VPN's server can be reached"),
            Topic::VpnInside => lang.pick("隧道内侧是否有应答", "whether anything answers inside the tunnel"),
            Topic::Access => lang.pick("本终端怎样才算隔离", "what counts as isolated here"),
            Topic::Prefixes => lang.pick("专网的范围（以登记时看到的为准）", "what counts as inside (enrolment learns it)"),
            Topic::Identity => lang.pick("记录中的机构信息", "whose terminal this is, in the records"),
            Topic::Contact => lang.pick("该找谁处理", "whom to call"),
            Topic::Rules => lang.pick("涉及管理规定的哪一条", "which article of the rules is touched"),
            Topic::Transfers => lang.pick("每日数据上传是否完成", "whether the daily upload was done"),
            Topic::Sinks => lang.pick("本机以外的记录", "records anywhere but on this PC"),
        }
    }
}

/// Everything that is left out and would let more be checked, the most important first.
pub fn unconfigured(config: &Config) -> Vec<Gap> {
    let mut gaps = Vec::new();
    let mut add = |missing: bool, key: String, topic| {
        if missing {
            gaps.push(Gap { key, topic });
        }
    };
    add(config.centres.is_empty(), "[[centre]]".to_owned(), Topic::Centre);
    for centre in &config.centres {
        let bare = centre.tcp.is_empty() && centre.tls.is_none() && centre.http.is_none();
        add(bare, format!("centre[{}].tcp", centre.name), Topic::Ports);
        let unjudged = centre.tls.as_ref().is_some_and(|tls| tls.ca.is_none());
        add(unjudged, format!("centre[{}].tls.ca", centre.name), Topic::Authority);
    }
    for vpn in &config.vpns {
        add(vpn.server.is_none(), format!("vpn[{}].server", vpn.name), Topic::VpnServer);
        add(vpn.inside.is_none(), format!("vpn[{}].inside", vpn.name), Topic::VpnInside);
    }
    add(config.network.access == Access::Unknown, "network.access".to_owned(), Topic::Access);
    add(config.network.allowed_prefixes.is_empty(), "network.allowed-prefixes".to_owned(), Topic::Prefixes);
    add(config.terminal.institution.is_none(), "terminal.institution".to_owned(), Topic::Identity);
    let roles = [
        (ContactRole::Operator, "operator"),
        (ContactRole::Bureau, "bureau"),
        (ContactRole::Software, "software"),
        (ContactRole::Vendor, "vendor"),
    ];
    for (role, name) in roles {
        add(!config.contacts.of.contains_key(&role), format!("contacts.{name}"), Topic::Contact);
    }
    add(config.upload.marker.is_none(), "upload.marker".to_owned(), Topic::Transfers);
    add(config.rules.set.is_none(), "rules.set".to_owned(), Topic::Rules);
    add(config.sinks.is_empty(), "[[sink]]".to_owned(), Topic::Sinks);
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> Result<String, (String, u8)> {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("isonet.toml");
        std::fs::write(&file, text).expect("written");
        let plain = |text: String| text.replace(&dir.path().display().to_string(), "DIR");
        let speak = |choice| if choice == LanguageChoice::ZhCn { Lang::ZhCn } else { Lang::En };
        check(Some(&file), Files::MustServe, speak).map(plain).map_err(|(text, status)| (plain(text), status))
    }

    #[test]
    fn a_good_file_says_what_is_not_configured_in_aligned_columns() {
        let out = checked("language = \"zh-CN\"\n[[centre]]\nname = \"结算\"\nhost = \"10.0.0.1\"\n").expect("no problems");
        insta::assert_snapshot!(out);
    }

    #[test]
    fn a_bad_file_goes_to_the_errors_with_its_status() {
        let (err, status) = checked("[web]\nlisten = \"here\"\n").expect_err("a problem");
        assert_eq!(status, 78);
        assert!(err.starts_with("DIR/isonet.toml:2:10: web.listen:"), "{err}");
        let (err, _) = checked("[web]\nlisten = \"0.0.0.0:8787\"\n").expect_err("the page is for this PC alone");
        assert!(err.contains("loopback"), "{err}");
    }

    #[test]
    fn a_complete_file_has_no_gaps_but_those_it_names() {
        assert!(unconfigured(&Config::default()).iter().any(|gap| gap.key == "[[centre]]"));
        let told = Config { sinks: vec![crate::config::Sink::Journal { name: "j".to_owned() }], ..Config::default() };
        assert!(!unconfigured(&told).iter().any(|gap| gap.key == "[[sink]]"));
    }
}
