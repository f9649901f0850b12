//! Where a connection comes from, and why none came.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::net::UnixStream;

use crate::build_error::BuildError;
#[cfg(landfall_faults)]
use crate::faults::{Fault, is_armed};
use crate::inherited::{self, Inherited};
use crate::wire::Connection;

/// Where runtimes listen unless they are told otherwise.
pub(crate) const DEFAULT_SOCKET: &str = "/var/run/nri/nri.sock";
/// What `sockaddr_un` has room for, less the byte that ends it.
const PATH_BYTES_MAX: usize = 107;

/// Where the connection of the next generation comes from.
#[derive(Clone)]
pub(crate) enum Endpoint {
    Socket(Arc<Path>),
    Inherited(Inherited),
    Dialer(Dialer),
}

pub(crate) type Dialer = Arc<dyn Fn() -> BoxFuture<'static, io::Result<Connection>> + Send + Sync>;

/// Why there is no connection to the runtime.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Nothing is at the socket's path.
    #[error("there is no {}: start the runtime, with NRI enabled, and try again", path.display())]
    Missing {
        /// The path.
        path: PathBuf,
    },
    /// A link is at the socket's path, and it leads nowhere.
    #[error("{} is a link to {}, where nothing is", path.display(), target.display())]
    Dangling {
        /// The path.
        path: PathBuf,
        /// Where the link leads.
        target: PathBuf,
    },
    /// Something else than a socket is at the path.
    #[error("{} is no socket: give the path on which the runtime listens", path.display())]
    NoSocket {
        /// The path.
        path: PathBuf,
    },
    /// A socket is there, and nobody listens on it: the runtime has gone without removing it.
    #[error("nobody listens on {}: start the runtime and try again", path.display())]
    NobodyListens {
        /// The path.
        path: PathBuf,
    },
    /// The plugin may not use the socket.
    #[error("no permission for {}: run the plugin as root, or as who may use it", path.display())]
    NoPermission {
        /// The path.
        path: PathBuf,
    },
    /// The connect took too long.
    #[error("no connection within {after:?}: see `StubOptions::connect_timeout`")]
    TimedOut {
        /// How long it was waited for.
        after: Duration,
    },
    /// The runtime launched the plugin with a descriptor, which serves one connection.
    #[error("the inherited descriptor {descriptor} was used already: only the runtime can start this plugin again")]
    NotRestartable {
        /// Its number.
        descriptor: i32,
    },
    /// What the runtime is said to have left is no open socket.
    #[error("the inherited descriptor {descriptor} is no open socket: NRI_PLUGIN_SOCKET is for launched plugins only")]
    NoDescriptor {
        /// Its number.
        descriptor: i32,
        /// What the system says.
        source: io::Error,
    },
    /// The connect failed otherwise.
    #[error("the connect failed")]
    Io {
        /// What the system, or the dialer, says.
        source: io::Error,
    },
    /// The dialer panicked, or its runtime has gone.
    #[error("the task that connects ended: {message}")]
    TaskGone {
        /// How.
        message: String,
    },
}

impl ConnectError {
    /// Whether it may pass by itself: the runtime makes its socket when it starts.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Missing { .. }
            | Self::Dangling { .. }
            | Self::NobodyListens { .. }
            | Self::TimedOut { .. }
            | Self::Io { .. } => true,
            Self::NoSocket { .. }
            | Self::NoPermission { .. }
            | Self::NotRestartable { .. }
            | Self::NoDescriptor { .. }
            | Self::TaskGone { .. } => false,
        }
    }
}

impl Endpoint {
    pub(crate) fn socket(path: &Path) -> Result<Self, BuildError> {
        let bytes = path.as_os_str().as_bytes().len();
        if bytes > PATH_BYTES_MAX {
            return Err(BuildError::PathTooLong { path: path.to_owned(), bytes, bytes_max: PATH_BYTES_MAX });
        }
        Ok(Self::Socket(path.into()))
    }

    /// Opens a connection.
    pub(crate) async fn connect(self) -> Result<Connection, ConnectError> {
        match self {
            Self::Socket(path) => match UnixStream::connect(&*path).await {
                Ok(socket) => {
                    #[cfg(landfall_faults)]
                    if is_armed(Fault::KeepSocket) {
                        Box::leak(Box::new(std::os::fd::AsFd::as_fd(&socket).try_clone_to_owned()));
                    }
                    Ok(socket.into())
                }
                Err(error) => Err(why(&path, error)),
            },
            Self::Inherited(descriptor) => inherited::take(descriptor).map(Connection::from),
            Self::Dialer(dial) => dial().await.map_err(|source| ConnectError::Io { source }),
        }
    }
}

/// Says what is the matter with a path. The system tells a file from a socket nobody listens on by neither's error, so
/// the path is looked at: once, and after a failure only.
fn why(path: &Path, source: io::Error) -> ConnectError {
    let path = path.to_owned();
    match source.kind() {
        io::ErrorKind::NotFound => match std::fs::read_link(&path) {
            Ok(target) => ConnectError::Dangling { path, target },
            Err(_) => ConnectError::Missing { path },
        },
        io::ErrorKind::PermissionDenied => ConnectError::NoPermission { path },
        io::ErrorKind::ConnectionRefused => match std::fs::metadata(&path) {
            Ok(found) if !found.file_type().is_socket() => ConnectError::NoSocket { path },
            _ => ConnectError::NobodyListens { path },
        },
        io::ErrorKind::NotADirectory => ConnectError::Missing { path },
        _ => ConnectError::Io { source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What tests that may run as root cannot bring about.
    #[test]
    fn what_the_system_says_becomes_what_to_do() {
        let why = |kind: io::ErrorKind| why(Path::new("/nowhere/nri.sock"), kind.into());
        assert!(matches!(why(io::ErrorKind::PermissionDenied), ConnectError::NoPermission { .. }));
        assert!(why(io::ErrorKind::PermissionDenied).to_string().contains("run the plugin as root"));
        assert!(matches!(why(io::ErrorKind::ConnectionRefused), ConnectError::NobodyListens { .. }));
        assert!(matches!(why(io::ErrorKind::WouldBlock), ConnectError::Io { .. }));
    }

    #[test]
    fn the_longest_path_is_that_of_the_system() {
        let path = |bytes: usize| PathBuf::from("x".repeat(bytes));
        assert!(Endpoint::socket(&path(107)).is_ok());
        let refused = Endpoint::socket(&path(108)).map(drop);
        assert!(matches!(refused, Err(BuildError::PathTooLong { bytes: 108, bytes_max: 107, .. })));
    }
}
