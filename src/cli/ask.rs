//! Asks the running daemon. A daemon that is dead, slow, too talkative or not the real one is a reason why there is no answer, never a reason
//! to wait longer than one was willing to.

use crate::config::{Config, Owner, run_dirs, state_dir};
use crate::daemon::control::{CONTROL, PUBLIC};
use crate::daemon::retirement;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::http::request::Builder;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::time::{sleep, timeout};

/// Largest document that is read, bytes: several times what the largest terminal has to tell.
pub(super) const DOCUMENT: usize = 1 << 20;
/// Between two tries where the daemon's queue of clients is full.
const AGAIN: Duration = Duration::from_millis(20);

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Silence {
    /// Nobody is there.
    NotRunning,
    /// Somebody is there, and this user may not ask.
    NotPermitted,
    /// Whoever is there is neither root nor ours.
    Stranger(PathBuf),
    /// It took too long.
    Slow,
    /// It was said why not: the code and the words.
    Refused(String, String),
    /// What came is no answer.
    Broken(String),
}

/// Where daemons may be.
#[derive(Debug, Clone)]
pub(super) struct Daemon {
    dirs: Vec<PathBuf>,
    state: Option<PathBuf>,
}

/// Which of the sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Through {
    /// The one for root and the group.
    Control,
    /// That one, or else the one for everybody.
    Either,
    /// The one for everybody, whoever asks.
    Public,
}

impl Daemon {
    pub(super) fn of(config: &Config) -> Self {
        let env = |name: &str| std::env::var(name).ok();
        // Whoever asks may be another user than the service's.
        let own = || state_dir(config, Owner::of_process(), env);
        let states = [state_dir(config, Owner::Root, env), own()].into_iter().flatten();
        let state = states.into_iter().find(|state| retirement::is_noted(state)).or_else(own);
        Self { dirs: run_dirs(config, Owner::of_process(), env), state }
    }

    /// Where its state is.
    pub(super) fn state(&self) -> Option<&Path> {
        self.state.as_deref()
    }

    /// Where there should be one, for people.
    pub(super) fn place(&self) -> String {
        self.dirs.first().map(|dir| dir.display().to_string()).unwrap_or_default()
    }

    /// Asks and takes the whole answer, of at most `most` bytes and within `patience`.
    pub(super) async fn get(&self, target: &str, through: Through, most: usize, patience: Duration) -> Result<Bytes, Silence> {
        self.whole(Request::get(target), Bytes::new(), through, most, patience).await
    }

    /// Gives an order and takes the whole answer, as [`get`](Self::get) does.
    pub(super) async fn post(&self, target: &str, body: Vec<u8>, most: usize, patience: Duration) -> Result<Bytes, Silence> {
        self.whole(Request::post(target), body.into(), Through::Control, most, patience).await
    }

    async fn whole(&self, request: Builder, body: Bytes, through: Through, most: usize, patience: Duration) -> Result<Bytes, Silence> {
        let asked = async {
            let answer = self.send(request, body, through).await?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), most).collect().await.map_err(|e| Silence::Broken(e.to_string()))?;
            let body = body.to_bytes();
            if status.is_success() { Ok(body) } else { Err(refused(&body).unwrap_or_else(|| Silence::Broken(status.to_string()))) }
        };
        timeout(patience, asked).await.unwrap_or(Err(Silence::Slow))
    }

    /// Asks and gives the beginning of the answer.
    pub(super) async fn begin(&self, target: &str, through: Through) -> Result<Response<Incoming>, Silence> {
        self.send(Request::get(target), Bytes::new(), through).await
    }

    async fn send(&self, request: Builder, body: Bytes, through: Through) -> Result<Response<Incoming>, Silence> {
        let stream = self.reach(through).await?;
        let broken = |error: hyper::Error| Silence::Broken(error.to_string());
        let (mut send, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        tokio::spawn(connection);
        let request = request.header("host", "isonet").body(Full::new(body));
        send.send_request(request.map_err(|error| Silence::Broken(error.to_string()))?).await.map_err(broken)
    }

    async fn reach(&self, through: Through) -> Result<UnixStream, Silence> {
        let names: &[&str] = match through {
            Through::Control => &[CONTROL],
            Through::Either => &[CONTROL, PUBLIC],
            Through::Public => &[PUBLIC],
        };
        let mut silence = Silence::NotRunning;
        let paths: Vec<PathBuf> = self.dirs.iter().flat_map(|dir| names.iter().map(move |name| dir.join(name))).collect();
        for path in paths {
            match connect(&path).await {
                Ok(stream) if is_trusted(&stream, &path) => return Ok(stream),
                Ok(_) => silence = Silence::Stranger(path),
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => silence = Silence::NotPermitted,
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {}
                Err(error) => silence = Silence::Broken(error.to_string()),
            }
        }
        Err(silence)
    }
}

/// Connects; where the queue is full it tries again until the caller's patience ends.
async fn connect(path: &Path) -> io::Result<UnixStream> {
    loop {
        match UnixStream::connect(path).await {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => sleep(AGAIN).await,
            connected => return connected,
        }
    }
}

/// Root, ourselves, or whoever owns the directory in which nobody else can put a socket: what anybody else says is not believed.
fn is_trusted(stream: &UnixStream, path: &Path) -> bool {
    let Ok(peer) = stream.peer_cred() else { return false };
    let own = rustix::process::geteuid().as_raw();
    let owner = path.parent().and_then(|dir| std::fs::metadata(dir).ok()).filter(|dir| dir.mode() & 0o002 == 0).map(|dir| dir.uid());
    peer.uid() == 0 || peer.uid() == own || owner == Some(peer.uid())
}

/// What an error says.
fn refused(body: &[u8]) -> Option<Silence> {
    let told: serde_json::Value = serde_json::from_slice(body).ok()?;
    let text = |key: &str| told.get("error")?.get(key)?.as_str().map(str::to_owned);
    Some(Silence::Refused(text("code")?, text("text")?))
}
