use super::*;
use crate::model::{FindingCode, Severity};
use proptest::prelude::*;
use seen::{Incident, Said};

const MINUTE: u64 = 60_000;

fn well() -> Seen {
    Seen {
        looked_at: Some("2026-11-23T09:00:00+08:00".to_owned()),
        connected: Some(true),
        isolation: "intact".to_owned(),
        say: Said { act: Some("Nothing to do.".to_owned()), isolation: "This PC is separated from the internet.".to_owned() },
        open_incidents: Vec::new(),
    }
}

fn incident(id: &str, kind: &str, cause: &str, severity: &str) -> Incident {
    Incident {
        id: Some(id.to_owned()),
        kind: kind.to_owned(),
        cause: cause.to_owned(),
        title: format!("title of {cause}"),
        certainty: "proven".to_owned(),
        severity: severity.to_owned(),
        since: format!("since {id}"),
        occurrences: 1,
        flapping: false,
        planned: None,
    }
}

fn outage(id: &str) -> Incident {
    incident(id, "disconnection", "link.no-carrier", "high")
}

fn cut(incidents: &[Incident]) -> Seen {
    Seen {
        connected: Some(false),
        say: Said { act: Some("Do this first: push the cable in.".to_owned()), ..well().say },
        open_incidents: incidents.to_vec(),
        ..well()
    }
}

fn with(incidents: &[Incident]) -> Seen {
    Seen { open_incidents: incidents.to_vec(), ..well() }
}

/// A teller that was there when all was well, and its orders in short.
struct Day {
    teller: Teller,
    now_ms: u64,
    orders: Vec<Order>,
    due_ms: Option<u64>,
    free: bool,
    waits: bool,
}

impl Day {
    fn new() -> Self {
        let mut day = Self::before_login();
        day.at(0, &well());
        day
    }

    fn before_login() -> Self {
        Self { teller: Teller::default(), now_ms: 0, orders: Vec::new(), due_ms: None, free: true, waits: false }
    }

    /// Looks so much later; what was due in between was looked at too, as the shell does.
    fn at(&mut self, later_ms: u64, seen: &Seen) -> &mut Self {
        let end = self.now_ms + later_ms;
        self.look(end, seen);
        self
    }

    /// Nothing changes for so long, and what is due is looked at.
    fn stays(&mut self, for_ms: u64, seen: &Seen) -> &mut Self {
        let end = self.now_ms + for_ms;
        while let Some(due) = self.due_ms.filter(|due| *due <= end) {
            self.look(due, seen);
        }
        self.now_ms = end;
        self
    }

    fn look(&mut self, now_ms: u64, seen: &Seen) {
        self.now_ms = now_ms;
        let step = self.teller.step(seen, now_ms, self.free, Lang::En);
        assert!(!(self.free && step.waits), "nothing to wait for");
        self.waits = step.waits;
        assert!(step.due_ms.is_none_or(|due| due > now_ms), "it would look for ever");
        self.due_ms = step.due_ms;
        self.orders.extend(step.orders);
    }

    /// From now on something fills the screen, or nothing does.
    fn screen(&mut self, free: bool) -> &mut Self {
        self.free = free;
        self
    }

    /// `tell SUMMARY`, `amend SUMMARY`, `withdraw TOPIC`.
    fn said(&mut self) -> Vec<String> {
        let said = self.orders.drain(..);
        said.map(|order| match order {
            Order::Tell(notice) => format!("tell {}", notice.summary),
            Order::Amend(notice) => format!("amend {}", notice.summary),
            Order::Withdraw(topic) => format!("withdraw {topic:?}"),
        })
        .collect()
    }

    fn notices(&mut self) -> Vec<Notice> {
        let said = self.orders.drain(..);
        said.filter_map(|order| match order {
            Order::Tell(notice) | Order::Amend(notice) => Some(notice),
            Order::Withdraw(_) => None,
        })
        .collect()
    }
}

const DOWN: &str = "tell You cannot settle now";
const UP: &str = "tell You can settle again";
const STICK: &str = "tell title of usb.storage";

