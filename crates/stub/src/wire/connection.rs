//! The two directions of a socket, whatever sort of socket it is.

use std::fmt;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;

/// A connection to the runtime: two directions of bytes.
pub struct Connection {
    pub(super) read: Box<dyn AsyncRead + Send + Unpin>,
    pub(super) write: Box<dyn AsyncWrite + Send + Unpin>,
}

impl Connection {
    /// Makes a connection of anything that reads and writes.
    pub fn new(io: impl AsyncRead + AsyncWrite + Send + 'static) -> Self {
        let (read, write) = tokio::io::split(Box::pin(io));
        Self { read: Box::new(read), write: Box::new(write) }
    }
}

/// Its halves need no lock between them.
impl From<UnixStream> for Connection {
    fn from(socket: UnixStream) -> Self {
        let (read, write) = socket.into_split();
        Self { read: Box::new(read), write: Box::new(write) }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}
