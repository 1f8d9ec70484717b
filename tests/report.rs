//! Whole reports: what a clerk reads in both languages, and that every diagnosis there can be is laid out and serialised as promised.

mod report {
    pub mod any;
    pub mod scenes;
}

use isonet::catalogue::Lang;
use isonet::model::{Actor, Cause, Chain, Diagnosis, FindingCode};
use isonet::report::{Facing, SCHEMA, Style, explain_cause, explain_finding, explain_list, list_symptoms, render, to_json};
use proptest::prelude::*;
use report::any;
use report::scenes;
use serde_json::Value;
use std::sync::LazyLock;
use unicode_width::UnicodeWidthStr;

static VALIDATOR: LazyLock<jsonschema::Validator> =
    LazyLock::new(|| jsonschema::validator_for(&schema()).expect("the schema is a JSON Schema"));

fn schema() -> Value {
    serde_json::from_str(SCHEMA).expect("the schema is JSON")
}

fn clerk(diagnosis: &Diagnosis, lang: Lang) -> String {
    render(diagnosis, &scenes::facing(), lang, Style::default())
}

fn engineer(diagnosis: &Diagnosis, lang: Lang) -> String {
    render(diagnosis, &scenes::facing(), lang, Style { verbose: true, ..Style::default() })
}

fn assert_fits(text: &str, width: usize) {
    for line in text.lines() {
        assert!(line.width() <= width, "{} columns: {line}", line.width());
        assert!(!line.ends_with(' '), "space at the end: {line:?}");
    }
}

fn assert_valid(json: &str) -> Value {
    let document: Value = serde_json::from_str(json).expect("one JSON document");
    let errors: Vec<_> = VALIDATOR.iter_errors(&document).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}\n{json}");
    document
}

macro_rules! snapshots {
    ($($name:ident),+) => {$(
        #[test]
        fn $name() {
            let diagnosis = scenes::$name();
            for lang in Lang::ALL {
                insta::assert_snapshot!(format!("{}_{}", stringify!($name), lang.tag()), clerk(&diagnosis, lang));
            }
        }
    )+};
}

snapshots!(
    healthy,
    cable_out,
    line_or_vpn_server,
    certificate_expired_and_a_resolver_dead,
    a_resolver_dead,
    no_centre_configured,
    two_centres_one_refuses
);

#[test]
fn an_engineer_reads_every_fact() {
    for lang in Lang::ALL {
        insta::assert_snapshot!(format!("verbose_{}", lang.tag()), engineer(&scenes::line_or_vpn_server(), lang));
    }
}

#[test]
fn the_first_three_lines_answer_before_anything_else() {
    // Wide enough that nothing is wrapped.
    let text = render(&scenes::cable_out(), &scenes::facing(), Lang::ZhCn, Style { width: 400, ..Style::default() });
    let lines: Vec<_> = text.lines().take(4).collect();
    assert!(lines[0].starts_with("现在不能结算") && lines[0].contains("不是您操作的问题"), "{}", lines[0]);
    assert!(lines[1].contains("网线"), "{}", lines[1]);
    assert!(lines[2].contains("电话") && lines[2].contains("link.no-carrier"), "{}", lines[2]);
    assert_eq!(lines[3], "", "{text}");
}

#[test]
fn every_scene_says_what_never_to_do() {
    for (_, diagnosis) in scenes::all() {
        for (lang, words) in [(Lang::ZhCn, ["热点", "时间", "重装"]), (Lang::En, ["hotspot", "time", "reinstall"])] {
            let text = clerk(&diagnosis, lang);
            assert!(words.iter().all(|word| text.contains(word)), "{text}");
        }
    }
}

#[test]
fn what_only_takes_away_a_reserve_is_not_said_to_cut_off() {
    let text = clerk(&scenes::a_resolver_dead(), Lang::ZhCn);
    assert!(text.starts_with("可以结算") && text.contains("单这一处不影响结算") && !text.contains("找不到医保中心"), "{text}");
}

#[test]
fn a_break_without_a_cause_does_not_borrow_the_act_of_a_lesser_fault() {
    let cut = Diagnosis { connected: Some(false), ..scenes::a_resolver_dead() };
    let text = clerk(&cut, Lang::ZhCn);
    assert!(text.starts_with("现在不能结算，原因还没查清"), "{text}");
    assert!(text.replace('\n', "").contains("，14:32，原因不明。"), "{text}");
}

