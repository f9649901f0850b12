//! Every public future may be dropped at every poll.

use std::pin::Pin;

use futures_util::{Stream, StreamExt};
use landfall_lifecycle::Terminate;
use landfall_lifecycle::testing::{Cut, cancel_at_every_poll_on};
use landfall_supervise::{
    ChildSpec, ChildTask, Lagged, Partitions, Registry, SimpleSupervisor, Supervisor, TaskStream, Template, TreeEvent,
};

use crate::harness::*;

fn worker(id: &'static str) -> ChildSpec {
    ChildSpec::worker(id, |cx| async move {
        cx.ready();
        cx.token().cancelled().await;
    })
    .signals_ready(secs(5))
}

async fn tree() -> Supervisor {
    let tree = builder("app").child(worker("a")).start().await.unwrap();
    tree.start_child(worker("down")).await.unwrap();
    tree.terminate_child("down").await.unwrap();
    tree
}

/// Whatever was dropped, the supervisor answers, and ends with nothing left.
async fn is_sound(tree: Supervisor) {
    tree.start_child(worker("after")).await.unwrap();
    assert!(tree.which_child("a").is_some());
    end(&tree).await;
}

macro_rules! cancelled {
    ($($name:ident: |$tree:ident| $call:expr;)+) => {$(
        #[test]
        fn $name() {
            guarded(async {
                let run = async |$tree: &mut Supervisor| {
                    let _answer = $call.await;
                };
                cancel_at_every_poll_on(tree, run).check(async |tree, _cut| is_sound(tree).await).await;
            });
        }
    )+};
}

cancelled! {
    start_task: |tree| tree.start_task("new", |_cx| async {});
    instance_ended: |tree| async {
        let instance = tree.which_child("a").unwrap().instance.unwrap();
        tokio::join!(tree.instance_ended(instance), tree.terminate_child("a"))
    };
    task_stream_and_stop: |tree| async {
        let mut tasks = tree.task_stream("task", 0..3, |cx, _number| async move { cx.token().cancelled().await });
        tokio::select! {
            biased;
            _ = tasks.next() => {}
            () = tokio::time::sleep(secs(1)) => {}
        }
        tasks.stop().await;
    };
    start_child: |tree| tree.start_child(worker("new"));
    restart_child: |tree| tree.restart_child("down");
    delete_child: |tree| tree.delete_child("down");
    terminate_child: |tree| tree.terminate_child("a");
}

#[test]
fn start() {
    guarded(async {
        let diary = Diary::default();
        let set_up = {
            let diary = diary.clone();
            async move || Some(builder("app").child(diary.worker("a")).child(diary.worker("b")))
        };
        let run = async |builder: &mut Option<landfall_supervise::SupervisorBuilder>| {
            let tree = builder.take().unwrap().start().await.unwrap();
            end(&tree).await;
        };
        cancel_at_every_poll_on(set_up, run)
            .check(async |_builder, _cut| {
                let count = |line: &str| diary.read().iter().filter(|known| known.starts_with(line)).count();
                diary.has("gone a", diary.read().iter().filter(|line| *line == "start a").count()).await;
                assert!(count("gone") <= count("start"));
            })
            .await;
    });
}

#[test]
fn terminate_and_ended() {
    guarded(async {
        let run = async |tree: &mut Supervisor| {
            let how = within(5, 6);
            let (report, ()) = tokio::join!(tree.terminate(&how), tree.ended());
            assert!(report.unwrap().is_clean());
        };
        cancel_at_every_poll_on(tree, run).check(async |tree, _cut| end(&tree).await).await;
    });
}

#[test]
fn events() {
    guarded(async {
        let set_up = async || {
            let tree = tree().await;
            let events = tree.events();
            drop(tree.terminate_child("a").await);
            (tree, events)
        };
        let run = async |(_, events): &mut (Supervisor, landfall_supervise::Events)| {
            events.recv().await.unwrap().unwrap();
        };
        cancel_at_every_poll_on(set_up, run).ready_at_once().check(async |(tree, _), _cut| end(&tree).await).await;
    });
}

fn template() -> Template<u8> {
    let template = Template::worker("worker", |cx, _arguments: u8| async move {
        cx.ready();
        cx.token().cancelled().await;
    });
    template.signals_ready(secs(5))
}

/// Whatever was dropped, one more child starts, and all end.
async fn is_sound_simple(simple: SimpleSupervisor<u8>) {
    simple.start_child(1).await.unwrap();
    let counts = simple.supervisor().count_children();
    assert_eq!(counts.active, counts.workers);
    end(&simple).await;
}

#[test]
fn a_simple_supervisor() {
    guarded(async {
        let simple = async || builder("app").template(template()).start().await.unwrap();
        let run = async |simple: &mut SimpleSupervisor<u8>| drop(simple.start_child(0).await);
        cancel_at_every_poll_on(simple, run).check(async |simple, _cut| is_sound_simple(simple).await).await;
        let run = async |simple: &mut SimpleSupervisor<u8>| {
            let how = within(5, 6);
            let (report, ()) = tokio::join!(simple.terminate(&how), simple.ended());
            assert!(report.unwrap().is_clean());
        };
        cancel_at_every_poll_on(simple, run).check(async |simple, _cut| end(&simple).await).await;
        // What was started is dropped with its future: the guard sees whether it goes.
        let run = async |_: &mut ()| end(&builder("app").template(template()).start().await.unwrap()).await;
        cancel_at_every_poll_on(async || (), run).check(async |(), _cut| {}).await;
    });
}

