//! The texts of everything that watchers find, one file per family.
//!
//! A text observes and does not convict: it says what was seen, names what else looks the same, and where that is so, that nothing need have
//! changed on this PC. The first step is right whether or not it was arranged. The match in [`pair`] has no wildcard: a code without texts
//! does not compile. `super::tests` holds the clerk's rules over all of it.

mod clock;
mod extension;
mod isolation;
mod settings;
mod usb;

use super::Lang;
use super::texts::{Pair, Text, act};
use crate::model::{FindingCode, Origin};

/// The texts of a finding.
pub fn finding(code: FindingCode, lang: Lang) -> &'static Text {
    pair(code).pick(lang)
}

/// Where a finding came from, as a sentence that stands beside its text.
pub fn came_from(origin: Origin, lang: Lang) -> &'static str {
    let (zh, en) = match origin {
        Origin::LocalChange => (
            "值守期间看到它在这台电脑上出现；单凭这一点，说不出是谁做的、是不是事先安排的。",
            "It was seen to appear at this PC during the watch; that alone does not tell who did it or whether it was arranged.",
        ),
        Origin::Upstream => (
            "这台电脑上没有看到任何改动，变化来自运营商或医保局那一侧。",
            "Nothing was seen to change on this PC; it came from the operator's or the bureau's side.",
        ),
        Origin::PreExisting => {
            ("值守开始时就已经是这样，不是现在才变的。", "It was already so when the watch began; nothing changed just now.")
        }
    };
    lang.pick(zh, en)
}

