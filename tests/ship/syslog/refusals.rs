//! What keeps records from being taken: each time none is counted as taken, it is told for what it is in time, and all arrive once it is mended.

use super::*;
use crate::certificates::Authority;
use crate::peers::address;
use isonet::catalogue::{Lang, hindered};
use isonet::sink::{Beat, Cargo, Hindrance, Lag, Obstacle, Sink};
use isonet::sys::clock::now;
use std::cell::Cell;
use std::fs;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::{JoinHandle, spawn_local};

const RECORDS: usize = 60;
/// In which each hindrance is told: the longest of the sink's own limits, and what a busy machine adds.
const TOLD: Duration = Duration::from_secs(12);

/// Waits until it is hindered so, and by nothing else before.
async fn is_hindered(store: &Store, lag: &Lag, expected: &[Obstacle]) -> String {
    let began = now();
    let trouble = || lag.state(&store.head, &isonet::sys::clock::stamp(), Lang::En).trouble;
    until("it is hindered", || trouble().is_some()).await;
    let told = trouble().unwrap();
    let words = |obstacle| hindered(&Hindrance::new(obstacle, ""), Lang::En).trim_end_matches(" ()").to_owned();
    assert!(expected.iter().any(|obstacle| told.starts_with(&words(*obstacle))), "{told}");
    assert!(began.elapsed() < TOLD, "{:?}: {told}", began.elapsed());
    assert_eq!(store.cursor("test"), 0);
    println!("  after {:.1?}: {told}", began.elapsed());
    told
}

async fn all_taken(store: &Store) {
    until("all was taken", || store.cursor("test") == RECORDS as u64).await;
}

fn all_arrived(mut receiver: Receiver, store: &Store) {
    receiver.stop();
    let mut stored = receiver.stored();
    kills::without_marked_copies(&mut stored);
    are_all(&stored, &store.entries());
}

#[test]
fn a_certificate_that_is_not_right_keeps_everything_here() {
    let (world, store) = (World::new(), Store::with(RECORDS));
    let server = |name, last| Setup { tls: Some(world.authority.signs(&format!("other-{last}"), name, last)), ..world.tls() };
    for (what, wrong) in [("for another name", server("other.example", 2040)), ("expired", server(NAME, 2021))] {
        each(
            || wrong.clone(),
            |kind, mut receiver| {
                println!("{kind:?}, {what}");
                let store = store.again();
                block_on(store.ship(sink(&receiver, Some(files(&world))), async |lag| {
                    is_hindered(&store, lag, &[Obstacle::Certificate]).await;
                    receiver.stop();
                    assert_eq!(receiver.stored(), []);
                    receiver.set(world.tls());
                    receiver.begin();
                    all_taken(&store).await;
                }));
                all_arrived(receiver, &store);
            },
        );
    }
}

#[test]
fn mending_a_file_is_enough() {
    let (world, store, dir) = (World::new(), Store::with(RECORDS), tempfile::tempdir().unwrap());
    let stranger = Authority::new(dir.path(), "stranger");
    let other = stranger.signs("other", "terminal", 2040);
    let client = world.authority.signs("again", "terminal", 2040);
    let given = |file: &str| dir.path().join(file);
    let mine = Files { ca: given("ca"), identity: Some((given("cert"), given("key"))), floor: jiff::Timestamp::UNIX_EPOCH };
    each(
        || world.tls(),
        |kind, receiver| {
            println!("{kind:?}");
            let _ = fs::remove_file(&mine.ca);
            let identity = |pair: &crate::certificates::Pair| {
                fs::copy(&pair.cert, given("cert")).unwrap();
                fs::copy(&pair.key, given("key")).unwrap();
            };
            identity(&other);
            let store = store.again();
            let wait = async |lag: &Lag, expected: &[Obstacle]| {
                until("it is another", || told(&store, lag, expected)).await;
                is_hindered(&store, lag, expected).await
            };
            block_on(store.ship(sink(&receiver, Some(mine.clone())), async |lag| {
                let told = wait(lag, &[Obstacle::Here]).await;
                assert!(told.contains(mine.ca.to_str().unwrap()), "{told}");
                fs::copy(&stranger.file, &mine.ca).unwrap();
                wait(lag, &[Obstacle::Certificate]).await;
                fs::copy(&world.authority.file, &mine.ca).unwrap();
                // GnuTLS in rsyslog closes without a word.
                wait(lag, if kind == Kind::Gtls { &[Obstacle::Broken] } else { &[Obstacle::Identity] }).await;
                identity(&client);
                all_taken(&store).await;
            }));
            all_arrived(receiver, &store);
        },
    );
}

