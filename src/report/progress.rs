//! The line that shows a person at a terminal that something is being done.

use crate::catalogue::Lang;

/// The text of the progress line, without line end: `done` of `total` looks have come back.
pub fn progress(done: usize, total: usize, lang: Lang) -> String {
    match lang {
        Lang::ZhCn => format!("正在检查从这台电脑到医保中心的网络（{done}/{total}）"),
        Lang::En => format!("Looking at the network from this PC to the centre ({done}/{total})"),
    }
}

#[cfg(test)]
mod tests {
    use super::progress;
    use crate::catalogue::Lang;
    use unicode_width::UnicodeWidthStr;

    #[test]
    fn the_progress_is_one_short_line() {
        for lang in Lang::ALL {
            let line = progress(3, 12, lang);
            assert!(line.contains("3/12") && line.width() < 80 && !line.contains('\n'));
        }
    }
}
