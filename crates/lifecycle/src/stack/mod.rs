//! Components that end in reverse order of their start.

mod core;
mod driver;
mod level;

use std::borrow::Cow;
use std::fmt;

use futures_util::future::BoxFuture;

pub use level::{Level, PushError, PushErrorKind};

use self::core::Core;
use crate::ending::{Ending, Owner};
use crate::panics::log;
use crate::report::Report;
use crate::shutdown::{Reason, Shutdown};
use crate::sync::Arc;
use crate::task_set::TaskName;
use crate::terminate::{SelfJoin, Terminate};

/// Owns components and ends them in order: the last pushed first, each level only after the one above it has ended or
/// is *stuck*.
///
/// The grace is shared: a level may use all that is left unless it was given a [`Level::share`]. A level is stuck when
/// its grace is over and it has not ended within its part of the time between grace and the abort instant; the next
/// one then begins while it is still waited for. At the abort instant order ends, and everything left is aborted at
/// once.
///
/// Order is kept by a thread of the stack's own, made when the termination begins and joined before it returns, with
/// the runtime of the caller entered: it goes on when all workers of that runtime are busy.
///
/// A `Stack` is a handle; clones are the same stack. When the last one is dropped without a termination, all
/// components are told to abort at once, with a warning, and nothing blocks.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use landfall_lifecycle::{Shutdown, Stack, TaskSet, Terminate};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let stack = Stack::new("shop");
/// stack.push(TaskSet::new("storage"))?;
/// stack.push(TaskSet::new("listener"))?;
///
/// let report = stack.terminate(&Shutdown::within(Duration::from_secs(5), Duration::from_secs(6))).await?;
/// let order: Vec<_> = report.children.iter().map(|child| &*child.name).collect();
/// assert_eq!(order, ["listener", "storage"]);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Stack(Arc<Handle>);

/// What all clones of a stack share; the end of the last one ends the stack.
struct Handle(Arc<Core>);

impl Stack {
    /// Makes an empty stack.
    #[must_use]
    pub fn new(name: impl Into<TaskName>) -> Self {
        Self(Arc::new(Handle(Arc::new(Core::new(name.into())))))
    }

    /// Puts a component on top.
    ///
    /// # Errors
    ///
    /// [`PushError`], with the component given back, once the stack terminates or if the name is taken.
    pub fn push(&self, component: impl Terminate + 'static) -> Result<(), PushError> {
        self.push_level(Level::of(component))
    }

    /// Puts a level of several components, or one with a share of the time, on top.
    ///
    /// # Errors
    ///
    /// As [`push`](Self::push).
    pub fn push_level(&self, level: Level) -> Result<(), PushError> {
        self.core().push(level)
    }

    /// The report as it stands.
    pub fn report(&self) -> Report {
        Ending::report(self.core())
    }

    /// Terminates, blocking this thread. Needs no runtime, unless a component does.
    ///
    /// # Errors
    ///
    /// [`SelfJoin`] if it is called by a task of a component.
    pub fn terminate_blocking(&self, how: &Shutdown) -> Result<Report, SelfJoin> {
        crate::block_on::block_on(self.terminate(how))
    }

    fn core(&self) -> &Arc<Core> {
        &self.0.0
    }
}

impl Terminate for Stack {
    fn name(&self) -> Cow<'_, str> {
        self.core().name()
    }

    fn begin_terminate(&self, how: &Shutdown) {
        Ending::begin(self.core(), how);
    }

    fn terminate<'a>(&'a self, how: &'a Shutdown) -> BoxFuture<'a, Result<Report, SelfJoin>> {
        Box::pin(Ending::terminate(Arc::clone(self.core()), how.clone()))
    }

    fn ended(&self) -> BoxFuture<'_, ()> {
        let core = Arc::clone(self.core());
        Box::pin(async move {
            core.ending().begun().await;
            // Before that the levels below may not have been told.
            core.driven().await;
            for component in core.components() {
                driver::ended(&component).await;
            }
            Ending::finish(&core);
            core.settle();
        })
    }

    fn report(&self) -> Option<Report> {
        Some(Ending::report(self.core()))
    }

    fn calling_task(&self) -> Option<String> {
        self.core().calling_task()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if self.0.ending().has_begun() {
            return;
        }
        let components = self.0.names();
        if !components.is_empty() {
            let owner = self.0.name();
            log(|| tracing::warn!(%owner, ?components, "dropped without a termination: aborting all components"));
        }
        Ending::begin(&self.0, &Shutdown::now().because(Reason::Dropped));
    }
}

impl fmt::Debug for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stack").field("name", &self.name()).field("components", &self.core().names()).finish()
    }
}
