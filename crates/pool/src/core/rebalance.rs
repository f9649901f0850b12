//! Moving connections to backends that have few: those that came late, or came back, would else wait until connections
//! elsewhere end by themselves.

use super::slots::{Kind, Retired};
use super::standing::Standing;
use super::{At, Core, Effects};
use crate::change::CloseReason;
#[cfg(landfall_faults)]
use crate::faults::{Fault, is_armed};

/// So many of the connections move at a time at most: one in sixteen, and one at least.
const MOVED_ONE_IN: usize = 16;

impl<T> Core<T> {
    /// Lets connections of the backend go that has the most, if another one has too few. Each is replaced at the one that
    /// has the fewest then, see [`Self::place_moved`].
    pub(super) fn rebalance(&mut self, now: At, effects: &mut Effects<T>) {
        self.timers.plan_rebalance(now, &self.policy, self.backends.current.len(), &mut effects.is_earlier);
        #[cfg(landfall_faults)]
        if is_armed(Fault::KeepUneven) {
            return;
        }
        let mut sizes = vec![0_usize; self.backends.places()];
        for slot in &self.slots {
            match (slot.state.kind(), slot.retired) {
                (Kind::Vacant, _) => {}
                // Those moved before are to have gone first.
                (_, Some(Retired::Moved)) => return,
                (Kind::Closing, _) | (_, Some(_)) => {}
                _ => sizes[slot.backend as usize] += 1,
            }
        }
        let (max, best) = (self.policy.slots_per_backend(), self.backends.best());
        let size = |index: u32| sizes[index as usize];
        let entry = |index: u32| self.backends.get(index);
        let weight = |index: u32| entry(index).weight() as usize;
        let takes_part = |index: &u32| entry(*index).is_available() && entry(*index).is_preferred(best);
        let available = || self.backends.current.iter().copied().filter(takes_part);
        let by_size = |one: &u32, other: &u32| (size(*one) * weight(*other)).cmp(&(size(*other) * weight(*one)));
        let Some(fullest) = available().max_by(by_size) else { return };
        let emptiest = available().filter(|index| entry(*index).counts.used() < max);
        let emptiest = emptiest.min_by(|one, other| entry(*one).compare(size(*one), entry(*other), size(*other)));
        let moved = emptiest.map_or(0, |emptiest| {
            let is_uneven = size(fullest) * weight(emptiest) > (size(emptiest) + 1) * weight(fullest);
            let half = size(fullest).saturating_sub(size(emptiest)) / 2;
            usize::from(is_uneven) * half.clamp(1, 1.max(self.counts.live() / MOVED_ONE_IN))
        });
        for _ in 0..moved {
            self.move_one(fullest, now, effects);
        }
        if moved == 0 && self.wants_room(now) {
            self.make_room(now, effects);
        }
    }

    /// Lets one connection go of the backend that has the most, if there is no room for another one.
    pub(super) fn make_room(&mut self, now: At, effects: &mut Effects<T>) {
        let available = self.backends.current.iter().filter(|index| self.backends.get(**index).is_available());
        let fullest = available.max_by_key(|index| self.backends.get(**index).counts.live()).copied();
        if let Some(fullest) = fullest.filter(|_| self.counts.used() >= self.policy.slots_max) {
            self.move_one(fullest, now, effects);
        }
    }

    /// Whether a backend waits for room to be tried: one that does not answer gets it, at its own pace, where another
    /// connection is idle than the spares.
    fn wants_room(&self, now: At) -> bool {
        let is_one_idle = self.counts.of(Kind::Idle) > self.policy.spares_wanted;
        self.backends.current.iter().map(|index| self.backends.get(*index)).any(|entry| match entry.standing {
            Standing::Ejected { .. } => false,
            _ if entry.is_failing() => entry.probes == 0 && entry.retry_at <= now && is_one_idle,
            Standing::OnTrial { slot, .. } => slot.is_none(),
            Standing::Full => false,
        })
    }

    /// Lets one connection go: the idle one that was not used for longest, else one that is out, when it comes back.
    fn move_one(&mut self, backend: u32, now: At, effects: &mut Effects<T>) {
        let idle = self.backends.get(backend).idle.first().copied();
        let is_out = |index: &u32| {
            let slot = self.slot(*index);
            slot.backend == backend && slot.retired.is_none() && slot.state.may_become_idle()
        };
        let Some(index) = idle.or_else(|| (0..self.slots.len() as u32).find(is_out)) else { return };
        self.slots[index as usize].retired = Some(Retired::Moved);
        self.tally.moved += 1;
        self.close_idle(index, CloseReason::Rebalanced, now, effects);
    }

    /// A connection has gone that was to move: another one is opened where there are the fewest.
    pub(super) fn place_moved(&mut self, now: At, effects: &mut Effects<T>) {
        if self.is_closed {
            return;
        }
        self.begin_trials(now, effects);
        self.probe(now, effects);
        if self.counts.used() >= self.policy.slots_max {
            return;
        }
        if let Some(backend) = self.choose_to_connect() {
            self.begin_connect(backend, false, now, effects);
        }
    }
}
