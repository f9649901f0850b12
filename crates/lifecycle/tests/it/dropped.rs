//! Handles that are dropped, weak handles, and child sets.

use landfall_lifecycle::{ChildError, Phase, Reason, TaskSet, Terminate};

use crate::harness::{Alive, Guard, Hold, Watchdog, assert_clean, current_thread, long, multi_thread, no_grace};
use crate::harness::{on_both, until, until_blocking};
use crate::log;

async fn hold(_guard: Guard) {
    std::future::pending::<()>().await;
}

/// Case 25: the last clone is dropped without a termination.
#[test]
fn the_drop_of_the_last_handle_aborts_with_one_warning_that_names_the_tasks() {
    log::capture();
    let _watched = Watchdog::new();
    for (name, runtime) in [("dropped-current", current_thread()), ("dropped-multi", multi_thread())] {
        let alive = Alive::default();
        runtime.block_on(async {
            let tasks = TaskSet::new(name);
            tasks.spawn("first", hold(alive.guard())).unwrap();
            tasks.spawn("second", hold(alive.guard())).unwrap();
            drop(tasks.clone());
            tokio::task::yield_now().await;
            assert_eq!(alive.count(), 2, "a clone is the same set");
            drop(tasks);
            until(|| alive.count() == 0).await;
        });
        let warnings = log::warnings_with(name);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].contains(r#"tasks=["first", "second"]"#), "{warnings:?}");
    }
}

#[test]
fn the_drop_of_an_idle_set_is_silent() {
    log::capture();
    on_both(|| async {
        let tasks = TaskSet::new("dropped-idle");
        tasks.spawn("short", async {}).unwrap();
        until(|| tasks.is_empty()).await;
        drop(tasks);
        assert_eq!(log::warnings_with("dropped-idle"), [""; 0]);
    });
}

/// Case 25: that drop waits for nothing.
#[test]
fn the_drop_does_not_wait_for_busy_work() {
    let _watched = Watchdog::new();
    let runtime = multi_thread();
    let (tasks, (busy, _release)) = (TaskSet::new("set"), Hold::new());
    let _context = runtime.enter();
    for count in 1..=2 {
        let holds = busy.clone();
        tasks.spawn("busy", async move { holds.block() }).unwrap();
        // One by one, so that no worker takes both of them into its queue.
        busy.wait_entered(count);
    }
    let holds = busy.clone();
    drop(tasks.spawn_blocking("busy", move |_| holds.block()).unwrap());
    let holds = busy.clone();
    drop(tasks.spawn_thread("busy", move |_| holds.block()).unwrap());
    busy.wait_entered(4);
    drop(tasks);
    assert_eq!(busy.left(), 0);
}

#[test]
fn begin_then_drop_keeps_the_grace() {
    on_both(|| async {
        let (tasks, alive) = (TaskSet::new("set"), Alive::default());
        let (stop, guard, how) = (tasks.token(), alive.guard(), long());
        let (finish, finished) = tokio::sync::oneshot::channel::<()>();
        let (drained, drains) = tokio::sync::oneshot::channel();
        tasks
            .spawn("heeds", async move {
                let _guard = guard;
                stop.cancelled().await;
                finished.await.unwrap();
                drained.send(()).unwrap();
            })
            .unwrap();
        tasks.begin_terminate(&how);
        drop(tasks);
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(alive.count(), 1);
        finish.send(()).unwrap();
        drains.await.unwrap();
        until(|| alive.count() == 0).await;
    });
}

/// Case 26: what a task of its own set should hold.
#[test]
fn a_weak_handle_keeps_nothing_alive() {
    on_both(|| async {
        let (tasks, alive) = (TaskSet::new("set"), Alive::default());
        let weak = tasks.downgrade();
        assert_eq!(weak.upgrade().unwrap().name(), "set");
        tasks.spawn("deaf", hold(alive.guard())).unwrap();
        drop(tasks);
        assert!(weak.upgrade().is_none());
        until(|| alive.count() == 0).await;
    });
}

#[test]
fn child_sets_end_before_their_parent() {
    on_both(|| async {
        let parent = TaskSet::new("parent");
        let child = parent.child("child").unwrap();
        let (stop, alive) = (child.token(), Alive::default());
        let guard = alive.guard();
        child
            .spawn("heeds", async move {
                let _guard = guard;
                stop.cancelled().await;
            })
            .unwrap();
        let report = parent.terminate(&long()).await.unwrap();
        assert_eq!(alive.count(), 0);
        assert_eq!(child.phase(), Phase::Terminated);
        assert_eq!(report.children.len(), 1);
        assert_eq!(report.children[0].reason, Reason::ParentTerminating);
        assert_eq!((report.counts.drained, report.children[0].counts.drained), (0, 1));
    });
}

