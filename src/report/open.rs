//! An open incident as a reader of `diagnose` and `status` sees it: since when, what, and which centres it cuts off.

use super::text::clean;
use crate::catalogue::{self, Lang, among};
use crate::model::{Certainty, Incident, IncidentId, IncidentKind, KnownCause, Severity};
use jiff::{Timestamp, Zoned};
use serde::{Deserialize, Serialize};

/// How a moment is written: RFC 3339, to the second, in the terminal's own zone.
pub(super) const RFC_3339: &str = "%Y-%m-%dT%H:%M:%S%:z";

/// An incident that is not over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenIncident {
    /// Its name in the log; `None` = its first record is not on disk yet.
    pub id: Option<String>,
    /// What it is.
    pub kind: IncidentKind,
    /// The code of its cause, `agent.degraded`, or `unknown`.
    pub cause: String,
    /// The cause in words.
    pub title: String,
    /// How sure.
    pub certainty: Certainty,
    /// How bad.
    pub severity: Severity,
    /// Where; `None` = the reader may not know.
    pub object: Option<String>,
    /// The centres it cuts off.
    pub centres: Vec<String>,
    /// Its first sign, RFC 3339, by the terminal's own clock.
    pub since: String,
    /// How often it came.
    pub occurrences: u32,
    /// It comes and goes.
    pub flapping: bool,
    /// It began in an announced window: the window's note.
    pub planned: Option<String>,
}

impl OpenIncident {
    /// As it stands, in words of this language and the zone of `at`.
    pub fn of(incident: &Incident, id: Option<&IncidentId>, at: &Zoned, lang: Lang) -> Self {
        let cause = &incident.cause;
        Self {
            id: id.map(ToString::to_string),
            kind: incident.fingerprint.kind(),
            cause: cause.code.clone(),
            title: title(cause, incident.fingerprint.kind(), lang),
            certainty: cause.certainty,
            severity: cause.severity,
            object: Some(cause.object.clone()),
            centres: incident.centres.clone(),
            since: moment(incident.since.wall, at),
            occurrences: incident.occurrences,
            flapping: incident.flapping,
            planned: incident.planned.clone(),
        }
    }

    /// Without what only an engineer may know.
    #[must_use]
    pub fn for_a_clerk(mut self) -> Self {
        self.object = None;
        self
    }

    /// One line: what, since when, for how long, what it cuts off, and its code.
    pub fn line(&self, now: &Zoned, lang: Lang) -> String {
        self.words(now, lang) + " [" + &clean(&self.cause) + "]"
    }

    /// The same without its code.
    pub fn words(&self, now: &Zoned, lang: Lang) -> String {
        let since = self.since.parse::<Timestamp>().ok();
        let when = since.map_or_else(|| clean(&self.since), |since| since_when(since, now, lang));
        let mut line = match lang {
            Lang::ZhCn => format!("{}：{when}", clean(&self.title)),
            Lang::En => format!("{}: {when}", clean(&self.title)),
        };
        if !self.centres.is_empty() {
            let centres = clean(&self.centres.join(lang.pick("、", ", ")));
            line += &lang.pick(among("，连不上", &centres, ""), format!("; cuts off {centres}"));
        }
        if self.occurrences > 1 {
            line += &lang.pick(format!("，第 {} 次", self.occurrences), format!("; {} times", self.occurrences));
        }
        if self.flapping {
            line += lang.pick("，时好时坏", "; it comes and goes");
        }
        if self.planned.is_some() {
            line += lang.pick("，在公告的维护时间内", "; within an announced window");
        }
        line
    }
}

/// A moment in the zone of `at`, RFC 3339.
pub(super) fn moment(when: Timestamp, at: &Zoned) -> String {
    when.to_zoned(at.time_zone().clone()).strftime(RFC_3339).to_string()
}

/// Since when, and how long that is. A clock that was set back in between tells no length.
fn since_when(since: Timestamp, now: &Zoned, lang: Lang) -> String {
    let local = since.to_zoned(now.time_zone().clone());
    let pattern = if local.date() == now.date() { "%H:%M" } else { "%Y-%m-%d %H:%M" };
    let clock = local.strftime(pattern);
    let seconds = now.timestamp().as_second() - since.as_second();
    match (lang, u64::try_from(seconds)) {
        (Lang::ZhCn, Ok(seconds)) => format!("从 {clock} 起，已 {}", length(seconds, lang)),
        (Lang::ZhCn, Err(_)) => format!("从 {clock} 起"),
        (Lang::En, Ok(seconds)) => format!("since {clock}, for {}", length(seconds, lang)),
        (Lang::En, Err(_)) => format!("since {clock}"),
    }
}

