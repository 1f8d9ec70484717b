//! Where clients come in: a socket in the file system, born narrow, widened when it is ready, gone with its daemon; or a port of the loopback
//! interface, for browsers.

use super::group;
use crate::report::View;
use rustix::fs::{Gid, Mode, chown, fchmod};
use socket2::{Domain, SockAddr, Socket, Type};
use std::fs::{self, Permissions};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream};

/// Who has connected and is not let in yet waits in the kernel: this many, the rest waits in `connect`.
const WAITING: i32 = 64;

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Another daemon has this directory.
    #[error("another isonet is running on {}", .0.display())]
    Taken(PathBuf),
    /// Something that is no socket stands there.
    #[error("{} is not a socket", .0.display())]
    NotASocket(PathBuf),
    /// The system refused.
    #[error("{operation} {}", path.display())]
    Io {
        /// What was tried.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// The refusal.
        source: io::Error,
    },
}

impl ControlError {
    pub(super) fn io(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { operation, path, source }
    }
}

/// One of them.
pub(super) enum Door {
    /// In the file system.
    File(SocketFile),
    /// On the loopback interface.
    Port(TcpListener),
}

/// Who came in.
pub(super) enum Guest {
    /// By a file.
    File(UnixStream),
    /// By a port.
    Port(TcpStream),
}

impl Door {
    /// Listens at a port, also right after another run did.
    pub(super) fn port(at: SocketAddr) -> io::Result<(Self, SocketAddr)> {
        let socket = if at.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        socket.bind(at)?;
        let listener = socket.listen(WAITING.unsigned_abs())?;
        let at = listener.local_addr()?;
        Ok((Self::Port(listener), at))
    }

    /// The next who comes in.
    pub(super) async fn accept(&self) -> io::Result<Guest> {
        match self {
            Self::File(file) => file.listener.accept().await.map(|(stream, _)| Guest::File(stream)),
            Self::Port(port) => port.accept().await.map(|(stream, _)| Guest::Port(stream)),
        }
    }
}

/// A socket; its file goes when it is dropped.
pub(super) struct SocketFile {
    listener: UnixListener,
    path: PathBuf,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

impl SocketFile {
    /// Opens a socket at `path`, whatever dead socket stands there. The caller holds the directory's lock.
    pub(super) fn open(path: &Path, view: View) -> Result<Self, ControlError> {
        clear(path)?;
        let io = |operation| ControlError::io(operation, path);
        let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None).map_err(io("make a socket for"))?;
        // The file takes its mode from the socket: nobody gets in before all is set.
        fchmod(&socket, Mode::from_raw_mode(0o600)).map_err(|e| io("narrow")(e.into()))?;
        let address = SockAddr::unix(path).map_err(io("name"))?;
        socket.bind(&address).map_err(io("bind"))?;
        // From here on the file is ours to remove.
        let door = |listener| Self { listener, path: path.to_owned() };
        let opened = socket.listen(WAITING).and_then(|()| UnixListener::from_std(socket.into()));
        let door = door(opened.map_err(io("listen at"))?);
        if view == View::Whole
            && let Some(id) = group::id()
            // The service's own group already: its sandbox forbids even to say so.
            && fs::metadata(path).is_ok_and(|file| file.gid() != id)
            && let Err(error) = chown(path, None, Some(Gid::from_raw(id)))
        {
            tracing::info!(%error, "the group isonet could not be given the control socket");
        }
        let mode = match view {
            View::Whole => 0o660,
            View::Clerk => 0o666,
        };
        fs::set_permissions(path, Permissions::from_mode(mode)).map_err(io("set the mode of"))?;
        Ok(door)
    }
}

/// Removes a dead socket; anything else that stands there is somebody's.
fn clear(path: &Path) -> Result<(), ControlError> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(ControlError::io("look at", path)(error)),
        Ok(there) if there.file_type().is_socket() => fs::remove_file(path).map_err(ControlError::io("remove", path)),
        Ok(_) => Err(ControlError::NotASocket(path.to_owned())),
    }
}
