//! May a round end while somebody is still being waited for? Only where this PC itself knows what is wrong. Pure.

use crate::model::{Cause, Certainty, Diagnosis, LayerState, Verdict};

/// Everything that is wrong is known to this PC of its own (a route that leads elsewhere, a client that does not run), and all that lies below
/// is known to be well. Nobody beyond has answered until now; whoever is still asked can only keep silent longer.
pub(super) fn is_known_here(diagnosis: &Diagnosis) -> bool {
    let known_below = diagnosis.path.iter().all(|item| item.state != LayerState::Unknown);
    let judged = diagnosis.services.iter().all(|service| service.usable.is_some());
    let proven = |verdict: &Verdict| verdict.disconnects && verdict.certainty == Certainty::Proven && is_local(verdict.cause);
    known_below && judged && !diagnosis.verdicts.is_empty() && diagnosis.verdicts.iter().all(proven)
}

fn is_local(cause: Cause) -> bool {
    matches!(cause, Cause::RouteCaptured | Cause::RouteMissing | Cause::RouteBlocked | Cause::VpnNotStarted | Cause::VpnAddressMissing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Chain, Isolation, Layer, PathItem, Service, Severity, Subject};

    fn diagnosis(verdicts: Vec<Verdict>, line: LayerState) -> Diagnosis {
        let item = |layer, state| PathItem { chain: Chain::Local, layer, subject: Subject::Line, state, fact: String::new(), ms: None };
        Diagnosis {
            connected: Some(false),
            services: vec![Service { chain: Chain::Local, usable: Some(false) }],
            isolation: Isolation::Unknown,
            path: vec![item(Layer::Line, line), item(Layer::Vpn, LayerState::Failed)],
            verdicts,
            notes: vec![],
            blind: vec![],
        }
    }

    fn verdict(cause: Cause, certainty: Certainty) -> Verdict {
        Verdict::new(cause, Subject::Terminal, certainty)
    }

    #[test]
    fn a_client_that_does_not_run_is_known_where_the_line_is_known_to_be_well() {
        let stopped = || vec![verdict(Cause::VpnNotStarted, Certainty::Proven)];
        assert!(is_known_here(&diagnosis(stopped(), LayerState::Ok)));
        assert!(!is_known_here(&diagnosis(stopped(), LayerState::Unknown)), "the line may be what is down");
    }

    #[test]
    fn whoever_may_still_answer_or_be_accused_is_waited_for() {
        let captured = || verdict(Cause::RouteCaptured, Certainty::Proven);
        assert!(is_known_here(&diagnosis(vec![captured()], LayerState::Ok)));
        let others = [
            verdict(Cause::CentreOutage, Certainty::Likely),
            verdict(Cause::RouteCaptured, Certainty::Likely),
            verdict(Cause::DnsTimeout, Certainty::Proven).degrades(Severity::Medium),
        ];
        for other in others {
            assert!(!is_known_here(&diagnosis(vec![captured(), other.clone()], LayerState::Ok)), "{other:?}");
        }
        assert!(!is_known_here(&diagnosis(vec![], LayerState::Ok)));
        let mut unsure = diagnosis(vec![captured()], LayerState::Ok);
        unsure.services[0].usable = None;
        assert!(!is_known_here(&unsure));
    }
}
