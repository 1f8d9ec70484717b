//! From what somebody typed off a screen to the symptoms it resembles, in either language, with slips of the pen.
//!
//! Text becomes *pieces*: every Han sign and every pair of neighbours for Chinese, every word for the rest. Widths, case, punctuation and
//! spaces do not count. How much of a known phrase stands in the text, and how much of the text the phrase accounts for, make the score
//! (0 to 1). Chinese pieces match or do not; words match by the pairs of letters they share, so that a typo costs a little, not all.
//! Bounded: only the first [`MOST_SIGNS`] signs are read.

use super::{Symptom, screen};
use crate::catalogue::Lang;

/// Signs of a text that are read. No message box holds more; the work grows with it.
const MOST_SIGNS: usize = 400;

/// From this score on a symptom counts as found. Set between what one-letter slips of every phrase score and what unrelated
/// sentences score (both are tested).
const ENOUGH: f64 = 0.5;

/// What is this much below the best match only shares a word with it.
const AS_GOOD: f64 = 0.75;

/// Symptoms shown, beside a twin.
const MOST_FOUND: usize = 3;

/// How alike two words must be to count as the same one misspelt.
const SAME_WORD: f64 = 0.5;

/// Words that every message has.
const FILLERS: &[&str] =
    &["a", "an", "the", "is", "are", "was", "be", "been", "has", "have", "of", "to", "in", "on", "it", "and", "your", "please", "says"];

/// A symptom that a text resembles.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    /// Which.
    pub symptom: Symptom,
    /// How much, above 0 to 1. A twin that was added only because it reads the same has 0.
    pub score: f64,
}

/// Words that put a message on a phone: of twins, the phone's comes first then.
const PHONE: &[&str] = &["手机", "小程序", "医保码", "app", "phone", "mobile"];

/// The symptoms that a text resembles, the best first; empty = nothing similar. A twin stands directly behind its symptom. A text that is
/// nothing but a number picks that one of [`Symptom::ALL`], counted from 1.
pub fn search(text: &str) -> Vec<Found> {
    if let Some(symptom) = picked(text) {
        return with_twins(&[Found { symptom, score: 1.0 }]);
    }
    // The known phrases are in simplified signs already.
    let asked = pieces(&text.chars().take(MOST_SIGNS).map(simplified).collect::<String>());
    let mut found: Vec<Found> = Symptom::ALL.into_iter().map(|symptom| Found { symptom, score: best(symptom, &asked) }).collect();
    found.retain(|it| it.score >= ENOUGH);
    found.sort_by(|a, b| b.score.total_cmp(&a.score));
    let top = found.first().map_or(0.0, |it| it.score);
    found.retain(|it| it.score >= top * AS_GOOD);
    found.truncate(MOST_FOUND);
    let mut all = with_twins(&found);
    let phone = PHONE.iter().any(|word| cover(&pieces(word), &asked) >= 1.0);
    let places = [Symptom::BusyOnPc, Symptom::BusyOnPhone].map(|twin| all.iter().position(|it| it.symptom == twin));
    // One that was added only for its twin stays behind it.
    if let [Some(pc), Some(handset)] = places
        && all[pc].score > 0.0
        && all[handset].score > 0.0
        && phone == (pc < handset)
    {
        all.swap(pc, handset);
    }
    all
}

/// The symptom of this number, in digits of either width.
fn picked(text: &str) -> Option<Symptom> {
    let digits: String = text.trim().chars().take(MOST_SIGNS).map(narrow).collect();
    let number: usize = Some(digits).filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))?.parse().ok()?;
    Symptom::ALL.get(number.checked_sub(1)?).copied()
}

/// Every symptom found, its twin directly behind it.
fn with_twins(found: &[Found]) -> Vec<Found> {
    let mut all: Vec<Found> = Vec::new();
    for it in found {
        if all.iter().any(|other| other.symptom == it.symptom) {
            continue;
        }
        all.push(*it);
        if let Some(twin) = it.symptom.twin() {
            let score = found.iter().find(|other| other.symptom == twin).map_or(0.0, |other| other.score);
            all.push(Found { symptom: twin, score });
        }
    }
    all
}