#[test]
fn who_acts_is_named_even_without_a_number_and_then_who_has_one() {
    let mut facing = scenes::facing();
    facing.contacts.retain(|actor, _| *actor == Actor::Bureau);
    let third = |diagnosis: &Diagnosis, lang| {
        let text = render(diagnosis, &facing, lang, Style { width: 400, ..Style::default() });
        text.lines().nth(2).unwrap().to_owned()
    };
    let nobody_else = scenes::cable_out();
    assert_eq!(third(&nobody_else, Lang::ZhCn), "打电话给电脑维护人员（还没有登记电话），报：本机编号 T0032，14:32，link.no-carrier。");
    assert_eq!(
        third(&nobody_else, Lang::En),
        "Call the PC's vendor (no number on file). Read out: PC number T0032, 14:32, link.no-carrier."
    );
    let two = scenes::line_or_vpn_server();
    assert_eq!(
        third(&two, Lang::ZhCn),
        "打电话给线路运营商（还没有登记电话）；没有这个电话，就打给医保局信息科（李老师 029-5550-1003），报：本机编号 T0032，14:32，line.down。"
    );
    assert_eq!(
        third(&two, Lang::En),
        "Call the line operator (no number on file); without a number of theirs, the insurance bureau's information office (李老师 029-5550-1003). \
         Read out: PC number T0032, 14:32, line.down."
    );
}

#[test]
fn could_not_tell_is_never_called_fine() {
    for lang in Lang::ALL {
        let text = clerk(&scenes::no_centre_configured(), lang);
        assert!(text.contains("[[centre]]"), "{text}");
        assert!(!text.contains("可以结算：") && !text.contains("You can settle"), "{text}");
    }
}

#[test]
fn the_columns_of_the_path_align_in_both_languages() {
    for (name, diagnosis) in scenes::all() {
        for lang in Lang::ALL {
            let text = clerk(&diagnosis, lang);
            let starts: Vec<_> = diagnosis
                .path
                .iter()
                .filter(|item| item.layer.code() == "link" || item.layer.code() == "address")
                .filter_map(|item| {
                    let at = item.subject.to_string();
                    let bare = at.split_once(':').map_or("", |(_, bare)| bare).to_owned();
                    text.lines().filter(|line| line.starts_with("  [")).find_map(|line| line.find(&bare).map(|at| line[..at].width()))
                })
                .collect();
            assert!(!starts.is_empty() && starts.iter().all(|start| *start == 23), "{name}: {starts:?}\n{text}");
        }
    }
}

#[test]
fn a_layer_that_centres_share_is_drawn_once() {
    let diagnosis = scenes::two_centres_one_refuses();
    let shared = diagnosis.path.iter().filter(|item| item.chain == Chain::Local).count();
    let rows = clerk(&diagnosis, Lang::ZhCn).lines().filter(|line| line.starts_with("  [")).count();
    assert_eq!(rows, diagnosis.path.len());
    assert!(shared > 0);
}

#[test]
fn colour_adds_nothing_but_colour() {
    for (_, diagnosis) in scenes::all() {
        for lang in Lang::ALL {
            let coloured = render(&diagnosis, &scenes::facing(), lang, Style { color: true, ..Style::default() });
            assert!(coloured.contains('\u{1b}'));
            assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), clerk(&diagnosis, lang));
        }
    }
}

#[test]
fn every_scene_is_diagnosis_1() {
    for (name, diagnosis) in scenes::all() {
        for lang in Lang::ALL {
            let document = assert_valid(&to_json(&diagnosis, &scenes::facing(), lang));
            assert_eq!(document["schema"], "diagnosis/1", "{name}");
            assert_eq!(document["at"], "2026-11-22T14:32:05+08:00");
        }
    }
}

#[test]
fn a_path_item_names_its_chain_and_a_verdict_its_contact() {
    let document = assert_valid(&to_json(&scenes::two_centres_one_refuses(), &scenes::facing(), Lang::En));
    let chains: Vec<_> = document["path"].as_array().unwrap().iter().map(|item| item["chain"].as_str().unwrap()).collect();
    assert!(chains.contains(&"local") && chains.contains(&"settlement") && chains.contains(&"records"), "{chains:?}");
    let document = assert_valid(&to_json(&scenes::cable_out(), &scenes::facing(), Lang::En));
    let verdict = &document["verdicts"][0];
    assert_eq!((verdict["who_acts"].as_str(), verdict["contact"]["role"].as_str()), (Some("shop"), Some("vendor")));
}

