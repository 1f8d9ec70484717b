//! The same backlog, drained by the product and by what else could carry it: rsyslog's omfwd, whose queue lies on the disk meanwhile.
//!
//! Both send to the same rsyslog in the clear, which was away while the records were made. What a drain costs is the sender's own: processor time, the
//! most memory it had, and what lay on the disk.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::agent::{Orders, To, is_shipped};
use crate::backlog::fill;
use crate::chaos::Receiver;
use crate::life::Agent;
use crate::oracle::recorded;
use crate::peers::syslog::{Kind, rsyslogd};
use crate::syslog::{Ending, Syslog};
use crate::{Done, Given};

/// All is there within so long.
const LIMIT: Duration = Duration::from_mins(3);

/// What happens to the receiver meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Course {
    Stays,
    /// It is stopped in good order as soon as it has a third, and comes back.
    Restarts,
}

pub(crate) fn run(_: &Given) -> Done<String> {
    let mut told = Vec::new();
    for course in [Course::Stays, Course::Restarts] {
        let place = tempfile::Builder::new().prefix("isonet-beside-").tempdir().map_err(|e| format!("no place: {e}"))?;
        let (state, queue) = (place.path().join("state"), place.path().join("queue"));
        fill(&state)?;
        std::fs::create_dir(&queue).map_err(|e| e.to_string())?;
        let lines: Vec<Vec<u8>> = recorded(&state.join("spool"))?.into_iter().map(|(_, line)| line).collect();
        let (ours, theirs) = (ours(&state, lines.len(), course)?, omfwd(&queue, &lines, course)?);
        if ours.lost > 0 {
            return Err(format!("{} lost by ours", ours.lost));
        }
        told.push(format!("receiver {course:?}: isonet {ours}; omfwd {theirs}").to_lowercase());
    }
    Ok(told.join("; "))
}

/// What a drain cost.
struct Cost {
    time: Duration,
    processor: Duration,
    /// Most memory, as the kernel writes it.
    memory: String,
    disk: u64,
    lost: usize,
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { time, processor, memory, disk, lost } = self;
        let (time, processor) = (time.as_millis(), processor.as_millis());
        write!(f, "{time} ms, processor {processor} ms, at most {memory}, {} kB on the disk, {lost} lost", disk / 1000)
    }
}

/// The receiver comes back, and some time it has so many, or the sender has nothing more.
fn drains(receiver: &mut Syslog, records: usize, course: Course, is_empty: impl Fn() -> bool) -> Done<Duration> {
    let begin = Instant::now();
    receiver.back();
    if course == Course::Restarts {
        waits(|| receiver.numbers().len() >= records / 3, "a third")?;
        receiver.away();
        receiver.back();
    }
    waits(|| is_empty() || receiver.numbers().len() >= records, "the last")?;
    Ok(begin.elapsed())
}

/// After the receiver has ended in good order.
fn lost(receiver: &mut Syslog, records: usize) -> usize {
    receiver.away();
    let there = receiver.numbers();
    (1..=records as u64).filter(|number| !there.contains(number)).count()
}

fn ours(state: &Path, records: usize, course: Course) -> Done<Cost> {
    let mut receiver = Syslog::start(Kind::Gtls, false, Ending::Stopped)?;
    let address = receiver.addresses()[0];
    receiver.away();
    let orders = Orders { state: state.to_owned(), to: To::Syslog { address, tls: None }, every_ms: 0, mutant: None };
    let mut agent = Agent::start(orders)?;
    // It has tried and found nobody.
    std::thread::sleep(Duration::from_secs(2));
    let time = drains(&mut receiver, records, course, || is_shipped(state))?;
    agent.ships_all(LIMIT)?;
    let (processor, memory) = spent(agent.id().ok_or("the agent is gone")?)?;
    agent.end()?;
    Ok(Cost { time, processor, memory, disk: size(&state.join("spool"))?, lost: lost(&mut receiver, records) })
}

