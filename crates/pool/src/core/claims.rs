//! Claims: from the call to the handle, and back.

use std::panic::Location;
use std::task::Waker;
use std::time::Duration;

use super::queue::{Failure, Wait, Waiter, WaiterId};
use super::slots::{Claimed, Kind, SlotId, SlotState};
use super::{At, Check, Core, Effects};
#[cfg(landfall_faults)]
use crate::faults::{Fault, is_armed};

/// How soon after a claim took a spare the next one is opened.
const SPARES_STEP: Duration = Duration::from_millis(1);

/// What the first look of a claim finds.
#[derive(Debug)]
pub(crate) enum Taken<T> {
    /// A connection, the claim's from now on.
    Hit(SlotId, T),
    /// An idle connection that has to be validated, or none.
    Miss,
    Closed,
}

/// What came of a claim that was ready to wait.
#[derive(Debug)]
pub(crate) enum Begun<T> {
    Hit(SlotId, T),
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
        id: SlotId,
        connection: T,
        since: At,
        /// The connector has made it ready for this claim.
        is_prepared: bool,
    },
    Waits,
    Failed(Failure),
}

/// In which state a connection comes back from its holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Returned {
    Fit,
    /// The connector has something to do before it is used again.
    Recycle,
    Broken,
    /// Broken, as the connector said before its claim got it.
    Unfit,
}

impl<T> Core<T> {
    /// Takes an idle connection if one is there and nobody is before this claim.
    ///
    /// The one used last, of the less loaded of two backends picked at random.
    pub(crate) fn take(
        &mut self,
        now: At,
        place: &'static Location<'static>,
        validates: bool,
        is_earlier: &mut bool,
    ) -> Taken<T> {
        #[cfg(landfall_faults)]
        if self.is_closed && is_armed(Fault::AcceptLate) {
            return Taken::Miss;
        }
        if self.is_closed {
            return Taken::Closed;
        }
        // What is idle while somebody is in line is his: there is none, see `settle` and `dispatch`.
        let Some(backend) = self.choose_idle() else { return Taken::Miss };
        let Some(&index) = self.backends.get(backend).idle.last() else { return Taken::Miss };
        let slot = self.slot(index);
        if slot.expires <= now || (validates && self.must_validate(index, now)) {
            return Taken::Miss;
        }
        let Some((id, connection)) = self.pop_for(backend, now, place) else { return Taken::Miss };
        if self.counts.of(Kind::Idle) < self.policy.spares_wanted && self.counts.used() < self.policy.slots_max {
            // Not in the way of this claim, and not for each one if there is no more to be had.
            self.timers.note_backend(now.plus(SPARES_STEP), is_earlier);
        }
        Taken::Hit(id, connection)
    }

    fn pop_for(&mut self, backend: u32, now: At, place: &'static Location<'static>) -> Option<(SlotId, T)> {
        let index = self.backends.pop_idle(backend)?;
        let claimed = SlotState::Claimed(Claimed { place, since: now, is_reported: false });
        let SlotState::Idle { connection } = self.enter(index, claimed) else { return None };
        self.count_claim(index, 0);
        Some((self.id_of(index), connection))
    }

    fn count_claim(&mut self, index: u32, waited: u64) {
        self.tally.claims += 1;
        self.tally.waits.note(waited);
        let slot = &mut self.slots[index as usize];
        slot.claims += 1;
        self.backends.get_mut(slot.backend).claims += 1;
    }

    /// The less loaded of two backends with idle connections.
    fn choose_idle(&mut self) -> Option<u32> {
        let count = self.backends.with_idle.len();
        if count < 2 {
            return self.backends.with_idle.first().copied();
        }
        let first = self.random.below(count);
        let second = (first + 1 + self.random.below(count - 1)) % count;
        let [first, second] = [first, second].map(|at| self.backends.with_idle[at]);
        let is_first = self.backends.get(first).load() <= self.backends.get(second).load();
        Some(if is_first { first } else { second })
    }

    fn must_validate(&self, index: u32, now: At) -> bool {
        self.policy.validate_after.is_some_and(|after| now.since(self.slot(index).sound) >= after)
    }

    /// Takes a connection or begins to wait, in one step: a connection that comes back in between would be missed.
    ///
    /// A claim that had a connection already and lost it goes to the head of the line.
    pub(crate) fn take_or_wait(&mut self, now: At, waiter: Waiter, is_first: bool) -> (Begun<T>, Effects<T>) {
        let mut effects = Effects::none();
        #[cfg(landfall_faults)]
        if is_armed(Fault::WaitUnlooked) {
            self.timers.note_waiter(waiter.deadline, &mut effects.is_earlier);
            let id = self.queue.push_back(waiter);
            self.plan(now, &mut effects);
            return (Begun::Waits(id), effects);
        }
        match self.take(now, waiter.place, true, &mut effects.is_earlier) {
            Taken::Hit(id, connection) => {
                effects.forget(Some(waiter.waker));
                return (Begun::Hit(id, connection), effects);
            }
            Taken::Closed => {
                effects.forget(Some(waiter.waker));
                return (Begun::Closed, effects);
            }
            Taken::Miss => {}
        }
        let waiting = self.queue.len();
        if waiting >= self.policy.waiters_max && !is_first {
            effects.forget(Some(waiter.waker));
            self.tally.refused += 1;
            return (Begun::Full { waiting }, effects);
        }
        self.timers.note_waiter(waiter.deadline, &mut effects.is_earlier);
        #[cfg(landfall_faults)]
        let is_first = is_first || is_armed(Fault::Barge);
        let id = if is_first { self.queue.push_front(waiter) } else { self.queue.push_back(waiter) };
        self.dispatch(now, &mut effects);
        self.plan(now, &mut effects);
        (Begun::Waits(id), effects)
    }

