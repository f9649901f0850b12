//! One ending for all callers: concurrent, repeated, dropped midway, tightened, forced, or awaited by nobody.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use landfall_lifecycle::{GraceCut, Phase, Reason, Shutdown, TaskSet, Terminate};
use tokio::sync::oneshot;
use tracing::Level;

use crate::harness::{Watchdog, assert_clean, long, multi_thread, no_grace, on_both, until, until_blocking};
use crate::log;

/// Case 19: callers on tasks and threads, of a set that drains.
#[test]
fn concurrent_callers_get_the_same_report() {
    let _watched = Watchdog::new();
    let runtime = multi_thread();
    for _ in 0..50 {
        let (tasks, callers) = (TaskSet::new("set"), TaskSet::new("callers"));
        let (finish, finished) = oneshot::channel::<()>();
        let waits = async move { finished.await.unwrap() };
        drop(tasks.spawn_on(runtime.handle(), "works", waits).unwrap());
        let how = Arc::new(long().because(Reason::Signal(15)));
        let mut calls = Vec::new();
        for _ in 0..3 {
            let (tasks, how) = (tasks.clone(), Arc::clone(&how));
            let call = async move { tasks.terminate(&how).await.unwrap() };
            calls.push(callers.spawn_on(runtime.handle(), "task", call).unwrap());
        }
        for _ in 0..3 {
            let (tasks, how) = (tasks.clone(), Arc::clone(&how));
            calls.push(callers.spawn_thread("thread", move |_| tasks.terminate_blocking(&how).unwrap()).unwrap());
        }
        until_blocking(|| tasks.phase() == Phase::Draining);
        finish.send(()).unwrap();
        let reports: Vec<_> = calls.into_iter().map(|call| runtime.block_on(call).unwrap()).collect();
        for report in &reports {
            assert_clean(report);
            assert_eq!(report.to_string(), reports[0].to_string());
            assert_eq!(report.took, reports[0].took);
        }
        assert_eq!(reports[0].counts.drained, 1);
        assert_clean(&callers.terminate_blocking(&long()).unwrap());
    }
}

/// Case 20: a call that comes after the end.
#[test]
fn a_later_call_gets_the_same_report_at_once() {
    on_both(|| async {
        let tasks = TaskSet::new("set");
        tasks.spawn("deaf", std::future::pending::<()>()).unwrap();
        let first = tasks.terminate(&no_grace()).await.unwrap();
        let second = tasks.terminate(&long().because(Reason::Signal(2))).await.unwrap();
        assert_eq!(first.to_string(), second.to_string());
        assert_eq!(second.reason, Reason::Requested);
        assert_eq!(tasks.terminate_blocking(&Shutdown::now()).unwrap().took, first.took);
    });
}

#[test]
fn nothing_happens_before_the_first_poll() {
    on_both(|| async {
        let (tasks, how) = (TaskSet::new("set"), long());
        drop(tasks.terminate(&how));
        assert_eq!(tasks.phase(), Phase::Running);
        tasks.spawn("accepted", async {}).unwrap();
        assert_clean(&tasks.terminate(&how).await.unwrap());
    });
}

/// Case 18: a call that is dropped midway.
#[test]
fn a_dropped_call_loses_nothing() {
    on_both(|| async {
        let (tasks, how) = (TaskSet::new("set"), long());
        tasks.spawn("deaf", std::future::pending::<()>()).unwrap();
        {
            let mut call = tasks.terminate(&how);
            assert!(futures_util::poll!(&mut call).is_pending());
        }
        assert_eq!(tasks.phase(), Phase::Draining);
        // The escalation needs no caller.
        how.force();
        tasks.ended().await;
        assert_eq!(tasks.terminate(&long()).await.unwrap().counts.aborted, 1);
    });
}

#[test]
fn earlier_instants_tighten() {
    on_both(|| async {
        let tasks = TaskSet::new("set");
        let child = tasks.child("child").unwrap();
        tasks.spawn("deaf", std::future::pending::<()>()).unwrap();
        child.spawn("deaf", std::future::pending::<()>()).unwrap();
        tasks.begin_terminate(&long());
        assert_eq!(child.phase(), Phase::Draining);
        let report = tasks.terminate(&no_grace()).await.unwrap();
        assert_clean(&report);
        assert_eq!((report.counts.aborted, report.children[0].counts.aborted), (1, 1));
    });
}

#[test]
fn later_instants_do_not_loosen() {
    on_both(|| async {
        let tasks = TaskSet::new("set");
        tasks.spawn_closing("holds the set open", std::future::pending::<()>()).unwrap();
        tasks.begin_terminate(&no_grace());
        until(|| tasks.phase() == Phase::Aborting).await;
        tasks.begin_terminate(&long());
        assert_eq!(tasks.phase(), Phase::Aborting);
        assert_clean(&tasks.terminate(&Shutdown::now()).await.unwrap());
    });
}

