//! Why a transaction gave no value.

use std::error::Error;

use landfall_pool::ClaimError;
use thiserror::Error as ThisError;

use crate::retry::RetryError;
use crate::synchronous::RunError;

/// Why a transaction gave no value. What it had changed is rolled back, but if only its commit's answer was lost.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum TransactionError<E: Error + 'static> {
    /// No connection was to be had.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// How it was to be tried cannot be. Nothing has begun.
    #[error(transparent)]
    Retry(#[from] RetryError),
    /// It met others in each attempt.
    #[error("transaction {name:?} failed in each of {attempts} attempts (`attempts_max`)")]
    Exhausted {
        /// The transaction's name.
        name: String,
        /// How many.
        attempts: u32,
        /// Why the last one failed.
        source: E,
    },
    /// It failed for another reason, or could not be run.
    #[error(transparent)]
    Run(RunError<E>),
}
