//! Others behind this PC; which machine this is, and where it stands.

use super::{Pair, Text, act};

pub(super) static FORWARDING: Pair = Pair {
    zh: Text {
        title: "这台电脑可以替别的设备转发数据",
        plain: "看到系统开着转发，别的设备的数据可以经过这台电脑。容器、虚拟机一类的软件也会打开它；有没有别的设备在用，以记录为准。",
        shop: &[act::CALL_ZH, act::ARRANGED_ZH],
        engineer: &[
            "看 ip_forward、各网口的 forwarding，以及 ForwDatagrams 有没有增长，和登记时的值对照。",
            "容器或虚拟机正常要用的，征得同意后重新登记；其余查清是哪个程序打开的，再关闭。",
        ],
    },
    en: Text {
        title: "This PC can pass on data of other devices",
        plain: "Forwarding was seen switched on, so that data of other devices can pass through this PC. Software for containers or virtual machines does that too; whether another device uses it stands in the record.",
        shop: &[act::CALL_EN, act::ARRANGED_EN],
        engineer: &[
            "Compare ip_forward, forwarding of each interface and whether ForwDatagrams grows with the values at enrolment.",
            "If containers or virtual machines need it, agree and enrol again; else find the program that switched it on, then switch it off.",
        ],
    },
};

pub(super) static NAT: Pair = Pair {
    zh: Text {
        title: "别的设备可以借这台电脑的地址进网",
        plain: "看到有设置让别的设备用这台电脑的地址进网，网络那头分不出是哪一台。容器、虚拟机一类的软件有时也会加上。",
        shop: &[act::CALL_ZH, act::ARRANGED_ZH],
        engineer: &[
            "列出 nftables 或 iptables 的 nat 规则（masquerade、snat），看出口网口、来源网段和计数。",
            "和基线对照；软件自带的，征得同意后重新登记，其余查清来历后撤掉。",
        ],
    },
    en: Text {
        title: "Other devices can go out under this PC's address",
        plain: "A setting was seen by which other devices use this PC's address, so that the network cannot tell them apart. Software for containers or virtual machines sometimes adds one too.",
        shop: &[act::CALL_EN, act::ARRANGED_EN],
        engineer: &[
            "List the nat rules of nftables or iptables (masquerade, snat): interface outward, source prefix, counters.",
            "Compare with the baseline; if installed software brings them, agree and enrol again, else take them away once their origin is clear.",
        ],
    },
};

pub(super) static BRIDGE: Pair = Pair {
    zh: Text {
        title: "电脑的两个实体网口接成了一个",
        plain: "看到两个实体网口合成了一个，两边的网络在这台电脑上连到了一起。装虚拟机软件、调整网络时也会这样。",
        shop: &[act::CALL_ZH, act::ARRANGED_ZH],
        engineer: &[
            "看网桥的名字、成员网口和建立时间；是网络管理程序的配置，还是临时建的。",
            "拆开之前先弄清医保走哪个网口，免得断了结算。",
        ],
    },
    en: Text {
        title: "Two network ports of this PC are joined into one",
        plain: "Two ports were seen joined, so that the networks on both sides meet in this PC. Software for virtual machines or a change of the network does that too.",
        shop: &[act::CALL_EN, act::ARRANGED_EN],
        engineer: &[
            "See the bridge's name, its ports and since when; whether the network manager made it or it was made by hand.",
            "Find out which port leads to the centre before taking it apart, or settling stops.",
        ],
    },
};

pub(super) static SHARING: Pair = Pair {
    zh: Text {
        title: "这台电脑在把网络分给别的设备用",
        plain: "看到这台电脑开着热点、分配地址或代理一类的共享，别的设备可以通过它进网。有些软件装上就会打开；有没有设备在用，以记录为准。",
        shop: &["记得怎么打开的热点或网络共享，把它关掉；不清楚的，什么都不动。", "打下面的电话，告诉对方时间和这里写的内容。"],
        engineer: &[
            "看证据里是哪一种：无线网卡处于热点模式、67 端口的地址分配、网络管理程序的共享连接，还是代理监听。",
            "查是哪个程序、听在哪个地址；只给本机用的改为只听本机，其余停用。",
        ],
    },
    en: Text {
        title: "This PC shares its network with other devices",
        plain: "This PC was seen to offer a hotspot, addresses or a proxy, so that other devices can go through it. Some software switches that on by itself; whether a device uses it stands in the record.",
        shop: &[
            "If you know how the hotspot or sharing was switched on, switch it off; if not, change nothing.",
            "Call the number below; tell them the time and what is written here.",
        ],
        engineer: &[
            "The evidence says which: an interface in access-point mode, addresses handed out on port 67, a shared connection of the network manager, or a listening proxy.",
            "Find the program and the address it listens on; what serves this PC only should listen on loopback only, the rest is stopped.",
        ],
    },
};

