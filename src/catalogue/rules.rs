//! The terminal rules that a cause or a finding may touch: a set of articles, as data, and the words in which one is cited.
//!
//! Rules differ by place, so a set is chosen in the configuration; without one no article is cited. What a terminal observes is a lead
//! and no judgement: it is said that a code *touches* an article, never more. [`config`](crate::config) reads and checks the sets.

use super::Lang;
use crate::model::RuleReference;

/// A text in the words of its issuer, with an English version where there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wording {
    /// As issued.
    pub original: String,
    /// In English; `None` = the original is shown.
    pub english: Option<String>,
}

impl Wording {
    /// What a reader of this language is shown.
    pub fn pick(&self, lang: Lang) -> &str {
        match lang {
            Lang::ZhCn => &self.original,
            Lang::En => self.english.as_deref().unwrap_or(&self.original),
        }
    }
}

/// One published set of rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSet {
    /// Its short name in records, e.g. `example`.
    pub set: String,
    /// Who issued it.
    pub issuer: Wording,
    /// Which edition.
    pub version: String,
    /// Its articles. No number and no code stands twice.
    pub articles: Vec<Article>,
}

/// One article.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Article {
    /// As it is counted, e.g. `12`.
    pub number: String,
    /// What it asks for, in short.
    pub text: Wording,
    /// The codes of the causes and findings that touch it.
    pub codes: Vec<String>,
}

/// An article of a set that a cause or a finding touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Citation<'a> {
    /// The set.
    pub set: &'a RuleSet,
    /// The article.
    pub article: &'a Article,
}

impl RuleSet {
    /// The article that what has this code touches; `None` = none of this set.
    pub fn touched_by(&self, code: &str) -> Option<Citation<'_>> {
        let article = self.articles.iter().find(|article| article.codes.iter().any(|listed| listed == code))?;
        Some(Citation { set: self, article })
    }
}

impl Citation<'_> {
    /// Which article of which set, for a program. Records name the issuer as issued (`ZhCn`), so that they do not depend on the language.
    pub fn reference(&self, lang: Lang) -> RuleReference {
        let RuleSet { set, issuer, version, .. } = self.set;
        let issuer = issuer.pick(lang).to_owned();
        RuleReference { set: set.clone(), issuer, version: version.clone(), article: self.article.number.clone() }
    }

    /// Which article is touched and what it asks for, that this is a lead only, and where it is written.
    pub fn said(&self, lang: Lang) -> String {
        let (number, text, set) = (&self.article.number, self.article.text.pick(lang), &self.set.set);
        let (issuer, version) = (self.set.issuer.pick(lang), &self.set.version);
        match lang {
            Lang::ZhCn => format!("涉及第 {number} 条：{text}只是线索，不是结论。出处：{set}，{issuer}，版本 {version}。"),
            Lang::En => {
                format!("touches article {number}: {text} A lead only, not a finding. Source: {set}, {issuer}, version {version}.")
            }
        }
    }
}
