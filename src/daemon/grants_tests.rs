use super::*;
use crate::model::ClockState;
use ring::signature::{Ed25519KeyPair, KeyPair};

fn now() -> Stamp {
    let wall = "2026-11-22T08:00:00Z".parse().expect("a time");
    Stamp { boot_id: "b".to_owned(), boottime_ms: 60_000, wall, offset_s: 0, clock: ClockState::Unknown }
}

fn wanted() -> Wanted {
    Wanted {
        what: Scope::Usb,
        until: "2026-11-22T10:00:00Z".parse().expect("a time"),
        by: "李四".to_owned(),
        reason: "升级".to_owned(),
        device: Some("0951:1666:X".to_owned()),
        code: None,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bureau's key, and a configuration that has its public half.
fn bureau() -> (Ed25519KeyPair, Config) {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a seed");
    let mut config = Config::default();
    config.rules.bureau_key = Some(hex(pair.public_key().as_ref()));
    (pair, config)
}

fn signed(pair: &Ed25519KeyPair, wanted: Wanted, terminal: &str) -> Wanted {
    let code = hex(pair.sign(signed_text(&wanted, Some(terminal)).as_bytes()).as_ref());
    Wanted { code: Some(code), ..wanted }
}

fn take(grants: &mut Grants, wanted: Wanted, config: &Config) -> Result<Authority, NotGranted> {
    match grants.take(Order::Grant(wanted), 0, Some("t1"), config, &now())? {
        (AgentEvent::Granted { grant }, _) => Ok(grant.authority),
        (other, _) => panic!("{other:?}"),
    }
}

#[test]
fn the_bureaus_code_holds_for_this_terminal_this_act_and_this_end_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let (pair, config) = bureau();
    let mut grants = Grants::open(dir.path());
    let right = signed(&pair, wanted(), "t1");
    let wrong = [
        signed(&pair, wanted(), "t2"),
        Wanted { what: Scope::Internet, ..right.clone() },
        Wanted { until: "2026-11-22T11:00:00Z".parse().expect("a time"), ..right.clone() },
        Wanted { device: None, ..right.clone() },
        Wanted { code: Some("00".repeat(64)), ..right.clone() },
        Wanted { code: Some("1234".to_owned()), ..right.clone() },
    ];
    for wanted in wrong {
        assert_eq!(take(&mut grants, wanted, &config), Err(NotGranted::Code));
    }
    assert_eq!(take(&mut grants, right.clone(), &Config::default()), Err(NotGranted::NoKey));
    assert_eq!(grants.listed(&now()).grants, []);
    assert_eq!(take(&mut grants, right.clone(), &config), Ok(Authority::Bureau));
    let upper = Wanted { code: right.code.as_ref().map(|code| code.to_uppercase()), ..right.clone() };
    assert_eq!([take(&mut grants, right, &config), take(&mut grants, upper, &config)], [Err(NotGranted::Used); 2]);
    assert_eq!(take(&mut grants, wanted(), &config), Ok(Authority::Institution));
}

#[test]
fn what_was_given_is_there_after_a_new_start_with_the_time_that_passed() {
    let dir = tempfile::tempdir().expect("a directory");
    let (pair, config) = bureau();
    let mut grants = Grants::open(dir.path());
    let right = signed(&pair, wanted(), "t1");
    take(&mut grants, right.clone(), &config).expect("given");
    let later = Stamp { boottime_ms: 120_000, ..now() };
    grants.count(&later).save().expect("written");
    let mut again = Grants::open(dir.path());
    assert_eq!(again.windows(), grants.windows());
    assert_eq!(again.windows()[0].spent_ms, 60_000);
    assert!(again.any_open(&later));
    assert_eq!(take(&mut again, right, &config), Err(NotGranted::Used), "also after a start");
    let mode = std::fs::metadata(dir.path().join(FILE_NAME)).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
}

#[test]
fn a_damaged_file_grants_nothing_and_is_set_aside() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join(FILE_NAME), "{").expect("written");
    assert_eq!(Grants::open(dir.path()).windows().len(), 0);
    assert!(dir.path().join("grants.damaged").exists());
}

#[test]
fn what_means_nothing_is_not_granted() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut grants = Grants::open(dir.path());
    let config = Config::default();
    let at = |text: &str| text.parse().expect("a time");
    for (wanted, why) in [
        (Wanted { by: " ".to_owned(), ..wanted() }, NotGranted::Text),
        (Wanted { reason: "a\u{1b}[2J".to_owned(), ..wanted() }, NotGranted::Text),
        (Wanted { reason: "长".repeat(201), ..wanted() }, NotGranted::Text),
        (Wanted { until: at("2026-11-22T08:00:00Z"), ..wanted() }, NotGranted::Past),
        (Wanted { until: at("2027-11-22T08:00:00Z"), ..wanted() }, NotGranted::TooLong),
    ] {
        assert_eq!(take(&mut grants, wanted, &config), Err(why));
    }
    for _ in 0..MOST {
        take(&mut grants, wanted(), &config).expect("given");
    }
    assert_eq!(take(&mut grants, wanted(), &config), Err(NotGranted::TooMany));
    let revoke = |grants: &mut Grants, id: &str| {
        grants.take(Order::Revoke { revoke: id.to_owned() }, 0, None, &config, &now()).map(|(event, _)| event)
    };
    let id = grants.listed(&now()).grants[0].grant.id.clone();
    assert_eq!(revoke(&mut grants, "g-00000000"), Err(NotGranted::Unknown));
    assert_eq!(revoke(&mut grants, &id), Ok(AgentEvent::GrantRevoked { id: id.clone(), uid: 0 }));
    assert_eq!(revoke(&mut grants, &id), Err(NotGranted::Unknown), "it is over");
    let listed = &grants.listed(&now()).grants[0];
    assert_eq!((listed.open, listed.revoked), (false, true));
}

#[test]
fn bytes_are_read_from_either_writing() {
    let all: Vec<u8> = (0..32).map(|n| n * 8).collect();
    assert_eq!(bytes(&hex(&all), 32), Some(all.clone()));
    assert_eq!(bytes("AAgQGCAoMDhASFBYYGhweICIkJigqLC4wMjQ2ODo8Pg=", 32), Some(all.clone()));
    assert_eq!(bytes("AAgQGCAoMDhASFBYYGhweICIkJig qLC4wMjQ2ODo8Pg", 32), Some(all));
    for text in ["", "zz", "AAgQ", "!AgQGCAoMDhASFBYYGhweICIkJigqLC4wMjQ2ODo8Pg="] {
        assert_eq!(bytes(text, 32), None, "{text}");
    }
}

#[test]
fn an_order_is_one_of_two_and_nothing_else() {
    let read = |text: &str| serde_json::from_str::<Order>(text);
    assert!(read(r#"{"revoke":"g-1"}"#).is_ok());
    assert!(read(r#"{"what":"usb","until":"2026-11-22T10:00:00Z","by":"a","reason":"b"}"#).is_ok());
    for text in [r#"{"revoke":"g-1","by":"x"}"#, r#"{"what":"all","until":"2026-11-22T10:00:00Z","by":"a","reason":"b"}"#, "{}", "[]"] {
        assert!(read(text).is_err(), "{text}");
    }
}
