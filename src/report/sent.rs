//! What leaves this PC, in plain words, with an example made from the configuration in force.
//!
//! Everything that isonet sends by itself is here: records and signs of life to receivers, the questions of the looks, and the proof of the
//! isolation. What is not configured is not sent.

use super::Style;
use super::text::{Ink, Page};
use crate::catalogue::{self, Lang};
use crate::config::{Centre, Config, IsolationMode, LogTransport, Sink, duration};
use crate::model::{
    Actor, Body, Cause, Certainty, Change, Evidence, IncidentBody, IncidentCard, IncidentId, IncidentKind, KnownCause, Phase,
    RECORD_SCHEMA, Record, Remedy, Severity, Stamp, TerminalCard, Time,
};
use std::collections::BTreeMap;

/// Whether this PC is enrolled: before, nothing is sent to a public address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enrolled {
    /// It is, or nobody can say.
    Yes,
    /// It is not.
    No,
}

/// The page. `card`: this terminal, as its records have it; `now`: for the example.
pub fn what_is_sent(config: &Config, enrolled: Enrolled, card: &TerminalCard, now: &Stamp, lang: Lang, style: Style) -> String {
    let mut page = Page::new(style.width, style.color);
    page.paragraph(
        "",
        lang.pick(
            "这台电脑上的 isonet 按现在的配置会送出什么、送给谁。除了下面这些，它不主动送出任何东西。",
            "What isonet on this PC sends under the configuration in force, and to whom. By itself it sends nothing else.",
        ),
        Ink::Bold,
    );
    receivers(&mut page, config, lang);
    looks(&mut page, config, lang);
    isolation(&mut page, config, enrolled, lang);
    never(&mut page, lang);
    example(&mut page, config, card, now, lang);
    page.finish()
}

fn heading(page: &mut Page, text: &str) {
    page.blank();
    page.paragraph("", text, Ink::Bold);
}

fn item(page: &mut Page, text: &str) {
    page.paragraph("  - ", text, Ink::Plain);
}

/// To whom records go.
fn receivers(page: &mut Page, config: &Config, lang: Lang) {
    heading(page, lang.pick("记录：故障、观察到的情况、放行和说明", "Records: incidents, observations, grants and statements"));
    if config.sinks.is_empty() {
        item(page, lang.pick("没有配置接收方，记录只留在本机。", "No receiver is configured: records stay on this PC."));
        return;
    }
    for sink in &config.sinks {
        let name = sink.name();
        let beats = sink.heartbeat().map(duration::render);
        let (zh, en) = match sink {
            Sink::Journal { .. } => {
                (format!("{name}：本机的系统日志，不出本机"), format!("{name}: the journal of this PC; does not leave it"))
            }
            Sink::Syslog { address, transport, .. } => {
                let (zh, en) = match transport {
                    LogTransport::Tls => ("TLS 加密", "encrypted by TLS"),
                    LogTransport::Tcp => ("不加密", "not encrypted"),
                };
                (format!("{name}：日志服务器 {address}，{zh}"), format!("{name}: the log server {address}, {en}"))
            }
            Sink::Nats { servers, .. } => {
                let places: Vec<String> = servers.iter().map(place).collect();
                let plain = servers.iter().any(|server| server.scheme() != "tls");
                let (zh, en) = if plain { ("没有全部加密", "not all encrypted") } else { ("TLS 加密", "encrypted by TLS") };
                let places = places.join(lang.pick("、", ", "));
                (format!("{name}：NATS 服务器 {places}，{zh}"), format!("{name}: the NATS servers {places}, {en}"))
            }
        };
        let beat = beats.map_or_else(String::new, |every| {
            lang.pick(
                format!("；大约每 {every} 一次心跳：本终端还在、有哪些未恢复的故障、记录到第几条"),
                format!("; about every {every} a sign of life: that this PC is there, what is open, how far the records go"),
            )
        });
        item(page, &format!("{}{beat}{}", lang.pick(zh, en), lang.pick("。", ".")));
    }
}

/// Scheme, host and port: whatever else stands in an address may be a password.
fn place(server: &url::Url) -> String {
    let host = server.host_str().unwrap_or("-");
    server.port().map_or_else(|| format!("{}://{host}", server.scheme()), |port| format!("{}://{host}:{port}", server.scheme()))
}

