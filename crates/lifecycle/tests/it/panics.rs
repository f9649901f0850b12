//! Panics and destructors of users' code: each becomes an outcome, and none outlives the termination.

use std::future::Future;
use std::panic::panic_any;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use landfall_lifecycle::{Outcome, PanicPolicy, Phase, Reason, Report, TaskError, TaskSet, TaskSetOptions, Terminate};

use crate::harness::{
    Alive, BlocksInDrop, Guard, Hold, Watchdog, assert_clean, long, multi_thread, no_grace, on_both, until,
};

/// Panics in its destructor.
struct PanicsInDrop;

impl Drop for PanicsInDrop {
    fn drop(&mut self) {
        panic!("planned in drop");
    }
}

#[track_caller]
fn check_panicked(report: &Report, message: &str, in_drop: bool) {
    assert_clean(report);
    assert_eq!(report.counts.panicked, 1, "{report}");
    assert_eq!(report.tasks[0].outcome, Outcome::Panicked { message: message.to_owned(), in_drop });
}

#[test]
fn a_panic_in_a_poll_is_an_outcome() {
    on_both(|| async {
        let tasks = TaskSet::new("set");
        let task = tasks.spawn_with_handle("panics", async { panic!("planned {}", 1) }).unwrap();
        tasks.spawn("goes on", tokio::task::yield_now()).unwrap();
        assert_eq!(task.await, Err::<(), _>(TaskError::Panicked { message: "planned 1".to_owned() }));
        let report = tasks.terminate(&long()).await.unwrap();
        check_panicked(&report, "planned 1", false);
    });
}

#[test]
fn a_panic_without_a_text_is_an_outcome() {
    on_both(|| async {
        let (tasks, alive) = (TaskSet::new("set"), Alive::default());
        let guard = alive.guard();
        tasks.spawn("panics", async move { panic_any(guard) }).unwrap();
        let report = tasks.terminate(&long()).await.unwrap();
        assert_eq!(alive.count(), 0, "the payload is dropped before the task counts as ended");
        check_panicked(&report, "panic without a text", false);
    });
}

/// Case 4: a payload whose destructor panics, with a payload that does so again.
#[test]
fn a_payload_that_panics_in_its_destructor_is_survived() {
    struct Payload;
    impl Drop for Payload {
        fn drop(&mut self) {
            panic_any(PanicsInDrop);
        }
    }
    on_both(|| async {
        let tasks = TaskSet::new("set");
        tasks.spawn("panics", async { panic_any(Payload) }).unwrap();
        let report = tasks.terminate(&long()).await.unwrap();
        check_panicked(&report, "panic without a text", false);
    });
}

/// Case 3: a destructor that panics on abort; the others are joined all the same.
#[test]
fn a_destructor_that_panics_on_abort_is_an_outcome() {
    on_both(|| async {
        let (tasks, alive) = (TaskSet::new("set"), Alive::default());
        let held = (PanicsInDrop, alive.guard());
        let deaf = async move {
            let _held = held;
            std::future::pending::<()>().await;
        };
        let task = tasks.spawn_with_handle("deaf", deaf).unwrap();
        for _ in 0..10 {
            tasks.spawn("other", std::future::pending::<()>()).unwrap();
        }
        tokio::task::yield_now().await;
        let report = tasks.terminate(&no_grace()).await.unwrap();
        assert_eq!(alive.count(), 0);
        assert_clean(&report);
        assert_eq!((report.counts.panicked, report.counts.aborted), (1, 10));
        let panicked = report.panics().next().unwrap();
        assert_eq!(panicked.to_string(), "set/deaf");
        assert_eq!(panicked.item.outcome, Outcome::Panicked { message: "planned in drop".into(), in_drop: true });
        assert_eq!(task.await, Err(TaskError::Panicked { message: "planned in drop".to_owned() }));
    });
}

/// Ready at once, with a destructor that panics.
struct ReadyThenPanics(Option<Guard>);

impl Future for ReadyThenPanics {
    type Output = Guard;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Guard> {
        Poll::Ready(self.0.take().unwrap())
    }
}

impl Drop for ReadyThenPanics {
    fn drop(&mut self) {
        panic!("planned in drop");
    }
}

/// Case 5: a future that is ready, and panics in its destructor.
#[test]
fn the_output_of_a_future_whose_destructor_panics_is_dropped_once() {
    on_both(|| async {
        let (tasks, alive) = (TaskSet::new("set"), Alive::default());
        let future = ReadyThenPanics(Some(alive.guard()));
        let task = tasks.spawn_with_handle("ready", future).unwrap();
        assert!(matches!(task.await, Err(TaskError::Panicked { .. })));
        assert_eq!(alive.count(), 0);
        let report = tasks.terminate(&long()).await.unwrap();
        check_panicked(&report, "planned in drop", true);
    });
}

#[test]
fn an_unwanted_output_that_panics_in_its_destructor_is_an_outcome() {
    on_both(|| async {
        let tasks = TaskSet::new("set");
        tasks.spawn("output", async { PanicsInDrop }).unwrap();
        let report = tasks.terminate(&long()).await.unwrap();
        check_panicked(&report, "planned in drop", true);
    });
}

