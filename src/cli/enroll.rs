//! `isonet enroll`: takes the baseline and prints the acceptance sheet. It writes one file. To learn who answers in place of the internet already it
//! asks each anchor once, where the service would; `--show` sends nothing. With `--profile` and `--sites` it writes the configuration first.

mod field;
mod sheet;

use super::grammar::Global;
use super::{USAGE, complain, print, runtime};
use crate::baseline::{self, Baseline, Circumstances, Existing, GatherError, StoreError, compare, concerns, gather, load, save};
use crate::catalogue::{Lang, unseen};
use crate::config::{Owner, Sink, load_places, state_dir};
use crate::daemon::retirement;
use crate::key;
use crate::model::{ArpAnswer, Gateway, Outcome, Sighting, Unseen};
use crate::sys::netlink::{self, Snapshot};
use crate::sys::{clock, resolv};
use crate::watch::{Outside, outside_now};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The exit status where this user may not.
const NOT_PERMITTED: u8 = 77;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// 查看基线及现在的差别 / Show the baseline and what differs now
    #[arg(long)]
    show: bool,
    /// 更新基线，须同时填写 --by 和 --reason / Replace the baseline; needs --by and --reason
    #[arg(long)]
    update: bool,
    /// 负责人 / Who answers for it
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// 更新的原因 / Why the baseline is replaced
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    field: field::Arguments,
}

pub fn run(global: &Global, arguments: &Arguments) -> u8 {
    perform(global, arguments).err().unwrap_or(0)
}

fn perform(global: &Global, arguments: &Arguments) -> Result<(), u8> {
    let fail = |text: &str, status: u8| {
        complain(text);
        status
    };
    let action = Action::from_flags(arguments.show, arguments.update, arguments.by.clone(), arguments.reason.clone())
        .map_err(|error| fail(&error.render(global.lang(load_places(global.config.as_deref()).language)), USAGE))?;
    let installed = installed(global, arguments, &action)?;
    if let (Some(installed), Action::Show) = (&installed, &action) {
        return print(&installed.text);
    }
    let loaded = global.load()?;
    let lang = global.lang(loaded.config.language);
    let no_home = || fail(lang.pick("没有主目录，请在配置中填写 state-dir", "there is no home directory: configure state-dir"), 74);
    let state_dir = state_dir(&loaded.config, Owner::of_process(), |name| std::env::var(name).ok()).ok_or_else(no_home)?;
    let snapshot = runtime()?.block_on(netlink::snapshot());
    let lent = crate::watch::lent_now(&snapshot);
    let sightings = sightings(snapshot);
    let (firewall, stamp) = (baseline::look_at_firewall(), clock::stamp());
    let root = Path::new("/");
    let given =
        Circumstances { config: &loaded.config, sightings: &sightings, firewall: &firewall, lent: Some(&lent), stamp: &stamp, root };
    let machine = baseline::machine_fingerprint();
    let place = Place { state_dir: &state_dir, config_files: &loaded.sources, machine: &machine, lang };
    // A second run of a field installation finds what the first one did.
    let again = installed.is_some() && matches!(action, Action::Take { .. }) && matches!(load(&state_dir), Ok(Some(_)));
    let action = if again { Action::Show } else { action };
    let runtime = runtime()?;
    let outside = |baseline: &Baseline| runtime.block_on(outside_now(&loaded.config, baseline, stamp.clone()));
    let sheet = enrol(&action, given, place, outside).map_err(|error| fail(&error.render(lang), error.exit_code()))?;
    let mut above = installed.map(|installed| installed.text + "\n").unwrap_or_default();
    if again {
        above += lang.pick(
            "已经登记过，登记没有变。要更新登记：加上 --update --by 姓名 --reason 原因\n\n",
            "Enrolled already; the baseline was kept. To replace it add --update --by NAME --reason TEXT.\n\n",
        );
    }
    if action != Action::Show {
        above += &back_in_service(&state_dir, lang)?;
    }
    print(&(above + &sheet))
}

/// A terminal that had left and is enrolled again is in service again; what is to be said of that.
fn back_in_service(state: &Path, lang: Lang) -> Result<String, u8> {
    match retirement::lift(state) {
        Ok(false) => Ok(String::new()),
        Ok(true) => Ok(lang
            .pick(
                "本终端曾退出使用，现已重新登记；启动值守：systemctl enable --now isonet\n\n",
                "This terminal had left service and is enrolled again; to start its service: systemctl enable --now isonet\n\n",
            )
            .to_owned()),
        Err(error) => {
            let path = state.join(retirement::FILE_NAME);
            let path = path.display();
            complain(&lang.pick(
                format!("isonet: 已登记，但是退出使用的标记 {path} 去不掉（{error}），值守程序启动不了：删除这个文件"),
                format!("isonet: enrolled, but the note {path} cannot be removed ({error}), and no service starts: delete that file"),
            ));
            Err(74)
        }
    }
}

