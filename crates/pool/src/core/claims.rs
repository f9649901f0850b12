//! Claims: from the call to the handle, and back.

use std::panic::Location;
use std::task::Waker;

use super::queue::{Failure, Wait, Waiter, WaiterId};
#[cfg(landfall_faults)]
use super::slots::Retired;
use super::slots::{Claimed, Kind, SlotState};
use super::tally::Noted;
use super::{At, Check, Core, Effects, SlotId};
use crate::change::CloseReason;
#[cfg(landfall_faults)]
use crate::faults::{Fault, is_armed};

/// What a claim has that was given a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grip {
    pub(crate) id: SlotId,
    /// Its hold is to be timed, by the exact time.
    pub(crate) is_timed: bool,
}

/// For how long a connection was held, when it comes back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hold {
    pub(crate) since: At,
    /// That is exact, and the time at the return too.
    pub(crate) is_timed: bool,
}

/// What the first look of a claim finds.
#[derive(Debug)]
pub(crate) enum Taken<T> {
    /// A connection, the claim's from now on.
    Hit(Grip, T),
    /// An idle connection that has to be validated, or none.
    Miss,
    Closed,
}

/// What came of a claim that was ready to wait.
#[derive(Debug)]
pub(crate) enum Begun<T> {
    Hit(Grip, T),
    Waits(WaiterId),
    /// As many wait as may.
    Full {
        waiting: usize,
    },
    Closed,
}

/// What a waiting claim finds.
#[derive(Debug)]
pub(crate) enum Polled<T> {
    Hit {
        grip: Grip,
        connection: T,
        since: At,
        /// How long it waited, as that was counted.
        waited: Noted,
        /// The connector has made it ready for this claim.
        is_prepared: bool,
    },
    Waits,
    Failed(Failure),
}

/// What is to be done when a connection has come back.
#[derive(Debug)]
#[must_use = "somebody waits for it"]
pub(crate) enum Back<T> {
    /// Nothing: it is idle.
    Idle,
    /// It has been handed to a claim.
    Passed {
        wake: Option<Waker>,
        is_earlier: bool,
    },
    Other(Effects<T>),
}

impl<T> Core<T> {
    fn must_validate(&self, index: u32, now: At) -> bool {
        now.nanos_since(self.slot(index).sound) >= self.validate_nanos
    }

    /// Takes a connection or begins to wait, in one step: a connection that comes back in between would be missed.
    ///
    /// A claim that had a connection already and lost it goes to the head of the line.
    pub(crate) fn take_or_wait(
        &mut self,
        now: At,
        waiter: Waiter,
        place: &'static Location<'static>,
        is_first: bool,
    ) -> (Begun<T>, Effects<T>) {
        let mut effects = Effects::none();
        #[cfg(landfall_faults)]
        if is_armed(Fault::WaitUnlooked) {
            self.timers.note_waiter(waiter.deadline, &mut effects.is_earlier);
            let id = self.queue.push_back(waiter);
            self.plan(now, &mut effects);
            return (Begun::Waits(id), effects);
        }
        match self.take(now, place, true, &mut effects.is_earlier) {
            Taken::Hit(grip, connection) => {
                effects.forget(Some(waiter.waker));
                return (Begun::Hit(grip, connection), effects);
            }
            Taken::Closed => {
                effects.forget(Some(waiter.waker));
                return (Begun::Closed, effects);
            }
            Taken::Miss => {}
        }
        let begun = match self.join_line(now, waiter, is_first, &mut effects) {
            Ok(id) => Begun::Waits(id),
            Err(waiting) => Begun::Full { waiting },
        };
        (begun, effects)
    }

    /// Puts a claim in line, and does what there is to be done for it; or says how many wait, if no more may.
    pub(super) fn join_line(
        &mut self,
        now: At,
        waiter: Waiter,
        is_first: bool,
        effects: &mut Effects<T>,
    ) -> Result<WaiterId, usize> {
        let waiting = self.queue.len();
        if waiting >= self.policy.waiters_max && !is_first {
            effects.forget(Some(waiter.waker));
            self.tally.refused += 1;
            return Err(waiting);
        }
        self.timers.note_waiter(waiter.deadline, &mut effects.is_earlier);
        #[cfg(landfall_faults)]
        let is_first = is_first || is_armed(Fault::Barge);
        let id = if is_first { self.queue.push_front(waiter) } else { self.queue.push_back(waiter) };
        self.dispatch(now, effects);
        self.plan(now, effects);
        Ok(id)
    }

