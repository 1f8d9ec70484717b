//! Names: for a clerk "looking up the centre's address", for an engineer DNS.

use super::{Pair, Text, act};

pub(super) static NO_RESOLVER: Pair = Pair {
    zh: Text {
        title: "电脑没有设置域名服务器",
        plain: "电脑要靠域名服务器查医保中心的地址，现在一个都没设，查不了。",
        shop: &[act::CALL_ZH],
        engineer: &["没有任何 nameserver：查 DHCP 下发、网络管理程序、resolv.conf 由谁维护。"],
    },
    en: Text {
        title: "The PC has no name server set",
        plain: "The PC needs a name server to look up the centre's address, and none is set.",
        shop: &[act::CALL_EN],
        engineer: &["No nameserver at all: check what DHCP gives, the network manager, and who maintains resolv.conf."],
    },
};

pub(super) static TIMEOUT: Pair = Pair {
    zh: Text {
        title: "域名服务器没有回应",
        plain: "查医保中心地址的域名服务器没有回应，所以找不到医保中心在哪儿。",
        shop: &[act::CALL_ZH],
        engineer: &["每台单独询问均静默，而到它的路径是通的：查服务器进程、53 端口策略。"],
    },
    en: Text {
        title: "The name server does not respond",
        plain: "The name server that knows the centre's address does not respond, so the centre cannot be found.",
        shop: &[act::CALL_EN],
        engineer: &["Asked on its own it is silent while the path to it works: check the service and the policy for port 53."],
    },
};

pub(super) static PORT_REFUSED: Pair = Pair {
    zh: Text {
        title: "域名服务器开着，但查询服务没开",
        plain: "放域名服务的那台机器是开着的，可是查地址的服务停了。",
        shop: &[act::CALL_ZH],
        engineer: &["解析服务器回 ICMP 端口不可达：主机在，53 端口没有服务在听。"],
    },
    en: Text {
        title: "The name server is on, but its service is not",
        plain: "The machine of the name server is on, but the service that looks up addresses has stopped.",
        shop: &[act::CALL_EN],
        engineer: &["The resolver answers ICMP port unreachable: the host is there, nothing listens on port 53."],
    },
};

pub(super) static SERVFAIL: Pair = Pair {
    zh: Text {
        title: "域名服务器查不出结果",
        plain: "域名服务器有回应，但它自己也查不出医保中心的地址，问题在它的上一级。",
        shop: &[act::CALL_ZH],
        engineer: &["应答 SERVFAIL：解析器本身可达，它的上游或区数据有问题。"],
    },
    en: Text {
        title: "The name server cannot find the answer",
        plain: "The name server answers, but cannot find out the centre's address itself: the trouble is behind it.",
        shop: &[act::CALL_EN],
        engineer: &["SERVFAIL: the resolver is reachable; its upstream or its zone is at fault."],
    },
};

pub(super) static REFUSED: Pair = Pair {
    zh: Text {
        title: "域名服务器不给这台电脑查",
        plain: "域名服务器有回应，但是拒绝给这台电脑查地址，它的允许名单里没有这边。",
        shop: &[act::CALL_ZH],
        engineer: &["应答 REFUSED：核对服务器的访问控制列表和本机源地址。"],
    },
    en: Text {
        title: "The name server refuses to serve this PC",
        plain: "The name server answers, but will not look things up for this PC: it is not on its list.",
        shop: &[act::CALL_EN],
        engineer: &["REFUSED: compare the server's access list with this PC's source address."],
    },
};

pub(super) static NXDOMAIN: Pair = Pair {
    zh: Text {
        title: "域名服务器说没有医保中心这个名字",
        plain: "每台域名服务器都说查无此名。可能医保那边改了名字，也可能记录丢了。",
        shop: &[act::CALL_ZH],
        engineer: &["所有解析器一致回答 NXDOMAIN：核对域名拼写、区文件、最近的变更通知。"],
    },
    en: Text {
        title: "The name servers do not know the centre's name",
        plain: "Every name server says that there is no such name. The insurance side may have changed it, or lost the record.",
        shop: &[act::CALL_EN],
        engineer: &["All resolvers agree on NXDOMAIN: check the spelling, the zone, recent change notices."],
    },
};

pub(super) static WRONG_RESOLVER: Pair = Pair {
    zh: Text {
        title: "电脑问错了域名服务器",
        plain: "医保内网的域名服务器知道中心的地址，可是电脑在问另一台，那台不知道。",
        shop: &[act::CALL_ZH, "最近改过网络设置、连过别的网的，电话里说一声。"],
        engineer: &["内网解析器答得出，正在用的答不出：分流解析丢失。", "查 VPN 连接后的解析设置，以及谁改写了 resolv.conf。"],
    },
    en: Text {
        title: "The PC asks the wrong name server",
        plain: "The insurance network's name server knows the centre's address, but the PC asks another one, which does not.",
        shop: &[act::CALL_EN, "If network settings were changed or another network joined lately, mention it."],
        engineer: &[
            "The inner resolver knows the name, the one in use does not: split DNS is lost.",
            "Check the resolver settings after the VPN comes up, and who rewrote resolv.conf.",
        ],
    },
};

pub(super) static HIJACKED: Pair = Pair {
    zh: Text {
        title: "医保中心的地址被查成了别处",
        plain: "查回来的地址不是医保中心的，数据会送到不相干的地方。电脑或线路上有东西改了查询结果。",
        shop: &[act::CALL_ZH, "弹出来的页面上不要输账号、密码、卡号。"],
        engineer: &["应答落在中心网段之外，或随机名字也能解析：查通配解析、代理的假地址段、解析器被替换。"],
    },
    en: Text {
        title: "The centre's name leads to a foreign address",
        plain: "The address that comes back is not the centre's, so data would go elsewhere. Something on the PC or the line changes the answers.",
        shop: &[act::CALL_EN, "Enter no account, password or card number on pages that pop up."],
        engineer: &["Answers outside the centre's prefixes, or random names resolve: wildcard, a proxy's fake range, a replaced resolver."],
    },
};

pub(super) static SLOW: Pair = Pair {
    zh: Text {
        title: "域名服务器回应慢",
        plain: "查医保中心的地址比平时慢，结算前会多等一会儿，不影响成败。",
        shop: &["照常结算，慢得受不了再打下面的电话。"],
        engineer: &["应答超过阈值：对比各解析器的耗时，查上游和丢包。"],
    },
    en: Text {
        title: "The name server answers slowly",
        plain: "Looking up the centre's address takes longer than usual. Settlement starts late but works.",
        shop: &["Go on settling; call the number below if the wait becomes too long."],
        engineer: &["Answers slower than the threshold: compare the resolvers, check upstream and loss."],
    },
};

pub(super) static HOSTS_STALE: Pair = Pair {
    zh: Text {
        title: "电脑里记的医保中心地址过时了",
        plain: "电脑里写死了一个医保中心的旧地址，那个地址已经没有回应，中心的新地址是好的。",
        shop: &[act::CALL_ZH],
        engineer: &["名字来自 hosts 文件，其中的地址不应答，而中心的另一地址应答：请软件公司核对新地址后更新该行。"],
    },
    en: Text {
        title: "The centre's address stored on this PC is out of date",
        plain: "An old address of the centre is written down on this PC and no longer answers; another address of the centre works.",
        shop: &[act::CALL_EN],
        engineer: &[
            "The name comes from the hosts file, that address is dead, another of the centre answers: have the line updated after checking the new address.",
        ],
    },
};
