//! Why there is no log, in words, with the remedy. The service watches all the same: it tells how things stand, and keeps no records.

use super::recorder::RecorderError;
use crate::catalogue::Lang;
use crate::model::Stamp;
use crate::spool::{DiskError, OpenError};
use std::error::Error;
use std::io;

/// What hinders the log from the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// Operation, object and cause, language-free.
    pub why: String,
    /// Since when.
    pub since: Stamp,
    /// The kind of the cause.
    pub kind: io::ErrorKind,
}

impl Lost {
    /// `None` = this ends the service: somebody else has the log, or the system is out of threads.
    pub fn of(error: &RecorderError, now: &Stamp) -> Option<Self> {
        if let RecorderError::Disk(DiskError::InUse(_)) | RecorderError::Open(OpenError::Thread(_)) = error {
            return None;
        }
        let chain = || std::iter::successors(Some(error as &dyn Error), |error| (*error).source());
        let kind = chain().find_map(|error| error.downcast_ref::<io::Error>()).map_or(io::ErrorKind::Other, io::Error::kind);
        let why = chain().map(ToString::to_string).collect::<Vec<_>>().join(": ");
        Some(Self { why, since: now.clone(), kind })
    }

    /// What is wrong, what it means, and what to do.
    pub fn told(&self, lang: Lang) -> String {
        let (why, remedy) = (&self.why, remedy(self.kind, lang));
        match lang {
            Lang::ZhCn => format!("记录目录用不了（{why}）：照常值守，但不留记录。{remedy}，然后重启服务：systemctl restart isonet。"),
            Lang::En => format!(
                "The directory for records cannot be used ({why}): the watch goes on, but nothing is recorded. {remedy}, then restart: systemctl restart isonet."
            ),
        }
    }
}

/// What to do about a directory that refuses in this way.
pub fn remedy(kind: io::ErrorKind, lang: Lang) -> &'static str {
    let (zh, en) = match kind {
        io::ErrorKind::PermissionDenied => {
            ("把目录和里面的文件交给运行 isonet 的用户（chown -R）", "Give it, with all in it, to the user that runs isonet (chown -R)")
        }
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            ("这个位置被一个文件占着，把它移走", "A file stands in its place: move it away")
        }
        io::ErrorKind::ReadOnlyFilesystem => ("让这个文件系统可写", "Make the file system writable"),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ("腾出磁盘空间", "Free some disk space"),
        _ => ("检查磁盘（dmesg）", "Look at the disk (dmesg)"),
    };
    lang.pick(zh, en)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn lost(source: io::Error) -> Option<Lost> {
        Lost::of(&RecorderError::Disk(DiskError::Open { path: PathBuf::from("/x/spool"), source }), &crate::sys::clock::stamp())
    }

    #[test]
    fn each_hindrance_has_its_remedy_and_is_said_once() {
        for (errno, zh, en) in [
            (libc::EACCES, "chown -R", "chown -R"),
            (libc::EPERM, "chown -R", "chown -R"),
            (libc::ENOTDIR, "移走", "move it away"),
            (libc::EEXIST, "移走", "move it away"),
            (libc::EROFS, "可写", "writable"),
            (libc::ENOSPC, "腾出", "Free some"),
            (libc::EDQUOT, "腾出", "Free some"),
            (libc::EIO, "dmesg", "dmesg"),
        ] {
            let lost = lost(io::Error::from_raw_os_error(errno)).expect("it does not end the service");
            for (lang, remedy) in [(Lang::ZhCn, zh), (Lang::En, en)] {
                let told = lost.told(lang);
                assert!(told.contains(remedy) && told.contains("systemctl restart isonet"), "{told}");
                assert_eq!(told.matches("/x/spool").count(), 1, "{told}");
            }
        }
    }

    #[test]
    fn another_daemon_is_no_hindrance_to_watch_beside() {
        assert_eq!(Lost::of(&RecorderError::Disk(DiskError::InUse(PathBuf::from("/x"))), &crate::sys::clock::stamp()), None);
    }
}
