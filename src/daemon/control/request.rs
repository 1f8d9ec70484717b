//! What a request asks for, and why it is refused. Pure.

use super::super::grants::NotGranted;
use super::{Freshness, Question};
use crate::catalogue::Lang;
use crate::config::duration;
use crate::incident::log::Wanted;
use crate::report::View;
use hyper::{Method, StatusCode};
use serde::Serialize;

/// What is asked for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Wish {
    /// Something that the loop knows.
    Ask(Question),
    /// Something that the log knows.
    Incidents(Wanted),
    /// Records from now on.
    Follow,
    /// To be told when something has changed, and nothing else.
    Changes,
    /// The status page; with a key that opens the whole of it in this browser.
    Page(Option<String>),
    /// Its style sheet.
    Style,
    /// Its script.
    Script,
    /// What stands in the tab.
    Icon,
    /// What a text off a screen may come from.
    Symptom(String),
    /// A look now, for whoever is at the page: the token stands in the body.
    Look,
    /// The shop's statement from a form of the page.
    Statement,
    /// A key for the whole page.
    PageKey,
    /// All grants.
    Grants,
    /// A grant, or the end of one: what, stands in the body.
    Order,
    /// The shop's statement about an incident: which and what, stands in the body.
    Remark,
    /// The end of the terminal's service: by whom and why, stands in the body.
    Retire,
}

/// Why a request is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There is nothing at this path.
    NotFound,
    /// Another host is meant, or another site asks.
    Stranger,
    /// A form that is not of this run.
    StaleForm,
    /// A key that opens nothing any more.
    StaleKey,
    /// The page is not served.
    NoPage,
    /// Only on `control.sock`.
    NotForEverybody,
    /// This path is not asked in this way; the one in which it is.
    Method(&'static str),
    /// A parameter that is not known, twice there, or of a value that means nothing.
    Parameter,
    /// More than anything that is asked for needs.
    TooLarge,
    /// Only root and the group `isonet-admin` give orders.
    NotAllowed,
    /// The body is no order.
    Order,
    /// The order is understood and not carried out.
    NotGranted(NotGranted),
    /// The statement is not recorded.
    NotNoted(NotNoted),
    /// Only root, and whoever runs the service.
    OnlyRoot,
    /// The terminal stays in service.
    NotRetired(NotRetired),
    /// No round has ended yet.
    NothingYet,
    /// The service does not answer now.
    Busy,
    /// There are enough followers.
    TooManyFollowers,
    /// The log could not be read.
    Log,
}

/// Why a statement about an incident is not recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotNoted {
    /// It is empty, too long, or steers a screen.
    Text,
    /// There is no such incident, or its part of the log was lost.
    Unknown,
    /// It has as many as it may.
    TooMany,
}

/// Why a terminal is not taken out of service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotRetired {
    /// By whom or why is empty, too long, or steers a screen.
    Text,
    /// The log cannot be written.
    NoLog,
    /// The record is written, and the note of it is not.
    NoNote,
}

