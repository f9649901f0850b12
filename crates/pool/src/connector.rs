//! How connections are made, checked and closed.

use std::error::Error;
use std::fmt::{self, Debug, Formatter};
use std::future::ready;
use std::sync::Arc;

use landfall_lifecycle::{SpawnError, TaskId, TaskName, TaskSet};
use tokio::runtime::Handle as Runtime;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::backend::Backend;
#[cfg(landfall_faults)]
use crate::faults::{Fault, is_armed};
use crate::interrupt::Interrupt;

/// Any error, as connectors give it.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Makes, checks and closes the connections of a pool.
///
/// Every asynchronous method runs as an entry of the pool's task set, on the runtime on which the pool was built, with
/// a limit of time; never in the task of whoever claims. A panic counts as a failure: the connection is dropped, the
/// slot is free again, and the report of the pool's termination names it.
///
/// # Examples
///
/// ```
/// use landfall_pool::{Backend, BoxError, ConnectCx, Connected, Connector};
/// use tokio::net::TcpStream;
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
/// ```
pub trait Connector: Send + Sync + 'static {
    /// What is pooled.
    type Connection: Send + 'static;

    /// Opens a connection to `backend`.
    ///
    /// # Errors
    ///
    /// What went wrong. Claims that find no backend online show the last one.
    ///
    /// # Cancel safety
    ///
    /// It is dropped when its time is over, when the backend goes, and when the pool terminates; whatever it has opened
    /// must go with it.
    fn connect(
        &self,
        backend: &Backend,
        cx: &ConnectCx,
    ) -> impl Future<Output = Result<Connected<Self::Connection>, BoxError>> + Send;

    /// Says how fit a connection is, about to be claimed or just come back.
    ///
    /// Synchronous, called for every claim in the task that claims, and for every release where the handle is dropped,
    /// so it must not block: look at flags, not at the network. What takes time is done by [`on_claim`](Self::on_claim)
    /// and [`on_recycle`](Self::on_recycle), which run if this says [`Fitness::Prepare`]. A panic counts as
    /// [`Fitness::Broken`]. Default: always [`Fitness::Fit`].
    fn fitness(&self, connection: &mut Self::Connection, at: Moment) -> Fitness {
        let _ = (connection, at);
        Fitness::Fit
    }

    /// Asks whether an idle connection still works: before a claim when it has been unused for
    /// [`validate_after`](crate::Policy::validate_after), and every [`keepalive`](crate::Policy::keepalive). Default:
    /// it does.
    ///
    /// # Errors
    ///
    /// Why not. The connection is closed.
    ///
    /// # Cancel safety
    ///
    /// It is dropped when its time is over and when the pool terminates; the connection is closed then.
    fn is_valid(&self, connection: &mut Self::Connection) -> impl Future<Output = Result<(), BoxError>> + Send {
        let _ = connection;
        ready(Ok(()))
    }

    /// Prepares a connection for the claim that waits for it, if [`fitness`](Self::fitness) asked for it at
    /// [`Moment::Claim`]. Default: nothing.
    ///
    /// A claim that is given up meanwhile does not cut it: the connection is for the next one.
    ///
    /// # Errors
    ///
    /// Why it is no good. The connection is closed, and the claim is first in line for another.
    ///
    /// # Cancel safety
    ///
    /// As for [`is_valid`](Self::is_valid).
    fn on_claim(&self, connection: &mut Self::Connection) -> impl Future<Output = Result<(), BoxError>> + Send {
        let _ = connection;
        ready(Ok(()))
    }

    /// Makes a connection that came back fit for the next claim, if [`fitness`](Self::fitness) asked for it at
    /// [`Moment::Release`]: rolls back, resets. Default: nothing.
    ///
    /// # Errors
    ///
    /// Why it is no good. The connection is closed.
    ///
    /// # Cancel safety
    ///
    /// As for [`is_valid`](Self::is_valid).
    fn on_recycle(&self, connection: &mut Self::Connection) -> impl Future<Output = Result<(), BoxError>> + Send {
        let _ = connection;
        ready(Ok(()))
    }

    /// Closes a connection: says goodbye and waits for the other side to confirm. Default: drops it.
    ///
    /// It counts against the caps until this is done or [`close_timeout`](crate::Policy::close_timeout) is over. The abort
    /// instant of a termination cuts it too. One that is cut while the pool terminates is a remnant of kind `session` in
    /// the report, for nobody knows whether the other side has ended. Where it cannot run (the runtime has gone, the
    /// termination is over) the connection is dropped instead.
    ///
    /// # Cancel safety
    ///
    /// It is dropped when its time is over; the connection goes with it.
    fn close(&self, connection: Self::Connection) -> impl Future<Output = ()> + Send {
        drop(connection);
        ready(())
    }
}