fn omfwd(queue: &Path, lines: &[Vec<u8>], course: Course) -> Done<Cost> {
    let mut receiver = Syslog::start(Kind::Gtls, false, Ending::Stopped)?;
    let target = receiver.addresses()[0];
    receiver.away();
    let own = SocketAddr::from(([127, 0, 0, 1], 6600));
    let conf = format!(
        "global(workDirectory=\"{0}\" maxMessageSize=\"16k\")\nmodule(load=\"imtcp\")\n\
         module(load=\"impstats\" interval=\"1\" format=\"json\" log.syslog=\"off\" log.file=\"{0}/stats\")\n\
         template(name=\"raw\" type=\"string\" string=\"%rawmsg%\")\ninput(type=\"imtcp\" address=\"{1}\" port=\"{2}\")\n\
         action(type=\"omfwd\" target=\"{3}\" port=\"{4}\" protocol=\"tcp\" TCP_Framing=\"octet-counted\" template=\"raw\" \
         action.resumeRetryCount=\"-1\" action.resumeInterval=\"1\" action.resumeIntervalMax=\"1\" queue.type=\"LinkedList\" \
         queue.filename=\"waits\" queue.size=\"1000\" queue.highWatermark=\"500\" queue.lowWatermark=\"100\" queue.maxDiskSpace=\"256m\" \
         queue.syncQueueFiles=\"on\" queue.checkpointInterval=\"100\" queue.saveOnShutdown=\"on\")\n",
        queue.display(),
        own.ip(),
        own.port(),
        target.ip(),
        target.port()
    );
    let file = queue.join("conf");
    std::fs::write(&file, conf).map_err(|e| e.to_string())?;
    let laid = crate::peers::receivers().ok_or("tests/ship/fetch has not run")?;
    let sender =
        Kept(rsyslogd(&laid, &file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().map_err(|e| e.to_string())?);
    let mut stream = connects(own)?;
    for (number, line) in lines.iter().enumerate() {
        let head = format!("<134>1 2026-01-01T00:00:00Z T isonet - - [isonet@32473 seq=\"{}\" try=\"1\"] ", number + 1);
        write!(stream, "{} {head}", head.len() + line.len()).and_then(|()| stream.write_all(line)).map_err(|e| format!("{own}: {e}"))?;
    }
    drop(stream);
    waits(|| size(queue).is_ok_and(|size| size > 1000 * lines.len() as u64 / 3), "the queue on the disk")?;
    std::thread::sleep(Duration::from_secs(2));
    let disk = size(queue)?;
    let time = drains(&mut receiver, lines.len(), course, || waiting(queue) == Some(0))?;
    let (processor, memory) = spent(sender.0.id())?;
    // The sender first: nothing is under way any more.
    drop(sender);
    Ok(Cost { time, processor, memory, disk, lost: lost(&mut receiver, lines.len()) })
}

/// What is in its queues, as rsyslog itself counts every second; while nothing is added, an old count is no smaller.
fn waiting(queue: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(queue.join("stats")).ok()?;
    let counts = text.lines().filter_map(|line| serde_json::from_str::<Value>(line.get(line.find('{')?..)?).ok());
    let sizes = counts.filter_map(|count| Some((count.get("name")?.to_string(), count.get("size")?.as_u64()?)));
    let last: BTreeMap<String, u64> = sizes.collect();
    (!last.is_empty()).then(|| last.values().sum())
}

/// Processor time and most memory of a process until now.
fn spent(pid: u32) -> Done<(Duration, String)> {
    let read = |name: &str| std::fs::read_to_string(format!("/proc/{pid}/{name}")).map_err(|e| format!("/proc/{pid}/{name}: {e}"));
    let status = read("status")?;
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default().trim().to_owned();
    let stat = read("stat")?;
    let after = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
    // User and system time, in hundredths.
    let ticks: u64 = after.split_whitespace().skip(11).take(2).filter_map(|word| word.parse::<u64>().ok()).sum();
    Ok((Duration::from_millis(ticks * 10), most))
}

fn size(folder: &Path) -> Done<u64> {
    let entries = std::fs::read_dir(folder).map_err(|e| format!("cannot list {}: {e}", folder.display()))?;
    Ok(entries.filter_map(Result::ok).filter_map(|entry| entry.metadata().ok()).map(|meta| meta.len()).sum())
}

fn connects(at: SocketAddr) -> Done<TcpStream> {
    let mut stream = None;
    waits(
        || {
            stream = TcpStream::connect(at).ok();
            stream.is_some()
        },
        "the sender",
    )?;
    stream.ok_or_else(|| "the sender does not listen".to_owned())
}

fn waits(mut is_so: impl FnMut() -> bool, what: &str) -> Done {
    let begin = Instant::now();
    while !is_so() {
        if begin.elapsed() > LIMIT {
            return Err(format!("{what} does not come within {} s", LIMIT.as_secs()));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Asked to end with its owner.
struct Kept(Child);

impl Drop for Kept {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.0), Signal::TERM);
        let _ = self.0.wait();
    }
}
