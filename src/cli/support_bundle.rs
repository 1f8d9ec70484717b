//! `isonet support-bundle`: what the vendor needs to see of this PC, in one archive that a person looks through and sends. Sends nothing itself.
//!
//! Works without root, without the service and with a configuration that is not right: what cannot be had is named in the bundle and on
//! the screen. Reads only what is listed here; never a key, a certificate, a VPN's files or anybody's home. Every read is bounded, and so is the time.

mod facts;

use super::ask::{DOCUMENT, Daemon, Silence, Through};
use super::grammar::{Global, clean};
use super::{IO, NOT_PERMITTED, complain, diagnose, print, runtime, verify_log};
use crate::baseline::{FILE_NAME as BASELINE, this_terminal};
use crate::bundle::{Bundle, Scrub, readme};
use crate::catalogue::{Lang, unseen};
use crate::config::{self, Config, Loaded, Owner, duration, policy, state_dir};
use crate::export::{Export, Format};
use crate::model::Unseen;
use crate::report;
use crate::spool::{Disk, prove};
use crate::sys::files::{self, ReadError};
use crate::sys::{clock, proc};
use serde_json::{Value, json};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How far back records and the log go by default.
const SINCE: &str = "7d";
/// How long the service may take to answer, and the look at everything.
const PATIENCE: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_secs(10);
/// Most of each part, bytes.
const MOST_RECORDS: usize = 8 << 20;
const MOST_LOG: u64 = 2 << 20;
const MOST_TEXT: usize = 1 << 20;
const MOST_DOCUMENT: usize = 4 << 20;
/// Files of the configuration.
const MOST_FILES: usize = 50;
/// Only whoever made it may read it.
const MODE: u32 = 0o600;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// 写到这个文件；已有的文件不覆盖 / Write this file; one that is there is not replaced [isonet-support-TERMINAL-TIME.tar.gz]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// 记录和日志取最近多久的 / How far back records and the log go [7d]
    #[arg(long, value_name = "TIME", default_value = SINCE, value_parser = since, hide_default_value = true)]
    since: Duration,
    /// 不做新的检查 / Make no fresh look at everything
    #[arg(long)]
    no_diagnose: bool,
}

fn since(text: &str) -> Result<Duration, &'static str> {
    duration::parse(text).map_err(|_| "应为时间，如 24h、7d / write a time such as 24h or 7d")
}

pub fn run(global: &Global, arguments: &Arguments) -> u8 {
    make(global, arguments).err().unwrap_or(0)
}

/// All that is known before anything is gathered.
struct Site<'a> {
    global: &'a Global,
    /// The configuration, if it is right.
    loaded: Result<Loaded, String>,
    /// Language and directories in any case.
    config: Config,
    state: Option<PathBuf>,
    since: Duration,
    lang: Lang,
}

fn make(global: &Global, arguments: &Arguments) -> Result<(), u8> {
    let places = config::load_places(global.config.as_deref());
    let lang = global.lang(places.language);
    let file = global.config.as_deref();
    // What an error quotes of a file may be anything: only where it is, is told.
    let loaded = config::load(file).map_err(|error| where_it_is(&error, lang));
    let config = loaded.as_ref().map_or(places, |loaded| loaded.config.clone());
    let state = state_dir(&config, Owner::of_process(), |name| std::env::var(name).ok());
    let site = Site { global, loaded, config, state, since: arguments.since, lang };
    let (made, terminal) = (clock::wall(), this_terminal(&site.config.terminal));
    let stem = stem(terminal.as_deref(), made);
    let out = arguments.out.clone().unwrap_or_else(|| PathBuf::from(format!("{stem}.tar.gz")));
    // Nobody waits ten seconds to hear that the file cannot be written.
    let mut target = open(&out, lang)?;
    let bundle = with_readme(site.gather(arguments.no_diagnose), lang);
    let written = bundle.pack(&stem, made, terminal.as_deref()).and_then(|bytes| {
        target.write_all(&bytes)?;
        target.sync_all()?;
        Ok(bytes.len())
    });
    match written {
        Ok(bytes) => print(&told(&out, bytes, &bundle, lang)),
        Err(error) => {
            // A part of it is of no use to anybody.
            let _ = std::fs::remove_file(&out);
            Err(refused(&out, &error, lang))
        }
    }
}