/// The same site, with the shipped rules.
fn with_rules() -> Facing {
    Facing { rules: Some(isonet::config::example()), ..scenes::facing() }
}

/// The article of the shipped set that each of these touches; all others touch none.
const TOUCHED: [(Cause, &str); 22] = [
    (Cause::LinkNoCarrier, "12"),
    (Cause::LinkAdminDown, "7"),
    (Cause::LinkFlapping, "12"),
    (Cause::LinkDegraded, "12"),
    (Cause::LinkWifiLost, "12"),
    (Cause::AddrChangedSubnet, "12"),
    (Cause::AddrGatewayNotOnLink, "7"),
    (Cause::GatewayChanged, "12"),
    (Cause::VpnClientFailed, "7"),
    (Cause::VpnKicked, "14"),
    (Cause::RouteMissing, "7"),
    (Cause::RouteCaptured, "7"),
    (Cause::RouteBlocked, "7"),
    (Cause::FirewallOutput, "7"),
    (Cause::FirewallInput, "7"),
    (Cause::DnsNoResolver, "7"),
    (Cause::DnsWrongResolver, "7"),
    (Cause::HostsStale, "7"),
    (Cause::ClockWrong, "5"),
    (Cause::CentreCutOff, "15"),
    (Cause::CentrePlanned, "9"),
    (Cause::ReaderMissing, "7"),
];

#[test]
fn every_code_cites_its_article_and_none_without_a_set() {
    for cause in Cause::ALL {
        let diagnosis = scenes::only(*cause);
        let article = TOUCHED.iter().find(|(touched, _)| touched == cause).map(|(_, article)| *article);
        let article = if *cause == Cause::ClientLocalServiceDown { Some("7") } else { article };
        for lang in Lang::ALL {
            let cited = assert_valid(&to_json(&diagnosis, &with_rules(), lang));
            let rule = &cited["verdicts"][0]["rule"];
            assert_eq!(rule["article"].as_str(), article, "{cause}");
            if article.is_some() {
                assert_eq!((rule["set"].as_str(), rule["version"].as_str()), (Some("example"), Some("1")));
                assert!(rule["issuer"].as_str().is_some_and(|issuer| !issuer.is_empty()));
            }
            let bare = assert_valid(&to_json(&diagnosis, &scenes::facing(), lang));
            assert!(bare["verdicts"][0]["rule"].is_null(), "{cause}");
        }
    }
}

#[test]
fn an_article_is_touched_and_a_lead_in_the_verbose_text_only() {
    for (cause, article) in TOUCHED {
        for (lang, touches, lead) in
            [(Lang::ZhCn, "涉及第", "只是线索，不是结论"), (Lang::En, "touches article", "A lead only, not a finding")]
        {
            // What is no disconnection by itself is shown as one here; the words are the same.
            let diagnosis = scenes::only(cause);
            let wide = |verbose| Style { verbose, width: 4000, color: false };
            let text = render(&diagnosis, &with_rules(), lang, wide(true));
            let line = text.lines().find(|line| line.contains(touches)).unwrap_or_else(|| panic!("{cause}: {text}"));
            assert!(line.contains(lead) && line.contains(article), "{line}");
            assert!(!line.to_lowercase().contains("violat") && !line.contains("违"), "{line}");
            assert!(!render(&diagnosis, &with_rules(), lang, wide(false)).contains(touches), "the counter is not bothered with it");
            assert!(!render(&diagnosis, &scenes::facing(), lang, wide(true)).contains(touches), "{cause}");
        }
    }
}

