//! The status page at its port: who is let in, what each may see, and that neither another site nor ten thousand connections do any harm.

use crate::client::{Answer, parse};
use crate::ground::{Ground, isonet, now, wait_for};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;

const PORT: u16 = 8787;
const OWN: &str = "127.0.0.1:8787";

/// Does something inside the daemon's network.
fn inside<T: Send>(ground: &Ground, act: impl FnOnce() -> T + Send) -> T {
    let space = File::open(format!("/proc/{}/ns/net", ground.pid())).unwrap();
    thread::scope(|scope| {
        let entered = scope.spawn(|| {
            move_into_link_name_space(space.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            act()
        });
        entered.join().unwrap()
    })
}

fn exchange(request: &str) -> Option<Answer> {
    let mut stream = TcpStream::connect(("127.0.0.1", PORT)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let _ = stream.write_all(request.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    parse(&answer)
}

/// Asks with these headers besides.
fn ask(method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let length = body.len().to_string();
    let mut all = headers.to_vec();
    if !headers.iter().any(|(name, _)| *name == "host") {
        all.push(("host", OWN));
    }
    if !body.is_empty() {
        all.push(("content-length", &length));
    }
    let all: Vec<String> = all.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    exchange(&format!("{method} {target} HTTP/1.1\r\n{}\r\n{body}", all.concat()))
        .unwrap_or_else(|| panic!("no answer to {method} {target} {headers:?}"))
}

fn get(target: &str) -> Answer {
    ask("GET", target, &[], "")
}

/// The token in the forms of a page.
fn token(page: &str) -> String {
    let (_, rest) = page.split_once("name=\"token\" value=\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.head.lines().find_map(|line| line.split_once(": ").filter(|(told, _)| *told == name).map(|(_, value)| value))
}

fn rounds(ground: &Ground) -> u64 {
    ground.status()["agent"]["rounds"].as_u64().unwrap()
}

#[test]
fn anybody_on_this_pc_sees_what_a_clerk_may_and_the_group_the_rest() {
    let Some(ground) = Ground::new() else { return };
    ground.cable("down");
    let cut = |text: &str| text.contains("data-state=\"cut\"") && text.contains("data-broken=\"link\"");
    let page =
        inside(&ground, || wait_for("the page to tell", Duration::from_secs(20), || Some(get("/")).filter(|page| cut(&page.text()))));
    assert_eq!(page.status, 200);
    for (name, value) in [("x-frame-options", "DENY"), ("x-content-type-options", "nosniff"), ("cache-control", "no-store")] {
        assert_eq!(header(&page, name), Some(value));
    }
    let policy = header(&page, "content-security-policy").unwrap();
    assert!(
        policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"),
        "{policy}"
    );
    for secret in ["10.66", ">t0<", "4430", "isonet evidence", "id=\"service\""] {
        assert!(!page.text().contains(secret), "{secret} in {}", page.text());
    }
    for target in ["/v1/status", "/v1/world", "/v1/incidents", "/metrics", "/v1/grants", "/v1/page-key"] {
        assert_eq!(inside(&ground, || get(target).status), 404, "{target} is not served here");
    }
    let link = ground.isonet(&[], "--lang en page --details --print");
    let url = link.out.trim();
    let target = url.strip_prefix("http://127.0.0.1:8787").unwrap_or_else(|| panic!("{link:?}"));
    let opened = inside(&ground, || get(target));
    assert_eq!((opened.status, header(&opened, "location")), (303, Some("/?lang=en")));
    let cookie = header(&opened, "set-cookie").unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap();
    let whole = wait_for("the records to be read", Duration::from_secs(20), || {
        let whole = inside(&ground, || ask("GET", "/", &[("cookie", cookie)], ""));
        whole.text().contains("isonet evidence").then_some(whole)
    });
    assert!(whole.text().contains("id=\"service\"") && whole.text().contains("t0"), "{}", whole.text());
    for stale in ["isonet-8787=", "isonet-8787=00000000000000000000000000000000", "isonet-1=x"] {
        assert!(!inside(&ground, || ask("GET", "/", &[("cookie", stale)], "")).text().contains("id=\"service\""), "{stale}");
    }
    assert_eq!(inside(&ground, || get("/?key=00000000000000000000000000000000")).status, 403);
}

#[test]
fn neither_another_name_nor_another_site_gets_in_or_has_anything_done() {
    let Some(ground) = Ground::new() else { return };
    let page = inside(&ground, || get("/")).text();
    let form = format!("token={}", token(&page));
    inside(&ground, || {
        for host in ["rebound.example", "rebound.example:8787", "127.0.0.1", "127.0.0.1:8788", "localhost.example:8787"] {
            for target in ["/", "/v1/changes", "/page.css", "/symptom?screen=1"] {
                assert_eq!(ask("GET", target, &[("host", host)], "").status, 403, "{host} {target}");
            }
            assert_eq!(ask("POST", "/look", &[("host", host)], &form).status, 403, "{host}");
        }
        assert_eq!(exchange("GET / HTTP/1.1\r\n\r\n").map(|answer| answer.status), Some(403), "no host at all");
    });
    let before = rounds(&ground);
    inside(&ground, || {
        let post = |headers: &[(&str, &str)], body: &str| ask("POST", "/look", headers, body).status;
        for origin in ["http://evil.example", "null", "https://127.0.0.1:8787", "http://127.0.0.1:8788"] {
            assert_eq!(post(&[("origin", origin)], &form), 403, "{origin}");
        }
        assert_eq!(post(&[("sec-fetch-site", "cross-site")], &form), 403);
        for stale in ["", "token=", "token=00000000000000000000000000000000", &format!("{form}&{form}")] {
            assert_eq!(post(&[("origin", "http://127.0.0.1:8787")], stale), 403, "{stale}");
        }
        assert_eq!(ask("GET", "/look", &[], "").status, 405);
        assert_eq!(ask("GET", "/v1/changes", &[("sec-fetch-site", "cross-site")], "").status, 403);
        assert_eq!(
            ask("GET", "/", &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")], "").status,
            200,
            "a link may stand anywhere"
        );
    });
    assert_eq!(rounds(&ground), before, "nobody had a look made");
    let looked =
        inside(&ground, || ask("POST", "/look?lang=en", &[("origin", "http://127.0.0.1:8787"), ("sec-fetch-site", "same-origin")], &form));
    assert_eq!((looked.status, header(&looked, "location")), (303, Some("/?lang=en")));
    assert!(rounds(&ground) > before);
}

#[test]
fn what_a_stranger_writes_stays_text() {
    let Some(ground) = Ground::new() else { return };
    let refused = inside(&ground, || get("/symptom?screen=%3Cscript%3Ealert(1)%3C/script%3E%1b%5B2J%0d%0aset-cookie:%20a=b"));
    assert_eq!(refused.status, 200);
    assert!(!refused.text().contains("<script>alert") && !refused.text().contains('\u{1b}'), "{}", refused.text());
    for target in ["/?lang=en%0d%0aset-cookie:x", "/?key=%0d%0aset-cookie:x", "/symptom?screen=1&lang=%0d%0aset-cookie:x"] {
        let answer = inside(&ground, || get(target));
        assert!(header(&answer, "set-cookie").is_none() && (400..404).contains(&answer.status), "{target}: {}", answer.head);
    }
    ground.cable("down");
    wait_for("the incident", Duration::from_secs(20), || (!ground.status()["open_incidents"].as_array().unwrap().is_empty()).then_some(()));
    let link = ground.isonet(&[], "--lang en page --details --print").out;
    let cookie = inside(&ground, || {
        let opened = get(link.trim().strip_prefix("http://127.0.0.1:8787").unwrap());
        header(&opened, "set-cookie").unwrap().split(';').next().unwrap().to_owned()
    });
    let whole = || inside(&ground, || ask("GET", "/?lang=en", &[("cookie", &cookie)], "")).text();
    let page =
        wait_for("the record on the page", Duration::from_secs(20), || Some(whole()).filter(|page| page.contains("name=\"incident\"")));
    let incident = page.split_once("name=\"incident\" value=\"").unwrap().1.split('"').next().unwrap().to_owned();
    let say = |text: &str, cookie: &str| {
        let text = text.bytes().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat();
        let body = format!("token={}&incident={}&text={text}", token(&page), incident.replace('/', "%2f"));
        inside(&ground, || ask("POST", "/statement?lang=en", &[("cookie", cookie), ("origin", "http://127.0.0.1:8787")], &body))
    };
    assert_eq!(say("we saw it", "x=y").status, 403, "a clerk may not");
    assert_eq!(say("a\u{1b}[2Jb", &cookie).status, 422);
    let said = say("<img src=x onerror=alert(1)> 停电了 & back", &cookie);
    assert_eq!(said.status, 303, "{}", said.text());
    assert!(header(&said, "location").unwrap().starts_with("/?lang=en#i"));
    let page = wait_for("the statement", Duration::from_secs(20), || Some(whole()).filter(|page| page.contains("停电了")));
    assert!(page.contains("&lt;img src=x onerror=alert(1)&gt; 停电了 &amp; back") && !page.contains("<img"), "{page}");
}

#[test]
fn sixteen_wait_for_changes_and_ten_thousand_more_are_turned_away() {
    let Some(ground) = Ground::new() else { return };
    let before = ground.most_memory();
    inside(&ground, || {
        let mut waiting = Vec::new();
        let mut turned_away = 0;
        for _ in 0..10_000 {
            let mut stream = TcpStream::connect(("127.0.0.1", PORT)).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            stream.write_all(format!("GET /v1/changes HTTP/1.1\r\nhost: {OWN}\r\n\r\n").as_bytes()).unwrap();
            let mut begin = [0; 12];
            stream.read_exact(&mut begin).unwrap();
            match &begin {
                b"HTTP/1.1 200" => waiting.push(stream),
                b"HTTP/1.1 503" => turned_away += 1,
                other => panic!("{}", String::from_utf8_lossy(other)),
            }
        }
        assert_eq!((waiting.len(), turned_away), (16, 10_000 - 16));
        let asked = now();
        assert_eq!(get("/").status, 200);
        assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
        drop(waiting);
        wait_for("a place that is free again", Duration::from_secs(20), || {
            let mut stream = TcpStream::connect(("127.0.0.1", PORT)).unwrap();
            stream.write_all(format!("GET /v1/changes HTTP/1.1\r\nhost: {OWN}\r\n\r\n").as_bytes()).unwrap();
            let mut begin = [0; 12];
            stream.read_exact(&mut begin).ok()?;
            (&begin == b"HTTP/1.1 200").then_some(())
        });
    });
    let more = ground.most_memory().saturating_sub(before);
    assert!(more < 16 << 20, "{more} bytes more");
}

#[test]
fn who_takes_the_page_slowly_or_says_nothing_delays_nobody() {
    let Some(ground) = Ground::new() else { return };
    inside(&ground, || {
        let mut slow: Vec<TcpStream> = Vec::new();
        for i in 0..300 {
            let mut stream = TcpStream::connect(("127.0.0.1", PORT)).unwrap();
            let request = format!("GET / HTTP/1.1\r\nhost: {OWN}\r\n\r\n");
            // Every other one says only half of it.
            stream.write_all(&request.as_bytes()[..if i % 2 == 0 { request.len() } else { 20 }]).unwrap();
            slow.push(stream);
        }
        for _ in 0..5 {
            let asked = now();
            assert_eq!(get("/").status, 200);
            assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
        }
    });
}

#[test]
fn a_port_that_is_taken_is_told_and_opened_when_it_is_free() {
    let Some(mut ground) = Ground::without_daemon() else { return };
    let config = ground.path("isonet.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    // Another daemon of ours has it, with a directory of its own.
    let other = ground.path("other");
    let its = text.replace(&ground.path("state").display().to_string(), &other.join("state").display().to_string());
    std::fs::create_dir_all(&other).unwrap();
    std::fs::write(&config, its.replace(&ground.run_dir().display().to_string(), &other.join("run").display().to_string())).unwrap();
    let mut thief = ground.beside(isonet(), "run");
    wait_for("the other daemon", Duration::from_secs(20), || other.join("run/control.sock").exists().then_some(()));
    std::fs::write(&config, text).unwrap();
    ground.start();
    let page = |status: &serde_json::Value| {
        let watchers = status["agent"]["watchers"].as_array().unwrap();
        watchers.iter().find(|watcher| watcher["what"] == "page").map(|watcher| watcher["because"].as_str().unwrap().to_owned())
    };
    let status = ground.status();
    crate::ground::assert_schema(&status, "status/1");
    assert!(page(&status).is_some_and(|because| because.contains("127.0.0.1:8787")), "{status:#}");
    thief.kill().unwrap();
    thief.wait().unwrap();
    wait_for("the page", Duration::from_secs(90), || page(&ground.status()).is_none().then_some(()));
    assert_eq!(inside(&ground, || get("/").status), 200);
}
