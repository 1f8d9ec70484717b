//! Web servers.

use super::peer::{PATIENCE, answers, in_time, peak_memory, read_request, reset, says, tcp, wait, wall};
use isonet::model::{FailureKind, HttpFacts, Outcome};
use isonet::probe::{http, tcp};
use std::io::Write;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;
use url::Url;

fn get(at: SocketAddr) -> Outcome<HttpFacts> {
    let url = Url::parse(&format!("http://{at}/health")).unwrap();
    in_time(PATIENCE, async {
        let (_, stream) = tcp::connect(at, PATIENCE).await;
        http::get(stream.unwrap(), &url, Some("maintenance"), wall(), PATIENCE).await
    })
}

fn failure(at: SocketAddr) -> FailureKind {
    let seen = get(at);
    seen.failure().unwrap_or_else(|| panic!("{seen:?}")).kind.clone()
}

#[test]
fn a_proper_server_is_believed() {
    let seen = get(answers("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nDate: Sun, 22 Nov 2026 05:00:00 GMT\r\n\r\nok"));
    let facts = seen.ok().unwrap();
    assert_eq!((facts.status, facts.maintenance, facts.location.as_deref()), (200, false, None));
    assert!(facts.date_offset_s.unwrap().abs() <= 5);
    assert!(facts.first_byte <= facts.total);
}

#[test]
fn maintenance_is_an_answer() {
    let seen = get(answers("HTTP/1.1 503 No\r\n\r\n<p>planned maintenance until 6</p>"));
    assert!(seen.ok().is_some_and(|facts| facts.status == 503 && facts.maintenance));
}

#[test]
fn what_is_not_http_is_garbage() {
    assert_eq!(failure(says(b"SSH-2.0-OpenSSH_9.2\r\n")), FailureKind::Garbage("not-http".to_owned()));
    assert_eq!(failure(answers([0_u8, 1, 2, 3, 0xff, 0xfe, b'\n', b'\n'])), FailureKind::Garbage("not-http".to_owned()));
    assert_eq!(failure(answers("HTTP/1.1 999999 OK\r\n\r\n")), FailureKind::Garbage("not-http".to_owned()));
}

#[test]
fn an_end_and_a_reset_are_told_apart() {
    assert_eq!(failure(answers("")), FailureKind::Closed { received: 0, reset: false });
    assert_eq!(failure(answers("HTTP/1.1 200")), FailureKind::Closed { received: 12, reset: false });
    let resetting = tcp(|mut stream| {
        read_request(&mut stream);
        reset(stream);
    });
    assert_eq!(failure(resetting), FailureKind::Closed { received: 0, reset: true });
}

#[test]
fn a_server_that_says_nothing_is_silent() {
    assert_eq!(failure(tcp(wait)), FailureKind::Silence);
}

#[test]
fn a_head_that_drips_is_given_up() {
    let dripping = tcp(|mut stream| {
        read_request(&mut stream);
        for byte in b"HTTP/1.1 200 OK\r\nX-Slow: ".iter().chain(std::iter::repeat(&b'x')) {
            if stream.write_all(&[*byte]).is_err() {
                break;
            }
            thread::park_timeout(Duration::from_millis(40));
        }
    });
    assert_eq!(failure(dripping), FailureKind::Silence);
}

