//! Who ends it, who takes over, and what it waits for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use landfall_lifecycle::{Clock, Shutdown, Terminate};
use landfall_stub::messages::Event;
use landfall_stub::testing::TestRuntime;
use landfall_stub::{Adjustment, Phase, Reconnect, Stub, StubOptions};
use tokio::time::{Instant, sleep};

use super::{SECOND, Site, seconds, serving, until};
use crate::harness::{clock, end, plugin, pod, soon};
use crate::log;

/// From 2 s before the end of a delay to 2 s after, in steps: a stop and a termination end it at once, and nothing is
/// left or comes later.
#[tokio::test(start_paused = true)]
async fn a_stop_or_a_termination_ends_it_at_every_instant() {
    for (terminates, is_down) in [(false, false), (false, true), (true, false), (true, true)] {
        for instant in (0..4_000).step_by(50) {
            let site = Site::default();
            let (stub, plugin) = serving(&site, seconds()).await;
            site.set_down(is_down);
            site.lose(&plugin).await;
            sleep(Duration::from_millis(instant)).await;
            let began = Instant::now();
            let report = if terminates {
                let how = Shutdown::within_on(clock(), SECOND, 2 * SECOND);
                soon("termination", stub.terminate(&how)).await.expect("not its own task")
            } else {
                soon("stop", stub.stop()).await.expect("not its own task")
            };
            assert_eq!(report.stragglers().count(), 0, "{instant}: {report}");
            assert_eq!((began.elapsed(), stub.phase()), (Duration::ZERO, Phase::Idle), "{instant}");
            let dials = site.dials();
            sleep(60 * SECOND).await;
            assert_eq!((site.dials(), site.runtime.open_connections()), (dials, 0), "{instant}");
            assert!(soon("wait", stub.wait()).await.is_some());
            end(stub, site.runtime).await;
        }
    }
}

/// A stop may come at the very moment at which the next generation begins: when it has returned, that has ended too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_beside_the_next_start_waits_for_the_end_of_what_was_started() {
    let mut at_once = Reconnect::default();
    at_once.first = Duration::ZERO;
    for round in 0..300 {
        let runtime = TestRuntime::new();
        let stub = plugin(&runtime).clock(Clock::system()).reconnect(at_once.clone()).build().expect("sound");
        stub.start().await.expect("started");
        let plugin = runtime.next_plugin().await.expect("a plugin");
        plugin.close();
        plugin.gone().await;
        for _ in 0..round % 30 {
            tokio::task::yield_now().await;
        }
        let report = stub.stop().await.expect("not its own task");
        assert_eq!((report.stragglers().count(), stub.phase()), (0, Phase::Idle), "round {round}: {report}");
    }
}

/// A stub that is dropped right after a stop has nothing left to abort, and nothing to tell of in the log.
#[tokio::test(start_paused = true)]
async fn a_stop_during_the_delay_returns_when_the_task_that_waited_has_gone() {
    log::capture();
    let runtime = TestRuntime::new();
    let builder = Stub::builder("leaving", 10).on_create_container(async |_, _, _| Ok(Adjustment::new()));
    let stub = builder.reconnect(seconds()).dialer(runtime.dialer()).clock(clock()).build().expect("sound");
    soon("start", stub.start()).await.expect("started");
    soon("registration", runtime.next_plugin()).await.expect("a plugin").close();
    until(&stub, Phase::Delayed).await;
    sleep(SECOND / 2).await;
    assert_eq!(soon("stop", stub.stop()).await.expect("not its own task").stragglers().count(), 0);
    drop(stub);
    assert_eq!(log::lines_of("owner", "stub 10-leaving", "dropped without a termination"), [""; 0]);
}

/// Whoever starts the plugin meanwhile has it: there is one registration, and the policy goes on from that one.
#[tokio::test(start_paused = true)]
async fn a_start_during_the_delay_takes_over() {
    let site = Site::default();
    let (stub, plugin) = serving(&site, seconds()).await;
    site.lose(&plugin).await;
    until(&stub, Phase::Delayed).await;
    assert_eq!(soon("start", stub.start()).await.expect("started").generation, 2);
    let plugin = site.plugin().await;
    sleep(30 * SECOND).await;
    assert_eq!((site.dials(), stub.phase()), (2, Phase::Serving));
    site.lose(&plugin).await;
    site.plugin().await;
    assert_eq!(site.pauses(), [0, 30 + 1]);
    end(stub, site.runtime).await;
}

/// `on_close` comes first: it may start the plugin, or stop it for good.
#[tokio::test(start_paused = true)]
async fn on_close_may_start_or_stop_it_before_the_delay() {
    let (site, stops) = (Site::default(), Arc::new(AtomicBool::new(false)));
    let asked = Arc::clone(&stops);
    let builder = site.builder(seconds()).on_close(move |stub, _| {
        let stops = asked.load(Ordering::Relaxed);
        async move {
            assert!(matches!(stub.phase(), Phase::Delayed | Phase::Idle), "{:?}", stub.phase());
            if stops {
                assert_eq!(stub.stop().await.expect("not its own task").stragglers().count(), 0);
            } else {
                stub.start().await.expect("started");
            }
        }
    });
    let stub = builder.build().expect("sound");
    soon("start", stub.start()).await.expect("started");
    for _ in 0..3 {
        let plugin = site.plugin().await;
        site.lose(&plugin).await;
    }
    let plugin = site.plugin().await;
    assert_eq!(site.pauses(), [0, 0, 0]);
    stops.store(true, Ordering::Relaxed);
    site.lose(&plugin).await;
    soon("wait", stub.wait()).await;
    sleep(60 * SECOND).await;
    assert_eq!((site.dials(), stub.phase()), (4, Phase::Idle));
    end(stub, site.runtime).await;
}

/// A handler that outlives its grace holds up the next generation, not for ever.
#[tokio::test(start_paused = true)]
async fn it_starts_again_once_a_stuck_handler_has_gone() {
    let site = Site::default();
    let hold = Arc::new(tokio::sync::Notify::new());
    let held = Arc::clone(&hold);
    let mut options = StubOptions::default();
    (options.stop_grace, options.stop_abort) = (SECOND, SECOND);
    let builder = site.builder(seconds()).options(options).on_run_pod_sandbox(move |_, _| {
        let held = Arc::clone(&held);
        async move {
            held.notified().await;
            Ok(())
        }
    });
    let stub = builder.build().expect("sound");
    soon("start", stub.start()).await.expect("started");
    let plugin = site.plugin().await;
    let event = plugin.pod_event(Event::RunPodSandbox, pod("p"));
    let lose = async {
        sleep(SECOND).await;
        plugin.close();
    };
    let (lost, ()) = soon("both", async { tokio::join!(event, lose) }).await;
    assert!(lost.is_err(), "its connection went");
    site.plugin().await;
    // The event ran for 1 s, its handler was aborted after another, and the delay is one.
    assert_eq!(site.pauses(), [3]);
    end(stub, site.runtime).await;
}
