//! Where state and sockets live when the configuration does not say.

use super::types::Config;
use std::path::PathBuf;

/// Whose directories are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The administrator: the system's directories.
    Root,
    /// Anybody else: the user's own, as the XDG base directories have it.
    User,
}

impl Owner {
    /// Of this process.
    pub fn of_process() -> Self {
        if rustix::process::geteuid().is_root() { Self::Root } else { Self::User }
    }
}

/// Where records and the baseline live: as configured, else as systemd says (`StateDirectory=`), else the owner's own. `None` = a user without a home directory.
pub fn state_dir(config: &Config, owner: Owner, env: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    if let Some(dir) = &config.state_dir {
        return Some(dir.clone());
    }
    if let Some(dir) = of_systemd(env("STATE_DIRECTORY")) {
        return Some(dir);
    }
    match owner {
        Owner::Root => Some("/var/lib/isonet".into()),
        Owner::User => {
            absolute(env("XDG_STATE_HOME")).or_else(|| Some(absolute(env("HOME"))?.join(".local/state"))).map(|dir| dir.join("isonet"))
        }
    }
}

/// Where sockets live: as configured, else as systemd says (`RuntimeDirectory=`), else the owner's own. `None` = a user without a session.
pub fn run_dir(config: &Config, owner: Owner, env: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    if let Some(dir) = &config.run_dir {
        return Some(dir.clone());
    }
    if let Some(dir) = of_systemd(env("RUNTIME_DIRECTORY")) {
        return Some(dir);
    }
    match owner {
        Owner::Root => Some("/run/isonet".into()),
        Owner::User => absolute(env("XDG_RUNTIME_DIR")).map(|dir| dir.join("isonet")),
    }
}

/// Where a client looks for the sockets of a daemon, in this order: the system's before the user's own.
pub fn run_dirs(config: &Config, owner: Owner, env: impl Fn(&str) -> Option<String> + Copy) -> Vec<PathBuf> {
    let mut dirs: Vec<PathBuf> = [Owner::Root, owner].into_iter().filter_map(|owner| run_dir(config, owner, env)).collect();
    dirs.dedup();
    dirs
}

/// The first of the directories that systemd made for this service.
fn of_systemd(value: Option<String>) -> Option<PathBuf> {
    absolute(value?.split(':').next().map(str::to_owned))
}

/// A relative path in these variables counts as unset (XDG base directory specification).
fn absolute(value: Option<String>) -> Option<PathBuf> {
    value.map(PathBuf::from).filter(|path| path.is_absolute())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_follow_configuration_then_owner() {
        let env = |name: &str| match name {
            "HOME" => Some("/home/a".to_owned()),
            "XDG_STATE_HOME" => Some("relative".to_owned()),
            _ => None,
        };
        let config = Config::default();
        assert_eq!(state_dir(&config, Owner::Root, env), Some("/var/lib/isonet".into()));
        assert_eq!(state_dir(&config, Owner::User, env), Some("/home/a/.local/state/isonet".into()));
        assert_eq!(state_dir(&config, Owner::User, |_| None), None);
        assert_eq!(
            run_dir(&config, Owner::User, |name| (name == "XDG_RUNTIME_DIR").then(|| "/run/user/1".to_owned())),
            Some("/run/user/1/isonet".into())
        );
        let told = Config { state_dir: Some("/x".into()), ..Config::default() };
        assert_eq!(state_dir(&told, Owner::Root, env), Some("/x".into()));
    }

    #[test]
    fn a_client_asks_the_systems_daemon_first() {
        let env = |name: &str| (name == "XDG_RUNTIME_DIR").then(|| "/run/user/1".to_owned());
        let dirs = |config: &Config| run_dirs(config, Owner::User, env);
        assert_eq!(dirs(&Config::default()), [PathBuf::from("/run/isonet"), "/run/user/1/isonet".into()]);
        assert_eq!(dirs(&Config { run_dir: Some("/x".into()), ..Config::default() }), [PathBuf::from("/x")]);
    }

    #[test]
    fn a_service_lives_where_systemd_says_unless_it_is_configured() {
        let env = |name: &str| match name {
            "RUNTIME_DIRECTORY" => Some("/run/isonet:/run/other".to_owned()),
            "STATE_DIRECTORY" => Some("/var/lib/private/isonet".to_owned()),
            _ => None,
        };
        let config = Config::default();
        assert_eq!(run_dir(&config, Owner::User, env), Some("/run/isonet".into()));
        assert_eq!(state_dir(&config, Owner::User, env), Some("/var/lib/private/isonet".into()));
        let told = Config { run_dir: Some("/x".into()), ..Config::default() };
        assert_eq!(run_dir(&told, Owner::Root, env), Some("/x".into()));
    }
}
