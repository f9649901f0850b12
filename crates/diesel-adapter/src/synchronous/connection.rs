//! What a holder has: the way to a connection on its thread.

use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;

use diesel::Connection;
use tokio::sync::oneshot;

use super::connector::Source;
use super::mailbox::Mailbox;
use super::run_error::{RunError, Unusable};
use super::worker::{perform, tell};
use crate::brake::Brake;

/// A synchronous Diesel connection on a thread of its own, which closes it when this is dropped.
///
/// Claimed from a pool made by [`DieselPool::synchronous`](crate::DieselPool::synchronous) or
/// `DieselPool::sqlite`.
pub struct SyncConnection<C> {
    mailbox: Arc<Mailbox<C>>,
    source: Arc<Source<C>>,
}

impl<C: Connection + 'static> SyncConnection<C> {
    pub(super) fn new(mailbox: Arc<Mailbox<C>>, source: Arc<Source<C>>) -> Self {
        Self { mailbox, source }
    }

    /// Runs an operation on the connection's thread: one hop there and one back, whatever it does.
    ///
    /// Operations of one connection run one after the other. A transaction that one of them leaves open goes on in the
    /// next; one that is still open when the handle goes back is rolled back, since the connection is closed then. What SQL
    /// texts such as `BEGIN` have opened is seen on SQLite only.
    ///
    /// # Errors
    ///
    /// - [`RunError::Failed`] with the operation's own error.
    /// - [`RunError::Panicked`] if it panicked.
    /// - [`RunError::Interrupted`] if the pool's grace ended while it ran, and it failed then.
    /// - [`RunError::Unusable`] if it could not run, because of what became of an earlier one.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future returns at once, and the answer is lost. An operation that had not begun never runs, and the
    /// connection is as before. One that runs is interrupted, if the database can be, and the connection takes no other
    /// operation: it is closed when its handle is dropped, which rolls back what was open.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "sqlite")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use diesel::prelude::*;
    /// use landfall_diesel_adapter::DieselPool;
    /// use landfall_lifecycle::{Shutdown, Terminate};
    ///
    /// let pool = DieselPool::sqlite("file:numbers?mode=memory&cache=shared").build()?;
    /// let seven = diesel::dsl::sql::<diesel::sql_types::Integer>("3 + 4");
    /// let seven: i32 = pool.claim().await?.run(|connection| diesel::select(seven).get_result(connection)).await?;
    /// assert_eq!(seven, 7);
    /// assert!(pool.terminate(&Shutdown::now()).await?.is_clean());
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "sqlite"))]
    /// # fn main() {}
    /// ```
    pub async fn run<T, E, F>(&mut self, operation: F) -> Result<T, RunError<E>>
    where
        F: FnOnce(&mut C) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: Send + 'static,
    {
        self.run_with_brake(|connection, _| operation(connection)).await
    }

    /// As `run`, with what tells an operation that waits that nobody wants it any more.
    pub(crate) async fn run_with_brake<T, E, F>(&mut self, operation: F) -> Result<T, RunError<E>>
    where
        F: FnOnce(&mut C, &Brake) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let source = Arc::clone(&self.source);
        let job = Box::new(move |connection: &mut C, mailbox: &Mailbox<C>| {
            let operation = |connection: &mut C| operation(connection, mailbox.brake());
            tell(reply, perform(connection, mailbox, &source, operation));
        });
        self.mailbox.post(job).map_err(|why| self.unusable(why))?;
        // Gives up if this future is dropped from here on; after the answer there is nothing to give up.
        let _given_up = GiveUp(&self.mailbox);
        // Without an answer it was taken out unrun, because the connection was closed.
        answer.await.unwrap_or_else(|_| Err(self.unusable(self.mailbox.why_closed())))
    }

    pub(super) fn is_fit(&self) -> bool {
        self.mailbox.is_fit()
    }

    /// Closes the connection, and waits until it is closed.
    pub(super) async fn close(self) {
        self.mailbox.close(Unusable::Closed);
        self.mailbox.ended().await;
    }

    fn unusable<E>(&self, why: Unusable) -> RunError<E> {
        RunError::Unusable { database: self.source.shown.clone(), why }
    }
}

impl<C> Drop for SyncConnection<C> {
    fn drop(&mut self) {
        self.mailbox.close(Unusable::Closed);
    }
}

impl<C> Debug for SyncConnection<C> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("SyncConnection").field("database", &self.source.shown).finish_non_exhaustive()
    }
}

struct GiveUp<'a, C>(&'a Mailbox<C>);

impl<C> Drop for GiveUp<'_, C> {
    fn drop(&mut self) {
        self.0.give_up();
    }
}
