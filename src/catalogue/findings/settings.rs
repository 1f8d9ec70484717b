//! What decides how this PC works: its settings, its protection, its software, and the day's upload.

use super::{Pair, Text, act};

pub(super) static TIME: Pair = Pair {
    zh: Text {
        title: "电脑对时的设置和登记的不同",
        plain: "电脑向谁对时的设置和登记时不一样，时间本身不一定有错。系统更新也会改动这里。",
        shop: &[act::CALL_ZH, act::ARRANGED_ZH],
        engineer: &["看证据里是哪个文件变了：chrony、ntp 或 systemd-timesyncd 的配置。", "核对服务器是不是医保局指定的；属实的重新登记。"],
    },
    en: Text {
        title: "Where this PC gets its time from is set differently",
        plain: "The setting that says where this PC takes its time from is not as registered; the time itself need not be wrong. A system update changes this too.",
        shop: &[act::CALL_EN, act::ARRANGED_EN],
        engineer: &[
            "See in the evidence which file changed: the configuration of chrony, ntp or systemd-timesyncd.",
            "Compare the server with the one the bureau names; if it is right, enrol again.",
        ],
    },
};

pub(super) static HOSTNAME: Pair = Pair {
    zh: Text {
        title: "电脑的名字和登记的不同",
        plain: "电脑在系统里的名字变了，一般不影响结算。维修、重装、系统更新都可能改它。",
        shop: &["照常结算，名字不要自己改回去。", "有空时打下面的电话；修过、重装过的，告诉对方。"],
        engineer: &[
            "对照 /etc/hostname 和内核里的名字；只有内核里变的，可能是地址分配服务给的。",
            "结算软件按名字授权的，先和软件公司核对。",
        ],
    },
    en: Text {
        title: "This PC's name is another than the registered one",
        plain: "The PC's name in the system changed, which rarely disturbs settling. A repair, an installation or a system update may change it.",
        shop: &[
            "Go on settling; do not change the name back yourself.",
            "When there is time, call the number below; if the PC was repaired or installed anew, tell them.",
        ],
        engineer: &[
            "Compare /etc/hostname with the kernel's name; if only the latter changed, DHCP may have given it.",
            "If the settlement program is licensed by name, check with its vendor first.",
        ],
    },
};

pub(super) static RESOLVER: Pair = Pair {
    zh: Text {
        title: "用的域名服务器和登记的不同",
        plain: "域名服务器替电脑把名字查成地址，现在用的和登记时不一样。可能是运营商或医保局换了，这台电脑上什么都没动；也可能是这里的设置变了。",
        shop: &[act::CALL_ZH, act::ARRANGED_ZH],
        engineer: &[
            "看 resolv.conf 由谁写：地址分配、VPN、网络管理程序，还是手工；和登记的对照。",
            "由运营商或医保局下发的，和他们核对后重新登记；出现公网解析的，会另有一条 isolation.public-dns。",
        ],
    },
    en: Text {
        title: "Other name servers are in use than the registered ones",
        plain: "Name servers look up addresses for this PC, and they are not the registered ones. The operator or the bureau may have replaced them with nothing changed here, or a setting of this PC changed.",
        shop: &[act::CALL_EN, act::ARRANGED_EN],
        engineer: &[
            "See who writes resolv.conf: DHCP, the VPN, the network manager or a hand; compare with the baseline.",
            "If the operator or the bureau hands them out, check with them and enrol again; public names that resolve show as isolation.public-dns besides.",
        ],
    },
};

pub(super) static HOSTS: Pair = Pair {
    zh: Text {
        title: "电脑里的名字地址对照表变了",
        plain: "电脑里有一张名字和地址的对照表，和登记时不一样。结算软件或 VPN 更新时常会改它。",
        shop: &[act::CALL_ZH, "最近更新过结算软件或 VPN 的，告诉对方哪一天。"],
        engineer: &["比较 /etc/hosts 和基线，先看医保中心的名字那几行。", "和结算软件公司核对新地址；属实的重新登记。"],
    },
    en: Text {
        title: "This PC's own table of names and addresses changed",
        plain: "This PC keeps a table of names and addresses, and it is not as registered. An update of the settlement program or of the VPN often changes it.",
        shop: &[act::CALL_EN, "If the settlement program or the VPN was updated lately, tell them when."],
        engineer: &[
            "Compare /etc/hosts with the baseline, the lines of the centre's names first.",
            "Check new addresses with the settlement software's vendor; if they are right, enrol again.",
        ],
    },
};

pub(super) static NETWORK: Pair = Pair {
    zh: Text {
        title: "电脑的网络设置和登记的不同",
        plain: "网卡、地址、路由这些设置里有的和登记时不一样。可能是运营商那边分配的变了，也可能是维修、更新时改的。",
        shop: &[act::CALL_ZH, act::ARRANGED_ZH],
        engineer: &["看证据里变的是哪个配置文件、哪一项；和基线逐项对照。", "由地址分配服务给的，和运营商核对；属实的重新登记。"],
    },
    en: Text {
        title: "This PC's network is set up differently than registered",
        plain: "Some setting of network card, address or route is not as registered. The operator may hand out something else now, or a repair or an update changed it.",
        shop: &[act::CALL_EN, act::ARRANGED_EN],
        engineer: &[
            "See in the evidence which file and which item changed; compare with the baseline one by one.",
            "What DHCP hands out is for the operator to confirm; if it is right, enrol again.",
        ],
    },
};

