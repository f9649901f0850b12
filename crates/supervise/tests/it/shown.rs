//! The tree as text, and the check of limits.

use landfall_lifecycle::TaskSet;
use landfall_supervise::{ChildSpec, Lagged, RestartType, Supervisor, TreeEventKind};

use crate::harness::*;

fn worker(id: &'static str) -> ChildSpec {
    ChildSpec::worker(id, |cx| async move { cx.token().cancelled().await })
}

#[test]
fn a_tree_is_shown_for_people() {
    guarded(async {
        let below = || Supervisor::builder("below").child(worker("b")).child(worker("c"));
        let tree = builder("app")
            .child(ChildSpec::component("pool", || async { Ok::<_, std::io::Error>(TaskSet::new("pool")) }))
            .child(ChildSpec::supervisor("below", below))
            .child(worker("a"))
            .start()
            .await
            .unwrap();
        tree.terminate_child("a").await.unwrap();
        let text = tree.tree().to_string();
        let without_numbers: String = text.chars().filter(|c| !c.is_ascii_digit()).collect();
        assert_eq!(
            without_numbers,
            "app  one-for-one\n\
         ├─ pool  running  permanent component, instance .\n\
         ├─ below  running  permanent supervisor, instance ., one-for-one\n\
         │  ├─ b  running  permanent worker, instance .\n\
         │  └─ c  running  permanent worker, instance .\n\
         └─ a  down  permanent worker"
        );
        end(&tree).await;
        assert_eq!(tree.tree().to_string(), "app  one-for-one  ended: terminated");
    });
}

#[test]
fn limits_that_cannot_fit_are_named() {
    guarded(async {
        let below = || Supervisor::builder("below").child(worker("b").shutdown(secs(8)));
        let tree = builder("app")
            .child(ChildSpec::supervisor("below", below))
            .child(worker("a").shutdown(secs(4)))
            .start()
            .await
            .unwrap();
        tree.check_limits(secs(12)).unwrap();
        let error = tree.check_limits(secs(11)).unwrap_err();
        assert_eq!((error.supervisor.as_str(), error.needed), ("app", secs(12)));
        let error = tree.check_limits(secs(7)).unwrap_err();
        assert_eq!(error.supervisor, "below");
        end(&tree).await;
    });
}

#[test]
fn a_reader_that_is_too_slow_is_told_what_it_missed() {
    guarded(async {
        let tree = builder("app").start().await.unwrap();
        let mut events = tree.events();
        for _ in 0..300 {
            tree.start_child(worker("a").restart(RestartType::Temporary)).await.unwrap();
            tree.terminate_child("a").await.unwrap();
        }
        end(&tree).await;
        let Lagged { missed } = events.recv().await.unwrap().unwrap_err();
        let mut read = 0;
        while let Some(Ok(event)) = events.recv().await {
            read += 1;
            if matches!(event.kind, TreeEventKind::Ended(_)) {
                break;
            }
        }
        // Starting, running, stopping, down for each child, and the end.
        assert_eq!((read, missed + read), (1_024, 300 * 4 + 1));
    });
}

#[cfg(feature = "serde")]
#[test]
fn a_tree_is_shown_for_programs() {
    guarded(async {
        let tree = builder("app").child(worker("a")).start().await.unwrap();
        let json = serde_json::to_value(tree.tree()).unwrap();
        assert_eq!(json["children"][0]["state"], "running");
        assert_eq!(json["children"][0]["id"], "a");
        end(&tree).await;
    });
}

/// The stream ends with the tree, though handles are left; who asks later hears at once that there is nothing more.
#[test]
fn events_end_with_the_tree() {
    guarded(async {
        let diary = Diary::default();
        let inner = diary.clone();
        let below = ChildSpec::supervisor("below", move || Supervisor::builder("below").child(inner.worker("a")));
        let tree = builder("app").child(below).start().await.unwrap();
        diary.has("start a", 1).await;
        let mut all = tree.events();
        let mut some = tree.supervisor("below").unwrap().events();
        end(&tree).await;
        let mut lines = Vec::new();
        while let Some(event) = all.recv().await {
            lines.push(event.unwrap().to_string());
        }
        let before_instance = |line: &String| line.split(", instance").next().unwrap().to_owned();
        let expected = [
            "app: below  stopping",
            "app/below: a  stopping",
            "app/below: a  down",
            "app/below: ended: terminated",
            "app: below  down",
            "app: ended: terminated",
        ];
        assert_eq!(lines.iter().map(before_instance).collect::<Vec<_>>(), expected);
        let mut count = 0;
        while some.recv().await.is_some() {
            count += 1;
        }
        assert_eq!(count, 3);
        assert!(tree.events().recv().await.is_none());
        assert!(all.recv().await.is_none());
    });
}

#[cfg(feature = "serde")]
#[test]
fn events_and_reports_are_shown_for_programs() {
    guarded(async {
        let tree = builder("app").start().await.unwrap();
        let mut events = tree.events();
        tree.start_child(ChildSpec::task("fails", |_cx| async { crash() })).await.unwrap();
        let reported = loop {
            let event = events.recv().await.unwrap().unwrap();
            if let landfall_supervise::TreeEventKind::Reported(_) = event.kind {
                break event;
            }
        };
        let text = "app: child_terminated: failed: crash; fails (instance";
        assert!(reported.to_string().starts_with(text), "{reported}");
        let json = serde_json::to_value(&reported).unwrap();
        let report = &json["kind"]["reported"];
        assert_eq!(json["supervisor"][0], "app");
        assert_eq!((&report["context"], &report["reason"]), (&"child_terminated".into(), &"failed: crash".into()));
        assert_eq!(report["offender"]["id"], "fails");
        end(&tree).await;
    });
}
