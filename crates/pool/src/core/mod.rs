//! The pool's decisions, without a runtime: who gets which connection, what is opened, checked and closed, and when.
//!
//! Everything here runs under one short lock, changes memory only, and says by its [`Effects`] what is to be done once
//! the lock is free. Time comes in as an argument.

mod at;
mod backends;
mod claims;
mod connects;
mod effects;
mod end;
#[cfg(feature = "tower")]
mod grants;
mod hits;
#[cfg(test)]
mod model;
mod outliers;
mod probes;
mod queue;
mod random;
mod ranks;
mod rebalance;
mod retire;
mod returns;
mod sets;
mod silence;
mod slots;
mod snapshot;
mod standing;
mod tally;
mod tell;
mod timers;
mod waits;
mod warm;

use std::sync::Arc;

pub(crate) use self::at::At;
use self::at::nanos;
use self::backends::Backends;
pub(crate) use self::claims::{Back, Begun, Grip, Hold, Polled, Taken};
pub(crate) use self::effects::{Effects, Held, Rest};
#[cfg(feature = "tower")]
pub(crate) use self::grants::{Grant, Refusal};
use self::hits::enter;
use self::queue::Queue;
pub(crate) use self::queue::{Cause, Failure, Shortage, Wait, Waiter, WaiterId};
pub(crate) use self::random::Random;
pub(crate) use self::returns::Returned;
use self::slots::{Counts, Interrupts, Kind, Retired, Slot, SlotState};
use self::standing::{Standing, Tried};
pub(crate) use self::tally::{Noted, Tally};
use self::timers::Timers;
pub(crate) use crate::change::{Check, SlotId};
use crate::change::{CloseReason, SlotChange};
use crate::claim::ConnectError;
use crate::events::Journal;
#[cfg(landfall_faults)]
use crate::faults::{Fault, is_armed};
use crate::policy::Policy;

/// The decisions of one pool. `T` is a connection.
///
/// What changes with each claim comes first, beside the lock: two workers that claim in turn hand each other few cache
/// lines so.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Core<T> {
    counts: Counts,
    queue: Queue,
    tally: Tally,
    timers: Timers,
    slots: Vec<Slot<T>>,
    backends: Backends,
    policy: Policy,
    /// The policy's `validate_after`.
    validate_nanos: u64,
    is_closed: bool,
    /// There may be more than the caps allow.
    was_resized: bool,
    /// How many connections there were when some were last let go of to move: so many there are to be again.
    live_before_moves: usize,
    /// When those began who wait until the pool is warm.
    warming: Vec<At>,
    /// How many backends there were and what the last connect came to when claims last failed because nothing was
    /// online. They are told later, when a backend may have come back.
    outage: (usize, Option<ConnectError>),
    vacant: Vec<u32>,
    interrupts: Interrupts,
    journal: Arc<Journal>,
    random: Random,
}

impl<T> Core<T> {
    pub(crate) fn new(policy: Policy, random: Random) -> Self {
        Self {
            validate_nanos: policy.validate_after.map_or(u64::MAX, nanos),
            policy,
            is_closed: false,
            was_resized: false,
            live_before_moves: 0,
            warming: Vec::new(),
            outage: (0, None),
            slots: Vec::new(),
            vacant: Vec::new(),
            interrupts: Interrupts::default(),
            backends: Backends::default(),
            queue: Queue::new(),
            counts: Counts::default(),
            timers: Timers::default(),
            tally: Tally::default(),
            journal: Arc::default(),
            random,
        }
    }

    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Changes a slot's state and gives the one before.
    fn enter(&mut self, index: u32, to: SlotState<T>) -> SlotState<T> {
        let slot = &mut self.slots[index as usize];
        enter(&mut self.counts, self.backends.get_mut(slot.backend), slot, to)
    }

    /// Changes a slot's state into one that is made of it.
    fn rework(&mut self, index: u32, to: impl FnOnce(SlotState<T>) -> SlotState<T>) {
        let before = std::mem::replace(&mut self.slots[index as usize].state, SlotState::Closing);
        let (from, after) = (before.kind(), to(before));
        let slot = &mut self.slots[index as usize];
        let kind = after.kind();
        debug_assert!(from.may_become(kind), "{from:?} to {kind:?} is not in the table");
        slot.state = after;
        self.counts.shift(from, kind);
        self.backends.get_mut(slot.backend).counts.shift(from.at_backend(), kind.at_backend());
    }

    fn slot(&self, index: u32) -> &Slot<T> {
        &self.slots[index as usize]
    }

    /// The slot, if it still has the connection that is meant.
    fn live_slot(&self, id: SlotId) -> Option<&Slot<T>> {
        let slot = self.slots.get(id.index as usize)?;
        (slot.generation == id.generation && slot.state.kind() != Kind::Vacant).then_some(slot)
    }

    fn id_of(&self, index: u32) -> SlotId {
        SlotId { index, generation: self.slot(index).generation }
    }

    /// Frees a slot: its connection is gone.
    fn vacate(&mut self, index: u32, effects: &mut Effects<T>) {
        let backend = self.slot(index).backend;
        drop(self.enter(index, SlotState::Vacant));
        if self.is_closed && self.counts.used() == 0 {
            self.finish_telling(effects);
        }
        let slot = &mut self.slots[index as usize];
        slot.generation = slot.generation.wrapping_add(1);
        let entry = self.backends.get_mut(backend);
        entry.claims += std::mem::take(&mut slot.claims);
        if let Standing::OnTrial { slot, .. } = &mut entry.standing
            && *slot == Some(index)
        {
            *slot = None;
        }
        self.vacant.push(index);
        self.interrupts.put(index, None);
        effects.forget_error(self.backends.forget_if_unused(backend));
    }

