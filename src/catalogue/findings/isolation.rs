//! Ways outward. A way is no proof of the internet, and the internet is no proof that anybody here opened it.

use super::{Pair, Text, act};

pub(super) static UPLINK_SUSPECT: Pair = Pair {
    zh: Text {
        title: "多了一条登记时没有的通路，还没有查实",
        plain: "这台电脑或者前面的网络上，多了一条登记时没有的通路。它通不通互联网，现在还不知道。",
        shop: &[act::UNJOIN_ZH, "照常结算。想问清楚，就打下面的电话。"],
        engineer: &[
            "看证据里是哪块网卡、哪张路由表、哪个下一跳或路由通告，和登记的基线对照。",
            "这里只有拓扑或一个没有验明身份的应答，只算线索；通不通互联网，要等通过 TLS 验证的证据。",
            "属于正常设备或线路的，征得医保局同意后重新登记，以后不再提示。",
        ],
    },
    en: Text {
        title: "A way that was not registered appeared, nothing is proved yet",
        plain: "This PC, or the network before it, has a way that was not there at registration. Whether it leads to the internet is not known yet.",
        shop: &[act::UNJOIN_EN, "Go on settling. If you want to be sure, call the number below."],
        engineer: &[
            "See in the evidence which interface, routing table, next hop or router advertisement it is, and compare with the baseline.",
            "There is only topology, or an answer that proved no identity: a lead. Proof of the internet is an answer verified by TLS.",
            "If the device or line belongs there, agree with the bureau and enrol again; it is not mentioned any more.",
        ],
    },
};

pub(super) static INTERNET_REACHABLE: Pair = Pair {
    zh: Text {
        title: "这台电脑能连到互联网",
        plain: "互联网上的主机回应了，身份也核对过，所以从这台电脑到互联网有一条通路。通路可能在这台电脑上，也可能在运营商或医保局那一侧。",
        shop: &[act::UNJOIN_ZH, "马上打下面的电话，把时间和这里写的内容告诉对方。", act::ARRANGED_ZH],
        engineer: &[
            "证据写明从哪块网卡、哪个下一跳、IPv4 还是 IPv6 出去，先查那一条。",
            "依次查新增网卡、各路由表里的默认路由和 0.0.0.0/1、路由通告、代理；本机没有变化的，请运营商查上游。",
            "只做 TLS 握手，不传内容；两家互不相干的主机通过验证，或同一家先后两次，或本单位的回声站应答，才会这样写。",
        ],
    },
    en: Text {
        title: "This PC can reach the internet",
        plain: "Hosts on the internet responded and proved who they are, so there is a way from this PC to the internet. It may be at this PC, or on the operator's or the bureau's side.",
        shop: &[act::UNJOIN_EN, "Call the number below at once; tell them the time and what is written here.", act::ARRANGED_EN],
        engineer: &[
            "The evidence names the interface, the next hop and whether it was IPv4 or IPv6: begin there.",
            "Then new interfaces, default routes and 0.0.0.0/1 in every table, router advertisements, proxies; if nothing changed here, ask the operator about upstream.",
            "Only TLS handshakes were made and nothing was sent; it takes two independent hosts, one host twice, or the site's own canary.",
        ],
    },
};

pub(super) static PUBLIC_DNS: Pair = Pair {
    zh: Text {
        title: "互联网上的名字在这里查得到地址",
        plain: "专网里一般只查得到医保的名字，现在互联网上的名字也查得到。多半是运营商或医保局的域名服务器这样设置的；能不能连上互联网，单凭这一点还不知道。",
        shop: &[act::CALL_ZH, "照常结算，不用等。"],
        engineer: &[
            "用两个顶级域下的随机名字问过每台域名服务器，已排除泛解析；看证据里是哪一台。",
            "由运营商或医保局下发的，请他们关掉对外转发：数据可以只靠域名查询带出去，不需要路由。",
        ],
    },
    en: Text {
        title: "Names of the public internet can be looked up here",
        plain: "In the insurance network usually only its own names are found; now names of the public internet are found too. Most likely the operator's or the bureau's name server is set so; this alone does not tell whether the internet can be reached.",
        shop: &[act::CALL_EN, "Go on settling meanwhile."],
        engineer: &[
            "Each resolver was asked for random names under two top-level domains, so it is no wildcard; the evidence names the resolver.",
            "If the operator or the bureau hands it out, ask them to stop forwarding outward: data can leave by look-ups alone, without any route.",
        ],
    },
};

