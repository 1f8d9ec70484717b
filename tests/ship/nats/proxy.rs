//! Stands between a sink and a nats-server and makes the line bad: loses acknowledgements, cuts anywhere, swallows everything.

use crate::dice::Dice;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What it does to the line; may be changed at any time.
pub struct Faults {
    /// Of a thousand acknowledgements so many are lost.
    pub lose: AtomicU64,
    /// Connections are cut after at most so many bytes from the client; 0 = never.
    pub cut: AtomicU64,
    /// Nothing comes through, in either direction, and nothing is cut.
    pub swallow: AtomicBool,
    /// What the client says is kept back, and delivered when this ends, however long the client is gone by then.
    pub hold: AtomicBool,
    /// Things that servers said so far.
    pub said: AtomicU64,
    /// Acknowledgements lost so far.
    pub lost: AtomicU64,
    /// Connections cut so far.
    pub cuts: AtomicU64,
    dice: Mutex<Dice>,
}

impl Faults {
    fn below(&self, most: u64) -> u64 {
        self.dice.lock().expect("nobody panicked").below(most)
    }
}

/// A way to a server.
pub struct Proxy {
    /// Where it listens.
    pub at: SocketAddr,
    /// What it does.
    pub faults: Arc<Faults>,
}

impl Proxy {
    /// To this server; a good line at first.
    pub fn to(server: SocketAddr, seed: u64) -> Self {
        let listener = TcpListener::bind(crate::peers::address(4222)).expect("an address of our own");
        let faults = Arc::new(Faults {
            lose: 0.into(),
            cut: 0.into(),
            swallow: false.into(),
            hold: false.into(),
            said: 0.into(),
            lost: 0.into(),
            cuts: 0.into(),
            dice: Mutex::new(Dice::new(seed)),
        });
        let proxy = Self { at: listener.local_addr().expect("it is bound"), faults: Arc::clone(&faults) };
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // As a server that is not there.
                let Ok(server) = TcpStream::connect(server) else { continue };
                let pair = |stream: &TcpStream| stream.try_clone().expect("a socket");
                let (up, down) = ((pair(&client), pair(&server)), (server, client));
                let (out, back) = (Arc::clone(&faults), Arc::clone(&faults));
                thread::spawn(move || outward(&out, up.0, up.1));
                thread::spawn(move || homeward(&back, down.0, down.1));
            }
        });
        proxy
    }
}

fn outward(faults: &Faults, mut client: TcpStream, mut server: TcpStream) {
    let cut = faults.cut.load(Ordering::Relaxed);
    let mut left = if cut == 0 { usize::MAX } else { usize::try_from(faults.below(cut)).expect("small") };
    let mut bytes = [0; 4096];
    while let Ok(read @ 1..) = client.read(&mut bytes) {
        if faults.swallow.load(Ordering::Relaxed) {
            continue;
        }
        if faults.hold.load(Ordering::Relaxed) {
            return late(faults, client, &mut server, bytes[..read].to_vec());
        }
        let goes = read.min(left);
        if server.write_all(&bytes[..goes]).is_err() {
            break;
        }
        left -= goes;
        if left == 0 {
            faults.cuts.fetch_add(1, Ordering::Relaxed);
            break;
        }
    }
    let _ = (client.shutdown(Shutdown::Both), server.shutdown(Shutdown::Both));
}

/// Keeps all that still comes, and delivers it when it is time. The connection to the server stays.
fn late(faults: &Faults, mut client: TcpStream, server: &mut TcpStream, mut kept: Vec<u8>) {
    let _ = client.read_to_end(&mut kept);
    while faults.hold.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(5));
    }
    let _ = server.write_all(&kept);
}

fn homeward(faults: &Faults, mut server: TcpStream, mut client: TcpStream) {
    let (mut seen, mut bytes) = (Vec::new(), [0; 4096]);
    'connection: while let Ok(read @ 1..) = server.read(&mut bytes) {
        seen.extend_from_slice(&bytes[..read]);
        while let Some(length) = whole(&seen) {
            let said: Vec<u8> = seen.drain(..length).collect();
            faults.said.fetch_add(1, Ordering::Relaxed);
            let acknowledges = said.windows(10).any(|bytes| bytes == b"{\"stream\":");
            if acknowledges && faults.below(1000) < faults.lose.load(Ordering::Relaxed) {
                faults.lost.fetch_add(1, Ordering::Relaxed);
            } else if !faults.swallow.load(Ordering::Relaxed) && client.write_all(&said).is_err() {
                break 'connection;
            }
        }
    }
    let _ = (client.shutdown(Shutdown::Both), server.shutdown(Shutdown::Both));
}

/// How long the first thing is that a server said; `None` = there is more to come.
fn whole(seen: &[u8]) -> Option<usize> {
    let line = seen.iter().position(|b| *b == b'\n')? + 1;
    let text = String::from_utf8_lossy(&seen[..line]);
    let message = text.starts_with("MSG ") || text.starts_with("HMSG ");
    let body = if message { text.split_ascii_whitespace().last()?.parse::<usize>().ok()? + 2 } else { 0 };
    (seen.len() >= line + body).then_some(line + body)
}
