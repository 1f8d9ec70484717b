//! `isonet page`: what the launcher on the desktop runs. The status page where there is one; where the service does not answer, one look, shown
//! as a file of this user's own.

use super::ask::{DOCUMENT, Daemon, Through};
use super::grammar::{Global, clean};
use super::{IO, complain, diagnose, runtime};
use crate::catalogue::Lang;
use crate::config::{Config, WebListen};
use crate::report;
use crate::sys::files;
use http_body_util::Empty;
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::ffi::OsStr;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Somebody waits before the screen.
const PATIENCE: Duration = Duration::from_secs(3);
/// As long as a look by hand takes at most.
const DEADLINE: Duration = Duration::from_secs(10);
/// What opens a page, the desktop's own choice first.
const OPENERS: [&str; 2] = ["xdg-open", "x-www-browser"];

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// 只打印网页的地址或文件，不打开 / Print the address or the file, open nothing
    #[arg(long)]
    print: bool,
}

pub fn run(global: &Global, arguments: &Arguments) -> u8 {
    show(global, arguments).err().unwrap_or(0)
}

fn show(global: &Global, arguments: &Arguments) -> Result<(), u8> {
    let config = global.load_places()?;
    let lang = global.lang(config.language);
    let address = runtime()?.block_on(alive(&config));
    let target = match address {
        Some(at) => format!("http://{at}/"),
        None => kept(global, lang)?.display().to_string(),
    };
    if arguments.print { super::print(&format!("{target}\n")) } else { open(&target, lang) }
}

/// Where the page is, if the service and its page both answer.
async fn alive(config: &Config) -> Option<SocketAddr> {
    let WebListen::Address(listen) = config.web.listen else { return None };
    let daemon = Daemon::of(config);
    daemon.get("/v1/status", Through::Either, DOCUMENT, PATIENCE).await.ok()?;
    let at = here(listen);
    timeout(PATIENCE, answers(at)).await.ok()?.map(|()| at)
}

/// By which address this PC itself reaches what listens at all of them.
fn here(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

async fn answers(at: SocketAddr) -> Option<()> {
    let stream = TcpStream::connect(at).await.ok()?;
    let (mut send, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    tokio::spawn(connection);
    let request = Request::get("/").header("host", at.to_string()).body(Empty::<Bytes>::new()).ok()?;
    send.send_request(request).await.ok()?.status().is_success().then_some(())
}

/// Looks once and keeps the page where only this user can read it.
fn kept(global: &Global, lang: Lang) -> Result<PathBuf, u8> {
    let loaded = global.load()?;
    let (diagnosis, facing) = diagnose::take(global, loaded, DEADLINE, lang)?;
    let page = report::to_html(&diagnosis, &facing, lang);
    write(&page, |name| std::env::var_os(name).map(PathBuf::from)).map_err(|error| {
        complain(&lang.pick(format!("isonet: 网页没有写成：{error}"), format!("isonet: the page cannot be written: {error}")));
        IO
    })
}

fn write(page: &str, env: impl Fn(&str) -> Option<PathBuf>) -> io::Result<PathBuf> {
    let usable = |name: &str| env(name).filter(|path| path.is_absolute());
    let above = usable("XDG_RUNTIME_DIR").or_else(|| usable("XDG_CACHE_HOME")).or_else(|| usable("HOME").map(|home| home.join(".cache")));
    let above = above.ok_or_else(|| io::Error::other("XDG_RUNTIME_DIR, XDG_CACHE_HOME, HOME: -"))?;
    let dir = above.join("isonet");
    match std::fs::DirBuilder::new().recursive(false).mode(0o700).create(&dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        done => done?,
    }
    let there = std::fs::symlink_metadata(&dir)?;
    if !there.is_dir() || there.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::other(format!("{}: not a directory of this user", clean(&dir.display().to_string()))));
    }
    std::fs::set_permissions(&dir, PermissionsExt::from_mode(0o700))?;
    let file = dir.join("check.html");
    files::replace_as(&file, page.as_bytes(), 0o600)?;
    Ok(file)
}

/// By whatever opens pages here.
fn open(target: &str, lang: Lang) -> Result<(), u8> {
    if OPENERS.iter().any(|opener| opens(opener, target.as_ref())) {
        return Ok(());
    }
    let target = clean(target);
    complain(&lang.pick(
        format!("isonet: 这里没有能打开网页的程序（找过 xdg-open、x-www-browser）。请在浏览器里打开：{target}"),
        format!("isonet: nothing here opens a page (xdg-open and x-www-browser were tried). Open this in a browser: {target}"),
    ));
    Err(IO)
}

fn opens(opener: &str, target: &OsStr) -> bool {
    let mut command = Command::new(Path::new(opener));
    command.arg(target).stdin(Stdio::null()).stdout(Stdio::null());
    command.status().is_ok_and(|ended| ended.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_listens_everywhere_is_asked_here() {
        assert_eq!(here("0.0.0.0:8787".parse().expect("an address")).to_string(), "127.0.0.1:8787");
        assert_eq!(here("[::]:1".parse().expect("an address")).to_string(), "[::1]:1");
        assert_eq!(here("127.0.0.1:8080".parse().expect("an address")).to_string(), "127.0.0.1:8080");
    }

    #[test]
    fn the_file_is_this_users_alone_and_no_link_leads_it_elsewhere() {
        let dir = tempfile::tempdir().expect("a directory can be made");
        let above = dir.path().join("run");
        let env = |name: &str| (name == "XDG_RUNTIME_DIR").then(|| above.clone());
        let file = write("<html>", env).expect("it is written");
        let mode = |path: &Path| std::fs::metadata(path).expect("it is there").mode() & 0o777;
        assert_eq!((mode(&file), mode(&above.join("isonet"))), (0o600, 0o700));
        assert_eq!(write("again", env).expect("it is written anew"), file);
        assert_eq!(std::fs::read_to_string(&file).expect("it is there"), "again");

        std::fs::remove_dir_all(above.join("isonet")).expect("it goes");
        std::fs::create_dir(dir.path().join("elsewhere")).expect("a directory can be made");
        std::os::unix::fs::symlink(dir.path().join("elsewhere"), above.join("isonet")).expect("a link can be made");
        assert!(write("page", env).is_err());
        assert!(write("page", |_| Some("relative".into())).is_err());
    }
}
