//! Cable, radio, card reader and address: what is at this PC itself.

use super::{Pair, Text, act};

pub(super) static NO_CARRIER: Pair = Pair {
    zh: Text {
        title: "网线没有信号",
        plain: "电脑的网口收不到信号，多半是网线松了、断了，或者网线另一头的设备没通电。",
        shop: &[act::CABLE_ZH, "看网线另一头的设备通没通电、对应的网口灯亮不亮。", "灯还是不亮，就打下面的电话。"],
        engineer: &["查对端端口是否启用、速率和双工能否协商。", "测线，换端口对比；看网卡驱动有没有报错。"],
    },
    en: Text {
        title: "The network cable carries no signal",
        plain: "The PC's network port sees no signal: most likely the cable is loose or broken, or the device at its other end has no power.",
        shop: &[
            act::CABLE_EN,
            "See whether the device at the other end has power and the lamp at its port is lit.",
            "If the lamp stays dark, call the number below.",
        ],
        engineer: &[
            "Check that the far port is enabled and that speed and duplex negotiate.",
            "Test the cable, compare with another port; read the driver's messages.",
        ],
    },
};

pub(super) static ADMIN_DOWN: Pair = Pair {
    zh: Text {
        title: "电脑的网卡停用了，或者认不出来",
        plain: "系统里这块网卡是关着的，或者根本没认出来。外面的线路是好是坏，这时候还看不到。",
        shop: &[act::CALL_ZH, "这两天电脑修过、断过电或者挪过，电话里说一声。"],
        engineer: &["接口没有 UP 或不存在：查网络管理程序的配置、驱动、BIOS 板载网卡开关。", "USB 网卡先看系统有没有认出来。"],
    },
    en: Text {
        title: "The PC's network card is switched off or not found",
        plain: "The system has this network card switched off, or does not see one at all. Nothing can be said yet about the line outside.",
        shop: &[act::CALL_EN, "If the PC was repaired, moved or lost power lately, mention it."],
        engineer: &[
            "The interface is not UP or absent: check the network manager's profile, the driver, the firmware's switch for the onboard card.",
            "For a USB adapter, see first whether the system lists it.",
        ],
    },
};

pub(super) static FLAPPING: Pair = Pair {
    zh: Text {
        title: "网线时通时断",
        plain: "网口的信号一会儿有一会儿没有，多半是水晶头松了、网线被压坏，或者对面的设备在反复重启。",
        shop: &[act::CABLE_ZH, "看网线有没有被椅子压着、折着。", "还是时好时坏，打下面的电话。"],
        engineer: &["看 carrier_changes 增长的时刻，和对端端口日志对照。", "换线、换端口；关掉网卡的节能以太网再比较。"],
    },
    en: Text {
        title: "The network cable's signal comes and goes",
        plain: "The signal at the network port keeps coming and going: a loose plug, a crushed cable, or a device at the other end that keeps restarting.",
        shop: &[act::CABLE_EN, "See whether a chair or a drawer is crushing the cable.", "If it goes on, call the number below."],
        engineer: &[
            "Compare the times at which carrier_changes rises with the log of the far port.",
            "Swap cable and port; compare with energy-efficient Ethernet switched off.",
        ],
    },
};

pub(super) static DEGRADED: Pair = Pair {
    zh: Text {
        title: "网线质量差，速度上不去",
        plain: "网线能通，但是降速了或者老出错，结算会比平时慢。",
        shop: &[act::CABLE_ZH, "能结算就照常结算，有空时打下面的电话约人来看。"],
        engineer: &["只有 10 Mbit、半双工或 CRC 报错：测线，看两端是否一边强制一边自协商。"],
    },
    en: Text {
        title: "The network cable is poor and the link runs slow",
        plain: "The cable works, but at a low speed or with errors. Settlement takes longer than usual.",
        shop: &[act::CABLE_EN, "Go on settling; when there is time, call the number below for a visit."],
        engineer: &["10 Mbit, half duplex or CRC errors: test the cable; see whether one end is forced and the other negotiates."],
    },
};

pub(super) static WIFI_LOST: Pair = Pair {
    zh: Text {
        title: "无线网没连上",
        plain: "这台电脑走无线，现在没连上原来那个无线网。",
        shop: &["看无线路由器通没通电、灯亮不亮。", "只连原来那个无线网，别的不要连，连不上就打下面的电话。"],
        engineer: &["没有关联：查射频开关、认证失败记录、信道和信号强度。"],
    },
    en: Text {
        title: "The wireless network is not connected",
        plain: "This PC uses wireless, and it is not joined to its usual wireless network.",
        shop: &[
            "See whether the wireless router has power and its lamps are on.",
            "Join only the usual wireless network, no other; if that fails, call the number below.",
        ],
        engineer: &["Not associated: check the radio switch, authentication failures, channel and signal strength."],
    },
};

