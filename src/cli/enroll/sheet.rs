//! The acceptance sheet: what was taken as normal, what changed, what to look at before accepting it.

use crate::baseline::{Aspect, Baseline, Concern, Deviation, MacOrigin, Seen, UsbRole};
use crate::catalogue::{Lang, result, unseen};
use crate::config::Access;
use std::fmt::{self, Display};
use std::path::Path;
use unicode_width::UnicodeWidthStr;

/// Everything on the sheet.
pub(super) struct Sheet<'a> {
    pub(super) baseline: &'a Baseline,
    /// The key that speaks for this terminal, in words.
    pub(super) key: &'a str,
    /// Against the earlier baseline, or now against the one shown; `None` = not compared.
    pub(super) deviations: Option<&'a [Deviation]>,
    pub(super) concerns: &'a [Concern],
    /// Where it was saved; `None` = it is only shown.
    pub(super) saved: Option<&'a Path>,
    pub(super) lang: Lang,
}

/// Columns that a value may take before the next goes to a new line.
const ROOM: usize = 90;

impl Display for Sheet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lang = self.lang;
        writeln!(f, "{}", lang.pick("isonet 登记验收单", "isonet acceptance sheet"))?;
        let rows = rows(self.baseline, self.key, lang);
        let widest = rows.iter().map(|(label, _)| label.width()).max().unwrap_or_default();
        for (label, values) in &rows {
            for (i, value) in values.iter().enumerate() {
                let label = if i == 0 { label } else { "" };
                writeln!(f, "  {label}{}  {value}", " ".repeat(widest - label.width()))?;
            }
        }
        if let Some(deviations) = self.deviations {
            self.changes(f, deviations)?;
        }
        if !self.concerns.is_empty() {
            writeln!(
                f,
                "\n{}",
                lang.pick(
                    "请工程师确认以下情况（确认无误即可接受，否则先处理再更新登记）：",
                    "For the engineer to accept, or to put right and enrol again:"
                )
            )?;
            for concern in self.concerns {
                writeln!(f, "  [ ] {}", describe(concern, lang))?;
            }
        }
        if let Some(path) = self.saved {
            let path = path.display();
            writeln!(f, "\n{}", lang.pick(format!("已保存到 {path}"), format!("Saved to {path}")))?;
            writeln!(f, "{}", lang.pick("工程师：____________    日期：____________", "Engineer: ____________    Date: ____________"))?;
        }
        Ok(())
    }
}

impl Sheet<'_> {
    fn changes(&self, f: &mut fmt::Formatter<'_>, deviations: &[Deviation]) -> fmt::Result {
        let lang = self.lang;
        if deviations.is_empty() {
            return writeln!(f, "\n{}", lang.pick("与基线没有差别。", "Nothing differs from the baseline."));
        }
        let heading = match self.saved {
            Some(_) => lang.pick("与上一次登记的差别：", "What changed since the earlier baseline:"),
            None => lang.pick("现在与基线的差别：", "What differs from it now:"),
        };
        writeln!(f, "\n{heading}")?;
        let name =
            |deviation: &Deviation| format!("{} {}", aspect(deviation.aspect, lang), clean(&deviation.subject)).trim_end().to_owned();
        let widest = deviations.iter().map(|deviation| name(deviation).width()).max().unwrap_or_default();
        for deviation in deviations {
            let name = name(deviation);
            let side = |value: &Option<String>| side(deviation.aspect, value.as_deref(), lang);
            writeln!(f, "  {name}{}  {} -> {}", " ".repeat(widest - name.width()), side(&deviation.old), side(&deviation.new))?;
        }
        Ok(())
    }
}

