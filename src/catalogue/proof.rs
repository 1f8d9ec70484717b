//! Evidence in words: what was asked and what came back.
//!
//! Evidence is language-free and open (a probe may bring a kind nobody has words for yet), so both functions answer `None` rather than
//! guess; the caller then shows the fact itself.

mod clock;
mod settings;
mod usb;

use super::Lang;

/// What was asked, e.g. `tcp.connect`; `None` when there are no words for it.
pub fn question(kind: &str, lang: Lang) -> Option<&'static str> {
    if let Some((zh, en)) = settings::question(kind) {
        return Some(lang.pick(zh, en));
    }
    let family = kind.split('.').next().unwrap_or(kind);
    let (zh, en) = match (kind, family) {
        ("http.date", _) => ("对时间", "clock compared with"),
        ("http.upload", _) => ("传一段大数据", "large data to"),
        ("http.upload-small-segments", _) => ("同样的数据分成小块再传", "the same in small pieces to"),
        ("icmp.series", _) => ("连发几个探测包给", "several test packets to"),
        ("exchange.series", _) => ("连发几个小请求给", "several small requests to"),
        ("wire.answer", _) => ("网口上收到的", "arrived at the network card from"),
        ("address.enrolled", _) => ("登记的地址", "registered address of"),
        ("address.conflict", _) => ("本机地址", "address"),
        ("gateway.enrolled", _) => ("登记的路由器", "registered router"),
        ("route.gateway", _) => ("设置里的路由器", "router in the settings"),
        ("link.enrolled", _) => ("登记时用的拨号网口", "dial-up interface in use at enrolment"),
        ("link.dial-up", _) => ("本机的宽带拨号", "dial-up set up on this PC"),
        ("link.list", _) => ("找到的网卡", "network cards found"),
        ("usb.reader", _) => ("登记的读卡器", "registered card reader"),
        ("maintenance.window", _) => ("通知的维护时间", "announced maintenance"),
        ("tls.certificate", _) => ("证书有效期", "certificate dates of"),
        ("vpn.process", _) => ("VPN 程序", "VPN program"),
        ("vpn.interface", _) => ("VPN 网口", "VPN interface"),
        ("vpn.counters", _) => ("VPN 收发", "VPN traffic of"),
        ("vpn.unit", _) => ("VPN 服务", "VPN service"),
        ("vpn.log", _) => ("VPN 日志", "VPN log of"),
        ("dns.resolvers", _) => ("域名服务器", "name servers"),
        ("route.expected", _) => ("本来该走", "expected way to"),
        ("uplink.link", _) => ("登记时没有的网口", "network port not registered:"),
        ("uplink.route", _) => ("登记时没有的路由", "route not registered, to"),
        ("uplink.rule", _) => ("通向它的路由规则", "rule that leads to"),
        ("uplink.told-by", _) => ("设这条路由的", "who set the route on"),
        ("outside.path", _) => ("往外的走法", "way out by"),
        ("outside.tls", _) => ("核对身份", "identity of"),
        ("outside.control", _) => ("对照地址（本来不该有回应）", "control address, nobody lives at"),
        ("outside.canary", _) => ("本单位的回声站", "the organisation's own canary at"),
        ("outside.approval", _) => ("定时检查的批准人和文号", "regular checks approved by"),
        ("outside.proxy", _) => ("代理写在", "proxy, written in"),
        ("outside.name", _) => ("查互联网上的名字", "look-up of the public name"),
        ("grant.window", _) => ("放行", "grant"),
        ("extension.switch", _) => ("转发开关", "forwarding switch of"),
        ("extension.forwarded", _) => ("转发计数", "forwarding counts"),
        ("extension.nat", _) => ("地址转换规则", "address translation in"),
        ("extension.bridge", _) => ("网桥", "bridge"),
        ("extension.addresses", _) => ("地址分配", "address server on"),
        ("extension.shared", _) => ("共享连接的地址", "shared connection on"),
        ("extension.hotspot", _) => ("无线热点", "wireless network of its own on"),
        ("extension.proxy", _) => ("代理程序", "proxy program"),
        ("extension.namespace", _) => ("另有网络的程序", "program with a network of its own"),
        (_, "link") => ("网口", "network port"),
        (_, "address") => ("本机地址", "address of"),
        (_, "gateway") => ("路由器", "router"),
        (_, "route") => ("本机路由到", "routing to"),
        (_, "path" | "line") => ("逐段往外探到", "step by step to"),
        (_, "icmp") => ("发探测包给", "test packet to"),
        (_, "udp") => ("发小包给", "small packet to"),
        (_, "tcp") => ("连", "connect to"),
        (_, "tls") => ("核对安全证书", "certificate of"),
        (_, "http") => ("访问", "request to"),
        (_, "dns") => ("查域名", "look-up"),
        (_, "vpn") => ("VPN", "VPN"),
        (_, "wireguard") => ("VPN 上次握手", "VPN's last handshake"),
        (_, "usb") => return usb::question(kind, lang),
        (_, "clock") => return clock::question(kind, lang),
        _ => return None,
    };
    Some(lang.pick(zh, en))
}

