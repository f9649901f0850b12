//! The pool, as its users hold it.

use std::borrow::Cow;
use std::fmt::{self, Debug, Formatter};
use std::panic::Location;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::future::BoxFuture;
use landfall_lifecycle::internal::log;
use landfall_lifecycle::{Reason, Report, SelfJoin, Shutdown, Stack, TaskName, Terminate};

use crate::builder::Builder;
use crate::claim::{Claim, TryClaimError, WarmUpError};
use crate::connector::Connector;
use crate::core::Taken;
use crate::events::Events;
#[cfg(landfall_faults)]
use crate::faults::{Fault, is_armed};
use crate::handle::Handle;
use crate::policy::{PolicyError, clamp};
use crate::shared::{Handles, Ready, Shared};
use crate::stats::{PoolStats, SlotCounts};

/// How many holders a warning names; the rest is counted.
const HOLDERS_IN_WARNING_MAX: usize = 16;

/// A pool of connections to the backends of one service.
///
/// Clones are handles to the same pool. When the last one is dropped without a termination, the pool is terminated with
/// no grace, and a warning says so: claims that wait fail, idle connections are dropped, handles that are out are
/// interrupted and close their connections when they are dropped.
///
/// # How it ends
///
/// 1. No claim is accepted any more; those that wait fail with
///    [`ClaimError::Terminating`](crate::ClaimError::Terminating). Connects and checks are given up, idle connections
///    are closed.
/// 2. Until grace ends, handles come back and are closed.
/// 3. When grace ends, each handle that is out is interrupted, if its connector gave an
///    [`Interrupt`](crate::Interrupt) with the connection.
/// 4. At the abort instant connections that are still being closed are dropped, and the report names each as a
///    *session* whose end was not seen. It also names each handle that is out: its backend, the place of its claim, its
///    age. That one is closed by whoever drops it.
///
/// A backend that does not answer, one in backoff, and a connector that never returns delay none of this.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use landfall_lifecycle::{Shutdown, Terminate};
/// use landfall_pool::{Backend, BoxError, ConnectCx, Connected, Connector, FixedResolver, Pool};
/// use tokio::net::{TcpListener, TcpStream};
///
/// struct Tcp;
///
/// impl Connector for Tcp {
///     type Connection = TcpStream;
///
///     async fn connect(&self, backend: &Backend, _: &ConnectCx) -> Result<Connected<TcpStream>, BoxError> {
///         Ok(TcpStream::connect(backend.address).await?.into())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let backends = FixedResolver::new([listener.local_addr()?]);
/// let pool = Pool::builder("orders").resolver(backends).connector(Tcp).build()?;
///
/// let connection = pool.claim().await?;
/// println!("connected to {}", connection.peer_addr()?);
/// drop(connection);
///
/// let report = pool.terminate(&Shutdown::within(Duration::from_secs(5), Duration::from_secs(6))).await?;
/// assert!(report.is_clean());
/// # Ok(())
/// # }
/// ```
pub struct Pool<K: Connector>(Arc<Root<K>>);

/// A reference to a [`Pool`] that does not keep it alive, for what the pool itself keeps: its connector, its resolver,
/// tasks of its connections.
pub struct WeakPool<K: Connector>(Weak<Root<K>>);

/// What all clones of a pool share; the end of the last one ends the pool.
struct Root<K: Connector> {
    shared: Arc<Shared<K>>,
    /// The tasks at the bottom, the handles on top of them.
    stack: Stack,
}

impl<K: Connector> Pool<K> {
    /// Begins to build a pool. The name is shown in logs, errors and reports.
    pub fn builder(name: impl Into<TaskName>) -> Builder<K> {
        Builder::new(name.into())
    }

    pub(crate) fn new(shared: Arc<Shared<K>>, stack: Stack) -> Self {
        Self(Arc::new(Root { shared, stack }))
    }

