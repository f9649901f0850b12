//! Outcomes: exact counts, bounded history, what a handle gets.

use landfall_lifecycle::{Outcome, TaskError, TaskSet, TaskSetOptions, Terminate};

use crate::harness::{Alive, Guard, assert_clean, long, no_grace, on_both, until};

async fn hold(_guard: Guard) {
    std::future::pending::<()>().await;
}

/// Case 6: as in the races, and the handle is told.
#[test]
fn an_abort_before_the_first_poll_drops_the_captures() {
    on_both(|| async {
        for _ in 0..500 {
            let (tasks, alive) = (TaskSet::new("set"), Alive::default());
            let guard = alive.guard();
            tasks.spawn("young", hold(guard)).unwrap();
            let guard = alive.guard();
            let task = tasks.spawn_with_handle("young", hold(guard)).unwrap();
            let report = tasks.terminate(&no_grace()).await.unwrap();
            assert_eq!(alive.count(), 0);
            assert_eq!(report.counts.aborted, 2);
            assert_eq!(task.await, Err(TaskError::Aborted));
        }
    });
}

#[test]
fn a_handle_that_gives_its_result_belongs_to_a_task_that_has_left() {
    on_both(|| async {
        let tasks = TaskSet::new("set");
        for _ in 0..5_000 {
            let mut task = tasks.spawn_with_handle("short", async {}).unwrap();
            // Polled without being woken, to see the result at its earliest.
            while futures_util::poll!(&mut task).is_pending() {
                tokio::task::yield_now().await;
            }
            assert!(tasks.is_empty());
        }
        assert_eq!(tasks.terminate(&long()).await.unwrap().counts.completed, 5_000);
    });
}

#[test]
fn every_end_is_counted_once() {
    on_both(|| async {
        let tasks = TaskSet::new("set");
        for _ in 0..5 {
            tasks.spawn("completes", async {}).unwrap();
        }
        for _ in 0..4 {
            tasks.spawn("panics", async { panic!("planned") }).unwrap();
        }
        until(|| tasks.is_empty()).await;
        let stop = tasks.token();
        for _ in 0..3 {
            let stop = stop.clone();
            tasks.spawn("drains", async move { stop.cancelled().await }).unwrap();
        }
        for _ in 0..2 {
            tasks.spawn("deaf", std::future::pending::<()>()).unwrap();
        }
        let how = long();
        tasks.begin_terminate(&how);
        until(|| tasks.len() == 2).await;
        how.force();
        let report = tasks.terminate(&how).await.unwrap();
        let counts = report.counts;
        assert_eq!((counts.completed, counts.panicked, counts.drained, counts.aborted), (5, 4, 3, 2));
        assert_eq!((counts.never_started, counts.runtime_gone, counts.stragglers), (0, 0, 0));
        assert_eq!(report.tasks.len(), 6);
        assert_clean(&report);
    });
}

#[test]
fn history_is_bounded_and_the_rest_is_counted() {
    on_both(|| async {
        for outcomes_max in [0, 1, 3] {
            let mut options = TaskSetOptions::default();
            options.outcomes_max = outcomes_max;
            let tasks = TaskSet::with_options("set", options);
            for number in 0..10 {
                tasks.spawn(format!("panics-{number}"), async { panic!("planned") }).unwrap();
                until(|| tasks.is_empty()).await;
            }
            let report = tasks.terminate(&long()).await.unwrap();
            assert_eq!(report.counts.panicked, 10);
            let names: Vec<_> = report.tasks.iter().map(|task| &*task.name).collect();
            assert_eq!(names, ["panics-7", "panics-8", "panics-9"][3 - outcomes_max..]);
            assert_eq!(report.tasks_omitted, 10 - outcomes_max as u64);
        }
    });
}