/// Terminal and time: what the directory in the archive is called, and by default the archive.
fn stem(terminal: Option<&str>, made: jiff::Timestamp) -> String {
    let name: String = terminal.unwrap_or("pc").chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(40).collect();
    format!("isonet-support-{name}-{}", made.strftime("%Y%m%dT%H%M%SZ"))
}

/// A file of its own, readable by nobody else, in the place of nothing: not through a link that somebody put there.
fn open(path: &Path, lang: Lang) -> Result<std::fs::File, u8> {
    use std::os::unix::fs::OpenOptionsExt;
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(MODE).open(path);
    file.map_err(|error| refused(path, &error, lang))
}

fn refused(path: &Path, error: &io::Error, lang: Lang) -> u8 {
    let name = clean(&path.display().to_string());
    complain(&match error.kind() {
        ErrorKind::AlreadyExists => lang.pick(
            format!("isonet: {name} 已经存在，没有覆盖；换个文件名（--out）"),
            format!("isonet: {name} is there already and was not replaced: choose another name (--out)"),
        ),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => lang.pick(
            format!("isonet: 磁盘满了，支持包没有写成：{name}；用 --out 写到别的盘（如 U 盘）"),
            format!("isonet: the disk is full, the bundle was not written: {name}; write it to another disk with --out"),
        ),
        ErrorKind::PermissionDenied => lang.pick(
            format!("isonet: 没有权限写 {name}；用 --out 写到自己能写的地方（如主目录、U 盘）"),
            format!("isonet: not permitted to write {name}: choose a place of your own with --out"),
        ),
        ErrorKind::NotFound => lang.pick(
            format!("isonet: {name} 所在的目录不存在，没有写；先建好目录，或用 --out 换个地方"),
            format!("isonet: the directory of {name} is not there: make it first, or choose another place with --out"),
        ),
        _ => lang.pick(format!("isonet: 支持包没有写成：{name}：{error}"), format!("isonet: cannot write the bundle {name}: {error}")),
    });
    if error.kind() == ErrorKind::PermissionDenied { NOT_PERMITTED } else { IO }
}

/// The page on top says what is in it, so it comes last and stands first.
fn with_readme(bundle: Bundle, lang: Lang) -> Bundle {
    let names: Vec<&str> = bundle.files().map(|(name, _)| name).collect();
    let page = readme(lang, &names, bundle.missing());
    bundle.with_first("README.txt", page.into_bytes())
}

fn told(out: &Path, size: usize, bundle: &Bundle, lang: Lang) -> String {
    let (name, kilobytes) = (clean(&out.display().to_string()), size.div_ceil(1024));
    let mut lines = vec![
        lang.pick(format!("支持包：{name}（{kilobytes} kB）"), format!("Support bundle: {name} ({kilobytes} kB)")),
        lang.pick(
            "密码等已遮盖；发送之前请先打开看一遍。没有任何内容被自动发送。",
            "Secrets are masked; look through it before you send it. Nothing was sent anywhere.",
        )
        .to_owned(),
    ];
    lines.extend(bundle.files().map(|(name, size)| format!("  {}  {size}", clean(name))));
    if !bundle.missing().is_empty() {
        lines.push(lang.pick("缺少的：", "Missing:").to_owned());
        lines.extend(bundle.missing().iter().map(|missing| format!("  {}: {}", clean(&missing.what), clean(&missing.because))));
    }
    lines.join("\n") + "\n"
}

/// A failed load without what stands in the files.
fn where_it_is(error: &config::ConfigError, lang: Lang) -> String {
    match error {
        config::ConfigError::Invalid(problems) => problems
            .iter()
            .map(|one| format!("{}:{}:{}: {}", one.file.display(), one.line, one.column, lang.pick("有问题", "a problem")))
            .collect::<Vec<_>>()
            .join("\n"),
        other => config::render_error(other, lang).trim_end().to_owned(),
    }
}

