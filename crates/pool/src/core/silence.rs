//! Connects that get no answer, neither a connection nor a failure: what was sent to a backend that was away is often not
//! answered when it is back, and until it times out it has room that others could use.

use super::slots::{Kind, SlotState};
use super::{At, Core, Effects, SlotId};

impl<T> Core<T> {
    /// While claims wait, gives up a connect to a backend that has not answered for long, nor any begun since; another one
    /// takes its place.
    ///
    /// It is the youngest of two or more: the others have their whole time, so that a slow backend is not given up, and
    /// one that never answers is found to be failing.
    pub(super) fn renew_unanswered(&mut self, now: At, effects: &mut Effects<T>) {
        if self.counts.of(Kind::Connecting) < 2 || self.queue.queued() + self.warming.len() == 0 {
            return;
        }
        for place in 0..self.backends.current.len() {
            let backend = self.backends.current[place];
            let entry = self.backends.get(backend);
            // One that fails is probed at its own pace.
            if entry.is_failing() || entry.counts.of(Kind::Connecting) == 0 {
                continue;
            }
            let due = entry.tried_at.plus(self.policy.probe_overlap_after);
            if due > now {
                self.timers.note_backend(due, &mut effects.is_earlier);
                continue;
            }
            let youngest = self.connecting_to(backend).max_by_key(|index| self.slot(*index).opened);
            if let Some(index) = youngest.filter(|_| self.connecting_to(backend).nth(1).is_some()) {
                self.give_up_connect(index, effects);
                let entry = self.backends.get_mut(backend);
                // The one in its place begins as soon as it has gone.
                entry.tried_at = now;
                entry.was_silent = true;
                self.timers.note_backend(now.plus(self.policy.probe_overlap_after), &mut effects.is_earlier);
            }
        }
    }

    /// A connect begun at `began` was answered, by a connection or a failure, after a silence: those begun long before it
    /// are lost.
    pub(super) fn give_up_unanswered(&mut self, backend: u32, began: At, effects: &mut Effects<T>) {
        self.backends.get_mut(backend).was_silent = false;
        let after = self.policy.probe_overlap_after;
        let lost: Vec<u32> =
            self.connecting_to(backend).filter(|index| self.slot(*index).opened.plus(after) <= began).collect();
        for index in lost {
            self.give_up_connect(index, effects);
        }
    }

    /// The connects on their way to a backend, but those that have been given up.
    fn connecting_to(&self, backend: u32) -> impl Iterator<Item = u32> + '_ {
        let slots = self.slots.iter().enumerate().filter(move |(_, slot)| {
            slot.backend == backend && matches!(slot.state, SlotState::Connecting { is_cancelled: false, .. })
        });
        slots.map(|(index, _)| index as u32)
    }

    /// Whether a connect is not wanted any more.
    pub(crate) fn is_given_up(&self, id: SlotId) -> bool {
        let slot = self.live_slot(id);
        slot.is_some_and(|slot| matches!(slot.state, SlotState::Connecting { is_cancelled: true, .. }))
    }

    /// Gives up a connect that has not been given up, which is no failure of its backend.
    fn give_up_connect(&mut self, index: u32, effects: &mut Effects<T>) {
        let id = self.id_of(index);
        if let SlotState::Connecting { is_cancelled, .. } = &mut self.slots[index as usize].state {
            *is_cancelled = true;
            effects.cancel(id);
        }
    }
}
