//! Priorities and weights: which backends are preferred, and which have the larger share.

use std::cmp::Ordering;

use super::backends::{Backends, Entry};
use super::slots::{Kind, Retired, SlotState};
use super::{At, Core, Effects};
use crate::change::CloseReason;
#[cfg(landfall_faults)]
use crate::faults::{Fault, is_armed};

impl Backends {
    /// Notes whether those that the resolver has differ in rank. If not, nothing here costs anybody anything.
    pub(super) fn note_ranks(&mut self) {
        let rank = |index: &u32| {
            let entry = self.get(*index);
            (entry.backend.priority, entry.weight())
        };
        let mut ranks = self.current.iter().map(rank);
        let first = ranks.next();
        self.has_ranks = ranks.any(|rank| Some(rank) != first);
        #[cfg(landfall_faults)]
        if is_armed(Fault::ForgetRanks) {
            self.has_ranks = false;
        }
    }

    /// The priority that is used: the lowest number of those that answer and take part. None if there are no ranks, or no
    /// such one.
    pub(super) fn best(&self) -> Option<u16> {
        if !self.has_ranks {
            return None;
        }
        let available = self.current.iter().map(|index| self.get(*index)).filter(|entry| entry.is_available());
        available.map(|entry| entry.backend.priority).min()
    }
}

impl Entry {
    /// Its part beside others: a weight of zero counts as one, since a backend is there to be used.
    pub(super) fn weight(&self) -> u32 {
        #[cfg(landfall_faults)]
        if is_armed(Fault::ForgetRanks) {
            return 1;
        }
        self.backend.weight.max(1)
    }

    /// Whether it is of the priority that is used, or of a better one.
    pub(super) fn is_preferred(&self, best: Option<u16>) -> bool {
        best.is_none_or(|best| self.backend.priority <= best)
    }

    /// Which one has less for its weight: so many of it, and one more.
    pub(super) fn compare(&self, count: usize, other: &Self, other_count: usize) -> Ordering {
        let weighed = |count: usize, entry: &Self| (count as u64 + 1) * u64::from(entry.weight());
        weighed(count, other).cmp(&weighed(other_count, self))
    }
}

impl<T> Core<T> {
    /// Of the backends with idle connections those of the lowest priority number; of two of these, picked at random, the
    /// one that is less loaded for its weight.
    #[cold]
    pub(super) fn choose_ranked_idle(&mut self, now: At) -> Option<u32> {
        let priority_of = |index: &u32| self.backends.get(*index).backend.priority;
        let best = self.backends.with_idle.iter().map(priority_of).min()?;
        let preferred = || self.backends.with_idle.iter().copied().filter(|index| priority_of(index) == best);
        let count = preferred().count();
        if count == 1 {
            return preferred().next();
        }
        let [first, second] = self.random.two_below(count).map(|at| preferred().nth(at));
        let [one, other] = [self.backends.get(first?), self.backends.get(second?)];
        if one.is_no_slower_than(other, now) { first } else { second }
    }

    /// Lets go of connections to backends that are not preferred, once one that is preferred answers.
    pub(super) fn prefer_best(&mut self, now: At, effects: &mut Effects<T>) {
        let Some(best) = self.backends.best() else { return };
        let is_worse = |index: &u32| {
            let entry = self.backends.get(*index);
            // Attempts at one that does not answer are made all the same: it may be needed.
            entry.backend.priority > best && entry.counts.used() > 0 && !entry.is_failing()
        };
        let worse: Vec<u32> = self.backends.current.iter().copied().filter(is_worse).collect();
        if !worse.is_empty() {
            self.retire(Retired::Evicted, |slot| worse.contains(&slot.backend), now, effects);
        }
        self.try_better(best, now, effects);
    }

    /// Tries backends of lower numbers than the one in use when they are due, before others get the room: where all slots
    /// are taken, one idle connection makes way. Claims that wait come first.
    fn try_better(&mut self, best: u16, now: At, effects: &mut Effects<T>) {
        for place in 0..self.backends.current.len() {
            let index = self.backends.current[place];
            let entry = self.backends.get(index);
            let has_room = entry.counts.used() < self.policy.slots_per_backend();
            if entry.backend.priority >= best || !has_room || self.probe_due(index) > now {
                continue;
            }
            if self.queue.queued() == 0 && self.counts.used() < self.policy.slots_max {
                self.begin_connect(index, true, now, effects);
                continue;
            }
            // Nothing else would look again while everything is in use.
            self.timers.note_backend(now.plus(self.policy.backoff_waiting_max), &mut effects.is_earlier);
            let closing = self.counts.of(Kind::Closing);
            if self.queue.queued() == 0 && closing == 0 {
                self.make_way(now, effects);
            }
            return;
        }
    }

    fn make_way(&mut self, now: At, effects: &mut Effects<T>) {
        let priority_of = |index: &u32| self.backends.get(*index).backend.priority;
        let worst = self.backends.with_idle.iter().copied().max_by_key(priority_of);
        let Some(slot) = worst.and_then(|backend| self.backends.pop_idle(backend)) else { return };
        if let SlotState::Idle { connection } = self.enter(slot, SlotState::Closing) {
            self.tell_closing(slot, CloseReason::Evicted, now, effects);
            effects.close(self.id_of(slot), connection);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Backend;
    use crate::core::Random;
    use crate::policy::Policy;

    fn core(slots_max: usize, ranks: &[(u16, u32)]) -> Core<()> {
        let policy = Policy { slots_max, slots_min: slots_max, ..Policy::default() };
        let mut core = Core::new(policy, Random::seeded(7));
        let backend = |(number, &(priority, weight)): (usize, &(u16, u32))| {
            let address = std::net::SocketAddr::from(([127, 0, 0, 1], 1 + number as u16));
            Backend::from(address).ranked(priority, weight)
        };
        drop(core.set_backends(ranks.iter().enumerate().map(backend).collect(), At::default()));
        core
    }

    #[track_caller]
    fn check(ranks: &[(u16, u32)], expected: &[usize]) {
        let core = core(expected.iter().sum(), ranks);
        let used: Vec<usize> = core.backends.each().map(|entry| entry.counts.used()).collect();
        assert_eq!(used, expected);
    }

    #[test]
    fn slots_are_shared_by_weight_among_those_of_the_lowest_priority_number() {
        check(&[(0, 1), (0, 1)], &[8, 8]);
        check(&[(0, 1), (0, 3)], &[4, 12]);
        check(&[(0, 0), (0, 1)], &[8, 8]);
        check(&[(5, 100), (1, 1), (1, 1)], &[0, 8, 8]);
        check(&[(u16::MAX, 1), (u16::MAX, u32::MAX)], &[0, 16]);
    }

    #[test]
    fn a_backend_with_another_rank_is_the_same_one() {
        let mut core = core(4, &[(0, 1), (0, 1)]);
        let changed: Vec<Backend> = core.backends.each().map(|entry| (*entry.backend).clone().ranked(1, 2)).collect();
        drop(core.set_backends(changed.clone(), At::default()));
        assert!(core.backends.each().all(|entry| !entry.is_removed && changed.contains(&entry.backend)));
        assert_eq!(core.backends.each().map(|entry| entry.counts.used()).sum::<usize>(), 4, "nothing was closed");
    }
}
