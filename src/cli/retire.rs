//! `isonet retire`: takes the terminal out of service, for good. The service writes its last record and gives receivers what they do not have; then
//! it starts no more, the log is exported, signed and checked, and a report says what was done and what is left for people to do. Nothing is
//! deleted unless `--wipe` asks for it. Run again, it goes on where it was cut off.
//!
//! Exit status: 64 = the command line, or it was not confirmed; 65 = the log is not as it was written; 69 = the service does not run; 74 =
//! something could not be read or written; 77 = this user may not.

mod export;
mod wipe;

use super::ask::{DOCUMENT, Daemon, Silence, Through};
use super::grammar::{Global, clean};
use super::status::explain;
use super::{IO, NOT_PERMITTED, NOT_RUNNING, USAGE, complain, integrity, print, runtime, style};
use crate::baseline::{machine_id_hash, this_terminal};
use crate::catalogue::{Lang, title};
use crate::config::{Config, Owner, duration, policy, state_dir};
use crate::daemon::retirement::{self, LONGEST};
use crate::key;
use crate::model::{Body, Comment, IncidentId, Phase, RETIRED_SCHEMA, Record, Retired, TerminalCard};
use crate::report::{FinalReport, LogAtEnd, Unit};
use crate::spool::{Cursors, Disk, EpochReport, Position, Report};
use crate::sys::clock;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// The service answers when its last record is on disk.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long after its receivers the service may need to end.
const ENDING: Duration = Duration::from_secs(30);
/// Between two looks whether it has ended.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// What has to be typed to confirm.
const WORD: &str = "retire";
/// The service of the packages.
const UNIT: &str = "isonet.service";
/// The state directory of that service.
const STATE_OF_UNIT: &str = "/var/lib/isonet";

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// 经办人 / Who does it
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// 原因，如「协议终止」 / Why, such as "the contract ended"
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// 不再询问 / Do not ask
    #[arg(long)]
    yes: bool,
    /// 最终报告和记录导出到哪个目录下；不填为当前目录 / Where to put report and records [the current directory]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// 等接收方收完的时间，最长 10m；不填为 60s / How long to wait for receivers, 10m at most [60s]
    #[arg(long, value_name = "TIME", default_value = "60s", hide_default_value = true, value_parser = duration::parse)]
    wait: Duration,
    /// 导出并核对之后，清除本机上的记录、登记和密钥 / Wipe records, baseline and key from this PC, once they are exported and checked
    #[arg(long)]
    wipe: bool,
    /// 值守程序没有运行、也起不来时用：不写最后一条记录，不送出 / For a service that cannot run: no last record, nothing is shipped
    #[arg(long)]
    offline: bool,
}

pub fn run(global: &Global, arguments: &Arguments) -> u8 {
    retire(global, arguments).unwrap_or_else(|status| status)
}

/// Everything that the steps need to know.
struct Leaving<'a> {
    global: &'a Global,
    arguments: &'a Arguments,
    config: Config,
    state: PathBuf,
    lang: Lang,
}

fn retire(global: &Global, arguments: &Arguments) -> Result<u8, u8> {
    let config = global.load_places()?;
    let lang = global.lang(config.language);
    let Some(state) = state_dir(&config, Owner::of_process(), |name| std::env::var(name).ok()) else {
        return Err(fail(IO, lang.pick("没有主目录，请在配置中填写 state-dir", "there is no home directory: configure state-dir")));
    };
    let leaving = Leaving { global, arguments, config, state, lang };
    let retired = match leaving.noted()? {
        Some(retired) => {
            leaving.again(&retired);
            retired
        }
        None => leaving.take_out()?,
    };
    leaving.conclude(retired)
}

