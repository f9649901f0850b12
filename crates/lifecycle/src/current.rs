//! Which entries this thread is in the midst of: for finding self-joins, and for telling a busy straggler from one
//! that nobody polls.
//!
//! Each thread publishes the entries it is inside of in a slot of its own, so that marking a poll touches no memory
//! another thread writes to. The slots are listed process-wide, because an entry may be polled by any thread; the list
//! holds one weak reference a thread.

use std::cell::OnceCell;
// Of std in models too: they are read for reports alone, and would multiply what a model has to explore.
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::sync::{Arc, Weak};

/// How many entries deep a thread is followed. Entries nest only where a tracked future is polled by a task.
const DEPTH_MAX: usize = 8;

static THREADS: Mutex<Vec<Weak<ThreadSlot>>> = Mutex::new(Vec::new());

crate::sync::per_thread! {
    static SLOT: OnceCell<Arc<ThreadSlot>> = OnceCell::new();
}

#[derive(Debug, Default)]
struct ThreadSlot {
    depth: AtomicU32,
    frames: [Frame; DEPTH_MAX],
}

#[derive(Debug, Default)]
struct Frame {
    set: AtomicU64,
    index: AtomicU32,
    /// Counts the stays, so that one long stay can be told from many short ones.
    stay: AtomicU64,
}

/// One stay of a thread inside an entry, as seen from outside.
#[derive(Clone, Debug)]
pub(crate) struct Stay {
    slot: Weak<ThreadSlot>,
    frame: usize,
    stay: u64,
    /// Which entry of the set that was asked for.
    pub(crate) index: u32,
}

impl Stay {
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.slot.ptr_eq(&other.slot) && self.frame == other.frame && self.stay == other.stay
    }

    /// Whether the thread has been inside ever since.
    pub(crate) fn goes_on(&self) -> bool {
        self.slot.upgrade().is_some_and(|slot| {
            slot.frames[self.frame].stay.load(Ordering::Acquire) == self.stay
                && slot.depth.load(Ordering::Acquire) as usize > self.frame
        })
    }
}

/// Marks this thread as inside an entry until the guard is dropped.
#[must_use]
pub(crate) struct Inside(());

pub(crate) fn enter(set: u64, index: u32) -> Inside {
    with_slot(|slot| {
        let depth = slot.depth.load(Ordering::Relaxed);
        if let Some(frame) = slot.frames.get(depth as usize) {
            frame.stay.store(frame.stay.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
            frame.set.store(set, Ordering::Relaxed);
            frame.index.store(index, Ordering::Relaxed);
        }
        slot.depth.store(depth + 1, Ordering::Release);
    });
    Inside(())
}

impl Drop for Inside {
    fn drop(&mut self) {
        with_slot(|slot| {
            let depth = slot.depth.load(Ordering::Relaxed);
            slot.depth.store(depth.saturating_sub(1), Ordering::Release);
        });
    }
}

/// The entries this thread is inside of, innermost first, as (set, index).
pub(crate) fn entries() -> Vec<(u64, u32)> {
    let mut entries = Vec::new();
    with_slot(|slot| {
        let depth = (slot.depth.load(Ordering::Relaxed) as usize).min(DEPTH_MAX);
        entries.extend(
            slot.frames[..depth]
                .iter()
                .rev()
                .map(|frame| (frame.set.load(Ordering::Relaxed), frame.index.load(Ordering::Relaxed))),
        );
    });
    entries
}

/// The stays of all threads in entries of `set`.
pub(crate) fn stays(set: u64) -> Vec<Stay> {
    let slots: Vec<_> =
        THREADS.lock().unwrap_or_else(PoisonError::into_inner).iter().filter_map(Weak::upgrade).collect();
    let mut stays = Vec::new();
    for slot in slots {
        let depth = (slot.depth.load(Ordering::Acquire) as usize).min(DEPTH_MAX);
        for (at, frame) in slot.frames[..depth].iter().enumerate() {
            let stay = frame.stay.load(Ordering::Acquire);
            if frame.set.load(Ordering::Acquire) == set {
                let index = frame.index.load(Ordering::Acquire);
                stays.push(Stay { slot: Arc::downgrade(&slot), frame: at, stay, index });
            }
        }
    }
    // What changed while it was read is another stay by now.
    stays.retain(Stay::goes_on);
    stays
}

fn with_slot(body: impl FnOnce(&ThreadSlot)) {
    // A thread that is being torn down has no slot any more; then nothing is marked.
    let _gone = SLOT.try_with(|cell| {
        body(cell.get_or_init(|| {
            let slot = Arc::new(ThreadSlot::default());
            let mut threads = THREADS.lock().unwrap_or_else(PoisonError::into_inner);
            threads.retain(|thread| thread.strong_count() > 0);
            threads.push(Arc::downgrade(&slot));
            slot
        }));
    });
}
