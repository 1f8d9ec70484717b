//! What enrolment learns of the world outside: who answers in place of the internet already.
//!
//! Enrolment is the moment for it. A person stands at the terminal and accepts what there is, and what is learned stands in the baseline and on the
//! acceptance sheet, not in the memory of a service that starts later: a box that is put there between enrolment and the service's first
//! round is not taken for one that was always there. So that person's command sends one round, to each anchor once, under the same
//! conditions as the service: not with mode `off`, not by a way that leads over the internet by design, not without a route, and never by ARP
//! for a public address. Only who answers and is not the internet is learned. An anchor that proves who it is is no lookalike: that is told to
//! the person, and by the service as `pre-existing`.

use super::around::{Around, Told, surroundings};
use super::memory::at_enrolment;
use super::proof::{Grade, grades};
use super::round::ask;
use super::topology::Normal;
use crate::baseline::{Baseline, KnownLookalike, interfaces_now};
use crate::config::Config;
use crate::model::Stamp;

/// What one round brought.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outside {
    /// Who answers in place of the internet; `None` = nobody could be asked.
    pub lookalikes: Option<Vec<KnownLookalike>>,
    /// Anchors that proved who they are.
    pub proved: Vec<String>,
}

/// Asks once, with this state as what is normal. Takes three seconds at most.
pub async fn outside_now(config: &Config, baseline: &Baseline, at: Stamp) -> Outside {
    let normal = Normal { baseline, config };
    let Ok((ways, netlink)) = super::kernel().await else { return Outside::default() };
    let interfaces = interfaces_now(&ways.links);
    let around = Around { netlink: &netlink, ways: &ways, interfaces: &interfaces, normal };
    let surroundings = surroundings(around, &Told::default()).await;
    let plan = at_enrolment(config, &surroundings);
    if plan.is_empty() {
        return Outside::default();
    }
    let done = ask(plan, config.isolation.roots.clone(), surroundings, at).await;
    if done.blind.is_some() {
        return Outside::default();
    }
    let (mut lookalikes, mut proved) = (Vec::new(), Vec::new());
    for (grade, said) in grades(&done.round, done.clock).into_iter().zip(&done.round.said) {
        let path = &said.path;
        match grade {
            Grade::Nothing => {}
            Grade::Lookalike(what) => {
                lookalikes.push(KnownLookalike { address: said.anchor.address, device: path.device.clone(), gateway: path.gateway, what });
            }
            Grade::Proved { .. } => proved.push(format!("{} {}", said.anchor.address, said.anchor.server_name)),
        }
    }
    Outside { lookalikes: Some(lookalikes), proved }
}
