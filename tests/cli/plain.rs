//! What is asked for and what is answered, on a machine that is well.

use crate::ground::{Ground, Ran, causes};

#[test]
fn help_and_version_are_results() {
    let ground = Ground::new();
    for arguments in ["--help", "-h", "--version", "help", "help diagnose", "diagnose --help", "enroll -h"] {
        let ran = ground.bare(arguments);
        ran.assert_status(0);
        assert!(!ran.out.is_empty() && ran.err.is_empty(), "{arguments}: {ran:?}");
    }
    let help = ground.bare("--help").out;
    assert!(help.contains("用法 Usage:") && help.contains("diagnose"), "{help}");
    assert!(ground.bare("--version").out.starts_with("isonet "));
}

#[test]
fn what_is_not_understood_is_a_usage_error_in_both_languages() {
    let ground = Ground::new();
    for (arguments, chinese, english) in [
        ("dance", "没有「dance」这个命令", "unrecognized subcommand"),
        ("--dance", "没有「--dance」这个选项", "unexpected argument"),
        ("diagnose --dance", "没有「--dance」这个选项", "unexpected argument"),
        ("help dance", "没有「dance」这个命令", "no such command"),
        ("--lang fr diagnose", "不能是「fr」", "invalid value"),
        ("schema other/1", "不能是「other/1」", "invalid value"),
        ("", "用法 Usage:", "Commands"),
    ] {
        let ran = ground.bare(arguments);
        ran.assert_status(64);
        assert!(ran.out.is_empty() && ran.err.contains(chinese) && ran.err.contains(english), "{arguments}: {ran:?}");
    }
}

#[test]
fn a_deadline_out_of_reason_is_refused_with_what_would_be_right() {
    let ground = Ground::new();
    for deadline in ["0s", "abc", "1h", "499ms", "-1s", "''"] {
        let ran = ground.bare(&format!("diagnose --deadline={deadline}"));
        ran.assert_status(64);
        assert!(ran.err.contains("from 500ms to 60s") && ran.err.contains("500ms 到 60s"), "{deadline}: {ran:?}");
    }
}

#[test]
fn an_empty_machine_is_diagnosed_in_both_languages() {
    let Some(ground) = Ground::apart("") else { return };
    for (lang, words) in [("zh-CN", "现在不能结算"), ("en", "You cannot settle now")] {
        let ran = ground.run(&format!("diagnose --lang {lang}"));
        ran.assert_status(20);
        assert!(ran.out.starts_with(words) && ran.out.contains("link.admin-down"), "{ran:?}");
        assert!(ran.err.is_empty(), "{ran:?}");
    }
}

#[test]
fn json_is_one_document_of_the_schema_and_nothing_else() {
    let Some(ground) = Ground::apart("") else { return };
    let ran = ground.run("diagnose --json");
    ran.assert_status(20);
    assert_eq!(causes(&ran.diagnosis()), ["link.admin-down"]);
    assert!(ran.err.is_empty(), "{ran:?}");
}

#[test]
fn half_a_second_is_enough_to_end_on_a_black_hole() {
    let Some(ground) = Ground::black_hole() else { return };
    let ran = ground.run("diagnose --json --deadline 500ms");
    let diagnosis = ran.diagnosis();
    // Without the deadline it takes more than three seconds.
    let took = diagnosis["took_ms"].as_u64().unwrap();
    assert!((500..2500).contains(&took), "{took} ms");
    assert_ne!(diagnosis["connected"], true, "{diagnosis:#}");
}

/// Ends with 0 when the text is Chinese.
fn is_chinese(ran: &Ran) -> bool {
    ran.assert_status(20);
    ran.out.contains("结算")
}

#[test]
fn the_locale_the_configuration_and_the_option_choose_the_language_in_this_order() {
    let Some(ground) = Ground::apart("") else { return };
    assert!(!is_chinese(&ground.run("diagnose")));
    let ground = ground.env("LANG", "zh_CN.UTF-8");
    assert!(is_chinese(&ground.run("diagnose")));
    let ground = ground.env("LC_ALL", "en_US.UTF-8");
    assert!(!is_chinese(&ground.run("diagnose")), "LC_ALL comes before LANG");
    ground.configure("language = \"zh-CN\"\n");
    assert!(is_chinese(&ground.run("diagnose")), "the configuration comes before the locale");
    assert!(!is_chinese(&ground.run("diagnose --lang en")), "the option comes before the configuration");
    assert!(!is_chinese(&ground.run("diagnose --lang auto")), "the option may go back to the locale");
}

#[test]
fn colour_comes_only_where_it_is_wanted() {
    let Some(ground) = Ground::apart("") else { return };
    let coloured = |ran: Ran| ran.out.contains('\u{1b}');
    assert!(!coloured(ground.run("diagnose")), "not off a terminal");
    assert!(coloured(ground.run("diagnose --color always")));
    assert!(!coloured(ground.run("diagnose --color never")));
    assert!(!coloured(ground.run("diagnose --color always --json")), "never in JSON");
    if !crate::ground::has("script") {
        return;
    }
    // `script` gives it a terminal; nothing is on stdout but what the terminal shows.
    let on_terminal = |ground: &Ground, color: &str| {
        let line = format!("{} --config {} diagnose 2>/dev/null {color}", crate::ground::isonet(), ground.path("isonet.toml").display());
        let ran = ground.shell(&format!("script -qec '{line}' /dev/null"));
        ran.assert_status(20);
        coloured(ran)
    };
    assert!(on_terminal(&ground, ""));
    assert!(!on_terminal(&ground, "--color never"));
    let ground = ground.env("NO_COLOR", "1");
    assert!(!on_terminal(&ground, ""));
    assert!(on_terminal(&ground, "--color always"), "the option comes before NO_COLOR");
}

#[test]
fn a_reader_that_left_is_no_error_and_a_full_disk_is() {
    let ground = Ground::new();
    assert_eq!(ground.run("schema | true").err, "");
    for arguments in ["schema", "--help", "check-config", "help"] {
        let ran = ground.run(&format!("{arguments} >/dev/full"));
        ran.assert_status(74);
        assert!(ran.err.contains("cannot write the result") && ran.err.contains("无法输出结果"), "{arguments}: {ran:?}");
    }
    // Where even the complaint cannot be written, the status still tells.
    ground.configure("nonsense = 1\n");
    ground.run("check-config 2>/dev/full").assert_status(78);
    ground.run("dance 2>/dev/full").assert_status(64);
    let Some(ground) = Ground::apart("") else { return };
    ground.run("diagnose >/dev/full").assert_status(74);
    ground.run("diagnose --json >/dev/full").assert_status(74);
    let ran = ground.shell(&format!(
        "{{ {} diagnose --config {} || echo $? >&2; }} | true",
        crate::ground::isonet(),
        ground.path("isonet.toml").display()
    ));
    assert_eq!(ran.err.trim(), "20", "a closed pipe does not change the answer");
}
