//! The support bundle with secrets planted everywhere: none of them is in it, whatever else is.

use crate::ground::{Ground, PATIENCE, has, wait_for};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

/// Stands in every secret that is planted.
const SECRET: &str = "hunter2";
/// 32 bytes in base64, as WireGuard writes its keys, and what is searched for of it.
const KEY: &str = "aHVudGVyMmh1bnRlcjJodW50ZXIyaHVudGVyMjIyMjI=";
const OF_KEY: &str = "aHVudGVyMmh1";

/// Right, with secrets where a person may put them.
const CONFIG: &str = "# the VPN's password is hunter2-comment
[terminal]
name = \"Example Pharmacy\"
[[vpn]]
name = \"centre\"
kind = \"openvpn\"
interface = \"tun0\"
log = \"/var/lib/vpn.log\"
[[centre]]
name = \"settlement\"
host = \"10.81.1.1\"
tcp = [8443]
http = { url = \"http://shop:hunter2-user@10.81.1.1:8443/health?token=hunter2-query\" }
[[sink]]
name = \"fleet\"
kind = \"nats\"
servers = [\"tls://agent:hunter2-nats@10.81.1.9:4222\"]
ca = \"/etc/isonet/nats-ca.pem\"
";

/// Plants secrets in all that lies beside what the bundle reads.
fn plant(ground: &Ground) {
    let files = [
        ("openvpn/client.conf", "remote vpn 1194\n<key>\n-----BEGIN PRIVATE KEY-----\nhunter2-key\n-----END PRIVATE KEY-----\n</key>\n".to_owned()),
        ("openvpn/auth.txt", "shop\nhunter2-vpn\n".to_owned()),
        ("wireguard/wg0.conf", format!("[Interface]\nPrivateKey = {KEY}\n[Peer]\nPresharedKey = {KEY}\n")),
        ("ppp/chap-secrets", "shop * hunter2-ppp *\n".to_owned()),
        ("isonet/terminal.key", "-----BEGIN PRIVATE KEY-----\nhunter2-terminal\n-----END PRIVATE KEY-----\n".to_owned()),
        ("isonet/nats.creds", "-----BEGIN NATS USER JWT-----\nhunter2-creds\n------END NATS USER JWT------\n".to_owned()),
        ("environment", "http_proxy=http://shop:hunter2-env@10.0.0.1:3128\n".to_owned()),
        ("hosts", "127.0.0.1 localhost # hunter2-hosts\n10.9.9.9 hunter2-name\n".to_owned()),
        ("resolv.conf", "# hunter2-resolv\nnameserver 10.81.1.1\n".to_owned()),
        ("systemd/system/isonet.service", "[Service]\nExecStart=/usr/bin/isonet run\nEnvironment=TOKEN=hunter2-unit\n".to_owned()),
        (
            "systemd/system/isonet.service.d/10-local.conf",
            "[Service]\nEnvironment=\"A=hunter2-dropin\" \\\n  B=hunter2-more\nSetCredential=key:hunter2-credential\nExecStartPost=/bin/true --password hunter2-option\n".to_owned(),
        ),
    ];
    for (name, text) in files {
        let path = ground.path("etc").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    ground.configure(CONFIG);
}

/// `isonet support-bundle` into this file of the test, with secrets in its environment.
fn bundle(ground: &Ground, out: &str, words: &[&str]) -> Output {
    let mut command = ground.isonet(&["support-bundle"]);
    command
        .arg("--out")
        .arg(ground.path(out))
        .args(words)
        .env("ISONET_TOKEN", "hunter2-environment")
        .env("PGPASSWORD", "hunter2-environment")
        .env("HTTP_PROXY", "http://u:hunter2@x");
    command.stdin(Stdio::null()).output().unwrap()
}

/// Every file by its name below the bundle's directory.
fn unpacked(archive: &Path) -> BTreeMap<String, String> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(fs::File::open(archive).unwrap()));
    let mut files = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().into_owned();
        let mut text = String::new();
        std::io::Read::read_to_string(&mut entry, &mut text).unwrap();
        files.insert(path.components().skip(1).collect::<PathBuf>().display().to_string(), text);
    }
    files
}

