//! Connections that are not kept: those of backends that have gone, what is evicted, what is beyond a smaller cap.

use std::collections::HashSet;

use super::sets::Replaced;
use super::slots::{Kind, Retired, Slot, SlotState};
use super::{At, Core, Effects};
use crate::backend::Backend;
use crate::change::{BackendChange, CloseReason, PoolChange};
#[cfg(landfall_faults)]
use crate::faults::{Fault, is_armed};
use crate::policy::Policy;

impl<T> Core<T> {
    /// Takes over the backends that the resolver has now.
    pub(crate) fn set_backends(&mut self, set: Vec<Backend>, now: At) -> Effects<T> {
        let mut effects = Effects::none();
        let Replaced { added, gone } = self.backends.replace(set);
        for index in added {
            self.tell_backend(index, BackendChange::Added, &mut effects);
            // One that comes back while it still has connections is as it was.
            if self.backends.get(index).is_failing() {
                self.tell_backend(index, BackendChange::Failing, &mut effects);
            }
        }
        for gone in &gone {
            self.tell_backend(*gone, BackendChange::Removed, &mut effects);
            // If it comes again it begins anew.
            self.backends.get_mut(*gone).begin_anew();
        }
        if !gone.is_empty() {
            // All in one pass, however many they are.
            let is_gone: HashSet<u32> = gone.iter().copied().collect();
            self.retire(Retired::Evicted, |slot| is_gone.contains(&slot.backend), now, &mut effects);
        }
        for gone in gone {
            effects.forget_error(self.backends.forget_if_unused(gone));
        }
        self.timers.plan_rebalance(now, &self.policy, self.backends.current.len(), &mut effects.is_earlier);
        self.plan(now, &mut effects);
        effects.is_news = true;
        effects
    }

    /// Closes what is idle now and the rest when it comes back; new connections take their place.
    pub(crate) fn evict(&mut self, now: At) -> Effects<T> {
        let mut effects = Effects::none();
        self.tell_pool(|| PoolChange::Evicted, &mut effects);
        // What is just being opened is new anyway.
        self.retire(Retired::Evicted, |slot| slot.state.kind() != Kind::Connecting, now, &mut effects);
        self.plan(now, &mut effects);
        effects
    }

    /// Changes how many slots there may be. What is claimed stays with its holders; what is too much is closed when it
    /// comes back.
    pub(crate) fn resize(&mut self, policy: Policy, now: At) -> Effects<T> {
        let mut effects = Effects::none();
        self.policy = policy;
        self.was_resized = true;
        let slots_max = self.policy.slots_max;
        self.tell_pool(|| PoolChange::Resized { slots_max }, &mut effects);
        // Fewer may be wanted now than who waits until the pool is warm has waited for.
        effects.is_news = true;
        #[cfg(landfall_faults)]
        if is_armed(Fault::ForgetShrink) {
            self.was_resized = false;
        }
        let idle: Vec<u32> = self.backends.each().flat_map(|entry| entry.idle.iter().copied()).collect();
        for index in idle {
            if self.is_surplus(index, now) {
                self.close_idle(index, CloseReason::Resized, now, &mut effects);
            }
        }
        self.plan(now, &mut effects);
        effects
    }

    pub(super) fn retire(&mut self, why: Retired, which: impl Fn(&Slot<T>) -> bool, now: At, effects: &mut Effects<T>) {
        // All idle ones in one pass: to look for each in its list would take a large pool tens of milliseconds.
        self.backends.keep_idle(|index| !which(&self.slots[index as usize]));
        for index in 0..self.slots.len() as u32 {
            let slot = &mut self.slots[index as usize];
            if slot.state.kind() == Kind::Vacant || !which(slot) {
                continue;
            }
            slot.retired = Some(why);
            match &mut slot.state {
                SlotState::Idle { .. } => {
                    if let SlotState::Idle { connection } = self.enter(index, SlotState::Closing) {
                        self.tell_closing(index, CloseReason::Evicted, now, effects);
                        effects.close(self.id_of(index), connection);
                    }
                }
                SlotState::Connecting { is_cancelled, .. } if !*is_cancelled => {
                    *is_cancelled = true;
                    effects.cancel(self.id_of(index));
                }
                _ => {}
            }
        }
    }

    pub(super) fn close_idle(&mut self, index: u32, why: CloseReason, now: At, effects: &mut Effects<T>) {
        if self.let_idle_go(index, why, now, effects) {
            self.plan(now, effects);
        }
    }

    /// Closes an idle connection, if it is one, and leaves it to the caller to have others opened.
    pub(super) fn let_idle_go(&mut self, index: u32, why: CloseReason, now: At, effects: &mut Effects<T>) -> bool {
        let Some(connection) = self.take_idle(index, SlotState::Closing) else { return false };
        self.tell_closing(index, why, now, effects);
        effects.close(self.id_of(index), connection);
        true
    }

    /// Takes one particular idle connection out.
    pub(super) fn take_idle(&mut self, index: u32, to: SlotState<T>) -> Option<T> {
        let slot = self.slot(index);
        if slot.state.kind() != Kind::Idle {
            return None;
        }
        self.backends.remove_idle(slot.backend, index);
        match self.enter(index, to) {
            SlotState::Idle { connection } => Some(connection),
            _ => None,
        }
    }
}
