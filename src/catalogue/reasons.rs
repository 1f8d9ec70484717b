//! Why a look-alike is excluded, and why something could not be seen. The arguments are language-free facts from the probes.

use super::Lang;
use super::proof::apart;
use crate::model::{Reason, Unseen, Watcher};

/// The sentence of a reason, without a full stop.
pub fn reason(reason: &Reason, lang: Lang) -> String {
    match lang {
        Lang::ZhCn => reason_zh(reason),
        Lang::En => reason_en(reason),
    }
}

fn reason_zh(reason: &Reason) -> String {
    match reason {
        Reason::Answered(who) => format!("{who} 刚才有回应"),
        Reason::CarrierPresent(link) => format!("网口 {link} 有信号"),
        Reason::AddressPresent(link) => format!("网口 {link} 有可用的地址"),
        Reason::RefusedLocally(by) => format!("数据还没出电脑就被拦下了，是 {by}"),
        Reason::ErrorFromBeyond(ip) => format!("报错的是更远处的 {ip}，说明到那里之前是通的"),
        Reason::ClockAgrees(server) => format!("电脑时间和 {server} 的时间对得上"),
        Reason::ClockDiffers(by) => format!("电脑时间和对面的时间差了 {}", apart(by, Lang::ZhCn)),
        Reason::Running(what) => format!("{what} 是开着的"),
        Reason::NotRunning(what) => format!("{what} 没有开"),
        Reason::RouteRight(device) => format!("数据是从该走的 {device} 出去的"),
    }
}

fn reason_en(reason: &Reason) -> String {
    match reason {
        Reason::Answered(who) => format!("{who} answered just now"),
        Reason::CarrierPresent(link) => format!("{link} has a signal"),
        Reason::AddressPresent(link) => format!("{link} has a usable address"),
        Reason::RefusedLocally(by) => format!("it was refused on this PC at once by {by}, so nothing left"),
        Reason::ErrorFromBeyond(ip) => format!("the error came from {ip} further on, so the way up to there works"),
        Reason::ClockAgrees(server) => format!("this PC's clock agrees with {server}"),
        Reason::ClockDiffers(by) => format!("this PC's clock is {} off the other side's", apart(by, Lang::En)),
        Reason::Running(what) => format!("{what} is running"),
        Reason::NotRunning(what) => format!("{what} is not running"),
        Reason::RouteRight(device) => format!("data leaves by {device}, as it should"),
    }
}

