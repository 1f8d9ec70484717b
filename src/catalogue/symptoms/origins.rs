//! What a symptom comes from, in words: for the counter, and for what the counter tells the customer.

use super::{Lang, Origin};

/// An origin in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OriginText {
    /// One clause, no full stop.
    pub title: &'static str,
    /// What it means, and what puts it right. One to three sentences.
    pub plain: &'static str,
    /// What may be said to the customer, word for word.
    pub say: &'static str,
}

struct Pair {
    zh: OriginText,
    en: OriginText,
}

/// The words of an origin.
pub fn origin(origin: Origin, lang: Lang) -> &'static OriginText {
    let pair = match origin {
        Origin::AccountArrears => &ARREARS,
        Origin::AccountDuplicateEnrolment => &DUPLICATE_ENROLMENT,
        Origin::AccountNotEnrolled => &NOT_ENROLLED,
        Origin::AccountWaitingPeriod => &WAITING_PERIOD,
        Origin::AccountPostingDelay => &POSTING_DELAY,
        Origin::AccountSealed => &SEALED,
        Origin::AccountNotActivated => &NOT_ACTIVATED,
        Origin::AccountNoPersonalAccount => &NO_PERSONAL_ACCOUNT,
        Origin::CentreBusy => &CENTRE_BUSY,
        Origin::CentreError => &CENTRE_ERROR,
        Origin::ClientOffline => &OFFLINE,
        Origin::ClientCache => &CACHE,
        Origin::ClientOutdated => &OUTDATED,
    };
    lang.pick(&pair.zh, &pair.en)
}

static ARREARS: Pair = Pair {
    zh: OriginText {
        title: "参保单位欠缴医保费",
        plain: "单位欠费时，门诊和药店的医保支付会停。个人欠缴只影响住院报销，所以先问单位。单位补缴以后会恢复。",
        say: "您的卡没有坏。麻烦问一下单位，最近的医保费缴了没有；缴上以后就能用了。",
    },
    en: OriginText {
        title: "The employer has not paid the contributions",
        plain: "While the employer owes, paying at clinics and pharmacies is stopped. Personal arrears stop only inpatient claims, so ask about the employer first. It comes back once the employer has paid.",
        say: "Your card is not broken. Please ask your employer whether the contributions have been paid; it works again once they are.",
    },
};

static DUPLICATE_ENROLMENT: Pair = Pair {
    zh: OriginText {
        title: "同一个人有两份参保记录，其中一份被暂停",
        plain: "换上新系统后，重复的参保记录只留一份，一般留较新的或待遇较高的，其余暂停。要由单位或社区核对，再由医保局合并。",
        say: "系统里可能有您两份参保记录，停了一份。请让单位或者社区帮您查一下，再到医保窗口合并。",
    },
    en: OriginText {
        title: "The person is enrolled twice and one record is paused",
        plain: "After a change to a new system only one of several records stays active, as a rule the newer or the better one. The employer or the community checks it; the bureau merges the records.",
        say: "There may be two records of yours, one of them paused. Please have your employer or community look, then have them merged at the bureau's counter.",
    },
};

static NOT_ENROLLED: Pair = Pair {
    zh: OriginText {
        title: "刚参保，系统里还没有记录",
        plain: "新参保的人，登记可能还没有办完，或者还没有传到结算系统。要本人到医保窗口查。",
        say: "系统里还没有查到您的登记。请带上身份证到医保窗口查一下登记办好了没有。",
    },
    en: OriginText {
        title: "Newly insured and not on record yet",
        plain: "The registration of a newly insured person may not be finished, or not have reached settlement. The person has it looked up at the bureau's counter.",
        say: "Your registration cannot be found yet. Please take your identity card to the bureau's counter and have it looked up.",
    },
};

static WAITING_PERIOD: Pair = Pair {
    zh: OriginText {
        title: "补缴以后还在等待期",
        plain: "断缴后补上，待遇要等一段时间才恢复，各地不同：断得短的（六十天或三个月以内）大多次月恢复，六十到一百八十天的约等三个月，更久的约等六个月。有的地方每月最后几天不办恢复。",
        say: "您的费已经缴上了，待遇要过一段时间才恢复，具体哪一天请打热线问。急诊住院先付现金，票据留好。",
    },
    en: OriginText {
        title: "Paid up, but still in the waiting period",
        plain: "After a gap the benefit returns with a delay, which differs by place: short gaps (up to 60 days, or three months) mostly next month, 60 to 180 days after about three months, longer ones after about six. Some places restore nothing in the last days of a month.",
        say: "Your contributions are paid; the benefit returns after a while. Please ask the hotline for the date. Pay an urgent admission in cash and keep the receipts.",
    },
};

static POSTING_DELAY: Pair = Pair {
    zh: OriginText {
        title: "这个月的钱还没有划到个人账户",
        plain: "每月的划账还没有做，或者系统切换时拖住了。单位缴费以后才会划，去向可以问单位或医保局。",
        say: "这个月的钱可能还没有划进来，过几天再看。想知道哪天到账，可以问单位或者打热线。",
    },
    en: OriginText {
        title: "This month's money has not been paid into the account yet",
        plain: "The monthly payment into accounts has not run, or was held up by a change of systems. It follows the employer's payment; the employer or the bureau can say where it stands.",
        say: "This month's money may not be in yet; look again in a few days. Your employer or the hotline can tell you the date.",
    },
};

