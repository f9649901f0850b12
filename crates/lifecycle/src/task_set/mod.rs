//! The owner of tasks, blocking jobs, threads and child sets.

mod blocking;
mod children;
mod core;
mod end;
mod error;
mod history;
mod live;
#[cfg(all(test, any(landfall_loom, landfall_shuttle)))]
mod models;
mod name;
mod options;
mod owned;
mod phase;
mod queue;
mod registry;
mod spawn;
mod task;
mod ticks;
mod tracked;

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

pub use error::{ChildError, SpawnError, TaskError};
pub use name::TaskName;
pub use options::{PanicPolicy, TaskSetOptions};
pub use phase::Phase;
pub use registry::TaskId;
pub use task::{AbortOnDrop, Task};
pub use tracked::Tracked;

pub(crate) use self::core::Core;
#[cfg(feature = "leak-check")]
pub(crate) use self::live::Live;
use crate::ending::{Ending, Owner};
use crate::panics::log;
use crate::report::{Place, Report, TaskKind};
use crate::shutdown::{Reason, Shutdown};
use crate::sync::{Arc, Weak};
use crate::terminate::{SelfJoin, Terminate};

/// The owner of background work: tasks, blocking jobs, threads, child sets.
///
/// When [`terminate`](Terminate::terminate) returns, no user code that was started here is running: no poll, no
/// destructor of a future, of its output or of its panic's payload, no blocking closure, no thread; or the report
/// names what is, with the place that started it.
///
/// A `TaskSet` is a handle; clones are the same set. When the last one is dropped without a termination, everything is
/// aborted, a warning names what was running, and nothing blocks. A task that needs its own set gets a
/// [`WeakTaskSet`], else it would keep its own set alive.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use landfall_lifecycle::{Shutdown, TaskSet, Terminate};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let tasks = TaskSet::new("ingest");
/// let stop = tasks.token();
/// tasks.spawn("ticker", async move { stop.cancelled().await })?;
///
/// let how = Shutdown::within(Duration::from_secs(5), Duration::from_secs(6));
/// let report = tasks.terminate(&how).await?;
/// assert!(report.is_clean());
/// assert_eq!(report.counts.drained, 1);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct TaskSet(Arc<Handle>);

/// A reference to a [`TaskSet`] that does not keep it alive, for the set's own tasks.
#[derive(Clone)]
pub struct WeakTaskSet(Weak<Handle>);

/// What all clones of a set share; the end of the last one ends the set.
struct Handle(Arc<Core>);

/// How many tasks the warning about a dropped set names; the rest is counted.
const NAMES_IN_WARNING_MAX: usize = 16;

/// A live entry, as [`TaskSet::live`] shows it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TaskInfo {
    /// Which entry of its set it is.
    pub id: TaskId,
    /// The name it was spawned under.
    pub name: TaskName,
    /// What it is.
    pub kind: TaskKind,
    /// Where it was spawned.
    pub place: Place,
    /// How long ago, in steps of 10 ms, give or take one.
    pub age: Duration,
}

impl TaskSet {
    /// Makes a set with default options.
    #[must_use]
    pub fn new(name: impl Into<TaskName>) -> Self {
        Self::with_options(name, TaskSetOptions::default())
    }

    /// Makes a set.
    #[must_use]
    pub fn with_options(name: impl Into<TaskName>, options: TaskSetOptions) -> Self {
        Self(Arc::new(Handle(Core::new(name.into(), options, None))))
    }

    /// Makes a set inside of this one, for work that ends together or earlier: it begins to terminate with this one,
    /// its grace ends at the same instant, and this one ends after it. What has to outlive this set's tasks, such as
    /// the connections they use, is not a child but another level of a [`Stack`](crate::Stack).
    ///
    /// **The child lives as long as a handle to it does**, like any set: when the last one is dropped its tasks are
    /// aborted, though the parent lives on.
    ///
    /// # Errors
    ///
    /// [`ChildError::Closed`] from the begin of the termination on, [`ChildError::NameTaken`] if a living child has
    /// that name.
    pub fn child(&self, name: impl Into<TaskName>) -> Result<Self, ChildError> {
        let child = self.core().add_child(name.into(), self.core().options().clone())?;
        Ok(Self(Arc::new(Handle(child))))
    }

