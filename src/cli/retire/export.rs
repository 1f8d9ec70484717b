//! The export of a terminal that leaves: a directory with the log as it is on disk, the report in both languages, and the statement that the key
//! signs over all of it. `isonet verify-log` checks it, on any PC.
//!
//! | file | what |
//! |---|---|
//! | `report.txt` | what was done and what is left to do, in Chinese and in English |
//! | `records/` | the files of the log, byte for byte |
//! | `key.pem` | the public key, where there is one |
//! | `retirement.json` | `retirement/1` ([`FinalStatement`]): SHA-256 of every other file, signed |

use super::{Leaving, own_key};
use crate::catalogue::Lang;
use crate::cli::grammar::clean;
use crate::cli::{IO, NOT_PERMITTED, complain, integrity, print, verify_log};
use crate::key::{PublicKey, check};
use crate::model::{FINAL_SCHEMA, FinalStatement, KeyCard, Time};
use crate::report::FinalReport;
use crate::spool::Report;
use crate::sys::{clock, files};
use jiff::tz::TimeZone;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

/// The signed statement.
pub(in crate::cli) const STATEMENT: &str = "retirement.json";
const REPORT: &str = "report.txt";
const RECORDS: &str = "records";
const KEY: &str = "key.pem";
/// Largest statement that is read, bytes.
const LARGEST: u64 = 16 << 20;
/// What a log holds only its owner and root may read.
const MODE: u32 = 0o600;
const DIRECTORY_MODE: u32 = 0o700;

/// Makes the export and checks the copy against the log. A part of it is of no use to anybody, so it is all of it or none.
pub(super) fn make(leaving: &Leaving<'_>, report: &mut FinalReport, proof: &Report) -> Result<PathBuf, u8> {
    let stamp = clock::stamp();
    let terminal = report.terminal.id.as_deref().unwrap_or("pc");
    let terminal: String = terminal.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(40).collect();
    let name = format!("isonet-retired-{terminal}-{}", stamp.wall.strftime("%Y%m%dT%H%M%SZ"));
    let above = leaving.arguments.out.clone().unwrap_or_else(|| PathBuf::from("."));
    let above = std::path::absolute(&above).unwrap_or(above);
    let out = above.join(name);
    let failed = |path: &Path, error: &io::Error| {
        let path = clean(&path.display().to_string());
        complain(&leaving.lang.pick(
            format!("isonet: 没有导出成功，什么都没有清除：{path}：{error}。换一个地方：--out"),
            format!("isonet: nothing was exported, and nothing wiped: {path}: {error}. Choose another place: --out"),
        ));
        if error.kind() == ErrorKind::PermissionDenied { NOT_PERMITTED } else { IO }
    };
    DirBuilder::new().mode(DIRECTORY_MODE).create(&out).map_err(|error| failed(&out, &error))?;
    let made = fill(leaving, report, &out, Time::from(&stamp)).map_err(|error| failed(&out, &error)).and_then(|()| {
        // What is believed of the log has to hold for the copy.
        let copy = integrity::read(&out.join(RECORDS), leaving.lang, &mut |_| {})?;
        if copy == *proof { Ok(()) } else { Err(failed(&out, &io::Error::other("the copy is not what was read"))) }
    });
    if made.is_err() {
        // It was made just now, by us.
        let _ = std::fs::remove_dir_all(&out);
    }
    made.map(|()| out)
}

fn fill(leaving: &Leaving<'_>, report: &mut FinalReport, out: &Path, now: Time) -> io::Result<()> {
    let mut digests = BTreeMap::new();
    let records = out.join(RECORDS);
    DirBuilder::new().mode(DIRECTORY_MODE).create(&records)?;
    for entry in std::fs::read_dir(leaving.state.join("spool"))? {
        let entry = entry?;
        if let Some(digest) = copy(&entry.path(), &records.join(entry.file_name()))? {
            digests.insert(format!("{RECORDS}/{}", entry.file_name().to_string_lossy()), digest);
        }
    }
    let mut add = |name: &str, bytes: &[u8]| {
        digests.insert(name.to_owned(), hex(&Sha256::digest(bytes)));
        files::write_new(&out.join(name), bytes, Some(MODE))
    };
    let key = own_key(&leaving.state);
    report.key = key.as_ref().map(|key| key.public().fingerprint());
    // The report says where it lies.
    report.export = Some(clean(&out.display().to_string()));
    add(REPORT, report.in_both(&TimeZone::system()).as_bytes())?;
    if let Some(key) = key {
        let public = key.public();
        add(KEY, public.pem().as_bytes())?;
        let statement = FinalStatement {
            schema: FINAL_SCHEMA.to_owned(),
            made_by: env!("CARGO_PKG_VERSION").to_owned(),
            terminal: report.terminal.clone(),
            time: now,
            retired: report.retired.clone(),
            files: digests,
            key: KeyCard { algorithm: public.algorithm().code().to_owned(), public: public.base64() },
            fingerprint: public.fingerprint(),
        };
        let mut line = key.sign(&serde_json::to_vec(&statement)?);
        line.push(b'\n');
        files::write_new(&out.join(STATEMENT), &line, Some(MODE))?;
    }
    for dir in [&records, out, out.parent().unwrap_or(out)] {
        File::open(dir)?.sync_all()?;
    }
    Ok(())
}