#[test]
fn who_is_called_first_is_the_sites_choice_and_both_are_shown() {
    let both = [Actor::Software, Actor::Bureau];
    let called = |facing: &Facing, cause| {
        let text = render(&scenes::only(cause), facing, Lang::En, Style { width: 400, ..Style::default() });
        let document = assert_valid(&to_json(&scenes::only(cause), facing, Lang::En));
        let verdict = &document["verdicts"][0];
        let words = |actor| isonet::catalogue::actor(actor, Lang::En);
        let list = text.split_once("Whom to call").expect("a list").1;
        let mut order = both.to_vec();
        order.sort_by_key(|actor| list.find(words(*actor)).unwrap_or_else(|| panic!("{actor:?} in {list}")));
        (order, verdict["who_acts"].as_str().unwrap().to_owned(), verdict["contact"]["role"].as_str().unwrap().to_owned())
    };
    let owned = |actors: [Actor; 2], who: &str, contact: &str| (actors.to_vec(), who.to_owned(), contact.to_owned());
    let custom = scenes::facing();
    let by_rules = Facing { order: vec![Actor::Bureau, Actor::Software], ..scenes::facing() };
    let [software, bureau] = both;
    assert_eq!(called(&custom, Cause::ClientLocalServiceDown), owned([software, bureau], "software", "software"));
    assert_eq!(called(&by_rules, Cause::ClientLocalServiceDown), owned([bureau, software], "bureau", "bureau"));
    assert_eq!(called(&custom, Cause::VpnNotStarted), owned([software, bureau], "shop", "software"));
    assert_eq!(called(&by_rules, Cause::VpnNotStarted), owned([bureau, software], "shop", "bureau"), "the counter acts first");
    let document = assert_valid(&to_json(&scenes::only(Cause::LineDown), &by_rules, Lang::En));
    assert_eq!(document["verdicts"][0]["who_acts"], "operator", "who has no part in it is not named");
}

#[test]
fn a_number_that_is_known_is_called_before_a_name_without_one() {
    let mut facing = scenes::facing();
    let line = |facing: &Facing| {
        let text = render(&scenes::only(Cause::TcpRefused), facing, Lang::En, Style { width: 400, ..Style::default() });
        text.lines().nth(2).expect("three lines").to_owned()
    };
    assert!(line(&facing).contains("029-5550-1003"), "the bureau, because nobody wrote down the centre's number");
    facing.contacts.clear();
    assert!(line(&facing).starts_with("Call the insurance centre (no number on file)"), "{}", line(&facing));
}

#[test]
fn a_centre_without_a_number_of_its_own_is_reached_through_the_bureau() {
    let facing = scenes::facing();
    let text = render(&scenes::only(Cause::TlsExpired), &facing, Lang::En, Style { width: 400, ..Style::default() });
    assert!(text.lines().nth(2).is_some_and(|line| line.contains("029-5550-1003")), "{text}");
    assert!(text.contains("Nothing on your side is wrong") && text.contains("- the insurance centre (no number on file)"), "{text}");
    let verdict = &assert_valid(&to_json(&scenes::only(Cause::TlsExpired), &facing, Lang::En))["verdicts"][0];
    assert_eq!((verdict["who_acts"].as_str(), verdict["contact"]["role"].as_str()), (Some("centre"), Some("bureau")));
}

#[test]
fn the_codes_of_a_document_do_not_depend_on_the_language() {
    let without_sentences = |lang| {
        let mut document = assert_valid(&to_json(&scenes::certificate_expired_and_a_resolver_dead(), &scenes::facing(), lang));
        for verdict in document["verdicts"].as_array_mut().unwrap() {
            verdict["title"].take();
            verdict["advice"].take();
            verdict["ruled_out"].as_array_mut().unwrap().iter_mut().for_each(|it| drop(it["because"].take()));
        }
        document["notes"].as_array_mut().unwrap().iter_mut().for_each(|it| drop(it["text"].take()));
        document["blind"].as_array_mut().unwrap().iter_mut().for_each(|it| drop(it["because"].take()));
        document
    };
    assert_eq!(without_sentences(Lang::ZhCn), without_sentences(Lang::En));
}

#[test]
fn the_schema_knows_exactly_the_causes_there_are() {
    let schema = schema();
    let listed: Vec<_> = schema["$defs"]["cause"]["enum"].as_array().unwrap().iter().map(|code| code.as_str().unwrap()).collect();
    assert_eq!(listed, Cause::ALL.iter().map(|cause| cause.code()).collect::<Vec<_>>());
}

#[test]
fn the_schema_is_closed_everywhere() {
    fn walk(place: &str, value: &Value) {
        if let Value::Object(map) = value {
            if map.get("type") == Some(&Value::from("object")) {
                assert_eq!(map.get("additionalProperties"), Some(&Value::Bool(false)), "{place} is open");
            }
            map.iter().for_each(|(key, inner)| walk(&format!("{place}/{key}"), inner));
        }
    }
    walk("", &schema());
}

