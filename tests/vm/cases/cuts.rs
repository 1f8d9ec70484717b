//! The power fails, again and again, while records are written; the disk keeps what it was told to keep and forgets of the rest what chance wants.
//!
//! What was told outside counts as reported: each record that came out of the journal, byte for byte. It has to be in the log ever after.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Takes::Boot;
use super::{Case, case};
use crate::Done;
use crate::daemon::{Ground, word};
use crate::forgetful::{Dice, Fate, in_flight, replay};
use crate::image::{Disk, Image, run};
use crate::pass::RTC;
use crate::pc::Pc;
use crate::system::layer;
use crate::table::Got;

#[rustfmt::skip]
pub(super) const CASES: &[Case] = &[
    case("power fails at random under load", "the log is whole, no reported record is lost, the service starts", Boot, cuts),
];

/// How often, in a full run and in a long one; `ISONET_CUTS`.
const CUTS: [u64; 2] = [2, 20];
/// Of a life, from the service's being there on; one in four ends before.
const LONGEST_MS: u64 = 12_000;
const BEFORE_MS: u64 = 6000;
/// So long the cut waits for a moment at which something can get lost: most of the time everything was flushed.
const FLIGHT: Duration = Duration::from_secs(2);
/// After so many cuts something must have got lost.
const TELLING: u64 = 6;
/// A service comes up within so long on a loaded machine.
const UP: Duration = Duration::from_secs(150);

/// Every record is told by the journal, and from there beside the PC; and many are written.
const SINK: &str = "mkdir -p /etc/isonet/conf.d && printf '[[sink]]\\nname = \"journal\"\\nkind = \"journal\"\\n' >/etc/isonet/conf.d/journal.toml && \
     cp /etc/isonet/conf.d/journal.toml /etc/isonet/conf.d/load.toml && : >/etc/isonet/conf.d/load.toml && sync && systemctl restart isonet";
const TELL: &str = "(journalctl -b -f -n all -t isonet -a -o json --output-fields=ISONET_RECORD >/dev/virtio-ports/told 2>/dev/null) </dev/null >/dev/null 2>&1 &";
const LOAD: &str = "echo 50 >/proc/sys/vm/dirty_writeback_centisecs; echo 50 >/proc/sys/vm/dirty_expire_centisecs; \
     (i=0; while :; do i=$((i + 1)); printf '[usb]\\nallow = [{ vendor = \"46f4\", product = \"0001\", serial = \"S%s\" }]\\n' $i >/run/load.toml; \
       cp /run/load.toml /etc/isonet/conf.d/load.new; mv /etc/isonet/conf.d/load.new /etc/isonet/conf.d/load.toml; \
       systemctl kill -s HUP isonet; done) </dev/null >/dev/null 2>&1 & \
     (while :; do ip link add load0 type dummy; ip link set load0 up; sleep 1; ip link del load0; sleep 1; done) </dev/null >/dev/null 2>&1 & \
     (while :; do dd if=/dev/urandom of=/var/tmp/load bs=64k count=8; sleep 0.2; done) </dev/null >/dev/null 2>&1 &";

/// One PC after the other on the same disk.
struct Lives<'a, 'b> {
    ground: &'a mut Ground<'b>,
    folder: PathBuf,
    dice: Dice,
    reported: BTreeSet<String>,
    fate: Fate,
    gaps: usize,
}

