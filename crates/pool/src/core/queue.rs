//! The claims that wait: a slab, linked in order of arrival.

use std::task::Waker;

use super::at::At;

/// Which waiting claim; a claim that has gone is told from its successor by the generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WaiterId {
    index: u32,
    generation: u32,
}

/// What a waiting claim waits for.
///
/// | from | event | to |
/// |---|---|---|
/// | `Queued` | a connection is there | `Granted` |
/// | `Queued` | the connection that is there has to be validated | `Checking` |
/// | `Checking` | it is valid | `Granted` |
/// | `Checking` | it has been prepared | `Prepared`, which goes on as `Granted` does |
/// | `Checking` | it is not | `Queued`, at the head |
/// | `Granted` | its claim takes it | gone |
/// | `Granted` | not taken within `grant_hold_max` | `Late` |
/// | `Late` | its claim is polled | `Granted`, or `Queued` at the head |
/// | any but `Granted` | deadline, no backend online for long, terminate | `Failed` |
/// | `Failed` | its claim is polled | gone |
/// | any | its claim is dropped | gone |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    Queued,
    Checking,
    Granted {
        slot: u32,
        since: At,
    },
    /// The connector has made the connection ready for this claim.
    Prepared {
        slot: u32,
        since: At,
    },
    Late,
    Failed(Failure),
}

/// Why a waiting claim gets nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    TimedOut(Shortage),
    Offline,
    Closed,
}

/// What a claim waited for when its time was over, and what stood in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shortage {
    pub(crate) cause: Cause,
    pub(crate) waiting: u32,
    /// How many slots are claimed, or how many connects under way if the claim waited for one of these.
    pub(crate) busy: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    Resolver,
    Connect,
    Check,
    Slot,
}

/// What a claim brings along when it begins to wait.
#[derive(Debug)]
pub(crate) struct Waiter {
    pub(crate) waker: Waker,
    pub(crate) began: At,
    pub(crate) deadline: At,
}

/// One cache line: with several workers each step of a claim's way may be made on another.
#[derive(Debug)]
#[repr(align(64))]
struct Entry {
    generation: u32,
    /// Meaningless for the first in line.
    before: u32,
    /// The next in line, or the next place that is free.
    after: u32,
    /// None if nobody is here.
    wait: Option<Wait>,
    waker: Option<Waker>,
    began: At,
    deadline: At,
}

const _: () = assert!(size_of::<Entry>() == 64, "an entry is one cache line");

const NOBODY: u32 = u32::MAX;

/// The waiting claims.
///
/// What changes with each that waits comes first, for the reason given at [`Core`](super::Core).
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Queue {
    head: u32,
    tail: u32,
    /// The first place that is free.
    free: u32,
    queued: u32,
    len: u32,
    entries: Vec<Entry>,
    checking: usize,
}

impl Queue {
    pub(crate) fn new() -> Self {
        Self { head: NOBODY, tail: NOBODY, free: NOBODY, queued: 0, len: 0, entries: Vec::new(), checking: 0 }
    }

    /// How many wait in line for a connection.
    #[inline]
    pub(crate) fn queued(&self) -> usize {
        self.queued as usize
    }

    /// For how many a connection is being made ready.
    pub(crate) fn checking(&self) -> usize {
        self.checking
    }

