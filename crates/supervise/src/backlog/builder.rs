//! How a backlog is set up.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use landfall_lifecycle::{SpawnError, Stack, TaskSet};

use super::Backlog;
use super::limits::{Limits, LimitsError};
use super::owner::{Requests, keep_time};
use super::shared::Shared;
#[cfg(landfall_faults)]
use crate::faults::{self, Fault};
use crate::panics::contain;

/// A backlog as it will be. Made by [`Backlog::builder`].
#[must_use = "a backlog is not there until it is built"]
pub struct Builder<Q, A> {
    name: String,
    limits: Limits,
    bytes: Box<dyn Fn(&Q) -> usize + Send + Sync>,
    answers: PhantomData<fn() -> A>,
}

/// Why a backlog was not built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// What is set up cannot be.
    #[error("the backlog {backlog:?} is not set up right")]
    Limits {
        /// Its name.
        backlog: String,
        /// What is wrong.
        source: LimitsError,
    },
    /// There is no runtime here, or its time is not enabled.
    #[error("the backlog {backlog:?} needs a runtime that has timers")]
    NoRuntime {
        /// Its name.
        backlog: String,
    },
    /// The task that keeps its time cannot be started.
    #[error("the backlog {backlog:?} cannot run here")]
    Spawn {
        /// Its name.
        backlog: String,
        /// Why.
        source: SpawnError,
    },
}

impl<Q: Send + 'static, A: Send + 'static> Builder<Q, A> {
    pub(super) fn new(name: String) -> Self {
        Self { name, limits: Limits::default(), bytes: Box::new(|_| size_of::<Q>()), answers: PhantomData }
    }

    /// Sets how much it holds, and for how long. Default: [`Limits::default`].
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets what says how many bytes a request has, asked once when it is put. Default: its size in memory, without what
    /// it points to.
    pub fn bytes(mut self, bytes: impl Fn(&Q) -> usize + Send + Sync + 'static) -> Self {
        self.bytes = Box::new(bytes);
        self
    }

    /// Builds it, on the runtime of the caller, whose line reports name for its task.
    ///
    /// # Errors
    ///
    /// [`BuildError`]: a field that cannot be, or no runtime that has timers.
    #[track_caller]
    pub fn build(self) -> Result<Backlog<Q, A>, BuildError> {
        let Self { name, limits, bytes, .. } = self;
        let backlog = || name.clone();
        let checked = if name.is_empty() { Err(LimitsError::EmptyName) } else { limits.check() };
        checked.map_err(|source| BuildError::Limits { backlog: backlog(), source })?;
        // It panics outside of a runtime and on one whose time is not enabled, and there is no other way to ask.
        contain(|| drop(tokio::time::sleep(Duration::ZERO)))
            .map_err(|_| BuildError::NoRuntime { backlog: backlog() })?;
        let tasks = TaskSet::new("time");
        let shared = Arc::new(Shared::new(name.clone().into(), limits, bytes));
        let stack = Stack::new(name.clone());
        stack.push(tasks.clone()).expect("the stack is new");
        stack.push(Requests(Arc::clone(&shared))).expect("the stack is new and the names differ");
        // Dropped without a termination where the task is refused: then it ends what has begun.
        let built = Backlog::new(Arc::clone(&shared), stack);
        #[cfg(landfall_faults)]
        if faults::is_armed(Fault::LeaveTime) {
            let (runs, left) = (keep_time(shared, tasks.token()), TaskSet::new("left"));
            let stays = async { (runs.await, std::future::pending::<()>().await).0 };
            left.spawn("time", stays).map_err(|source| BuildError::Spawn { backlog: backlog(), source })?;
            std::mem::forget(left);
            return Ok(built);
        }
        let spawned = tasks.spawn("time", keep_time(shared, tasks.token()));
        spawned.map_err(|source| BuildError::Spawn { backlog: backlog(), source })?;
        Ok(built)
    }
}

impl<Q, A> fmt::Debug for Builder<Q, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("name", &self.name).field("limits", &self.limits).finish_non_exhaustive()
    }
}
