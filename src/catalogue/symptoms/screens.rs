//! The phrases as they stand on screens, and as people repeat them.

use super::{Lang, Symptom};

/// A symptom in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScreenText {
    /// What it is called in a list; one clause, no full stop.
    pub title: &'static str,
    /// How it reads, in this language. None belongs to two symptoms.
    pub phrases: &'static [&'static str],
    /// What holds for all its origins: what to do at the counter meanwhile. One or two sentences.
    pub meanwhile: &'static str,
}

struct Pair {
    zh: ScreenText,
    en: ScreenText,
}

/// The words of a symptom.
pub fn screen(symptom: Symptom, lang: Lang) -> &'static ScreenText {
    let pair = match symptom {
        Symptom::CardRejected => &CARD_REJECTED,
        Symptom::RegistrationAbnormal => &REGISTRATION_ABNORMAL,
        Symptom::PaidUpNoBenefit => &PAID_UP_NO_BENEFIT,
        Symptom::NoBalance => &NO_BALANCE,
        Symptom::BusyOnPc => &BUSY_ON_PC,
        Symptom::BusyOnPhone => &BUSY_ON_PHONE,
        Symptom::ServiceException => &SERVICE_EXCEPTION,
    };
    lang.pick(&pair.zh, &pair.en)
}

static CARD_REJECTED: Pair = Pair {
    zh: ScreenText {
        title: "卡被拒绝、冻结，或者说暂停使用",
        phrases: &[
            "医保卡已冻结",
            "卡冻结了",
            "账户已冻结",
            "已暂停，不能使用",
            "暂停参保",
            "参保状态暂停",
            "医保待遇已暂停",
            "此卡不能使用",
            "卡状态异常",
            "刷卡被拒绝",
            "停保",
        ],
        meanwhile: "先问参保人是不是有工作单位，单位最近有没有按时缴医保。反复刷卡没有用，卡本身多半是好的。",
    },
    en: ScreenText {
        title: "The card is rejected, frozen or suspended",
        phrases: &[
            "card rejected",
            "card frozen",
            "account frozen",
            "suspended, cannot be used",
            "insurance suspended",
            "enrolment paused",
            "card status abnormal",
        ],
        meanwhile: "Ask first whether the customer has an employer and whether it has paid in lately. Trying the card again does not help; the card itself is mostly fine.",
    },
};

static REGISTRATION_ABNORMAL: Pair = Pair {
    zh: ScreenText {
        title: "登记信息异常",
        phrases: &["登记信息异常", "参保登记信息异常", "参保信息异常", "未查到参保信息", "查无此人参保记录", "没有参保登记"],
        meanwhile: "过几分钟再试一次。还是一样，请参保人去医保窗口查登记；缴费也可以改到银行或税务窗口办。",
    },
    en: ScreenText {
        title: "The registration information is abnormal",
        phrases: &["registration information abnormal", "abnormal enrolment data", "no enrolment record found", "person not registered"],
        meanwhile: "Try once more in a few minutes. If it stays, the insured person has the registration looked up at the bureau's counter; contributions can also be paid at a bank or the tax office.",
    },
};

static PAID_UP_NO_BENEFIT: Pair = Pair {
    zh: ScreenText {
        title: "补缴了，还是不能享受待遇",
        phrases: &[
            "补缴后仍不能享受待遇",
            "已补缴还是用不了",
            "已缴费但无法享受待遇",
            "补缴了还是不能报销",
            "处于待遇等待期",
            "在等待期内",
            "钱补上了待遇没有恢复",
            "不在待遇享受期内",
        ],
        meanwhile: "急诊住院可以先垫付，票据留好，待遇恢复以后再办冲抵；能不能办以当地规定为准。",
    },
    en: ScreenText {
        title: "Paid up again, and still no benefit",
        phrases: &[
            "paid up, still no benefit",
            "contributions paid but no benefit",
            "in the waiting period",
            "not in the benefit period",
            "arrears paid, still not covered",
        ],
        meanwhile: "An urgent admission is paid in cash first and offset later; keep the receipts. What the place allows decides.",
    },
};

static NO_BALANCE: Pair = Pair {
    zh: ScreenText {
        title: "余额是零，或者钱没有到账",
        phrases: &[
            "余额为0",
            "余额为零",
            "余额不足",
            "个人账户余额不足",
            "个人账户没有钱",
            "卡里没钱",
            "医保的钱没有到账",
            "个人账户未划入",
            "账户未激活",
            "无个人账户",
        ],
        meanwhile: "先问是职工医保还是居民医保，再问最近有没有换过单位、断过缴费。",
    },
    en: ScreenText {
        title: "The balance is zero, or no money arrived",
        phrases: &[
            "balance is 0",
            "balance is zero",
            "insufficient balance",
            "no money arrived",
            "nothing was paid into the account",
            "account not activated",
            "no personal account",
        ],
        meanwhile: "Ask whether it is employees' or residents' insurance, then whether the customer changed employers or stopped paying lately.",
    },
};

static BUSY_ON_PC: Pair = Pair {
    zh: ScreenText {
        title: "结算电脑上说系统繁忙",
        phrases: &["系统繁忙", "系统繁忙，请稍后再试", "系统忙", "中心繁忙", "结算系统繁忙", "请求过多，请稍候"],
        meanwhile: "隔一两分钟再试，不要连着点。结算软件里的任何数据都不要清理，那解决不了这个问题。",
    },
    en: ScreenText {
        title: "The settlement PC says that the system is busy",
        phrases: &[
            "system busy",
            "system busy, try again later",
            "the centre is busy",
            "settlement system busy",
            "too many requests, please wait",
        ],
        meanwhile: "Try again after a minute or two, and do not click several times. Clear nothing in the settlement program: that does not cure this.",
    },
};

static BUSY_ON_PHONE: Pair = Pair {
    zh: ScreenText {
        title: "参保人手机上说系统繁忙",
        phrases: &[
            "手机应用提示系统繁忙",
            "手机上说系统繁忙",
            "手机医保码系统繁忙",
            "小程序系统繁忙",
            "医保码打不开",
            "医保电子凭证打不开",
            "手机应用连不上网",
        ],
        meanwhile: "这是参保人自己手机上的事，柜台的电脑什么也不用动。手机不行，可以改用实体卡。",
    },
    en: ScreenText {
        title: "The customer's phone app says that the system is busy",
        phrases: &[
            "system busy in the phone app",
            "the phone says system busy",
            "the app on the mobile says busy",
            "payment code on the phone does not open",
            "the app on the phone cannot connect",
        ],
        meanwhile: "This is about the customer's own phone; nothing on the counter's PC needs touching. If the phone does not help, use the card itself.",
    },
};

static SERVICE_EXCEPTION: Pair = Pair {
    zh: ScreenText {
        title: "国家平台说服务异常",
        phrases: &["服务异常", "国家平台服务异常", "服务调用异常", "调用服务出错", "平台服务不可用", "服务暂时不可用"],
        meanwhile: "过几分钟再试，多半自己就好了。还不行，把屏幕上的编号和时间抄下来，打下面的电话。",
    },
    en: ScreenText {
        title: "The national platform reports a service exception",
        phrases: &["service exception", "national platform service exception", "service call failed", "service temporarily unavailable"],
        meanwhile: "Try again in a few minutes; most often it passes. If not, note the number and time on the screen and call.",
    },
};
