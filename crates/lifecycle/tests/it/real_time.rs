//! Real deadlines: the one module that waits for them. It asserts order and the bound of one second, no figure below.

use std::time::{Duration, Instant};

use landfall_lifecycle::{Activity, Outcome, Report, Shutdown, Stack, TaskSet, Terminate};

use crate::harness::{Hold, Watchdog, assert_clean, current_thread, long, multi_thread, on_both, until_blocking};
use crate::log;

fn soon() -> Shutdown {
    Shutdown::within(Duration::from_millis(50), Duration::from_millis(100))
}

/// P2: not before the abort instant while something lives, and at the latest one second after it.
#[track_caller]
fn check_on_time(how: &Shutdown) {
    let now = Instant::now();
    assert!(now >= how.abort());
    assert!(now <= how.abort() + Duration::from_secs(1), "late by {:?}", now - how.abort());
}

/// Both workers held by tasks that never yield; gives the line they were spawned at.
fn hold_workers(runtime: &tokio::runtime::Runtime, tasks: &TaskSet, hold: &Hold) -> u32 {
    let mut line = 0;
    for count in 1..=2 {
        let holds = hold.clone();
        line = line!() + 1;
        drop(tasks.spawn_on(runtime.handle(), "busy", async move { holds.block() }).unwrap());
        // One by one, so that no worker takes both of them into its queue.
        hold.wait_entered(count);
    }
    line
}

#[track_caller]
fn check_busy(report: &Report, line: u32) {
    assert_eq!(report.counts.stragglers, 2, "{report}");
    for found in report.stragglers() {
        assert_eq!(found.to_string(), "set/busy");
        assert_eq!((found.item.place.file, found.item.place.line), (file!(), line));
        let Outcome::Straggler { activity: Activity::Busy { at_least } } = found.item.outcome else {
            panic!("{report}");
        };
        assert!(at_least > Duration::ZERO);
    }
    assert!(report.to_string().contains(&format!("{}:{line}", file!())), "{report}");
}

/// Case 10: polls that never yield; a later call is clean.
#[test]
fn both_workers_busy_terminate_blocking_is_on_time_and_names_them() {
    let _watched = Watchdog::new();
    let (runtime, tasks, (hold, _release)) = (multi_thread(), TaskSet::new("set"), Hold::new());
    let line = hold_workers(&runtime, &tasks, &hold);
    let how = soon();
    let report = tasks.terminate_blocking(&how).unwrap();
    check_on_time(&how);
    check_busy(&report, line);
    hold.release();
    until_blocking(|| tasks.is_empty());
    assert_clean(&tasks.terminate_blocking(&how).unwrap());
}

/// Case 10: as above, awaited.
#[test]
fn both_workers_busy_terminate_in_block_on_is_on_time_and_names_them() {
    let _watched = Watchdog::new();
    let (runtime, tasks, (hold, _release)) = (multi_thread(), TaskSet::new("set"), Hold::new());
    let line = hold_workers(&runtime, &tasks, &hold);
    let how = soon();
    let report = runtime.block_on(tasks.terminate(&how)).unwrap();
    check_on_time(&how);
    check_busy(&report, line);
    hold.release();
    runtime.block_on(tasks.ended());
    assert_clean(&runtime.block_on(tasks.terminate(&how)).unwrap());
}

#[test]
fn both_workers_busy_a_stack_is_on_time() {
    let _watched = Watchdog::new();
    let (runtime, tasks, (hold, _release)) = (multi_thread(), TaskSet::new("set"), Hold::new());
    let (stack, lower) = (Stack::new("stack"), TaskSet::new("lower"));
    let worker = lower.spawn_thread("thread", |token| until_blocking(|| token.is_cancelled())).unwrap();
    stack.push(lower).unwrap();
    stack.push(tasks.clone()).unwrap();
    hold_workers(&runtime, &tasks, &hold);
    let how = soon();
    let report = runtime.block_on(stack.terminate(&how)).unwrap();
    check_on_time(&how);
    assert_eq!(report.stragglers().filter(|found| found.to_string() == "stack/set/busy").count(), 2, "{report}");
    assert!(worker.is_finished(), "the level below was reached");
    hold.release();
    until_blocking(|| tasks.is_empty());
    assert_clean(&stack.terminate_blocking(&how).unwrap());
    runtime.block_on(stack.ended());
}

/// Case 11: a job that has started and a thread, both deaf.
#[test]
fn blocking_work_and_threads_do_not_make_it_late() {
    on_both(|| async {
        let (tasks, (hold, _release), how) = (TaskSet::new("set"), Hold::new(), soon());
        let (on_pool, on_thread) = (hold.clone(), hold.clone());
        drop(tasks.spawn_blocking("job", move |_| on_pool.block()).unwrap());
        drop(tasks.spawn_thread("thread", move |_| on_thread.block()).unwrap());
        hold.wait_entered(2);
        let report = tasks.terminate(&how).await.unwrap();
        check_on_time(&how);
        assert_eq!(report.counts.stragglers, 2);
        hold.release();
        tasks.ended().await;
        assert_clean(&tasks.terminate(&long()).await.unwrap());
    });
}

