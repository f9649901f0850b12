//! Moving connections to backends that have few: those that came late, or came back, would else wait until connections
//! elsewhere end by themselves.

use super::slots::{Claimed, Kind, Retired, Slot, SlotState};
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
        if self.are_moving() {
            return;
        }
        match self.uneven() {
            Some((fullest, count)) => self.let_go(fullest, count, now, effects),
            None if self.wants_room(now) => self.make_room(now, effects),
            None => return,
        }
        self.plan(now, effects);
    }

    /// Whether connections that move are being closed, which are to have gone first. One that has not come back since the
    /// last look is to stay after all: its holder may keep it for good, and others can move.
    fn are_moving(&mut self) -> bool {
        let mut are_moving = false;
        for slot in self.slots.iter_mut().filter(|slot| slot.is_moving()) {
            match slot.state {
                SlotState::Closing => are_moving = true,
                _ => slot.retired = None,
            }
        }
        are_moving
    }

    /// The backend that has too many connections beside the one that has the fewest, each for its weight, and how many of
    /// them are to move now.
    fn uneven(&self) -> Option<(u32, usize)> {
        let mut sizes = vec![0_usize; self.backends.places()];
        let stays =
            |slot: &&Slot<T>| slot.retired.is_none() && !matches!(slot.state.kind(), Kind::Vacant | Kind::Closing);
        self.slots.iter().filter(stays).for_each(|slot| sizes[slot.backend as usize] += 1);
        let (max, best) = (self.policy.slots_per_backend(), self.backends.best());
        let (size, entry) = (|index: u32| sizes[index as usize], |index: u32| self.backends.get(index));
        let with = |index: u32, more: usize| entry(index).weighed(size(index) + more);
        let takes_part = |index: &u32| entry(*index).is_available() && entry(*index).is_preferred(best);
        let available = || self.backends.current.iter().copied().filter(takes_part);
        let fullest = available().max_by_key(|index| with(*index, 0))?;
        let emptiest = available().filter(|index| entry(*index).counts.used() < max);
        let emptiest = emptiest.min_by_key(|index| with(*index, 1))?;
        if with(fullest, 0) <= with(emptiest, 1) {
            return None;
        }
        // So many that the one has no fewer then than the other, each for its weight.
        let [of_fullest, of_emptiest] = [fullest, emptiest].map(|index| u64::from(entry(index).weight()));
        let more = (size(fullest) as u64 * of_emptiest).saturating_sub(size(emptiest) as u64 * of_fullest);
        let most = 1.max(self.counts.live() / MOVED_ONE_IN);
        Some((fullest, ((more / (of_fullest + of_emptiest)) as usize).clamp(1, most)))
    }

    /// Lets one connection go of the backend that has the most, if there is no room for another one.
    pub(super) fn make_room(&mut self, now: At, effects: &mut Effects<T>) {
        let entry = |index: &u32| self.backends.get(*index);
        let available = self.backends.current.iter().copied().filter(|index| entry(index).is_available());
        let fullest = available.max_by_key(|index| entry(index).weighed(entry(index).counts.live()));
        if let Some(fullest) = fullest.filter(|_| self.counts.used() >= self.policy.slots_max) {
            self.let_go(fullest, 1, now, effects);
        }
    }

    /// Lets connections go that are to move. What is to be opened because of that is left to the caller, who may be
    /// planning.
    pub(super) fn let_go(&mut self, backend: u32, count: usize, now: At, effects: &mut Effects<T>) {
        self.live_before_moves = self.counts.live();
        for _ in 0..count {
            self.move_one(backend, now, effects);
        }
    }

    /// Whether a backend waits for room to be tried: one that does not answer gets it, at its own pace, where another
    /// connection is idle than the spares.
    fn wants_room(&self, now: At) -> bool {
        let is_one_idle = self.counts.of(Kind::Idle) > self.policy.spares_wanted;
        let best = self.backends.best();
        let entries = self.backends.current.iter().map(|index| self.backends.get(*index));
        entries.filter(|entry| entry.is_preferred(best)).any(|entry| match entry.standing {
            Standing::Ejected { .. } => false,
            _ if entry.is_failing() => entry.probes == 0 && entry.retry_at <= now && is_one_idle,
            Standing::OnTrial { slot, .. } => slot.is_none(),
            Standing::Full => false,
        })
    }

    /// Lets one connection go: the idle one that was not used for longest, else one that is out, when it comes back. That
    /// is the one which was claimed last: who has held another one for long may do so for longer.
    fn move_one(&mut self, backend: u32, now: At, effects: &mut Effects<T>) {
        let idle = self.backends.get(backend).idle.first().copied();
        let is_out = |index: &u32| {
            let slot = self.slot(*index);
            slot.backend == backend && slot.retired.is_none() && slot.state.may_become_idle()
        };
        let out_since = |index: &u32| match self.slot(*index).state {
            SlotState::Claimed(Claimed { since, .. }) => since,
            _ => now,
        };
        let out = || (0..self.slots.len() as u32).filter(is_out).max_by_key(out_since);
        let Some(index) = idle.or_else(out) else { return };
        self.slots[index as usize].retired = Some(Retired::Moved);
        self.let_idle_go(index, CloseReason::Rebalanced, now, effects);
    }

    /// A connection has gone that was to move: another one is opened where there are the fewest.
    pub(super) fn place_moved(&mut self, now: At, effects: &mut Effects<T>) {
        if self.is_closed {
            return;
        }
        self.tally.moved += 1;
        self.begin_trials(now, effects);
        self.probe(now, effects);
        // What was needed at once has been opened meanwhile.
        if self.counts.used() >= self.policy.slots_max || self.counts.live() >= self.live_before_moves {
            return;
        }
        if let Some(backend) = self.choose_to_connect() {
            self.begin_connect(backend, false, now, effects);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Backend;
    use crate::core::{Random, SlotId};
    use crate::policy::Policy;

    /// Of two backends that have one and two connections the first has more for its weight.
    #[test]
    fn room_is_made_where_there_is_most_for_its_weight() {
        let policy = Policy { slots_max: 3, slots_min: 3, ..Policy::default() };
        let mut core: Core<u32> = Core::new(policy, Random::seeded(1));
        let address = |port| std::net::SocketAddr::from(([127, 0, 0, 1], port));
        let set = [(1, 2), (2, 5)].map(|(port, weight)| Backend::from(address(port)).ranked(0, weight));
        drop(core.set_backends(set.into(), At::default()));
        for index in 0..3 {
            drop(core.connected(SlotId { index, generation: 0 }, index, None, At::default()));
        }
        let of = |core: &Core<u32>, kind| [0, 1].map(|index| core.backends.get(index).counts.of(kind));
        assert_eq!(of(&core, Kind::Idle), [1, 2]);
        core.make_room(At::default(), &mut Effects::none());
        assert_eq!((of(&core, Kind::Idle), of(&core, Kind::Closing)), ([0, 2], [1, 0]));
    }
}
