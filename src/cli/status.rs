//! `isonet status`: what the running daemon holds; `--what-is-sent`: what leaves this PC, which needs no daemon.

mod watch;

use super::ask::{DOCUMENT, Daemon, Silence, Through};
use super::grammar::{Global, clean};
use super::{INTERNAL, IO, NOT_PERMITTED, NOT_RUNNING, USAGE, complain, print, retire, runtime, style};
use crate::baseline::{Enrolment, machine_id_hash, this_terminal};
use crate::catalogue::Lang;
use crate::config::{Owner, policy, state_dir};
use crate::daemon::retirement;
use crate::model::TerminalCard;
use crate::report::{self, Enrolled, Status};
use crate::sys::clock;
use std::io::IsTerminal;
use std::time::Duration;

/// A loop that does not answer by then is stuck.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// 输出 JSON（status/1）/ Print one JSON document (status/1)
    #[arg(long)]
    json: bool,
    /// 列出按现在的配置会送出什么、送给谁，附一条实例 / What leaves this PC under the configuration, and to whom, with an example
    #[arg(long, conflicts_with = "json")]
    what_is_sent: bool,
    /// 一直显示，每秒更新；按 Ctrl-C 结束 / Keep showing, drawn again each second; Ctrl-C ends it
    #[arg(long, conflicts_with_all = ["json", "what_is_sent"])]
    watch: bool,
}

pub fn run(global: &Global, arguments: &Arguments) -> u8 {
    let shown = if arguments.what_is_sent { sent(global) } else { show(global, arguments) };
    shown.err().unwrap_or(0)
}

/// Half a configuration would tell half of it: one that is not right is refused.
fn sent(global: &Global) -> Result<(), u8> {
    let config = global.load()?.config;
    let lang = global.lang(config.language);
    let state = state_dir(&config, Owner::of_process(), |name| std::env::var(name).ok());
    let enrolled = match Enrolment::of(state.as_deref()) {
        Enrolment::Enrolled(_) => Enrolled::Yes,
        Enrolment::NotEnrolled => Enrolled::No,
        Enrolment::Unreadable(why) => {
            complain(&lang.pick(
                format!("isonet: 登记的内容读不出来，不知道是否已登记，下面按已登记说：{}", clean(&why)),
                format!(
                    "isonet: the baseline cannot be read, so whether this PC is enrolled is not known; told as if it were: {}",
                    clean(&why)
                ),
            ));
            Enrolled::Yes
        }
    };
    let card = TerminalCard::of(&config.terminal, this_terminal(&config.terminal), machine_id_hash(), &policy::digest(&config));
    print(&report::what_is_sent(&config, enrolled, &card, &clock::stamp(), lang, style(global)))
}

fn show(global: &Global, arguments: &Arguments) -> Result<(), u8> {
    let config = global.load_places()?;
    let lang = global.lang(config.language);
    let daemon = Daemon::of(&config);
    if arguments.watch && !std::io::stdout().is_terminal() {
        complain(lang.pick(
            "isonet: --watch 要在终端窗口里用；写进文件或交给别的程序请用 isonet status --json。",
            "isonet: --watch needs a terminal; for a file or another program use isonet status --json.",
        ));
        return Err(USAGE);
    }
    let runtime = runtime()?;
    if arguments.watch {
        return runtime.block_on(watch::watch(&daemon, global, lang));
    }
    let target = format!("/v1/status?lang={}", lang.tag());
    let told =
        runtime.block_on(daemon.get(&target, Through::Either, DOCUMENT, PATIENCE)).map_err(|silence| explain(&silence, &daemon, lang))?;
    let status: Status = serde_json::from_slice(&told).map_err(|error| explain(&Silence::Broken(error.to_string()), &daemon, lang))?;
    let text = if arguments.json {
        serde_json::to_string_pretty(&status).expect("plain data with string keys always serialises") + "\n"
    } else {
        report::render_status(&status, &clock::wall().to_zoned(jiff::tz::TimeZone::system()), lang, style(global))
    };
    print(&text)
}

/// Says why the daemon did not answer, and what to do; gives the status to end with.
pub(super) fn explain(silence: &Silence, daemon: &Daemon, lang: Lang) -> u8 {
    let place = clean(&daemon.place());
    if let (Silence::NotRunning, Some(state)) = (silence, daemon.state().filter(|state| retirement::is_noted(state))) {
        complain(&format!("isonet: {}", retire::is_out_of_service(state, lang)));
        return NOT_RUNNING;
    }
    let (words, status) = match silence {
        Silence::NotRunning => (
            lang.pick(
                format!("值守程序没有在运行（{place} 没有应答）。启动它：systemctl start isonet，或者 isonet run；只查一次用 isonet diagnose。"),
                format!("The service is not running (nobody answers in {place}). Start it: systemctl start isonet, or isonet run; for one look: isonet diagnose."),
            ),
            NOT_RUNNING,
        ),
        Silence::NotPermitted => (
            lang.pick(
                "这要 root 或 isonet 组的用户才能看。加入该组：sudo usermod -aG isonet 用户名，然后重新登录。".to_owned(),
                "Only root and the group isonet may see this. To join: sudo usermod -aG isonet USER, then log in again.".to_owned(),
            ),
            NOT_PERMITTED,
        ),
        Silence::Stranger(path) => {
            let path = clean(&path.display().to_string());
            let words = lang.pick(
                format!("{path} 后面不是本机的值守程序，不采信。"),
                format!("Whoever answers at {path} is not this PC's service and is not believed."),
            );
            (words, NOT_PERMITTED)
        }
        Silence::Slow => (
            lang.pick("值守程序没有及时应答，请稍后再试。".to_owned(), "The service did not answer in time: try again in a moment.".to_owned()),
            NOT_RUNNING,
        ),
        Silence::Refused(code, text) => (clean(text), if code == "log-unreadable" { IO } else { NOT_RUNNING }),
        Silence::Broken(why) => {
            let why = clean(why);
            (lang.pick(format!("值守程序的应答看不懂：{why}"), format!("The service's answer is not understood: {why}")), INTERNAL)
        }
    };
    complain(&format!("isonet: {words}"));
    status
}