#[test]
fn the_abort_of_all_does_not_push_out_what_went_wrong_before() {
    on_both(|| async {
        let mut options = TaskSetOptions::default();
        options.outcomes_max = 3;
        let tasks = TaskSet::with_options("set", options);
        tasks.spawn("panics", async { panic!("planned") }).unwrap();
        until(|| tasks.is_empty()).await;
        for _ in 0..10 {
            tasks.spawn("deaf", std::future::pending::<()>()).unwrap();
        }
        let report = tasks.terminate(&no_grace()).await.unwrap();
        let names: Vec<_> = report.tasks.iter().map(|task| &*task.name).collect();
        assert_eq!(names, ["panics", "deaf", "deaf"]);
        assert_eq!((report.counts.aborted, report.tasks_omitted), (10, 8));
    });
}

#[test]
fn a_held_handle_gets_the_output_and_a_dropped_one_detaches() {
    on_both(|| async {
        let (tasks, alive) = (TaskSet::new("set"), Alive::default());
        let guard = alive.guard();
        let held = tasks.spawn_with_handle("held", async move { guard }).unwrap();
        let guard = alive.guard();
        drop(tasks.spawn_with_handle("dropped", async move { guard }).unwrap());
        let report = tasks.terminate(&long()).await.unwrap();
        assert_clean(&report);
        assert_eq!(report.counts.drained + report.counts.completed, 2);
        assert_eq!(alive.count(), 1, "an output in a held handle is handed out");
        assert!(held.is_finished());
        drop(held.await.unwrap());
        assert_eq!(alive.count(), 0);
    });
}

#[test]
fn an_output_nobody_took_goes_with_the_handle() {
    on_both(|| async {
        let (tasks, alive) = (TaskSet::new("set"), Alive::default());
        let guard = alive.guard();
        let held = tasks.spawn_with_handle("held", async move { guard }).unwrap();
        until(|| held.is_finished()).await;
        drop(held);
        assert_eq!(alive.count(), 0);
        assert_clean(&tasks.terminate(&long()).await.unwrap());
    });
}

#[test]
fn aborting_one_task_leaves_the_others() {
    on_both(|| async {
        let (tasks, alive) = (TaskSet::new("set"), Alive::default());
        let guard = alive.guard();
        let victim = tasks.spawn_with_handle("victim", hold(guard)).unwrap();
        let guard = alive.guard();
        tasks.spawn("other", hold(guard)).unwrap();
        tokio::task::yield_now().await;
        assert!(tasks.abort(victim.id()));
        let id = victim.id();
        assert_eq!(victim.await, Err(TaskError::Aborted));
        until(|| tasks.len() == 1).await;
        assert!(!tasks.abort(id), "it has ended");
        assert_eq!(alive.count(), 1);
        let report = tasks.terminate(&no_grace()).await.unwrap();
        assert_eq!(report.counts.aborted, 2);
        assert!(report.tasks.iter().all(|task| task.outcome == Outcome::Aborted));
    });
}

#[test]
fn a_task_may_abort_itself() {
    on_both(|| async {
        let tasks = TaskSet::new("set");
        let weak = tasks.downgrade();
        let task = tasks
            .spawn_with_handle("suicidal", async move {
                let tasks = weak.upgrade().unwrap();
                let own = tasks.live()[0].id;
                assert!(tasks.abort(own));
                assert!(!tasks.abort(own), "asked already");
                drop(tasks);
                std::future::pending::<()>().await;
            })
            .unwrap();
        assert_eq!(task.await, Err(TaskError::Aborted));
        assert_clean(&tasks.terminate(&long()).await.unwrap());
    });
}

#[test]
fn dropping_an_abort_on_drop_handle_aborts() {
    on_both(|| async {
        let (tasks, alive) = (TaskSet::new("set"), Alive::default());
        let guard = alive.guard();
        let task = tasks.spawn_with_handle("scoped", hold(guard)).unwrap().abort_on_drop();
        let gives = tasks.spawn_with_handle("gives", async { 3 }).unwrap().abort_on_drop();
        assert_eq!(gives.await, Ok(3));
        drop(task);
        until(|| tasks.is_empty()).await;
        assert_eq!(alive.count(), 0);
        assert_eq!(tasks.terminate(&long()).await.unwrap().counts.aborted, 1);
    });
}