fn told(store: &Store, lag: &Lag, expected: &[Obstacle]) -> bool {
    let trouble = lag.state(&store.head, &isonet::sys::clock::stamp(), Lang::En).trouble;
    let words = |obstacle| hindered(&Hindrance::new(obstacle, ""), Lang::En).trim_end_matches(" ()").to_owned();
    trouble.is_some_and(|told| expected.iter().any(|obstacle| told.starts_with(&words(*obstacle))))
}

#[test]
fn a_receiver_that_does_not_encrypt_gets_nothing_where_it_has_to() {
    let (world, store) = (World::new(), Store::with(RECORDS));
    each(Setup::default, |kind, mut receiver| {
        println!("{kind:?}");
        let store = store.again();
        block_on(store.ship(sink(&receiver, Some(files(&world))), async |lag| {
            is_hindered(&store, lag, &[Obstacle::Silent, Obstacle::Broken, Obstacle::Garbage]).await;
            receiver.stop();
            assert!(receiver.stored().iter().all(|message| !message.header.contains("isonet")));
            receiver.forget();
            receiver.set(world.tls());
            receiver.begin();
            all_taken(&store).await;
        }));
        all_arrived(receiver, &store);
    });
    // The other way round.
    each(
        || world.tls(),
        |kind, receiver| {
            println!("{kind:?}, in the clear to one that encrypts");
            let store = store.again();
            block_on(store.ship(sink(&receiver, None), async |lag| {
                is_hindered(&store, lag, &[Obstacle::Broken, Obstacle::Garbage, Obstacle::Silent]).await;
            }));
        },
    );
}

#[test]
fn a_receiver_that_asks_for_a_certificate_takes_nothing_without() {
    let (world, store) = (World::new(), Store::with(RECORDS));
    each(
        || world.tls(),
        |kind, receiver| {
            println!("{kind:?}");
            let store = store.again();
            let without = Files { identity: None, ..files(&world) };
            block_on(store.ship(sink(&receiver, Some(without)), async |lag| {
                is_hindered(&store, lag, if kind == Kind::Gtls { &[Obstacle::Broken] } else { &[Obstacle::Identity] }).await;
            }));
        },
    );
}

/// How somebody behaves who is no receiver.
#[derive(Debug, Clone, Copy)]
enum Odd {
    Answers,
    NeverReads,
    NeverCloses,
    ClosesAtOnce,
    ClosesAfterSome,
    EndsFirst,
}

async fn odd(listener: TcpListener, manner: Odd) {
    let mut held = Vec::new();
    while let Ok((mut stream, _)) = listener.accept().await {
        match manner {
            Odd::ClosesAtOnce => {}
            Odd::NeverReads => held.push(stream),
            Odd::Answers => drop(spawn_local(async move {
                let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
                stream.read_to_end(&mut Vec::new()).await
            })),
            Odd::NeverCloses => drop(spawn_local(async move {
                let _ = stream.read_to_end(&mut Vec::new()).await;
                std::future::pending::<TcpStream>().await
            })),
            Odd::ClosesAfterSome => drop(stream.read_exact(&mut [0; 100]).await),
            Odd::EndsFirst => drop(spawn_local(async move {
                let _ = stream.shutdown().await;
                stream.read_to_end(&mut Vec::new()).await
            })),
        }
    }
}

