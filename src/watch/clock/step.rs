//! The wall clock was set: by how much, how often, and whether a time daemon vouches for it. Many steps in a row are one finding, and however
//! many they are, what is told of them changes only each time their number has doubled, when it gets worse, and when they are over.

use super::judge::{GRAVE, HOUR, MINUTE, NOISE, SECOND, STANDS, Seen, VOUCH, by, fact, gravity, kept, without_power};
use super::offline::DRIFTED;
use super::right::{DRIFT, Right, Witness};
use super::who::{Doer, Named, Programs};
use crate::model::{ClockState, Evidence, Finding, FindingCode, Origin, Severity, Subject};
use crate::sys::audit::Changed;
use crate::sys::clock::Moment;

/// Sleep of which the kernel knows less exactly how long it was.
const ASLEEP: i64 = SECOND / 10;
/// By so much a battery clock that counts whole seconds may be wrong about a sleep.
const RESUMED: i64 = 2 * SECOND;
/// Steps too small to be told count together if they follow one another within this time; one each morning is no way of moving a date.
const TOGETHER: i64 = HOUR;
/// What is told follows when no further step came for so long.
const SETTLED: i64 = 5 * SECOND;
/// So long a finding that is over is still told, so that one that comes back is the same.
const LINGERS: i64 = MINUTE;
/// Whoever ran a moment ago still runs.
const FRESH: i64 = 5 * SECOND;
/// All steps so far, as far as they matter.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Steps {
    last: Option<Last>,
    small: Small,
    row: Option<Row>,
    right: Option<Right>,
    /// When the clock was last set.
    stepped: Option<i64>,
    programs: Programs,
    /// When they were looked for.
    asked: Option<i64>,
    /// The PC came up without knowing the time, and nobody has put it right yet.
    without_time: bool,
    due: Option<i64>,
}

/// The look before.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Last {
    moment: Moment,
    apart: i64,
    kept: ClockState,
    tai: i32,
}

/// Steps too small to be told.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Small {
    sum: i64,
    count: u32,
    at: i64,
}

/// One or more steps that are told as one. Wall clocks are kept less the time since boot, so that they stand still.
#[derive(Debug, Clone, PartialEq)]
struct Row {
    first: i64,
    last: i64,
    count: u32,
    before: i64,
    now: i64,
    /// The furthest from where it began.
    largest: i64,
    worst: Severity,
    kept_before: ClockState,
    by_daemon: bool,
    /// A program that ran and may set the clock.
    setter: Option<String>,
    /// Who did it, by the audit.
    named: Named,
    /// Since when it is undone or vouched for.
    over: Option<i64>,
    told: Option<(Finding, u32)>,
}

impl Steps {
    /// Whether it matters who runs. Of a storm of steps it does at its beginning and when it is over: looking costs a walk over all processes. What
    /// begins now is judged by who runs now: a time daemon may have been started a moment ago.
    pub(super) fn asks(&self, seen: &Seen, limit: i64) -> bool {
        let boot = seen.moment.boot;
        let stale = self.asked.is_none_or(|at| boot - at >= FRESH);
        match &self.row {
            None => self.last.is_some_and(|last| self.together(boot, seen.apart() - last.apart).sum.abs() >= limit) && self.was_set(seen),
            Some(row) if row.over.is_some() => stale && self.was_set(seen),
            Some(row) if row.told.is_none() => stale,
            Some(row) => stale && !self.was_set(seen) && boot - row.last >= SETTLED,
        }
    }

    /// The small steps of late and this one.
    fn together(&self, boot: i64, step: i64) -> Small {
        let small = if boot - self.small.at > TOGETHER { Small::default() } else { self.small };
        Small { sum: small.sum + step, count: small.count + 1, at: boot }
    }

    /// Whether the clock was set since the look before.
    pub(super) fn was_set(&self, seen: &Seen) -> bool {
        self.last.is_some_and(|last| (seen.apart() - last.apart).abs() >= NOISE)
    }

    /// The PC does not know the time: whoever sets the clock forward puts it right.
    pub(super) fn begin_without_time(&mut self) {
        self.without_time = true;
    }

    /// Whether the clock is right now; `None` = nobody knows what is right.
    pub(super) fn is_right(&self, seen: &Seen, limit: i64) -> Option<bool> {
        self.right.map(|right| right.fits(seen.apart(), seen.moment.boot, limit))
    }

    /// When to look again for its sake.
    pub(super) fn due(&self) -> Option<i64> {
        self.due
    }

