//! The one act for several candidates: right whichever of them is the true one.
//!
//! An act is right for a cause when it is that cause's own first step, or one of the shared acts that [`Shared::suits`] allows for it.
//! Calling suits every cause, so that there always is one. A test goes over all pairs and triples of causes.

use super::super::Lang;
use super::{act, text};
use crate::model::{Cause, Layer};

/// Acts that can be right for a cause without being its own first step, the most useful first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shared {
    /// Close the VPN and connect it again.
    Reconnect,
    /// Look at the lamps.
    Lamps,
    /// Touch nothing and call.
    Call,
}

impl Shared {
    const ALL: [Self; 3] = [Self::Reconnect, Self::Lamps, Self::Call];

    fn words(self, lang: Lang) -> &'static str {
        match self {
            Self::Reconnect => lang.pick(act::VPN_ZH, act::VPN_EN),
            Self::Lamps => lang.pick(act::LAMPS_ZH, act::LAMPS_EN),
            Self::Call => lang.pick(act::CALL_ZH, act::CALL_EN),
        }
    }

    /// It helps, or at least harms nothing and loses no time worth speaking of, if this is the cause.
    fn suits(self, cause: Cause) -> bool {
        match self {
            // One more login with a refused account may lock it, and beside one's own ghost session it is pushed out again.
            Self::Reconnect => cause.layer() == Layer::Vpn && !matches!(cause, Cause::VpnAuthFailed | Cause::VpnKicked),
            Self::Lamps => cause.layer() <= Layer::Vpn,
            Self::Call => true,
        }
    }

    /// Worth doing: some candidate is mended or narrowed down by it.
    fn helps(self, causes: &[Cause]) -> bool {
        match self {
            Self::Reconnect => causes.iter().any(|cause| text(*cause, Lang::En).shop[0] == self.words(Lang::En)),
            Self::Lamps => causes.iter().any(|cause| cause.layer() <= Layer::Line),
            Self::Call => true,
        }
    }
}

/// The one act that is right for every one of these causes: their common first step, or else the first shared one that suits them all.
pub fn one_act(causes: &[Cause], lang: Lang) -> &'static str {
    let own = causes.first().map(|cause| text(*cause, lang).shop[0]);
    if let Some(own) = own.filter(|own| causes.iter().all(|cause| text(*cause, lang).shop[0] == *own)) {
        return own;
    }
    let shared = Shared::ALL.into_iter().find(|act| act.helps(causes) && causes.iter().all(|cause| act.suits(*cause)));
    shared.unwrap_or(Shared::Call).words(lang)
}

/// The act is to touch nothing and call.
pub fn is_call(act: &str, lang: Lang) -> bool {
    act == Shared::Call.words(lang)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Right for this cause: its own first step, or a shared act that suits it.
    fn right(act: &str, cause: Cause, lang: Lang) -> bool {
        act == text(cause, lang).shop[0] || Shared::ALL.into_iter().any(|shared| shared.words(lang) == act && shared.suits(cause))
    }

    fn check(causes: &[Cause]) {
        let [zh, en] = Lang::ALL.map(|lang| (one_act(causes, lang), lang));
        for (act, lang) in [zh, en] {
            for cause in causes {
                assert!(right(act, *cause, lang), "{act} is not right for {cause} among {causes:?}");
            }
        }
        let kind = |(act, lang): (&str, Lang)| Shared::ALL.into_iter().find(|shared| shared.words(lang) == act);
        assert_eq!(kind(zh), kind(en), "both languages say the same: {causes:?}");
    }

    #[test]
    fn the_act_is_right_for_every_one_two_or_three_candidates() {
        for (i, a) in Cause::ALL.iter().enumerate() {
            check(&[*a]);
            for (j, b) in Cause::ALL.iter().enumerate().skip(i + 1) {
                check(&[*a, *b]);
                for c in &Cause::ALL[j + 1..] {
                    check(&[*a, *b, *c]);
                }
            }
        }
    }

    #[test]
    fn the_order_of_the_candidates_does_not_change_the_act() {
        for a in Cause::ALL {
            for b in Cause::ALL {
                assert_eq!(one_act(&[*a, *b], Lang::En), one_act(&[*b, *a], Lang::En), "{a} {b}");
            }
        }
    }

    #[test]
    fn a_refused_or_doubled_login_is_not_tried_again() {
        for lang in Lang::ALL {
            for cause in [Cause::VpnAuthFailed, Cause::VpnKicked] {
                assert_eq!(one_act(&[Cause::VpnTunnelDead, cause], lang), Shared::Call.words(lang));
            }
        }
    }
}
