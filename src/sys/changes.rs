//! Notices that files changed, by watching their directories: a file replaced in one stroke is another file, so watching only the file itself
//! would go blind. What changed is not asked here; whoever listens reads the whole again.

use notify::event::ModifyKind;
use notify::{Config as Settings, Event, EventKind, INotifyWatcher, RecursiveMode, Watcher};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

/// Whoever writes does so in several strokes; the file is read when they have been over for so long.
const SETTLED: Duration = Duration::from_millis(300);

/// A watch over files.
pub struct Changes {
    told: mpsc::Receiver<()>,
    /// A change is there and settles by then.
    settles: Option<Instant>,
    // Ends the watch when dropped.
    _watcher: INotifyWatcher,
}

impl Changes {
    /// Watches what is in these places, as far as `matters` says that it is of interest.
    pub fn of(places: &[PathBuf], matters: impl Fn(&Path) -> bool + Send + 'static) -> notify::Result<Self> {
        let (tell, told) = mpsc::channel(1);
        let mut watcher = watcher(tell, matters)?;
        for place in places {
            watcher.watch(place, RecursiveMode::NonRecursive)?;
        }
        Ok(Self { told, settles: None, _watcher: watcher })
    }

    /// Watches these files and all in these directories, as far as they exist; of a link also what it leads to.
    pub fn of_files(files: &[PathBuf], directories: &[PathBuf]) -> notify::Result<Self> {
        let real = |path: &PathBuf| std::fs::canonicalize(path).ok();
        let files: BTreeSet<PathBuf> = files.iter().cloned().chain(files.iter().filter_map(real)).collect();
        let directories: BTreeSet<PathBuf> = directories.iter().cloned().chain(directories.iter().filter_map(real)).collect();
        let parents = files.iter().filter_map(|file| file.parent().map(Path::to_owned));
        // A file that something else was mounted over is not told by its directory: it is watched itself, too. It cannot be replaced.
        let mut places: BTreeSet<PathBuf> = parents.chain(files.iter().cloned()).chain(directories.iter().cloned()).collect();
        places.retain(|place| place.exists());
        let matters = move |path: &Path| files.contains(path) || path.parent().is_some_and(|parent| directories.contains(parent));
        Self::of(&places.into_iter().collect::<Vec<_>>(), matters)
    }

    /// The next change, once it has settled. Cancelling it loses nothing.
    pub async fn next(&mut self) {
        loop {
            let settled = async {
                match self.settles {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                told = self.told.recv() => match told {
                    Some(()) => self.settles = Some(Instant::now() + SETTLED),
                    // The watch is gone; what it told last may still settle.
                    None => match self.settles.take() {
                        Some(at) => return sleep_until(at).await,
                        None => std::future::pending().await,
                    },
                },
                () = settled => {
                    self.settles = None;
                    return;
                }
            }
        }
    }
}

fn watcher(tell: mpsc::Sender<()>, matters: impl Fn(&Path) -> bool + Send + 'static) -> notify::Result<INotifyWatcher> {
    let on_event = move |event: notify::Result<Event>| {
        // An error is a reason to look, too.
        if event.map_or(true, |event| is_written(&event) && (event.paths.is_empty() || event.paths.iter().any(|path| matters(path)))) {
            // A full channel has the message already.
            let _ = tell.try_send(());
        }
    };
    INotifyWatcher::new(on_event, Settings::default())
}

/// Opening and reading is none of our business, and our own reading is among it.
fn is_written(event: &Event) -> bool {
    match event.kind {
        EventKind::Access(_) | EventKind::Modify(ModifyKind::Metadata(_)) => event.need_rescan(),
        EventKind::Any | EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_) | EventKind::Other => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// Whether a change is told within so long.
    async fn told(changes: &mut Changes, within: Duration) -> bool {
        tokio::time::timeout(within, changes.next()).await.is_ok()
    }

    #[tokio::test]
    async fn a_file_written_replaced_or_removed_is_told_and_its_neighbours_and_readers_are_not() {
        const LONG: Duration = Duration::from_secs(5);
        const SHORT: Duration = Duration::from_millis(600);
        let dir = tempfile::tempdir().expect("a directory");
        let at = |name: &str| dir.path().join(name);
        fs::write(at("hosts"), "a").expect("written");
        fs::create_dir(at("conf.d")).expect("made");
        let mut changes = Changes::of_files(&[at("hosts"), at("later")], &[at("conf.d"), at("none.d")]).expect("watched");
        fs::write(at("passwd"), "b").expect("written");
        fs::read(at("hosts")).expect("read");
        assert!(!told(&mut changes, SHORT).await, "not ours, or only read");
        fs::write(at("hosts"), "b").expect("written in place");
        assert!(told(&mut changes, LONG).await);
        fs::write(at("new"), "c").expect("written");
        fs::rename(at("new"), at("hosts")).expect("replaced");
        assert!(told(&mut changes, LONG).await);
        fs::write(at("hosts"), "d").expect("the other file is written in place");
        assert!(told(&mut changes, LONG).await);
        fs::write(at("later"), "e").expect("made");
        assert!(told(&mut changes, LONG).await);
        fs::write(at("conf.d/any"), "f").expect("made");
        assert!(told(&mut changes, LONG).await);
        fs::remove_file(at("hosts")).expect("removed");
        assert!(told(&mut changes, LONG).await);
    }

    #[tokio::test]
    async fn what_a_link_leads_to_is_told_too() {
        let dir = tempfile::tempdir().expect("a directory");
        let (real, link) = (dir.path().join("run/resolv.conf"), dir.path().join("etc/resolv.conf"));
        for path in [&real, &link] {
            fs::create_dir(path.parent().expect("a parent")).expect("made");
        }
        fs::write(&real, "a").expect("written");
        std::os::unix::fs::symlink(&real, &link).expect("linked");
        let mut changes = Changes::of_files(&[link], &[]).expect("watched");
        let new = dir.path().join("run/new");
        fs::write(&new, "b").expect("written");
        fs::rename(new, &real).expect("replaced");
        assert!(told(&mut changes, Duration::from_secs(5)).await);
    }
}
