//! The list of terminals: bytes as a spreadsheet saved them, to rows.
//!
//! Chinese spreadsheets save GBK unless they are asked for UTF-8, sometimes UTF-16 with tabs; all of that is read. What is not text in any of
//! them is refused with the place of the first bad byte.

use super::columns::{self, Column};
use super::error::FieldError;
use encoding_rs::{GB18030, UTF_16BE, UTF_16LE};

/// Largest list, bytes: some ten thousand terminals.
pub const LARGEST: u64 = 4 << 20;
/// Most columns.
const MOST_COLUMNS: usize = 200;
/// Most characters of a cell.
const LONGEST_CELL: usize = 1000;

/// A list that can be searched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// What each column means, in order.
    pub columns: Vec<Column>,
    /// The columns' names as written.
    pub headers: Vec<String>,
    /// All rows with anything in them.
    pub rows: Vec<Row>,
}

/// A terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its line in the file, from 1.
    pub line: u64,
    /// As many as there are columns, without blanks around; empty = not said.
    pub cells: Vec<String>,
}

/// The text of a file that was written on some PC: UTF-8 with or without a mark, UTF-16 with one, else GB18030 (of which GBK and GB 2312
/// are parts). `Err` = how many bytes of it make sense.
pub fn decode(bytes: &[u8]) -> Result<String, usize> {
    let whole = |encoding: &'static encoding_rs::Encoding, bytes: &[u8]| {
        encoding.decode_without_bom_handling_and_without_replacement(bytes).map(std::borrow::Cow::into_owned)
    };
    match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => std::str::from_utf8(rest).map(str::to_owned).map_err(|error| error.valid_up_to() + 3),
        [0xff, 0xfe, rest @ ..] => whole(UTF_16LE, rest).ok_or(2),
        [0xfe, 0xff, rest @ ..] => whole(UTF_16BE, rest).ok_or(2),
        _ => match std::str::from_utf8(bytes) {
            Ok(text) if is_plausible(text) => Ok(text.to_owned()),
            // Two bytes that are one Chinese character in GBK can also be one Cyrillic or Arabic letter in UTF-8.
            Ok(text) => Ok(whole(GB18030, bytes).unwrap_or_else(|| text.to_owned())),
            Err(error) => whole(GB18030, bytes).ok_or(error.valid_up_to()),
        },
    }
}

/// Whether UTF-8 was meant: there is nothing but ASCII, or a character that takes three bytes, as every Chinese one does.
fn is_plausible(text: &str) -> bool {
    text.is_ascii() || text.chars().any(|c| c >= '\u{800}')
}

impl List {
    /// Reads the bytes of a list. `file` is its name, for what is to be told of it.
    pub fn read(file: &str, bytes: &[u8]) -> Result<Self, FieldError> {
        let text = decode(bytes).map_err(|at| FieldError::NotText { file: file.to_owned(), at })?;
        // The reader counts a line that ends in both as begun after the first of them.
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let refused = |line: u64, why: String| FieldError::NotAList { file: file.to_owned(), line, why };
        let mut reader =
            csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter(&text)).from_reader(text.as_bytes());
        let mut records = reader.records().map(|record| {
            let record = record.map_err(|error| refused(error.position().map_or(1, csv::Position::line), error.to_string()))?;
            let line = record.position().map_or(1, csv::Position::line);
            // Only the last cell of the last row can end without the quote that it began with.
            let runs_on = record.iter().next_back().is_some_and(|cell| cell.contains('\n'));
            if runs_on
                && !text.trim_end().ends_with('"')
                && text.trim_end().ends_with(record.iter().next_back().unwrap_or_default().trim_end())
            {
                return Err(FieldError::Unclosed { file: file.to_owned(), line });
            }
            Ok((line, record.iter().map(tidy).collect::<Vec<String>>()))
        });
        let (line, headers) = records.next().ok_or_else(|| FieldError::NoRows { file: file.to_owned() })??;
        if headers.len() > MOST_COLUMNS {
            return Err(refused(line, format!("more than {MOST_COLUMNS} columns")));
        }
        let columns = columns::understand(file, &headers)?;
        let mut rows = Vec::new();
        for record in records {
            let (line, mut cells) = record?;
            if cells.iter().all(String::is_empty) {
                continue;
            }
            if let Some(extra) = cells.get(columns.len()..).and_then(|rest| rest.iter().find(|cell| !cell.is_empty())) {
                return Err(FieldError::TooManyCells { file: file.to_owned(), line, columns: columns.len(), extra: extra.clone() });
            }
            if let Some(at) = cells.iter().position(|cell| cell.chars().count() > LONGEST_CELL) {
                let column = headers.get(at).cloned().unwrap_or_default();
                return Err(FieldError::CellTooLong { file: file.to_owned(), line, column, most: LONGEST_CELL });
            }
            cells.resize(columns.len(), String::new());
            rows.push(Row { line, cells });
        }
        if rows.is_empty() { Err(FieldError::NoRows { file: file.to_owned() }) } else { Ok(Self { columns, headers, rows }) }
    }

    /// The cells of a row that say something, each with its column's number.
    pub fn said<'a>(&'a self, row: &'a Row) -> impl Iterator<Item = (usize, &'a Column, &'a str)> {
        let cells = self.columns.iter().zip(&row.cells).enumerate();
        cells.filter(|(_, (_, cell))| !cell.is_empty()).map(|(at, (column, cell))| (at, column, cell.as_str()))
    }

    /// What a row says in the column of this key.
    pub fn fact<'a>(&'a self, row: &'a Row, key: &str) -> Option<&'a str> {
        self.said(row).find_map(|(_, column, cell)| (column.key() == Some(key)).then_some(cell))
    }

    /// Institution, name and place of a row, as far as it says them.
    pub fn label(&self, row: &Row) -> String {
        let parts = ["terminal.institution", "terminal.name", "terminal.site"].map(|key| self.fact(row, key));
        parts.into_iter().flatten().collect::<Vec<_>>().join("  ")
    }
}

