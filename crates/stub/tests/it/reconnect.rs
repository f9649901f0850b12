//! A plugin that starts again by itself: when, how often, and that whoever stops it is heard at every instant.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use landfall_lifecycle::testing::cancel_at_every_poll_on;
use landfall_lifecycle::{Shutdown, Terminate};
use landfall_stub::testing::{Registration, Script, TestPlugin, TestRuntime};
use landfall_stub::{BuildError, CloseCause, Phase, Reconnect, RunError, StartError, Stub, StubBuilder, StubOptions};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::harness::{Ends, clock, container, end, plugin, pod, soon};
use crate::log;

const SECOND: Duration = Duration::from_secs(1);

/// A second, doubled up to ten, without jitter.
fn seconds() -> Reconnect {
    let mut reconnect = Reconnect::default();
    (reconnect.first, reconnect.max, reconnect.jitter) = (SECOND, 10 * SECOND, 0.0);
    reconnect
}

/// A runtime that may be down, and what is seen of those who connect to it.
#[derive(Clone, Default)]
struct Site {
    runtime: TestRuntime,
    is_down: Arc<AtomicBool>,
    dials: Arc<Mutex<Vec<Instant>>>,
}

impl Site {
    fn builder(&self, reconnect: Reconnect) -> StubBuilder {
        let (site, dial) = (self.clone(), self.runtime.dialer());
        plugin(&self.runtime).reconnect(reconnect).dialer(move || {
            site.dials.lock().expect("no panic").push(Instant::now());
            assert_eq!(site.runtime.open_connections(), 0, "the old socket is open");
            let down = site.is_down.load(Ordering::Relaxed).then(|| io::Error::from(io::ErrorKind::ConnectionRefused));
            let connected = dial();
            async { if let Some(down) = down { Err(down) } else { connected.await } }
        })
    }

    fn set_down(&self, is_down: bool) {
        self.is_down.store(is_down, Ordering::Relaxed);
    }

    /// The seconds between the dials so far.
    fn pauses(&self) -> Vec<u64> {
        let dials = self.dials.lock().expect("no panic");
        dials.windows(2).map(|pair| (pair[1] - pair[0]).as_secs()).collect()
    }

    fn dials(&self) -> usize {
        self.dials.lock().expect("no panic").len()
    }

    async fn plugin(&self) -> TestPlugin {
        soon("registration", self.runtime.next_plugin()).await.expect("a plugin")
    }

    async fn lose(&self, plugin: &TestPlugin) {
        plugin.close();
        soon("the end of the connection", plugin.gone()).await;
    }
}

async fn serving(site: &Site, reconnect: Reconnect) -> (Stub, TestPlugin) {
    let stub = site.builder(reconnect).build().expect("sound");
    soon("start", stub.start()).await.expect("started");
    (stub, site.plugin().await)
}

