//! Claims that find an idle connection, and releases that leave one idle: nearly all there are. What is done here is
//! done for each of them, under the lock.

use std::panic::Location;

use super::backends::Entry;
use super::claims::{Back, Grip, Hold, Taken};
use super::returns::Returned;
use super::slots::{Claimed, Counts, Kind, Slot, SlotState};
use super::{At, Core, SlotId};
#[cfg(landfall_faults)]
use crate::faults::{Fault, is_armed};

/// Changes a slot's state and gives the one before. Together with [`Core::rework`] the only place where that happens, so
/// that no count can drift from the states.
#[inline]
pub(super) fn enter<T>(counts: &mut Counts, entry: &mut Entry, slot: &mut Slot<T>, to: SlotState<T>) -> SlotState<T> {
    let (from, kind) = (slot.state.kind(), to.kind());
    #[cfg(landfall_faults)]
    if kind == Kind::Claimed && is_armed(Fault::CountDrift) {
        return std::mem::replace(&mut slot.state, to);
    }
    debug_assert!(from.may_become(kind), "{from:?} to {kind:?} is not in the table");
    counts.shift(from, kind);
    // A backend does not tell what is granted from what is claimed: it is of no matter to it.
    entry.counts.shift(from.at_backend(), kind.at_backend());
    std::mem::replace(&mut slot.state, to)
}

impl<T> Core<T> {
    /// Takes an idle connection if one is there and nobody is before this claim.
    ///
    /// The one used last, of the less loaded of two backends picked at random. `now` may lag.
    #[inline]
    pub(crate) fn take(
        &mut self,
        now: At,
        place: &'static Location<'static>,
        validates: bool,
        is_earlier: &mut bool,
    ) -> Taken<T> {
        // What is idle while somebody is in line is his: there is none, see `settle` and `dispatch`.
        let Some(backend) = self.choose_idle(now) else { return self.missed() };
        let entry = self.backends.get_mut(backend);
        let Some(&index) = entry.idle.last() else { return Taken::Miss };
        let slot = &mut self.slots[index as usize];
        if slot.expires <= now || (validates && now.nanos_since(slot.sound) >= self.validate_nanos) {
            return Taken::Miss;
        }
        let claimed = SlotState::Claimed(Claimed { place, since: now, is_reported: false });
        let SlotState::Idle { connection } = enter(&mut self.counts, entry, slot, claimed) else { return Taken::Miss };
        slot.claims += 1;
        let id = SlotId { index, generation: slot.generation };
        entry.idle.pop();
        if entry.idle.is_empty() {
            self.backends.leave_idle(backend);
        }
        if self.counts.of(Kind::Idle) < self.policy.spares_wanted && self.counts.used() < self.policy.slots_max {
            // Not in the way of this claim, and not for each one if there is no more to be had.
            self.timers.note_spares(now, is_earlier);
        }
        self.tally.claims += 1;
        Taken::Hit(Grip { id, is_timed: self.tally.sampler.picks(now) }, connection)
    }

    #[cold]
    fn missed(&self) -> Taken<T> {
        #[cfg(landfall_faults)]
        if is_armed(Fault::AcceptLate) {
            return Taken::Miss;
        }
        // A pool that is closed has nothing idle.
        if self.is_closed { Taken::Closed } else { Taken::Miss }
    }

    #[inline]
    pub(crate) fn has_idle(&self) -> bool {
        self.backends.has_idle()
    }

    /// The less loaded of two backends with idle connections.
    #[inline]
    pub(super) fn choose_idle(&mut self, now: At) -> Option<u32> {
        match self.backends.with_idle[..] {
            [] => None,
            [one] => Some(one),
            _ if self.backends.has_priorities => self.choose_ranked_idle(now),
            _ => Some(self.choose_of_several(now)),
        }
    }

    fn choose_of_several(&mut self, now: At) -> u32 {
        let picked = self.random.two_below(self.backends.with_idle.len());
        let [first, second] = picked.map(|at| self.backends.with_idle[at]);
        let is_first = self.backends.get(first).is_no_slower_than(self.backends.get(second), now);
        if is_first { first } else { second }
    }

    /// A connection comes back from its holder. `now` may lag if it is fit.
    #[inline]
    pub(crate) fn give_back(&mut self, id: SlotId, connection: T, how: Returned, hold: Hold, now: At) -> Back<T> {
        let slot = &mut self.slots[id.index as usize];
        let entry = self.backends.get_mut(slot.backend);
        let is_plain = how == Returned::Fit
            && matches!(slot.state, SlotState::Claimed(Claimed { is_reported: false, .. }))
            // A pool that is closed has retired all of them.
            && slot.retired.is_none()
            && slot.expires > now
            && !self.was_resized
            && !entry.is_watched;
        if !is_plain {
            return Back::Other(self.give_back_oddly(id, connection, how, hold, now));
        }
        let nanos = now.nanos_since(hold.since);
        let noted = self.tally.holds.note(nanos, hold.is_timed);
        if noted.is_single() && self.backends.current.len() > 1 {
            // Of one there is nothing to choose.
            self.backends.get_mut(slot.backend).holds.note(nanos, now);
        }
        let entry = self.backends.get_mut(slot.backend);
        slot.note_used(now);
        if self.queue.queued() > 0 {
            return self.pass_to_first(id.index, connection, now);
        }
        drop(enter(&mut self.counts, entry, slot, SlotState::Idle { connection }));
        entry.idle.push(id.index);
        if entry.idle_at.is_none() {
            let backend = slot.backend;
            self.backends.join_idle(backend);
        }
        Back::Idle
    }
}
