//! A whole tree of sets under random schedules: too large for loom.

use std::time::Duration;

use super::{CountsDrop, Drops, Pends, core, detached, enter, with_handle};
use crate::block_on::block_on;
use crate::ending::Ending;
use crate::explore::explore;
use crate::report::{Report, TaskKind};
use crate::shutdown::{Clock, Shutdown};
use crate::sync::{Arc, thread};
use crate::task_set::TaskSetOptions;
use crate::task_set::core::Core;

const HOUR: Duration = Duration::from_secs(3_600);

fn below(core: &Arc<Core>, name: &'static str) -> Arc<Core> {
    core.add_child(name.into(), TaskSetOptions::default()).expect("it has not begun to end")
}

fn runs<F: Future<Output = ()> + Send + 'static>(future: F) -> thread::JoinHandle<()> {
    thread::spawn(move || block_on(future))
}

/// How many entries a report knows the end of, and how many it does not.
fn ended(report: &Report) -> (u64, u64) {
    let counts = report.counts;
    let here = counts.completed + counts.drained + counts.aborted + counts.never_started + counts.panicked;
    report.children.iter().map(ended).fold((here, counts.stragglers), |sum, of| (sum.0 + of.0, sum.1 + of.1))
}

/// Three sets with a task that drains, one that pends until it is aborted and one that is aborted alone; spawners and
/// new children beside two that terminate, while the clock runs past the end of grace.
#[test]
fn all_that_entered_a_tree_of_sets_has_ended_when_it_has() {
    explore(|| {
        let (top, drops) = (core(), Drops::default());
        let middle = below(&top, "middle");
        let sets = [Arc::clone(&top), below(&middle, "bottom"), middle];
        let mut threads = Vec::new();
        for set in &sets {
            let drains = enter(set).unwrap();
            let token = set.token().clone();
            threads.push(runs(detached(set, drains, async move { token.cancelled().await })));
            let pends = enter(set).unwrap();
            threads.push(runs(detached(set, pends, Pends::new(&drops))));
            let alone = enter(set).unwrap();
            let (owned, task) = with_handle(set, alone, Pends::new(&drops));
            threads.push(runs(owned));
            threads.push(thread::spawn(move || task.abort()));
        }
        let how = Shutdown::within_on(Clock::model(), HOUR, 3 * HOUR);
        let spawners: Vec<_> = sets.iter().cloned().map(|set| thread::spawn(move || spawn_some(&set))).collect();
        let other = {
            let (top, how) = (Arc::clone(&top), how.clone());
            thread::spawn(move || ended(&block_on(Ending::terminate(top, how)).unwrap()))
        };
        let passes = {
            let how = how.clone();
            thread::spawn(move || how.timekeeper().pass(HOUR))
        };
        let report = block_on(Ending::terminate(Arc::clone(&top), how)).unwrap();
        assert_eq!((top.len_of_tree(), drops.count()), (0, 6), "{report}");
        passes.join().unwrap();
        let entered: u64 = spawners.into_iter().map(|spawner| spawner.join().unwrap()).sum();
        assert_eq!(ended(&report), (9 + entered, 0), "{report}");
        assert_eq!(other.join().unwrap(), ended(&report));
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

/// Spawns until it is refused, at most so often; gives how often it was let in.
fn spawn_some(set: &Arc<Core>) -> u64 {
    let mut entered = 0;
    for _ in 0..3 {
        let Ok(id) = enter(set) else { break };
        entered += 1;
        block_on(detached(set, id, async {}));
        let Ok(child) = set.add_child("late".into(), TaskSetOptions::default()) else { break };
        if let Ok(id) = child.enter(TaskKind::Closing, "closes".into(), std::panic::Location::caller()) {
            entered += 1;
            let drops = Drops::default();
            let output = CountsDrop(drops.clone());
            block_on(detached(&child, id, async { output }));
            assert_eq!(drops.count(), 1);
        }
    }
    entered
}
