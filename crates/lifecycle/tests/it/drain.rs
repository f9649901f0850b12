//! Draining: the token asks, grace ends, what is left is aborted.

use landfall_lifecycle::{GraceCut, Outcome, Phase, Shutdown, TaskSet, TaskSetOptions, Terminate};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::harness::{Alive, assert_clean, long, no_grace, on_both, until};

#[test]
fn tasks_that_heed_the_token_drain() {
    on_both(|| async {
        let (tasks, alive) = (TaskSet::new("set"), Alive::default());
        for _ in 0..10 {
            let (stop, guard) = (tasks.token(), alive.guard());
            tasks
                .spawn("heeds", async move {
                    stop.cancelled().await;
                    drop(guard);
                })
                .unwrap();
        }
        assert_eq!(tasks.phase(), Phase::Running);
        let report = tasks.terminate(&long()).await.unwrap();
        assert_clean(&report);
        assert_eq!(alive.count(), 0);
        assert_eq!(report.counts.drained, 10);
        assert_eq!(report.counts.completed, 0);
        assert!(report.tasks.is_empty());
        assert_eq!(tasks.phase(), Phase::Terminated);
    });
}

#[test]
fn a_token_of_the_user_s_asks_the_tasks_to_finish_and_begins_nothing() {
    on_both(|| async {
        let given = CancellationToken::new();
        let mut options = TaskSetOptions::default();
        options.token = Some(given.clone());
        let tasks = TaskSet::with_options("set", options);
        let child = tasks.child("child").unwrap();
        let (stop, childs_stop) = (tasks.token(), child.token());
        tasks.spawn("heeds", async move { stop.cancelled().await }).unwrap();
        child.spawn("heeds", async move { childs_stop.cancelled().await }).unwrap();
        given.cancel();
        until(|| tasks.is_empty() && child.is_empty()).await;
        assert_eq!(tasks.phase(), Phase::Running);
        assert_clean(&tasks.terminate(&long()).await.unwrap());
    });
}

#[test]
fn a_termination_does_not_cancel_a_token_of_the_user_s() {
    on_both(|| async {
        let given = CancellationToken::new();
        let mut options = TaskSetOptions::default();
        options.token = Some(given.clone());
        let tasks = TaskSet::with_options("set", options);
        assert_clean(&tasks.terminate(&long()).await.unwrap());
        assert!(tasks.token().is_cancelled());
        assert!(!given.is_cancelled());
    });
}

#[test]
fn what_ended_before_the_begin_counts_as_completed() {
    on_both(|| async {
        let tasks = TaskSet::new("set");
        tasks.spawn_with_handle("short", async { 7 }).unwrap().await.unwrap();
        until(|| tasks.is_empty()).await;
        let report = tasks.terminate(&long()).await.unwrap();
        assert_eq!((report.counts.completed, report.counts.drained), (1, 0));
    });
}

#[test]
fn a_task_that_ignores_the_token_is_aborted_when_grace_ends() {
    on_both(|| async {
        let (tasks, alive) = (TaskSet::new("set"), Alive::default());
        let guard = alive.guard();
        let line = line!() + 1;
        tasks.spawn("deaf", hold(guard)).unwrap();
        let report = tasks.terminate(&no_grace()).await.unwrap();
        assert_eq!(alive.count(), 0);
        assert_clean(&report);
        assert_eq!(report.counts.aborted, 1);
        assert_eq!(report.tasks[0].name, "deaf");
        assert_eq!(report.tasks[0].outcome, Outcome::Aborted);
        assert_eq!((report.tasks[0].place.file, report.tasks[0].place.line), (file!(), line));
    });
}

#[test]
fn nothing_is_aborted_before_grace_ends() {
    on_both(|| async {
        let (tasks, how) = (TaskSet::new("set"), long());
        let (finish, finished) = oneshot::channel::<()>();
        let task = tasks.spawn_with_handle("slow", async { finished.await.unwrap() }).unwrap();
        tasks.begin_terminate(&how);
        assert_eq!(tasks.phase(), Phase::Draining);
        assert!(tasks.token().is_cancelled());
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert!(!task.is_finished());
        finish.send(()).unwrap();
        task.await.unwrap();
        assert_eq!(tasks.terminate(&how).await.unwrap().counts.drained, 1);
    });
}

