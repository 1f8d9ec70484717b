//! Ports, certificates, and the clock that makes certificates look wrong.

use super::{Pair, Text, act};

pub(super) static TCP_REFUSED: Pair = Pair {
    zh: Text {
        title: "医保中心的服务没开",
        plain: "网络能走到医保中心，但是结算服务的端口没开，多半是那边的程序停了。",
        shop: &[act::CALL_ZH, "问问附近别的定点机构能不能结算，电话里一起说。"],
        engineer: &["收到 RST 且时延与到中心相符，是中心主机自己拒绝：查服务进程和监听端口。"],
    },
    en: Text {
        title: "The insurance centre's service is not running",
        plain: "The network reaches the centre, but the port of the settlement service is closed: most likely the program there has stopped.",
        shop: &[act::CALL_EN, "Ask a neighbouring pharmacy or clinic whether they can settle, and mention it."],
        engineer: &["RST at the centre's own distance: the host itself refuses; check the service and its listening port."],
    },
};

pub(super) static TCP_FILTERED: Pair = Pair {
    zh: Text {
        title: "去医保中心的端口被拦住了",
        plain: "医保中心的机器有回应，但是结算用的那个端口没有，路上有设备把它拦了。",
        shop: &[act::CALL_ZH],
        engineer: &["只有此端口静默，该主机其他端口或地址应答：查沿途防火墙策略、白名单里有没有本机地址。"],
    },
    en: Text {
        title: "The port to the insurance centre is blocked",
        plain: "The centre's machine answers, but the port that settlement uses does not: something on the way blocks it.",
        shop: &[act::CALL_EN],
        engineer: &[
            "Only this port is silent while the host answers otherwise: check firewalls on the way, and whether this PC's address is on the allow list.",
        ],
    },
};

pub(super) static TCP_ACCEPT_ALL: Pair = Pair {
    zh: Text {
        title: "路上有设备代替医保中心应答",
        plain: "连接好像都能建立，可是没有一点内容回来，应答的是路上的一台设备，不是医保中心。",
        shop: &[act::CALL_ZH],
        engineer: &["任意端口都能建连，随后立即断开，时延远小于路径：中间设备代答，查透明代理、准入网关。"],
    },
    en: Text {
        title: "A device on the way answers in the centre's place",
        plain: "Connections seem to open, but nothing ever comes back: a device on the way answers, not the centre.",
        shop: &[act::CALL_EN],
        engineer: &[
            "Every port accepts, then closes; RTT far below the path's: a middlebox answers. Look for a transparent proxy or access gateway.",
        ],
    },
};

pub(super) static EXPIRED: Pair = Pair {
    zh: Text {
        title: "医保中心的安全证书过期了",
        plain: "网络是通的，医保中心服务器的安全证书过了有效期，电脑就不跟它通信了。要中心那边换证书。",
        shop: &[act::CALL_ZH, "电脑的日期时间不要改，改了也解决不了。"],
        engineer: &["证书有效期已过；确认本机时钟与服务器时间相符后，请中心换发证书。"],
    },
    en: Text {
        title: "The insurance centre's security certificate has run out",
        plain: "The network works, but the security certificate of the centre's server is past its date, so the PC will not talk to it. The centre must renew it.",
        shop: &[act::CALL_EN, "Leave this PC's date and time alone: changing them cures nothing."],
        engineer: &["The certificate is past its end; once the clock is known to agree with the server's, the centre must renew it."],
    },
};

pub(super) static NOT_YET_VALID: Pair = Pair {
    zh: Text {
        title: "医保中心的安全证书还没生效",
        plain: "网络是通的，医保中心服务器换了新的安全证书，可它的生效日期还没到。要中心那边处理。",
        shop: &[act::CALL_ZH, "电脑的日期时间不要改，改了也解决不了。"],
        engineer: &["证书起始时间在将来；确认本机时钟与服务器时间相符后，请中心核对签发时间。"],
    },
    en: Text {
        title: "The insurance centre's security certificate is not valid yet",
        plain: "The network works, but the certificate of the centre's server starts at a later date. The centre must put that right.",
        shop: &[act::CALL_EN, "Leave this PC's date and time alone: changing them cures nothing."],
        engineer: &[
            "The certificate's start lies ahead; once the clock is known to agree with the server's, the centre must check its issue date.",
        ],
    },
};