impl Refusal {
    /// The status.
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::NotFound | Self::NotGranted(NotGranted::Unknown) | Self::NotNoted(NotNoted::Unknown) => StatusCode::NOT_FOUND,
            Self::NotForEverybody | Self::NotAllowed | Self::OnlyRoot | Self::Stranger | Self::StaleForm | Self::StaleKey => {
                StatusCode::FORBIDDEN
            }
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Parameter | Self::Order => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NotGranted(_) | Self::NotNoted(_) | Self::NotRetired(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::NothingYet | Self::NoPage | Self::Busy | Self::TooManyFollowers => StatusCode::SERVICE_UNAVAILABLE,
            Self::Log => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::NotFound => "not-found",
            Self::Stranger => "not-from-here",
            Self::StaleForm => "stale-form",
            Self::StaleKey => "stale-key",
            Self::NoPage => "no-page",
            Self::NotForEverybody => "not-for-everybody",
            Self::Method(_) => "method-not-allowed",
            Self::Parameter => "bad-parameter",
            Self::TooLarge => "too-large",
            Self::NotAllowed => "not-permitted",
            Self::Order => "bad-order",
            Self::NotGranted(why) => match why {
                NotGranted::Text => "bad-text",
                NotGranted::Past => "already-over",
                NotGranted::TooLong => "too-long",
                NotGranted::NoKey => "no-bureau-key",
                NotGranted::Code => "bad-code",
                NotGranted::Used => "code-used",
                NotGranted::Unknown => "no-such-grant",
                NotGranted::TooMany => "too-many-grants",
            },
            Self::NotNoted(NotNoted::Text) => "bad-statement",
            Self::NotNoted(NotNoted::Unknown) => "no-such-incident",
            Self::NotNoted(NotNoted::TooMany) => "too-many-statements",
            Self::OnlyRoot => "only-root",
            Self::NotRetired(NotRetired::Text) => "bad-text",
            Self::NotRetired(NotRetired::NoLog) => "no-log",
            Self::NotRetired(NotRetired::NoNote) => "no-note",
            Self::NothingYet => "nothing-yet",
            Self::Busy => "busy",
            Self::TooManyFollowers => "too-many-followers",
            Self::Log => "log-unreadable",
        }
    }

    /// In words.
    pub fn text(self, lang: Lang) -> &'static str {
        match self {
            Self::NotFound => lang.pick("没有这个地址。", "There is nothing at this path."),
            Self::Stranger => lang.pick("这一页只给本机的浏览器看。", "This page is only for a browser on this PC."),
            Self::StaleForm => lang.pick(
                "这一页是值守程序重启以前的，请回到状态网页再点一次。",
                "This page is from before the service was started anew: go back to the status page and try again.",
            ),
            Self::StaleKey => lang.pick(
                "这个链接已经失效，请再运行一次 isonet page --details。",
                "This link opens nothing any more: run isonet page --details again.",
            ),
            Self::NoPage => lang.pick(
                "状态网页没有开：看看配置 [web] listen，或者 isonet status 里说的原因。",
                "The status page is not served: see [web] listen in the configuration, or the reason in isonet status.",
            ),
            Self::NotForEverybody => lang.pick(
                "这里只给概况；细节请 root 或 isonet 组的用户从 control.sock 查看。",
                "Only the overview is shown here; root and the group isonet see the rest on control.sock.",
            ),
            Self::Method(_) => lang.pick("这个地址不能这样请求。", "This path is not asked in this way."),
            Self::Parameter => lang.pick("参数看不懂。", "A parameter is not understood."),
            Self::TooLarge => lang.pick("请求太大。", "The request is too large."),
            Self::NotAllowed => lang
                .pick("登记放行要用 root，或者 isonet-admin 组的用户。", "Only root and members of the group isonet-admin record grants."),
            Self::Order => lang.pick("登记的内容看不懂。", "The order is not understood."),
            Self::NotGranted(why) => not_granted(why, lang),
            Self::NotNoted(why) => not_noted(why, lang),
            Self::OnlyRoot => lang.pick("只有 root 能让终端退出使用。", "Only root takes a terminal out of service."),
            Self::NotRetired(why) => not_retired(why, lang),
            Self::NothingYet => lang.pick("第一次检查还没有做完，请稍后再问。", "The first look has not ended yet: ask again in a moment."),
            Self::Busy => lang.pick("值守程序正忙，请稍后再问。", "The service is busy: ask again in a moment."),
            Self::TooManyFollowers => lang.pick("同时跟踪的太多了。", "Too many follow already."),
            Self::Log => lang.pick("记录读不出来。", "The log could not be read."),
        }
    }

    /// As the body of an answer.
    pub(super) fn body(self, lang: Lang) -> String {
        #[derive(Serialize)]
        struct Whole {
            error: Inner,
        }
        #[derive(Serialize)]
        struct Inner {
            code: &'static str,
            text: &'static str,
        }
        let whole = Whole { error: Inner { code: self.code(), text: self.text(lang) } };
        serde_json::to_string(&whole).expect("plain data with string keys always serialises")
    }
}

