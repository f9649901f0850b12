//! Tasks whose outputs are awaited (Elixir: `Task.Supervisor`).

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::StreamExt;
use landfall_lifecycle::Terminate;
use landfall_supervise::{ChildSpec, Exit, StartChildError, Supervisor, TaskError, TerminateChildError};
use tokio::sync::Notify;

use crate::harness::*;

async fn jobs() -> Supervisor {
    Supervisor::dynamic("jobs").clock(clock()).start().await.unwrap()
}

fn at_once(tasks_max: usize) -> NonZeroUsize {
    NonZeroUsize::new(tasks_max).unwrap()
}

/// Elixir: `async_nolink`. The failure is a value, once.
#[test]
fn a_task_gives_its_output_or_how_it_failed() {
    guarded(async {
        let jobs = jobs().await;
        let mut task = jobs.start_task("sum", |_cx| async { 1 + 1 }).await.unwrap();
        assert_eq!((&mut task).await, Ok(2));
        // Nothing of it is left then, and it gives nothing a second time.
        assert_eq!(jobs.which_child(task.instance()), None);
        assert!(futures_util::FutureExt::now_or_never(task).is_none());
        let task = jobs
            .start_task("panics", |_cx| async {
                if true {
                    panic!("ouch")
                }
            })
            .await
            .unwrap();
        assert_eq!(task.await, Err(Exit::Panicked("ouch".into())));
        let task = jobs.start_task("panics early", |_cx| {
            if true {
                panic!("ouch")
            }
            async {}
        });
        assert_eq!(task.await.unwrap().await, Err(Exit::Panicked("ouch".into())));
        // An error is an output like any other.
        let task = jobs.start_task("error", |_cx| async { Err::<(), _>("no numbers") }).await.unwrap();
        assert_eq!(task.await, Ok(Err("no numbers")));
        let task = jobs.start_task("stopped", |_cx| std::future::pending::<()>()).await.unwrap();
        let (ended, stopped) =
            tokio::join!(jobs.instance_ended(task.instance()), jobs.terminate_child(task.instance()));
        stopped.unwrap();
        assert_eq!((ended, task.await), (Some(Exit::Aborted), Err(Exit::Aborted)));
        end(&jobs).await;
    });
}

/// Elixir: `async`. In Rust a link is a `?` in one direction, and `linked` in the other.
#[test]
fn who_is_linked_to_a_task_fails_with_it_and_takes_it_along() {
    guarded(async {
        let diary = Diary::default();
        let jobs = jobs().await;
        let caller = |diary: Diary, fails: bool, go: Arc<Notify>| {
            let jobs = jobs.downgrade();
            ChildSpec::task("caller", move |_cx| async move {
                go.notified().await;
                let jobs = jobs.upgrade().ok_or("the supervisor has gone")?;
                let task = jobs.start_task("task", move |_cx| async move {
                    let _gone = Line(diary.clone(), "gone task".to_owned());
                    diary.write("start task");
                    if fails {
                        panic!("ouch");
                    }
                    std::future::pending::<()>().await;
                });
                let task = task.await.map_err(|error| error.to_string())?.linked();
                drop(jobs);
                tokio::select! {
                    done = task => done.map_err(|exit| exit.to_string())?,
                    () = go.notified() => {}
                }
                Ok::<_, String>(())
            })
        };
        let tree = builder("app").start().await.unwrap();
        // The task fails, and so does its caller.
        let go = Arc::new(Notify::new());
        let started = tree.start_child(caller(diary.clone(), true, Arc::clone(&go))).await.unwrap();
        let ended = tree.instance_ended(started.instance.unwrap());
        go.notify_one();
        let ended = ended.await;
        assert_eq!(ended, Some(Exit::failed("panicked: ouch")));
        // The caller ends, and the task goes with it.
        tree.start_child(caller(diary.clone(), false, Arc::clone(&go))).await.unwrap();
        go.notify_one();
        diary.has("start task", 2).await;
        go.notify_one();
        diary.has("gone task", 2).await;
        end(&tree).await;
        end(&jobs).await;
    });
}

/// Elixir: `await` with a time limit. The caller fails, and the late result is dropped where it was made.
#[test]
fn a_result_that_comes_too_late_is_dropped() {
    guarded(async {
        let (diary, go) = (Diary::default(), Arc::new(Notify::new()));
        let jobs = jobs().await;
        let start = || {
            let (diary, go) = (diary.clone(), Arc::clone(&go));
            jobs.start_task("late", move |_cx| async move {
                let result = Line(diary, "result dropped".to_owned());
                go.notified().await;
                result
            })
        };
        // Without a link the task works on, for nobody.
        let task = start().await.unwrap();
        let instance = task.instance();
        assert!(tokio::time::timeout(secs(1), task).await.is_err());
        assert!(jobs.which_child(instance).is_some());
        go.notify_one();
        diary.has("result dropped", 1).await;
        // With one it goes with who waited for it.
        let task = start().await.unwrap().linked();
        let instance = task.instance();
        assert!(tokio::time::timeout(secs(1), task).await.is_err());
        jobs.instance_ended(instance).await;
        diary.has("result dropped", 2).await;
        assert_eq!(jobs.count_children().active, 0);
        end(&jobs).await;
    });
}