/// What the looks ask.
fn looks(page: &mut Page, config: &Config, lang: Lang) {
    heading(
        page,
        lang.pick("检查网络时的询问，不含任何业务数据", "What is asked when the network is looked at; no business data is in it"),
    );
    if config.centres.is_empty() {
        item(page, lang.pick("没有配置医保中心，不向它发送任何内容。", "No centre is configured: nothing is sent to one."));
    }
    for centre in &config.centres {
        item(page, &format!("{} ({}){}{}", centre.name, centre.host, lang.pick("：", ": "), asks(centre, lang)));
    }
    for vpn in &config.vpns {
        if let Some(server) = &vpn.server {
            item(
                page,
                &lang.pick(
                    format!("VPN {} 的服务器 {server}：能不能连上，不登录", vpn.name),
                    format!("The server of VPN {}, {server}: whether it can be reached; no login", vpn.name),
                ),
            );
        }
    }
    item(
        page,
        lang.pick(
            "网关和 DNS 服务器：在不在、上面这些名字的地址是什么；线路上的各跳：到哪一跳还通",
            "Gateway and name servers: whether they are there, and the addresses of the names above; the hops of the line: how far it reaches",
        ),
    );
}

fn asks(centre: &Centre, lang: Lang) -> String {
    let mut asks = Vec::new();
    if centre.ping {
        asks.push("ping".to_owned());
    }
    if !centre.tcp.is_empty() {
        let ports: Vec<String> = centre.tcp.iter().map(u16::to_string).collect();
        asks.push(format!("{} {}", lang.pick("连接 TCP", "TCP connections to"), ports.join(lang.pick("、", ", "))));
    }
    if let Some(tls) = &centre.tls {
        asks.push(lang.pick(format!("TLS 握手 {}", tls.port), format!("a TLS handshake on {}", tls.port)));
    }
    if centre.http.is_some() {
        asks.push(lang.pick("打开一个网址（GET）", "one page (GET)").to_owned());
    }
    if centre.upload_test.is_some() {
        asks.push(lang.pick("上传一段填充数据，测大包通不通", "an upload of padding, to see whether large packets pass").to_owned());
    }
    asks.join(lang.pick("；", "; "))
}

/// The proof of the isolation, the one thing that is meant for the outside.
fn isolation(page: &mut Page, config: &Config, enrolled: Enrolled, lang: Lang) {
    heading(page, lang.pick("验证与互联网的隔离", "The proof of the isolation from the internet"));
    let settings = &config.isolation;
    let when = match (settings.mode, enrolled) {
        (IsolationMode::Off, _) => {
            return item(
                page,
                lang.pick(
                    "已关闭：不向任何公网地址发送数据，只看本机的网络布局。",
                    "Off: nothing is sent to any public address; only this PC's own network is read.",
                ),
            );
        }
        (_, Enrolled::No) => {
            return item(
                page,
                lang.pick(
                    "本机还没有登记，现在不向任何公网地址发送数据。登记（isonet enroll）时，填了 network.access 且线路不走互联网的，会向配置的 anchor 和第一个 control 各问一次。",
                    "This PC is not enrolled: nothing is sent to any public address now. To enrol it (isonet enroll) asks each configured anchor and the first control once, where network.access is set and does not lead over the internet.",
                ),
            );
        }
        (IsolationMode::EventOnly, _) => lang.pick(
            "启动时和本机的网络有变化时试：".to_owned(),
            "Tried when the service starts and when this PC's network changes:".to_owned(),
        ),
        (IsolationMode::Periodic, _) => {
            let every = duration::render(settings.interval);
            lang.pick(
                format!("启动时、网络有变化时，以及每 {every}（经批准）试："),
                format!("Tried when the service starts, when this PC's network changes, and every {every} (by permission):"),
            )
        }
    };
    page.paragraph("  ", &when, Ink::Plain);
    for anchor in &settings.anchors {
        let (address, name) = (&anchor.address, &anchor.server_name);
        item(
            page,
            &lang.pick(
                format!("{address}（{name}）：一次 TLS 握手，不发内容"),
                format!("{address} ({name}): a TLS handshake, nothing in it"),
            ),
        );
    }
    if let Some(canary) = &settings.canary {
        let address = &canary.address;
        item(
            page,
            &lang.pick(
                format!("{address}：本单位自己的回声站，发一串随机数"),
                format!("{address}: the organisation's own proof server, a random number"),
            ),
        );
    }
    for control in &settings.controls {
        item(
            page,
            &lang.pick(
                format!("{control}：应当无人应答，试连一次"),
                format!("{control}: nobody should answer there, one attempt to connect"),
            ),
        );
    }
    item(
        page,
        lang.pick(
            "每台域名服务器：查两个上面的名字；查得到时，再查 com、cn 下各一个随机名字",
            "each name server: two of the names above; if they are found, a random name under com and one under cn",
        ),
    );
    item(
        page,
        lang.pick(
            "本机设置里写着的、程序正连着的代理：请它转到上面的地址，握手同样不发内容；代理的自动配置脚本：只从内网取来看，不执行",
            "proxies that this PC's settings name or its programs are connected to: the same handshake by way of them; scripts that configure proxies: \
             fetched from inside only, and never executed",
        ),
    );
    page.paragraph(
        "  ",
        lang.pick("隔离完好时，这些都走不出专网。", "While the isolation holds, none of this gets out of the private network."),
        Ink::Plain,
    );
}

