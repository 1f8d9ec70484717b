//! HTTP/1.1: one GET of the configured address, its status, its times and the server's date.
//!
//! Any status is an answer; the inference judges it. No `Accept-Encoding` is sent and no encoding is undone, so a compressed bomb stays
//! closed; no redirect is followed, a head has at most 64 kB and 256 lines, and at most [`LARGEST_BODY`] of the body is read. A hostile
//! server can cost no more than that and the deadline.

use super::stream::{Tallied, Tally, Wall};
use super::{tcp, tls};
use crate::model::{Failure, FailureKind, HttpFacts, Outcome, Reply, Unseen};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONNECTION, CONTENT_TYPE, DATE, HOST, HeaderMap, HeaderName, LOCATION, USER_AGENT};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use std::cell::Cell;
use std::convert::Infallible;
use std::error::Error;
use std::future::pending;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout};
use url::{Position, Url};

/// Most of a body that is read; a maintenance marker further down is not seen.
pub const LARGEST_BODY: usize = 64 * 1024;

/// Most of an answer's head.
const LARGEST_HEAD: usize = 64 * 1024;
const MOST_HEADERS: usize = 256;

/// Most characters kept of `Location`.
const LONGEST_LOCATION: usize = 512;

/// Bytes that make a request span several full packets.
const PADDING: usize = 3000;

/// How this program calls itself to servers.
const AGENT: &str = concat!("isonet/", env!("CARGO_PKG_VERSION"));

/// Asks for `url` over `stream` and reads the answer. `marker` is the text in the body that means maintenance.
pub async fn get<S>(stream: S, url: &Url, marker: Option<&str>, wall: Wall, patience: Duration) -> Outcome<HttpFacts>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let request = match request(Method::GET, url, None) {
        Ok(request) => request,
        Err(why) => return Outcome::Unknown(why),
    };
    let mut seen = Seen::default();
    let exchange = Exchange::new(stream, wall, marker);
    let (begun, tally) = (exchange.begun, exchange.tally.clone());
    let result = timeout(patience, exchange.run(request, Depth::Body, &mut seen)).await;
    let elapsed = begun.elapsed();
    let failed = |kind| Outcome::Failed(Failure { kind, elapsed });
    match (seen.head, result) {
        // The answer is there, but its body ends before its announced end. What an error page lacks is of no interest.
        (Some(head), Ok(Err(kind))) if (200..300).contains(&head.status) && kind != FailureKind::TooLarge => failed(kind),
        (Some(head), _) => {
            let first_byte = tally.received().first.map_or(elapsed, |first| first - begun);
            Outcome::Ok(HttpFacts {
                status: head.status,
                first_byte,
                total: elapsed,
                maintenance: seen.maintenance,
                location: head.location,
                date_offset_s: head.date_offset_s,
            })
        }
        (None, Ok(Err(kind))) => failed(kind),
        (None, Ok(Ok(())) | Err(_)) => failed(FailureKind::Silence),
    }
}

/// Asks for the same over a connection whose peer is not trusted, only for its `Date`: server minus ours, seconds.
pub async fn date_offset<S>(stream: S, url: &Url, wall: Wall, patience: Duration) -> Option<i64>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let request = request(Method::GET, url, None).ok()?;
    let mut seen = Seen::default();
    // Whether it ends in time, in order or not at all: the head is there or it is not.
    let _ = timeout(patience, Exchange::new(stream, wall, None).run(request, Depth::Head, &mut seen)).await;
    seen.head?.date_offset_s
}

/// A request that spans several full packets.
#[derive(Debug, Clone, Copy)]
pub enum Large<'a> {
    /// A GET with a long header: any server that answers it has received it whole.
    Header(&'a Url),
    /// A POST of so many bytes to a place that swallows them.
    Body(&'a Url, u32),
}

/// Sends a large request over `stream`. Any status proves that it arrived.
pub async fn upload<S>(stream: S, large: Large<'_>, wall: Wall, patience: Duration) -> Outcome<Reply>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let request = match large {
        Large::Header(url) => request(Method::GET, url, Some(&Padding::Header)),
        Large::Body(url, bytes) => request(Method::POST, url, Some(&Padding::Body(bytes))),
    };
    let request = match request {
        Ok(request) => request,
        Err(why) => return Outcome::Unknown(why),
    };
    let mut seen = Seen::default();
    let exchange = Exchange::new(stream, wall, None);
    let begun = exchange.begun;
    let result = timeout(patience, exchange.run(request, Depth::Head, &mut seen)).await;
    let elapsed = begun.elapsed();
    match (seen.head, result) {
        (Some(_), _) => Outcome::Ok(Reply::once(elapsed)),
        (None, Ok(Err(kind))) => Outcome::Failed(Failure { kind, elapsed }),
        (None, Ok(Ok(())) | Err(_)) => Outcome::Failed(Failure { kind: FailureKind::Silence, elapsed }),
    }
}

