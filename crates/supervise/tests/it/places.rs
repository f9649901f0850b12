//! Reports name the place where a child's spec was made. In real time where a thread is blocked.

use std::sync::mpsc;
use std::time::Duration;

use landfall_lifecycle::{Outcome, Shutdown, TaskReport, TaskSet, Terminate};
use landfall_supervise::{ChildSpec, Supervisor, Template};

use crate::harness::*;

/// The report of the only task in it, which must have been made on that line of this file.
#[track_caller]
fn is_from(line: u32, tasks: &[TaskReport]) -> &Outcome {
    let [task] = tasks else { panic!("{tasks:?}") };
    assert_eq!((task.place.file, task.place.line), (file!(), line), "{task:?}");
    &task.outcome
}

#[test]
fn an_aborted_child_is_named_with_the_place_of_its_spec() {
    guarded(async {
        let line = line!() + 1;
        let spec = ChildSpec::worker("deaf", |_cx| std::future::pending::<()>());
        let tree = builder("app").child(spec.shutdown(secs(1))).start().await.unwrap();
        let report = tree.terminate(&within(5, 6)).await.unwrap();
        assert_eq!(*is_from(line, &report.tasks), Outcome::Aborted);
    });
}

#[test]
fn an_aborted_instance_is_named_with_the_place_of_its_template() {
    guarded(async {
        let line = line!() + 1;
        let template = Template::worker("deaf", |_cx, (): ()| std::future::pending::<()>());
        let tree = builder("app").template(template.shutdown(secs(1))).start().await.unwrap();
        tree.start_child(()).await.unwrap();
        let report = tree.terminate(&within(5, 6)).await.unwrap();
        assert_eq!(*is_from(line, &report.tasks), Outcome::Aborted);
    });
}

#[test]
fn an_aborted_start_is_named_with_the_place_of_its_spec() {
    guarded(async {
        let tree = builder("app").start().await.unwrap();
        let line = line!() + 1;
        let spec = ChildSpec::component("slow", std::future::pending::<Result<TaskSet, std::io::Error>>);
        assert!(tree.start_child(spec.start_limit(secs(1))).await.is_err());
        let report = tree.terminate(&within(5, 6)).await.unwrap();
        assert_eq!(*is_from(line, &report.tasks), Outcome::Aborted);
    });
}

#[test]
fn a_stuck_child_is_named_with_the_place_of_its_spec() {
    guarded_on(2, async {
        let (release, blocked) = mpsc::channel::<()>();
        let blocked = std::sync::Mutex::new(Some(blocked));
        let diary = Diary::default();
        let inner = diary.clone();
        let line = line!() + 1;
        let worker = ChildSpec::worker("blocks", move |_cx| {
            let (blocked, diary) = (blocked.lock().unwrap().take(), inner.clone());
            async move {
                diary.write("start blocks");
                if let Some(blocked) = blocked {
                    blocked.recv().ok();
                }
            }
        });
        let tree = Supervisor::builder("app").child(worker).start().await.unwrap();
        diary.has("start blocks", 1).await;
        let how = Shutdown::within(Duration::from_millis(10), Duration::from_millis(100));
        let report = tree.terminate(&how).await.unwrap();
        let is_straggler = matches!(is_from(line, &report.tasks), Outcome::Straggler { .. });
        assert!(is_straggler, "{report}");
        release.send(()).unwrap();
        tree.ended().await;
    });
}