    /// Takes a look in. `limit` is the smallest step that is told; `batteries` is what the battery clocks show now.
    pub(super) fn advance(&mut self, seen: &Seen, limit: i64, batteries: &[i64]) -> Option<Finding> {
        let boot = seen.moment.boot;
        if let Programs::Running(_) = seen.programs {
            (self.programs, self.asked) = (seen.programs.clone(), Some(boot));
        } else if self.asked.is_none_or(|at| boot - at >= 2 * FRESH) && !self.was_set(seen) {
            self.programs = Programs::Unknown;
        }
        let kept = seen.keeping.map_or(ClockState::Unknown, |keeping| keeping.state());
        let now = Last { moment: seen.moment, apart: seen.apart(), kept, tai: seen.keeping.map_or(0, |keeping| keeping.tai_s) };
        if let Some(last) = self.last.replace(now) {
            let step = now.apart - last.apart;
            if nobody_set(step, &last, &now, seen) {
                self.shift(step);
            } else if step.abs() >= NOISE {
                self.stepped = Some(boot);
                Right::hear(&mut self.right, seen, self.stepped);
                self.take(step, &last, seen, limit, batteries);
            }
        }
        Right::hear(&mut self.right, seen, self.stepped);
        if let Some(row) = &mut self.row {
            row.named.hear(&seen.acts, Changed::Time);
        }
        self.follow(seen, limit);
        // The kernel believes whoever tells it so: where no time daemon runs that is none's word.
        if seen.vouched() && !self.programs.without_keeper() {
            (self.right, self.small) = (Some(Right { apart: now.apart, at: boot, by: Witness::Keeper }), Small::default());
            self.without_time = false;
        }
        self.tell(seen, limit)
    }

    /// A leap second or a resume moved the clock: everything that is remembered moves along.
    fn shift(&mut self, step: i64) {
        if let Some(row) = &mut self.row {
            (row.before, row.now) = (row.before + step, row.now + step);
        }
        if let Some(right) = &mut self.right {
            right.apart += step;
        }
    }

    fn take(&mut self, step: i64, last: &Last, seen: &Seen, limit: i64, batteries: &[i64]) {
        let (boot, now) = (seen.moment.boot, seen.apart());
        if let Some(row) = &mut self.row {
            (row.now, row.last, row.over, row.count) = (now, boot, None, row.count + 1);
        } else {
            let small = self.together(boot, step);
            let before = now - small.sum;
            if small.sum.abs() < limit {
                self.small = small;
                return;
            }
            self.small = Small::default();
            let knew_none = std::mem::take(&mut self.without_time) && self.right.is_none() && now > before;
            if without_power(boot + before) && !without_power(boot + now) || knew_none {
                // The battery was dead, and somebody or something put it right.
                return;
            }
            self.row = Some(Row {
                first: boot,
                last: boot,
                count: small.count,
                before,
                now,
                largest: 0,
                worst: Severity::Info,
                kept_before: last.kept,
                by_daemon: false,
                setter: None,
                named: Named::default(),
                over: None,
                told: None,
            });
        }
        let right = self.right;
        if let Some(row) = &mut self.row {
            let far = now - row.before;
            row.largest = if far.abs() > row.largest.abs() { far } else { row.largest };
            row.worst = row.worst.max(severity(row.before, now, right, seen, batteries));
        }
    }

    /// What became of the steps: undone, vouched for, or long ago.
    fn follow(&mut self, seen: &Seen, limit: i64) {
        let boot = seen.moment.boot;
        let Some(row) = &mut self.row else { return };
        let far = row.now - row.before;
        if row.over.is_none() {
            let vouched = match row.named.doer(&seen.allowed) {
                // It is on record who did it, whoever vouches for the clock meanwhile.
                Some(Doer::Other) if row.told.is_none() => false,
                Some(Doer::Keeper) => true,
                _ => seen.vouched() && !self.programs.without_keeper(),
            };
            match &row.told {
                // Set by a time daemon. That one which kept the clock moves it by hours is worth a hint: its servers may be wrong.
                None if vouched && row.kept_before == ClockState::Synchronised && far.abs() >= GRAVE => row.by_daemon = true,
                None if vouched => self.row = None,
                Some(_) if vouched || far.abs() < limit => row.over = Some(boot),
                Some(_) if self.right.is_some_and(|right| right.fits(row.now, boot, limit)) => row.over = Some(boot),
                None | Some(_) => {}
            }
        }
        let ended = |row: &Row| row.over.is_some_and(|since| boot - since >= LINGERS) || boot - row.last >= STANDS;
        if self.row.as_ref().is_some_and(ended) {
            self.row = None;
        }
    }

