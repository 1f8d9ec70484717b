//! Whether a bundle is as it was made, and what it cannot say.

use super::archive::{Unpacked, unpack};
use super::gather::stretches;
use super::{BEFORE, FILES, Files, HEAD, KEY, PAGE, RECORDS, digests, lines};
use crate::key::{PublicKey, Unsigned};
use crate::model::{Body, EVIDENCE_SCHEMA, Statement};
use crate::report;
use crate::spool::Broken;

/// What does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The archive cannot be unpacked: why, in the library's words.
    Packed(String),
    /// The archive is not one that isonet packed, or not with this name and time.
    Repacked,
    /// A file is missing.
    Missing(&'static str),
    /// A file is there that does not belong.
    Foreign(String),
    /// The statement cannot be understood.
    Statement(String),
    /// The statement is not signed by the key that it names.
    Signature(Unsigned),
    /// A file is not the one that was signed for.
    Changed(String),
    /// A line does not prove itself.
    Line(&'static str, u64, Broken),
    /// The lines do not follow each other as they were signed for.
    Chain,
    /// The incident is not in the records.
    NoIncident,
    /// The page does not say what the records say.
    Page,
    /// The file of the key is of another than the one that signed.
    OtherKey,
}

/// What could not be checked here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// Another version made the page: its words could not be compared with the records. They are as they were signed for.
    OtherVersion,
}

/// A bundle that is as it was made.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// What is vouched for.
    pub statement: Statement,
    /// Records in it.
    pub records: u64,
    /// Of these, records of the incident itself.
    pub of_incident: u64,
    /// By which people know the key.
    pub fingerprint: String,
    /// The page, Chinese and English.
    pub page: String,
    /// What could not be checked here.
    pub doubts: Vec<Doubt>,
}

/// Checks a packed bundle.
pub fn check_archive(archive: &[u8]) -> Result<Checked, Vec<Fault>> {
    let Unpacked { files, root, made, is_alike } = unpack(archive).map_err(|fault| vec![fault])?;
    let checked = check(&files)?;
    let Statement { bundle, time, made_by, .. } = &checked.statement;
    let is_named = root == *bundle && made.as_second() == time.wall.as_second();
    if is_named && (is_alike || made_by != env!("CARGO_PKG_VERSION")) { Ok(checked) } else { Err(vec![Fault::Repacked]) }
}

/// Checks all of it; `Err` = everything that does not fit, the first first.
pub fn check(files: &Files) -> Result<Checked, Vec<Fault>> {
    let missing = FILES.iter().filter(|name| !files.contains_key(**name)).map(|name| Fault::Missing(name));
    let foreign = files.keys().filter(|name| !FILES.contains(&name.as_str())).map(|name| Fault::Foreign(name.clone()));
    let mut faults: Vec<Fault> = missing.chain(foreign).collect();
    if !faults.is_empty() {
        return Err(faults);
    }
    let (statement, key) = signed(&files[HEAD]).map_err(|fault| vec![fault])?;
    let digests = digests(files);
    let changed = digests.iter().filter(|(name, digest)| statement.files.get(*name) != Some(digest));
    faults.extend(changed.map(|(name, _)| Fault::Changed(name.clone())));
    if statement.files.len() != digests.len() {
        faults.push(Fault::Statement("it names other files".to_owned()));
    }
    if files[KEY] != key.pem().as_bytes() {
        faults.push(Fault::OtherKey);
    }
    match stretches(&files[RECORDS]) {
        Err((line, why)) => faults.push(Fault::Line(RECORDS, line, why)),
        Ok(found) => {
            let ends = found.last().map(|last| (&last.epoch, last.to, &last.hash));
            if found != statement.stretches || ends != Some((&statement.epoch, statement.seq, &statement.hash)) {
                faults.push(Fault::Chain);
            }
        }
    }
    if let Err((line, why)) = stretches(&files[BEFORE]) {
        faults.push(Fault::Line(BEFORE, line, why));
    }
    let records = lines(files, RECORDS);
    let own = |record: &&crate::model::Record| matches!(&record.body, Body::Incident(body) if body.incident.id == statement.incident);
    let of_incident = records.iter().filter(own).count() as u64;
    if of_incident == 0 {
        faults.push(Fault::NoIncident);
    }
    let page = String::from_utf8_lossy(&files[PAGE]).into_owned();
    let mut doubts = Vec::new();
    // Only the version that wrote it has the same words.
    if statement.made_by != env!("CARGO_PKG_VERSION") {
        doubts.push(Doubt::OtherVersion);
    } else if faults.is_empty() && page != report::evidence_page(&statement, &records, &lines(files, BEFORE)) {
        faults.push(Fault::Page);
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let number = files[RECORDS].split(|byte| *byte == b'\n').count().saturating_sub(1) as u64;
    Ok(Checked { fingerprint: key.fingerprint(), statement, records: number, of_incident, page, doubts })
}

/// The statement, and the key that it names and is signed by.
fn signed(file: &[u8]) -> Result<(Statement, PublicKey), Fault> {
    let unlike = |why: &str| Fault::Statement(why.to_owned());
    let line = file.strip_suffix(b"\n").ok_or_else(|| unlike("it does not end as a line does"))?;
    let mut value: serde_json::Value = serde_json::from_slice(line).map_err(|error| Fault::Statement(error.to_string()))?;
    value.as_object_mut().and_then(|members| members.remove("signature"));
    let statement: Statement = serde_json::from_value(value).map_err(|error| Fault::Statement(error.to_string()))?;
    if statement.schema != EVIDENCE_SCHEMA {
        return Err(unlike("it is of another schema"));
    }
    let key = PublicKey::from_base64(&statement.key.public).filter(|key| key.algorithm().code() == statement.key.algorithm);
    let key = key.ok_or_else(|| unlike("its key is of a kind that this version does not know"))?;
    if statement.fingerprint != key.fingerprint() {
        return Err(unlike("it names another fingerprint than its key has"));
    }
    crate::key::check(line, &key).map_err(Fault::Signature)?;
    Ok((statement, key))
}
