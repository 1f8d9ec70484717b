//! `isonet evidence ID`: the evidence of one incident in one file, signed, that others check without this PC: `isonet verify-log FILE`.
//!
//! Reads the log and the key; the service need not run. Sends nothing.

use super::grammar::{Global, clean};
use super::integrity::{self, DAMAGED, MISSING};
use super::{IO, NOT_PERMITTED, USAGE, complain, completions, print};
use crate::catalogue::Lang;
use crate::config::{Owner, state_dir};
use crate::evidence::{self, Checked, Doubt, FILES, Fault, Files, Gather, Gathered, MOST, MOST_RECORDS};
use crate::key::{self, Key, KeyError, Unsigned};
use crate::model::{IncidentId, Time};
use crate::spool::{Disk, Flaw, Position, newest};
use crate::sys::clock;
use crate::sys::files::{self, ReadError};
use clap_complete::ArgValueCandidates;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Only whoever made it may read it.
const MODE: u32 = 0o600;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// 故障编号：isonet incidents 列出的 #号，或 EPOCH/SEQ / The incident: its number as isonet incidents lists it, or EPOCH/SEQ
    #[arg(value_name = "ID", add = ArgValueCandidates::new(completions::incidents))]
    id: String,
    /// 写到这个文件；已有的文件不覆盖 / Write this file; one that is there is not replaced [isonet-evidence-TERMINAL-NUMBER-TIME.tar.gz]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub fn run(global: &Global, arguments: &Arguments) -> u8 {
    make(global, arguments).err().unwrap_or(0)
}

fn make(global: &Global, arguments: &Arguments) -> Result<(), u8> {
    let config = global.load_places()?;
    let lang = global.lang(config.language);
    let Some(state) = state_dir(&config, Owner::of_process(), |name| std::env::var(name).ok()) else {
        complain(
            lang.pick(
                "isonet: 不知道记录在哪里，请在配置中填写 state-dir",
                "isonet: nobody knows where the records are: configure state-dir",
            ),
        );
        return Err(MISSING);
    };
    let spool = state.join("spool");
    let id = id(&arguments.id, &spool, lang)?;
    let key = own_key(&state, lang)?;
    let gathered = gather(&id, &spool, lang)?;
    let stamp = clock::stamp();
    let terminal = gathered.last().terminal.id.unwrap_or_else(|| "pc".to_owned());
    let terminal: String = terminal.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(40).collect();
    let name = format!("isonet-evidence-{terminal}-{}-{}", id.seq, stamp.wall.strftime("%Y%m%dT%H%M%SZ"));
    let files = evidence::make(&gathered, &id, &name, Time::from(&stamp), &key);
    let out = arguments.out.clone().unwrap_or_else(|| PathBuf::from(format!("{name}.tar.gz")));
    write(&out, &files, &name, stamp.wall, lang)?;
    let (out, fingerprint) = (clean(&out.display().to_string()), key.public().fingerprint());
    print(&lang.pick(
        format!(
            "证明材料：{out}\n核对：isonet verify-log {out}（哪台电脑上都行）\n密钥指纹：{fingerprint}\n请和医保局的登记核对指纹。没有任何内容被自动发送。\n"
        ),
        format!(
            "Evidence: {out}\nTo check it, on any PC: isonet verify-log {out}\nKey: {fingerprint}\nCompare it with the bureau's register. Nothing was sent \
             anywhere.\n"
        ),
    ))
}

/// The incident that is meant. A number alone is one of the newest epoch.
fn id(text: &str, spool: &Path, lang: Lang) -> Result<IncidentId, u8> {
    if let Ok(id) = IncidentId::try_from(text.to_owned()) {
        return Ok(id);
    }
    let Ok(seq) = text.trim_start_matches('#').parse() else {
        let text = clean(text);
        complain(&lang.pick(
            format!("isonet: 「{text}」不是故障编号；isonet incidents 列出的每一行末尾有"),
            format!("isonet: `{text}` is no number of an incident; isonet incidents has it at the end of each line"),
        ));
        return Err(USAGE);
    };
    let found = newest(&Disk::look(spool)).map_err(|error| unread(spool, &error.to_string(), error.kind(), lang))?;
    let Some(Position { epoch, .. }) = found else { return Err(absent(text, lang)) };
    Ok(IncidentId { epoch, seq })
}

fn own_key(state: &Path, lang: Lang) -> Result<Key, u8> {
    match key::load(state) {
        Ok(Some(held)) => Ok(held.key),
        Ok(None) => {
            complain(lang.pick(
                "isonet: 还没有签名密钥；先登记（isonet enroll）或者启动值守程序。",
                "isonet: there is no key to sign with yet: enroll (isonet enroll), or start the service.",
            ));
            Err(MISSING)
        }
        Err(KeyError::Unreadable(ReadError::Io { source, .. })) if source.kind() == ErrorKind::PermissionDenied => {
            complain(lang.pick("isonet: 签名密钥只有 root 能用，请用 root 运行。", "isonet: only root may use the key: run this as root."));
            Err(NOT_PERMITTED)
        }
        Err(error) => {
            complain(&lang.pick(format!("isonet: 签名密钥用不了：{error}"), format!("isonet: the key is of no use: {error}")));
            Err(IO)
        }
    }
}