#[test]
fn a_body_that_drips_is_an_answer_that_took_the_whole_time() {
    let dripping = tcp(|mut stream| {
        read_request(&mut stream);
        drop(stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n"));
        while stream.write_all(b".").is_ok() {
            thread::park_timeout(Duration::from_millis(40));
        }
    });
    let seen = get(dripping);
    assert!(seen.ok().is_some_and(|facts| facts.status == 200 && facts.total >= PATIENCE), "{seen:?}");
}

#[test]
fn a_gigabyte_costs_no_memory() {
    let huge = tcp(|mut stream| {
        read_request(&mut stream);
        drop(stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n"));
        let block = vec![b'x'; 64 * 1024];
        while stream.write_all(&block).is_ok() {}
    });
    let before = peak_memory();
    for _ in 0..20 {
        assert_eq!(get(huge).ok().map(|facts| facts.status), Some(200));
    }
    let grown = peak_memory() - before;
    assert!(grown < 16 * 1024, "{grown} kB");
}

#[test]
fn a_head_without_end_is_too_large() {
    let before = peak_memory();
    let endless = |line: &'static str| {
        tcp(move |mut stream| {
            read_request(&mut stream);
            drop(stream.write_all(b"HTTP/1.1 200 OK\r\n"));
            while stream.write_all(line.as_bytes()).is_ok() {}
        })
    };
    assert_eq!(failure(endless("X-Header: 1\r\n")), FailureKind::TooLarge);
    assert_eq!(failure(endless("X-Header-without-an-end")), FailureKind::TooLarge);
    let grown = peak_memory() - before;
    assert!(grown < 16 * 1024, "{grown} kB");
}

#[test]
fn a_server_that_talks_without_being_asked_is_no_web_server() {
    for _ in 0..20 {
        let kind = failure(says(b"220 mail.centre.example ESMTP\r\n"));
        assert_eq!(kind, FailureKind::Garbage("not-http".to_owned()));
    }
}

#[test]
fn a_compressed_bomb_is_only_bytes() {
    let seen = get(answers([&b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n"[..], &[0x1f, 0x8b, 8, 0, 0]].concat()));
    assert_eq!(seen.ok().map(|facts| facts.status), Some(200));
}

#[test]
fn nothing_is_asked_for_compressed_and_a_bomb_stays_closed() {
    // Six bytes of deflate that say "and so on" without end: each would become hundreds if it were decoded.
    let bomb = |encoding: &'static str| {
        tcp(move |mut stream| {
            let asked = read_request(&mut stream).to_lowercase();
            let status = if asked.contains("accept-encoding") || asked.contains("\r\nte:") { 406 } else { 200 };
            drop(write!(stream, "HTTP/1.1 {status} X\r\nContent-Encoding: {encoding}\r\n\r\n"));
            drop(stream.write_all(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]));
            let block = [0xec, 0xc1, 0x01, 0x0d, 0x00, 0x00].repeat(4096);
            while stream.write_all(&block).is_ok() {}
        })
    };
    let before = peak_memory();
    for encoding in ["gzip", "deflate", "br", "zstd", "gzip, gzip, gzip"] {
        assert_eq!(get(bomb(encoding)).ok().map(|facts| facts.status), Some(200), "{encoding}");
    }
    let grown = peak_memory() - before;
    assert!(grown < 16 * 1024, "{grown} kB");
}

#[test]
fn preliminary_answers_without_end_are_given_up() {
    let before = peak_memory();
    for line in ["HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"] {
        let flood = tcp(move |mut stream| {
            read_request(&mut stream);
            let block = line.repeat(1000);
            while stream.write_all(block.as_bytes()).is_ok() {}
        });
        assert_eq!(failure(flood), FailureKind::TooLarge, "{line}");
    }
    let grown = peak_memory() - before;
    assert!(grown < 16 * 1024, "{grown} kB");
}

#[test]
fn lengths_that_cannot_be_are_garbage_and_those_that_can_are_not_waited_for() {
    let with = |length: &str| get(answers(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n") + &"x".repeat(100_000)));
    assert_eq!(with("9223372036854775807").ok().map(|facts| facts.status), Some(200));
    for length in ["184467440737095516159", "-1", "1, 2"] {
        let seen = with(length);
        assert!(matches!(seen.failure().map(|failure| &failure.kind), Some(FailureKind::Garbage(_))), "{length}: {seen:?}");
    }
}

#[test]
fn chunks_of_one_byte_without_end_cost_no_more_than_the_body_may() {
    let flood = tcp(|mut stream| {
        read_request(&mut stream);
        drop(stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"));
        let block = b"1;x=yyyyyyyyyyyy\r\nz\r\n".repeat(1000);
        while stream.write_all(&block).is_ok() {}
    });
    let before = peak_memory();
    let seen = get(flood);
    assert!(seen.ok().is_some() || seen.failure().is_some(), "{seen:?}");
    let grown = peak_memory() - before;
    assert!(grown < 16 * 1024, "{grown} kB");
}

#[test]
fn an_endless_chunk_size_is_no_trap() {
    let seen = get(answers("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffffffffff\r\n"));
    assert!(seen.failure().is_some(), "{seen:?}");
}