/// A length of time in its largest unit, and the next one where that still matters.
pub(super) fn length(seconds: u64, lang: Lang) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (lang, days, hours, minutes) {
        (Lang::ZhCn, 0, 0, 0) => format!("{seconds} 秒"),
        (Lang::ZhCn, 0, 0, _) => format!("{minutes} 分钟"),
        (Lang::ZhCn, 0, ..) => format!("{hours} 小时 {} 分钟", minutes % 60),
        (Lang::ZhCn, ..) => format!("{days} 天 {} 小时", hours % 24),
        (Lang::En, 0, 0, 0) => format!("{seconds} s"),
        (Lang::En, 0, 0, _) => format!("{minutes} min"),
        (Lang::En, 0, ..) => format!("{hours} h {} min", minutes % 60),
        (Lang::En, ..) => format!("{days} d {} h", hours % 24),
    }
}

/// A cause or a finding in words, also one that no rule names.
pub(super) fn title(cause: &KnownCause, kind: IncidentKind, lang: Lang) -> String {
    if let Some(known) = catalogue::entry(&cause.code, lang) {
        return known.title.to_owned();
    }
    if let Some(words) = catalogue::shortfall(&cause.object, lang).filter(|_| kind == IncidentKind::Blindness) {
        return words;
    }
    let words = match kind {
        IncidentKind::Disconnection => lang.pick("不能结算，原因还没查清", "Cannot settle, the cause is not clear yet"),
        IncidentKind::Degradation => lang.pick("有一处要留意", "One thing needs attention"),
        IncidentKind::Blindness => lang.pick("值守程序有看不到的地方", "The watch cannot see everything"),
        IncidentKind::Finding => lang.pick("看到一件与管理规定有关的事", "Something that touches the terminal rules was observed"),
    };
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use jiff::tz::{Offset, TimeZone};

    fn now() -> Zoned {
        date(2026, 11, 22).at(14, 32, 5, 0).to_zoned(TimeZone::fixed(Offset::constant(8))).expect("it is in the calendar")
    }

    fn incident() -> OpenIncident {
        OpenIncident {
            id: None,
            kind: IncidentKind::Disconnection,
            cause: "link.no-carrier".to_owned(),
            title: "The cable is out".to_owned(),
            certainty: Certainty::Proven,
            severity: Severity::High,
            object: Some("link:eth0".to_owned()),
            centres: vec!["settle".to_owned(), "upload\u{1b}[2J".to_owned()],
            since: "2026-11-22T14:20:00+08:00".to_owned(),
            occurrences: 3,
            flapping: true,
            planned: None,
        }
    }

    #[test]
    fn a_line_says_what_and_since_when_and_steers_no_terminal() {
        let line = incident().line(&now(), Lang::En);
        assert_eq!(
            line,
            "The cable is out: since 14:20, for 12 min; cuts off settle, upload?[2J; 3 times; it comes and goes [link.no-carrier]"
        );
        let zh = OpenIncident { title: "网线没有插好".to_owned(), centres: Vec::new(), ..incident() }.line(&now(), Lang::ZhCn);
        assert_eq!(zh, "网线没有插好：从 14:20 起，已 12 分钟，第 3 次，时好时坏 [link.no-carrier]");
        let named = |centre: &str| OpenIncident { centres: vec![centre.to_owned()], ..incident() }.line(&now(), Lang::ZhCn);
        assert!(
            named("settle").contains("，连不上 settle，第 3 次") && named("结算").contains("，连不上结算，第 3 次"),
            "{}",
            named("settle")
        );
    }

    #[test]
    fn another_day_is_named_and_a_clock_that_went_back_tells_no_length() {
        let line = |since: &str| OpenIncident { since: since.to_owned(), ..incident() }.line(&now(), Lang::En);
        assert!(line("2026-11-20T10:00:00+08:00").contains("since 2026-11-20 10:00, for 2 d 4 h"));
        assert!(line("2026-11-22T15:00:00+08:00").contains("since 15:00;"));
        assert!(line("yesterday").contains(": yesterday;"), "what is no time is shown as it is");
    }
}
