//! Configurations that are not there, not readable, or not right.

use crate::ground::{Ground, make_fifo, mode};

#[test]
fn a_file_that_is_not_there_is_66_in_every_command() {
    let ground = Ground::new();
    for command in ["diagnose", "check-config", "enroll"] {
        let ran = ground.bare(&format!("--config /nonexistent/isonet.toml {command}"));
        ran.assert_status(66);
        assert!(ran.out.is_empty() && ran.err.contains("/nonexistent/isonet.toml does not exist"), "{ran:?}");
    }
    let ran = ground.bare("check-config --lang zh /nonexistent/isonet.toml");
    ran.assert_status(66);
    assert!(ran.err.contains("不存在"), "{ran:?}");
}

#[test]
fn a_file_that_may_not_be_read_is_77() {
    let ground = Ground::new();
    std::fs::set_permissions(ground.path("isonet.toml"), mode(0)).unwrap();
    // Root may read everything, so somebody else asks.
    let Some(ran) = ground.run_as_nobody("diagnose") else { return };
    ran.assert_status(77);
    assert!(ran.out.is_empty() && ran.err.contains("cannot read"), "{ran:?}");
}

#[test]
fn three_mistakes_are_told_at_once_with_their_lines() {
    let ground = Ground::new();
    ground.configure("colour = 1\n[web]\nlisten = \"here\"\n[[centre]]\nname = \"a\"\n");
    for command in ["diagnose", "check-config", "enroll"] {
        let ran = ground.run(command);
        ran.assert_status(78);
        for place in ["isonet.toml:2:", "isonet.toml:4:", "isonet.toml:5:"] {
            assert!(ran.err.contains(place), "{place}: {ran:?}");
        }
        assert!(ran.out.is_empty() && ran.err.contains("3 problems"), "{ran:?}");
    }
}

#[test]
fn a_file_in_another_encoding_is_78_with_its_line() {
    let ground = Ground::new();
    let file = ground.write("gbk.toml", b"[terminal]\nname = \"\xd2\xa9\xb5\xea\"\n");
    let ran = ground.bare(&format!("--config {} diagnose", file.display()));
    ran.assert_status(78);
    assert!(ran.err.contains("gbk.toml:2:") && ran.err.contains("UTF-8"), "{ran:?}");
}

#[test]
fn what_is_no_file_is_refused_and_not_waited_for() {
    let ground = Ground::new();
    let fifo = ground.path("fifo.toml");
    make_fifo(&fifo);
    for path in [fifo, ground.path("state"), "/dev/zero".into()] {
        let ran = ground.bare(&format!("--config {} diagnose", path.display()));
        ran.assert_status(74);
        assert!(ran.out.is_empty() && ran.err.contains("is not a plain file"), "{ran:?}");
        let ran = ground.bare(&format!("--lang zh check-config {}", path.display()));
        ran.assert_status(74);
        assert!(ran.err.contains("不是普通文件"), "{ran:?}");
    }
}

#[test]
fn a_pipe_in_conf_d_is_left_out_and_told() {
    let ground = Ground::new();
    ground.write("conf.d/10.toml", "[terminal]\nname = \"x\"\n");
    make_fifo(&ground.path("conf.d/20.toml"));
    let ran = ground.run("check-config");
    ran.assert_status(0);
    assert!(ran.out.contains("conf.d/10.toml") && ran.out.contains("20.toml was not read"), "{ran:?}");
}

#[test]
fn a_centre_cannot_take_the_name_of_the_local_chain() {
    let ground = Ground::new();
    ground.configure("[[centre]]\nname = \"local\"\nhost = \"centre.test\"\n");
    let ran = ground.run("check-config");
    ran.assert_status(78);
    assert!(ran.err.contains("isonet.toml:3:8: centre[local].name") && ran.err.contains("choose another name"), "{ran:?}");
}

#[test]
fn the_shipped_configuration_is_right() {
    let ground = Ground::new();
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/config/isonet.toml");
    let ran = ground.bare(&format!("check-config {shipped}"));
    ran.assert_status(0);
    assert!(ran.out.contains("No problems.") && ran.err.is_empty(), "{ran:?}");
}

/// A key with its certificate, PEM.
fn pair() -> (String, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["centre.test".to_owned()]).unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

/// A configuration that names files, with the directory for `DIR`.
fn naming(ground: &Ground, text: &str) {
    ground.configure(&text.replace("DIR", &ground.path("").display().to_string()));
}

const TLS: &str = "[[centre]]\nname = \"a\"\nhost = \"centre.test\"\n[centre.tls]\n";

