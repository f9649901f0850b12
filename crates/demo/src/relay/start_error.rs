//! Why the relay did not start.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use landfall_lifecycle::{ChildError, PushError, SpawnError, serving};

use crate::client::TlsError;
use crate::storage::OpenError;

/// Why the relay did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The database cannot be used.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// There is no folder for the temporary database.
    #[error("no folder for the temporary database can be made in {}", folder.display())]
    Temporary {
        /// The system's folder for temporary files.
        folder: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The address cannot be listened on; most often the port is taken.
    #[error("cannot listen on {address}")]
    Listen {
        /// The value of `--listen`, or the sink's.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The certificates cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The HTTP server refuses to start.
    #[error(transparent)]
    Server(#[from] serving::StartError),
    /// A part could not be started; mostly because a signal came during the start.
    #[error("a part could not be started")]
    Spawn(#[from] SpawnError),
    /// The same, for a set of parts.
    #[error("a set of parts could not be started")]
    Child(#[from] ChildError),
    /// The same, for a component.
    #[error("a component could not be started")]
    Push(#[from] PushError),
}
