//! What the model knows of priorities: which backend a claim may be served by, where connections may be opened, and which
//! of them may stay.

use std::sync::Arc;

use super::{Conn, Model, Tamper};
use crate::backend::Backend;
use crate::core::backends::Entry;
use crate::core::{Kind, Random, Slot, SlotId};

/// How many backends there may be.
const BACKENDS: usize = 3;

/// The priority and the weight of each.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ranks([(u16, u32); BACKENDS]);

impl Ranks {
    /// Half of them have one priority for all.
    pub(super) fn draw(random: &mut Random) -> Self {
        let priorities = 1 + random.below(4).saturating_sub(1);
        Self(std::array::from_fn(|_| (random.below(priorities) as u16, random.below(4) as u32)))
    }

    /// Those of the backends that the bits say.
    fn backends(&self, set: u8) -> Vec<Backend> {
        let numbers = (0..BACKENDS).filter(|number| set & (1 << number) != 0);
        let ranked = numbers.map(|number| {
            let (priority, weight) = self.0[number];
            let address = std::net::SocketAddr::from(([127, 0, 0, 1], number as u16));
            Backend::from(address).ranked(priority, weight)
        });
        ranked.collect()
    }

    fn priority(&self, backend: &Backend) -> u16 {
        self.0[usize::from(backend.address.port())].0
    }
}

impl Model {
    /// The set as the core is told of it.
    pub(super) fn backends(&self) -> Vec<Backend> {
        let set = self.ranks.backends(self.set);
        let unranked = |backend: Backend| backend.ranked(0, 1);
        if self.tamper == Tamper::ForgetRanks { set.into_iter().map(unranked).collect() } else { set }
    }

    fn priority_of(&self, slot: &Slot<Conn>) -> u16 {
        self.ranks.priority(&self.core.backends.get(slot.backend).backend)
    }

    /// The lowest number of those that the resolver has and that are like this.
    pub(super) fn best(&self, which: impl Fn(&Entry) -> bool) -> Option<u16> {
        let entries = self.core.backends.current.iter().map(|index| self.core.backends.get(*index));
        entries.filter(|entry| which(entry)).map(|entry| self.ranks.priority(&entry.backend)).min()
    }

    /// Whether a backend is not worse than the best one that takes part.
    pub(super) fn is_preferred(&self, backend: &Arc<Backend>) -> bool {
        self.best(Entry::is_available).is_none_or(|best| self.ranks.priority(backend) <= best)
    }

    /// The lowest number of those with idle connections.
    pub(super) fn best_idle(&self) -> Option<u16> {
        let idle = self.core.slots.iter().filter(|slot| slot.state.kind() == Kind::Idle);
        idle.map(|slot| self.priority_of(slot)).min()
    }

    /// A claim was served from what was idle.
    pub(super) fn judge_hit(&self, slot: SlotId, best_idle: Option<u16>) {
        let priority = self.priority_of(self.core.slot(slot.index));
        assert_eq!(Some(priority), best_idle, "it is of {priority}, and {best_idle:?} was idle");
    }

    /// A connect has begun. Backends that fail are tried whatever their rank.
    pub(super) fn judge_connect(&self, backend: &Arc<Backend>) {
        let entries = self.core.backends.current.iter().map(|index| self.core.backends.get(*index));
        let is_failing = entries.filter(|entry| entry.backend.is(backend)).any(|entry| entry.is_failing());
        assert!(is_failing || self.is_preferred(backend), "{backend} is connected to, and a better one takes part");
    }

    /// Once a better one has been reached nothing is kept at those that are worse.
    pub(super) fn judge_preference(&self) {
        let is_open = |slot: &Slot<Conn>| !matches!(slot.state.kind(), Kind::Vacant | Kind::Closing | Kind::Connecting);
        let slots_of = |entry: &Entry| {
            let backend = Arc::clone(&entry.backend);
            let slots = self.core.slots.iter().filter(|slot| slot.state.kind() != Kind::Vacant);
            slots.filter(move |slot| self.core.backends.get(slot.backend).backend == backend)
        };
        let reached = self.best(|entry| entry.is_available() && slots_of(entry).any(is_open));
        let Some(reached) = reached.filter(|_| !self.is_closed) else { return };
        for entry in self.core.backends.each().filter(|entry| !entry.is_failing() && !entry.is_removed) {
            let is_kept = |slot: &Slot<Conn>| slot.retired.is_none() && slot.state.kind() != Kind::Closing;
            let is_worse = self.ranks.priority(&entry.backend) > reached;
            assert!(!is_worse || !slots_of(entry).any(is_kept), "{} is kept, and {reached} was reached", entry.backend);
        }
    }
}
