//! The README's pictures: the first screenful of the status page of a shop that is made up, when its VPN is not started.

use std::fs;
use std::path::Path;

use crate::driver::Driver;
use crate::lab::Lab;
use crate::live::{ORIGIN, enroll, in_a_minute, key};
use crate::shell::Done;
use crate::state::{LANGUAGES, STATES, State};
use crate::watch::daemon::Daemon;
use rustix::process::Signal;

/// Name of the shop, and whom it calls, in place of the lab's.
const SHOPS: [[(&str, &str); 4]; 2] = [
    [
        ("Lab terminal", "平安大药房 2 号收银台"),
        ("name = \"Vendor\", phone = \"1001\"", "name = \"小赵\", phone = \"029-5550-1001\""),
        ("name = \"Operator\", phone = \"1002\"", "name = \"张工\", phone = \"029-5550-1002\""),
        (
            "name = \"Bureau\", phone = \"1003\"",
            "name = \"李老师\", phone = \"029-5550-1003\" }\nsoftware = { name = \"值班客服\", phone = \"029-5550-1004\"",
        ),
    ],
    [
        ("Lab terminal", "Example Pharmacy, counter 2"),
        ("name = \"Vendor\", phone = \"1001\"", "name = \"Ms Zhao\", phone = \"029-5550-1001\""),
        ("name = \"Operator\", phone = \"1002\"", "name = \"Mr Zhang\", phone = \"029-5550-1002\""),
        (
            "name = \"Bureau\", phone = \"1003\"",
            "name = \"Ms Li\", phone = \"029-5550-1003\" }\nsoftware = { name = \"Service desk\", phone = \"029-5550-1004\"",
        ),
    ],
];
/// Name, width, height, by night.
const PICTURES: [(&str, u32, u32, bool); 2] = [("cut", 1024, 890, false), ("phone", 360, 830, true)];

/// Takes them all; what was written.
pub(crate) fn take(lab: &mut Lab, product: &Path, daemon: &Daemon, driver: &Driver, into: &Path) -> Done<String> {
    fs::create_dir_all(into).map_err(|e| format!("cannot create {}: {e}", into.display()))?;
    let config = lab.path("daemon/isonet.toml");
    let usual = fs::read_to_string(&config).map_err(|e| format!("cannot read {}: {e}", config.display()))?;
    enroll(lab, product)?;
    let mut written = Vec::new();
    let state = STATES.iter().find(|state| state.name == "vpn.not-started").ok_or("no such state")?;
    state.stage(lab)?;
    for (shop, language) in SHOPS.iter().zip(LANGUAGES) {
        let text = shop.iter().fold(usual.clone(), |text, (from, to)| text.replace(from, to));
        fs::write(&config, text).map_err(|e| format!("cannot write {}: {e}", config.display()))?;
        daemon.signal(Signal::HUP)?;
        for (name, width, height, dark) in PICTURES {
            let picture = one(lab, driver, state, (language, shop[0].1), (width, height, dark))?;
            let file = into.join(format!("{name}-{language}.webp"));
            fs::write(&file, &picture).map_err(|e| format!("cannot write {}: {e}", file.display()))?;
            written.push(format!("{name}-{language}.webp {} kB", picture.len() / 1024));
        }
    }
    Ok(written.join(", "))
}

fn one(
    lab: &Lab,
    driver: &Driver,
    state: &State,
    (language, shop): (&str, &str),
    (width, height, dark): (u32, u32, bool),
) -> Done<Vec<u8>> {
    let browser = driver.browser()?;
    browser.look(width, dark)?;
    browser.open(&format!("{ORIGIN}?lang={language}&key={}", key(lab)?))?;
    in_a_minute(|| {
        let shown = browser.run(
            "return [document.title, document.querySelector('header').dataset.state, document.getElementById('isolation').dataset.isolation]",
        )?;
        let there = shown[0].as_str().is_some_and(|title| title.contains(shop)) && shown[1] == state.kind && shown[2] == state.isolation.0;
        Ok(if there { String::new() } else { format!("the page shows {shown}") })
    })?;
    browser.first_screen(width, height)
}
