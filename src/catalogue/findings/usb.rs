//! What is plugged in. Names of files are never looked at; a signing key may bring a storage of its own.

use super::{Pair, Text, act};

pub(super) static STORAGE: Pair = Pair {
    zh: Text {
        title: "电脑上插着 USB 存储设备",
        plain: "看到电脑上插着 U 盘、移动硬盘一类的设备。这里只说它插着，不等于用过。",
        shop: &[act::STICK_ZH, act::SCANNED_ZH, "拿不准的，什么都不动，打下面的电话。"],
        engineer: &[
            "看证据里的型号、序列号和接口位置；U 盾自带的虚拟光盘也算存储，确认后加入允许名单。",
            "允许名单和授权按序列号核对；没有序列号的设备分不出这一个和那一个。",
        ],
    },
    en: Text {
        title: "A USB storage device is plugged into this PC",
        plain: "A stick, portable disk or the like was seen plugged in. This only says that it is there, not that it was used.",
        shop: &[act::STICK_EN, act::SCANNED_EN, "If you are not sure, change nothing and call the number below."],
        engineer: &[
            "See model, serial and port in the evidence; the virtual disc of a signing key counts as storage too: once confirmed, put it on the allow list.",
            "The allow list and grants go by serial; without one, this device cannot be told from another.",
        ],
    },
};

pub(super) static MOUNTED: Pair = Pair {
    zh: Text {
        title: "USB 存储设备已经打开，文件可以读写",
        plain: "系统已经打开这个存储设备，可以往里存、往外取；很多系统插上就会自动打开。文件的名字和内容这里不看，只数读写了多少。",
        shop: &[act::STICK_ZH, act::SCANNED_ZH, "拿不准的，什么都不动，打下面的电话。"],
        engineer: &[
            "看证据里的序列号、挂载位置、只读还是可写、读写字节数和持续时间。",
            "桌面环境自动挂载的，可以关掉自动挂载；光有挂载说明不了复制过什么。",
        ],
    },
    en: Text {
        title: "A USB storage device is open for reading and writing",
        plain: "The system has opened this device, so files can be copied either way; many systems do so by themselves. Names and contents of files are not looked at, only how much was read and written.",
        shop: &[act::STICK_EN, act::SCANNED_EN, "If you are not sure, change nothing and call the number below."],
        engineer: &[
            "See in the evidence the serial, where it is mounted, read-only or not, bytes read and written, and for how long.",
            "If the desktop mounts by itself, that can be switched off; a mount alone does not tell what was copied.",
        ],
    },
};

pub(super) static RAW_READ: Pair = Pair {
    zh: Text {
        title: "USB 存储设备有不经过文件的读取",
        plain: "有程序绕开文件，整块读取了这个设备，像是检查、备份或恢复数据。是什么程序、为了什么，还不知道。",
        shop: &[act::STICK_ZH, "打下面的电话；有人在做备份或修复的，告诉对方是谁。"],
        engineer: &[
            "看证据里的读取字节数和时间；没有挂载而计数在涨，才会这样写。",
            "杀毒扫描、磁盘检查、制作启动盘也会这样；系统认盘时读的那一点已经扣除。",
        ],
    },
    en: Text {
        title: "A USB storage device was read, and not by its files",
        plain: "A program read the device in one piece and not file by file, as for a check, a backup or a repair. Which program, and what for, is not known yet.",
        shop: &[act::STICK_EN, "Call the number below; if someone is making a backup or a repair, tell them who."],
        engineer: &[
            "See bytes and times in the evidence; it is said only where the counter rises without a mount.",
            "Virus scans, disk checks and writing a boot stick look so too; the little that the system reads to recognise a disk is left out.",
        ],
    },
};

pub(super) static HIDDEN_MOUNT: Pair = Pair {
    zh: Text {
        title: "USB 存储设备在用，别处却看不到",
        plain: "有程序在自己单独的环境里用着这个设备，电脑上别处看不到。有些软件平常就是这样工作的；是不是这一种，还不知道。",
        shop: &[act::STICK_ZH, "打下面的电话，告诉对方时间和这里写的内容。"],
        engineer: &[
            "设备被独占，而本机的挂载表里没有：看证据里的进程号和它的挂载命名空间。",
            "容器、沙箱软件、带私有挂载的系统服务都会这样；没找到进程的，只能说设备正被占用。",
        ],
    },
    en: Text {
        title: "A USB storage device is in use where others do not see it",
        plain: "A program uses this device in surroundings of its own, and the rest of the PC does not see that. Some software always works so; whether it is that is not known yet.",
        shop: &[act::STICK_EN, "Call the number below; tell them the time and what is written here."],
        engineer: &[
            "The device is held while our own mount table does not have it: see in the evidence the process and its mount namespace.",
            "Containers, sandboxes and services with private mounts do that; where no process was found, all that is known is that the device is busy.",
        ],
    },
};

pub(super) static PHONE: Pair = Pair {
    zh: Text {
        title: "电脑上插着手机或相机",
        plain: "看到 USB 口上插着手机或相机，它可以传文件，手机有的还能上网。只是充电，看上去也是这样。",
        shop: &["没有医保局同意的，把它拔下来；充电请用墙上的插座。", "工作上要传东西的，先打下面的电话问清楚。"],
        engineer: &[
            "按接口描述符认出是 MTP 或 PTP；没有驱动、没有块设备也会看到。个别扫描仪用的也是这一类接口，核实后加入允许名单。",
            "看证据里的型号和序列号；当网卡用了的，会另有一条 usb.network。",
        ],
    },
    en: Text {
        title: "A phone or camera is plugged into this PC",
        plain: "A phone or camera was seen at a USB port. It can exchange files, and some phones offer a network. One that is only charging looks the same.",
        shop: &[
            "If the bureau did not agree to it, take it out; please charge phones at the wall.",
            "If something must be copied for work, call the number below and ask first.",
        ],
        engineer: &[
            "MTP or PTP is recognised by the interface descriptor, also where no driver and no block device appears. A few scanners use this class too: once confirmed, put them on the allow list.",
            "See model and serial in the evidence; one that acts as a network adapter shows as usb.network besides.",
        ],
    },
};

pub(super) static NETWORK: Pair = Pair {
    zh: Text {
        title: "电脑上插着没登记的 USB 网卡或上网手机",
        plain: "看到 USB 口上多了一块网卡，或者一部当网卡用的手机。它可以给电脑另开一条网络；通到哪里，还不知道。",
        shop: &["没有医保局同意的，把它拔下来；平时就靠它连医保的，不要拔。", "打下面的电话，告诉对方时间和这里写的内容。"],
        engineer: &[
            "看证据里的接口类别、驱动、网口名和 MAC；有没有拿到地址和路由。",
            "换过的网卡属实的，报医保局备案后重新登记；通不通互联网，看 isolation 开头的各条。",
        ],
    },
    en: Text {
        title: "An unregistered USB network adapter or phone is plugged in",
        plain: "A network adapter, or a phone that acts as one, was seen at a USB port. It can give this PC another network; where that leads is not known yet.",
        shop: &[
            "If the bureau did not agree to it, take it out; if it is what this PC always connects with, leave it in.",
            "Call the number below; tell them the time and what is written here.",
        ],
        engineer: &[
            "See in the evidence class, driver, interface and MAC, and whether it has an address and routes.",
            "If it replaces an adapter, report it to the bureau and enrol again; whether it reaches the internet is said by the codes of isolation.",
        ],
    },
};
