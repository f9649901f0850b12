//! The live entries of a set: a slab in chunks, 32 bytes an entry and 16 for the waker of one that waits, whatever is
//! running.

use std::fmt;
use std::panic::Location;
use std::task::Waker;

use super::name::TaskName;
use super::ticks::Ticks;
#[cfg(landfall_faults)]
use crate::faults::{Fault, is_armed};
use crate::report::TaskKind;

/// Entries a chunk. Growing never moves an entry, so it never holds up a spawn for longer than one chunk takes.
const CHUNK: usize = 64;

/// Which entry of its set a task is. Never given twice within four million uses of one place in the registry.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TaskId {
    index: u32,
    generation: u32,
}

/// What a set knows of a live entry.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: TaskName,
    pub(super) place: &'static Location<'static>,
}

/// Places for entries. Most entries of a busy set never wait: what wakes them is kept apart, so that they touch no
/// memory for it.
#[derive(Debug)]
struct Chunk {
    slots: Box<[Slot; CHUNK]>,
    /// Wakes an entry so that it sees an abort; absent before it was first pending and once it has been used. Made
    /// when the first entry of the chunk waits.
    wakers: Option<Box<[Option<Waker>; CHUNK]>>,
}

#[derive(Debug)]
struct Slot {
    since: Ticks,
    tag: Tag,
    body: Body,
}

#[derive(Debug)]
enum Body {
    Vacant { next: Option<u32> },
    Taken(Entry),
}

/// Generation, kind and abort mark in one word.
#[derive(Clone, Copy, Debug, Default)]
struct Tag(u32);

impl Tag {
    const KIND: u32 = 0b0111;
    const MARKED: u32 = 0b1000;
    const GENERATION_SHIFT: u32 = 10;

    fn generation(self) -> u32 {
        self.0 >> Self::GENERATION_SHIFT
    }

    fn kind(self) -> TaskKind {
        match self.0 & Self::KIND {
            0 => TaskKind::Task,
            1 => TaskKind::Local,
            2 => TaskKind::Closing,
            3 => TaskKind::Tracked,
            4 => TaskKind::Blocking,
            5 => TaskKind::Thread,
            _ => TaskKind::Driver,
        }
    }

    fn is_marked(self) -> bool {
        self.0 & Self::MARKED != 0
    }

    fn reused(self, kind: TaskKind) -> Self {
        let kind = match kind {
            TaskKind::Task => 0,
            TaskKind::Local => 1,
            TaskKind::Closing => 2,
            TaskKind::Tracked => 3,
            TaskKind::Blocking => 4,
            TaskKind::Thread => 5,
            TaskKind::Driver => 6,
        };
        Self((self.generation().wrapping_add(1) << Self::GENERATION_SHIFT) | kind)
    }
}

/// An entry that is looked at.
#[derive(Debug)]
pub(super) struct Seen<'a> {
    pub(super) id: TaskId,
    pub(super) kind: TaskKind,
    pub(super) since: Ticks,
    pub(super) entry: &'a Entry,
}

/// An entry that left.
#[derive(Debug)]
pub(super) struct Gone {
    pub(super) kind: TaskKind,
    pub(super) since: Ticks,
    pub(super) is_marked: bool,
    pub(super) entry: Entry,
    pub(super) waker: Option<Waker>,
}

#[derive(Debug, Default)]
pub(super) struct Registry {
    chunks: Vec<Chunk>,
    vacant: Option<u32>,
    len: usize,
}

impl Registry {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// How many places there are; indices are below it.
    pub(super) fn places(&self) -> u32 {
        u32::try_from(self.chunks.len() * CHUNK).unwrap_or(u32::MAX)
    }

    /// Takes a place; none when all four thousand million are taken.
    #[inline]
    pub(super) fn insert(
        &mut self,
        kind: TaskKind,
        since: Ticks,
        name: TaskName,
        place: &'static Location<'static>,
    ) -> Option<TaskId> {
        if self.vacant.is_none() {
            self.grow()?;
        }
        let index = self.vacant?;
        let slot = self.slot_mut(index)?;
        let Body::Vacant { next } = slot.body else { return None };
        slot.since = since;
        slot.tag = slot.tag.reused(kind);
        slot.body = Body::Taken(Entry { name, place });
        let generation = slot.tag.generation();
        self.vacant = next;
        self.len += 1;
        Some(TaskId { index, generation })
    }

    pub(super) fn remove(&mut self, index: u32) -> Option<Gone> {
        let next = self.vacant;
        let (chunk, at) = self.chunk_mut(index)?;
        let slot = &mut chunk.slots[at];
        if matches!(slot.body, Body::Vacant { .. }) {
            return None;
        }
        let Body::Taken(entry) = std::mem::replace(&mut slot.body, Body::Vacant { next }) else { return None };
        let waker = chunk.wakers.as_mut().and_then(|wakers| wakers[at].take());
        let gone = Gone { kind: slot.tag.kind(), since: slot.since, is_marked: slot.tag.is_marked(), entry, waker };
        self.vacant = Some(index);
        self.len -= 1;
        Some(gone)
    }

