//! The diagnosis as text: for the person at the counter first, for an engineer when asked.
//!
//! Order: three lines that suffice by themselves, the drawn path, why we think so, what to do, whom to call, what never to do, isolation,
//! notes. Every line fits the width in both languages, and nothing is said by colour alone.

mod explain;
mod head;
mod page;
mod path;
mod why;

use super::answer::{Answer, Kind};
use super::{Facing, Help, Style};
use crate::catalogue::{self, Lang};
use crate::model::{Diagnosis, Isolation, NoteCode};
pub use explain::{explain_cause, explain_finding, explain_list, explain_origin, explain_symptoms, explain_unknown, list_symptoms};
pub(in crate::report) use explain::{network_lead, parties};
pub(in crate::report) use head::{act, call, contact, first, queue};
pub(crate) use page::{CLOSING, OPENING};
pub(in crate::report) use page::{Ink, Page, clean, wrap};
pub(in crate::report) use path::{centres, draw, fact, stands_there, worsened};
pub(in crate::report) use why::{in_words, meaning, not_this, raw, rule};

/// The whole report, ending in a line end.
pub fn render(diagnosis: &Diagnosis, facing: &Facing, lang: Lang, style: Style) -> String {
    let answer = Answer::of(diagnosis, facing);
    let mut page = Page::new(style.width, style.color);
    head::write(&mut page, &answer, facing, lang);
    let open = matches!(diagnosis.isolation, Isolation::Broken | Isolation::Suspect);
    if open {
        page.paragraph("", catalogue::isolation(diagnosis.isolation, lang), Ink::Bad);
    }
    page.blank();
    path::draw(&mut page, diagnosis, lang);
    why::write(&mut page, &answer, facing, lang, style.verbose);
    watched(&mut page, facing, lang);
    steps(&mut page, &answer, lang);
    missing_centre(&mut page, &answer, facing, lang);
    not_the_network(&mut page, &answer, lang);
    contacts(&mut page, &answer, facing, lang);
    page.blank();
    page.paragraph("", catalogue::never_do(lang), Ink::Bold);
    if !open {
        page.paragraph("", isolation(diagnosis, lang), Ink::Plain);
    }
    notes(&mut page, diagnosis, lang);
    blind(&mut page, diagnosis, lang, style.verbose);
    if style.verbose {
        helped(&mut page, facing.help, lang);
    }
    page.finish()
}

fn heading(page: &mut Page, text: &str) {
    page.blank();
    page.paragraph("", text, Ink::Bold);
}

/// The separation from the internet; before enrolment there is nothing to judge it by.
pub(in crate::report) fn isolation(diagnosis: &Diagnosis, lang: Lang) -> &'static str {
    let enrolled = diagnosis.notes.iter().all(|note| note.code != NoteCode::NotEnrolled);
    if enrolled || diagnosis.isolation != Isolation::Unknown {
        catalogue::isolation(diagnosis.isolation, lang)
    } else {
        catalogue::isolation_not_enrolled(lang)
    }
}

/// What the daemon has open, and since when: this look alone cannot know.
fn watched(page: &mut Page, facing: &Facing, lang: Lang) {
    let open = facing.open.as_deref().unwrap_or_default();
    if open.is_empty() {
        return;
    }
    heading(page, watched_heading(lang));
    for incident in open {
        page.paragraph("  - ", &incident.line(&facing.at, lang), Ink::Plain);
    }
}

/// What stands above the incidents of the daemon.
pub(in crate::report) fn watched_heading(lang: Lang) -> &'static str {
    lang.pick("值守程序记着的、还没恢复的故障", "What the watch has open")
}

/// What to do, step by step. Several candidates share only the one act and the call.
pub(in crate::report) fn shop_steps(answer: &Answer<'_>, lang: Lang) -> Vec<&'static str> {
    let causes = answer.causes();
    match causes.as_slice() {
        [] => Vec::new(),
        [only] => catalogue::text(*only, lang).shop.to_vec(),
        several => {
            let act = catalogue::one_act(several, lang);
            vec![act, then(catalogue::is_call(act, lang), answer.callees().len(), lang)]
        }
    }
}

/// What follows the one act for several candidates. `called`: the act itself was to call.
fn then(called: bool, numbers: usize, lang: Lang) -> &'static str {
    match (called, numbers) {
        (true, 0 | 1) => lang.pick("把上面说的几种可能都告诉对方。", "Tell them every possibility named above."),
        (false, 0 | 1) => {
            lang.pick("打下面的电话，把上面说的几种可能都告诉对方。", "Call the number below and tell them every possibility named above.")
        }
        (true, _) => lang.pick(
            "从第一个电话打起；对方说他那边没问题，再打下一个。",
            "Begin with the first number; when that one finds nothing wrong, call the next.",
        ),
        (false, _) => lang.pick(
            "打下面的电话，从第一个打起；对方说他那边没问题，再打下一个。",
            "Call the numbers below from the first; when one finds nothing wrong, call the next.",
        ),
    }
}

fn steps(page: &mut Page, answer: &Answer<'_>, lang: Lang) {
    let steps = shop_steps(answer, lang);
    if steps.is_empty() {
        return;
    }
    heading(page, lang.pick("怎么办", "What to do"));
    for (i, step) in steps.iter().enumerate() {
        page.paragraph(&format!("  {}. ", i + 1), step, Ink::Plain);
    }
}

