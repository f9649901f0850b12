//! Supervisors below supervisors.

use std::sync::Arc;

use landfall_lifecycle::Terminate;
use landfall_supervise::{
    AutoShutdown, ChildSpec, ChildState, EndCause, Exit, RestartType, SimpleSupervisor, StartError, StuckPolicy,
    Supervisor, Template,
};
use tokio::sync::Notify;

use crate::harness::*;

#[test]
fn a_supervisor_that_gives_up_is_restarted_by_the_one_above() {
    guarded(async {
        let (diary, kick) = (Diary::default(), Arc::new(Notify::new()));
        let below = {
            let (diary, kick) = (diary.clone(), Arc::clone(&kick));
            move || {
                Supervisor::builder("below").intensity(0, secs(5)).child(diary.worker("sibling")).child(diary.kicked(
                    "worker",
                    &kick,
                    crash(),
                ))
            }
        };
        let tree = builder("app").child(ChildSpec::supervisor("below", below)).start().await.unwrap();
        let before = tree.supervisor("below").unwrap();
        diary.has("start worker", 1).await;
        kick.notify_one();
        diary.has("start worker", 2).await;
        before.ended().await;
        assert_eq!(before.end_cause(), Some(EndCause::IntensityReached { child: "worker".into() }));
        assert_eq!(tree.which_child("below").unwrap().restarts, 1);
        end(&tree).await;
        let expected = [
            "start sibling",
            "start worker",
            "gone worker",
            "stop sibling",
            "gone sibling",
            "start sibling",
            "start worker",
            "gone worker",
            "stop sibling",
            "gone sibling",
        ];
        assert_eq!(diary.read(), expected);
    });
}

/// OTP: significant_escalation.
#[test]
fn auto_shutdown_climbs_through_significant_supervisors_only() {
    guarded(async {
        for significant in [true, false] {
            let (diary, kick) = (Diary::default(), Arc::new(Notify::new()));
            let below = {
                let (diary, kick) = (diary.clone(), Arc::clone(&kick));
                move || {
                    let worker = diary.kicked("worker", &kick, Exit::Normal).restart(RestartType::Transient);
                    Supervisor::builder("below").auto_shutdown(AutoShutdown::AnySignificant).child(worker.significant())
                }
            };
            let mut spec = ChildSpec::supervisor("below", below).restart(RestartType::Transient);
            if significant {
                spec = spec.significant();
            }
            let tree = builder("app").auto_shutdown(AutoShutdown::AnySignificant).child(spec).start().await.unwrap();
            let below = tree.supervisor("below").unwrap();
            diary.has("start worker", 1).await;
            kick.notify_one();
            below.ended().await;
            if significant {
                tree.ended().await;
                assert_eq!(tree.end_cause(), Some(EndCause::AutoShutdown { child: "below".into() }));
            } else {
                assert_eq!(tree.end_cause(), None);
            }
            end(&tree).await;
        }
    });
}

#[test]
fn a_failed_start_below_rolls_back_the_whole_tree() {
    guarded(async {
        let diary = Diary::default();
        let inner = diary.clone();
        let below = move || {
            Supervisor::builder("below")
                .child(inner.worker("b"))
                .child(ChildSpec::worker("c", |_cx| async { crash() }).signals_ready(secs(1)))
        };
        let started =
            builder("app").child(diary.worker("a")).child(ChildSpec::supervisor("below", below)).start().await;
        let error = started.unwrap_err();
        assert!(matches!(&error, StartError::Child { child, .. } if child.as_str() == "below"), "{error}");
        assert!(error.to_string().contains("failed to start child c: failed: crash"), "{error}");
        assert_eq!(diary.read(), ["start a", "start b", "stop b", "gone b", "stop a", "gone a"]);
    });
}