#[test]
fn partitions() {
    guarded(async {
        let built = || builder("app").partitions(3, |_number| worker("worker"));
        let run = async |_: &mut ()| end(&built().start().await.unwrap()).await;
        cancel_at_every_poll_on(async || (), run).check(async |(), _cut| {}).await;
        for (from, to) in [(3, 1), (0, 3), (2, 2)] {
            let set_up = async || {
                let partitions = built().start().await.unwrap();
                partitions.resize(from).await.unwrap();
                partitions
            };
            let run = async |partitions: &mut Partitions| partitions.resize(to).await.unwrap();
            let is_sound = async |partitions: Partitions, _cut| {
                // What serves runs, and the same call once more does the rest.
                let running =
                    (0..partitions.count()).filter(|number| partitions.partition(*number).unwrap().instance.is_some());
                assert_eq!(running.count(), partitions.count());
                partitions.resize(to).await.unwrap();
                assert_eq!((partitions.count(), partitions.supervisor().count_children().active), (to, to));
                end(&partitions).await;
            };
            cancel_at_every_poll_on(set_up, run).check(is_sound).await;
        }
    });
}

#[test]
fn a_task() {
    guarded(async {
        for linked in [false, true] {
            let set_up = async || {
                let jobs = builder("jobs").start().await.unwrap();
                let task = jobs.start_task("task", |_cx| async {
                    tokio::task::yield_now().await;
                    7
                });
                let task = task.await.unwrap();
                (jobs, if linked { task.linked() } else { task })
            };
            // Awaited by reference, a dropped wait loses nothing.
            let run = async |(_, task): &mut (Supervisor, ChildTask<u8>)| assert_eq!(task.await, Ok(7));
            let is_sound = async |(jobs, mut task): (Supervisor, ChildTask<u8>), cut: Cut| {
                if !cut.completed {
                    assert_eq!((&mut task).await, Ok(7));
                }
                end(&jobs).await;
            };
            cancel_at_every_poll_on(set_up, run).check(is_sound).await;
        }
    });
}

#[test]
fn a_task_stream() {
    guarded(async {
        let set_up = async || {
            let jobs = builder("jobs").start().await.unwrap();
            let tasks = jobs.task_stream("task", 0..4_u8, |_cx, number| async move {
                tokio::task::yield_now().await;
                number
            });
            (jobs, tasks, Vec::new())
        };
        type State = (Supervisor, TaskStream<u8, u8>, Vec<u8>);
        let run = async |(_, tasks, done): &mut State| {
            while let Some(one) = tasks.next().await {
                done.push(one.result.unwrap());
            }
        };
        let is_sound = async |(jobs, tasks, mut done): State, _cut| {
            let rest: Vec<_> = tasks.into_stream().map(|one| one.result.unwrap()).collect().await;
            done.extend(rest);
            // No item was lost, and none was done twice.
            assert_eq!(done, [0, 1, 2, 3]);
            end(&jobs).await;
        };
        cancel_at_every_poll_on(set_up, run).check(is_sound).await;
    });
}

/// Its waits are dropped, and not the stream.
#[test]
fn a_task_stream_as_a_stream() {
    type State = (Supervisor, Pin<Box<dyn Stream<Item = u8>>>, Vec<u8>);
    guarded(async {
        let set_up = async || {
            let jobs = builder("jobs").start().await.unwrap();
            let tasks = jobs.task_stream("task", 0..4_u8, |_cx, number| async move { number });
            let stream: State = (jobs, Box::pin(tasks.into_stream().map(|one| one.result.unwrap())), Vec::new());
            stream
        };
        let run = async |(_, stream, done): &mut State| {
            while let Some(one) = stream.next().await {
                done.push(one);
            }
        };
        let is_sound = async |(jobs, mut stream, mut done): State, cut: Cut| {
            while !cut.completed
                && let Some(one) = stream.next().await
            {
                done.push(one);
            }
            assert_eq!(done, [0, 1, 2, 3]);
            end(&jobs).await;
        };
        cancel_at_every_poll_on(set_up, run).check(is_sound).await;
    });
}

#[test]
fn events_as_a_stream() {
    type Shown = Pin<Box<dyn Stream<Item = Result<TreeEvent, Lagged>>>>;
    guarded(async {
        let set_up = async || {
            let tree = tree().await;
            let events: Shown = Box::pin(tree.events().into_stream());
            tree.terminate_child("a").await.unwrap();
            (tree, events)
        };
        let run = async |(_, events): &mut (Supervisor, Shown)| drop(events.next().await.unwrap().unwrap());
        cancel_at_every_poll_on(set_up, run).ready_at_once().check(async |(tree, _), _cut| end(&tree).await).await;
    });
}

#[test]
fn a_wait_for_a_name() {
    guarded(async {
        let names = Registry::new();
        let run = async |names: &mut Registry<u8>| {
            let register = async {
                tokio::task::yield_now().await;
                names.register("a", 7).unwrap()
            };
            let (found, held) = tokio::join!(names.wait_for("a"), register);
            assert_eq!((found, held.name()), (7, "a"));
        };
        let set_up = async || names.clone();
        cancel_at_every_poll_on(set_up, run).check(async |names, _cut| assert_eq!(names.lookup("a"), None)).await;
    });
}