fn not_noted(why: NotNoted, lang: Lang) -> &'static str {
    match why {
        NotNoted::Text => lang.pick(
            "说明不能空着，不能超过 300 个字，也不能有换行和特殊字符。",
            "A statement must not be empty, longer than 300 characters, or have line breaks or control characters.",
        ),
        NotNoted::Unknown => lang.pick(
            "记录里没有这次故障；编号见 isonet incidents 每一行的末尾。",
            "There is no such incident in the log; its number is at the end of each line of isonet incidents.",
        ),
        NotNoted::TooMany => {
            lang.pick("这次故障已经有 8 条说明，不能再加了。", "This incident has 8 statements already, which is the most.")
        }
    }
}

fn not_retired(why: NotRetired, lang: Lang) -> &'static str {
    match why {
        NotRetired::Text => lang.pick(
            "经办人和原因不能空着，不能超过 300 个字，也不能有换行和特殊字符。",
            "Who and why must not be empty, longer than 300 characters, or have line breaks or control characters.",
        ),
        NotRetired::NoLog => lang.pick(
            "记录现在写不进磁盘，最后一条写不上：先让磁盘恢复（见 isonet status），再退出使用。",
            "Records do not reach the disk now, so the last one could not be written: mend the disk first (see isonet status).",
        ),
        NotRetired::NoNote => lang.pick(
            "最后一条记录已经写好，但是退出使用的标记没有写成，终端仍在使用：检查磁盘后再试一次。",
            "The last record is written, but the note that no service is to start is not; the terminal stays in service: look at the disk and try again.",
        ),
    }
}

fn not_granted(why: NotGranted, lang: Lang) -> &'static str {
    let (zh, en) = match why {
        NotGranted::Text => (
            "登记人、原因、设备不能空着，不能超过 200 个字，也不能有特殊字符。",
            "Name, reason and device must not be empty, longer than 200 characters, or have control characters.",
        ),
        NotGranted::Past => ("到期时间已经过了。", "Its end is past."),
        NotGranted::TooLong => ("一次放行最长 31 天。", "A grant lasts for 31 days at most."),
        NotGranted::NoKey => (
            "配置里没有医保局的公钥（rules.bureau-key），放行码没法核对。",
            "There is no key of the bureau (rules.bureau-key) to check the code with.",
        ),
        NotGranted::Code => (
            "放行码不对：要和本终端编号、内容、到期时间、设备完全一致。",
            "The code is not right: it must be for this terminal, this act, this end and this device.",
        ),
        NotGranted::Used => ("这个放行码已经用过。", "This code was used before."),
        NotGranted::Unknown => ("没有这个编号的有效放行。", "No grant of this number is open."),
        NotGranted::TooMany => ("有效的放行太多，请先收回不用的。", "Too many grants are open: revoke some first."),
    };
    lang.pick(zh, en)
}

/// Understands a request: what is wanted, in which language. The language is known even where the rest is refused.
pub(super) fn understand(view: View, method: &Method, path: &str, query: Option<&str>, lang: Lang) -> (Result<Wish, Refusal>, Lang) {
    let parameters = Parameters::of(query.unwrap_or_default());
    let lang = parameters.as_ref().ok().and_then(|told| told.lang).unwrap_or(lang);
    (parameters.and_then(|told| wish(view, method, path, &told)), lang)
}

