//! Routing and this PC's own packet policy.

use super::{Pair, Text, act};

pub(super) static MISSING: Pair = Pair {
    zh: Text {
        title: "电脑不知道医保中心该怎么走",
        plain: "网是连着的，但是电脑里少了去医保中心的那条路，数据根本没发出去。",
        shop: &[act::CALL_ZH, "用 VPN 的，先看一眼 VPN 是不是显示已连接，电话里告诉对方。"],
        engineer: &["ENETUNREACH 立即返回：到中心没有路由，默认路由也没有。", "查静态路由、VPN 下发的路由、网络管理程序的配置。"],
    },
    en: Text {
        title: "The PC has no route to the insurance centre",
        plain: "The network is connected, but the PC lacks the way to the centre, so nothing is sent at all.",
        shop: &[act::CALL_EN, "If you use a VPN, see whether it says connected, and tell them."],
        engineer: &[
            "ENETUNREACH at once: no route to the centre and no default route.",
            "Check static routes, what the VPN pushes, the network manager's profile.",
        ],
    },
};

pub(super) static CAPTURED: Pair = Pair {
    zh: Text {
        title: "去医保中心的数据走错了路",
        plain: "本该走医保专网的数据，被电脑送到了另一个网口。多半是后来装的软件或别的网络连接改了走向。",
        shop: &[act::CALL_ZH, "最近装过新软件、连过别的网的，电话里说一声。"],
        engineer: &["查到中心的路由从哪个接口出去；留意容器网桥、第二个 VPN、代理的虚拟网卡。", "用更具体的静态路由，或修正跃点数。"],
    },
    en: Text {
        title: "Data for the insurance centre takes the wrong way",
        plain: "What should go through the insurance network leaves the PC by another connection. Most likely newer software or another network changed the way.",
        shop: &[act::CALL_EN, "If software was installed or another network joined lately, mention it."],
        engineer: &[
            "See which interface the route to the centre leaves by; think of container bridges, a second VPN, a proxy's virtual card.",
            "Use a more specific static route, or correct the metric.",
        ],
    },
};

pub(super) static BLOCKED: Pair = Pair {
    zh: Text {
        title: "电脑里有一条设置挡住了医保中心",
        plain: "电脑的路由设置里有一条专门拒绝去医保中心的规则，数据没出电脑就被挡下了。",
        shop: &[act::CALL_ZH],
        engineer: &[
            "EINVAL 是 blackhole，EHOSTUNREACH 是 unreachable，EACCES 是 prohibit，都是 0 毫秒返回。",
            "查是谁加的：安全软件、脚本、VPN 断线保护。",
        ],
    },
    en: Text {
        title: "A setting on this PC refuses the insurance centre",
        plain: "The PC's routing has an entry that refuses the centre: data is stopped before it leaves the PC.",
        shop: &[act::CALL_EN],
        engineer: &[
            "EINVAL is blackhole, EHOSTUNREACH is unreachable, EACCES is prohibit, each at 0 ms.",
            "Find out who added it: security software, a script, a VPN kill switch.",
        ],
    },
};

pub(super) static FIREWALL_OUTPUT: Pair = Pair {
    zh: Text {
        title: "电脑的防火墙不让数据发出去",
        plain: "发给医保中心的数据被这台电脑自己的防火墙挡住了，没出电脑。",
        shop: &[act::CALL_ZH, "防火墙不要自己关，让对方来调。"],
        engineer: &["UDP/ICMP 发送立即返回 EPERM，TCP 只是超时：查出站规则。", "为中心网段放行，不要整体关闭防火墙。"],
    },
    en: Text {
        title: "This PC's firewall keeps data from going out",
        plain: "What is sent to the centre is stopped by this PC's own firewall before it leaves.",
        shop: &[act::CALL_EN, "Do not switch the firewall off; let them adjust it."],
        engineer: &[
            "UDP and ICMP return EPERM at once while TCP merely times out: check the output rules.",
            "Allow the centre's prefixes; do not switch the firewall off as a whole.",
        ],
    },
};

pub(super) static FIREWALL_INPUT: Pair = Pair {
    zh: Text {
        title: "电脑的防火墙把回来的数据挡掉了",
        plain: "数据发出去了，回来的时候被这台电脑自己的防火墙挡在门外。",
        shop: &[act::CALL_ZH, "防火墙不要自己关，让对方来调。"],
        engineer: &["邻居 REACHABLE 而所有应答都收不到：查入站默认策略、连接跟踪、rp_filter。"],
    },
    en: Text {
        title: "This PC's firewall drops what comes back",
        plain: "Data goes out, but what comes back is stopped at the door by this PC's own firewall.",
        shop: &[act::CALL_EN, "Do not switch the firewall off; let them adjust it."],
        engineer: &["Neighbour REACHABLE, yet no answer ever arrives: check the input policy, connection tracking, rp_filter."],
    },
};

pub(super) static MTU_BLACK_HOLE: Pair = Pair {
    zh: Text {
        title: "小数据能过，大数据过不去",
        plain: "连得上、查得到，但是一上传结算明细这样的大数据就卡住，路上有一段过不了大的数据包。",
        shop: &[act::CALL_ZH, "告诉对方：能登录，一上传就卡。"],
        engineer: &[
            "3 kB 上传停滞并重传，把 TCP MSS 降到 1000 就通过：路径 MTU 黑洞。",
            "在 VPN 或网关上做 MSS 钳制，或调低 VPN 接口 MTU；放行 ICMP 分片提示。",
        ],
    },
    en: Text {
        title: "Small data gets through, large data does not",
        plain: "Connecting and looking things up works, but large data such as an upload of claims hangs: a part of the path cannot carry large packets.",
        shop: &[act::CALL_EN, "Tell them: login works, uploads hang."],
        engineer: &[
            "A 3 kB upload stalls with retransmits and passes with TCP MSS 1000: a path MTU black hole.",
            "Clamp the MSS at the VPN or gateway, or lower the VPN interface's MTU; let ICMP packet-too-big pass.",
        ],
    },
};