fn never(page: &mut Page, lang: Lang) {
    heading(page, lang.pick("从不记录、也从不送出", "Never recorded, never sent"));
    for line in lang.pick(
        [
            "参保人、病人、药品、交易和结算的任何内容",
            "文件名和文件内容、屏幕、按键、密码",
            "正在运行的程序清单；只有列入禁用名单又被发现的，才记下名单上的那个名字",
        ],
        [
            "anything about insured persons, patients, medicines, transactions or settlement",
            "names or contents of files, the screen, keys, passwords",
            "lists of running programs; one that is on the forbidden list and found is recorded by its name on that list",
        ],
    ) {
        item(page, line);
    }
}

fn example(page: &mut Page, config: &Config, card: &TerminalCard, now: &Stamp, lang: Lang) {
    let sent = config.sinks.iter().any(|sink| !matches!(sink, Sink::Journal { .. }));
    heading(
        page,
        if sent {
            lang.pick("例子：线路断了，送出的一条记录", "An example: one record, as it is sent when the line is down")
        } else {
            lang.pick("例子：线路断了，本机留下的一条记录", "An example: one record, as it stays on this PC when the line is down")
        },
    );
    let record = record(config, card, now);
    page.paragraph("  ", &catalogue::told(&record.body, lang), Ink::Plain);
    let json = serde_json::to_string_pretty(&record).expect("plain data with string keys always serialises");
    for line in json.lines() {
        page.pieces(&[("  ", Ink::Plain), (line, Ink::Dim)]);
    }
}

