//! The tunnel into the private network.

use super::{Pair, Text, act};

pub(super) static NOT_STARTED: Pair = Pair {
    zh: Text {
        title: "VPN 没有启动",
        plain: "线路是通的，但是连医保专网的 VPN 没打开。",
        shop: &["按平时的办法打开 VPN，点连接，等它显示已连接。", "打不开或者连不上，打下面的电话。"],
        engineer: &["没有客户端进程、服务未启动、没有接口。", "看是不是没设开机自启，或者登录后才启动。"],
    },
    en: Text {
        title: "The VPN is not started",
        plain: "The line works, but the VPN into the insurance network is not running.",
        shop: &[
            "Open the VPN as you do every day, connect, and wait until it says connected.",
            "If it will not open or connect, call the number below.",
        ],
        engineer: &["No client process, unit inactive, no interface.", "See whether it should start at boot or only after login."],
    },
};

pub(super) static CLIENT_FAILED: Pair = Pair {
    zh: Text {
        title: "VPN 程序出了故障",
        plain: "VPN 程序自己退出了，或者开着却没把通道建好，医保专网也就断了。",
        shop: &[act::VPN_ZH, "连不上，或者过一会儿又断，打下面的电话。"],
        engineer: &[
            "服务状态为 failed 或进程消失：看它退出前的日志和退出码；进程还在：看虚拟网卡在不在、是否启用。",
            "核对证书、配置文件、磁盘空间。",
        ],
    },
    en: Text {
        title: "The VPN program has failed",
        plain: "The VPN program ended by itself, or it runs but does not hold its connection, and with that the way into the insurance network is gone.",
        shop: &[act::VPN_EN, "If it does not connect, or ends again, call the number below."],
        engineer: &[
            "Unit failed or process gone: read its log before the end and its exit code. Still running: see whether its interface is there, and up.",
            "Check certificate, profile and disk space.",
        ],
    },
};

pub(super) static SERVER_NAME_UNRESOLVED: Pair = Pair {
    zh: Text {
        title: "查不到 VPN 服务器的地址",
        plain: "VPN 要先把服务器的名字查成地址，现在查不到，所以连不上。",
        shop: &[act::CALL_ZH],
        engineer: &["外网侧解析 VPN 服务器域名失败；上次可用的地址如还能应答，就是解析的问题。", "请运营商查它下发的域名服务器。"],
    },
    en: Text {
        title: "The VPN server's address cannot be looked up",
        plain: "The VPN must first look up its server's name, and that look-up fails, so it cannot connect.",
        shop: &[act::CALL_EN],
        engineer: &[
            "The VPN server's name does not resolve outside; if its last good address answers, only the look-up is at fault.",
            "Have the operator check the resolvers it hands out.",
        ],
    },
};

pub(super) static SERVER_UNREACHABLE: Pair = Pair {
    zh: Text {
        title: "医保的 VPN 服务器没有回应",
        plain: "医保那头的 VPN 服务器没有回应，VPN 就连不上。",
        shop: &[act::CALL_ZH, "问问附近别的定点机构能不能结算，电话里一起说。"],
        engineer: &["外层路径通，服务器外网地址任何端口都静默：服务器侧停机、换地址，或被封。", "和医保局信息科核对服务器地址与端口。"],
    },
    en: Text {
        title: "The insurance VPN server does not respond",
        plain: "The VPN server on the insurance side does not respond, so the VPN cannot connect.",
        shop: &[act::CALL_EN, "Ask a neighbouring pharmacy or clinic whether they can settle, and mention it."],
        engineer: &[
            "The outer path works, the server's outer address is silent on every port: down, moved or blocked at its end.",
            "Compare server address and port with the bureau.",
        ],
    },
};

pub(super) static PORT_BLOCKED: Pair = Pair {
    zh: Text {
        title: "连 VPN 的通道被中途拦掉了",
        plain: "VPN 服务器是开着的，但是 VPN 用的那个端口过不去，路上或对面有设备把它拦了。",
        shop: &[act::CALL_ZH],
        engineer: &["服务器对其他探测有应答，只有 VPN 端口静默：查运营商封端口、路由器防火墙、服务进程。"],
    },
    en: Text {
        title: "The way into the VPN is blocked",
        plain: "The VPN server is there, but the port the VPN uses does not get through: something on the way or at the far end blocks it.",
        shop: &[act::CALL_EN],
        engineer: &[
            "The server answers other probes, only the VPN's port is silent: port blocking, a router's firewall, or the service itself.",
        ],
    },
};

pub(super) static AUTH_FAILED: Pair = Pair {
    zh: Text {
        title: "VPN 账号没通过验证",
        plain: "VPN 服务器连得上，但是不认这个账号或证书，可能到期了、停用了，或者密码改过。",
        shop: &[act::CALL_ZH, "密码不要反复试，试多了账号会锁。"],
        engineer: &["客户端日志有认证失败：核对账号状态、证书有效期、本机时间。"],
    },
    en: Text {
        title: "The VPN account was not accepted",
        plain: "The VPN server answers, but does not accept this account or certificate. It may have run out, been suspended, or its password changed.",
        shop: &[act::CALL_EN, "Do not keep trying passwords: the account would be locked."],
        engineer: &["The client's log shows an authentication failure: check account state, certificate dates and this PC's clock."],
    },
};