    pub(super) fn get(&self, index: u32) -> Option<Seen<'_>> {
        let slot = self.slot(index)?;
        let Body::Taken(entry) = &slot.body else { return None };
        let id = TaskId { index, generation: slot.tag.generation() };
        Some(Seen { id, kind: slot.tag.kind(), since: slot.since, entry })
    }

    /// Leaves what wakes a live entry, and gives what was left before.
    pub(super) fn leave_waker(&mut self, index: u32, waker: Waker) -> Option<Waker> {
        let (chunk, at) = self.chunk_mut(index)?;
        let wakers = chunk.wakers.get_or_insert_with(|| Box::new([const { None }; CHUNK]));
        wakers[at].replace(waker)
    }

    pub(super) fn take_waker(&mut self, index: u32) -> Option<Waker> {
        let (chunk, at) = self.chunk_mut(index)?;
        chunk.wakers.as_mut()?[at].take()
    }

    /// Takes what wakes the entries of these kinds.
    pub(super) fn take_wakers(&mut self, of: impl Fn(TaskKind) -> bool) -> Vec<Waker> {
        let mut taken = Vec::with_capacity(self.len);
        for chunk in &mut self.chunks {
            let Some(wakers) = &mut chunk.wakers else { continue };
            let left =
                wakers.iter_mut().zip(&*chunk.slots).filter(|(waker, slot)| waker.is_some() && of(slot.tag.kind()));
            taken.extend(left.filter_map(|(waker, _)| waker.take()));
        }
        taken
    }

    /// Marks a live entry for abort; false if it has left or is marked already.
    pub(super) fn mark(&mut self, id: TaskId) -> bool {
        let Some(slot) = self.slot_mut(id.index) else { return false };
        let is_live = matches!(slot.body, Body::Taken(_)) && slot.tag.generation() == id.generation;
        #[cfg(landfall_faults)]
        let is_live = is_live || is_armed(Fault::AbortByPlace) && matches!(slot.body, Body::Taken(_));
        let is_news = is_live && !slot.tag.is_marked();
        if is_news {
            slot.tag.0 |= Tag::MARKED;
        }
        is_news
    }

    pub(super) fn is_marked(&self, index: u32) -> bool {
        self.slot(index).is_some_and(|slot| slot.tag.is_marked())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Seen<'_>> {
        // A set that is over has no need to look at each place that it had.
        (0..self.places()).filter_map(|index| self.get(index)).take(self.len)
    }

    fn slot(&self, index: u32) -> Option<&Slot> {
        let index = index as usize;
        Some(&self.chunks.get(index / CHUNK)?.slots[index % CHUNK])
    }

    fn slot_mut(&mut self, index: u32) -> Option<&mut Slot> {
        let (chunk, at) = self.chunk_mut(index)?;
        Some(&mut chunk.slots[at])
    }

    fn chunk_mut(&mut self, index: u32) -> Option<(&mut Chunk, usize)> {
        let index = index as usize;
        Some((self.chunks.get_mut(index / CHUNK)?, index % CHUNK))
    }

    #[cold]
    fn grow(&mut self) -> Option<()> {
        let first = u32::try_from(self.chunks.len() * CHUNK).ok()?;
        let last = first.checked_add(CHUNK as u32 - 1)?;
        let slots = (first..=last).map(|index| Slot {
            since: Ticks(0),
            tag: Tag::default(),
            body: Body::Vacant { next: (index < last).then_some(index + 1) },
        });
        let slots = slots.collect::<Vec<_>>().try_into().ok()?;
        self.chunks.push(Chunk { slots, wakers: None });
        self.vacant = Some(first);
        Some(())
    }
}

impl TaskId {
    pub(super) fn index(self) -> u32 {
        self.index
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.index, self.generation)
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insert(registry: &mut Registry, kind: TaskKind, name: &'static str) -> TaskId {
        registry.insert(kind, Ticks(0), name.into(), Location::caller()).unwrap()
    }

    #[test]
    fn an_entry_takes_32_bytes_and_one_that_waits_48() {
        assert_eq!(size_of::<Slot>(), 32);
        assert_eq!(size_of::<Option<Waker>>(), 16);
    }

    #[test]
    fn a_reused_place_has_another_id() {
        let mut registry = Registry::default();
        let first = insert(&mut registry, TaskKind::Task, "first");
        assert_eq!(registry.remove(first.index).unwrap().entry.name.as_str(), "first");
        let second = insert(&mut registry, TaskKind::Blocking, "second");
        assert_eq!(first.index, second.index);
        assert_ne!(first, second);
        assert!(!registry.mark(first), "the old id must not reach the new entry");
        assert!(registry.mark(second));
        assert!(registry.is_marked(second.index));
        assert_eq!(registry.get(second.index).unwrap().kind, TaskKind::Blocking);
    }

    #[test]
    fn places_are_reused_before_it_grows() {
        let mut registry = Registry::default();
        for _ in 0..10 {
            let ids: Vec<_> = (0..100).map(|_| insert(&mut registry, TaskKind::Task, "t")).collect();
            assert_eq!(registry.len(), 100);
            assert_eq!(registry.iter().count(), 100);
            for id in ids {
                assert!(registry.remove(id.index).is_some());
                assert!(registry.remove(id.index).is_none(), "an entry leaves once");
            }
        }
        assert_eq!(registry.places(), 128);
    }
}
