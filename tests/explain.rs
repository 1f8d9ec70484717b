//! `isonet explain` as it is called: what it prints, in which language, with which exit status.
#![allow(clippy::unwrap_used, reason = "a helper of a test fails the test")]

use std::path::PathBuf;
use std::process::{Command, Output};
use unicode_width::UnicodeWidthStr;

/// A site that knows three numbers.
const SITE: &str = r#"
[contacts]
vendor = { name = "Zhao", phone = "029-5550-1001" }
bureau = { name = "Li", phone = "029-5550-1003" }
insured = { name = "hotline", phone = "12393" }
"#;

struct Site {
    dir: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("isonet.toml"), SITE).unwrap();
        Self { dir }
    }

    fn config(&self) -> PathBuf {
        self.dir.path().join("isonet.toml")
    }

    fn explain(&self, lang: &str, arguments: &[&str]) -> Output {
        let binary = env!("CARGO_BIN_EXE_isonet");
        Command::new(binary).args(["--config"]).arg(self.config()).args(["--lang", lang, "explain"]).args(arguments).output().unwrap()
    }

    /// Adds to the configuration.
    fn also(self, text: &str) -> Self {
        std::fs::write(self.config(), format!("{SITE}{text}")).unwrap();
        self
    }

    fn text(&self, lang: &str, arguments: &[&str]) -> String {
        let output = self.explain(lang, arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stderr.is_empty());
        let text = String::from_utf8(output.stdout).unwrap();
        for line in text.lines() {
            assert!(line.width() <= 80 && !line.ends_with(' '), "{line:?}");
        }
        text
    }
}

/// The text without line breaks, as it is read.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn dense(text: &str) -> String {
    text.split_whitespace().collect()
}

#[test]
fn a_code_is_explained_to_the_clerk_before_the_engineer() {
    let site = Site::new();
    let zh = site.text("zh-CN", &["clock.wrong"]);
    let (clerk, engineer) = zh.split_once("给工程师").expect("a part for the engineer");
    assert!(clerk.contains("029-5550-1001") && clerk.contains("029-5550-1003"), "{zh}");
    assert!(engineer.contains("clock.wrong") && engineer.contains("紧急") && engineer.contains("管理规定：没有选用规定"), "{zh}");
    let en = site.text("en", &["clock.wrong"]);
    assert!(en.contains("What to do") && en.contains("Severity: critical") && en.contains("Rules: no set is configured"), "{en}");
}

#[test]
fn an_observation_is_explained_with_where_it_may_have_come_from() {
    let site = Site::new();
    let zh = site.text("zh-CN", &["usb.storage"]);
    let (clerk, engineer) = zh.split_once("给工程师").expect("a part for the engineer");
    assert!(dense(clerk).contains("这台电脑上没有看到任何改动") && clerk.contains("前台自己") && clerk.contains("029-5550-1003"), "{zh}");
    assert!(engineer.contains("usb.storage") && !engineer.contains("位置：") && engineer.contains("管理规定：没有选用规定"), "{zh}");
    let en = flat(&site.text("en", &["isolation.internet-reachable"]));
    assert!(en.contains("Severity: critical") && en.contains("Nothing was seen to change on this PC"), "{en}");
    assert!(en.contains("Rules: no set is configured") && !en.contains("Layer:"), "{en}");
}

#[test]
fn a_set_names_observations_too_and_none_for_what_is_not_proved() {
    let site = Site::new().also("[rules]\nset = \"example\"\n");
    let zh = dense(&site.text("zh-CN", &["usb.mounted"]));
    assert!(zh.contains("涉及第3条") && zh.contains("只是线索，不是结论"), "{zh}");
    assert!(flat(&site.text("en", &["extension.nat"])).contains("Rules: touches article 12:"));
    assert!(flat(&site.text("en", &["isolation.uplink-suspect"])).contains("Rules: no article is touched"));
}

#[test]
fn a_chosen_set_is_cited_as_a_lead_and_never_as_a_finding() {
    let site = Site::new().also("[rules]\nset = \"example\"\n");
    let zh = dense(&site.text("zh-CN", &["clock.wrong"]));
    assert!(zh.contains("涉及第5条") && zh.contains("只是线索，不是结论") && zh.contains("出处：example"), "{zh}");
    let en = flat(&site.text("en", &["gateway.changed"]));
    assert!(en.contains("Rules: touches article 12:") && en.contains("A lead only, not a finding"), "{en}");
    assert!(flat(&site.text("en", &["line.down"])).contains("Rules: no article is touched"));
}

