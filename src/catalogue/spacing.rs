//! Names in Chinese sentences: a blank stands between Chinese and Latin letters or digits, and none elsewhere. Only the seams are looked at;
//! the name itself stays as its owner spelt it.

/// A name between two pieces of a Chinese sentence.
pub fn among(before: &str, name: &str, after: &str) -> String {
    let mut line = before.to_owned();
    for piece in [name, after] {
        if let (Some(left), Some(right)) = (line.chars().next_back(), piece.chars().next())
            && ((is_han(left) && is_latin(right)) || (is_latin(left) && is_han(right)))
        {
            line.push(' ');
        }
        line.push_str(piece);
    }
    line
}

fn is_han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3134f}')
}

/// Letters and digits of narrow scripts, and what names begin or end with beside them.
fn is_latin(c: char) -> bool {
    c.is_ascii_graphic() || (c.is_alphanumeric() && c < '\u{2e80}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blank_stands_where_the_scripts_meet_and_nowhere_else() {
        for (before, name, after, line) in [
            ("，连不上", "settlement", "", "，连不上 settlement"),
            ("，连不上", "结算中心", "", "，连不上结算中心"),
            ("，连不上", "医保A区", "和别的", "，连不上医保A区和别的"),
            ("打给", "Li Gong", "，报：1", "打给 Li Gong，报：1"),
            ("打给", "刘工", "，报", "打给刘工，报"),
            ("看不到", "icmp.echo", "的回应", "看不到 icmp.echo 的回应"),
            ("看不到", "Ärzte", "", "看不到 Ärzte"),
            ("连不上（", "a", "）", "连不上（a）"),
            ("连不上", "", "了", "连不上了"),
            ("", "a", "", "a"),
        ] {
            assert_eq!(among(before, name, after), line);
        }
    }
}
