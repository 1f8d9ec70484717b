//! What can be done on the page: look now, look up what the screen says. The token shows the server that a form comes from a page of its own.

use crate::catalogue::{self, Lang, Symptom};
use maud::{Markup, html};

/// What the forms carry.
#[derive(Debug, Clone, Copy)]
pub struct Doing<'a> {
    /// The token of this run.
    pub token: &'a str,
    /// In which language the page is.
    pub lang: Lang,
}

/// Both forms.
pub fn doing(doing: Doing<'_>) -> String {
    html! { div.doing { (look(doing)) (screen(doing.lang, "")) } }.into_string()
}

fn look(Doing { token, lang }: Doing<'_>) -> Markup {
    html! {
        form #look method="post" action={ "/look?lang=" (lang.tag()) } {
            input type="hidden" name="token" value=(token);
            button data-busy=(lang.pick("正在检查，请稍等…", "Looking, please wait...")) { (lang.pick("现在检查一遍", "Run a diagnosis now")) }
        }
    }
}

/// The field for what the screen says, with what is known to choose from.
pub(super) fn screen(lang: Lang, asked: &str) -> Markup {
    html! {
        form #symptom method="get" action="/symptom" role="search" {
            input type="hidden" name="lang" value=(lang.tag());
            label for="screen" { (lang.pick("屏幕上提示什么？", "What does the screen say?")) }
            input #screen name="screen" list="screens" required maxlength="300" autocomplete="off" value=(asked)
                placeholder=(lang.pick("例如：系统繁忙", "for example: system busy"));
            datalist #screens { @for symptom in Symptom::ALL { option value=(catalogue::screen(symptom, lang).title) {} } }
            button { (lang.pick("查一查", "Look up")) }
        }
    }
}
