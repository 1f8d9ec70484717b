//! Every text a person reads about a diagnosis or an observation, compiled in, in both languages.
//!
//! Rules that hold for all of it, kept by [`tests`]: what a clerk reads names at most three steps, no commands, no abbreviation that is
//! not explained or on a short list, nobody's fault, nothing that needs an administrator. In Chinese no sign of ambiguous width stands in
//! it, so that columns align on every terminal. Matches are exhaustive: a code without a text does not compile.

mod causes;
mod chronicle;
mod findings;
mod lang;
mod notes;
mod proof;
mod reasons;
mod rules;
mod shipping;
mod spacing;
mod symptoms;
#[cfg(test)]
mod tests;
mod texts;
mod words;

use crate::model::{Cause, FindingCode};

pub use causes::{is_call, one_act, text};
pub use chronicle::{authority, scope, title, told};
pub use findings::{came_from, finding};
pub use lang::Lang;
pub use notes::note;
pub use proof::{question, result};
pub use reasons::{reason, unseen, unseen_what};
pub use rules::{Article, Citation, RuleSet, Wording};
pub use shipping::{hindered, lacking, shortfall};
pub use spacing::among;
pub use symptoms::{Found, Origin, OriginText, Party, ScreenText, Symptom, nearest, origin, party, screen, search};
pub use texts::Text;
pub use words::{
    actor, certainty, exoneration, isolation, isolation_not_enrolled, layer, mark, never_do, severity, state, subject, watcher,
};

/// The texts of a code as records name it, be it a cause or a finding.
pub fn entry(code: &str, lang: Lang) -> Option<&'static Text> {
    let cause = Cause::from_code(code).map(|cause| text(cause, lang));
    cause.or_else(|| FindingCode::from_code(code).map(|code| finding(code, lang)))
}
