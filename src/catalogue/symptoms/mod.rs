//! What stands on a screen when the network is fine and the card still fails, and what it comes from.
//!
//! A [`Symptom`] is what one reads; an [`Origin`] is what it comes from, with a stable key, who acts, and what may be said to the
//! customer. Both are closed sets and their texts exhaustive matches: one without a text in both languages does not compile. Nothing
//! here looks at the network: [`diagnose`](crate::infer::diagnose) comes first, always.

mod origins;
mod screens;
mod search;

pub use origins::{OriginText, origin};
pub use screens::{ScreenText, screen};
pub use search::{Found, nearest, search};

use super::Lang;
use crate::model::Actor;

/// What a person reads on a screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Symptom {
    /// The card is rejected, frozen, suspended.
    CardRejected,
    /// The registration of the insured is called abnormal.
    RegistrationAbnormal,
    /// Arrears were paid up, and there is still no benefit.
    PaidUpNoBenefit,
    /// The account holds nothing, or less than expected.
    NoBalance,
    /// The settlement PC says that the system is busy.
    BusyOnPc,
    /// The phone app of the insured says that the system is busy.
    BusyOnPhone,
    /// The national platform speaks of a service exception.
    ServiceException,
}

impl Symptom {
    /// All, in the order in which they are listed.
    pub const ALL: [Self; 7] = [
        Self::CardRejected,
        Self::RegistrationAbnormal,
        Self::PaidUpNoBenefit,
        Self::NoBalance,
        Self::BusyOnPc,
        Self::BusyOnPhone,
        Self::ServiceException,
    ];

    /// What it may come from, the likeliest first.
    pub const fn origins(self) -> &'static [Origin] {
        use Origin::{
            AccountArrears, AccountDuplicateEnrolment, AccountNoPersonalAccount, AccountNotActivated, AccountNotEnrolled,
            AccountPostingDelay, AccountSealed, AccountWaitingPeriod, CentreBusy, CentreError, ClientCache, ClientOffline, ClientOutdated,
        };
        match self {
            Self::CardRejected => &[AccountArrears, AccountDuplicateEnrolment],
            Self::RegistrationAbnormal => &[AccountNotEnrolled, CentreBusy],
            Self::PaidUpNoBenefit => &[AccountWaitingPeriod],
            Self::NoBalance => &[AccountPostingDelay, AccountSealed, AccountNotActivated, AccountNoPersonalAccount],
            Self::BusyOnPc => &[CentreBusy],
            Self::BusyOnPhone => &[ClientOffline, ClientCache, ClientOutdated],
            Self::ServiceException => &[CentreError],
        }
    }

    /// The symptom that reads the same on another screen: whoever asks for one is shown both.
    pub const fn twin(self) -> Option<Self> {
        match self {
            Self::BusyOnPc => Some(Self::BusyOnPhone),
            Self::BusyOnPhone => Some(Self::BusyOnPc),
            Self::CardRejected | Self::RegistrationAbnormal | Self::PaidUpNoBenefit | Self::NoBalance | Self::ServiceException => None,
        }
    }
}

macro_rules! origins {
    ($($(#[$doc:meta])* $name:ident = $key:literal, [$($party:ident),+];)+) => {
        /// What a symptom comes from, when it is not the network.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Origin { $($(#[$doc])* $name),+ }

        impl Origin {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The stable key, e.g. `account.arrears`. No cause has it as its code.
            pub const fn key(self) -> &'static str {
                match self { $(Self::$name => $key),+ }
            }

            /// Who acts, the first to ask first.
            pub const fn parties(self) -> &'static [Party] {
                match self { $(Self::$name => &[$(Party::$party),+]),+ }
            }

            /// The origin with this key.
            pub fn from_key(key: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|origin| origin.key() == key)
            }
        }
    };
}

