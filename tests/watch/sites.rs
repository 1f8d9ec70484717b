//! Two ordinary terminals to which nothing happens but their daily life, before and after enrolment: nobody is accused of anything.
//!
//! The desktop has NetworkManager with an address by DHCP whose lease is renewed, a container engine's bridge, masquerading and containers that
//! come and go, a printer service and name discovery that listen, and a VPN's tunnel. Each is watched for a while by the daemon
//! (`ISONET_SITE_SECONDS`, an hour in a long run), and for a day of simulated time by the watchers themselves.

use crate::ground::{GATEWAY, Ground, LIVES, PATIENCE, wait_for};
use isonet::baseline::Enrolment;
use isonet::config;
use isonet::sys::clock;
use isonet::watch::{Watchers, all};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::LocalSet;
use tokio::time::Instant;

/// How long each site is watched in real time, by default.
const SECONDS: u64 = 15;
const DAY: Duration = Duration::from_hours(24);
/// What the inner half of the simulated day is told.
const INNER: &str = "ISONET_WATCH_DAY";

/// Whether the site has been enrolled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    NotEnrolled,
    Enrolled,
}

/// Ended when dropped.
struct Running(Child);

impl Running {
    fn start(mut command: Command) -> Self {
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What lives on a desktop.
struct Desktop<'a> {
    ground: &'a Ground,
    container: Option<Running>,
    _services: Vec<Running>,
}

impl<'a> Desktop<'a> {
    fn new(ground: &'a Ground) -> Option<Self> {
        for program in ["NetworkManager", "dbus-daemon", "dnsmasq", "socat", "nft"] {
            if Command::new(program).arg("--version").output().is_err() {
                println!("SKIPPED: `{program}` is not installed");
                return None;
            }
        }
        ground.here("ip address flush dev t0; ip route flush dev t0");
        let mut services = vec![Self::leases(ground)];
        services.extend(Self::manager(ground));
        ground.here(
            "ip link add docker0 type bridge; ip address add 172.17.0.1/16 dev docker0; ip link set docker0 up; sysctl -qw net.ipv4.ip_forward=1
             nft 'add table ip nat; add chain ip nat POSTROUTING { type nat hook postrouting priority 100; };
                  add rule ip nat POSTROUTING oifname != \"docker0\" ip saddr 172.17.0.0/16 masquerade'
             ip tuntap add dev tun0 mode tun; ip address add 10.20.0.2/24 dev tun0; ip link set tun0 up; ip route add 10.20.0.0/16 dev tun0",
        );
        for listener in ["TCP-LISTEN:631,fork,reuseaddr", "UDP-LISTEN:5353,fork,reuseaddr"] {
            let mut socat = ground.command("socat");
            socat.args([listener, "SYSTEM:cat"]);
            services.push(Running::start(socat));
        }
        let mut desktop = Self { ground, container: None, _services: services };
        desktop.restart_container();
        wait_for("an address by DHCP", PATIENCE, || ground.here("ip -4 address show dev t0").contains("10.81.1.").then_some(()));
        wait_for("a default route", PATIENCE, || ground.here("ip route show default").contains(GATEWAY).then_some(()));
        wait_for("the name server", PATIENCE, || ground.here("cat /etc/resolv.conf").contains(GATEWAY).then_some(()));
        Some(desktop)
    }

    /// The shortest lease that dnsmasq gives.
    fn leases(ground: &Ground) -> Running {
        let mut dnsmasq = ground.beyond_command("dnsmasq");
        dnsmasq.args(["--keep-in-foreground", "--conf-file=/dev/null", "--interface=b0", "--bind-interfaces", "--no-resolv", "--no-hosts"]);
        dnsmasq.arg("--dhcp-range=10.81.1.100,10.81.1.100,2m").arg(format!("--dhcp-leasefile={}", ground.path("leases").display()));
        dnsmasq.arg(format!("--pid-file={}", ground.path("dnsmasq.pid").display()));
        Running::start(dnsmasq)
    }

