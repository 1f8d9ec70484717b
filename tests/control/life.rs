//! The sockets from the start of a daemon to its end.

use crate::client::request;
use crate::ground::Ground;
use rustix::process::Signal;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixListener;

#[test]
fn sockets_have_their_modes_and_go_with_the_daemon() {
    let Some(mut ground) = Ground::new() else { return };
    for (socket, mode) in [(ground.control(), 0o660), (ground.public(), 0o666)] {
        let there = fs::metadata(&socket).unwrap();
        assert!(there.file_type().is_socket());
        assert_eq!(there.mode() & 0o7777, mode, "{}", socket.display());
    }
    assert_eq!(fs::metadata(ground.run_dir()).unwrap().mode() & 0o7777, 0o755);
    assert_eq!(ground.end(Signal::TERM), Some(0));
    assert_eq!(fs::read_dir(ground.run_dir()).unwrap().count(), 0, "files are left behind");
}

#[test]
fn a_second_daemon_is_refused_and_the_first_goes_on() {
    let Some(ground) = Ground::new() else { return };
    let ran = ground.isonet(&[], "run");
    assert_eq!(ran.status, Some(74), "{ran:?}");
    assert!(ran.err.contains("已经有一个值守程序在运行") && ran.err.contains("another isonet is running"), "{ran:?}");
    assert_eq!(ground.status()["agent"]["pid"], ground.pid());
}

#[test]
fn sockets_left_by_a_daemon_that_was_killed_are_replaced() {
    let Some(mut ground) = Ground::new() else { return };
    ground.end(Signal::KILL);
    assert!(ground.control().exists(), "it had no time to clean up");
    ground.start();
    assert_eq!(ground.status()["agent"]["pid"], ground.pid());
}

#[test]
fn what_is_no_dead_socket_is_left_alone_and_the_daemon_still_watches() {
    let Some(mut ground) = Ground::without_daemon() else { return };
    fs::create_dir(ground.run_dir()).unwrap();
    // Somebody's file in place of one, somebody's forgotten socket in place of the other.
    fs::write(ground.public(), "mine").unwrap();
    drop(UnixListener::bind(ground.control()).unwrap());
    ground.start_deaf();
    assert_eq!(fs::read_to_string(ground.public()).unwrap(), "mine");
    assert!(request(&ground.control(), "GET", "/v1/status", b"").is_none());
    assert_eq!(ground.end(Signal::TERM), Some(0));
    assert!(ground.log().contains("nobody can ask how things stand"), "{}", ground.log());
}