/// What came back, e.g. `ECONNREFUSED` or `icmp host-unreachable from 10.0.0.1`; `None` when there are no words for it.
pub fn result(result: &str, lang: Lang) -> Option<String> {
    fixed(result, lang)
        .map(str::to_owned)
        .or_else(|| with_argument(result, lang))
        .or_else(|| usb::result(result, lang))
        .or_else(|| clock::result(result, lang))
}

fn fixed(result: &str, lang: Lang) -> Option<&'static str> {
    let (zh, en) = match result {
        "silence" => ("没有回应", "no answer"),
        "answer" => ("有回应", "answers"),
        "connected" => ("连上了", "connected"),
        "RST" | "ECONNREFUSED" => ("对方拒绝", "refused"),
        "up, no carrier" => ("没有信号", "no signal"),
        "up" => ("有信号", "signal"),
        "down" => ("停用", "switched off"),
        "ENETUNREACH" => ("没有可走的路", "no route"),
        "EHOSTUNREACH" | "host-unreachable" => ("到不了对方", "cannot be reached"),
        "EPERM" | "EACCES" => ("被本机拦下", "stopped on this PC"),
        "EINVAL" | "blackhole" | "unreachable" | "prohibit" => ("被本机路由拒绝", "refused by this PC's routing"),
        "ENETDOWN" => ("网卡停用", "network card off"),
        "ECONNRESET" => ("被对方断开", "cut off by the other side"),
        "ETIMEDOUT" => ("等到超时也没有回应", "no answer in time"),
        "NXDOMAIN" => ("说没有这个名字", "says there is no such name"),
        "SERVFAIL" => ("说查不出来", "says it cannot find out"),
        "REFUSED" => ("说不给查", "says it does not serve us"),
        "port-unreachable" => ("机器在，服务没开", "machine there, service not"),
        "net-unreachable" => ("路上说走不通", "the way there is closed"),
        "admin-prohibited" => ("路上有设备不让过", "forbidden on the way"),
        "certificate expired" => ("证书过期", "certificate has run out"),
        "certificate not valid yet" => ("证书还没生效", "certificate is not valid yet"),
        "issuer unknown" => ("不认识签发机构", "issuer is not known"),
        "other name" => ("写的是别的名字", "made out to another name"),
        "client certificate" => ("要这边出示证书", "wants a certificate of ours"),
        "protocol not supported by this tool" => ("加密方式本工具不支持", "encryption not known to this tool"),
        "none" | "missing" => ("没有", "none"),
        "on" | "active" => ("开着", "on"),
        "over" => ("已到期", "its time is over"),
        "packets of other devices" => ("转发过别的设备的数据", "data of other devices was passed on"),
        "idle" => ("在，但没有在用", "there, not in use"),
        "arrived" => ("到了这台电脑", "it reached this PC"),
        "another station answers for it" => ("有别的设备在用", "another device answers for it"),
        "too large" => ("回来的数据多得不正常", "far too much came back"),
        "time-exceeded" => ("在路上绕圈子", "went round in circles"),
        "left over" => ("残留着", "left over"),
        "running" => ("在运行", "running"),
        "installed" => ("装着", "installed"),
        "not running" => ("没有运行", "not running"),
        "not known" => ("不清楚", "not known"),
        "auth failed" => ("验证没通过", "login refused"),
        "nothing telling" => ("没写原因", "gives no reason"),
        "session established" => ("记着连上了", "says connected"),
        "server lost" => ("和服务器断了联系", "lost its server"),
        "ended by the server" => ("被服务器断开", "ended by the server"),
        "ended as idle or too old" => ("闲置或到时限断开", "ended as idle or too old"),
        "client failed" => ("程序出错退出", "program failed"),
        "not read" => ("没有读到", "not read"),
        "failed" => ("出错停了", "failed"),
        "no interface" => ("没有连上", "not connected"),
        "no session" => ("没有拨通", "not connected"),
        "no address" => ("没有查到地址", "no address"),
        "outside every on-link prefix" => ("不在本机网段里", "outside this PC's range"),
        "not finished" => ("没等到结果", "not finished"),
        "found" => ("查到了", "found"),
        "too near" => ("近得不像在外面", "too near to be outside"),
        "one certificate for two operators" => ("两家用同一张证书", "two operators show one certificate"),
        "issuer unknown, signed by itself" => ("证书是自己签的", "certificate signed by itself"),
        "signature not valid" => ("签名不对，不是它", "signature is not the canary's"),
        "seen from inside" => ("看到的是内网地址，它不在外面", "it saw an address from inside, so it is not outside"),
        "connection seen" => ("看到有程序连着它", "a program was seen to talk to it"),
        "keeps nothing out" => ("什么都不拦", "keeps nothing out"),
        "other rules" => ("条数一样，内容变了", "as many rules, with other words"),
        "drop" => ("丢弃", "dropped"),
        "accept" => ("放行", "let pass"),
        "inactive" => ("停着", "off"),
        "local-change" => ("这台电脑上的改动", "a change at this PC"),
        "upstream" => ("运营商或医保局那一侧", "the operator's or the bureau's side"),
        "router advertisement" => ("路由器的通告", "a router's advertisement"),
        "address server" => ("分配地址的服务器（DHCP）", "the server of addresses (DHCP)"),
        _ => return None,
    };
    Some(lang.pick(zh, en))
}

