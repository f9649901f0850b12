//! Why a pool was not built.

use landfall_lifecycle::TaskName;
use thiserror::Error;

/// Why a pool was not built. Nothing of it runs.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// An option cannot be so.
    #[error("pool {pool:?}: {option} is {value}; allowed: {allowed}")]
    Option {
        /// The pool's name.
        pool: String,
        /// Which option.
        option: &'static str,
        /// What it was set to, without secrets.
        value: String,
        /// What it may be set to.
        allowed: String,
    },
    /// The pool below says why.
    #[error(transparent)]
    Pool(#[from] landfall_pool::BuildError),
}

/// An option with a value that it cannot have.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) option: &'static str,
    pub(crate) value: String,
    pub(crate) allowed: String,
}

impl Refusal {
    pub(crate) fn new(option: &'static str, value: String, allowed: impl Into<String>) -> Self {
        Self { option, value, allowed: allowed.into() }
    }

    pub(crate) fn of(self, pool: &TaskName) -> BuildError {
        let Self { option, value, allowed } = self;
        BuildError::Option { pool: pool.to_string(), option, value, allowed }
    }
}

pub(crate) fn check_health_query(query: &str) -> Result<(), Refusal> {
    if query.trim().is_empty() || query.contains('\0') {
        return Err(Refusal::new("health_query", format!("{query:?}"), "a query without a zero byte"));
    }
    Ok(())
}
