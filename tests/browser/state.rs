//! The states of the network that are staged, and what every page must show in each.

use serde_json::Value;

/// What a page must show in one state.
pub(crate) struct State {
    /// The lab's case; "healthy" is none.
    pub(crate) name: &'static str,
    pub(crate) kind: &'static str,
    /// Where the way is cut, and by what.
    pub(crate) broken: Option<(&'static str, &'static str)>,
    /// Parts of the first sentence, in Chinese and in English.
    pub(crate) says: [&'static str; 2],
    /// Parts of what is said of whom to call.
    pub(crate) call: [&'static str; 2],
}

pub(crate) const HEALTHY: State = State {
    name: "healthy",
    kind: "fine",
    broken: None,
    says: ["可以结算：", "You can settle: "],
    call: ["要问人就打给结算软件公司", "To ask somebody, call the settlement software's vendor"],
};

/// Each is staged in an otherwise healthy network, and mended.
pub(crate) const STATES: [State; 5] = [
    State {
        name: "link.no-carrier",
        kind: "cut",
        broken: Some(("link", "link.no-carrier")),
        says: ["不能结算：网线没有信号", "cannot settle now: the network cable carries no signal"],
        call: ["打电话给电脑维护人员（Vendor 1001）", "Call the PC's vendor (Vendor 1001)"],
    },
    State {
        name: "gateway.unreachable",
        kind: "cut",
        broken: Some(("gateway", "gateway.unreachable")),
        says: ["不能结算：路由器没有反应", "cannot settle now: the router does not respond"],
        call: ["打电话给线路运营商（Operator 1002）", "Call the line operator (Operator 1002)"],
    },
    State {
        name: "vpn.not-started",
        kind: "cut",
        broken: Some(("vpn", "vpn.not-started")),
        says: ["不能结算：VPN 没有启动", "cannot settle now: the VPN is not started"],
        call: ["打电话给医保局信息科（Bureau 1003）", "Call the insurance bureau's information office (Bureau 1003)"],
    },
    State {
        name: "dns.timeout",
        kind: "cut",
        broken: Some(("dns", "dns.timeout")),
        says: ["不能结算：域名服务器没有回应", "cannot settle now: the name server does not respond"],
        call: ["打电话给医保局信息科（Bureau 1003）", "Call the insurance bureau's information office (Bureau 1003)"],
    },
    State {
        name: "centre.outage",
        kind: "cut",
        broken: Some(("tcp", "centre.outage")),
        says: ["医保中心那边没有回应", "the insurance centre does not respond"],
        call: ["打电话给医保局信息科（Bureau 1003）", "Call the insurance bureau's information office (Bureau 1003)"],
    },
];

/// In which languages pages are looked at, in the order of [`State::says`].
pub(crate) const LANGUAGES: [&str; 2] = ["zh-CN", "en"];

/// What a page shows of the state, for [`State::wrong`]; a script for the browser.
pub(crate) const SHOWN: &str = "const text = (what) => { const e = document.querySelector(what); return e ? e.innerText : '' };\n\
    return { says: text('header h1'), head: text('header'), broken: [...document.querySelectorAll('g[data-broken]')].map((g) => g.dataset.broken) };";

impl State {
    /// What is wrong with what a page in this language shows.
    pub(crate) fn wrong(&self, language: usize, shown: &Value) -> Vec<String> {
        let mut wrong = Vec::new();
        let layers: Vec<&str> = self.broken.into_iter().map(|(layer, _)| layer).collect();
        if shown["broken"] != serde_json::json!(layers) {
            wrong.push(format!("broken: {} instead of {layers:?}", shown["broken"]));
        }
        for (what, wanted) in [("says", self.says[language]), ("head", self.call[language])] {
            if !shown[what].as_str().is_some_and(|text| text.contains(wanted)) {
                wrong.push(format!("{what}: {} without {wanted:?}", shown[what]));
            }
        }
        wrong
    }
}
