//! The machine monitor of QEMU: one JSON object a line over a socket.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::Done;

/// A command answers within so long, on a loaded machine too.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Qmp {
    lines: BufReader<UnixStream>,
}

impl Qmp {
    pub(crate) fn connect(socket: &Path) -> Done<Qmp> {
        let stream = UnixStream::connect(socket).map_err(|e| format!("QMP: {e}"))?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(|e| format!("QMP: {e}"))?;
        let mut qmp = Qmp { lines: BufReader::new(stream) };
        qmp.line()?;
        qmp.execute("qmp_capabilities", &json!({}))?;
        Ok(qmp)
    }

    /// Does it, and gives what it returned. Events that come in between are of no interest: the guest tells what happened.
    pub(crate) fn execute(&mut self, command: &str, arguments: &Value) -> Done<Value> {
        let text = json!({ "execute": command, "arguments": arguments }).to_string() + "\n";
        self.lines.get_mut().write_all(text.as_bytes()).map_err(|e| format!("QMP {command}: {e}"))?;
        loop {
            let mut answer = self.line()?;
            if let Some(error) = answer.get("error") {
                return Err(format!("QMP {command}: {error}"));
            }
            if let Some(value) = answer.get_mut("return") {
                return Ok(value.take());
            }
        }
    }

    fn line(&mut self) -> Done<Value> {
        let mut text = String::new();
        self.lines.read_line(&mut text).map_err(|e| format!("QMP: {e}"))?;
        serde_json::from_str(&text).map_err(|e| format!("QMP: {e}: {text}"))
    }
}
