//! Date, time and time zone. A time service, a settlement program and a flat battery move a clock as a hand does.

use super::{Pair, Text, act};

pub(super) static STEPPED: Pair = Pair {
    zh: Text {
        title: "电脑的日期时间跳动过",
        plain: "看到日期时间一下子往前或往后跳了一段。自动校时、结算软件登录时校时、手工调整都会这样；是哪一种，以记录为准。",
        shop: &[act::DATE_ZH, "打下面的电话，请对方核对；店里有安排过校时的，告诉对方。"],
        engineer: &[
            "看证据里的幅度、方向、前后同步状态，以及和服务器时间的差；往服务器时间靠的只算提示。",
            "对照校时服务和结算软件的日志；开了审计的，能看到是哪个程序、哪个登录用户。",
        ],
    },
    en: Text {
        title: "This PC's date or time jumped",
        plain: "The date or time was seen to jump forward or back at once. A time service, the settlement program at login, or a hand does that; the record says which, where it is known.",
        shop: &[act::DATE_EN, "Call the number below and ask them to check it; if a correction was arranged, tell them."],
        engineer: &[
            "See size, direction, the state of synchronisation around it and the difference to server time; a step towards server time is a hint only.",
            "Compare with the logs of the time service and the settlement program; where auditing is on, it names program and login.",
        ],
    },
};

pub(super) static RATE: Pair = Pair {
    zh: Text {
        title: "电脑的钟走得比应有的快或慢",
        plain: "时间没有跳，但走得偏快或偏慢，会越差越多。可能是走速调过，也可能是硬件的缘故，还不知道是哪一种。",
        shop: &[act::DATE_ZH, "能结算就照常结算，有空时打下面的电话。"],
        engineer: &[
            "看 adjtimex 的 tick、freq 和测得的偏差；chronyd 追赶时短时偏快偏慢属于正常。",
            "tick 不是 10000 而没有校时服务在跑的，查启动脚本。",
        ],
    },
    en: Text {
        title: "This PC's clock runs faster or slower than it should",
        plain: "The time did not jump, but it gains or loses and drifts ever further. Perhaps the rate was adjusted, perhaps it is the hardware; which is not known yet.",
        shop: &[act::DATE_EN, "If settling works, go on settling; call the number below when there is time."],
        engineer: &[
            "See tick and freq of adjtimex and the rate measured; chronyd that catches up runs fast or slow for a while.",
            "If tick is not 10000 and no time service runs, look at scripts that run at boot.",
        ],
    },
};

pub(super) static OFFLINE_CHANGE: Pair = Pair {
    zh: Text {
        title: "没有值守的时候，日期时间变过",
        plain: "值守程序停着的那段时间，日期时间比实际多走或少走了一段。主板电池没电、换过系统、关机时调过，都会这样。",
        shop: &[act::DATE_ZH, "打下面的电话；停过电、修过电脑的，告诉对方哪一天。"],
        engineer: &[
            "同一次开机的，幅度由单调时钟算出，是准的；跨开机的，只能和上次留下的时间、电池时钟、服务器时间对照。",
            "开机时回到出厂日期附近的，先换主板电池。",
        ],
    },
    en: Text {
        title: "The date or time changed while nobody watched",
        plain: "While the watch was not running, the clock went on by more or less than it should. A flat battery inside the PC, another system or a change while it was off does that.",
        shop: &[act::DATE_EN, "Call the number below; if the power failed or the PC was repaired, tell them when."],
        engineer: &[
            "Within one boot the size is exact, by the monotonic clock; across boots it rests on the last time kept, the battery clock and server time.",
            "If it starts near the day it was made, replace the board's battery first.",
        ],
    },
};

pub(super) static RTC_CHANGED: Pair = Pair {
    zh: Text {
        title: "主板电池带的那个钟变过",
        plain: "电脑关机后靠主板电池走的那个钟变了一段，下次开机，日期时间可能跟着变。换电池、改主板设置、系统更新都会这样。",
        shop: &[act::DATE_ZH, "打下面的电话；换过电池或修过电脑的，告诉对方。"],
        engineer: &[
            "对照电池时钟、系统时间和服务器时间；内核每 11 分钟的回写已经扣除。",
            "差整数个小时的，先查电池时钟按本地时间还是按 UTC 走。",
        ],
    },
    en: Text {
        title: "The clock on this PC's battery changed",
        plain: "The clock that runs on the battery while the PC is off was moved, so the date may change at the next start. A new battery, a change in the board's settings or a system update does that.",
        shop: &[act::DATE_EN, "Call the number below; if the battery was replaced or the PC repaired, tell them."],
        engineer: &[
            "Compare battery clock, system time and server time; what the kernel writes back every 11 minutes is left out.",
            "If it is off by whole hours, see first whether the battery clock keeps local time or UTC.",
        ],
    },
};

pub(super) static TIMEZONE: Pair = Pair {
    zh: Text {
        title: "电脑的时区和原来不一样",
        plain: "时区变了，屏幕上的钟点会差几个小时，电脑里面的时间并没有变。系统更新、重装软件时也会这样。",
        shop: &[act::DATE_ZH, "打下面的电话，请对方核对时区。"],
        engineer: &["看 /etc/localtime 指向哪里，和登记的对照。", "改回之前先看结算软件按哪个时区写票据时间。"],
    },
    en: Text {
        title: "This PC's time zone is another than before",
        plain: "The time zone changed, so the hour on the screen differs, while the time inside the PC is as it was. A system update or an installation does that too.",
        shop: &[act::DATE_EN, "Call the number below and ask them to check the time zone."],
        engineer: &[
            "See where /etc/localtime points and compare with the registered one.",
            "Before it is put back, see by which zone the settlement program dates its receipts.",
        ],
    },
};
