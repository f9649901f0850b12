//! A blocking job in a runtime's queue. The model is the queue: it runs the job, keeps it or drops it.

use std::panic::Location;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{CountsDrop, Drops, at_once, begins, core, joined};
use crate::ending::Ending;
use crate::explore::explore;
use crate::sync::{Arc, thread};
use crate::task_set::blocking::queue;

/// What a closure leaves: how often it ran and how often it was dropped.
#[derive(Clone, Debug, Default)]
struct Seen {
    runs: Arc<AtomicUsize>,
    drops: Drops,
}

impl Seen {
    fn runs(&self) -> usize {
        self.runs.load(Ordering::SeqCst)
    }

    fn closure(&self) -> impl FnOnce(&tokio_util::sync::CancellationToken) + Send + use<> {
        let (runs, drops) = (Arc::clone(&self.runs), CountsDrop(self.drops.clone()));
        move |_| {
            let _drops = drops;
            runs.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// A worker takes it while a termination takes it out.
#[test]
fn a_queued_job_runs_once_or_is_dropped_once() {
    explore(|| {
        let (core, seen) = (core(), Seen::default());
        let (queued, task) = queue(&core, "job".into(), Location::caller(), seen.closure()).unwrap();
        drop(task);
        let works = thread::spawn(move || queued.unwrap().run());
        Ending::begin(&core, &at_once());
        let report = joined(&core);
        assert_eq!(seen.drops.count(), 1, "the closure has to be gone by now");
        assert_eq!(report.counts.completed + report.counts.drained, seen.runs() as u64, "{report}");
        assert_eq!(report.counts.never_started, 1 - seen.runs() as u64, "{report}");
        works.join().unwrap();
    });
}

/// The runtime goes away while a termination takes it out.
#[test]
fn a_queued_job_is_dropped_once_when_its_runtime_goes() {
    explore(|| {
        let (core, seen) = (core(), Seen::default());
        let (queued, task) = queue(&core, "job".into(), Location::caller(), seen.closure()).unwrap();
        drop(task);
        let goes = thread::spawn(move || drop(queued));
        Ending::begin(&core, &at_once());
        let report = joined(&core);
        assert_eq!((seen.runs(), seen.drops.count()), (0, 1));
        assert_eq!(report.counts.never_started + report.counts.runtime_gone, 1, "{report}");
        goes.join().unwrap();
    });
}

/// No worker ever comes: a job that is queued beside a termination is taken out by it or not queued.
#[test]
fn a_job_queued_beside_a_termination_is_not_left_in_the_queue() {
    explore(|| {
        let (core, seen) = (core(), Seen::default());
        let begun = begins(&core, |core| Ending::begin(core, &at_once()));
        let queued = queue(&core, "job".into(), Location::caller(), seen.closure());
        let report = joined(&core);
        assert_eq!(seen.drops.count(), 1, "it is still in the queue: {report}");
        begun.join().unwrap();
        drop(queued);
        assert_eq!((seen.runs(), seen.drops.count()), (0, 1));
    });
}
