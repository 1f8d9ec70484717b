//! The clerk's rules, over the whole catalogue.

use super::*;
use crate::model::{self, Actor, Cause, Certainty, FindingCode, Isolation, Layer, LayerState, NoteCode, Reason, Severity, Unseen};
use unicode_width::UnicodeWidthStr;

const LANGS: [Lang; 2] = [Lang::ZhCn, Lang::En];

const NOTES: [NoteCode; 11] = [
    NoteCode::CentrePingForbidden,
    NoteCode::GatewayPingForbidden,
    NoteCode::CentreNotConfigured,
    NoteCode::NotEnrolled,
    NoteCode::OuterPath,
    NoteCode::DnsNotNeeded,
    NoteCode::TlsNotJudged,
    NoteCode::TlsUnsupported,
    NoteCode::OneLook,
    NoteCode::OtherFamily,
    NoteCode::MaintenanceWindow,
];

/// The codes of all causes and findings: what has a text.
fn codes() -> impl Iterator<Item = &'static str> {
    Cause::ALL.iter().map(|cause| cause.code()).chain(FindingCode::ALL.iter().map(|finding| finding.code()))
}

/// The text of a code that has one.
fn of(code: &str, lang: Lang) -> &'static Text {
    entry(code, lang).unwrap_or_else(|| panic!("no text for {code}"))
}

/// Everything a clerk may read, with where it comes from.
fn clerk_texts(lang: Lang) -> Vec<(String, String)> {
    let mut texts = Vec::new();
    for code in codes() {
        let found = of(code, lang);
        texts.push((format!("{code} title"), found.title.to_owned()));
        texts.push((format!("{code} plain"), found.plain.to_owned()));
        texts.extend(found.shop.iter().enumerate().map(|(i, step)| (format!("{code} shop {}", i + 1), (*step).to_owned())));
    }
    texts.extend(model::Origin::ALL.map(|it| (it.code().to_owned(), came_from(it, lang).to_owned())));
    texts.extend(NOTES.map(|code| (format!("{code:?}"), note(code, lang).to_owned())));
    texts.extend(Layer::ALL.map(|it| (it.code().to_owned(), layer(it, lang).to_owned())));
    texts.extend(
        [Isolation::Intact, Isolation::Suspect, Isolation::Broken, Isolation::Unknown]
            .map(|it| (format!("{it:?}"), isolation(it, lang).to_owned())),
    );
    texts.extend(reasons().iter().map(|it| (format!("{it:?}"), reason(it, lang))));
    texts.push(("never do".to_owned(), never_do(lang).to_owned()));
    for it in Symptom::ALL {
        let words = screen(it, lang);
        texts.extend([words.title, words.meanwhile].map(|line| (format!("{it:?}"), line.to_owned())));
    }
    for it in Origin::ALL {
        let words = origin(*it, lang);
        texts.extend([words.title, words.plain, words.say].map(|line| (it.key().to_owned(), line.to_owned())));
        texts.extend(it.parties().iter().map(|of| (format!("{of:?}"), party(*of, lang).to_owned())));
    }
    texts
}

fn reasons() -> Vec<Reason> {
    let who = || "eth0".to_owned();
    vec![
        Reason::Answered(who()),
        Reason::CarrierPresent(who()),
        Reason::AddressPresent(who()),
        Reason::RefusedLocally(who()),
        Reason::ErrorFromBeyond(who()),
        Reason::ClockAgrees(who()),
        Reason::ClockDiffers(who()),
        Reason::Running(who()),
        Reason::NotRunning(who()),
        Reason::RouteRight(who()),
    ]
}

