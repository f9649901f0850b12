//! Reports the tests of this module share.

use std::time::Duration;

use super::{Activity, GraceCut, Outcome, Place, Remnant, Report, TaskKind, TaskReport};
use crate::shutdown::Reason;

const DISPATCH: Place = Place { file: "src/dispatch.rs", line: 88, column: 9 };
const STORAGE: Place = Place { file: "src/storage.rs", line: 40, column: 9 };
const CLAIM: Place = Place { file: "src/claim.rs", line: 12, column: 5 };

pub(super) fn aborted(name: &'static str) -> TaskReport {
    TaskReport::new(name, TaskKind::Task, DISPATCH, Duration::from_millis(210), Outcome::Aborted)
}

pub(super) fn panicked(name: &'static str, message: &str) -> TaskReport {
    let outcome = Outcome::Panicked { message: message.to_owned(), in_drop: false };
    TaskReport::new(name, TaskKind::Task, DISPATCH, Duration::from_millis(70_500), outcome)
}

pub(super) fn straggler(name: &'static str) -> TaskReport {
    let outcome = Outcome::Straggler { activity: Activity::Busy { at_least: Duration::from_millis(1_300) } };
    TaskReport::new(name, TaskKind::Task, DISPATCH, Duration::from_millis(3_200), outcome)
}

pub(super) fn remnant(name: &str) -> Remnant {
    Remnant::new("handle", name, Some(CLAIM), Duration::from_secs(41))
}

/// A service that ended by SIGTERM, with an abort and a panic on the way.
pub(super) fn clean() -> Report {
    let mut listener = Report::new("listener", Reason::ParentTerminating).with_took(Duration::from_millis(12));
    listener.counts.completed = 318;
    listener.counts.drained = 2;
    let mut workers = Report::new("workers", Reason::ParentTerminating).with_took(Duration::from_millis(1_204));
    workers.began_after = Duration::from_millis(12);
    workers.counts.completed = 40;
    let workers = workers.with_task(aborted("deliver-7")).with_task(panicked("deliver-8", "no answer"));
    Report::new("relay", Reason::Signal(15))
        .with_took(Duration::from_millis(1_216))
        .with_child(listener)
        .with_child(workers)
}

/// The same service on a bad day.
pub(super) fn unclean() -> Report {
    let under = |name: &'static str, began: u64, took: u64| {
        let mut report = Report::new(name, Reason::ParentTerminating).with_took(Duration::from_millis(took));
        report.began_after = Duration::from_millis(began);
        report
    };
    let mut listener = under("listener", 0, 12);
    listener.counts.completed = 318;
    let dispatchers = under("dispatchers", 12, 2_040)
        .with_task(aborted("deliver-7"))
        .with_task(panicked("deliver-8", "index out of bounds:\nthe len is 3 but the index is 7"))
        .with_task(straggler("deliver-9"));
    let pool = under("pool", 2_052, 0).with_remnant(remnant("orders-db 10.0.0.7:5432"));
    let waiting = Outcome::Straggler { activity: Activity::Blocking };
    let dropped = Outcome::Panicked { message: "poisoned \u{1b}[31m".to_owned(), in_drop: true };
    let storage = under("storage", 2_052, 1_000)
        .with_task(TaskReport::new("sqlite", TaskKind::Thread, STORAGE, Duration::from_secs(7_384), waiting))
        .with_task(TaskReport::new("checkpoint", TaskKind::Blocking, STORAGE, Duration::from_micros(400), dropped))
        .with_error("cannot sync relay.db: Input/output error (os error 5)");
    let mut relay = Report::new("relay", Reason::Signal(15)).with_took(Duration::from_millis(3_060));
    relay.grace_cut = Some(GraceCut::Forced);
    relay.with_child(listener).with_child(dispatchers).with_child(pool).with_child(storage)
}
