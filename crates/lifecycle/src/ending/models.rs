//! Models of the cell that holds an end.

use std::borrow::Cow;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::time::{Duration, Instant};

use super::{Ending, Owner, State};
use crate::block_on::block_on;
use crate::explore::explore;
use crate::model::{Bell, Probe};
use crate::report::{GraceCut, Report};
use crate::shutdown::{Clock, Shutdown};
use crate::sync::{Arc, thread};

fn hours(clock: &Clock, hours: u64) -> Shutdown {
    let time = Duration::from_secs(hours * 3_600);
    Shutdown::within_on(clock.clone(), time, time)
}

/// The owner is told once that it begins, and the earliest instants hold whoever came first.
#[test]
fn of_two_that_begin_at_once_one_is_first_and_the_earlier_instants_hold() {
    explore(|| {
        let (clock, probe) = (Clock::model(), Arc::new(Probe::default()));
        let (early, late) = (hours(&clock, 1), hours(&clock, 2));
        let grace = early.grace();
        let begins = {
            let probe = Arc::clone(&probe);
            thread::spawn(move || Ending::join(&probe, &early))
        };
        Ending::join(&probe, &late);
        begins.join().unwrap();
        assert_eq!(probe.begun.load(Ordering::SeqCst), 1);
        match &*probe.ending().state.lock() {
            State::Begun(begun) => assert_eq!((begun.grace, begun.abort), (grace, grace)),
            other => panic!("it has begun: {other:?}"),
        };
    });
}

/// Those who wait are all woken, whenever they came, and one that goes away takes none with it.
#[test]
fn an_end_is_heard_by_all_who_wait_and_by_none_who_left() {
    explore(|| {
        let probe = Arc::new(Probe::default());
        assert!(Ending::join(&probe, &hours(&Clock::model(), 1)));
        let waits = {
            let probe = Arc::clone(&probe);
            thread::spawn(move || block_on(Ending::ended(probe)))
        };
        let finishes = {
            let probe = Arc::clone(&probe);
            thread::spawn(move || Ending::finish(&probe))
        };
        {
            let (_bell, waker) = Bell::new();
            let mut wait = pin!(Ending::ended(Arc::clone(&probe)));
            let _ = wait.as_mut().poll(&mut Context::from_waker(&waker));
        }
        waits.join().unwrap();
        finishes.join().unwrap();
        assert!(probe.ending().is_over());
    });
}

/// What is due and the end come at once: the end wins, and the stage that was due is told at most once.
#[test]
fn an_end_beside_the_moment_the_report_is_due_is_final() {
    explore(|| {
        let (clock, probe) = (Clock::model(), Arc::new(Probe::default()));
        let how = hours(&clock, 0);
        assert!(Ending::join(&probe, &how));
        let late: Instant = how.abort() + Duration::from_secs(1);
        let advances = {
            let probe = Arc::clone(&probe);
            thread::spawn(move || Ending::advance(&probe, late))
        };
        let finishes = {
            let probe = Arc::clone(&probe);
            thread::spawn(move || Ending::finish(&probe))
        };
        block_on(Ending::ended(Arc::clone(&probe)));
        assert!(advances.join().unwrap().is_none());
        finishes.join().unwrap();
        assert!(probe.ending().is_over());
        assert!(probe.aborted.load(Ordering::SeqCst) <= 1);
    });
}

/// Nothing ends: whoever waits for the report gets it when it is due.
#[test]
fn a_report_that_is_due_is_heard() {
    explore(|| {
        let (clock, probe) = (Clock::model(), Arc::new(Probe::default()));
        let how = hours(&clock, 0);
        let late = how.abort() + Duration::from_secs(1);
        assert!(Ending::join(&probe, &how));
        let advances = {
            let probe = Arc::clone(&probe);
            thread::spawn(move || Ending::advance(&probe, late))
        };
        // As `terminate` waits, without a thread that keeps the time.
        block_on(async {
            loop {
                let changed = probe.ending().changed.notified();
                if probe.ending().stand().is_reported() {
                    break;
                }
                changed.await;
            }
        });
        assert!(advances.join().unwrap().is_none());
        assert_eq!(probe.aborted.load(Ordering::SeqCst), 1);
    });
}

