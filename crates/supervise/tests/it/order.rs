//! Starts in order, ends in reverse, each after the one before; limits.

use std::sync::Arc;

use landfall_lifecycle::Terminate;
use landfall_supervise::{Backoff, ChildSpec, ChildState, EndCause, Exit, RestartType, ShutdownPolicy, Strategy};
use tokio::sync::Notify;

use crate::harness::*;

#[test]
fn children_start_in_order_and_end_in_reverse_each_after_the_one_before() {
    guarded(async {
        let diary = Diary::default();
        let tree = builder("app")
            .child(diary.worker("a"))
            .child(diary.worker("b"))
            .child(diary.worker("c"))
            .start()
            .await
            .unwrap();
        diary.has("start c", 1).await;
        let report = reported_end(&tree).await;
        assert_eq!(
            diary.read(),
            ["start a", "start b", "start c", "stop c", "gone c", "stop b", "gone b", "stop a", "gone a"]
        );
        assert_eq!(tree.end_cause(), Some(EndCause::Terminated));
        assert_eq!(report.counts.stragglers, 0);
        tree.ended().await;
    });
}

#[test]
fn a_child_that_does_not_listen_is_aborted_at_its_limit() {
    guarded(async {
        let diary = Diary::default();
        let deaf = diary.clone();
        let deaf = ChildSpec::worker("deaf", move |_cx| {
            let line = Line(deaf.clone(), "gone deaf".to_owned());
            async move {
                let _line = line;
                std::future::pending::<()>().await;
            }
        });
        let tree = builder("app").child(diary.worker("a")).child(deaf.shutdown(secs(2))).start().await.unwrap();
        diary.has("start a", 1).await;
        let before = tokio::time::Instant::now();
        end(&tree).await;
        assert_eq!(before.elapsed().as_secs(), 2);
        assert_eq!(diary.read(), ["start a", "gone deaf", "stop a", "gone a"]);
    });
}

#[test]
fn infinity_is_the_remaining_budget() {
    guarded(async {
        let tree = builder("app")
            .child(ChildSpec::worker("deaf", |_cx| std::future::pending::<()>()).shutdown(ShutdownPolicy::Infinity))
            .start()
            .await
            .unwrap();
        let before = tokio::time::Instant::now();
        let report = tree.terminate(&within(7, 9)).await.unwrap();
        assert_eq!(before.elapsed().as_secs(), 7);
        assert!(report.is_clean());
    });
}

#[test]
fn a_crash_restarts_the_child_until_the_intensity_is_reached() {
    guarded(async {
        let (diary, kick) = (Diary::default(), Arc::new(Notify::new()));
        let tree = builder("app")
            .intensity(2, secs(5))
            .child(diary.worker("a"))
            .child(diary.kicked("b", &kick, crash()))
            .start()
            .await
            .unwrap();
        for times in 1..=3 {
            diary.has("start b", times).await;
            kick.notify_one();
        }
        tree.ended().await;
        assert_eq!(tree.end_cause(), Some(EndCause::IntensityReached { child: "b".into() }));
        assert_eq!(tree.which_children(), []);
        assert_eq!(diary.read().last().unwrap(), "gone a");
        end(&tree).await;
    });
}

#[test]
fn rest_for_one_restarts_those_after_it() {
    guarded(async {
        let (diary, kick) = (Diary::default(), Arc::new(Notify::new()));
        let tree = builder("app")
            .strategy(Strategy::RestForOne)
            .child(diary.worker("a"))
            .child(diary.kicked("b", &kick, crash()))
            .child(diary.worker("c"))
            .start()
            .await
            .unwrap();
        diary.has("start c", 1).await;
        kick.notify_one();
        diary.has("start c", 2).await;
        assert_eq!(diary.read(), ["start a", "start b", "start c", "gone b", "stop c", "gone c", "start b", "start c"]);
        end(&tree).await;
    });
}

#[test]
fn a_delayed_restart_waits_and_is_shown_to_wait() {
    guarded(async {
        let (diary, kick) = (Diary::default(), Arc::new(Notify::new()));
        let restart = RestartType::Permanent.delayed(Backoff::constant(secs(10)));
        let tree = builder("app")
            .intensity(0, secs(1))
            .child(diary.kicked("a", &kick, crash()).restart(restart))
            .start()
            .await
            .unwrap();
        let mut events = tree.events();
        kick.notify_one();
        let before = tokio::time::Instant::now();
        diary.has("start a", 2).await;
        assert_eq!(before.elapsed().as_secs(), 10);
        let mut states = Vec::new();
        while states.len() < 3 {
            if let landfall_supervise::TreeEventKind::Changed { state, .. } = events.recv().await.unwrap().unwrap().kind
            {
                states.push(state);
            }
        }
        assert_eq!(states, [ChildState::Waiting, ChildState::Restarting, ChildState::Running]);
        end(&tree).await;
    });
}

#[test]
fn an_end_in_the_midst_of_a_delay_or_of_a_start_does_not_wait_for_it() {
    guarded(async {
        let diary = Diary::default();
        let restart = RestartType::Permanent.delayed(Backoff::constant(secs(3_600)));
        let tree = builder("app")
            .intensity(0, secs(1))
            .answers_early()
            .child(ChildSpec::worker("fails", |_cx| async { crash() }).restart(restart))
            .child(diary.worker("hangs").signals_ready(secs(3_600)))
            .start()
            .await
            .unwrap();
        diary.has("start hangs", 1).await;
        let before = tokio::time::Instant::now();
        end(&tree).await;
        assert_eq!(before.elapsed().as_secs(), 0);
        assert_eq!(diary.read(), ["start hangs", "stop hangs", "gone hangs"]);
    });
}

#[test]
fn a_worker_has_ended_when_its_task_set_has() {
    guarded(async {
        let (diary, kick) = (Diary::default(), Arc::new(Notify::new()));
        let (inner, kicked) = (diary.clone(), Arc::clone(&kick));
        let worker = ChildSpec::worker("a", move |cx| {
            let (diary, kick) = (inner.clone(), Arc::clone(&kicked));
            async move {
                diary.write("start a");
                let (tasks, late) = (cx.tasks(), diary.clone());
                let stop = tasks.token();
                tasks
                    .spawn("below", async move {
                        stop.cancelled().await;
                        tokio::time::sleep(secs(3)).await;
                        late.write("gone below");
                    })
                    .unwrap();
                kick.notified().await;
                diary.write("crash a");
                crash()
            }
        });
        let tree = builder("app").child(worker).start().await.unwrap();
        kick.notify_one();
        diary.has("start a", 2).await;
        assert_eq!(diary.read(), ["start a", "crash a", "gone below", "start a"]);
        end(&tree).await;
    });
}

#[test]
fn a_wanted_exit_is_the_workers_own() {
    guarded(async {
        let (diary, kick) = (Diary::default(), Arc::new(Notify::new()));
        let spec = diary.kicked("a", &kick, Exit::ShutdownWith("done".into())).restart(RestartType::Transient);
        let tree = builder("app").child(spec).start().await.unwrap();
        let mut events = tree.events();
        kick.notify_one();
        let event = events.recv().await.unwrap().unwrap();
        assert_eq!(&*event.supervisor, ["app".to_owned()]);
        assert_eq!(tree.which_child("a").unwrap().state, ChildState::Down);
        end(&tree).await;
    });
}
