//! What the running daemon adds to a look: the incidents it has open, and what it sees where this user may not look.
//!
//! The daemon is asked while the round runs and delays it by [`GRACE`] at most. Where this user has all rights its observations are not
//! even asked for; where not, they fill gaps and never replace what was seen here ([`World::complete`]).

use crate::catalogue::Lang;
use crate::cli::ask::{DOCUMENT, Daemon, Silence, Through};
use crate::infer::World;
use crate::report::{Help, OpenIncident, Status};
use crate::sys::caps::{Capabilities, Capability};
use crate::sys::clock;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// What a daemon may cost once the round has ended.
const GRACE: Duration = Duration::from_millis(300);
/// Asking goes on beside the round for so long at most.
const PATIENCE: Duration = Duration::from_mins(1);

/// What came of asking.
pub(super) struct Watch {
    /// Open incidents; `None` = no daemon answered.
    pub(super) open: Option<Vec<OpenIncident>>,
    /// Whether its observations helped.
    pub(super) help: Help,
}

/// Runs the round, and asks beside it.
pub(super) async fn beside(daemon: &Daemon, lang: Lang, round: impl Future<Output = World>) -> (World, Watch) {
    let began_ms = clock::stamp().boottime_ms;
    let caps = Capabilities::of_this_process();
    let lacking = !(caps.has(Capability::NetRaw) && caps.has(Capability::NetAdmin));
    let asked = daemon.clone();
    let open = tokio::spawn(async move { open_incidents(&asked, lang).await });
    let asked = daemon.clone();
    let seen = tokio::spawn(async move { if lacking { Some(world(&asked).await) } else { None } });
    let mut own = round.await;
    let by = Instant::now() + GRACE;
    let open = timeout_at(by, open).await.ok().and_then(Result::ok).and_then(Result::ok);
    let mut help = Help::NotNeeded;
    if lacking && own.lacks_rights() {
        let seen = timeout_at(by, seen).await.ok().and_then(Result::ok).flatten().and_then(Result::ok);
        let now = clock::stamp();
        let gained = seen.map_or(0, |seen| own.complete(seen, &now.boot_id, &(began_ms..=now.boottime_ms)));
        help = if gained > 0 { Help::Looks(gained) } else { Help::None };
    }
    (own, Watch { open, help })
}

async fn open_incidents(daemon: &Daemon, lang: Lang) -> Result<Vec<OpenIncident>, Silence> {
    let told = daemon.get(&format!("/v1/status?lang={}", lang.tag()), Through::Either, DOCUMENT, PATIENCE).await?;
    let status: Status = serde_json::from_slice(&told).map_err(|error| Silence::Broken(error.to_string()))?;
    Ok(status.open_incidents)
}

async fn world(daemon: &Daemon) -> Result<World, Silence> {
    let told = daemon.get("/v1/world?fresh=1", Through::Control, DOCUMENT, PATIENCE).await?;
    serde_json::from_slice(&told).map_err(|error| Silence::Broken(error.to_string()))
}
