//! Configurations that are not there, not readable, or not right.

use crate::ground::{Ground, is_root, isonet, make_fifo, mode};

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
    // Root may read everything, so somebody else asks; the binary is copied to where he may go.
    let ran = if is_root() {
        std::fs::copy(isonet(), ground.path("isonet")).unwrap();
        std::fs::set_permissions(ground.path("isonet"), mode(0o755)).unwrap();
        let nobody = "setpriv --reuid 65534 --regid 65534 --clear-groups";
        ground.shell(&format!("{nobody} {} --config {} diagnose", ground.path("isonet").display(), ground.path("isonet.toml").display()))
    } else {
        ground.run("diagnose")
    };
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
