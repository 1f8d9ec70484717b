//! Where the agent under test lives: a process of a PC that is nothing but busybox, or a service that was installed.

use std::time::Duration;

use crate::Done;
use crate::image::Disk;
use crate::pc::Pc;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Started by hand, as root.
    Memory,
    /// By systemd, in its sandbox.
    Installed,
}

/// How it went, milliseconds since the PC's boot.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Install {
    /// When the installation began and ended.
    pub(crate) took: (i64, i64),
    /// When the service manager began to start it, and when it said that it was ready.
    pub(crate) start: (i64, i64),
}

/// What is under test, and what came before it.
pub(crate) const PACKAGE: &str = "/run/deliver/isonet.deb";
pub(crate) const BEFORE: &str = "/run/deliver/before.deb";
/// Leaves its status and when it ended.
const UNPACK: &str = "rm -f /run/unpacked; (/bin/dash -c 'PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive \
     dpkg --force-confold -i PACKAGE' >/run/unpack.log 2>&1; echo \"$? $(cut -d' ' -f1 /proc/uptime)\" >/run/unpacked.new; \
     mv /run/unpacked.new /run/unpacked) </dev/null >/dev/null 2>&1 &";
/// From power to the first word.
const BOOT: Duration = Duration::from_secs(90);
const LONG_BOOT: Duration = Duration::from_mins(4);
/// What a service manager does, it has done within so long on a loaded machine.
const SOON: Duration = Duration::from_secs(90);
/// Of the small PC, and what is different in it.
const CONFIG: &str = include_str!("guest/isonet.toml");
const ELSEWHERE: [&str; 2] = ["state-dir", "run-dir"];
/// A service whose kernel settings are protected gets a fresh /proc, which says by what the PC is emulated. It takes nothing from the sandbox.
const A_PC: &str = "mkdir -p /etc/systemd/system/isonet.service.d && printf '[Service]\nBindReadOnlyPaths=/run/cpuinfo:/proc/cpuinfo\n' \
     >/etc/systemd/system/isonet.service.d/pc.conf && systemctl daemon-reload";

impl Place {
    pub(crate) fn of(disk: &Disk) -> Place {
        if disk.has_system() { Place::Installed } else { Place::Memory }
    }

    /// The longest that it takes from power to the first word where the processor is emulated.
    pub(crate) fn boot(self) -> Duration {
        if self == Place::Installed { LONG_BOOT } else { BOOT }
    }

    /// Starts the agent unless it is at work, and notes its process.
    pub(crate) fn start(self) -> &'static str {
        match self {
            Place::Memory => "ISONET_LOG=isonet=info isonet run >>/state/daemon.log 2>&1 & echo $! >/run/daemon.pid",
            // Cases start it more often than a service that fails may be.
            Place::Installed => {
                "systemctl reset-failed isonet 2>/dev/null; systemctl start isonet && systemctl show -p MainPID --value isonet >/run/daemon.pid"
            }
        }
    }

    pub(crate) fn stop(self) -> &'static str {
        match self {
            Place::Memory => "kill $(cat /run/daemon.pid)",
            Place::Installed => "systemctl stop isonet",
        }
    }

    /// It has no time for anything, and is not started again.
    pub(crate) fn kill(self) -> &'static str {
        match self {
            Place::Memory => "kill -9 $(cat /run/daemon.pid)",
            Place::Installed => "kill -9 $(cat /run/daemon.pid); systemctl stop isonet",
        }
    }
}

/// A command with the system's own programs: the shell that listens prefers those of busybox wherever they are.
pub(crate) fn natively(script: &str) -> String {
    let script = format!("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export PATH; {script}");
    format!("/bin/dash -c '{}'", script.replace('\'', "'\\''"))
}

/// Lets dpkg take this package; a configuration that was changed stays. The moments before and after, milliseconds since boot.
pub(crate) fn unpack(pc: &mut Pc, package: &str) -> Done<(i64, i64)> {
    let before = i64::try_from(pc.must("true")?.at_ms).unwrap_or(i64::MAX);
    // It may take longer than a command may.
    pc.must(&UNPACK.replace("PACKAGE", package))?;
    let ended = pc.until("test -s /run/unpacked && cat /run/unpacked", LONG_BOOT)?.out;
    let after = ended.strip_prefix("0 ").and_then(|up| up.replace('.', "").parse::<i64>().ok());
    let Some(after) = after else {
        return Err(format!("dpkg: {ended}: {}", pc.run("cat /run/unpack.log")?.out));
    };
    pc.until("systemctl is-active isonet", SOON)?;
    Ok((before, after * 10))
}

/// Installs this package on a system that has come up, and then gives it the configuration of the cases.
pub(crate) fn install(pc: &mut Pc, package: &str) -> Done<Install> {
    pc.until("systemctl is-system-running | grep -qE 'running|degraded'", SOON)?;
    let took = unpack(pc, package)?;
    let shown = pc.must("systemctl show --value -p InactiveExitTimestampMonotonic -p ActiveEnterTimestampMonotonic isonet")?.out;
    let stamps: Vec<i64> = shown.lines().filter_map(|line| line.parse().ok()).map(|micros: i64| micros / 1000).collect();
    let [one, other] = stamps[..] else { return Err(format!("no times in {shown}")) };
    let config: String =
        CONFIG.lines().filter(|line| !ELSEWHERE.iter().any(|key| line.starts_with(key))).map(|line| line.to_owned() + "\n").collect();
    pc.must(&format!("mkdir -p /etc/isonet && cat >/etc/isonet/isonet.toml <<'END'\n{config}END"))?;
    pc.must("systemctl stop isonet")?;
    pc.must(A_PC)?;
    // The log begins with the cases.
    pc.must("cd /var/lib/isonet && rm -rf spool anchor cursors checkpoint epoch")?;
    Ok(Install { took, start: (one.min(other), one.max(other)) })
}
