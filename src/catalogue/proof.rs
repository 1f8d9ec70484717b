//! Evidence in words: what was asked and what came back.
//!
//! Evidence is language-free and open (a probe may bring a kind nobody has words for yet), so both functions fall back to the fact itself.

use super::Lang;

/// What was asked, e.g. `tcp.connect`; `None` when there are no words for it.
pub fn question(kind: &str, lang: Lang) -> Option<&'static str> {
    let family = kind.split(['.', ' ', ':']).next().unwrap_or(kind);
    let (zh, en) = match family {
        "link" | "carrier" => ("看网口", "network port"),
        "address" | "addr" => ("看本机地址", "PC's address"),
        "gateway" | "arp" | "neighbour" => ("问路由器", "router"),
        "route" => ("查路由", "routing"),
        "walk" | "hop" | "line" => ("逐段往外探", "way outward, step by step"),
        "ping" | "icmp" => ("探测", "test packet"),
        "udp" => ("发一个小包", "small packet"),
        "tcp" => ("连端口", "port"),
        "tls" | "certificate" => ("核对安全证书", "certificate"),
        "http" => ("访问服务", "service"),
        "dns" | "query" | "resolver" | "resolvers" | "lookup" | "hosts" => ("查域名", "name look-up"),
        "vpn" => ("看 VPN", "VPN"),
        "upload" | "mtu" => ("传一段大数据", "large data"),
        "clock" => ("对时间", "clock"),
        _ => return None,
    };
    Some(lang.pick(zh, en))
}

/// What came back, e.g. `ECONNREFUSED`; `None` when there are no words for it.
pub fn result(result: &str, lang: Lang) -> Option<&'static str> {
    let (zh, en) = match result {
        "silence" => ("没有回应", "no answer"),
        "ok" => ("正常", "works"),
        "refused" | "RST" | "ECONNREFUSED" => ("对方拒绝", "refused"),
        "no-carrier" | "no carrier" => ("没有信号", "no signal"),
        "ENETUNREACH" => ("没有可走的路由", "no route"),
        "EHOSTUNREACH" | "host-unreachable" | "icmp host-unreachable" => ("到不了对方", "cannot be reached"),
        "EPERM" | "EACCES" => ("被本机拦下", "stopped on this PC"),
        "EINVAL" => ("被本机路由丢弃", "dropped by this PC's routing"),
        "ENETDOWN" => ("网卡停用", "network card off"),
        "ECONNRESET" => ("连接被对方断开", "cut off by the other side"),
        "ETIMEDOUT" => ("等到超时也没有回应", "no answer in time"),
        "rcode NXDOMAIN" | "NXDOMAIN" => ("说没有这个名字", "says there is no such name"),
        "rcode SERVFAIL" | "SERVFAIL" => ("说查不出来", "says it cannot find out"),
        "rcode REFUSED" | "REFUSED" => ("说不给查", "says it does not serve us"),
        "expired" => ("证书已过期", "certificate has run out"),
        "port-unreachable" | "icmp port-unreachable" => ("机器在，服务没开", "machine there, service not"),
        "net-unreachable" | "icmp net-unreachable" => ("路上说走不通", "the way there is closed"),
        "admin-prohibited" | "icmp admin-prohibited" => ("路上有设备不让过", "forbidden on the way"),
        _ => return None,
    };
    Some(lang.pick(zh, en))
}
