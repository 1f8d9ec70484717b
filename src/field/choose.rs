//! Which row is this PC's. Rather none than the wrong one: a terminal that reports under its neighbour's name is worse than one that is not
//! enrolled.

use super::columns::{Column, Mark};
use super::error::{FieldError, Near};
use super::list::{List, Row};
use ipnet::IpNet;
use std::net::IpAddr;

/// Rows that came near, and are told when none fits.
const MOST_NEAR: usize = 3;

/// What tells this PC from others.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pc {
    /// Its host name.
    pub hostname: Option<String>,
    /// Hardware addresses of its cards.
    pub macs: Vec<String>,
    /// Its usable addresses, each with its prefix.
    pub addresses: Vec<IpNet>,
    /// Its default gateways.
    pub gateways: Vec<IpAddr>,
}

/// What the person who runs it said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wanted<'a> {
    /// `--site`.
    pub code: Option<&'a str>,
    /// `--terminal`, for a site that has several.
    pub terminal: Option<&'a str>,
}

/// How a row was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// By `--site`.
    Site,
    /// By `--terminal`.
    Terminal,
    /// By what it says of the PC.
    Mark(Mark),
}

/// The row that is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen<'a> {
    /// It.
    pub row: &'a Row,
    /// What led to it.
    pub by: Vec<By>,
}

/// Finds the row.
pub fn choose<'a>(file: &str, list: &'a List, pc: &Pc, wanted: Wanted<'_>) -> Result<Chosen<'a>, FieldError> {
    match wanted.code {
        Some(code) => by_site(file, list, pc, code, wanted.terminal),
        None => by_marks(file, list, pc, wanted.terminal),
    }
}

fn by_site<'a>(file: &str, list: &'a List, pc: &Pc, code: &str, terminal: Option<&str>) -> Result<Chosen<'a>, FieldError> {
    if !list.columns.iter().any(|column| column.key() == Some("terminal.institution")) {
        return Err(FieldError::NoCodeColumn { file: file.to_owned() });
    }
    let of_site: Vec<&Row> = list.rows.iter().filter(|row| is_same(list.fact(row, "terminal.institution"), code)).collect();
    if of_site.is_empty() {
        let shortened = list.rows.iter().find(|row| list.fact(row, "terminal.institution").is_some_and(is_shortened));
        return Err(FieldError::NoSuchSite { file: file.to_owned(), code: code.to_owned(), shortened: shortened.map(|row| row.line) });
    }
    let mut by = vec![By::Site];
    let mut left = of_site.clone();
    if let Some(terminal) = terminal {
        left.retain(|row| is_same(list.fact(row, "terminal.site"), terminal));
        by.push(By::Terminal);
        if left.is_empty() {
            return Err(FieldError::NoSuchTerminal { file: file.to_owned(), code: code.to_owned(), terminal: terminal.to_owned() });
        }
    }
    if left.len() > 1 {
        left.retain(|row| fits(list, row, pc));
    }
    match left.as_slice() {
        // The address is only expected here: at enrolment it may well not be right yet.
        [row] => match marks(list, row, pc).find(|(_, mark, _, fits)| !fits && *mark != Mark::Address) {
            Some((at, mark, cell, _)) => Err(FieldError::AnotherPc {
                file: file.to_owned(),
                near: Near { line: row.line, column: header(list, at), cell: cell.to_owned() },
                has: has(pc, mark),
            }),
            None => Ok(Chosen { row, by: by.into_iter().chain(of_site.get(1).into_iter().flat_map(|_| fitting(list, row, pc))).collect() }),
        },
        [] => Err(FieldError::NoRow { file: file.to_owned(), pc: Box::new(pc.clone()), near: near(list, &of_site, pc) }),
        several => Err(ambiguous(file, list, several)),
    }
}

fn by_marks<'a>(file: &str, list: &'a List, pc: &Pc, terminal: Option<&str>) -> Result<Chosen<'a>, FieldError> {
    let marked = |row: &Row| list.said(row).any(|(_, column, _)| matches!(column, Column::Mark(_)));
    let all: Vec<&Row> =
        list.rows.iter().filter(|row| terminal.is_none_or(|word| is_same(list.fact(row, "terminal.site"), word))).collect();
    if !list.rows.iter().any(marked) {
        return Err(FieldError::NoMarks { file: file.to_owned() });
    }
    let fitting_rows: Vec<&Row> = all.iter().copied().filter(|row| fits(list, row, pc)).collect();
    match fitting_rows.as_slice() {
        [row] => Ok(Chosen { row, by: fitting(list, row, pc).collect() }),
        [] => Err(FieldError::NoRow { file: file.to_owned(), pc: Box::new(pc.clone()), near: near(list, &all, pc) }),
        several => Err(ambiguous(file, list, several)),
    }
}

