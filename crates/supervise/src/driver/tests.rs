//! What only a driver that is at fault itself can show.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::FutureExt;
use landfall_lifecycle::{Shutdown, TaskSet, Terminate};

use super::{Core, UNTAKEN_MAX, begin_with, drive};
use crate::child_id::InstanceId;
use crate::report::EndCause;
use crate::{ChildSpec, Exit, Refused, StartChildError, Supervisor, TerminateChildError, TreeEventKind};

/// Counts the living.
struct Alive(Arc<AtomicUsize>);

impl Alive {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn until_all_live_then_panic(core: Arc<Core>, alive: Arc<AtomicUsize>) {
    let driving = std::pin::pin!(drive::drive(core));
    let all_live = std::pin::pin!(async {
        while alive.load(Ordering::SeqCst) < 3 {
            tokio::task::yield_now().await;
        }
    });
    futures_util::future::select(driving, all_live).await;
    panic!("planted");
}

#[tokio::test]
async fn a_driver_that_panics_still_ends_its_children() {
    let alive = Arc::new(AtomicUsize::new(0));
    let (worker, component) = (Arc::clone(&alive), Arc::clone(&alive));
    let builder = Supervisor::builder("app")
        .child(ChildSpec::worker("worker", move |_cx| {
            let alive = Alive::new(&worker);
            async move {
                let _alive = alive;
                std::future::pending::<()>().await;
            }
        }))
        .child(ChildSpec::component("component", move || {
            let alive = Alive::new(&component);
            async move {
                let tasks = TaskSet::new("component");
                tasks.spawn("task", async move {
                    let _alive = alive;
                    std::future::pending::<()>().await;
                })?;
                Ok::<_, landfall_lifecycle::SpawnError>(tasks)
            }
        }))
        .child(ChildSpec::supervisor("below", {
            let alive = Arc::clone(&alive);
            move || {
                let alive = Arc::clone(&alive);
                Supervisor::builder("below").child(ChildSpec::worker("worker", move |_cx| {
                    let alive = Alive::new(&alive);
                    async move {
                        let _alive = alive;
                        std::future::pending::<()>().await;
                    }
                }))
            }
        }));
    let count = Arc::clone(&alive);
    let tree = begin_with(builder, None, |core| until_all_live_then_panic(core, count)).unwrap();
    tree.ended().await;
    assert_eq!(alive.load(Ordering::SeqCst), 0);
    assert_eq!(tree.end_cause(), Some(EndCause::Panicked { message: "planted".to_owned() }));
    assert!(matches!(
        tree.start_child(ChildSpec::worker("late", |_cx| async {})).await,
        Err(StartChildError::Refused(_))
    ));
    let report = tree.terminate(&Shutdown::now()).await.unwrap();
    assert_eq!(report.counts.stragglers, 0);
    assert!(report.error.is_some());
}

/// The driver is not polled here until the test waits, so every call stays untaken.
#[tokio::test]
async fn calls_that_nobody_looks_at_are_bounded() {
    let tree = Supervisor::builder("app").start().await.unwrap();
    for _ in 0..UNTAKEN_MAX {
        assert!(tree.terminate_child("x").now_or_never().is_none());
    }
    let flooded = TerminateChildError::Refused(Refused::Flooded { untaken_max: UNTAKEN_MAX });
    assert_eq!(tree.terminate_child("x").now_or_never(), Some(Err(flooded)));
    tokio::task::yield_now().await;
    let not_found = TerminateChildError::NotFound { child: "x".into() };
    assert_eq!(tree.terminate_child("x").await, Err(not_found));
    assert!(tree.terminate(&Shutdown::now()).await.unwrap().is_clean());
}

/// Whether an instance is among those who are aborted when time is over, and named when they are left.
fn is_entered(core: &Core, instance: InstanceId) -> bool {
    core.lock().live(instance).is_some()
}

/// The driver lets others run before it has taken in all there is, and not all workers may wait for its next turn to be
/// known: their task sets would be missed by an abort in between.
#[tokio::test]
async fn a_worker_is_known_when_it_first_runs_however_many_are_started() {
    let tree = Supervisor::dynamic("app").start().await.unwrap();
    let starts = (0..1_000).map(|number: u32| {
        tree.start_task(format!("{number}"), |cx| async move { is_entered(&cx.0.core, cx.instance()) })
    });
    for task in futures_util::future::join_all(starts).await {
        assert_eq!(task.unwrap().await, Ok(true));
    }
    assert!(tree.terminate(&Shutdown::now()).await.unwrap().is_clean());
}

/// The factory of a supervisor may block, and who was started in the same turn is known meanwhile.
#[tokio::test]
async fn a_worker_is_known_while_a_factory_after_it_runs() {
    let gate = Arc::new(tokio::sync::Notify::new());
    let opened = Arc::clone(&gate);
    let first = ChildSpec::worker("first", move |cx| {
        let gate = Arc::clone(&opened);
        async move {
            gate.notified().await;
            cx.ready();
            cx.token().cancelled().await;
        }
    });
    // Calls wait until the static children are up, and then both are made at once.
    let app = Supervisor::builder("app").child(first.signals_ready(std::time::Duration::from_secs(60)));
    let tree = app.answers_early().start().await.unwrap();
    let (core, seen) = (Arc::downgrade(tree.core()), Arc::new(std::sync::OnceLock::new()));
    let inner = Arc::clone(&seen);
    let below = ChildSpec::supervisor("below", move || {
        let core = core.upgrade().unwrap();
        let worker = core.look(|engine| engine.find(&"worker".into())).unwrap();
        inner.get_or_init(|| is_entered(&core, worker.instance.unwrap()));
        Supervisor::builder("below")
    });
    let worker = ChildSpec::worker("worker", |_cx| std::future::pending::<()>());
    let (worker, below, ()) = tokio::join!(tree.start_child(worker), tree.start_child(below), async {
        tokio::task::yield_now().await;
        gate.notify_one();
    });
    assert!(worker.is_ok() && below.is_ok());
    assert_eq!(seen.get(), Some(&true));
    assert_eq!(tree.terminate(&Shutdown::now()).await.unwrap().counts.stragglers, 0);
}

/// Who waits on another runtime than the supervisor's is not left waiting when that one goes.
#[test]
fn a_runtime_that_goes_answers_whoever_waits_and_calls_that_come_later() {
    let [gone, here] = [(); 2].map(|()| tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap());
    let (tree, ended, task, mut events) = gone.block_on(async {
        let idle = ChildSpec::worker("idle", |_cx| std::future::pending::<()>());
        let component = ChildSpec::component("owner", || async { Ok::<_, std::io::Error>(TaskSet::new("owner")) });
        let below = ChildSpec::supervisor("below", || Supervisor::builder("below"));
        let tree = Supervisor::builder("app").child(idle).child(component).child(below).start().await.unwrap();
        let ended = tree.instance_ended(tree.which_child("idle").unwrap().instance.unwrap());
        let task = tree.start_task("task", |_cx| std::future::pending::<()>()).await.unwrap();
        let events = tree.events();
        (tree, ended, task, events)
    });
    drop(gone);
    here.block_on(async {
        assert_eq!(in_time(ended).await, Some(Exit::Aborted));
        assert_eq!(in_time(task).await, Err(Exit::Aborted));
        let refused = TerminateChildError::Refused(Refused::Terminating);
        assert_eq!(in_time(tree.terminate_child("idle")).await, Err(refused));
        while let Some(event) = in_time(events.recv()).await {
            assert!(matches!(event.unwrap().kind, TreeEventKind::Ended(EndCause::Panicked { .. })));
        }
        assert_eq!(in_time(tree.events().recv()).await, None);
        in_time(tree.ended()).await;
        assert!(matches!(tree.end_cause(), Some(EndCause::Panicked { .. })));
        assert!(in_time(tree.terminate(&Shutdown::now())).await.unwrap().error.is_some());
    });
}

/// The driver was never polled.
#[test]
fn a_runtime_that_goes_at_once_leaves_nobody_waiting() {
    let [gone, here] = [(); 2].map(|()| tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap());
    let idle = ChildSpec::worker("idle", |_cx| std::future::pending::<()>());
    let tree = gone.block_on(Supervisor::builder("app").answers_early().child(idle).start()).unwrap();
    drop(gone);
    here.block_on(async {
        in_time(tree.ended()).await;
        assert!(in_time(tree.terminate(&Shutdown::now())).await.unwrap().error.is_some());
    });
}

/// Whoever is left waiting fails the test, and does not hang it.
async fn in_time<T>(waits: impl Future<Output = T>) -> T {
    tokio::time::timeout(std::time::Duration::from_secs(30), waits).await.expect("it was left waiting")
}