fn all_texts(lang: Lang) -> Vec<(String, String)> {
    let mut texts = clerk_texts(lang);
    for code in codes() {
        texts.extend(of(code, lang).engineer.iter().map(|line| (format!("{code} engineer"), (*line).to_owned())));
    }
    for it in [
        Unseen::Capability("X".into()),
        Unseen::NotConfigured("x".into()),
        Unseen::NotEnrolled,
        Unseen::Deadline,
        Unseen::Skipped,
        Unseen::PublicAddress,
        Unseen::NotMounted("/x".into()),
        Unseen::Hidden("/x".into()),
        Unseen::Unsteady,
        Unseen::Error("x".into()),
    ] {
        texts.push((format!("{it:?}"), unseen(&it, lang)));
    }
    for it in [LayerState::Ok, LayerState::Failed, LayerState::Unknown, LayerState::Skipped] {
        texts.push((format!("{it:?}"), state(it, lang).to_owned()));
        texts.push((format!("{it:?}"), mark(it, lang).to_owned()));
    }
    texts.extend([Certainty::Possible, Certainty::Likely, Certainty::Proven].map(|it| (format!("{it:?}"), certainty(it, lang).to_owned())));
    texts.extend(
        [Severity::Info, Severity::Low, Severity::Medium, Severity::High, Severity::Critical]
            .map(|it| (format!("{it:?}"), severity(it, lang).to_owned())),
    );
    let rules = crate::config::example();
    texts.push(("issuer".to_owned(), rules.issuer.pick(lang).to_owned()));
    for article in &rules.articles {
        let citation = Citation { set: &rules, article };
        texts.push((format!("article {}", article.number), citation.said(lang)));
    }
    texts.extend(actors().map(|it| (format!("{it:?}"), actor(it, lang).to_owned())));
    texts.extend([true, false].map(|elsewhere| ("exoneration".to_owned(), exoneration(elsewhere, lang).to_owned())));
    texts
}

fn actors() -> [Actor; 8] {
    use Actor::{Bureau, Centre, Institution, Insured, Operator, Shop, Software, Vendor};
    [Shop, Vendor, Software, Operator, Bureau, Centre, Insured, Institution]
}

fn refuse(texts: &[(String, String)], forbidden: &[&str]) {
    for (place, text) in texts {
        let lower = text.to_lowercase();
        for word in forbidden {
            assert!(!lower.contains(word), "{place} contains {word:?}: {text}");
        }
    }
}

#[test]
fn every_code_has_one_to_three_steps_and_something_for_the_engineer() {
    for code in codes() {
        for lang in LANGS {
            let found = of(code, lang);
            assert!((1..=3).contains(&found.shop.len()), "{code}: {} steps", found.shop.len());
            assert!(!found.engineer.is_empty(), "{code}: nothing for the engineer");
            assert!(!found.plain.is_empty());
        }
        let (zh, en) = (of(code, Lang::ZhCn), of(code, Lang::En));
        assert_eq!((zh.shop.len(), zh.engineer.len()), (en.shop.len(), en.engineer.len()), "{code}: the languages differ in steps");
    }
}

#[test]
fn titles_are_unique_short_clauses() {
    for lang in LANGS {
        let titles: Vec<_> = codes().map(|code| of(code, lang).title).collect();
        for (i, title) in titles.iter().enumerate() {
            assert!(!titles[i + 1..].contains(title), "twice: {title}");
            assert!(!title.ends_with(['。', '.', '!', '！']), "{title}");
            assert!(title.width() <= 66, "too long: {title}");
        }
    }
}

#[test]
fn every_sentence_ends_as_its_language_does() {
    for code in codes() {
        for (lang, end) in [(Lang::ZhCn, '。'), (Lang::En, '.')] {
            let found = of(code, lang);
            for line in found.shop.iter().chain(found.engineer).chain([&found.plain]) {
                assert!(line.ends_with(end), "{code}: {line}");
            }
        }
    }
    for it in model::Origin::ALL {
        assert!(came_from(it, Lang::ZhCn).ends_with('。') && came_from(it, Lang::En).ends_with('.'), "{it:?}");
    }
    for (lang, end) in [(Lang::ZhCn, '。'), (Lang::En, '.')] {
        for it in Symptom::ALL {
            assert!(screen(it, lang).meanwhile.ends_with(end) && !screen(it, lang).title.ends_with(end), "{it:?}");
        }
        for it in Origin::ALL {
            let words = origin(*it, lang);
            assert!(words.plain.ends_with(end) && words.say.ends_with(end) && !words.title.ends_with(end), "{}", it.key());
        }
    }
}

