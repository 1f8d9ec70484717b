//! The single words: layers, states, degrees, people.

use super::Lang;
use crate::model::{Actor, Certainty, Isolation, Layer, LayerState, Severity, Subject, Watcher};

/// A layer as the drawn path names it, at most 14 columns wide.
pub fn layer(layer: Layer, lang: Lang) -> &'static str {
    let (zh, en) = match layer {
        Layer::Link => ("网线和网卡", "Network cable"),
        Layer::Address => ("本机地址", "PC's address"),
        Layer::Gateway => ("路由器", "Router"),
        Layer::Line => ("运营商线路", "Operator line"),
        Layer::Vpn => ("VPN", "VPN"),
        Layer::Route => ("本机路由", "PC's routing"),
        Layer::Dns => ("域名解析", "Name look-up"),
        Layer::Tcp => ("中心端口", "Centre's port"),
        Layer::Tls => ("安全证书", "Certificate"),
        Layer::Http => ("结算服务", "Settlement"),
    };
    lang.pick(zh, en)
}

/// What sort of thing a subject is.
pub fn subject(subject: &Subject, lang: Lang) -> &'static str {
    let (zh, en) = match subject {
        Subject::Terminal => ("这台电脑", "this PC"),
        Subject::Link(_) => ("网口", "network port"),
        Subject::Gateway(_) => ("路由器", "router"),
        Subject::Line => ("运营商线路", "operator line"),
        Subject::Vpn(_) => ("VPN", "VPN"),
        Subject::Route(_) => ("去往", "way to"),
        Subject::Resolver(_) => ("域名服务器", "name server"),
        Subject::Name(_) => ("域名", "name"),
        Subject::Endpoint(_) => ("端口", "port"),
        Subject::Host(_) => ("主机", "host"),
        Subject::Centre(_) => ("医保中心", "centre"),
        Subject::Device(_) => ("设备", "device"),
        Subject::File(_) => ("文件", "file"),
        Subject::Program(_) => ("程序", "program"),
        Subject::Namespace(_) => ("本机里隔开的网络", "separate network inside this PC"),
    };
    lang.pick(zh, en)
}

/// What a watcher looks after.
pub fn watcher(watcher: Watcher, lang: Lang) -> &'static str {
    let (zh, en) = match watcher {
        Watcher::Isolation => ("和外网隔开没有", "Separation from outer networks"),
        Watcher::Extension => ("有没有把网络分给别的设备", "Ways for others through this PC"),
        Watcher::Identity => ("是不是登记的那台电脑、接在登记的地方", "This PC and where it is connected"),
        Watcher::Usb => ("U 盘、手机和别的外接设备", "USB sticks, phones and other devices"),
        Watcher::Clock => ("日期、时间和时区", "Date, time and time zone"),
        Watcher::Settings => ("电脑的网络和时间设置", "Settings of network and time"),
        Watcher::Protection => ("防火墙、杀毒和软件", "Firewall, antivirus and software"),
        Watcher::Upload => ("每天的数据上传", "The day's upload"),
        Watcher::Shipping => ("记录送到哪里、存得住吗", "What receivers of records promise"),
    };
    lang.pick(zh, en)
}

/// The state of a layer, as a word.
pub fn state(state: LayerState, lang: Lang) -> &'static str {
    let (zh, en) = match state {
        LayerState::Ok => ("通", "works"),
        LayerState::Failed => ("不通", "broken"),
        LayerState::Unknown => ("看不出来", "could not tell"),
        LayerState::Skipped => ("没有查", "not looked at"),
    };
    lang.pick(zh, en)
}

/// The state of a layer as a mark of exactly four columns that needs no colour.
pub fn mark(state: LayerState, lang: Lang) -> &'static str {
    let (zh, en) = match state {
        LayerState::Ok => ("[通]", "[ok]"),
        LayerState::Failed => ("[断]", "[XX]"),
        LayerState::Unknown => ("[ ?]", "[ ?]"),
        LayerState::Skipped => ("[ -]", "[ -]"),
    };
    lang.pick(zh, en)
}

/// How sure a verdict is.
pub fn certainty(certainty: Certainty, lang: Lang) -> &'static str {
    let (zh, en) = match certainty {
        Certainty::Possible => ("有可能", "possible"),
        Certainty::Likely => ("很可能", "likely"),
        Certainty::Proven => ("已查实", "proven"),
    };
    lang.pick(zh, en)
}

/// How bad it is.
pub fn severity(severity: Severity, lang: Lang) -> &'static str {
    let (zh, en) = match severity {
        Severity::Info => ("提示", "information"),
        Severity::Low => ("不急", "low"),
        Severity::Medium => ("要处理", "medium"),
        Severity::High => ("严重", "high"),
        Severity::Critical => ("紧急", "critical"),
    };
    lang.pick(zh, en)
}

/// Who can put it right.
pub fn actor(actor: Actor, lang: Lang) -> &'static str {
    let (zh, en) = match actor {
        Actor::Shop => ("前台自己", "you at the counter"),
        Actor::Vendor => ("电脑维护人员", "the PC's vendor"),
        Actor::Software => ("结算软件公司", "the settlement software's vendor"),
        Actor::Operator => ("线路运营商", "the line operator"),
        Actor::Bureau => ("医保局信息科", "the insurance bureau's information office"),
        Actor::Centre => ("医保中心", "the insurance centre"),
        Actor::Insured => ("参保人本人", "the insured person"),
        Actor::Institution => ("本单位信息科", "your institution's own computer staff"),
    };
    lang.pick(zh, en)
}

/// Separation from the internet, as one sentence.
pub fn isolation(isolation: Isolation, lang: Lang) -> &'static str {
    let (zh, en) = match isolation {
        Isolation::Intact => ("和互联网的隔离：完好。", "Separation from the internet: intact."),
        Isolation::Suspect => (
            "和互联网的隔离：有可疑的地方，还没有查实，请联系电脑维护人员看一下。",
            "Separation from the internet: something points outward, not proved; have the PC's vendor look at it.",
        ),
        Isolation::Broken => (
            "和互联网的隔离：这台电脑现在能连到互联网，请马上联系医保局信息科。",
            "Separation from the internet: this PC can reach the internet now; call the insurance bureau's information office at once.",
        ),
        Isolation::Unknown => {
            ("和互联网的隔离：只看这一次，还不能下结论。", "Separation from the internet: unknown, one look cannot tell.")
        }
    };
    lang.pick(zh, en)
}

/// Why isolation cannot be judged at all before enrolment.
pub fn isolation_not_enrolled(lang: Lang) -> &'static str {
    lang.pick("和互联网的隔离：不清楚，这台电脑还没有登记。", "Separation from the internet: unknown, this PC has not been enrolled.")
}

/// What must not be done whatever is wrong.
pub fn never_do(lang: Lang) -> &'static str {
    lang.pick(
        "请不要用手机热点代替，不要改电脑时间，不要重装系统和软件。",
        "Please do not use a phone hotspot instead, do not change the time, do not reinstall anything.",
    )
}

/// Whose fault it is not. `elsewhere`: it is proved that the trouble lies outside the institution.
pub fn exoneration(elsewhere: bool, lang: Lang) -> &'static str {
    match (elsewhere, lang) {
        (true, Lang::ZhCn) => "您这边没有问题。",
        (true, Lang::En) => "Nothing on your side is wrong.",
        (false, Lang::ZhCn) => "这不是您操作的问题。",
        (false, Lang::En) => "It is nothing you did.",
    }
}
