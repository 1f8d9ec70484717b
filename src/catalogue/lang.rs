//! Which language to speak.

use crate::config::LanguageChoice;

/// A language of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lang {
    /// Chinese, simplified.
    ZhCn,
    /// English.
    En,
}

impl Lang {
    /// Both.
    pub const ALL: [Self; 2] = [Self::ZhCn, Self::En];

    /// What the choice means here. `auto` asks the locale in the order of POSIX (`LC_ALL`, `LC_MESSAGES`, `LANG`; an empty value
    /// counts as unset); any Chinese locale is Chinese, everything else English.
    pub fn choose(choice: LanguageChoice, env: impl Fn(&str) -> Option<String>) -> Self {
        match choice {
            LanguageChoice::ZhCn => Self::ZhCn,
            LanguageChoice::En => Self::En,
            LanguageChoice::Auto => {
                let locale = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(|name| env(name).filter(|value| !value.is_empty()));
                if locale.is_some_and(|value| is_chinese(&value)) { Self::ZhCn } else { Self::En }
            }
        }
    }

    /// The one of two texts that is in this language.
    pub fn pick<T>(self, zh: T, en: T) -> T {
        match self {
            Self::ZhCn => zh,
            Self::En => en,
        }
    }

    /// The tag, as in `--lang`.
    pub fn tag(self) -> &'static str {
        self.pick("zh-CN", "en")
    }
}

fn is_chinese(locale: &str) -> bool {
    let language = locale.split(['_', '-', '.', '@']).next().unwrap_or_default();
    language.eq_ignore_ascii_case("zh")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn under(vars: &[(&str, &str)]) -> Lang {
        Lang::choose(LanguageChoice::Auto, |name| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
    }

    #[test]
    fn a_choice_needs_no_locale() {
        assert_eq!(Lang::choose(LanguageChoice::ZhCn, |_| None), Lang::ZhCn);
        assert_eq!(Lang::choose(LanguageChoice::En, |_| Some("zh_CN.UTF-8".to_owned())), Lang::En);
    }

    #[test]
    fn the_first_locale_variable_that_is_set_decides() {
        assert_eq!(under(&[("LANG", "zh_CN.UTF-8")]), Lang::ZhCn);
        assert_eq!(under(&[("LC_ALL", ""), ("LC_MESSAGES", "zh_CN"), ("LANG", "en_US.UTF-8")]), Lang::ZhCn);
        assert_eq!(under(&[("LC_ALL", "C"), ("LANG", "zh_CN.UTF-8")]), Lang::En);
        assert_eq!(under(&[]), Lang::En);
        assert_eq!(under(&[("LANG", "zha_CN")]), Lang::En);
    }
}