    /// The pool's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.shared().name()
    }

    /// Claims a connection: the one used last, of the less loaded of two backends picked at random.
    ///
    /// If none is idle it waits in order of arrival, and the pool opens one if it may. A connection that comes back
    /// goes to the first that waits, and nobody can overtake. It waits for at most
    /// [`claim_timeout`](crate::Policy::claim_timeout) from its first poll; while nothing is online for at most
    /// [`offline_wait`](crate::Policy::offline_wait).
    ///
    /// It needs no runtime to be polled on: connections are opened and checked on the pool's.
    ///
    /// # Errors
    ///
    /// See [`ClaimError`](crate::ClaimError).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a dropped claim leaves the line, a connection that was granted to it goes to the next, and one that
    /// is being opened or prepared for it is finished and kept.
    #[track_caller]
    pub fn claim(&self) -> Claim<'_, K> {
        Claim::new(self.shared(), None, Location::caller())
    }

    /// As [`claim`](Self::claim), with a limit of its own instead of the policy's. Longer ones than 365 days are taken
    /// as that.
    ///
    /// # Errors
    ///
    /// See [`ClaimError`](crate::ClaimError).
    ///
    /// # Cancel safety
    ///
    /// As for [`claim`](Self::claim).
    #[track_caller]
    pub fn claim_within(&self, timeout: Duration) -> Claim<'_, K> {
        Claim::new(self.shared(), Some(clamp(timeout)), Location::caller())
    }

    /// Claims a connection that is idle and fit, without waiting for anything.
    ///
    /// It is not validated, however long it has been idle, and one that the connector wants to prepare is left to be
    /// prepared for a later claim. None is opened.
    ///
    /// # Errors
    ///
    /// [`TryClaimError::NoneIdle`], and [`TryClaimError::Terminating`].
    #[track_caller]
    pub fn try_claim(&self) -> Result<Handle<K>, TryClaimError> {
        let place = Location::caller();
        loop {
            let now = self.shared().recent();
            let taken = self.shared().take(now, place, false);
            let Taken::Hit(grip, connection) = taken else {
                let pool = self.name().to_owned();
                return Err(match taken {
                    Taken::Closed => TryClaimError::Terminating { pool },
                    _ => TryClaimError::NoneIdle { pool },
                });
            };
            match self.shared().make_ready(self.shared().lease(grip, connection, now, None, place)) {
                Ready::Handle(handle) => return Ok(handle),
                Ready::Broken => {}
                Ready::Prepare(lease) => {
                    self.shared().prepare_for_nobody(lease);
                    return Err(TryClaimError::NoneIdle { pool: self.name().to_owned() });
                }
            }
        }
    }

    /// Waits until the connections that the policy wants to have ready are open:
    /// [`spares_wanted`](crate::Policy::spares_wanted), and at least [`slots_min`](crate::Policy::slots_min).
    ///
    /// # Errors
    ///
    /// - [`WarmUpError::NoneOnline`] with the last connect error, when nothing has been online for
    ///   [`offline_wait`](crate::Policy::offline_wait). The pool goes on trying.
    /// - [`WarmUpError::Terminating`] after `terminate` was called.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropping it forgets the wait and nothing else.
    pub async fn warm_up(&self) -> Result<(), WarmUpError> {
        self.shared().warm_up().await
    }

    /// Changes how many connections there may be. What is claimed stays with its holders: what is too much is closed
    /// when it comes back.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] if the other fields of the policy do not allow it; nothing is changed then.
    pub fn resize(&self, slots_max: usize) -> Result<(), PolicyError> {
        self.shared().resize(slots_max)
    }

    /// Replaces every connection there is, for example after the server's settings have changed: idle ones are closed
    /// now, claimed ones when they come back.
    pub fn evict(&self) {
        self.shared().evict();
    }

    /// How many slots are in each state: a part of [`stats`](Self::stats) that costs next to nothing.
    #[must_use]
    pub fn slots(&self) -> SlotCounts {
        self.shared().lock().counts()
    }

    /// The pool at this instant. It is put together under the pool's lock: take it now and then, not for each claim.
    #[must_use]
    pub fn stats(&self) -> PoolStats {
        let now = self.shared().now();
        self.shared().lock().stats(now)
    }

    /// What changes in the pool from now on: what is opened, checked and closed and why, which backends fail and
    /// recover, and the pool's own state.
    ///
    /// In the order of the changes, each told to every reader; one that reads too slowly loses the oldest and is told
    /// how many. For a picture that goes on, ask for the events first and for [`stats`](Self::stats) then. Claims and
    /// releases are not among the events, there are too many: the statistics count them. While nobody listens nothing
    /// is kept, and events cost nothing where claims are served.
    #[must_use]
    pub fn events(&self) -> Events {
        self.shared().journal().listen()
    }

    /// A reference that does not keep the pool alive.
    #[must_use]
    pub fn downgrade(&self) -> WeakPool<K> {
        WeakPool(Arc::downgrade(&self.0))
    }

    /// As [`terminate`](Terminate::terminate), for a caller that is not on a runtime.
    ///
    /// # Errors
    ///
    /// [`SelfJoin`] when a task of this pool calls.
    pub fn terminate_blocking(&self, how: &Shutdown) -> Result<Report, SelfJoin> {
        if self.0.stack.calling_task().is_none() {
            self.0.close(how);
        }
        self.0.stack.terminate_blocking(how).map(|report| self.shared().with_unseen(report))
    }

    pub(crate) fn shared(&self) -> &Arc<Shared<K>> {
        &self.0.shared
    }
}

