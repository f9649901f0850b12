//! How a stream to the server is opened.

use landfall_pool::Backend;
use tokio::net::TcpStream;

use super::open_error::PgOpenError;
#[cfg(feature = "postgres-tls")]
use super::tls::Tls;
use super::wire::Duplex;

/// Whether what is said may be read on the way.
#[derive(Clone, Debug)]
pub(super) enum Encryption {
    /// It may: the user has said so.
    None,
    /// It may not, and the server has to be who it should be.
    #[cfg(feature = "postgres-tls")]
    Tls(Tls),
}

impl Encryption {
    pub(super) async fn open(&self, backend: &Backend, database: &str) -> Result<Box<dyn Duplex>, PgOpenError> {
        let unreachable = |source| PgOpenError::Unreachable { database: database.to_owned(), source };
        let stream = TcpStream::connect(backend.address).await.map_err(unreachable)?;
        stream.set_nodelay(true).map_err(unreachable)?;
        match self {
            Self::None => Ok(Box::new(stream)),
            #[cfg(feature = "postgres-tls")]
            Self::Tls(tls) => Ok(Box::new(tls.open(stream, backend, database).await?)),
        }
    }
}