impl Leaving<'_> {
    /// The note of an earlier run.
    fn noted(&self) -> Result<Option<Retired>, u8> {
        retirement::load(&self.state).map_err(|error| {
            let path = self.state.join(retirement::FILE_NAME);
            let (path, why) = (clean(&path.display().to_string()), clean(&error.to_string()));
            let words = self.lang.pick(format!("退出使用的标记 {path} 读不了：{why}"), format!("the note {path} cannot be read: {why}"));
            let denied = matches!(&error, retirement::NoteError::Unreadable(error) if is_denied(error));
            fail(if denied { NOT_PERMITTED } else { IO }, &words)
        })
    }

    fn again(&self, retired: &Retired) {
        let (at, by) = (retired.at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string(), clean(&retired.by));
        complain(&self.lang.pick(
            format!("isonet: 本终端已于 {at} 退出使用（经办：{by}）；下面把没做完的做完。"),
            format!("isonet: this terminal was taken out of service before ({at}, by {by}); what was left is done now."),
        ));
    }

    /// Has the service say goodbye and waits for its end. Gives the note that is on disk then.
    fn take_out(&self) -> Result<Retired, u8> {
        let (by, reason) = self.who_and_why()?;
        self.confirm()?;
        let daemon = Daemon::of(&self.config);
        if self.arguments.offline {
            return self.take_out_offline(&daemon, by, reason);
        }
        let wait_s = self.arguments.wait.min(LONGEST).as_secs();
        let order = serde_json::json!({ "by": by, "reason": reason, "wait_s": wait_s });
        let target = format!("/v1/retire?lang={}", self.lang.tag());
        let runtime = runtime()?;
        let told = runtime.block_on(daemon.post(&target, order.to_string().into_bytes(), DOCUMENT, PATIENCE));
        let told = told.map_err(|silence| self.refused(&silence, &daemon))?;
        let retired: Retired =
            serde_json::from_slice(&told).map_err(|error| explain(&Silence::Broken(error.to_string()), &daemon, self.lang))?;
        complain(
            self.lang
                .pick("isonet: 最后一条记录已写好，正在等接收方收完……", "isonet: the last record is written; waiting for receivers ..."),
        );
        if !runtime.block_on(ends(&daemon, self.arguments.wait.min(LONGEST) + ENDING)) {
            return Err(fail(
                IO,
                self.lang.pick(
                    "值守程序没有结束。请停止它（systemctl stop isonet），再运行一次 isonet retire。",
                    "the service did not end. Stop it (systemctl stop isonet), then run isonet retire again.",
                ),
            ));
        }
        Ok(retired)
    }

    fn who_and_why(&self) -> Result<(String, String), u8> {
        let filled = |flag: &str, value: &Option<String>| {
            let text = value.as_deref().unwrap_or_default().trim().to_owned();
            if Comment::is_fit(&text) {
                return Ok(text);
            }
            Err(fail(
                USAGE,
                &self.lang.pick(
                    format!("必须填写 {flag}（不超过 300 个字，不能有换行和特殊字符）"),
                    format!("{flag} is needed (300 characters at most, no line breaks or control characters)"),
                ),
            ))
        };
        Ok((filled("--by", &self.arguments.by)?, filled("--reason", &self.arguments.reason)?))
    }

    /// Says what will happen, and asks.
    fn confirm(&self) -> Result<(), u8> {
        if self.arguments.yes {
            return Ok(());
        }
        let wipe = if self.arguments.wipe {
            self.lang.pick("、清除本机的记录、登记和密钥", ", wipe records, baseline and key")
        } else {
            ""
        };
        let plan = match self.lang {
            Lang::ZhCn => format!(
                "本终端将退出使用：写下最后一条记录并送出、停止值守程序并取消开机启动、导出并核对记录{wipe}。\n之后这台电脑的网络没有人看守。"
            ),
            Lang::En => format!(
                "This terminal leaves service: the last record is written and shipped, the service ends and does not start any more, the records are \
                 exported and checked{wipe}.\nFrom then on nobody watches this PC's network."
            ),
        };
        if !std::io::stdin().is_terminal() {
            let more = self.lang.pick("没有终端可以询问：确认无误请加 --yes。", "There is no terminal to ask at: to confirm, add --yes.");
            return Err(fail(USAGE, &format!("{plan}\n{more}")));
        }
        complain(&plan);
        complain(&self.lang.pick(format!("确认请输入 {WORD} 并回车："), format!("To confirm type {WORD} and press Enter:")));
        let mut typed = String::new();
        let read = std::io::stdin().lock().read_line(&mut typed);
        if read.is_ok() && typed.trim() == WORD {
            return Ok(());
        }
        Err(fail(USAGE, self.lang.pick("没有确认，什么都没有做。", "not confirmed; nothing was done.")))
    }

    /// Where no service can run there is no last record; the note alone keeps it from starting.
    fn take_out_offline(&self, daemon: &Daemon, by: String, reason: String) -> Result<Retired, u8> {
        if !runtime()?.block_on(is_gone(daemon)) {
            return Err(fail(
                USAGE,
                self.lang.pick(
                    "值守程序在运行，不需要 --offline：去掉它，最后一条记录才写得上、送得出。",
                    "the service runs: leave out --offline, so that it writes and ships a last record.",
                ),
            ));
        }
        if !self.state.is_dir() {
            let dir = clean(&self.state.display().to_string());
            return Err(fail(
                integrity::MISSING,
                &self
                    .lang
                    .pick(format!("{dir} 不存在：本机没有运行过值守程序。"), format!("there is no {dir}: no service ever ran on this PC.")),
            ));
        }
        let retired = Retired { schema: RETIRED_SCHEMA.to_owned(), at: clock::wall(), by, reason, last: None, wiped: None };
        self.note(&retired)?;
        Ok(retired)
    }

    fn note(&self, retired: &Retired) -> Result<(), u8> {
        retirement::save(&self.state, retired).map_err(|error| {
            let dir = clean(&self.state.display().to_string());
            let status = if error.kind() == std::io::ErrorKind::PermissionDenied { NOT_PERMITTED } else { IO };
            fail(status, &self.lang.pick(format!("{dir} 里写不进标记：{error}"), format!("the note cannot be written in {dir}: {error}")))
        })
    }

    fn refused(&self, silence: &Silence, daemon: &Daemon) -> u8 {
        match silence {
            Silence::Refused(code, text) if code == "only-root" => fail(NOT_PERMITTED, &clean(text)),
            Silence::Refused(code, text) if matches!(code.as_str(), "no-log" | "no-note") => fail(IO, &clean(text)),
            Silence::NotRunning => {
                explain(silence, daemon, self.lang);
                complain(self.lang.pick(
                    "isonet: 值守程序要在运行，才写得上最后一条记录、送得出去；实在起不来，加 --offline。",
                    "isonet: only a running service can write and ship the last record; if it cannot be started, add --offline.",
                ));
                NOT_RUNNING
            }
            silence => explain(silence, daemon, self.lang),
        }
    }

    /// What comes after the service: its unit, the export, the report, and what is to be wiped.
    fn conclude(&self, mut retired: Retired) -> Result<u8, u8> {
        if !runtime()?.block_on(is_gone(&Daemon::of(&self.config))) {
            return Err(fail(
                IO,
                self.lang.pick(
                    "值守程序还在运行。请停止它（systemctl stop isonet），再运行一次 isonet retire。",
                    "the service still runs. Stop it (systemctl stop isonet), then run isonet retire again.",
                ),
            ));
        }
        let unit = self.disable();
        let spool = self.state.join("spool");
        let card = self.card();
        let mut report = FinalReport {
            terminal: card,
            retired: retired.clone(),
            log: None,
            receivers: Vec::new(),
            unit,
            export: None,
            state_dir: self.state.display().to_string(),
            key: None,
        };
        let mut status = if matches!(report.unit, Unit::Refused(_)) { IO } else { 0 };
        if retired.wiped.is_none() && spool.is_dir() {
            let mut reading = Reading::default();
            let proof = integrity::read(&spool, self.lang, &mut |line| reading.take(line))?;
            report.receivers = self.receivers(&proof);
            report.log = Some(reading.end(&proof));
            let exported = export::make(self, &mut report, &proof)?;
            report.export = Some(clean(&exported.display().to_string()));
            status = status.max(integrity::status(&proof));
        }
        if self.arguments.wipe && retired.wiped.is_none() {
            if report.log.as_ref().is_some_and(|log| !log.is_whole) {
                complain(self.lang.pick(
                    "isonet: 记录不完整，没有清除：先交给医保局信息科看过。",
                    "isonet: the log is not whole, so nothing was wiped: let the bureau see it first.",
                ));
            } else {
                wipe::wipe(&self.state).map_err(|error| {
                    let words = clean(&error.to_string());
                    fail(IO, &self.lang.pick(format!("没有清除干净：{words}"), format!("not everything was wiped: {words}")))
                })?;
                retired.wiped = Some(clock::wall());
                self.note(&retired)?;
                report.retired = retired;
            }
        }
        print(&report.render(self.lang, &TimeZone::system(), style(self.global).width))?;
        Ok(status)
    }

    fn card(&self) -> TerminalCard {
        let terminal = &self.config.terminal;
        TerminalCard::of(terminal, this_terminal(terminal), machine_id_hash(), &policy::digest(&self.config))
    }

    /// How many records each receiver lacks, by its cursor.
    fn receivers(&self, proof: &Report) -> Vec<(String, Option<u64>)> {
        let cursors = Cursors::open(Disk::look(&self.state.join("cursors"))).ok();
        let at = |name: &str| cursors.as_ref().and_then(|cursors| cursors.get(name));
        self.config.sinks.iter().map(|sink| (sink.name().to_owned(), lacking(&proof.epochs, at(sink.name())))).collect()
    }

    /// The unit of the packages, where this is its terminal and a service manager runs.
    fn disable(&self) -> Unit {
        if self.state != Path::new(STATE_OF_UNIT) || !Path::new("/run/systemd/system").is_dir() {
            return Unit::None;
        }
        let ran = Command::new("systemctl").args(["disable", "--now", UNIT]).env("LC_ALL", "C").stdin(Stdio::null()).output();
        match ran {
            Ok(out) if out.status.success() => Unit::Disabled,
            Ok(out) => {
                let words = String::from_utf8_lossy(&out.stderr);
                let last = words.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("?");
                // A unit that is not there starts nothing.
                if last.contains("does not exist") { Unit::None } else { Unit::Refused(clean(last)) }
            }
            Err(error) => Unit::Refused(error.to_string()),
        }
    }
}

