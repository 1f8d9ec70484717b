//! The whole chain of a centre.

use super::peer::{answers, in_time, read_request, tcp, wait, wall};
use super::tls::{Authority, NAME};
use isonet::config::Centre;
use isonet::model::{FailureKind, Outcome, Sighting, TlsFault, Unseen};
use isonet::probe::centre::{BUDGET, Errand, centre};
use std::cell::RefCell;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nDate: Sun, 22 Nov 2026 05:00:00 GMT\r\n\r\nok";
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn configured(text: &str) -> Centre {
    toml::from_str(&format!("name = 'settlement'\n{text}")).unwrap()
}

fn look(at: &Centre, budget: Duration) -> Vec<Sighting> {
    let seen = RefCell::new(Vec::new());
    let errand = Errand { from_hosts: Some(&[LOOPBACK]), may_ask: &|_| true, wall: wall(), budget };
    in_time(budget, centre(at, errand, &|sighting| seen.borrow_mut().push(sighting)));
    seen.into_inner()
}

fn find<'a, T>(seen: &'a [Sighting], pick: impl Fn(&'a Sighting) -> Option<&'a Outcome<T>>) -> Vec<&'a Outcome<T>> {
    seen.iter().filter_map(pick).collect()
}

macro_rules! outcomes {
    ($seen:expr, $kind:ident) => {
        find(&$seen, |sighting| match sighting {
            Sighting::$kind(_, outcome) => Some(outcome),
            _ => None,
        })
    };
}

fn pages(seen: &[Sighting]) -> Vec<&Outcome<isonet::model::HttpFacts>> {
    find(seen, |sighting| match sighting {
        Sighting::Http(_, _, outcome) => Some(outcome),
        _ => None,
    })
}

fn over_tls(ca: &Authority, at: SocketAddr, server_name: &str) -> (tempfile::NamedTempFile, Centre) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(ca.pem().as_bytes()).unwrap();
    let port = at.port();
    let text = format!(
        "host = '{server_name}'\ntls = {{ port = {port}, ca = '{}' }}\nhttp = {{ url = 'https://{server_name}:{port}/health' }}",
        file.path().display()
    );
    let centre = configured(&text);
    (file, centre)
}

#[test]
fn a_healthy_centre_is_seen_from_its_name_to_its_page() {
    let ca = Authority::new();
    let (_file, centre) = over_tls(&ca, ca.server().start(OK), NAME);
    let seen = look(&centre, BUDGET);
    assert!(outcomes!(seen, Lookup)[0].ok().is_some());
    assert!(outcomes!(seen, Tcp)[0].ok().is_some());
    assert!(outcomes!(seen, Tls)[0].ok().is_some_and(|facts| facts.verified), "{seen:?}");
    assert!(pages(&seen)[0].ok().is_some_and(|facts| facts.status == 200), "{seen:?}");
    assert!(outcomes!(seen, Upload)[0].ok().is_some(), "{seen:?}");
    assert_eq!(seen.iter().filter(|sighting| matches!(sighting, Sighting::Tcp(..))).count(), 1);
}

#[test]
fn a_refused_certificate_shows_the_date_and_skips_the_page() {
    let ca = Authority::new();
    let (_file, centre) = over_tls(&ca, Authority::new().server().start(OK), NAME);
    let seen = look(&centre, BUDGET);
    match &outcomes!(seen, Tls)[0].failure().unwrap().kind {
        FailureKind::Tls(TlsFault::UnknownIssuer, Some(facts)) => assert!(facts.date_offset_s.unwrap().abs() <= 5),
        other => panic!("{other:?}"),
    }
    assert_eq!(*pages(&seen)[0], Outcome::Unknown(Unseen::Skipped));
}

#[test]
fn a_request_refused_for_want_of_a_certificate_is_about_the_certificate() {
    let ca = Authority::new();
    let fault = |answer| {
        let (_file, centre) = over_tls(&ca, ca.server().asking(&ca, answer), NAME);
        outcomes!(look(&centre, BUDGET), Tls)[0].failure().map(|failure| failure.kind.clone())
    };
    let refused = fault("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    assert!(matches!(refused, Some(FailureKind::Tls(TlsFault::ClientCertificate, Some(_)))), "{refused:?}");
    assert_eq!(fault(OK), None);
}

#[test]
fn plain_http_needs_no_tls() {
    let at = answers(OK);
    let seen = look(&configured(&format!("host = '127.0.0.1'\nhttp = {{ url = 'http://{at}/' }}")), BUDGET);
    assert!(outcomes!(seen, Tls).is_empty());
    assert!(pages(&seen)[0].ok().is_some());
}

#[test]
fn a_closed_port_skips_what_is_above_it() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let seen = look(&configured(&format!("host = '127.0.0.1'\nhttp = {{ url = 'https://{closed}/' }}")), BUDGET);
    assert_eq!(outcomes!(seen, Tcp)[0].failure().unwrap().kind, FailureKind::Refused);
    assert_eq!(*outcomes!(seen, Tls)[0], Outcome::Unknown(Unseen::Skipped));
    assert_eq!(*pages(&seen)[0], Outcome::Unknown(Unseen::Skipped));
    assert!(outcomes!(seen, Upload).is_empty());
}