    /// Whether a connection that nobody uses now is to be closed rather than kept.
    fn is_surplus(&self, index: u32, now: At) -> bool {
        let slot = self.slot(index);
        let beyond = |counts: &Counts, max: usize| counts.live() > max;
        #[cfg(landfall_faults)]
        if is_armed(Fault::AcceptLate) {
            return false;
        }
        self.is_closed
            || slot.retired.is_some()
            || slot.expires <= now
            || self.was_resized
                && (beyond(&self.counts, self.policy.slots_max)
                    || beyond(&self.backends.get(slot.backend).counts, self.policy.slots_per_backend()))
    }

    /// Whether a resize has left more than may be, which nothing else does.
    fn is_beyond_caps(&self) -> bool {
        let beyond = |counts: &Counts, max: usize| counts.live() > max;
        beyond(&self.counts, self.policy.slots_max)
            || self.backends.each().any(|entry| beyond(&entry.counts, self.policy.slots_per_backend()))
    }

    /// Finds a use for a sound connection that nobody has: the first claim in line, else idleness, else its end.
    fn settle(&mut self, index: u32, connection: T, now: At, effects: &mut Effects<T>) {
        if self.is_surplus(index, now) {
            return self.begin_close(index, connection, CloseReason::Resized, now, effects);
        }
        if let Some(first) = self.queue.first() {
            return self.grant(index, connection, first, now, effects);
        }
        let backend = self.slot(index).backend;
        drop(self.enter(index, SlotState::Idle { connection }));
        self.backends.add_idle(backend, index);
    }

    /// Lets a connection go, and has another one opened if it is needed.
    fn begin_close(&mut self, index: u32, connection: T, why: CloseReason, now: At, effects: &mut Effects<T>) {
        drop(self.enter(index, SlotState::Closing));
        self.tell_closing(index, why, now, effects);
        effects.close(self.id_of(index), connection);
        #[cfg(landfall_faults)]
        if is_armed(Fault::ForgetBroken) {
            return;
        }
        self.plan(now, effects);
    }

    /// What had a connection for the pool, a connect, a check or a close, has dropped it: the slot is free.
    pub(crate) fn vacated(&mut self, id: SlotId, has_panicked: bool, now: At) -> Effects<T> {
        let mut effects = Effects::none();
        let Some(slot) = self.live_slot(id) else { return effects };
        match slot.state {
            SlotState::Connecting { .. } => self.connect_over(id.index, now, None, &mut effects),
            SlotState::Checking { until, .. } => {
                self.note_unfit(id.index, now, &mut effects);
                if has_panicked {
                    self.tally.checks_failed += 1;
                    self.note_tried(id.index, Tried::Check, false, now, &mut effects);
                }
                self.tell_slot(id.index, || SlotChange::Closed, &mut effects);
                self.vacate(id.index, &mut effects);
                self.requeue(until, now, &mut effects);
                self.plan(now, &mut effects);
            }
            #[cfg(landfall_faults)]
            SlotState::Closing if is_armed(Fault::ForgetClosed) => {}
            #[cfg(landfall_faults)]
            SlotState::Closing if is_armed(Fault::ForgetBroken) => self.vacate(id.index, &mut effects),
            SlotState::Closing => {
                let has_moved = slot.retired == Some(Retired::Moved);
                self.tell_slot(id.index, || SlotChange::Closed, &mut effects);
                self.vacate(id.index, &mut effects);
                if has_moved {
                    self.place_moved(now, &mut effects);
                }
                self.plan(now, &mut effects);
            }
            SlotState::Vacant | SlotState::Idle { .. } | SlotState::Granted { .. } | SlotState::Claimed(_) => {}
        }
        effects.is_news = true;
        effects
    }

    /// A check has ended well.
    pub(crate) fn checked(&mut self, id: SlotId, connection: T, now: At) -> Effects<T> {
        let mut effects = Effects::none();
        let Some(&Slot { state: SlotState::Checking { until, .. }, .. }) = self.live_slot(id) else {
            debug_assert!(false, "only a check gives it back");
            return effects;
        };
        self.tell_slot(id.index, || SlotChange::CheckPassed, &mut effects);
        let has_recovered = self.note_sound(id.index, now);
        self.note_tried(id.index, Tried::Check, true, now, &mut effects);
        match until {
            // It was made ready for this one.
            Some(waiter) if self.queue.wait(waiter) == Some(Wait::Checking) && !self.is_surplus(id.index, now) => {
                self.grant(id.index, connection, waiter, now, &mut effects);
            }
            _ => {
                self.settle(id.index, connection, now, &mut effects);
                self.requeue(until, now, &mut effects);
            }
        }
        if has_recovered {
            self.note_recovered(id.index, now, &mut effects);
        }
        effects.is_news = true;
        effects
    }

    /// A check has failed: the connection is being closed by who checked it.
    pub(crate) fn check_failed(&mut self, id: SlotId, now: At) -> Effects<T> {
        let mut effects = Effects::none();
        let Some(&Slot { state: SlotState::Checking { until, .. }, .. }) = self.live_slot(id) else { return effects };
        drop(self.enter(id.index, SlotState::Closing));
        if self.is_closed {
            // The end has cut it, and nobody waits any more.
            self.tell_closing(id.index, CloseReason::Terminating, now, &mut effects);
            return effects;
        }
        self.tell_closing(id.index, CloseReason::CheckFailed, now, &mut effects);
        self.note_unfit(id.index, now, &mut effects);
        self.tally.checks_failed += 1;
        self.note_tried(id.index, Tried::Check, false, now, &mut effects);
        self.requeue(until, now, &mut effects);
        self.plan(now, &mut effects);
        effects
    }
}