fn cuts(ground: &mut Ground<'_>) -> Done<Got> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let cuts = number("ISONET_CUTS").unwrap_or(CUTS[usize::from(ground.thorough)]);
    let seed = number("ISONET_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    println!("{cuts} power cuts, ISONET_SEED={seed}");
    let folder = ground.pc.beside("cuts");
    std::fs::create_dir_all(&folder).map_err(|e| format!("cannot make {}: {e}", folder.display()))?;
    // The other PC waits, and no time passes in it.
    ground.pc.monitor("stop", &json!({}))?;
    let mut lives = Lives { ground, folder, dice: Dice::new(seed), reported: BTreeSet::new(), fate: Fate::default(), gaps: 0 };
    let all = lives.all(cuts);
    let Lives { ground, reported, fate, gaps, .. } = lives;
    ground.pc.monitor("cont", &json!({}))?;
    let records = all?;
    if fate.lost == 0 && cuts >= TELLING {
        return Err("the disk forgot nothing: the cuts show nothing".to_owned());
    }
    Ok(Got::of(format!(
        "{cuts} cuts: {records} records, {} of them told outside before a cut, all kept; {gaps} gaps told; the disk lost {} of {} writes",
        reported.len(),
        fate.lost,
        fate.lost + fate.kept
    )))
}

impl Lives<'_, '_> {
    /// How many records there are in the end.
    fn all(&mut self, cuts: u64) -> Done<usize> {
        let disk = self.folder.join("disk.raw");
        let from = self.ground.disk().ok_or("the PC has no system on its disk")?;
        run(Command::new("qemu-img").args(["convert", "-U", "-l", "snapshot.name=kept", "-O", "raw"]).args([&from, &disk]))?;
        for life in 1..=cuts {
            let begin = Instant::now();
            let mut pc = self.on(&disk, life)?;
            let early = life > 1 && self.dice.below(4) == 0;
            let told = if early {
                std::thread::sleep(Duration::from_millis(self.dice.below(BEFORE_MS)));
                "while it started".to_owned()
            } else {
                let lines = self.look(&mut pc, life)?;
                if life == 1 {
                    pc.must(SINK)?;
                }
                pc.must(TELL)?;
                pc.must(LOAD)?;
                let span = self.dice.below(LONGEST_MS) + if life == 1 { LONGEST_MS / 2 } else { 0 };
                std::thread::sleep(Duration::from_millis(span));
                format!("after {span} ms of load on {lines} records")
            };
            self.await_flight();
            pc.cut();
            drop(pc);
            self.reported.extend(reported(&self.folder.join("told"))?);
            let fate = replay(&self.folder.join("log"), &disk, &mut self.dice)?;
            (self.fate.kept, self.fate.lost) = (self.fate.kept + fate.kept, self.fate.lost + fate.lost);
            let told = format!("{told}: {} told outside by now, {} writes lost", self.reported.len(), fate.lost);
            println!("  cut {life} {told} ({} ms)", begin.elapsed().as_millis());
        }
        let mut pc = self.on(&disk, cuts + 1)?;
        self.look(&mut pc, cuts + 1)
    }

    /// Until something can get lost, if that is soon.
    fn await_flight(&self) {
        let begin = Instant::now();
        while in_flight(&self.folder.join("log")) == 0 && begin.elapsed() < FLIGHT {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn on(&self, disk: &Path, life: u64) -> Done<Pc> {
        let (layered, log) = (self.folder.join("layer.qcow2"), self.folder.join("log"));
        layer(&layered, disk, "raw")?;
        std::fs::File::create(&log).map_err(|e| format!("cannot write {}: {e}", log.display()))?;
        let image = Image { disk: Disk::Forgetful { disk: layered, log }, ..self.ground.image().clone() };
        let begin: jiff::civil::DateTime = RTC.parse().map_err(|e| format!("no time: {e}"))?;
        let rtc = begin.checked_add(jiff::Span::new().hours(i64::try_from(life).unwrap_or(0))).map_err(|e| e.to_string())?;
        Pc::on(&image, &self.folder, self.ground.accel(), &rtc.to_string(), self.ground.place.boot())
    }

    /// The service is there, the log is whole, and has all that was told outside.
    fn look(&mut self, pc: &mut Pc, life: u64) -> Done<usize> {
        let wrong = |what: String| format!("life {life}: {what}");
        pc.until("systemctl is-active isonet", UP).map_err(wrong)?;
        let verified = pc.run("isonet --lang en verify-log")?;
        if verified.status != 0 {
            return Err(wrong(format!("the log is not whole: {}", verified.out)));
        }
        let lines = pc.must("cat /var/lib/isonet/spool/*.jsonl")?.out;
        let lines: BTreeSet<&str> = lines.lines().collect();
        if let Some(lost) = self.reported.iter().find(|line| !lines.contains(line.as_str())) {
            return Err(wrong(format!("a record is lost that was told outside: {lost}\n{}", verified.out)));
        }
        let gap = |line: &&&str| serde_json::from_str::<Value>(line).is_ok_and(|record| word(&record, "/agent/event") == "gap");
        self.gaps = lines.iter().filter(gap).count();
        Ok(lines.len())
    }
}

/// What came out of the journal, up to the line that the cut has cut.
fn reported(told: &Path) -> Done<Vec<String>> {
    let text = std::fs::read(told).map_err(|e| format!("cannot read {}: {e}", told.display()))?;
    let text = String::from_utf8_lossy(&text);
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let record = |line: &str| Some(serde_json::from_str::<Value>(line).ok()?.get("ISONET_RECORD")?.as_str()?.to_owned());
    Ok(whole.lines().filter_map(record).collect())
}
