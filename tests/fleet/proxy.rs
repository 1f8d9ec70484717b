//! What stands between an agent and a receiver, and breaks in all the ways that networks do.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use isonet::sys::stream::{self, End};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{LocalSet, spawn_local};

use crate::Done;

/// How it behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Carries everything.
    Carries,
    /// Resets what is open and what comes.
    Cuts,
    /// Carries nothing for a while, either way; what was underway arrives afterwards.
    Hole,
    /// Carries what goes in; what comes back (acknowledgements) is lost.
    Mute,
    /// Carries what comes back; what goes in is lost.
    Deaf,
    /// What is open carries nothing inward for a while, and then delivers, however late; what comes is carried.
    Delays,
    /// What is open is dead for ever and nobody is told, as after another address was given; what comes is carried.
    Forgets,
}

/// One that runs until it is dropped.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    mood: watch::Sender<(u64, Mood)>,
    renewed: Renewed,
}

/// Bytes that are replaced, and by what.
type Rename = Option<(&'static [u8], &'static [u8])>;

/// How many bytes came in by connections that began in the mood that is.
type Renewed = Arc<AtomicUsize>;

impl Proxy {
    /// On a port of its own, to `upstream`. With `rename`, these bytes on the way in are replaced by others of the same length.
    pub(crate) fn start(upstream: SocketAddr, rename: Rename) -> Done<Self> {
        let (mood, moods) = watch::channel((0, Mood::Carries));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").map_err(|e| format!("no port: {e}"))?;
        listener.set_nonblocking(true).map_err(|e| e.to_string())?;
        let address = listener.local_addr().map_err(|e| e.to_string())?;
        let renewed = Renewed::default();
        let counted = renewed.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            LocalSet::new().block_on(&runtime, async move {
                let listener = TcpListener::from_std(listener).expect("a listener");
                let mut end = moods.clone();
                loop {
                    tokio::select! {
                        come = listener.accept() => if let Ok((client, _)) = come {
                            spawn_local(carry(client, upstream, moods.clone(), rename, counted.clone()));
                        },
                        changed = end.changed() => if changed.is_err() { return },
                    }
                }
            });
        });
        Ok(Self { address, mood, renewed })
    }

    pub(crate) fn be(&self, mood: Mood) {
        self.renewed.store(0, Ordering::Relaxed);
        self.mood.send_modify(|now| *now = (now.0 + 1, mood));
    }

    /// How many bytes came in by connections that are younger than the mood.
    pub(crate) fn renewed(&self) -> usize {
        self.renewed.load(Ordering::Relaxed)
    }
}

async fn carry(client: TcpStream, upstream: SocketAddr, moods: watch::Receiver<(u64, Mood)>, rename: Rename, renewed: Renewed) {
    if moods.borrow().1 == Mood::Cuts {
        return reset(&client);
    }
    let Ok(server) = TcpStream::connect(upstream).await else { return reset(&client) };
    let delivered = Cell::new(false);
    let mut cut = moods.clone();
    let both = async {
        tokio::try_join!(
            async {
                if pipe(&client, &server, &moods, Mood::Deaf, (rename, Some(&renewed))).await? == Carried::All {
                    end(&server)?;
                    delivered.set(true);
                }
                Ok(())
            },
            async {
                match pipe(&server, &client, &moods, Mood::Mute, (None, None)).await? {
                    // An end that crossed ours says nothing of what was under way.
                    Carried::All if delivered.get() && matches!(stream::end(&server), Ok(End::Whole)) => end(&client),
                    // Whoever has ended answers what still comes with a reset; an end that came by a network would not have covered what was lost.
                    Carried::All => Err(io::ErrorKind::ConnectionReset.into()),
                    Carried::Less => Ok(()),
                }
            }
        )
    };
    let is_broken = tokio::select! {
        carried = both => carried.is_err(),
        _ = cut.wait_for(|(_, mood)| *mood == Mood::Cuts) => true,
    };
    if is_broken {
        reset(&client);
        reset(&server);
    }
}

/// How much of a direction was carried until its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Carried {
    All,
    Less,
}

/// One direction. In the mood that loses its bytes it takes what comes and gives nothing; a connection that lost bytes is dead from then on, which its
/// ends find out by themselves.
async fn pipe(
    from: &TcpStream,
    to: &TcpStream,
    moods: &watch::Receiver<(u64, Mood)>,
    loses: Mood,
    (rename, renewed): (Rename, Option<&Renewed>),
) -> io::Result<Carried> {
    let mut bytes = vec![0; 64 << 10];
    let mut carried = Carried::All;
    let (mut moods, born) = (moods.clone(), moods.borrow().0);
    loop {
        let inward = loses == Mood::Deaf;
        let held = |(now, mood): &(u64, Mood)| *mood == Mood::Hole || (*mood == Mood::Delays && inward && *now != born);
        from.readable().await?;
        if moods.wait_for(|mood| !held(mood)).await.is_err() {
            return Ok(Carried::Less);
        }
        let length = match from.try_read(&mut bytes) {
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error),
        };
        // What was lost once is followed by nothing: a stream with a hole in it is no TCP.
        let (now, mood) = *moods.borrow();
        if mood == loses || (mood == Mood::Forgets && now != born) {
            carried = Carried::Less;
        }
        if length == 0 {
            return Ok(carried);
        }
        if carried == Carried::Less {
            continue;
        }
        if let Some(renewed) = renewed.filter(|_| now == born) {
            renewed.fetch_add(length, Ordering::Relaxed);
        }
        let part = &mut bytes[..length];
        if let Some((old, new)) = rename {
            replace(part, old, new);
        }
        let mut part = &*part;
        while !part.is_empty() {
            // One that is gone is told of by what comes from it, in its turn: before that may come what it sent and what is held back.
            if to.writable().await.is_err() {
                return Ok(Carried::Less);
            }
            match to.try_write(part) {
                Ok(written) => part = &part[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return Ok(Carried::Less),
            }
        }
    }
}

/// Ends our side.
fn end(stream: &TcpStream) -> io::Result<()> {
    socket2::SockRef::from(stream).shutdown(std::net::Shutdown::Write)
}

fn replace(bytes: &mut [u8], old: &[u8], new: &[u8]) {
    let mut at = 0;
    while let Some(found) = bytes[at..].windows(old.len()).position(|part| part == old) {
        bytes[at + found..at + found + old.len()].copy_from_slice(new);
        at += found + old.len();
    }
}

fn reset(stream: &TcpStream) {
    let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
}