/// One side of a difference, in words where the baseline has a mark of its own.
fn side(aspect: Aspect, value: Option<&str>, lang: Lang) -> String {
    let words = match (aspect, value) {
        (_, None) => lang.pick("无", "none"),
        (Aspect::Gateway | Aspect::OnLink | Aspect::Allowed, Some(_)) | (Aspect::Interface, Some("- -")) => lang.pick("有", "present"),
        (Aspect::TimeDaemon, Some(_)) => lang.pick("运行中", "running"),
        (Aspect::Forwarding, Some("on")) => lang.pick("开", "on"),
        (Aspect::Forwarding, Some("off")) => lang.pick("关", "off"),
        (Aspect::HostsFile | Aspect::ResolvFile | Aspect::TimeFile, Some("absent")) => lang.pick("没有该文件", "no such file"),
        (Aspect::Firewall, Some(text)) => {
            return lang.pick(clean(text).replace("rules: ", "规则 ").replace(", tables: ", "，表 "), clean(text));
        }
        (Aspect::Access, Some(text)) => match serde_json::from_value(text.into()) {
            Ok(known) => access(known, lang),
            Err(_) => return clean(text),
        },
        (_, Some(text)) => return clean(text),
    };
    words.to_owned()
}

type Row = (&'static str, Vec<String>);

fn rows(baseline: &Baseline, key: &str, lang: Lang) -> Vec<Row> {
    let none = || lang.pick("无", "none").to_owned();
    let mut rows: Vec<Row> = Vec::new();
    let mut add = |zh, en, values: Vec<String>| rows.push((lang.pick(zh, en), if values.is_empty() { vec![none()] } else { values }));
    add("终端编号", "Terminal", baseline.terminal.clone().into_iter().collect());
    add("签名密钥", "Signing key", vec![clean(key)]);
    add("登记时间", "Taken at", vec![local(baseline)]);
    add("登记人", "Taken by", vec![baseline.taken_by.as_deref().map_or_else(|| lang.pick("未填写", "not given").to_owned(), clean)]);
    add("接入方式", "Access", vec![access(baseline.access, lang).to_owned()]);
    add("主机名", "Host name", baseline.host.name.iter().map(|name| clean(name)).collect());
    add("时区", "Time zone", baseline.host.timezone.iter().map(|zone| clean(zone)).collect());
    add("网卡", "Interfaces", interfaces(baseline, lang));
    add("网关", "Gateways", gateways(baseline));
    add("本机网段", "On-link", wrapped(&baseline.prefixes.on_link));
    add("专网范围", "Inside", wrapped(&baseline.prefixes.allowed));
    add("DNS 服务器", "Name servers", seen(&baseline.resolvers, lang, |servers| wrapped(servers)));
    add(
        "hosts 文件",
        "Hosts file",
        baseline.hosts_entries.iter().map(|entry| format!("{} = {}", clean(&entry.name), joined(&entry.addresses))).collect(),
    );
    add(
        "VPN 程序",
        "VPN owners",
        seen(&baseline.owners, lang, |owners| {
            let line = |owner: &crate::baseline::Owner| {
                clean(&format!("{}: {} ({})", owner.interface, owner.process, owner.unit.as_deref().unwrap_or("-")))
            };
            owners.iter().map(line).collect()
        }),
    );
    add(
        "USB 设备",
        "USB",
        baseline.usb.iter().map(|usb| clean(&format!("{}:{} {}", usb.vendor, usb.product, usb.serial.as_deref().unwrap_or("-")))).collect(),
    );
    add("校时程序", "Time daemons", baseline.time.daemons.clone());
    add(
        "防火墙",
        "Firewall",
        seen(&baseline.firewall, lang, |firewall| {
            let (tables, rules) = (firewall.tables, firewall.rules);
            vec![lang.pick(format!("{rules} 条规则，{tables} 个表"), format!("rules: {rules}, tables: {tables}"))]
        }),
    );
    if let Some(last) = baseline.history.last() {
        let (count, reason) = (baseline.history.len(), clean(&last.reason));
        add(
            "更新次数",
            "Updates",
            vec![lang.pick(format!("{count}，最近一次原因：{reason}"), format!("{count}, the last because: {reason}"))],
        );
    }
    rows
}

/// The time of the baseline in the time zone it was taken in, where that is known here.
fn local(baseline: &Baseline) -> String {
    let zone = baseline.host.timezone.as_deref().and_then(|name| jiff::tz::TimeZone::get(name).ok()).unwrap_or(jiff::tz::TimeZone::UTC);
    baseline.taken_at.to_zoned(zone).strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
}

fn seen<T>(value: &Seen<T>, lang: Lang, lines: impl Fn(&T) -> Vec<String>) -> Vec<String> {
    match value {
        Seen::Seen(value) => lines(value),
        Seen::Unseen(because) => {
            let because = clean(&unseen(because, lang));
            vec![lang.pick(format!("看不到：{because}"), format!("not visible: {because}"))]
        }
    }
}

fn interfaces(baseline: &Baseline, lang: Lang) -> Vec<String> {
    let line = |interface: &crate::baseline::Interface| {
        let mut parts = vec![interface.name.to_string()];
        parts.extend(interface.driver.clone());
        parts.extend(interface.mac.clone());
        match interface.mac_origin {
            _ if interface.mac.is_none() => {}
            MacOrigin::Random => parts.push(lang.pick("（随机地址）", "(random address)").to_owned()),
            MacOrigin::Set => parts.push(lang.pick("（人工设置的地址）", "(address set by hand)").to_owned()),
            MacOrigin::Permanent | MacOrigin::Inherited | MacOrigin::Unknown => {}
        }
        clean(&parts.join("  "))
    };
    baseline.interfaces.iter().map(line).collect()
}

fn gateways(baseline: &Baseline) -> Vec<String> {
    let line = |gateway: &crate::baseline::KnownGateway| {
        let address = gateway.address.map_or_else(|| "-".to_owned(), |ip| ip.to_string());
        let device = gateway.device.as_ref().map_or("-", |name| name.as_str());
        clean(&format!("{address}  {device}  {}", gateway.mac.as_deref().unwrap_or("-")))
    };
    baseline.gateways.iter().map(line).collect()
}

/// Items side by side, on as many lines as it takes.
fn wrapped<T: Display>(items: &[T]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for item in items.iter().map(ToString::to_string) {
        match lines.last_mut() {
            Some(line) if line.len() + item.len() + 2 <= ROOM => {
                line.push_str("  ");
                line.push_str(&item);
            }
            _ => lines.push(item),
        }
    }
    lines
}

fn joined<T: Display>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Names come from devices and files: nothing in them may steer the terminal.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

fn access(access: Access, lang: Lang) -> &'static str {
    match access {
        Access::LeasedLine => lang.pick("专线", "leased line"),
        Access::VpnBox => lang.pick("VPN 设备", "VPN box"),
        Access::VpnOverInternet => lang.pick("宽带上的 VPN", "VPN over the internet"),
        Access::FrontEnd => lang.pick("前置机", "front-end server"),
        Access::Unknown => lang.pick("未填写", "not configured"),
    }
}

