//! The status page: the same words as `diagnose`, kept up to date in a browser.
//!
//! Pure. What the loop knows becomes the [standing] part, with two gaps in it: one for what can be done here (forms, which carry the token of
//! this run), one for what only the log knows ([past]). Whoever serves the page [fills](fill) them. Two views: anybody on this PC sees whether
//! one can settle, the way with its states and times, what to do, whom to call, the separation, when what happened; who has shown to belong to
//! the group sees what proves it, addresses, storage, clock, and the service's own affairs.
//!
//! One page without a script of its own works; `live.js` only fetches it again when the server says that something changed. Nothing comes
//! from elsewhere, no style or script stands in the page itself.

mod doing;
mod history;
mod latency;
mod past;
mod sheet;
mod standing;
mod symptom;
mod timeline;

pub use doing::{Doing, doing};
pub use history::History;
pub use past::Past;
pub use sheet::{Sheet, past_sheet};
pub use standing::{Now, standing};
pub use symptom::{refused, symptom};

use super::text::clean;
use super::{Facing, html};
use crate::catalogue::Lang;
use maud::{DOCTYPE, Markup, html as markup};

/// The style sheet: that of the one-shot page, and what only this page has.
pub fn style() -> String {
    [html::STYLE, include_str!("page.css")].concat()
}

/// The script that keeps the page up to date.
pub const SCRIPT: &str = include_str!("live.js");

/// What stands in the tab beside the title (SVG). Without one a browser asks for one that is not there.
pub const ICON: &str = include_str!("icon.svg");

/// What the page may do, as a header: load its own style and script, ask its own server, send its own forms; be framed by nobody.
pub const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; \
                          base-uri 'none'; frame-ancestors 'none'";

/// The gaps of the standing part. Text is escaped, so that nothing a stranger wrote can look like one.
const DOING: &str = "<!--doing-->";
const PAST: &str = "<!--past-->";

/// The standing part with its gaps filled.
pub fn fill(standing: &str, doing: &str, past: &str) -> String {
    standing.replacen(DOING, doing, 1).replacen(PAST, past, 1)
}

/// A whole page around its body.
fn whole(title: &str, lang: Lang, body: &Markup) -> String {
    let page = markup! {
        (DOCTYPE)
        html lang=(lang.tag()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                link rel="icon" href="/icon.svg";
                link rel="stylesheet" href="/page.css";
                script src="/live.js" defer {}
            }
            body { (body) }
        }
    };
    page.into_string() + "\n"
}

/// A text in which numbers and codes are not broken over lines: somebody dials them.
fn unbroken(text: &str) -> Markup {
    let mut pieces: Vec<(bool, String)> = Vec::new();
    for sign in text.chars() {
        let whole = sign.is_ascii_alphanumeric() || matches!(sign, '-' | '.' | '+' | '_');
        match pieces.last_mut() {
            Some((kind, piece)) if *kind == whole => piece.push(sign),
            _ => pieces.push((whole, sign.to_string())),
        }
    }
    // A very long word may break, or it would widen the page.
    let is_number = |piece: &str| (2..=24).contains(&piece.len()) && piece.contains(['-', '.']);
    markup! {
        @for (whole, piece) in &pieces {
            @if *whole && is_number(piece) { span.whole { (piece) } } @else { (piece) }
        }
    }
}

/// What stands in the tab: which PC.
fn title(facing: &Facing, lang: Lang) -> String {
    let what = lang.pick("医保专网", "Insurance network");
    let whose = facing.terminal.name.as_deref().or(facing.id.as_deref());
    whose.map_or_else(|| what.to_owned(), |name| format!("{what} - {}", clean(name)))
}
