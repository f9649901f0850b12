//! What is visible of live entries: names, places, kinds, ids; and sets with thousands of them.

use std::collections::HashSet;
use std::panic::Location;

use landfall_lifecycle::{TaskKind, TaskSet, Terminate};
use tokio::runtime::Handle;
use tokio::task::LocalSet;

use crate::harness::{Hold, assert_clean, long, no_grace, on_both, until};

#[test]
fn live_entries_show_their_name_kind_and_place() {
    on_both(|| async {
        let (tasks, (hold, _release), local) = (TaskSet::new("set"), Hold::new(), LocalSet::new());
        let mut lines = Vec::new();
        let forever = std::future::pending::<()>;
        lines.push(line!() + 1);
        tasks.spawn("task", forever()).unwrap();
        lines.push(line!() + 1);
        drop(tasks.spawn_on(&Handle::current(), format!("made-{}", 7), forever()).unwrap());
        lines.push(line!() + 1);
        drop(tasks.spawn_local_on(&local, "local", forever()).unwrap());
        lines.push(line!() + 1);
        tasks.spawn_closing("closing", forever()).unwrap();
        lines.push(line!() + 1);
        let tracked = tasks.track("tracked", forever()).unwrap();
        let on_blocking = hold.clone();
        lines.push(line!() + 1);
        drop(tasks.spawn_blocking("blocking", move |_| on_blocking.block()).unwrap());
        let on_thread = hold.clone();
        lines.push(line!() + 1);
        drop(tasks.spawn_thread("thread", move |_| on_thread.block()).unwrap());

        let live = tasks.live();
        let names: Vec<_> = live.iter().map(|info| info.name.as_str()).collect();
        assert_eq!(names, ["task", "made-7", "local", "closing", "tracked", "blocking", "thread"]);
        let kinds: Vec<_> = live.iter().map(|info| info.kind).collect();
        use TaskKind::{Blocking, Closing, Local, Task, Thread, Tracked};
        assert_eq!(kinds, [Task, Task, Local, Closing, Tracked, Blocking, Thread]);
        assert!(live.iter().all(|info| info.place.file == file!()));
        assert_eq!(live.iter().map(|info| info.place.line).collect::<Vec<_>>(), lines);
        assert_eq!(tasks.len(), 7);

        drop((tracked, local));
        hold.release();
        tasks.begin_terminate(&no_grace());
        until(|| tasks.len() == 1).await;
        assert_clean(&tasks.terminate(&landfall_lifecycle::Shutdown::now()).await.unwrap());
    });
}

#[test]
fn a_task_may_be_spawned_for_another_place() {
    #[track_caller]
    fn spawn_for_caller(tasks: &TaskSet) {
        tasks.spawn_at(Location::caller(), "task", std::future::pending::<()>()).unwrap();
    }
    on_both(|| async {
        let tasks = TaskSet::new("set");
        let line = line!() + 1;
        spawn_for_caller(&tasks);
        let place = tasks.live()[0].place;
        assert_eq!((place.file, place.line), (file!(), line));
        let report = tasks.terminate(&no_grace()).await.unwrap();
        assert_eq!(report.tasks[0].place.line, line, "{report}");
    });
}

#[test]
fn ids_are_not_given_twice_and_are_printed_short() {
    on_both(|| async {
        let tasks = TaskSet::new("set");
        let mut ids = HashSet::new();
        for _ in 0..500 {
            assert!(ids.insert(tasks.spawn("short", async {}).unwrap().to_string()));
            until(|| tasks.is_empty()).await;
        }
        assert!(ids.contains("0.1"), "{ids:?}");
        assert_clean(&tasks.terminate(&long()).await.unwrap());
    });
}

#[test]
fn names_of_tasks_may_repeat_and_sets_show_themselves() {
    on_both(|| async {
        let tasks = TaskSet::new(String::from("made"));
        tasks.spawn("same", std::future::pending::<()>()).unwrap();
        tasks.spawn("same", std::future::pending::<()>()).unwrap();
        assert_eq!(tasks.name(), "made");
        assert_eq!(format!("{tasks:?}"), r#"TaskSet { name: "made", phase: Running, live: 2 }"#);
        assert_clean(&tasks.terminate(&no_grace()).await.unwrap());
    });
}

#[test]
fn thousands_of_tasks_are_aborted_and_counted() {
    on_both(|| async {
        let tasks = TaskSet::new("set");
        for _ in 0..20_000 {
            tasks.spawn("pending", std::future::pending::<()>()).unwrap();
        }
        until(|| tasks.len() == 20_000).await;
        assert_eq!(tasks.live().len(), 20_000);
        let report = tasks.terminate(&no_grace()).await.unwrap();
        assert_clean(&report);
        assert_eq!(report.counts.aborted, 20_000);
        assert_eq!(report.tasks.len() as u64 + report.tasks_omitted, 20_000);
    });
}

#[test]
fn thousands_of_short_tasks_leave_nothing_behind() {
    on_both(|| async {
        let tasks = TaskSet::new("set");
        for _ in 0..100 {
            for _ in 0..200 {
                tasks.spawn("short", tokio::task::yield_now()).unwrap();
            }
            until(|| tasks.is_empty()).await;
        }
        let report = tasks.terminate(&long()).await.unwrap();
        assert_eq!(report.counts.completed, 20_000);
        assert!(report.tasks.is_empty());
    });
}