pub(super) static READER_MISSING: Pair = Pair {
    zh: Text {
        title: "读卡器没接上",
        plain: "登记过的读卡器，电脑现在认不到。网络是另一回事，读不了卡多半就是因为它。",
        shop: &["把读卡器的 USB 线拔下来，插回原来的口，看灯亮不亮。", "还认不到，打下面的电话。"],
        engineer: &["USB 清单里没有登记的设备：查供电、线、口，再查驱动。"],
    },
    en: Text {
        title: "The card reader is not connected",
        plain: "The PC does not see the registered card reader. That is apart from the network, and most likely why cards cannot be read.",
        shop: &[
            "Unplug the card reader's USB cable, plug it back into the same socket and see whether its lamp lights.",
            "If it is still not found, call the number below.",
        ],
        engineer: &["The registered device is not among the USB devices: check power, cable and socket, then the driver."],
    },
};

pub(super) static ADDR_NONE: Pair = Pair {
    zh: Text {
        title: "电脑没分到网络地址",
        plain: "网线有信号，但是电脑没拿到网络地址。多半是分配地址的路由器或盒子没正常工作。",
        shop: &[act::LAMPS_ZH, "有灯不亮的，先看它的电源插好没有。", "等两分钟还不行，打下面的电话。"],
        engineer: &["DHCP 没有应答：查地址池、VLAN、端口认证；169.254 开头的不算可用地址。", "固定地址的，查配置文件有没有生效。"],
    },
    en: Text {
        title: "The PC was given no network address",
        plain: "The cable has a signal, but the PC got no network address. Most likely the router or box that hands them out is not working.",
        shop: &[
            act::LAMPS_EN,
            "If one has no lamp on, see that its power plug is in.",
            "If two minutes later nothing has changed, call the number below.",
        ],
        engineer: &[
            "DHCP gave nothing: check the pool, the VLAN, port authentication; 169.254/16 does not count as an address.",
            "With a static address, check that the profile is applied.",
        ],
    },
};

pub(super) static ADDR_CHANGED_SUBNET: Pair = Pair {
    zh: Text {
        title: "电脑的网络地址和登记的不一样",
        plain: "电脑现在的网络地址不在登记的范围里。可能是网线插到了别的口，也可能是网里多了一台别的路由器。",
        shop: &[act::CALL_ZH, "最近换过网口、搬过位置或者加过设备，电话里说一声。"],
        engineer: &["和登记的地址、网关对照；查谁在发 DHCP（看服务器标识）。", "确认接的是医保专网的端口和 VLAN。"],
    },
    en: Text {
        title: "The PC's network address is not the registered one",
        plain: "The PC's address lies outside the registered range. Perhaps the cable is in another socket, or another router has joined the network.",
        shop: &[act::CALL_EN, "If a socket was changed, the PC moved or a device added lately, mention it."],
        engineer: &[
            "Compare with the enrolled address and gateway; see who gives DHCP (server identifier).",
            "Make sure this is the private network's port and VLAN.",
        ],
    },
};

pub(super) static ADDR_CONFLICT: Pair = Pair {
    zh: Text {
        title: "有别的设备占用了这台电脑的地址",
        plain: "网里另有一台设备用了同一个网络地址，两台会互相顶掉，结算时好时坏。",
        shop: &[act::CALL_ZH, "刚接上网的设备（电脑、打印机、摄像头），电话里说一声是哪台。"],
        engineer: &["按 ARP 里的另一个 MAC 在交换机上找到它。", "固定地址要避开 DHCP 地址池。"],
    },
    en: Text {
        title: "Another device uses this PC's network address",
        plain: "Another device on the network has the same address. The two push each other out, so settlement works on and off.",
        shop: &[act::CALL_EN, "If a device was connected just now (PC, printer, camera), say which."],
        engineer: &["Find the other MAC of the ARP answers in the switch's table.", "Keep static addresses out of the DHCP pool."],
    },
};

pub(super) static ADDR_GATEWAY_NOT_ON_LINK: Pair = Pair {
    zh: Text {
        title: "电脑的网络设置对不上",
        plain: "电脑的网络地址和它要找的路由器对不上号，谁也找不到谁。",
        shop: &[act::CALL_ZH],
        engineer: &["网关不在任何直连网段内：核对地址、掩码、网关三项，多半是掩码或网关填错。"],
    },
    en: Text {
        title: "The PC's network settings do not fit together",
        plain: "The PC's address and the router it should use are in different ranges, so they cannot find each other.",
        shop: &[act::CALL_EN],
        engineer: &["The gateway is outside every on-link prefix: check address, mask and gateway together."],
    },
};
