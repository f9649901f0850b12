//! The gate against a termination, and the last one that leaves.

use super::{at_once, begin_draining, begins, core, detached, enter, joined};
use crate::block_on::block_on;
use crate::ending::Ending;
use crate::explore::explore;
use crate::sync::{Arc, thread};
use crate::task_set::TaskSetOptions;
use crate::task_set::error::ChildError;

/// Each spawn is either refused, or its task has ended and is counted when the termination is over.
#[test]
fn what_passes_the_gate_is_joined_and_counted() {
    explore(|| {
        let core = core();
        let spawners: Vec<_> = (0..2)
            .map(|_| {
                let core = Arc::clone(&core);
                thread::spawn(move || match enter(&core) {
                    Ok(id) => {
                        block_on(detached(&core, id, async {}));
                        true
                    }
                    Err(_) => false,
                })
            })
            .collect();
        begin_draining(&core);
        let report = joined(&core);
        let entered = spawners.into_iter().map(|spawner| spawner.join().unwrap()).filter(|in_| *in_);
        let entered = entered.count() as u64;
        assert_eq!(report.counts.completed + report.counts.drained, entered, "{report}");
        assert!(enter(&core).is_err());
    });
}

/// As above, with an abort instead of a drain.
#[test]
fn what_passes_the_gate_beside_an_abort_is_joined_and_counted() {
    explore(|| {
        let core = core();
        let begun = begins(&core, |core| Ending::begin(core, &at_once()));
        let entered = match enter(&core) {
            Ok(id) => {
                block_on(detached(&core, id, async {}));
                1
            }
            Err(_) => 0,
        };
        begun.join().unwrap();
        let report = joined(&core);
        let counts = report.counts;
        assert_eq!(counts.completed + counts.drained + counts.aborted, entered, "{report}");
    });
}

/// Two leave while a termination begins and somebody waits: it ends once, and whoever waits hears it.
#[test]
fn the_last_one_that_leaves_ends_the_set() {
    explore(|| {
        let core = core();
        let leavers: Vec<_> = (0..2)
            .map(|_| {
                let id = enter(&core).unwrap();
                let task = detached(&core, id, async {});
                thread::spawn(move || block_on(task))
            })
            .collect();
        let begun = begins(&core, begin_draining);
        let report = joined(&core);
        assert_eq!(report.counts.completed + report.counts.drained, 2, "{report}");
        begun.join().unwrap();
        for leaver in leavers {
            leaver.join().unwrap();
        }
    });
}

/// A child is refused, or told of the termination: else its parent would wait for it for ever.
#[test]
fn a_child_that_is_added_beside_a_termination_ends_with_it() {
    explore(|| {
        let core = core();
        let begun = begins(&core, begin_draining);
        let child = core.add_child("child".into(), TaskSetOptions::default());
        begun.join().unwrap();
        let report = joined(&core);
        match child {
            Ok(child) => {
                assert!(child.is_terminated());
                assert_eq!(report.children.len(), 1);
            }
            Err(ChildError::Closed { .. }) => assert!(report.children.is_empty()),
            Err(other) => panic!("{other}"),
        }
    });
}

/// The last child ends by itself while its parent begins to.
#[test]
fn a_child_that_ends_beside_its_parents_begin_lets_the_parent_end() {
    explore(|| {
        let core = core();
        let child = core.add_child("child".into(), TaskSetOptions::default()).unwrap();
        let ends = begins(&child, begin_draining);
        begin_draining(&core);
        let report = joined(&core);
        assert!(report.is_clean(), "{report}");
        assert!(child.is_terminated());
        ends.join().unwrap();
    });
}
