//! One emulated PC: switched on, spoken to, changed while it runs, switched off.
//!
//! It is spoken to through a port that is no network and that nothing in it can be disturbed by; it reaches nothing outside.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::Done;
use crate::args::slack;
use crate::image::{Disk, Image, find};
use crate::qmp::Qmp;

/// One command inside.
const COMMAND: Duration = Duration::from_mins(1);
pub(crate) const QEMU: &str = "qemu-system-x86_64";

/// What the processor is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Accel {
    Kvm,
    Tcg,
}

/// What a command inside said.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) status: i32,
    /// When it ended, milliseconds since the guest's boot.
    pub(crate) at_ms: u64,
    pub(crate) out: String,
}

/// Off when dropped.
pub(crate) struct Pc {
    child: Child,
    qmp: Qmp,
    agent: BufReader<UnixStream>,
    work: PathBuf,
    /// Names for what is plugged in.
    count: u32,
    /// What is plugged in.
    plugged: Vec<String>,
}

impl Pc {
    /// Switches it on, with its battery clock at `rtc` (`2026-01-31T12:00:00`), and waits until it listens.
    pub(crate) fn on(image: &Image, work: &Path, accel: Accel, rtc: &str, patience: Duration) -> Done<Pc> {
        let (monitor, agent, console) = (work.join("qmp"), work.join("agent"), work.join("console"));
        for old in [&monitor, &agent] {
            let _ = std::fs::remove_file(old);
        }
        let mut command = command(accel)?;
        command.arg("-kernel").arg(&image.kernel).arg("-initrd").arg(&image.initrd);
        let memory = if image.disk.has_system() { "768" } else { "512" };
        command.args(["-m", memory, "-append", "console=ttyS0 quiet panic=-1 net.ifnames=0 systemd.show_status=0", "-no-reboot"]);
        command.args(["-rtc", &format!("base={rtc},clock=vm")]);
        command.args(["-serial", &format!("file:{}", console.display())]);
        command.args(["-qmp", &format!("unix:{},server=on,wait=off", monitor.display())]);
        command.args(["-chardev", &format!("socket,id=agent,path={},server=on,wait=off", agent.display())]);
        command.args(["-device", "virtio-serial-pci", "-device", "virtserialport,chardev=agent,name=agent"]);
        plug_in_disk(&mut command, &image.disk, work);
        // The centre is a port that answers; `restrict` keeps everything else in.
        command.args(["-netdev", "user,id=lan,restrict=on,ipv6=off,net=10.77.1.0/24,host=10.77.1.2,guestfwd=tcp:10.77.1.100:8080-cmd:cat"]);
        command.args(["-device", "virtio-net-pci,netdev=lan,mac=52:54:00:12:34:56", "-device", "qemu-xhci,id=usb,p2=8,p3=8"]);
        let errors = File::create(work.join("qemu")).map_err(|e| format!("cannot write beside the PC: {e}"))?;
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors).spawn();
        let mut child = child.map_err(|e| format!("cannot start {QEMU}: {e}"))?;
        let deadline = Instant::now() + patience * slack();
        match connect(&mut child, &monitor, &agent, deadline) {
            Ok((qmp, agent)) => Ok(Pc { child, qmp, agent, work: work.to_owned(), count: 0, plugged: Vec::new() }),
            Err(e) => {
                end(&mut child);
                let told = |name: &str| std::fs::read_to_string(work.join(name)).unwrap_or_default();
                Err(format!("the PC did not start: {e}\n{}{}", told("qemu"), tail(&told("console"))))
            }
        }
    }

    /// What its kernel says of a processor that does not go on, if one does not.
    pub(crate) fn locked_up(&self) -> Option<String> {
        let console = std::fs::read(self.work.join("console")).unwrap_or_default();
        let console = String::from_utf8_lossy(&console);
        console.lines().find(|line| line.contains("soft lockup") || line.contains("self-detected stall")).map(str::to_owned)
    }

    /// Runs it by the shell inside.
    pub(crate) fn run(&mut self, script: &str) -> Done<Said> {
        let told = |e: &dyn std::fmt::Display| format!("the PC does not answer to `{script}`: {e}");
        let line = hex(script.as_bytes()) + "\n";
        self.agent.get_mut().write_all(line.as_bytes()).map_err(|e| told(&e))?;
        let mut answer = String::new();
        self.agent.read_line(&mut answer).map_err(|e| told(&e))?;
        let mut words = answer.split_whitespace();
        let status = words.next().and_then(|word| word.parse().ok()).ok_or_else(|| told(&"no status"))?;
        let up = words.next().and_then(|word| word.replace('.', "").parse::<u64>().ok()).ok_or_else(|| told(&"no time"))?;
        let out = String::from_utf8_lossy(&unhex(words.next().unwrap_or_default())).trim_end().to_owned();
        Ok(Said { status, at_ms: up * 10, out })
    }

    /// The same, and insists on success.
    pub(crate) fn must(&mut self, script: &str) -> Done<Said> {
        let said = self.run(script)?;
        if said.status == 0 { Ok(said) } else { Err(format!("in the PC `{script}` ended with {}: {}", said.status, said.out)) }
    }

    /// Asks inside until it succeeds.
    pub(crate) fn until(&mut self, script: &str, patience: Duration) -> Done<Said> {
        let deadline = Instant::now() + patience * slack();
        loop {
            let said = self.run(script)?;
            if said.status == 0 {
                return Ok(said);
            }
            if Instant::now() > deadline {
                return Err(format!("in the PC `{script}` never came true: {}", said.out));
            }
            sleep(Duration::from_millis(50));
        }
    }

    pub(crate) fn monitor(&mut self, command: &str, arguments: &Value) -> Done<Value> {
        self.qmp.execute(command, arguments)
    }

    /// Keeps all of it (`savevm`), or makes it again what was kept (`loadvm`), which it does while nothing is plugged in.
    pub(crate) fn snapshot(&mut self, what: &str) -> Done {
        // What sticks were made of is still there for a moment when they are pulled out.
        let deadline = Instant::now() + COMMAND;
        while let Some(name) = self.leftover()? {
            let gone = self.monitor("blockdev-del", &json!({ "node-name": name }));
            if gone.is_err() && Instant::now() > deadline {
                return gone.map(drop);
            }
            sleep(Duration::from_millis(20));
        }
        let said = self.monitor("human-monitor-command", &json!({ "command-line": format!("{what} kept") }))?;
        if said.as_str().is_none_or(|said| said.trim().is_empty()) {
            return Ok(());
        }
        // It stands still where it failed.
        self.monitor("cont", &json!({}))?;
        Err(format!("{what}: {said}"))
    }

    /// A disk that is not the PC's own.
    fn leftover(&mut self) -> Done<Option<String>> {
        let nodes = self.monitor("query-named-block-nodes", &json!({ "flat": true }))?;
        let mut names = nodes.as_array().into_iter().flatten().filter_map(|node| node.get("node-name")?.as_str());
        Ok(names.find(|name| !name.starts_with('#') && *name != "disk").map(str::to_owned))
    }

    /// Plugs a device in; `extra` are its properties beside driver and id. Gives the id to unplug it by.
    pub(crate) fn plug(&mut self, driver: &str, extra: Value) -> Done<String> {
        self.count += 1;
        let id = format!("plugged{}", self.count);
        let mut device = json!({ "driver": driver, "id": id });
        if let (Some(device), Value::Object(extra)) = (device.as_object_mut(), extra) {
            device.extend(extra);
        }
        self.monitor("device_add", &device)?;
        self.plugged.push(id.clone());
        Ok(id)
    }

    /// Plugs in a stick made of this file.
    pub(crate) fn plug_stick(&mut self, image: &Path, extra: Value) -> Done<String> {
        let node = format!("stick{}", self.count + 1);
        let file = json!({ "driver": "file", "filename": image });
        self.monitor("blockdev-add", &json!({ "driver": "raw", "node-name": node, "file": file }))?;
        let mut properties = json!({ "drive": node });
        if let (Some(properties), Value::Object(extra)) = (properties.as_object_mut(), extra) {
            properties.extend(extra);
        }
        self.plug("usb-storage", properties)
    }

    pub(crate) fn unplug(&mut self, id: &str) -> Done {
        self.plugged.retain(|other| other != id);
        self.monitor("device_del", &json!({ "id": id })).map(drop)
    }

    /// Pulls out what a case that failed left plugged in.
    pub(crate) fn unplug_all(&mut self) {
        while let Some(id) = self.plugged.pop() {
            // What hung on a hub went with it.
            let _ = self.unplug(&id);
        }
    }

    /// A file beside the PC.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.work.join(name)
    }

    /// Pulls the plug. Nothing inside is asked.
    pub(crate) fn cut(&mut self) {
        end(&mut self.child);
    }
}