/// Case 1: an output that nobody takes, with a slow destructor.
#[test]
fn a_slow_destructor_of_an_unwanted_output_is_waited_for() {
    let _watched = Watchdog::new();
    multi_thread().block_on(async {
        let (tasks, (hold, _release)) = (TaskSet::new("set"), Hold::new());
        let output = BlocksInDrop(hold.clone());
        tasks.spawn("output", async { output }).unwrap();
        check_waits_for(&tasks, &hold).await;
    });
}

/// Case 2: a panic with a payload whose destructor is slow.
#[test]
fn a_slow_destructor_of_a_panic_payload_is_waited_for() {
    let _watched = Watchdog::new();
    multi_thread().block_on(async {
        let (tasks, (hold, _release)) = (TaskSet::new("set"), Hold::new());
        let payload = BlocksInDrop(hold.clone());
        tasks.spawn("payload", async { panic_any(payload) }).unwrap();
        check_waits_for(&tasks, &hold).await;
    });
}

#[test]
fn a_slow_destructor_of_a_blocking_job_s_output_is_waited_for() {
    let _watched = Watchdog::new();
    multi_thread().block_on(async {
        let (tasks, (hold, _release)) = (TaskSet::new("set"), Hold::new());
        let ((detached, _detach), output) = (Hold::new(), BlocksInDrop(hold.clone()));
        let waits = detached.clone();
        let job = tasks.spawn_blocking("output", move |_| {
            // A handle that is still there would take the output and drop it on this test's thread.
            waits.block();
            output
        });
        drop(job.unwrap());
        detached.release();
        check_waits_for(&tasks, &hold).await;
    });
}

/// Terminates while a destructor blocks; it must not be over before the destructor is.
async fn check_waits_for(tasks: &TaskSet, hold: &Hold) {
    until(|| hold.entered() == 1).await;
    let helper = TaskSet::new("helper");
    let caller = tasks.clone();
    let mut wait = helper.spawn_with_handle("caller", async move { caller.terminate(&long()).await.unwrap() }).unwrap();
    until(|| tasks.phase() == Phase::Draining).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!wait.is_finished());
    assert_eq!((tasks.len(), hold.left()), (1, 0));
    hold.release();
    let report = (&mut wait).await.unwrap();
    assert_eq!(hold.left(), 1);
    assert_clean(&report);
    assert_clean(&helper.terminate(&long()).await.unwrap());
}

#[test]
fn a_panic_may_terminate_the_set() {
    on_both(|| async {
        let mut options = TaskSetOptions::default();
        options.on_panic = PanicPolicy::TerminateSet;
        let tasks = TaskSet::with_options("set", options);
        let stop = tasks.token();
        tasks.spawn("other", async move { stop.cancelled().await }).unwrap();
        tasks.spawn("panics", async { panic!("planned") }).unwrap();
        tasks.ended().await;
        let report = tasks.terminate(&long()).await.unwrap();
        assert_eq!(report.reason, Reason::Failed("task \"panics\" panicked".into()));
        assert_eq!((report.counts.panicked, report.counts.drained), (1, 1));
    });
}

#[test]
fn a_panic_while_it_terminates_leaves_the_caller_s_instants_alone() {
    on_both(|| async {
        let mut options = TaskSetOptions::default();
        options.on_panic = PanicPolicy::TerminateSet;
        (options.grace, options.abort) = (Duration::ZERO, Duration::ZERO);
        let tasks = TaskSet::with_options("set", options);
        let stop = tasks.token();
        let (panicked, has_panicked) = tokio::sync::oneshot::channel::<()>();
        let panics = async move {
            stop.cancelled().await;
            let _told_when_dropped = panicked;
            panic!("planned");
        };
        tasks.spawn("panics", panics).unwrap();
        tasks.spawn("drains", async move { drop(has_panicked.await) }).unwrap();
        let report = tasks.terminate(&long()).await.unwrap();
        assert_eq!((report.counts.panicked, report.counts.drained, report.counts.aborted), (1, 1, 0));
    });
}

#[test]
fn a_panic_of_a_waker_on_the_token_does_not_keep_the_set_from_ending() {
    struct PanickingWaker(AtomicUsize);
    impl std::task::Wake for PanickingWaker {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
            panic!("planned in wake");
        }
    }
    on_both(|| async {
        let tasks = TaskSet::new("set");
        let child = tasks.child("child").unwrap();
        let token = tasks.token();
        let mut cancelled = std::pin::pin!(token.cancelled());
        let waker = Arc::new(PanickingWaker(AtomicUsize::new(0)));
        assert!(cancelled.as_mut().poll(&mut Context::from_waker(&Arc::clone(&waker).into())).is_pending());
        let report = tasks.terminate(&long()).await.unwrap();
        assert_eq!(waker.0.load(Ordering::SeqCst), 1);
        assert_clean(&report);
        child.ended().await;
    });
}
