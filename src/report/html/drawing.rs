//! The drawn path: one row a layer. The state of a row is told by the shape of its mark and by a word; colour only repeats it. The way is
//! a whole line as far as it works, cut through at the break, dotted beyond.

use crate::catalogue::{self, Lang};
use crate::model::{Chain, Diagnosis, LayerState, PathItem};
use crate::report::text::{centres, clean, fact, stands_there, worsened, wrap};
use maud::{Markup, html};

/// Units of the drawing; a phone shows it at its own size.
const WIDTH: u32 = 340;
/// Centre of the marks.
const MARK: u32 = 14;
/// Where words begin, and where the word of the state ends.
const WORDS: u32 = 34;
const END: u32 = WIDTH - 4;
/// Heights: the name of a row, each line of its fact, the gap below, the name of a centre.
const NAME: u32 = 17;
const LINE: u32 = 15;
const GAP: u32 = 6;
const CHAIN: u32 = 24;
/// Centres that are drawn: as many as somebody looks through, and the page stays small.
const MOST: usize = 8;
/// Columns of a fact at its size.
const COLUMNS: usize = 48;

/// A row to be drawn, from `top` down.
struct Row<'a> {
    item: &'a PathItem,
    lines: Vec<String>,
    top: u32,
    /// The way into this row works; it does not beyond the first break.
    reached: bool,
    breaks: bool,
    /// The way ends here.
    last: bool,
}

/// The name of a centre above its part of the way.
struct Branch {
    name: String,
    top: u32,
    reached: bool,
}

/// The section with the drawing; nothing when there is no path.
pub(in crate::report) fn section(diagnosis: &Diagnosis, lang: Lang) -> Markup {
    if diagnosis.path.is_empty() {
        return html! {};
    }
    let (drawn, left) = drawn(diagnosis);
    let (rows, branches, height) = lay_out(diagnosis, &drawn, lang);
    let heading = lang.pick("从这台电脑到医保中心", "From this PC to the centre");
    html! {
        section {
            h2 { (heading) }
            svg viewBox={ "0 0 " (WIDTH) " " (height) } role="img" aria-label=(said(&rows, heading, lang)) {
                @for branch in &branches { (draw_branch(branch, lang)) }
                @for row in &rows { (draw_way(row)) }
                @for row in &rows { (draw_row(row, worsened(diagnosis, row.item), lang)) }
            }
            @if !left.is_empty() { p.raw { (left_out(diagnosis, &left, lang)) } }
        }
    }
}

/// The centres that are drawn, those that cannot be reached before others, and those that are not.
fn drawn(diagnosis: &Diagnosis) -> (Vec<&Chain>, Vec<&Chain>) {
    let mut all = centres(diagnosis);
    if all.len() > MOST {
        all.sort_by_key(|chain| works(diagnosis, chain));
    }
    let left = all.split_off(all.len().min(MOST));
    (all, left)
}

/// No part of its way is anything but well.
fn works(diagnosis: &Diagnosis, chain: &Chain) -> bool {
    diagnosis.path.iter().filter(|item| item.chain == *chain).all(|item| item.state == LayerState::Ok)
}

fn left_out(diagnosis: &Diagnosis, left: &[&Chain], lang: Lang) -> String {
    let well = left.iter().filter(|chain| works(diagnosis, chain)).count();
    match (left.len() - well, lang) {
        (0, Lang::ZhCn) => format!("还有 {well} 个医保中心没有画出来，都通。"),
        (0, Lang::En) => format!("{well} more centres are not drawn; all of them can be reached."),
        (others, Lang::ZhCn) => format!("还有 {} 个医保中心没有画出来：{well} 个通，{others} 个不通或者没有查。", left.len()),
        (others, Lang::En) => {
            format!("{} more centres are not drawn: {well} can be reached, {others} cannot or were not looked at.", left.len())
        }
    }
}

fn lay_out<'a>(diagnosis: &'a Diagnosis, drawn: &[&'a Chain], lang: Lang) -> (Vec<Row<'a>>, Vec<Branch>, u32) {
    let (mut rows, mut branches, mut top) = (Vec::new(), Vec::new(), 2);
    let near = lay_chain(&mut rows, diagnosis, &Chain::Local, &mut top, true, lang);
    for chain in drawn.iter().copied() {
        if let Chain::Centre(name) = chain {
            branches.push(Branch { name: clean(name), top, reached: near });
            top += CHAIN;
        }
        lay_chain(&mut rows, diagnosis, chain, &mut top, near, lang);
        end(&mut rows);
    }
    end(&mut rows);
    (rows, branches, top + 2)
}

/// The way ends at the row laid out last.
fn end(rows: &mut [Row<'_>]) {
    if let Some(row) = rows.last_mut() {
        row.last = true;
    }
}

/// Lays out one chain and says whether its end is reached.
fn lay_chain<'a>(rows: &mut Vec<Row<'a>>, diagnosis: &'a Diagnosis, chain: &Chain, top: &mut u32, mut whole: bool, lang: Lang) -> bool {
    for item in diagnosis.path.iter().filter(|item| item.chain == *chain) {
        let breaks = whole && item.state == LayerState::Failed;
        let lines = lines(item, lang);
        let height = NAME + LINE * u32::try_from(lines.len()).unwrap_or(u32::MAX / 64) + GAP;
        rows.push(Row { item, lines, top: *top, reached: whole, breaks, last: false });
        *top += height;
        whole &= !breaks;
    }
    whole
}

