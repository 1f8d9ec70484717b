//! The chaos: faults one after the other, drawn from the seed, while records are written; then everything is mended, and the sets must be equal.

use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::agent::{Mutant, Orders, To};
use crate::dice::Dice;
use crate::life::Agent;
use crate::oracle::{Stored, Verdict, compare, recorded};
use crate::proxy::{Mood, Proxy};
use crate::{Depth, Done, Given};

/// After the last fault all has to be there within so long, on a loaded machine.
const DRAINED: Duration = Duration::from_mins(3);

/// A sender that gets no answer has begun anew within so long, unless it had nothing under way.
const GIVEN_UP: Duration = Duration::from_secs(12);

/// So many bytes are a greeting and, after it, some records.
const AGAIN: usize = 8 << 10;

/// Three packets of ten do not come in.
const LOSS: &str = "add table inet loss; add chain inet loss in { type filter hook input priority 0; }; add rule inet loss in numgen random mod 10 < 3 drop";

/// A receiver that can be harmed.
pub(crate) trait Receiver {
    /// Where agents reach it: one address for each of its servers.
    fn addresses(&self) -> Vec<std::net::SocketAddr>;
    /// Does it some harm, which is over when this returns or at [`heal`](Self::heal); what it was.
    fn harm(&mut self, dice: &mut Dice) -> Done<String>;
    /// All of it runs.
    fn heal(&mut self) -> Done;
    /// All that it has, in its order.
    fn stored(&mut self) -> Done<Vec<Stored>>;
    /// How often it was killed without being asked to end.
    fn killed(&self) -> usize;
}

/// How an agent comes to a receiver by proxies.
pub(crate) struct Course<'a> {
    pub(crate) given: &'a Given,
    pub(crate) faults: usize,
    pub(crate) every_ms: u64,
    pub(crate) mutant: Option<Mutant>,
    /// Nothing else goes wrong than this, each time.
    pub(crate) only: Option<Mood>,
    /// Bytes that a proxy replaces on the way in.
    pub(crate) rename: Option<(&'static [u8], &'static [u8])>,
}

/// What happened.
pub(crate) struct Outcome {
    pub(crate) verdict: Verdict,
    pub(crate) kills: usize,
    pub(crate) faults: Vec<String>,
    pub(crate) drained: Duration,
}

/// Lets an agent ship to this receiver while all goes wrong, and compares.
pub(crate) fn run(receiver: &mut impl Receiver, to: impl Fn(&[Proxy]) -> To, course: &Course<'_>) -> Done<Outcome> {
    let mut dice = Dice::new(course.given.seed);
    let state = tempfile::Builder::new().prefix("isonet-fleet-").tempdir().map_err(|e| format!("no place: {e}"))?;
    let proxies: Vec<Proxy> = receiver.addresses().into_iter().map(|at| Proxy::start(at, course.rename)).collect::<Done<_>>()?;
    let orders = Orders { state: state.path().to_owned(), to: to(&proxies), every_ms: course.every_ms, mutant: course.mutant };
    let mut agent = Agent::start(orders)?;
    let (mut faults, mut kills) = (Vec::new(), 0);
    for _ in 0..course.faults {
        std::thread::sleep(Duration::from_millis(dice.below(400)));
        let what = match course.only.map_or_else(|| dice.below(10), |_| 6) {
            0..3 => {
                agent.kill();
                kills += 1;
                std::thread::sleep(Duration::from_millis(dice.below(100)));
                agent.begin()?;
                "agent killed".to_owned()
            }
            3 => {
                agent.end()?;
                agent.begin()?;
                "agent restarted".to_owned()
            }
            4 => {
                agent.signal(Signal::STOP);
                std::thread::sleep(Duration::from_millis(500 + dice.below(1500)));
                agent.signal(Signal::CONT);
                "agent frozen".to_owned()
            }
            5 | 6 => network(&proxies, &mut dice, course)?,
            _ => receiver.harm(&mut dice)?,
        };
        if !agent.is_alive() {
            return Err(format!("the agent ended by itself after: {what}"));
        }
        faults.push(what);
    }
    all(&proxies, Mood::Carries);
    receiver.heal()?;
    // No more records: what there is has to arrive.
    agent.end()?;
    agent.orders.every_ms = 0;
    agent.begin()?;
    let drained = agent.ships_all(DRAINED)?;
    agent.end()?;
    let verdict = compare(&recorded(&state.path().join("spool"))?, &receiver.stored()?);
    Ok(Outcome { verdict, kills: kills + receiver.killed(), faults, drained })
}

fn all(proxies: &[Proxy], mood: Mood) {
    for proxy in proxies {
        proxy.be(mood);
    }
}

/// Something between the two breaks for a while.
fn network(proxies: &[Proxy], dice: &mut Dice, course: &Course<'_>) -> Done<String> {
    let moods = [Mood::Cuts, Mood::Mute, Mood::Deaf, Mood::Forgets, Mood::Delays, Mood::Hole];
    #[expect(clippy::cast_possible_truncation, reason = "below six")]
    let mood = course.only.unwrap_or(moods[dice.below(moods.len() as u64) as usize]);
    let begin = Instant::now();
    if course.only.is_none() && dice.below(7) == 0 {
        loses(LOSS)?;
        std::thread::sleep(Duration::from_millis(1000 + dice.below(3000)));
        loses("delete table inet loss")?;
        return Ok(format!("network loses 30 % for {} ms", begin.elapsed().as_millis()));
    }
    all(proxies, mood);
    let time = match (mood, course.given.depth) {
        (Mood::Hole, Depth::Long) => 8000,
        (Mood::Hole, _) => 3000,
        // How long the sender waits is its own affair.
        (Mood::Delays, _) => 0,
        _ => 200 + dice.below(1500),
    };
    std::thread::sleep(Duration::from_millis(time));
    // What was under way comes when it has been sent again by another connection, and no receiver remembers it any more.
    while mood == Mood::Delays && begin.elapsed() < GIVEN_UP && proxies.iter().all(|proxy| proxy.renewed() < AGAIN) {
        std::thread::sleep(Duration::from_millis(10));
    }
    if mood == Mood::Delays {
        std::thread::sleep(5 * crate::nats::REMEMBERED);
    }
    all(proxies, Mood::Carries);
    Ok(format!("network {mood:?} for {} ms", begin.elapsed().as_millis()))
}

/// All that comes in by this namespace's `lo` loses packets, or does no more.
fn loses(rules: &str) -> Done {
    let out = Command::new("nft").arg(rules).output().map_err(|e| format!("nft: {e}"))?;
    if out.status.success() { Ok(()) } else { Err(format!("nft {rules}: {}", String::from_utf8_lossy(&out.stderr).trim())) }
}
