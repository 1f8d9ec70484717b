//! `isonet grant`: records an authorised window with the running service, lists them, revokes one.
//!
//! The service is the only one who writes grants, and decides who may: root and the group `isonet-admin`. Exit status: 64 = the command line;
//! 65 = the grant is refused; 69 = no service runs; 77 = this user may not.

use super::ask::{Daemon, Silence, Through};
use super::grammar::{Global, clean};
use super::status::explain;
use super::{NOT_PERMITTED, USAGE, complain, completions, print, runtime};
use crate::baseline::this_terminal;
use crate::catalogue::{Lang, authority, scope};
use crate::config::duration;
use crate::daemon::grants::{Listed, ListedGrant, Order, Wanted, signed_text};
use crate::model::Scope;
use crate::sys::{clock, files};
use clap::ValueEnum;
use clap_complete::ArgValueCandidates;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

/// The service answers when the grant is on disk.
const PATIENCE: Duration = Duration::from_secs(15);
/// Longest list that is read, bytes.
const LONGEST: usize = 1 << 20;
/// Largest file of the bureau, bytes.
const LARGEST_CODE: u64 = 4096;
/// The grant is refused (`EX_DATAERR`).
const REFUSED: u8 = 65;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// 放行内容，或 list、revoke / internet, usb, clock, settings, software, network, hardware; or list, revoke
    #[arg(value_name = "WHAT", hide_possible_values = true)]
    what: What,
    /// 要收回的编号（revoke）/ The grant to revoke
    #[arg(value_name = "ID", add = ArgValueCandidates::new(completions::grants))]
    id: Option<String>,
    /// 到何时为止：18:00、2026-12-01T18:00、2h / Until when: 18:00, 2026-12-01T18:00, 2h
    #[arg(long, value_name = "TIME", value_parser = until)]
    until: Option<Until>,
    /// 谁批准的 / Who allowed it
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// 原因 / What for
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// 只放行这一个设备（vendor:product:serial 或序列号）/ Only this device: vendor:product:serial, or its serial
    #[arg(long, value_name = "ID")]
    device: Option<String>,
    /// 医保局的放行码，或 @文件 / The bureau's code, or @FILE
    #[arg(long, value_name = "CODE")]
    code: Option<String>,
    /// 只打印请医保局签名的内容，不登记 / Print what the bureau is to sign, and record nothing
    #[arg(long)]
    text: bool,
    /// 列表输出 JSON（grants/1）/ Print the list as one JSON document (grants/1)
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    Internet,
    Usb,
    Clock,
    Settings,
    Software,
    Network,
    Hardware,
    List,
    Revoke,
}

impl What {
    fn scope(self) -> Option<Scope> {
        Some(match self {
            Self::Internet => Scope::Internet,
            Self::Usb => Scope::Usb,
            Self::Clock => Scope::Clock,
            Self::Settings => Scope::Settings,
            Self::Software => Scope::Software,
            Self::Network => Scope::Network,
            Self::Hardware => Scope::Hardware,
            Self::List | Self::Revoke => return None,
        })
    }
}

/// The end of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
    In(Duration),
    Today(jiff::civil::Time),
    Local(jiff::civil::DateTime),
    At(Timestamp),
}

fn until(text: &str) -> Result<Until, &'static str> {
    if let Ok(length) = duration::parse(text) {
        return Ok(Until::In(length));
    }
    let local = || text.parse().map(Until::Local).map_err(|_| ());
    // A bare number is understood as an hour by the parser, and may be meant as anything.
    let today = || text.parse().ok().filter(|_| text.contains(':')).map(Until::Today).ok_or(());
    let at = || text.parse().map(Until::At).map_err(|_| ());
    at().or_else(|()| local())
        .or_else(|()| today())
        .map_err(|()| "应为时间，如 18:00、2026-12-01T18:00、2h / write a time such as 18:00, 2026-12-01T18:00 or 2h")
}

impl Until {
    /// In whole seconds, as the bureau signs it.
    fn timestamp(self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let local = |at: jiff::civil::DateTime| zone.to_timestamp(at).ok();
        let at = match self {
            Self::In(length) => now.checked_add(length).ok(),
            Self::Today(time) => local(now.to_zoned(zone.clone()).date().to_datetime(time)),
            Self::Local(at) => local(at),
            Self::At(at) => Some(at),
        }?;
        Timestamp::from_second(at.as_second()).ok()
    }
}

