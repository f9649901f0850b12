//! Priorities and weights: which backends are preferred, and which have the larger share.

use std::cmp::Ordering;
use std::collections::HashSet;

use super::backends::{Backends, Entry};
use super::slots::{Kind, Retired, Slot};
use super::{At, Core, Effects};
#[cfg(landfall_faults)]
use crate::faults::{Fault, is_armed};

impl Backends {
    /// Notes whether those that the resolver has differ in priority. If not, nothing here costs anybody anything.
    pub(super) fn note_ranks(&mut self) {
        let mut priorities = self.current.iter().map(|index| self.get(*index).backend.priority);
        let first = priorities.next();
        self.has_priorities = priorities.any(|priority| Some(priority) != first);
        #[cfg(landfall_faults)]
        if is_armed(Fault::ForgetRanks) {
            self.has_priorities = false;
        }
    }

    /// The priority that connections are opened at: the lowest number of those that take part and are not known to be
    /// failing. None if there are no priorities, or no such one.
    pub(super) fn best(&self) -> Option<u16> {
        self.best_of(Entry::is_available)
    }

    /// The priority in use: the lowest number of those that take part and have been reached.
    fn best_reached(&self) -> Option<u16> {
        self.best_of(|entry| entry.is_available() && entry.counts.live() > entry.counts.of(Kind::Connecting))
    }

    fn best_of(&self, which: impl Fn(&Entry) -> bool) -> Option<u16> {
        let entries = self.current.iter().map(|index| self.get(*index)).filter(|_| self.has_priorities);
        entries.filter(|entry| which(entry)).map(|entry| entry.backend.priority).min()
    }
}

/// So much of something at a backend, as it counts for its weight: by this it is told where there is more, be it for who
/// claims, for what is opened, or for what has to make room.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weighed {
    amount: u64,
    weight: u32,
}

impl Ord for Weighed {
    fn cmp(&self, other: &Self) -> Ordering {
        let beside = |amount: u64, weight: u32| u128::from(amount) * u128::from(weight);
        beside(self.amount, other.weight).cmp(&beside(other.amount, self.weight))
    }
}

impl PartialOrd for Weighed {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Weighed {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Weighed {}

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

    /// So much of something, for its weight.
    #[inline]
    pub(super) fn weighed(&self, amount: usize) -> Weighed {
        Weighed { amount: amount as u64, weight: self.weight() }
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

    /// Lets go of connections to backends that are not preferred, once one that is preferred has been reached: until then
    /// they serve.
    pub(super) fn prefer_best(&mut self, now: At, effects: &mut Effects<T>) {
        let Some(reached) = self.backends.best_reached() else { return };
        let is_worse = |index: &u32| {
            let entry = self.backends.get(*index);
            // Attempts at one that does not answer are made all the same: it may be needed.
            entry.backend.priority > reached && entry.counts.live() > 0 && !entry.is_failing()
        };
        let worse: HashSet<u32> = self.backends.current.iter().copied().filter(is_worse).collect();
        if !worse.is_empty() {
            self.retire(Retired::Evicted, |slot| worse.contains(&slot.backend), now, effects);
        }
        self.try_better(reached, now, effects);
    }

    /// Tries backends of lower numbers than the one in use, those that fail when they are due, before others get the
    /// room: where all slots are taken, one connection makes way. Claims that wait come before one that fails.
    fn try_better(&mut self, reached: u16, now: At, effects: &mut Effects<T>) {
        let best = self.backends.best();
        for place in 0..self.backends.current.len() {
            let index = self.backends.current[place];
            let entry = self.backends.get(index);
            let is_failing = entry.is_failing();
            let is_due = if is_failing { self.probe_due(index) <= now } else { self.is_unreached(entry, best) };
            let has_room = entry.counts.used() < self.policy.slots_per_backend();
            if entry.backend.priority >= reached || !has_room || !is_due {
                continue;
            }
            let may_try = self.queue.queued() == 0 || !is_failing;
            if may_try && self.counts.used() < self.policy.slots_max {
                self.begin_connect(index, is_failing, now, effects);
                continue;
            }
            // Nothing else would look again while everything is in use.
            self.timers.note_backend(now.plus(self.policy.backoff_waiting_max), &mut effects.is_earlier);
            if may_try && (self.backends.has_idle() || !is_failing) {
                self.make_way(now, effects);
            }
            return;
        }
    }

    /// Whether a backend is preferred that has no connection, and to which none is on its way.
    fn is_unreached(&self, entry: &Entry, best: Option<u16>) -> bool {
        entry.counts.live() == 0 && self.may_open(entry, best)
    }

    /// Lets one connection go of the backend that is preferred least, unless one is on its way out.
    fn make_way(&mut self, now: At, effects: &mut Effects<T>) {
        let is_going = |slot: &Slot<T>| slot.state.kind() == Kind::Closing || slot.is_moving();
        if self.slots.iter().any(is_going) {
            return;
        }
        let with_some = self.backends.current.iter().filter(|index| self.backends.get(**index).counts.live() > 0);
        let worst = with_some.max_by_key(|index| self.backends.get(**index).backend.priority).copied();
        if let Some(worst) = worst {
            self.let_go(worst, 1, now, effects);
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
