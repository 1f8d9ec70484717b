//! How a connection ends decides whether a batch counts: peers that behave once, so that they are trusted, and then do not.

use super::*;
use crate::peers::address;
use isonet::probe::tls::{certificates, private_key};
use isonet::sink::{Cargo, Obstacle, Sink};
use rustls::ServerConfig;
use std::cell::RefCell;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::{LocalSet, spawn_local};
use tokio_rustls::TlsAcceptor;

/// What a peer does with a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// Reads to our end, and ends its side.
    AfterUs,
    /// Ends its side first, and reads all the same.
    BeforeUs,
    /// Ends its side while a part of what we sent, our end with it, does not fit its memory; then reads it.
    TooSoon,
    /// Breaks it off.
    Breaks,
    /// Reads to our end, and is gone without the `close_notify` that TLS ends with.
    Killed,
}

/// What came over each connection.
type Heard = Rc<RefCell<Vec<String>>>;

async fn all_of(stream: &mut (impl AsyncRead + Unpin), heard: &Heard) {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    heard.borrow_mut().push(String::from_utf8_lossy(&bytes).into_owned());
}

/// Listens, and does with one connection after the other what it is told.
fn peer(at: SocketAddr, ends: Vec<Ends>, tls: Option<TlsAcceptor>) -> Heard {
    let socket = TcpSocket::new_v4().unwrap();
    if ends.contains(&Ends::TooSoon) {
        socket.set_recv_buffer_size(4096).unwrap();
    }
    socket.bind(at).unwrap();
    let (listener, heard) = (socket.listen(16).unwrap(), Heard::default());
    let all = Rc::clone(&heard);
    spawn_local(async move {
        for end in ends {
            let (stream, _) = listener.accept().await.unwrap();
            match &tls {
                None => plain(stream, end, &all).await,
                Some(tls) => {
                    let mut stream = tls.accept(stream).await.unwrap();
                    all_of(&mut stream, &all).await;
                    if end == Ends::AfterUs {
                        stream.shutdown().await.unwrap();
                    }
                }
            }
        }
    });
    heard
}

async fn plain(mut stream: TcpStream, end: Ends, heard: &Heard) {
    match end {
        Ends::AfterUs | Ends::Killed => {}
        Ends::BeforeUs => stream.shutdown().await.unwrap(),
        Ends::TooSoon => {
            // Until all is in the kernel's hands, which nothing tells here.
            tokio::time::sleep(Duration::from_millis(300)).await;
            stream.shutdown().await.unwrap();
        }
        Ends::Breaks => return stream.set_zero_linger().unwrap(),
    }
    all_of(&mut stream, heard).await;
}

fn told(shipped: &isonet::sink::Shipped) -> (usize, Option<Obstacle>) {
    (shipped.accepted, shipped.hindrance.as_ref().map(|hindrance| hindrance.obstacle))
}

#[test]
fn only_an_end_that_answers_ours_counts_and_what_is_sent_again_says_so() {
    use Ends::{AfterUs, BeforeUs, Breaks, TooSoon};
    let entries = Store::with(30).entries();
    for (what, odd) in
        [("ends first", vec![BeforeUs]), ("ends too soon", vec![TooSoon]), ("is not there afterwards", vec![AfterUs, Breaks])]
    {
        println!("one that {what}");
        let before = 1 + odd.iter().filter(|end| **end != Breaks).count();
        block_on(LocalSet::new().run_until(async {
            let at = address(6514);
            let heard = peer(at, [vec![AfterUs], odd, vec![AfterUs; 3]].concat(), None);
            let mut sink = SyslogSink::new(to(at, None), open_gate());
            assert_eq!(told(&sink.ship(Cargo { beat: None, records: &entries[..1] }).await), (1, None));
            let rest = Cargo { beat: None, records: &entries[1..] };
            assert_eq!(told(&sink.ship(rest).await), (0, Some(Obstacle::Broken)), "{what}");
            assert_eq!(told(&sink.ship(rest).await), (29, None), "{what}");
            let again = heard.borrow()[before..].concat();
            assert_eq!((again.matches(" try=\"2\"]").count(), again.matches(" try=\"").count()), (29, 29), "{what}");
        }));
    }
}

#[test]
fn a_receiver_that_took_leave_and_does_not_any_more_is_not_believed_once() {
    use Ends::{AfterUs, Killed};
    let (world, entries) = (World::new(), Store::with(10).entries());
    let (cert, key) = (certificates(&world.server.cert).unwrap(), private_key(&world.server.key).unwrap());
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth().with_single_cert(cert, key).unwrap();
    block_on(LocalSet::new().run_until(async {
        let at = address(6514);
        // It is learnt, ships, dies; then it is one that ends so, which is asked again each time.
        let ends = vec![AfterUs, AfterUs, Killed, Killed, Killed];
        let heard = peer(at, ends, Some(TlsAcceptor::from(Arc::new(config))));
        let mut sink = SyslogSink::new(to(at, Some(files(&world))), open_gate());
        assert_eq!(told(&sink.ship(Cargo { beat: None, records: &entries[..1] }).await), (1, None));
        let rest = Cargo { beat: None, records: &entries[1..] };
        assert_eq!(told(&sink.ship(rest).await), (0, Some(Obstacle::Broken)));
        assert_eq!(told(&sink.ship(rest).await), (9, None));
        let lengths: Vec<bool> = heard.borrow().iter().map(String::is_empty).collect();
        assert_eq!(
            lengths,
            [true, false, false, false, true],
            "nothing before it is known how it ends, and a question after what it ended so"
        );
    }));
}
