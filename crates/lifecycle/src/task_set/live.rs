//! Looking at the live entries of a set while it runs.

use std::time::Duration;

use super::TaskInfo;
use super::core::Core;
use super::registry::{Entry, TaskId};
use crate::report::TaskKind;

/// A live entry, and the name of the set that it is in.
#[cfg(feature = "leak-check")]
pub(crate) struct Live {
    pub(crate) owner: String,
    pub(crate) task: TaskInfo,
}

impl Core {
    /// Gives each live entry to `see`, with no lock held.
    ///
    /// They are copied a few at a time. In between the lock is free for as long as `see` takes: whoever waits for it
    /// gets it while still spinning. With larger steps, or with `see` under the lock, a spawn that has gone to sleep
    /// on the lock finds it taken again each time it wakes.
    fn for_each_live(&self, mut see: impl FnMut(TaskId, TaskKind, Entry, Duration)) {
        const AT_ONCE: u32 = 64;
        let mut copied = Vec::with_capacity(AT_ONCE as usize);
        let mut next = 0;
        loop {
            let now = self.ticks();
            {
                let inner = self.inner.lock();
                let places = inner.registry.places();
                if next >= places {
                    return;
                }
                let until = places.min(next.saturating_add(AT_ONCE));
                copied.extend((next..until).filter_map(|index| inner.registry.get(index)).map(|seen| {
                    let entry = Entry { name: seen.entry.name.clone(), place: seen.entry.place };
                    (seen.id, seen.kind, entry, seen.since.until(now))
                }));
                next = until;
            }
            for (id, kind, entry, age) in copied.drain(..) {
                see(id, kind, entry, age);
            }
        }
    }

    /// The live entries of this set.
    pub(super) fn live(&self) -> Vec<TaskInfo> {
        let mut live = Vec::new();
        self.for_each_live(|id, kind, entry, age| {
            live.push(TaskInfo { id, name: entry.name, kind, place: entry.place.into(), age });
        });
        live
    }

    /// The live entries of this set and of all below it.
    #[cfg(feature = "leak-check")]
    pub(crate) fn live_of_tree(&self) -> Vec<Live> {
        let owner = |task| Live { owner: self.name.to_string(), task };
        let mut live: Vec<Live> = self.live().into_iter().map(owner).collect();
        live.extend(self.children().iter().flat_map(|child| child.live_of_tree()));
        live
    }

    /// The names of some of the live entries, of child sets too, at most `names_max`.
    pub(super) fn names_of_live(&self, names_max: usize) -> Vec<String> {
        let (mut names, children) = {
            let inner = self.inner.lock();
            let names: Vec<_> = inner.registry.iter().take(names_max).map(|seen| seen.entry.name.to_string()).collect();
            (names, inner.children.to_vec())
        };
        for child in children {
            let left = names_max - names.len();
            names.extend(child.names_of_live(left));
        }
        names
    }
}