    /// The set's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.core().name_text()
    }

    /// The token that is cancelled when the termination begins. Clone it into tasks, so that they can drain.
    ///
    /// Cancelling it by hand asks the tasks to finish and does nothing else.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.core().token().clone()
    }

    /// Where the set is in its life.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.core().phase()
    }

    /// How many entries live, child sets not counted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.core().len()
    }

    /// Whether no entry lives.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The live entries. Copied in steps, so that a large set is not held up; one that comes or goes meanwhile may be
    /// in it or not.
    #[must_use]
    pub fn live(&self) -> Vec<TaskInfo> {
        self.core().live()
    }

    /// Aborts one entry, as [`Task::abort`] does; false if it has ended or is being aborted already.
    pub fn abort(&self, id: TaskId) -> bool {
        self.core().abort_one(id)
    }

    /// A reference that does not keep the set alive.
    #[must_use]
    pub fn downgrade(&self) -> WeakTaskSet {
        WeakTaskSet(Arc::downgrade(&self.0))
    }

    /// The report as it stands: of what has ended abnormally so far while the set runs, with stragglers once it
    /// terminates, final once nothing lives.
    pub fn report(&self) -> Report {
        Ending::report(self.core())
    }

    /// Terminates, blocking this thread. Needs no runtime.
    ///
    /// Inside of asynchronous code it holds up the worker it is called on: use [`Terminate::terminate`] there.
    ///
    /// # Errors
    ///
    /// [`SelfJoin`] if it is called by a task, job or thread of this set or of a child set.
    pub fn terminate_blocking(&self, how: &Shutdown) -> Result<Report, SelfJoin> {
        crate::block_on::block_on(self.terminate(how))
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.0.0
    }
}

impl Terminate for TaskSet {
    fn name(&self) -> Cow<'_, str> {
        self.core().name_text().into()
    }

    fn begin_terminate(&self, how: &Shutdown) {
        Ending::begin(self.core(), how);
    }

    fn terminate<'a>(&'a self, how: &'a Shutdown) -> BoxFuture<'a, Result<Report, SelfJoin>> {
        Box::pin(Ending::terminate(Arc::clone(self.core()), how.clone()))
    }

    fn ended(&self) -> BoxFuture<'_, ()> {
        Box::pin(Ending::ended(Arc::clone(self.core())))
    }

    fn report(&self) -> Option<Report> {
        Some(Ending::report(self.core()))
    }

    fn calling_task(&self) -> Option<String> {
        self.core().calling_task()
    }
}

impl WeakTaskSet {
    /// The set, if any other handle to it is left.
    #[must_use]
    pub fn upgrade(&self) -> Option<TaskSet> {
        self.0.upgrade().map(TaskSet)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let core = &self.0;
        // A termination that has begun goes on without handles.
        if core.ending().has_begun() {
            return;
        }
        #[cfg(landfall_faults)]
        if core.has_parent() && crate::faults::is_armed(crate::faults::Fault::LeakChild) {
            return;
        }
        let live = core.names_of_live(NAMES_IN_WARNING_MAX);
        if !live.is_empty() {
            log(|| {
                tracing::warn!(owner = core.name_text(), count = core.len_of_tree(), tasks = ?live,
                    "dropped without a termination: aborting what runs");
            });
        }
        Ending::begin(core, &Shutdown::now().because(Reason::Dropped));
    }
}

impl fmt::Debug for TaskSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.core().fmt(f)
    }
}

impl fmt::Debug for WeakTaskSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WeakTaskSet")
    }
}
