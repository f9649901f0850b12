//! Children that never come up, never end, or do not listen, and ends in the midst of something else.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use landfall_lifecycle::{TaskSet, Terminate};
use landfall_supervise::{
    Backoff, ChildSpec, ChildState, Exit, RestartType, ShutdownPolicy, StartChildError, StartError, Strategy,
    Supervisor,
};
use tokio::sync::Notify;

use crate::harness::*;

/// A worker that never says that it is up.
fn never_up(diary: &Diary, id: &'static str) -> ChildSpec {
    let diary = diary.clone();
    ChildSpec::worker(id, move |_cx| {
        let diary = diary.clone();
        async move {
            diary.write(format!("start {id}"));
            let _gone = Line(diary, format!("gone {id}"));
            std::future::pending::<()>().await;
        }
    })
    .signals_ready(secs(3))
}

/// Whatever it is, a start that takes too long is aborted at its limit, and its cause says so.
#[test]
fn children_that_never_come_up_are_aborted_at_their_start_limit() {
    guarded(async {
        let diary = Diary::default();
        let tree = builder("app").start().await.unwrap();
        let component = ChildSpec::component("set", std::future::pending::<Result<TaskSet, Infallible>>);
        let inner = diary.clone();
        let below = ChildSpec::supervisor("below", move || {
            Supervisor::builder("below").child(never_up(&inner, "worker").start_limit(secs(60)))
        });
        for (spec, id) in [
            (never_up(&diary, "worker"), "worker"),
            (component.start_limit(secs(3)), "set"),
            (below.start_limit(secs(3)), "below"),
        ] {
            let before = tokio::time::Instant::now();
            let error = tree.start_child(spec).await.unwrap_err();
            let cause = Exit::StartTimedOut { limit: secs(3) };
            assert_eq!(error, StartChildError::Failed { id: id.into(), cause });
            assert_eq!(before.elapsed().as_secs(), 3);
            assert_eq!(tree.which_child(id), None);
        }
        assert_eq!(diary.read(), ["start worker", "gone worker", "start worker", "gone worker"]);
        end(&tree).await;
    });
}

#[test]
fn a_static_child_that_never_comes_up_fails_the_start_and_those_before_it_are_stopped() {
    guarded(async {
        let diary = Diary::default();
        let start =
            builder("app").child(diary.worker("a")).child(never_up(&diary, "b")).child(diary.worker("c")).start();
        let error = start.await.unwrap_err();
        assert!(matches!(&error, StartError::Child { child, .. } if child.as_str() == "b"), "{error}");
        assert!(error.to_string().contains("not ready within 3s"), "{error}");
        assert_eq!(diary.read(), ["start a", "start b", "gone b", "stop a", "gone a"]);
    });
}

/// Without a word, three levels down: each is aborted at its own limit, and all has gone.
#[test]
fn children_that_do_not_listen_are_aborted_level_by_level() {
    guarded(async {
        let diary = Diary::default();
        let deaf = |diary: &Diary, id: &'static str| never_up(diary, id).signals_ready(secs(60)).shutdown(secs(2));
        let inner = diary.clone();
        let below = move || {
            let diary = inner.clone();
            Supervisor::builder("below")
                .answers_early()
                .child(deaf(&diary, "b"))
                .child(ChildSpec::supervisor("lowest", move || {
                    Supervisor::builder("lowest").answers_early().child(deaf(&diary, "c"))
                }))
        };
        let tree = builder("app").answers_early().child(deaf(&diary, "a")).child(ChildSpec::supervisor("below", below));
        let tree = tree.start().await.unwrap();
        // The first one is not up yet, so the others have not been started.
        diary.has("start a", 1).await;
        let before = tokio::time::Instant::now();
        end(&tree).await;
        assert_eq!((before.elapsed().as_secs(), diary.read().len()), (2, 2));
    });
}

/// A worker that comes up at once the first time, and then only when it is let.
fn slow_again(diary: &Diary, id: &'static str, go: &Arc<Notify>) -> ChildSpec {
    let (diary, go, first) = (diary.clone(), Arc::clone(go), Arc::new(AtomicBool::new(true)));
    ChildSpec::worker(id, move |cx| {
        let (diary, go, first) = (diary.clone(), Arc::clone(&go), Arc::clone(&first));
        async move {
            diary.write(format!("start {id}"));
            let _gone = Line(diary, format!("gone {id}"));
            if !first.swap(false, Ordering::SeqCst) {
                go.notified().await;
            }
            cx.ready();
            cx.token().cancelled().await;
        }
    })
    .signals_ready(secs(600))
}

/// Under each group strategy, the tree ends while a sibling is being started again: that start is cancelled, and no
/// other child is started any more.
#[test]
fn an_end_in_the_midst_of_a_group_restart_starts_nobody_any_more() {
    guarded(async {
        for strategy in [Strategy::OneForAll, Strategy::RestForOne] {
            let (diary, kick, go) = (Diary::default(), Arc::new(Notify::new()), Arc::new(Notify::new()));
            let tree = builder("app")
                .strategy(strategy)
                .child(diary.kicked("a", &kick, crash()))
                .child(slow_again(&diary, "b", &go).shutdown(secs(2)))
                .child(diary.worker("c"))
                .start()
                .await
                .unwrap();
            diary.has("start c", 1).await;
            kick.notify_one();
            diary.has("start b", 2).await;
            // A call that changes something waits for the group; the end answers it.
            let (answer, ()) = tokio::join!(tree.start_child(diary.worker("d")), async {
                tokio::task::yield_now().await;
                end(&tree).await;
            });
            assert!(matches!(answer, Err(StartChildError::Refused(_))), "{answer:?}");
            let lines = diary.read();
            let count = |line: &str| lines.iter().filter(|known| *known == line).count();
            assert_eq!([count("start a"), count("start b"), count("start c"), count("start d")], [2, 2, 1, 0]);
            assert_eq!([count("gone a"), count("gone b"), count("gone c")], [2, 2, 1]);
            assert_eq!(lines[lines.len() - 2..], ["gone b", "gone a"], "{strategy}");
        }
    });
}

