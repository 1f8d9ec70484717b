//! What keeps a receiver from taking records, and what to do about it.

use super::{Lang, among};
use crate::model::Watcher;
use crate::sink::{Hindrance, Obstacle};

/// In one sentence what hinders a sink, in one what to do, then the words of whoever said so. Records wait meanwhile; that goes without saying here.
pub fn hindered(hindrance: &Hindrance, lang: Lang) -> String {
    let (what, remedy) = words(hindrance.obstacle, lang);
    let detail = &hindrance.detail;
    match lang {
        Lang::ZhCn => format!("{what}。{remedy}（{detail}）"),
        Lang::En => format!("{what}. {remedy} ({detail})"),
    }
}

/// That a receiver does not promise what records need, as a clause without a full stop. `object` = what an incident is about; `None` = it is about
/// something else.
pub fn shortfall(object: &str, lang: Lang) -> Option<String> {
    let (_, sink) = Watcher::of_blindness(object).filter(|(watcher, _)| *watcher == Watcher::Shipping)?;
    Some(lang.pick(
        among("接收端", sink, "没有设好，送去的记录可能留不住"),
        format!("the receiver {sink} may lose records: it is not set up as it has to be"),
    ))
}

/// The same to whoever looks at how far a sink is, with what to do. `lacks` = what is missing, in an engineer's words.
pub fn lacking(lacks: &str, lang: Lang) -> String {
    let (_, remedy) = words(Obstacle::Setup, lang);
    lang.pick(format!("接收端收下的记录可能留不住：{lacks}。{remedy}"), format!("It may lose what it takes: {lacks}. {remedy}"))
}

fn words(obstacle: Obstacle, lang: Lang) -> (&'static str, &'static str) {
    let (zh, en) = match obstacle {
        Obstacle::Absent => (
            ("接收端没有在监听", "请接收端的管理员确认服务已启动、地址和端口没有写错。"),
            ("Nobody listens at the receiver", "Have its administrator make sure that it runs, and that address and port are right."),
        ),
        Obstacle::Silent => (
            ("接收端没有回应", "先看这台电脑到中心的网络通不通；通的话，请接收端的管理员查防火墙和服务。"),
            (
                "The receiver does not answer",
                "See first whether this PC reaches the centre; if it does, have the receiver's administrator look at its firewall and service.",
            ),
        ),
        Obstacle::Broken => (
            ("没等接收端确认，连接就断了", "会自动重送；如果一直这样，请接收端的管理员看它的日志。"),
            (
                "The connection ended before the receiver had acknowledged",
                "It is tried again by itself; if this goes on, have the receiver's administrator look at its log.",
            ),
        ),
        Obstacle::Busy => (
            ("接收端一时忙不过来", "会自动重送，不用处理。"),
            ("The receiver does not keep up", "It is tried again by itself; nothing has to be done."),
        ),
        Obstacle::WrongWay => (
            (
                "去接收端的路不是登记过的那条，所以什么都没有发出去",
                "看看电脑上是不是多了网卡、热点或 VPN；如果线路确实换过，重新登记（isonet enroll --update）。",
            ),
            (
                "The way to the receiver is not one that was enrolled, so nothing was sent",
                "Look for a network card, hotspot or VPN that was added; if the line was really changed, enroll again (isonet enroll --update).",
            ),
        ),
        Obstacle::Certificate => (
            (
                "接收端出示的证书不对，所以什么都没有发出去",
                "请接收端的管理员核对证书的名称、有效期和签发机构；本机要有正确的 ca 文件，时间也要对。",
            ),
            (
                "The receiver's certificate is not right, so nothing was sent",
                "Have its administrator check the certificate's name, dates and issuer; here the file of ca and the date have to be right.",
            ),
        ),
        Obstacle::Plain => (
            ("接收端不加密，所以什么都没有发出去", "请接收端的管理员打开 TLS。"),
            ("The receiver does not encrypt, so nothing was sent", "Have its administrator switch TLS on."),
        ),
        Obstacle::Identity => (
            ("接收端不认这台电脑的身份", "请接收端的管理员核对这台电脑的证书或凭据是不是过期、被吊销，或者没有写权限。"),
            (
                "The receiver does not accept who this PC is",
                "Have its administrator check whether this PC's certificate or credentials expired, were revoked, or lack the right to write.",
            ),
        ),
        Obstacle::Garbage => (
            ("接收端说的不是约定的协议", "核对配置里的地址、端口和 kind；端口上可能是别的服务。"),
            (
                "The receiver speaks something else",
                "Check address, port and kind in the configuration; another service may be at that port.",
            ),
        ),
        Obstacle::Full => (
            ("接收端存满了", "请接收端的管理员扩容或清理；在此之前记录都留在本机。"),
            ("The receiver is full", "Have its administrator make room; until then records stay on this PC."),
        ),
        Obstacle::Setup => (
            ("接收端没有按要求设好", "请接收端的管理员按运维手册核对设置。"),
            ("The receiver is not set up as it has to be", "Have its administrator compare its settings with the operations guide."),
        ),
        Obstacle::Foreign => (
            ("另一台电脑在用这台电脑的名义送记录", "多半是硬盘被克隆，或者两台电脑写了同一个 terminal.id；改正后再登记一次。"),
            (
                "Another PC ships under the name of this one",
                "Mostly a disk was cloned, or two PCs have the same terminal.id; put it right and enroll again.",
            ),
        ),
        Obstacle::Here => (
            ("本机的文件用不了", "按括号里写的文件和原因改正；运行 isonet check-config 可以核对。"),
            ("A file of this PC is of no use", "Put right what stands in brackets; isonet check-config checks it."),
        ),
    };
    lang.pick(zh, en)
}