/// The configuration, where it is asked for; `None` = it is not.
fn installed(global: &Global, arguments: &Arguments, action: &Action) -> Result<Option<field::Installed>, u8> {
    if arguments.field.files().is_none() {
        return Ok(None);
    }
    let snapshot = runtime()?.block_on(netlink::snapshot());
    let mode = if *action == Action::Show { field::Mode::Show } else { field::Mode::Write };
    field::install(global, &arguments.field, mode, &snapshot).map(Some)
}

/// The kernel's state as sightings. Nothing is sent: of the neighbours only what the kernel knows already.
fn sightings(snapshot: Snapshot) -> Vec<Sighting> {
    let skipped = || Unseen::Skipped;
    let known = snapshot.neighbours.ok().into_iter().flatten().filter(|entry| entry.mac.is_some());
    let neighbours: Vec<Sighting> = known
        .map(|entry| {
            let gateway = Gateway {
                neighbour: entry.state,
                mac: entry.mac.clone(),
                arp: ArpAnswer::Unknown(skipped()),
                ping: Outcome::Unknown(skipped()),
                expired_here: None,
            };
            Sighting::Gateway(entry.link.clone(), entry.address, Outcome::Ok(gateway))
        })
        .collect();
    let kernel = [Sighting::Links(snapshot.links), Sighting::Addresses(snapshot.addresses), Sighting::Routes(snapshot.routes)];
    let resolvers = Sighting::Resolvers(resolv::resolvers(&resolv::Places::default()));
    kernel.into_iter().chain(neighbours).chain([resolvers]).collect()
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Take the first baseline.
    Take {
        /// Who takes it.
        by: Option<String>,
    },
    /// Show the one that is there, and what differs from it now. Writes nothing.
    Show,
    /// Replace the one that is there.
    Update {
        /// Who answers for it.
        by: String,
        /// Why.
        reason: String,
    },
}

impl Action {
    /// From the command line. `Err` = what is missing or does not go together (exit status 64).
    pub fn from_flags(show: bool, update: bool, by: Option<String>, reason: Option<String>) -> Result<Self, UsageError> {
        let filled = |text: Option<String>| {
            text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty() && !text.contains(char::is_control))
        };
        match (show, update, filled(by), filled(reason)) {
            (true, true, ..) => Err(UsageError::ShowAndUpdate),
            (true, false, ..) => Ok(Self::Show),
            (false, true, Some(by), Some(reason)) => Ok(Self::Update { by, reason }),
            (false, true, None, _) => Err(UsageError::UpdateLacks("--by")),
            (false, true, _, None) => Err(UsageError::UpdateLacks("--reason")),
            (false, false, by, _) => Ok(Self::Take { by }),
        }
    }
}

/// Flags that do not go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UsageError {
    /// `--show --update`.
    #[error("--show and --update exclude each other")]
    ShowAndUpdate,
    /// An update without a name or a reason.
    #[error("--update needs {0}")]
    UpdateLacks(&'static str),
}

impl UsageError {
    /// In words.
    pub fn render(self, lang: Lang) -> String {
        match self {
            Self::ShowAndUpdate => lang.pick("--show 与 --update 不能同时使用", "--show and --update exclude each other").to_owned(),
            Self::UpdateLacks(flag) => lang.pick(format!("使用 --update 时必须填写 {flag}"), format!("--update needs {flag}")),
        }
    }
}

