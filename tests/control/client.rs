//! The plainest client: bytes out, bytes in.

use serde_json::Value;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The code of an error.
    pub(crate) fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// Sends bytes and takes all that comes back. `None` = the connection ended, or nothing came in time.
pub(crate) fn exchange(socket: &Path, request: &[u8], patience: Duration) -> Option<Vec<u8>> {
    let mut stream = UnixStream::connect(socket).ok()?;
    stream.set_read_timeout(Some(patience)).unwrap();
    stream.set_write_timeout(Some(patience)).unwrap();
    // It may have been shut out already, with an answer on its way.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let ended = stream.read_to_end(&mut answer);
    if ended.is_ok() || !answer.is_empty() { Some(answer) } else { None }
}

/// Asks as a good client does.
pub(crate) fn request(socket: &Path, method: &str, target: &str, body: &[u8]) -> Option<Answer> {
    let mut request = format!("{method} {target} HTTP/1.1\r\nhost: isonet\r\n").into_bytes();
    if !body.is_empty() {
        request.extend(format!("content-length: {}\r\n", body.len()).bytes());
    }
    request.extend(b"\r\n");
    request.extend(body);
    parse(&exchange(socket, &request, Duration::from_secs(20))?)
}

pub(crate) fn parse(answer: &[u8]) -> Option<Answer> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, head, body: answer[end + 4..].to_vec() })
}

/// Asks and insists.
pub(crate) fn get(socket: &Path, target: &str) -> Answer {
    request(socket, "GET", target, b"").unwrap_or_else(|| panic!("no answer to {target} at {}", socket.display()))
}
