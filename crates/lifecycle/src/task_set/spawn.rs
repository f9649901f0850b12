//! The ways to start work on a set.

use std::panic::Location;

use tokio::runtime::Handle;
use tokio::task::LocalSet;
use tokio_util::sync::CancellationToken;
use tracing::Span;
use tracing::instrument::Instrument;
use tracing::level_filters::LevelFilter;

use super::core::Core;
use super::error::SpawnError;
use super::name::TaskName;
use super::owned::Owned;
use super::registry::TaskId;
use super::task::{Detached, OutputCell, Sink, Task};
use super::tracked::Tracked;
use super::{TaskSet, blocking};
use crate::report::TaskKind;
use crate::sync::Arc;

impl TaskSet {
    /// Starts a task on the current runtime, without a handle: the cheapest way.
    ///
    /// Its output is dropped before the task counts as ended. The tracing span that is current here is the task's.
    ///
    /// # Errors
    ///
    /// [`SpawnError::Closed`] from the begin of the termination on, [`SpawnError::NoRuntime`] outside of a runtime.
    #[track_caller]
    pub fn spawn<F>(&self, name: impl Into<TaskName>, future: F) -> Result<TaskId, SpawnError>
    where
        F: Future + Send + 'static,
    {
        start_detached(self.core(), TaskKind::Task, name.into(), Location::caller(), future)
    }

    /// As [`spawn`](Self::spawn), for another place than the caller's: for code that starts tasks on behalf of others,
    /// whose line says more in a report than its own. The place is what
    /// [`Location::caller`](std::panic::Location::caller) gave where the work was asked for.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn).
    #[track_caller]
    pub fn spawn_at<F>(
        &self,
        place: &'static Location<'static>,
        name: impl Into<TaskName>,
        future: F,
    ) -> Result<TaskId, SpawnError>
    where
        F: Future + Send + 'static,
    {
        start_detached(self.core(), TaskKind::Task, name.into(), place, future)
    }

    /// Starts a task on the current runtime and gives a handle to it.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn).
    #[track_caller]
    pub fn spawn_with_handle<F>(&self, name: impl Into<TaskName>, future: F) -> Result<Task<F::Output>, SpawnError>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let runtime = Handle::try_current().map_err(|_| SpawnError::NoRuntime)?;
        let entered = Entered::new(self.core(), TaskKind::Task, name.into(), Location::caller())?;
        Ok(entered.start(future, &runtime))
    }

    /// Starts a task on another runtime.
    ///
    /// If that runtime has gone, the task ends as [`TaskError::RuntimeGone`](crate::TaskError::RuntimeGone).
    ///
    /// # Errors
    ///
    /// [`SpawnError::Closed`] from the begin of the termination on.
    #[track_caller]
    pub fn spawn_on<F>(
        &self,
        runtime: &Handle,
        name: impl Into<TaskName>,
        future: F,
    ) -> Result<Task<F::Output>, SpawnError>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let entered = Entered::new(self.core(), TaskKind::Task, name.into(), Location::caller())?;
        Ok(entered.start(future, runtime))
    }

    /// Starts a task on a `LocalSet`; the future need not be `Send`.
    ///
    /// While nobody drives the `LocalSet` such a task cannot end: it is a straggler until the `LocalSet` is driven or
    /// dropped.
    ///
    /// # Errors
    ///
    /// [`SpawnError::Closed`] from the begin of the termination on.
    #[track_caller]
    pub fn spawn_local_on<F>(
        &self,
        local: &LocalSet,
        name: impl Into<TaskName>,
        future: F,
    ) -> Result<Task<F::Output>, SpawnError>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let entered = Entered::new(self.core(), TaskKind::Local, name.into(), Location::caller())?;
        Ok(entered.start_local(future, local))
    }

    /// Starts a cleanup task: an asynchronous close, a roll-back, a goodbye, or a connection's driver that those need.
    ///
    /// Accepted until the abort instant, or until nothing of the set lives any more; aborted at the abort instant, not
    /// when grace ends.
    ///
    /// # Errors
    ///
    /// [`SpawnError::Closed`] after that, [`SpawnError::NoRuntime`] outside of a runtime.
    #[track_caller]
    pub fn spawn_closing<F>(&self, name: impl Into<TaskName>, future: F) -> Result<TaskId, SpawnError>
    where
        F: Future + Send + 'static,
    {
        start_detached(self.core(), TaskKind::Closing, name.into(), Location::caller(), future)
    }

    /// Runs a closure on the runtime's blocking threads.
    ///
    /// It gets the set's token to look at now and then. While it waits in the queue a termination can take it out:
    /// when grace is over it is dropped unrun. Once it runs nothing can end it but itself; if it outlives the abort
    /// instant it is a straggler.
    ///
    /// # Errors
    ///
    /// [`SpawnError::Closed`] from the begin of the termination on, [`SpawnError::NoRuntime`] outside of a runtime,
    /// [`SpawnError::NoThread`] if the runtime has no thread for it and can make none.
    #[track_caller]
    pub fn spawn_blocking<F, T>(&self, name: impl Into<TaskName>, closure: F) -> Result<Task<T>, SpawnError>
    where
        F: FnOnce(&CancellationToken) -> T + Send + 'static,
        T: Send + 'static,
    {
        blocking::spawn_blocking(self.core(), name.into(), Location::caller(), closure)
    }

    /// Runs a closure on a thread of its own, named after it; needs no runtime.
    ///
    /// The closure gets the set's token and must end by itself when it is cancelled; one that outlives the abort
    /// instant is a straggler. The thread is joined before the termination returns.
    ///
    /// # Errors
    ///
    /// [`SpawnError::Closed`] from the begin of the termination on, [`SpawnError::NoThread`] if none can be made.
    #[track_caller]
    pub fn spawn_thread<F, T>(&self, name: impl Into<TaskName>, closure: F) -> Result<Task<T>, SpawnError>
    where
        F: FnOnce(&CancellationToken) -> T + Send + 'static,
        T: Send + 'static,
    {
        blocking::spawn_thread(self.core(), TaskKind::Thread, name.into(), Location::caller(), closure)
    }

    /// Makes a future a task of the set without starting it: whoever holds it polls it.
    ///
    /// # Errors
    ///
    /// [`SpawnError::Closed`] from the begin of the termination on.
    #[track_caller]
    pub fn track<F: Future>(&self, name: impl Into<TaskName>, future: F) -> Result<Tracked<F>, SpawnError> {
        let core = self.core();
        let id = core.enter(TaskKind::Tracked, name.into(), Location::caller())?;
        let cell = OutputCell::new();
        let owned = Owned::new(Arc::clone(core), id, TaskKind::Tracked, Arc::clone(&cell), future);
        Ok(Tracked::new(owned, Task::new(id, Arc::clone(core), cell)))
    }
}