/// What stands there and the fact about it.
fn lines(item: &PathItem, lang: Lang) -> Vec<String> {
    // The time of a look that was left out says nothing.
    let item = &PathItem { ms: item.ms.filter(|_| item.state != LayerState::Skipped), ..item.clone() };
    let parts: Vec<String> = [stands_there(&item.subject), fact(item, lang)].into_iter().filter(|part| !part.is_empty()).collect();
    if parts.is_empty() { Vec::new() } else { wrap(&parts.join(lang.pick("：", ": ")), COLUMNS) }
}

/// The drawing in one sentence, for those who hear it.
fn said(rows: &[Row<'_>], heading: &str, lang: Lang) -> String {
    let state = |row: &Row<'_>| {
        let colon = lang.pick("：", ": ");
        format!("{}{colon}{}", catalogue::layer(row.item.layer, lang), catalogue::state(row.item.state, lang))
    };
    let states: Vec<String> = rows.iter().map(state).collect();
    format!("{heading}{}{}", lang.pick("：", ": "), states.join(lang.pick("；", "; ")))
}

fn draw_branch(branch: &Branch, lang: Lang) -> Markup {
    let middle = branch.top + CHAIN / 2;
    let way = if branch.reached { "way" } else { "way gone" };
    html! {
        path class=(way) d={ "M" (MARK) " " (branch.top) "V" (branch.top + CHAIN) "M" (MARK) " " (middle) "h12m-4 -4l4 4l-4 4" } {}
        text.chain x=(WORDS) y=(middle + 5) { (lang.pick("医保中心 ", "Centre ")) (branch.name) }
    }
}

/// The way through a row: up to its mark, and on from it.
fn draw_way(row: &Row<'_>) -> Markup {
    let (middle, bottom) = (middle(row), row.top + height(row));
    let after = row.reached && !row.breaks;
    html! {
        path class=(if row.reached { "way" } else { "way gone" }) d={ "M" (MARK) " " (row.top) "V" (middle) } {}
        @if !row.last {
            path class=(if after { "way" } else { "way gone" }) d={ "M" (MARK) " " (middle) "V" (bottom) } {}
        }
    }
}

fn draw_row(row: &Row<'_>, worse: bool, lang: Lang) -> Markup {
    let item = row.item;
    let base = row.top + 13;
    let (tone, word) = match item.state {
        _ if row.breaks => ("bad", lang.pick("断在这里", "broken here")),
        LayerState::Ok if worse => ("warn", lang.pick("要留意", "see below")),
        LayerState::Ok => ("good", catalogue::state(item.state, lang)),
        LayerState::Failed => ("bad", catalogue::state(item.state, lang)),
        LayerState::Unknown => ("warn", catalogue::state(item.state, lang)),
        // Something was seen there, yet beyond the break it means nothing.
        LayerState::Skipped if !row.lines.is_empty() => ("dim", lang.pick("不作判断", "not judged")),
        LayerState::Skipped => ("dim", catalogue::state(item.state, lang)),
    };
    html! {
        g data-layer=(item.layer.code()) data-state=(item.state.code()) data-broken=[row.breaks.then(|| item.layer.code())] {
            @if row.breaks {
                rect.here x="1" y=(row.top.saturating_sub(1)) width=(WIDTH - 2) height=(height(row).saturating_sub(2)) rx="5" {}
            }
            (mark(item.state, worse, tone, middle(row)))
            text.name x=(WORDS) y=(base) { (catalogue::layer(item.layer, lang)) }
            text class={ "word " (tone) } x=(END) y=(base) { (word) }
            @for (i, line) in (0_u32..).zip(&row.lines) {
                text.fact x=(WORDS) y=(base + LINE * (i + 1)) { (line) }
            }
        }
    }
}

fn height(row: &Row<'_>) -> u32 {
    NAME + LINE * u32::try_from(row.lines.len()).unwrap_or(u32::MAX / 64) + GAP
}

fn middle(row: &Row<'_>) -> u32 {
    row.top + 9
}

/// Ring with tick, square with cross, triangle, ring with question mark, small ring with dash: five shapes.
fn mark(state: LayerState, worse: bool, tone: &str, y: u32) -> Markup {
    let sign = |d: String| html! { path class={ "sign " (tone) } d=(d) {} };
    match state {
        LayerState::Ok if worse => html! {
            path class={ "mark " (tone) } d={ "M" (MARK) " " (y.saturating_sub(9)) "l9 16h-18z" } {}
            (sign(format!("M{MARK} {}v5m0 3.5v.1", y.saturating_sub(3))))
        },
        LayerState::Ok => html! {
            circle class={ "mark " (tone) } cx=(MARK) cy=(y) r="8" {}
            (sign(format!("M{} {y}l3 3.5l5 -7", MARK - 4)))
        },
        LayerState::Failed => html! {
            rect class={ "mark " (tone) } x=(MARK - 8) y=(y.saturating_sub(8)) width="16" height="16" {}
            (sign(format!("M{} {}l8 8m0 -8l-8 8", MARK - 4, y.saturating_sub(4))))
        },
        LayerState::Unknown => html! {
            circle class={ "mark " (tone) } cx=(MARK) cy=(y) r="8" stroke-dasharray="3 2" {}
            (sign(format!("M{} {}a2.6 2.6 0 1 1 3.6 2.6q-1 .6 -1 2m0 2.6v.1", MARK - 3, y.saturating_sub(2))))
        },
        LayerState::Skipped => html! {
            circle class={ "mark " (tone) } cx=(MARK) cy=(y) r="6" {}
            (sign(format!("M{} {y}h5", MARK - 2)))
        },
    }
}