/// Listens with a small window, so that little is taken that nobody reads.
fn listening(at: SocketAddr) -> TcpListener {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.bind(at).unwrap();
    socket.listen(16).unwrap()
}

#[test]
fn nobody_who_is_no_receiver_takes_a_record() {
    use Obstacle::{Broken, Garbage, Silent};
    let (world, store) = (World::new(), Store::with(RECORDS));
    let quick = Patience { end: Duration::from_secs(2), ..PATIENCE };
    let table: [(Odd, &[Obstacle], &[Obstacle]); 6] = [
        (Odd::Answers, &[Garbage, Broken], &[Garbage]),
        (Odd::NeverReads, &[Silent], &[Silent]),
        (Odd::NeverCloses, &[Silent], &[Silent]),
        (Odd::ClosesAtOnce, &[Broken], &[Broken]),
        (Odd::ClosesAfterSome, &[Broken], &[Silent, Broken]),
        (Odd::EndsFirst, &[Broken], &[Broken]),
    ];
    for (manner, plain, tls) in table {
        for (encrypted, expected) in [(false, plain), (true, tls)] {
            println!("{manner:?}, encrypted: {encrypted}");
            let (store, at) = (store.again(), address(6514));
            let files = encrypted.then(|| files(&world));
            let sink = SyslogSink::new(To { patience: quick, ..to(at, files) }, open_gate());
            let setup = if encrypted { world.tls() } else { Setup::default() };
            let arrived = block_on(store.ship(sink, async |lag| {
                let peer: JoinHandle<()> = spawn_local(odd(listening(at), manner));
                is_hindered(&store, lag, expected).await;
                peer.abort();
                let _ = peer.await;
                let mut receiver = Receiver::stopped(Kind::Ossl, setup)?.listening_at(at);
                receiver.begin();
                all_taken(&store).await;
                Some(receiver)
            }));
            if let Some(receiver) = arrived {
                all_arrived(receiver, &store);
            }
        }
    }
}

#[test]
fn a_receiver_that_freezes_is_told_in_time_and_has_all_in_the_end() {
    let (world, store) = (World::new(), Store::with(RECORDS));
    each(
        || world.tls(),
        |kind, receiver| {
            println!("{kind:?}");
            let store = store.again();
            receiver.freeze();
            block_on(store.ship(sink(&receiver, Some(files(&world))), async |lag| {
                is_hindered(&store, lag, &[Obstacle::Silent]).await;
                receiver.thaw();
                all_taken(&store).await;
            }));
            all_arrived(receiver, &store);
        },
    );
}

#[test]
fn a_receiver_that_is_stopped_with_a_batch_unread_has_not_taken_it() {
    let (world, store) = (World::new(), Store::with(RECORDS));
    for encrypted in [false, true] {
        each(
            || if encrypted { world.tls() } else { Setup::default() },
            |kind, mut receiver| {
                let entries = store.entries();
                let mut sink = sink(&receiver, encrypted.then(|| files(&world)));
                block_on(async {
                    let beat = Beat(b"{}".as_slice().into());
                    // rsyslog's driver `ossl` once answered a first handshake with what is no TLS at all; a courier comes again, too.
                    let mut known = sink.ship(Cargo { beat: Some(&beat), records: &entries[..1] }).await;
                    if known.accepted == 0 {
                        println!("{kind:?}, at first: {known:?}");
                        known = sink.ship(Cargo { beat: Some(&beat), records: &entries[..1] }).await;
                    }
                    assert_eq!(known.accepted, 1, "{kind:?}: {known:?}");
                    // All of it lies in the kernel's hands when the receiver is told to end.
                    receiver.freeze();
                    let rest = sink.ship(Cargo { beat: None, records: &entries[1..] });
                    tokio::pin!(rest);
                    let early = tokio::time::timeout(Duration::from_millis(300), &mut rest).await;
                    assert!(early.is_err(), "{kind:?}: {early:?}");
                    let stops = std::thread::spawn(move || {
                        receiver.stop();
                        receiver
                    });
                    let shipped = rest.await;
                    let receiver = stops.join().unwrap();
                    let stored = receiver.stored().iter().filter(|message| message.seq > 1).count();
                    println!("{kind:?}, encrypted: {encrypted}: {} taken, {stored} stored, {:?}", shipped.accepted, shipped.hindrance);
                    assert!(stored >= shipped.accepted);
                });
            },
        );
    }
}

