//! What runs within the terminal's namespace: one question, answered as JSON.

use isonet::config::Vpn;
use isonet::model::{Address, IfName, Link, Outcome, RouteTable, Sighting};
use isonet::probe::{gateway, local, ping, tcp, vpn, walk};
use isonet::sys::{clock, icmp, netlink, proc, udp};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::time::Duration;

/// A snapshot, to be sent across.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Local {
    pub(crate) links: Outcome<Vec<Link>>,
    pub(crate) addresses: Outcome<Vec<Address>>,
    pub(crate) routes: Outcome<RouteTable>,
    pub(crate) neighbours: Vec<(IpAddr, Option<String>)>,
    pub(crate) took: Duration,
}

/// The words of a question: verb, target, milliseconds, then `key=value`.
struct Question<'a> {
    words: Vec<&'a str>,
}

impl<'a> Question<'a> {
    fn word<T: std::str::FromStr>(&self, at: usize) -> T {
        self.words.get(at).and_then(|word| word.parse().ok()).unwrap_or_else(|| panic!("word {at} of {:?}", self.words))
    }

    fn time(&self) -> Duration {
        Duration::from_millis(self.word(2))
    }

    fn key(&self, key: &str) -> Option<&'a str> {
        self.words.iter().find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
    }

    fn route(&self) -> icmp::Route {
        icmp::Route { device: self.key("device").map(IfName::new), ttl: self.key("ttl").map(|ttl| ttl.parse().expect("a TTL")) }
    }
}

async fn answer(question: &Question<'_>) -> serde_json::Value {
    match question.word::<String>(0).as_str() {
        "echo" => {
            let mut how = icmp::Echo { route: question.route(), ..icmp::Echo::once(question.time()) };
            if let Some(count) = question.key("all") {
                how.count = count.parse().expect("a number");
                how.gap = Duration::from_millis(20);
                how.until = icmp::Until::AllAnswered;
            }
            json(&icmp::echo(question.word(1), &how).await)
        }
        "udp" => json(&match udp::exchange(question.word(1), b"isonet", &question.route(), question.time()).await {
            Outcome::Ok(datagram) => Outcome::Ok(datagram.reply),
            Outcome::Failed(failure) => Outcome::Failed(failure),
            Outcome::Unknown(why) => Outcome::Unknown(why),
        }),
        "tcp" => match tcp::connect(question.word(1), question.time()).await.0 {
            Sighting::Tcp(_, outcome) => json(&outcome),
            other => panic!("{other:?}"),
        },
        "route" => json(&netlink::route_to(question.word(1)).await),
        "process" => json(&proc::process_state(&question.word::<String>(1))),
        "routes" => {
            // Several look-ups at once over one connection.
            let netlink = netlink::Netlink::open().expect("a connection");
            let (a, b) = tokio::join!(netlink.route_to(question.word(1)), netlink.route_to(question.word(2)));
            json(&[a, b])
        }
        "gateway" => {
            let snapshot = netlink::snapshot().await;
            let device = IfName::new("t0");
            let ip = question.word(1);
            let beyond = question.key("beyond").map(|ip| ip.parse().expect("an address"));
            timed(gateway::gateway(&device, ip, snapshot.neighbour(&device, ip), beyond, question.time())).await
        }
        "walk" => timed(walk::walk(question.word(1), None, question.time())).await,
        "ping" => timed(ping::ping(question.word(1), None, question.time())).await,
        "conflicts" => timed(local::conflicts(&netlink::snapshot().await, Duration::from_millis(question.word(1)))).await,
        "vpn" => {
            let config: Vpn = toml::from_str(question.key("config").expect("a table").replace(';', "\n").as_str()).expect("a VPN");
            let netlink = netlink::Netlink::open().expect("a connection");
            let snapshot = netlink.snapshot().await;
            let traffic = async {
                if let Some(ip) = question.key("traffic") {
                    ping::ping(ip.parse().expect("an address"), None, Duration::from_secs(1)).await;
                }
            };
            timed(Box::pin(async {
                let around = vpn::Surroundings { snapshot: &snapshot, netlink: Some(&netlink), resolvers: &[], owner: None };
                let look = vpn::vpn(&config, around, Duration::from_millis(question.word(1)));
                let mut traffic = std::pin::pin!(traffic);
                let mut look = std::pin::pin!(look);
                tokio::select! {
                    () = &mut traffic => look.await,
                    seen = &mut look => seen,
                }
            }))
            .await
        }
        "snapshot" => {
            let began = clock::now();
            let seen = netlink::snapshot().await;
            let took = began.elapsed();
            let neighbours = seen.neighbours.ok().into_iter().flatten().map(|entry| (entry.address, entry.mac.clone())).collect();
            json(&Local { links: seen.links, addresses: seen.addresses, routes: seen.routes, neighbours, took })
        }
        "overrun" => json(&overrun(question.word(1)).await),
        other => panic!("no such question: {other}"),
    }
}

/// Lets more changes happen than the kernel keeps for a listener that is busy, the first and the last of them being that `address` comes and
/// goes. Gives whether the loss was heard of, and whether the address is news when it comes back.
async fn overrun(address: IpAddr) -> (bool, bool) {
    let mut events = netlink::Events::open().expect("an ear");
    let changes = (0..4000).map(|n| format!("address {} 10.98.0.1/32 dev lo", if n % 2 == 0 { "add" } else { "delete" }));
    let own = |verb: &str| format!("address {verb} {address}/32 dev lo");
    let lines: Vec<_> = [own("add")].into_iter().chain(changes).chain([own("delete")]).collect();
    ip_batch(&lines);
    let mut lost = false;
    while let Ok(heard) = tokio::time::timeout(Duration::from_millis(200), events.next()).await {
        lost |= heard.expect("the ear stays open").lost;
    }
    ip_batch(&[own("add")]);
    let news = tokio::time::timeout(Duration::from_secs(5), events.next()).await;
    (lost, news.is_ok_and(|heard| heard.expect("the ear stays open").changed))
}

fn ip_batch(lines: &[String]) {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("batch");
    std::fs::write(&file, lines.join("\n")).expect("written");
    let out = std::process::Command::new("ip").arg("-batch").arg(&file).output().expect("ip is there");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}

/// An answer, and how long it took.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Timed<T> {
    pub(crate) seen: T,
    pub(crate) took: Duration,
}

/// A probe's one sighting, as the probes give it.
pub(crate) type Look = Timed<Sighting>;

async fn timed<T: Serialize>(look: impl Future<Output = T>) -> serde_json::Value {
    let began = clock::now();
    let seen = look.await;
    json(&Timed { seen, took: began.elapsed() })
}

fn json<T: Serialize>(value: &T) -> serde_json::Value {
    serde_json::to_value(value).expect("the model is serialisable")
}

#[test]
#[ignore = "runs only inside a namespace, started by the other tests"]
fn answers_one_question() {
    let Ok(text) = std::env::var("ISONET_SYS_ASK") else {
        println!("SKIPPED: runs only inside a namespace");
        return;
    };
    let question = Question { words: text.split_whitespace().collect() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    println!("ANSWER {}", runtime.block_on(answer(&question)));
}
