//! What the command line may say. Before it is understood nobody knows which language is wanted, so help and usage errors speak both.

use super::{
    USAGE, check_config, complain, completions, diagnose, enroll, evidence, explain, export, grant, incidents, man, notify, page, print,
    retire, run, schema, status, support_bundle, verify_log,
};
use crate::catalogue::Lang;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use clap_complete::ArgValueCandidates;
use std::path::PathBuf;

/// How every help is laid out.
const TEMPLATE: &str = "{about}\n\n用法 Usage: {usage}\n\n{all-args}";

/// 隔离专网终端的值守程序：哪里断了，该找谁 / Says what broke in an isolated private network, and whom to call
#[derive(Debug, Parser)]
#[command(name = "isonet", version, max_term_width = 100, disable_version_flag = true, disable_help_subcommand = true)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
    /// 显示版本 / Print the version
    #[arg(long, short = 'V', action = ArgAction::Version, display_order = 104)]
    version: Option<bool>,
}

/// What every command takes.
#[derive(Debug, Args)]
pub(super) struct Global {
    /// 配置文件 / Configuration file [/etc/isonet/isonet.toml]
    #[arg(long, global = true, value_name = "FILE", display_order = 100)]
    pub(super) config: Option<PathBuf>,
    /// 语言：zh-CN、en、auto / Language: zh-CN, en, auto
    #[arg(long, global = true, value_name = "LANG", hide_possible_values = true, display_order = 101)]
    pub(super) lang: Option<LangArg>,
    /// 颜色：auto、always、never / Colour: auto, always, never
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_possible_values = true,
        hide_default_value = true,
        display_order = 102
    )]
    pub(super) color: ColorArg,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum LangArg {
    #[value(name = "zh-CN", alias = "zh")]
    ZhCn,
    En,
    Auto,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ColorArg {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// 立即检查一次，指出原因和该找谁 / Look at everything now: the cause, and who acts
    Diagnose(diagnose::Arguments),
    /// 常驻值守：看着网络，记下每一次故障 / Stay and watch: record every outage (the service)
    Run(run::Arguments),
    /// 验证记录或证明材料是否完整、未被改动 / Prove that the record log, or a bundle of evidence, is whole and unchanged
    VerifyLog(verify_log::Arguments),
    /// 值守程序现在看到的情况 / What the running service sees now
    Status(status::Arguments),
    /// 值守程序记下的故障 / The outages that the service has recorded
    Incidents(incidents::Arguments),
    /// 把一次故障的证明材料打成一个包，别处可核对 / Pack the evidence of one incident, for others to check
    Evidence(evidence::Arguments),
    /// 解释一个代码，或屏幕上的提示 / Explain one code, or what a screen says
    Explain(explain::Arguments),
    /// 检查配置，一次列出所有问题 / Check the configuration: every problem at once
    CheckConfig(check_config::Arguments),
    /// 登记本终端的正常状态，打印验收单 / Take the baseline, print the acceptance sheet
    Enroll(enroll::Arguments),
    /// 登记、查看、收回一次放行 / Record, list or revoke an authorised window
    Grant(grant::Arguments),
    /// 终端退出使用：最终报告、导出、停用 / Take this terminal out of service: final report, export, no start any more
    Retire(retire::Arguments),
    /// 导出本地记录：jsonl、csv、ocsf、ecs / Export the local records: jsonl, csv, ocsf, ecs
    Export(export::Arguments),
    /// 把供应商排查要看的打成一个包（已遮盖密码），不发送 / Pack what the vendor needs to see into one file, secrets masked; sends nothing
    SupportBundle(support_bundle::Arguments),
    /// 打开状态网页；值守程序没有运行时查一次，打开结果 / Open the status page, or one look where the service does not run
    Page(page::Arguments),
    /// 把故障、恢复等显示为桌面通知（由用户的会话启动）/ Outages and the like as notices on the desktop (what the user unit runs)
    Notify(notify::Arguments),
    /// 打印 isonet 所写 JSON 的 JSON Schema / Print the JSON Schema of what isonet writes
    Schema(schema::Arguments),
    /// 打印命令行补全脚本 / Print the completion script of a shell
    Completions(completions::Arguments),
    /// 手册页 / The man pages
    Man(man::Arguments),
    /// 显示某个命令的帮助 / Print the help of a command
    Help(HelpArguments),
}

#[derive(Debug, Args)]
pub(super) struct HelpArguments {
    /// 命令 / The command
    #[arg(value_name = "COMMAND", add = ArgValueCandidates::new(completions::commands))]
    command: Option<String>,
}

/// Reads the command line of this process. `Err` = it was answered already (help, version, a usage error), with this status.
pub(super) fn read() -> Result<Cli, u8> {
    let parsed = command().try_get_matches().and_then(|matches| Cli::from_arg_matches(&matches));
    match parsed {
        Ok(cli) => Ok(cli),
        Err(error) if error.use_stderr() => {
            complain(&usage_error(&error));
            Err(USAGE)
        }
        Err(error) => Err(print(&error.render().to_string()).err().unwrap_or(0)),
    }
}

pub(super) fn command() -> clap::Command {
    bilingual(Cli::command())
}

/// The same in one language alone, as a page of a manual has it.
pub(super) fn command_in(lang: Lang) -> clap::Command {
    fn in_one(command: clap::Command, lang: Lang) -> clap::Command {
        let about = command.get_about().map(|text| half(&text.to_string(), lang)).unwrap_or_default();
        command
            .about(about)
            .subcommand_help_heading(lang.pick("命令", "COMMANDS"))
            .subcommand_value_name(lang.pick("命令", "COMMAND"))
            .mut_args(|arg| {
                let heading = if arg.is_positional() { lang.pick("参数", "ARGUMENTS") } else { lang.pick("选项", "OPTIONS") };
                let help = arg.get_help().map(|text| half(&text.to_string(), lang)).unwrap_or_default();
                arg.help(help).help_heading(heading)
            })
            .mut_subcommands(|below| in_one(below, lang))
    }
    let mut whole = command();
    // Options that every command takes are handed down only here.
    whole.build();
    in_one(whole, lang)
}

/// One language of a text in two: "中文 / English". The Chinese half may hold a slash, the English one no Chinese.
fn half(text: &str, lang: Lang) -> String {
    let chinese = |text: &str| text.chars().any(|c| ('\u{3000}'..='\u{9fff}').contains(&c) || c > '\u{ff00}');
    let seam = text.match_indices("/ ").find(|(at, _)| chinese(&text[..*at]) && !chinese(&text[*at..]));
    let (zh, en) = seam.map_or((text, text), |(at, seam)| (&text[..at], &text[at + seam.len()..]));
    lang.pick(zh, en).trim().to_owned()
}

/// Headings and the help option in both languages, here and in every command below.
fn bilingual(command: clap::Command) -> clap::Command {
    let help = Arg::new("help").short('h').long("help").action(ArgAction::Help).display_order(103).help("显示帮助 / Print help");
    command
        .help_template(TEMPLATE)
        .subcommand_help_heading("命令 Commands")
        .disable_help_flag(true)
        .arg(help)
        .mut_args(|arg| {
            let heading = if arg.is_positional() { "参数 Arguments" } else { "选项 Options" };
            arg.help_heading(heading)
        })
        .mut_subcommands(bilingual)
}

/// `isonet help`.
pub(super) fn help(arguments: &HelpArguments) -> u8 {
    let mut whole = command();
    whole.build();
    let Some(name) = &arguments.command else { return print(&whole.render_help().to_string()).err().unwrap_or(0) };
    let Some(command) = whole.find_subcommand_mut(name) else {
        complain(&format!("没有「{0}」这个命令 / no such command: {0}", clean(name)));
        return USAGE;
    };
    print(&command.render_help().to_string()).err().unwrap_or(0)
}

/// One line in Chinese, then the parser's own words.
fn usage_error(error: &clap::Error) -> String {
    let english = error.render().to_string();
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return english;
    }
    format!("命令行有误：{}。用法见 isonet --help\n{english}", chinese(error))
}

