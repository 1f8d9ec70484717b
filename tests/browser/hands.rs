//! The status page under somebody's hands: by keyboard alone, without scripts, and how soon it comes.

use serde_json::{Value, json};

use crate::check::{eventually, holds, is};
use crate::driver::{Browser, Driver};
use crate::live::{ORIGIN, Page};
use crate::look::{Eyes, strays};
use crate::shell::{Done, Netns};

const TAB: char = '\u{e004}';
const ENTER: char = '\u{e007}';
/// Stops that the tabulator makes at most before it has come to the end of the page.
const STOPS: usize = 60;

/// Everything that can be used is reached by the tabulator, in the order in which it stands, and is seen to be. Then a fold is unfolded, the
/// network is looked at, and a message looked up, by keys alone.
pub(crate) fn keyboard(driver: &Driver, eyes: &Eyes) -> Done<String> {
    let page = Page::open(driver, 1, None)?.browser;
    let mut stops: Vec<String> = Vec::new();
    for _ in 0..STOPS {
        page.press(TAB)?;
        let at = page.run(
            "const e = document.activeElement, s = getComputedStyle(e), box = e.getBoundingClientRect();\n\
             if (e === document.body) return null;\n\
             return { name: e.id || (e.form && e.form.id + ' ' + e.tagName) || (e.parentElement.dataset.cause ? 'incident ' : '') + e.tagName,\n\
               seen: s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2 && box.width > 0 && box.height > 0,\n\
               within: box.bottom > 0 && box.top < innerHeight };",
        )?;
        if at.is_null() {
            break;
        }
        let name = at["name"].as_str().unwrap_or_default().to_owned();
        if at["seen"] != true || at["within"] != true {
            return Err(format!("{name} has the focus and nobody sees it: {at}"));
        }
        stops.push(name);
    }
    let wanted = ["look BUTTON", "screen", "symptom BUTTON", "incident SUMMARY", "A"];
    let mut rest = stops.iter();
    for wanted in wanted {
        holds(rest.any(|stop| stop == wanted), format!("{wanted} is not reached, or not in its order: {stops:?}"))?;
    }
    unfold(&page)?;
    let looked = by_button(&page)?;
    look_up(&page, eyes)?;
    Ok(format!("{} stops; a fresh look took {looked} ms", stops.len()))
}

/// Goes on with the tabulator until this has the focus.
fn tab_to(page: &Browser<'_>, selector: &str) -> Done {
    for _ in 0..STOPS {
        page.press(TAB)?;
        if page.run(&format!("return document.activeElement.matches({})", json!(selector)))? == true {
            return Ok(());
        }
    }
    Err(format!("{selector} is never reached"))
}

fn unfold(page: &Browser<'_>) -> Done {
    tab_to(page, "#recent summary")?;
    page.press(ENTER)?;
    let open =
        page.run("return document.activeElement.parentElement.open && document.activeElement.parentElement.innerText.length > 100")?;
    is(&open, &json!(true)).map_err(|e| format!("an incident does not unfold: {e}"))
}

/// The page that comes back is another one, whose look is later.
fn by_button(page: &Browser<'_>) -> Done<u128> {
    let begin = std::time::Instant::now();
    page.run("window.__mark = 'before'")?;
    tab_to(page, "#look button")?;
    page.press(ENTER)?;
    eventually("a fresh look comes back as the page", || {
        is(
            &page.run("return [window.__mark || '', location.pathname, Boolean(document.querySelector('header[data-state=\"fine\"]'))]")?,
            &json!(["", "/", true]),
        )
    })?;
    Ok(begin.elapsed().as_millis())
}

fn look_up(page: &Browser<'_>, eyes: &Eyes) -> Done {
    tab_to(page, "#screen")?;
    for key in "system busy".chars() {
        page.press(key)?;
    }
    page.press(ENTER)?;
    eventually("what was looked up comes", || is(&page.run("return location.pathname")?, &json!("/symptom")))?;
    let said = page.text("body")?;
    for wanted in ["You can settle", "The settlement PC says that the system is busy"] {
        holds(said.contains(wanted), format!("without {wanted:?}: {said}"))?;
    }
    let mut wrong = eyes.at(page, "symptom-en")?;
    wrong.extend(strays(page, ORIGIN)?);
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n  ")) }
}

/// The sentence, whom to call and the forms stand in the page itself.
pub(crate) fn without_scripts(driver: &Driver, eyes: &Eyes) -> Done<String> {
    let browser = driver.browser()?;
    browser.devtools("Emulation.setScriptExecutionDisabled", &json!({ "value": true }))?;
    browser.open(&format!("{ORIGIN}?lang=zh-CN"))?;
    let asked: Vec<String> = browser
        .log("performance")?
        .iter()
        .filter_map(|line| serde_json::from_str::<Value>(line["message"].as_str()?).ok())
        .filter(|event| event["message"]["method"] == "Network.requestWillBeSent")
        .filter_map(|event| Some(event["message"]["params"]["request"]["url"].as_str()?.to_owned()))
        .collect();
    holds(!asked.iter().any(|url| url.contains("/v1/changes")), "its script ran, so this shows nothing")?;
    let root = browser.devtools("DOM.getDocument", &json!({}))?["root"]["nodeId"].clone();
    for (selector, wanted) in [
        ("header h1", "可以结算"),
        ("#call", "结算软件公司"),
        ("#look button", "检查"),
        ("#symptom", "screen"),
        ("main svg", "data-layer"),
        ("#recent", ""),
    ] {
        let node = browser.devtools("DOM.querySelector", &json!({ "nodeId": root, "selector": selector }))?["nodeId"].clone();
        let html = browser.devtools("DOM.getOuterHTML", &json!({ "nodeId": node })).map_err(|e| format!("no {selector}: {e}"))?;
        let seen = browser.devtools("DOM.getBoxModel", &json!({ "nodeId": node })).map_err(|e| format!("{selector} is not seen: {e}"))?;
        let there = html["outerHTML"].as_str().is_some_and(|html| html.contains(wanted)) && seen["model"]["height"].as_u64() > Some(0);
        holds(there, format!("{selector} without {wanted:?}: {html}"))?;
    }
    eyes.keep("without-scripts.png", &browser.picture()?)?;
    Ok("all of it stands there".to_owned())
}

/// How soon the first byte comes, on connections of their own. The binary of tests is not an optimised one: a released one is sooner.
pub(crate) fn first_byte(terminal: &Netns) -> Done<String> {
    let mut command = terminal.command("sh");
    let script = format!(
        "for i in $(seq 50); do curl --silent --fail --output /dev/null --write-out '%{{time_starttransfer}}\\n' {ORIGIN} || exit; done"
    );
    command.args(["-c", &script]);
    let said = crate::shell::must(command, "")?;
    let mut times: Vec<f64> = said.out.lines().filter_map(|line| line.parse::<f64>().ok()).map(|seconds| seconds * 1000.0).collect();
    times.sort_by(f64::total_cmp);
    let [best, .., _] = times.as_slice() else { return Err(format!("no times: {}", said.out)) };
    let told = format!("median {:.1} ms, best {best:.1} ms of {}", times[times.len() / 2], times.len());
    if *best <= 10.0 { Ok(told) } else { Err(told) }
}
