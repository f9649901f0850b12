//! An entry that is parked against those who abort it.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{Drops, Pends, at_once, begins, core, detached, enter, joined, with_handle};
use crate::block_on::block_on;
use crate::ending::Ending;
use crate::explore::explore;
use crate::sync::{Arc, thread};

/// It has left its waker, or sees the abort itself.
#[test]
fn a_task_that_parks_beside_an_abort_is_woken_or_sees_it() {
    explore(|| {
        let (core, drops) = (core(), Drops::default());
        let id = enter(&core).unwrap();
        let begun = begins(&core, |core| Ending::begin(core, &at_once()));
        block_on(detached(&core, id, Pends::new(&drops)));
        begun.join().unwrap();
        assert_eq!(drops.count(), 1);
        assert_eq!(joined(&core).counts.aborted, 1);
    });
}

/// The mark reaches a task before its first poll, in between and when it is parked.
#[test]
fn a_task_that_parks_beside_its_own_abort_is_woken_or_sees_it() {
    explore(|| {
        let (core, drops) = (core(), Drops::default());
        let id = enter(&core).unwrap();
        let (owned, task) = with_handle(&core, id, Pends::new(&drops));
        let aborts = thread::spawn(move || task.abort());
        block_on(owned);
        aborts.join().unwrap();
        assert_eq!((drops.count(), core.len()), (1, 0));
        assert_eq!(core.marked.load(Ordering::SeqCst), 0, "the marks are counted exactly");
    });
}

/// An id that is aborted while its task leaves and another one takes its place.
#[test]
fn an_abort_beside_the_end_reaches_no_other_task() {
    explore(|| {
        let core = core();
        let first = enter(&core).unwrap();
        let leaves = {
            let task = detached(&core, first, async {});
            let core = Arc::clone(&core);
            thread::spawn(move || {
                block_on(task);
                enter(&core).unwrap()
            })
        };
        core.abort_one(first);
        let second = leaves.join().unwrap();
        let runs = Arc::new(AtomicBool::new(false));
        let ran = Arc::clone(&runs);
        block_on(detached(&core, second, async move { runs.store(true, Ordering::SeqCst) }));
        assert!(ran.load(Ordering::SeqCst), "it was aborted for the one before it");
        Ending::begin(&core, &at_once());
        let counts = joined(&core).counts;
        assert_eq!(counts.completed + counts.aborted, 2);
        assert_eq!(core.marked.load(Ordering::SeqCst), 0, "the marks are counted exactly");
    });
}

/// Two at once abort one task.
#[test]
fn a_task_aborted_twice_leaves_once() {
    explore(|| {
        let (core, drops) = (core(), Drops::default());
        let id = enter(&core).unwrap();
        let (owned, task) = with_handle(&core, id, Pends::new(&drops));
        let aborts = thread::spawn(move || task.abort());
        let begun = begins(&core, |core| Ending::begin(core, &at_once()));
        block_on(owned);
        aborts.join().unwrap();
        begun.join().unwrap();
        assert_eq!(drops.count(), 1);
        assert_eq!(joined(&core).counts.aborted, 1);
        assert_eq!(core.marked.load(Ordering::SeqCst), 0, "the marks are counted exactly");
    });
}