#[test]
fn force_ends_grace_and_says_so() {
    on_both(|| async {
        let (tasks, how) = (TaskSet::new("set"), long());
        tasks.spawn("deaf", std::future::pending::<()>()).unwrap();
        tasks.begin_terminate(&how);
        assert_eq!(tasks.phase(), Phase::Draining);
        how.force();
        how.force();
        assert!(how.is_forced());
        let report = tasks.terminate(&how).await.unwrap();
        assert_clean(&report);
        assert_eq!(report.counts.aborted, 1);
        assert_eq!(report.grace_cut, Some(GraceCut::Forced));
    });
}

#[test]
fn a_shutdown_forced_before_the_begin_has_no_grace() {
    on_both(|| async {
        let (tasks, how) = (TaskSet::new("set"), long());
        tasks.spawn("deaf", std::future::pending::<()>()).unwrap();
        how.force();
        assert_eq!(tasks.terminate(&how).await.unwrap().counts.aborted, 1);
    });
}

#[test]
fn an_empty_set_ends_at_once() {
    on_both(|| async {
        let tasks = TaskSet::new("empty");
        let report = tasks.terminate(&Shutdown::now()).await.unwrap();
        assert_clean(&report);
        assert_eq!(report.name, "empty");
        tasks.ended().await;
    });
}

#[test]
fn ended_is_ready_only_when_nothing_lives() {
    on_both(|| async {
        let (tasks, watcher) = (TaskSet::new("set"), TaskSet::new("watcher"));
        let (finish, finished) = oneshot::channel::<()>();
        tasks.spawn("slow", finished).unwrap();
        let ended = watcher
            .spawn_with_handle("watcher", {
                let tasks = tasks.clone();
                async move { tasks.ended().await }
            })
            .unwrap();
        tasks.begin_terminate(&long());
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert!(!ended.is_finished());
        finish.send(()).unwrap();
        ended.await.unwrap();
        assert_eq!(tasks.phase(), Phase::Terminated);
        assert_clean(&watcher.terminate(&long()).await.unwrap());
    });
}

#[test]
fn the_report_of_a_running_set_has_no_stragglers() {
    on_both(|| async {
        let tasks = TaskSet::new("set");
        tasks.spawn("works", std::future::pending::<()>()).unwrap();
        assert_clean(&tasks.report());
        tasks.begin_terminate(&long());
        let report = tasks.report();
        assert_eq!(report.stragglers().map(|found| found.to_string()).collect::<Vec<_>>(), ["set/works"]);
        assert_clean(&tasks.terminate(&no_grace()).await.unwrap());
    });
}

async fn hold<T>(_held: T) {
    std::future::pending::<()>().await;
}

/// It is not deaf: it is woken, and goes on.
#[test]
fn a_task_that_swallows_its_cancellation_for_ever_is_aborted_when_grace_ends() {
    on_both(|| async {
        let (tasks, alive, how) = (TaskSet::new("set"), Alive::default(), long());
        let (swallowed, swallows) = oneshot::channel();
        let (stop, guard) = (tasks.token(), alive.guard());
        let swallowing = async move {
            let _guard = guard;
            let mut swallowed = Some(swallowed);
            loop {
                stop.cancelled().await;
                swallowed.take().map(|swallowed| swallowed.send(()));
                tokio::task::yield_now().await;
            }
        };
        tasks.spawn("swallows", swallowing).unwrap();
        tasks.begin_terminate(&how);
        swallows.await.unwrap();
        assert_eq!((tasks.phase(), alive.count()), (Phase::Draining, 1));
        how.force();
        let report = tasks.terminate(&how).await.unwrap();
        assert_clean(&report);
        assert_eq!((report.counts.aborted, alive.count()), (1, 0));
    });
}

#[test]
fn ten_thousand_pending_tasks_drain_and_none_is_aborted() {
    on_both(|| async {
        let (tasks, alive) = (TaskSet::new("set"), Alive::default());
        for _ in 0..10_000 {
            let (stop, guard) = (tasks.token(), alive.guard());
            let drains = async move {
                let _guard = guard;
                stop.cancelled().await;
                tokio::task::yield_now().await;
            };
            tasks.spawn("drains", drains).unwrap();
        }
        let report = tasks.terminate(&long()).await.unwrap();
        assert_clean(&report);
        assert_eq!(alive.count(), 0);
        assert_eq!((report.counts.drained, report.tasks.len()), (10_000, 0), "{report}");
    });
}