impl Site<'_> {
    fn gather(&self, no_diagnose: bool) -> Bundle {
        let mut bundle = Bundle::default();
        let scrub = self.configuration(&mut bundle);
        let as_text = |found: Result<String, String>| found.map(|text| scrub.text(&text));
        let as_json = |found: Result<Value, String>| found.map(|value| document(&scrub, value));
        bundle.gathered("check-config.txt", as_text(Ok(self.checked())), MOST_TEXT);
        bundle.gathered("policy.json", as_json(self.policy()), MOST_DOCUMENT);
        bundle.gathered("status.json", as_json(self.status()), MOST_DOCUMENT);
        bundle.gathered("environment.json", as_json(facts::environment(&self.config, self.state.as_deref())), MOST_DOCUMENT);
        bundle.gathered("baseline.json", as_json(self.baseline()), MOST_DOCUMENT);
        bundle.gathered("service.txt", as_text(proc::unit_facts("isonet").ok_or_else(|| self.no_answer())), MOST_TEXT);
        for (name, text) in facts::units(&mut bundle, self.lang) {
            bundle.gathered(&format!("unit/{name}"), Ok(scrub.unit(&text)), MOST_TEXT);
        }
        let log = proc::unit_log("isonet", self.since, MOST_LOG).map_err(|why| unseen(&why, self.lang));
        bundle.gathered("service.log", as_text(log), MOST_TEXT * 2);
        self.records(&mut bundle, &scrub);
        if no_diagnose {
            bundle.lack("diagnosis.json", "--no-diagnose".to_owned());
        } else {
            bundle.gathered("diagnosis.json", as_json(self.diagnosis()), MOST_DOCUMENT);
        }
        bundle
    }

    /// Every file of the configuration as far as it can be shown, and what must not be shown anywhere else either.
    fn configuration(&self, bundle: &mut Bundle) -> Scrub {
        let main = self.global.config.clone().unwrap_or_else(|| PathBuf::from(config::DEFAULT_FILE));
        let below = std::fs::read_dir(config::drop_in_dir(&main)).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut below: Vec<PathBuf> = below.filter(|path| path.extension().is_some_and(|end| end == "toml")).collect();
        below.sort();
        if below.len() >= MOST_FILES {
            bundle.lack("config", format!("> {MOST_FILES}"));
        }
        let mut hidden = Vec::new();
        for (i, path) in std::iter::once(main).chain(below).take(MOST_FILES).enumerate() {
            let name = format!("config/{i:02}-{}", path.file_name().unwrap_or_default().to_string_lossy());
            match files::read_text(&path, config::LARGEST_FILE) {
                Ok(text) => {
                    hidden.extend(Scrub::secrets_of(&text));
                    let known = config::known(path, &text);
                    let mut told = known.table.to_string();
                    for (line, key) in known.left_out {
                        told +=
                            &self.lang.pick(format!("# 第 {line} 行没有放进来：{key}\n"), format!("# line {line} was left out: {key}\n"));
                    }
                    hidden.extend(known.hidden);
                    bundle.gathered(&name, Ok(Scrub::default().toml(&told)), MOST_TEXT);
                }
                Err(error) if error.is_absent() => bundle.lack(&name, self.lang.pick("没有这个文件", "there is no such file").to_owned()),
                Err(error) => bundle.lack(&name, self.unread(&error)),
            }
        }
        Scrub::new(hidden)
    }

    fn checked(&self) -> String {
        match &self.loaded {
            Ok(loaded) => {
                let notes = loaded.notes.iter().map(|note| config::render_note(note, self.lang) + "\n").collect::<String>();
                let files: Vec<String> = loaded.sources.iter().map(|file| file.display().to_string()).collect();
                notes + &files.join("\n") + "\n"
            }
            Err(why) => format!("{why}\n"),
        }
    }

    fn policy(&self) -> Result<Value, String> {
        let loaded = self.loaded.as_ref().map_err(Clone::clone)?;
        let config = serde_json::to_value(&loaded.config).map_err(|error| error.to_string())?;
        Ok(json!({ "digest": policy::digest(&loaded.config), "config": config }))
    }

    fn status(&self) -> Result<Value, String> {
        let no_runtime = || self.lang.pick("没法问", "it could not be asked").to_owned();
        let target = format!("/v1/status?lang={}", self.lang.tag());
        let asked = async { Daemon::of(&self.config).get(&target, Through::Either, DOCUMENT, PATIENCE).await };
        let told = runtime().map_err(|_| no_runtime())?.block_on(asked).map_err(|silence| self.silent(&silence))?;
        serde_json::from_slice(&told).map_err(|error| error.to_string())
    }

    fn silent(&self, silence: &Silence) -> String {
        let pick = |zh: &str, en: &str| self.lang.pick(zh, en).to_owned();
        match silence {
            Silence::NotRunning => pick("值守程序没有在运行", "the service does not run"),
            Silence::NotPermitted => pick("没有权限：要 root 或 isonet 组", "not permitted: root and the group isonet may"),
            Silence::Stranger(path) => {
                let path = path.display();
                self.lang.pick(format!("{path} 后面不是本机的值守程序"), format!("whoever answers at {path} is not this PC's service"))
            }
            Silence::Slow => pick("值守程序没有及时应答", "the service did not answer in time"),
            Silence::Refused(code, _) => code.clone(),
            Silence::Broken(why) => why.clone(),
        }
    }

    fn baseline(&self) -> Result<Value, String> {
        let state = self.state.as_ref().ok_or_else(|| self.no_state())?;
        let bytes = files::read(&state.join(BASELINE), MOST_DOCUMENT as u64).map_err(|error| self.unread(&error))?;
        serde_json::from_slice(&bytes).map_err(|error| error.to_string())
    }

    fn diagnosis(&self) -> Result<Value, String> {
        let loaded = self.loaded.clone()?;
        let (diagnosis, facing) = diagnose::take(self.global, loaded, LOOK, self.lang).map_err(|status| format!("status {status}"))?;
        serde_json::from_str(&report::to_json(&diagnosis, &facing, self.lang)).map_err(|error| error.to_string())
    }

    /// The records, and the proof of them, in one pass.
    fn records(&self, bundle: &mut Bundle, scrub: &Scrub) {
        let Some(directory) = self.state.as_ref().map(|state| state.join("spool")) else {
            return bundle.lack("records.jsonl", self.no_state());
        };
        let from = clock::wall().checked_sub(self.since).ok();
        let mut kept = Tail { bytes: Vec::new(), cut: false };
        let mut export = Export::new(Format::Jsonl, from, self.lang, &mut kept);
        let read = std::fs::read_dir(&directory).and_then(|_| prove(&Disk::look(&directory), &mut |line| export.take(line)));
        // A buffer in memory takes everything.
        let _ = export.end();
        match read {
            Ok(report) => {
                if kept.cut {
                    bundle.lack("records.jsonl", format!("> {MOST_RECORDS} B"));
                }
                bundle.gathered("records.jsonl", Ok(scrub.lines(&String::from_utf8_lossy(&kept.bytes))), MOST_RECORDS);
                bundle.gathered("verify-log.txt", Ok(scrub.text(&verify_log::told(&report, self.lang))), MOST_TEXT);
            }
            Err(error) => {
                for name in ["records.jsonl", "verify-log.txt"] {
                    bundle.lack(name, format!("{}: {error}", directory.display()));
                }
            }
        }
    }

    fn unread(&self, error: &ReadError) -> String {
        match error {
            ReadError::Io { source, .. } if source.kind() == ErrorKind::PermissionDenied => {
                self.lang.pick("没有权限读，换 root 运行", "not permitted to read it: run this as root").to_owned()
            }
            other => other.line(),
        }
    }

    fn no_state(&self) -> String {
        self.lang.pick("没有主目录，不知道记录在哪里", "there is no home directory, so nobody knows where the records are").to_owned()
    }

    fn no_answer(&self) -> String {
        unseen(&Unseen::NotMounted("systemd".to_owned()), self.lang)
    }
}

fn document(scrub: &Scrub, mut value: Value) -> String {
    scrub.json(&mut value);
    serde_json::to_string_pretty(&value).unwrap_or_default() + "\n"
}

/// Keeps the end of what is written to it.
struct Tail {
    bytes: Vec<u8>,
    cut: bool,
}

impl Write for Tail {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        if self.bytes.len() > 2 * MOST_RECORDS {
            let from = self.bytes.len() - MOST_RECORDS;
            let line = self.bytes[from..].iter().position(|byte| *byte == b'\n').map_or(from, |end| from + end + 1);
            self.bytes.drain(..line);
            self.cut = true;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