/// Why an enrolment failed.
#[derive(Debug, thiserror::Error)]
pub enum EnrollError {
    /// Nothing could be taken.
    #[error(transparent)]
    Gather(#[from] GatherError),
    /// The file could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// `--show` or `--update` without a baseline.
    #[error("there is no baseline in {0}")]
    NotEnrolled(PathBuf),
}

impl EnrollError {
    /// 64 already enrolled, 66 not enrolled, 74 or 77 for files, 74 when the kernel could not be asked.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Store(StoreError::Exists(_)) => 64,
            Self::Store(error) => error.exit_code(),
            Self::NotEnrolled(_) => 66,
            Self::Gather(_) => 74,
        }
    }

    /// What failed, where, and what to do now.
    pub fn render(&self, lang: Lang) -> String {
        match self {
            Self::Gather(GatherError::Blind { what, because }) => {
                let because = unseen(because, lang);
                lang.pick(
                    format!("无法登记：读不到内核的{}（{because}）", in_chinese(what)),
                    format!("cannot enrol: the kernel's {what} could not be read ({because})"),
                )
            }
            Self::NotEnrolled(dir) => {
                let dir = dir.display();
                lang.pick(
                    format!("{dir} 中没有基线：尚未登记。请运行 isonet enroll"),
                    format!("there is no baseline in {dir}: not enrolled. Run isonet enroll"),
                )
            }
            Self::Store(error) if error.exit_code() == NOT_PERMITTED => {
                let what = render_store(error, lang);
                lang.pick(
                    format!("{what}\n  当前用户没有权限，什么都没有改：请在命令前加 sudo（或用 root）再运行一次"),
                    format!("{what}\n  this user may not, and nothing was changed: run it again with sudo (or as root)"),
                )
            }
            Self::Store(error) => render_store(error, lang),
        }
    }
}

/// The kernel's lists by their names.
fn in_chinese(what: &str) -> &str {
    match what {
        "links" => "网卡列表",
        "addresses" => "地址列表",
        "routes" => "路由表",
        other => other,
    }
}

fn render_store(error: &StoreError, lang: Lang) -> String {
    match error {
        StoreError::Unreadable(error) => {
            lang.pick(format!("无法读取基线：{}", error.line()), format!("cannot read the baseline: {}", error.line()))
        }
        StoreError::Corrupt { path, line, column, reason } => {
            let path = path.display();
            lang.pick(
                format!("基线 {path} 已损坏（第 {line} 行第 {column} 列：{reason}）。请保留该文件备查，移走后重新登记"),
                format!("the baseline {path} is damaged (line {line}, column {column}: {reason}). Keep the file for inspection: move it away, then enrol anew"),
            )
        }
        StoreError::OtherSchema { path, found } => {
            let path = path.display();
            lang.pick(
                format!("基线 {path} 的格式是 {found:?}，本程序不认识，请使用相应版本的 isonet"),
                format!("the baseline {path} has the format {found:?}, which this program does not know: use the isonet that wrote it"),
            )
        }
        StoreError::Exists(path) => {
            let path = path.display();
            lang.pick(
                format!("已经登记过（{path}），未作改动。查看用 --show；更新用 --update --by 姓名 --reason 原因"),
                format!(
                    "enrolled already ({path}); nothing was changed. See it with --show; replace it with --update --by NAME --reason TEXT"
                ),
            )
        }
        StoreError::Write { operation, path, source } => {
            let path = path.display();
            lang.pick(
                format!("写入基线失败：{path}（{operation}）：{source}"),
                format!("cannot save the baseline: {operation} {path}: {source}"),
            )
        }
    }
}

/// Where an enrolment reads and writes.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Holds the baseline.
    pub state_dir: &'a Path,
    /// Files of the configuration, whose permissions are looked at.
    pub config_files: &'a [PathBuf],
    /// What tells this machine from a clone of its disk.
    pub machine: &'a str,
    /// Language of the sheet.
    pub lang: Lang,
}

/// Does what is asked for and gives the sheet.
///
/// `outside` asks who is there, once, with a state as what is normal; nobody is asked where nothing is taken.
pub fn enrol(
    action: &Action,
    given: Circumstances<'_>,
    place: Place<'_>,
    outside: impl Fn(&Baseline) -> Outside,
) -> Result<String, EnrollError> {
    let old = load(place.state_dir)?;
    match (action, old) {
        (Action::Take { .. }, Some(_)) => Err(StoreError::Exists(place.state_dir.join(crate::baseline::FILE_NAME)).into()),
        (Action::Show | Action::Update { .. }, None) => Err(EnrollError::NotEnrolled(place.state_dir.to_owned())),
        (Action::Take { by }, None) => {
            let baseline = Baseline { taken_by: by.clone(), ..gather(given)? };
            let Outside { lookalikes, proved } = outside(&baseline);
            let baseline = Baseline { lookalikes, ..baseline };
            let path = save(place.state_dir, &baseline, Existing::Keep)?;
            let concerns = concerns(&baseline, &given, &proved, &permissions(given, place));
            let key = made(place);
            let sheet = sheet::Sheet {
                baseline: &baseline,
                key: &key,
                deviations: None,
                concerns: &concerns,
                saved: Some(&path),
                lang: place.lang,
            };
            Ok(sheet.to_string())
        }
        (Action::Show, Some(old)) => {
            // What differs now is worth telling, but the baseline is shown also where the kernel cannot be asked.
            let deviations = gather(given).ok().map(|now| compare(&old, &now));
            let (key, lang) = (known(place), place.lang);
            let sheet = sheet::Sheet { baseline: &old, key: &key, deviations: deviations.as_deref(), concerns: &[], saved: None, lang };
            Ok(sheet.to_string())
        }
        (Action::Update { by, reason }, Some(old)) => {
            let now = gather(given)?;
            let deviations = compare(&old, &now);
            let Outside { lookalikes, proved } = outside(&now);
            let baseline = Baseline { lookalikes, ..now }.succeed(old, by, reason);
            let path = save(place.state_dir, &baseline, Existing::Replace)?;
            let concerns = concerns(&baseline, &given, &proved, &permissions(given, place));
            let sheet = sheet::Sheet {
                baseline: &baseline,
                key: &made(place),
                deviations: Some(&deviations),
                concerns: &concerns,
                saved: Some(&path),
                lang: place.lang,
            };
            Ok(sheet.to_string())
        }
    }
}