fn gather(id: &IncidentId, spool: &Path, lang: Lang) -> Result<Gathered, u8> {
    let mut gather = Gather::new(id);
    let report = integrity::read(spool, lang, &mut |line| gather.take(line))?;
    if !report.is_whole() {
        complain(lang.pick(
            "isonet: 本机的记录不完整，材料里会写明断在哪里；详情：isonet verify-log。",
            "isonet: the log of this PC is not whole; the evidence says where it is interrupted. See isonet verify-log.",
        ));
    }
    let gathered = gather.end().ok_or_else(|| absent(&id.to_string(), lang))?;
    if gathered.is_too_large() {
        let most = MOST_RECORDS >> 20;
        complain(&lang.pick(
            format!("isonet: 从这次故障到现在的记录超过 {most} MB，一个包放不下；可以整个复制记录目录。"),
            format!("isonet: there are more than {most} MB of records since this incident, too many for a bundle: copy the directory of records."),
        ));
        return Err(IO);
    }
    Ok(gathered)
}

fn absent(id: &str, lang: Lang) -> u8 {
    let id = clean(id);
    complain(&lang.pick(
        format!("isonet: 记录里没有故障 {id}；isonet incidents 列出有哪些。"),
        format!("isonet: there is no incident {id} in the log; isonet incidents lists those that are."),
    ));
    MISSING
}

fn unread(path: &Path, why: &str, kind: ErrorKind, lang: Lang) -> u8 {
    let path = clean(&path.display().to_string());
    complain(&lang.pick(format!("isonet: 读不了 {path}：{why}"), format!("isonet: cannot read {path}: {why}")));
    match kind {
        ErrorKind::NotFound | ErrorKind::NotADirectory => MISSING,
        ErrorKind::PermissionDenied => NOT_PERMITTED,
        _ => IO,
    }
}

/// A file of its own, in the place of nothing; whole or not at all.
fn write(out: &Path, files: &Files, name: &str, made: jiff::Timestamp, lang: Lang) -> Result<(), u8> {
    use std::os::unix::fs::OpenOptionsExt;
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(MODE).open(out);
    let refused = |error: &std::io::Error| {
        let name = clean(&out.display().to_string());
        complain(&match error.kind() {
            ErrorKind::AlreadyExists => lang.pick(
                format!("isonet: {name} 已经存在，没有覆盖；换个文件名（--out）"),
                format!("isonet: {name} is there already and was not replaced: choose another name (--out)"),
            ),
            _ => lang
                .pick(format!("isonet: 证明材料没有写成：{name}：{error}"), format!("isonet: cannot write the evidence {name}: {error}")),
        });
        if error.kind() == ErrorKind::PermissionDenied { NOT_PERMITTED } else { IO }
    };
    let mut file = file.map_err(|error| refused(&error))?;
    let written = evidence::pack(files, name, made).and_then(|bytes| {
        file.write_all(&bytes)?;
        file.sync_all()
    });
    written.map_err(|error| {
        // A part of it is of no use to anybody.
        let _ = std::fs::remove_file(out);
        refused(&error)
    })
}

/// Checks a bundle, packed or not, and says what it holds and what it cannot say.
pub(super) fn verify(path: &Path, lang: Lang) -> Result<u8, u8> {
    let checked = if path.is_file() {
        evidence::check_archive(&part(path, lang)?.unwrap_or_default())
    } else {
        let mut files = Files::new();
        for name in FILES {
            files.extend(part(&path.join(name), lang)?.map(|bytes| (name.to_owned(), bytes)));
        }
        evidence::check(&files)
    };
    let (text, status) = match checked {
        Ok(checked) => (told(&checked, lang), 0),
        Err(faults) => (not_whole(&faults, lang), DAMAGED),
    };
    print(&text)?;
    Ok(status)
}

/// One file; `None` = it is not there.
fn part(path: &Path, lang: Lang) -> Result<Option<Vec<u8>>, u8> {
    match files::read(path, MOST as u64) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.is_absent() => Ok(None),
        Err(ReadError::Io { source, .. }) => Err(unread(path, &source.to_string(), source.kind(), lang)),
        Err(error) => Err(unread(path, &error.line(), ErrorKind::Other, lang)),
    }
}

