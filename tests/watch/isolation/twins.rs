//! What looks like a proxy or like the canary and is none: nobody is accused, and the centre is not even asked.

use super::*;

/// What is told, and what whoever stands there was asked.
struct Told {
    severe: Vec<String>,
    proxies: usize,
    lookalikes: usize,
    connects: usize,
}

struct Twin {
    name: &'static str,
    /// Below `[isolation]`, or tables of their own.
    more: &'static str,
    services: fn(&Stage) -> Vec<(&'static str, Service)>,
    /// Whom a program talks to, or what is written in `/etc/environment`.
    talks_to: Option<&'static str>,
    written: Option<&'static str>,
    /// Requests to CONNECT that it gets, at least and at most.
    connects: (usize, usize),
    lookalikes: usize,
}

const REFUSED: &str = "HTTP/1.1 405 Method Not Allowed\r\nServer: nginx\r\nContent-Length: 0\r\n\r\n";
const DENIED: &str = "HTTP/1.1 403 Forbidden\r\nServer: squid/5.7\r\nX-Squid-Error: ERR_ACCESS_DENIED 0\r\nContent-Length: 0\r\n\r\n";
const ALL_IS_WELL: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>welcome</html>";
const DIRECT: &str = "HTTP/1.1 200 OK\r\n\r\nfunction FindProxyForURL(url, host) { return \"DIRECT\"; }";
const CENTRE: &str = "[[centre]]\nname = \"settlement\"\nhost = \"10.81.1.1\"\ntcp = [8080]";
const AT: &str = "10.81.1.1:8080";
const NONE: Twin = Twin { name: "", more: "", services: |_| Vec::new(), talks_to: None, written: None, connects: (0, 0), lookalikes: 0 };

fn of_proxies() -> Vec<Twin> {
    vec![
        Twin {
            name: "a reverse proxy that refuses CONNECT",
            services: |_| vec![(AT, Service::Replies(REFUSED))],
            talks_to: Some(AT),
            connects: (1, 2),
            ..NONE
        },
        Twin {
            name: "a proxy that forbids the outside, talked to",
            services: |_| vec![("10.81.1.1:3128", Service::Replies(DENIED))],
            talks_to: Some("10.81.1.1:3128"),
            connects: (1, 2),
            ..NONE
        },
        Twin {
            name: "a proxy that forbids the outside, written",
            services: |_| vec![("10.81.1.1:3128", Service::Replies(DENIED))],
            written: Some("http_proxy=http://10.81.1.1:3128\n"),
            connects: (2, 12),
            ..NONE
        },
        Twin {
            name: "a proxy into the house only",
            services: |_| vec![("10.81.1.1:3128", Service::Proxy)],
            written: Some("http_proxy=http://10.81.1.1:3128\n"),
            ..NONE
        },
        Twin {
            name: "a SOCKS proxy into the house only",
            services: |_| vec![("10.81.1.1:1080", Service::Socks)],
            talks_to: Some("10.81.1.1:1080"),
            ..NONE
        },
        Twin {
            name: "a server that says yes to everything",
            services: |_| vec![(AT, Service::Replies(ALL_IS_WELL))],
            talks_to: Some(AT),
            connects: (1, 2),
            ..NONE
        },
        Twin {
            name: "a proxy that leads to a false internet",
            services: |_| {
                let mut all = Stage::both(Identity::self_signed(NAME_A), Identity::self_signed(NAME_B));
                all.push(("10.81.1.1:3128", Service::Proxy));
                all
            },
            written: Some("http_proxy=http://10.81.1.1:3128\n"),
            // Which answers on the way that was enrolled, too.
            lookalikes: 2,
            ..NONE
        },
        Twin {
            name: "the settlement centre on 8080",
            more: CENTRE,
            services: |_| vec![(AT, Service::Replies(REFUSED))],
            talks_to: Some(AT),
            ..NONE
        },
        Twin {
            name: "a script that names no proxy",
            services: |_| vec![("10.81.1.1:8099", Service::Replies(DIRECT))],
            written: Some("PATH=/bin\n"),
            ..NONE
        },
        Twin {
            name: "an ordinary service on another port",
            services: |_| vec![("10.81.1.1:1521", Service::Takes)],
            talks_to: Some("10.81.1.1:1521"),
            ..NONE
        },
    ]
}

/// Runs one: the program talks before the service starts, so that the first look sees it.
fn told(twin: &Twin) -> Option<Told> {
    let (isolation, tables) = if twin.more.starts_with("[[") { ("", twin.more) } else { (twin.more, "") };
    let stage = Stage::new(&format!("{isolation}\n{tables}"))?;
    let services = (twin.services)(&stage);
    let _outside = open(&stage.ground, "b0", &services);
    let _talking = twin.talks_to.map(|at| stage.talks_to(at));
    if let Some(text) = twin.written {
        std::fs::write(stage.ground.path("etc/environment"), text).unwrap();
    }
    if twin.name.starts_with("a script") {
        std::fs::create_dir_all(stage.ground.path("etc/chromium/policies/managed")).unwrap();
        let policy = r#"{"ProxyMode":"pac_script","ProxyPacUrl":"http://10.81.1.1:8099/proxy.pac"}"#;
        std::fs::write(stage.ground.path("etc/chromium/policies/managed/p.json"), policy).unwrap();
    }
    let daemon = stage.ground.watch();
    // Two bursts and what may follow them.
    thread::sleep(Duration::from_secs(26));
    let severe = daemon.told("").into_iter().filter(|record| !matches!(record["cause"]["severity"].as_str(), Some("low" | "info")));
    let asked = services.iter().flat_map(|(at, _)| requests(&stage.ground, at));
    Some(Told {
        severe: severe.map(|record| record["incident"]["fingerprint"].to_string()).filter(|print| print.contains("isolation")).collect(),
        proxies: daemon.told(PROXY).len(),
        lookalikes: daemon.told(LOOKALIKE).len(),
        connects: asked.filter(|line| line.starts_with("CONNECT")).count(),
    })
}

#[test]
fn what_only_looks_like_a_proxy_accuses_nobody_and_the_centre_is_not_asked() {
    if Stage::new("").is_none() {
        return;
    }
    let cases = of_proxies();
    let said = all_of(&cases, |case| told(case).expect("it could be staged before"));
    let mut wrong = 0;
    row("case", "expected", "got", "CONNECT");
    for (case, told) in cases.iter().zip(&said) {
        let (least, most) = case.connects;
        let asked = (least..=most).contains(&told.connects);
        let right = told.severe.is_empty() && told.proxies == 0 && told.lookalikes == case.lookalikes && asked;
        wrong += usize::from(!right);
        let expected = format!("no proxy path, {least}..{most} asked");
        let got = if right { "silent".to_owned() } else { format!("WRONG {:?} {}", told.severe, told.lookalikes) };
        row(case.name, &expected, &got, &told.connects.to_string());
    }
    assert_eq!(wrong, 0);
}

/// A proxy that a program talks to and that leads outward is found by that alone; who is not talked to any more is not asked.
#[test]
fn a_proxy_that_a_program_talks_to_is_found() {
    let Some(stage) = Stage::new("") else { return };
    let _internet = open(&stage.ground, "lo", &stage.internet());
    let _proxy = open(&stage.ground, "b0", &[("10.81.1.1:7890", Service::Proxy)]);
    let talking = stage.talks_to("10.81.1.1:7890");
    let daemon = stage.ground.watch();
    let (record, after) = daemon.sees(PROXY, "opened", ALONE, any);
    assert_eq!(lines(&record, "outside.proxy"), ["10.81.1.1:7890 connection seen"]);
    assert_eq!((lines(&record, "outside.tls").len(), record["origin"].as_str()), (2, Some("pre-existing")));
    row("a proxy that a program talks to", PROXY, "pre-existing", &ms(after));
    drop(talking);
    daemon.stop();
    // A minute's look sees one that begins while it is watched.
    let daemon = stage.ground.watch();
    let _talking = stage.talks_to("10.81.1.1:7890");
    daemon.sees(PROXY, "opened", BY_CLOCK, any);
}

/// The canary's look-alikes: none of them proves anything.
#[test]
fn what_only_looks_like_the_canary_proves_nothing() {
    if Stage::new("").is_none() {
        return;
    }
    let cases: [(&str, Option<Service>); 6] = [
        ("another key", Some(Service::Canary(8, Signs::What))),
        ("an answer of before", Some(Service::Canary(SEED, Signs::Before))),
        ("noise", Some(Service::Canary(SEED, Signs::Noise))),
        ("silence after connecting", Some(Service::Takes)),
        ("the end after connecting", Some(Service::Ends)),
        ("nobody", None),
    ];
    let said = all_of(&cases, |(name, service)| {
        let stage = Stage::new(CANARY).expect("it could be staged before");
        let services: Vec<(&str, Service)> = service.iter().map(|service| (CANARY_AT, service.clone())).collect();
        let _outside = stage.second_with_public_address(&services);
        let daemon = stage.ground.watch();
        stage.leads_to_all_from_public();
        daemon.sees(SUSPECT, "opened", PATIENCE, any);
        thread::sleep(Duration::from_secs(14));
        let told = daemon.told(LOOKALIKE).first().map(|record| lines(record, "outside.canary"));
        let right = daemon.told(REACHABLE).is_empty() && told.is_some() == service.is_some();
        (*name, right, told)
    });
    for (name, right, told) in &said {
        row(&format!("canary: {name}"), "a note at most", if *right { "silent" } else { "WRONG" }, &format!("{told:?}"));
    }
    assert!(said.iter().all(|(_, right, _)| *right));
}

/// A canary inside sees an address from inside: whatever it signs, that is not the internet.
#[test]
fn a_canary_inside_proves_nothing() {
    let Some(stage) = Stage::new(CANARY) else { return };
    let _outside = stage.second(&[(CANARY_AT, Service::Canary(SEED, Signs::What))]);
    let daemon = stage.ground.watch();
    stage.leads_to_all();
    let (record, _) = daemon.sees(LOOKALIKE, "opened", SOON, any);
    assert_eq!(lines(&record, "outside.canary"), ["59.44.9.9:443 seen from inside"]);
    thread::sleep(Duration::from_secs(12));
    assert!(daemon.told(REACHABLE).is_empty(), "{:#?}", daemon.brief());
}
