//! What a held program says of itself.

use std::time::Duration;

use serde::Serialize;
use tokio::runtime::Handle;

use crate::leak_check::ForeignTask;
use crate::report::{Place, Report, TaskKind};
use crate::task_set::{Live, TaskInfo, TaskSet};

/// What a program says of itself at a hold point: what cannot be counted from outside.
///
/// Serialises with all of these fields, as JSON on one line where it is written.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Standing {
    /// How many tasks the runtime has, ours and others; none when the runtime has gone. Tokio counts a task for up to
    /// some milliseconds after it has ended, and counts neither blocking jobs nor the tasks of a `LocalSet`.
    pub alive: Option<usize>,
    /// How many of `tasks` the runtime counts among its own.
    pub registered: usize,
    /// The live entries of the program's own sets.
    pub tasks: Vec<HeldTask>,
    /// The runtime's tasks that no set of ours started; none where they cannot be told: on stable tokio, and when the
    /// runtime has gone.
    pub foreign: Option<Vec<ForeignTask>>,
    /// The threads that were there before the runtime, by id; none if that is not known.
    pub threads_before: Option<Vec<u32>>,
    /// The report, once it is made.
    pub report: Option<Report>,
}

/// A live entry of a set.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct HeldTask {
    /// The name it was spawned under.
    pub name: String,
    /// What it is.
    pub kind: TaskKind,
    /// Where it was spawned, as `file:line`.
    pub place: String,
    /// How long ago, as `age_ms`.
    #[serde(rename = "age_ms", serialize_with = "crate::leak_check::millis")]
    pub age: Duration,
}

impl Standing {
    /// How a runtime stands at this moment.
    #[must_use]
    pub fn of(runtime: &Handle) -> Self {
        Self { alive: Some(runtime.metrics().num_alive_tasks()), ..Self::default() }
    }

    /// Adds the live entries of a set and of the sets below it.
    #[must_use]
    pub fn with_set(mut self, set: &TaskSet) -> Self {
        for Live { task, .. } in set.core().live_of_tree() {
            let TaskInfo { name, kind, place: spawned_at, age, .. } = task;
            self.add(HeldTask { name: name.as_str().to_owned(), kind, place: place(spawned_at), age });
        }
        self
    }

    /// Adds a report, and its stragglers as live entries.
    #[must_use]
    pub fn with_report(mut self, report: Report) -> Self {
        for found in report.stragglers() {
            let task = found.item;
            let place = place(task.place);
            self.add(HeldTask { name: task.name.clone().into_owned(), kind: task.kind, place, age: task.age });
        }
        self.report = Some(report);
        self
    }

    fn add(&mut self, task: HeldTask) {
        self.registered += usize::from(is_counted_by_runtime(task.kind));
        self.tasks.push(task);
    }
}

/// Not blocking jobs and local tasks, which the runtime does not count, nor what has no task: threads, and futures that somebody
/// else polls.
pub(crate) fn is_counted_by_runtime(kind: TaskKind) -> bool {
    matches!(kind, TaskKind::Task | TaskKind::Closing)
}

/// In full, and not cut as a report for a person shows it.
fn place(place: Place) -> String {
    format!("{}:{}", place.file, place.line)
}
