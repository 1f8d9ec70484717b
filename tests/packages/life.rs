//! Install, upgrade, remove and purge in a file tree of Debian, as `dpkg` and `rpm` do it. No service manager runs there, as in an image
//! that is being made: nothing may fail for that, and nothing be started.

use crate::ground::{Copied, NEXT, Packages, can_chroot, has, next, packages, run, tree};
use std::process::Command;

const WANTED: &str = "/etc/systemd/system/multi-user.target.wants/isonet.service";
const NOTICES: &str = "/etc/systemd/user/graphical-session.target.wants/isonet-notify.service";

/// Runs the service as its unit does until another record is on the disk.
const RECORD: &str = "install -d -o isonet -g isonet -m 750 /var/lib/isonet /run/isonet
export STATE_DIRECTORY=/var/lib/isonet RUNTIME_DIRECTORY=/run/isonet
records() { cat /var/lib/isonet/spool/*.jsonl 2>/dev/null | wc -l; }
before=$(records) tries=0
setpriv --reuid isonet --regid isonet --init-groups isonet run & service=$!
until [ $(records) -gt $before ] || [ $((tries += 1)) = 300 ]; do sleep 0.1; done
kill $service
wait $service";

/// Which logs there are: a new epoch would be another.
const EPOCHS: &str = "ls /var/lib/isonet/spool | sed -n 's/-[0-9]*\\.jsonl$//p' | sort -u";

/// Everything that belongs to this PC and not to the package.
const KEPT: &str = "find /var/lib/isonet /etc/isonet -type f -exec sha256sum {} + | sort";

struct Ground {
    now: &'static Packages,
    next: &'static Packages,
    tree: Copied,
}

fn ground() -> Option<Ground> {
    let now = packages()?;
    let tree = if can_chroot() { tree("now")? } else { return None };
    let ground = Ground { now, next: next()?, tree: Copied::new(&tree) };
    for (package, name) in [(ground.now, "now"), (ground.next, "next")] {
        run(Command::new("cp").arg(&package.deb).arg(ground.tree.path().join(format!("tmp/{name}.deb"))));
    }
    Some(ground)
}

/// What must be so wherever it is installed.
fn assert_installed(tree: &Copied) {
    assert!(tree.has(WANTED), "it is enabled");
    assert!(tree.has(NOTICES), "and so are the notices, for whoever logs in");
    assert!(tree.done("getent passwd isonet").starts_with("isonet:x:"));
    assert!(tree.done("getent group isonet-admin").starts_with("isonet-admin:x:"));
    tree.done("su -s /bin/sh isonet -c 'isonet check-config --start'");
    // 18abf8…: link.no-carrier.
    let texts = tree.done("journalctl --list-catalog 18abf8578f344e7899421325e32da5b0");
    assert!(texts.contains("isonet:"), "{texts}");
}

#[test]
fn a_deb_is_installed_upgraded_removed_and_purged_without_a_running_systemd() {
    let Some(Ground { tree, .. }) = ground() else { return };
    tree.done("dpkg -i /tmp/now.deb");
    assert_installed(&tree);
    tree.done("printf '[terminal]\\nname = \"Shop\"\\n' >>/etc/isonet/isonet.toml");
    tree.done(RECORD);
    let before = tree.done(KEPT);
    assert!(before.contains("/var/lib/isonet/spool/"), "{before}");

    tree.done("dpkg -i /tmp/next.deb");
    assert_eq!(tree.done("dpkg-query -W -f '${Version} ${Status}' isonet"), format!("{NEXT}-1 install ok installed"));
    assert_installed(&tree);
    assert_eq!(tree.done(KEPT), before, "an upgrade keeps records, cursors, baseline and configuration");
    tree.done(RECORD);
    tree.done("isonet verify-log");
    let epochs = tree.done(EPOCHS);

    let before = tree.done(KEPT);
    tree.done("dpkg -r isonet");
    assert!(!tree.has("/usr/bin/isonet") && !tree.has("/lib/systemd/system/isonet.service"));
    assert_eq!(tree.done(KEPT), before, "removing keeps what is this PC's");
    assert!(!tree.done("journalctl --list-catalog").contains("isonet"), "the journal forgets its texts");

    tree.done("dpkg -i /tmp/now.deb");
    assert_installed(&tree);
    assert_eq!(tree.done(KEPT), before, "installing again finds what was kept");
    tree.done(RECORD);
    tree.done("isonet verify-log");
    assert_eq!(tree.done(EPOCHS), epochs, "the same epoch goes on");

    tree.done("dpkg -P isonet");
    for gone in [
        "/var/lib/isonet",
        "/etc/isonet",
        WANTED,
        NOTICES,
        "/usr/share/isonet",
        "/var/lib/systemd/deb-systemd-helper-enabled/isonet.service.dsh-also",
    ] {
        assert!(!tree.has(gone), "{gone}");
    }
    assert!(tree.done("getent passwd isonet").starts_with("isonet:x:"), "the user stays");
}

#[test]
fn what_the_administrator_switched_off_stays_off_over_an_upgrade_of_the_deb() {
    let Some(Ground { tree, .. }) = ground() else { return };
    tree.done("dpkg -i /tmp/now.deb");
    tree.done("systemctl disable isonet.service");
    assert!(!tree.has(WANTED));
    tree.done("dpkg -i /tmp/next.deb");
    assert!(!tree.has(WANTED));
}

#[test]
fn a_deb_asks_the_policy_of_the_system_before_it_starts_anything() {
    let Some(Ground { tree, .. }) = ground() else { return };
    // What looks like a running systemd, and a policy that forbids: who started the service all the same would be told here.
    tree.done("mkdir -p /run/systemd/system /usr/local/sbin");
    for (path, script) in [
        ("/usr/sbin/policy-rc.d", "#!/bin/sh\necho \"$@\" >>/tmp/asked\nexit 101\n"),
        ("/usr/local/sbin/systemctl", "#!/bin/sh\necho \"$@\" >>/tmp/called\nexit 0\n"),
    ] {
        tree.done(&format!("printf '%s' '{script}' >{path}; chmod 755 {path}"));
    }
    tree.done("dpkg -i /tmp/now.deb && dpkg -i /tmp/next.deb");
    let asked = tree.read("/tmp/asked");
    assert!(asked.contains("isonet.service start") && asked.contains("isonet.service restart"), "{asked}");
    let called = tree.read("/tmp/called");
    assert!(called.contains("daemon-reload") && !called.contains(" start") && !called.contains("restart"), "{called}");
}

#[test]
fn an_rpm_is_installed_upgraded_and_removed_without_a_running_systemd() {
    let Some(Ground { now, next, tree }) = ground().filter(|_| has("rpm")) else { return };
    // The tree has no database of what rpm would ask for.
    let rpm = |arguments: &[&str], package: &std::path::Path| {
        run(Command::new("rpm").arg("--root").arg(tree.path()).args(["--dbpath", "/var/lib/rpm", "--nodeps"]).args(arguments).arg(package));
    };
    rpm(&["-i"], &now.rpm);
    assert_installed(&tree);
    tree.done("printf '[terminal]\\nname = \"Shop\"\\n' >>/etc/isonet/isonet.toml");
    tree.done(RECORD);
    let before = tree.done(KEPT);

    rpm(&["-U"], &next.rpm);
    assert_installed(&tree);
    assert_eq!(tree.done(KEPT), before, "an upgrade keeps records, cursors, baseline and configuration");
    tree.done("isonet verify-log");
    tree.done("systemctl disable isonet.service");
    rpm(&["-U", "--oldpackage"], &now.rpm);
    assert!(!tree.has(WANTED), "what was switched off stays off");
    tree.done("systemctl enable isonet.service");

    rpm(&["-e"], "isonet".as_ref());
    assert!(!tree.has("/usr/bin/isonet") && !tree.has(WANTED) && !tree.has(NOTICES) && !tree.has("/usr/share/isonet"));
    let after = tree.done(&format!("{KEPT} | sed 's/\\.rpmsave$//'"));
    assert_eq!(after, before, "removing keeps what is this PC's");
}