fn assert_no_secret(files: &BTreeMap<String, String>) {
    let bad = |text: &&str| text.contains(SECRET) || text.contains(OF_KEY);
    let found: Vec<(&String, Vec<&str>)> = files.iter().map(|(name, text)| (name, text.lines().filter(bad).collect())).collect();
    let found: Vec<_> = found.into_iter().filter(|(_, lines)| !lines.is_empty()).collect();
    assert!(found.is_empty(), "{found:#?}");
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_bundle_holds_what_is_needed_and_no_secret() {
    if !has("ip") {
        return;
    }
    let Some(ground) = Ground::new() else { return };
    plant(&ground);
    ground.here(&format!(
        "mkdir -p {0} && mount --bind {0} /var/lib && echo 'AUTH_FAILED hunter2-log' > /var/lib/vpn.log",
        ground.path("lib").display()
    ));
    let daemon = ground.watch();
    // An outage is recorded: the centre's port refuses.
    wait_for("a record of an incident", PATIENCE, || daemon.records().iter().any(|record| record.get("incident").is_some()).then_some(()));
    let began = isonet::sys::clock::now();
    let out = bundle(&ground, "b.tar.gz", &["--lang", "en"]);
    let took = began.elapsed();
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    assert!(took < Duration::from_mins(1), "{took:?}");
    let path = ground.path("b.tar.gz");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    assert!(fs::metadata(&path).unwrap().len() < 4 << 20);
    let files = unpacked(&path);
    assert_no_secret(&files);
    assert!(!text(&out.stdout).contains(SECRET) && !text(&out.stderr).contains(SECRET));
    for name in [
        "README.txt",
        "manifest.json",
        "policy.json",
        "status.json",
        "diagnosis.json",
        "records.jsonl",
        "verify-log.txt",
        "environment.json",
    ] {
        assert!(files.contains_key(name), "{name}: {:?}", files.keys());
    }
    for (name, kept) in [
        ("config/00-isonet.toml", "Example Pharmacy"),
        ("config/00-isonet.toml", "@10.81.1.1:8443/health"),
        ("policy.json", "settlement"),
        ("records.jsonl", "incident/1"),
        ("verify-log.txt", "The log is whole"),
        ("environment.json", "10.81.1.2"),
        ("unit/etc-systemd-system-isonet.service", "Environment=TOKEN=(masked)"),
        ("unit/etc-systemd-system-isonet.service.d-10-local.conf", "Environment=A=(masked)"),
        ("README.txt", "before you send it"),
    ] {
        assert!(files.get(name).is_some_and(|text| text.contains(kept)), "{name} lacks {kept}: {:?}", files.get(name));
    }
    let manifest: Value = serde_json::from_str(&files["manifest.json"]).unwrap();
    let listed = manifest["files"].as_array().unwrap();
    assert_eq!(listed.len() + 1, files.len());
    for file in listed {
        assert_eq!(file["bytes"].as_u64().unwrap(), files[file["name"].as_str().unwrap()].len() as u64);
    }
    daemon.stop();
    println!("with the service: {} files, {} bytes, {:.1} s", files.len(), fs::metadata(&path).unwrap().len(), took.as_secs_f64());
}

#[test]
fn a_dead_service_and_a_configuration_that_is_not_right_still_give_a_bundle() {
    if !has("ip") {
        return;
    }
    let Some(ground) = Ground::new() else { return };
    plant(&ground);
    ground.configure("password = \"hunter2-unknown\"\n[terminal]\nname = \"shop\"\nsecret-word = \"hunter2-deep\"\n");
    fs::create_dir_all(ground.path("conf.d")).unwrap();
    fs::write(ground.path("conf.d/50.toml"), "[terminal]\nhunter2 this is no toml\n").unwrap();
    let out = bundle(&ground, "b.tar.gz", &["--lang", "zh", "--no-diagnose"]);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    let files = unpacked(&ground.path("b.tar.gz"));
    assert_no_secret(&files);
    assert!(files["README.txt"].contains("发送之前"));
    assert!(files["config/00-isonet.toml"].contains("shop") && files["config/00-isonet.toml"].contains("secret-word"), "the key is named");
    let missing = &files["manifest.json"];
    for name in ["status.json", "policy.json", "baseline.json", "diagnosis.json"] {
        assert!(!files.contains_key(name) && missing.contains(name), "{name}");
    }
    assert!(text(&out.stdout).contains("值守程序没有在运行"), "{}", text(&out.stdout));
}

#[test]
fn somebody_without_rights_is_told_what_the_bundle_lacks() {
    if !has("ip") || !has("setpriv") {
        return;
    }
    let Some(ground) = Ground::new() else { return };
    plant(&ground);
    ground.enroll();
    let (binary, to) = (ground.path("isonet"), ground.path("anybody"));
    assert!(std::process::Command::new("cp").args([Path::new(env!("CARGO_BIN_EXE_isonet")), &binary]).status().unwrap().success());
    fs::create_dir(&to).unwrap();
    for (path, mode) in [(ground.path(""), 0o755), (to.clone(), 0o777), (ground.path("state"), 0o750), (ground.path("isonet.toml"), 0o640)]
    {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    let mut command = ground.command("setpriv");
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(&binary);
    command.args(["--lang", "en", "support-bundle", "--no-diagnose", "--config"]).arg(ground.path("isonet.toml"));
    let out = command.arg("--out").arg(to.join("b.tar.gz")).env("XDG_STATE_HOME", ground.path("")).output().unwrap();
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    let files = unpacked(&to.join("b.tar.gz"));
    assert_no_secret(&files);
    assert!(text(&out.stdout).contains("config/00-isonet.toml: not permitted to read it: run this as root"), "{}", text(&out.stdout));
    assert!(files["environment.json"].contains("\"user\": 65534"));
}

#[test]
fn a_full_disk_and_a_file_that_is_there_are_told_and_leave_nothing() {
    if !has("ip") {
        return;
    }
    let Some(ground) = Ground::new() else { return };
    plant(&ground);
    let full = ground.path("full");
    fs::create_dir(&full).unwrap();
    ground.here(&format!("mount -t tmpfs -o size=4k none {0} && head -c 4096 /dev/zero > {0}/x", full.display()));
    let out = bundle(&ground, "full/b.tar.gz", &["--lang", "en", "--no-diagnose"]);
    assert_eq!(out.status.code(), Some(74), "{}", text(&out.stdout));
    assert!(text(&out.stderr).contains("the disk is full"), "{}", text(&out.stderr));
    assert_eq!(ground.here(&format!("ls {}", full.display())).trim(), "x");
    fs::write(ground.path("mine"), "mine").unwrap();
    std::os::unix::fs::symlink("mine", ground.path("link")).unwrap();
    for name in ["mine", "link"] {
        let out = bundle(&ground, name, &["--lang", "en", "--no-diagnose"]);
        assert_eq!(out.status.code(), Some(74));
        assert!(text(&out.stderr).contains("is there already"), "{}", text(&out.stderr));
    }
    assert_eq!(fs::read_to_string(ground.path("mine")).unwrap(), "mine");
    let out = bundle(&ground, "none/b.tar.gz", &["--lang", "en", "--no-diagnose"]);
    assert_eq!(out.status.code(), Some(74));
}