pub(super) static FOREIGN_NAMESPACE: Pair = Pair {
    zh: Text {
        title: "这台电脑里有程序用着自己单独的网络",
        plain: "有程序在电脑里另开了一套自己的网络，有自己的出口。容器、虚拟机一类的软件平常就这样；这个出口通到哪里，还不知道。",
        shop: &[act::CALL_ZH, "最近装过新软件的，告诉对方叫什么名字。"],
        engineer: &[
            "看证据里的进程号、网络命名空间和其中的网卡、路由。",
            "网卡从本机移进去的，查是谁移的；属于正常软件的，征得同意后重新登记。",
        ],
    },
    en: Text {
        title: "A program on this PC has a network of its own",
        plain: "A program has set up a network of its own on this PC, with its own way out. Software for containers or virtual machines usually does; where the way leads is not known yet.",
        shop: &[act::CALL_EN, "If software was installed lately, tell them its name."],
        engineer: &[
            "See in the evidence the process, the network namespace, its interfaces and routes.",
            "If an interface moved there from this PC, find out what moved it; if the software belongs here, agree and enrol again.",
        ],
    },
};

pub(super) static IDENTITY_CHANGED: Pair = Pair {
    zh: Text {
        title: "这台电脑和登记的那台对不上",
        plain: "机器编号、网卡或硬盘和登记时不一样。修过、换过配件、重装过系统、从备份恢复过，都会这样。",
        shop: &[act::CALL_ZH, "修过或换过配件的，告诉对方哪一天、谁来的。"],
        engineer: &[
            "看证据里是哪几项变了：机器编号、主板和整机序列号、网卡出厂地址、硬盘序列号。",
            "维修或换机属实的，报医保局备案后重新登记；只变了一项的，先怀疑配件。",
        ],
    },
    en: Text {
        title: "This PC does not match the registered one",
        plain: "The machine's number, network card or disk is not as registered. A repair, a new part, a new installation or a restored backup does that.",
        shop: &[act::CALL_EN, "If it was repaired or got a new part, tell them when and by whom."],
        engineer: &[
            "See in the evidence what differs: machine-id, serials of board and system, permanent MAC, serial of the disk.",
            "If it was repaired or replaced, report it to the bureau and enrol again; with one difference only, think of a part first.",
        ],
    },
};

pub(super) static GATEWAY: Pair = Pair {
    zh: Text {
        title: "上一级路由器换成了没有登记的一台",
        plain: "路由器还是那个地址，设备编号和登记的不同。多半是运营商换过设备，也可能电脑接到了别的路由器上；这台电脑上不一定有过变动。",
        shop: &[act::CALL_ZH, "有人来换过路由器、光猫，或者挪过电脑的，告诉对方哪一天。"],
        engineer: &["和运营商核对新的 MAC；确认换过设备的，重新登记。", "新旧两个 MAC 交替出现的，查有没有第二台路由器用同一个地址。"],
    },
    en: Text {
        title: "The router ahead is one that was not registered",
        plain: "The router's address is the same, its device number is not. Most likely the operator replaced it, or the PC is plugged into another router; nothing need have changed on this PC.",
        shop: &[act::CALL_EN, "If someone replaced the router or modem, or the PC was moved, tell them when."],
        engineer: &[
            "Compare the new MAC with the operator; when the replacement is confirmed, enrol again.",
            "If the old and the new MAC alternate, look for a second router with the same address.",
        ],
    },
};

pub(super) static LINK: Pair = Pair {
    zh: Text {
        title: "网线接的口和登记的不一样",
        plain: "电脑用的网口、网线或者对面的口和登记时不一样。打扫、搬桌子、换网线、对面换设备以后常见。",
        shop: &["能结算就照常结算，网线先不要动。", "有空时打下面的电话；挪过、换过什么的，告诉对方。"],
        engineer: &["看证据里是网卡、速率还是对端端口变了，和基线对照。", "属于正常调整的，重新登记；速率降下来的，测线。"],
    },
    en: Text {
        title: "The network cable is not on the registered port",
        plain: "The PC's port, the cable or the port at its other end is not as registered. That is usual after cleaning, moving desks, a new cable or a new device at the other end.",
        shop: &[
            "If settling works, go on settling and leave the cable as it is.",
            "When there is time, call the number below; tell them what was moved or replaced.",
        ],
        engineer: &[
            "See in the evidence whether the interface, the speed or the far port changed, and compare with the baseline.",
            "If it was arranged, enrol again; if the speed fell, test the cable.",
        ],
    },
};