pub(super) static FIREWALL_DOWN: Pair = Pair {
    zh: Text {
        title: "电脑的防火墙没有开，或者什么都不拦了",
        plain: "看到防火墙停着，或者里面没有一条拦东西的规则。系统更新、软件安装、重启以后没有自动打开，都会这样。",
        shop: &[act::CALL_ZH, act::ARRANGED_ZH],
        engineer: &[
            "看 nftables、iptables 有没有规则，对应的服务是否启用、启动时有没有报错。",
            "第三方防火墙不在这里看得到，配置里写明由谁负责；恢复后核对 VPN 和医保端口仍然放行。",
        ],
    },
    en: Text {
        title: "This PC's firewall is off, or keeps nothing out",
        plain: "The firewall was seen switched off, or without any rule that keeps something out. A system update, an installation or a restart after which it did not come up does that.",
        shop: &[act::CALL_EN, act::ARRANGED_EN],
        engineer: &[
            "See whether nftables or iptables hold rules, whether their service is enabled and whether it failed at boot.",
            "A third party's firewall cannot be seen here; the configuration says who is in charge. After it is back, see that the VPN and the centre's ports still pass.",
        ],
    },
};

pub(super) static FIREWALL_CHANGED: Pair = Pair {
    zh: Text {
        title: "电脑的防火墙拦得比登记时少了",
        plain: "防火墙还开着，但放行的比登记时多，或者有的规则变了。装软件、远程维护、系统更新时常会这样改。",
        shop: &[act::CALL_ZH, act::ARRANGED_ZH],
        engineer: &[
            "看证据里是哪张表、哪条链：默认策略、拦截的条数、放行的条数，和登记时比。",
            "容器、虚拟机、封禁工具、隧道自己加的规则不算在内；属实的改动重新登记。",
        ],
    },
    en: Text {
        title: "This PC's firewall keeps less out than registered",
        plain: "The firewall is on, but it lets more pass than at enrolment, or a rule of it is another. An installation, remote support or a system update often changes it so.",
        shop: &[act::CALL_EN, act::ARRANGED_EN],
        engineer: &[
            "See in the evidence which table and chain: its policy, how many rules refuse and how many let pass, then and now.",
            "Rules that containers, virtual machines, bans and tunnels bring are not counted; if the change is right, enrol again.",
        ],
    },
};

pub(super) static ANTIVIRUS_DOWN: Pair = Pair {
    zh: Text {
        title: "杀毒软件没有在运行",
        plain: "登记的杀毒软件现在没有在运行。更新、重启、授权到期时也会这样。",
        shop: &["看杀毒软件有没有在更新或提示重启，有就等它做完。", "十分钟后还是这样，打下面的电话。"],
        engineer: &["看配置里的程序名和服务是否对得上现在的版本；再看服务的日志和授权。", "升级换了程序名的，改配置，不算停用。"],
    },
    en: Text {
        title: "The antivirus program is not running",
        plain: "The registered antivirus program is not running now. An update, a restart or a licence that ran out does that too.",
        shop: &[
            "See whether the antivirus program is updating or asks for a restart; if so, let it finish.",
            "If it is still so after ten minutes, call the number below.",
        ],
        engineer: &[
            "See whether the program or unit named in the configuration is that of the installed version; then its log and its licence.",
            "If an upgrade renamed the program, change the configuration: it was not switched off.",
        ],
    },
};

pub(super) static SOFTWARE_FORBIDDEN: Pair = Pair {
    zh: Text {
        title: "电脑上有医保局清单上列的软件",
        plain: "清单上的一个软件装在电脑里，或者正在运行，名字写在记录里。装着、开着，不等于用它做过什么；也可能本来就装在电脑里。",
        shop: &["不是办业务用的，先关掉，不要自己卸载；办业务用的，什么都不动。", "打下面的电话；知道谁装的、做什么用的，告诉对方。"],
        engineer: &[
            "只按名字对上清单，可能是同名的别的程序：先看路径和软件包。",
            "数据库工具、远程协助工具可能是软件公司维护用的，先问清再处理。",
        ],
    },
    en: Text {
        title: "Software on the bureau's list is on this PC",
        plain: "A program on the list is installed or running; its name is in the record. Being there does not mean that anything was done with it, and it may have come with the PC.",
        shop: &[
            "If it is not for work, close it, but do not uninstall it; if it is for work, change nothing.",
            "Call the number below; if you know who installed it and what for, tell them.",
        ],
        engineer: &[
            "It matched the list by its name only and may be another program of that name: see path and package first.",
            "Database and remote-support tools may belong to the settlement software's vendor: ask before acting.",
        ],
    },
};

pub(super) static UPLOAD_OVERDUE: Pair = Pair {
    zh: Text {
        title: "到了时间，还没看到当天的数据传完",
        plain: "该上传的时间过了，还没有看到传完的标记。可能已经传了只是没留下标记，也可能是网络或医保中心那头耽误了。",
        shop: &["在结算软件里看当天的上传做完没有，没做完就按平时的办法再传一次。", "传不上去的，记下屏幕上的提示，打下面的电话。"],
        engineer: &["看标记文件或目录的时间，和配置的时刻对照；软件升级后标记可能换了位置。", "同时有连不上的事件的，先处理那一件。"],
    },
    en: Text {
        title: "The day's upload was not seen complete in time",
        plain: "The time for the upload is past and no mark of its end was seen. It may be done without leaving a mark, or the network or the centre held it up.",
        shop: &[
            "See in the settlement program whether the day's upload is done; if not, upload again as you do every day.",
            "If it does not go through, note the message on the screen and call the number below.",
        ],
        engineer: &[
            "Compare the time of the marker file or directory with the configured hour; an upgrade may have moved the marker.",
            "If a disconnection is open at the same time, see to that first.",
        ],
    },
};
