//! A termination under way: its stage and its instants.

use std::time::{Duration, Instant};

use crate::report::GraceCut;
use crate::shutdown::{Reason, Shutdown, Timekeeper, WatchId};
use crate::sync::Arc;

/// How long after the abort instant the report is made, so that it is with the caller within one second of it.
const JOIN_WITHIN: Duration = Duration::from_millis(900);

#[derive(Debug)]
pub(super) struct Begun {
    pub(super) stage: Stage,
    pub(super) since: Instant,
    pub(super) began_after: Duration,
    pub(super) grace: Instant,
    pub(super) abort: Instant,
    pub(super) reason: Reason,
    pub(super) grace_cut: Option<GraceCut>,
    pub(super) watches: Vec<(Arc<Timekeeper>, WatchId)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Draining,
    Aborting,
    AbortingAll,
    Overdue,
}

/// Why grace is to end before its instant.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cut {
    ForcedAt(Instant),
    NoClockThread,
}

impl Begun {
    pub(super) fn new(how: &Shutdown, now: Instant) -> Self {
        let root = how.timekeeper().began(now);
        Self {
            stage: Stage::Draining,
            since: now,
            began_after: now.saturating_duration_since(root),
            grace: how.grace(),
            abort: how.abort(),
            reason: how.reason().clone(),
            grace_cut: None,
            watches: Vec::new(),
        }
    }

    /// Takes over earlier instants; false if there are none.
    pub(super) fn tighten(&mut self, how: &Shutdown) -> bool {
        let is_earlier = how.grace() < self.grace || how.abort() < self.abort;
        self.grace = self.grace.min(how.grace());
        self.abort = self.abort.min(how.abort());
        is_earlier
    }

    /// Ends grace before its instant and moves the abort instant forward with it.
    pub(super) fn cut(&mut self, now: Instant, cut: Cut) {
        match cut {
            Cut::ForcedAt(at) => {
                if self.grace_cut.is_some() || at >= self.grace {
                    return;
                }
                self.abort = self.abort.min(at + (self.abort - self.grace));
                self.grace = at;
                self.grace_cut = Some(GraceCut::Forced);
            }
            // Cleanup could not be ended either.
            Cut::NoClockThread => {
                self.abort = self.abort.min(now);
                self.grace = self.grace.min(now);
                self.grace_cut = Some(GraceCut::NoClockThread);
            }
        }
    }

    /// When the present stage ends by itself.
    pub(super) fn due(&self) -> Instant {
        match self.stage {
            Stage::Draining => self.grace,
            Stage::Aborting => self.abort,
            Stage::AbortingAll | Stage::Overdue => self.abort + JOIN_WITHIN,
        }
    }

    pub(super) fn now(&self) -> Instant {
        self.watches.first().map_or_else(Instant::now, |(timekeeper, _)| timekeeper.now())
    }
}

impl Stage {
    pub(super) fn next(self) -> Option<Self> {
        match self {
            Self::Draining => Some(Self::Aborting),
            Self::Aborting => Some(Self::AbortingAll),
            Self::AbortingAll => Some(Self::Overdue),
            Self::Overdue => None,
        }
    }
}
