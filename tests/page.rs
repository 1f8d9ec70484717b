//! The status page where there is much of everything: it stays small, and says what it leaves out. `ISONET_PAGES=DIR` keeps the pages, to
//! be looked at.
#![allow(clippy::unwrap_used, reason = "a helper of a test fails the test")]
#![allow(dead_code, reason = "shared with the tests of other faces, which use the rest")]

#[path = "records/samples.rs"]
mod samples;
mod report {
    pub mod scenes;
}

use isonet::catalogue::Lang;
use isonet::model::{AgentEvent, Body, Chain, Diagnosis, Phase, Subject};
use isonet::report::page::{Doing, History, Now, Past, Sheet, doing, fill, past_sheet, standing};
use isonet::report::{Agent, Facing, LogHealth, LogState, View};
use jiff::{SignedDuration, Timestamp, Zoned};
use report::scenes;

/// What all of a page may weigh with its style and script, bytes.
const WEIGHT: usize = 100 * 1024;

fn agent() -> Agent {
    let log = LogHealth { state: LogState::Well, trouble: None, recorded: 500, waiting: 0 };
    Agent {
        version: "0.1.0".to_owned(),
        pid: 7,
        started: "2026-11-22T08:00:00+08:00".to_owned(),
        rounds: 1,
        pulses: 1,
        key: None,
        config_trouble: None,
        log,
        sinks: Vec::new(),
        watchers: Vec::new(),
        blind: Vec::new(),
    }
}

/// An institution of 300 characters that nobody wrote a number down for.
fn nobody() -> Facing {
    let mut facing = scenes::facing();
    facing.contacts.clear();
    facing.terminal.institution = Some("很长的名字".repeat(60));
    facing.terminal.name = Some("AVeryLongNameWithoutAnySpace".repeat(10));
    facing
}

/// The centre's part of the way, forty times.
fn forty() -> Diagnosis {
    let one = scenes::cable_out();
    let mut path: Vec<_> = one.path.iter().filter(|item| item.chain == Chain::Local).cloned().collect();
    for n in 0..40 {
        let theirs = one.path.iter().filter(|item| item.chain != Chain::Local).cloned();
        path.extend(theirs.map(|item| isonet::model::PathItem { chain: Chain::Centre(format!("settlement-centre-number-{n}")), ..item }));
    }
    let verdicts = one.verdicts.iter().cloned().map(|mut verdict| {
        verdict.explains = (0..40).map(|n| Subject::Centre(format!("settlement-centre-number-{n}"))).collect();
        verdict
    });
    Diagnosis { verdicts: verdicts.collect(), path, ..one.clone() }
}

/// So many outages of a minute, an hour apart, the last of them open.
fn outages(many: u64, now: Timestamp) -> Past {
    let mut past = Past::default();
    let began = |n: u64| now.checked_sub(SignedDuration::from_mins(i64::try_from((many - n) * 20).unwrap())).unwrap();
    let mut start =
        samples::day().into_iter().find(|record| matches!(&record.body, Body::Agent { agent: AgentEvent::Started, .. })).unwrap();
    start.time.wall = began(0);
    past.take(samples::line(&start).as_bytes());
    let open = samples::day().into_iter().find(|record| matches!(&record.body, Body::Incident(_))).unwrap();
    for n in 0..many {
        let mut record = open.clone();
        record.seq = n + 10;
        record.time.wall = began(n).checked_add(SignedDuration::from_mins(1)).unwrap();
        if let Body::Incident(body) = &mut record.body {
            body.incident.id.seq = n + 10;
            body.incident.since.wall = began(n);
            body.incident.duration_ms = Some(60_000);
            if n + 1 < many {
                body.incident.phase = Phase::Resolved;
            }
        }
        past.take(samples::line(&record).as_bytes());
    }
    past.whole = true;
    past
}

fn whole(view: View, diagnosis: &Diagnosis, facing: &Facing, many: u64, lang: Lang) -> String {
    let now: Zoned = facing.at.clone();
    let (agent, mut history) = (agent(), History::default());
    history.take(600_000, &scenes::healthy().path);
    let stood = standing(
        &Now { latest: Some(diagnosis), open: &[], agent: &agent, history: &history, facing, view, now: &now, now_ms: 600_000 },
        lang,
    );
    let past = past_sheet(&outages(many, now.timestamp()), Sheet { view, now: &now, facing, token: "0123456789abcdef", lang });
    let page = fill(&stood, &doing(Doing { token: "0123456789abcdef", lang }), &past);
    if let Some(dir) = std::env::var_os("ISONET_PAGES") {
        let name = format!("much-{many}-{}-{view:?}.html", lang.tag());
        std::fs::write(std::path::Path::new(&dir).join(name), &page).unwrap();
    }
    page
}

#[test]
fn what_is_all_there_is_not_called_a_part() {
    let page = whole(View::Whole, &forty(), &nobody(), 200, Lang::En);
    assert!(!page.contains("id=\"crowded\"") && page.contains("170 earlier ones are not listed."), "of 200 all are kept, 30 listed");
}

#[test]
fn much_of_everything_stays_small() {
    for lang in Lang::ALL {
        for view in [View::Clerk, View::Whole] {
            let page = whole(view, &forty(), &nobody(), 500, lang);
            let all = page.len() + isonet::report::page::style().len() + isonet::report::page::SCRIPT.len();
            println!("{} {view:?}: {} bytes, with style and script {all}", lang.tag(), page.len());
            assert_eq!(page.matches("class=\"chain\"").count(), 8);
            assert!(page.contains(lang.pick("还有 32 个医保中心没有画出来", "32 more centres are not drawn")));
            assert!(page.contains("id=\"crowded\""), "500 are more than it has");
            assert!(all <= WEIGHT, "{} {view:?}: {all} bytes", lang.tag());
        }
    }
}
