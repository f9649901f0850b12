//! What a supervisor leaves in its process: nothing; and what is planted is found.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use landfall_lifecycle::leak_check::{LeakCx, LeakTest, LeakTestFailure};
use landfall_lifecycle::{Shutdown, TaskSet, Terminate};
use landfall_supervise::{
    Backoff, ChildSpec, Exit, RestartType, SimpleSupervisor, Strategy, Supervisor, SupervisorBuilder, Template,
};

use crate::harness::guarded;

fn waits(id: &'static str) -> ChildSpec {
    ChildSpec::worker(id, |cx| async move { cx.token().cancelled().await })
}

/// A subtree with a component, a group, a delayed restart, a worker with tasks of its own, and one that holds a thread.
fn below() -> SupervisorBuilder {
    let component = || async { Ok::<_, std::io::Error>(TaskSet::new("set")) };
    let delayed = RestartType::Permanent.delayed(Backoff::constant(Duration::from_secs(3_600)));
    let helped = ChildSpec::worker("helped", |cx| async move {
        let stop = cx.token();
        let helper = stop.clone();
        let spawned = cx.tasks().spawn("helper", async move { helper.cancelled().await });
        spawned.expect("the set is open");
        stop.cancelled().await;
    });
    let thread = ChildSpec::worker("thread", |cx| async move {
        let stop = cx.token();
        let spawned = cx.tasks().spawn_thread("thread", move |token: &tokio_util::sync::CancellationToken| {
            while !token.is_cancelled() {
                std::thread::yield_now();
            }
        });
        spawned.expect("the set is open");
        stop.cancelled().await;
    });
    Supervisor::builder("below")
        .strategy(Strategy::RestForOne)
        .intensity(0, Duration::from_secs(1))
        .child(ChildSpec::component("set", component))
        .child(helped)
        .child(thread)
        .child(ChildSpec::worker("fails", |_cx| async { Exit::failed("no") }).restart(delayed))
}

async fn whole_life(cx: LeakCx) {
    let connections = || {
        let template = Template::worker("connection", |cx, _peer: u32| async move { cx.token().cancelled().await });
        Supervisor::builder("connections").template(template.restart(RestartType::Temporary))
    };
    let tree = Supervisor::builder("app")
        .child(waits("a"))
        .child(ChildSpec::supervisor("below", below))
        .child(ChildSpec::supervisor("connections", connections))
        .child(ChildSpec::supervisor("jobs", || Supervisor::dynamic("jobs")))
        .start()
        .await
        .expect("all come up");
    cx.own(tree.clone());
    let find = |id: &str| tree.supervisor(id).expect("it is up");
    let connections = SimpleSupervisor::<u32>::of(&find("connections")).expect("it has that template");
    for peer in 0..10 {
        connections.start_child(peer).await.expect("it starts");
    }
    let jobs = find("jobs");
    assert_eq!(jobs.start_task("sum", |_cx| async { 1 + 1 }).await.expect("it starts").await, Ok(2));
    let mut stream = jobs.task_stream("job", 0..100, |_cx, number| async move { number });
    assert_eq!(stream.next().await.expect("there are more").result, Ok(0));
    drop(stream);
    let mut events = tree.events();
    tree.terminate_child("a").await.expect("it stops");
    events.recv().await.expect("it goes on").expect("few have happened");
    tree.restart_child("a").await.expect("it starts");
}

#[test]
fn a_whole_life_leaves_nothing_in_the_process() {
    LeakTest::new().run(whole_life);
}

/// The twin: a tree that nobody ends any more, in a process that the check looks into.
#[test]
fn a_tree_that_nobody_ends_is_found_in_the_process() {
    let result = LeakTest::new().settle(Duration::from_millis(50)).try_run(|_cx| async {
        let tree = Supervisor::builder("app").child(waits("a")).start().await.expect("it comes up");
        Box::leak(Box::new(tree));
    });
    let failure = result.expect_err("a driver and a child are left");
    assert!(matches!(failure, LeakTestFailure::Leaked { .. }), "{failure}");
}

/// The twin of the guard that every test ends under.
#[test]
fn a_tree_that_nobody_ends_is_found_by_the_guard() {
    let left = catch_unwind(AssertUnwindSafe(|| {
        guarded(async {
            let tree = Supervisor::builder("app").child(waits("a")).start().await.unwrap();
            Box::leak(Box::new(tree));
        });
    }));
    let message = left.expect_err("a driver and a child are left");
    assert!(message.downcast_ref::<String>().is_some_and(|message| message.contains("2 foreign tasks")), "{message:?}");
}

/// An end in the midst of everything leaves nothing either: without any time, and dropped.
#[test]
fn an_end_without_any_time_leaves_nothing_in_the_process() {
    LeakTest::new().run(|_cx| async {
        let tree =
            Supervisor::builder("app").child(ChildSpec::supervisor("below", below)).start().await.expect("it is up");
        drop(tree.terminate(&Shutdown::now()).await.expect("nobody waits for itself"));
        let dropped = Supervisor::builder("app").child(ChildSpec::supervisor("below", below)).start().await;
        let ended = dropped.as_ref().expect("it is up").ended();
        let ended = futures_util::FutureExt::now_or_never(ended);
        assert!(ended.is_none());
        drop(dropped);
    });
}
