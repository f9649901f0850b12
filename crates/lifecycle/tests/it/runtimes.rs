//! Sets without a runtime, after their runtime, on a runtime without timers, and on a `LocalSet`.

use std::rc::Rc;
use std::time::Duration;

use landfall_lifecycle::{Activity, Outcome, Shutdown, TaskError, TaskSet, Terminate};
use tokio::runtime::{Builder, Runtime};
use tokio::task::LocalSet;

use crate::harness::{
    Alive, Guard, Hold, Watchdog, assert_clean, current_thread, foreign_panics, long, multi_thread, no_grace, on_both,
    until, until_blocking,
};

async fn hold(_guard: Guard) {
    std::future::pending::<()>().await;
}

/// Case 23: a set that never saw a runtime.
#[test]
fn a_set_ends_without_any_runtime() {
    let _watched = Watchdog::new();
    let (tasks, how) = (TaskSet::new("set"), long());
    let thread = tasks.spawn_thread("worker", |token| until_blocking(|| token.is_cancelled())).unwrap();
    let report = tasks.terminate_blocking(&how).unwrap();
    assert_clean(&report);
    assert_eq!(report.counts.drained, 1);
    assert!(thread.is_finished());
}

#[test]
fn terminate_blocking_ends_tasks_of_a_runtime_elsewhere() {
    let _watched = Watchdog::new();
    let runtime = multi_thread();
    let (tasks, alive) = (TaskSet::new("set"), Alive::default());
    for _ in 0..10 {
        drop(tasks.spawn_on(runtime.handle(), "deaf", hold(alive.guard())).unwrap());
    }
    let report = tasks.terminate_blocking(&no_grace()).unwrap();
    assert_eq!(alive.count(), 0);
    assert_clean(&report);
    assert_eq!(report.counts.aborted, 10);
}

/// Case 13: a job on a runtime that has gone gives an error, and never a panic.
/// Case 15: tasks and jobs of a runtime that went first have the right outcomes, seen from another runtime.
#[test]
fn a_set_outlives_its_runtime_however_that_ends() {
    fn check(runtime: Runtime, end: fn(Runtime)) {
        let _watched = Watchdog::new();
        let panics = foreign_panics();
        let (tasks, alive) = (TaskSet::new("set"), Alive::default());
        let handle = runtime.handle().clone();
        let (task, job) = {
            let _context = runtime.enter();
            let guard = alive.guard();
            let job = tasks.spawn_blocking("job", move |_| drop(guard)).unwrap();
            (tasks.spawn_with_handle("task", hold(alive.guard())).unwrap(), job)
        };
        end(runtime);
        until_blocking(|| tasks.is_empty());
        assert_eq!(alive.count(), 0);
        let other = current_thread();
        assert_eq!(other.block_on(task), Err(TaskError::RuntimeGone));
        let ran = match other.block_on(job) {
            Ok(()) => 1,
            Err(error) => {
                assert!(matches!(error, TaskError::NeverStarted | TaskError::RuntimeGone), "{error}");
                0
            }
        };
        // The handle of a runtime that has gone still takes work, which ends at once.
        let late = tasks.spawn_on(&handle, "late", hold(alive.guard())).unwrap();
        assert_eq!(other.block_on(late), Err(TaskError::RuntimeGone));
        let late = {
            let _context = handle.enter();
            let guard = alive.guard();
            tasks.spawn_blocking("late job", move |_| drop(guard)).unwrap()
        };
        assert!(matches!(other.block_on(late), Err(TaskError::RuntimeGone | TaskError::NeverStarted)));
        assert_eq!(alive.count(), 0);
        let report = other.block_on(tasks.terminate(&long())).unwrap();
        assert_clean(&report);
        let counts = report.counts;
        assert_eq!(counts.completed, ran);
        assert_eq!(counts.runtime_gone + counts.never_started, 4 - ran);
        assert_eq!(foreign_panics(), panics);
    }
    for make in [current_thread, multi_thread] {
        for _ in 0..30 {
            check(make(), drop);
            check(make(), Runtime::shutdown_background);
            check(make(), |runtime| runtime.shutdown_timeout(Duration::from_secs(60)));
        }
    }
}

/// Case 17: the destructor of a task spawns a job while shutdown_timeout drops it.
#[test]
fn a_destructor_may_spawn_blocking_while_its_runtime_goes() {
    struct SpawnsInDrop(TaskSet);
    impl Drop for SpawnsInDrop {
        fn drop(&mut self) {
            drop(self.0.spawn_blocking("goodbye", |_| ()));
        }
    }
    for make in [current_thread, multi_thread] {
        let _watched = Watchdog::new();
        let panics = foreign_panics();
        let (runtime, tasks) = (make(), TaskSet::new("set"));
        let spawns = SpawnsInDrop(tasks.clone());
        let task = async move {
            let _spawns = spawns;
            std::future::pending::<()>().await;
        };
        drop(tasks.spawn_on(runtime.handle(), "task", task).unwrap());
        runtime.shutdown_timeout(Duration::from_secs(60));
        assert_clean(&tasks.terminate_blocking(&long()).unwrap());
        assert_eq!(foreign_panics(), panics);
    }
}

#[test]
fn a_runtime_without_timers_will_do() {
    for mut builder in [Builder::new_current_thread(), Builder::new_multi_thread()] {
        let _watched = Watchdog::new();
        builder.worker_threads(2).build().unwrap().block_on(async {
            let tasks = TaskSet::new("set");
            tasks.spawn("deaf", std::future::pending::<()>()).unwrap();
            let how = Shutdown::within(Duration::from_millis(1), Duration::from_secs(3_600));
            let report = tasks.terminate(&how).await.unwrap();
            assert_eq!(report.counts.aborted, 1);
        });
    }
}

