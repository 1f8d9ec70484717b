//! Chromium through its own driver: a small client of the W3C `WebDriver` protocol, with the few commands of the driver's own that are needed.
//!
//! Both run inside a namespace, so nothing they do can leave it. The driver only listens on the loopback of that namespace; a relay hands its
//! port out as a socket in a directory.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::shell::{Done, Netns};

/// In a namespace of its own no other program has taken it.
const PORT: u16 = 9515;
/// How long a command may take on a loaded machine.
const PATIENCE: Duration = Duration::from_mins(1);
/// What chromium must not do by itself. Without a sandbox: tests run as root, and it opens nothing but what is tested.
const ARGUMENTS: [&str; 13] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-sync",
    "--no-first-run",
    "--no-pings",
    "--hide-scrollbars",
    // It asks no resolver for anything: a page that names a host gets none.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
];

/// The driver and its relay; ended when dropped, with every browser they started.
pub(crate) struct Driver {
    place: Netns,
    children: Vec<Child>,
    socket: PathBuf,
    home: PathBuf,
}

impl Driver {
    /// Starts it in this namespace; `home` is for what browsers write.
    pub(crate) fn start(place: &Netns, home: &Path) -> Done<Driver> {
        std::fs::create_dir_all(home).map_err(|e| format!("cannot create {}: {e}", home.display()))?;
        let socket = home.join("driver.sock");
        let mut driver = Driver { place: place.clone(), children: Vec::new(), socket, home: home.to_path_buf() };
        let relay = format!("UNIX-LISTEN:{},fork", driver.socket.display());
        driver.spawn("chromedriver", &[&format!("--port={PORT}")])?;
        driver.spawn("socat", &[&relay, &format!("TCP:127.0.0.1:{PORT}")])?;
        crate::check::eventually("the driver is ready", || {
            let ready = driver.ask("GET", "/status", None).is_ok_and(|answer| answer["ready"] == true);
            if ready { Ok(()) } else { Err("it does not answer".to_owned()) }
        })?;
        Ok(driver)
    }

    fn spawn(&mut self, program: &str, words: &[&str]) -> Done {
        let log = std::fs::File::create(self.home.join(format!("{program}.log"))).map_err(|e| format!("cannot write a log: {e}"))?;
        let mut command = self.place.command(program);
        command.args(words).env("HOME", &self.home).env("TMPDIR", &self.home).env_remove("DBUS_SESSION_BUS_ADDRESS").env_remove("DISPLAY");
        command.process_group(0);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
        self.children.push(child.map_err(|e| format!("cannot start {program}: {e}"))?);
        Ok(())
    }

    /// A browser of its own, without a page yet.
    pub(crate) fn browser(&self) -> Done<Browser<'_>> {
        let options = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": { "args": ARGUMENTS },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        } } });
        let session = self.ask("POST", "/session", Some(&options))?;
        let id = session["sessionId"].as_str().ok_or(format!("no session: {session}"))?;
        Ok(Browser { driver: self, at: format!("/session/{id}") })
    }

    /// One command; what it answers.
    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Done<Value> {
        let shown = |e: std::io::Error| format!("{method} {path}: {e}");
        let mut stream = UnixStream::connect(&self.socket).map_err(shown)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(shown)?;
        let body = body.map(Value::to_string).unwrap_or_default();
        // The driver refuses whoever does not call it by a name of this machine.
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost:{PORT}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).map_err(shown)?;
        let mut answer = BufReader::new(stream);
        let mut length = None;
        loop {
            let mut line = String::new();
            answer.read_line(&mut line).map_err(shown)?;
            if line.trim().is_empty() {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse::<u64>().ok();
            }
        }
        let mut bytes = Vec::new();
        answer.take(length.ok_or(format!("{method} {path}: no length"))?).read_to_end(&mut bytes).map_err(shown)?;
        let answer: Value = serde_json::from_slice(&bytes).map_err(|e| format!("{method} {path}: {e}"))?;
        match answer["value"]["error"].as_str() {
            Some(error) => Err(format!("{method} {path}: {error}: {}", first_line(&answer["value"]["message"]))),
            None => Ok(answer["value"].clone()),
        }
    }
}

