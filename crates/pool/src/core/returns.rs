//! Connections that come back from a claim or a holder, and are not just kept or handed on.

use std::sync::Arc;

use super::slots::SlotState;
use super::standing::Tried;
use super::tally::{Noted, Timings};
use super::{At, Check, Core, Effects, Held, Hold, SlotId};
use crate::change::{CloseReason, SlotChange};
#[cfg(landfall_faults)]
use crate::faults::{Fault, is_armed};

/// In which state a connection comes back from its holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Returned {
    Fit,
    /// The connector has something to do before it is used again.
    Recycle,
    Broken,
}

impl<T> Core<T> {
    /// A claim has what it was given no longer, before anybody held it: it is not served by that.
    pub(super) fn note_unserved(&mut self, slot: u32, waited: Option<Noted>) {
        self.tally.claims -= 1;
        self.slots[slot as usize].claims -= 1;
        if let Some(waited) = waited {
            self.tally.claims_waited -= 1;
            self.tally.waits.take_back(waited);
        }
    }

    /// A connection comes back that the connector found broken before its claim got it.
    #[cold]
    pub(crate) fn give_back_unfit(&mut self, id: SlotId, connection: T, waited: Option<Noted>, now: At) -> Effects<T> {
        let mut effects = Effects::none();
        self.note_unserved(id.index, waited);
        effects.is_return_at_end = self.is_closed;
        self.tally.discarded += 1;
        self.note_unfit(id.index, now, &mut effects);
        self.note_tried(id.index, Tried::Check, false, now, &mut effects);
        self.begin_close(id.index, connection, CloseReason::Broken, now, &mut effects);
        effects
    }

    /// A connection comes back from its holder, and there is more to do about it than to keep it or to hand it on.
    #[cold]
    pub(super) fn give_back_oddly(
        &mut self,
        id: SlotId,
        connection: T,
        how: Returned,
        hold: Hold,
        now: At,
    ) -> Effects<T> {
        let mut effects = Effects::none();
        self.note_held(id, hold, now, &mut effects);
        #[cfg(landfall_faults)]
        let how = if is_armed(Fault::ReuseBroken) { Returned::Fit } else { how };
        self.note_hold(id.index, how, hold, now);
        self.note_use(id.index, how != Returned::Broken, now, &mut effects);
        match how {
            _ if self.is_surplus(id.index, now) => {
                self.begin_close(id.index, connection, CloseReason::Resized, now, &mut effects);
            }
            Returned::Fit => {
                let has_recovered = self.note_sound(id.index, now);
                self.settle(id.index, connection, now, &mut effects);
                if has_recovered {
                    self.note_recovered(id.index, now, &mut effects);
                }
            }
            Returned::Recycle => {
                drop(self.enter(id.index, SlotState::Checking { until: None, check: Check::OnRecycle }));
                self.begin_check(id, connection, Check::OnRecycle, &mut effects);
            }
            Returned::Broken => {
                self.tally.discarded += 1;
                self.begin_close(id.index, connection, CloseReason::Broken, now, &mut effects);
            }
        }
        effects
    }

    /// A holder keeps its connection for good: the slot is free at once.
    pub(crate) fn take_out(&mut self, id: SlotId, hold: Hold, now: At) -> Effects<T> {
        let mut effects = Effects::none();
        self.note_held(id, hold, now, &mut effects);
        self.tell_slot(id.index, || SlotChange::TakenOut, &mut effects);
        self.vacate(id.index, &mut effects);
        self.tally.taken_out += 1;
        self.plan(now, &mut effects);
        effects
    }

    /// Notes how long its backend took, as far as that can be told.
    fn note_hold(&mut self, index: u32, how: Returned, hold: Hold, now: At) {
        let nanos = now.nanos_since(hold.since);
        let entry = self.backends.get_mut(self.slots[index as usize].backend);
        // What fails at once is not quick.
        let is_telling = how != Returned::Broken || nanos > entry.holds.usual(now);
        if is_telling && (hold.is_timed || nanos >= Timings::LONG.as_nanos() as u64) {
            entry.holds.note(nanos, now);
        }
    }

    fn note_held(&mut self, id: SlotId, hold: Hold, now: At, effects: &mut Effects<T>) {
        let slot = &mut self.slots[id.index as usize];
        let SlotState::Claimed(claimed) = slot.state else { return };
        slot.used = now;
        self.tally.holds.note(now.nanos_since(hold.since), hold.is_timed);
        effects.is_return_at_end |= self.is_closed;
        if claimed.is_reported {
            let backend = Arc::clone(&self.backends.get(slot.backend).backend);
            effects.came_back(Held { slot: id, backend, place: claimed.place, age: now.since(hold.since) });
        }
    }
}
