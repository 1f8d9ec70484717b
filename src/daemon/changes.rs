//! Notices that the configuration on disk changed, by watching its directories: a file replaced in one stroke is another file, so watching
//! the file itself would go blind. What changed is not asked here; the whole is read again.

use notify::event::ModifyKind;
use notify::{Config as Settings, Event, EventKind, INotifyWatcher, RecursiveMode, Watcher};
use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

/// An editor writes in several strokes; the file is read when they have been over for so long.
const SETTLED: Duration = Duration::from_millis(300);

/// A watch over the configuration.
pub struct Changes {
    told: mpsc::Receiver<()>,
    /// A change is there and settles by then.
    settles: Option<Instant>,
    // Ends the watch when dropped.
    watcher: Option<INotifyWatcher>,
}

impl Changes {
    /// Watches the directory of `main` and the `conf.d` in it, as far as they exist. A watch that cannot be had costs only the comfort: SIGHUP
    /// still reloads.
    pub fn of(main: &Path) -> Self {
        let (tell, told) = mpsc::channel(1);
        let watcher = watcher(tell).and_then(|mut watcher| {
            let directory = main.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
            watcher.watch(directory, RecursiveMode::NonRecursive)?;
            let drop_ins = directory.join("conf.d");
            if drop_ins.is_dir() {
                watcher.watch(&drop_ins, RecursiveMode::NonRecursive)?;
            }
            Ok(watcher)
        });
        let watcher =
            watcher.inspect_err(|error| tracing::info!(%error, "changes of the configuration are not noticed by themselves")).ok();
        Self { told, settles: None, watcher }
    }

    /// Changes are noticed.
    pub fn sees(&self) -> bool {
        self.watcher.is_some()
    }

    /// The next change, once it has settled; waits for ever where nothing is watched. Cancelling it loses nothing.
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

fn watcher(tell: mpsc::Sender<()>) -> notify::Result<INotifyWatcher> {
    let on_event = move |event: notify::Result<Event>| {
        // An error is a reason to look, too.
        if event.map_or(true, |event| matters(&event)) {
            // A full channel has the message already.
            let _ = tell.try_send(());
        }
    };
    INotifyWatcher::new(on_event, Settings::default())
}

/// Something was written, and it could be ours. Opening and reading is none of our business, and our own reading is among it.
fn matters(event: &Event) -> bool {
    let written = match event.kind {
        EventKind::Access(_) | EventKind::Modify(ModifyKind::Metadata(_)) => event.need_rescan(),
        EventKind::Any | EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_) | EventKind::Other => true,
    };
    let ours = |path: &std::path::PathBuf| path.extension() == Some(OsStr::new("toml")) || path.file_name() == Some(OsStr::new("conf.d"));
    written && (event.paths.is_empty() || event.paths.iter().any(ours))
}