fn chinese(error: &clap::Error) -> String {
    let told = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => clean(text),
        Some(ContextValue::Strings(texts)) => clean(&texts.join(" ")),
        _ => String::new(),
    };
    let (argument, value) = (told(ContextKind::InvalidArg), told(ContextKind::InvalidValue));
    match error.kind() {
        ErrorKind::UnknownArgument => format!("没有「{argument}」这个选项或参数"),
        ErrorKind::InvalidSubcommand => format!("没有「{}」这个命令", told(ContextKind::InvalidSubcommand)),
        ErrorKind::MissingSubcommand => "缺少命令".to_owned(),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation if value.is_empty() => format!("「{argument}」缺少值"),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => format!("「{argument}」不能是「{value}」"),
        ErrorKind::ArgumentConflict => format!("「{argument}」重复，或与其他选项冲突"),
        ErrorKind::MissingRequiredArgument => format!("缺少「{argument}」"),
        _ => "无法理解".to_owned(),
    }
}

/// Without anything that could steer a terminal.
pub(super) fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn every_help_text_is_in_both_languages() {
        fn look(command: &mut clap::Command) {
            let text = command.render_long_help().to_string();
            let described = command.get_arguments().map(|arg| arg.get_help().map(ToString::to_string).unwrap_or_default());
            for help in described.chain(command.get_about().map(ToString::to_string)) {
                let chinese = help.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
                assert!(chinese && help.contains("/ "), "{help:?} in\n{text}");
            }
            for below in command.get_subcommands_mut() {
                look(below);
            }
        }
        let mut whole = command();
        whole.build();
        look(&mut whole);
    }

    #[test]
    fn every_help_text_falls_into_its_two_languages() {
        fn look(command: &clap::Command, lang: Lang) {
            let described = command.get_arguments().map(|arg| arg.get_help().map(ToString::to_string).unwrap_or_default());
            for help in described.chain(command.get_about().map(ToString::to_string)) {
                let chinese = help.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
                assert_eq!(chinese, lang == Lang::ZhCn, "{help:?}");
                assert!(!help.is_empty() && !help.ends_with('/') && !help.starts_with('/'), "{help:?}");
            }
            for below in command.get_subcommands() {
                look(below, lang);
            }
        }
        for lang in [Lang::ZhCn, Lang::En] {
            look(&command_in(lang), lang);
        }
        assert_eq!(half("甲/乙 / a/b", Lang::En), "a/b");
        assert_eq!(half("甲/乙 / a/b", Lang::ZhCn), "甲/乙");
    }

    #[test]
    fn usage_errors_begin_in_chinese_and_name_what_is_wrong() {
        for (line, expected) in [
            ("isonet dance", "没有「dance」这个命令"),
            ("isonet --dance schema", "没有「--dance」这个选项"),
            ("isonet diagnose --deadline 1h", "不能是「1h」"),
            ("isonet diagnose --deadline", "缺少值"),
            ("isonet --lang fr schema", "不能是「fr」"),
            ("isonet --lang en", "缺少命令"),
            ("isonet enroll --by a --by b", "重复"),
            ("isonet \u{1b}[31m", "没有「?[31m」这个命令"),
        ] {
            let error = command().try_get_matches_from(line.split(' ')).expect_err(line);
            let told = usage_error(&error);
            assert!(told.lines().next().is_some_and(|first| first.contains(expected)), "{line}: {told}");
            assert!(told.contains("error: "), "{told}");
        }
    }
}