#[test]
fn an_outage_is_told_once_with_its_cause_and_the_one_act_and_so_is_its_end() {
    let mut day = Day::new();
    day.at(1000, &cut(&[outage("a/1")])).at(5000, &cut(&[outage("a/1")])).at(5000, &cut(&[outage("a/1")]));
    let notices = day.notices();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert_eq!(notices[0].summary, "You cannot settle now");
    assert_eq!(notices[0].body, ["title of link.no-carrier.", "Do this first: push the cable in."]);
    assert_eq!((notices[0].urgency, notices[0].over), (Urgency::Normal, false));
    day.at(5000, &well()).stays(QUIET.as_secs() * 1000 - 1, &well());
    assert_eq!(day.said(), [""; 0], "it may come back");
    day.stays(1, &well());
    assert_eq!(day.said(), [UP]);
    day.stays(60 * MINUTE, &well()).at(1000, &well());
    assert_eq!((day.said(), day.due_ms), (vec![], None), "nothing wakes it up any more");
}

#[test]
fn what_comes_and_goes_a_hundred_times_is_told_once() {
    let mut day = Day::new();
    for times in 1..=100 {
        // The daemon's own words: the same id, counted; the third time it comes and goes.
        let it = Incident { occurrences: times, flapping: times >= 3, ..outage("a/1") };
        day.at(4000, &cut(std::slice::from_ref(&it)));
        let later = if it.flapping { Seen { open_incidents: vec![it], ..well() } } else { well() };
        day.stays(20_000, &later).at(20_000, &later);
    }
    let said = day.said();
    let told: Vec<_> = said.iter().filter(|said| !said.starts_with("amend ")).collect();
    assert_eq!(told, [DOWN], "{said:?}");
    assert!(said.len() <= 1 + usize::from(AMENDED), "{said:?}");
    // The daemon has waited for five minutes without a failure before it closes it.
    day.at(300_000, &well()).stays(QUIET.as_secs() * 1000, &well());
    assert_eq!(day.said(), [UP]);
    // It was quiet, and truly opens anew.
    day.at(60 * MINUTE, &cut(&[outage("a/99")]));
    assert_eq!(day.said(), [DOWN]);
}

#[test]
fn one_that_comes_back_slowly_is_told_twice_at_most() {
    let mut day = Day::new();
    for times in 1..=50 {
        let it = Incident { occurrences: times, flapping: times >= 3, ..outage("a/1") };
        day.at(4000, &cut(std::slice::from_ref(&it)));
        let later = if it.flapping { Seen { open_incidents: vec![it], ..well() } } else { well() };
        day.at(5000, &later).stays(3 * MINUTE, &later);
    }
    let said: Vec<_> = day.said().into_iter().filter(|said| !said.starts_with("amend ")).collect();
    assert_eq!(said, [DOWN, UP, DOWN]);
}

#[test]
fn a_blink_of_the_round_is_not_told_as_over() {
    let mut day = Day::new();
    // The incident is over and the last round could not tell, or one centre is still cut off in a way that is no incident.
    day.at(0, &cut(&[outage("a/1")])).at(1000, &Seen { connected: None, ..well() }).stays(10 * MINUTE, &Seen { connected: None, ..well() });
    assert_eq!(day.said(), [DOWN]);
    day.at(1000, &well());
    assert_eq!(day.said(), [UP]);
}

#[test]
fn a_cause_that_becomes_clearer_changes_the_text_and_is_no_news() {
    let mut day = Day::new();
    let vague = Incident { cause: "unknown".to_owned(), certainty: "possible".to_owned(), ..outage("a/1") };
    day.at(0, &cut(&[vague])).at(5000, &cut(&[outage("a/1")]));
    let notices = day.notices();
    assert_eq!(notices[0].body[0], "The cause is not clear yet.");
    assert_eq!((notices[1].body[0].as_str(), notices[1].urgency), ("title of link.no-carrier.", Urgency::Low));
    assert_eq!(notices.len(), 2);
    // However often it changes its mind.
    for n in 0..50 {
        let it = Incident { title: format!("title {n}"), certainty: "likely".to_owned(), ..outage("a/1") };
        day.at(5000, &cut(&[it]));
    }
    let said = day.said();
    assert!(said.len() < usize::from(AMENDED) && said.iter().all(|said| said.starts_with("amend ")), "{said:?}");
    // Well again, and not over yet: the act of a healthy round is not written below an outage.
    let mut day = Day::new();
    day.at(0, &cut(&[outage("a/1")])).at(1000, &with(&[outage("a/1")]));
    assert_eq!(day.said(), [DOWN]);
}