fn told(checked: &Checked, lang: Lang) -> String {
    let Checked { statement, records, of_incident, fingerprint, doubts, page } = checked;
    let (incident, terminal) = (clean(&statement.incident.to_string()), clean(statement.terminal.id.as_deref().unwrap_or("-")));
    let breaks = statement.stretches.len().saturating_sub(1);
    let mut lines = vec![match lang {
        Lang::ZhCn => format!("材料完整：故障 {incident}，终端 {terminal}，共 {records} 条记录，其中 {of_incident} 条是这次故障的。"),
        Lang::En => format!(
            "The evidence is whole: incident {incident}, terminal {terminal}; {records} records, {of_incident} of them of this incident."
        ),
    }];
    lines.push(match (breaks, lang) {
        (0, Lang::ZhCn) => "记录首尾相接，没有缺；签名和每个文件都对得上，说明页和记录一致。".to_owned(),
        (0, Lang::En) => "Each record continues the one before, none is missing; the signature and every file fit, and the page says what the records say.".to_owned(),
        (n, Lang::ZhCn) => format!("记录有 {n} 处断开，断在哪里写在说明页里，也签了名；签名和每个文件都对得上，说明页和记录一致。"),
        (n, Lang::En) => format!(
            "The records are interrupted {n} times; where, stands on the page and is signed. The signature and every file fit, and the page says what the records say."
        ),
    });
    let algorithm = clean(&statement.key.algorithm);
    lines.push(lang.pick(format!("密钥：{algorithm} {fingerprint}"), format!("Key: {algorithm} {fingerprint}")));
    lines.push(
        lang.pick(
            "这里核对不了：密钥是不是这台终端的。请把指纹和登记验收单、医保局的登记核对。",
            "Not checked here: whether the key is this terminal's. Compare it with the acceptance sheet and the bureau's register.",
        )
        .to_owned(),
    );
    if doubts.contains(&Doubt::OtherVersion) {
        let version = clean(&statement.made_by);
        lines.push(lang.pick(
            format!("这里也核对不了：说明页是 isonet {version} 写的，措辞没法和记录逐字比对；它和签名时一样。"),
            format!("Nor this: isonet {version} wrote the page, so its words could not be compared with the records; they are as they were signed."),
        ));
    }
    // The half in the reader's language.
    let halves = page.split_once(&"-".repeat(80));
    let half = halves.map_or(page.as_str(), |(zh, en)| lang.pick(zh, en).trim());
    let half: Vec<String> = half.lines().map(clean).collect();
    format!("{}\n\n{}\n", lines.join("\n"), half.join("\n"))
}

fn not_whole(faults: &[Fault], lang: Lang) -> String {
    let head = lang.pick("材料不是原来的样子，不能当作证明：", "The evidence is not as it was made, and proves nothing:");
    let faults: Vec<String> = faults.iter().map(|fault| format!("  {}", fault_words(fault, lang))).collect();
    format!("{head}\n{}\n", faults.join("\n"))
}

fn fault_words(fault: &Fault, lang: Lang) -> String {
    match fault {
        Fault::Missing(name) => lang.pick(format!("缺少 {name}"), format!("{name} is missing")),
        Fault::Foreign(name) => {
            let name = clean(name);
            lang.pick(format!("多出了 {name}"), format!("{name} does not belong in it"))
        }
        Fault::Packed(why) => {
            let why = clean(why);
            lang.pick(format!("解不开：{why}"), format!("it cannot be unpacked: {why}"))
        }
        Fault::Repacked => lang
            .pick("打包的方式不对：重新打过包，改过，或者文件没收全", "it was packed again, changed, or did not arrive whole")
            .to_owned(),
        Fault::Statement(why) => {
            let why = clean(why);
            lang.pick(format!("head.json 读不懂：{why}"), format!("head.json is not understood: {why}"))
        }
        Fault::Signature(why) => match (why, lang) {
            (Unsigned::Shape, Lang::ZhCn) => "head.json 末尾没有签名".to_owned(),
            (Unsigned::OtherKey, Lang::ZhCn) => "head.json 是另一把密钥签的".to_owned(),
            (Unsigned::Wrong, Lang::ZhCn) => "head.json 的签名和内容对不上".to_owned(),
            (why, Lang::En) => format!("head.json {why}"),
        },
        Fault::Changed(name) => {
            let name = clean(name);
            lang.pick(format!("{name} 和签名时不一样"), format!("{name} is not what was signed for"))
        }
        Fault::Line(file, line, why) => {
            let flaw = Flaw::Line(*why);
            lang.pick(format!("{file} 第 {line} 行：{}", integrity::flaw_zh(&flaw)), format!("{file}:{line}: {flaw}"))
        }
        Fault::Chain => lang.pick("记录的先后接续和签名时不一样", "the records do not follow each other as was signed for").to_owned(),
        Fault::NoIncident => lang.pick("记录里没有这次故障", "the incident is not in the records").to_owned(),
        Fault::Page => lang.pick("README.txt 写的和记录不一致", "README.txt does not say what the records say").to_owned(),
        Fault::OtherKey => lang.pick("key.pem 不是签名用的那把密钥", "key.pem is not the key that signed").to_owned(),
    }
}