fn wish(view: View, method: &Method, path: &str, told: &Parameters) -> Result<Wish, Refusal> {
    let (allowed, wish) = match path {
        "/v1/status" => ("GET", told.only(&[Name::Lang]).map(|()| Wish::Ask(Question::Status(view)))),
        "/v1/diagnosis" => ("GET", told.only(&[Name::Lang, Name::Fresh]).map(|()| Wish::Ask(Question::Diagnosis(told.fresh)))),
        "/v1/world" => ("GET", told.only(&[Name::Lang, Name::Fresh]).map(|()| Wish::Ask(Question::World(told.fresh)))),
        "/metrics" => ("GET", told.only(&[Name::Lang]).map(|()| Wish::Ask(Question::Metrics))),
        "/v1/incidents" if told.follow => ("GET", told.only(&[Name::Lang, Name::Follow]).map(|()| Wish::Follow)),
        "/v1/incidents" => {
            ("GET", told.only(&[Name::Lang, Name::Since, Name::Open, Name::Follow]).map(|()| Wish::Incidents(told.incidents)))
        }
        "/v1/incidents/comments" => ("POST", told.only(&[Name::Lang]).map(|()| Wish::Remark)),
        "/v1/retire" => ("POST", told.only(&[Name::Lang]).map(|()| Wish::Retire)),
        "/" => ("GET", told.only(&[Name::Lang, Name::Key]).map(|()| Wish::Page(told.key.clone()))),
        "/page.css" => ("GET", told.only(&[]).map(|()| Wish::Style)),
        "/live.js" => ("GET", told.only(&[]).map(|()| Wish::Script)),
        "/icon.svg" => ("GET", told.only(&[]).map(|()| Wish::Icon)),
        "/symptom" => ("GET", told.only(&[Name::Lang, Name::Screen]).map(|()| Wish::Symptom(told.screen.clone()))),
        "/look" => ("POST", told.only(&[Name::Lang]).map(|()| Wish::Look)),
        "/statement" => ("POST", told.only(&[Name::Lang]).map(|()| Wish::Statement)),
        "/v1/page-key" => ("POST", told.only(&[Name::Lang]).map(|()| Wish::PageKey)),
        "/v1/changes" => ("GET", told.only(&[Name::Lang]).map(|()| Wish::Changes)),
        "/v1/grants" if method == Method::POST => ("POST", told.only(&[Name::Lang]).map(|()| Wish::Order)),
        "/v1/grants" => ("GET", told.only(&[Name::Lang]).map(|()| Wish::Grants)),
        _ => return Err(Refusal::NotFound),
    };
    if view == View::Clerk && !is_for_everybody(path) {
        return Err(Refusal::NotForEverybody);
    }
    if method.as_str() == allowed { wish } else { Err(Refusal::Method(allowed)) }
}

/// What anybody on this PC may ask: how things stand, and a look; not to speak for the institution.
fn is_for_everybody(path: &str) -> bool {
    matches!(path, "/v1/status" | "/v1/changes") || (is_of_page(path) && path != "/statement")
}

/// What the page is made of.
pub(super) fn is_of_page(path: &str) -> bool {
    matches!(path, "/" | "/page.css" | "/live.js" | "/icon.svg" | "/symptom" | "/look" | "/statement")
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    Key,
    Screen,
    Lang,
    Fresh,
    Follow,
    Since,
    Open,
}

/// What follows the question mark.
struct Parameters {
    names: Vec<Name>,
    lang: Option<Lang>,
    fresh: Freshness,
    follow: bool,
    incidents: Wanted,
    key: Option<String>,
    screen: String,
}

impl Parameters {
    fn of(query: &str) -> Result<Self, Refusal> {
        let mut told = Self {
            names: Vec::new(),
            lang: None,
            fresh: Freshness::Latest,
            follow: false,
            incidents: Wanted::default(),
            key: None,
            screen: String::new(),
        };
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let name = told.take(&name, &value).ok_or(Refusal::Parameter)?;
            if told.names.contains(&name) {
                return Err(Refusal::Parameter);
            }
            told.names.push(name);
        }
        Ok(told)
    }

    fn take(&mut self, name: &str, value: &str) -> Option<Name> {
        Some(match name {
            "lang" => {
                self.lang = Some(Lang::ALL.into_iter().find(|lang| lang.tag() == value)?);
                Name::Lang
            }
            "fresh" => {
                self.fresh = if switch(value)? { Freshness::Fresh } else { Freshness::Latest };
                Name::Fresh
            }
            "follow" => {
                self.follow = switch(value)?;
                Name::Follow
            }
            "open" => {
                self.incidents.only_open = switch(value)?;
                Name::Open
            }
            "key" => {
                self.key = Some(value.to_owned());
                Name::Key
            }
            "screen" => {
                value.clone_into(&mut self.screen);
                Name::Screen
            }
            "since" => {
                self.incidents.since = Some(duration::parse(value).ok()?);
                Name::Since
            }
            _ => return None,
        })
    }

    fn only(&self, allowed: &[Name]) -> Result<(), Refusal> {
        if self.names.iter().all(|name| allowed.contains(name)) { Ok(()) } else { Err(Refusal::Parameter) }
    }
}

