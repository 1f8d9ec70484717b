//! The life of incidents: opened, refined, resolved. Pure: what is looked at, when, and what the clocks say comes from outside, so that
//! a day can be replayed in a moment and always ends the same.
//!
//! ```text
//! looks (pulse, round) ──> Engine::step ──> Effect::Look    what to look at next
//! kernel events ─────────>      │     └──> Effect::Record  what to write down
//!                           Ledger: outages (one per cut-off centre or shared root), troubles (degradations, blindness)
//! ```
//!
//! What holds:
//! * One outage is one incident, whatever its cause turns out to be. Its centres may come and go; each is in at most one open incident.
//! * What could not be told counts for nothing: it neither opens nor closes.
//! * Opening and closing have thresholds of their own. What comes back soon is the same incident, counted; what keeps coming back stays
//!   open until it has been quiet for long.
//! * How soon an outage is known follows from the schedule: 19 s at the very worst (an interval of 15 s, two pulses of 2 s), 13 s behind a VPN,
//!   within the second where the kernel knows it alone. `tests/scenarios/detection.rs` stages faults at every moment and holds it.
//! * After a suspend, a boot or a starvation of this program nothing is opened for a while, and looks that began before do not count.

mod engine;
mod findings;
mod grants;
mod ledger;
pub mod log;
mod outage;
mod trouble;

pub use engine::{Effect, Engine, Input, Look, Step};
pub use grants::{Covered, Standing, Window, cover};
pub use ledger::{Commented, Ledger, Sight, Thresholds};