pub(super) static UNTRUSTED: Pair = Pair {
    zh: Text {
        title: "医保中心的安全证书认不出来",
        plain: "网络是通的，但是对面出示的安全证书不是电脑认识的机构发的，不敢确认它就是医保中心。",
        shop: &[act::CALL_ZH, "弹出的安全警告不要点继续。"],
        engineer: &["签发者不在配置的 CA 之内：中心换了 CA，或有中间设备替换证书；比对证书指纹。"],
    },
    en: Text {
        title: "The insurance centre's security certificate is not recognised",
        plain: "The network works, but the certificate shown is from nobody this PC knows, so it may not be the centre at all.",
        shop: &[act::CALL_EN, "When a security warning pops up, do not choose to continue."],
        engineer: &[
            "The issuer is not in the configured CA: the centre changed its CA, or a device swaps certificates; compare fingerprints.",
        ],
    },
};

pub(super) static NAME_MISMATCH: Pair = Pair {
    zh: Text {
        title: "安全证书上的名字和医保中心对不上",
        plain: "网络是通的，但是对面的安全证书写的是另一个名字，要中心那边换一张对的。",
        shop: &[act::CALL_ZH],
        engineer: &["证书的名称列表不含所连的名字：查是否连到了别的虚拟主机，或 server-name 配置。"],
    },
    en: Text {
        title: "The security certificate is for another name",
        plain: "The network works, but the certificate carries another name than the centre's. The centre must install the right one.",
        shop: &[act::CALL_EN],
        engineer: &["The certificate's names do not include the one asked for: another virtual host, or the server-name setting."],
    },
};

pub(super) static CLIENT_CERT: Pair = Pair {
    zh: Text {
        title: "医保中心不认这边的身份证书",
        plain: "网络是通的，医保中心要看这台电脑的身份证书，证书没装、到期了，或者被停用了。",
        shop: &[act::CALL_ZH, "用 U 盾或密码钥匙的，看它插好没有。"],
        engineer: &["服务器要求客户端证书或拒绝了它：查证书有效期、吊销、私钥是否可读、是否选对。"],
    },
    en: Text {
        title: "The insurance centre does not accept this PC's certificate",
        plain: "The network works, but the centre wants to see this PC's own certificate, and it is missing, run out or suspended.",
        shop: &[act::CALL_EN, "If you use a USB key, see that it is plugged in."],
        engineer: &[
            "The server asks for a client certificate or refuses ours: check dates, revocation, that the key is readable and the right one chosen.",
        ],
    },
};

pub(super) static UNSUPPORTED: Pair = Pair {
    zh: Text {
        title: "医保中心用的加密方式，本工具看不懂",
        plain: "医保中心用了本工具不支持的加密方式（比如国密），这不算故障，只是这一层没法检查。",
        shop: &["照常结算，不用处理。"],
        engineer: &["服务器只讲 TLCP 或旧版协议：TLS 层记为未知，其余各层照常判断。"],
    },
    en: Text {
        title: "The centre's encryption is one this tool cannot read",
        plain: "The centre uses an encryption this tool does not speak (national algorithms, for one). That is no fault; this layer just cannot be checked.",
        shop: &["Go on settling; nothing needs to be done."],
        engineer: &["The server speaks TLCP or an old protocol only: the TLS layer stays unknown, the others are judged as usual."],
    },
};

pub(super) static CLOCK_WRONG: Pair = Pair {
    zh: Text {
        title: "电脑的日期时间不对",
        plain: "电脑的日期时间和医保中心差得太多，安全证书因此通不过。主板电池没电时，停一次电就会这样。",
        shop: &[act::DATE_ZH, "打下面的电话，请对方来校准。"],
        engineer: &[
            "本机时钟与服务器时间相差超过 5 分钟，证书日期因此失败：查主板电池、时间同步服务。",
            "先征得医保局信息科同意再校时，并留下记录。",
        ],
    },
    en: Text {
        title: "This PC's date or time is wrong",
        plain: "This PC's date or time is too far from the centre's, so certificates do not pass. With a flat battery inside the PC, one power cut is enough.",
        shop: &[act::DATE_EN, "Call the number below and ask them to correct it."],
        engineer: &[
            "The clock is more than 5 min off the server's, so certificate dates fail: check the board's battery and the time service.",
            "Agree with the bureau before setting it, and keep a record.",
        ],
    },
};