/// The end comes while a stop of the group restart is under way: it is waited for, and nobody is stopped twice.
#[test]
fn an_end_in_the_midst_of_a_group_stop_stops_nobody_twice() {
    guarded(async {
        let (diary, kick) = (Diary::default(), Arc::new(Notify::new()));
        let inner = diary.clone();
        let slow_to_stop = ChildSpec::worker("b", move |cx| {
            let diary = inner.clone();
            async move {
                diary.write("start b");
                cx.token().cancelled().await;
                diary.write("stop b");
                tokio::time::sleep(secs(3)).await;
                diary.write("gone b");
            }
        });
        let tree = builder("app")
            .strategy(Strategy::OneForAll)
            .child(diary.worker("a"))
            .child(slow_to_stop)
            .child(diary.kicked("c", &kick, crash()))
            .start()
            .await
            .unwrap();
        diary.has("start c", 1).await;
        kick.notify_one();
        diary.has("stop b", 1).await;
        let before = tokio::time::Instant::now();
        end(&tree).await;
        assert_eq!(before.elapsed().as_secs(), 3);
        let expected = ["start a", "start b", "start c", "gone c", "stop b", "gone b", "stop a", "gone a"];
        assert_eq!(diary.read(), expected);
    });
}

/// The end comes while a child waits for its delay, below the root: nobody waits for the delay.
#[test]
fn an_end_in_the_midst_of_a_delay_below_does_not_wait_for_it() {
    guarded(async {
        let below = || {
            let fails = ChildSpec::worker("fails", |_cx| async { crash() });
            let delayed = RestartType::Permanent.delayed(Backoff::constant(secs(3_600)));
            Supervisor::builder("below").intensity(0, secs(1)).child(fails.restart(delayed))
        };
        let tree = builder("app").child(ChildSpec::supervisor("below", below)).start().await.unwrap();
        let mut events = tree.events();
        while tree.supervisor("below").unwrap().which_child("fails").unwrap().state != ChildState::Waiting {
            events.recv().await.unwrap().unwrap();
        }
        let before = tokio::time::Instant::now();
        end(&tree).await;
        assert_eq!(before.elapsed().as_secs(), 0);
    });
}

/// A component that never ends, whatever it is told, is stuck; the report names it, and its siblings have gone.
#[test]
fn a_component_that_never_ends_is_named_and_holds_up_nobody() {
    guarded(async {
        let (diary, gone) = (Diary::default(), Arc::new(Notify::new()));
        let tree = builder("app").child(diary.worker("a")).start().await.unwrap();
        let endless = crate::panics::Broken::that_ends_when(&gone);
        tree.start_child(ChildSpec::instance("endless", endless).shutdown(secs(1))).await.unwrap();
        diary.has("start a", 1).await;
        let how = within(10, 14);
        let report = tree.terminate(&how).await.unwrap();
        assert!(how.clock_now() <= how.abort() + secs(1));
        assert!(!report.is_clean());
        assert!(report.to_string().contains("broken"), "{report}");
        assert_eq!(diary.read(), ["start a", "stop a", "gone a"]);
        gone.notify_one();
        tree.ended().await;
    });
}

/// A supervisor that is aborted is not stuck: what is below it is aborted too, and has gone.
#[test]
fn a_supervisor_that_is_aborted_takes_its_children_along() {
    guarded(async {
        for brutal in [true, false] {
            let diary = Diary::default();
            let inner = diary.clone();
            let below = ChildSpec::supervisor("below", move || {
                let deaf = |id| never_up(&inner, id).start_limit(secs(600)).shutdown(secs(600));
                Supervisor::builder("below").answers_early().child(inner.worker("a")).child(deaf("b"))
            });
            let below = if brutal { below.shutdown(ShutdownPolicy::BrutalKill) } else { below.shutdown(secs(2)) };
            let tree = builder("app").child(diary.worker("sibling")).child(below).start().await.unwrap();
            diary.has("start b", 1).await;
            let before = tokio::time::Instant::now();
            tree.terminate_child("below").await.unwrap();
            assert_eq!(before.elapsed().as_secs(), if brutal { 0 } else { 2 });
            assert_eq!(tree.which_child("below").unwrap().state, ChildState::Down);
            assert_eq!(tree.which_child("sibling").unwrap().state, ChildState::Running);
            let lines = diary.read();
            assert!(lines.contains(&"gone a".to_owned()) && lines.contains(&"gone b".to_owned()), "{lines:?}");
            tree.restart_child("below").await.unwrap();
            diary.has("start b", 2).await;
            end(&tree).await;
        }
    });
}
