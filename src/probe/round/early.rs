//! May a round end while somebody is still being waited for? Only where this PC's own kernel lets nothing leave. Pure.

use crate::config::Config;
use crate::infer::World;
use crate::model::{Cause, Certainty, Diagnosis, LayerState, Verdict};

/// Everything that is wrong is this PC's own refusal to send anything to the centres, and all that lies below is known to be well: whoever is
/// still asked is never reached. As long as packets leave, if only by a wrong way, an answer may merely be slow and would prove that way to
/// work; and a name that is still being looked up may lead to an address that can be reached.
pub(super) fn is_known_here(diagnosis: &Diagnosis, world: &World, config: &Config) -> bool {
    let known_below = diagnosis.path.iter().all(|item| item.state != LayerState::Unknown);
    let judged = diagnosis.services.iter().all(|service| service.usable.is_some());
    let named = config.centres.iter().all(|centre| world.lookup(&centre.host).is_some());
    let proven = |verdict: &Verdict| verdict.disconnects && verdict.certainty == Certainty::Proven && nothing_leaves(verdict.cause);
    known_below && judged && named && !diagnosis.verdicts.is_empty() && diagnosis.verdicts.iter().all(proven)
}

fn nothing_leaves(cause: Cause) -> bool {
    matches!(cause, Cause::RouteMissing | Cause::RouteBlocked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baseline::Enrolment;
    use crate::infer::diagnose;
    use crate::model::{
        Chain, Errno, Isolation, Layer, LookupSource, Outcome, PathItem, ProcessState, Service, Severity, Sighting, Subject,
    };
    use crate::site::{
        CENTRE, GATEWAY, INSIDE, RESOLVER, SERVER, answer, at, dead_tunnel, found, handshake, ip, local, lookup, route, tls, tunnelled,
        vpn, with, world,
    };

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

    fn known(verdicts: Vec<Verdict>, line: LayerState) -> bool {
        is_known_here(&diagnosis(verdicts, line), &World::default(), &Config::default())
    }

    #[test]
    fn a_route_that_is_blocked_is_known_where_the_line_is_known_to_be_well() {
        let blocked = || vec![verdict(Cause::RouteBlocked, Certainty::Proven)];
        assert!(known(blocked(), LayerState::Ok));
        assert!(!known(blocked(), LayerState::Unknown), "the line may be what is down");
    }

    #[test]
    fn whoever_may_still_answer_or_be_accused_is_waited_for() {
        let blocked = || verdict(Cause::RouteBlocked, Certainty::Proven);
        assert!(known(vec![blocked()], LayerState::Ok));
        let others = [
            verdict(Cause::CentreOutage, Certainty::Likely),
            verdict(Cause::RouteBlocked, Certainty::Likely),
            verdict(Cause::DnsTimeout, Certainty::Proven).degrades(Severity::Medium),
        ];
        for other in others {
            assert!(!known(vec![blocked(), other.clone()], LayerState::Ok), "{other:?}");
        }
        assert!(!known(vec![], LayerState::Ok));
        let mut unsure = diagnosis(vec![blocked()], LayerState::Ok);
        unsure.services[0].usable = None;
        assert!(!is_known_here(&unsure, &World::default(), &Config::default()));
    }

    /// A world behind a VPN in which nobody has brought any word of the centre until now, with more.
    fn unheard(more: &[Sighting]) -> World {
        let is_word_of_the_centre = |sighting: &Sighting| match sighting {
            Sighting::Tcp(at, _) => at.ip() == ip(CENTRE),
            Sighting::Ping(at, _) => *at == ip(CENTRE),
            Sighting::Lookup(..) => true,
            _ => false,
        };
        let mut all = dead_tunnel(vec![Sighting::Udp(at(SERVER, 1194), answer())]);
        all.retain(|sighting| !is_word_of_the_centre(sighting));
        all.extend_from_slice(more);
        world(all)
    }

    /// What comes of it when the centre answers after all.
    fn late() -> [Sighting; 3] {
        [lookup(found(&[CENTRE], LookupSource::Dns)), Sighting::Tcp(at(CENTRE, 443), answer()), tls(Outcome::Ok(handshake(Some(0))))]
    }

    #[test]
    fn whom_packets_still_leave_for_may_only_be_slow() {
        let config = tunnelled();
        let beside = Sighting::RouteTo(ip(CENTRE), Outcome::Ok(route(CENTRE, "eth0", Some(GATEWAY))));
        let captured = vec![beside.clone(), Sighting::Ping(ip(INSIDE), answer()), Sighting::Ping(ip(RESOLVER), answer())];
        let stopped = vec![beside, Sighting::Vpn("centre".to_owned(), Outcome::Ok(vpn(None, ProcessState::Absent)))];
        for (cause, facts) in [(Cause::RouteCaptured, captured), (Cause::VpnNotStarted, stopped)] {
            let until_now = unheard(&facts);
            let diagnosis = diagnose(&until_now, &config, &Enrolment::NotEnrolled);
            assert_eq!((diagnosis.verdicts[0].cause, diagnosis.verdicts[0].certainty), (cause, Certainty::Proven));
            assert!(!is_known_here(&diagnosis, &until_now, &config), "{cause:?}");
            let answered = diagnose(&unheard(&with(facts, late())), &config, &Enrolment::NotEnrolled);
            assert_eq!(answered.connected, Some(true), "{cause:?}");
        }
    }

    #[test]
    fn a_name_that_is_still_looked_up_may_lead_elsewhere() {
        let config = tunnelled();
        let blocked = Sighting::RouteTo(ip(CENTRE), local(Errno::EINVAL));
        let facts = [blocked, Sighting::Ping(ip(INSIDE), answer()), Sighting::Ping(ip(RESOLVER), answer())];
        let looking = unheard(&facts);
        let diagnosis = diagnose(&looking, &config, &Enrolment::NotEnrolled);
        assert_eq!(diagnosis.verdicts[0].cause, Cause::RouteBlocked);
        assert!(!is_known_here(&diagnosis, &looking, &config));
        let [found, ..] = late();
        let named = unheard(&with(facts.to_vec(), [found]));
        assert!(is_known_here(&diagnose(&named, &config, &Enrolment::NotEnrolled), &named, &config));
    }
}
