//! `run` with a policy: it waits for a runtime, and outlives it.

use std::time::Duration;

use landfall_lifecycle::testing::cancel_at_every_poll_on;
use landfall_stub::{Phase, RunError, StartError, Stub};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{SECOND, Site, seconds};
use crate::harness::{end, soon};

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