fn with_argument(result: &str, lang: Lang) -> Option<String> {
    if let Some(rest) = result.strip_prefix("icmp ") {
        let (kind, from) = rest.split_once(" from ").map_or((rest, None), |(kind, from)| (kind, Some(from)));
        let words = fixed(kind, lang)?;
        return Some(match from {
            Some(from) => lang.pick(format!("{words}（{from} 说的）"), format!("{words} (says {from})")),
            None => words.to_owned(),
        });
    }
    if let Some(rest) = result.strip_prefix("ttl ") {
        let (step, what) = rest.split_once(' ')?;
        return Some(match what.strip_prefix("expired at ") {
            Some(router) => lang.pick(format!("第 {step} 段 {router} 有回应"), format!("step {step}, {router} answers")),
            None if what == "reached it" => lang.pick(format!("第 {step} 段就到了"), format!("reached at step {step}")),
            None => lang.pick(format!("第 {step} 段{}", words(what, lang)), format!("step {step}: {}", words(what, lang))),
        });
    }
    if let Some(speed) = result.strip_prefix("up, ") {
        return Some(lang.pick(format!("有信号，{speed}"), format!("signal, {speed}")));
    }
    if let Some(counts) = result.strip_prefix("answer ") {
        let (answered, sent) = counts.split_once('/')?;
        return Some(lang.pick(format!("发 {sent} 个，回来 {answered} 个"), format!("{sent} sent, {answered} came back")));
    }
    if let Some(offset) = offset(result) {
        return Some(clock(offset, lang));
    }
    if result.starts_with("not the protocol") {
        return Some(lang.pick("回来的东西看不懂", "what came back makes no sense").to_owned());
    }
    if result.starts_with("packet-too-big") {
        return Some(lang.pick("路上说数据包太大", "says the packet is too large").to_owned());
    }
    if result.starts_with("closed after ") || result.starts_with("reset after ") {
        return Some(lang.pick("连上后被断开", "cut off after connecting").to_owned());
    }
    if result.starts_with("not asked") {
        return Some(lang.pick("没有问", "not asked").to_owned());
    }
    if let Some(seconds) = result.strip_suffix(" s ago") {
        return Some(lang.pick(format!("{seconds} 秒前"), format!("{seconds} s ago")));
    }
    if result.ends_with(" not judged") {
        return Some(lang.pick("连上了，没有判断真假", "there, not judged").to_owned());
    }
    if result.ends_with(" verified but for the dates") {
        return Some(lang.pick("核对无误，只有日期和电脑的对不上", "verified, but its dates and this PC's date disagree").to_owned());
    }
    if let Some(seen) = result.strip_prefix("saw ") {
        return Some(
            lang.pick(format!("签名核对无误，它看到的外网地址是 {seen}"), format!("signature verified; it saw this PC come from {seen}")),
        );
    }
    if result.ends_with(" verified") {
        return Some(lang.pick("核对无误", "verified").to_owned());
    }
    traffic(result, lang).or_else(|| way(result, lang)).or_else(|| between(result, lang))
}