/// Copies a regular file, and gives its SHA-256; `None` = it is none. The directory is the service's, so no link is followed.
fn copy(from: &Path, to: &Path) -> io::Result<Option<String>> {
    let mut source = match OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC).open(from) {
        Err(error) if error.raw_os_error() == Some(libc::ELOOP) => return Ok(None),
        other => other?,
    };
    if !source.metadata()?.is_file() {
        return Ok(None);
    }
    let mut target = OpenOptions::new().write(true).create_new(true).mode(MODE).open(to)?;
    let digest = pour(&mut source, &mut target)?;
    target.sync_all()?;
    Ok(Some(digest))
}

/// Pours one into the other and gives the SHA-256 of what went through.
fn pour(source: &mut impl Read, target: &mut impl Write) -> io::Result<String> {
    let (mut digest, mut bytes) = (Sha256::new(), vec![0; 64 << 10]);
    loop {
        match source.read(&mut bytes)? {
            0 => return Ok(hex(&digest.finalize())),
            length => {
                digest.update(&bytes[..length]);
                target.write_all(&bytes[..length])?;
            }
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes everything");
        text
    })
}

/// Checks an export: the signature, every file, and the log.
pub(in crate::cli) fn verify(dir: &Path, lang: Lang) -> Result<u8, u8> {
    let faults = faults(dir, lang)?;
    let proof = integrity::read(&dir.join(RECORDS), lang, &mut |_| {})?;
    let whole = verify_log::told(&proof, lang);
    match faults {
        Ok(statement) => {
            let (terminal, by, key) =
                (clean(statement.terminal.id.as_deref().unwrap_or("-")), clean(&statement.retired.by), clean(&statement.fingerprint));
            let at = statement.retired.at;
            print(&lang.pick(
                format!(
                    "终端 {terminal} 退出使用时的导出（{at}，经办：{by}），签名和每个文件都对得上。\n密钥指纹：{key}，请和医保局的登记核对。\n{whole}"
                ),
                format!(
                    "The export of terminal {terminal}, which left service ({at}, by {by}); the signature and every file fit.\nKey: {key}: \
                     compare it with the bureau's register.\n{whole}"
                ),
            ))?;
            Ok(integrity::status(&proof))
        }
        Err(faults) => {
            let head = lang.pick("导出的内容不是原来的样子：", "The export is not as it was made:");
            let faults: Vec<String> = faults.iter().map(|fault| format!("  {}", clean(fault))).collect();
            print(&format!("{head}\n{}\n{whole}", faults.join("\n")))?;
            Ok(integrity::DAMAGED)
        }
    }
}

/// The statement, or what does not fit it. `Err` without is what could not be read.
fn faults(dir: &Path, lang: Lang) -> Result<Result<FinalStatement, Vec<String>>, u8> {
    let unread = |path: &Path, error: &io::Error| {
        let path = clean(&path.display().to_string());
        complain(&lang.pick(format!("isonet: 读不了 {path}：{error}"), format!("isonet: cannot read {path}: {error}")));
        if error.kind() == ErrorKind::PermissionDenied { NOT_PERMITTED } else { IO }
    };
    let path = dir.join(STATEMENT);
    let line = files::read(&path, LARGEST).map_err(|error| unread(&path, &io::Error::other(error.line())))?;
    let line = line.strip_suffix(b"\n").unwrap_or(&line);
    let Some(statement) = statement_of(line) else {
        return Ok(Err(vec![lang.pick(format!("{STATEMENT} 读不懂"), format!("{STATEMENT} is not understood"))]));
    };
    let signed = PublicKey::from_base64(&statement.key.public).filter(|key| key.fingerprint() == statement.fingerprint);
    if signed.is_none_or(|key| check(line, &key).is_err()) {
        return Ok(Err(vec![lang.pick(format!("{STATEMENT} 的签名对不上"), format!("the signature of {STATEMENT} does not fit"))]));
    }
    let mut faults = Vec::new();
    for (name, digest) in &statement.files {
        match File::open(dir.join(name)).and_then(|mut file| pour(&mut file, &mut io::sink())) {
            Ok(found) if found == *digest => {}
            Ok(_) => faults.push(lang.pick(format!("{name} 和签名时不一样"), format!("{name} is not what was signed for"))),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                faults.push(lang.pick(format!("缺少 {name}"), format!("{name} is missing")));
            }
            Err(error) => return Err(unread(&dir.join(name), &error)),
        }
    }
    for below in [dir.to_owned(), dir.join(RECORDS)] {
        for entry in std::fs::read_dir(&below).map_err(|error| unread(&below, &error))? {
            let entry = entry.map_err(|error| unread(&below, &error))?;
            let path = entry.path();
            let name = path.strip_prefix(dir).unwrap_or(&path).to_string_lossy().into_owned();
            if name != STATEMENT && name != RECORDS && !statement.files.contains_key(&name) {
                faults.push(lang.pick(format!("多出了 {name}"), format!("{name} does not belong in it")));
            }
        }
    }
    Ok(if faults.is_empty() { Ok(statement) } else { Err(faults) })
}

/// The statement in its line, which has the signature besides.
fn statement_of(line: &[u8]) -> Option<FinalStatement> {
    let mut value: serde_json::Value = serde_json::from_slice(line).ok()?;
    value.as_object_mut()?.remove("signature");
    let statement: FinalStatement = serde_json::from_value(value).ok()?;
    // Whoever signs cannot have other files of this PC read.
    let is_below = |name: &String| Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
    (statement.schema == FINAL_SCHEMA && statement.files.keys().all(is_below)).then_some(statement)
}