#[test]
fn several_at_one_moment_are_one_notice() {
    let mut day = Day::new();
    let breach = incident("a/3", "finding", "isolation.internet-reachable", "critical");
    let stick = incident("a/4", "finding", "usb.storage", "low");
    let all = Seen { isolation: "broken".to_owned(), ..cut(&[outage("a/1"), outage("a/2"), breach, stick]) };
    day.at(0, &all).at(1000, &all).at(2 * MINUTE, &all);
    let notices = day.notices();
    assert_eq!(notices.len(), 1, "{notices:#?}");
    assert_eq!(notices[0].topic, Topic::Settlement);
    assert_eq!(notices[0].body[0], "title of link.no-carrier.", "one cause is named once");
    assert_eq!(notices[0].body[2..], ["Also: title of isolation.internet-reachable", "Also: title of usb.storage"]);
    // The stick goes, and with it its line; what is still so stays.
    day.at(0, &Seen { open_incidents: all.open_incidents[..3].to_vec(), ..all.clone() });
    day.stays(QUIET.as_secs() * 1000, &Seen { open_incidents: all.open_incidents[..3].to_vec(), ..all });
    let notices = day.notices();
    assert_eq!(notices.len(), 1);
    assert_eq!(notices[0].body.last().map(String::as_str), Some("Also: title of isolation.internet-reachable"));
}

#[test]
fn a_second_outage_a_moment_later_is_written_into_the_first() {
    let mut day = Day::new();
    let other = Incident { cause: "vpn.down".to_owned(), title: "another".to_owned(), ..outage("a/2") };
    day.at(0, &cut(&[outage("a/1")])).at(5000, &cut(&[outage("a/1"), other.clone()]));
    assert_eq!(day.said(), [DOWN, "amend You cannot settle now"]);
    // One of them ends: one still cannot settle, so nothing is over.
    day.at(5000, &cut(std::slice::from_ref(&other))).stays(10 * MINUTE, &cut(&[other]));
    assert!(day.said().iter().all(|said| said.starts_with("amend ")));
    day.at(0, &well()).stays(QUIET.as_secs() * 1000, &well());
    assert_eq!(day.said(), [UP], "both are over");
    // Much later it is news.
    let mut day = Day::new();
    day.at(0, &cut(&[outage("a/1")])).at(10 * MINUTE, &cut(&[outage("a/1"), outage("a/2")]));
    assert_eq!(day.said(), [DOWN, DOWN]);
}

#[test]
fn who_logs_in_is_told_of_what_is_open_and_not_of_what_was() {
    let mut day = Day::before_login();
    day.at(0, &well()).at(1000, &well());
    assert_eq!(day.said(), [""; 0]);
    let mut day = Day::before_login();
    let stick = incident("a/4", "finding", "usb.storage", "low");
    day.at(0, &cut(&[outage("a/1"), stick.clone()])).at(1000, &cut(&[outage("a/1"), stick.clone()]));
    let notices = day.notices();
    assert_eq!(notices.len(), 1);
    assert_eq!(notices[0].body.len(), 2, "a device that was there before is not told of: {notices:?}");
    // Open in the record, and well in the last round: it is about to end.
    let mut day = Day::before_login();
    day.at(0, &with(&[outage("a/1")])).at(5000, &well()).stays(10 * MINUTE, &well());
    assert_eq!(day.said(), [""; 0]);
}

#[test]
fn a_daemon_that_starts_anew_neither_ends_nor_opens_anything() {
    let mut day = Day::new();
    day.at(0, &cut(&[outage("a/1")]));
    assert_eq!(day.said(), [DOWN]);
    let starting = Seen { looked_at: None, connected: None, open_incidents: Vec::new(), ..well() };
    day.at(5000, &starting).stays(10 * MINUTE, &starting).at(1000, &cut(&[outage("a/1")]));
    assert_eq!(day.said(), [""; 0]);
    day.at(1000, &well()).stays(QUIET.as_secs() * 1000, &well());
    assert_eq!(day.said(), [UP]);
    // Nor is a stick gone because it has not been looked for yet, and what the record has open is not told before it was looked at.
    let stick = with(&[incident("a/4", "finding", "usb.storage", "low")]);
    day.at(0, &stick).at(5000, &starting).stays(10 * MINUTE, &starting).at(10 * MINUTE, &starting).at(0, &stick);
    assert_eq!(day.said(), [STICK]);
    let mut day = Day::before_login();
    day.at(0, &Seen { looked_at: None, connected: None, ..cut(&[outage("a/1")]) }).at(5000, &well());
    assert_eq!(day.said(), [""; 0]);
}