#[test]
fn an_accepting_middlebox_is_no_service_but_a_waiting_server_is() {
    let (middlebox, waiting) = (tcp(drop), tcp(wait));
    let seen = look(&configured(&format!("host = '127.0.0.1'\ntcp = [{}, {}]", middlebox.port(), waiting.port())), BUDGET);
    let of = |at: SocketAddr| {
        seen.iter().find_map(|sighting| match sighting {
            Sighting::Tcp(seen, outcome) if *seen == at => Some(outcome),
            _ => None,
        })
    };
    assert_eq!(of(middlebox).unwrap().failure().unwrap().kind, FailureKind::Closed { received: 0, reset: false });
    assert!(of(waiting).unwrap().ok().is_some());
}

#[test]
fn nothing_configured_asks_only_the_name() {
    let seen = look(&configured("host = '127.0.0.1'"), BUDGET);
    assert!(matches!(seen.as_slice(), [Sighting::Lookup(..)]), "{seen:?}");
}

#[test]
fn large_requests_that_vanish_are_seen_with_their_control() {
    let black_hole = tcp(|mut stream| {
        let request = read_request(&mut stream);
        if request.len() < 1500 {
            drop(stream.write_all(OK.as_bytes()));
        } else {
            wait(stream);
        }
    });
    let seen = look(&configured(&format!("host = '127.0.0.1'\nhttp = {{ url = 'http://{black_hole}/' }}")), BUDGET);
    assert!(pages(&seen)[0].ok().is_some());
    assert_eq!(outcomes!(seen, Upload)[0].failure().unwrap().kind, FailureKind::Silence);
    assert_eq!(outcomes!(seen, UploadSmall)[0].failure().unwrap().kind, FailureKind::Silence);
}

#[test]
fn a_silent_centre_takes_one_budget_not_a_sum() {
    let silent = tcp(wait);
    let text = format!("host = '127.0.0.1'\ntcp = [{0}]\nhttp = {{ url = 'https://{silent}/' }}", silent.port());
    let seen = look(&configured(&text), Duration::from_secs(1));
    assert_eq!(outcomes!(seen, Tls)[0].failure().unwrap().kind, FailureKind::Silence);
    assert_eq!(*pages(&seen)[0], Outcome::Unknown(Unseen::Skipped));
}

#[test]
fn a_ca_that_is_of_no_use_leaves_the_certificate_unknown_and_all_else_seen() {
    let ca = Authority::new();
    let at = ca.server().start(OK);
    let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for bytes in [&[0xff; 1000][..], b"", garbage.as_bytes()] {
        let (file, centre) = over_tls(&ca, at, NAME);
        std::fs::write(file.path(), bytes).unwrap();
        let seen = look(&centre, BUDGET);
        let named = |why: &str| why.contains(&file.path().display().to_string());
        assert!(matches!(outcomes!(seen, Tls)[0], Outcome::Unknown(Unseen::Error(why)) if named(why)), "{seen:?}");
        assert!(pages(&seen)[0].ok().is_some_and(|facts| facts.status == 200), "{seen:?}");
        assert!(outcomes!(seen, Upload)[0].ok().is_some(), "{seen:?}");
    }
}

#[test]
fn a_pipe_in_the_place_of_the_ca_is_not_waited_for() {
    let ca = Authority::new();
    let (file, centre) = over_tls(&ca, ca.server().start(OK), NAME);
    std::fs::remove_file(file.path()).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, file.path(), rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
    let seen = look(&centre, BUDGET);
    assert!(matches!(outcomes!(seen, Tls)[0], Outcome::Unknown(Unseen::Error(why)) if why.contains("regular file")), "{seen:?}");
}

#[test]
fn without_our_own_certificate_a_refusal_says_nothing_about_the_server() {
    let ca = Authority::new();
    let (_file, mut centre) = over_tls(&ca, ca.server().asking(&ca, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"), NAME);
    let tls = centre.tls.as_mut().unwrap();
    (tls.client_cert, tls.client_key) = (Some("/nonexistent/c.pem".into()), Some("/nonexistent/k.pem".into()));
    let seen = look(&centre, BUDGET);
    assert!(matches!(outcomes!(seen, Tls)[0], Outcome::Unknown(Unseen::Error(why)) if why.contains("/nonexistent/c.pem")), "{seen:?}");
    assert!(matches!(pages(&seen)[0], Outcome::Unknown(Unseen::Error(_))), "{seen:?}");
}

#[test]
fn a_name_that_leads_where_we_may_not_go_is_not_followed() {
    let listener = std::net::TcpListener::bind((LOOPBACK, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let centre_of = |text: &str| configured(&format!("host = '{NAME}'\n{text}"));
    let strange = centre_of(&format!("tcp = [{port}]\ntls = {{ port = {port} }}\nhttp = {{ url = 'https://{NAME}:{port}/' }}"));
    let seen = RefCell::new(Vec::new());
    let errand = Errand { from_hosts: Some(&[LOOPBACK]), may_ask: &|ip| ip != LOOPBACK, wall: wall(), budget: BUDGET };
    in_time(BUDGET, centre(&strange, errand, &|sighting| seen.borrow_mut().push(sighting)));
    let seen = seen.into_inner();
    assert_eq!(outcomes!(seen, Tcp), [&Outcome::Unknown(Unseen::PublicAddress)]);
    assert_eq!(outcomes!(seen, Tls), [&Outcome::Unknown(Unseen::PublicAddress)]);
    assert_eq!(pages(&seen), [&Outcome::Unknown(Unseen::PublicAddress)]);
    listener.set_nonblocking(true).unwrap();
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "somebody called");
}