    /// NetworkManager on a bus of its own. Without udev's word it manages a device only where the kernel's own files cannot be written.
    fn manager(ground: &Ground) -> [Running; 2] {
        let home = ground.path("manager");
        for dir in ["run", "lib", "etc/conf.d", "etc/system-connections"] {
            fs::create_dir_all(home.join(dir)).unwrap();
        }
        let settings = "[main]\nplugins=keyfile\ndns=default\nrc-manager=file\nauth-polkit=false\nno-auto-default=*\ndhcp=internal\n\
             [connectivity]\nenabled=false\n[keyfile]\nunmanaged-devices=type:tun,type:bridge,type:veth,except:interface-name:t0\n";
        fs::write(home.join("etc/NetworkManager.conf"), settings).unwrap();
        let connection = home.join("etc/system-connections/shop.nmconnection");
        let shop = "[connection]\nid=shop\nuuid=3b1f9a9e-7a5b-4f2c-9d38-6c1f0a2b4c5e\ntype=ethernet\ninterface-name=t0\n[ethernet]\n\
             [ipv4]\nmethod=auto\n[ipv6]\nmethod=ignore\n";
        fs::write(&connection, shop).unwrap();
        fs::set_permissions(&connection, fs::Permissions::from_mode(0o600)).unwrap();
        let bus = format!("unix:path={}", ground.path("bus").display());
        let policy = format!(
            "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\" \
             \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n<busconfig><type>system</type><listen>{bus}</listen>\
             <auth>EXTERNAL</auth><policy context=\"default\"><allow send_destination=\"*\" eavesdrop=\"true\"/><allow eavesdrop=\"true\"/>\
             <allow own=\"*\"/></policy></busconfig>\n"
        );
        fs::write(ground.path("bus.conf"), policy).unwrap();
        let mut daemon = ground.command("dbus-daemon");
        daemon.args(["--config-file", &ground.path("bus.conf").display().to_string(), "--nofork", "--nopidfile"]);
        let daemon = Running::start(daemon);
        wait_for("the bus", PATIENCE, || ground.path("bus").exists().then_some(()));
        let mut manager = ground.command("sh");
        let begin = "mount -o remount,bind,ro /sys; mkdir -p /run/NetworkManager; mount --bind \"$1/run\" /run/NetworkManager; \
             mount --bind \"$1/lib\" /var/lib/NetworkManager; mount --bind \"$1/etc\" /etc/NetworkManager; \
             exec NetworkManager --no-daemon --pid-file=\"$1/pid\"";
        manager.args(["-c", begin, "sh", &home.display().to_string()]).env("DBUS_SYSTEM_BUS_ADDRESS", &bus);
        [daemon, Running::start(manager)]
    }

    /// A container ends, and another begins: its namespace, its end of a cable to the bridge, its route.
    fn restart_container(&mut self) {
        self.container = None;
        let ground = self.ground;
        wait_for("the old cable to be gone", PATIENCE, || (!ground.here("ip -o link").contains("veth0c")).then_some(()));
        let mut command = ground.command("unshare");
        command.args(["--net", "sleep", LIVES]);
        let container = Running::start(command);
        // nsenter becomes unshare, which becomes sleep.
        let pid = container.0.id();
        let net = |pid: u32| fs::read_link(format!("/proc/{pid}/ns/net")).ok();
        wait_for("a namespace of its own", PATIENCE, || {
            let its = net(pid)?;
            (Some(&its) != net(ground.pid()).as_ref() && Some(&its) != net(std::process::id()).as_ref()).then_some(())
        });
        ground.here(&format!(
            "ip link add veth0c type veth peer name eth0 netns {pid}; ip link set veth0c master docker0 up
             nsenter -t {pid} -n sh -c 'ip address add 172.17.0.2/16 dev eth0; ip link set eth0 up; ip route add default via 172.17.0.1'"
        ));
        self.container = Some(container);
    }

