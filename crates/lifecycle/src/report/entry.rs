//! One entry of a report: how a task ended, or what is left of it.

use std::borrow::Cow;
use std::panic::Location;
use std::time::Duration;

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
    #[cfg_attr(feature = "serde", serde(rename = "age_ms", serialize_with = "super::json::millis"))]
    pub age: Duration,
    /// How it ended, or what it is doing.
    pub outcome: Outcome,
}

impl TaskReport {
    /// Describes an entry that did not end by itself.
    #[must_use]
    pub fn new(
        name: impl Into<Cow<'static, str>>,
        kind: TaskKind,
        place: Place,
        age: Duration,
        outcome: Outcome,
    ) -> Self {
        Self { name: name.into(), kind, place, age, outcome }
    }

    pub(super) fn is_straggler(&self) -> bool {
        matches!(self.outcome, Outcome::Straggler { .. })
    }
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
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case", tag = "how"))]
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
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case", tag = "doing"))]
#[non_exhaustive]
pub enum Activity {
    /// In one poll or destructor that has not come back for at least this long.
    Busy {
        /// A lower bound, measured from the first look at it after the termination began.
        #[cfg_attr(feature = "serde", serde(rename = "at_least_ms", serialize_with = "super::json::millis"))]
        at_least: Duration,
    },
    /// Woken, but not polled: its runtime, `LocalSet` or holder does not run it.
    NotPolled,
    /// A blocking closure or thread that has not come back.
    Blocking,
    /// A taken blocking closure whose destructor has not come back.
    Dropping,
    /// A blocking closure that was taken out of the queue, unrun, and waits for its turn to be dropped.
    Queued,
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
    #[cfg_attr(feature = "serde", serde(rename = "age_ms", serialize_with = "super::json::millis"))]
    pub age: Duration,
}

impl Remnant {
    /// Describes something left behind.
    #[must_use]
    pub fn new(
        kind: impl Into<Cow<'static, str>>,
        name: impl Into<String>,
        place: Option<Place>,
        age: Duration,
    ) -> Self {
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