#[test]
fn a_driven_local_set_s_tasks_drain() {
    on_both(|| async {
        let (tasks, local) = (TaskSet::new("set"), LocalSet::new());
        let (not_send, stop) = (Rc::new(()), tasks.token());
        let task = tasks
            .spawn_local_on(&local, "local", async move {
                stop.cancelled().await;
                Rc::strong_count(&not_send)
            })
            .unwrap();
        let report = local.run_until(tasks.terminate(&long())).await.unwrap();
        assert_eq!(report.counts.drained, 1);
        assert_eq!(task.await, Ok(1));
    });
}

/// Case 27: a local set that nobody drives.
#[test]
fn a_task_of_a_local_set_nobody_drives_is_a_straggler_until_that_is_dropped() {
    on_both(|| async {
        let (tasks, local, alive) = (TaskSet::new("set"), LocalSet::new(), Alive::default());
        let line = line!() + 1;
        drop(tasks.spawn_local_on(&local, "local", hold(alive.guard())).unwrap());
        tasks.begin_terminate(&Shutdown::now());
        let report = tasks.report();
        let found = report.stragglers().next().unwrap();
        assert_eq!((found.to_string(), found.item.place.line), ("set/local".to_owned(), line));
        assert_eq!(found.item.outcome, Outcome::Straggler { activity: Activity::NotPolled });
        assert!(report.to_string().contains("nobody polls it"), "{report}");
        drop(local);
        assert_eq!(alive.count(), 0);
        let report = tasks.terminate(&long()).await.unwrap();
        assert_clean(&report);
        assert_eq!(report.counts.aborted, 1);
    });
}

#[test]
fn terminate_is_not_bound_to_the_runtime_of_its_tasks() {
    let _watched = Watchdog::new();
    let (works, waits) = (multi_thread(), current_thread());
    let (tasks, (hold, _release)) = (TaskSet::new("set"), Hold::new());
    let (blocks, stop) = (hold.clone(), tasks.token());
    let task = async move {
        blocks.block();
        stop.cancelled().await;
    };
    drop(tasks.spawn_on(works.handle(), "task", task).unwrap());
    hold.wait_entered(1);
    tasks.begin_terminate(&long());
    hold.release();
    assert_clean(&waits.block_on(tasks.terminate(&long())).unwrap());
}

/// Case 16: tokio drops the future inside of the spawn; its destructor finds no lock of the set held.
#[test]
fn a_spawn_on_a_runtime_that_has_gone_drops_the_future_with_no_lock_held() {
    struct UsesItsSet {
        set: TaskSet,
        _guard: Guard,
    }
    impl Drop for UsesItsSet {
        fn drop(&mut self) {
            assert_eq!((self.set.len(), self.set.live().len()), (1, 1));
            assert!(self.set.child("child").is_ok());
            assert!(self.set.track("tracked", async {}).is_ok());
        }
    }
    for make in [current_thread, multi_thread] {
        let _watched = Watchdog::new();
        let (tasks, alive) = (TaskSet::new("set"), Alive::default());
        let handle = make().handle().clone();
        let uses = UsesItsSet { set: tasks.clone(), _guard: alive.guard() };
        let late = tasks.spawn_on(&handle, "late", async move { drop(uses) }).unwrap();
        assert_eq!(alive.count(), 0);
        assert_eq!(current_thread().block_on(late), Err(TaskError::RuntimeGone));
        let report = tasks.terminate_blocking(&long()).unwrap();
        assert_clean(&report);
        assert_eq!((report.counts.runtime_gone, report.counts.panicked), (1, 0), "{report}");
    }
}

/// A task's wakers are the runtime's, and whoever was given one may keep it for longer than the set lives.
#[test]
fn a_waker_that_is_used_and_dropped_on_a_foreign_thread_after_the_end_touches_nothing() {
    for make in [current_thread, multi_thread] {
        let _watched = Watchdog::new();
        let (runtime, tasks, alive) = (make(), TaskSet::new("set"), Alive::default());
        let (give, given) = std::sync::mpsc::channel();
        let guard = alive.guard();
        let gives = std::future::poll_fn(move |cx| {
            let _guard = &guard;
            give.send(cx.waker().clone()).unwrap();
            std::task::Poll::<()>::Pending
        });
        drop(tasks.spawn_on(runtime.handle(), "gives", gives).unwrap());
        let mut waker = None;
        runtime.block_on(until(|| {
            waker = given.try_recv().ok();
            waker.is_some()
        }));
        let waker = waker.unwrap();
        let report = runtime.block_on(tasks.terminate(&no_grace())).unwrap();
        assert_clean(&report);
        assert_eq!((report.counts.aborted, alive.count()), (1, 0));
        let foreign = TaskSet::new("foreign");
        let used = waker.clone();
        drop(foreign.spawn_thread("uses it", move |_| used.wake()).unwrap());
        assert_clean(&foreign.terminate_blocking(&long()).unwrap());
        drop(runtime);
        let foreign = TaskSet::new("foreign");
        drop(foreign.spawn_thread("drops it", move |_| (waker.wake_by_ref(), drop(waker)).1).unwrap());
        assert_clean(&foreign.terminate_blocking(&long()).unwrap());
        assert_eq!(tasks.terminate_blocking(&long()).unwrap().to_string(), report.to_string());
    }
}
