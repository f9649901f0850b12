//! Why a connection was not opened.

use diesel::ConnectionError;
use landfall_lifecycle::SpawnError;
use landfall_pool::BoxError;
use thiserror::Error;

/// Why a connection was not opened. Claims that find no backend online have it as a source.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The database refused.
    #[error("cannot open {database}")]
    Refused {
        /// Where the database is.
        database: String,
        /// What Diesel says.
        source: ConnectionError,
    },
    /// A hook given to `on_open` failed.
    #[error("{database} was opened, but an `on_open` hook failed")]
    SetUp {
        /// Where the database is.
        database: String,
        /// What it says.
        source: BoxError,
    },
    /// Opening panicked, or a hook given to `on_open` did.
    #[error("opening {database} panicked: {message}")]
    Panicked {
        /// Where the database is.
        database: String,
        /// The panic's text.
        message: String,
    },
    /// As many threads as may be are alive; those of operations that never return stay.
    #[error(
        "cannot open {database}: {threads_max} threads (`threads_max`) are alive, some in operations that do not end"
    )]
    TooManyThreads {
        /// Where the database is.
        database: String,
        /// The limit.
        threads_max: usize,
    },
    /// No thread could be started for it.
    #[error("cannot start a thread for {database}")]
    Thread {
        /// Where the database is.
        database: String,
        /// Why not.
        source: SpawnError,
    },
}
