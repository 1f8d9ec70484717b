//! What this program does when it is started again by a test: the centre beyond the router, a client of a socket, and a local user who means
//! no good.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::process::ExitCode;
use std::time::Duration;

use futures_util::StreamExt;
use rustix::net::netlink::{KOBJECT_UEVENT, SocketAddrNetlink};
use rustix::net::{AddressFamily, SendFlags, SocketType, sendto, socket};

/// The first argument of such a start.
pub(crate) const WORD: &str = "inside";

/// Does it, if that is what this start is for.
pub(crate) fn asked() -> Option<ExitCode> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        [WORD, "centre", at] => centre(at),
        [WORD, "ask", socket, request] => ask(socket, request),
        [WORD, "crowd", socket, seconds] => {
            crowd(socket, seconds.parse().unwrap_or(5));
            Ok(())
        }
        [WORD, "desktop", log] => desktop(log),
        [WORD, "uevent", pid] => uevent(pid.parse().unwrap_or(0)),
        [WORD, "datagram", socket, text] => datagram(socket, text),
        [WORD, ..] => Err("not understood".to_owned()),
        _ => return None,
    };
    Some(match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            println!("{why}");
            ExitCode::FAILURE
        }
    })
}

/// Answers every page.
fn centre(at: &str) -> Result<(), String> {
    let listener = TcpListener::bind(at).map_err(|e| e.to_string())?;
    for mut stream in listener.incoming().flatten() {
        std::thread::spawn(move || {
            let mut asked = [0; 2048];
            if stream.read(&mut asked).is_ok_and(|length| length > 0) {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n");
            }
        });
    }
    Ok(())
}

/// Sends these bytes (`\n` for a line's end), prints the answer.
fn ask(socket: &str, request: &str) -> Result<(), String> {
    let mut stream = UnixStream::connect(socket).map_err(|e| e.to_string())?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).map_err(|e| e.to_string())?;
    stream.write_all(request.replace("\\n", "\r\n").as_bytes()).map_err(|e| e.to_string())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(|e| e.to_string())?;
    println!("{answer}");
    Ok(())
}

/// Comes again and again, from several threads: some hold on half-way, some talk nonsense, some never take the answer. Prints how often it came.
fn crowd(socket: &str, seconds: u64) {
    let begin = std::time::Instant::now();
    let goes_on = move || begin.elapsed() < Duration::from_secs(seconds);
    let long_head = format!("GET /v1/status HTTP/1.1\r\nX: {}\r\n", "x".repeat(100_000));
    let tricks: Vec<Vec<u8>> = vec![
        Vec::new(),
        b"GET /v1/sta".to_vec(),
        b"GET /v1/status HTTP/1.1\r\nHost: isonet\r\n\r\n".to_vec(),
        vec![0xff; 4096],
        long_head.into_bytes(),
        b"POST /v1/status HTTP/1.1\r\nHost: isonet\r\nContent-Length: 999999999999\r\n\r\n".to_vec(),
        b"GET /v1/status HTTP/1.1\r\nHost: isonet\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n".to_vec(),
        b"GET /../../etc/shadow HTTP/1.0\r\n\r\n".to_vec(),
    ];
    let threads: Vec<_> = tricks
        .into_iter()
        .map(|trick| {
            let socket = socket.to_owned();
            std::thread::spawn(move || {
                let (mut held, mut came) = (std::collections::VecDeque::new(), 0_u64);
                while goes_on() {
                    let Ok(mut stream) = UnixStream::connect(&socket) else { continue };
                    let _ = stream.set_write_timeout(Some(Duration::from_millis(100)));
                    let _ = stream.write_all(&trick);
                    held.push_back(stream);
                    came += 1;
                    if held.len() > 100 {
                        held.pop_front();
                    }
                }
                came
            })
        })
        .collect();
    let came: u64 = threads.into_iter().map(|thread| thread.join().unwrap_or(0)).sum();
    println!("{came}");
}

/// An event of the kernel that is none, to everybody and to one process. Fails where neither was taken.
fn uevent(pid: u32) -> Result<(), String> {
    let forged = b"add@/devices/usb1/1-1\0ACTION=add\0DEVPATH=/devices/usb1/1-1\0SUBSYSTEM=usb\0DEVTYPE=usb_device\0SEQNUM=1\0";
    let netlink = socket(AddressFamily::NETLINK, SocketType::RAW, Some(KOBJECT_UEVENT)).map_err(|e| e.to_string())?;
    let send = |to| sendto(&netlink, forged, SendFlags::empty(), &to).map_err(|e| e.to_string());
    let (everybody, one) = (send(SocketAddrNetlink::new(0, 1)), send(SocketAddrNetlink::new(pid, 0)));
    everybody.or(one).map(drop)
}

/// Shows notices, as far as the session's bus can tell: a line of the file for each, urgency, summary, body.
fn desktop(log: &str) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
    runtime.block_on(shown(log)).map_err(|e| e.to_string())
}

async fn shown(log: &str) -> Result<(), Box<dyn std::error::Error>> {
    let bus = zbus::connection::Builder::session().build().await?;
    let mut calls = zbus::MessageStream::from(&bus);
    bus.request_name("org.freedesktop.Notifications").await?;
    let mut id = 0_u32;
    while let Some(call) = calls.next().await {
        let call = call?;
        let header = call.header();
        match header.member().map(zbus::names::MemberName::as_str) {
            Some("Notify") => {
                type Notify = (String, u32, String, String, String, Vec<String>, HashMap<String, zbus::OwnedVariant>, i32);
                let (_, _, _, summary, body, _, hints, _): Notify = call.body().deserialize()?;
                let mut file = std::fs::OpenOptions::new().create(true).append(true).open(log)?;
                let urgency = hints.get("urgency").map(|urgency| u8::try_from(urgency.clone()));
                writeln!(file, "{urgency:?} | {summary} | {}", body.replace('\n', " / "))?;
                id += 1;
                bus.reply(&header, &id).await?;
            }
            Some("GetCapabilities") => bus.reply(&header, &vec!["body"]).await?,
            _ if call.message_type() == zbus::message::Type::MethodCall => bus.reply(&header, &()).await?,
            _ => {}
        }
    }
    Ok(())
}

fn datagram(socket: &str, text: &str) -> Result<(), String> {
    let sender = UnixDatagram::unbound().map_err(|e| e.to_string())?;
    sender.send_to(text.replace("\\n", "\n").as_bytes(), socket).map(drop).map_err(|e| e.to_string())
}