/// Elixir: `async` raises when `max_children` is reached.
#[test]
fn no_more_tasks_than_allowed() {
    guarded(async {
        let jobs = Supervisor::dynamic("jobs").children_max(1).clock(clock()).start().await.unwrap();
        for _ in 0..3 {
            // The place is free as soon as the result is here.
            let task = jobs.start_task("one", |_cx| async { 1 }).await.unwrap();
            assert_eq!(task.await, Ok(1));
        }
        let held = jobs.start_task("held", |_cx| std::future::pending::<()>()).await.unwrap();
        let full = StartChildError::ChildrenMax { children_max: 1 };
        let refused = jobs
            .start_task("more", |_cx| async { panic!("it must not run") })
            .await
            .map(|_: landfall_supervise::ChildTask<()>| ());
        assert_eq!(refused, Err(full.clone()));
        let mut stream = jobs.task_stream("more", [1], |_cx, _number| async { panic!("it must not run") });
        let result: Result<(), _> = stream.next().await.unwrap().result;
        assert_eq!(result, Err(TaskError::NotStarted(full)));
        drop(held.linked());
        end(&jobs).await;
    });
}

#[test]
fn a_stream_runs_so_many_at_once_and_keeps_the_order_of_its_items() {
    guarded(async {
        let (jobs, running, most) = (jobs().await, Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let counted = (Arc::clone(&running), Arc::clone(&most));
        let work = move |_cx, number: u64| {
            let (running, most) = (Arc::clone(&counted.0), Arc::clone(&counted.1));
            async move {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                // The first ones take longest.
                tokio::time::sleep(secs(10 - number)).await;
                running.fetch_sub(1, Ordering::SeqCst);
                number * 2
            }
        };
        let stream = jobs.task_stream("double", 0..6_u64, work.clone()).tasks_max(at_once(3));
        let ordered: Vec<_> = stream.into_stream().map(|done| (done.item, done.result.unwrap())).collect().await;
        assert_eq!(ordered, (0..6).map(|number| (number, number * 2)).collect::<Vec<_>>());
        assert_eq!(most.load(Ordering::SeqCst), 3);
        let mut stream = jobs.task_stream("double", 0..3_u64, work).tasks_max(at_once(3)).unordered();
        assert_eq!(stream.next().await.unwrap().item, 2);
        stream.stop().await;
        end(&jobs).await;
    });
}

/// Elixir: `async_stream` without leaking tasks, shuts down unused tasks.
#[test]
fn a_stream_that_is_left_early_leaves_no_task() {
    guarded(async {
        let diary = Diary::default();
        for stops in [true, false] {
            for strategy in [landfall_supervise::Strategy::Dynamic, landfall_supervise::Strategy::OneForOne] {
                let jobs = builder("jobs").strategy(strategy).start().await.unwrap();
                let inner = diary.clone();
                let mut stream = jobs.task_stream("job", 0..100, move |_cx, number| {
                    let diary = inner.clone();
                    async move {
                        let _gone = Line(diary.clone(), "gone".to_owned());
                        diary.write("start");
                        if number > 0 {
                            std::future::pending::<()>().await;
                        }
                    }
                });
                stream = stream.tasks_max(at_once(4));
                assert_eq!(stream.next().await.unwrap().result, Ok(()));
                let count = |line: &str| diary.read().iter().filter(|known| *known == line).count();
                if stops {
                    stream.stop().await;
                    assert_eq!((count("gone"), jobs.count_children().workers), (count("start"), 0));
                } else {
                    drop(stream);
                    diary.has("gone", count("start")).await;
                }
                end(&jobs).await;
            }
        }
    });
}

#[test]
fn a_task_and_a_stream_without_an_id_are_refused() {
    guarded(async {
        let jobs = jobs().await;
        let empty = StartChildError::Spec(landfall_supervise::SpecError::EmptyId);
        assert_eq!(jobs.start_task("", |_cx| async {}).await.map(drop), Err(empty.clone()));
        let mut stream = jobs.task_stream("", [1], |_cx, _number| async {});
        assert_eq!(stream.next().await.unwrap().result, Err(TaskError::NotStarted(empty)));
        end(&jobs).await;
    });
}

/// Below most supervisors ids must differ, and two lists may well be named alike.
#[test]
fn two_streams_of_one_id_do_not_collide() {
    guarded(async {
        for strategy in [landfall_supervise::Strategy::Dynamic, landfall_supervise::Strategy::OneForOne] {
            let jobs = builder("jobs").strategy(strategy).start().await.unwrap();
            let work = |_cx, number: u32| async move {
                tokio::task::yield_now().await;
                number
            };
            let [mut one, mut other] = [(); 2].map(|()| jobs.task_stream("job", 0..4, work).tasks_max(at_once(2)));
            for number in 0..4 {
                let (one, other) = tokio::join!(one.next(), other.next());
                assert_eq!((one.unwrap().result, other.unwrap().result), (Ok(number), Ok(number)));
            }
            end(&jobs).await;
        }
    });
}

/// Elixir: `async_stream` with `timeout`, `on_timeout: :kill_task` and `zip_input_on_exit`.
#[test]
fn an_item_that_is_too_slow_or_fails_is_a_result_with_its_item_and_the_rest_goes_on() {
    guarded(async {
        let jobs = jobs().await;
        let work = |_cx, what: &'static str| async move {
            match what {
                "hangs" => std::future::pending().await,
                "panics" => panic!("ouch"),
                fine => fine.len(),
            }
        };
        let items = ["one", "hangs", "panics", "three"];
        let mut stream = jobs.task_stream("job", items, work).tasks_max(at_once(2)).task_limit(secs(2));
        let mut results = Vec::new();
        while let Some(done) = stream.next().await {
            results.push((done.item, done.result.map_err(|error| error.to_string())));
        }
        let expected = [
            ("one", Ok(3)),
            ("hangs", Err("the task took longer than 2s: task_limit".to_owned())),
            ("panics", Err("the task ended without an output: panicked: ouch".to_owned())),
            ("three", Ok(5)),
        ];
        assert_eq!(results, expected);
        assert_eq!(jobs.count_children().workers, 0);
        // A limit beyond all time is none.
        let mut stream = jobs.task_stream("job", ["one"], work).task_limit(std::time::Duration::MAX);
        assert_eq!(stream.next().await.unwrap().result, Ok(3));
        end(&jobs).await;
    });
}