#[test]
fn a_child_set_ends_alone_and_its_parent_goes_on() {
    on_both(|| async {
        let parent = TaskSet::new("parent");
        let child = parent.child("child").unwrap();
        child.spawn("deaf", std::future::pending::<()>()).unwrap();
        assert_eq!(child.terminate(&no_grace()).await.unwrap().counts.aborted, 1);
        assert_eq!(parent.phase(), Phase::Running);
        assert!(!parent.token().is_cancelled());
        let report = parent.terminate(&long()).await.unwrap();
        assert_eq!(report.children[0].counts.aborted, 1);
    });
}

#[test]
fn reports_of_ended_child_sets_are_bounded_while_the_parent_runs() {
    on_both(|| async {
        let parent = TaskSet::new("parent");
        for number in 0..200 {
            let child = parent.child(format!("child-{number}")).unwrap();
            child.spawn("completes", async {}).unwrap();
            until(|| child.is_empty()).await;
            if number % 2 == 0 {
                child.spawn("deaf", std::future::pending::<()>()).unwrap();
            }
            drop(child.terminate(&no_grace()).await.unwrap());
        }
        // The caller of the last one goes on before the parent has taken over its report.
        until(|| parent.report().children.len() <= 64).await;
        let report = parent.terminate(&long()).await.unwrap();
        assert!(report.children.len() <= 64, "{}", report.children.len());
        let completed = report.children.iter().map(|child| child.counts.completed).sum::<u64>();
        assert_eq!(report.counts.completed + completed, 200);
        let aborted = report.children.iter().map(|child| child.counts.aborted).sum::<u64>();
        assert_eq!(report.counts.aborted + aborted, 100);
    });
}

#[test]
fn a_subscriber_may_use_the_set_it_hears_of() {
    log::capture();
    on_both(|| async {
        let name = format!("heard-{:?}", tokio::runtime::Handle::current().runtime_flavor());
        let tasks = TaskSet::new("set");
        let weak = tasks.downgrade();
        log::on_line_with(&name, move || {
            if let Some(tasks) = weak.upgrade() {
                assert!(tasks.len() <= 1);
            }
        });
        tasks.spawn(name, async { panic!("planned") }).unwrap();
        until(|| tasks.is_empty()).await;
        assert_eq!(tasks.terminate(&long()).await.unwrap().counts.panicked, 1);
    });
}

#[test]
fn names_of_living_child_sets_differ_and_are_free_again_afterwards() {
    on_both(|| async {
        let parent = TaskSet::new("parent");
        for _ in 0..300 {
            let child = parent.child("child").unwrap();
            let taken = parent.child("child").unwrap_err();
            assert_eq!(taken, ChildError::NameTaken { set: "parent".to_owned(), name: "child".to_owned() });
            drop(child.spawn_blocking("job", |_| ()).unwrap());
            assert_clean(&child.terminate(&long()).await.unwrap());
        }
        assert_clean(&parent.terminate(&long()).await.unwrap());
    });
}

#[test]
fn a_dropped_set_counts_what_lives_in_child_sets_too() {
    log::capture();
    let _watched = Watchdog::new();
    let runtime = multi_thread();
    let tasks = TaskSet::new("dropped-parent");
    let child = tasks.child("child").unwrap();
    drop(child.spawn_on(runtime.handle(), "grandchild", std::future::pending::<()>()).unwrap());
    drop(tasks);
    let warnings = log::warnings_with("dropped-parent");
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].contains("count=1") && warnings[0].contains("grandchild"), "{warnings:?}");
    until_blocking(|| child.phase() == Phase::Terminated);
    assert_eq!(child.report().reason, Reason::ParentTerminating);
}

/// Case 26: a task gets a weak handle, because a clone of its own set keeps both alive.
#[test]
fn a_task_that_holds_a_clone_of_its_set_keeps_it_and_one_with_a_weak_handle_does_not() {
    on_both(|| async {
        let (tasks, alive) = (TaskSet::new("set"), Alive::default());
        let (own, weak, guard) = (tasks.clone(), tasks.downgrade(), alive.guard());
        let cycle = async move {
            let _held = (guard, own);
            std::future::pending::<()>().await;
        };
        tasks.spawn("holds its set", cycle).unwrap();
        drop(tasks);
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        let tasks = weak.upgrade().unwrap();
        assert_eq!((tasks.phase(), tasks.len(), alive.count()), (Phase::Running, 1, 1));
        assert_eq!(tasks.terminate(&no_grace()).await.unwrap().counts.aborted, 1);

        let (tasks, guard) = (TaskSet::new("set"), alive.guard());
        let weak = tasks.downgrade();
        let no_cycle = async move {
            let _held = (guard, weak);
            std::future::pending::<()>().await;
        };
        tasks.spawn("knows its set", no_cycle).unwrap();
        drop(tasks);
        until(|| alive.count() == 0).await;
    });
}
