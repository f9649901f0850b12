//! What a holder has: a connection of diesel-async's that knows what was begun on it.

use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;

use diesel::associations::HasTable;
use diesel::connection::{CacheSize, Instrumentation};
use diesel::pg::Pg;
use diesel::prelude::Identifiable;
use diesel::query_builder::{AsQuery, QueryFragment, QueryId};
use diesel::result::{ConnectionError, ConnectionResult, QueryResult};
use diesel_async::{
    AnsiTransactionManager, AsyncConnection, AsyncConnectionCore, AsyncPgConnection, SimpleAsyncConnection,
    TransactionManager, UpdateAndFetchResults,
};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::line::Line;
use super::rows::{PgRows, Row};
use super::usage::Usage;
use crate::synchronous::Unusable;

/// A connection to PostgreSQL, with diesel-async's traits.
///
/// Claimed from a pool made by [`DieselPool::postgres`](crate::DieselPool::postgres). The handle of a claim has the same
/// traits, so it goes wherever diesel-async takes a connection: `query.load(&mut connection).await`.
///
/// # Cancel safety
///
/// Dropping the future of an operation, or of a transaction, returns at once. One that was never polled leaves the
/// connection as it was. Any other may have left something on the server: that is cancelled there, whatever is not sent yet
/// is not sent, and the connection takes no other operation; it is closed when its handle is dropped. What was open is rolled
/// back, unless it was being committed: then nobody knows.
///
/// Rows that are dropped before their end leave the connection usable. Those that are still on their way are read, and
/// dropped, before the next operation's; when the handle goes back they are waited for shortly, then the connection is closed.
pub struct PgConnection {
    inner: AsyncPgConnection,
    line: Leaving,
}

/// Has the connection's task end when there is no user any more.
pub(super) struct Leaving(pub(super) Arc<Line>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.ends().leave();
    }
}

impl PgConnection {
    pub(super) fn new(inner: AsyncPgConnection, line: Leaving) -> Self {
        Self { inner, line }
    }

    pub(super) fn line(&self) -> &Arc<Line> {
        &self.line.0
    }

    /// Whether the next user may have it, or could once the rest of an answer is read.
    pub(super) fn is_fit(&mut self) -> Option<Usage> {
        let is_broken = self.line().ends().why().is_some()
            || AnsiTransactionManager::is_broken_transaction_manager(&mut self.inner);
        let usage = *self.line().usage();
        (!is_broken && matches!(usage, Usage::Ready | Usage::Unsettled)).then_some(usage)
    }

    /// Says goodbye, and waits until the session is over. What the server still does for it is cancelled.
    pub(super) async fn close(self) {
        let line = Arc::clone(self.line());
        if *line.usage() != Usage::Ready {
            line.cut(Unusable::Closed);
        }
        drop(self);
        line.ends().over().await;
    }
}

impl SimpleAsyncConnection for PgConnection {
    async fn batch_execute(&mut self, query: &str) -> QueryResult<()> {
        let begun = self.line.0.begin()?;
        begun.end(self.inner.batch_execute(query).await)
    }
}

impl AsyncConnectionCore for PgConnection {
    type ExecuteFuture<'conn, 'query> = BoxFuture<'conn, QueryResult<usize>>;
    type LoadFuture<'conn, 'query> = BoxFuture<'conn, QueryResult<PgRows<'conn>>>;
    type Stream<'conn, 'query> = PgRows<'conn>;
    type Row<'conn, 'query> = Row;
    type Backend = Pg;

    fn load<'conn, 'query, T>(&'conn mut self, source: T) -> Self::LoadFuture<'conn, 'query>
    where
        T: AsQuery + 'query,
        T::Query: QueryFragment<Pg> + QueryId + 'query,
    {
        let (line, loads) = (&self.line.0, self.inner.load(source));
        let load = async {
            let begun = line.begin()?;
            match loads.await {
                Ok(rows) => Ok(PgRows::new(rows, begun)),
                Err(error) => begun.end(Err(error)),
            }
        };
        load.boxed()
    }

    fn execute_returning_count<'conn, 'query, T>(&'conn mut self, source: T) -> Self::ExecuteFuture<'conn, 'query>
    where
        T: QueryFragment<Pg> + QueryId + 'query,
    {
        let (line, executes) = (&self.line.0, self.inner.execute_returning_count(source));
        let execute = async {
            let begun = line.begin()?;
            begun.end(executes.await)
        };
        execute.boxed()
    }
}

impl AsyncConnection for PgConnection {
    type TransactionManager = AnsiTransactionManager;

    async fn establish(_: &str) -> ConnectionResult<Self> {
        Err(ConnectionError::BadConnection("it is claimed from a pool, which owns its task".to_owned()))
    }

    fn transaction_state(&mut self) -> &mut AnsiTransactionManager {
        self.inner.transaction_state()
    }

    fn instrumentation(&mut self) -> &mut dyn Instrumentation {
        self.inner.instrumentation()
    }

    fn set_instrumentation(&mut self, instrumentation: impl Instrumentation) {
        self.inner.set_instrumentation(instrumentation);
    }

    fn set_prepared_statement_cache_size(&mut self, size: CacheSize) {
        self.inner.set_prepared_statement_cache_size(size);
    }
}

impl<Changes, Output> UpdateAndFetchResults<Changes, Output> for PgConnection
where
    Changes: Identifiable + HasTable + Send,
    Output: Send + 'static,
    AsyncPgConnection: UpdateAndFetchResults<Changes, Output>,
{
    fn update_and_fetch<'conn, 'changes>(
        &'conn mut self,
        changeset: Changes,
    ) -> BoxFuture<'changes, QueryResult<Output>>
    where
        Changes: 'changes,
        'conn: 'changes,
        Self: 'changes,
    {
        let (line, updates) = (&self.line.0, self.inner.update_and_fetch(changeset));
        let update = async {
            let begun = line.begin()?;
            begun.end(updates.await)
        };
        update.boxed()
    }
}

impl Debug for PgConnection {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgConnection").field("line", self.line()).finish_non_exhaustive()
    }
}