pub fn run(global: &Global, arguments: &Arguments) -> u8 {
    perform(global, arguments).err().unwrap_or(0)
}

fn perform(global: &Global, arguments: &Arguments) -> Result<(), u8> {
    let config = global.load_places()?;
    let lang = global.lang(config.language);
    let daemon = Daemon::of(&config);
    if arguments.what == What::List {
        only(arguments, &[])?;
        let listed = runtime()?.block_on(daemon.get("/v1/grants", Through::Control, LONGEST, PATIENCE));
        let bytes = listed.map_err(|silence| explain(&silence, &daemon, lang))?;
        return show(&bytes, arguments.json, &daemon, lang);
    }
    let order = match arguments.what.scope() {
        None => Order::Revoke { revoke: revoked(arguments)? },
        Some(what) => {
            let wanted = wanted(arguments, what)?;
            if arguments.text {
                // The terminal's id may be configured, so the whole configuration counts here.
                return print(&signed_text(&wanted, this_terminal(&global.load()?.config.terminal).as_deref()));
            }
            Order::Grant(wanted)
        }
    };
    let body = serde_json::to_vec(&order).expect("plain data with string keys always serialises");
    let target = format!("/v1/grants?lang={}", lang.tag());
    let listed = runtime()?.block_on(daemon.post(&target, body, LONGEST, PATIENCE)).map_err(|silence| refused(&silence, &daemon, lang))?;
    show(&listed, arguments.json, &daemon, lang)
}

fn usage(text: &str) -> u8 {
    complain(&format!("isonet: {text}"));
    USAGE
}

/// Whether nothing but `allowed` is there.
fn only(arguments: &Arguments, allowed: &[&str]) -> Result<(), u8> {
    let there = [
        ("ID", arguments.id.is_some()),
        ("--until", arguments.until.is_some()),
        ("--by", arguments.by.is_some()),
        ("--reason", arguments.reason.is_some()),
        ("--device", arguments.device.is_some()),
        ("--code", arguments.code.is_some()),
        ("--text", arguments.text),
    ];
    match there.into_iter().find(|(name, there)| *there && !allowed.contains(name)) {
        None => Ok(()),
        Some((name, _)) => Err(usage(&format!("这里不能用 {name} / {name} does not go with this"))),
    }
}

fn revoked(arguments: &Arguments) -> Result<String, u8> {
    only(arguments, &["ID"])?;
    arguments.id.clone().ok_or_else(|| usage("revoke 后面要写编号，编号见 isonet grant list / revoke needs an ID: see isonet grant list"))
}

fn wanted(arguments: &Arguments, what: Scope) -> Result<Wanted, u8> {
    only(arguments, &["--until", "--by", "--reason", "--device", "--code", "--text"])?;
    let lacks = |flag: &str| usage(&format!("缺少 {flag} / {flag} is missing"));
    let until = arguments.until.ok_or_else(|| lacks("--until"))?;
    let until =
        until.timestamp(clock::wall(), &TimeZone::system()).ok_or_else(|| usage("--until 不是可用的时间 / no such time: --until"))?;
    Ok(Wanted {
        what,
        until,
        by: arguments.by.clone().ok_or_else(|| lacks("--by"))?,
        reason: arguments.reason.clone().ok_or_else(|| lacks("--reason"))?,
        device: arguments.device.clone(),
        code: arguments.code.as_deref().map(code).transpose()?,
    })
}

/// The code itself, or what stands in the file.
fn code(text: &str) -> Result<String, u8> {
    let Some(path) = text.strip_prefix('@') else { return Ok(text.to_owned()) };
    files::read_text(Path::new(path), LARGEST_CODE).map(|text| text.trim().to_owned()).map_err(|error| {
        complain(&format!("isonet: {}", clean(&error.line())));
        if error.is_absent() { 66 } else { super::IO }
    })
}

fn refused(silence: &Silence, daemon: &Daemon, lang: Lang) -> u8 {
    match silence {
        Silence::Refused(code, text) if !matches!(code.as_str(), "busy" | "method-not-allowed") => {
            complain(&format!("isonet: {}", clean(text)));
            if code == "not-permitted" { NOT_PERMITTED } else { REFUSED }
        }
        silence => explain(silence, daemon, lang),
    }
}

