//! At the counter: what settlement needs on this PC besides a network. Nothing here breaks the way to the centre.

use crate::baseline::card_readers;
use crate::infer::evidence;
use crate::infer::scene::Way;
use crate::model::{Cause, Certainty, FailureKind, Outcome, Severity, Subject, Verdict};

/// Enrolled card readers that are gone, and configured local services that nobody offers.
pub fn degradations(way: &Way<'_>) -> Vec<Verdict> {
    readers(way).into_iter().chain(services(way)).collect()
}

fn readers(way: &Way<'_>) -> Option<Verdict> {
    let enrolled = card_readers(&way.scene.enrolment.baseline()?.usb);
    let present = way.scene.world.card_readers()?.ok()?;
    let gone: Vec<_> = enrolled.iter().filter(|reader| !present.contains(reader)).collect();
    let missing = Verdict::new(Cause::ReaderMissing, Subject::Terminal, Certainty::Proven).degrades(Severity::High);
    (!gone.is_empty()).then(|| missing.because(gone.into_iter().map(|reader| evidence::state("usb.reader", reader, "missing"))))
}

fn services(way: &Way<'_>) -> Vec<Verdict> {
    let world = way.scene.world;
    let dead = way.scene.config.terminal.local_services.iter().filter_map(|at| {
        let outcome: &Outcome<_> = world.tcp(*at)?;
        let refused = outcome.failure().is_some_and(|failure| failure.kind == FailureKind::Refused);
        refused.then(|| (Subject::Endpoint(*at), evidence::tcp(at, outcome)))
    });
    let verdict = |(subject, proof)| Verdict::new(Cause::ClientLocalServiceDown, subject, Certainty::Proven).because([proof]);
    dead.map(|found| verdict(found).degrades(Severity::High)).collect()
}
