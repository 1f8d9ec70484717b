//! The agent under test inside the PC: enrolled, started, stopped; and what it wrote.

use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::Done;
use crate::args::slack;
use crate::cases::clock::SLOW;
use crate::image::{Disk, Image};
use crate::pc::{Accel, Pc};
use crate::place::{Install, Place, natively};

/// Whatever the agent does, it has done within so long on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(40);
const POLL: Duration = Duration::from_millis(100);

/// The PC, what it starts from, and what its agent has written so far.
pub(crate) struct Ground<'a> {
    pub(crate) pc: Pc,
    image: &'a Image,
    work: PathBuf,
    accel: Accel,
    records: Vec<Value>,
    /// Bytes of the log that are in `records`.
    read: usize,
    /// Where the log stood when that was staged which the agent sees by the minute.
    pub(crate) slow: Option<usize>,
    pub(crate) place: Place,
    /// How the package was installed, where there is one.
    pub(crate) install: Option<Install>,
    /// What is done many times is done very many times.
    pub(crate) thorough: bool,
}

impl<'a> Ground<'a> {
    /// Switched on for the first time, enrolled, with the agent at work.
    pub(crate) fn new(image: &'a Image, work: &Path, accel: Accel, rtc: &str) -> Done<Ground<'a>> {
        let place = Place::of(&image.disk);
        if place == Place::Memory {
            crate::sticks::state(&work.join("state.img"))?;
        }
        let mut pc = Pc::on(image, work, accel, rtc, place.boot())?;
        let install = if place == Place::Installed { Some(crate::place::install(&mut pc, crate::place::PACKAGE)?) } else { None };
        let mut ground =
            Ground { pc, image, work: work.to_owned(), accel, records: Vec::new(), read: 0, slow: None, place, install, thorough: false };
        ground.pc.must("isonet enroll --by tests")?;
        ground.start()?;
        if place == Place::Installed {
            ground.pc.must("sync")?;
            ground.pc.snapshot("savevm")?;
        }
        Ok(ground)
    }

    /// The power fails, and comes back with the battery clock at `rtc`. An agent that is no service is not started.
    pub(crate) fn power_cut(&mut self, rtc: &str) -> Done {
        let work = self.work.clone();
        self.pc.cut();
        self.pc = Pc::on(self.image, &work, self.accel, rtc, self.place.boot())?;
        Ok(())
    }

    /// Starts the agent and waits until it has looked around.
    pub(crate) fn start(&mut self) -> Done {
        let mark = self.mark()?;
        self.start_since(mark)
    }

    /// The same where it may have been started since this mark, as a service is at boot.
    pub(crate) fn start_since(&mut self, mark: usize) -> Done {
        self.pc.must(self.place.start())?;
        self.wait("the agent's start", mark, |record| record.pointer("/agent/event").is_some_and(|event| event == "started"))?;
        // It has looked around when it rests.
        let rests =
            "work() { awk '{print $14 + $15}' /proc/$(cat /run/daemon.pid)/stat; }; a=$(work); sleep 0.5; test $(( $(work) - a )) -le 4";
        self.pc.until(rests, PATIENCE).map(drop)
    }

    /// The date is right, nothing ever happened, and the agent starts.
    pub(crate) fn afresh(&mut self) -> Done {
        self.stop()?;
        self.pc.must("hwclock -s -u; cd /state/isonet && rm -rf spool anchor cursors checkpoint epoch")?;
        // The log begins anew; what was read before stays for those who look back.
        (self.read, self.slow) = (0, None);
        self.start()
    }

    /// This package instead of the installed one, of which nothing is left; enrolled, and at work.
    pub(crate) fn begin_with(&mut self, package: &str) -> Done {
        self.stop()?;
        self.pc.must(&natively("dpkg -P isonet && test ! -e /var/lib/isonet && test ! -e /etc/isonet"))?;
        crate::place::install(&mut self.pc, package)?;
        (self.read, self.slow) = (0, None);
        self.pc.must("isonet enroll --by tests")?;
        self.start()
    }

    /// Keeps what the agent has left so far, to be found by later starts.
    pub(crate) fn keep(&mut self) -> Done {
        self.pc.must("rm -rf /state/kept && cp -a /state/isonet/ /state/kept && date +%s >/state/kept.at && sync").map(drop)
    }

    /// The agent's files are again as they were kept, this has been done to the PC, and it starts.
    pub(crate) fn start_from_kept(&mut self, done: &str) -> Done<usize> {
        self.stop()?;
        self.pc.must(&format!("cd /state/isonet/ && rm -rf * && cp -a /state/kept/* .; {done}"))?;
        (self.read, self.slow) = (0, None);
        let mark = self.mark()?;
        self.start()?;
        Ok(mark)
    }

    /// The agent is killed, and has no time for anything.
    pub(crate) fn kill(&mut self) -> Done {
        self.pc.must(self.place.kill())?;
        self.pc.until("! kill -0 $(cat /run/daemon.pid)", PATIENCE).map(drop)
    }

    /// Ends the agent in good order.
    pub(crate) fn stop(&mut self) -> Done {
        self.pc.must(self.place.stop())?;
        self.pc.until("! kill -0 $(cat /run/daemon.pid)", PATIENCE).map(drop)
    }

    /// After a case that failed: nothing plugged in, nothing mounted, the agent at work.
    pub(crate) fn tidy(&mut self) -> Done {
        self.pc.unplug_all();
        if self.place == Place::Installed {
            return self.restore();
        }
        self.pc.must("kill $(pidof sleep); umount -l /media/* /mnt 2>/dev/null; losetup -d /dev/loop0 2>/dev/null; dmsetup remove_all 2>/dev/null; true")?;
        let _ = self.pc.monitor("netdev_del", &serde_json::json!({ "id": "tether" }));
        if self.pc.run("kill -0 $(cat /run/daemon.pid)")?.status == 0 { Ok(()) } else { self.start() }
    }

    pub(crate) fn image(&self) -> &Image {
        self.image
    }

    pub(crate) fn accel(&self) -> Accel {
        self.accel
    }

    /// The disk on which the system is.
    pub(crate) fn disk(&self) -> Option<PathBuf> {
        match &self.image.disk {
            Disk::System(disk) => Some(disk.clone()),
            Disk::State(_) | Disk::Forgetful { .. } => None,
        }
    }

    /// The whole PC is again as it was when the agent had begun to watch.
    pub(crate) fn restore(&mut self) -> Done {
        self.pc.snapshot("loadvm")?;
        // What was read before stays for those who look back.
        (self.read, self.slow) = (0, None);
        self.mark().map(drop)
    }

    /// How many records there are.
    pub(crate) fn mark(&mut self) -> Done<usize> {
        let said = self.pc.must(&format!("cat /state/isonet/spool/*.jsonl 2>/dev/null | tail -c +{}", self.read + 1))?;
        let mut lines = said.out.lines().peekable();
        while let Some(line) = lines.next() {
            match serde_json::from_str(line) {
                Ok(record) => self.records.push(record),
                // The last one is on its way: it is whole the next time, or whoever waits for it waits in vain.
                Err(_) if lines.peek().is_none() => break,
                Err(error) => return Err(format!("a record is no JSON: {error}: {line}")),
            }
            self.read += line.len() + 1;
        }
        Ok(self.records.len())
    }

    pub(crate) fn since(&self, mark: usize) -> &[Value] {
        &self.records[mark..]
    }

    /// Waits for a record like this after `mark`.
    pub(crate) fn wait(&mut self, what: &str, mark: usize, fits: impl Fn(&Value) -> bool) -> Done<Value> {
        self.wait_within(PATIENCE, what, mark, fits)
    }

    pub(crate) fn wait_within(&mut self, patience: Duration, what: &str, mark: usize, fits: impl Fn(&Value) -> bool) -> Done<Value> {
        let deadline = Instant::now() + patience * slack();
        loop {
            self.mark()?;
            if let Some(record) = self.since(mark).iter().find(|record| fits(record)) {
                return Ok(record.clone());
            }
            if Instant::now() > deadline {
                return Err(format!("no record of {what}; there are: {}", shown(self.since(mark))));
            }
            sleep(POLL);
        }
    }

    /// Waits for a record of this finding in this phase.
    pub(crate) fn told(&mut self, code: &str, phase: &str, mark: usize, fits: impl Fn(&Value) -> bool) -> Done<Value> {
        self.told_within(PATIENCE, code, phase, mark, fits)
    }

    /// The same for what takes longer.
    pub(crate) fn told_within(
        &mut self,
        patience: Duration,
        code: &str,
        phase: &str,
        mark: usize,
        fits: impl Fn(&Value) -> bool,
    ) -> Done<Value> {
        let is = |record: &Value| word(record, "/cause/code") == code && word(record, "/incident/phase") == phase && fits(record);
        self.wait_within(patience, &format!("{code} {phase}"), mark, is)
    }

    /// Lets `time` pass for the agent to speak; then nothing but these findings may have been told since. The end of something earlier is no news.
    pub(crate) fn nothing_but(&mut self, codes: &[&str], mark: usize, time: Duration) -> Done {
        sleep(time);
        self.mark()?;
        let slow: &[&str] = if self.slow.is_some() { &SLOW } else { &[] };
        // On a starved machine it may fail to see something, and says so: that accuses nobody.
        let is_news = |record: &&Value| {
            let (phase, code) = (word(record, "/incident/phase"), word(record, "/cause/code"));
            record.get("incident").is_some() && phase != "resolved" && code != "agent.degraded"
        };
        let others = |record: &&Value| is_news(record) && !codes.iter().chain(slow).any(|code| *code == word(record, "/cause/code"));
        let others: Vec<Value> = self.since(mark).iter().filter(others).cloned().collect();
        if others.is_empty() { Ok(()) } else { Err(format!("nothing else was to be told: {}", shown(&others))) }
    }

    /// When the kernel first said this, milliseconds since the boot.
    pub(crate) fn kernel_said(&mut self, what: &str) -> Done<i64> {
        // Its messages are stamped by another clock, which is fast or slow where the processor is emulated: a fresh message tells what it shows now.
        let script = format!(
            "dmesg | grep -m1 -F '{what}' && echo isonet-now >/dev/kmsg && cut -d' ' -f1 /proc/uptime && dmesg | grep -F isonet-now | tail -n1"
        );
        let said = self.pc.until(&script, PATIENCE)?;
        let lines: Vec<&str> = said.out.lines().collect();
        let micros =
            |line: &str| line.trim_start_matches('[').split(']').next().and_then(|stamp| stamp.trim().replace('.', "").parse::<i64>().ok());
        match lines[..] {
            [event, up, now] => {
                let up = up.replace('.', "").parse::<i64>().ok();
                let (event, now) = (micros(event), micros(now));
                up.zip(event).zip(now).map(|((up, event), now)| up * 10 - (now - event) / 1000)
            }
            _ => None,
        }
        .ok_or_else(|| format!("not the kernel's word: {}", said.out))
    }
}

/// The text there, or nothing.
pub(crate) fn word<'a>(record: &'a Value, pointer: &str) -> &'a str {
    record.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// When it was written, milliseconds since the boot.
