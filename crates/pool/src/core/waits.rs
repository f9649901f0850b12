//! The line while every connection is in use: claims join it, connections that come back are handed to the first, and
//! claims collect them. What is done here is done under the lock for each claim of a busy pool.

use std::panic::Location;

use super::claims::{Back, Grip, Polled};
use super::hits::enter;
use super::queue::{Failure, Wait, Waiter, WaiterId};
use super::slots::{Claimed, Kind, SlotState};
use super::tally::Timings;
use super::{At, Core, SlotId};
#[cfg(landfall_faults)]
use crate::faults::{Fault, is_armed};

impl<T> Core<T> {
    /// Puts a claim at the end of the line, if that is all there is to do: nothing is idle, nothing can be opened.
    #[inline]
    pub(crate) fn line_up(&mut self, waiter: Waiter, is_earlier: &mut bool) -> Result<WaiterId, Waiter> {
        let is_plain = !self.has_idle()
            && !self.is_closed
            && self.queue.len() < self.policy.waiters_max
            && self.has_nothing_to_open();
        #[cfg(landfall_faults)]
        let is_plain = is_plain && !is_armed(Fault::Barge);
        if !is_plain {
            return Err(waiter);
        }
        self.timers.note_waiter(waiter.deadline, is_earlier);
        Ok(self.queue.push_back(waiter))
    }

    /// Whether [`Self::plan`] would do nothing for one more claim in line.
    fn has_nothing_to_open(&self) -> bool {
        self.counts.used() >= self.policy.slots_max
            && self.backends.probes == 0
            && !self.backends.has_failing
            // Of several that are not answered one is given up for who waits: see `renew_unanswered`.
            && self.counts.of(Kind::Connecting) < 2
            && !self.backends.current.is_empty()
    }

    /// Hands a connection that has come back to the first in line.
    #[inline]
    pub(super) fn pass_to_first(&mut self, index: u32, connection: T, now: At) -> Back<T> {
        let wake = self.queue.grant_first(index, now);
        let slot = &mut self.slots[index as usize];
        let entry = self.backends.get_mut(slot.backend);
        drop(enter(&mut self.counts, entry, slot, SlotState::Granted { connection }));
        let ends = self.grant_ends(now);
        let mut is_earlier = false;
        self.timers.note_waiter(ends, &mut is_earlier);
        Back::Passed { wake, is_earlier }
    }

    /// When a grant passes on if it is not taken. Never too early, though `since` may lag.
    pub(super) fn grant_ends(&self, since: At) -> At {
        since.plus(self.policy.grant_hold_max).plus(At::LAG_MAX)
    }

    /// Gives a waiting claim what was granted to it, if something was.
    ///
    /// It holds the connection from the grant on, so that the clock is read for those only that are timed.
    #[inline]
    pub(crate) fn collect(
        &mut self,
        id: WaiterId,
        place: &'static Location<'static>,
        now: impl FnOnce() -> At,
    ) -> Option<Polled<T>> {
        let (wait, began) = self.queue.remove_granted(id)?;
        let is_prepared = matches!(wait, Wait::Prepared { .. });
        let (Wait::Granted { slot: index, since } | Wait::Prepared { slot: index, since }) = wait else { return None };
        let slot = &mut self.slots[index as usize];
        let entry = self.backends.get_mut(slot.backend);
        let claimed = SlotState::Claimed(Claimed { place, since, is_reported: false });
        let SlotState::Granted { connection } = enter(&mut self.counts, entry, slot, claimed) else {
            return Some(Polled::Failed(Failure::Closed));
        };
        slot.claims += 1;
        let id = SlotId { index, generation: slot.generation };
        self.tally.claims += 1;
        self.tally.claims_waited += 1;
        let is_timed = self.tally.sampler.picks(since);
        let waited = if is_timed || since.since(began) >= Timings::LONG {
            self.tally.waits.note(now().nanos_since(began), true)
        } else {
            self.tally.waits.note(since.nanos_since(began), false)
        };
        Some(Polled::Hit { grip: Grip { id, is_timed }, connection, since, waited, is_prepared })
    }
}