#[test]
fn a_bureaus_own_set_is_cited_and_a_broken_one_is_refused_with_its_line() {
    let site = Site::new();
    let own = site.dir.path().join("own.toml");
    let site = site.also(&format!("[rules]\nset = \"{}\"\n", own.display()));
    let good = "set = \"610102\"\nissuer = \"某区医保局\"\nversion = \"2026-03\"\n[[article]]\nnumber = \"3.2\"\ntext = \"线路由运营商维护。\"\ncodes = [\"line.down\"]\n";
    std::fs::write(&own, good).unwrap();
    let zh = dense(&site.text("zh-CN", &["line.down"]));
    assert!(zh.contains("涉及第3.2条：线路由运营商维护。") && zh.contains("610102，某区医保局，版本2026-03"), "{zh}");
    assert!(flat(&site.text("en", &["line.down"])).contains("touches article 3.2: 线路由运营商维护。"), "no English: the original");
    std::fs::write(&own, good.replace("line.down", "line.dwon")).unwrap();
    for command in [&["explain", "line.down"][..], &["check-config"], &["diagnose", "--json"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_isonet"))
            .args(["--lang", "en", "--config"])
            .arg(site.config())
            .args(command)
            .output()
            .unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(78), "{command:?}: {told}");
        assert!(output.stdout.is_empty() && told.contains("own.toml:7:10: article[#1].codes[#1]"), "{told}");
        assert!(told.contains("did you mean \"line.down\"?"), "{told}");
    }
    std::fs::remove_file(&own).unwrap();
    let output = site.explain("en", &["line.down"]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(78));
    assert!(told.contains("isonet.toml:7:7: rules.set: the file") && told.contains("does not exist"), "{told}");
}

#[test]
fn who_is_asked_first_is_the_sites_choice_and_everybody_stays() {
    let places = |text: &str| {
        let at = |who: &str| text.find(who).unwrap_or_else(|| panic!("{who} in {text}"));
        (at("the settlement software's vendor"), at("the insurance bureau's information office"))
    };
    let (vendor, bureau) = places(&flat(&Site::new().text("en", &["client.local-service-down"])));
    assert!(vendor < bureau, "by custom the vendor");
    let site = Site::new().also("");
    std::fs::write(site.config(), SITE.replace("[contacts]", "[contacts]\norder = [\"bureau\", \"software\"]")).unwrap();
    let (vendor, bureau) = places(&flat(&site.text("en", &["client.local-service-down"])));
    assert!(bureau < vendor, "by the rules the bureau");
    let counter = flat(&site.text("en", &["vpn.tunnel-dead"]));
    assert!(counter.find("you at the counter").unwrap() < counter.find("information office").unwrap(), "the counter stays first");
}

#[test]
fn every_code_listed_can_be_explained_in_both_languages() {
    let site = Site::new();
    let list = site.text("en", &["--list"]);
    let codes: Vec<_> = list
        .lines()
        .filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next())
        .filter(|word| word.contains('.') && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'.' || b == b'-'))
        .collect();
    assert!(codes.len() > 60 && codes.contains(&"vpn.tunnel-dead") && codes.contains(&"account.arrears"), "{codes:?}");
    assert!(codes.contains(&"usb.storage"), "{codes:?}");
    let (causes, findings) = (isonet::model::Cause::ALL.len(), isonet::model::FindingCode::ALL.len());
    assert_eq!(codes.len(), causes + findings + isonet::catalogue::Origin::ALL.len());
    for code in codes {
        for lang in ["zh-CN", "en"] {
            assert!(site.text(lang, &[code]).contains(code));
        }
    }
}

#[test]
fn a_code_in_capitals_is_the_same_code() {
    let site = Site::new();
    assert_eq!(site.text("en", &["VPN.Tunnel-Dead"]), site.text("en", &["vpn.tunnel-dead"]));
}

#[test]
fn an_unknown_code_is_a_usage_error_that_names_the_nearest() {
    let site = Site::new();
    let output = site.explain("en", &["vpn.tunel-ded"]);
    assert_eq!(output.status.code(), Some(64));
    assert!(output.stdout.is_empty());
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("vpn.tunnel-dead") && told.contains("--list"), "{told}");
    let hostile = site.explain("zh-CN", &["\u{1b}[31mx"]);
    assert_eq!(hostile.status.code(), Some(64));
    assert!(!hostile.stderr.contains(&0x1b));
}

#[test]
fn exactly_one_question_is_asked() {
    let site = Site::new();
    for arguments in [&[][..], &["line.down", "--list"], &["--list", "--symptom", "x"]] {
        assert_eq!(site.explain("en", arguments).status.code(), Some(64), "{arguments:?}");
    }
}