static SEALED: Pair = Pair {
    zh: OriginText {
        title: "断缴以后个人账户被封存",
        plain: "医保中断后账户可能被封存，里面的钱各地做法不同，有的保留，有的清零，以医保局的答复为准。",
        say: "您的账户可能因为断缴封存了，钱还在不在请问医保局，或者打热线。",
    },
    en: OriginText {
        title: "The account was sealed when the insurance was interrupted",
        plain: "After an interruption the account may be sealed. Places differ: some keep the money in it, some set it to zero. The bureau's answer counts.",
        say: "Your account may have been sealed after an interruption. Whether the money is still there, the bureau or the hotline can tell you.",
    },
};

static NOT_ACTIVATED: Pair = Pair {
    zh: OriginText {
        title: "医保卡或账户还没有激活",
        plain: "新领的卡要先激活医保功能，没有激活就用不了里面的钱。由本人到医保窗口办。",
        say: "您的卡可能还没有激活医保功能，请本人带身份证去医保窗口办一下。",
    },
    en: OriginText {
        title: "The card or its account has not been activated",
        plain: "The insurance side of a new card has to be activated before its money can be used. The person does it at the bureau's counter.",
        say: "The insurance side of your card may not be active yet. Please take your identity card to the bureau's counter.",
    },
};

static NO_PERSONAL_ACCOUNT: Pair = Pair {
    zh: OriginText {
        title: "居民医保本来就没有个人账户",
        plain: "城乡居民医保不设个人账户，余额是零属于正常，不是出错。",
        say: "您参加的是居民医保，这种医保没有个人账户，余额是零是正常的。",
    },
    en: OriginText {
        title: "Residents' insurance has no personal account",
        plain: "Residents' insurance comes without a personal account: a balance of zero is as it should be, not a fault.",
        say: "You have residents' insurance, which has no personal account. A balance of zero is normal.",
    },
};

static CENTRE_BUSY: Pair = Pair {
    zh: OriginText {
        title: "医保中心一时太忙",
        plain: "同一时间办的人太多，中心来不及回。等几分钟再试多半就好；一直这样，再打电话报给医保那边。",
        say: "医保的系统这会儿有点忙，请稍等几分钟，我再试一次。",
    },
    en: OriginText {
        title: "The centre is too busy at the moment",
        plain: "Too many ask at the same time and the centre cannot keep up. A few minutes later it mostly works; if it goes on, report it to the insurance side.",
        say: "The insurance system is busy right now. Please wait a few minutes, I will try again.",
    },
};

static CENTRE_ERROR: Pair = Pair {
    zh: OriginText {
        title: "医保中心的某个服务一时出错",
        plain: "请求到了医保那边，那边的某一项服务没有处理成，一般能自己恢复。再试几次还不行，就报给医保中心；同一家店总是这样，也请结算软件公司看看。",
        say: "医保平台这会儿有一项服务出错了，不是您的卡的问题，请稍等，我过几分钟再试。",
    },
    en: OriginText {
        title: "A service of the centre failed for the moment",
        plain: "The request arrived, and one service over there did not complete it; as a rule it recovers. If it keeps failing, report it to the centre; if only this shop has it, have the settlement software's vendor look as well.",
        say: "One of the insurance platform's services has failed for the moment. It is not your card. Please wait, I will try again in a few minutes.",
    },
};

static OFFLINE: Pair = Pair {
    zh: OriginText {
        title: "参保人的手机没有连上网",
        plain: "手机没有流量或者信号不好时，手机上的医保应用也会说系统繁忙。",
        say: "请看一下您的手机有没有网，打开别的网页试试；没有网的话，走到信号好的地方再打开。",
    },
    en: OriginText {
        title: "The customer's phone is not online",
        plain: "Without mobile data or with a weak signal, the insurance app on a phone also says that the system is busy.",
        say: "Please see whether your phone is online, for example with any web page; if not, go where the signal is better and open the app again.",
    },
};

static CACHE: Pair = Pair {
    zh: OriginText {
        title: "参保人手机应用里留着旧数据",
        plain: "这只关手机上的医保应用：退出重新登录，或者在手机设置里清理这个应用存下的旧数据。结算电脑上什么都不要清理。",
        say: "请把手机上的医保应用完全退出，再登录一次；还不行，在手机设置里清理这个应用的旧数据。",
    },
    en: OriginText {
        title: "The customer's phone app holds stale data",
        plain: "This concerns the insurance app on the phone only: log out and in again, or clear what the app has stored in the phone's settings. Clear nothing on the settlement PC.",
        say: "Please close the insurance app on your phone and log in again; if that does not help, clear the app's stored data in the phone's settings.",
    },
};

static OUTDATED: Pair = Pair {
    zh: OriginText {
        title: "参保人手机应用的版本太旧",
        plain: "手机上的医保应用版本太旧，新的系统不再认，更新以后就好。",
        say: "请在手机的应用商店里把医保应用更新到最新版，再打开试试。",
    },
    en: OriginText {
        title: "The customer's phone app is too old",
        plain: "The insurance app on the phone is too old for the current system. After an update it works.",
        say: "Please update the insurance app in your phone's app store and open it again.",
    },
};
