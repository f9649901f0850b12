//! Transactions of PostgreSQL, tried again when they met others.

use std::error::Error as StdError;

use diesel::result::Error;
use diesel_async::{AnsiTransactionManager, SimpleAsyncConnection, TransactionManager};
use landfall_lifecycle::internal::log;

use super::body::TransactionBody;
use super::connection::PgConnection;
use super::connector::PgConnector;
use crate::pool::DieselPool;
use crate::retry::{Access, Isolation, Retry, is_transient};
use crate::synchronous::RunError;
use crate::transaction_error::TransactionError;

impl DieselPool<PgConnector> {
    /// Claims a connection and runs a transaction on it, see [`PgConnection::transaction_with`].
    ///
    /// # Errors
    ///
    /// - [`TransactionError::Claim`] if no connection was to be had.
    /// - All others of [`PgConnection::transaction_with`].
    ///
    /// # Cancel safety
    ///
    /// As for [`claim`](Self::claim) and then for [`PgConnection::transaction_with`].
    #[track_caller]
    pub fn transaction<T, E, F>(
        &self,
        retry: Retry,
        body: F,
    ) -> impl Future<Output = Result<T, TransactionError<E>>> + Send
    where
        for<'conn> F: AsyncFnMut(&'conn mut PgConnection) -> Result<T, E>
            + TransactionBody<&'conn mut PgConnection, Result<T, E>, Future: Send>
            + Send,
        T: Send,
        E: StdError + From<Error> + Send + 'static,
    {
        // Here, so that a report names the caller's line.
        let claim = self.claim();
        async move { claim.await?.transaction_with(retry, body).await }
    }
}

impl PgConnection {
    /// Runs `body` in a transaction, and again as `retry` says.
    ///
    /// It is committed if `body` gives `Ok`, and rolled back if it gives an error, panics, or is given up or interrupted.
    /// `body` may run several times, so what it does elsewhere has to be fit for that. If `body` gives `Ok` though a statement
    /// of it has failed and the server has therefore given the transaction up, the commit would silently be a roll-back:
    /// that is an error here.
    ///
    /// diesel-async's own `transaction` is there too; it tries once, as the server's defaults are.
    ///
    /// # Errors
    ///
    /// - [`TransactionError::Retry`] if `retry` cannot be so.
    /// - [`TransactionError::Exhausted`] with the last error if every attempt met another transaction.
    /// - [`TransactionError::Run`] with `body`'s own error, or with Diesel's: what the server says, that the connection has
    ///   ended, or that it is in a transaction already.
    ///
    /// # Cancel safety
    ///
    /// As for every operation of a [`PgConnection`]: dropped before the first poll it has done nothing; later the transaction
    /// is rolled back, and the connection closed when its handle is dropped.
    pub async fn transaction_with<T, E, F>(&mut self, retry: Retry, mut body: F) -> Result<T, TransactionError<E>>
    where
        for<'conn> F: AsyncFnMut(&'conn mut PgConnection) -> Result<T, E>
            + TransactionBody<&'conn mut PgConnection, Result<T, E>, Future: Send>
            + Send,
        T: Send,
        E: StdError + From<Error> + Send + 'static,
    {
        retry.check()?;
        let begin = begin_of(&retry);
        let mut attempts = 1;
        loop {
            let error = match self.try_once(&begin, &mut body).await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            if !is_transient(&error) {
                return Err(TransactionError::Run(RunError::Failed(error)));
            }
            if attempts < retry.attempts_max {
                log(|| {
                    tracing::debug!(transaction.name = &*retry.name, attempt = attempts, %error, "transaction retried");
                });
                self.line().pause(retry.backoff(attempts)).await;
            }
            if attempts == retry.attempts_max || self.is_fit().is_none() {
                return Err(TransactionError::Exhausted { name: retry.name.into_owned(), attempts, source: error });
            }
            attempts += 1;
        }
    }

    async fn try_once<T, E, F>(&mut self, begin: &str, body: &mut F) -> Result<T, E>
    where
        for<'conn> F: AsyncFnMut(&'conn mut PgConnection) -> Result<T, E>
            + TransactionBody<&'conn mut PgConnection, Result<T, E>, Future: Send>
            + Send,
        T: Send,
        E: From<Error> + Send,
    {
        AnsiTransactionManager::begin_transaction_sql(self, begin).await?;
        self.line().take_failed();
        let done = match body(self).await {
            // Of a transaction that was given up the server takes no statement any more.
            Ok(value) if self.line().take_failed() => {
                self.batch_execute("SELECT 1").await.map(|()| value).map_err(E::from)
            }
            done => done,
        };
        match done {
            Ok(value) => {
                AnsiTransactionManager::commit_transaction(self).await?;
                Ok(value)
            }
            Err(error) => {
                // If it fails, Diesel knows that the connection is of no use any more, and so does who hands it on.
                let _rolled_back = AnsiTransactionManager::rollback_transaction(self).await;
                Err(error)
            }
        }
    }
}

fn begin_of(retry: &Retry) -> String {
    let isolation = match retry.isolation {
        Isolation::Serializable => "SERIALIZABLE",
        Isolation::RepeatableRead => "REPEATABLE READ",
        Isolation::ReadCommitted => "READ COMMITTED",
    };
    let access = match retry.access {
        Access::ReadWrite => "READ WRITE",
        Access::ReadOnly => "READ ONLY",
    };
    format!("BEGIN ISOLATION LEVEL {isolation} {access}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_begins_as_its_retry_says() {
        assert_eq!(begin_of(&Retry::serializable()), "BEGIN ISOLATION LEVEL SERIALIZABLE READ WRITE");
        let mut retry = Retry::read_only();
        retry.isolation = Isolation::RepeatableRead;
        assert_eq!(begin_of(&retry), "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
        retry.isolation = Isolation::ReadCommitted;
        assert_eq!(begin_of(&retry), "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY");
    }
}
