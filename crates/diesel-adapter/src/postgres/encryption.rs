//! How a stream to the server is opened.

use landfall_pool::Backend;
use tokio::net::TcpStream;

use super::open_error::PgOpenError;
use super::wire::Duplex;

/// Whether what is said may be read on the way.
#[derive(Clone, Debug)]
pub(super) enum Encryption {
    /// It may: the user has said so.
    None,
}

impl Encryption {
    pub(super) async fn open(&self, backend: &Backend, database: &str) -> Result<Box<dyn Duplex>, PgOpenError> {
        let unreachable = |source| PgOpenError::Unreachable { database: database.to_owned(), source };
        let stream = TcpStream::connect(backend.address).await.map_err(unreachable)?;
        stream.set_nodelay(true).map_err(unreachable)?;
        match self {
            Self::None => Ok(Box::new(stream)),
        }
    }
}
