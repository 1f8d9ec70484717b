//! The status page while the network is broken and mended: opened once in each language, never loaded again, and held against the record log.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::check::{eventually, is};
use crate::driver::{Browser, Driver};
use crate::lab::Lab;
use crate::look::{Eyes, strays};
use crate::shell::Done;
use crate::state::{HEALTHY, LANGUAGES, SHOWN, State};
use crate::watch::daemon::{Daemon, Seen, now_ms};

/// Where the page is, in the namespace of the daemon.
pub(crate) const ORIGIN: &str = "http://127.0.0.1:8787/";
/// By when a page must show what was recorded.
const SHOWN_MS: u64 = 2_000;
/// How long is waited for what is late, to tell how late.
const LATE_MS: u64 = 8_000;
/// By when a staged fault must be recorded, and its end: no matter of the page, and the lab holds the daemon to it.
const RECORDED_MS: u64 = 60_000;
/// What all of a page may weigh, bytes.
const WEIGHT: u64 = 100 * 1024;

/// The page in one language, open in a browser of its own.
pub(crate) struct Page<'a> {
    pub(crate) browser: Browser<'a>,
    /// As in [`LANGUAGES`].
    language: usize,
}

impl<'a> Page<'a> {
    /// Opens it, with the key if there is one, and marks it so that a second loading would show.
    pub(crate) fn open(driver: &'a Driver, language: usize, key: Option<&str>) -> Done<Page<'a>> {
        let browser = driver.browser()?;
        browser.look(1024, false)?;
        let with = key.map(|key| format!("&key={key}")).unwrap_or_default();
        browser.open(&format!("{ORIGIN}?lang={}{with}", LANGUAGES[language]))?;
        browser.run("window.__mark = 'kept'")?;
        Ok(Page { browser, language })
    }

    fn tag(&self) -> &'static str {
        LANGUAGES[self.language]
    }

    /// Why it does not show this state; empty = it does.
    fn differs(&self, state: &State) -> Done<Vec<String>> {
        let shown = self.browser.run(SHOWN)?;
        let mut wrong = state.wrong(self.language, &shown);
        let more = self.browser.run(
            "return { kind: document.querySelector('header').dataset.state, mark: window.__mark, isolation: document.getElementById('isolation').dataset.isolation, light: document.getElementById('isolation').innerText,\n\
               open: [...document.querySelectorAll('#open li')].map((li) => li.dataset.cause) };",
        )?;
        let open = state.open();
        let wanted = [("kind", json!(state.kind)), ("mark", json!("kept")), ("isolation", json!(state.isolation.0)), ("open", json!(open))];
        for (what, wanted) in wanted {
            if more[what] != wanted {
                wrong.push(format!("{what}: {} instead of {wanted}", more[what]));
            }
        }
        let light = state.isolation.1[self.language];
        if !more["light"].as_str().is_some_and(|text| text.contains(light)) {
            wrong.push(format!("light: {} without {light:?}", more["light"]));
        }
        Ok(wrong)
    }

    /// Unfolds all that can be; which these are. Everything else is folded.
    fn unfold(&self) -> Done<Value> {
        self.browser.run("document.querySelectorAll('details').forEach((one) => { one.open = true; }); return [...document.querySelectorAll('details')].map((one) => one.id)")
    }

    /// Why what was unfolded is not so any more, or what was not is; empty = all is as it was left.
    fn unfolded(&self, left: &Value) -> Done<Vec<String>> {
        let now = self.browser.run(
            "const ids = (what) => [...document.querySelectorAll(what)].map((one) => one.id); return { open: ids('details[open]'), there: ids('details') }",
        )?;
        let ids = |list: &Value| {
            list.as_array().map(|ids| ids.iter().map(ToString::to_string).collect::<std::collections::BTreeSet<_>>()).unwrap_or_default()
        };
        let (open, there) = (ids(&now["open"]), ids(&now["there"]));
        // What fell out of the list cannot be open.
        let wanted: std::collections::BTreeSet<_> = ids(left).intersection(&there).cloned().collect();
        Ok(if open == wanted { Vec::new() } else { vec![format!("{}: open {open:?} instead of {wanted:?}", self.tag())] })
    }

