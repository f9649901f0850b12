//! How a stub ends: from inside of its own handlers, with handlers that heed nothing, and by the contract of every
//! owner. In real time: what is asserted is order and the promised bound.

use std::sync::mpsc;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use landfall_lifecycle::testing::{Contract, Work};
use landfall_lifecycle::{Shutdown, TaskSet, Terminate};
use landfall_stub::messages::Event;
use landfall_stub::testing::TestRuntime;
use landfall_stub::{CloseCause, Phase, StartError, Stub, StubOptions};

use crate::harness::{Ends, container, pod};

/// As [`crate::harness::plugin`], on the clock of the wall.
fn plugin(runtime: &TestRuntime) -> landfall_stub::StubBuilder {
    crate::harness::plugin(runtime).clock(landfall_lifecycle::Clock::system())
}

fn brief() -> StubOptions {
    let mut options = StubOptions::default();
    (options.stop_grace, options.stop_abort) = (Duration::from_millis(50), Duration::from_millis(50));
    options
}

/// What a stop of [`brief`] options may take: until the abort instant, and one second.
const BOUND: Duration = Duration::from_millis(1100);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stub_keeps_the_contract() {
    let slot = Arc::new(Mutex::new(None::<Work>));
    let taken = Arc::clone(&slot);
    let starts = TaskSet::new("starts");
    let starter = starts.clone();
    let make = move || {
        let taken = Arc::clone(&taken);
        plugin(&TestRuntime::new())
            .on_synchronize(move |_, _, _| {
                let work = taken.lock().expect("no panic").take();
                async move {
                    if let Some(work) = work {
                        work.await;
                    }
                    Ok(Vec::new())
                }
            })
            .build()
            .expect("sound")
    };
    let start = move |stub: &Stub, work: Work| {
        *slot.lock().expect("no panic") = Some(work);
        let stub = stub.clone();
        starter.spawn("start", async move { stub.start().await.map(drop) }).expect("never terminated before");
    };
    Contract::of(make).work(start).check().await.assert_kept();
    assert_eq!(starts.terminate(&Shutdown::now()).await.expect("not of the set").stragglers().count(), 0);
}

/// It has begun when the handler learns that it may not wait for it, and ends when the handler returns.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_from_a_handler_begins_and_returns_at_once() {
    let runtime = TestRuntime::new();
    let own = Arc::new(OnceLock::<Stub>::new());
    let inside = Arc::clone(&own);
    let ends = Ends::default();
    let builder = plugin(&runtime).on_run_pod_sandbox(move |cx, _| {
        let inside = Arc::clone(&inside);
        async move {
            let stub = inside.get().expect("set before the first event");
            let refused = stub.stop().await.expect_err("a handler waits for its own end");
            assert_eq!(refused.task, "RunPodSandbox");
            assert_eq!(stub.phase(), Phase::Ending);
            assert!(cx.token().is_cancelled() || stub.phase() == Phase::Ending);
            Ok(())
        }
    });
    let stub = ends.noted_by(builder).build().expect("sound");
    own.set(stub.clone()).expect("once");
    stub.start().await.expect("started");
    let plugin = runtime.next_plugin().await.expect("a plugin");
    // Its answer is still written: the wire ends after the handlers.
    plugin.pod_event(Event::RunPodSandbox, pod("p")).await.expect("answered");
    assert_eq!(stub.wait().await.expect("it ended").cause, CloseCause::Stopped);
    stub.start().await.expect("started again");
    assert!(stub.stop().await.expect("not its own task").is_clean());
    let how = Shutdown::within(Duration::from_secs(5), Duration::from_secs(6));
    assert!(stub.terminate(&how).await.expect("not its own task").is_clean());
    assert_eq!(ends.take().len(), 2);
}

/// A handler that waits for ever is aborted when grace is over, and its generation has gone by then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_never_returns_is_aborted() {
    let runtime = TestRuntime::new();
    let (entered, has_entered) = mpsc::channel();
    let stub = plugin(&runtime).options(brief()).on_run_pod_sandbox(move |_, _| {
        entered.send(()).expect("the test waits");
        std::future::pending()
    });
    let stub = stub.build().expect("sound");
    let helper = TaskSet::new("helper");
    for generation in 1..=3 {
        assert_eq!(stub.start().await.expect("started").generation, generation);
        let plugin = runtime.next_plugin().await.expect("a plugin");
        let event = async move { plugin.pod_event(Event::RunPodSandbox, pod("p")).await };
        helper.spawn("event", event).expect("open");
        tokio::task::block_in_place(|| has_entered.recv().expect("the handler runs"));
        let began = Instant::now();
        let report = stub.stop().await.expect("not its own task");
        assert!(began.elapsed() < BOUND, "{:?}", began.elapsed());
        assert_eq!(report.stragglers().count(), 0, "{report}");
    }
}