/// `+7200 s`: how far the other side's clock is ahead of this PC's, in seconds.
fn offset(result: &str) -> Option<i64> {
    let seconds = result.strip_suffix(" s")?;
    if seconds.starts_with(['+', '-']) { seconds.parse().ok() } else { None }
}

/// Seconds by which clocks may differ without anybody minding: certificates do not fail for it.
const HARDLY: u64 = 300;

/// Whose clock is behind, and by how much.
fn clock(offset: i64, lang: Lang) -> String {
    let by = span(offset.unsigned_abs(), lang);
    match offset.signum() {
        0 => lang.pick("一致", "they agree").to_owned(),
        _ if offset.unsigned_abs() <= HARDLY => lang.pick(format!("只差 {by}"), format!("only {by} apart")),
        1 => lang.pick(format!("电脑慢 {by}"), format!("this PC is {by} behind")),
        _ => lang.pick(format!("电脑快 {by}"), format!("this PC is {by} ahead")),
    }
}

/// A length of time as people say it.
fn span(seconds: u64, lang: Lang) -> String {
    let (count, zh, en) = match seconds {
        ..120 => (seconds, "秒", "s"),
        120..7200 => (seconds / 60, "分钟", "min"),
        7200..172_800 => (seconds / 3600, "小时", "h"),
        _ => (seconds / 86_400, "天", "days"),
    };
    format!("{count} {}", lang.pick(zh, en))
}

/// By how much two clocks differ, for a fact such as `+7200 s`; the fact itself when it is another.
pub(super) fn apart(fact: &str, lang: Lang) -> String {
    offset(fact).map_or_else(|| fact.to_owned(), |offset| span(offset.unsigned_abs(), lang))
}

/// `sent 10 B, received 0 B`.
fn traffic(result: &str, lang: Lang) -> Option<String> {
    let (sent, received) = result.strip_prefix("sent ")?.split_once(" B, received ")?;
    let received = received.strip_suffix(" B")?;
    Some(lang.pick(format!("发出 {sent} 字节，收到 {received} 字节"), format!("sent {sent} bytes, received {received}")))
}

/// `2025-10-18T00:00:00Z .. 2026-11-19T00:00:00Z`; whole days need no time of day.
fn between(result: &str, lang: Lang) -> Option<String> {
    let (from, to) = result.split_once(" .. ")?;
    let said = |at: &str| {
        let (day, time) = at.strip_suffix('Z')?.split_once('T')?;
        Some(if time == "00:00:00" { day.to_owned() } else { format!("{day} {} UTC", time.get(..5)?) })
    };
    let (from, to) = (said(from)?, said(to)?);
    Some(lang.pick(format!("从 {from} 到 {to}"), format!("from {from} to {to}")))
}

/// `via 10.0.0.1 dev eth0`, `dev tun0`, either with ` table 100`.
fn way(result: &str, lang: Lang) -> Option<String> {
    if let Some((way, table)) = result.split_once(" table ") {
        let way = self::way(way, lang)?;
        return Some(lang.pick(format!("{way}（路由表 {table}）"), format!("{way} (table {table})")));
    }
    if let Some(device) = result.strip_prefix("dev ") {
        return Some(lang.pick(format!("从 {device} 出去"), format!("out by {device}")));
    }
    let (gateway, device) = result.strip_prefix("via ")?.split_once(" dev ")?;
    Some(lang.pick(format!("从 {device} 出去，经 {gateway}"), format!("out by {device} via {gateway}")))
}

fn words(result: &str, lang: Lang) -> String {
    self::result(result, lang).unwrap_or_else(|| format!(" {result}"))
}