    /// All that a browser fetches for it, bytes.
    fn weight(&self) -> Done<u64> {
        let bytes = self.browser.run_until_called(
            "const done = arguments[arguments.length - 1];\n\
             const all = [location.href, ...[...document.querySelectorAll('link[href], script[src]')].map((one) => one.href || one.src)];\n\
             Promise.all(all.map((one) => fetch(one).then((answer) => answer.arrayBuffer())))\n\
               .then((all) => done(all.length < 4 ? 'style or script is missing' : all.reduce((sum, one) => sum + one.byteLength, 0)),\n\
                 (error) => done(String(error)));",
        )?;
        bytes.as_u64().ok_or(format!("not weighed: {bytes}"))
    }
}

/// The daemon in its terminal, and the page in two browsers there: as a clerk sees it in Chinese, with a key in English.
pub(crate) struct Stand<'a> {
    lab: &'a mut Lab,
    daemon: &'a Daemon,
    pages: [Page<'a>; 2],
    eyes: &'a Eyes,
    /// So many records have been seen.
    judged: usize,
}

impl<'a> Stand<'a> {
    /// Of a terminal that is enrolled.
    pub(crate) fn new(lab: &'a mut Lab, product: &Path, daemon: &'a Daemon, driver: &'a Driver, eyes: &'a Eyes) -> Done<Stand<'a>> {
        enroll(lab, product)?;
        let key = key(lab)?;
        let pages = [Page::open(driver, 0, None)?, Page::open(driver, 1, Some(&key))?];
        // The daemon has to hear of the enrolment and to look again before the separation is one that is watched.
        for page in &pages {
            in_a_minute(|| Ok(page.differs(&HEALTHY)?.join("; "))).map_err(|why| format!("the healthy network is never shown: {why}"))?;
        }
        Ok(Stand { judged: daemon.count(), lab, daemon, pages, eyes })
    }

    /// Nothing staged.
    pub(crate) fn healthy(&self) -> Done<String> {
        self.all_show(&HEALTHY, now_ms())?;
        self.look(&HEALTHY)
    }

    /// One fault from its beginning to its end; what was seen, or all that is wrong.
    pub(crate) fn through(&mut self, state: &State) -> Done<String> {
        state.stage(self.lab)?;
        let named =
            |seen: &Seen| seen.is_incident() && seen.word("/cause/code") == state.name && seen.word("/incident/phase") != "resolved";
        let opened = self.recorded(&named).and_then(|at| self.all_show(state, at));
        let looked = opened.and_then(|late| Ok((late, self.look(state)?)));
        let left = self.pages.iter().map(Page::unfold).collect::<Done<Vec<Value>>>()?;
        self.lab.heal().map_err(|e| format!("the lab itself: not healed: {e}"))?;
        let ended = self.recorded(&|seen: &Seen| seen.word("/incident/phase") == "resolved").and_then(|at| self.all_show(&HEALTHY, at));
        // What the reader unfolded before stands open still, and nothing else.
        let mut wrong = Vec::new();
        for (page, left) in self.pages.iter().zip(&left) {
            wrong.extend(page.unfolded(left)?);
            page.browser.run("document.querySelectorAll('details').forEach((one) => { one.open = false; })")?;
        }
        crate::check::holds(wrong.is_empty(), wrong.join("; "))?;
        let ((late, weight), back) = (looked?, ended.map_err(|e| format!("after it was mended: {e}"))?);
        Ok(format!("shown {late} ms after its record, its end {back} ms; {weight}"))
    }

    /// Waits for a record; when it was on the disk.
    fn recorded(&mut self, wanted: &dyn Fn(&Seen) -> bool) -> Done<u64> {
        let there = self.daemon.shows(self.judged, RECORDED_MS, |log| log.iter().any(wanted));
        let log = self.daemon.after(self.judged);
        if let Some(at) = log.iter().position(wanted).filter(|_| there) {
            self.judged += at + 1;
            return Ok(log[at].at_ms);
        }
        let told: Vec<String> = log.iter().map(|seen| seen.told(0)).collect();
        Err(format!("never recorded: {told:?}; {}", self.daemon.tail()))
    }

    /// Waits until both pages show the state; how long after that moment the later one did.
    fn all_show(&self, state: &State, since_ms: u64) -> Done<u64> {
        let mut latest = 0;
        for page in &self.pages {
            loop {
                // What it takes to look is not the page's.
                let late = now_ms().saturating_sub(since_ms);
                let wrong = page.differs(state)?;
                if wrong.is_empty() {
                    latest = latest.max(late);
                    break;
                }
                if late > LATE_MS {
                    return Err(format!("{}: after {late} ms still {}", page.tag(), wrong.join("; ")));
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        if latest > SHOWN_MS { Err(format!("shown {latest} ms after the record, not within {SHOWN_MS}")) } else { Ok(latest) }
    }

    /// Everything else that must hold in this state.
    fn look(&self, state: &State) -> Done<String> {
        let (mut wrong, mut weights) = (Vec::new(), Vec::new());
        for page in &self.pages {
            wrong.extend(self.eyes.at(&page.browser, &format!("{}-{}", state.name, page.tag()))?);
            let weight = page.weight()?;
            if weight > WEIGHT {
                wrong.push(format!("{}: {weight} bytes", page.tag()));
            }
            weights.push(format!("{} kB", weight / 1024));
            wrong.extend(strays(&page.browser, ORIGIN)?.into_iter().map(|what| format!("{}: {what}", page.tag())));
        }
        if wrong.is_empty() { Ok(weights.join(" and ")) } else { Err(wrong.join("\n  ")) }
    }

    /// When the daemon has ended, both pages say so; `end` ends it.
    pub(crate) fn told_of_the_end(self, end: impl FnOnce() -> Done) -> Done<String> {
        let told = |page: &Page<'_>| page.browser.run("const e = document.getElementById('gone'); return Boolean(e) && e.offsetHeight > 0");
        for page in &self.pages {
            is(&told(page)?, &json!(false)).map_err(|e| format!("{}: told before: {e}", page.tag()))?;
        }
        end()?;
        let ended = now_ms();
        for page in &self.pages {
            eventually("the page says that the watch does not answer", || is(&told(page)?, &json!(true)))?;
        }
        Ok(format!("told within {} ms", now_ms() - ended))
    }
}

/// Waits until nothing is wrong any more.
pub(crate) fn in_a_minute(wrong: impl Fn() -> Done<String>) -> Done {
    let deadline = now_ms() + RECORDED_MS;
    loop {
        let wrong = wrong()?;
        if wrong.is_empty() {
            return Ok(());
        }
        crate::check::holds(now_ms() < deadline, wrong)?;
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// What the terminal is like when all is well is learnt.
pub(crate) fn enroll(lab: &Lab, product: &Path) -> Done {
    let mut command = lab.terminal().command(&product.display().to_string());
    command.arg("--config").arg(lab.path("daemon/isonet.toml")).arg("enroll");
    crate::shell::must(command, "").map(drop)
}

/// What opens the whole page, as root is given it.
pub(crate) fn key(lab: &Lab) -> Done<String> {
    let mut command = lab.terminal().command("curl");
    command.args(["--silent", "--show-error", "--fail", "--request", "POST", "--unix-socket"]).arg(lab.path("daemon/run/control.sock"));
    let said = crate::shell::must(
        {
            command.arg("http://isonet/v1/page-key");
            command
        },
        "",
    )?;
    let told: Value = serde_json::from_str(&said.out).map_err(|e| format!("no key: {e}: {}", said.out))?;
    let url = told["url"].as_str().and_then(|url| url.split_once("key=")).ok_or(format!("no key: {told}"))?;
    Ok(url.1.to_owned())
}