#[test]
fn nobody_is_told_to_clear_anything_on_the_settlement_pc() {
    for (lang, verbs) in [(Lang::ZhCn, ["清理", "清除", "删除"]), (Lang::En, ["clear", "delete", "wipe"])] {
        for it in Symptom::ALL {
            let elsewhere = it.origins().iter().flat_map(|of| [origin(*of, lang).plain, origin(*of, lang).say]);
            for line in elsewhere.chain([screen(it, lang).meanwhile]) {
                for sentence in
                    line.split(['。', '.', '；', ';']).map(str::to_lowercase).filter(|part| verbs.iter().any(|v| part.contains(v)))
                {
                    let refused = sentence.contains("不要") || sentence.contains("nothing");
                    assert!(refused || sentence.contains("手机") || sentence.contains("phone"), "{it:?}: {sentence}");
                }
            }
        }
    }
}

#[test]
fn no_command_reaches_a_clerk() {
    for lang in LANGS {
        let commands = [
            "`",
            "sudo",
            "systemctl",
            "ipconfig",
            "ifconfig",
            "nmcli",
            "ping ",
            "cmd",
            "terminal window",
            "command",
            "命令",
            "root ",
            "管理员",
            "administrator",
            "isonet ",
            "$",
            "--",
        ];
        // "root certificate" is the one root a clerk may read of.
        let texts: Vec<_> = clerk_texts(lang).into_iter().map(|(place, text)| (place, text.replace("root certificate", ""))).collect();
        refuse(&texts, &commands);
    }
}

#[test]
fn nobody_is_blamed_and_nothing_is_called_violated() {
    for lang in LANGS {
        refuse(
            &all_texts(lang),
            &[
                "violat",
                "your fault",
                "your mistake",
                "you forgot",
                "you broke",
                "guilt",
                "illegal",
                "违反",
                "违规",
                "违法",
                "您的错",
                "你的错",
                "过失",
                "私自",
                "怪您",
                "弄坏",
            ],
        );
    }
}

#[test]
fn abbreviations_a_clerk_reads_are_on_the_short_list() {
    for lang in LANGS {
        for (place, text) in clerk_texts(lang) {
            let text = text.replace("eth0", "");
            for word in text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| word.len() >= 2) {
                let abbreviation = match lang {
                    // Chinese text has no other reason for Latin letters.
                    Lang::ZhCn => word.bytes().any(|b| b.is_ascii_alphabetic()),
                    Lang::En => word.bytes().filter(u8::is_ascii_uppercase).count() >= 2,
                };
                assert!(!abbreviation || ["VPN", "USB", "PC"].contains(&word), "{place}: {word} in {text}");
            }
        }
    }
}

#[test]
fn a_clerk_never_reads_the_engineers_words() {
    for lang in LANGS {
        refuse(&clerk_texts(lang), &[" dns", "icmp", "resolv.conf", "subnet", "gateway", "网关", "子网", "dhcp", "清缓存", "cache"]);
    }
}

#[test]
fn only_signs_of_certain_width_are_used_in_both_languages() {
    for lang in LANGS {
        for (place, text) in all_texts(lang) {
            assert_eq!(text.width(), text.width_cjk(), "{place}: a sign of ambiguous width in {text}");
        }
    }
}

#[test]
fn the_chinese_is_chinese_and_the_english_is_ascii() {
    for (place, text) in all_texts(Lang::En) {
        assert!(text.is_ascii(), "{place}: {text}");
    }
    for code in codes() {
        let found = of(code, Lang::ZhCn);
        assert!(!found.title.is_ascii(), "{code}");
        for line in found.shop.iter().chain([&found.plain]) {
            assert!(!line.contains([',', '!', '?', ';', ':']), "{code}: half-width sign in {line}");
        }
    }
}