#[test]
fn one_whose_record_reaches_the_disk_later_or_never_is_the_same() {
    let mut day = Day::new();
    let early = Incident { id: None, ..outage("a/1") };
    day.at(0, &cut(std::slice::from_ref(&early))).at(100, &cut(&[outage("a/1")])).at(100, &cut(&[outage("a/1")]));
    assert_eq!(day.said(), [DOWN]);
    let mut day = Day::new();
    day.at(0, &cut(std::slice::from_ref(&early))).at(1000, &cut(std::slice::from_ref(&early)));
    day.at(1000, &well()).stays(QUIET.as_secs() * 1000, &well());
    assert_eq!(day.said(), [DOWN, UP], "a full disk keeps nobody in the dark");
}

#[test]
fn a_stick_is_told_once_however_it_is_used_and_goes_without_a_word() {
    let mut day = Day::new();
    let stick = incident("a/4", "finding", "usb.storage", "low");
    let opened = incident("a/5", "finding", "usb.mounted", "high");
    day.at(0, &with(std::slice::from_ref(&stick))).at(2000, &with(&[stick.clone(), opened.clone()]));
    assert_eq!(day.said(), [STICK, "amend title of usb.mounted"]);
    day.at(0, &well()).at(10_000, &with(&[stick, opened])).at(10_000, &well()).stays(QUIET.as_secs() * 1000, &well());
    assert_eq!(day.said(), ["withdraw Usb"], "out and in again");
}

#[test]
fn only_a_proven_breach_is_told_and_the_round_alone_suffices() {
    let mut day = Day::new();
    let lead = incident("a/1", "finding", "isolation.uplink-suspect", "low");
    let names = incident("a/2", "finding", "isolation.public-dns", "high");
    day.at(0, &Seen { isolation: "suspect".to_owned(), ..with(&[lead, names]) });
    assert_eq!(day.said(), [""; 0]);
    let broken = Seen { isolation: "broken".to_owned(), ..well() };
    let breach = incident("a/3", "finding", "isolation.internet-reachable", "critical");
    let both = Seen { isolation: "broken".to_owned(), ..with(&[breach]) };
    day.at(1000, &broken).at(1000, &both).at(1000, &both);
    assert_eq!(day.said(), ["tell This PC is not separated from the internet", "amend title of isolation.internet-reachable"]);
    day.at(0, &well()).stays(QUIET.as_secs() * 1000, &well());
    assert_eq!(day.said(), ["withdraw Isolation"]);
}

#[test]
fn what_is_announced_is_told_quietly() {
    let mut day = Day::new();
    let it = Incident { planned: Some("works".to_owned()), ..outage("a/1") };
    day.at(0, &cut(&[it])).at(1000, &well()).stays(QUIET.as_secs() * 1000, &well());
    let notices = day.notices();
    assert_eq!(notices.iter().map(|notice| notice.urgency).collect::<Vec<_>>(), [Urgency::Low; 2]);
    assert_eq!(notices[0].summary, "Announced maintenance: no settling for now");
}

#[test]
fn other_incidents_and_healthy_changes_say_nothing() {
    let mut day = Day::new();
    let others = [
        incident("a/1", "degradation", "path.slow", "medium"),
        incident("a/2", "blindness", "agent.degraded", "low"),
        incident("a/3", "finding", "clock.stepped", "high"),
        incident("a/4", "something-new", "isolation.new", "critical"),
    ];
    for n in 0..200 {
        day.at(15_000, &with(&others[..n % 5]));
    }
    assert_eq!(day.said(), [""; 0]);
}

#[test]
fn texts_of_others_are_one_line_each_and_bounded() {
    let mut day = Day::new();
    let it = Incident { title: format!("<b>\u{1b}[2J\n\u{202e}{}", "x".repeat(5000)), ..outage("a/1") };
    day.at(0, &cut(&[it]));
    let notice = day.notices().remove(0);
    for line in notice.body.iter().chain([&notice.summary]) {
        assert!(line.chars().count() <= 241 && !line.chars().any(|c| c.is_control() || c == '\u{202e}'), "{line:?}");
    }
}

#[test]
fn the_codes_are_those_of_the_daemon() {
    let code = |code: FindingCode| code.code();
    assert!(code(FindingCode::UsbStorage).starts_with("usb.") && code(FindingCode::IsolationInternetReachable).starts_with("isolation."));
    let written = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    let word = |value| written(&value).expect("a word");
    assert_eq!(word(serde_json::to_value(Severity::Critical).expect("plain")), "critical");
    assert_eq!(word(serde_json::to_value(crate::model::Isolation::Broken).expect("plain")), "broken");
    assert_eq!(word(serde_json::to_value(crate::model::IncidentKind::Disconnection).expect("plain")), "disconnection");
    assert_eq!(word(serde_json::to_value(crate::model::Certainty::Proven).expect("plain")), "proven");
}