    fn tell(&mut self, seen: &Seen, limit: i64) -> Option<Finding> {
        self.due = None;
        let boot = seen.moment.boot;
        let row = self.row.as_ref()?;
        let other = row.named.doer(&seen.allowed) == Some(Doer::Other);
        if row.told.is_none() && !row.by_daemon && !other && !self.programs.without_keeper() {
            if boot - row.first < VOUCH {
                self.due = Some(row.first + VOUCH);
                return None;
            }
            // What the kernel does not tell, the time daemon may well have told the kernel.
            seen.keeping?;
        }
        let setter = match row.named.doer(&seen.allowed) {
            Some(Doer::Allowed(name)) => Some(name.to_owned()),
            Some(Doer::Keeper | Doer::Other) => None,
            None => self.programs.setter().map(str::to_owned).or_else(|| row.setter.clone()),
        };
        self.row.as_mut()?.setter = setter;
        let fresh = self.finding(self.row.as_ref()?, seen, limit);
        let row = self.row.as_mut()?;
        let told = match row.told.take() {
            Some((told, count)) => {
                let tells = fresh.severity > told.severity || row.count >= 2 * count || boot - row.last >= SETTLED;
                if !tells && fresh != told {
                    self.due = Some(row.last + SETTLED);
                }
                if tells && fresh != told { (fresh, row.count) } else { (told, count) }
            }
            None => (fresh, row.count),
        };
        Some(row.told.insert(told).0.clone())
    }

    fn finding(&self, row: &Row, seen: &Seen, limit: i64) -> Finding {
        let far = row.now - row.before;
        let undone = far.abs() < limit;
        let mut evidence = vec![fact("clock.step", by(if undone { row.largest } else { far }))];
        if row.count > 1 {
            evidence.push(fact("clock.steps", format!("{} times", row.count)));
        }
        if undone {
            evidence.push(fact("clock.after", "set back"));
        }
        evidence.push(who(row));
        evidence.extend(row.named.evidence());
        evidence.push(fact("clock.kept-before", kept(row.kept_before)));
        evidence.push(fact("clock.kept", seen.keeping.map_or("not known", |keeping| kept(keeping.state()))));
        if seen.hosted {
            evidence.push(fact("clock.host", "virtual machine"));
        }
        if let Some(right) = self.right {
            let key = if right.by == Witness::Server { "clock.server" } else { "clock.right" };
            evidence.push(fact(key, format!("{:+} s", (right.apart - row.now + SECOND / 2).div_euclid(SECOND))));
        }
        let origin = if row.by_daemon { Origin::Upstream } else { Origin::LocalChange };
        let severity = match (row.by_daemon, &row.setter) {
            (true, _) => Severity::Info,
            (false, Some(_)) if row.worst < Severity::Critical => row.worst.min(Severity::Low),
            (false, _) => row.worst,
        };
        Finding { severity, ..Finding::new(FindingCode::ClockStepped, Subject::Terminal, origin).because(evidence) }
    }
}

fn who(row: &Row) -> Evidence {
    match &row.setter {
        _ if row.by_daemon => fact("clock.by", "time daemon"),
        Some(name) => fact("clock.by", format!("may be {name}")),
        None => fact("clock.by", "no time daemon"),
    }
}

/// How bad it is that the clock went from one to the other. Where it is known what is right, what counts is how wrong it is now: nearer is a hint
/// only, and of a clock that was wrong all along the step itself is no more than its size.
fn severity(before: i64, now: i64, right: Option<Right>, seen: &Seen, batteries: &[i64]) -> Severity {
    let boot = seen.moment.boot;
    let by_size = gravity(boot + before, boot + now, seen.local);
    let Some(right) = right else {
        // The machine below may have put a clock right that stood still.
        let hosted = if seen.hosted && now > before { Severity::Low } else { Severity::Critical };
        let local = if is_local(before, now, seen, batteries) { Severity::Medium } else { Severity::Critical };
        return by_size.min(hosted).min(local);
    };
    let (was, is) = ((before - right.apart).abs(), (now - right.apart).abs());
    match by_size.min(gravity(boot + right.apart, boot + now, seen.local)) {
        _ if is < was && is < GRAVE => Severity::Info,
        _ if is < was => Severity::Low,
        severity => severity,
    }
}

/// Another system keeps the battery clock in local time, this one took it for UTC at its start and was set right by as much: or it looks as if.
fn is_local(before: i64, now: i64, seen: &Seen, batteries: &[i64]) -> bool {
    if seen.moment.boot >= HOUR {
        return false;
    }
    let local = |battery: i64| (battery - seen.local - (seen.moment.boot + now)).abs() < DRIFTED;
    seen.local != 0 && (now - before + seen.local).abs() < DRIFTED && batteries.iter().copied().any(local)
}

/// Whether it was a leap second or a resume.
fn nobody_set(step: i64, last: &Last, now: &Last, seen: &Seen) -> bool {
    let slept = (now.moment.boot - now.moment.mono) - (last.moment.boot - last.moment.mono);
    if slept > ASLEEP && step.abs() <= RESUMED + slept / DRIFT {
        return true;
    }
    let second = (step.abs() - SECOND).abs() < SECOND / 10;
    let around = seen.keeping.is_some_and(|keeping| (1..=4).contains(&keeping.leap));
    second && (around || now.tai != last.tai)
}

#[cfg(test)]
#[path = "step_tests.rs"]
mod tests;