    /// Begins to make a claimed connection ready for its holder, who waits meanwhile.
    pub(crate) fn check_for_claim(
        &mut self,
        id: SlotId,
        connection: T,
        waited: Option<Noted>,
        waiter: Waiter,
        now: At,
    ) -> (WaiterId, Effects<T>) {
        let mut effects = Effects::none();
        self.note_unserved(id.index, waited);
        if self.is_closed {
            // The end came between its being taken and this: nobody would tell the claim any more.
            self.begin_close(id.index, connection, CloseReason::Terminating, now, &mut effects);
            return (self.queue.push_aside(waiter, Wait::Failed(Failure::Closed)), effects);
        }
        self.timers.note_waiter(waiter.deadline, &mut effects.is_earlier);
        let waiter = self.queue.push_aside(waiter, Wait::Checking);
        drop(self.enter(id.index, SlotState::Checking { until: Some(waiter), check: Check::OnClaim }));
        self.begin_check(id, connection, Check::OnClaim, &mut effects);
        (waiter, effects)
    }

    /// Begins to make a claimed connection ready for whoever claims next.
    pub(crate) fn prepare_for_nobody(&mut self, id: SlotId, connection: T) -> Effects<T> {
        let mut effects = Effects::none();
        self.note_unserved(id.index, None);
        drop(self.enter(id.index, SlotState::Checking { until: None, check: Check::OnClaim }));
        self.begin_check(id, connection, Check::OnClaim, &mut effects);
        effects
    }

    /// Pairs those in line with idle connections.
    ///
    /// There is only something to do when somebody comes to the head of the line by another way than waiting, or when
    /// what is idle has to be validated first.
    pub(super) fn dispatch(&mut self, now: At, effects: &mut Effects<T>) {
        while let Some(first) = self.queue.first()
            && let Some(backend) = self.choose_idle(now)
            && let Some(&index) = self.backends.get(backend).idle.last()
        {
            if self.slot(index).expires <= now {
                self.close_idle(index, CloseReason::Expired, now, effects);
                continue;
            }
            if self.must_validate(index, now) {
                let checking = SlotState::Checking { until: Some(first), check: Check::Validate };
                let Some(connection) = self.take_idle(index, checking) else { return };
                effects.forget(self.queue.set(first, Wait::Checking));
                self.begin_check(self.id_of(index), connection, Check::Validate, effects);
                continue;
            }
            self.backends.pop_idle(backend);
            self.rework(index, |idle| match idle {
                SlotState::Idle { connection } => SlotState::Granted { connection },
                other => other,
            });
            self.note_grant(Wait::Granted { slot: index, since: now }, first, now, effects);
        }
    }

    /// Hands a connection to a claim.
    pub(super) fn grant(&mut self, index: u32, connection: T, to: WaiterId, now: At, effects: &mut Effects<T>) {
        let before = self.enter(index, SlotState::Granted { connection });
        let is_prepared = matches!(before, SlotState::Checking { check: Check::OnClaim, until } if until == Some(to));
        let wait = if is_prepared {
            Wait::Prepared { slot: index, since: now }
        } else {
            Wait::Granted { slot: index, since: now }
        };
        self.note_grant(wait, to, now, effects);
    }

    fn note_grant(&mut self, wait: Wait, to: WaiterId, now: At, effects: &mut Effects<T>) {
        effects.wake(self.queue.set(to, wait));
        let ends = self.grant_ends(now);
        self.timers.note_waiter(ends, &mut effects.is_earlier);
    }

    /// Takes back a connection that was granted, as if its claim had taken it and given it back. Nobody sees the slot
    /// like this.
    fn take_back(&mut self, index: u32, now: At) -> Option<T> {
        let claimed = Claimed { place: Location::caller(), since: now, is_reported: false };
        match self.enter(index, SlotState::Claimed(claimed)) {
            SlotState::Granted { connection } => Some(connection),
            _ => None,
        }
    }

