//! The next hop and the operator's line behind it.

use super::{Pair, Text, act};

pub(super) static GATEWAY_UNREACHABLE: Pair = Pair {
    zh: Text {
        title: "路由器没有反应",
        plain: "电脑这边是好的，但是它要经过的路由器或盒子没有反应，可能没通电，也可能死机了。",
        shop: &[act::LAMPS_ZH, "灯不亮的，看它的电源插好没有；灯亮着的，关掉电源等半分钟再打开。", "等三分钟还不行，打下面的电话。"],
        engineer: &[
            "邻居表 FAILED、单播 ARP 无应答：查网关设备供电、端口、VLAN。",
            "EHOSTUNREACH 约 3 秒才出现且报错来自本机地址，说明包没出本网段。",
        ],
    },
    en: Text {
        title: "The router does not respond",
        plain: "The PC is fine, but the router or box it goes through does not respond. It may have no power, or hang.",
        shop: &[
            act::LAMPS_EN,
            "No lamp: check its power plug. Lamps on: switch it off, wait half a minute, switch it on.",
            "If three minutes later nothing has changed, call the number below.",
        ],
        engineer: &[
            "Neighbour FAILED, unicast ARP unanswered: check the gateway's power, port and VLAN.",
            "EHOSTUNREACH after about 3 s with our own address as offender: nothing left the segment.",
        ],
    },
};

pub(super) static GATEWAY_CHANGED: Pair = Pair {
    zh: Text {
        title: "路由器和登记的不是同一台",
        plain: "现在应答的路由器和登记时的不是一台。可能是运营商换了设备，也可能是接到了别的路由器上。",
        shop: &[act::CALL_ZH, "有人来换过路由器或光猫的，电话里说一声。"],
        engineer: &["核对网关 MAC；运营商确认换过设备的，重新登记基线。", "同一地址两个 MAC 应答，查有没有私接的路由器。"],
    },
    en: Text {
        title: "The router is not the registered one",
        plain: "The router that answers is another one than at registration. Perhaps the operator replaced it, or the PC is plugged into a different one.",
        shop: &[act::CALL_EN, "If someone came to replace the router or the modem, mention it."],
        engineer: &[
            "Compare the gateway's MAC; when the operator confirms the replacement, enrol again.",
            "Two MACs for one address: look for a second router.",
        ],
    },
};

pub(super) static DOWN: Pair = Pair {
    zh: Text {
        title: "运营商的线路不通",
        plain: "从电脑到路由器都是好的，再往外就没有回应了，问题出在外面的线路上。",
        shop: &[act::LAMPS_ZH, "打下面的电话，请对方查这条线路，把刚才记的灯告诉他。"],
        engineer: &[
            "网关有应答，其后各跳和 VPN 服务器外网地址都没有。",
            "请运营商查 ONU 注册、专线端口、欠费停机；专网盒子看它自己的拨号状态。",
        ],
    },
    en: Text {
        title: "The operator's line is down",
        plain: "Everything up to the router works; beyond it nothing answers. The trouble is on the line outside.",
        shop: &[act::LAMPS_EN, "Call the number below, ask them to check this line, and tell them which lamps are on."],
        engineer: &[
            "The gateway answers; the hops behind it and the VPN server's outer address do not.",
            "Have the operator check ONU registration, the port, unpaid bills; on a VPN box look at its own dial state.",
        ],
    },
};

pub(super) static LOSS: Pair = Pair {
    zh: Text {
        title: "运营商的线路不稳，数据有丢失",
        plain: "线路是通的，但是一部分数据在路上丢了，结算会卡、会超时。",
        shop: &[act::CALL_ZH, "说清楚是一直这样，还是某个时段这样。"],
        engineer: &["内外两条路径同样丢包或延迟高：问题在线路，不在 VPN。", "请运营商看光衰、误码和端口限速。"],
    },
    en: Text {
        title: "The operator's line is unstable and loses data",
        plain: "The line works, but part of the data is lost on the way. Settlement hangs or times out.",
        shop: &[act::CALL_EN, "Say whether it is like this all day or at certain hours."],
        engineer: &[
            "Loss or delay alike outside and inside the tunnel: it is the line, not the VPN.",
            "Have the operator check optical power, error counters and rate limits.",
        ],
    },
};

pub(super) static PORTAL: Pair = Pair {
    zh: Text {
        title: "线路被运营商的认证或缴费页面拦住了",
        plain: "不管访问什么，线路都跳到一个登录或缴费页面。多半是线路欠费，或者要重新认证。",
        shop: &[act::CALL_ZH, "页面上不要填账号密码，也不要在上面付款。"],
        engineer: &["明文 HTTP 被重定向、域名解析全部指向同一地址：查欠费停机或准入认证。"],
    },
    en: Text {
        title: "A login or payment page of the operator blocks the line",
        plain: "Whatever is opened, the line leads to a login or payment page. Most likely a bill is unpaid or the line must sign in again.",
        shop: &[act::CALL_EN, "Enter no password on that page and pay nothing there."],
        engineer: &["Plain HTTP is redirected, every name resolves to one address: an unpaid line or access control."],
    },
};