fn show(bytes: &[u8], json: bool, daemon: &Daemon, lang: Lang) -> Result<(), u8> {
    let listed: Listed = serde_json::from_slice(bytes).map_err(|error| explain(&Silence::Broken(error.to_string()), daemon, lang))?;
    if json {
        return print(&(serde_json::to_string_pretty(&listed).expect("plain data with string keys always serialises") + "\n"));
    }
    print(&render(&listed, &TimeZone::system(), lang))
}

/// All of them, the latest first.
fn render(listed: &Listed, zone: &TimeZone, lang: Lang) -> String {
    if listed.grants.is_empty() {
        return lang.pick("没有登记过放行。\n", "No grant is recorded.\n").to_owned();
    }
    let mut text = String::new();
    for ListedGrant { grant, open, revoked } in listed.grants.iter().rev() {
        let state = match (open, revoked) {
            (true, _) => lang.pick("有效", "open"),
            (false, true) => lang.pick("已收回", "revoked"),
            (false, false) => lang.pick("已到期", "over"),
        };
        let until = grant.until.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string();
        let what = scope(grant.what, lang);
        let device =
            grant.device.as_deref().map(|device| format!("{}{}", lang.pick("，只限 ", ", only "), clean(device))).unwrap_or_default();
        let _ = match lang {
            Lang::ZhCn => writeln!(text, "{}  {state}，到 {until} 为止：{what}{device}", grant.id),
            Lang::En => writeln!(text, "{}  {state}, until {until}: {what}{device}", grant.id),
        };
        let (by, reason, authority) = (clean(&grant.by), clean(&grant.reason), authority(grant.authority, lang));
        let _ = match lang {
            Lang::ZhCn => writeln!(text, "            {authority}；批准人：{by}；原因：{reason}"),
            Lang::En => writeln!(text, "            {authority}; by {by}, because: {reason}"),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Authority, Grant};

    #[test]
    fn an_end_is_understood_in_every_writing() {
        let now: Timestamp = "2026-11-22T08:00:00.5Z".parse().expect("a time");
        let zone = TimeZone::fixed(jiff::tz::offset(8));
        for (text, expected) in [
            ("2h", "2026-11-22T10:00:00Z"),
            ("18:30", "2026-11-22T10:30:00Z"),
            ("2026-12-01T18:00", "2026-12-01T10:00:00Z"),
            ("2026-12-01T18:00:00+08:00", "2026-12-01T10:00:00Z"),
        ] {
            let at = until(text).ok().and_then(|until| until.timestamp(now, &zone));
            assert_eq!(at.map(|at| at.to_string()).as_deref(), Some(expected), "{text}");
        }
        for text in ["", "tomorrow", "25:00", "18"] {
            assert!(until(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_list_reads_well_in_both_languages_and_steers_no_terminal() {
        let grant = |id: &str, authority| Grant {
            id: id.to_owned(),
            what: Scope::Usb,
            until: "2026-11-22T10:00:00Z".parse().expect("a time"),
            by: "李四".to_owned(),
            reason: "升级\u{1b}[2J".to_owned(),
            device: Some("X1".to_owned()),
            authority,
            uid: 0,
        };
        let listed = Listed {
            schema: "grants/1".to_owned(),
            grants: vec![
                ListedGrant { grant: grant("g-00000001", Authority::Institution), open: false, revoked: true },
                ListedGrant { grant: grant("g-00000002", Authority::Bureau), open: true, revoked: false },
            ],
        };
        let both = Lang::ALL.map(|lang| render(&listed, &TimeZone::UTC, lang)).concat();
        insta::assert_snapshot!(both, @r"
        g-00000002  有效，到 2026-11-22 10:00 为止：U 盘、手机等外接设备，只限 X1
                    医保局授权；批准人：李四；原因：升级?[2J
        g-00000001  已收回，到 2026-11-22 10:00 为止：U 盘、手机等外接设备，只限 X1
                    本单位自己登记；批准人：李四；原因：升级?[2J
        g-00000002  open, until 2026-11-22 10:00: USB sticks, phones and the like, only X1
                    authorised by the bureau; by 李四, because: 升级?[2J
        g-00000001  revoked, until 2026-11-22 10:00: USB sticks, phones and the like, only X1
                    on the institution's own authority; by 李四, because: 升级?[2J
        ");
    }
}
