//! What a termination found: a tree of owners, what ended abnormally in each, and what is left.

use std::borrow::Cow;
use std::time::Duration;

use crate::shutdown::Reason;

mod display;
mod entry;
#[cfg(feature = "serde")]
mod json;
mod query;
#[cfg(test)]
mod sample;
mod text;
mod totals;
mod words;

pub use entry::{Activity, Outcome, Place, Remnant, TaskKind, TaskReport};
pub use query::{Found, Unclean};
#[cfg(feature = "service")]
pub(crate) use text::signal_name;
#[cfg(feature = "leak-check")]
pub(crate) use text::{OneLine, Span};
use totals::Totals;

/// The account of one owner's termination, with the reports of what it owned.
///
/// A report is final once nothing lives; until then each call makes a fresh one, in which whatever still lives is a
/// straggler. Ask [`is_clean`](Self::is_clean) whether anything is left.
///
/// Displays as a tree with a last line that says clean or not. It is made for a person: names and messages are kept
/// to one line, what a terminal would act on in them is escaped, and of many siblings the rest is counted.
///
/// With the feature `serde` it serialises with all of these fields, an additional `clean` for each owner, and every
/// length of time as whole milliseconds in a field that ends in `_ms`.
#[derive(Clone, Debug)]
#[must_use = "a report says whether anything was left running"]
#[non_exhaustive]
pub struct Report {
    /// The owner's name.
    pub name: Cow<'static, str>,
    /// Why it was terminated.
    pub reason: Reason,
    /// From the begin of the termination this report belongs to until this owner's own termination began.
    pub began_after: Duration,
    /// From the begin of this owner's termination to its end, or to this report if it has not ended.
    pub took: Duration,
    /// Set when grace ended before its instant, and why.
    pub grace_cut: Option<GraceCut>,
    /// How this owner's own entries ended, and those of child sets that ended while it ran with nothing to tell.
    pub counts: Counts,
    /// The entries that did not end by themselves, latest last; bounded by `TaskSetOptions::outcomes_max`, except for
    /// stragglers, all of which are here.
    pub tasks: Vec<TaskReport>,
    /// How many abnormal entries are counted in `counts` but no longer kept in `tasks`.
    pub tasks_omitted: u64,
    /// What is not a task and was left.
    pub remnants: Vec<Remnant>,
    /// The reports of what this owner owned: a stack's components in the order in which they were ended, child sets as
    /// they came to their ends.
    pub children: Vec<Report>,
    /// Set when the owner itself failed while it terminated; such a report is never clean.
    pub error: Option<String>,
}

/// Why grace ended before its instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum GraceCut {
    /// `Shutdown::force`, usually the second signal.
    Forced,
    /// No thread could be made to keep the deadlines.
    NoClockThread,
}

/// How many of an owner's entries ended in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Counts {
    /// Ended by themselves before the termination began.
    pub completed: u64,
    /// Ended by themselves after the termination began.
    pub drained: u64,
    /// Ended by abort.
    pub aborted: u64,
    /// Blocking jobs taken out of the queue before they ran.
    pub never_started: u64,
    /// Dropped by a runtime that went away.
    pub runtime_gone: u64,
    /// Ended by a panic.
    pub panicked: u64,
    /// Still alive when the report was made.
    pub stragglers: u64,
}

impl Counts {
    /// Counts one that did not end by itself.
    pub(crate) fn add(&mut self, outcome: &Outcome) {
        let count = match outcome {
            Outcome::Aborted => &mut self.aborted,
            Outcome::NeverStarted => &mut self.never_started,
            Outcome::RuntimeGone => &mut self.runtime_gone,
            Outcome::Panicked { .. } => &mut self.panicked,
            Outcome::Straggler { .. } => &mut self.stragglers,
        };
        *count = count.saturating_add(1);
    }
}

impl Report {
    /// The report of an owner that ended at once and left nothing; what else it has to tell is added to it.
    ///
    /// For [`Terminate`](crate::Terminate) types of your own. Times and counts are public fields.
    pub fn new(name: impl Into<Cow<'static, str>>, reason: Reason) -> Self {
        Self {
            name: name.into(),
            reason,
            began_after: Duration::ZERO,
            took: Duration::ZERO,
            grace_cut: None,
            counts: Counts::default(),
            tasks: Vec::new(),
            tasks_omitted: 0,
            remnants: Vec::new(),
            children: Vec::new(),
            error: None,
        }
    }

    /// Sets how long the owner's termination took.
    pub fn with_took(mut self, took: Duration) -> Self {
        self.took = took;
        self
    }

    /// Adds an entry that did not end by itself, and counts it.
    pub fn with_task(mut self, task: TaskReport) -> Self {
        self.counts.add(&task.outcome);
        self.tasks.push(task);
        self
    }

    /// Adds something that is not a task and was left.
    pub fn with_remnant(mut self, remnant: Remnant) -> Self {
        self.remnants.push(remnant);
        self
    }

    /// Adds the report of something this owner owned.
    pub fn with_child(mut self, child: Self) -> Self {
        self.children.push(child);
        self
    }

    /// Says that the owner itself failed while it terminated; the report is not clean any more.
    pub fn with_error(mut self, error: impl Into<String>) -> Self {
        self.error = Some(error.into());
        self
    }
}
