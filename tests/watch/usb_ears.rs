//! The ears for devices and mounts, in namespaces of their own. A test runs itself again in there.

use crate::ground::Ground;
use isonet::sys::mounts::MountEar;
use isonet::sys::uevent::{Uevent, Uevents};
use rustix::net::netlink::{KOBJECT_UEVENT, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Set for the part that runs within the terminal.
const WITHIN: &str = "ISONET_TEST_WITHIN";
/// Long enough for what is to come, and for what must not.
const SOON: Duration = Duration::from_secs(5);
const QUIET: Duration = Duration::from_millis(300);

/// Runs the named test again within the terminal, told to do `what`; `None` = this is that run.
fn elsewhere(test: &str, what: &str) -> Option<()> {
    if std::env::var_os(WITHIN).is_some() {
        return None;
    }
    if let Some(ground) = Ground::new() {
        within(&ground, test, what);
    }
    Some(())
}

fn within(ground: &Ground, test: &str, what: &str) {
    let me = std::env::current_exe().unwrap();
    let out = ground.command(&me.display().to_string()).args(["--exact", test, "--nocapture"]).env(WITHIN, what).output().unwrap();
    assert!(out.status.success(), "{test}: {}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
}

/// Has the kernel of the terminal's network namespace, and of no other, tell of a device at USB so often.
pub fn tell(ground: &Ground, times: u32) {
    within(ground, "usb_ears::the_kernel_tells", &times.to_string());
}

#[test]
fn the_kernel_tells() {
    let Some(times) = std::env::var(WITHIN).ok().and_then(|times| times.parse::<u32>().ok()) else { return };
    let socket = netlink(0);
    for number in 0..times {
        let event = event(number);
        // A header of its own and a request: then the kernel takes it on and tells it as its own, in this namespace only.
        let mut message = u32::try_from(16 + event.len()).unwrap().to_ne_bytes().to_vec();
        message.extend([0x10, 0, 1, 0]);
        message.extend([0; 8]);
        message.extend(event);
        rustix::net::sendto(&socket, &message, SendFlags::empty(), &SocketAddrNetlink::new(0, 0)).unwrap();
    }
}

fn event(number: u32) -> Vec<u8> {
    let path = format!("/devices/pci0000:00/0000:00:04.0/usb1/1-{number}");
    format!("add@{path}\0ACTION=add\0DEVPATH={path}\0SUBSYSTEM=usb\0DEVTYPE=usb_device\0").into_bytes()
}

fn netlink(groups: u32) -> OwnedFd {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, Some(KOBJECT_UEVENT)).unwrap();
    rustix::net::bind(&socket, &SocketAddrNetlink::new(0, groups)).unwrap();
    socket
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// What is heard, if anything, within a time.
async fn heard(ear: &mut Uevents, within: Duration) -> Option<Vec<String>> {
    let paths = std::cell::RefCell::new(Vec::new());
    let note = |event: &Uevent| {
        paths.borrow_mut().push(event.path.clone());
        true
    };
    tokio::time::timeout(within, ear.heard(note)).await.ok()?.unwrap();
    Some(paths.into_inner())
}

#[test]
fn a_program_that_plays_the_kernel_is_not_heard() {
    if elsewhere("usb_ears::a_program_that_plays_the_kernel_is_not_heard", "1x").is_some() {
        return;
    }
    runtime().block_on(async {
        let mut ear = Uevents::open().unwrap();
        let witness = netlink(1);
        let forger = netlink(0);
        rustix::net::sendto(&forger, &event(7), SendFlags::empty(), &SocketAddrNetlink::new(0, 1)).unwrap();
        // It did reach who listens.
        let mut buffer = [0_u8; 4096];
        let (length, _, from) = rustix::net::recvfrom(&witness, &mut buffer[..], RecvFlags::empty()).unwrap();
        assert_eq!(&buffer[..length], event(7));
        assert_ne!(SocketAddrNetlink::try_from(from.unwrap()).unwrap().pid(), 0);
        assert_eq!(heard(&mut ear, QUIET).await, None);
        std::fs::write("/sys/class/net/lo/uevent", "change").unwrap();
        assert_eq!(heard(&mut ear, SOON).await.unwrap(), ["/devices/virtual/net/lo"]);
    });
}

/// Set for a forger: to which port it sends.
const FORGES: &str = "ISONET_TEST_FORGES";

/// Sends a forged event to a port; exit status 0 = the system let it through. Run by the test below as somebody without rights.
#[test]
fn a_forger() {
    let Some(port) = std::env::var(FORGES).ok().and_then(|port| port.parse::<u32>().ok()) else { return };
    let sent = rustix::net::sendto(netlink(0), &event(8), SendFlags::empty(), &SocketAddrNetlink::new(port, 0));
    assert_eq!(sent.map(drop), Ok(()));
}

#[test]
fn an_event_that_is_forged_for_one_ear_alone_is_not_heard() {
    if elsewhere("usb_ears::an_event_that_is_forged_for_one_ear_alone_is_not_heard", "1x").is_some() {
        return;
    }
    let port = std::process::id();
    let send = |port| rustix::net::sendto(netlink(0), &event(7), SendFlags::empty(), &SocketAddrNetlink::new(port, 0)).map(drop);
    let exe = std::env::current_exe().unwrap();
    let forges = |rights: &str| {
        let mut words = rights.split(' ');
        let mut command = Command::new(words.next().unwrap());
        command.args(words).arg(&exe).args(["--exact", "usb_ears::a_forger", "--nocapture"]);
        let out = command.env(FORGES, port.to_string()).env_remove(WITHIN).output().unwrap();
        (out.status.success(), String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned())
    };
    runtime().block_on(async {
        // The first of a process has its number for a port, and a forger who sends from this process another one.
        let mut ear = Uevents::open().unwrap();
        assert_eq!(send(port), Ok(()), "it comes to the ear");
        assert_eq!(heard(&mut ear, QUIET).await, None, "and is not the kernel's");
        // With no right at all, and with all rights in a user namespace of his own, the kernel lets nothing through.
        for (rights, why) in [
            ("setpriv --bounding-set=-all --inh-caps=-all", "PermissionDenied"),
            ("unshare --user --map-root-user", "PermissionDenied"),
            ("unshare --user --map-root-user --net", "ConnectionRefused"),
        ] {
            let (outcome, said) = forges(rights);
            println!("{rights}: {}", said.lines().find(|line| line.contains("left:")).unwrap_or("").trim());
            let is_refused = said.contains(why);
            assert!(!outcome && is_refused, "{rights}: {said}");
            assert_eq!(heard(&mut ear, QUIET).await, None, "{rights}");
        }
        std::fs::write("/sys/class/net/lo/uevent", "change").unwrap();
        assert_eq!(heard(&mut ear, SOON).await.unwrap(), ["/devices/virtual/net/lo"]);
    });
}

#[test]
fn ten_thousand_events_at_once_are_one_reason_to_look() {
    if elsewhere("usb_ears::ten_thousand_events_at_once_are_one_reason_to_look", "1x").is_some() {
        return;
    }
    runtime().block_on(async {
        let mut ear = Uevents::open().unwrap();
        for _ in 0..10_000 {
            std::fs::write("/sys/class/net/lo/uevent", "change").unwrap();
        }
        let wanted = |event: &Uevent| event.concerns_usb();
        // More than the socket holds: that some were lost is the reason, for none of them is of interest.
        tokio::time::timeout(SOON, ear.heard(wanted)).await.expect("it says that it lost some").unwrap();
        let again = tokio::time::timeout(QUIET, ear.heard(wanted)).await;
        assert!(again.is_err(), "and then rests");
        std::fs::write("/sys/class/net/lo/uevent", "change").unwrap();
        assert_eq!(heard(&mut ear, SOON).await.unwrap().len(), 1, "and hears again");
    });
}

#[test]
fn mounts_and_unmounts_are_heard() {
    if elsewhere("usb_ears::mounts_and_unmounts_are_heard", "1x").is_some() {
        return;
    }
    runtime().block_on(async {
        let run = |line: &str| assert!(Command::new("sh").args(["-c", line]).status().unwrap().success(), "{line}");
        let mut ear = MountEar::open(Path::new("/proc/self/mountinfo")).unwrap();
        let quiet = async |ear: &mut MountEar| tokio::time::timeout(QUIET, ear.heard()).await.is_err();
        // What was there when it opened may or may not be told.
        let _ = tokio::time::timeout(QUIET, ear.heard()).await;
        for line in ["mount -t tmpfs none /mnt", "mount --bind /mnt /srv", "umount /srv", "umount /mnt"] {
            assert!(quiet(&mut ear).await, "before {line}");
            run(line);
            tokio::time::timeout(SOON, ear.heard()).await.unwrap_or_else(|_| panic!("nothing heard of {line}")).unwrap();
        }
    });
}