/// The terminal's key in words, made where there is none yet.
fn made(place: Place<'_>) -> String {
    match key::ensure(place.state_dir, place.machine) {
        Ok(held) => named(&held.key.public()),
        Err(error) => {
            let source = std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
            place.lang.pick(format!("没有，什么都没法签名（{error}{source}）"), format!("none, nothing can be signed ({error}{source})"))
        }
    }
}

/// The same of the one that is there. It is readable by few; which one the log knows of is not.
fn known(place: Place<'_>) -> String {
    match key::load(place.state_dir) {
        Ok(Some(held)) => named(&held.key.public()),
        Ok(None) => place.lang.pick("无", "none").to_owned(),
        Err(error) => key::Told::load(place.state_dir).map_or_else(|| error.to_string(), |told| told.0),
    }
}

fn named(key: &key::PublicKey) -> String {
    format!("{} {}", key.algorithm().code(), key.fingerprint())
}

/// Files that others may write, and keys that others may read: path and mode.
fn permissions(given: Circumstances<'_>, place: Place<'_>) -> Vec<(String, u32)> {
    let tls_key = given.config.centres.iter().filter_map(|centre| centre.tls.as_ref()?.client_key.clone());
    let sink_secrets = given.config.sinks.iter().flat_map(|sink| match sink {
        Sink::Journal { .. } => Vec::new(),
        Sink::Syslog { client_key, .. } => vec![client_key],
        Sink::Nats { credentials, client_key, .. } => vec![credentials, client_key],
    });
    let keys: Vec<PathBuf> = tls_key.chain(sink_secrets.flatten().cloned()).collect();
    let writable = place.config_files.iter().cloned().chain([place.state_dir.to_owned()]).filter_map(|path| loose(&path, 0o022));
    writable.chain(keys.iter().filter_map(|path| loose(path, 0o027))).collect()
}

