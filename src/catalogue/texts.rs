//! What is said about one code, cause or finding alike, and the steps that several of them share.

use super::Lang;

/// What a person is told about one code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text {
    /// One clause, no full stop: it also stands inside a sentence ("Cannot settle now: ...").
    pub title: &'static str,
    /// One or two sentences for the person at the counter: what it means.
    pub plain: &'static str,
    /// What the counter can do: one to three steps, the first is the one act.
    pub shop: &'static [&'static str],
    /// What an engineer looks at, in order.
    pub engineer: &'static [&'static str],
}

/// The same text in both languages.
pub(super) struct Pair {
    pub(super) zh: Text,
    pub(super) en: Text,
}

impl Pair {
    pub(super) fn pick(&'static self, lang: Lang) -> &'static Text {
        lang.pick(&self.zh, &self.en)
    }
}

/// Acts that several codes share: of causes, so that one act can be found which is right for several candidates; of findings, so that one is
/// right whether or not it was arranged, and wherever it came from.
pub(super) mod act {
    pub(in crate::catalogue) const CALL_ZH: &str = "电脑这边先不用动，直接打下面的电话。";
    pub(in crate::catalogue) const CALL_EN: &str = "Leave the PC as it is and call the number below.";
    pub(in crate::catalogue) const LAMPS_ZH: &str = "看一眼光猫、路由器和医保专网的盒子，哪些灯亮、哪些不亮，记下来。";
    pub(in crate::catalogue) const LAMPS_EN: &str = "Look at the modem, the router and the network box; note which lamps are on.";
    pub(in crate::catalogue) const CABLE_ZH: &str = "把网线两头拔下来重新插紧，听到咔嗒一声为止。";
    pub(in crate::catalogue) const CABLE_EN: &str = "Unplug both ends of the network cable and push them back in until they click.";
    pub(in crate::catalogue) const VPN_ZH: &str = "把 VPN 退出，等半分钟，再按平时的办法重新连上。";
    pub(in crate::catalogue) const VPN_EN: &str = "Close the VPN, wait half a minute, and connect it again as you do every day.";
    pub(in crate::catalogue) const DATE_ZH: &str = "记下电脑上显示的日期和时间，不要自己改。";
    pub(in crate::catalogue) const DATE_EN: &str = "Note the date and time the screen shows; do not change them yourself.";
    /// Right where the way is this PC's own, and harmless where it is the operator's.
    pub(in crate::catalogue) const UNJOIN_ZH: &str =
        "刚接过手机、无线网卡或别的网线，又没有医保局同意的，断开它；没有接过的，什么都不用动。";
    pub(in crate::catalogue) const UNJOIN_EN: &str = "If a phone, a wireless adapter or another cable was just connected and the bureau did not agree to it, \
                                                      disconnect it; if not, change nothing.";
    /// Signing keys bring a small disc of their own, and a stick may be written to just now.
    pub(in crate::catalogue) const STICK_ZH: &str = "没有医保局同意的 U 盘、移动硬盘，等它的灯不闪了再拔下来；U 盾、读卡器不要拔。";
    pub(in crate::catalogue) const STICK_EN: &str = "If the bureau did not agree to the stick or disk, wait until its lamp stops blinking and take it out; \
                                                     leave signing keys and card readers in.";
    pub(in crate::catalogue) const SCANNED_ZH: &str = "工作上要用的，先请医保局同意，查过病毒再用。";
    pub(in crate::catalogue) const SCANNED_EN: &str = "If it is needed for work, ask the bureau first and have it scanned for viruses.";
    pub(in crate::catalogue) const ARRANGED_ZH: &str = "是医保局或维护人员安排的，电话里说一声：谁安排的、哪一天。";
    pub(in crate::catalogue) const ARRANGED_EN: &str =
        "If the bureau or the PC's vendor arranged it, say so on the telephone: who and when.";
}
