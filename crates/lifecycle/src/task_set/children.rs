//! The living child sets of a set, by age and by name.

use std::collections::{BTreeMap, HashMap};

use super::core::Core;
use super::name::TaskName;
use crate::sync::Arc;

#[derive(Default)]
pub(super) struct Children {
    /// By the number that each set of the process has, which grows: so the oldest comes first.
    sets: BTreeMap<u64, Arc<Core>>,
    names: HashMap<TaskName, u64>,
}

impl Children {
    /// Adds a child; false if a living one has its name.
    pub(super) fn insert(&mut self, child: &Arc<Core>) -> bool {
        // One that has ended may still be on its way out.
        let is_taken = |id| self.sets.get(id).is_some_and(|other: &Arc<Core>| !other.is_terminated());
        if self.names.get(&child.name).is_some_and(is_taken) {
            return false;
        }
        self.names.insert(child.name.clone(), child.id());
        self.sets.insert(child.id(), Arc::clone(child));
        true
    }

    pub(super) fn remove(&mut self, child: &Core) {
        self.sets.remove(&child.id());
        // Its name may be another one's by now.
        if self.names.get(&child.name) == Some(&child.id()) {
            self.names.remove(&child.name);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sets.is_empty()
    }

    pub(super) fn to_vec(&self) -> Vec<Arc<Core>> {
        self.sets.values().cloned().collect()
    }
}
