//! Notices that the configuration on disk changed. What changed is not asked here; the whole is read again.

use crate::sys::changes::Changes as FileChanges;
use std::ffi::OsStr;
use std::path::Path;

/// A watch over the configuration.
pub struct Changes(Option<FileChanges>);

impl Changes {
    /// Watches the directory of `main` and the `conf.d` in it, as far as they exist. A watch that cannot be had costs only the comfort: SIGHUP
    /// still reloads.
    pub fn of(main: &Path) -> Self {
        let directory = main.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
        let drop_ins = directory.join("conf.d");
        let places = if drop_ins.is_dir() { vec![directory, drop_ins] } else { vec![directory] };
        let ours = |path: &Path| path.extension() == Some(OsStr::new("toml")) || path.file_name() == Some(OsStr::new("conf.d"));
        let watched = FileChanges::of(&places, ours);
        Self(watched.inspect_err(|error| tracing::info!(%error, "changes of the configuration are not noticed by themselves")).ok())
    }

    /// Changes are noticed.
    pub fn sees(&self) -> bool {
        self.0.is_some()
    }

    /// The next change, once it has settled; waits for ever where nothing is watched. Cancelling it loses nothing.
    pub async fn next(&mut self) {
        match &mut self.0 {
            Some(changes) => changes.next().await,
            None => std::future::pending().await,
        }
    }
}
