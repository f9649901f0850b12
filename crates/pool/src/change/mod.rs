//! What can change in a pool, as those who listen are told it.

mod text;

use std::sync::Arc;
use std::time::Duration;

use landfall_lifecycle::Place;

use crate::backend::Backend;
use crate::claim::ConnectError;

/// Something that changed in a pool.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum PoolEvent {
    /// The pool as a whole.
    Pool(PoolChange),
    /// A backend.
    Backend {
        /// Which.
        backend: Arc<Backend>,
        /// What became of it.
        change: BackendChange,
    },
    /// A slot, and the connection in it.
    Slot {
        /// Which.
        slot: SlotId,
        /// Whose it is.
        backend: Arc<Backend>,
        /// What became of it.
        change: SlotChange,
    },
}

/// Which slot, and which of the connections that have been in it: each has an id of its own.
///
/// Logs have the slot alone, as `slot.id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct SlotId {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

/// What became of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PoolChange {
    /// There is neither a connection nor a backend to expect one from.
    Offline,
    /// There is again.
    Online,
    /// [`Pool::resize`](crate::Pool::resize) was called.
    Resized {
        /// How many slots there may be from now on.
        slots_max: usize,
    },
    /// [`Pool::evict`](crate::Pool::evict) was called.
    Evicted,
    /// It serves no claim any more: it terminates, or its runtime has gone.
    Terminating,
}

/// What became of a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BackendChange {
    /// The resolver found it.
    Added,
    /// The resolver has it no longer: its connections are drained.
    Removed,
    /// Connects have failed: from now on it is tried at its own pace only.
    Failing,
    /// It gives connections again.
    Recovered,
    /// Its uses fail where those of others do not: it is left out for a while, and its connections are closed.
    Ejected {
        /// What it was ejected for.
        why: EjectReason,
        /// For how long.
        time: Duration,
    },
    /// That time is over: it gets one connection, and takes part again once that was used well.
    OnTrial,
    /// It takes part again.
    Returned,
}

/// Why a backend is ejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EjectReason {
    /// [`ejection_failures`](crate::Policy::ejection_failures) uses or checks in a row failed.
    FailuresInARow,
    /// Too many of its uses failed, [`ejection_failure_percent`](crate::Policy::ejection_failure_percent).
    FailureRate,
    /// It was on trial, and a use or a check failed.
    TrialFailed,
}

/// What became of a slot and its connection.
///
/// | from | what may follow |
/// |---|---|
/// | nothing | `Connecting` |
/// | `Connecting` | `Connected`, `ConnectFailed`, `ConnectGivenUp` |
/// | `Connected`, `CheckPassed` | `Checking`, `Held`, `TakenOut`, `Closing` |
/// | `Checking` | `CheckPassed`, `Closing`, `Closed` |
/// | `Held` | as for `Connected`, or once more |
/// | `Closing` | `Closed` |
/// | `ConnectFailed`, `ConnectGivenUp`, `TakenOut`, `Closed` | nothing: the slot's next connection has another id |
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SlotChange {
    /// A connection is being opened.
    Connecting,
    /// It is open.
    Connected,
    /// It could not be opened.
    ConnectFailed(ConnectError),
    /// The attempt was given up: it was not wanted any more.
    ConnectGivenUp,
    /// It is with one of the connector's checks.
    Checking(Check),
    /// It passed.
    CheckPassed,
    /// Its holder has had it for [`held_report_after`](crate::Policy::held_report_after).
    Held {
        /// Where it was claimed.
        place: Place,
        /// For how long it has been out.
        age: Duration,
    },
    /// Its holder keeps it for good.
    TakenOut,
    /// It is being closed.
    Closing(CloseReason),
    /// It is gone, and its slot is free.
    Closed,
}

/// Which of the connector's checks has a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Check {
    /// `is_valid`: it has been idle for a while.
    Keepalive,
    /// `is_valid`: it has been idle for a while, and a claim waits for it.
    Validate,
    /// `on_claim`: the connector has something to do before the claim that waits gets it.
    OnClaim,
    /// `on_recycle`: the connector has something to do before it is used again.
    OnRecycle,
    /// `is_valid`: its backend was ejected, and is on trial.
    Trial,
}

/// Why a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// The pool terminates.
    Terminating,
    /// The resolver has its backend no longer.
    BackendRemoved,
    /// [`Pool::evict`](crate::Pool::evict) was called.
    Evicted,
    /// It has reached its age, [`lifetime_max`](crate::Policy::lifetime_max).
    Expired,
    /// [`Pool::resize`](crate::Pool::resize) left no room for it.
    Resized,
    /// Nobody used it for [`idle_timeout`](crate::Policy::idle_timeout).
    Unused,
    /// Its holder or the connector's `fitness` said that it is broken.
    Broken,
    /// A check failed, or took too long.
    CheckFailed,
    /// Its backend was ejected.
    Ejected,
    /// Another backend has fewer: one is opened there in its place.
    Rebalanced,
}