pub(crate) fn boot_ms(record: &Value) -> i64 {
    record.pointer("/time/boot_ms").and_then(Value::as_i64).unwrap_or_default()
}

/// What the evidence of this key says, one after the other.
pub(crate) fn proof(record: &Value, key: &str) -> String {
    let lines = record.get("evidence").and_then(Value::as_array).into_iter().flatten();
    let of_key = lines.filter(|line| word(line, "/k") == key);
    of_key.map(|line| format!("{} {}", word(line, "/target"), word(line, "/result"))).collect::<Vec<_>>().join("; ")
}

/// All its evidence.
pub(crate) fn evidence(record: &Value) -> String {
    let lines = record.get("evidence").and_then(Value::as_array).into_iter().flatten();
    lines.map(|line| format!("{}={} {}", word(line, "/k"), word(line, "/target"), word(line, "/result"))).collect::<Vec<_>>().join("; ")
}

/// A few words of each.
pub(crate) fn shown(records: &[Value]) -> String {
    let one = |record: &Value| {
        let card = ["/agent/event", "/cause/code", "/incident/phase", "/incident/change", "/cause/object", "/cause/severity", "/origin"];
        let card: Vec<&str> = card.iter().map(|pointer| word(record, pointer)).filter(|word| !word.is_empty()).collect();
        format!("\n    {} [{}]", card.join(" "), evidence(record))
    };
    if records.is_empty() { "none".to_owned() } else { records.iter().map(one).collect() }
}
