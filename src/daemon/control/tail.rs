//! Reads the log for clients, from its files and on a thread of its own: the whole of it, or what has just come.

use super::Log;
use super::follow::Followers;
use crate::spool::{Disk, Entry, Position, Reader};
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use tokio::sync::watch;

/// Records that are read at once.
const SOME: usize = 256;

/// Before the first record of any log.
pub(super) fn beginning() -> Position {
    Position { epoch: String::new(), seq: 0 }
}

/// The log in this directory, from its beginning.
pub fn log(dir: &Path) -> Log {
    let dir = dir.to_owned();
    Arc::new(move |take| {
        let mut reader = Reader::after(Disk::look(&dir), beginning());
        loop {
            let some = reader.next(SOME, None)?;
            if some.is_empty() || some.iter().any(|entry| take(&entry.bytes).is_break()) {
                return Ok(());
            }
        }
    })
}

/// Tells followers of records as they reach the disk; `news` is the last that has. Ends with the sender of the news.
pub(super) async fn tell(dir: PathBuf, mut news: watch::Receiver<Position>, followers: Rc<Followers>) {
    let mut after = news.borrow_and_update().clone();
    while news.changed().await.is_ok() {
        let upto = news.borrow_and_update().clone();
        while !followers.is_empty() {
            match some(dir.clone(), after.clone(), upto.clone()).await {
                Ok((_, entries)) if entries.is_empty() => break,
                Ok((position, entries)) => {
                    for entry in &entries {
                        followers.tell(&entry.bytes);
                    }
                    after = position;
                }
                Err(error) => {
                    tracing::warn!(%error, "the log could not be read for followers");
                    break;
                }
            }
        }
        after = upto;
    }
}

async fn some(dir: PathBuf, after: Position, upto: Position) -> io::Result<(Position, Vec<Entry>)> {
    let read = tokio::task::spawn_blocking(move || {
        let mut reader = Reader::after(Disk::look(&dir), after);
        let entries = reader.next(SOME, Some(&upto))?;
        Ok((reader.position().clone(), entries))
    });
    read.await.map_err(io::Error::other)?
}