impl Drop for Pc {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// Everything that does not depend on what it starts from. It does not outlive this process.
fn command(accel: Accel) -> Done<Command> {
    let qemu = find(QEMU).ok_or_else(|| format!("{QEMU} is missing"))?;
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(qemu);
    command.args(["-machine", "q35", "-smp", "2", "-nodefaults", "-no-user-config", "-display", "none", "-cpu", "max"]);
    command.args(["-global", "ICH9-LPC.disable_s3=0"]);
    command.args(["-accel", if accel == Accel::Kvm { "kvm" } else { "tcg,thread=multi" }]);
    Ok(command)
}

/// Its one disk; and, where a system is on it, a port for what that system tells while nobody asks it: `told`, beside the PC.
fn plug_in_disk(command: &mut Command, disk: &Disk, work: &Path) {
    let layers = match disk {
        Disk::State(path) => vec![format!("driver=raw,node-name=disk,file.driver=file,file.filename={}", path.display())],
        // Snapshots of the whole PC are kept in it. That the machine below may lose its power is not of interest.
        Disk::System(path) => {
            vec![format!("driver=qcow2,node-name=disk,cache.no-flush=on,file.driver=file,file.filename={}", path.display())]
        }
        Disk::Forgetful { disk, log } => vec![
            format!("driver=qcow2,node-name=under,cache.no-flush=on,file.driver=file,file.filename={}", disk.display()),
            format!("driver=file,node-name=log,cache.no-flush=on,filename={}", log.display()),
            "driver=blklogwrites,node-name=disk,file=under,log=log".to_owned(),
        ],
    };
    for layer in layers {
        command.args(["-blockdev", &layer]);
    }
    command.args(["-device", "virtio-blk-pci,drive=disk,serial=TILL0001"]);
    if disk.has_system() {
        command.args(["-chardev", &format!("file,id=told,path={}", work.join("told").display())]);
        command.args(["-device", "virtserialport,chardev=told,name=told"]);
    }
}

fn connect(child: &mut Child, monitor: &Path, agent: &Path, deadline: Instant) -> Done<(Qmp, BufReader<UnixStream>)> {
    let stream = loop {
        if let Ok(stream) = UnixStream::connect(agent) {
            break stream;
        }
        if let Ok(Some(status)) = child.try_wait() {
            return Err(format!("{QEMU} ended with {status}"));
        }
        if Instant::now() > deadline {
            return Err("it opens no port".to_owned());
        }
        sleep(Duration::from_millis(10));
    };
    let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
    stream.set_read_timeout(Some(left)).map_err(|e| e.to_string())?;
    let mut agent = BufReader::new(stream);
    let mut word = String::new();
    agent.read_line(&mut word).map_err(|e| format!("no word from inside: {e}"))?;
    if word.trim() != "ready" {
        return Err(format!("an unexpected word from inside: {word}"));
    }
    agent.get_ref().set_read_timeout(Some(COMMAND * slack())).map_err(|e| e.to_string())?;
    Ok((Qmp::connect(monitor)?, agent))
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Vec<u8> {
    text.as_bytes().chunks(2).filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}
