//! A plugin that starts again by itself: when, how often, and that whoever stops it is heard at every instant.

mod ends;
mod run;

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use landfall_stub::testing::{Registration, Script, TestPlugin, TestRuntime};
use landfall_stub::{BuildError, CloseCause, Phase, Reconnect, StartError, Stub, StubBuilder};
use tokio::time::{Instant, sleep};

use crate::harness::{Ends, container, end, plugin, pod, soon};
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
