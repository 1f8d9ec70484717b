//! What only looks like the internet: none of it is taken for it.

use super::*;

/// What only looks like the internet.
struct Lookalike {
    name: &'static str,
    services: fn(&Stage) -> Vec<(&'static str, Service)>,
    /// Something answers in the place of the internet, and it is said so.
    told: bool,
}

const NO_CONTENT: &str = "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n";
const PORTAL: &str = "HTTP/1.1 302 Found\r\nLocation: http://10.0.0.1/login\r\nContent-Length: 0\r\n\r\n";

fn everywhere(service: &Service) -> Vec<(&'static str, Service)> {
    [A, B, CONTROL].map(|at| (at, service.clone())).to_vec()
}

fn lookalikes() -> Vec<Lookalike> {
    let case = |name, services| Lookalike { name, services, told: true };
    vec![
        case("signed by themselves", |_| Stage::both(Identity::self_signed(NAME_A), Identity::self_signed(NAME_B))),
        case("expired years ago", |s| Stage::both(s.root.issue(&[NAME_A], 2020, 2021, false), s.root.issue(&[NAME_B], 2020, 2022, false))),
        case("for other names", |s| Stage::both(s.good("settle.centre.example"), s.good("www.centre.example"))),
        case("names swapped", |s| Stage::both(s.good(NAME_B), s.good(NAME_A))),
        case("by a private authority", |_| {
            let house = Authority::new("House CA");
            Stage::both(house.issue(&[NAME_A], 2026, 2035, false), house.issue(&[NAME_B], 2026, 2035, false))
        }),
        case("by an authority that calls itself as ours does", |_| {
            let false_root = Authority::new("Test Root");
            Stage::both(false_root.issue(&[NAME_A], 2026, 2035, false), false_root.issue(&[NAME_B], 2026, 2035, false))
        }),
        case("by an authority in the machine's store", |s| {
            let house = Authority::new("Interception CA");
            std::fs::create_dir_all(s.ground.path("etc/ssl/certs")).unwrap();
            std::fs::write(s.ground.path("etc/ssl/certs/house.pem"), house.pem()).unwrap();
            std::fs::write(s.ground.path("etc/ssl/certs/ca-certificates.crt"), house.pem()).unwrap();
            Stage::both(house.issue(&[NAME_A], 2026, 2035, false), house.issue(&[NAME_B], 2026, 2035, false))
        }),
        Lookalike {
            name: "by two private authorities",
            services: |_| {
                let of = |name: &str| Authority::new(&format!("CA of {name}")).issue(&[name], 2026, 2035, false);
                Stage::both(of(NAME_A), of(NAME_B))
            },
            // As if the roots had aged: said as a blindness.
            told: false,
        },
        case("one certificate for both", |s| {
            let one = s.root.issue(&[NAME_A, NAME_B], 2026, 2035, false);
            Stage::both(one.clone(), one)
        }),
        case("good certificates without their keys", |s| {
            let other = Identity::self_signed("x");
            Stage::both(s.good(NAME_A).with_key_of(&other), s.good(NAME_B).with_key_of(&other))
        }),
        case("for clients only", |s| Stage::both(s.root.issue(&[NAME_A], 2026, 2035, true), s.root.issue(&[NAME_B], 2026, 2035, true))),
        case("an old protocol", |s| vec![(A, Service::OldTls(s.good(NAME_A))), (B, Service::OldTls(s.good(NAME_B)))]),
        case("a server of 204", |_| everywhere(&Service::Says(NO_CONTENT))),
        case("a portal", |_| everywhere(&Service::Says(PORTAL))),
        case("a login banner", |_| everywhere(&Service::Says("SSH-2.0-OpenSSH_9.2\r\n"))),
        case("a box that takes all connections", |_| everywhere(&Service::Takes)),
        case("a box that takes and ends them", |_| everywhere(&Service::Ends)),
        Lookalike { name: "wildcard names", services: |_| vec![("10.81.1.1:53", Service::Wildcard)], told: false },
        case("wildcard names, 204 and squatted addresses", |_| {
            let mut all = everywhere(&Service::Says(NO_CONTENT));
            all.push(("10.81.1.1:53", Service::Wildcard));
            all
        }),
        case("one signed by itself, one in vain", |_| vec![(A, Service::Tls(Identity::self_signed(NAME_A)))]),
        Lookalike { name: "a new way that leads nowhere", services: |_| Vec::new(), told: false },
    ]
}

/// Runs one: what was told above the lowest, and whether a lookalike was.
fn told(case: &Lookalike) -> Option<(Vec<String>, bool)> {
    let stage = Stage::new("")?;
    let services = (case.services)(&stage);
    let (names, others): (Vec<_>, Vec<_>) = services.into_iter().partition(|(at, _)| at.ends_with(":53"));
    let _outside = stage.second(&others);
    let _names = open(&stage.ground, "b0", &names);
    let daemon = stage.ground.watch();
    stage.leads_to_all();
    daemon.sees(SUSPECT, "opened", PATIENCE, any);
    // A whole burst: who is alone would have proved itself twice.
    thread::sleep(Duration::from_secs(14));
    let severe = daemon.told("").into_iter().filter(|record| !matches!(record["cause"]["severity"].as_str(), Some("low" | "info")));
    let severe = severe.map(|record| record["incident"]["fingerprint"].to_string()).collect();
    Some((severe, !daemon.told(LOOKALIKE).is_empty()))
}

#[test]
fn what_only_looks_like_the_internet_is_never_taken_for_it() {
    if Stage::new("").is_none() {
        return;
    }
    let cases = lookalikes();
    let said = all_of(&cases, |case| told(case).expect("it could be staged before"));
    let mut wrong = 0;
    for (case, (severe, told)) in cases.iter().zip(&said) {
        let right = severe.is_empty() && *told == case.told;
        wrong += usize::from(!right);
        println!("{:48} {} severe, lookalike {:5} {}", case.name, severe.len(), told, if right { "" } else { "WRONG" });
    }
    println!("{} lookalikes, {} taken for the internet", said.len(), said.iter().filter(|(severe, _)| !severe.is_empty()).count());
    assert_eq!(wrong, 0, "{said:#?}");
}
