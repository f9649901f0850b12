//! Why a connection ended that nobody ended on purpose.

use std::io;
use std::time::Duration;

/// Why a connection was lost.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Loss {
    /// The runtime closed the socket, as far as can be seen between two messages.
    #[error("the runtime closed the connection")]
    Closed,
    /// The socket was closed in the middle of a message: the runtime died, or was killed.
    #[error("the connection ended in the middle of a message")]
    CutShort,
    /// The socket failed.
    #[error("the connection failed: {message}")]
    Io {
        /// What sort of failure it was.
        kind: io::ErrorKind,
        /// What the system says of it.
        message: String,
    },
    /// The runtime announced a frame longer than frames may be.
    #[error("the runtime announced a frame of {bytes} bytes, and {bytes_max} are allowed")]
    FrameTooLong {
        /// How long it was to be.
        bytes: u32,
        /// What is allowed.
        bytes_max: usize,
    },
    /// The runtime announced a message longer than messages may be.
    #[error("the runtime announced a message of {bytes} bytes, and {bytes_max} are allowed")]
    MessageTooLong {
        /// How long it was to be.
        bytes: u32,
        /// What is allowed.
        bytes_max: usize,
    },
    /// The runtime sent a message whose parts, tiny on the wire, take more memory than one may.
    #[error(
        "the runtime sent a message that takes {bytes} bytes in memory, and {bytes_max} are allowed: see `StubOptions::decoded_bytes_max`"
    )]
    MessageTooHeavy {
        /// How much it would take at most.
        bytes: usize,
        /// What is allowed.
        bytes_max: usize,
    },
    /// The runtime went on with requests that had to be refused and did not read the refusals.
    #[error("the runtime left {refusals_max} refusals unread and went on with requests")]
    Flooded {
        /// How many refusals may wait to be read.
        refusals_max: usize,
    },
    /// The runtime read nothing.
    #[error("the runtime read nothing for {after:?}: see `StubOptions::write_timeout`")]
    Stalled {
        /// For how long.
        after: Duration,
    },
    /// Every stream id of this connection has been used.
    #[error("every stream id of the connection has been used")]
    IdsUsedUp,
    /// The task that read or wrote has gone: its runtime was shut down.
    #[error("the task of the connection has gone")]
    TaskGone,
}

impl From<io::Error> for Loss {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::CutShort,
            // The runtime has gone, with something of ours unread.
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Self::Closed,
            kind => Self::Io { kind, message: error.to_string() },
        }
    }
}
