//! The check inside of one process: tasks and blocking jobs.

mod found;

use std::fmt::{self, Debug, Formatter};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use self::found::Counted;
use super::foreign::Foreigners;
use super::ignore::{Ignores, Parted};
use super::{Kind, Leak, Leaks};
use crate::sync::Arc;
use crate::task_set::{Core, TaskSet};
use crate::terminate::Terminate;

/// How long what ends anyhow gets to go, unless the check says otherwise.
pub(super) const SETTLE: Duration = Duration::from_secs(2);
/// The longest pause between two looks.
const PAUSE_MAX: Duration = Duration::from_millis(1);

/// Finds the tasks and blocking jobs that a part of a program left behind, inside of its process.
///
/// Make it first, [watch](Self::watch) the sets as they are made, and [finish](Self::finish) it when everything has
/// been terminated. There is no list of all sets, on purpose: it sees those that it is shown.
///
/// | what                                     | how it is seen                                                          |
/// |------------------------------------------|-------------------------------------------------------------------------|
/// | all that lives in a watched set          | exactly, with name, place and age                                       |
/// | what a watched owner's report names      | as far as the owner tells                                               |
/// | other tasks of the runtime               | by their number, which must return to what it was                       |
/// | others' blocking jobs, `LocalSet`s' tasks | not: [`leak_test`](super::leak_test()) sees the threads of the former   |
///
/// The number counts all tasks on the runtime, so nothing else may start or end any meanwhile: a test with a runtime of
/// its own, or [`leak_test`](super::leak_test()). Watched sets are taken to run on that runtime. Make and finish it in
/// the same task, which is itself one of the number.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use landfall_lifecycle::leak_check::LeakCheck;
/// use landfall_lifecycle::{Shutdown, TaskSet, Terminate};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let check = LeakCheck::on(&tokio::runtime::Handle::current());
/// let tasks = TaskSet::new("ingest");
/// let check = check.watch(&tasks);
/// let stop = tasks.token();
/// tasks.spawn("ticker", async move { stop.cancelled().await })?;
///
/// let report = tasks.terminate(&Shutdown::within(Duration::from_secs(5), Duration::from_secs(6))).await?;
/// assert!(report.is_clean());
/// check.finish().await?;
/// # Ok(()) }
/// ```
#[must_use = "a check says nothing unless it is finished"]
pub struct LeakCheck {
    runtime: Handle,
    alive_before: usize,
    foreigners: Option<Foreigners>,
    /// Not the handles: a check must not keep alive what it watches.
    sets: Vec<Arc<Core>>,
    owners: Vec<Arc<dyn Terminate>>,
    ignores: Ignores,
    settle: Duration,
}

impl LeakCheck {
    /// Notes what is on a runtime now; that is no leak.
    pub fn on(runtime: &Handle) -> Self {
        Self {
            runtime: runtime.clone(),
            alive_before: runtime.metrics().num_alive_tasks(),
            foreigners: None,
            sets: Vec::new(),
            owners: Vec::new(),
            ignores: Ignores::default(),
            settle: SETTLE,
        }
    }

    /// As [`on`](Self::on), for a runtime whose hooks name the tasks of others.
    pub(super) fn with_foreigners(mut self, foreigners: Foreigners) -> Self {
        self.foreigners = Some(foreigners);
        self
    }

    /// Watches a set and all sets below it: whatever lives in them when the check is finished was left behind, whenever
    /// it was spawned. Keeps no handle to them.
    pub fn watch(self, set: &TaskSet) -> Self {
        self.watch_core(Arc::clone(set.core()))
    }

    pub(super) fn watch_core(mut self, set: Arc<Core>) -> Self {
        self.sets.push(set);
        self
    }

    /// Watches an owner of any type: it must have ended, and its [report](Terminate::report) must name nothing. Keeps the
    /// handle that it is given, so that what ends when the last one is dropped does not end by that.
    pub fn watch_owner(mut self, owner: impl Terminate + 'static) -> Self {
        self.owners.push(Arc::new(owner));
        self
    }

    /// Leaves out what is of this kind and has `pattern` in its name or place. The reason is shown with it; without
    /// one nothing is left out.
    pub fn ignore(mut self, kind: Kind, pattern: &str, reason: &str) -> Self {
        self.ignores.add(kind, pattern, reason);
        self
    }

    /// How long to wait for what is left to go. Default: 2 s. Tokio's own count of tasks lags by some milliseconds.
    pub fn settle(mut self, budget: Duration) -> Self {
        self.settle = budget;
        self
    }

    pub(super) fn with_ignores(mut self, ignores: Ignores) -> Self {
        self.ignores = ignores;
        self
    }

    /// Waits until nothing is left, or until the budget ends.
    ///
    /// The wait is on the wall clock, and needs no timer of a runtime; a clock of tokio that is paused stands still
    /// meanwhile. It keeps its thread busy in steps of a millisecond, between which others are polled.
    ///
    /// # Errors
    ///
    /// [`Leaks`], with all that is left and not ignored.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropping it drops the check.
    pub async fn finish(self) -> Result<(), Leaks> {
        let (parted, settled) = self.settled().await;
        Leaks::check(parted, settled)
    }

    /// What is left in the end, and how long that was waited for.
    pub(super) async fn settled(&self) -> (Parted, Duration) {
        let began = Instant::now();
        let mut pause = Duration::from_micros(50);
        loop {
            let parted = self.ignores.part(self.found());
            if parted.leaks.is_empty() || began.elapsed() >= self.settle {
                return (parted, began.elapsed());
            }
            // Others first, and then a pause in which this thread is not idle to its runtime: an idle one with a
            // paused clock would jump ahead to the next timer, and end what sleeps there.
            tokio::task::yield_now().await;
            thread::sleep(pause);
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    fn found(&self) -> Vec<Leak> {
        let mut found = Vec::new();
        let mut counted = Counted::new(self.alive_before);
        for set in &self.sets {
            found::of_set(set, &mut found, &mut counted);
        }
        for owner in &self.owners {
            found::of_owner(&**owner, &mut found, &mut counted);
        }
        match self.foreigners.as_ref().and_then(Foreigners::alive) {
            Some(foreign) => found.extend(foreign.into_iter().map(Leak::from)),
            None => found.extend(counted.excess(self.runtime.metrics().num_alive_tasks())),
        }
        found
    }
}

impl Debug for LeakCheck {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeakCheck").field("settle", &self.settle).finish_non_exhaustive()
    }
}