    /// Begins to make a claimed connection ready for its holder, who waits meanwhile.
    pub(crate) fn check_for_claim(
        &mut self,
        id: SlotId,
        connection: T,
        waiter: Waiter,
        now: At,
    ) -> (WaiterId, Effects<T>) {
        let mut effects = Effects::none();
        if self.is_closed {
            // The end came between its being taken and this: nobody would tell the claim any more.
            self.begin_close(id.index, connection, now, &mut effects);
            return (self.queue.push_aside(waiter, Wait::Failed(Failure::Closed)), effects);
        }
        self.timers.note_waiter(waiter.deadline, &mut effects.is_earlier);
        let waiter = self.queue.push_aside(waiter, Wait::Checking);
        drop(self.enter(id.index, SlotState::Checking { until: Some(waiter), check: Check::OnClaim }));
        effects.check(id, connection, Check::OnClaim);
        (waiter, effects)
    }

    /// Begins to make a claimed connection ready for whoever claims next.
    pub(crate) fn prepare_for_nobody(&mut self, id: SlotId, connection: T) -> Effects<T> {
        let mut effects = Effects::none();
        drop(self.enter(id.index, SlotState::Checking { until: None, check: Check::OnClaim }));
        effects.check(id, connection, Check::OnClaim);
        effects
    }

    /// Pairs those in line with idle connections.
    ///
    /// There is only something to do when somebody comes to the head of the line by another way than waiting, or when
    /// what is idle has to be validated first.
    pub(super) fn dispatch(&mut self, now: At, effects: &mut Effects<T>) {
        while let Some(first) = self.queue.first()
            && let Some(backend) = self.choose_idle()
            && let Some(&index) = self.backends.get(backend).idle.last()
        {
            if self.slot(index).expires <= now {
                self.close_idle(index, now, effects);
                continue;
            }
            if self.must_validate(index, now) {
                let checking = SlotState::Checking { until: Some(first), check: Check::Validate };
                let Some(connection) = self.take_idle(index, checking) else { return };
                effects.forget(self.queue.set(first, Wait::Checking));
                effects.check(self.id_of(index), connection, Check::Validate);
                continue;
            }
            self.backends.pop_idle(backend);
            self.rework(index, |idle| match idle {
                SlotState::Idle { connection } => SlotState::Granted { connection },
                other => other,
            });
            let granted = Wait::Granted { slot: index, since: now, is_prepared: false };
            self.note_grant(granted, first, now, effects);
        }
    }

    /// Hands a connection to a claim.
    pub(super) fn grant(&mut self, index: u32, connection: T, to: WaiterId, now: At, effects: &mut Effects<T>) {
        let before = self.enter(index, SlotState::Granted { connection });
        let is_prepared = matches!(before, SlotState::Checking { check: Check::OnClaim, until } if until == Some(to));
        self.note_grant(Wait::Granted { slot: index, since: now, is_prepared }, to, now, effects);
    }

    fn note_grant(&mut self, granted: Wait, to: WaiterId, now: At, effects: &mut Effects<T>) {
        effects.wake(self.queue.set(to, granted));
        self.timers.note_waiter(now.plus(self.policy.grant_hold_max), &mut effects.is_earlier);
    }

    /// Takes back a connection that was granted, as if its claim had taken it and given it back.
    fn take_back(&mut self, index: u32, place: &'static Location<'static>, now: At) -> Option<T> {
        match self.enter(index, SlotState::Claimed(Claimed { place, since: now, is_reported: false })) {
            SlotState::Granted { connection } => Some(connection),
            _ => None,
        }
    }

