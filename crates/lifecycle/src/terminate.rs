//! What everything that owns background work has in common.

use std::borrow::Cow;

use futures_util::future::BoxFuture;

use crate::report::Report;
use crate::shutdown::Shutdown;
use crate::sync::Arc;

/// An owner of background work that can be ended on purpose.
///
/// When [`terminate`](Self::terminate) returns, nothing that the owner started is running, or the report names what
/// still is. Every owner in these crates implements it; your own types do by passing the calls on to the
/// [`TaskSet`](crate::TaskSet) they embed.
///
/// Implementations keep these rules, which callers rely on:
///
/// - Terminating is idempotent and shared: each call gets the same ending; the effective instants are the earliest of
///   all callers'.
/// - Dropping the future of `terminate` loses nothing: the escalation goes on at its instants without it.
/// - It is ready at the latest one second after the abort instant, whatever user code does.
/// - No new work is accepted once it has begun.
///
/// # Examples
///
/// ```
/// use std::borrow::Cow;
/// use futures_util::future::BoxFuture;
/// use landfall_lifecycle::{Report, SelfJoin, Shutdown, TaskSet, Terminate};
///
/// struct Cache { tasks: TaskSet }
///
/// impl Terminate for Cache {
///     fn name(&self) -> Cow<'_, str> { self.tasks.name().into() }
///     fn begin_terminate(&self, how: &Shutdown) { self.tasks.begin_terminate(how) }
///     fn terminate<'a>(&'a self, how: &'a Shutdown) -> BoxFuture<'a, Result<Report, SelfJoin>> {
///         self.tasks.terminate(how)
///     }
///     fn ended(&self) -> BoxFuture<'_, ()> { self.tasks.ended() }
/// }
/// ```
pub trait Terminate: Send + Sync {
    /// The owner's name, as reports and logs show it.
    fn name(&self) -> Cow<'_, str>;

    /// Begins to terminate: refuses new work and asks what runs to finish.
    ///
    /// Synchronous, idempotent and never blocking; it may be called from `Drop` and from the owner's own tasks. The
    /// deadlines are kept from here on, whether or not anybody awaits the end.
    fn begin_terminate(&self, how: &Shutdown);

    /// Terminates, and reports.
    ///
    /// Begins if that has not happened, then waits: until nothing that the owner started is running, or until one
    /// second after the abort instant at the latest. Nothing happens before the first poll.
    ///
    /// # Errors
    ///
    /// [`SelfJoin`] at once, with nothing begun, when it is polled by a task of this owner or of an owner below it:
    /// that task would wait for its own end.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a dropped wait loses nothing. The termination goes on at its instants, and a later call joins it.
    fn terminate<'a>(&'a self, how: &'a Shutdown) -> BoxFuture<'a, Result<Report, SelfJoin>>;

    /// Waits until the owner has ended, by itself or by a termination, and nothing of it runs.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropping it forgets the wait and nothing else.
    fn ended(&self) -> BoxFuture<'_, ()>;

    /// The report as it stands, without waiting and without beginning anything; none if this owner cannot tell.
    ///
    /// It is how an owner above shows what still lives when somebody wants to know before the end: a third signal, an
    /// operator. Pass it on to what the owner is built of.
    fn report(&self) -> Option<Report> {
        None
    }

    /// The name of the task, of this owner or of one below it, that is making this call, if one is.
    ///
    /// It is how [`SelfJoin`] is found through several layers; pass it on to what the owner is built of.
    fn calling_task(&self) -> Option<String> {
        None
    }
}

/// A task waits for the termination of its own owner, which waits for the task.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("task {task:?} waits for the termination of its own owner {owner:?}: call begin_terminate there instead")]
#[non_exhaustive]
pub struct SelfJoin {
    /// The owner that was to terminate.
    pub owner: String,
    /// The task that called.
    pub task: String,
}

impl SelfJoin {
    /// Says that `task` waits for `owner`, for implementations of [`Terminate`] of your own.
    #[must_use]
    pub fn new(owner: impl Into<String>, task: impl Into<String>) -> Self {
        Self { owner: owner.into(), task: task.into() }
    }
}

macro_rules! forward {
    ($($pointer:ident)+) => {$(
        impl<T: Terminate + ?Sized> Terminate for $pointer<T> {
            fn name(&self) -> Cow<'_, str> {
                (**self).name()
            }
            fn begin_terminate(&self, how: &Shutdown) {
                (**self).begin_terminate(how);
            }
            fn terminate<'a>(&'a self, how: &'a Shutdown) -> BoxFuture<'a, Result<Report, SelfJoin>> {
                (**self).terminate(how)
            }
            fn ended(&self) -> BoxFuture<'_, ()> {
                (**self).ended()
            }
            fn report(&self) -> Option<Report> {
                (**self).report()
            }
            fn calling_task(&self) -> Option<String> {
                (**self).calling_task()
            }
        }
    )+};
}

forward!(Arc Box);
