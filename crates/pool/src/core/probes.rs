//! Attempts at backends that do not answer, and what else says that a backend is of no use.

use std::time::Duration;

use super::backends::FAILING_FROM;
use super::slots::SlotState;
use super::{At, Core, Effects};
use crate::change::BackendChange;
#[cfg(landfall_faults)]
use crate::faults::{Fault, is_armed};

impl<T> Core<T> {
    /// Tries backends that do not answer, at their pace, with room that nobody else has a use for.
    pub(super) fn probe(&mut self, now: At, effects: &mut Effects<T>) {
        self.backends.has_failing = false;
        for place in 0..self.backends.current.len() {
            let index = self.backends.current[place];
            if !self.backends.get(index).is_failing() {
                continue;
            }
            self.backends.has_failing = true;
            let due = self.probe_due(index);
            let has_room = self.counts.used() < self.policy.slots_max
                && self.backends.get(index).counts.used() < self.policy.slots_per_backend();
            if due <= now && has_room {
                self.begin_connect(index, true, now, effects);
            }
            // Without room the next look is when a slot comes free.
            let next = self.probe_due(index);
            if next > now {
                self.timers.note_backend(next, &mut effects.is_earlier);
            }
        }
    }

    /// When a backend is to be tried again; never if it answers or is tried as often as may be.
    pub(super) fn probe_due(&self, index: u32) -> At {
        let entry = self.backends.get(index);
        if !entry.is_failing() || entry.is_ejected() {
            return At::NEVER;
        }
        match entry.probes {
            0 if self.queue.len() + self.warming.len() > 0 => {
                entry.retry_at.min(entry.tried_at.plus(self.policy.backoff_waiting_max))
            }
            0 => entry.retry_at,
            // A lost packet is sent again after a second only: another attempt may get through before.
            probes if (probes as usize) < self.policy.probes_max => {
                entry.tried_at.plus(self.policy.probe_overlap_after)
            }
            _ => At::NEVER,
        }
    }

    /// Gives up an attempt at a backend that does not answer, for one at another that does.
    pub(super) fn cancel_a_probe(&mut self, effects: &mut Effects<T>) {
        #[cfg(landfall_faults)]
        if is_armed(Fault::KeepProbe) {
            return;
        }
        if self.backends.probes == 0 {
            return;
        }
        let best = self.backends.best();
        let could_connect = self.backends.current.iter().any(|index| self.may_open(self.backends.get(*index), best));
        if !could_connect || self.queue.queued() == 0 {
            return;
        }
        for index in 0..self.slots.len() as u32 {
            if let SlotState::Connecting { is_probe: true, is_cancelled, .. } = &mut self.slots[index as usize].state {
                if !std::mem::replace(is_cancelled, true) {
                    effects.cancel(self.id_of(index));
                }
                return;
            }
        }
    }

    /// For how long a failing backend is left alone: doubled with each failure, and by half at random, so that many
    /// clients do not come back at once.
    pub(super) fn pause(&mut self, backend: u32) -> Duration {
        let doublings = self.backends.get(backend).failures_in_a_row().saturating_sub(FAILING_FROM).min(31);
        let whole = self.policy.backoff_min.saturating_mul(1 << doublings).min(self.policy.backoff_max);
        whole / 2 + self.random.part_of(whole / 2)
    }

    /// A connection could not be made ready for a claim. If it never was good for anything, that is as bad as a failed
    /// connect: else a connector whose connections never work would be kept busy for ever.
    pub(super) fn note_unfit(&mut self, index: u32, now: At, effects: &mut Effects<T>) {
        let slot = self.slot(index);
        // What the end cuts says nothing of a backend.
        if slot.is_proven || self.is_closed {
            return;
        }
        let backend = slot.backend;
        let entry = self.backends.get_mut(backend);
        let was_failing = entry.is_failing();
        entry.unsound = entry.unsound.saturating_add(1);
        entry.note_watched();
        let is_failing = entry.is_failing();
        let pause = self.pause(backend);
        self.backends.get_mut(backend).retry_at = now.plus(pause);
        if is_failing && !was_failing {
            self.tell_backend(backend, BackendChange::Failing, effects);
        }
    }

    /// A connection was used, or passed a check. Gives whether its backend was failing until now.
    pub(super) fn note_sound(&mut self, index: u32, now: At) -> bool {
        let slot = &mut self.slots[index as usize];
        (slot.sound, slot.is_proven) = (now, true);
        let entry = self.backends.get_mut(slot.backend);
        if entry.unsound == 0 {
            return false;
        }
        let was_failing = entry.is_failing();
        entry.unsound = 0;
        entry.note_watched();
        was_failing && !entry.is_failing()
    }

    /// The backend of a slot was failing until now: more may be opened.
    pub(super) fn note_recovered(&mut self, index: u32, now: At, effects: &mut Effects<T>) {
        self.tell_backend(self.slot(index).backend, BackendChange::Recovered, effects);
        self.plan(now, effects);
    }
}