/// A second shutdown begins while the owner ends: whoever returns has joined the clock threads of both.
#[test]
fn who_has_returned_has_joined_every_thread_that_served_the_end() {
    explore(|| {
        let (clock, probe) = (Clock::model(), Arc::new(Probe::default()));
        let (late, early) = (hours(&clock, 2), hours(&clock, 1));
        Ending::begin(&probe, &late);
        let begins = {
            let (probe, early) = (Arc::clone(&probe), early.clone());
            thread::spawn(move || Ending::begin(&probe, &early))
        };
        Ending::finish(&probe);
        drop(block_on(Ending::terminate(Arc::clone(&probe), late.clone())).unwrap());
        assert!(late.timekeeper().is_joined() && early.timekeeper().is_joined(), "a thread was left");
        begins.join().unwrap();
        assert!(early.timekeeper().is_joined(), "a thread was started after the end");
    });
}

/// As above, in a tree: a child asks for the second one's thread before its parent does.
#[test]
fn who_has_returned_has_joined_a_thread_that_only_a_child_has_needed_yet() {
    explore(|| {
        let (clock, top) = (Clock::model(), Arc::new(Parent::default()));
        let (late, early) = (hours(&clock, 2), hours(&clock, 1));
        assert!(Ending::join(&top, &late));
        let begins = {
            let (top, early) = (Arc::clone(&top), early.clone());
            thread::spawn(move || Ending::begin(&top, &early))
        };
        Ending::finish(&top.child);
        Ending::finish(&top);
        drop(block_on(Ending::terminate(Arc::clone(&top), late)).unwrap());
        assert!(early.timekeeper().is_joined(), "a thread was left");
        begins.join().unwrap();
        assert!(early.timekeeper().is_joined(), "a thread was started after the end");
    });
}

/// Force comes before the begin, in the midst of it or after it: grace ends, though no time passes.
#[test]
fn a_force_beside_a_begin_ends_the_grace() {
    explore(|| {
        let (clock, probe) = (Clock::model(), Arc::new(EndsWithGrace::default()));
        let how = hours(&clock, 1);
        let forces = {
            let how = how.clone();
            thread::spawn(move || how.force())
        };
        Ending::begin(&probe, &how);
        block_on(Ending::ended(Arc::clone(&probe)));
        assert_eq!(Ending::report(&probe).grace_cut, Some(GraceCut::Forced));
        block_on(how.timekeeper().settle());
        assert!(how.timekeeper().is_joined());
        forces.join().unwrap();
    });
}

/// An owner whose work is over with the grace, not before.
#[derive(Default)]
struct EndsWithGrace(Ending);

impl Owner for EndsWithGrace {
    fn name(&self) -> Cow<'_, str> {
        "ends with grace".into()
    }

    fn ending(&self) -> &Ending {
        &self.0
    }

    fn on_begin(self: &Arc<Self>, _how: &Shutdown) {}

    fn on_tighten(self: &Arc<Self>, _how: &Shutdown) {}

    fn on_grace_over(self: &Arc<Self>) {
        Ending::finish(self);
    }

    fn on_abort(self: &Arc<Self>) {}

    fn fill(&self, _report: &mut Report) {}

    fn calling_task(&self) -> Option<String> {
        None
    }
}

/// An owner of one child, to which it passes on what it is told.
#[derive(Default)]
struct Parent {
    ending: Ending,
    child: Arc<Probe>,
}

impl Owner for Parent {
    fn name(&self) -> Cow<'_, str> {
        "parent".into()
    }

    fn ending(&self) -> &Ending {
        &self.ending
    }

    fn on_begin(self: &Arc<Self>, how: &Shutdown) {
        // The clock threads of the first shutdown are not looked at.
        Ending::join(&self.child, how);
    }

    fn on_tighten(self: &Arc<Self>, how: &Shutdown) {
        Ending::begin(&self.child, how);
    }

    fn on_grace_over(self: &Arc<Self>) {}

    fn on_abort(self: &Arc<Self>) {}

    fn fill(&self, _report: &mut Report) {}

    fn calling_task(&self) -> Option<String> {
        None
    }
}