/// What is expected at this row's PC and is otherwise: the column, what it says, what there is.
pub fn expectations(list: &List, row: &Row, pc: &Pc) -> Vec<(String, String, String)> {
    let gateways = || pc.gateways.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let off = list.said(row).filter_map(|(at, column, cell)| match column {
        Column::Mark(Mark::Address) => (!is_there(pc, Mark::Address, cell)).then(|| (at, cell, has(pc, Mark::Address))),
        Column::Gateway => {
            let wanted: Vec<IpAddr> = parts(cell).filter_map(|part| part.parse().ok()).collect();
            (!wanted.iter().any(|gateway| pc.gateways.contains(gateway))).then(|| (at, cell, gateways()))
        }
        Column::Mark(_) | Column::Key(_) | Column::Note | Column::Unused => None,
    });
    off.map(|(at, cell, has)| (header(list, at), cell.to_owned(), has)).collect()
}

/// The marks that a row gives: column, mark, cell, and whether this PC bears it.
fn marks<'a>(list: &'a List, row: &'a Row, pc: &'a Pc) -> impl Iterator<Item = (usize, Mark, &'a str, bool)> {
    list.said(row).filter_map(|(at, column, cell)| match column {
        Column::Mark(mark) => Some((at, *mark, cell, is_there(pc, *mark, cell))),
        Column::Gateway | Column::Key(_) | Column::Note | Column::Unused => None,
    })
}

/// Whether all marks of a row fit; one without any fits nobody.
fn fits(list: &List, row: &Row, pc: &Pc) -> bool {
    let all: Vec<bool> = marks(list, row, pc).map(|(.., fits)| fits).collect();
    !all.is_empty() && all.iter().all(|fits| *fits)
}

fn fitting<'a>(list: &'a List, row: &'a Row, pc: &'a Pc) -> impl Iterator<Item = By> + 'a {
    marks(list, row, pc).filter(|(.., fits)| *fits).map(|(_, mark, ..)| By::Mark(mark))
}

fn near(list: &List, rows: &[&Row], pc: &Pc) -> Vec<Near> {
    let half = rows.iter().filter(|row| marks(list, row, pc).any(|(.., fits)| fits) || rows.len() <= MOST_NEAR);
    let first_off = half.filter_map(|row| {
        let (at, _, cell, _) = marks(list, row, pc).find(|(.., fits)| !fits)?;
        Some(Near { line: row.line, column: header(list, at), cell: cell.to_owned() })
    });
    first_off.take(MOST_NEAR).collect()
}

fn ambiguous(file: &str, list: &List, rows: &[&Row]) -> FieldError {
    FieldError::Ambiguous { file: file.to_owned(), rows: rows.iter().map(|row| (row.line, list.label(row))).collect() }
}

fn header(list: &List, at: usize) -> String {
    list.headers.get(at).cloned().unwrap_or_default()
}

fn is_same(cell: Option<&str>, word: &str) -> bool {
    cell.is_some_and(|cell| cell.trim().eq_ignore_ascii_case(word.trim()))
}

