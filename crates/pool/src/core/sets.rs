//! Which backends there are: a new set beside the one before.

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

impl Backends {
    /// Takes over a new set.
    pub(crate) fn replace(&mut self, set: Vec<Backend>) -> Replaced {
        self.is_resolved = true;
        let before = std::mem::take(&mut self.current);
        for backend in set {
            let index = match self.find(&backend) {
                Some(index) => {
                    let known = &mut self.get_mut(index).backend;
                    // With another rank it is the same one.
                    if **known != backend {
                        *known = Arc::new(backend);
                    }
                    index
                }
                None => self.add(backend),
            };
            self.get_mut(index).is_removed = false;
            if !self.current.contains(&index) {
                self.current.push(index);
            }
        }
        self.note_ranks();
        let gone: Vec<u32> = before.iter().copied().filter(|index| !self.current.contains(index)).collect();
        for index in &gone {
            self.get_mut(*index).is_removed = true;
        }
        let added = self.current.iter().copied().filter(|index| !before.contains(index)).collect();
        Replaced { added, gone }
    }

    fn find(&self, backend: &Backend) -> Option<u32> {
        let found = self.entries.iter().position(|entry| entry.as_ref().is_some_and(|it| it.backend.is(backend)));
        found.map(|index| index as u32)
    }

    fn add(&mut self, backend: Backend) -> u32 {
        let entry = Some(Entry::new(Arc::new(backend)));
        let index = self.entries.iter().position(Option::is_none).unwrap_or(self.entries.len());
        if index == self.entries.len() {
            self.entries.push(entry);
        } else {
            self.entries[index] = entry;
        }
        u32::try_from(index).expect("fewer backends than that")
    }

    /// Forgets a backend that has gone, once nothing refers to it; gives the user's error that it kept.
    pub(crate) fn forget_if_unused(&mut self, index: u32) -> Option<ConnectError> {
        let entry = self.get(index);
        if !entry.is_removed || entry.counts.used() > 0 {
            return None;
        }
        self.entries[index as usize].take()?.last_error
    }
}