fn loose(path: &Path, forbidden: u32) -> Option<(String, u32)> {
    let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o7777;
    (mode & forbidden != 0).then(|| (path.display().to_string(), mode))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baseline::tests::{kernel, pc, stamp};
    use crate::baseline::{Firewall, KnownLookalike, Seen};
    use crate::config::Config;

    /// Runs one action on a PC and returns the sheet.
    fn enrolled(root: &Path, state: &Path, action: &Action, sightings: &[Sighting], lang: Lang) -> Result<String, EnrollError> {
        let (config, stamp) = (Config::default(), stamp());
        let firewall = Seen::Seen(Firewall { tables: 1, ..Firewall::default() });
        let given = Circumstances { config: &config, sightings, firewall: &firewall, lent: None, stamp: &stamp, root };
        let sheet = enrol(action, given, Place { state_dir: state, config_files: &[], machine: "", lang }, |_| outside(action))?;
        let key = key::load(state).expect("readable").expect("made").key.public();
        Ok(sheet.replace(&state.display().to_string(), "STATE").replace(&key.fingerprint(), "FINGERPRINT"))
    }

    /// A box that answered in place of the internet; at an update the internet itself.
    fn outside(action: &Action) -> Outside {
        let known = |last| KnownLookalike {
            address: ([223, 5, 5, last], 443).into(),
            device: crate::model::IfName::new("eth0"),
            gateway: Some([10, 20, 0, 1].into()),
            what: "issuer unknown".to_owned(),
        };
        match action {
            Action::Show => panic!("nobody is asked anything"),
            Action::Take { .. } => Outside { lookalikes: Some(vec![known(5)]), proved: Vec::new() },
            Action::Update { .. } => Outside { lookalikes: Some(Vec::new()), proved: vec!["223.5.5.5:443 dns.alidns.com".to_owned()] },
        }
    }

    fn take() -> Action {
        Action::Take { by: Some("王五".to_owned()) }
    }

    #[test]
    fn the_sheet_reads_well_in_both_languages() {
        let mut sheets = String::new();
        for lang in Lang::ALL {
            let (pc, state) = (pc(), tempfile::tempdir().expect("a directory"));
            sheets += &enrolled(pc.path(), state.path(), &take(), &kernel(), lang).expect("enrolled");
            std::fs::write(pc.path().join("proc/sys/kernel/hostname"), "other\n").expect("written");
            let update = Action::Update { by: "Li".to_owned(), reason: "new host name".to_owned() };
            sheets += &enrolled(pc.path(), state.path(), &update, &kernel(), lang).expect("updated");
            sheets += &enrolled(pc.path(), state.path(), &Action::Show, &kernel(), lang).expect("shown");
        }
        // Shown in the zone of the PC where the machine that runs the test knows it.
        let sheets = sheets.replace("2026-11-22 16:00:00 +08:00", "TIME").replace("2026-11-22 08:00:00 +00:00", "TIME");
        insta::assert_snapshot!(sheets);
    }

    #[test]
    fn a_second_enrolment_changes_nothing() {
        let (pc, state) = (pc(), tempfile::tempdir().expect("a directory"));
        enrolled(pc.path(), state.path(), &take(), &kernel(), Lang::En).expect("enrolled");
        let before = std::fs::read(state.path().join("baseline")).expect("there");
        let error = enrolled(pc.path(), state.path(), &take(), &kernel(), Lang::En).expect_err("refused");
        assert_eq!(error.exit_code(), 64);
        assert!(error.render(Lang::ZhCn).contains("--update"));
        assert_eq!(std::fs::read(state.path().join("baseline")).expect("there"), before);
    }

    #[test]
    fn show_works_where_the_kernel_cannot_be_asked_and_update_does_not() {
        let (pc, state) = (pc(), tempfile::tempdir().expect("a directory"));
        let error = enrolled(pc.path(), state.path(), &Action::Show, &kernel(), Lang::En).expect_err("nothing to show");
        assert_eq!(error.exit_code(), 66);
        enrolled(pc.path(), state.path(), &take(), &kernel(), Lang::En).expect("enrolled");
        assert!(enrolled(pc.path(), state.path(), &Action::Show, &[], Lang::En).expect("shown").contains("Terminal"));
        let blind = [Sighting::Links(crate::model::Outcome::Unknown(Unseen::Deadline))];
        let update = Action::Update { by: "Li".to_owned(), reason: "x".to_owned() };
        let error = enrolled(pc.path(), state.path(), &update, &blind, Lang::En).expect_err("blind");
        assert_eq!(error.exit_code(), 74);
        assert!(error.render(Lang::En).contains("links"));
    }

    #[test]
    fn a_damaged_baseline_is_never_overwritten() {
        let (pc, state) = (pc(), tempfile::tempdir().expect("a directory"));
        std::fs::write(state.path().join("baseline"), "{").expect("written");
        let update = Action::Update { by: "Li".to_owned(), reason: "x".to_owned() };
        for action in [take(), Action::Show, update] {
            let error = enrolled(pc.path(), state.path(), &action, &kernel(), Lang::En).expect_err("refused");
            assert_eq!(error.exit_code(), 74);
            assert!(error.render(Lang::En).contains("damaged"), "{}", error.render(Lang::En));
        }
        assert_eq!(std::fs::read(state.path().join("baseline")).expect("there"), b"{");
    }

    #[test]
    fn flags_that_do_not_go_together_are_refused() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(Action::from_flags(true, true, None, None), Err(UsageError::ShowAndUpdate));
        assert_eq!(Action::from_flags(false, true, None, some("x")), Err(UsageError::UpdateLacks("--by")));
        assert_eq!(Action::from_flags(false, true, some(" "), some("x")), Err(UsageError::UpdateLacks("--by")));
        assert_eq!(Action::from_flags(false, true, some("Li"), some("a\nb")), Err(UsageError::UpdateLacks("--reason")));
        assert_eq!(Action::from_flags(false, false, some("Li"), None), Ok(Action::Take { by: some("Li") }));
    }
}