/// When the fitness of a connection is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Moment {
    /// A claim is about to get it.
    Claim,
    /// Its holder gave it back.
    Release,
}

/// How fit a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fitness {
    /// It can be used as it is.
    Fit,
    /// [`Connector::on_claim`] or [`Connector::on_recycle`] has to run first.
    Prepare,
    /// It is of no use any more: it is closed, and another one takes its place.
    Broken,
}

/// What an attempt to connect may know and use.
#[derive(Clone, Debug)]
pub struct ConnectCx {
    pub(crate) deadline: Instant,
    pub(crate) cancelled: CancellationToken,
    pub(crate) spawner: Spawner,
}

impl ConnectCx {
    /// When the attempt is dropped.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Cancelled when the connection is not wanted any more. The attempt is dropped then; work that it has begun
    /// elsewhere, a blocking job for example, looks at this.
    #[must_use]
    pub fn cancelled(&self) -> CancellationToken {
        self.cancelled.clone()
    }

    /// Starts what the connection needs besides itself, such as the task that drives its protocol.
    #[must_use]
    pub fn spawner(&self) -> &Spawner {
        &self.spawner
    }
}

/// Starts tasks and threads on the pool's task set.
#[derive(Clone)]
pub struct Spawner {
    pub(crate) tasks: TaskSet,
    pub(crate) runtime: Runtime,
}

impl Spawner {
    /// Starts a task on the pool's runtime, as an entry of the pool's task set that lives until it ends by itself or
    /// the abort instant comes.
    ///
    /// For drivers of connections, which a close needs to the last, and for what follows an interrupt. A driver ends
    /// when its connection does; the pool's termination waits for it.
    ///
    /// # Errors
    ///
    /// [`SpawnError::Closed`] from the abort instant on, or when the pool has ended.
    #[track_caller]
    pub fn spawn<F>(&self, name: impl Into<TaskName>, future: F) -> Result<TaskId, SpawnError>
    where
        F: Future + Send + 'static,
    {
        let _entered = self.runtime.enter();
        #[cfg(landfall_faults)]
        if is_armed(Fault::LeaveDriver) {
            let stays = async { (drop(future.await), std::future::pending::<()>().await).0 };
            return crate::shared::forgotten().spawn(name, stays);
        }
        self.tasks.spawn_closing(name, future)
    }

    /// Starts a thread of its own, named after `name`, as an entry of the pool's task set: for connections whose
    /// protocol blocks.
    ///
    /// Nothing can end it but itself, and it must end when its connection does; the pool's termination waits for it,
    /// and names it as a straggler if it outlives the abort instant.
    ///
    /// # Errors
    ///
    /// [`SpawnError::Closed`] once the pool terminates, when connects are given up too; [`SpawnError::NoThread`] if none
    /// can be made.
    #[track_caller]
    pub fn spawn_thread<F>(&self, name: impl Into<TaskName>, closure: F) -> Result<TaskId, SpawnError>
    where
        F: FnOnce() + Send + 'static,
    {
        #[cfg(landfall_faults)]
        if is_armed(Fault::LeaveDriver) {
            let stays = move |_: &CancellationToken| {
                closure();
                loop {
                    std::thread::park();
                }
            };
            return crate::shared::forgotten().spawn_thread::<_, ()>(name, stays).map(|task| task.id());
        }
        self.tasks.spawn_thread(name, |_| closure()).map(|task| task.id())
    }
}

impl Debug for Spawner {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spawner").field("tasks", &self.tasks).finish_non_exhaustive()
    }
}

/// A connection as a connector gives it.
pub struct Connected<C> {
    pub(crate) connection: C,
    pub(crate) interrupt: Option<Arc<dyn Interrupt>>,
}

impl<C> Connected<C> {
    /// Gives a way to interrupt the connection along.
    #[must_use]
    pub fn with_interrupt(self, interrupt: impl Interrupt) -> Self {
        Self { interrupt: Some(Arc::new(interrupt)), ..self }
    }
}

impl<C> From<C> for Connected<C> {
    fn from(connection: C) -> Self {
        Self { connection, interrupt: None }
    }
}

impl<C> Debug for Connected<C> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connected").field("has_interrupt", &self.interrupt.is_some()).finish_non_exhaustive()
    }
}
