//! Transactions of SQLite, tried again on the connection's thread.

use std::error::Error as StdError;

use diesel::connection::{AnsiTransactionManager, SimpleConnection, TransactionManager};
use diesel::result::Error;
use diesel::sqlite::SqliteConnection;
use landfall_lifecycle::internal::log;

use crate::brake::Brake;
use crate::pool::DieselPool;
use crate::retry::{Access, Retry, is_transient};
use crate::synchronous::{RunError, SyncConnection, SyncConnector};
use crate::transaction_error::TransactionError;

impl DieselPool<SyncConnector<SqliteConnection>> {
    /// Claims a connection and runs a transaction on it, see [`SyncConnection::transaction`].
    ///
    /// # Errors
    ///
    /// - [`TransactionError::Claim`] if no connection was to be had.
    /// - All others of [`SyncConnection::transaction`].
    ///
    /// # Cancel safety
    ///
    /// As for [`claim`](Self::claim) and then for [`SyncConnection::transaction`].
    #[track_caller]
    pub fn transaction<T, E, F>(
        &self,
        retry: Retry,
        body: F,
    ) -> impl Future<Output = Result<T, TransactionError<E>>> + Send
    where
        F: FnMut(&mut SqliteConnection) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: StdError + From<Error> + Send + 'static,
    {
        // Here, so that a report names the caller's line.
        let claim = self.claim();
        async move { claim.await?.transaction(retry, body).await }
    }
}

impl SyncConnection<SqliteConnection> {
    /// Runs `body` in a transaction on the connection's thread, and again as `retry` says: one hop for all attempts and the
    /// pauses between them.
    ///
    /// It is committed if `body` gives `Ok`, and rolled back if it gives an error, panics, or is given up or interrupted.
    /// `body` may run several times, so what it does elsewhere has to be fit for that. Transactions of SQLite are
    /// serializable.
    ///
    /// # Errors
    ///
    /// - [`TransactionError::Retry`] if `retry` cannot be so.
    /// - [`TransactionError::Exhausted`] with the last error if every attempt met another transaction.
    /// - [`TransactionError::Run`] with `body`'s own error, or as [`run`](Self::run).
    ///
    /// # Cancel safety
    ///
    /// As for [`run`](Self::run). The transaction is rolled back, unless it was being committed: then nobody knows.
    pub async fn transaction<T, E, F>(&mut self, retry: Retry, mut body: F) -> Result<T, TransactionError<E>>
    where
        F: FnMut(&mut SqliteConnection) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: StdError + From<Error> + Send + 'static,
    {
        retry.check()?;
        let name = retry.name.to_string();
        let attempts = move |connection: &mut SqliteConnection, brake: &Brake| {
            for attempt in 1..retry.attempts_max {
                match try_once(connection, retry.access, &mut body) {
                    Err(error) if is_transient(&error) => {
                        log(
                            || tracing::debug!(transaction.name = &*retry.name, attempt, %error, "transaction retried"),
                        );
                        if brake.wait(retry.backoff(attempt)) {
                            return Err((attempt, error));
                        }
                    }
                    other => return other.map_err(|error| (attempt, error)),
                }
            }
            try_once(connection, retry.access, &mut body).map_err(|error| (retry.attempts_max, error))
        };
        self.run_with_brake(attempts).await.map_err(|failed| match failed {
            RunError::Failed((attempts, source)) if is_transient(&source) => {
                TransactionError::Exhausted { name, attempts, source }
            }
            RunError::Failed((_, error)) => TransactionError::Run(RunError::Failed(error)),
            RunError::Panicked { database, message } => TransactionError::Run(RunError::Panicked { database, message }),
            RunError::Interrupted { database } => TransactionError::Run(RunError::Interrupted { database }),
            RunError::Unusable { database, why } => TransactionError::Run(RunError::Unusable { database, why }),
        })
    }
}

/// One attempt. Diesel's own `transaction` would give the error of a roll-back that SQLite did by itself, and not why.
fn try_once<T, E: From<Error>>(
    connection: &mut SqliteConnection,
    access: Access,
    body: &mut impl FnMut(&mut SqliteConnection) -> Result<T, E>,
) -> Result<T, E> {
    let begin = match access {
        Access::ReadWrite => "BEGIN IMMEDIATE",
        Access::ReadOnly => "BEGIN DEFERRED; PRAGMA query_only = ON",
    };
    AnsiTransactionManager::begin_transaction_sql(connection, begin)?;
    let done = body(connection).and_then(|value| {
        AnsiTransactionManager::commit_transaction(connection)?;
        Ok(value)
    });
    if done.is_err() {
        // If it fails, Diesel knows that the connection is of no use any more, and so does who hands it on.
        let _rolled_back = AnsiTransactionManager::rollback_transaction(connection);
    }
    if access == Access::ReadOnly {
        connection.batch_execute("PRAGMA query_only = OFF")?;
    }
    done
}