#[track_caller]
fn start_detached<F>(
    core: &Arc<Core>,
    kind: TaskKind,
    name: TaskName,
    place: &'static Location<'static>,
    future: F,
) -> Result<TaskId, SpawnError>
where
    F: Future + Send + 'static,
{
    let runtime = Handle::try_current().map_err(|_| SpawnError::NoRuntime)?;
    let span = current_span();
    let id = core.enter(kind, name, place)?;
    let core = Arc::clone(core);
    match span {
        Some(span) => start(&runtime, Owned::new(core, id, kind, Detached, future.instrument(span))),
        None => start(&runtime, Owned::new(core, id, kind, Detached, future)),
    }
    Ok(id)
}

/// The span that a task is to be in; none if there is none, so that a task without one does not pay for it.
///
/// Taken before the entry: a subscriber is a user's code, and its panic would leave an entry that nothing ends.
fn current_span() -> Option<Span> {
    // There is no span where nothing is subscribed, and to learn that costs one load instead of a look-up.
    if LevelFilter::current() == LevelFilter::OFF {
        return None;
    }
    Some(Span::current()).filter(|span| !span.is_none())
}

/// Tells tokio's own instruments of the user's line and not of this one, as all that leads here does.
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "this is how the set starts a task it owns")]
fn start<F, S>(runtime: &Handle, task: Owned<F, S>)
where
    F: Future + Send + 'static,
    S: Sink<F::Output> + Send + 'static,
{
    #[cfg(all(feature = "leak-check", tokio_unstable))]
    let _own = crate::leak_check::own();
    // The entry is what is joined. On a runtime that has gone the wrapper is dropped in here, with no lock held.
    drop(runtime.spawn(task));
}

/// A task that has its entry and is not started.
struct Entered<'a> {
    core: &'a Arc<Core>,
    id: TaskId,
    kind: TaskKind,
    span: Option<Span>,
}

impl<'a> Entered<'a> {
    fn new(
        core: &'a Arc<Core>,
        kind: TaskKind,
        name: TaskName,
        place: &'static Location<'static>,
    ) -> Result<Self, SpawnError> {
        let span = current_span();
        Ok(Self { core, id: core.enter(kind, name, place)?, kind, span })
    }

    #[track_caller]
    fn start<F>(self, future: F, runtime: &Handle) -> Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let (core, cell) = (Arc::clone(self.core), OutputCell::new());
        let sink = Arc::clone(&cell);
        match self.span {
            Some(span) => start(runtime, Owned::new(core, self.id, self.kind, sink, future.instrument(span))),
            None => start(runtime, Owned::new(core, self.id, self.kind, sink, future)),
        }
        Task::new(self.id, Arc::clone(self.core), cell)
    }

    #[track_caller]
    #[expect(clippy::disallowed_methods, reason = "this is how the set starts a local task it owns")]
    fn start_local<F>(self, future: F, local: &LocalSet) -> Task<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let (core, cell) = (Arc::clone(self.core), OutputCell::new());
        let sink = Arc::clone(&cell);
        // A local task is not counted in nanoseconds: it always carries a span.
        let future = future.instrument(self.span.unwrap_or_else(Span::none));
        drop(local.spawn_local(Owned::new(core, self.id, self.kind, sink, future)));
        Task::new(self.id, Arc::clone(self.core), cell)
    }
}