#[test]
fn nothing_leaves_by_a_way_that_was_not_enrolled() {
    let store = Store::with(1);
    block_on(async {
        let listener = TcpListener::bind(address(6514)).await.unwrap();
        let shut: Gate = Rc::new(|to| Box::pin(async move { Err(format!("{to} by usb0")) }));
        let mut sink = SyslogSink::new(to(listener.local_addr().unwrap(), None), shut);
        let shipped = sink.ship(Cargo { beat: None, records: &store.entries() }).await;
        assert_eq!((shipped.accepted, shipped.hindrance.unwrap().obstacle), (0, Obstacle::WrongWay));
        assert!(tokio::time::timeout(Duration::from_millis(50), listener.accept()).await.is_err());
    });
}

#[test]
fn signs_of_life_travel_in_front_and_have_no_number() {
    let (world, store) = (World::new(), Store::with(2));
    let (entries, beat) = (store.entries(), Beat(br#"{"schema":"heartbeat/1","terminal":{"id":"t1"}}"#.as_slice().into()));
    each(
        || world.tls(),
        |_, mut receiver| {
            let mut sink = sink(&receiver, Some(files(&world)));
            block_on(async {
                for records in [&entries[..0], &entries[..]] {
                    let shipped = sink.ship(Cargo { beat: Some(&beat), records }).await;
                    assert!(shipped.hindrance.is_none() && shipped.accepted == records.len(), "{shipped:?}");
                }
            });
            receiver.stop();
            let stored = receiver.stored();
            assert_eq!(stored.iter().map(|message| message.seq).collect::<Vec<_>>(), [0, 0, 1, 2]);
            assert!(stored[1].header.contains(" t1 isonet ") && stored[1].header.ends_with(" heartbeat -") && *stored[1].body == *beat.0);
        },
    );
}

/// Passes connections on, and counts what the receiver says in each.
async fn relay(listener: TcpListener, to: SocketAddr, says: Rc<Cell<u64>>) {
    while let Ok((mut here, _)) = listener.accept().await {
        let mut there = TcpStream::connect(to).await.unwrap();
        if let Ok((_, said)) = copy_bidirectional(&mut here, &mut there).await {
            says.set(said);
        }
    }
}

#[test]
fn a_session_is_resumed_where_the_receiver_can() {
    let world = World::new();
    let beat = Beat(b"{}".as_slice().into());
    let without = || Setup { clients: None, ..world.tls() };
    for clients in [true, false] {
        each(
            || if clients { world.tls() } else { without() },
            |kind, receiver| {
                let said = Rc::new(Cell::new(0));
                let local = tokio::task::LocalSet::new();
                let sizes = block_on(local.run_until(async {
                    let listener = TcpListener::bind(address(6514)).await.unwrap();
                    let at = listener.local_addr().unwrap();
                    spawn_local(relay(listener, receiver.at(), Rc::clone(&said)));
                    let files = Files { identity: files(&world).identity.filter(|_| clients), ..files(&world) };
                    let mut sink = SyslogSink::new(to(at, Some(files)), open_gate());
                    let mut sizes = Vec::new();
                    for _ in 0..3 {
                        let shipped = sink.ship(Cargo { beat: Some(&beat), records: &[] }).await;
                        assert!(shipped.hindrance.is_none(), "{kind:?}: {shipped:?}");
                        until("it was counted", || said.get() > 0).await;
                        sizes.push(said.take());
                    }
                    sizes
                }));
                println!("{kind:?}, clients with certificates: {clients}: the receiver said {sizes:?} bytes");
            },
        );
    }
}
