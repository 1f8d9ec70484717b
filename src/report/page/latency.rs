//! A small plot for each part of the way: how long it took to answer in the last 24 hours, or in the last six or the last one while there is
//! no more. The band reaches from the shortest to the longest
//! time of each ten minutes, the line is the mean; a stretch in which it did not answer is marked at the foot.

use super::history::{History, SLOT_MS, SLOTS, Slot};
use super::standing::part;
use crate::catalogue::Lang;
use crate::model::{Chain, Layer};
use crate::report::text::milliseconds;
use maud::{Markup, html};
use std::collections::VecDeque;
use std::fmt::Write;

/// Units of a plot: across one a slot, down from the longest time.
const HIGH: f64 = 60.0;
const HOUR: u64 = 60 * 60 * 1000 / SLOT_MS;

/// How far back all plots reach: no farther than it takes, so that the first hour does not lie in a corner. Slots.
fn reach(rows: &[Row<'_>], now: u64) -> u64 {
    let first = rows.iter().filter_map(|(.., row)| row.front()).map(|slot| slot.number).min().unwrap_or(now);
    let length = now.saturating_sub(first) + 1;
    [HOUR, 6 * HOUR].into_iter().find(|reach| length <= *reach).unwrap_or(SLOTS)
}

type Row<'a> = (&'a Chain, Layer, &'a VecDeque<Slot>);

/// All plots; nothing where nothing told a time.
pub(super) fn section(history: &History, now_ms: u64, lang: Lang) -> Markup {
    let rows: Vec<Row<'_>> = history.rows().filter(|(.., row)| row.iter().any(|slot| slot.mean().is_some())).collect();
    let now = now_ms / SLOT_MS;
    let reach = reach(&rows, now);
    let hours = reach / HOUR;
    let (ago, last) = match hours {
        1 => (lang.pick("1 小时前".to_owned(), "1 h ago".to_owned()), lang.pick("最近 1 小时".to_owned(), "the last hour".to_owned())),
        _ => (
            lang.pick(format!("{hours} 小时前"), format!("{hours} h ago")),
            lang.pick(format!("最近 {hours} 小时"), format!("the last {hours} hours")),
        ),
    };
    html! {
        @if !rows.is_empty() {
            section.wide #latency data-hours=(hours) {
                h2 { (lang.pick(format!("{last}各段的应答时间"), format!("Time to answer in {last}"))) }
                p.key { (lang.pick(
                    format!("从左到右是{last}，上沿是最慢的那一次，下沿是零。线是每十分钟的平均，浅色是最快到最慢；下面的粗线段是没有应答的时候。"),
                    format!("From left to right {last}; the top is the longest time, the foot is zero. The line is the mean of ten minutes, the band reaches from the shortest to the longest; a thick stroke at the foot: no answer."),
                )) }
                div.plots { @for (chain, layer, row) in rows { (plot((chain, layer, row), (reach, now), &ago, lang)) } }
            }
        }
    }
}

fn plot((chain, layer, row): Row<'_>, (reach, now): (u64, u64), ago: &str, lang: Lang) -> Markup {
    let most = row.iter().filter(|slot| slot.mean().is_some()).map(|slot| slot.most).fold(0.1, f64::max);
    let last = row.iter().rev().find_map(Slot::mean).unwrap_or_default();
    let failed = row.iter().filter(|slot| slot.failed).count();
    let name = part(chain, layer, lang);
    let (last, top) = (milliseconds(last, lang), milliseconds(most, lang));
    let mut said = lang.pick(format!("最近 {last}，最慢 {top}"), format!("last {last}, longest {top}"));
    if failed > 0 {
        said += &lang.pick(format!("，{failed} 段没有应答"), format!("; no answer in {failed} of the stretches"));
    }
    let drawn = Drawn::of(row, (reach, now), most);
    html! {
        figure {
            figcaption { strong { (name) } " " span { (said) } }
            svg.plot viewBox={ "0 0 " (reach) " " (HIGH) } preserveAspectRatio="none" role="img" aria-label=(format!("{name}{}{said}", lang.pick("：", ": "))) {
                path.band d=(drawn.band) {}
                path.line d=(drawn.line) {}
                path.gone d=(drawn.gone) {}
            }
            p.axis aria-hidden="true" { span { (ago) } span { (lang.pick("现在", "now")) } }
        }
    }
}

/// The three paths of a plot.
#[derive(Debug, Default)]
struct Drawn {
    band: String,
    line: String,
    gone: String,
}

impl Drawn {
    fn of(row: &VecDeque<Slot>, (reach, now): (u64, u64), most: f64) -> Self {
        let mut drawn = Self::default();
        let mut before = None;
        for slot in row {
            let Some(x) = (slot.number + reach).checked_sub(now + 1).filter(|x| *x < reach) else { continue };
            let y = |ms: f64| (HIGH - 3.0 - ms / most * (HIGH - 6.0)).round();
            if let Some(mean) = slot.mean() {
                let (top, foot) = (y(slot.most), y(slot.least));
                let _ = write!(drawn.band, "M{x} {foot}V{top}h1V{foot}z");
                let step = if before == Some(x) { 'L' } else { 'M' };
                let _ = write!(drawn.line, "{step}{x} {0}h1", y(mean));
                before = Some(x + 1);
            }
            if slot.failed {
                let _ = write!(drawn.gone, "M{x} {}h1", HIGH - 1.0);
            }
        }
        drawn
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{LayerState, PathItem, Subject};

    #[test]
    fn a_gap_breaks_the_line_and_a_failure_is_marked() {
        let item =
            |state, ms| PathItem { chain: Chain::Local, layer: Layer::Gateway, subject: Subject::Terminal, state, fact: String::new(), ms };
        let mut history = History::default();
        for (slot, state, ms) in
            [(0, LayerState::Ok, Some(1.0)), (1, LayerState::Ok, Some(2.0)), (5, LayerState::Ok, Some(2.0)), (6, LayerState::Failed, None)]
        {
            history.take(slot * SLOT_MS, &[item(state, ms)]);
        }
        let (.., row) = history.rows().next().expect("a row");
        let drawn = Drawn::of(row, (SLOTS, 6), 2.0);
        assert_eq!(drawn.line, "M137 30h1L138 3h1M142 3h1");
        assert_eq!(drawn.gone, "M143 59h1");
        let text = section(&history, 6 * SLOT_MS, Lang::En).into_string();
        assert!(text.contains("last 2.0 ms, longest 2.0 ms; no answer in 1 of the stretches"), "{text}");
        for (now, hours) in [(5, 1), (6, 6), (35, 6), (36, 24)] {
            let text = section(&history, now * SLOT_MS, Lang::En).into_string();
            assert!(
                text.contains(&format!("data-hours=\"{hours}\"")) && text.contains(&format!("<span>{hours} h ago</span>")),
                "{now}: {text}"
            );
            assert!(text.contains(&format!("viewBox=\"0 0 {} 60\"", hours * HOUR)), "{now}: {text}");
        }
    }
}