    /// How many there are in any state.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len as usize
    }

    /// Takes a claim in, not in line.
    #[inline]
    fn insert(&mut self, waiter: Waiter, wait: Wait) -> WaiterId {
        let Waiter { waker, began, deadline } = waiter;
        self.len += 1;
        let (wait, waker) = (Some(wait), Some(waker));
        let index = self.free;
        if let Some(entry) = self.entries.get_mut(index as usize) {
            self.free = entry.after;
            let generation = entry.generation;
            *entry = Entry { generation, before: NOBODY, after: NOBODY, wait, waker, began, deadline };
            return WaiterId { index, generation };
        }
        let index = u32::try_from(self.entries.len()).expect("waiters_max is below this");
        self.entries.push(Entry { generation: 0, before: NOBODY, after: NOBODY, wait, waker, began, deadline });
        WaiterId { index, generation: 0 }
    }

    /// Frees a place; gives the waker that is left there.
    #[inline]
    fn free(&mut self, index: u32) -> Option<Waker> {
        let entry = &mut self.entries[index as usize];
        entry.wait = None;
        entry.generation = entry.generation.wrapping_add(1);
        entry.after = std::mem::replace(&mut self.free, index);
        self.len -= 1;
        entry.waker.take()
    }

    /// Takes a claim in at the end of the line.
    #[inline]
    pub(crate) fn push_back(&mut self, waiter: Waiter) -> WaiterId {
        let id = self.insert(waiter, Wait::Queued);
        self.entries[id.index as usize].before = self.tail;
        match self.tail {
            NOBODY => self.head = id.index,
            tail => self.entries[tail as usize].after = id.index,
        }
        self.tail = id.index;
        self.queued += 1;
        id
    }

    /// Takes a claim in at the head of the line.
    pub(crate) fn push_front(&mut self, waiter: Waiter) -> WaiterId {
        let id = self.insert(waiter, Wait::Queued);
        self.link_front(id.index);
        id
    }

    /// Takes a claim in that is not in line.
    pub(crate) fn push_aside(&mut self, waiter: Waiter, wait: Wait) -> WaiterId {
        debug_assert!(wait != Wait::Queued, "that one is in line");
        self.checking += usize::from(wait == Wait::Checking);
        self.insert(waiter, wait)
    }

    fn link_front(&mut self, index: u32) {
        let entry = &mut self.entries[index as usize];
        (entry.before, entry.after) = (NOBODY, self.head);
        match self.head {
            NOBODY => self.tail = index,
            head => self.entries[head as usize].before = index,
        }
        self.head = index;
        self.queued += 1;
    }

    fn leave(&mut self, index: u32, wait: Wait) {
        match wait {
            Wait::Queued => self.unlink(index),
            Wait::Checking => self.checking -= 1,
            Wait::Granted { .. } | Wait::Prepared { .. } | Wait::Late | Wait::Failed(_) => {}
        }
    }

    fn unlink(&mut self, index: u32) {
        let Entry { before, after, .. } = self.entries[index as usize];
        let before = if index == self.head { NOBODY } else { before };
        match before {
            NOBODY => self.head = after,
            before => self.entries[before as usize].after = after,
        }
        match after {
            NOBODY => self.tail = before,
            after => self.entries[after as usize].before = before,
        }
        self.queued -= 1;
    }

    /// Takes the first out of the line, who is there, and grants him a connection; gives his waker.
    #[inline]
    pub(crate) fn grant_first(&mut self, slot: u32, since: At) -> Option<Waker> {
        let entry = &mut self.entries[self.head as usize];
        entry.wait = Some(Wait::Granted { slot, since });
        self.head = entry.after;
        if self.head == NOBODY {
            self.tail = NOBODY;
        }
        self.queued -= 1;
        entry.waker.take()
    }

    /// Lets a claim go that was granted something: gives what, and since when it waited.
    #[inline]
    pub(crate) fn remove_granted(&mut self, id: WaiterId) -> Option<(Wait, At)> {
        let entry = self.entries.get(id.index as usize)?;
        let wait = entry.wait.filter(|wait| matches!(wait, Wait::Granted { .. } | Wait::Prepared { .. }))?;
        if entry.generation != id.generation {
            return None;
        }
        let began = entry.began;
        let waker = self.free(id.index);
        debug_assert!(waker.is_none(), "the grant has used it");
        Some((wait, began))
    }

    /// Who is first in line.
    pub(crate) fn first(&self) -> Option<WaiterId> {
        let entry = self.entries.get(self.head as usize)?;
        Some(WaiterId { index: self.head, generation: entry.generation })
    }

    /// What a claim waits for; none if it has gone.
    #[inline]
    pub(crate) fn wait(&self, id: WaiterId) -> Option<Wait> {
        let entry = self.entries.get(id.index as usize)?;
        if entry.generation == id.generation { entry.wait } else { None }
    }

    /// Changes what a claim waits for, and gives its waker if it is to look.
    pub(crate) fn set(&mut self, id: WaiterId, to: Wait) -> Option<Waker> {
        let from = self.wait(id)?;
        self.leave(id.index, from);
        self.checking += usize::from(to == Wait::Checking);
        if to == Wait::Queued {
            self.link_front(id.index);
        }
        let entry = &mut self.entries[id.index as usize];
        entry.wait = Some(to);
        match to {
            Wait::Granted { .. } | Wait::Prepared { .. } | Wait::Failed(_) => entry.waker.take(),
            Wait::Queued | Wait::Checking | Wait::Late => None,
        }
    }

    /// Gives a claim another deadline.
    #[cfg(feature = "tower")]
    pub(crate) fn set_deadline(&mut self, id: WaiterId, deadline: At) {
        self.entries[id.index as usize].deadline = deadline;
    }

    /// Counts a claim's wait from another instant on.
    #[cfg(feature = "tower")]
    pub(crate) fn begin_anew(&mut self, id: WaiterId, began: At) {
        self.entries[id.index as usize].began = began;
    }

    /// Leaves a waker, and gives the one before to be dropped without a lock.
    pub(crate) fn park(&mut self, id: WaiterId, waker: Waker) -> Option<Waker> {
        self.entries[id.index as usize].waker.replace(waker)
    }

    /// Lets a claim go; gives its waker to be dropped without a lock.
    pub(crate) fn remove(&mut self, id: WaiterId) -> Option<Waker> {
        let wait = self.wait(id)?;
        self.leave(id.index, wait);
        self.free(id.index)
    }

    /// Everybody, in no order, with the instant when each began and its deadline.
    pub(crate) fn each(&self) -> impl Iterator<Item = (WaiterId, Wait, At, At)> {
        self.entries.iter().zip(0_u32..).filter_map(|(entry, index)| {
            let id = WaiterId { index, generation: entry.generation };
            Some((id, entry.wait?, entry.began, entry.deadline))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiter(deadline: u64) -> Waiter {
        let deadline = At::after_start(std::time::Duration::from_nanos(deadline));
        Waiter { waker: Waker::noop().clone(), began: At::default(), deadline }
    }

    fn line(queue: &Queue) -> Vec<u32> {
        let mut seen = Vec::new();
        let mut at = queue.head;
        while at != NOBODY {
            seen.push(at);
            at = queue.entries[at as usize].after;
        }
        assert_eq!(seen.len(), queue.queued());
        assert!(seen.len() <= queue.len());
        seen
    }

    #[test]
    fn the_line_is_in_order_of_arrival_whoever_leaves() {
        let mut queue = Queue::new();
        let ids: Vec<_> = (0..4).map(|n| queue.push_back(waiter(n))).collect();
        assert_eq!(line(&queue), [0, 1, 2, 3]);
        assert!(queue.remove(ids[1]).is_some());
        assert!(queue.remove(ids[1]).is_none(), "it has gone");
        assert!(queue.remove(ids[3]).is_some());
        assert_eq!(line(&queue), [0, 2]);
        let again = queue.push_back(waiter(9));
        assert_ne!(again, ids[3], "the place is the same, the generation is not");
        assert!(queue.wait(ids[3]).is_none());
        let front = queue.push_front(waiter(5));
        assert_eq!(line(&queue), [front.index, 0, 2, again.index]);
    }

    #[test]
    fn a_late_claim_comes_back_at_the_head() {
        let mut queue = Queue::new();
        let [first, second] = [0, 1].map(|n| queue.push_back(waiter(n)));
        let granted = Wait::Granted { slot: 7, since: At::default() };
        assert!(queue.set(first, granted).is_some());
        assert_eq!(queue.first(), Some(second));
        assert!(queue.set(first, Wait::Late).is_none());
        queue.set(first, Wait::Queued);
        assert_eq!((queue.first(), queue.queued()), (Some(first), 2));
        assert_eq!(queue.len(), 2);
    }
}