#[test]
fn a_termination_nobody_awaits_ends_and_logs_its_report() {
    log::capture();
    on_both(|| async {
        let name = format!("unawaited-{:?}", tokio::runtime::Handle::current().runtime_flavor());
        let tasks = TaskSet::new(name.clone());
        let stop = tasks.token();
        tasks.spawn("heeds", async move { stop.cancelled().await }).unwrap();
        tasks.begin_terminate(&long());
        let is_logged = || log::lines_with(&name).iter().any(|(_, line)| line.contains("awaited by nobody"));
        until(is_logged).await;
        let lines = log::lines_with(&name);
        let (level, line) = lines.iter().find(|(_, line)| line.contains("awaited by nobody")).unwrap();
        assert_eq!(*level, Level::INFO);
        assert!(line.contains("clean: nothing is left"), "{line}");
        assert_eq!(log::warnings_with(&name), [""; 0]);
    });
}

#[test]
fn a_termination_that_is_awaited_is_not_logged() {
    log::capture();
    on_both(|| async {
        let tasks = TaskSet::new("awaited-once");
        assert_clean(&tasks.terminate(&long()).await.unwrap());
        assert!(!log::lines_with("awaited-once").iter().any(|(_, line)| line.contains("nobody")));
    });
}

#[test]
fn force_reaches_owners_nobody_awaits() {
    let _watched = Watchdog::new();
    let runtime = multi_thread();
    for _ in 0..300 {
        let how = long();
        let sets: Vec<_> = (0..3).map(|_| TaskSet::new("set")).collect();
        for tasks in &sets {
            drop(tasks.spawn_on(runtime.handle(), "deaf", std::future::pending::<()>()).unwrap());
            tasks.begin_terminate(&how);
        }
        how.force();
        for tasks in &sets {
            until_blocking(|| tasks.phase() == Phase::Terminated);
        }
    }
}

/// A child that had begun by a shutdown of its own was not told, and ended by its own instants.
#[test]
fn force_reaches_a_child_set_that_ends_by_another_shutdown() {
    on_both(|| async {
        for is_awaited in [false, true] {
            let parent = TaskSet::new("parent");
            let child = parent.child("child").unwrap();
            child.spawn("deaf", std::future::pending::<()>()).unwrap();
            child.begin_terminate(&long());
            let how = later();
            parent.begin_terminate(&how);
            if is_awaited {
                let (report, ()) = futures_util::join!(parent.terminate(&how), async { how.force() });
                assert_clean(&report.unwrap());
            } else {
                how.force();
                parent.ended().await;
            }
            assert_eq!(parent.report().grace_cut, Some(GraceCut::Forced));
        }
    });
}

/// The report came and nobody took it: it is in the log then.
#[test]
fn a_wait_that_is_dropped_after_the_end_leaves_the_report_to_the_log() {
    log::capture();
    on_both(|| async {
        let name = format!("dropped-late-{:?}", tokio::runtime::Handle::current().runtime_flavor());
        let tasks = TaskSet::new(name.clone());
        let (let_go, held) = oneshot::channel::<()>();
        tasks.spawn("held", async move { drop(held.await) }).unwrap();
        let how = long();
        let mut wait = tasks.terminate(&how);
        assert!(futures_util::poll!(&mut wait).is_pending());
        drop(let_go);
        until(|| tasks.phase() == Phase::Terminated && tasks.ended().now_or_never().is_some()).await;
        drop(wait);
        log::wait_for(&name, "awaited by nobody");
    });
}

#[test]
fn a_waiting_caller_s_force_holds_for_the_whole_tree() {
    on_both(|| async {
        let (tasks, mine) = (TaskSet::new("set"), later());
        let child = tasks.child("child").unwrap();
        tasks.spawn("deaf", std::future::pending::<()>()).unwrap();
        child.spawn("deaf", std::future::pending::<()>()).unwrap();
        // Somebody else began, with a shutdown of his own.
        tasks.begin_terminate(&long());
        let mut call = tasks.terminate(&mine);
        assert!(futures_util::poll!(&mut call).is_pending());
        mine.force();
        let report = call.await.unwrap();
        assert_clean(&report);
        assert_eq!((report.counts.aborted, report.children[0].counts.aborted), (1, 1));
    });
}

#[test]
fn a_forced_shutdown_tightens_whoever_began() {
    on_both(|| async {
        let (tasks, second) = (TaskSet::new("set"), later());
        tasks.spawn("deaf", std::future::pending::<()>()).unwrap();
        tasks.begin_terminate(&long());
        second.force();
        tasks.begin_terminate(&second);
        tasks.ended().await;
        assert_eq!(tasks.report().counts.aborted, 1);
    });
}

/// With instants that tighten nothing.
fn later() -> Shutdown {
    Shutdown::within(Duration::from_secs(8_000), Duration::from_secs(9_000))
}