/// The sign that the first line has most of.
fn delimiter(text: &str) -> u8 {
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let count = |sign: u8| first.bytes().filter(|byte| *byte == sign).count();
    // Of equals the last one is taken, so the comma stands last.
    [b';', b'\t', b','].into_iter().max_by_key(|sign| count(*sign)).unwrap_or(b',')
}

/// Without the blanks around it that spreadsheets and input methods leave (the wide one, the one that does not break, a mark in the middle).
fn tidy(cell: &str) -> String {
    cell.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}' || c == '\u{200b}').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Lang;

    const PLAIN: &str = "code,name,terminal\nP001,城南药店,1 号柜台\nP002,\"北门, 诊所\",\n";

    fn read(bytes: &[u8]) -> Result<List, FieldError> {
        List::read("sites.csv", bytes)
    }

    fn names(list: &List) -> Vec<&str> {
        list.rows.iter().map(|row| list.fact(row, "terminal.name").unwrap_or("-")).collect()
    }

    #[test]
    fn every_way_in_which_a_spreadsheet_saves_a_list_reads_the_same() {
        let gbk = GB18030.encode(PLAIN).0.into_owned();
        let marked = [b"\xef\xbb\xbf".as_slice(), PLAIN.as_bytes()].concat();
        let tabs = "code\tname\tterminal\nP001\t城南药店\t1 号柜台\nP002\t北门, 诊所\t\n";
        let wide = |little: bool| {
            let units = std::iter::once(0xfeff_u16).chain(tabs.encode_utf16());
            units.flat_map(|unit| if little { unit.to_le_bytes() } else { unit.to_be_bytes() }).collect::<Vec<u8>>()
        };
        let crlf = PLAIN.replace('\n', "\r\n").into_bytes();
        let semicolons = "code;name;terminal\nP001;城南药店;1 号柜台\nP002;北门, 诊所;\n".as_bytes().to_vec();
        for bytes in [PLAIN.as_bytes().to_vec(), gbk, marked, wide(true), wide(false), crlf, semicolons] {
            let list = read(&bytes).expect("a list");
            assert_eq!(names(&list), ["城南药店", "北门, 诊所"], "{:?}", String::from_utf8_lossy(&bytes));
            assert_eq!(list.rows.iter().map(|row| row.line).collect::<Vec<_>>(), [2, 3]);
            assert_eq!(list.rows[1].cells[2], "", "an empty cell says nothing");
        }
    }

    #[test]
    fn gbk_that_happens_to_be_utf8_is_read_as_the_chinese_that_it_is() {
        // C4 BF and B5 C4, "目的": as UTF-8 the first two are a Latin letter.
        let bytes = [b"name\n".as_slice(), &[0xc4, 0xbf], b"\n"].concat();
        assert!(std::str::from_utf8(&bytes).is_ok());
        assert_eq!(decode(&bytes).expect("text"), "name\n目\n");
        assert_eq!(decode("name\n目\n".as_bytes()).expect("text"), "name\n目\n");
    }

    #[test]
    fn what_is_text_in_no_encoding_is_refused_with_its_place() {
        let error = read(b"code,name\nP1,\xff\xff\xff").expect_err("no text");
        assert_eq!(error, FieldError::NotText { file: "sites.csv".to_owned(), at: 13 });
        assert!(error.render(Lang::En).contains("UTF-8"), "{}", error.render(Lang::En));
    }

    #[test]
    fn empty_lines_and_empty_cells_at_the_end_do_not_count() {
        let list = read(b"code,name\n\n,,,,\nP001,a,,\n , \nP002,b\n").expect("a list");
        assert_eq!(list.rows.iter().map(|row| row.line).collect::<Vec<_>>(), [4, 6]);
        let list = read("code,name\n\u{3000}P001\u{a0},\"two\nlines\"\nP002,b".as_bytes()).expect("a list");
        assert_eq!(list.rows[0].cells, ["P001", "two\nlines"]);
        assert_eq!(list.rows[1].line, 4);
    }

    #[test]
    fn a_comma_that_is_not_quoted_is_told_and_not_guessed_at() {
        let error = read(b"code,name\nP001,north gate, clinic\n").expect_err("one too many");
        assert_eq!(error, FieldError::TooManyCells { file: "sites.csv".to_owned(), line: 2, columns: 2, extra: "clinic".to_owned() });
        assert!(read(b"").is_err() && read(b"code,name\n").is_err() && read(b"\xef\xbb\xbf").is_err());
    }

    #[test]
    fn a_quote_that_is_not_closed_hides_no_rows() {
        let error = read(b"code,name\nP1,a\nP2,\"North\nP3,c\nP4,d\n").expect_err("two rows would be gone");
        assert_eq!(error, FieldError::Unclosed { file: "sites.csv".to_owned(), line: 3 });
        assert!(Lang::ALL.iter().all(|lang| error.render(*lang).contains('3')));
        for closed in ["code,name\nP1,\"a\nb\"\n", "code,name,note\nP1,\"a\nb\",c\n", "code,name\nP1,5\" disk\nP2,b\n", "code,name\nP1,\"a"]
        {
            assert!(read(closed.as_bytes()).is_ok(), "{closed:?}");
        }
    }

    #[test]
    fn a_list_as_large_as_may_be_is_read_in_a_moment_and_its_copies_are_told() {
        let rows = (0..100_000).map(|n| format!("P{n:06},\u{836f}\u{5e97}{n},h{n}\r\n")).collect::<Vec<_>>().concat();
        let text = format!("\u{feff}code,name,hostname\r\n{rows}P099999,x,h5\r\n");
        assert!((text.len() as u64) < LARGEST);
        let began = crate::sys::clock::now();
        let list = read(text.as_bytes()).expect("a list");
        assert_eq!((list.rows.len(), list.rows[100_000].line), (100_001, 100_002));
        let pc = crate::field::Pc { hostname: Some("h5".to_owned()), ..crate::field::Pc::default() };
        let twice = crate::field::choose("sites.csv", &list, &pc, crate::field::Wanted::default());
        assert!(matches!(twice, Err(FieldError::Ambiguous { ref rows, .. }) if rows.len() == 2), "{twice:?}");
        let took = crate::sys::clock::now() - began;
        assert!(took.as_secs() < 20, "{took:?}, unoptimised");
    }

    mod any_bytes {
        use super::*;
        use crate::testing::{cases, hostile};
        use proptest::prelude::*;

        proptest! {
            #![proptest_config(cases())]
            #[test]
            fn are_a_list_or_a_reason(bytes in hostile(vec![PLAIN.into(), GB18030.encode(PLAIN).0.into_owned()], 200)) {
                match read(&bytes) {
                    Ok(list) => prop_assert!(list.rows.iter().all(|row| row.cells.len() == list.columns.len())),
                    Err(error) => {
                        let told = Lang::ALL.map(|lang| error.render(lang)).concat();
                        prop_assert!(!told.contains('\x1b'), "an escape character is shown");
                    }
                }
            }
        }
    }
}