impl<K: Connector> Root<K> {
    /// Closes the gate, at once: the stack's driver is a thread that takes a moment to begin.
    fn close(&self, how: &Shutdown) {
        let how = how.clone().because(Reason::ParentTerminating);
        Handles(Arc::clone(&self.shared)).begin_terminate(&how);
    }
}

impl<K: Connector> Terminate for Pool<K> {
    fn name(&self) -> Cow<'_, str> {
        self.shared().name().into()
    }

    fn begin_terminate(&self, how: &Shutdown) {
        self.0.close(how);
        self.0.stack.begin_terminate(how);
    }

    fn terminate<'a>(&'a self, how: &'a Shutdown) -> BoxFuture<'a, Result<Report, SelfJoin>> {
        Box::pin(async move {
            if self.0.stack.calling_task().is_none() {
                self.0.close(how);
            }
            self.0.stack.terminate(how).await.map(|report| self.shared().with_unseen(report))
        })
    }

    fn ended(&self) -> BoxFuture<'_, ()> {
        self.0.stack.ended()
    }

    fn report(&self) -> Option<Report> {
        Terminate::report(&self.0.stack).map(|report| self.shared().with_unseen(report))
    }

    fn calling_task(&self) -> Option<String> {
        self.0.stack.calling_task()
    }
}

impl<K: Connector> Drop for Root<K> {
    fn drop(&mut self) {
        if self.shared.ending().has_begun() {
            return;
        }
        #[cfg(landfall_faults)]
        if is_armed(Fault::ForgetDropped) {
            // The last handle to what is below would end it.
            let _kept = Box::leak(Box::new(self.stack.clone()));
            return;
        }
        let SlotCounts { idle, claimed, .. } = self.shared.lock().counts();
        let holders = self.shared.holders(HOLDERS_IN_WARNING_MAX);
        log(|| {
            tracing::warn!(
                pool.name = self.shared.name(),
                idle,
                claimed,
                ?holders,
                "dropped without a termination: aborting what runs"
            );
        });
        let how = Shutdown::now().because(Reason::Dropped);
        self.close(&how);
        self.stack.begin_terminate(&how);
    }
}

impl<K: Connector> WeakPool<K> {
    /// The pool, if any other handle to it is left.
    #[must_use]
    pub fn upgrade(&self) -> Option<Pool<K>> {
        self.0.upgrade().map(Pool)
    }
}

impl<K: Connector> Clone for Pool<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K: Connector> Clone for WeakPool<K> {
    fn clone(&self) -> Self {
        Self(Weak::clone(&self.0))
    }
}

impl<K: Connector> Debug for Pool<K> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("name", &self.name()).field("slots", &self.slots()).finish_non_exhaustive()
    }
}

impl<K: Connector> Debug for WeakPool<K> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("WeakPool")
    }
}
