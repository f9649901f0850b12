//! Which backends there are: a new set beside the one before.

use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::backends::{Backends, Entry};
use crate::backend::Backend;
use crate::claim::ConnectError;

/// The places of the backends that a new set has brought, and of those that are no longer in it.
#[derive(Debug)]
pub(super) struct Replaced {
    pub(super) added: Vec<u32>,
    pub(super) gone: Vec<u32>,
}

/// A backend whatever its rank: two are equal if they are the same one.
struct Known(Arc<Backend>);

impl PartialEq for Known {
    fn eq(&self, other: &Self) -> bool {
        self.0.is(&other.0)
    }
}

impl Eq for Known {}

impl Hash for Known {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.0.address, &self.0.name).hash(state);
    }
}

impl Backends {
    /// Takes over a new set, at a cost for each backend that does not grow with how many there are.
    pub(crate) fn replace(&mut self, set: Vec<Backend>) -> Replaced {
        self.is_resolved = true;
        let before = std::mem::take(&mut self.current);
        let places = self.each_with_place().map(|(place, entry)| (Known(Arc::clone(&entry.backend)), place as u32));
        let mut known: HashMap<Known, u32> = places.collect();
        let (mut added, mut kept) = (Vec::new(), HashSet::new());
        for backend in set {
            let backend = Arc::new(backend);
            let index = *known.entry(Known(Arc::clone(&backend))).or_insert_with(|| self.add(&backend));
            let entry = self.get_mut(index);
            // With another rank it is the same one.
            if entry.backend != backend {
                entry.backend = backend;
            }
            if std::mem::take(&mut entry.is_removed) {
                added.push(index);
            }
            if kept.insert(index) {
                self.current.push(index);
            }
        }
        self.note_ranks();
        let gone: Vec<u32> = before.into_iter().filter(|index| !kept.contains(index)).collect();
        for index in &gone {
            self.get_mut(*index).is_removed = true;
        }
        Replaced { added, gone }
    }

    fn add(&mut self, backend: &Arc<Backend>) -> u32 {
        let entry = Some(Entry::new(Arc::clone(backend)));
        if let Some(index) = self.vacant.pop() {
            self.entries[index as usize] = entry;
            return index;
        }
        self.entries.push(entry);
        u32::try_from(self.entries.len() - 1).expect("fewer backends than that")
    }

    /// Forgets a backend that has gone, once nothing refers to it; gives the user's error that it kept.
    pub(crate) fn forget_if_unused(&mut self, index: u32) -> Option<ConnectError> {
        let entry = self.get(index);
        if !entry.is_removed || entry.counts.used() > 0 {
            return None;
        }
        self.vacant.push(index);
        self.entries[index as usize].take()?.last_error
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::compared;
    use crate::core::{At, Core, Random};
    use crate::policy::Policy;

    fn backends(numbers: std::ops::Range<u32>) -> Vec<Backend> {
        let address = |number: u32| std::net::SocketAddr::from((std::net::Ipv4Addr::from(number), 1));
        numbers.map(|number| Backend::new("one name for all", address(number))).collect()
    }

    /// Half of ten thousand are replaced: with a look at each for each that is fifty million comparisons.
    #[test]
    fn a_large_set_is_taken_over_with_a_comparison_or_two_for_each() {
        const MANY: u32 = 10_000;
        let mut known = Backends::default();
        assert_eq!(known.replace(backends(0..MANY)).added.len(), MANY as usize);
        let before = compared();
        let Replaced { added, gone } = known.replace(backends(MANY / 2..MANY + MANY / 2));
        assert_eq!(
            (added.len(), gone.len(), known.current.len()),
            (MANY as usize / 2, MANY as usize / 2, MANY as usize)
        );
        let times = compared() - before;
        assert!((u64::from(MANY / 2)..u64::from(2 * MANY)).contains(&times), "{times} comparisons");
    }

    #[test]
    fn places_of_backends_that_are_gone_are_used_again() {
        let mut core: Core<()> = Core::new(Policy { spares_wanted: 0, ..Policy::default() }, Random::seeded(1));
        for first in 0..20 {
            drop(core.set_backends(backends(first * 3..first * 3 + 3), At::default()));
        }
        assert_eq!((core.backends.places(), core.backends.each().count()), (6, 3));
    }

    #[test]
    fn one_that_is_listed_twice_is_one_and_the_last_rank_holds() {
        let mut known = Backends::default();
        let [one, other] = [backends(0..1).remove(0), backends(1..2).remove(0)];
        let Replaced { added, .. } = known.replace(vec![one.clone(), other, one.ranked(3, 4)]);
        assert_eq!((added, known.current.clone()), (vec![0, 1], vec![0, 1]));
        assert_eq!((known.get(0).backend.priority, known.get(0).backend.weight), (3, 4));
    }
}
