//! A subscriber that panics when it is asked for the span that new work is to be in.

use std::panic::{AssertUnwindSafe, catch_unwind};

use landfall_lifecycle::{Counts, TaskSet, Terminate};
use tokio::runtime::Handle;
use tokio::task::LocalSet;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use tracing_core::span::Current;

use crate::harness::{long, on_both};

struct PanicsAtSpans;

impl Subscriber for PanicsAtSpans {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}

    fn current_span(&self) -> Current {
        panic!("planned in current_span");
    }
}

/// One of the ways to start work.
type Way = fn(&TaskSet);

/// The panic is the caller's: it happens before anything of the set does, hence the set ends with nothing in it.
#[test]
fn a_subscriber_that_panics_at_a_span_leaves_no_trace() {
    on_both(|| async {
        let ways: [(&str, Way); 7] = [
            ("spawn", |tasks| drop(tasks.spawn("task", async {}))),
            ("spawn_with_handle", |tasks| drop(tasks.spawn_with_handle("task", async {}))),
            ("spawn_on", |tasks| drop(tasks.spawn_on(&Handle::current(), "task", async {}))),
            ("spawn_local_on", |tasks| drop(tasks.spawn_local_on(&LocalSet::new(), "task", async {}))),
            ("spawn_closing", |tasks| drop(tasks.spawn_closing("task", async {}))),
            ("spawn_blocking", |tasks| drop(tasks.spawn_blocking("task", |_| ()))),
            ("spawn_thread", |tasks| drop(tasks.spawn_thread("task", |_| ()))),
        ];
        for (way, start) in ways {
            let tasks = TaskSet::new("set");
            let starts = AssertUnwindSafe(|| tracing::subscriber::with_default(PanicsAtSpans, || start(&tasks)));
            assert!(catch_unwind(starts).is_err(), "{way}");
            assert!(tasks.is_empty(), "{way}");
            assert_eq!(tasks.terminate(&long()).await.unwrap().counts, Counts::default(), "{way}");
        }
    });
}