/// The lines to add when no centre is configured.
fn missing_centre(page: &mut Page, answer: &Answer<'_>, facing: &Facing, lang: Lang) {
    if answer.kind != Kind::NotConfigured {
        return;
    }
    heading(page, lang.pick("要加的几行", "The lines to add"));
    page.paragraph("  ", &lines_to_add(facing, lang), Ink::Plain);
    for line in CENTRE_LINES {
        page.pieces(&[("    ", Ink::Plain), (line, Ink::Plain)]);
    }
}

/// Where [`CENTRE_LINES`] belong, and who knows what to write.
pub(in crate::report) fn lines_to_add(facing: &Facing, lang: Lang) -> String {
    match lang {
        Lang::ZhCn => format!("加到 {}，host 填医保中心的域名或地址（结算软件公司知道）：", facing.config_file),
        Lang::En => format!("To {}; host is the centre's name or address (the settlement software's vendor knows it):", facing.config_file),
    }
}

/// The least that a centre needs in the configuration.
pub(in crate::report) const CENTRE_LINES: [&str; 3] = ["[[centre]]", "name = \"settlement\"", "host = \"...\""];

/// Where the network is fine: the way from the message on the screen to who acts on it.
fn not_the_network(page: &mut Page, answer: &Answer<'_>, lang: Lang) {
    if !matches!(answer.kind, Kind::Fine | Kind::Degraded) {
        return;
    }
    heading(page, look_up(lang));
    page.pieces(&[("    ", Ink::Plain), (SYMPTOM, Ink::Plain)]);
}

/// What the command that leads from a symptom to its origin is for.
pub(in crate::report) fn look_up(lang: Lang) -> &'static str {
    lang.pick("还是刷不了卡，就把屏幕上的提示填在引号里查", "If the card still fails, look up what the screen says")
}

/// The command that leads from a symptom to its origin.
pub(in crate::report) const SYMPTOM: &str = "isonet explain --symptom \"...\"";

fn contacts(page: &mut Page, answer: &Answer<'_>, facing: &Facing, lang: Lang) {
    heading(page, lang.pick("联系谁", "Whom to call"));
    for actor in answer.callees() {
        page.paragraph("  - ", &head::contact(actor, facing, lang), Ink::Plain);
    }
}

/// What looks like a fault and is none.
pub(in crate::report) fn note_lines(diagnosis: &Diagnosis, lang: Lang) -> Vec<&'static str> {
    // A sentence is said once, however many centres it is true of; what the first lines say is not repeated.
    let mut said: Vec<NoteCode> = vec![NoteCode::CentreNotConfigured];
    if diagnosis.isolation == Isolation::Unknown {
        said.push(NoteCode::NotEnrolled);
    }
    let mut lines = Vec::new();
    for note in &diagnosis.notes {
        if !said.contains(&note.code) {
            said.push(note.code);
            lines.push(catalogue::note(note.code, lang));
        }
    }
    lines
}

fn notes(page: &mut Page, diagnosis: &Diagnosis, lang: Lang) {
    let lines = note_lines(diagnosis, lang);
    if lines.is_empty() {
        return;
    }
    heading(page, lang.pick("说明（不是故障）", "Notes (no faults)"));
    for line in lines {
        page.paragraph("  - ", line, Ink::Plain);
    }
}

fn blind(page: &mut Page, diagnosis: &Diagnosis, lang: Lang, verbose: bool) {
    if diagnosis.blind.is_empty() {
        return;
    }
    if !verbose {
        page.blank();
        let count = diagnosis.blind.len();
        let line = match lang {
            Lang::ZhCn => format!("有 {count} 项这次没能看到，详细版里列着。"),
            Lang::En if count == 1 => "One thing could not be seen this time; the verbose report names it.".to_owned(),
            Lang::En => format!("{count} things could not be seen this time; the verbose report lists them."),
        };
        page.paragraph("", &line, Ink::Dim);
        return;
    }
    heading(page, lang.pick("这次没能看到的", "What could not be seen"));
    for item in &diagnosis.blind {
        let because = catalogue::unseen(&item.because, lang);
        page.paragraph("  - ", &format!("{}{}{because}", item.what, lang.pick("：", ": ")), Ink::Plain);
    }
}

/// Who looked at what this user may not see.
fn helped(page: &mut Page, help: Help, lang: Lang) {
    let line = match (help, lang) {
        (Help::NotNeeded, _) => return,
        (Help::Looks(count), Lang::ZhCn) => format!("有 {count} 处本用户看不到，用的是值守程序同一时间看到的。"),
        (Help::Looks(count), Lang::En) => format!("{count} looks that this user may not make were made by the watch at the same time."),
        (Help::None, Lang::ZhCn) => "有些地方本用户看不到，值守程序也没能帮上，以上都是自己看到的。".to_owned(),
        (Help::None, Lang::En) => {
            "Some looks need rights that this user lacks, and the watch did not help: all of this was seen without them.".to_owned()
        }
    };
    page.blank();
    page.paragraph("", &line, Ink::Dim);
}

/// A time as people read it.
pub(in crate::report) fn milliseconds(ms: f64, lang: Lang) -> String {
    let unit = lang.pick("毫秒", "ms");
    match ms {
        ..0.1 => format!("< 0.1 {unit}"),
        ..10.0 => format!("{ms:.1} {unit}"),
        _ => format!("{ms:.0} {unit}"),
    }
}