/// Who this terminal is, as configured; the rest is made up.
fn record(config: &Config, card: &TerminalCard, now: &Stamp) -> Record {
    let (time, cause) = (Time::from(now), Cause::LineDown);
    let id = IncidentId { epoch: "00000000-0000-7000-8000-000000000000".to_owned(), seq: 17 };
    let centre = config.centres.first().map(|centre| centre.name.clone());
    let body = IncidentBody {
        incident: IncidentCard {
            fingerprint: format!("disconnection:{}", centre.as_deref().unwrap_or("local")),
            kind: IncidentKind::Disconnection,
            phase: Phase::Opened,
            rev: 1,
            opened_seq: id.seq,
            change: Change::Raised,
            occurrences: 1,
            flapping: false,
            part_of: None,
            resolution: None,
            centres: centre.into_iter().collect(),
            since: time.clone(),
            duration_ms: Some(0),
            planned: None,
            id: id.clone(),
        },
        cause: KnownCause {
            code: cause.code().to_owned(),
            layer: Some(cause.layer()),
            object: "line".to_owned(),
            severity: Severity::Critical,
            certainty: Certainty::Likely,
            alternatives: Vec::new(),
            history: Vec::new(),
        },
        rule: None,
        origin: None,
        comments: Vec::new(),
        who_acts: vec![Actor::Operator],
        remedy: Remedy { key: cause.code().to_owned(), args: BTreeMap::new() },
        evidence: vec![Evidence {
            k: "tcp.connect".to_owned(),
            target: "192.0.2.10:443".to_owned(),
            result: "silence".to_owned(),
            ms: Some(2000.0),
            n: 1,
            boot_ms: Some(now.boottime_ms),
        }],
        grant: None,
    };
    Record {
        schema: RECORD_SCHEMA.to_owned(),
        event_id: "00000000-0000-7000-8000-000000000001".to_owned(),
        epoch: id.epoch,
        seq: id.seq,
        terminal: card.clone(),
        time,
        body: Body::Incident(Box::new(body)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ClockState;
    use unicode_width::UnicodeWidthStr;

    fn page(config: &str, enrolled: Enrolled, lang: Lang) -> String {
        let config: Config = toml::from_str(config).unwrap_or_else(|error| panic!("{error}"));
        let card = TerminalCard::of(&config.terminal, Some("1338d0d8ec234423".to_owned()), None, "0011223344556677");
        let now =
            Stamp { boot_id: "b".to_owned(), boottime_ms: 1, wall: jiff::Timestamp::UNIX_EPOCH, offset_s: 0, clock: ClockState::Unknown };
        what_is_sent(&config, enrolled, &card, &now, lang, Style::default())
    }

    const SINKS: &str = "[[sink]]\nname='audit'\nkind='syslog'\naddress='10.20.0.14:6514'\nca='/c'\n[[sink]]\nname='fleet'\nkind='nats'\nservers=['tls://u:secret@10.20.0.21:4222']\nca='/c'\n";

    #[test]
    fn receivers_are_named_with_what_protects_the_way_and_no_password() {
        for lang in Lang::ALL {
            let text = page(SINKS, Enrolled::Yes, lang);
            assert!(text.contains("10.20.0.14:6514") && text.contains("tls://10.20.0.21:4222") && text.contains("5m"), "{text}");
            assert!(!text.contains("secret") && !text.contains("u:"), "{text}");
        }
        assert!(page(&SINKS.replace("ca='/c'\n[", "transport='tcp'\n["), Enrolled::Yes, Lang::ZhCn).contains("6514，不加密"));
        assert!(page("", Enrolled::Yes, Lang::ZhCn).contains("记录只留在本机"));
        assert!(page("", Enrolled::Yes, Lang::En).contains("as it stays on this PC"));
    }

    #[test]
    fn public_addresses_are_named_only_where_something_is_sent_to_them() {
        let anchor = "223.5.5.5:443";
        assert!(page("", Enrolled::Yes, Lang::En).contains(anchor));
        assert!(!page("", Enrolled::No, Lang::En).contains(anchor), "not before enrolment");
        assert!(!page("[isolation]\nmode='off'", Enrolled::Yes, Lang::En).contains(anchor));
        let periodic = page("[isolation]\nmode='periodic'\ninterval='2m'", Enrolled::Yes, Lang::ZhCn);
        assert!(periodic.contains("每 2m（经批准）") && periodic.contains(anchor), "{periodic}");
        let canary = page("[isolation]\ncanary={address='198.51.100.1:443',public-key='k'}", Enrolled::Yes, Lang::En);
        assert!(canary.contains("198.51.100.1:443: the organisation's own"), "{canary}");
    }

    #[test]
    fn the_example_is_this_terminal_and_a_record_as_it_is_agreed() {
        let text = page(
            "[terminal]\nsite='2 号柜台'\nperson-in-charge='张三'\n[[centre]]\nname='settle'\nhost='10.1.2.3'\ntcp=[443]\n",
            Enrolled::No,
            Lang::ZhCn,
        );
        assert!(text.contains("2 号柜台") && text.contains("张三") && text.contains("settle (10.1.2.3)：ping；连接 TCP 443"), "{text}");
        let json: String = text.lines().skip_while(|line| *line != "  {").collect();
        // Whatever a record can be fits its schema, which tests/records holds.
        let record: Record = serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert_eq!(record.terminal.site.as_deref(), Some("2 号柜台"));
    }

    #[test]
    fn the_words_fit_the_width() {
        for lang in Lang::ALL {
            let text = page(SINKS, Enrolled::Yes, lang);
            let words = text.lines().take_while(|line| *line != "  {");
            assert!(words.clone().all(|line| line.width() <= 80), "{text}");
        }
    }
}