async fn until(stub: &Stub, phase: Phase) {
    soon("the phase", async {
        while stub.phase() != phase {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_plugin_serves_again_after_a_delay_and_each_generation_is_told_of() {
    let (site, ends) = (Site::default(), Ends::default());
    let stub = ends.noted_by(site.builder(seconds())).build().expect("sound");
    soon("start", stub.start()).await.expect("started");
    for generation in 1..=3 {
        let plugin = site.plugin().await;
        soon("create", plugin.create_container(pod("p"), container("c"))).await.expect("answered");
        site.lose(&plugin).await;
        until(&stub, Phase::Delayed).await;
        let told = soon("the end", async {
            loop {
                match ends.take().pop() {
                    Some(told) => break told,
                    None => tokio::task::yield_now().await,
                }
            }
        });
        let told = told.await;
        assert_eq!(told.generation, generation);
        assert!(matches!(told.cause, CloseCause::Lost(_)), "{told}");
    }
    site.plugin().await;
    assert_eq!(site.pauses(), [1, 2, 4]);
    assert!(soon("stop", stub.stop()).await.expect("not its own task").is_clean());
    sleep(60 * SECOND).await;
    assert_eq!((stub.phase(), site.dials()), (Phase::Idle, 4), "a stop is no loss");
    end(stub, site.runtime).await;
}

#[tokio::test(start_paused = true)]
async fn delays_grow_while_the_runtime_is_down_and_begin_anew_after_a_healthy_time() {
    let site = Site::default();
    let (stub, plugin) = serving(&site, seconds()).await;
    site.set_down(true);
    site.lose(&plugin).await;
    sleep(40 * SECOND).await;
    assert_eq!(site.pauses(), [1, 2, 4, 8, 10, 10]);
    site.set_down(false);
    let plugin = site.plugin().await;
    // Not long enough: it goes on where it was.
    sleep(59 * SECOND).await;
    site.lose(&plugin).await;
    let plugin = site.plugin().await;
    assert_eq!(site.pauses()[7..], [59 + 10]);
    sleep(60 * SECOND).await;
    site.lose(&plugin).await;
    site.plugin().await;
    assert_eq!(site.pauses()[8..], [60 + 1]);
    end(stub, site.runtime).await;
}

#[tokio::test(start_paused = true)]
async fn without_delays_it_serves_again_at_once() {
    let site = Site::default();
    let mut reconnect = seconds();
    (reconnect.first, reconnect.max) = (Duration::ZERO, Duration::ZERO);
    let (stub, mut plugin) = serving(&site, reconnect).await;
    let began = Instant::now();
    for _ in 0..100 {
        site.lose(&plugin).await;
        plugin = site.plugin().await;
    }
    assert!(began.elapsed() < SECOND, "{:?}", began.elapsed());
    end(stub, site.runtime).await;
}

#[tokio::test(start_paused = true)]
async fn after_so_many_attempts_it_gives_up_and_says_so() {
    log::capture();
    let site = Site::default();
    let mut reconnect = seconds();
    reconnect.attempts_max = Some(3);
    let (stub, plugin) = serving(&site, reconnect).await;
    site.set_down(true);
    site.lose(&plugin).await;
    let closed = soon("the end", stub.wait()).await.expect("it ended");
    assert_eq!((site.pauses(), closed.generation), (vec![1, 2, 4], 4));
    assert!(matches!(closed.cause, CloseCause::Refused(_)), "{closed}");
    let lines = log::lines_with("logger", "does not start again");
    assert!(lines.iter().any(|line| line.starts_with("ERROR") && line.contains("attempts=3")), "{lines:?}");
    // And it can be started, as after any end.
    site.set_down(false);
    assert_eq!(soon("start", stub.start()).await.expect("started").generation, 5);
    end(stub, site.runtime).await;
}

/// A caller of `start` is told of its failure, and nothing goes on behind its back.
#[tokio::test(start_paused = true)]
async fn a_start_that_fails_is_the_caller_s() {
    let site = Site::default();
    site.set_down(true);
    let stub = site.builder(seconds()).build().expect("sound");
    let error = soon("start", stub.start()).await.expect_err("it is down");
    assert!(matches!(error, StartError::Connect(_)), "{error}");
    assert_eq!(stub.phase(), Phase::Idle);
    sleep(60 * SECOND).await;
    assert_eq!(site.dials(), 1);
    end(stub, site.runtime).await;
}

#[tokio::test(start_paused = true)]
async fn a_refusal_ends_it_unless_it_is_asked_to_go_on() {
    for after_refusal in [false, true] {
        let site = Site::default();
        let mut reconnect = seconds();
        reconnect.after_refusal = after_refusal;
        let (stub, plugin) = serving(&site, reconnect).await;
        let mut script = Script::default();
        script.registration = Registration::Refuse("not you".to_owned());
        site.runtime.expect(script);
        site.lose(&plugin).await;
        if after_refusal {
            site.plugin().await;
            assert_eq!((site.pauses(), stub.phase()), (vec![1, 2], Phase::Serving));
        } else {
            let closed = soon("the end", stub.wait()).await.expect("it ended");
            assert!(matches!(closed.cause, CloseCause::Refused(why) if why.contains("not you")));
            sleep(60 * SECOND).await;
            assert_eq!(site.pauses(), [1]);
        }
        end(stub, site.runtime).await;
    }
}

/// The runtime that does not answer, or does not configure, may be one that is about to be up.
#[tokio::test(start_paused = true)]
async fn a_runtime_that_does_not_answer_is_tried_again() {
    let site = Site::default();
    let (stub, plugin) = serving(&site, seconds()).await;
    let mut script = Script::default();
    script.registration = Registration::Ignore;
    site.runtime.expect(script);
    site.lose(&plugin).await;
    site.plugin().await;
    assert_eq!(site.pauses(), [1, 5 + 2]);
    end(stub, site.runtime).await;
}

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

#[tokio::test(start_paused = true)]
async fn run_waits_for_a_runtime_and_outlives_it() {
    let site = Site::default();
    site.set_down(true);
    let stub = site.builder(seconds()).build().expect("sound");
    let token = CancellationToken::new();
    let life = async {
        sleep(5 * SECOND).await;
        site.set_down(false);
        let plugin = site.plugin().await;
        site.lose(&plugin).await;
        site.plugin().await;
        token.cancel();
    };
    let (result, ()) = soon("run", async { tokio::join!(stub.run(&token), life) }).await;
    assert!(result.is_ok(), "{result:?}");
    // Down at 0, 1, 3; up at 7; lost then.
    assert_eq!((site.pauses(), stub.phase()), (vec![1, 2, 4, 8], Phase::Idle));
    end(stub, site.runtime).await;
}

#[tokio::test(start_paused = true)]
async fn run_comes_back_when_the_policy_gives_up() {
    let site = Site::default();
    let mut reconnect = seconds();
    reconnect.attempts_max = Some(2);
    let stub = site.builder(reconnect).build().expect("sound");
    let token = CancellationToken::new();
    site.set_down(true);
    let error = soon("run", stub.run(&token)).await.expect_err("it is down");
    assert!(matches!(error, RunError::Start(StartError::Connect(_))), "{error}");
    assert_eq!(site.pauses(), [1, 2]);
    site.set_down(false);
    let lose = async {
        let plugin = site.plugin().await;
        site.set_down(true);
        plugin.close();
    };
    let (result, ()) = soon("run", async { tokio::join!(stub.run(&token), lose) }).await;
    assert!(matches!(&result, Err(RunError::NotAgain { message }) if message.contains("connect failed")), "{result:?}");
    end(stub, site.runtime).await;
}

/// A token that is cancelled, and a future that is dropped, end a run that waits for its runtime.
#[tokio::test(start_paused = true)]
async fn a_run_that_waits_can_be_cancelled_and_dropped() {
    let site = Site::default();
    site.set_down(true);
    let stub = site.builder(seconds()).build().expect("sound");
    let token = CancellationToken::new();
    let cancel = async {
        sleep(SECOND + SECOND / 2).await;
        token.cancel();
    };
    let began = Instant::now();
    let (result, ()) = soon("run", async { tokio::join!(stub.run(&token), cancel) }).await;
    assert!(result.is_ok(), "{result:?}");
    assert_eq!((began.elapsed(), stub.phase()), (SECOND + SECOND / 2, Phase::Idle));
    let dropped = tokio::time::timeout(SECOND / 2, stub.run(&CancellationToken::new())).await;
    assert!(dropped.is_err());
    soon("wait", stub.wait()).await;
    let dials = site.dials();
    sleep(60 * SECOND).await;
    assert_eq!((site.dials(), stub.phase()), (dials, Phase::Idle));
    end(stub, site.runtime).await;
}

#[tokio::test]
async fn a_run_can_be_dropped_at_every_poll() {
    let mut reconnect = seconds();
    (reconnect.first, reconnect.max) = (Duration::ZERO, Duration::ZERO);
    cancel_at_every_poll_on(
        async || {
            let site = Site::default();
            (site.builder(reconnect.clone()).build().expect("sound"), site)
        },
        async |(stub, site): &mut (Stub, Site)| {
            let token = CancellationToken::new();
            tokio::join!(stub.run(&token), async {
                if let Ok(plugin) = site.runtime.next_plugin().await {
                    plugin.close();
                    drop(site.runtime.next_plugin().await);
                }
                token.cancel();
            })
        },
    )
    .check(async |(stub, site), _| {
        let report = soon("stop", stub.stop()).await.expect("not its own task");
        assert_eq!((report.stragglers().count(), stub.phase()), (0, Phase::Idle), "{report}");
        soon("start", stub.start()).await.expect("started");
        end(stub, site.runtime).await;
    })
    .await;
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
    let event = plugin.pod_event(landfall_stub::messages::Event::RunPodSandbox, pod("p"));
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

#[test]
fn a_policy_out_of_its_range_is_refused_by_name() {
    let refused = |change: fn(&mut Reconnect)| {
        let mut reconnect = Reconnect::default();
        change(&mut reconnect);
        let builder = Stub::builder("logger", 0).on_create_container(async |_, _, _| Ok(Default::default()));
        match builder.reconnect(reconnect).build() {
            Err(BuildError::Option { field, .. }) => field,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refused(|reconnect| reconnect.first = 31 * SECOND), "Reconnect::first");
    assert_eq!(refused(|reconnect| reconnect.max = Duration::MAX), "Reconnect::max");
    assert_eq!(refused(|reconnect| reconnect.growth = 0.5), "Reconnect::growth");
    assert_eq!(refused(|reconnect| reconnect.growth = f64::NAN), "Reconnect::growth");
    assert_eq!(refused(|reconnect| reconnect.jitter = 1.5), "Reconnect::jitter");
    assert_eq!(refused(|reconnect| reconnect.reset_after = Duration::MAX), "Reconnect::reset_after");
    assert_eq!(refused(|reconnect| reconnect.attempts_max = Some(0)), "Reconnect::attempts_max");
}