fn switch(value: &str) -> Option<bool> {
    match value {
        "1" => Some(true),
        "0" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn get(view: View, target: &str) -> Result<Wish, Refusal> {
        let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        understand(view, &Method::GET, path, query, Lang::En).0
    }

    #[test]
    fn every_question_is_understood() {
        for (target, wish) in [
            ("/v1/status", Wish::Ask(Question::Status(View::Whole))),
            ("/v1/status?lang=zh-CN", Wish::Ask(Question::Status(View::Whole))),
            ("/v1/diagnosis", Wish::Ask(Question::Diagnosis(Freshness::Latest))),
            ("/v1/diagnosis?fresh=1&lang=en", Wish::Ask(Question::Diagnosis(Freshness::Fresh))),
            ("/v1/world?fresh=0", Wish::Ask(Question::World(Freshness::Latest))),
            ("/metrics", Wish::Ask(Question::Metrics)),
            ("/v1/incidents?follow=1", Wish::Follow),
            ("/v1/grants", Wish::Grants),
            ("/v1/incidents", Wish::Incidents(Wanted::default())),
            ("/v1/incidents?since=7d&open=1", Wish::Incidents(Wanted { since: Some(Duration::from_hours(7 * 24)), only_open: true })),
        ] {
            assert_eq!(get(View::Whole, target), Ok(wish), "{target}");
        }
    }

    #[test]
    fn what_means_nothing_is_refused() {
        for (target, refusal) in [
            ("/nothing", Refusal::NotFound),
            ("/v1", Refusal::NotFound),
            ("/v1/status/", Refusal::NotFound),
            ("/v1/../etc/passwd", Refusal::NotFound),
            ("/v1/%73tatus", Refusal::NotFound),
            ("/v1/status?fresh=1", Refusal::Parameter),
            ("/v1/status?x", Refusal::Parameter),
            ("/v1/status?lang=fr", Refusal::Parameter),
            ("/v1/diagnosis?fresh=2", Refusal::Parameter),
            ("/v1/diagnosis?fresh=1&fresh=1", Refusal::Parameter),
            ("/v1/incidents?since=yesterday", Refusal::Parameter),
            ("/v1/incidents?follow=1&open=1", Refusal::Parameter),
            ("/v1/grants?open=1", Refusal::Parameter),
        ] {
            assert_eq!(get(View::Whole, target), Err(refusal), "{target}");
        }
        let post = understand(View::Whole, &Method::POST, "/v1/grants", None, Lang::En).0;
        assert_eq!(post, Ok(Wish::Order));
        let statement = |view, method| understand(view, method, "/v1/incidents/comments", None, Lang::En).0;
        assert_eq!(statement(View::Whole, &Method::POST), Ok(Wish::Remark));
        assert_eq!(statement(View::Whole, &Method::GET), Err(Refusal::Method("POST")));
        assert_eq!(statement(View::Clerk, &Method::POST), Err(Refusal::NotForEverybody));
        let delete = understand(View::Whole, &Method::DELETE, "/v1/status", None, Lang::En).0;
        assert_eq!(delete, Err(Refusal::Method("GET")));
    }

    #[test]
    fn everybody_sees_the_status_and_when_it_changes_and_nothing_else() {
        assert_eq!(get(View::Clerk, "/v1/changes"), Ok(Wish::Changes));
        assert_eq!(get(View::Clerk, "/v1/status"), Ok(Wish::Ask(Question::Status(View::Clerk))));
        for target in [
            "/v1/diagnosis",
            "/v1/world?fresh=1",
            "/v1/incidents",
            "/v1/incidents?follow=1",
            "/metrics",
            "/v1/grants",
            "/statement",
            "/v1/page-key",
        ] {
            assert_eq!(get(View::Clerk, target), Err(Refusal::NotForEverybody), "{target}");
        }
    }

    #[test]
    fn a_refusal_speaks_the_language_asked_for() {
        let (refused, lang) = understand(View::Whole, &Method::GET, "/nothing", Some("lang=zh-CN"), Lang::En);
        assert_eq!(refused.map_err(|r| r.body(lang)), Err(r#"{"error":{"code":"not-found","text":"没有这个地址。"}}"#.to_owned()));
    }
}
