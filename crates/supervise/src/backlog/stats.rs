//! What a backlog holds, and what has come of its requests.

use super::shared::Shared;

/// A backlog at one instant. What was counted adds up: `taken_in` is the sum of the others but for `refused`, and of those
/// that are neither answered nor ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct BacklogStats {
    /// Requests that wait for the child, those that were lost and put back included.
    pub waiting: usize,
    /// Requests that are with the child.
    pub out: usize,
    /// The bytes of both.
    pub bytes: usize,
    /// Requests that were taken in.
    pub taken_in: u64,
    /// Requests that were not.
    pub refused: u64,
    /// Requests whose caller was given an answer.
    pub answered: u64,
    /// Requests whose answer was not seen in time, after they were committed.
    pub unknown: u64,
    /// Requests whose time was over before they were committed.
    pub expired: u64,
    /// Requests that gave way when the backlog was full.
    pub dropped: u64,
    /// Requests whose caller went before they were committed.
    pub withdrawn: u64,
    /// Requests that the end of the backlog handed back.
    pub handed_back: u64,
    /// How often one was lost and put back.
    pub put_back: u64,
}

impl<Q: Send + 'static, A: Send + 'static> Shared<Q, A> {
    pub(super) fn stats(&self) -> BacklogStats {
        let state = self.lock();
        let (core, counts) = (&state.core, state.core.counts());
        BacklogStats {
            waiting: core.waiting(),
            out: core.out(),
            bytes: core.bytes(),
            taken_in: counts.taken_in,
            refused: counts.refused,
            answered: counts.answered,
            unknown: counts.unknown,
            expired: counts.expired,
            dropped: counts.dropped,
            withdrawn: counts.withdrawn,
            handed_back: counts.handed_back,
            put_back: counts.put_back,
        }
    }
}
