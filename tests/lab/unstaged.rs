//! The codes that no case stages, each with its reason; and the check that no code is in neither list.

use isonet::model::Cause;

use crate::cases;

/// Code and reason. A code that a case names by now is not printed.
const UNSTAGED: &[(Cause, &str)] = &[
    (Cause::LinkFlapping, "shows only over time: the daemon's to see"),
    (Cause::VpnKicked, "shows only over time: the daemon's to see"),
    (Cause::VpnIdleTimeout, "shows only over time: the daemon's to see"),
    (Cause::VpnClientFailed, "that a client has run before is known to the service manager, which the namespaces do not have"),
    (Cause::VpnNoInnerPath, "needs the kernel's WireGuard, whose handshake age the user space one does not show through netlink"),
    (Cause::TlsUnsupported, "a note and never a verdict: `healthy/tls-of-another-kind` stages it"),
];

/// The codes without a case, with the reason of each.
pub(crate) fn list() -> impl Iterator<Item = &'static (Cause, &'static str)> {
    UNSTAGED.iter().filter(|(cause, _)| !staged(*cause))
}

/// Codes that are neither staged nor excused.
pub(crate) fn forgotten() -> Vec<String> {
    let excused = |cause: &Cause| UNSTAGED.iter().any(|(other, _)| other == cause);
    let forgotten = Cause::ALL.iter().filter(|cause| !staged(**cause) && !excused(cause));
    forgotten.map(|cause| format!("{cause} is staged by no case, and `unstaged.rs` gives no reason")).collect()
}

fn staged(cause: Cause) -> bool {
    cases::all().any(|case| case.expect.roots.contains(&cause.code()) || case.expect.beside.contains(&cause.code()))
}