fn pair(code: FindingCode) -> &'static Pair {
    match code {
        FindingCode::IsolationUplinkSuspect => &isolation::UPLINK_SUSPECT,
        FindingCode::IsolationInternetReachable => &isolation::INTERNET_REACHABLE,
        FindingCode::IsolationPublicDns => &isolation::PUBLIC_DNS,
        FindingCode::IsolationProxyPath => &isolation::PROXY_PATH,
        FindingCode::IsolationLookalike => &isolation::LOOKALIKE,
        FindingCode::IsolationGrantOverrun => &isolation::GRANT_OVERRUN,
        FindingCode::ExtensionForwarding => &extension::FORWARDING,
        FindingCode::ExtensionNat => &extension::NAT,
        FindingCode::ExtensionBridge => &extension::BRIDGE,
        FindingCode::ExtensionSharing => &extension::SHARING,
        FindingCode::ExtensionForeignNamespace => &extension::FOREIGN_NAMESPACE,
        FindingCode::IdentityChanged => &extension::IDENTITY_CHANGED,
        FindingCode::MovedGateway => &extension::GATEWAY,
        FindingCode::MovedLink => &extension::LINK,
        FindingCode::UsbStorage => &usb::STORAGE,
        FindingCode::UsbMounted => &usb::MOUNTED,
        FindingCode::UsbRawRead => &usb::RAW_READ,
        FindingCode::UsbHiddenMount => &usb::HIDDEN_MOUNT,
        FindingCode::UsbPhone => &usb::PHONE,
        FindingCode::UsbNetwork => &usb::NETWORK,
        FindingCode::ClockStepped => &clock::STEPPED,
        FindingCode::ClockRate => &clock::RATE,
        FindingCode::ClockOfflineChange => &clock::OFFLINE_CHANGE,
        FindingCode::ClockRtcChanged => &clock::RTC_CHANGED,
        FindingCode::ClockTimezone => &clock::TIMEZONE,
        FindingCode::SettingsTime => &settings::TIME,
        FindingCode::SettingsHostname => &settings::HOSTNAME,
        FindingCode::SettingsResolver => &settings::RESOLVER,
        FindingCode::SettingsHosts => &settings::HOSTS,
        FindingCode::SettingsNetwork => &settings::NETWORK,
        FindingCode::FirewallDown => &settings::FIREWALL_DOWN,
        FindingCode::FirewallChanged => &settings::FIREWALL_CHANGED,
        FindingCode::AntivirusDown => &settings::ANTIVIRUS_DOWN,
        FindingCode::SoftwareForbidden => &settings::SOFTWARE_FORBIDDEN,
        FindingCode::UploadOverdue => &settings::UPLOAD_OVERDUE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(code: FindingCode) -> [&'static str; 2] {
        Lang::ALL.map(|lang| finding(code, lang).plain)
    }

    #[test]
    fn a_finding_observes_and_accuses_nobody() {
        const WORDS: [&str; 26] = [
            "tamper",
            "breach",
            "offence",
            "offender",
            "culprit",
            "punish",
            "penalt",
            "unauthori",
            "forbidden",
            "caught",
            "cheat",
            "you have",
            "篡改",
            "作弊",
            "擅自",
            "非法",
            "处罚",
            "追究",
            "责任",
            "禁止",
            "泄露",
            "偷",
            "被人",
            "有人改",
            "你",
            "被改",
        ];
        for (code, lang) in FindingCode::ALL.iter().flat_map(|code| Lang::ALL.map(|lang| (code, lang))) {
            let text = finding(*code, lang);
            for line in text.shop.iter().chain(text.engineer).chain([&text.title, &text.plain]) {
                let lower = line.to_lowercase();
                assert!(WORDS.iter().all(|word| !lower.contains(word)), "{code}: {line}");
            }
        }
    }

    #[test]
    fn what_is_only_suspected_says_what_is_not_known_yet() {
        let suspects = [
            FindingCode::IsolationUplinkSuspect,
            FindingCode::ExtensionForeignNamespace,
            FindingCode::UsbRawRead,
            FindingCode::UsbHiddenMount,
            FindingCode::UsbNetwork,
            FindingCode::ClockRate,
        ];
        for code in suspects {
            let [zh, en] = plain(code);
            assert!(zh.contains("还不知道") && en.contains("not known yet"), "{code}");
        }
    }

    #[test]
    fn what_the_network_can_bring_about_by_itself_is_not_laid_to_this_pc() {
        let from_outside = [
            FindingCode::IsolationInternetReachable,
            FindingCode::IsolationPublicDns,
            FindingCode::MovedGateway,
            FindingCode::SettingsResolver,
            FindingCode::SettingsNetwork,
        ];
        for code in from_outside {
            let [zh, en] = plain(code);
            assert!(zh.contains("运营商") && en.to_lowercase().contains("operator"), "{code}");
        }
        let [zh, en] = Lang::ALL.map(|lang| came_from(Origin::Upstream, lang));
        assert!(zh.starts_with("这台电脑上没有看到任何改动") && en.starts_with("Nothing was seen to change on this PC"));
    }

    #[test]
    fn a_first_step_that_takes_something_away_says_when() {
        let (acts_zh, when_zh) = (["断开", "拔下来", "关掉"], ["同意的", "怎么打开的", "用完了的", "不是办业务用的"]);
        let (acts_en, when_en) = (["disconnect", "take it out", "switch it off", "close it"], ["If the", "If a", "If you", "If it"]);
        for code in FindingCode::ALL {
            let [zh, en] = Lang::ALL.map(|lang| finding(*code, lang).shop[0]);
            let (away_zh, away_en) = (acts_zh.iter().any(|act| zh.contains(act)), acts_en.iter().any(|act| en.contains(act)));
            assert_eq!(away_zh, away_en, "{code}: the languages differ");
            assert!(!away_zh || when_zh.iter().any(|when| zh.contains(when)), "{code}: {zh}");
            assert!(!away_en || when_en.iter().any(|when| en.starts_with(when)), "{code}: {en}");
        }
    }

    #[test]
    fn the_example_set_cites_no_article_for_what_is_not_proved() {
        let rules = crate::config::example();
        for code in FindingCode::ALL {
            let unproved = matches!(code, FindingCode::IsolationUplinkSuspect | FindingCode::IsolationLookalike);
            assert_eq!(rules.touched_by(code.code()).is_none(), unproved, "{code}");
        }
    }
}
