//! A pool of Diesel connections, as its users hold it.

use std::borrow::Cow;
use std::fmt::{self, Debug, Formatter};
use std::time::Duration;

use futures_util::future::BoxFuture;
use landfall_lifecycle::{Report, SelfJoin, Shutdown, Terminate};
use landfall_pool::{Claim, Connector, Pool};

/// A pool of Diesel connections.
///
/// Clones are handles to the same pool; when the last one is dropped, it is terminated without grace. It ends as every
/// [`Pool`] does, see there: what runs when grace ends is interrupted.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "sqlite")]
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
///
/// use diesel::connection::SimpleConnection;
/// use landfall_diesel_adapter::DieselPool;
/// use landfall_lifecycle::{Shutdown, Terminate};
///
/// let pool = DieselPool::sqlite("file:orders?mode=memory&cache=shared").name("orders").build()?;
/// pool.claim().await?.run(|connection| connection.batch_execute("CREATE TABLE orders (id INTEGER)")).await?;
///
/// let report = pool.terminate(&Shutdown::within(Duration::from_secs(5), Duration::from_secs(6))).await?;
/// assert!(report.is_clean());
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "sqlite"))]
/// # fn main() {}
/// ```
pub struct DieselPool<K: Connector>(Pool<K>);

impl<K: Connector> DieselPool<K> {
    pub(crate) fn new(pool: Pool<K>) -> Self {
        Self(pool)
    }

    /// Claims a connection, as [`Pool::claim`] does.
    ///
    /// # Errors
    ///
    /// See [`ClaimError`](landfall_pool::ClaimError).
    ///
    /// # Cancel safety
    ///
    /// As for [`Pool::claim`].
    #[track_caller]
    pub fn claim(&self) -> Claim<'_, K> {
        self.0.claim()
    }

    /// As [`claim`](Self::claim), with a limit of its own instead of the policy's.
    ///
    /// # Errors
    ///
    /// See [`ClaimError`](landfall_pool::ClaimError).
    ///
    /// # Cancel safety
    ///
    /// As for [`Pool::claim`].
    #[track_caller]
    pub fn claim_within(&self, timeout: Duration) -> Claim<'_, K> {
        self.0.claim_within(timeout)
    }

    /// The pool below: its statistics and events, and what can be changed at run time.
    #[must_use]
    pub fn pool(&self) -> &Pool<K> {
        &self.0
    }
}

impl<K: Connector> Terminate for DieselPool<K> {
    fn name(&self) -> Cow<'_, str> {
        Terminate::name(&self.0)
    }

    fn begin_terminate(&self, how: &Shutdown) {
        self.0.begin_terminate(how);
    }

    fn terminate<'a>(&'a self, how: &'a Shutdown) -> BoxFuture<'a, Result<Report, SelfJoin>> {
        self.0.terminate(how)
    }

    fn ended(&self) -> BoxFuture<'_, ()> {
        self.0.ended()
    }

    fn report(&self) -> Option<Report> {
        self.0.report()
    }

    fn calling_task(&self) -> Option<String> {
        self.0.calling_task()
    }
}

impl<K: Connector> Clone for DieselPool<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K: Connector> Debug for DieselPool<K> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DieselPool").field(&self.0).finish()
    }
}