/// The score of the phrase that fits best.
fn best(symptom: Symptom, asked: &[Piece]) -> f64 {
    let phrases = Lang::ALL.into_iter().flat_map(|lang| screen(symptom, lang).phrases);
    phrases.map(|phrase| score(&pieces(phrase), asked)).fold(0.0, f64::max)
}

/// Most of it is how much of the phrase is there: a screen says more around it. The rest tells a phrase from one that contains it.
fn score(phrase: &[Piece], asked: &[Piece]) -> f64 {
    let pieces = 0.7 * cover(phrase, asked) + 0.3 * cover(asked, phrase);
    // A slip between two words makes one of them: then the letters decide, as within a word.
    pieces.max(0.95 * alike(&joined(phrase), &joined(asked)))
}

/// The pieces without anything in between.
fn joined(pieces: &[Piece]) -> String {
    pieces.iter().fold(String::new(), |mut all, piece| {
        match piece {
            Piece::Sign(sign) => all.push(*sign),
            Piece::Pair(..) => {}
            Piece::Word(word) => all.push_str(word),
        }
        all
    })
}

/// The share, by weight, of the part that stands in the whole.
fn cover(part: &[Piece], whole: &[Piece]) -> f64 {
    let total: f64 = part.iter().map(Piece::weight).sum();
    if total <= 0.0 {
        return 0.0;
    }
    let standing = part.iter().map(|piece| piece.weight() * whole.iter().map(|other| piece.likeness(other)).fold(0.0, f64::max));
    standing.sum::<f64>() / total
}

/// A unit of comparison.
#[derive(Debug, Clone, PartialEq)]
enum Piece {
    /// One Han sign.
    Sign(char),
    /// Two neighbouring Han signs.
    Pair(char, char),
    /// A word or number, in lower case.
    Word(String),
}

impl Piece {
    /// Two signs together say more than each alone, though not so much more that two swapped ones are lost; a word says more than both.
    fn weight(&self) -> f64 {
        match self {
            Self::Sign(_) => 0.8,
            Self::Pair(..) => 1.0,
            Self::Word(word) if FILLERS.contains(&word.as_str()) => 0.2,
            Self::Word(_) => 1.5,
        }
    }

    /// 0 to 1.
    fn likeness(&self, other: &Self) -> f64 {
        match (self, other) {
            (Self::Word(a), Self::Word(b)) => alike(a, b),
            (Self::Sign(_) | Self::Pair(..) | Self::Word(_), _) => f64::from(u8::from(self == other)),
        }
    }
}

/// Twice the pairs of letters that two words share, by all the pairs they have; ends count as letters. Below [`SAME_WORD`] they are
/// different words.
fn alike(a: &str, b: &str) -> f64 {
    if a == b {
        return 1.0;
    }
    let (ours, mut theirs) = (letter_pairs(a), letter_pairs(b));
    let all = ours.len() + theirs.len();
    let mut shared = 0_usize;
    for pair in ours {
        if let Some(at) = theirs.iter().position(|other| *other == pair) {
            theirs.swap_remove(at);
            shared += 1;
        }
    }
    let likeness = f64::from(u32::try_from(2 * shared).unwrap_or(u32::MAX)) / f64::from(u32::try_from(all).unwrap_or(u32::MAX));
    if likeness >= SAME_WORD { likeness } else { 0.0 }
}

fn letter_pairs(word: &str) -> Vec<(char, char)> {
    let ends = std::iter::once(' ');
    let letters: Vec<char> = ends.clone().chain(word.chars()).chain(ends).collect();
    letters.windows(2).map(|pair| (pair[0], pair[1])).collect()
}

/// The pieces of a text.
fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut word = String::new();
    let mut before: Option<char> = None;
    for sign in text.chars().take(MOST_SIGNS) {
        let sign = narrow(sign);
        if is_han(sign) {
            end_word(&mut word, &mut pieces);
            pieces.push(Piece::Sign(sign));
            if let Some(before) = before {
                pieces.push(Piece::Pair(before, sign));
            }
            before = Some(sign);
        } else if sign.is_alphanumeric() {
            before = None;
            word.extend(sign.to_lowercase());
        } else {
            // Punctuation and spaces part words, not Chinese.
            end_word(&mut word, &mut pieces);
        }
    }
    end_word(&mut word, &mut pieces);
    pieces
}

fn end_word(word: &mut String, pieces: &mut Vec<Piece>) {
    if !word.is_empty() {
        pieces.push(Piece::Word(std::mem::take(word)));
    }
}

