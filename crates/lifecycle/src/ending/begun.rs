//! A termination under way: its stage and its instants.

use std::time::{Duration, Instant};

use crate::report::GraceCut;
use crate::shutdown::{Reason, Shutdown, Timekeeper, WatchId};
use crate::sync::Arc;

/// How long after the abort instant the report is made. The rest of the second is for bringing it to the caller, which
/// on a busy machine has been seen to take a tenth of one.
const JOIN_WITHIN: Duration = Duration::from_millis(700);
/// How much earlier an owner reports than the owner above it, which would else make its report at the same moment and
/// miss this one's.
const REPORT_BEFORE: Duration = Duration::from_millis(25);
/// How many shutdowns keep the instants of one owner: each is a thread while it does. When further ones come with ever
/// earlier instants, the oldest is let go; its instants hold, but its force is not heard any more.
const SHUTDOWNS_MAX: usize = 4;
/// Below this depth they all report at once, so that something is left of the time to join.
const DEPTH_MAX: u32 = 12;

#[derive(Debug)]
pub(super) struct Begun {
    pub(super) stage: Stage,
    pub(super) since: Instant,
    pub(super) began_after: Duration,
    pub(super) grace: Instant,
    pub(super) abort: Instant,
    depth: u32,
    pub(super) reason: Reason,
    pub(super) grace_cut: Option<GraceCut>,
    /// Whose clock the instants are of: that of who began.
    timekeeper: Arc<Timekeeper>,
    /// Whose threads serve this end, each from before it can start, and what it was asked to look after.
    watches: Vec<(Arc<Timekeeper>, Option<WatchId>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Draining,
    Aborting,
    AbortingAll,
    Overdue,
}

impl Begun {
    pub(super) fn new(how: &Shutdown) -> Self {
        let now = how.clock_now();
        let root = how.timekeeper().began(now);
        let mut begun = Self {
            stage: Stage::Draining,
            since: now,
            began_after: now.saturating_duration_since(root),
            grace: how.grace(),
            abort: how.abort(),
            depth: how.depth(),
            reason: how.reason().clone(),
            grace_cut: None,
            timekeeper: Arc::clone(how.timekeeper()),
            watches: Vec::new(),
        };
        begun.note_force(how);
        begun.note_keeper(how);
        begun
    }

    /// Takes over earlier instants; false if there are none.
    pub(super) fn tighten(&mut self, how: &Shutdown) -> bool {
        let is_earlier = how.grace() < self.grace || how.abort() < self.abort || how.depth() > self.depth;
        self.grace = self.grace.min(how.grace());
        self.abort = self.abort.min(how.abort());
        self.depth = self.depth.max(how.depth());
        self.note_force(how);
        if is_earlier {
            self.note_keeper(how);
        }
        is_earlier
    }

    /// Whoever sees the end has to join this shutdown's thread, which what the owner owns may need before the owner
    /// itself does.
    fn note_keeper(&mut self, how: &Shutdown) {
        #[cfg(landfall_faults)]
        if crate::faults::is_armed(crate::faults::Fault::ForgetKeeper) {
            return;
        }
        if !self.watches.iter().any(|(known, _)| Arc::ptr_eq(known, how.timekeeper())) {
            self.push(how.timekeeper(), None);
        }
    }

    fn note_force(&mut self, how: &Shutdown) {
        if self.grace_cut.is_none() && how.timekeeper().forced_at() == Some(self.grace) {
            self.grace_cut = Some(GraceCut::Forced);
        }
    }

    /// Nobody can end the grace, nor the cleanup after it: both are over.
    pub(super) fn lose_clock(&mut self, now: Instant) {
        self.abort = self.abort.min(now);
        self.grace = self.grace.min(now);
        self.grace_cut = Some(GraceCut::NoClockThread);
    }

    pub(super) fn add_watch(&mut self, timekeeper: &Arc<Timekeeper>, id: WatchId) {
        let is_noted =
            |(known, id): &&mut (Arc<Timekeeper>, Option<WatchId>)| id.is_none() && Arc::ptr_eq(known, timekeeper);
        match self.watches.iter_mut().find(is_noted) {
            Some((_, place)) => *place = Some(id),
            None => self.push(timekeeper, Some(id)),
        }
    }

    fn push(&mut self, timekeeper: &Arc<Timekeeper>, id: Option<WatchId>) {
        self.watches.push((Arc::clone(timekeeper), id));
        if self.watches.len() > SHUTDOWNS_MAX
            // Any watch will do: what it is told is when the earliest instant of all is due.
            && let (timekeeper, Some(id)) = self.watches.remove(0)
        {
            timekeeper.unwatch(id);
        }
    }

    /// Lets the timekeepers forget the owner.
    pub(super) fn unwatch(&self) {
        for (timekeeper, id) in &self.watches {
            if let Some(id) = id {
                timekeeper.unwatch(*id);
            }
        }
    }

    pub(super) fn timekeepers(&self) -> Vec<Arc<Timekeeper>> {
        self.watches.iter().map(|(timekeeper, _)| Arc::clone(timekeeper)).collect()
    }

    /// When the present stage ends by itself.
    pub(super) fn due(&self) -> Instant {
        match self.stage {
            Stage::Draining => self.grace,
            Stage::Aborting => self.abort,
            Stage::AbortingAll | Stage::Overdue => self.abort + JOIN_WITHIN - REPORT_BEFORE * self.depth.min(DEPTH_MAX),
        }
    }

    pub(super) fn now(&self) -> Instant {
        self.timekeeper.now()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ending::{Owner, State};
    use crate::{TaskSet, Terminate};

    #[test]
    fn ever_earlier_instants_do_not_keep_ever_more_threads() {
        let tasks = TaskSet::new("set");
        let held = tasks.track("held", std::future::pending::<()>()).unwrap();
        for sooner in 0..3 * SHUTDOWNS_MAX as u64 {
            let until = Duration::from_secs(3_600 - sooner);
            tasks.begin_terminate(&Shutdown::within(until, until));
        }
        match &*tasks.core().ending().state.lock() {
            State::Begun(begun) => assert_eq!(begun.watches.len(), SHUTDOWNS_MAX),
            other => panic!("it has begun and not ended: {other:?}"),
        }
        drop(held);
        assert!(tasks.terminate_blocking(&Shutdown::now()).unwrap().is_clean());
    }

    fn report_due(how: &Shutdown) -> Instant {
        Begun { stage: Stage::AbortingAll, ..Begun::new(how) }.due()
    }

    #[test]
    fn an_owner_reports_before_the_one_above_it_and_never_too_late() {
        let mut above = Shutdown::now();
        assert_eq!(report_due(&above), above.abort() + JOIN_WITHIN);
        for depth in 1..=DEPTH_MAX + 1 {
            let below = above.clone().below();
            let is_earlier = report_due(&below) < report_due(&above);
            assert_eq!(is_earlier, depth <= DEPTH_MAX, "{depth}");
            above = below;
        }
        assert!(report_due(&above) >= above.abort() + JOIN_WITHIN / 2);
    }

    /// As for a component that its user terminates and then its stack.
    #[test]
    fn being_waited_for_from_above_makes_the_report_due_earlier() {
        let how = Shutdown::now();
        let mut begun = Begun { stage: Stage::AbortingAll, ..Begun::new(&how) };
        let before = begun.due();
        assert!(begun.tighten(&how.clone().below()));
        assert_eq!(begun.due(), before - REPORT_BEFORE);
        assert!(!begun.tighten(&how));
    }
}
