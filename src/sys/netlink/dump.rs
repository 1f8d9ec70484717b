//! A dump of the kernel's, whole or not at all.
//!
//! A dump is a series of messages that ends with a closing one. The kernel marks it as interrupted when the list changed under its hands:
//! an entry may then be missing or be there twice, and the only remedy is to ask again. A series without its end is no answer either:
//! what is not in half a list is not gone.

use crate::model::Unseen;
use futures_util::{Stream, StreamExt};
use rtnetlink::packet_core::{NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use rtnetlink::packet_route::RouteNetlinkMessage;
use std::io;
use std::time::Duration;

/// The longest a dump may take, all tries together. It takes well under a millisecond; the bound is against a kernel that lost our request.
pub(super) const DUMP_TIMEOUT: Duration = Duration::from_millis(1500);
/// Tries while the list keeps changing. A network that is being set up changes it for some milliseconds, a try takes a fraction of one.
const TRIES: usize = 16;
/// Entries of one list. A terminal has tens, a box with full tables a million, and those say nothing about a terminal.
const MOST: usize = 65_536;

/// Why a list was not had whole.
#[derive(Debug, thiserror::Error)]
enum Broken {
    /// It changed while it was read.
    #[error("the list kept changing while it was read")]
    Interrupted,
    /// It ended before its end.
    #[error("the answer was cut short")]
    Cut,
    /// It has more entries than are kept.
    #[error("more than {MOST} entries")]
    TooMany,
    /// The kernel refused.
    #[error("{0}")]
    Refused(io::Error),
    /// It could not be sent.
    #[error("{0}")]
    Unsent(rtnetlink::Error),
}

/// Asks for a list until it comes whole, and says why when it does not.
pub(super) async fn whole(
    handle: &rtnetlink::Handle,
    name: &str,
    request: RouteNetlinkMessage,
) -> Result<Vec<RouteNetlinkMessage>, Unseen> {
    let told = |why: &dyn std::fmt::Display| Unseen::Error(format!("{name}: {why}"));
    let tries = async {
        for _ in 1..TRIES {
            match once(handle, &request).await {
                // Whoever changes the list needs the processor, too.
                Err(Broken::Interrupted) => tokio::task::yield_now().await,
                ended => return ended,
            }
        }
        once(handle, &request).await
    };
    match tokio::time::timeout(DUMP_TIMEOUT, tries).await {
        Ok(ended) => ended.map_err(|why| told(&why)),
        Err(_) => Err(told(&"no answer from the kernel")),
    }
}

async fn once(handle: &rtnetlink::Handle, request: &RouteNetlinkMessage) -> Result<Vec<RouteNetlinkMessage>, Broken> {
    let mut message = NetlinkMessage::from(request.clone());
    message.header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    gather(handle.clone().request(message).map_err(Broken::Unsent)?).await
}

/// All entries of one answer. The mark may be on any message, also on the closing one.
async fn gather(answer: impl Stream<Item = NetlinkMessage<RouteNetlinkMessage>>) -> Result<Vec<RouteNetlinkMessage>, Broken> {
    let mut answer = std::pin::pin!(answer);
    let mut entries = Vec::new();
    let mut interrupted = false;
    while let Some(message) = answer.next().await {
        interrupted |= message.header.flags & NLM_F_DUMP_INTR != 0;
        match message.payload {
            NetlinkPayload::InnerMessage(_) if entries.len() == MOST => return Err(Broken::TooMany),
            NetlinkPayload::InnerMessage(entry) => entries.push(entry),
            NetlinkPayload::Done(done) if done.code < 0 => return Err(refused(done.code)),
            NetlinkPayload::Done(_) => return if interrupted { Err(Broken::Interrupted) } else { Ok(entries) },
            NetlinkPayload::Error(error) => return Err(refused(error.code.map_or(0, std::num::NonZero::get))),
            NetlinkPayload::Overrun(_) => return Err(Broken::Interrupted),
            _ => {}
        }
    }
    Err(Broken::Cut)
}

/// The kernel gives error numbers below zero.
fn refused(code: i32) -> Broken {
    Broken::Refused(io::Error::from_raw_os_error(code.saturating_neg()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;
    use rtnetlink::packet_core::{DoneMessage, ErrorMessage, NetlinkHeader};
    use rtnetlink::packet_route::link::LinkMessage;

    fn message(flags: u16, payload: NetlinkPayload<RouteNetlinkMessage>) -> NetlinkMessage<RouteNetlinkMessage> {
        let mut header = NetlinkHeader::default();
        header.flags = flags;
        NetlinkMessage::new(header, payload)
    }

    fn entry(flags: u16) -> NetlinkMessage<RouteNetlinkMessage> {
        message(flags, NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(LinkMessage::default())))
    }

    fn done(flags: u16, code: i32) -> NetlinkMessage<RouteNetlinkMessage> {
        let mut done = DoneMessage::default();
        done.code = code;
        message(flags, NetlinkPayload::Done(done))
    }

    fn gathered(messages: Vec<NetlinkMessage<RouteNetlinkMessage>>) -> Result<usize, Broken> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(gather(stream::iter(messages))).map(|entries| entries.len())
    }

    #[test]
    fn a_list_that_came_whole_is_believed() {
        assert_eq!(gathered(vec![entry(0), entry(0), done(0, 0)]).expect("whole"), 2);
        assert_eq!(gathered(vec![done(0, 0)]).expect("empty, and whole"), 0);
    }

    #[test]
    fn a_list_that_changed_meanwhile_is_not() {
        let marks = [vec![entry(NLM_F_DUMP_INTR), entry(0), done(0, 0)], vec![entry(0), done(NLM_F_DUMP_INTR, 0)]];
        for messages in marks {
            assert!(matches!(gathered(messages), Err(Broken::Interrupted)));
        }
    }

    #[test]
    fn half_a_list_is_not_a_short_one() {
        assert!(matches!(gathered(vec![entry(0)]), Err(Broken::Cut)));
        assert!(matches!(gathered(Vec::new()), Err(Broken::Cut)));
    }

    #[test]
    fn the_kernels_refusal_keeps_its_words() {
        let mut error = ErrorMessage::default();
        error.code = std::num::NonZeroI32::new(-libc::EPERM);
        for last in [message(0, NetlinkPayload::Error(error)), done(0, -libc::EPERM)] {
            let why = gathered(vec![entry(0), last]).expect_err("refused");
            assert!(why.to_string().contains("not permitted"), "{why}");
        }
    }

    #[test]
    fn a_list_without_end_is_given_up() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let endless = stream::repeat_with(|| entry(0));
        assert!(matches!(runtime.block_on(gather(endless)), Err(Broken::TooMany)));
    }
}
