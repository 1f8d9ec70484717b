//! What enrolment learns of boxes that answer in place of the internet, and what it sends for that.

use super::*;

/// Enrols, and gives the sheet.
fn sheet(stage: &Stage, words: &[&str]) -> String {
    let out = stage.ground.isonet(words).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).into_owned()
}

/// The subjects of everything that is told of a code.
fn subjects(daemon: &crate::ground::Daemon<'_>, code: &str) -> Vec<String> {
    daemon.told(code).iter().map(|record| record["incident"]["fingerprint"].as_str().unwrap().to_owned()).collect()
}

/// A whole burst: who is alone would have proved itself twice.
const A_BURST: Duration = Duration::from_secs(14);

#[test]
fn a_box_that_was_there_at_enrolment_is_told_nowhere_but_elsewhere_and_can_prove_itself() {
    let Some(stage) = Stage::not_enrolled("") else { return };
    let squatted = |stage: &Stage| vec![(A, Service::Tls(stage.good("www.centre.example")))];
    let outside = open(&stage.ground, "b0", &squatted(&stage));
    let sheet = sheet(&stage, &["enroll"]);
    assert!(sheet.contains("answers in place of the internet: 223.5.5.5:443 t0 (made out to another name)"), "{sheet}");
    let daemon = stage.ground.watch();
    thread::sleep(A_BURST);
    assert_eq!(daemon.brief(), Vec::<String>::new(), "it was there at enrolment");
    // By another way the same is news; where it was, it is not.
    let elsewhere = stage.second(&squatted(&stage));
    stage.leads_to_all();
    daemon.sees(LOOKALIKE, "opened", PATIENCE, any);
    stage.ground.here(&format!("ip route replace default via {GATEWAY} dev t0"));
    daemon.sees(LOOKALIKE, "resolved", PATIENCE, any);
    stage.ground.here("ip link del up0");
    daemon.sees(SUSPECT, "resolved", PATIENCE, any);
    drop((elsewhere, outside));
    // What answered there is the internet from now on: it proves itself as anybody.
    let _internet = open(&stage.ground, "b0", &stage.internet());
    // As when the cable is taken out and put back.
    stage.ground.here(&format!("ip link set t0 down; ip link set t0 up; ip route replace default via {GATEWAY} dev t0"));
    let (record, after) = daemon.sees(REACHABLE, "opened", ALONE, any);
    assert!(lines(&record, "outside.tls").iter().any(|line| line.starts_with(A)), "{record:#}");
    row("muted at enrolment, then the internet", REACHABLE, record["origin"].as_str().unwrap(), &ms(after));
    assert_eq!(subjects(&daemon, LOOKALIKE).len(), 2, "{:#?}", daemon.brief());
}

#[test]
fn the_internet_at_enrolment_is_not_accepted_by_enrolling() {
    let Some(stage) = Stage::not_enrolled("") else { return };
    let _outside = open(&stage.ground, "b0", &stage.internet());
    let sheet = sheet(&stage, &["enroll"]);
    assert!(sheet.contains("the internet is reached from here (223.5.5.5:443 dns.alidns.com proved who it is)"), "{sheet}");
    let daemon = stage.ground.watch();
    let (record, _) = daemon.sees(REACHABLE, "opened", SOON, any);
    assert_eq!(record["origin"], "pre-existing");
}

/// What enrolment sends: a handshake to each anchor and a connection to the control, once, and nothing where the service would send nothing.
#[test]
fn enrolment_asks_each_anchor_once_and_nobody_where_the_service_would_not() {
    let asked = |config: &str, words: &[&str]| {
        let stage = Stage::not_enrolled("")?;
        stage.ground.configure(&format!("{config}\n{}", settings(&stage.ground.path("roots.pem"), "")));
        if config.contains("mode") {
            stage.ground.configure(&settings(&stage.ground.path("roots.pem"), config));
        }
        if words.len() > 1 {
            sheet(&stage, &["enroll"]);
        }
        let _outside = open(&stage.ground, "b0", &[("0.0.0.0:0", Service::Notes)]);
        sheet(&stage, words);
        let heard = heard(&stage.ground, "b0");
        let public = |line: &&String| [A, B, CONTROL].iter().any(|at| line.ends_with(&format!(" {}", at.trim_end_matches(":443"))));
        Some((heard.iter().filter(public).count(), heard.iter().filter(public).filter(|line| line.starts_with("arp")).count()))
    };
    let cases: [(&str, &[&str], usize); 5] = [
        ("[network]\naccess = \"leased-line\"", &["enroll"], 3),
        ("[network]\naccess = \"vpn-over-internet\"", &["enroll"], 0),
        ("[network]", &["enroll"], 0),
        ("mode = \"off\"", &["enroll"], 0),
        ("[network]\naccess = \"leased-line\"", &["enroll", "--show"], 0),
    ];
    for (config, words, expected) in cases {
        let Some(got) = asked(config, words) else { return };
        row(&format!("`{}` with {}", words.join(" "), config.replace('\n', " ")), &format!("{expected} packets"), &format!("{got:?}"), "");
        assert_eq!(got, (expected, 0));
    }
}
