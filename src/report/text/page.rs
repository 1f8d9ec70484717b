//! Laying out lines: wrapping by display width, columns, colour.
//!
//! Facts come from the network (names, certificates, banners): they are cleaned here before they reach a terminal.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// A style of a line or a mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::report) enum Ink {
    Plain,
    Bold,
    Good,
    Bad,
    Warn,
    Dim,
}

impl Ink {
    fn style(self) -> anstyle::Style {
        let style = anstyle::Style::new();
        match self {
            Self::Plain => style,
            Self::Bold => style.bold(),
            Self::Good => style.fg_color(Some(anstyle::AnsiColor::Green.into())),
            Self::Bad => style.bold().fg_color(Some(anstyle::AnsiColor::Red.into())),
            Self::Warn => style.fg_color(Some(anstyle::AnsiColor::Yellow.into())),
            Self::Dim => style.dimmed(),
        }
    }
}

/// Signs that no line begins with.
pub(crate) const CLOSING: &str = "，。；：、）？！》」』】”’…,.;:)!?";
/// Signs that no line ends with.
pub(crate) const OPENING: &str = "（《「『【“‘(";

/// A page being written.
pub(in crate::report) struct Page {
    out: String,
    width: usize,
    color: bool,
}

impl Page {
    pub(in crate::report) fn new(width: usize, color: bool) -> Self {
        Self { out: String::new(), width: width.max(40), color }
    }

    pub(in crate::report) fn finish(self) -> String {
        self.out
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    pub(in crate::report) fn blank(&mut self) {
        self.out.push('\n');
    }

    /// A ready line of inked pieces; the caller has seen to its width.
    pub(in crate::report) fn pieces(&mut self, pieces: &[(&str, Ink)]) {
        let mut line = String::new();
        for (text, ink) in pieces {
            line.push_str(&self.ink(text, *ink));
        }
        self.out.push_str(line.trim_end());
        self.out.push('\n');
    }

    /// A paragraph: `lead` stands before the first line and its width before every other.
    pub(in crate::report) fn paragraph(&mut self, lead: &str, text: &str, ink: Ink) {
        let indent = lead.width();
        for (i, line) in wrap(&clean(text), self.width.saturating_sub(indent)).iter().enumerate() {
            let before = if i == 0 { lead.to_owned() } else { " ".repeat(indent) };
            let line = self.ink(line, ink);
            self.out.push_str(&before);
            self.out.push_str(&line);
            self.out.push('\n');
        }
    }

    fn ink(&self, text: &str, ink: Ink) -> String {
        if !self.color || ink == Ink::Plain || text.is_empty() {
            return text.to_owned();
        }
        let style = ink.style();
        format!("{style}{text}{style:#}")
    }
}

/// Text padded with spaces to a display width.
pub(super) fn pad(text: &str, width: usize) -> String {
    let mut padded = text.to_owned();
    padded.extend(std::iter::repeat_n(' ', width.saturating_sub(text.width())));
    padded
}

/// Text without what could steer a terminal: control characters, and signs that turn the direction of writing or have no width.
pub(in crate::report) fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || c.width() == Some(0) { '?' } else { c }).collect()
}

/// Lines of at most `width` columns. Breaks at spaces and beside wide signs, never before closing or after opening punctuation; a
/// word longer than a line is cut.
pub(in crate::report) fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(4);
    let mut lines = vec![String::new()];
    for (atom, spaced) in atoms(text) {
        let used = lines.last().map_or(0, |line| line.width());
        let gap = usize::from(spaced && used > 0);
        if used > 0 && used + gap + atom.width() > width {
            lines.push(String::new());
        } else if gap == 1 {
            push(&mut lines, ' ');
        }
        for sign in atom.chars() {
            let used = lines.last().map_or(0, |line| line.width());
            if used + sign.width().unwrap_or(0) > width {
                lines.push(String::new());
            }
            push(&mut lines, sign);
        }
    }
    lines
}

fn push(lines: &mut [String], sign: char) {
    if let Some(line) = lines.last_mut() {
        line.push(sign);
    }
}

/// The unbreakable pieces, each with whether a space stood before it.
fn atoms(text: &str) -> Vec<(String, bool)> {
    let mut atoms: Vec<(String, bool)> = Vec::new();
    let mut spaced = false;
    for (at, sign) in text.char_indices() {
        if sign == ' ' {
            spaced = true;
            continue;
        }
        match atoms.last_mut() {
            // A figure and its unit.
            Some((atom, _)) if spaced && atom.ends_with(|last: char| last.is_ascii_digit()) && begins_unit(&text[at..]) => {
                atom.push(' ');
                atom.push(sign);
            }
            Some((atom, _)) if !may_break(atom, spaced, sign) => atom.push(sign),
            Some(_) | None => atoms.push((sign.to_string(), spaced)),
        }
        spaced = false;
    }
    atoms
}

/// Whether this begins with a unit of time or of size.
fn begins_unit(text: &str) -> bool {
    let word = text.split(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
    text.starts_with(['毫', '秒', '%']) || matches!(word, "ms" | "s" | "min" | "h" | "d" | "B" | "kB" | "MB")
}

fn may_break(before: &str, spaced: bool, sign: char) -> bool {
    let Some(last) = before.chars().last() else { return true };
    let wide = |c: char| c.width() == Some(2);
    spaced || ((wide(last) || wide(sign)) && !CLOSING.contains(sign) && !OPENING.contains(last))
}

#[cfg(test)]
mod tests {
    use super::{clean, pad, wrap};
    use unicode_width::UnicodeWidthStr;

    #[test]
    fn wraps_words_at_spaces_and_chinese_anywhere_but_before_a_closing_sign() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("一二三四，五", 8), ["一二三", "四，五"]);
        assert_eq!(wrap("（一二）三四", 6), ["（一", "二）三", "四"]);
        assert_eq!(wrap("说：「一二。」", 8), ["说：「一", "二。」"]);
    }

    #[test]
    fn a_figure_keeps_its_unit() {
        assert_eq!(wrap("用了 3057 毫秒", 10), ["用了", "3057 毫秒"]);
        assert_eq!(wrap("took 3057 ms, no 4 sound", 12), ["took", "3057 ms, no", "4 sound"]);
    }

    #[test]
    fn cuts_a_word_longer_than_a_line_and_keeps_every_sign() {
        assert_eq!(wrap("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert!(wrap("地址fe80::1234:5678:9abc:def0太长", 10).iter().all(|line| line.width() <= 10));
    }

    #[test]
    fn pads_by_columns_not_by_signs() {
        assert_eq!(pad("网线", 6), "网线  ");
        assert_eq!(pad("toolong", 3), "toolong");
    }

    #[test]
    fn nothing_that_steers_a_terminal_passes() {
        assert_eq!(clean("a\u{1b}[2Jb\nc\u{202e}d"), "a?[2Jb?c?d");
    }
}