#[test]
fn texts_are_in_both_languages() {
    for lang in Lang::ALL {
        let chinese = |text: &str| text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
        let over = words::recovered(false, lang);
        assert_eq!((chinese(&over.summary), chinese(&over.body[0])), (lang == Lang::ZhCn, lang == Lang::ZhCn));
        let seen = Seen { say: Said::default(), ..cut(&[Incident { cause: "unknown".to_owned(), ..outage("a/1") }]) };
        let told = words::opened(Topic::Settlement, &seen, &seen.subjects(), lang);
        assert_eq!((chinese(&told.summary), chinese(&told.body[0])), (lang == Lang::ZhCn, lang == Lang::ZhCn));
    }
}

proptest! {
    /// Whatever the daemon says, in whatever order: no incident is told twice while it stays, and the teller never spins.
    #[test]
    fn no_phase_is_told_twice(looks in prop::collection::vec((0_u64..200_000, 0_usize..6, any::<Option<bool>>()), 1..60)) {
        let mut day = Day::new();
        let pool = [outage("a/1"), outage("a/2"), incident("a/3", "finding", "usb.storage", "low")];
        let (mut opened, mut before): (usize, Vec<String>) = (0, Vec::new());
        for (later, which, connected) in looks {
            let there = match which { 0 => &pool[..0], 1 => &pool[..1], 2 => &pool[..2], 3 => &pool[..], 4 => &pool[1..], _ => &pool[2..] };
            let ids: Vec<String> = there.iter().filter_map(|it| it.id.clone()).collect();
            opened += ids.iter().filter(|id| !before.contains(id)).count();
            before = ids;
            day.at(later, &Seen { connected, ..with(there) });
        }
        let told = day.said().iter().filter(|said| said.starts_with("tell ") && *said != UP).count();
        prop_assert!(told <= opened, "{told} notices for {opened} openings");
    }

    /// Bytes of a daemon of another version, or of a stranger.
    #[test]
    fn any_document_is_read_or_refused(text in ".{0,200}") {
        let _ = serde_json::from_str::<Seen>(&text);
    }
}

#[test]
fn over_a_full_screen_nothing_is_shown_and_after_it_what_is_so_then() {
    let stick = || incident("a/2", "finding", "usb.storage", "low");
    let mut day = Day::new();
    day.screen(false).at(1000, &well());
    assert_eq!((day.said(), day.waits), (Vec::new(), false));
    day.at(1000, &cut(&[outage("a/1")])).at(1000, &cut(&[outage("a/1"), stick()])).stays(60 * MINUTE, &cut(&[outage("a/1"), stick()]));
    assert_eq!((day.said(), day.waits), (Vec::new(), true));
    day.screen(true).at(1000, &cut(&[outage("a/1"), stick()]));
    let told = day.notices();
    assert_eq!(told.len(), 1, "both in one: {told:?}");
    assert_eq!((told[0].summary.as_str(), told[0].urgency), ("You cannot settle now", Urgency::Normal));
    assert!(told[0].body.iter().any(|line| line.contains("title of usb.storage")), "{told:?}");
    // Its end comes under a full screen, and is told after it.
    day.screen(false).at(1000, &well()).stays(10 * MINUTE, &well());
    assert_eq!((day.said(), day.waits), (Vec::new(), true));
    day.screen(true).at(1000, &well());
    assert_eq!(day.said(), [UP]);
}

#[test]
fn what_came_and_went_under_a_full_screen_is_not_told() {
    let stick = || incident("a/2", "finding", "usb.storage", "low");
    let mut day = Day::new();
    day.screen(false).at(1000, &cut(&[outage("a/1"), stick()]));
    assert!(day.waits);
    day.at(1000, &well()).stays(10 * MINUTE, &well());
    assert_eq!((day.said(), day.waits), (Vec::new(), false));
    day.screen(true).at(1000, &well()).stays(10 * MINUTE, &well());
    assert_eq!(day.said(), [""; 0]);
    // What was told before is taken away, as that covers nothing.
    day.at(1000, &with(&[stick()]));
    assert_eq!(day.said(), [STICK]);
    day.screen(false).at(1000, &well()).stays(10 * MINUTE, &well());
    assert_eq!(day.said(), ["withdraw Usb"]);
}