#[test]
fn a_symptom_says_the_network_first_and_then_who_acts() {
    let site = Site::new();
    let zh = site.text("zh-CN", &["--no-look", "--symptom", "您的医保卡已冻结"]);
    assert!(zh.starts_with("先查网络") && zh.contains("isonet diagnose"), "{zh}");
    let employer = zh.find("参保单位欠缴").expect("the employer");
    assert!(employer < zh.find("两份参保记录").expect("the duplicate"), "{zh}");
    assert!(zh.contains("account.arrears") && dense(&zh).contains("029-5550-1003"), "{zh}");
    let en = flat(&site.text("en", &["--no-look", "--symptom", "ACCOUNT FROZEN"]));
    assert!(en.contains("nothing was sent") && en.contains("The employer has not paid") && en.contains("Say: \""), "{en}");
}

#[test]
fn where_no_service_runs_a_look_is_taken_before_the_book_is_opened() {
    let site = Site::new();
    for (lang, unknown, looked, lead) in [
        ("zh-CN", "还没有填写医保中心的地址", "刚刚检查过网络", "下面的来由才对得上"),
        ("en", "the centre's address is not set yet", "looked at just now", "hold only where it does"),
    ] {
        let text = site.text(lang, &["--symptom", "医保卡已冻结"]);
        let read = flat(&text);
        let at = |words: &str| read.find(words).unwrap_or_else(|| panic!("{words} in {text}"));
        assert!(at(unknown) < at(looked) && at(looked) < at(lead) && at(lead) < at("account.arrears"), "{text}");
    }
}

#[test]
fn a_cut_network_is_told_first_and_with_whom_to_call() {
    // Nobody listens there, and nothing leaves this PC.
    let site = Site::new().also("[[centre]]\nname = \"settle\"\nhost = \"127.0.0.1\"\ntcp = [1]\n");
    let zh = site.text("zh-CN", &["--symptom", "余额为0"]);
    assert!(zh.starts_with("现在不能结算"), "{zh}");
    let at = |words: &str| zh.find(words).unwrap_or_else(|| panic!("{words} in {zh}"));
    assert!(at("先做这一件") < at("先照上面说的办") && at("先照上面说的办") < at("account.posting-delay"), "{zh}");
}

#[test]
fn the_messages_are_listed_with_numbers_and_a_number_picks_one() {
    let site = Site::new();
    let list = site.text("zh-CN", &["--symptom"]);
    assert!(list.contains("2. 登记信息异常") && list.contains("isonet explain --symptom 1"), "{list}");
    let picked = site.text("zh-CN", &["--no-look", "--symptom", "2"]);
    assert_eq!(picked, site.text("zh-CN", &["--no-look", "--symptom", "登记信息异常"]));
    assert_eq!(site.explain("en", &["--no-look", "line.down"]).status.code(), Some(64), "it goes with --symptom alone");
}

#[test]
fn the_same_words_on_two_screens_are_told_apart() {
    let site = Site::new();
    for text in ["系统繁忙", "System busy!"] {
        let en = flat(&site.text("en", &["--no-look", "--symptom", text]));
        assert!(en.contains("The settlement PC says") && en.contains("customer's phone app says"), "{en}");
        assert!(en.contains("on which screen") && en.contains("client.cache") && en.contains("centre.busy"), "{en}");
        assert!(en.contains("Clear nothing in the settlement program"), "{en}");
    }
}

#[test]
fn what_is_not_known_is_said_and_what_is_known_is_listed() {
    let site = Site::new();
    for (lang, words) in [("zh-CN", "没有认出"), ("en", "is not like anything known")] {
        let output = site.explain(lang, &["--no-look", "--symptom", "打印机缺纸\u{1b}[2J"]);
        assert_eq!(output.status.code(), Some(66));
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(flat(&text).contains(words) && text.contains(if lang == "en" { "card rejected" } else { "登记信息异常" }), "{text}");
        assert!(!text.contains('\u{1b}'));
    }
}

#[test]
fn a_symptom_that_is_no_text_is_still_answered() {
    use std::os::unix::ffi::OsStrExt;
    let site = Site::new();
    let output = Command::new(env!("CARGO_BIN_EXE_isonet"))
        .args(["explain", "--no-look", "--symptom"])
        .arg(std::ffi::OsStr::from_bytes(b"\xff\xfe"))
        .env("HOME", site.dir.path())
        .output()
        .unwrap();
    assert!(matches!(output.status.code(), Some(64 | 66)), "{:?}", output.status);
}
