//! How a set behaves.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// How a [`TaskSet`](crate::TaskSet) behaves. Child sets inherit their parent's.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TaskSetOptions {
    /// How many abnormal ends, and how many reports of ended child sets, are kept in full for the report while the set
    /// runs; older ones are counted only, and so are tasks aborted once grace is over for which no room is left.
    /// Default 64; 0 keeps none.
    pub outcomes_max: usize,
    /// What a task's panic does besides being recorded. Default [`PanicPolicy::Record`].
    pub on_panic: PanicPolicy,
    /// Grace, from its begin, of a termination that the set begins itself. Default 10 s.
    pub grace: Duration,
    /// Abort instant, from its begin, of a termination that the set begins itself. Default 12 s.
    pub abort: Duration,
    /// A token of the user's, of which the set's own becomes a child: when it is cancelled, the tasks are asked to
    /// finish. That begins no termination; the set accepts work until one begins. Default none.
    pub token: Option<CancellationToken>,
}

/// What a task's panic does besides being recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PanicPolicy {
    /// Nothing: the others go on.
    Record,
    /// The set begins to terminate, with [`TaskSetOptions::grace`] and [`TaskSetOptions::abort`].
    TerminateSet,
}

impl Default for TaskSetOptions {
    fn default() -> Self {
        Self {
            outcomes_max: 64,
            on_panic: PanicPolicy::Record,
            grace: Duration::from_secs(10),
            abort: Duration::from_secs(12),
            token: None,
        }
    }
}