#[test]
fn a_file_that_a_probe_needs_and_is_not_there_is_told_with_key_line_and_remedy() {
    let ground = Ground::new();
    naming(
        &ground,
        &format!(
            "{TLS}ca = \"DIR/ca.pem\"\nclient-cert = \"DIR/c.pem\"\nclient-key = \"DIR/k.pem\"\n[isolation]\nroots = \"DIR/roots.pem\"\n"
        ),
    );
    let ran = ground.run("check-config");
    ran.assert_status(78);
    let told = [
        "isonet.toml:6:6: centre[a].tls.ca: ",
        "ca.pem does not exist",
        "isonet.toml:7:15: centre[a].tls.client-cert: ",
        "isonet.toml:8:14: centre[a].tls.client-key: ",
        "isonet.toml:10:9: isolation.roots: ",
        "= put the issuer's certificate there",
        "4 problems with the files that it names",
    ];
    assert!(ran.out.is_empty() && told.iter().all(|words| ran.err.contains(words)), "{}", ran.err);
    let ran = ground.run("check-config --lang zh");
    assert!(ran.err.contains("不存在") && ran.err.contains("有 4 处问题"), "{}", ran.err);
}

#[test]
fn a_start_is_not_kept_back_by_a_file_that_is_missing_but_by_what_cannot_be_read() {
    let ground = Ground::new();
    naming(&ground, &format!("{TLS}ca = \"DIR/ca.pem\"\n"));
    let ran = ground.run("check-config --start");
    ran.assert_status(0);
    let told = ["warning: ", "centre[a].tls.ca: ", "ca.pem does not exist", "it can start; 1 problem with"];
    assert!(ran.out.is_empty() && told.iter().all(|words| ran.err.contains(words)), "{ran:?}");
    let ran = ground.run("check-config --start --lang zh");
    ran.assert_status(0);
    assert!(ran.err.contains("警告：") && ran.err.contains("可以启动") && ran.err.contains("1 处问题"), "{ran:?}");
    ground.run("check-config").assert_status(78);

    ground.write("ca.pem", pair().0);
    let ran = ground.run("check-config --start");
    ran.assert_status(0);
    assert!(ran.err.is_empty() && ran.out.contains("No problems."), "{ran:?}");

    naming(&ground, &format!("{TLS}ca = \"DIR/ca.pem\"\nhots = 1\n"));
    ground.run("check-config --start").assert_status(78);
    ground.bare("check-config --start /nonexistent/isonet.toml").assert_status(66);
}

#[test]
fn a_file_that_is_there_and_of_no_use_is_told() {
    let ground = Ground::new();
    let ((cert, key), (_, other)) = (pair(), pair());
    let der = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    naming(&ground, &format!("{TLS}ca = \"DIR/ca.pem\"\nclient-cert = \"DIR/c.pem\"\nclient-key = \"DIR/k.pem\"\n"));
    let check = |ca: &[u8], key: &str| {
        ground.write("ca.pem", ca);
        ground.write("c.pem", &cert);
        ground.write("k.pem", key);
        ground.run("check-config")
    };
    check(cert.as_bytes(), &key).assert_status(0);
    for (ca, key, words) in [
        (&b"\x30\x82\x01"[..], &key, "no certificate in PEM form"),
        (key.as_bytes(), &key, "no certificate in PEM form"),
        (der.as_bytes(), &key, "certificate 1 in "),
        (cert.as_bytes(), &cert, "no private key in PEM form"),
        (cert.as_bytes(), &other, "does not belong to the client-cert"),
    ] {
        let ran = check(ca, key);
        ran.assert_status(78);
        assert!(ran.err.contains(words) && ran.err.contains("1 problem with"), "{words}: {}", ran.err);
    }
    std::fs::remove_file(ground.path("ca.pem")).unwrap();
    make_fifo(&ground.path("ca.pem"));
    let ran = ground.run("check-config");
    assert!(ran.err.contains("is not a plain file"), "{ran:?}");
}

#[test]
fn a_file_that_another_program_makes_is_only_noted() {
    let ground = Ground::new();
    naming(
        &ground,
        "[[vpn]]\nname = \"v\"\ninterface = \"tun0\"\nlog = \"DIR/v.log\"\nmanagement = \"DIR/v.sock\"\n[upload]\nmarker = \"DIR/last\"\n",
    );
    let ran = ground.run("check-config");
    ran.assert_status(0);
    for key in ["note: ", "vpn[v].log: ", "vpn[v].management: ", "upload.marker: ", "this is normal if its program has not run yet"] {
        assert!(ran.out.contains(key), "{key}: {}", ran.out);
    }
    let _socket = std::os::unix::net::UnixListener::bind(ground.path("v.sock")).unwrap();
    ground.write("v.log", "x");
    ground.write("last", "");
    let ran = ground.run("check-config");
    assert!(!ran.out.contains("note: "), "{}", ran.out);
    ground.write("v.log", vec![b'x'; 5 << 20]);
    assert!(!ground.run("check-config").out.contains("note: "), "a log may be long");
}

#[test]
fn a_look_with_a_ca_that_is_missing_goes_on_and_says_what_it_could_not_judge() {
    let Some(ground) = Ground::black_hole() else { return };
    naming(&ground, "[[centre]]\nname = \"a\"\nhost = \"127.0.0.1\"\ntls = { port = 9, ca = \"DIR/ca.pem\" }\n");
    let ran = ground.run("diagnose --json");
    ran.assert_no_panic();
    assert!(matches!(ran.status, Some(20 | 40)), "{ran:?}");
    drop(ran.diagnosis());
}
