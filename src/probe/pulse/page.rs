//! The request of a pulse for a page: written once, and an answer read no further than to know its status and that it is whole.
//!
//! Only plain answers are settled here. What is not (pieces of unannounced length, a preliminary answer, what cannot be parsed) is for
//! [`http::get`](crate::probe::http::get), over a connection of its own.

use crate::probe::http::{LARGEST_BODY, plain_request};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use url::Url;

/// Longest head that is read here.
const LARGEST_HEAD: usize = 8 * 1024;
const MOST_HEADERS: usize = 64;
/// Read at once: most answers to a question after health are smaller.
const PIECE: usize = 1024;

/// A request, ready to be sent.
pub(super) struct Request(Vec<u8>);

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Page {
    /// A whole answer, or the head of a refusal.
    Status(u16),
    /// None, or not to its end.
    Broken,
    /// Something that wants a closer look.
    Unclear,
}

impl Request {
    pub(super) fn new(url: &Url) -> Self {
        Self(plain_request(url))
    }

    /// Asks over `stream`.
    pub(super) async fn send<S: AsyncRead + AsyncWrite + Unpin>(&self, mut stream: S, patience: Duration) -> Page {
        let exchange = async {
            if stream.write_all(&self.0).await.is_err() || stream.flush().await.is_err() {
                return Page::Broken;
            }
            read(&mut stream).await
        };
        timeout(patience, exchange).await.unwrap_or(Page::Broken)
    }
}

async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> Page {
    let mut head = Vec::with_capacity(PIECE);
    loop {
        // Room for as much again, wherever the answer was cut into pieces.
        head.reserve(PIECE);
        match stream.read_buf(&mut head).await {
            Ok(0) | Err(_) => return Page::Broken,
            Ok(_) => {}
        }
        match parse(&head) {
            Head::Partial if head.len() < LARGEST_HEAD => {}
            Head::Partial | Head::Unclear => return Page::Unclear,
            Head::Refusal(status) => return Page::Status(status),
            Head::Success { status, length, body } => return rest(stream, status, length, head, body).await,
        }
    }
}

/// Reads a body to its announced end, or to the end of the connection. It begins at `body` of what is there.
async fn rest<S: AsyncRead + Unpin>(stream: &mut S, status: u16, length: Option<u64>, mut piece: Vec<u8>, body: usize) -> Page {
    let mut read = piece.len() - body;
    let wanted = length.map_or(LARGEST_BODY, |length| usize::try_from(length).map_or(LARGEST_BODY, |length| length.min(LARGEST_BODY)));
    while read < wanted {
        piece.clear();
        match stream.read_buf(&mut piece).await {
            Ok(0) if length.is_none() => break,
            Ok(0) | Err(_) => return Page::Broken,
            Ok(more) => read += more,
        }
    }
    Page::Status(status)
}

/// What the beginning of an answer says.
#[derive(Debug, PartialEq, Eq)]
enum Head {
    Partial,
    /// Its body is of no interest.
    Refusal(u16),
    /// The body begins at `body`; its length, if it is announced.
    Success {
        status: u16,
        length: Option<u64>,
        body: usize,
    },
    Unclear,
}

fn parse(bytes: &[u8]) -> Head {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let body = match response.parse(bytes) {
        Ok(httparse::Status::Complete(body)) => body,
        Ok(httparse::Status::Partial) => return Head::Partial,
        Err(_) => return Head::Unclear,
    };
    let named = |name: &'static str| response.headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name));
    let mut lengths = named("content-length").map(|header| std::str::from_utf8(header.value).ok()?.trim().parse().ok());
    let (length, second) = (lengths.next(), lengths.next());
    match (response.code, length) {
        (Some(204 | 205), _) => Head::Success { status: response.code.unwrap_or_default(), length: Some(0), body },
        (Some(200..300), Some(None)) => Head::Unclear,
        (Some(200..300), _) if second.is_some() || named("transfer-encoding").next().is_some() => Head::Unclear,
        (Some(status @ 200..300), length) => Head::Success { status, length: length.flatten(), body },
        (Some(status @ 300..), _) => Head::Refusal(status),
        (Some(_) | None, _) => Head::Unclear,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::duplex;

    async fn ask(answer: &[u8]) -> Page {
        let request = Request::new(&Url::parse("http://settle.centre.example/health").expect("a URL"));
        let (ours, mut theirs) = duplex(128 * 1024);
        let server = async {
            let mut asked = [0; 1024];
            let length = theirs.read(&mut asked).await.expect("a request");
            assert!(asked[..length].starts_with(b"GET /health HTTP/1.1\r\nhost: settle.centre.example\r\n"));
            theirs.write_all(answer).await.expect("taken");
            drop(theirs);
        };
        tokio::join!(request.send(ours, Duration::from_secs(2)), server).0
    }

    #[tokio::test]
    async fn a_whole_answer_has_a_status() {
        assert_eq!(ask(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await, Page::Status(200));
        assert_eq!(ask(b"HTTP/1.0 200 OK\r\n\r\nuntil the end").await, Page::Status(200));
        assert_eq!(ask(b"HTTP/1.1 204 No Content\r\n\r\n").await, Page::Status(204));
        assert_eq!(ask(b"HTTP/1.1 503 No\r\nContent-Length: 100\r\n\r\nhalf").await, Page::Status(503));
        assert_eq!(ask(format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(100_000)).as_bytes()).await, Page::Status(200));
    }

    #[tokio::test]
    async fn an_answer_cut_short_is_broken() {
        assert_eq!(ask(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf").await, Page::Broken);
        assert_eq!(ask(b"HTTP/1.1 200 OK\r\nContent-").await, Page::Broken);
        assert_eq!(ask(b"").await, Page::Broken);
    }

    #[tokio::test]
    async fn what_is_not_plain_wants_a_closer_look() {
        assert_eq!(ask(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n").await, Page::Unclear);
        assert_eq!(ask(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok").await, Page::Unclear);
        assert_eq!(ask(b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok").await, Page::Unclear);
        assert_eq!(ask(b"HTTP/1.1 100 Continue\r\n\r\n").await, Page::Unclear);
        assert_eq!(ask(b"SSH-2.0-OpenSSH_9.2\r\n").await, Page::Unclear);
        assert_eq!(ask(format!("HTTP/1.1 200 OK\r\nX: {}", "a".repeat(20_000)).as_bytes()).await, Page::Unclear);
    }

    mod any_bytes {
        use super::*;
        use crate::testing::{cases, hostile};
        use proptest::prelude::*;

        proptest! {
            #![proptest_config(cases())]

            #[test]
            fn of_a_web_server_never_put_the_body_outside(bytes in hostile(vec![b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec()], 300)) {
                if let Head::Success { body, .. } = parse(&bytes) {
                    prop_assert!(body <= bytes.len());
                }
            }
        }
    }
}
