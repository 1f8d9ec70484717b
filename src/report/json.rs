//! The diagnosis for programs: schema `diagnosis/1`, exactly as the JSON Schema in `config/schema/diagnosis-1.json` describes it.
//!
//! Codes never depend on the language; `title`, `advice`, `because` and a note's `text` are sentences in the language asked for.

use super::answer::actors;
use super::{Facing, OpenIncident};
use crate::catalogue::{self, Lang};
use crate::config::TerminalKind;
use crate::model::{
    Actor, Certainty, Chain, Diagnosis, Evidence, Isolation, LayerState, NoteCode, PathItem, RuleReference, RuledOut, Severity, Subject,
    Verdict,
};
use serde::Serialize;

/// The JSON Schema of [`to_json`]'s document.
pub const SCHEMA: &str = include_str!("../../config/schema/diagnosis-1.json");

/// One JSON document, indented, without a line end.
pub fn to_json(diagnosis: &Diagnosis, facing: &Facing, lang: Lang) -> String {
    let document = Document::of(diagnosis, facing, lang);
    serde_json::to_string_pretty(&document).expect("plain data with string keys always serialises")
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    at: String,
    took_ms: u64,
    samples: u32,
    terminal: Card<'a>,
    connected: Option<bool>,
    isolation: Isolation,
    path: Vec<Step<'a>>,
    verdicts: Vec<Finding<'a>>,
    notes: Vec<Remark<'a>>,
    open_incidents: Option<&'a [OpenIncident]>,
    blind: Vec<Gap<'a>>,
}

#[derive(Serialize)]
struct Card<'a> {
    id: Option<&'a str>,
    institution: Option<&'a str>,
    name: Option<&'a str>,
    site: Option<&'a str>,
    region: Option<&'a str>,
    line: Option<&'a str>,
    kind: TerminalKind,
    version: &'static str,
}

#[derive(Serialize)]
struct Step<'a> {
    layer: &'static str,
    subject: &'a Subject,
    state: LayerState,
    summary: &'a str,
    ms: Option<f64>,
    chain: &'a str,
}

#[derive(Serialize)]
struct Finding<'a> {
    cause: &'static str,
    subject: &'a Subject,
    layer: &'static str,
    certainty: Certainty,
    severity: Severity,
    title: &'static str,
    advice: &'static [&'static str],
    who_acts: &'static str,
    contact: Option<Callee<'a>>,
    rule: Option<RuleReference>,
    evidence: Vec<Proof<'a>>,
    ruled_out: Vec<Excluded>,
    explains: &'a [Subject],
}

#[derive(Serialize)]
struct Callee<'a> {
    name: &'a str,
    phone: &'a str,
    role: &'static str,
}

#[derive(Serialize)]
struct Proof<'a> {
    k: &'a str,
    target: &'a str,
    result: &'a str,
    ms: Option<f64>,
}

#[derive(Serialize)]
struct Excluded {
    cause: &'static str,
    because: String,
}

#[derive(Serialize)]
struct Remark<'a> {
    code: NoteCode,
    subject: &'a Subject,
    text: &'static str,
}

#[derive(Serialize)]
struct Gap<'a> {
    what: &'a str,
    because: String,
}

impl<'a> Document<'a> {
    fn of(diagnosis: &'a Diagnosis, facing: &'a Facing, lang: Lang) -> Self {
        let remark =
            |note: &'a crate::model::Note| Remark { code: note.code, subject: &note.subject, text: catalogue::note(note.code, lang) };
        let gap = |blind: &'a crate::model::Blind| Gap { what: &blind.what, because: catalogue::unseen(&blind.because, lang) };
        Self {
            schema: "diagnosis/1",
            at: facing.at.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
            took_ms: facing.took_ms,
            samples: facing.samples,
            terminal: Card::of(facing),
            connected: diagnosis.connected,
            isolation: diagnosis.isolation,
            path: diagnosis.path.iter().map(Step::of).collect(),
            verdicts: diagnosis.verdicts.iter().map(|verdict| Finding::of(verdict, facing, lang)).collect(),
            notes: diagnosis.notes.iter().map(remark).collect(),
            open_incidents: facing.open.as_deref(),
            blind: diagnosis.blind.iter().map(gap).collect(),
        }
    }
}

impl<'a> Card<'a> {
    fn of(facing: &'a Facing) -> Self {
        let terminal = &facing.terminal;
        Self {
            id: facing.id.as_deref(),
            institution: terminal.institution.as_deref(),
            name: terminal.name.as_deref(),
            site: terminal.site.as_deref(),
            region: terminal.region.as_deref(),
            line: terminal.line.as_deref(),
            kind: terminal.kind,
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

impl<'a> Step<'a> {
    fn of(item: &'a PathItem) -> Self {
        let chain = match &item.chain {
            Chain::Local => "local",
            Chain::Centre(name) => name,
        };
        Self { layer: item.layer.code(), subject: &item.subject, state: item.state, summary: &item.fact, ms: tidy(item.ms), chain }
    }
}

impl<'a> Finding<'a> {
    fn of(verdict: &'a Verdict, facing: &'a Facing, lang: Lang) -> Self {
        let text = catalogue::text(verdict.cause, lang);
        let actors = actors(verdict, facing);
        Self {
            cause: verdict.cause.code(),
            subject: &verdict.subject,
            layer: verdict.cause.layer().code(),
            certainty: verdict.certainty,
            severity: verdict.severity,
            title: text.title,
            advice: text.shop,
            who_acts: actors.first().map_or("bureau", |actor| actor.code()),
            contact: actors.iter().find_map(|actor| callee(*actor, facing)),
            rule: facing.rules.as_ref().and_then(|rules| rules.touched_by(verdict.cause.code())).map(|citation| citation.reference(lang)),
            evidence: verdict.evidence.iter().map(Proof::of).collect(),
            ruled_out: verdict.ruled_out.iter().map(|it| Excluded::of(it, lang)).collect(),
            explains: &verdict.explains,
        }
    }
}

/// Whom to call for an actor, if a number is known.
fn callee(actor: Actor, facing: &Facing) -> Option<Callee<'_>> {
    let contact = facing.contacts.get(&actor)?;
    Some(Callee { name: &contact.name, phone: &contact.phone, role: actor.code() })
}

impl<'a> Proof<'a> {
    fn of(evidence: &'a Evidence) -> Self {
        Self { k: &evidence.k, target: &evidence.target, result: &evidence.result, ms: tidy(evidence.ms) }
    }
}

impl Excluded {
    fn of(ruled_out: &RuledOut, lang: Lang) -> Self {
        Self { cause: ruled_out.cause.code(), because: catalogue::reason(&ruled_out.because, lang) }
    }
}

/// Microseconds are the finest that is meant; what is no number is left out.
fn tidy(ms: Option<f64>) -> Option<f64> {
    ms.filter(|ms| ms.is_finite()).map(|ms| (ms * 1000.0).round() / 1000.0)
}
