//! The end of a stack from its edges: who waits for what, and what is final.

use std::borrow::Cow;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use landfall_lifecycle::{Phase, Reason, Remnant, Report, SelfJoin, Shutdown, Stack, TaskSet, Terminate};

use crate::harness::{assert_clean, long, on_both, until};

/// `ended` made its report before the driver had come to the levels below, for good.
#[test]
fn ended_does_not_overtake_the_driver() {
    on_both(|| async {
        for _ in 0..300 {
            let (below, above) = (TaskSet::new("below"), TaskSet::new("above"));
            let stop = above.token();
            above.spawn("drains", async move { stop.cancelled().await }).unwrap();
            let stack = Stack::new("stack");
            stack.push(below.clone()).unwrap();
            stack.push(above).unwrap();
            assert_clean(&below.terminate(&long()).await.unwrap());
            let how = long();
            let ((), report) = futures_util::join!(stack.ended(), stack.terminate(&how));
            assert_clean(&report.unwrap());
            assert_clean(&stack.report());
        }
    });
}

#[test]
fn a_stack_inside_of_a_dropped_one_still_ends_in_order() {
    on_both(|| async {
        let inner = Stack::new("inner");
        inner.push(TaskSet::new("set")).unwrap();
        let outer = Stack::new("outer");
        outer.push(inner.clone()).unwrap();
        drop(outer);
        assert_clean(&inner.terminate(&long()).await.unwrap());
        inner.ended().await;
    });
}

#[test]
fn a_termination_with_the_reason_of_a_drop_keeps_its_instants() {
    on_both(|| async {
        let tasks = TaskSet::new("set");
        tasks.spawn("deaf", std::future::pending::<()>()).unwrap();
        let how = Shutdown::within(std::time::Duration::ZERO, std::time::Duration::from_millis(1));
        tasks.spawn_closing("cleanup", std::future::pending::<()>()).unwrap();
        tasks.begin_terminate(&how.because(Reason::Dropped));
        // The abort instant comes, though nobody awaits it.
        until(|| tasks.phase() == Phase::Terminated).await;
        assert_eq!(tasks.report().counts.aborted, 2);
    });
}

/// A component that ends at once and leaves something that is not a task.
struct Leaves;

impl Terminate for Leaves {
    fn name(&self) -> Cow<'_, str> {
        "pool".into()
    }
    fn begin_terminate(&self, _: &Shutdown) {}
    fn terminate<'a>(&'a self, _: &'a Shutdown) -> BoxFuture<'a, Result<Report, SelfJoin>> {
        let remnant = Remnant::new("session", "pg 17", None, std::time::Duration::ZERO);
        std::future::ready(Ok(Report::new("pool", Reason::ParentTerminating).with_remnant(remnant))).boxed()
    }
    fn ended(&self) -> BoxFuture<'_, ()> {
        std::future::ready(()).boxed()
    }
}

#[test]
fn a_remnant_does_not_keep_a_stack_waiting() {
    on_both(|| async {
        let stack = Stack::new("stack");
        stack.push(Leaves).unwrap();
        // With hours to go, so that the watchdog would bark.
        let report = stack.terminate(&long()).await.unwrap();
        assert_eq!(report.remnants_all().count(), 1);
        assert!(!report.is_clean());
    });
}

/// A component whose `terminate` panics, though it could be ended.
struct Panics(TaskSet);

impl Terminate for Panics {
    fn name(&self) -> Cow<'_, str> {
        self.0.name().into()
    }
    fn begin_terminate(&self, how: &Shutdown) {
        self.0.begin_terminate(how);
    }
    fn terminate<'a>(&'a self, _: &'a Shutdown) -> BoxFuture<'a, Result<Report, SelfJoin>> {
        async { panic!("planned") }.boxed()
    }
    fn ended(&self) -> BoxFuture<'_, ()> {
        self.0.ended()
    }
}

#[test]
fn a_component_whose_terminate_panics_is_ended_all_the_same() {
    on_both(|| async {
        let tasks = TaskSet::new("set");
        let stop = tasks.token();
        tasks.spawn("drains", async move { stop.cancelled().await }).unwrap();
        let stack = Stack::new("stack");
        stack.push(Panics(tasks.clone())).unwrap();
        let report = stack.terminate(&long()).await.unwrap();
        assert!(report.children[0].error.as_deref().unwrap().contains("planned"), "{report}");
        assert_eq!(tasks.phase(), Phase::Terminated);
    });
}