/// supervisor3: post_init.
#[test]
fn a_start_answered_early_fails_as_an_end_and_not_as_a_start() {
    guarded(async {
        let (diary, go) = (Diary::default(), Arc::new(Notify::new()));
        let inner = (diary.clone(), Arc::clone(&go));
        let below = move || {
            let (diary, go) = inner.clone();
            let worker = ChildSpec::worker("worker", move |_cx| {
                let (diary, go) = (diary.clone(), Arc::clone(&go));
                async move {
                    diary.write("start worker");
                    go.notified().await;
                    crash()
                }
            });
            Supervisor::builder("below").answers_early().child(worker.signals_ready(secs(60)))
        };
        let tree = builder("app").child(ChildSpec::supervisor("below", below)).start().await.unwrap();
        diary.has("start worker", 1).await;
        go.notify_one();
        // The late failure ends the supervisor, and the one above restarts it.
        diary.has("start worker", 2).await;
        assert_eq!(tree.which_child("below").unwrap().restarts, 1);
        end(&tree).await;
    });
}

#[test]
fn a_template_below_is_found_with_its_arguments() {
    guarded(async {
        let below = || {
            Supervisor::builder("peers")
                .template(Template::worker("peer", |cx, _name: String| async move { cx.token().cancelled().await }))
        };
        let tree = builder("app").child(ChildSpec::supervisor("peers", below)).start().await.unwrap();
        let peers = SimpleSupervisor::<String>::of(&tree.supervisor("peers").unwrap()).unwrap();
        peers.start_child("one".to_owned()).await.unwrap();
        assert_eq!(tree.tree().children[0].below.as_ref().unwrap().children.len(), 1);
        end(&tree).await;
    });
}

/// OTP: tree.
#[test]
fn dynamic_children_of_a_restarted_supervisor_are_gone() {
    guarded(async {
        let (diary, kick) = (Diary::default(), Arc::new(Notify::new()));
        let below = {
            let (diary, kick) = (diary.clone(), Arc::clone(&kick));
            move || Supervisor::builder("below").intensity(0, secs(5)).child(diary.kicked("static", &kick, crash()))
        };
        let tree = builder("app").child(ChildSpec::supervisor("below", below)).start().await.unwrap();
        tree.supervisor("below").unwrap().start_child(diary.worker("dynamic")).await.unwrap();
        diary.has("start dynamic", 1).await;
        kick.notify_one();
        diary.has("start static", 2).await;
        let ids: Vec<_> =
            tree.supervisor("below").unwrap().which_children().into_iter().map(|child| child.name).collect();
        assert_eq!(ids, ["static".into()]);
        assert_eq!(diary.read().iter().filter(|line| *line == "start dynamic").count(), 1);
        end(&tree).await;
    });
}

/// A supervisor that cannot end for a child that is stuck says so to the one above, which gives up too, by the same
/// rule; nothing is started beside the stuck one. Real time: what blocks a thread cannot be paused.
#[test]
fn what_is_stuck_climbs() {
    guarded_on(2, async {
        let (release, blocked) = std::sync::mpsc::channel::<()>();
        let blocked = Arc::new(std::sync::Mutex::new(Some(blocked)));
        let diary = Diary::default();
        let soon = std::time::Duration::from_millis(10);
        let below = {
            let diary = diary.clone();
            move || {
                let (blocked, diary) = (Arc::clone(&blocked), diary.clone());
                let worker = ChildSpec::worker("blocks", move |_cx| {
                    let (blocked, diary) = (blocked.lock().unwrap().take(), diary.clone());
                    async move {
                        diary.write("start blocks");
                        if let Some(blocked) = blocked {
                            blocked.recv().ok();
                        }
                    }
                });
                Supervisor::builder("below").stuck(StuckPolicy::Escalate, soon).child(worker.shutdown(soon))
            }
        };
        let tree = Supervisor::builder("app")
            .stuck(StuckPolicy::Escalate, soon)
            .child(diary.worker("sibling"))
            .child(ChildSpec::supervisor("below", below))
            .start()
            .await
            .unwrap();
        diary.has("start blocks", 1).await;
        assert!(tree.supervisor("below").unwrap().terminate_child("blocks").await.is_err());
        diary.has("gone sibling", 1).await;
        assert_eq!(tree.which_child("below").unwrap().state, ChildState::Stuck);
        release.send(()).unwrap();
        tree.ended().await;
        assert_eq!(tree.end_cause(), Some(EndCause::Stuck { child: "below".into() }));
        assert_eq!(diary.read().iter().filter(|line| *line == "start blocks").count(), 1);
    });
}