/// Largest body sent in an upload test, whatever is configured.
const LARGEST_UPLOAD: u32 = 1024 * 1024;

enum Padding {
    Header,
    Body(u32),
}

fn request(method: Method, url: &Url, padding: Option<&Padding>) -> Result<Request<Full<Bytes>>, Unseen> {
    // Never the user information of the address: it would be sent in the clear, or to an impostor.
    let host = &url[Position::BeforeHost..Position::AfterPort];
    let mut builder = Request::builder()
        .method(method)
        .uri(&url[Position::BeforePath..Position::AfterQuery])
        .header(HOST, host)
        .header(USER_AGENT, AGENT)
        .header(ACCEPT, "*/*")
        .header(CONNECTION, "close");
    let mut body = Bytes::new();
    match padding {
        None => {}
        Some(Padding::Header) => builder = builder.header(HeaderName::from_static("x-padding"), "0".repeat(PADDING)),
        Some(Padding::Body(bytes)) => {
            builder = builder.header(CONTENT_TYPE, "application/octet-stream");
            body = vec![b'0'; usize::try_from((*bytes).min(LARGEST_UPLOAD)).unwrap_or(PADDING)].into();
        }
    }
    builder.body(Full::new(body)).map_err(|error| Unseen::Error(format!("ask for {url}: {error}")))
}

