//! The drawn path from this PC to every centre: one row a layer, shared layers once.

use super::page::{Ink, Page, clean, pad, wrap};
use crate::catalogue::{self, Lang};
use crate::model::{Chain, Diagnosis, LayerState, PathItem, Severity, Subject};
use unicode_width::UnicodeWidthStr;

/// Columns: two of indent, the mark, the layer's name, what stands there; the fact takes the rest.
const LAYER: usize = 14;
const SUBJECT_START: usize = 2 + 4 + 1 + LAYER + 2;
const SUBJECT_MOST: usize = 22;
/// Columns with which there is no room for two columns beside the layers.
const NARROW: usize = 60;

/// Draws all chains.
pub(in crate::report) fn draw(page: &mut Page, diagnosis: &Diagnosis, lang: Lang) {
    if diagnosis.path.is_empty() {
        return;
    }
    page.pieces(&[(lang.pick("从这台电脑到医保中心", "From this PC to the centre"), Ink::Bold)]);
    let width = diagnosis.path.iter().map(|item| stands_there(&item.subject).width()).max().unwrap_or_default();
    // On a narrow screen the fact stands below what it is about.
    let width = if page.width() < NARROW { 0 } else { width.min(SUBJECT_MOST) };
    let broken_near = draw_chain(page, diagnosis, &Chain::Local, width, false, lang);
    for chain in centres(diagnosis) {
        if let Chain::Centre(name) = chain {
            page.pieces(&[("   |", Ink::Dim)]);
            page.paragraph("   +--> ", &format!("{} {name}", lang.pick("医保中心", "centre")), Ink::Bold);
        }
        draw_chain(page, diagnosis, chain, width, broken_near, lang);
    }
}

/// The chains beyond this PC's own part, in the order of their first item.
pub(in crate::report) fn centres(diagnosis: &Diagnosis) -> Vec<&Chain> {
    let mut chains = Vec::new();
    for item in &diagnosis.path {
        if item.chain != Chain::Local && !chains.contains(&&item.chain) {
            chains.push(&item.chain);
        }
    }
    chains
}

/// Draws one chain and says whether the path is broken by its end.
fn draw_chain(page: &mut Page, diagnosis: &Diagnosis, chain: &Chain, width: usize, mut broken: bool, lang: Lang) -> bool {
    for item in diagnosis.path.iter().filter(|item| item.chain == *chain) {
        let breaks_here = item.state == LayerState::Failed && !broken;
        broken |= breaks_here;
        let arrow = if breaks_here {
            Some((lang.pick("<== 断在这里", "<== broken here"), Ink::Bad))
        } else if worsened(diagnosis, item) {
            Some((lang.pick("<-- 要留意", "<-- see below"), Ink::Warn))
        } else {
            None
        };
        draw_row(page, item, arrow, width, lang);
    }
    broken
}

fn draw_row(page: &mut Page, item: &PathItem, arrow: Option<(&str, Ink)>, width: usize, lang: Lang) {
    let ink = match item.state {
        LayerState::Ok => Ink::Good,
        LayerState::Failed => Ink::Bad,
        LayerState::Unknown => Ink::Warn,
        LayerState::Skipped => Ink::Dim,
    };
    let name = format!(" {}  ", pad(catalogue::layer(item.layer, lang), LAYER));
    let head = [("  ", Ink::Plain), (catalogue::mark(item.state, lang), ink), (name.as_str(), Ink::Plain)];
    let mut cells = cells(item, width, page.width() - SUBJECT_START, lang);
    let last = cells.last().map_or(0, |cell| cell.width());
    if let Some((text, _)) = arrow
        && SUBJECT_START + last + 2 + text.width() > page.width()
    {
        cells.push(String::new());
    }
    for (i, cell) in cells.iter().enumerate() {
        let blank = " ".repeat(SUBJECT_START);
        let mut pieces = if i == 0 { head.to_vec() } else { vec![(blank.as_str(), Ink::Plain)] };
        pieces.push((cell, Ink::Plain));
        if let Some(arrow) = arrow
            && i + 1 == cells.len()
        {
            pieces.push((if cell.is_empty() { "" } else { "  " }, Ink::Plain));
            pieces.push(arrow);
        }
        page.pieces(&pieces);
    }
}

/// What stands there and the fact about it, as lines of at most `room` columns; the fact in its own column.
fn cells(item: &PathItem, width: usize, room: usize, lang: Lang) -> Vec<String> {
    let subject = stands_there(&item.subject);
    let fact = fact(item, lang);
    let indent = if width == 0 { 0 } else { width + 2 };
    let facts = if fact.is_empty() { Vec::new() } else { wrap(&fact, room.saturating_sub(indent).max(8)) };
    let in_column = |line: &String| format!("{}{line}", " ".repeat(indent));
    if subject.width() > width {
        let mut lines = wrap(&subject, room);
        lines.extend(facts.iter().map(in_column));
        return lines;
    }
    let Some((first, rest)) = facts.split_first() else { return vec![subject] };
    let mut lines = vec![if indent == 0 { first.clone() } else { format!("{}  {first}", pad(&subject, width)) }];
    lines.extend(rest.iter().map(in_column));
    lines
}

/// The fact in words where there are words for it, with its time.
pub(in crate::report) fn fact(item: &PathItem, lang: Lang) -> String {
    let said = clean(&catalogue::result(&item.fact, lang).unwrap_or_else(|| item.fact.clone()));
    let said = if said == stands_there(&item.subject) { String::new() } else { said };
    match item.ms {
        Some(ms) if said.is_empty() => super::milliseconds(ms, lang),
        Some(ms) => format!("{said}{}{}", lang.pick("，", ", "), super::milliseconds(ms, lang)),
        None => said,
    }
}

/// The bare name of what stands at a layer.
pub(in crate::report) fn stands_there(subject: &Subject) -> String {
    clean(&match subject {
        Subject::Terminal | Subject::Line => String::new(),
        Subject::Link(name) => name.to_string(),
        Subject::Gateway(ip) | Subject::Route(ip) | Subject::Resolver(ip) | Subject::Host(ip) => ip.to_string(),
        Subject::Vpn(name)
        | Subject::Name(name)
        | Subject::Centre(name)
        | Subject::Device(name)
        | Subject::File(name)
        | Subject::Program(name)
        | Subject::Namespace(name) => name.clone(),
        Subject::Endpoint(at) => at.to_string(),
    })
}

/// A verdict that does not disconnect is about this row: the one of its subject, or else the first working one of its layer.
pub(in crate::report) fn worsened(diagnosis: &Diagnosis, item: &PathItem) -> bool {
    if item.state != LayerState::Ok {
        return false;
    }
    diagnosis.verdicts.iter().filter(|verdict| !verdict.disconnects && verdict.severity > Severity::Info).any(|verdict| {
        let same_layer = |other: &&PathItem| other.layer == verdict.cause.layer() && other.state == LayerState::Ok;
        let named = diagnosis.path.iter().filter(same_layer).find(|other| other.subject == verdict.subject);
        named.or_else(|| diagnosis.path.iter().find(same_layer)).is_some_and(|row| std::ptr::eq(row, item))
    })
}