#[test]
fn a_forgotten_or_unpolled_future_does_not_make_it_late() {
    on_both(|| async {
        let (tasks, how) = (TaskSet::new("set"), soon());
        let held = tasks.track("held", async {}).unwrap();
        let report = tasks.terminate(&how).await.unwrap();
        check_on_time(&how);
        assert_eq!(
            report.stragglers().next().unwrap().item.outcome,
            Outcome::Straggler { activity: Activity::NotPolled }
        );
        drop(held);
        assert_clean(&tasks.terminate(&how).await.unwrap());
    });
}

#[test]
fn stages_come_in_order() {
    on_both(|| async {
        let (tasks, how) = (TaskSet::new("set"), soon());
        let ended_at = |set: &TaskSet, closing: bool| {
            let (tell, told) = std::sync::mpsc::channel();
            struct Tells(std::sync::mpsc::Sender<Instant>);
            impl Drop for Tells {
                fn drop(&mut self) {
                    self.0.send(Instant::now()).unwrap();
                }
            }
            let tells = Tells(tell);
            let future = async move {
                let _tells = tells;
                std::future::pending::<()>().await;
            };
            if closing { set.spawn_closing("closing", future) } else { set.spawn("task", future) }.unwrap();
            told
        };
        let (task, closing) = (ended_at(&tasks, false), ended_at(&tasks, true));
        assert_clean(&tasks.terminate(&how).await.unwrap());
        let (task, closing) = (task.recv().unwrap(), closing.recv().unwrap());
        assert!(how.grace() <= task && how.abort() <= closing);
    });
}

/// Case 18: a second call ends at the abort instant of the first, which was dropped.
#[test]
fn a_dropped_wait_escalates_at_its_own_instants() {
    let _watched = Watchdog::new();
    for runtime in [current_thread(), multi_thread()] {
        runtime.block_on(async {
            let (tasks, how) = (TaskSet::new("set"), soon());
            tasks.spawn_closing("deaf", std::future::pending::<()>()).unwrap();
            assert!(futures_util::poll!(tasks.terminate(&how)).is_pending());
            // Joins the first one, whose instants are the earlier ones.
            assert_eq!(tasks.terminate(&long()).await.unwrap().counts.aborted, 1);
            assert!(Instant::now() >= how.abort());
        });
    }
}

#[test]
fn an_unclean_end_nobody_awaits_is_a_warning() {
    log::capture();
    let _watched = Watchdog::new();
    let (tasks, (hold, _release)) = (TaskSet::new("unclean-unawaited"), Hold::new());
    let holds = hold.clone();
    drop(tasks.spawn_thread("deaf", move |_| holds.block()).unwrap());
    tasks.begin_terminate(&soon());
    log::wait_for("unclean-unawaited", "awaited by nobody");
    let warnings = log::warnings_with("unclean-unawaited");
    assert!(warnings[0].contains("NOT clean: 1 straggler is left"), "{warnings:?}");
    hold.release();
    until_blocking(|| tasks.is_empty());
}

/// Case 23: with no runtime anywhere, the deadlines are kept all the same.
#[test]
fn the_deadlines_are_kept_outside_of_any_runtime() {
    let _watched = Watchdog::new();
    let (tasks, how) = (TaskSet::new("set"), soon());
    let held = tasks.track("held", std::future::pending::<()>()).unwrap();
    let report = tasks.terminate_blocking(&how).unwrap();
    check_on_time(&how);
    assert_eq!(report.counts.stragglers, 1, "{report}");
    let mut ended = tasks.ended();
    assert!(futures_util::FutureExt::now_or_never(&mut ended).is_none());
    drop(held);
    assert!(futures_util::FutureExt::now_or_never(ended).is_some());
    assert_clean(&tasks.terminate_blocking(&how).unwrap());
}

#[test]
#[expect(clippy::mem_forget, reason = "forgetting is what is tested")]
fn a_forgotten_future_is_a_straggler_by_name_on_time() {
    on_both(|| async {
        let (tasks, how) = (TaskSet::new("set"), soon());
        let mut forgotten = Box::pin(tasks.track("forgotten", std::future::pending::<()>()).unwrap());
        let line = line!() - 1;
        assert!(futures_util::poll!(&mut forgotten).is_pending());
        std::mem::forget(forgotten);
        let report = tasks.terminate(&how).await.unwrap();
        check_on_time(&how);
        let found: Vec<_> = report.stragglers().map(|found| (found.to_string(), found.item.place.line)).collect();
        assert_eq!(found, [("set/forgotten".to_owned(), line)]);
    });
}

/// The control: what only counts waits for a forgotten future for as long as anybody waits for it.
#[test]
#[expect(clippy::mem_forget, reason = "forgetting is what is tested")]
#[expect(clippy::disallowed_types, reason = "the control: it counts, and its runtime ends it")]
fn what_only_counts_waits_for_a_forgotten_future_and_names_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let tracker = tokio_util::task::TaskTracker::new();
        std::mem::forget(tracker.track_future(std::future::pending::<()>()));
        tracker.close();
        assert!(tokio::time::timeout(Duration::from_secs(365 * 24 * 3_600), tracker.wait()).await.is_err());
        assert_eq!(tracker.len(), 1);
    });
}
