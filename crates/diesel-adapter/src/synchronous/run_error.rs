//! Why an operation on a connection gave no value.

use std::fmt::{self, Display, Formatter};

use thiserror::Error;

/// Why an operation gave no value.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunError<E> {
    /// It ran, and failed.
    #[error(transparent)]
    Failed(E),
    /// It panicked. The connection is closed when it goes back.
    #[error("the operation on {database} panicked: {message}")]
    Panicked {
        /// Where the database is.
        database: String,
        /// The panic's text.
        message: String,
    },
    /// It was interrupted, because the pool's grace ended. What it had changed in a transaction is rolled back.
    #[error("the operation on {database} was interrupted: the pool's grace is over")]
    Interrupted {
        /// Where the database is.
        database: String,
    },
    /// It did not run: this connection takes no operation any more. Claim another one.
    #[error("the connection to {database} takes no operation any more: {why}")]
    Unusable {
        /// Where the database is.
        database: String,
        /// Why not.
        why: Unusable,
    },
}

/// Why a connection takes no operation any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unusable {
    /// The future of an earlier operation was dropped while the operation ran.
    Abandoned,
    /// An earlier operation panicked.
    Panicked,
    /// The pool's grace ended.
    Terminating,
    /// It was closed.
    Closed,
}

impl Display for Unusable {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Abandoned => "an earlier operation was given up while it ran",
            Self::Panicked => "an earlier operation panicked",
            Self::Terminating => "the pool's grace is over",
            Self::Closed => "it is closed",
        })
    }
}