    /// What a waiting claim finds when it is polled. With an answer the claim is out of here; without one it leaves its
    /// waker, if it has brought one. It holds the connection from the grant on, so that the clock need not be read
    /// again.
    pub(crate) fn poll_waiter(
        &mut self,
        id: WaiterId,
        waker: Option<Waker>,
        now: impl FnOnce() -> At,
    ) -> (Polled<T>, Effects<T>) {
        let mut effects = Effects::none();
        #[cfg(landfall_faults)]
        if let Some(waker) = waker.clone().filter(|_| is_armed(Fault::ParkUnlooked)) {
            effects.forget(self.queue.park(id, waker));
            return (Polled::Waits, effects);
        }
        #[cfg(landfall_faults)]
        if self.queue.wait(id) == Some(Wait::Late) && is_armed(Fault::ForgetLate) {
            effects.forget(waker.and_then(|waker| self.queue.park(id, waker)));
            return (Polled::Waits, effects);
        }
        if self.queue.wait(id) == Some(Wait::Late) {
            let now = now();
            effects.forget(self.queue.set(id, Wait::Queued));
            self.dispatch(now, &mut effects);
            self.plan(now, &mut effects);
        }
        let polled = match self.queue.wait(id) {
            Some(Wait::Granted { slot, since, is_prepared }) => {
                let (began, place) = self.queue.origin(id);
                // A grant has used its waker.
                effects.forget(self.queue.remove(id));
                match self.take_back(slot, place, since) {
                    Some(connection) => {
                        self.tally.claims_waited += 1;
                        self.count_claim(slot, since.nanos_since(began));
                        Polled::Hit { id: self.id_of(slot), connection, since, is_prepared }
                    }
                    None => Polled::Failed(Failure::Closed),
                }
            }
            Some(Wait::Failed(failure)) => {
                effects.forget(self.queue.remove(id));
                Polled::Failed(failure)
            }
            Some(Wait::Queued | Wait::Checking | Wait::Late) => {
                if let Some(waker) = waker {
                    effects.forget(self.queue.park(id, waker));
                }
                return (Polled::Waits, effects);
            }
            None => Polled::Failed(Failure::Closed),
        };
        effects.forget(waker);
        (polled, effects)
    }

    /// A waiting claim is dropped: it leaves the line, and what was granted to it goes on.
    pub(crate) fn cancel(&mut self, id: WaiterId, now: At) -> Effects<T> {
        let mut effects = Effects::none();
        let (wait, place) = (self.queue.wait(id), self.queue.origin(id).1);
        effects.forget(self.queue.remove(id));
        self.tally.cancelled += u64::from(wait.is_some());
        #[cfg(landfall_faults)]
        if is_armed(Fault::LoseCancelled) {
            return effects;
        }
        #[cfg(landfall_faults)]
        if is_armed(Fault::ConnectWithClaim) {
            self.retire(|slot| slot.state.kind() == Kind::Connecting, now, &mut effects);
        }
        if let Some(Wait::Granted { slot, .. }) = wait
            && let Some(connection) = self.take_back(slot, place, now)
        {
            self.settle(slot, connection, now, &mut effects);
        }
        effects
    }

    /// A grant that was not taken in time passes on; its claim is late, and comes first when it is polled.
    pub(super) fn pass_on(&mut self, id: WaiterId, slot: u32, now: At, effects: &mut Effects<T>) {
        effects.forget(self.queue.set(id, Wait::Late));
        self.tally.grants_passed_on += 1;
        let place = self.queue.origin(id).1;
        if let Some(connection) = self.take_back(slot, place, now) {
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

    /// A connection comes back from its holder. Gives for how long it was held, if that had been reported.
    pub(crate) fn give_back(
        &mut self,
        id: SlotId,
        connection: T,
        how: Returned,
        now: At,
    ) -> (Option<Duration>, Effects<T>) {
        let mut effects = Effects::none();
        let late = self.note_held(id, now);
        #[cfg(landfall_faults)]
        let how = if is_armed(Fault::ReuseBroken) { Returned::Fit } else { how };
        match how {
            _ if self.is_surplus(id.index, now) => self.begin_close(id.index, connection, now, &mut effects),
            Returned::Fit => {
                let has_recovered = self.note_sound(id.index, now);
                self.settle(id.index, connection, now, &mut effects);
                if has_recovered {
                    self.plan(now, &mut effects);
                }
            }
            Returned::Recycle => {
                drop(self.enter(id.index, SlotState::Checking { until: None, check: Check::OnRecycle }));
                effects.check(id, connection, Check::OnRecycle);
            }
            Returned::Broken | Returned::Unfit => {
                self.tally.discarded += 1;
                if how == Returned::Unfit {
                    self.note_unfit(id.index, now);
                }
                self.begin_close(id.index, connection, now, &mut effects);
            }
        }
        (late, effects)
    }

    /// A holder keeps its connection for good: the slot is free at once.
    pub(crate) fn take_out(&mut self, id: SlotId, now: At) -> (Option<Duration>, Effects<T>) {
        let mut effects = Effects::none();
        let late = self.note_held(id, now);
        self.vacate(id.index, &mut effects);
        self.tally.taken_out += 1;
        self.plan(now, &mut effects);
        (late, effects)
    }

    fn note_held(&mut self, id: SlotId, now: At) -> Option<Duration> {
        let SlotState::Claimed(claimed) = self.slot(id.index).state else { return None };
        self.tally.holds.note(now.nanos_since(claimed.since));
        claimed.is_reported.then(|| now.since(claimed.since))
    }

    /// How many handles are out.
    pub(crate) fn claimed(&self) -> usize {
        self.counts.of(Kind::Claimed)
    }
}