pub(super) static PROXY_PATH: Pair = Pair {
    zh: Text {
        title: "有代理能把连接送到互联网",
        plain: "代理是替电脑转交上网请求的程序或设备。看到有一个代理能把连接送到互联网；它可能设在这台电脑上，也可能是网络那头给的。",
        shop: &[act::CALL_ZH, act::ARRANGED_ZH],
        engineer: &[
            "看证据里代理的地址和来历：环境变量、系统或浏览器设置、自动配置脚本，还是观察到的连接。",
            "弄清用途再撤；由网络下发的，请运营商或医保局处理。",
        ],
    },
    en: Text {
        title: "A proxy leads to the internet",
        plain: "A proxy is a program or device that passes a PC's requests on. One was seen to pass connections on to the internet; it may be set on this PC or given by the network.",
        shop: &[act::CALL_EN, act::ARRANGED_EN],
        engineer: &[
            "The evidence has the proxy's address and where it comes from: environment, system or browser settings, a script that configures it, or a connection seen.",
            "Find out what it is for before it is taken away; if the network hands it out, it is for the operator or the bureau.",
        ],
    },
};

pub(super) static LOOKALIKE: Pair = Pair {
    zh: Text {
        title: "有设备代替互联网应答，但它不是互联网",
        plain: "路上有设备用互联网的地址应答，核对下来不是互联网上的主机。凭这一点不能说和互联网的隔离有变化。",
        shop: &["照常结算，不用处理。"],
        engineer: &[
            "常见的是泛解析、认证门户、内网占用公网地址、对什么都应答的中间设备；看证据里的证书、往返时间和对照地址。",
            "一直就有的，登记时记入基线，只在这一处不再提示。",
        ],
    },
    en: Text {
        title: "Something answers in place of the internet, and is not it",
        plain: "A device on the way answers under addresses of the internet, and turned out to be none of its hosts. This alone does not mean that the separation from the internet changed.",
        shop: &["Go on settling; nothing needs to be done."],
        engineer: &[
            "Usual are wildcard DNS, a portal, public addresses used inside, a middlebox that accepts all: see the certificate, the round trip and the control address in the evidence.",
            "If it was always so, take it into the baseline at enrolment; it is muted there only.",
        ],
    },
};

pub(super) static GRANT_OVERRUN: Pair = Pair {
    zh: Text {
        title: "批准的时段已经过了，当时放开的还在",
        plain: "这台电脑有过一段批准的时间，比如临时联网，现在时间过了，放开的还在。也许已经同意延长，只是这里没有记录。",
        shop: &["用完了的，断开当时接上的东西；还要用或者不清楚的，什么都不动。", "打下面的电话：还要用的请对方延长，不用的请对方收回。"],
        engineer: &[
            "对照授权记录的编号、范围、截止时间和现在的证据；确已延长的，补一条授权记录。",
            "逐项撤销当时放开的路由、代理、网卡或设备，再看一轮是否消失。",
        ],
    },
    en: Text {
        title: "A granted time is over, and what it allowed is still there",
        plain: "This PC was granted something for a time, such as a temporary connection; the time is over and it is still there. It may have been prolonged without a record here.",
        shop: &[
            "If it is done with, disconnect what was connected for it; if it is still needed or you are not sure, change nothing.",
            "Call the number below: ask them to prolong it, or to take it back.",
        ],
        engineer: &[
            "Compare the grant's number, scope and end with the evidence; if it was prolonged, record a grant for that.",
            "Take back the route, proxy, interface or device that was opened for it, and see in the next round that it is gone.",
        ],
    },
};
