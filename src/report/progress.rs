//! The line that shows a person at a terminal that something is being done.

use crate::catalogue::Lang;
use unicode_width::UnicodeWidthStr;

/// The text of the progress line, without line end: `done` of `total` looks have come back. It is shorter where it would not stay one line of
/// `width` columns: what runs over into a second line cannot be taken back by clearing one.
pub fn progress(done: usize, total: usize, width: usize, lang: Lang) -> String {
    let whole = match lang {
        Lang::ZhCn => format!("正在检查从这台电脑到医保中心的网络（{done}/{total}）"),
        Lang::En => format!("Looking at the network from this PC to the centre ({done}/{total})"),
    };
    if whole.width() < width {
        return whole;
    }
    lang.pick(format!("正在检查网络（{done}/{total}）"), format!("Looking at the network ({done}/{total})"))
}

#[cfg(test)]
mod tests {
    use super::progress;
    use crate::catalogue::Lang;
    use unicode_width::UnicodeWidthStr;

    #[test]
    fn the_progress_is_one_line_however_narrow() {
        for (lang, width) in Lang::ALL.into_iter().flat_map(|lang| [40, 80, 200].map(|width| (lang, width))) {
            let line = progress(3, 12, width, lang);
            assert!(line.contains("3/12") && line.width() < width && !line.contains('\n'), "{width}: {line}");
        }
    }
}
