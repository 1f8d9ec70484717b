//! The page of a diagnosis: well-formed, self-contained, in both languages, and nothing that came from the network can become a part of
//! it but as text.
#![allow(clippy::unwrap_used, reason = "a helper of a test fails the test")]

#[allow(dead_code, reason = "shared with the tests of the other faces, which use the rest")]
mod report {
    pub mod any;
    pub mod scenes;
}

use isonet::catalogue::Lang;
use isonet::config::Contact;
use isonet::model::{Actor, Cause, Chain, Diagnosis, Isolation, LayerState, Severity};
use isonet::report::to_html;
use proptest::prelude::*;
use report::{any, scenes};

/// Elements that have no end tag.
const VOID: [&str; 1] = ["meta"];

/// Everything that can stand in a page of ours. Nothing that loads, runs or sends is among it.
const KNOWN: [&str; 37] = [
    "html", "head", "meta", "title", "style", "body", "header", "h1", "h2", "h3", "p", "main", "section", "svg", "path", "circle", "rect",
    "text", "ol", "ul", "li", "pre", "details", "summary", "strong", "span", "footer", "dl", "dt", "dd", "div", "b", "i", "em", "br", "hr",
    "g",
];

/// A page taken apart.
#[derive(Debug, Default)]
struct Parsed {
    /// Every start tag.
    tags: Vec<String>,
    /// Every attribute as (tag, name, value).
    attributes: Vec<(String, String, String)>,
    /// All text outside the style sheet, unescaped.
    text: String,
}

/// Reads a page as strictly as XML: tags nest and close, attributes are quoted, no bare `<` or `&`. `Err` says where it is not so.
fn parse(page: &str) -> Result<Parsed, String> {
    let mut rest = page.strip_prefix("<!DOCTYPE html>").ok_or("no doctype")?;
    let (mut parsed, mut open) = (Parsed::default(), Vec::<String>::new());
    while let Some(at) = rest.find('<') {
        parsed.text.push_str(&unescape(&rest[..at])?);
        let end = rest[at..].find('>').ok_or("a tag does not end")? + at;
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            let expected = open.pop().ok_or_else(|| format!("</{name}> closes nothing"))?;
            if expected != name {
                return Err(format!("</{name}> closes <{expected}>"));
            }
            continue;
        }
        let name: String = tag.chars().take_while(|c| !c.is_whitespace()).collect();
        attributes(&name, &tag[name.len()..], &mut parsed)?;
        parsed.tags.push(name.clone());
        if name == "style" {
            let close = rest.find("</style>").ok_or("style does not end")?;
            rest = &rest[close + "</style>".len()..];
        } else if !VOID.contains(&name.as_str()) {
            open.push(name);
        }
    }
    parsed.text.push_str(&unescape(rest)?);
    if open.is_empty() { Ok(parsed) } else { Err(format!("never closed: {open:?}")) }
}

fn attributes(tag: &str, mut rest: &str, parsed: &mut Parsed) -> Result<(), String> {
    while !rest.trim_start().is_empty() {
        let (name, after) = rest.trim_start().split_once("=\"").ok_or_else(|| format!("<{tag}{rest}>: an attribute without a value"))?;
        let (value, after) = after.split_once('"').ok_or_else(|| format!("<{tag}: {name} is not closed"))?;
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphabetic() || c == '-') || value.contains('<') {
            return Err(format!("<{tag}: attribute {name}={value}"));
        }
        parsed.attributes.push((tag.to_owned(), name.to_owned(), unescape(value)?));
        rest = after;
    }
    Ok(())
}

fn unescape(text: &str) -> Result<String, String> {
    let mut parts = text.split('&');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, after) = part.split_once(';').ok_or_else(|| format!("a bare & before {part}"))?;
        plain.push(match name {
            "lt" => '<',
            "gt" => '>',
            "amp" => '&',
            "quot" => '"',
            other => return Err(format!("&{other};")),
        });
        plain.push_str(after);
    }
    Ok(plain)
}

fn page(diagnosis: &Diagnosis, lang: Lang) -> (String, Parsed) {
    let page = to_html(diagnosis, &scenes::facing(), lang);
    let parsed = parse(&page).unwrap_or_else(|why| panic!("{why}\n{page}"));
    (page, parsed)
}