fn role(role: UsbRole, lang: Lang) -> &'static str {
    match role {
        UsbRole::Storage => lang.pick("存储设备", "storage"),
        UsbRole::Phone => lang.pick("手机或相机", "a phone or camera"),
        UsbRole::Network => lang.pick("上网设备", "a network device"),
        UsbRole::Bluetooth => lang.pick("蓝牙", "Bluetooth"),
    }
}

fn describe(concern: &Concern, lang: Lang) -> String {
    match concern {
        Concern::NoIdentity => lang
            .pick("系统没有机器标识，无法区分本终端", "the system has no machine id: this terminal cannot be told from others")
            .to_owned(),
        Concern::UsbPresent(kind, device) => {
            let (kind, device) = (role(*kind, lang), clean(device));
            lang.pick(format!("插着 USB {kind}：{device}"), format!("USB: {kind} is plugged in: {device}"))
        }
        Concern::DefaultRoute(way) => {
            let way = clean(way);
            lang.pick(
                format!("默认路由 {way}：请确认它通向专网，而不是互联网"),
                format!("default route {way}: make sure that it leads inside, not to the internet"),
            )
        }
        Concern::SeveralDefaults(count) => {
            lang.pick(format!("默认路由经过 {count} 块不同的网卡"), format!("default routes through {count} different interfaces"))
        }
        Concern::Lookalike(who, what) => {
            let (who, what) = (clean(who), clean(&result(what, lang).unwrap_or_else(|| what.clone())));
            lang.pick(
                format!("有设备代替互联网应答：{who}（{what}），登记后在这条线路上不再提示"),
                format!("something answers in place of the internet: {who} ({what}); from now on it is not mentioned on this way"),
            )
        }
        Concern::Internet(who) => {
            let who = clean(who);
            lang.pick(
                format!("从这里能连到互联网（{who} 已验明身份）：登记不等于认可，服务启动后会报告"),
                format!(
                    "the internet is reached from here ({who} proved who it is): enrolling does not accept it, the service will report it"
                ),
            )
        }
        Concern::Forwarding(family) => lang
            .pick(format!("本机在转发 {family} 数据，可能把专网延伸出去"), format!("this PC forwards {family}: it may extend the network")),
        Concern::NoTimeDaemon => lang.pick("没有校时程序在运行，时钟会走偏", "no time daemon runs: the clock will drift").to_owned(),
        Concern::ClockNotKept => {
            lang.pick("时钟尚未同步，登记时间可能不准", "the clock is not synchronised: the time of this baseline may be wrong").to_owned()
        }
        Concern::NoFirewall => lang.pick("防火墙没有拦任何东西", "the firewall keeps nothing out").to_owned(),
        Concern::FirewallUnseen(because) => {
            let because = clean(&unseen(because, lang));
            lang.pick(format!("看不到防火墙：{because}"), format!("the firewall could not be seen: {because}"))
        }
        Concern::VpnOwnerUnknown(name) => {
            let name = clean(name);
            lang.pick(
                format!("不知道 VPN {name} 由哪个程序建立：请在 VPN 连通时登记，或在配置中填写 process"),
                format!("who makes the VPN {name} is not known: enrol while it is connected, or configure its process"),
            )
        }
        Concern::ResolversUnseen(because) => {
            let because = clean(&unseen(because, lang));
            lang.pick(format!("看不到 DNS 设置：{because}"), format!("the name servers could not be seen: {because}"))
        }
        Concern::Unreadable(path) => lang.pick(format!("{path} 读不了"), format!("{path} cannot be read")),
        Concern::Permissions(path, mode) => {
            let path = clean(path);
            lang.pick(format!("{path} 的权限过宽（{mode:04o}）"), format!("{path} is open to others (mode {mode:04o})"))
        }
    }
}