origins! {
    /// The employer has not paid in, which freezes paying at clinics and pharmacies.
    AccountArrears = "account.arrears", [Employer, Bureau];
    /// Enrolled twice; all records but one are paused.
    AccountDuplicateEnrolment = "account.duplicate-enrolment", [Employer, Community, Bureau];
    /// Newly insured and not on record yet.
    AccountNotEnrolled = "account.not-enrolled", [Insured, Bureau];
    /// Paid up after a gap; the benefit returns later.
    AccountWaitingPeriod = "account.waiting-period", [Nobody, Hotline];
    /// The monthly payment into accounts has not been made yet.
    AccountPostingDelay = "account.posting-delay", [Employer, Bureau, Hotline];
    /// The account was closed off when the insurance was interrupted.
    AccountSealed = "account.sealed", [Employer, Bureau, Hotline];
    /// The card or its account was never activated.
    AccountNotActivated = "account.not-activated", [Insured, Bureau, Hotline];
    /// This kind of insurance has no personal account.
    AccountNoPersonalAccount = "account.no-personal-account", [Nobody, Hotline];
    /// The centre has more to do than it can.
    CentreBusy = "centre.busy", [Nobody, Centre, Bureau];
    /// A service of the centre failed for the moment.
    CentreError = "centre.error", [Centre, Bureau, Software];
    /// The phone has no data connection.
    ClientOffline = "client.offline", [Insured];
    /// The phone app holds stale data.
    ClientCache = "client.cache", [Insured];
    /// The phone app is too old.
    ClientOutdated = "client.outdated", [Insured];
}

/// Who acts on an origin. Wider than [`Actor`]: employers and neighbourhoods have no part in a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Party {
    /// Nobody: it passes by itself.
    Nobody,
    /// The employer of the insured.
    Employer,
    /// The community or village that enrols residents.
    Community,
    /// The insured, in person.
    Insured,
    /// The hotline for the insured.
    Hotline,
    /// The insurance bureau.
    Bureau,
    /// The insurance centre.
    Centre,
    /// The vendor of the settlement software.
    Software,
}

impl Party {
    /// Whose entry of the contacts is theirs; `None` = the configuration has none for them.
    pub const fn contact(self) -> Option<Actor> {
        match self {
            Self::Nobody | Self::Employer | Self::Community | Self::Insured => None,
            Self::Hotline => Some(Actor::Insured),
            Self::Bureau => Some(Actor::Bureau),
            Self::Centre => Some(Actor::Centre),
            Self::Software => Some(Actor::Software),
        }
    }
}

/// A party without a contact, in words. Those with one are named by [`actor`](super::actor).
pub fn party(party: Party, lang: Lang) -> &'static str {
    let (zh, en) = match party {
        Party::Nobody => ("不用找谁，等一等就好", "nobody, it passes by itself"),
        Party::Employer => ("参保人的工作单位", "the employer of the insured person"),
        Party::Community => ("参保人所在的社区或村", "the community that enrolled the insured person"),
        Party::Insured => ("参保人本人", "the insured person"),
        Party::Hotline => ("参保人咨询热线", "the hotline for insured persons"),
        Party::Bureau => return super::actor(Actor::Bureau, lang),
        Party::Centre => return super::actor(Actor::Centre, lang),
        Party::Software => return super::actor(Actor::Software, lang),
    };
    lang.pick(zh, en)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Cause;

    #[test]
    fn every_key_is_unique_and_is_no_code_of_a_cause() {
        for (i, origin) in Origin::ALL.iter().enumerate() {
            assert_eq!(Origin::from_key(origin.key()), Some(*origin));
            assert!(Origin::ALL[i + 1..].iter().all(|other| other.key() != origin.key()), "{} twice", origin.key());
            assert_eq!(Cause::from_code(origin.key()), None);
        }
    }

    #[test]
    fn every_origin_stands_behind_a_symptom() {
        for origin in Origin::ALL {
            assert!(Symptom::ALL.iter().any(|symptom| symptom.origins().contains(origin)), "{}", origin.key());
        }
    }

    #[test]
    fn twins_know_each_other() {
        for symptom in Symptom::ALL {
            if let Some(twin) = symptom.twin() {
                assert_eq!(twin.twin(), Some(symptom));
            }
        }
    }

    #[test]
    fn what_is_done_on_the_phone_never_acts_on_the_settlement_pc() {
        for origin in [Origin::ClientOffline, Origin::ClientCache, Origin::ClientOutdated] {
            assert_eq!(origin.parties(), [Party::Insured]);
            let used: Vec<_> = Symptom::ALL.into_iter().filter(|symptom| symptom.origins().contains(&origin)).collect();
            assert_eq!(used, [Symptom::BusyOnPhone]);
        }
    }
}