/// The same request as [`get`] sends, as it goes over the wire.
pub(super) fn plain_request(url: &Url) -> Vec<u8> {
    let (path, host) = (&url[Position::BeforePath..Position::AfterQuery], &url[Position::BeforeHost..Position::AfterPort]);
    format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nuser-agent: {AGENT}\r\naccept: */*\r\nconnection: close\r\n\r\n").into_bytes()
}

/// How far to read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    Head,
    Body,
}

/// What has been seen so far; kept outside the exchange, so that it survives the deadline.
#[derive(Default)]
struct Seen {
    head: Option<Head>,
    maintenance: bool,
}

struct Head {
    status: u16,
    location: Option<String>,
    date_offset_s: Option<i64>,
}

struct Exchange<'a, S> {
    stream: Tallied<S>,
    tally: Tally,
    begun: Instant,
    wall: Wall,
    marker: Option<&'a str>,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Exchange<'a, S> {
    fn new(stream: S, wall: Wall, marker: Option<&'a str>) -> Self {
        let stream = Tallied::new(stream);
        Self { tally: stream.tally(), stream, begun: Instant::now(), wall, marker }
    }

    async fn run(self, request: Request<Full<Bytes>>, depth: Depth, seen: &mut Seen) -> Result<(), FailureKind> {
        let tally = self.tally;
        let (mut sender, connection) = http1::Builder::new()
            .max_buf_size(LARGEST_HEAD)
            .max_headers(MOST_HEADERS)
            .handshake(TokioIo::new(self.stream))
            .await
            .map_err(|error| kind(&error, &tally))?;
        // Its errors also reach the request or the body, unless it ended before there was one.
        let ended = Cell::new(None);
        let drive = async {
            ended.set(connection.await.err());
            pending::<Infallible>().await
        };
        let failed = |error: hyper::Error| match ended.take() {
            Some(earlier) if error.is_canceled() => kind(&earlier, &tally),
            Some(_) | None => kind(&error, &tally),
        };
        let exchange = async {
            let response = sender.send_request(request).await.map_err(failed)?;
            seen.head = Some(head(&response, self.wall));
            match depth {
                Depth::Head => Ok(()),
                Depth::Body => body(response.into_body(), self.marker, &mut seen.maintenance).await.map_err(failed),
            }
        };
        tokio::select! {
            result = exchange => result,
            never = drive => match never {},
        }
    }
}

/// Reads up to [`LARGEST_BODY`] and looks for the marker in what is there, piece by piece, because the deadline may come between.
async fn body(mut body: Incoming, marker: Option<&str>, maintenance: &mut bool) -> Result<(), hyper::Error> {
    let marker = marker.map(str::as_bytes).filter(|marker| !marker.is_empty());
    let mut read = 0;
    // The end of what was read, as long as a marker that began in it could be.
    let mut tail = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        let data = &data[..data.len().min(LARGEST_BODY - read)];
        read += data.len();
        if let Some(marker) = marker {
            tail.extend_from_slice(data);
            *maintenance |= tail.windows(marker.len()).any(|window| window == marker);
            tail.drain(..tail.len().saturating_sub(marker.len() - 1));
        }
        if read == LARGEST_BODY {
            break;
        }
    }
    Ok(())
}

fn head(response: &Response<Incoming>, wall: Wall) -> Head {
    let headers = response.headers();
    let location = || {
        let text = String::from_utf8_lossy(headers.get(LOCATION)?.as_bytes());
        Some(text.chars().filter(|c| !c.is_control()).take(LONGEST_LOCATION).collect())
    };
    Head { status: response.status().as_u16(), location: location(), date_offset_s: offset(headers, wall.now()) }
}

/// The server's `Date` minus `now`, seconds.
fn offset(headers: &HeaderMap, now: Timestamp) -> Option<i64> {
    let date = headers.get(DATE)?.to_str().ok()?;
    let theirs = jiff::fmt::rfc2822::DateTimeParser::new().relaxed_weekday(true).parse_timestamp(date).ok()?;
    Some(theirs.as_second() - now.as_second())
}

/// What an error of the library says.
fn kind(error: &hyper::Error, tally: &Tally) -> FailureKind {
    let received = tally.received().bytes;
    // The library tells this one apart only in its text.
    if error.is_parse() && error.to_string().contains("too large") {
        return FailureKind::TooLarge;
    }
    if let Some(io) = io_error(error) {
        return tls::alert_within(io).unwrap_or_else(|| tcp::lost(io, received));
    }
    // The peer spoke before it was asked, or left.
    if let Some(earlier) = error.source().filter(|_| error.is_canceled()).and_then(|source| source.downcast_ref()) {
        return kind(earlier, tally);
    }
    if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
        return FailureKind::Closed { received, reset: false };
    }
    FailureKind::Garbage("not-http".to_owned())
}

fn io_error(error: &hyper::Error) -> Option<&io::Error> {
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(io) = inner.downcast_ref() {
            return Some(io);
        }
        source = inner.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Depth, Exchange, LONGEST_LOCATION, Seen, get, offset, request};
    use crate::model::{FailureKind, HttpFacts, Outcome};
    use crate::probe::stream::Wall;
    use hyper::Method;
    use hyper::header::{DATE, HOST, HeaderMap, HeaderValue};
    use std::time::Duration;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use url::Url;

    fn wall() -> Wall {
        Wall::new("2026-11-22T05:00:00Z".parse().unwrap())
    }

    async fn server(mut stream: DuplexStream, answer: &[u8]) {
        let mut request = [0; 4096];
        let asked = stream.read(&mut request).await.unwrap();
        assert!(request[..asked].starts_with(b"GET /health HTTP/1.1\r\n"));
        stream.write_all(answer).await.unwrap();
    }

    async fn ask(answer: &[u8]) -> Outcome<HttpFacts> {
        let url = Url::parse("http://settle.centre.example/health").unwrap();
        let (ours, theirs) = duplex(128 * 1024);
        tokio::join!(get(ours, &url, Some("维护"), wall(), Duration::from_secs(2)), server(theirs, answer)).0
    }

    #[tokio::test]
    async fn any_status_is_an_answer() {
        let seen = ask(b"HTTP/1.1 302 Found\r\nLocation: http://portal.example/\r\nDate: Sun, 22 Nov 2026 05:10:00 GMT\r\n\r\n").await;
        let facts = seen.ok().unwrap();
        assert_eq!((facts.status, facts.location.as_deref(), facts.maintenance), (302, Some("http://portal.example/"), false));
        assert_eq!(facts.date_offset_s, Some(600));
    }

    #[tokio::test]
    async fn the_marker_is_found_across_pieces() {
        let answer = "HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nab维a\r\n4\r\nb维\r\n3\r\n护\r\n0\r\n\r\n";
        assert!(ask(answer.as_bytes()).await.ok().unwrap().maintenance);
    }

    #[tokio::test]
    async fn a_body_cut_short_is_a_failure_of_a_success_only() {
        let cut = |status: &str| format!("HTTP/1.1 {status}\r\nContent-Length: 100\r\n\r\nhalf");
        let seen = ask(cut("200 OK").as_bytes()).await;
        assert!(matches!(seen.failure().unwrap().kind, FailureKind::Closed { reset: false, .. }), "{seen:?}");
        assert_eq!(ask(cut("503 No").as_bytes()).await.ok().unwrap().status, 503);
    }

    #[tokio::test]
    async fn what_is_not_http_is_garbage_and_an_end_is_an_end() {
        assert_eq!(ask(b"SSH-2.0-OpenSSH_9.2\r\n").await.failure().unwrap().kind, FailureKind::Garbage("not-http".to_owned()));
        assert_eq!(ask(b"").await.failure().unwrap().kind, FailureKind::Closed { received: 0, reset: false });
    }

    #[tokio::test]
    async fn a_head_without_end_is_too_large() {
        let endless = format!("HTTP/1.1 200 OK\r\nX: {}", "a".repeat(100 * 1024));
        assert_eq!(ask(endless.as_bytes()).await.failure().unwrap().kind, FailureKind::TooLarge);
    }

    #[tokio::test]
    async fn the_head_is_enough_where_only_the_head_is_wanted() {
        let url = Url::parse("http://settle.centre.example/health").unwrap();
        let (ours, theirs) = duplex(1024);
        let mut seen = Seen::default();
        let asked = request(Method::GET, &url, None).unwrap();
        let exchange = Exchange::new(ours, wall(), None).run(asked, Depth::Head, &mut seen);
        let (result, ()) = tokio::join!(exchange, server(theirs, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"));
        assert!(result.is_ok());
        assert_eq!(seen.head.unwrap().status, 200);
    }

    #[test]
    fn the_user_information_of_an_address_is_never_sent() {
        let url = Url::parse("https://user:secret@settle.centre.example:8443/health?a=1#top").unwrap();
        let asked = request(Method::GET, &url, None).unwrap();
        assert_eq!(asked.uri(), "/health?a=1");
        assert_eq!(asked.headers()[HOST], "settle.centre.example:8443");
        assert!(!format!("{:?}", asked.headers()).contains("secret"));
    }

    #[test]
    fn a_date_that_is_none_says_nothing() {
        let now = wall().now();
        let with = |date: &'static str| HeaderMap::from_iter([(DATE, HeaderValue::from_static(date))]);
        assert_eq!(offset(&HeaderMap::new(), now), None);
        assert_eq!(offset(&with("yesterday"), now), None);
        assert_eq!(offset(&with("Sun, 22 Nov 2026 04:00:00 GMT"), now), Some(-3600));
    }

    mod any_bytes {
        use super::*;
        use crate::testing::{cases, hostile};
        use proptest::prelude::*;
        use std::cell::RefCell;

        thread_local! {
            static RUNTIME: RefCell<tokio::runtime::Runtime> =
                RefCell::new(tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap());
        }

        fn seeds() -> Vec<Vec<u8>> {
            [
                "HTTP/1.1 302 Found\r\nLocation: http://portal.example/\r\nDate: Sun, 22 Nov 2026 05:10:00 GMT\r\nContent-Length: 2\r\n\r\nok",
                "HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nab\u{7ef4}a\r\n4\r\nb\u{7ef4}\r\n0\r\n\r\n",
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.0 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f",
            ]
            .map(|text| text.as_bytes().to_vec())
            .to_vec()
        }

        async fn peer(mut stream: DuplexStream, answer: &[u8]) {
            let mut request = [0; 1024];
            // Whether the client listens to the end is its own affair.
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(answer).await;
        }

        proptest! {
            #![proptest_config(cases())]

            #[test]
            fn of_a_web_server_are_an_answer_or_a_failure(answer in hostile(seeds(), 400)) {
                let url = Url::parse("http://settle.centre.example/health").unwrap();
                let seen = RUNTIME.with_borrow(|runtime| runtime.block_on(async {
                    let (ours, theirs) = duplex(16 * 1024);
                    let looked = get(ours, &url, Some("\u{7ef4}\u{62a4}"), wall(), Duration::from_secs(5));
                    tokio::join!(looked, peer(theirs, &answer)).0
                }));
                match seen {
                    Outcome::Ok(facts) => {
                        prop_assert!((100..1000).contains(&facts.status));
                        let steers = |text: &String| text.chars().count() > LONGEST_LOCATION || text.chars().any(char::is_control);
                        prop_assert!(!facts.location.as_ref().is_some_and(steers));
                    }
                    Outcome::Failed(failure) => prop_assert!(failure.kind != FailureKind::Silence, "it ended, and nobody waited"),
                    Outcome::Unknown(why) => prop_assert!(false, "our own failure: {why:?}"),
                }
            }

            #[test]
            fn of_a_date_are_a_time_or_none(date in hostile(vec![b"Sun, 22 Nov 2026 05:10:00 GMT".to_vec()], 60)) {
                let mut headers = HeaderMap::new();
                if let Ok(value) = HeaderValue::from_bytes(&date) {
                    headers.insert(DATE, value);
                    let _ = offset(&headers, wall().now());
                }
            }
        }
    }
}