fn aspect(aspect: Aspect, lang: Lang) -> &'static str {
    match aspect {
        Aspect::Terminal => lang.pick("终端编号", "terminal"),
        Aspect::Access => lang.pick("接入方式", "access"),
        Aspect::Interface => lang.pick("网卡", "interface"),
        Aspect::InterfaceMac => lang.pick("网卡地址", "address of interface"),
        Aspect::Gateway => lang.pick("网关", "gateway"),
        Aspect::GatewayMac => lang.pick("网关硬件地址", "address of gateway"),
        Aspect::OnLink => lang.pick("本机网段", "on-link"),
        Aspect::Allowed => lang.pick("专网范围", "inside"),
        Aspect::Resolvers => lang.pick("DNS 服务器", "name servers"),
        Aspect::HostsEntry => lang.pick("hosts 中的", "hosts entry"),
        Aspect::HostsFile => lang.pick("hosts 文件", "hosts file"),
        Aspect::ResolvFile => lang.pick("resolv.conf", "resolv.conf"),
        Aspect::HostName => lang.pick("主机名", "host name"),
        Aspect::Timezone => lang.pick("时区", "time zone"),
        Aspect::Owner => lang.pick("VPN 程序", "VPN owner"),
        Aspect::Usb => lang.pick("USB 设备", "USB device"),
        Aspect::TimeDaemon => lang.pick("校时程序", "time daemon"),
        Aspect::TimeFile => lang.pick("校时配置", "time settings"),
        Aspect::Firewall => lang.pick("防火墙", "firewall"),
        Aspect::Forwarding => lang.pick("转发", "forwarding"),
    }
}