/// OTP: a monitor, and its `DOWN`.
#[test]
fn the_end_of_an_instance_is_told_to_all_who_wait_for_it() {
    guarded(async {
        let (diary, kick) = (Diary::default(), Arc::new(Notify::new()));
        let tree = builder("app").child(diary.kicked("a", &kick, crash())).start().await.unwrap();
        let first = tree.which_child("a").unwrap().instance.unwrap();
        let kicked = async {
            diary.has("start a", 1).await;
            kick.notify_one();
        };
        let (one, another, ()) = tokio::join!(tree.instance_ended(first), tree.instance_ended(first), kicked);
        assert_eq!((one, another), (Some(crash()), Some(crash())));
        assert_eq!(tree.instance_ended(first).await, None);
        let second = tree.which_child("a").unwrap().instance.unwrap();
        let (ended, ()) = tokio::join!(tree.instance_ended(second), end(&tree));
        assert_eq!(ended, Some(Exit::Shutdown));
    });
}

/// A task that did not end is reported with the line that asked for it.
#[test]
fn a_task_is_reported_with_the_users_line() {
    guarded(async {
        let jobs = jobs().await;
        let task = jobs.start_task("deaf", |_cx| std::future::pending::<()>()).await.unwrap();
        let mut stream = jobs.task_stream("deaf too", [()], |_cx, ()| std::future::pending::<()>());
        assert!(tokio::time::timeout(secs(1), stream.next()).await.is_err());
        let report = jobs.terminate(&within(0, 1)).await.unwrap().to_string();
        assert_eq!(report.matches("tests/it/tasks.rs").count(), 2, "{report}");
        assert_eq!(task.await, Err(Exit::Aborted));
        drop(stream);
    });
}

/// They wait until the static children are up, and are then started all at once: more than are taken in before the first
/// of them runs, and the later ones end before the earlier ones do anything.
#[test]
fn many_that_were_queued_and_end_at_once_were_all_started() {
    guarded(async {
        let gate = Arc::new(Notify::new());
        let opened = Arc::clone(&gate);
        let first = ChildSpec::worker("first", move |cx| {
            let gate = Arc::clone(&opened);
            async move {
                gate.notified().await;
                cx.ready();
                cx.token().cancelled().await;
            }
        });
        let app = builder("app").child(first.signals_ready(secs(60))).answers_early().start().await.unwrap();
        let starts = (0..400).map(|number: u32| {
            app.start_task(format!("{number}"), move |cx| async move {
                // It is up by being there, so a call of its own waits for nothing of its own.
                let supervisor = cx.supervisor().upgrade().unwrap();
                let not_found = TerminateChildError::NotFound { child: "x".into() };
                assert_eq!(supervisor.terminate_child("x").await, Err(not_found));
                if number < 200 {
                    cx.token().cancelled().await;
                }
            })
        });
        let mut starts = Box::pin(futures_util::future::join_all(starts));
        assert!(futures_util::FutureExt::now_or_never(&mut starts).is_none());
        tokio::task::yield_now().await;
        gate.notify_one();
        let started: Result<Vec<_>, _> = starts.await.into_iter().collect();
        for task in started.unwrap().split_off(200) {
            assert_eq!(task.await, Ok(()));
        }
        end(&app).await;
    });
}
