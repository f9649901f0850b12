//! Children that are owners of background work.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use landfall_lifecycle::{Shutdown, TaskSet, Terminate};
use landfall_supervise::{ChildSpec, Declined, RestartType, StartChildError, TreeEventKind};

use crate::harness::*;

fn set(diary: &Diary, made: &Arc<Mutex<Vec<TaskSet>>>) -> ChildSpec {
    let (diary, made) = (diary.clone(), Arc::clone(made));
    ChildSpec::component("set", move || {
        let (diary, made) = (diary.clone(), Arc::clone(&made));
        async move {
            let tasks = TaskSet::new("set");
            let stop = tasks.token();
            let line = Line(diary.clone(), "gone task".to_owned());
            diary.write("start set");
            tasks
                .spawn("task", async move {
                    let _line = line;
                    stop.cancelled().await;
                })
                .unwrap();
            made.lock().unwrap().push(tasks.clone());
            Ok::<_, Infallible>(tasks)
        }
    })
}

#[test]
fn a_component_that_ends_is_restarted_and_ends_with_the_tree() {
    guarded(async {
        let (diary, made) = (Diary::default(), Arc::default());
        let tree = builder("app").child(diary.worker("a")).child(set(&diary, &made)).start().await.unwrap();
        let first = made.lock().unwrap()[0].clone();
        drop(first.terminate(&Shutdown::now()).await);
        diary.has("start set", 2).await;
        let report = reported_end(&tree).await;
        assert_eq!(report.children[0].name, "set");
        let lines = diary.read();
        assert_eq!(lines[lines.len() - 3..], ["gone task", "stop a", "gone a"]);
    });
}

#[test]
fn a_component_that_ended_for_an_error_or_a_panic_has_crashed() {
    guarded(async {
        let tree = builder("app").start().await.unwrap();
        let tasks = TaskSet::new("set");
        tree.start_child(ChildSpec::instance("set", tasks.clone())).await.unwrap();
        let mut events = tree.events();
        let task = tasks.spawn_with_handle("task", async { panic!("ouch") }).unwrap();
        task.await.unwrap_err();
        tasks.begin_terminate(&within(1, 2));
        let reported = loop {
            if let TreeEventKind::Reported(report) = events.recv().await.unwrap().unwrap().kind {
                break report;
            }
        };
        assert!(reported.to_string().contains("context: child_terminated"), "{reported}");
        assert!(reported.to_string().contains("offender: set"), "{reported}");
        assert_eq!(tree.which_children(), []);
        end(&tree).await;
    });
}

#[test]
fn an_instance_can_only_be_temporary() {
    guarded(async {
        let tree = builder("app").start().await.unwrap();
        let spec = ChildSpec::instance("set", TaskSet::new("set")).restart(RestartType::Permanent);
        let error = tree.start_child(spec).await.unwrap_err();
        assert!(matches!(error, StartChildError::Spec(_)), "{error}");
        end(&tree).await;
    });
}

#[test]
fn a_component_may_decline_and_its_start_may_be_cancelled() {
    guarded(async {
        let diary = Diary::default();
        let tree = builder("app").start().await.unwrap();
        let declines = ChildSpec::component("declines", || async { Err::<TaskSet, _>(Declined) });
        assert_eq!(tree.start_child(declines).await.unwrap().instance, None);
        let inner = diary.clone();
        let hangs = ChildSpec::component("hangs", move || {
            let diary = inner.clone();
            async move {
                diary.write("start hangs");
                let _line = Line(diary, "gone hangs".to_owned());
                std::future::pending::<Result<TaskSet, Infallible>>().await
            }
        });
        let (started, deleted) = tokio::join!(tree.start_child(hangs), async {
            diary.has("start hangs", 1).await;
            tree.delete_child("hangs").await
        });
        assert_eq!(started.unwrap_err(), StartChildError::Cancelled { id: "hangs".into() });
        deleted.unwrap();
        assert_eq!(diary.read(), ["start hangs", "gone hangs"]);
        end(&tree).await;
    });
}

#[test]
fn a_component_that_does_not_drain_is_aborted_at_its_limit() {
    guarded(async {
        let tree = builder("app").start().await.unwrap();
        let tasks = TaskSet::new("set");
        tasks.spawn("deaf", std::future::pending::<()>()).unwrap();
        tree.start_child(ChildSpec::instance("set", tasks).shutdown(secs(3))).await.unwrap();
        let before = tokio::time::Instant::now();
        let report = reported_end(&tree).await;
        assert_eq!(before.elapsed().as_secs(), 3);
        assert_eq!(report.children[0].counts.aborted, 1);
    });
}