    /// What a waiting claim finds when it is polled. With an answer the claim is out of here; without one it leaves its
    /// waker.
    pub(crate) fn poll_waiter(
        &mut self,
        id: WaiterId,
        waker: Waker,
        place: &'static Location<'static>,
        now: impl Fn() -> At,
    ) -> (Polled<T>, Effects<T>) {
        let mut effects = Effects::none();
        #[cfg(landfall_faults)]
        if is_armed(Fault::ParkUnlooked) {
            effects.forget(self.queue.park(id, waker));
            return (Polled::Waits, effects);
        }
        #[cfg(landfall_faults)]
        if self.queue.wait(id) == Some(Wait::Late) && is_armed(Fault::ForgetLate) {
            effects.forget(self.queue.park(id, waker));
            return (Polled::Waits, effects);
        }
        self.look_again_if_late(id, &now, &mut effects);
        let polled = match self.queue.wait(id) {
            Some(Wait::Queued | Wait::Checking | Wait::Late) => {
                effects.forget(self.queue.park(id, waker));
                return (Polled::Waits, effects);
            }
            Some(Wait::Failed(failure)) => {
                effects.forget(self.queue.remove(id));
                Polled::Failed(failure)
            }
            Some(Wait::Granted { .. } | Wait::Prepared { .. }) | None => {
                self.collect(id, place, now).unwrap_or(Polled::Failed(Failure::Closed))
            }
        };
        effects.forget(Some(waker));
        (polled, effects)
    }

    /// A claim whose grant has passed on is polled: it is first in line.
    pub(super) fn look_again_if_late(&mut self, id: WaiterId, now: impl Fn() -> At, effects: &mut Effects<T>) {
        if self.queue.wait(id) == Some(Wait::Late) {
            let now = now();
            effects.forget(self.queue.set(id, Wait::Queued));
            self.dispatch(now, effects);
            self.plan(now, effects);
        }
    }

    /// A waiting claim is dropped: it leaves the line, and what was granted to it goes on.
    pub(crate) fn cancel(&mut self, id: WaiterId, now: At) -> Effects<T> {
        let mut effects = Effects::none();
        let wait = self.queue.wait(id);
        effects.forget(self.queue.remove(id));
        // One that failed before it was dropped has been counted as what it failed of.
        self.tally.cancelled += u64::from(!matches!(wait, None | Some(Wait::Failed(_))));
        #[cfg(landfall_faults)]
        if is_armed(Fault::LoseCancelled) {
            return effects;
        }
        #[cfg(landfall_faults)]
        if is_armed(Fault::ConnectWithClaim) {
            self.retire(Retired::Evicted, |slot| slot.state.kind() == Kind::Connecting, now, &mut effects);
        }
        if let Some(Wait::Granted { slot, .. } | Wait::Prepared { slot, .. }) = wait
            && let Some(connection) = self.take_back(slot, now)
        {
            self.settle(slot, connection, now, &mut effects);
        }
        effects
    }

    /// A grant that was not taken in time passes on; its claim is late, and comes first when it is polled.
    pub(super) fn pass_on(&mut self, id: WaiterId, slot: u32, now: At, effects: &mut Effects<T>) {
        effects.forget(self.queue.set(id, Wait::Late));
        self.tally.grants_passed_on += 1;
        if let Some(connection) = self.take_back(slot, now) {
            self.settle(slot, connection, now, effects);
        }
    }

    /// A claim whose connection turned out to be no good is first in line again.
    pub(super) fn requeue(&mut self, id: Option<WaiterId>, now: At, effects: &mut Effects<T>) {
        if let Some(id) = id.filter(|id| self.queue.wait(*id) == Some(Wait::Checking)) {
            debug_assert!(!self.is_closed, "the end has failed all who wait");
            effects.forget(self.queue.set(id, Wait::Queued));
            self.dispatch(now, effects);
        }
    }

    /// How many handles are out.
    pub(crate) fn claimed(&self) -> usize {
        self.counts.of(Kind::Claimed)
    }
}