#[test]
fn what_is_not_in_the_contract_is_refused() {
    let mut document = assert_valid(&to_json(&scenes::healthy(), &scenes::facing(), Lang::En));
    document["mood"] = Value::from("good");
    assert!(!VALIDATOR.is_valid(&document));
    document = assert_valid(&to_json(&scenes::cable_out(), &scenes::facing(), Lang::En));
    document["verdicts"][0]["cause"] = Value::from("link.haunted");
    assert!(!VALIDATOR.is_valid(&document));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(400), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_diagnosis_is_diagnosis_1(diagnosis in any::diagnosis(), zh: bool) {
        let lang = if zh { Lang::ZhCn } else { Lang::En };
        assert_valid(&to_json(&diagnosis, &scenes::facing(), lang));
    }

    #[test]
    fn any_diagnosis_fits_the_screen(diagnosis in any::diagnosis(), zh: bool, verbose: bool, width in 40usize..140) {
        let lang = if zh { Lang::ZhCn } else { Lang::En };
        let text = render(&diagnosis, &scenes::facing(), lang, Style { verbose, width, color: false });
        assert_fits(&text, width);
        prop_assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
    }
}

#[test]
fn headings_wrap_on_a_narrow_screen() {
    for lang in Lang::ALL {
        assert_fits(&render(&scenes::line_or_vpn_server(), &scenes::facing(), lang, Style { width: 40, ..Style::default() }), 40);
    }
}

#[test]
fn every_cause_alone_fits_eighty_columns() {
    for cause in Cause::ALL {
        for lang in Lang::ALL {
            let diagnosis = scenes::only(*cause);
            assert_fits(&clerk(&diagnosis, lang), 80);
            assert_fits(&engineer(&diagnosis, lang), 80);
            assert_valid(&to_json(&diagnosis, &scenes::facing(), lang));
        }
    }
}

#[test]
fn what_the_queue_may_be_told_is_shown_while_nobody_can_settle_and_only_then() {
    let mut facing = scenes::facing();
    facing.while_down = Some("请先自费\u{1b}[2J".to_owned());
    let shown = |diagnosis: &Diagnosis, lang| {
        let text = render(diagnosis, &facing, lang, Style::default());
        assert_fits(&text, 80);
        assert!(!text.contains('\u{1b}'), "{text:?}");
        let page = isonet::report::to_html(diagnosis, &facing, lang);
        assert_eq!(page.contains("请先自费"), text.contains("请先自费"));
        text.contains("请先自费")
    };
    for lang in Lang::ALL {
        assert!(shown(&scenes::cable_out(), lang));
        for calm in [scenes::healthy(), scenes::a_resolver_dead(), scenes::no_centre_configured()] {
            assert!(!shown(&calm, lang));
        }
    }
}

/// Signs that no line begins with.
const CLOSING: &str = "，。；：、）？！》」』】,;:)";

#[test]
fn every_explanation_fits_narrow_and_wide_screens_and_breaks_no_line_before_a_closing_sign() {
    let facing = scenes::facing();
    for (lang, width) in Lang::ALL.into_iter().flat_map(|lang| [40, 80, 200].map(|width| (lang, width))) {
        let style = Style { width, ..Style::default() };
        let causes = Cause::ALL.iter().map(|cause| explain_cause(*cause, &facing, lang, style));
        let findings = FindingCode::ALL.iter().map(|finding| explain_finding(*finding, &facing, lang, style));
        let said = causes.chain(findings).chain([explain_list(lang, style), list_symptoms(lang, style)]);
        for text in said {
            assert_fits(&text, width);
            for line in text.lines() {
                let first = line.trim_start().chars().next();
                assert!(first.is_none_or(|first| !CLOSING.contains(first)), "{width}: {line}");
                assert!(!line.ends_with(' ') && !line.contains('\t'), "{width}: {line:?}");
            }
        }
    }
}

#[test]
fn a_cause_that_cuts_off_two_centres_is_named_once_in_the_first_lines() {
    let mut twice = scenes::only(Cause::TcpRefused);
    let mut other = twice.verdicts[0].clone();
    other.subject = isonet::model::Subject::Centre("another".to_owned());
    twice.verdicts.push(other);
    for verdict in &mut twice.verdicts {
        verdict.certainty = isonet::model::Certainty::Likely;
    }
    for lang in Lang::ALL {
        let title = isonet::catalogue::text(Cause::TcpRefused, lang).title;
        let text = render(&twice, &scenes::facing(), lang, Style { width: 4000, ..Style::default() });
        let first = text.lines().next().unwrap().to_lowercase();
        assert_eq!(first.matches(&title.to_lowercase()).count(), 1, "{first}");
        for word in ["下面其中一个", "one of these"] {
            assert!(!text.contains(word), "{text}");
        }
    }
}