/// A handler that blocks its thread cannot be ended: the stop reports it, and no generation starts beside it.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_handler_that_blocks_is_named_and_no_generation_starts_beside_it() {
    let runtime = TestRuntime::new();
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let (entered, has_entered) = mpsc::channel();
    let stub = plugin(&runtime).options(brief()).on_start_container(move |_, _, _| {
        entered.send(()).expect("the test waits");
        let _ended = released.lock().expect("no panic").recv();
        async { Ok(()) }
    });
    let stub = stub.build().expect("sound");
    stub.start().await.expect("started");
    let plugin = runtime.next_plugin().await.expect("a plugin");
    let helper = TaskSet::new("helper");
    let event = async move { plugin.container_event(Event::StartContainer, pod("p"), container("c")).await.map(drop) };
    helper.spawn("event", event).expect("open");
    tokio::task::block_in_place(|| has_entered.recv().expect("the handler runs"));

    let began = Instant::now();
    let report = stub.stop().await.expect("not its own task");
    assert!(began.elapsed() < BOUND, "{:?}", began.elapsed());
    let stragglers: Vec<_> = report.stragglers().map(|found| found.item.name.to_string()).collect();
    assert_eq!(stragglers, ["StartContainer"], "{report}");
    assert_eq!(stub.phase(), Phase::Stuck);
    match stub.start().await {
        Err(StartError::StillRunning { generation: 1, tasks }) => assert_eq!(tasks, ["StartContainer"]),
        other => panic!("{other:?}"),
    }
    drop(release);
    assert_eq!(stub.wait().await.expect("it ended").cause, CloseCause::Stopped);
    assert_eq!(stub.start().await.expect("started again").generation, 2);
    let how = Shutdown::within(Duration::from_secs(5), Duration::from_secs(6));
    assert!(stub.terminate(&how).await.expect("not its own task").is_clean());
    assert_eq!(helper.terminate(&how).await.expect("not its own task").stragglers().count(), 0);
}

/// With the one worker held, nothing of the stub is polled: the stop returns in time all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_stop_returns_in_time_while_all_workers_are_held() {
    let runtime = TestRuntime::new();
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let (entered, has_entered) = mpsc::channel();
    let stub = plugin(&runtime).options(brief()).on_start_container(move |_, _, _| {
        entered.send(()).expect("the test waits");
        let _ended = released.lock().expect("no panic").recv();
        async { Ok(()) }
    });
    let stub = stub.build().expect("sound");
    stub.start().await.expect("started");
    let plugin = runtime.next_plugin().await.expect("a plugin");
    let helper = TaskSet::new("helper");
    let event = async move { plugin.container_event(Event::StartContainer, pod("p"), container("c")).await.map(drop) };
    helper.spawn("event", event).expect("open");
    has_entered.recv().expect("the handler runs");

    let began = Instant::now();
    let report = stub.stop().await.expect("not its own task");
    assert!(began.elapsed() < BOUND, "{:?}", began.elapsed());
    assert!(report.stragglers().any(|found| found.item.name == "StartContainer"), "{report}");
    drop(release);
    assert_eq!(stub.wait().await.expect("it ended").cause, CloseCause::Stopped);
    assert_eq!(stub.start().await.expect("started again").generation, 2);
    let how = Shutdown::within(Duration::from_secs(5), Duration::from_secs(6));
    assert!(stub.terminate(&how).await.expect("not its own task").is_clean());
    assert_eq!(helper.terminate(&how).await.expect("not its own task").stragglers().count(), 0);
}

/// Whatever still runs when a stub is merely dropped is aborted, the connection too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_stub_leaves_no_connection() {
    let runtime = TestRuntime::new();
    let stub = plugin(&runtime).build().expect("sound");
    stub.start().await.expect("started");
    let plugin = runtime.next_plugin().await.expect("a plugin");
    drop(stub);
    plugin.gone().await;
}
