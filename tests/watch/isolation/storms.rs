//! Ten thousand routes in a burst: nothing is missed once it is over, one incident, and the processor is not kept busy.

use super::*;

/// Processor time that a process took, seconds.
fn processor(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let ticks: Vec<f64> = stat.rsplit(')').next().unwrap().split_whitespace().skip(11).take(2).map(|word| word.parse().unwrap()).collect();
    ticks.iter().sum::<f64>() / 100.0
}

/// Two flocks of ten thousand: through one next hop, with a default route by another in their midst, and then all of them gone.
#[test]
fn in_ten_thousand_route_changes_nothing_is_missed_and_one_incident_is_told() {
    const MOST_BUSY: f64 = 3.0;
    let Some(stage) = Stage::new("") else { return };
    let _outside = stage.second(&[]);
    let daemon = stage.ground.watch();
    let before = processor(daemon.pid());
    let route = |i: u32| format!("route add 59.{}.{}.0/24 via 192.168.42.1\n", i / 256, i % 256);
    let mut routes: Vec<String> = (0..10_000).map(route).collect();
    routes.insert(5000, "route add default via 192.168.42.9 metric 7 table 77\n".to_owned());
    std::fs::write(stage.ground.path("routes"), routes.concat()).unwrap();
    let began = isonet::sys::clock::now();
    stage.ground.here(&format!("ip -batch {}", stage.ground.path("routes").display()));
    let made = began.elapsed();
    let (opened, _) = daemon.sees(SUSPECT, "opened", PATIENCE, any);
    // The one in their midst is told at the latest by an update.
    let fits = |record: &Value| lines(record, "uplink.route").iter().any(|line| line == "0.0.0.0/0 via 192.168.42.9 dev up0 table 77");
    let in_their_midst = if fits(&opened) { opened } else { daemon.sees(SUSPECT, "updated", PATIENCE, fits).0 };
    let told = began.elapsed();
    assert!(lines(&in_their_midst, "uplink.route").iter().any(|line| line.contains("via 192.168.42.1 ")), "{in_their_midst:#}");
    let began = isonet::sys::clock::now();
    stage.ground.here("ip route flush table all dev up0; ip link del up0");
    daemon.sees(SUSPECT, "resolved", PATIENCE, any);
    let gone = began.elapsed();
    let all = daemon.told(SUSPECT);
    let count = |phase: &str| all.iter().filter(|record| record["incident"]["phase"] == phase).count();
    let busy = processor(daemon.pid()) - before;
    row("10,000 routes, one in their midst by another hop", "told, one incident", &format!("{} opened", count("opened")), &ms(told));
    row("the same gone again", "one end", &format!("{} resolved", count("resolved")), &ms(gone));
    println!("routes made in {}; processor time {busy:.2} s", ms(made));
    assert_eq!((count("opened"), count("resolved")), (1, 1), "{:#?}", daemon.brief());
    assert!(count("updated") <= 3, "{:#?}", daemon.brief());
    assert!(busy < MOST_BUSY, "{busy} s");
}
