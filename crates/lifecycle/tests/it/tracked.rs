//! Tracked futures: owned here, polled by somebody else.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use landfall_lifecycle::{Activity, Outcome, Shutdown, TaskError, TaskKind, TaskSet, Terminate};
use tokio::sync::oneshot;

use crate::harness::{Alive, assert_clean, long, no_grace, on_both, until};

#[derive(Default)]
struct CountingWaker(AtomicUsize);

impl Wake for CountingWaker {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_tracked_future_gives_its_output() {
    on_both(|| async {
        let (tasks, alive) = (TaskSet::new("set"), Alive::default());
        let guard = alive.guard();
        let tracked = tasks.track("tracked", async move { guard }).unwrap();
        assert_eq!(tasks.live()[0].id, tracked.id());
        let output = tracked.await.unwrap();
        assert!(tasks.is_empty());
        assert_eq!(alive.count(), 1);
        drop(output);
        assert_eq!(tasks.terminate(&long()).await.unwrap().counts.completed, 1);
    });
}

#[test]
fn an_aborted_tracked_future_gives_an_error_and_its_inner_one_is_gone() {
    on_both(|| async {
        let (tasks, alive) = (TaskSet::new("set"), Alive::default());
        let guard = alive.guard();
        let tracked = tasks
            .track("tracked", async move {
                let _guard = guard;
                std::future::pending::<()>().await;
            })
            .unwrap();
        let (holder, seen) = (TaskSet::new("holder"), alive.clone());
        let ended = holder.spawn_with_handle("polls", async move { (tracked.await, seen.count()) }).unwrap();
        tokio::task::yield_now().await;
        let report = tasks.terminate(&no_grace()).await.unwrap();
        assert_eq!(alive.count(), 0);
        assert_eq!(report.counts.aborted, 1);
        assert_eq!(report.tasks[0].kind, TaskKind::Tracked);
        assert_eq!(ended.await.unwrap(), (Err(TaskError::Aborted), 0));
        assert_clean(&holder.terminate(&long()).await.unwrap());
    });
}

#[test]
fn the_waker_of_the_last_poll_is_woken_by_the_abort() {
    on_both(|| async {
        let tasks = TaskSet::new("set");
        let mut tracked = pin!(tasks.track("tracked", std::future::pending::<()>()).unwrap());
        let wakers: Vec<_> = (0..3).map(|_| Arc::new(CountingWaker::default())).collect();
        for waker in &wakers {
            let waker = Waker::from(Arc::clone(waker));
            assert!(tracked.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        tasks.begin_terminate(&no_grace());
        until(|| wakers[2].0.load(Ordering::SeqCst) == 1).await;
        assert_eq!(wakers[0].0.load(Ordering::SeqCst) + wakers[1].0.load(Ordering::SeqCst), 0);
        let mut cx = Context::from_waker(Waker::noop());
        assert_eq!(tracked.as_mut().poll(&mut cx), Poll::Ready(Err(TaskError::Aborted)));
        assert_clean(&tasks.terminate(&no_grace()).await.unwrap());
    });
}

#[test]
fn one_dropped_by_its_holder_counts_as_completed() {
    on_both(|| async {
        let (tasks, alive) = (TaskSet::new("set"), Alive::default());
        let guard = alive.guard();
        let tracked = tasks.track("tracked", async move { drop(guard) }).unwrap();
        drop(tracked);
        assert_eq!(alive.count(), 0);
        let report = tasks.terminate(&long()).await.unwrap();
        assert_eq!(report.counts.completed, 1);
        assert!(report.tasks.is_empty());
    });
}

#[test]
#[expect(clippy::mem_forget, reason = "forgetting is what is tested")]
fn a_forgotten_one_is_a_straggler_with_its_place() {
    on_both(|| async {
        let tasks = TaskSet::new("set");
        let line = line!() + 1;
        std::mem::forget(tasks.track("forgotten", async {}).unwrap());
        // Nothing can end it, so the termination takes its last second: this asks while it still waits.
        tasks.begin_terminate(&Shutdown::now());
        let report = tasks.report();
        assert!(!report.is_clean());
        let found: Vec<_> = report.stragglers().collect();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].to_string(), "set/forgotten");
        assert_eq!((found[0].item.place.file, found[0].item.place.line), (file!(), line));
        assert_eq!(found[0].item.outcome, Outcome::Straggler { activity: Activity::NotPolled });
    });
}

#[test]
fn a_panic_of_a_tracked_future_reaches_its_holder_as_an_error() {
    on_both(|| async {
        let tasks = TaskSet::new("set");
        let tracked = tasks.track("tracked", async { panic!("planned") }).unwrap();
        assert_eq!(tracked.await, Err::<(), _>(TaskError::Panicked { message: "planned".to_owned() }));
        assert_eq!(tasks.terminate(&long()).await.unwrap().counts.panicked, 1);
    });
}

#[test]
fn a_waker_that_panics_on_abort_does_not_spare_the_others() {
    struct PanickingWaker;
    impl Wake for PanickingWaker {
        fn wake(self: Arc<Self>) {
            panic!("planned in wake");
        }
    }
    on_both(|| async {
        let tasks = TaskSet::new("set");
        let mut tracked = Box::pin(tasks.track("tracked", std::future::pending::<()>()).unwrap());
        let waker = Waker::from(Arc::new(PanickingWaker));
        assert!(tracked.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        let (told, tells) = oneshot::channel::<()>();
        tasks
            .spawn("other", async move {
                let _told = told;
                std::future::pending::<()>().await;
            })
            .unwrap();
        tokio::task::yield_now().await;
        tasks.begin_terminate(&no_grace());
        assert!(tells.await.is_err());
        drop(tracked);
        assert_eq!(tasks.terminate(&no_grace()).await.unwrap().counts.aborted, 2);
    });
}