    fn live(&mut self) {
        self.restart_container();
        // As whoever rewrites it with what it says already.
        self.ground.here("cp /etc/resolv.conf /etc/resolv.new && mv /etc/resolv.new /etc/resolv.conf");
    }
}

/// Watches for a while; nothing may be told.
fn quiet(ground: &Ground, when: When, mut live: impl FnMut()) {
    let seconds = std::env::var("ISONET_SITE_SECONDS").map_or(SECONDS, |text| text.parse().unwrap());
    if when == When::Enrolled {
        ground.enroll();
    }
    let daemon = ground.watch();
    let began = clock::now();
    while began.elapsed().as_secs() < seconds {
        std::thread::sleep(Duration::from_secs(5).min(Duration::from_secs(seconds)));
        live();
    }
    assert_eq!(daemon.brief(), Vec::<String>::new(), "{when:?}; {}", daemon.errors());
    daemon.stop();
    println!("{when:?}: nothing told in {seconds} s");
    if when == When::Enrolled {
        simulated_day(ground);
    }
}

/// The same site for a day of the watchers' time: this program once more, inside.
fn simulated_day(ground: &Ground) {
    let mut inner = ground.command(&std::env::current_exe().unwrap().display().to_string());
    inner.args(["--exact", "sites::a_day_of_the_watchers_alone", "--ignored", "--nocapture"]);
    let out = inner.env(INNER, ground.path("isonet.toml")).output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success() && text.contains("looks in a day"), "{text}{}", String::from_utf8_lossy(&out.stderr));
    text.lines().filter(|line| line.contains("looks in a day")).for_each(|line| println!("{line}"));
}

const VPN: &str = "[[vpn]]\nname = \"centre\"\nkind = \"tun\"\ninterface = \"tun0\"\ninside = \"10.20.0.1\"";

#[test]
fn a_bare_terminal_lives_an_ordinary_day_before_enrolment() {
    bare_terminal(When::NotEnrolled);
}

#[test]
fn a_bare_terminal_lives_an_ordinary_day_after_enrolment() {
    bare_terminal(When::Enrolled);
}

fn bare_terminal(when: When) {
    let Some(ground) = Ground::new() else { return };
    ground.configure("");
    quiet(&ground, when, || {});
}

#[test]
fn a_desktop_with_containers_and_leases_lives_an_ordinary_day_before_enrolment() {
    desktop(When::NotEnrolled);
}

#[test]
fn a_desktop_with_containers_and_leases_lives_an_ordinary_day_after_enrolment() {
    desktop(When::Enrolled);
}

fn desktop(when: When) {
    let Some(ground) = Ground::new() else { return };
    let Some(mut desktop) = Desktop::new(&ground) else { return };
    ground.configure(VPN);
    quiet(&ground, when, || desktop.live());
}

#[tokio::test(start_paused = true)]
#[ignore = "runs only inside a namespace that another test has made"]
async fn a_day_of_the_watchers_alone() {
    let Ok(file) = std::env::var(INNER) else { return };
    let loaded = config::load(Some(Path::new(&file))).unwrap();
    let state = loaded.config.state_dir.clone();
    let enrolment = Arc::new(Enrolment::of(state.as_deref()));
    assert!(enrolment.baseline().is_some(), "enrolled");
    let tasks = LocalSet::new();
    let lived = tasks.run_until(async {
        let watches = all();
        let least = watches.len() * 1400;
        let mut at_work = Watchers::begin(watches, clock::stamp, &Arc::new(loaded.config), &enrolment);
        let (began, mut looks) = (Instant::now(), 0);
        while let Ok(told) = tokio::time::timeout_at(began + DAY, at_work.next()).await {
            looks += 1;
            assert!(told.found.as_ref().is_none_or(Vec::is_empty), "after {:?}: {told:?}", began.elapsed());
        }
        assert!(looks >= least, "{looks} looks, of at least {least}");
        println!("{looks} looks in a day");
    });
    lived.await;
}
