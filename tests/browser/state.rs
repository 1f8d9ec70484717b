//! The states of the network that are staged, and what every page must show in each.

use serde_json::Value;

use crate::lab::{Lab, Place};
use crate::shell::Done;

/// What a page must show in one state.
pub(crate) struct State {
    /// The cause of the incident that it opens.
    pub(crate) name: &'static str,
    /// What is not done by the lab's case of this name.
    pub(crate) stage: Option<fn(&mut Lab) -> Done>,
    pub(crate) kind: &'static str,
    /// Where the way is cut.
    pub(crate) broken: Option<&'static str>,
    /// What the watch says of the separation from the internet, and parts of the words at its light.
    pub(crate) isolation: (&'static str, [&'static str; 2]),
    /// Parts of the first sentence, in Chinese and in English.
    pub(crate) says: [&'static str; 2],
    /// Parts of what is said of whom to call.
    pub(crate) call: [&'static str; 2],
}

const INTACT: (&str, [&str; 2]) = ("intact", ["一直在看，没有发现通往互联网的路", "watched all the time, no way to the internet was seen"]);

pub(crate) const HEALTHY: State = State {
    name: "healthy",
    stage: Some(|_| Ok(())),
    kind: "fine",
    broken: None,
    isolation: INTACT,
    says: ["可以结算：", "You can settle: "],
    call: ["要问人就打给结算软件公司", "To ask somebody, call the settlement software's vendor"],
};

/// Each is staged in an otherwise healthy network, and mended.
pub(crate) const STATES: [State; 7] = [
    State {
        name: "link.no-carrier",
        stage: None,
        kind: "cut",
        broken: Some("link"),
        isolation: INTACT,
        says: ["不能结算：网线没有信号", "cannot settle now: the network cable carries no signal"],
        call: ["打电话给电脑维护人员（Vendor 1001）", "Call the PC's vendor (Vendor 1001)"],
    },
    State {
        name: "gateway.unreachable",
        stage: None,
        kind: "cut",
        broken: Some("gateway"),
        isolation: INTACT,
        says: ["不能结算：路由器没有反应", "cannot settle now: the router does not respond"],
        call: ["打电话给线路运营商（Operator 1002）", "Call the line operator (Operator 1002)"],
    },
    State {
        name: "vpn.not-started",
        stage: None,
        kind: "cut",
        broken: Some("vpn"),
        isolation: INTACT,
        says: ["不能结算：VPN 没有启动", "cannot settle now: the VPN is not started"],
        call: [
            "打电话给结算软件公司（还没有登记电话）；没有这个电话，就打给医保局信息科（Bureau 1003）",
            "vendor (no number on file); without a number of theirs, the insurance bureau's information office (Bureau 1003)",
        ],
    },
    State {
        name: "dns.timeout",
        stage: None,
        kind: "cut",
        broken: Some("dns"),
        isolation: INTACT,
        says: ["不能结算：域名服务器没有回应", "cannot settle now: the name server does not respond"],
        call: ["打电话给医保局信息科（Bureau 1003）", "Call the insurance bureau's information office (Bureau 1003)"],
    },
    State {
        name: "centre.outage",
        stage: None,
        kind: "cut",
        broken: Some("tcp"),
        isolation: INTACT,
        says: ["医保中心那边没有回应", "the insurance centre does not respond"],
        call: ["打电话给医保局信息科（Bureau 1003）", "Call the insurance bureau's information office (Bureau 1003)"],
    },
    State {
        name: "isolation.uplink-suspect",
        stage: Some(second_uplink),
        kind: "fine",
        broken: None,
        isolation: ("suspect", ["电脑维护人员（Vendor 1001）", "the PC's vendor (Vendor 1001)"]),
        says: ["可以结算：", "You can settle: "],
        call: ["", ""],
    },
    State {
        name: "isolation.internet-reachable",
        stage: Some(crate::outside::breach),
        kind: "fine",
        broken: None,
        isolation: ("broken", ["医保局信息科（Bureau 1003）", "the insurance bureau's information office (Bureau 1003)"]),
        says: ["可以结算：", "You can settle: "],
        call: ["", ""],
    },
];

/// A second cable, behind which is the internet; what has gone to the centre goes there as before.
fn second_uplink(lab: &mut Lab) -> Done {
    second_cable(lab, "route add default via 192.168.42.1 dev up0 metric 900\n")
}

/// A second cable to the internet's router, and these routes.
pub(crate) fn second_cable(lab: &mut Lab, routes: &str) -> Done {
    let internet = lab.at(Place::Internet);
    lab.terminal().ip(&format!("link add up0 type veth peer name ub0 netns {}\n", internet.name))?;
    lab.later(|lab| lab.terminal().ip("link del up0\n"));
    internet.ip("addr add 192.168.42.1/24 dev ub0\nlink set ub0 up\n")?;
    lab.terminal().ip(&format!("addr add 192.168.42.2/24 dev up0\nlink set up0 up\n{routes}"))
}

/// In which languages pages are looked at, in the order of [`State::says`].
pub(crate) const LANGUAGES: [&str; 2] = ["zh-CN", "en"];

/// What a page shows of the state, for [`State::wrong`]; a script for the browser.
pub(crate) const SHOWN: &str = "const text = (what) => { const e = document.querySelector(what); return e ? e.innerText : '' };\n\
    return { says: text('header h1'), head: text('header'), broken: [...document.querySelectorAll('g[data-broken]')].map((g) => g.dataset.broken) };";

impl State {
    /// Makes it so; the lab knows how to take it back.
    pub(crate) fn stage(&self, lab: &mut Lab) -> Done {
        let stage = match self.stage {
            Some(stage) => stage,
            None => crate::watch::faults::case(self.name)?.stage,
        };
        stage(lab).map_err(|e| format!("the lab itself: not staged: {e}"))
    }

    /// What is open in it, the oldest first: that there is a way comes before the proof of where it leads.
    pub(crate) fn open(&self) -> Vec<&'static str> {
        let before = (self.isolation.0 == "broken").then_some("isolation.uplink-suspect");
        before.into_iter().chain((self.name != HEALTHY.name).then_some(self.name)).collect()
    }

    /// What is wrong with what a page in this language shows.
    pub(crate) fn wrong(&self, language: usize, shown: &Value) -> Vec<String> {
        let mut wrong = Vec::new();
        let layers: Vec<&str> = self.broken.into_iter().collect();
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
