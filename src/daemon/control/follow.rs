//! Who follows what happens: the records as they are written, or only that something changed. A follower has a short queue of its own; one
//! that does not keep up is cut off, so that nobody is ever waited for.

use hyper::body::{Body, Bytes, Frame};
use std::cell::RefCell;
use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use tokio::sync::{Notify, mpsc};

/// Followers of the records at once.
const MOST: usize = 8;
/// Of changes, per entrance: pages in a browser, notices on a desktop.
const MOST_VIEWERS: usize = 16;
/// Lines that one may lag behind.
const QUEUE: usize = 64;
/// Said to viewers when something changed: a server-sent event that tells nothing else.
const CHANGED: Bytes = Bytes::from_static(b"data: changed\n\n");

/// All followers of one kind.
pub(super) struct Followers {
    most: usize,
    /// Each is told a change at once, for what happened before it was there.
    greets: bool,
    all: RefCell<Vec<Follower>>,
}

struct Follower {
    lines: mpsc::Sender<Bytes>,
    /// Ends its connection.
    end: Rc<Notify>,
}

impl Followers {
    /// Those of the records.
    pub(super) fn of_records() -> Self {
        Self { most: MOST, greets: false, all: RefCell::default() }
    }

    /// Those who want to know when it is worth asking again.
    pub(super) fn of_changes() -> Self {
        Self { most: MOST_VIEWERS, greets: true, all: RefCell::default() }
    }

    /// One more; `end` is told when it is cut off. `None` = there are enough.
    pub(super) fn join(&self, end: Rc<Notify>) -> Option<Lines> {
        let mut all = self.all.borrow_mut();
        all.retain(|follower| !follower.lines.is_closed());
        if all.len() >= self.most {
            return None;
        }
        let (lines, coming) = mpsc::channel(QUEUE);
        if self.greets {
            // The queue is empty.
            let _ = lines.try_send(CHANGED);
        }
        all.push(Follower { lines, end });
        Some(Lines { coming })
    }

    /// Nobody follows.
    pub(super) fn is_empty(&self) -> bool {
        self.all.borrow().is_empty()
    }

    /// Tells all of them a line.
    pub(super) fn tell(&self, line: &[u8]) {
        if !self.is_empty() {
            self.send(&[line, b"\n"].concat().into());
        }
    }

    /// Tells all of them that something changed.
    pub(super) fn tell_change(&self) {
        self.send(&CHANGED);
    }

    fn send(&self, line: &Bytes) {
        self.all.borrow_mut().retain(|follower| {
            let kept = follower.lines.try_send(line.clone()).is_ok();
            if !kept {
                follower.end.notify_one();
            }
            kept
        });
    }
}

/// The lines that one follower is told, as the body of its answer.
pub(super) struct Lines {
    coming: mpsc::Receiver<Bytes>,
}

impl Body for Lines {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.coming.poll_recv(cx).map(|line| line.map(|line| Ok(Frame::data(line))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_that_lags_is_cut_off_and_the_others_are_told() {
        let followers = Followers::of_records();
        let (lazy, eager) = (Rc::new(Notify::new()), Rc::new(Notify::new()));
        let _lazy_lines = followers.join(Rc::clone(&lazy)).expect("there is room");
        let mut lines = followers.join(Rc::clone(&eager)).expect("there is room");
        for n in 0..=QUEUE {
            followers.tell(format!("{n}").as_bytes());
            assert_eq!(lines.coming.recv().await.expect("it is told"), format!("{n}\n"));
        }
        lazy.notified().await;
        assert_eq!(followers.all.borrow().len(), 1);
    }

    #[test]
    fn there_are_never_too_many_and_those_that_left_do_not_count() {
        let followers = Followers::of_records();
        let mut joined: Vec<_> = (0..MOST).map(|_| followers.join(Rc::default()).expect("there is room")).collect();
        assert!(followers.join(Rc::default()).is_none());
        joined.pop();
        assert!(followers.join(Rc::default()).is_some());
    }
}