fn fail(status: u8, text: &str) -> u8 {
    complain(&format!("isonet: {text}"));
    status
}

fn is_denied(error: &crate::sys::files::ReadError) -> bool {
    matches!(error, crate::sys::files::ReadError::Io { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied)
}

/// Nobody is there any more. One who does not let us ask is there.
async fn is_gone(daemon: &Daemon) -> bool {
    matches!(daemon.get("/v1/status", Through::Either, DOCUMENT, Duration::from_secs(5)).await, Err(Silence::NotRunning))
}

async fn ends(daemon: &Daemon, patience: Duration) -> bool {
    let until = Instant::now() + patience;
    while !is_gone(daemon).await {
        if Instant::now() >= until {
            return false;
        }
        sleep(LOOK_AGAIN).await;
    }
    true
}

/// How many records are behind a cursor; `None` = the log does not know its place.
fn lacking(epochs: &[EpochReport], at: Option<Position>) -> Option<u64> {
    let Some(at) = at else { return Some(epochs.iter().map(|epoch| epoch.records).sum()) };
    let begins = epochs.iter().position(|epoch| epoch.epoch == at.epoch)?;
    let (first, later) = epochs[begins..].split_first()?;
    Some(first.last.checked_sub(at.seq)? + later.iter().map(|epoch| epoch.records).sum::<u64>())
}

/// What a log holds, line by line.
#[derive(Default)]
struct Reading {
    span: Option<(Timestamp, Timestamp)>,
    epoch: String,
    incidents: BTreeSet<String>,
    open: BTreeMap<String, (String, IncidentId, [String; 2])>,
}

impl Reading {
    fn take(&mut self, line: &[u8]) {
        let Ok(record) = serde_json::from_slice::<Record>(line) else { return };
        let at = record.time.wall;
        self.span = Some(self.span.map_or((at, at), |(first, _)| (first, at)));
        if let Body::Incident(body) = record.body {
            let name = body.incident.id.to_string();
            if body.incident.phase == Phase::Resolved {
                self.open.remove(&name);
            } else {
                let titles = Lang::ALL.map(|lang| title(&body.cause.code, &body.cause.object, lang));
                self.open.insert(name.clone(), (record.epoch.clone(), body.incident.id, titles));
            }
            self.incidents.insert(name);
        }
        self.epoch = record.epoch;
    }

    fn end(self, proof: &Report) -> LogAtEnd {
        // What is open in the newest epoch stands in it; what an older one left open was lost with it.
        let open = self.open.into_values().filter(|(epoch, ..)| *epoch == self.epoch).map(|(_, id, titles)| (id, titles));
        LogAtEnd {
            span: self.span,
            records: proof.records,
            is_whole: proof.is_whole(),
            incidents: self.incidents.len(),
            open: open.collect(),
        }
    }
}

/// That a terminal has left, for whoever looks for its service.
pub(super) fn is_out_of_service(state: &Path, lang: Lang) -> String {
    let told = retirement::load(state).ok().flatten().map(|Retired { at, by, .. }| {
        let (at, by) = (at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string(), clean(&by));
        lang.pick(format!("（{at}，经办：{by}）"), format!(" ({at}, by {by})"))
    });
    let told = told.unwrap_or_default();
    lang.pick(
        format!(
            "本终端已退出使用{told}，值守程序不再启动。要重新使用：isonet enroll --update --by 姓名 --reason 原因（没有登记过或已清除的，运行 isonet enroll），再运行 \
             systemctl enable --now isonet。"
        ),
        format!(
            "this terminal was taken out of service{told}, and its service does not start. To use it again: isonet enroll --update --by NAME --reason \
             TEXT (isonet enroll, if it was never enrolled or is wiped), then systemctl enable --now isonet."
        ),
    )
}

/// The key that signs; `None` = there is none that can be used.
fn own_key(state: &Path) -> Option<key::Key> {
    key::load(state).ok().flatten().map(|held| held.key)
}

pub(super) use export::STATEMENT;
pub(super) use export::verify;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::Digest;

    #[test]
    fn a_receiver_lacks_what_is_behind_its_cursor() {
        let epoch = |name: &str, records, last| EpochReport { epoch: name.to_owned(), records, last, head: Digest::ZERO };
        let epochs = [epoch("a", 10, 10), epoch("b", 5, 7)];
        let at = |epoch: &str, seq| Some(Position { epoch: epoch.to_owned(), seq });
        for (cursor, expected) in [
            (None, Some(15)),
            (at("a", 10), Some(5)),
            (at("a", 4), Some(11)),
            (at("b", 7), Some(0)),
            (at("b", 6), Some(1)),
            (at("c", 1), None),
            (at("b", 8), None),
        ] {
            assert_eq!(lacking(&epochs, cursor.clone()), expected, "{cursor:?}");
        }
        assert_eq!(lacking(&[], None), Some(0));
    }
}