/// What could not be seen, e.g. `gateway.arp`; `None` when there are no words for it.
pub fn unseen_what(what: &str, lang: Lang) -> Option<&'static str> {
    let what = Watcher::of_blindness(what).map_or(what, |(_, what)| what);
    let (zh, en) = match what {
        "baseline" => ("登记时的样子", "what was enrolled"),
        "link.list" => ("有哪些网口", "the network ports"),
        "address.list" => ("本机的地址", "this PC's addresses"),
        "route.list" | "route.lookup" => ("本机的路由", "this PC's routing"),
        "gateway" | "gateway.arp" | "gateway.ping" => ("路由器有没有反应", "whether the router responds"),
        "path.walk" => ("路上的各段", "the steps on the way"),
        "icmp.echo" | "icmp.series" | "exchange.series" | "udp.datagram" => ("对方对探测包的回应", "answers to test packets"),
        "wire.answer" => ("网口上收到了什么", "what arrives at the network card"),
        "link.dial-up" => ("这台电脑有没有设宽带拨号", "whether this PC dials up its line (PPPoE)"),
        "usb.readers" => ("读卡器在不在", "whether the card reader is there"),
        "usb.devices" => ("USB 口上插着什么", "what is plugged in at USB"),
        "usb.disks" => ("有哪些磁盘", "which disks there are"),
        "usb.mounts" => ("磁盘有没有打开", "which disks are in use"),
        "usb.hidden" => ("别的程序单独打开的磁盘", "disks that other programs use out of sight"),
        "usb.served" => ("不写明用哪个磁盘的用户态文件系统", "which disk a file system in user space is made of"),
        "usb.events" => ("USB 插拔的即时通知", "the system's word that something is plugged in"),
        "clock.set" => ("改动日期时间的即时通知", "the system's word that the clock was set"),
        "clock.kept" => ("校时服务有没有对着时间", "whether a time service keeps the clock"),
        "tcp.connect" => ("能不能连上", "whether a connection opens"),
        "tls.handshake" => ("安全证书", "the certificate"),
        "http.get" => ("服务是否正常", "whether the service works"),
        "http.upload" => ("大数据过不过得去", "whether large data gets through"),
        "dns.resolvers" => ("设了哪些域名服务器", "which name servers are set"),
        "dns.lookup" | "dns.query" => ("域名查询", "name look-ups"),
        "outside.roots" => ("往外的通路通不通互联网", "whether a way outward leads to the internet"),
        "extension.links" => ("有哪些网口、网桥", "network ports and bridges"),
        "extension.nat" => ("有没有地址转换规则", "rules that hide others behind this PC"),
        "extension.sharing" => ("有没有在给别的设备分地址、做代理", "whether addresses or a proxy are offered to others"),
        "extension.wireless" => ("无线网卡有没有开热点", "whether a wireless card is a hotspot"),
        "extension.proxy" => ("代理端口是哪个程序开的", "which program holds a proxy's port"),
        "extension.namespaces" => ("有没有另开网络的程序", "programs with a network of their own"),
        "vpn" => ("VPN 的状态", "the VPN's state"),
        "vpn.log" => ("VPN 日志里写了什么", "what the VPN's log says"),
        "vpn.counters" => ("VPN 收发了多少", "what came and went through the VPN"),
        "settings.files" => ("设置文件里写了什么", "what the settings' files say"),
        "settings.hostname" => ("主机名", "the host name"),
        "settings.network" => ("电脑的网络设置", "how this PC's network is set up"),
        "firewall.rules" => ("防火墙的规则", "the firewall's rules"),
        "software.processes" => ("有哪些程序在运行", "which programs run"),
        "identity.network" => ("电脑接在哪里", "where this PC is connected"),
        "upload.marker" => ("上传和下载的标记", "the marks of upload and download"),
        "wireguard.handshake" => ("VPN 上次握手的时间", "the time of the VPN's last handshake"),
        _ => return None,
    };
    Some(lang.pick(zh, en))
}

/// The sentence of why something could not be seen, without a full stop.
pub fn unseen(unseen: &Unseen, lang: Lang) -> String {
    match lang {
        Lang::ZhCn => unseen_zh(unseen),
        Lang::En => unseen_en(unseen),
    }
}

fn unseen_zh(unseen: &Unseen) -> String {
    match unseen {
        Unseen::Capability(capability) => format!("没有权限 {capability}"),
        Unseen::NotConfigured(key) => format!("配置里没有填 {key}"),
        Unseen::NotEnrolled => "这台电脑还没有登记，没有可比的".to_owned(),
        Unseen::Deadline => "时间到了，没来得及查".to_owned(),
        Unseen::Skipped => "前面一层就断了，查了也说明不了什么".to_owned(),
        Unseen::PublicAddress => "那是互联网地址，没有得到允许，不往外发数据".to_owned(),
        Unseen::NotMounted(what) => format!("系统里没有 {what}，把它挂载上（或启动它）再查"),
        Unseen::Hidden(what) => format!("不让当前用户看 {what}，换 root 运行，或者把运行 isonet 的用户加进有权看它的组"),
        Unseen::Unsteady => "查的时候这台电脑的网络正好有变化，查到的不算数".to_owned(),
        Unseen::Error(error) => format!("程序自己没查成：{error}"),
    }
}

fn unseen_en(unseen: &Unseen) -> String {
    match unseen {
        Unseen::Capability(capability) => format!("permission {capability} is missing"),
        Unseen::NotConfigured(key) => format!("{key} is not configured"),
        Unseen::NotEnrolled => "this PC has not been enrolled, there is nothing to compare with".to_owned(),
        Unseen::Deadline => "time ran out before it was looked at".to_owned(),
        Unseen::Skipped => "a lower layer is broken, looking would prove nothing".to_owned(),
        Unseen::PublicAddress => "it is an internet address, and nothing is sent there without leave".to_owned(),
        Unseen::NotMounted(what) => format!("{what} is not there; mount or start it, and look again"),
        Unseen::Hidden(what) => {
            format!("{what} is hidden from this user; run as root, or add the user that runs isonet to the group that may see it")
        }
        Unseen::Unsteady => "the network of this PC changed while it was looked at, so what was seen does not count".to_owned(),
        Unseen::Error(error) => format!("the tool itself could not look: {error}"),
    }
}
