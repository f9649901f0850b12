//! Why a connection to PostgreSQL was not opened.

use std::io;

use landfall_lifecycle::SpawnError;
use landfall_pool::BoxError;
use thiserror::Error;

/// Why a connection to PostgreSQL was not opened. Claims that find no backend online have it as a source.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PgOpenError {
    /// Nobody answers where the server should be.
    #[error("cannot reach {database}")]
    Unreachable {
        /// Where the database is.
        database: String,
        /// What the system says.
        source: io::Error,
    },
    /// The server does not know the user, or not with this password.
    #[error("{database} refuses the user or the password in its URL")]
    Credentials {
        /// Where the database is.
        database: String,
        /// What the server says.
        source: BoxError,
    },
    /// The server has no database of this name.
    #[error("there is no such database: {database}")]
    NoDatabase {
        /// Where the database should be.
        database: String,
        /// What the server says.
        source: BoxError,
    },
    /// The server does not encrypt. It has heard nothing but the question.
    #[error("{database} does not encrypt, and `plain_text` was not called")]
    NotEncrypted {
        /// Where the database is.
        database: String,
    },
    /// The server has no certificate that is in force, for its name, and from an authority that is trusted. It has heard
    /// nothing else.
    #[error("{database} does not show that it is who it has to be (`ca_pem`, `server_name`)")]
    Untrusted {
        /// Where the database should be.
        database: String,
        /// What is wrong with its certificate.
        source: BoxError,
    },
    /// The server refuses for another reason, or does not speak the protocol.
    #[error("cannot open {database}")]
    Refused {
        /// Where the database is.
        database: String,
        /// What it says.
        source: BoxError,
    },
    /// The connection was opened, but a hook given to `on_open` failed, or what Diesel sets up itself.
    #[error("{database} was opened, but could not be set up")]
    SetUp {
        /// Where the database is.
        database: String,
        /// What it says.
        source: BoxError,
    },
    /// The task that speaks for the connection was aborted.
    #[error("the connection to {database} was aborted while it was opened")]
    Aborted {
        /// Where the database is.
        database: String,
    },
    /// No task could be started for it.
    #[error("cannot start a task for {database}")]
    Task {
        /// Where the database is.
        database: String,
        /// Why not.
        source: SpawnError,
    },
}

impl PgOpenError {
    /// Of what the server says to the first messages.
    pub(super) fn of(database: String, error: tokio_postgres::Error) -> Self {
        let state = error.code().map(|state| state.code().to_owned());
        let source = error.into();
        match state.as_deref() {
            Some("28000" | "28P01") => Self::Credentials { database, source },
            Some("3D000") => Self::NoDatabase { database, source },
            _ => Self::Refused { database, source },
        }
    }
}
