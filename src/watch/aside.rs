//! Reading that may block, beside the daemon's thread.
//!
//! All watchers look on the same minute. What they read then is read by one thread, one after the other, and told together when there is no more: so
//! the processor is woken once for all and not twice for each. Whoever has waited for [`LONG`] waits for one that hangs: then what has been read is
//! told at once, and another thread takes over what is waiting.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot::{self, error::RecvError};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// A look that takes longer is held up by another's.
const LONG: Duration = Duration::from_secs(1);

/// Reads, and gives what tells whoever asked for it.
type Job = Box<dyn FnOnce() -> Tell + Send>;
type Tell = Box<dyn FnOnce() + Send>;

/// What is to be read and what has been, for the watchers of one thread.
#[derive(Default)]
struct Table {
    waiting: VecDeque<Job>,
    read: Vec<Tell>,
    /// The number of the reader that takes what is waiting; those before it hang, and take nothing more when they do not any longer.
    reader: Option<u64>,
    readers: u64,
}

thread_local! {
    static TABLE: Arc<Mutex<Table>> = Arc::default();
}

/// Reads on another thread. An error says that it broke off. Must be called within a tokio runtime.
pub async fn aside<T: Send + 'static>(read: impl FnOnce() -> T + Send + 'static) -> Result<T, RecvError> {
    let (tell, mut told) = oneshot::channel();
    let table = TABLE.with(Arc::clone);
    let job: Job = Box::new(move || {
        let found = read();
        // Who asked may not wait any more.
        Box::new(move || drop(tell.send(found)))
    });
    lock(&table).waiting.push_back(job);
    begin(&table);
    loop {
        match timeout(LONG, &mut told).await {
            Ok(found) => return found,
            Err(_) => pass_over(&table),
        }
    }
}

/// Sees to it that somebody reads.
fn begin(table: &Arc<Mutex<Table>>) {
    let mut at = lock(table);
    if at.reader.is_some() || at.waiting.is_empty() {
        return;
    }
    at.readers += 1;
    let number = at.readers;
    at.reader = Some(number);
    drop(at);
    let table = Arc::clone(table);
    drop(spawn_blocking(move || read_all(&table, number)));
}

/// The reader hangs: what it has read is told, what waits is another's.
fn pass_over(table: &Arc<Mutex<Table>>) {
    let mut at = lock(table);
    // One that waits for its own reading has nothing to gain from another reader.
    if !at.waiting.is_empty() {
        at.reader = None;
    }
    let read = std::mem::take(&mut at.read);
    drop(at);
    tell_all(read);
    begin(table);
}

fn read_all(table: &Mutex<Table>, number: u64) {
    loop {
        let mut at = lock(table);
        let in_charge = at.reader == Some(number);
        let Some(job) = in_charge.then(|| at.waiting.pop_front()).flatten() else {
            if in_charge {
                at.reader = None;
            }
            let read = std::mem::take(&mut at.read);
            drop(at);
            tell_all(read);
            return;
        };
        drop(at);
        // One that breaks off takes only its own answer along.
        if let Ok(tell) = catch_unwind(AssertUnwindSafe(job)) {
            lock(table).read.push(tell);
        }
    }
}

fn tell_all(read: Vec<Tell>) {
    for tell in read {
        tell();
    }
}

fn lock(table: &Mutex<Table>) -> MutexGuard<'_, Table> {
    // Nothing breaks off while it is held.
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::thread::current;

    #[tokio::test]
    async fn what_is_asked_for_together_is_read_by_one_thread_and_told_together() {
        let here = current().id();
        let (go, wait) = mpsc::channel::<()>();
        let first = aside(move || (wait.recv().is_ok(), current().id()));
        let others = futures_util::future::join_all((0..5).map(|n| aside(move || (n, current().id()))));
        let release = async { go.send(()) };
        let (first, others, released) = tokio::join!(first, others, release);
        let ((went, by), others) = (first.unwrap(), others.into_iter().map(Result::unwrap).collect::<Vec<_>>());
        assert!(went && released.is_ok() && by != here);
        assert!(others.iter().enumerate().all(|(n, (got, who))| *got == n && *who == by), "{others:?}");
        assert_eq!(aside(|| 7).await, Ok(7), "and again later");
    }

    #[tokio::test]
    async fn one_that_hangs_holds_up_nobody_for_long() {
        let (go, wait) = mpsc::channel::<()>();
        let hangs = aside(move || wait.recv().is_ok());
        tokio::pin!(hangs);
        let soon = Duration::from_secs(20);
        let others = async {
            let two = futures_util::future::join(aside(|| 1), aside(|| 2));
            assert_eq!(timeout(soon, two).await.unwrap(), (Ok(1), Ok(2)));
            assert_eq!(timeout(soon, aside(|| 3)).await.unwrap(), Ok(3));
        };
        tokio::select! {
            biased;
            _ = &mut hangs => panic!("nobody has let it go on"),
            () = others => {}
        }
        go.send(()).unwrap();
        assert_eq!(timeout(soon, hangs).await.unwrap(), Ok(true));
    }

    #[tokio::test]
    async fn one_that_breaks_off_takes_nobody_along() {
        let broke = aside(|| -> u8 { panic!("on purpose") });
        let (broke, well) = tokio::join!(broke, aside(|| 2));
        assert!(broke.is_err());
        assert_eq!(well, Ok(2));
    }
}