/// What must hold for every page whatever is in it.
fn assert_harmless(page: &str, parsed: &Parsed) {
    for tag in &parsed.tags {
        assert!(KNOWN.contains(&tag.as_str()), "<{tag}>");
    }
    for (tag, name, value) in &parsed.attributes {
        let allowed =
            !["href", "src", "srcset", "style", "action", "background", "data"].contains(&name.as_str()) && !name.starts_with("on");
        assert!(allowed, "<{tag} {name}={value}>");
    }
    let style = &page[page.find("<style>").unwrap()..page.find("</style>").unwrap()];
    assert!(!style.contains("url(") && !style.contains("@import") && !style.contains("//"));
    let policy = parsed.attributes.iter().find(|(tag, name, _)| tag == "meta" && name == "http-equiv").expect("a policy");
    assert_eq!(policy.2, "Content-Security-Policy");
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn every_scene_is_a_well_formed_page_that_loads_nothing() {
    for (name, diagnosis) in scenes::all() {
        for lang in Lang::ALL {
            let (page, parsed) = page(&diagnosis, lang);
            assert_harmless(&page, &parsed);
            assert!(!page.contains("http:") && !page.contains("https:"), "{name}: a link");
            assert!(page.contains(&format!("<html lang=\"{}\">", lang.tag())), "{name}");
            assert!(page.len() < 48_000, "{name}: {} bytes", page.len());
        }
    }
}

#[test]
fn the_page_says_what_the_text_says_first() {
    let (page, parsed) = page(&scenes::cable_out(), Lang::ZhCn);
    let head = &page[page.find("<header").unwrap()..page.find("</header>").unwrap()];
    assert!(head.contains("现在不能结算") && head.contains("网线") && head.contains("link.no-carrier"), "{head}");
    for words in ["热点", "时间", "重装", "029-5550-1001", "Example Pharmacy No. 3", "T0032", "2026-11-22 14:32:05", "不通（退出码 20）"]
    {
        assert!(parsed.text.contains(words), "{words}");
    }
}

#[test]
fn the_break_is_told_by_shape_and_word() {
    for (lang, words) in [(Lang::ZhCn, "断在这里"), (Lang::En, "broken here")] {
        let (page, parsed) = page(&scenes::cable_out(), lang);
        let broken = scenes::cable_out().path.iter().filter(|item| item.state == LayerState::Failed).count();
        assert_eq!((parsed.text.matches(words).count(), broken), (1, 1));
        assert_eq!(page.matches("class=\"here\"").count(), 1, "a frame around it");
        assert!(page.contains("way gone"), "the way beyond is dotted");
        let (fine, _) = self::page(&scenes::healthy(), lang);
        assert!(!fine.contains("class=\"here\"") && !fine.contains("way gone"));
    }
}

#[test]
fn one_row_is_drawn_for_every_layer() {
    for (name, diagnosis) in scenes::all() {
        let (page, _) = page(&diagnosis, Lang::En);
        assert_eq!(page.matches("class=\"name\"").count(), diagnosis.path.len(), "{name}");
        let centres = diagnosis.path.iter().filter_map(|item| if let Chain::Centre(name) = &item.chain { Some(name) } else { None });
        let centres: std::collections::BTreeSet<_> = centres.collect();
        assert_eq!(page.matches("class=\"chain\"").count(), centres.len(), "{name}");
    }
}

#[test]
fn the_arguments_fold_on_a_screen_and_are_open_on_paper() {
    let (page, parsed) = page(&scenes::line_or_vpn_server(), Lang::En);
    assert_eq!(parsed.tags.iter().filter(|tag| *tag == "details").count(), 1);
    assert!(page.contains("<section class=\"wide why paper\">"));
    assert_eq!(parsed.text.matches("Ruled out: the VPN is not started").count(), 2);
}

#[test]
fn a_fine_network_points_to_the_symptom_on_the_screen() {
    for lang in Lang::ALL {
        assert!(page(&scenes::healthy(), lang).1.text.contains("isonet explain --symptom \"...\""));
        assert!(!page(&scenes::cable_out(), lang).1.text.contains("--symptom"));
    }
}

#[test]
fn an_open_isolation_stands_above_everything_else() {
    let diagnosis = Diagnosis { isolation: Isolation::Broken, ..scenes::healthy() };
    let (page, parsed) = page(&diagnosis, Lang::En);
    assert!(page.find("class=\"alarm\"").unwrap() < page.find("<main>").unwrap());
    assert!(parsed.text.contains("isolation broken (exit status 30)"));
}

#[test]
fn what_the_daemon_has_open_is_on_the_page_as_text() {
    let incident = serde_json::json!({
        "id": "e/7", "kind": "disconnection", "cause": "line.down", "title": "<b>线路</b>不通", "certainty": "likely", "severity": "critical",
        "object": "line", "centres": ["settle<script>"], "since": "2026-11-22T14:20:00+08:00", "occurrences": 1, "flapping": false,
        "planned": null
    });
    let open: isonet::report::OpenIncident = serde_json::from_value(incident).unwrap();
    for (open, heading) in [(Some(vec![open]), true), (Some(Vec::new()), false), (None, false)] {
        let facing = isonet::report::Facing { open, ..scenes::facing() };
        let page = to_html(&scenes::healthy(), &facing, Lang::ZhCn);
        let parsed = parse(&page).unwrap();
        assert_harmless(&page, &parsed);
        assert_eq!(parsed.text.contains("值守程序记着的、还没恢复的故障"), heading);
        assert_eq!(parsed.text.contains("<b>线路</b>不通：从 14:20 起，已 12 分钟，连不上 settle<script> [line.down]"), heading);
    }
}

#[test]
fn without_a_centre_the_lines_to_add_are_there() {
    let (_, parsed) = page(&scenes::no_centre_configured(), Lang::En);
    assert!(parsed.text.contains("[[centre]]\nname = \"settlement\""), "{}", parsed.text);
}

#[test]
fn the_article_touched_is_on_the_page_where_a_set_is_chosen() {
    let facing = isonet::report::Facing { rules: Some(isonet::config::example()), ..scenes::facing() };
    for (lang, words) in [(Lang::ZhCn, "涉及第 12 条"), (Lang::En, "touches article 12")] {
        let cited = to_html(&scenes::cable_out(), &facing, lang);
        assert!(parse(&cited).unwrap().text.contains(words), "{cited}");
        assert!(!page(&scenes::cable_out(), lang).1.text.contains(words));
    }
}

#[test]
fn hostile_names_stay_text() {
    const HOSTILE: &str = "\"><script>alert(1)</script><img src=x onerror='x'>&amp;\u{202e}\u{1b}[2J";
    let mut diagnosis = scenes::two_centres_one_refuses();
    for item in &mut diagnosis.path {
        if item.chain != Chain::Local {
            item.chain = Chain::Centre(HOSTILE.to_owned());
        }
        item.fact = HOSTILE.to_owned();
    }
    for verdict in &mut diagnosis.verdicts {
        for evidence in &mut verdict.evidence {
            (evidence.target, evidence.result) = (HOSTILE.to_owned(), HOSTILE.to_owned());
        }
    }
    let mut facing = scenes::facing();
    facing.id = Some(HOSTILE.to_owned());
    facing.terminal.name = Some(HOSTILE.to_owned());
    for actor in [Actor::Centre, Actor::Bureau] {
        facing.contacts.insert(actor, Contact { name: HOSTILE.to_owned(), phone: HOSTILE.to_owned() });
    }
    for lang in Lang::ALL {
        let page = to_html(&diagnosis, &facing, lang);
        let parsed = parse(&page).unwrap_or_else(|why| panic!("{why}\n{page}"));
        assert_harmless(&page, &parsed);
        assert!(parsed.text.contains("<script>alert(1)</script>"), "shown as it is");
        assert!(!page.contains(['\u{202e}', '\u{1b}']));
    }
}

#[test]
fn every_cause_has_its_page() {
    // What is merely information is no cause of anything.
    for cause in Cause::ALL.iter().filter(|cause| cause.severity() > Severity::Info) {
        for lang in Lang::ALL {
            let (page, parsed) = page(&scenes::only(*cause), lang);
            assert_harmless(&page, &parsed);
            assert!(parsed.text.contains(isonet::catalogue::text(*cause, lang).title), "{cause}");
        }
    }
}

proptest! {
    #[test]
    fn any_diagnosis_is_a_well_formed_page(diagnosis in any::diagnosis()) {
        for lang in Lang::ALL {
            let (page, parsed) = page(&diagnosis, lang);
            assert_harmless(&page, &parsed);
        }
    }
}