pub(super) static KICKED: Pair = Pair {
    zh: Text {
        title: "VPN 老是被同一个账号的另一次登录顶下来",
        plain: "这个 VPN 账号在别处又登录了一次，这边就断。停过电的话，也可能是上一次的登录还没退干净。",
        shop: &["等五分钟，再按平时的办法连一次 VPN。", "还是被顶下来，打下面的电话。"],
        engineer: &["会话交替或紧跟另一次登录后结束：请服务器侧查该账号的在线会话，清掉残留的。"],
    },
    en: Text {
        title: "Another login of the same account keeps ending the VPN",
        plain: "This VPN account signs in elsewhere and the session here ends. After a power cut it may also be one's own old session still hanging on.",
        shop: &["Wait five minutes, then connect the VPN again as you do every day.", "If it is pushed out again, call the number below."],
        engineer: &[
            "Sessions alternate or end right after another login: have the server's side list this account's sessions and clear leftovers.",
        ],
    },
};

pub(super) static TUNNEL_DEAD: Pair = Pair {
    zh: Text {
        title: "VPN 显示连着，其实已经不通了",
        plain: "VPN 看着是连上的，但是数据只出不进，实际已经断了。",
        shop: &[act::VPN_ZH, "重连之后还不行，打下面的电话。"],
        engineer: &[
            "接口在、发送增长、接收不动；WireGuard 握手超过 180 秒。外层路径正常。",
            "查服务器侧会话、NAT 超时、服务器有没有重启过。",
        ],
    },
    en: Text {
        title: "The VPN says connected but passes nothing",
        plain: "The VPN looks connected, but data only goes out and none comes back: it is in fact dead.",
        shop: &[act::VPN_EN, "If connecting again does not help, call the number below."],
        engineer: &[
            "Interface up, sent grows, received flat; WireGuard handshake older than 180 s. The outer path works.",
            "Check the session at the server, NAT timeouts, whether the server restarted.",
        ],
    },
};

pub(super) static NO_INNER_PATH: Pair = Pair {
    zh: Text {
        title: "VPN 连上了，但进不到医保内网",
        plain: "VPN 本身是好的，可是从 VPN 服务器再往医保内网里走就不通了，问题在医保那头。",
        shop: &[act::CALL_ZH, "刚重连过 VPN 的，电话里说一声。"],
        engineer: &["握手新鲜而内网探测全部无应答：查服务器侧转发、路由、策略和地址池。"],
    },
    en: Text {
        title: "The VPN is connected but leads nowhere inside",
        plain: "The VPN itself works, but from its server on into the insurance network nothing gets through. The trouble is on the insurance side.",
        shop: &[act::CALL_EN, "If the VPN was connected again just now, mention it."],
        engineer: &["Handshake fresh, no inner probe answered: check forwarding, routes, policy and address pool at the server."],
    },
};

pub(super) static IDLE_TIMEOUT: Pair = Pair {
    zh: Text {
        title: "VPN 每隔一段时间就自动断",
        plain: "VPN 每次都是连了差不多长的时间就断，像是服务器设了时限。",
        shop: &["断了就按平时的办法重新连上，照常结算。", "有空时打下面的电话，请对方看看时限。"],
        engineer: &["每次断开时的会话时长或空闲时长恒定：核对服务器的会话时限、空闲时限和保活间隔。"],
    },
    en: Text {
        title: "The VPN drops after the same time every time",
        plain: "The VPN always drops after about the same time, as if its server had a limit.",
        shop: &[
            "When it drops, connect it again as you do every day and go on settling.",
            "When there is time, call the number below and ask about the limit.",
        ],
        engineer: &["Constant age or idle time at each drop: compare session limit, idle limit and keepalive with the server."],
    },
};

pub(super) static ADDRESS_MISSING: Pair = Pair {
    zh: Text {
        title: "VPN 连上了，但没分到内网地址",
        plain: "VPN 连上了，可是没拿到医保内网的地址，等于还没进门。",
        shop: &[act::VPN_ZH, "还是一样，打下面的电话。"],
        engineer: &["接口上没有地址或地址不在预期网段：查服务器地址池是否用完、下发配置、客户端权限。"],
    },
    en: Text {
        title: "The VPN is connected but was given no inner address",
        plain: "The VPN is connected, but got no address of the insurance network: it stands at the door without being let in.",
        shop: &[act::VPN_EN, "If that changes nothing, call the number below."],
        engineer: &["No address on the interface, or a foreign one: check the server's pool, the pushed options, the client's privileges."],
    },
};
