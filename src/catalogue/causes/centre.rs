//! The service at the far end, the front-end server before it, and local services it needs.

use super::{Pair, Text, act};

pub(super) static MAINTENANCE: Pair = Pair {
    zh: Text {
        title: "医保中心正在维护",
        plain: "网络是通的，医保中心的系统自己说正在维护，等它做完就好。",
        shop: &["等十五分钟再试，看看群里或网站上有没有维护通知。", "一个小时还没好，打下面的电话问一下。"],
        engineer: &["HTTP 503 或维护标记，TLS 正常：网络无恙，核对维护公告。"],
    },
    en: Text {
        title: "The insurance centre is under maintenance",
        plain: "The network works; the centre's system itself says that it is being maintained. It will be back when that is done.",
        shop: &["Try again in fifteen minutes; look for a maintenance notice.", "If it is not back after an hour, call the number below."],
        engineer: &["HTTP 503 or the maintenance marker with TLS fine: the network is well; compare with announced windows."],
    },
};

pub(super) static ERROR: Pair = Pair {
    zh: Text {
        title: "医保中心的系统自己报错",
        plain: "网络是通的，医保中心收到了请求，但是它的系统处理时出错了。",
        shop: &["过五分钟再试一次。", "还报错，打下面的电话。"],
        engineer: &["HTTP 5xx 或非预期状态码：请中心按时间查服务日志。"],
    },
    en: Text {
        title: "The insurance centre's system reports an error",
        plain: "The network works and the centre received the request, but its system failed to handle it.",
        shop: &["Try again in five minutes.", "If the error is still there, call the number below."],
        engineer: &["HTTP 5xx or an unexpected status: have the centre look in its service log at this time."],
    },
};

pub(super) static AUTH: Pair = Pair {
    zh: Text {
        title: "医保中心不认这个机构或账号",
        plain: "网络是通的，医保中心拒绝了这边的登录，可能是账号、机构编码或权限的问题。",
        shop: &[act::CALL_ZH, "密码不要反复试，试多了账号会锁。"],
        engineer: &["HTTP 401/403：核对机构编码、账号状态、令牌有效期、源地址白名单。"],
    },
    en: Text {
        title: "The insurance centre does not accept this institution or account",
        plain: "The network works; the centre refuses the login. It may be the account, the institution's code or its rights.",
        shop: &[act::CALL_EN, "Do not keep trying passwords: the account would be locked."],
        engineer: &["HTTP 401 or 403: check institution code, account state, token lifetime, source allow list."],
    },
};

pub(super) static SLOW: Pair = Pair {
    zh: Text {
        title: "医保中心的系统回应慢",
        plain: "网络是通的，医保中心处理得比平时慢，结算要多等一会儿。",
        shop: &["照常结算，多等一会儿，不要连着点好几次。", "长时间都这么慢，打下面的电话。"],
        engineer: &["连接和握手都快，首字节慢：耗时在服务端，不在路上。"],
    },
    en: Text {
        title: "The insurance centre's system answers slowly",
        plain: "The network works; the centre takes longer than usual, so each settlement needs more patience.",
        shop: &["Go on settling and wait a little; do not click several times.", "If it stays slow for long, call the number below."],
        engineer: &["Connect and handshake are fast, the first byte is late: the time is spent at the server, not on the path."],
    },
};

pub(super) static OUTAGE: Pair = Pair {
    zh: Text {
        title: "医保中心那边没有回应",
        plain: "从这台电脑一路到医保内网都是好的，只有医保中心的服务全都没有回应，多半是中心那边停了。",
        shop: &[act::CALL_ZH, "问问附近别的定点机构能不能结算，电话里一起说。"],
        engineer: &["VPN 与内网解析正常，中心各端点全部失败：只凭一台终端最多算很可能，请与其他机构对照。"],
    },
    en: Text {
        title: "The insurance centre does not respond",
        plain: "From this PC into the insurance network everything works; only the centre's services do not respond. Most likely they are down.",
        shop: &[act::CALL_EN, "Ask a neighbouring pharmacy or clinic whether they can settle, and mention it."],
        engineer: &[
            "VPN and inner names work, every endpoint of the centre fails: from one terminal at most likely; compare with other institutions.",
        ],
    },
};

pub(super) static CUT_OFF: Pair = Pair {
    zh: Text {
        title: "医保中心单独拒绝了这台电脑",
        plain: "一路都是通的，医保那边对这台电脑一律拒绝，像是单独停了这台的接入。原因要问医保局信息科。",
        shop: &[act::CALL_ZH, "问问本机构别的电脑能不能结算，电话里一起说。"],
        engineer: &["各端点对本机主动拒绝（RST、管理性禁止、403）：请医保局查接入名单；用同机构另一终端对照。"],
    },
    en: Text {
        title: "The insurance centre refuses this PC alone",
        plain: "The whole path works, but the insurance side refuses this PC everywhere, as if its access alone were suspended. The bureau can say why.",
        shop: &[act::CALL_EN, "See whether another PC of yours can settle, and mention it."],
        engineer: &[
            "Every endpoint actively refuses this terminal (RST, admin-prohibited, 403): have the bureau check its access list; compare with another terminal.",
        ],
    },
};

pub(super) static FRONTEND_DOWN: Pair = Pair {
    zh: Text {
        title: "本单位的前置机没有回应",
        plain: "到本单位前置机的路是通的，可是前置机没有回应，医保结算要靠它转发。",
        shop: &[act::CALL_ZH, "前置机就在手边的，看一眼它通没通电。"],
        engineer: &["到前置机的路径正常，其服务端口不应答：查前置机主机、服务进程和它自己到中心的链路。"],
    },
    en: Text {
        title: "Your own front-end server does not respond",
        plain: "The way to your institution's front-end server works, but it does not respond, and settlement goes through it.",
        shop: &[act::CALL_EN, "If it stands nearby, see whether it has power."],
        engineer: &[
            "The path to the front-end server works, its port does not answer: check the host, its service and its own link to the centre.",
        ],
    },
};

pub(super) static PLANNED: Pair = Pair {
    zh: Text {
        title: "医保中心正在按通知维护",
        plain: "现在是医保那边通知过的维护时间，停一会儿是正常的。",
        shop: &["等通知上的结束时间过了再试。", "过了时间还不行，打下面的电话。"],
        engineer: &["故障落在已公布的维护窗口内；窗口结束后仍未恢复再按中心故障处理。"],
    },
    en: Text {
        title: "The insurance centre is in its announced maintenance",
        plain: "This is a maintenance time the insurance side announced; a pause is normal now.",
        shop: &["Try again after the announced end.", "If it is still not back then, call the number below."],
        engineer: &["The outage lies inside an announced window; treat it as an outage only when it outlasts it."],
    },
};

pub(super) static LOCAL_SERVICE_DOWN: Pair = Pair {
    zh: Text {
        title: "电脑上的结算组件没启动",
        plain: "网络是另一回事，结算软件要用的一个本机组件没有运行，所以点了没反应。",
        shop: &["把结算软件关掉，再按平时的办法重新打开。", "还不行，打下面的电话。"],
        engineer: &["配置的本机服务端口没有监听：查该组件的服务状态和日志。"],
    },
    en: Text {
        title: "A part of the settlement software is not running",
        plain: "This is apart from the network: a part that the settlement software needs on this PC is not running, so nothing happens when you click.",
        shop: &["Close the settlement software and open it again as you do every day.", "If that does not help, call the number below."],
        engineer: &["The configured local port has no listener: check that component's service and log."],
    },
};