#[test]
fn marks_and_layer_names_fit_their_columns() {
    for lang in LANGS {
        for it in [LayerState::Ok, LayerState::Failed, LayerState::Unknown, LayerState::Skipped] {
            assert_eq!(mark(it, lang).width(), 4);
        }
        for it in Layer::ALL {
            assert!(layer(it, lang).width() <= 14);
        }
    }
}

#[test]
fn the_never_do_sentence_names_all_three() {
    for word in ["热点", "时间", "重装"] {
        assert!(never_do(Lang::ZhCn).contains(word));
    }
    for word in ["hotspot", "time", "reinstall"] {
        assert!(never_do(Lang::En).contains(word));
    }
}

#[test]
fn one_act_is_right_for_all_candidates() {
    for lang in LANGS {
        let cable = one_act(&[Cause::LinkNoCarrier], lang);
        assert_eq!(cable, text(Cause::LinkNoCarrier, lang).shop[0]);
        assert_eq!(one_act(&[Cause::CentreOutage, Cause::CentreCutOff], lang), text(Cause::CentreOutage, lang).shop[0]);
        let lamps = text(Cause::LineDown, lang).shop[0];
        assert_eq!(one_act(&[Cause::LineDown, Cause::VpnServerUnreachable], lang), lamps, "looking harms under none");
        let call = text(Cause::CentreOutage, lang).shop[0];
        assert_eq!(one_act(&[Cause::VpnTunnelDead, Cause::CentreOutage], lang), call);
        assert_eq!(one_act(&[Cause::TlsExpired, Cause::ClockWrong], lang), call);
        let reconnect = text(Cause::VpnTunnelDead, lang).shop[0];
        assert_eq!(one_act(&[Cause::VpnNoInnerPath, Cause::VpnTunnelDead], lang), reconnect, "connecting again harms under neither");
        assert_eq!(one_act(&[Cause::VpnServerUnreachable, Cause::VpnPortBlocked], lang), call);
        assert!(!one_act(&[], lang).is_empty());
    }
}

#[test]
fn evidence_without_words_is_not_invented() {
    assert_eq!(question("tcp.connect", Lang::En), Some("connect to"));
    assert_eq!(question("quantum", Lang::ZhCn), None);
    assert_eq!(result("HTTP 200", Lang::En), None);
    assert_eq!(result("icmp unheard-of from 10.0.0.1", Lang::En), None);
}

#[test]
fn results_keep_their_facts_in_words() {
    let zh = |fact| result(fact, Lang::ZhCn).unwrap();
    assert_eq!(zh("silence"), "没有回应");
    assert_eq!(zh("icmp host-unreachable from 10.0.0.1"), "到不了对方（10.0.0.1 说的）");
    assert_eq!(zh("ttl 2 expired at 10.0.0.1"), "第 2 段 10.0.0.1 有回应");
    assert_eq!(zh("ttl 3 silence"), "第 3 段没有回应");
    assert_eq!(zh("up, 1000 Mbit/s"), "有信号，1000 Mbit/s");
    assert_eq!(zh("sent 1480 B, received 0 B"), "发出 1480 字节，收到 0 字节");
    assert_eq!(zh("via 192.168.1.1 dev eth0"), "从 eth0 出去，经 192.168.1.1");
    assert_eq!(zh("TLSv1_3 verified"), "核对无误");
    assert_eq!(zh("2025-10-18T00:00:00Z .. 2026-11-19T15:59:59Z"), "从 2025-10-18 到 2026-11-19 15:59 UTC");
    assert_eq!(zh("answer 3/5"), "发 5 个，回来 3 个");
    assert_eq!(zh("+93600 s"), "电脑慢 26 小时");
    assert_eq!(zh("-3 s"), "只差 3 秒");
    assert_eq!(zh("-700 s"), "电脑快 11 分钟");
    assert_eq!(zh("+0 s"), "一致");
    assert_eq!(reason(&Reason::ClockDiffers("-31536000 s".to_owned()), Lang::En), "this PC's clock is 365 days off the other side's");
    assert_eq!(result("dev tun0", Lang::En).unwrap(), "out by tun0");
}