/// A full-width Latin sign as the half-width one.
fn narrow(sign: char) -> char {
    match sign {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(sign) - 0xfee0).unwrap_or(sign),
        '\u{3000}' => ' ',
        other => other,
    }
}

/// Traditional signs that occur in messages of this kind, each before its simplified one.
const TRADITIONAL: &str = "醫医凍冻結结賬账帳账戶户戸户暫暂險险參参狀状態态異异絕绝餘余額额個个\
    繳缴費费仍仍處处於于無无還还錢钱劃划應应號号請请後后過过試试統统務务調调錯错誤误臺台國国網网絡络連连線线\
    開开關关間间時时資资訊讯檢检報报銷销為为數数據据員员單单職职證证碼码機机設设備备顯显現现內内會会來来對对發发\
    記记錄录動动讀读";

/// The simplified sign of a traditional one.
fn simplified(sign: char) -> char {
    let mut signs = TRADITIONAL.chars().filter(|sign| !sign.is_whitespace());
    while let (Some(traditional), Some(simple)) = (signs.next(), signs.next()) {
        if traditional == sign {
            return simple;
        }
    }
    sign
}

fn is_han(sign: char) -> bool {
    matches!(sign, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3134f}')
}

/// The codes most like a text, the best first, at most three: what somebody may have meant who wrote a code that does not exist.
pub fn nearest<'a>(text: &str, codes: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let text: String = text.chars().take(MOST_SIGNS).collect::<String>().to_lowercase();
    let mut scored: Vec<(f64, &str)> = codes.map(|code| (alike_code(&text, code), code)).filter(|(score, _)| *score > 0.0).collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    scored.into_iter().take(3).map(|(_, code)| code).collect()
}

