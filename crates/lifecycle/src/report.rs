//! What a termination found: a tree of owners, what ended abnormally in each, and what is left.

use std::borrow::Cow;
use std::panic::Location;
use std::time::Duration;

use crate::shutdown::Reason;

/// The account of one owner's termination, with the reports of what it owned.
///
/// A report is final once nothing lives; until then each call makes a fresh one, in which whatever still lives is a
/// straggler. Ask [`is_clean`](Self::is_clean) whether anything is left.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
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
    /// How this owner's own entries ended.
    pub counts: Counts,
    /// The entries that did not end by themselves, latest last; bounded by `TaskSetOptions::outcomes_max`, except for
    /// stragglers, all of which are here.
    pub tasks: Vec<TaskReport>,
    /// How many abnormal entries are counted in `counts` but no longer kept in `tasks`.
    pub tasks_omitted: u64,
    /// What is not a task and was left.
    pub remnants: Vec<Remnant>,
    /// The reports of what this owner owned, in the order in which their terminations began.
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

/// One entry that did not end by itself.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct TaskReport {
    /// The name it was spawned under.
    pub name: Cow<'static, str>,
    /// What it was.
    pub kind: TaskKind,
    /// Where it was spawned.
    pub place: Place,
    /// From its spawn to its end, or to the report if it has not ended.
    pub age: Duration,
    /// How it ended, or what it is doing.
    pub outcome: Outcome,
}

/// What an entry of a task set is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum TaskKind {
    /// A future on a runtime.
    Task,
    /// A future on a `LocalSet`.
    Local,
    /// A cleanup task, accepted until the abort instant.
    Closing,
    /// A future polled by whoever holds it.
    Tracked,
    /// A closure on the runtime's blocking threads.
    Blocking,
    /// A thread of its own.
    Thread,
    /// Work of this crate that ends the owner.
    Driver,
}

/// How an entry ended abnormally, or what it still does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Outcome {
    /// Dropped after grace was over, or by its handle.
    Aborted,
    /// A blocking job that was taken out of the queue.
    NeverStarted,
    /// Dropped by a runtime that went away.
    RuntimeGone,
    /// Ended by a panic.
    Panicked {
        /// The panic's text.
        message: String,
        /// Whether a destructor panicked rather than the body.
        in_drop: bool,
    },
    /// Still alive.
    Straggler {
        /// What it does.
        activity: Activity,
    },
}

/// What a straggler does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Activity {
    /// In one poll or destructor that has not come back for at least this long.
    Busy {
        /// A lower bound, measured from the first look at it after the termination began.
        at_least: Duration,
    },
    /// Woken, but not polled: its runtime, `LocalSet` or holder does not run it.
    NotPolled,
    /// A blocking closure or thread that has not come back.
    Blocking,
    /// A taken blocking closure whose destructor has not come back.
    Dropping,
}

/// Something that is not a task and was left.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Remnant {
    /// What it is: `handle`, `descriptor`, `session`, ….
    pub kind: Cow<'static, str>,
    /// Which one.
    pub name: String,
    /// Where it was taken, if that is known.
    pub place: Option<Place>,
    /// How long it has been out.
    pub age: Duration,
}

impl Remnant {
    /// Describes something left behind.
    #[must_use]
    pub fn new(kind: impl Into<Cow<'static, str>>, name: impl Into<String>, place: Option<Place>, age: Duration) -> Self {
        Self { kind: kind.into(), name: name.into(), place, age }
    }
}

/// A place in source code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Place {
    /// The file, as the compiler was given it.
    pub file: &'static str,
    /// The line, counted from 1.
    pub line: u32,
    /// The column, counted from 1.
    pub column: u32,
}

impl From<&'static Location<'static>> for Place {
    fn from(location: &'static Location<'static>) -> Self {
        Self { file: location.file(), line: location.line(), column: location.column() }
    }
}