/// A long number that a spreadsheet took for a quantity: `6.10102E+11`.
pub(super) fn is_shortened(cell: &str) -> bool {
    let Some((number, power)) = cell.to_ascii_lowercase().split_once("e+").map(|(n, p)| (n.to_owned(), p.to_owned())) else { return false };
    !power.is_empty()
        && power.bytes().all(|b| b.is_ascii_digit())
        && !number.is_empty()
        && number.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

fn parts(cell: &str) -> impl Iterator<Item = &str> {
    cell.split(|c: char| c.is_whitespace() || ";；,，、".contains(c)).filter(|part| !part.is_empty())
}

/// Whether the PC bears a mark; of several in a cell one suffices.
fn is_there(pc: &Pc, mark: Mark, cell: &str) -> bool {
    match mark {
        Mark::Hostname => pc.hostname.as_deref().is_some_and(|name| is_same(Some(cell), name) || is_same(Some(cell), short(name))),
        // Tunnels have hardware addresses of other lengths, and a cell may say "none": neither is like the other.
        Mark::Mac => parts(cell).filter_map(plain_mac).any(|part| pc.macs.iter().any(|mac| plain_mac(mac).as_ref() == Some(&part))),
        Mark::Address => parts(cell).any(|part| pc.addresses.iter().any(|own| lies(own, part))),
    }
}

/// Without the domain.
fn short(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

/// Whether an address is the one that is written, or lies in the prefix that is.
fn lies(own: &IpNet, written: &str) -> bool {
    if let Ok(address) = written.parse::<IpAddr>() {
        return own.addr() == address;
    }
    written.parse::<IpNet>().is_ok_and(|net| if net.trunc() == net { net.contains(&own.addr()) } else { net.addr() == own.addr() })
}

/// The twelve digits, however they are parted; `None` for what is no hardware address of a card, such as nothing but zeros.
fn plain_mac(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(|c| !":-.".contains(*c)).collect::<String>().to_ascii_lowercase();
    (digits.len() == 12 && digits.bytes().all(|b| b.is_ascii_hexdigit()) && digits.bytes().any(|b| b != b'0')).then_some(digits)
}

/// What this PC has where a row says otherwise.
fn has(pc: &Pc, mark: Mark) -> String {
    match mark {
        Mark::Hostname => pc.hostname.clone().unwrap_or_default(),
        Mark::Mac => pc.macs.join(", "),
        Mark::Address => pc.addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Lang;

    const LIST: &str = "code,name,terminal,hostname,mac,address,gateway
P001,South,counter 1,south-1,,,
P001,South,counter 2,south-2,,,
P002,North,counter 1,,00-11-22-AA-BB-CC,,10.20.2.1
P003,West,counter 1,,,10.20.3.11,10.20.3.1
P004,East,,,,10.20.4.0/24,
P005,Hill,,hill,00:11:22:aa:bb:05,,
6.10102E+11,Far,,,,,
";

    fn list() -> List {
        List::read("sites.csv", LIST.as_bytes()).expect("a list")
    }

    fn pc(hostname: &str, mac: &str, address: &str) -> Pc {
        Pc {
            hostname: Some(hostname.to_owned()),
            macs: vec!["02:00:00:00:00:01".to_owned(), mac.to_owned()],
            addresses: vec![address.parse().expect("an address")],
            gateways: vec!["10.20.3.1".parse().expect("an address")],
        }
    }

    fn line(pc: &Pc, code: Option<&str>, terminal: Option<&str>) -> Result<(u64, Vec<By>), FieldError> {
        choose("sites.csv", &list(), pc, Wanted { code, terminal }).map(|chosen| (chosen.row.line, chosen.by))
    }

    fn stranger() -> Pc {
        pc("pc", "02:00:00:00:00:02", "192.168.1.5/24")
    }

    #[test]
    fn a_pc_is_found_by_what_the_list_says_of_it() {
        let by = |mark| vec![By::Mark(mark)];
        assert_eq!(line(&pc("SOUTH-2.lan", "x", "192.168.1.5/24"), None, None), Ok((3, by(Mark::Hostname))));
        assert_eq!(line(&pc("pc", "00:11:22:aa:bb:cc", "192.168.1.5/24"), None, None), Ok((4, by(Mark::Mac))));
        assert_eq!(line(&pc("pc", "x", "10.20.3.11/24"), None, None), Ok((5, by(Mark::Address))));
        assert_eq!(line(&pc("pc", "x", "10.20.4.77/24"), None, None), Ok((6, by(Mark::Address))));
        let both = line(&pc("hill", "00:11:22:aa:bb:05", "192.168.1.5/24"), None, None);
        assert_eq!(both, Ok((7, vec![By::Mark(Mark::Hostname), By::Mark(Mark::Mac)])));
    }

    #[test]
    fn a_row_that_fits_only_half_is_no_row_and_is_told() {
        let error = line(&pc("hill", "02:00:00:00:00:09", "192.168.1.5/24"), None, None).expect_err("another card");
        let FieldError::NoRow { near, .. } = &error else { panic!("{error:?}") };
        assert_eq!(near, &[Near { line: 7, column: "mac".to_owned(), cell: "00:11:22:aa:bb:05".to_owned() }]);
        let told = error.render(Lang::En);
        assert!(told.contains("line 7") && told.contains("mac") && told.contains("--site"), "{told}");
    }

    #[test]
    fn a_code_finds_its_row_and_several_counters_are_told_apart() {
        assert_eq!(
            line(&stranger(), Some("p002"), None).map_err(|e| e.render(Lang::En)),
            Err(line(&stranger(), Some("P002"), None).expect_err("another card").render(Lang::En))
        );
        assert_eq!(line(&pc("pc", "00:11:22:aa:bb:cc", "192.168.1.5/24"), Some("P002"), None), Ok((4, vec![By::Site])));
        assert_eq!(line(&pc("south-2", "x", "192.168.1.5/24"), Some("P001"), None), Ok((3, vec![By::Site, By::Mark(Mark::Hostname)])));
        assert_eq!(
            line(&pc("south-1", "x", "192.168.1.5/24"), Some("P001"), Some("counter 1")),
            Ok((2, vec![By::Site, By::Terminal, By::Mark(Mark::Hostname)]))
        );
        assert!(matches!(line(&stranger(), Some("P001"), Some("counter 9")), Err(FieldError::NoSuchTerminal { .. })));
        assert!(matches!(line(&stranger(), Some("P001"), None), Err(FieldError::NoRow { .. })), "neither counter is this PC");
    }

    #[test]
    fn the_wrong_pc_for_a_code_is_refused_and_the_wrong_address_only_told() {
        assert!(matches!(line(&stranger(), Some("P001"), Some("counter 1")), Err(FieldError::AnotherPc { .. })));
        assert_eq!(line(&stranger(), Some("P003"), None), Ok((5, vec![By::Site])));
        let list = list();
        let off = expectations(&list, &list.rows[3], &stranger());
        assert_eq!(off, [("address".to_owned(), "10.20.3.11".to_owned(), "192.168.1.5/24".to_owned())], "the gateway is as expected");
        assert_eq!(expectations(&list, &list.rows[3], &pc("pc", "x", "10.20.3.11/24")), []);
        assert_eq!(expectations(&list, &list.rows[2], &stranger())[0].0, "gateway");
    }

    #[test]
    fn a_word_in_place_of_a_hardware_address_fits_no_pc() {
        for (cell, mac) in [("无", "0a:00:00:01"), ("N/A", "x"), ("-", ""), ("00:00:00:00:00:00", "00:00:00:00:00:00")] {
            let list = List::read("sites.csv", format!("code,mac\nP1,{cell}\n").as_bytes()).expect("a list");
            let chosen = choose("sites.csv", &list, &pc("pc", mac, "192.168.1.5/24"), Wanted::default());
            assert!(matches!(chosen, Err(FieldError::NoRow { .. })), "{cell} for {mac}: {chosen:?}");
        }
    }

    #[test]
    fn two_rows_that_fit_and_none_at_all_are_refused() {
        let twice = format!("{LIST}P009,Copy,,south-1,,,\n");
        let list = List::read("sites.csv", twice.as_bytes()).expect("a list");
        let pc = pc("south-1", "x", "192.168.1.5/24");
        let error = choose("sites.csv", &list, &pc, Wanted::default()).expect_err("two");
        let FieldError::Ambiguous { rows, .. } = &error else { panic!("{error:?}") };
        assert_eq!(rows.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 9]);
        assert!(error.render(Lang::ZhCn).contains("第 9 行"), "{}", error.render(Lang::ZhCn));
        assert!(matches!(line(&stranger(), None, None), Err(FieldError::NoRow { .. })));
    }

    #[test]
    fn a_code_that_a_spreadsheet_shortened_is_recognised() {
        let error = line(&stranger(), Some("610102001234"), None).expect_err("not there");
        assert_eq!(error, FieldError::NoSuchSite { file: "sites.csv".to_owned(), code: "610102001234".to_owned(), shortened: Some(8) });
        assert!(is_shortened("6.1E+11") && is_shortened("6e+5") && !is_shortened("P1E+") && !is_shortened("E+1") && !is_shortened("PE+11"));
    }

    #[test]
    fn a_list_that_cannot_tell_says_so() {
        let list = List::read("sites.csv", b"code,name,hostname\nP1,a,\n").expect("a list");
        assert!(matches!(choose("sites.csv", &list, &stranger(), Wanted::default()), Err(FieldError::NoMarks { .. })));
        let list = List::read("sites.csv", b"name,hostname\na,b\n").expect("a list");
        let wanted = Wanted { code: Some("P1"), terminal: None };
        assert!(matches!(choose("sites.csv", &list, &stranger(), wanted), Err(FieldError::NoCodeColumn { .. })));
    }
}