/// A family or a half of a code counts as well as a slip in the whole.
fn alike_code(text: &str, code: &str) -> f64 {
    let halves = code.split('.').map(|half| 0.9 * alike(text, half));
    halves.fold(alike(text, code), f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn first(text: &str) -> Option<Symptom> {
        search(text).first().map(|it| it.symptom)
    }

    fn all_phrases() -> Vec<(Symptom, &'static str)> {
        let of = |symptom| Lang::ALL.into_iter().flat_map(move |lang| screen(symptom, lang).phrases).map(move |phrase| (symptom, *phrase));
        Symptom::ALL.into_iter().flat_map(of).collect()
    }

    #[test]
    fn each_phrase_finds_its_own_symptom_first() {
        for (symptom, phrase) in all_phrases() {
            assert_eq!(first(phrase), Some(symptom), "{phrase}: {:?}", search(phrase));
        }
    }

    #[test]
    fn no_phrase_belongs_to_two_symptoms() {
        let phrases = all_phrases();
        for (i, (_, phrase)) in phrases.iter().enumerate() {
            assert!(phrases[i + 1..].iter().all(|(_, other)| pieces(other) != pieces(phrase)), "{phrase} twice");
        }
    }

    #[test]
    fn titles_find_their_symptom() {
        for symptom in Symptom::ALL {
            for lang in Lang::ALL {
                let title = screen(symptom, lang).title;
                assert_eq!(first(title), Some(symptom), "{title}: {:?}", search(title));
            }
        }
    }

    #[test]
    fn width_case_punctuation_and_spaces_do_not_count() {
        assert_eq!(pieces("系统　繁忙！"), pieces("系统繁忙"));
        assert_eq!(pieces("ＳＹＳＴＥＭ　Busy..."), pieces("system busy"));
        assert_eq!(first("【提示】系统 繁忙，请 稍后 再试！(E-5001)"), Some(Symptom::BusyOnPc));
        assert_eq!(first("余额为０．００元"), Some(Symptom::NoBalance));
    }

    #[test]
    fn a_message_with_much_around_it_is_found() {
        for (text, expected) in [
            ("错误代码 -1021 您的医保卡已冻结，请联系参保地经办机构", Symptom::CardRejected),
            ("结算失败：参保人登记信息异常，无法完成本次交易", Symptom::RegistrationAbnormal),
            ("Error 4021: Registration information abnormal. Transaction cancelled.", Symptom::RegistrationAbnormal),
            ("调用国家平台服务异常 traceId=8812", Symptom::ServiceException),
            ("客人手机上显示系统繁忙", Symptom::BusyOnPhone),
            ("卡冻结了", Symptom::CardRejected),
            ("余额不够", Symptom::NoBalance),
        ] {
            assert_eq!(first(text), Some(expected), "{text}: {:?}", search(text));
        }
    }

    /// What people really type: slips, parts of a screen, retellings, both scripts, both languages.
    const TYPED: [(&str, Option<Symptom>); 54] = [
        ("医保卡冻结", Some(Symptom::CardRejected)),
        ("卡被冻结了怎么办", Some(Symptom::CardRejected)),
        ("您的医保帐户已经冻结", Some(Symptom::CardRejected)),
        ("医保暂停不能用", Some(Symptom::CardRejected)),
        ("该参保人处于暂停参保状态", Some(Symptom::CardRejected)),
        ("提示：已停保", Some(Symptom::CardRejected)),
        ("刷卡不行，说卡状态不正常", Some(Symptom::CardRejected)),
        ("醫保卡已凍結", Some(Symptom::CardRejected)),
        ("Card is frozen", Some(Symptom::CardRejected)),
        ("card suspened", Some(Symptom::CardRejected)),
        ("your card has been rejected", Some(Symptom::CardRejected)),
        ("insurance suspended - cannot be used", Some(Symptom::CardRejected)),
        ("登记信息异常", Some(Symptom::RegistrationAbnormal)),
        ("登计信息异常", Some(Symptom::RegistrationAbnormal)),
        ("參保登記信息異常", Some(Symptom::RegistrationAbnormal)),
        ("查不到参保信息", Some(Symptom::RegistrationAbnormal)),
        ("查无此人", Some(Symptom::RegistrationAbnormal)),
        ("人员参保信息异常(ERR_2003)", Some(Symptom::RegistrationAbnormal)),
        ("Registration info abnormal", Some(Symptom::RegistrationAbnormal)),
        ("no enrollment record", Some(Symptom::RegistrationAbnormal)),
        ("补缴了医保还不能用", Some(Symptom::PaidUpNoBenefit)),
        ("钱补上了待遇没有恢复", Some(Symptom::PaidUpNoBenefit)),
        ("补交后还是不能报销", Some(Symptom::PaidUpNoBenefit)),
        ("参保人在等待期内", Some(Symptom::PaidUpNoBenefit)),
        ("已補繳仍不能享受待遇", Some(Symptom::PaidUpNoBenefit)),
        ("paid arrears but still no benefits", Some(Symptom::PaidUpNoBenefit)),
        ("waiting period", Some(Symptom::PaidUpNoBenefit)),
        ("医保余额0元", Some(Symptom::NoBalance)),
        ("帐户余额不足", Some(Symptom::NoBalance)),
        ("卡里没钱", Some(Symptom::NoBalance)),
        ("这个月医保钱没到账", Some(Symptom::NoBalance)),
        ("賬戶餘額為零", Some(Symptom::NoBalance)),
        ("insufficent balence", Some(Symptom::NoBalance)),
        ("zero balance", Some(Symptom::NoBalance)),
        ("系统繁忙，请稍后重试", Some(Symptom::BusyOnPc)),
        ("系統繁忙", Some(Symptom::BusyOnPc)),
        ("中心系统忙", Some(Symptom::BusyOnPc)),
        ("sytem is busy, retry later", Some(Symptom::BusyOnPc)),
        ("手机医保码显示系统繁忙", Some(Symptom::BusyOnPhone)),
        ("医保电子凭证打不开", Some(Symptom::BusyOnPhone)),
        ("phone app says the system is busy", Some(Symptom::BusyOnPhone)),
        ("国家医保平台服务异常", Some(Symptom::ServiceException)),
        ("服务调用失败", Some(Symptom::ServiceException)),
        ("平台異常：服務調用異常", Some(Symptom::ServiceException)),
        ("Service Exception: code 500", Some(Symptom::ServiceException)),
        ("service unavailable", Some(Symptom::ServiceException)),
        // The network's own messages: diagnose answers those, not this table.
        ("网络连接失败", None),
        ("连接服务器超时", None),
        ("无法连接到服务器", None),
        ("网络异常", None),
        ("connection timed out", None),
        ("network error", None),
        ("密码错误", None),
        ("读卡器未连接", None),
    ];

    #[test]
    fn what_people_type_leads_to_the_right_entry_or_to_an_honest_no() {
        let wrong: Vec<_> = TYPED.iter().filter(|(text, expected)| first(text) != *expected).collect();
        let seen: Vec<_> = wrong.iter().map(|(text, expected)| format!("{text}: {:?}, not {expected:?}", search(text))).collect();
        assert!(wrong.is_empty(), "{seen:#?}");
    }

    #[test]
    fn the_table_of_signs_is_made_of_pairs() {
        assert_eq!(TRADITIONAL.chars().filter(|sign| !sign.is_whitespace()).count() % 2, 0);
        assert_eq!("醫保賬戶餘額".chars().map(simplified).collect::<String>(), "医保账户余额");
    }

    #[test]
    fn where_two_screens_read_the_same_both_are_shown() {
        for text in ["系统繁忙", "system busy", "手机应用提示系统繁忙"] {
            let both: Vec<_> = search(text).iter().map(|it| it.symptom).collect();
            assert!(both[..2].contains(&Symptom::BusyOnPc) && both[..2].contains(&Symptom::BusyOnPhone), "{text}: {both:?}");
        }
    }

    #[test]
    fn what_is_not_similar_finds_nothing() {
        for text in [
            "",
            "?!",
            "打印机缺纸",
            "今天天气很好",
            "请插入读卡器",
            "文件不存在",
            "密码输入错误",
            "printer out of paper",
            "hello world",
            "file not found",
            "please insert the reader",
            "wrong password",
            "a",
            "的",
            "12",
        ] {
            assert_eq!(search(text), [], "{text}");
        }
    }

    #[test]
    fn the_nearest_codes_of_a_slip_are_named() {
        let codes = || ["vpn.tunnel-dead", "vpn.kicked", "tls.expired", "line.down"].into_iter();
        assert_eq!(nearest("vpn.tunel-dead", codes()).first(), Some(&"vpn.tunnel-dead"));
        assert_eq!(nearest("TLS.EXPIRED", codes()).first(), Some(&"tls.expired"));
        assert_eq!(nearest("kicked", codes()).first(), Some(&"vpn.kicked"));
        assert!(nearest("quantum", codes()).is_empty());
    }

    #[test]
    fn a_bare_number_picks_and_a_number_in_a_message_does_not() {
        let first = |text: &str| search(text).first().map(|it| it.symptom);
        assert_eq!(first("4"), Some(Symptom::NoBalance));
        assert_eq!(first(" ４ "), Some(Symptom::NoBalance));
        assert_eq!(search("5").len(), 2, "the twin is shown as well");
        for none in ["8", "99999999999999999999999", "-1", "1.5", "+4"] {
            assert_eq!(first(none), None, "{none}");
        }
        assert_eq!(first("账户余额为0"), Some(Symptom::NoBalance));
    }

    /// A phrase with one slip: a sign left out, doubled, swapped with its neighbour, or another in its place.
    fn slip() -> impl Strategy<Value = (Symptom, &'static str, String)> {
        (proptest::sample::select(all_phrases()), any::<prop::sample::Index>(), 0..4).prop_map(|((symptom, phrase), at, kind)| {
            let mut signs: Vec<char> = phrase.chars().collect();
            let at = at.index(signs.len());
            match kind {
                0 => drop(signs.remove(at)),
                1 => signs.insert(at, signs[at]),
                2 => signs.swap(at, (at + 1).min(phrase.chars().count() - 1)),
                _ => signs[at] = if is_han(signs[at]) { '甲' } else { 'q' },
            }
            (symptom, phrase, signs.into_iter().collect())
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(2000)))]

        #[test]
        fn any_text_is_taken(text in ".*") {
            for it in search(&text) {
                prop_assert!((0.0..=1.0).contains(&it.score));
            }
            nearest(&text, ["vpn.kicked", "line.down"].into_iter());
        }

        #[test]
        fn one_slip_still_finds_it((symptom, phrase, text) in slip()) {
            // Two signs with one of them wrong are nothing to go by.
            prop_assume!(phrase.chars().count() > 3);
            let found = search(&text);
            prop_assert!(found.iter().any(|it| it.symptom == symptom && it.score > 0.0), "{text}: {found:?}");
        }
    }
}
