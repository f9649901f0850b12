//! Ends that are not asked for in order: dropped handles, blocking children, lost runtimes.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use landfall_lifecycle::{Shutdown, Terminate};
use landfall_supervise::{ChildSpec, ChildState, StartError, StuckPolicy, Supervisor};

use crate::harness::*;

#[test]
fn dropping_the_last_handle_aborts_the_children() {
    guarded(async {
        let diary = Diary::default();
        let tree = builder("app").child(diary.worker("a")).start().await.unwrap();
        diary.has("start a", 1).await;
        drop(tree);
        diary.has("gone a", 1).await;
        assert_eq!(diary.read(), ["start a", "gone a"]);
    });
}

#[test]
fn dropping_a_start_aborts_what_was_started() {
    guarded(async {
        let diary = Diary::default();
        let start = builder("app").child(diary.worker("a")).child(diary.worker("b").signals_ready(secs(60))).start();
        tokio::select! {
            _ = start => panic!("it never comes up"),
            () = diary.has("start b", 1) => {}
        }
        diary.has("gone a", 1).await;
        diary.has("gone b", 1).await;
    });
}

#[test]
fn without_a_runtime_nothing_starts() {
    let start = Supervisor::builder("app").start();
    let error = futures_util::future::FutureExt::now_or_never(start).unwrap().unwrap_err();
    assert!(matches!(error, StartError::Spawn { .. }), "{error}");
}

/// Real time: what blocks a thread cannot be paused.
#[test]
fn a_blocking_child_is_a_straggler_that_is_named_and_the_report_is_on_time() {
    guarded_on(2, async {
        let (release, blocked) = mpsc::channel::<()>();
        let blocked = std::sync::Mutex::new(Some(blocked));
        let (entered, has_entered) = tokio::sync::oneshot::channel();
        let entered = std::sync::Mutex::new(Some(entered));
        let worker = ChildSpec::worker("blocks", move |_cx| {
            let (blocked, entered) = (blocked.lock().unwrap().take(), entered.lock().unwrap().take());
            async move {
                if let (Some(blocked), Some(entered)) = (blocked, entered) {
                    entered.send(()).unwrap();
                    blocked.recv().ok();
                }
            }
        });
        let tree = Supervisor::builder("app").child(worker).start().await.unwrap();
        has_entered.await.unwrap();
        let how = Shutdown::within(Duration::ZERO, Duration::from_millis(100));
        let report = tree.terminate(&how).await.unwrap();
        assert!(Instant::now() <= how.abort() + Duration::from_secs(1));
        let left: Vec<_> = report.stragglers().map(|found| found.item.name.to_string()).collect();
        assert_eq!(left, ["blocks"], "{report}");
        assert!(!report.is_clean());
        release.send(()).unwrap();
        tree.ended().await;
        assert!(tree.terminate(&how).await.unwrap().stragglers().next().is_none());
    });
}

/// Real time, as above: every worker of the runtime is held, so nobody polls the driver.
#[test]
fn the_report_is_on_time_while_all_workers_are_busy() {
    guarded_on(1, async {
        let (release, blocked) = mpsc::channel::<()>();
        let blocked = std::sync::Mutex::new(Some(blocked));
        let (entered, has_entered) = mpsc::channel();
        let worker = ChildSpec::worker("blocks", move |_cx| {
            let (blocked, entered) = (blocked.lock().unwrap().take(), entered.clone());
            async move {
                entered.send(()).unwrap();
                if let Some(blocked) = blocked {
                    blocked.recv().ok();
                }
            }
        });
        let tree = Supervisor::builder("app").answers_early().child(worker).start().await.unwrap();
        // It blocks this thread, which is none of the runtime's workers.
        has_entered.recv().unwrap();
        let how = Shutdown::within(Duration::ZERO, Duration::from_millis(100));
        let report = tree.terminate(&how).await.unwrap();
        assert!(Instant::now() <= how.abort() + Duration::from_secs(1));
        assert_eq!(report.stragglers().count(), 1, "{report}");
        release.send(()).unwrap();
        tree.ended().await;
    });
}

/// Real time, as above.
#[test]
fn no_second_instance_starts_beside_a_stuck_one() {
    guarded_on(2, async {
        let (release, blocked) = mpsc::channel::<()>();
        let blocked = std::sync::Mutex::new(Some(blocked));
        let diary = Diary::default();
        let inner = diary.clone();
        let worker = ChildSpec::worker("blocks", move |cx| {
            let (blocked, diary) = (blocked.lock().unwrap().take(), inner.clone());
            async move {
                diary.write("start blocks");
                if let Some(blocked) = blocked {
                    blocked.recv().ok();
                }
                cx.token().cancelled().await;
            }
        });
        let tree = Supervisor::builder("app")
            .stuck(StuckPolicy::Leave, Duration::from_millis(10))
            .child(worker.shutdown(Duration::from_millis(10)))
            .start()
            .await
            .unwrap();
        diary.has("start blocks", 1).await;
        assert!(tree.terminate_child("blocks").await.is_err());
        assert_eq!(tree.which_child("blocks").unwrap().state, ChildState::Stuck);
        assert!(tree.restart_child("blocks").await.is_err());
        let mut events = tree.events();
        release.send(()).unwrap();
        events.recv().await.unwrap().unwrap();
        assert_eq!(tree.which_child("blocks").unwrap().state, ChildState::Down);
        tree.restart_child("blocks").await.unwrap();
        diary.has("start blocks", 2).await;
        drop(tree.terminate(&Shutdown::within(secs(5), secs(6))).await);
    });
}
