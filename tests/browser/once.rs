//! Pages that are files, opened from the disk: the one that `diagnose --html` writes, for when no daemon answers, and one on which everything is wrong.

use std::path::Path;

use crate::driver::Driver;
use crate::lab::Lab;
use crate::look::{Eyes, strays};
use crate::shell::Done;
use crate::state::{HEALTHY, LANGUAGES, SHOWN, STATES, State};

/// Nobody can read, use, or print this on one sheet; it complains, and asks somebody else.
const BAD: &str = "<!doctype html><html><head><title>Bad</title></head><body><h1>Bad</h1>\n\
                   <p style='color:#ddd;background:#fff'>pale</p><img src='http://192.0.2.1/one.png'><button></button>\n\
                   <div style='width:2000px;height:5000px;background:#eee'>far too wide and long</div>\n\
                   <script>console.error('it complains')</script></body></html>";

/// Whoever finds nothing wrong must be able to: each thing that is looked for is found where it is.
pub(crate) fn bad(lab: &Lab, driver: &Driver, eyes: &Eyes) -> Done<String> {
    let file = lab.path("bad.html");
    std::fs::write(&file, BAD).map_err(|e| format!("cannot write {}: {e}", file.display()))?;
    let browser = driver.browser()?;
    let url = format!("file://{}", file.display());
    browser.open(&url)?;
    let mut found = eyes.at(&browser, "bad")?;
    found.extend(strays(&browser, &url)?);
    let wanted = [
        "color-contrast",
        "image-alt",
        "button-name",
        "html-has-lang",
        "moved sideways",
        "sheets of paper",
        "it complains",
        "asks http://192.0.2.1/one.png",
    ];
    let missed: Vec<&str> = wanted.into_iter().filter(|wanted| !found.iter().any(|found| found.contains(wanted))).collect();
    if missed.is_empty() { Ok(format!("found {}", wanted.join(", "))) } else { Err(format!("not found: {missed:?} in {found:#?}")) }
}

/// In every state: written, opened, held against it; in two of them looked at in every way.
pub(crate) fn page(lab: &mut Lab, product: &Path, driver: &Driver, eyes: &Eyes) -> Done<String> {
    let mut wrong = looked(lab, product, driver, eyes, &HEALTHY)?;
    for state in &STATES {
        state.stage(lab)?;
        let seen = looked(lab, product, driver, eyes, state);
        lab.heal().map_err(|e| format!("the lab itself: not healed: {e}"))?;
        wrong.extend(seen?);
    }
    if wrong.is_empty() { Ok(format!("in {} states, in both languages", STATES.len() + 1)) } else { Err(wrong.join("\n  ")) }
}

fn looked(lab: &Lab, product: &Path, driver: &Driver, eyes: &Eyes, state: &State) -> Done<Vec<String>> {
    let mut wrong = Vec::new();
    for (language, tag) in LANGUAGES.into_iter().enumerate() {
        let name = format!("once-{}-{tag}", state.name);
        let file = lab.path(&format!("{name}.html"));
        let mut command = lab.terminal().command(&product.display().to_string());
        command.arg("--config").arg(lab.path("daemon/isonet.toml")).args(["--lang", tag, "diagnose", "--html"]).arg(&file);
        // Its status tells how things stand, not whether the page was written.
        crate::shell::run(command, "")?;
        let browser = driver.browser()?;
        let url = format!("file://{}", file.display());
        browser.open(&url)?;
        let shown = browser.run(SHOWN)?;
        println!("  {name}: {}", shown["head"].as_str().unwrap_or_default().replace('\n', " "));
        let mut found = state.wrong(language, &shown);
        if matches!(state.name, "healthy" | "vpn.not-started") {
            found.extend(eyes.at(&browser, &name)?);
        }
        found.extend(strays(&browser, &url)?);
        wrong.extend(found.into_iter().map(|what| format!("{name}: {what}")));
    }
    Ok(wrong)
}