fn first_line(value: &Value) -> &str {
    value.as_str().and_then(|text| text.lines().next()).unwrap_or_default()
}

impl Drop for Driver {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// One browser with its own profile; closed when dropped.
pub(crate) struct Browser<'a> {
    driver: &'a Driver,
    at: String,
}

impl Browser<'_> {
    fn post(&self, what: &str, body: &Value) -> Done<Value> {
        self.driver.ask("POST", &format!("{}/{what}", self.at), Some(body))
    }

    /// Opens a page and waits until it is loaded.
    pub(crate) fn open(&self, url: &str) -> Done {
        self.post("url", &json!({ "url": url })).map(drop)
    }

    /// Runs a function's body in the page, which may not forbid it: it comes from the driver, not from the page. What it returns.
    pub(crate) fn run(&self, script: &str) -> Done<Value> {
        self.post("execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// The same for a body that calls its last argument when it is done.
    pub(crate) fn run_until_called(&self, script: &str) -> Done<Value> {
        self.post("execute/async", &json!({ "script": script, "args": [] }))
    }

    /// The text of the first element that this selector finds; empty where there is none.
    pub(crate) fn text(&self, selector: &str) -> Done<String> {
        let found = self.run(&format!("const e = document.querySelector({}); return e ? e.innerText : ''", json!(selector)))?;
        Ok(found.as_str().unwrap_or_default().trim().to_owned())
    }

    /// A key as from a keyboard: `\u{e004}` is the tabulator, `\u{e007}` enter.
    pub(crate) fn press(&self, key: char) -> Done {
        let actions = json!([{ "type": "keyDown", "value": key }, { "type": "keyUp", "value": key }]);
        self.post("actions", &json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": actions }] })).map(drop)
    }

    /// A command of the browser's own protocol for developers.
    pub(crate) fn devtools(&self, command: &str, parameters: &Value) -> Done<Value> {
        self.post("goog/cdp/execute", &json!({ "cmd": command, "params": parameters }))
    }

    /// What was logged since this was last asked: `browser` (the console), `performance` (what was requested).
    pub(crate) fn log(&self, kind: &str) -> Done<Vec<Value>> {
        let lines = self.post("se/log", &json!({ "type": kind }))?;
        Ok(lines.as_array().cloned().unwrap_or_default())
    }

    /// How wide the window is, and whether by day or by night.
    pub(crate) fn look(&self, width: u32, dark: bool) -> Done {
        let size = json!({ "width": width, "height": 800, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", &size)?;
        let scheme = if dark { "dark" } else { "light" };
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.devtools("Emulation.setEmulatedMedia", &media).map(drop)
    }

    /// The whole page as a picture (PNG), however long it is.
    pub(crate) fn picture(&self) -> Done<Vec<u8>> {
        let picture = self.devtools("Page.captureScreenshot", &json!({ "format": "png", "captureBeyondViewport": true }))?;
        decoded(&picture["data"])
    }

    /// The uppermost part of the page as a small picture (WebP).
    pub(crate) fn first_screen(&self, width: u32, height: u32) -> Done<Vec<u8>> {
        let clip = json!({ "x": 0, "y": 0, "width": width, "height": height, "scale": 1 });
        let picture = self
            .devtools("Page.captureScreenshot", &json!({ "format": "webp", "quality": 60, "clip": clip, "captureBeyondViewport": true }))?;
        decoded(&picture["data"])
    }

    /// The page on A4 paper (PDF).
    pub(crate) fn paper(&self) -> Done<Vec<u8>> {
        decoded(&self.post("print", &json!({ "page": { "width": 21.0, "height": 29.7 } }))?)
    }
}

impl Drop for Browser<'_> {
    fn drop(&mut self) {
        let _ = self.driver.ask("DELETE", &self.at, None);
    }
}

fn decoded(value: &Value) -> Done<Vec<u8>> {
    let text = value.as_str().ok_or("no picture")?;
    BASE64.decode(text.as_bytes()).map_err(|e| format!("not a picture: {e}"))
}
