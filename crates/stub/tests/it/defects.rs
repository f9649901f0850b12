//! The seven defects of the Go stub (v0.12.5), each as a test that this one does not have it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use landfall_stub::messages::Event;
use landfall_stub::testing::{ConfigureWhen, Direction, Fault, FaultKind, Registration, Script, TestRuntime};
use landfall_stub::{CloseCause, Loss, Phase, Resources, StartError, Update, UpdateError};
use tokio::sync::Notify;

use crate::harness::{Ends, end, plugin, pod, soon};

/// How a connection behaves that answers the registration and dies before the configuration.
async fn dies_before_it_configures(runtime: &TestRuntime) -> Script {
    let mut script = never_configures();
    runtime.expect(script.clone());
    let stub = plugin(runtime).build().expect("sound");
    let _failed = soon("start", stub.start()).await.expect_err("never configured");
    let (kind, direction) = (FaultKind::Cut, Direction::ToPlugin);
    script.fault = Some(Fault { kind, direction, after_bytes: runtime.bytes(direction) });
    script
}

#[tokio::test(start_paused = true)]
async fn one_a_start_does_not_hang_when_the_connection_dies_before_it_is_configured() {
    let runtime = TestRuntime::new();
    let script = dies_before_it_configures(&runtime).await;
    runtime.expect(script);
    let stub = plugin(&runtime).build().expect("sound");
    let error = soon("start", stub.start()).await.expect_err("cut");
    assert!(matches!(error, StartError::Lost(Loss::Closed)), "{error}");
    // Nor does a stop in the meantime, which has no lock to wait for.
    runtime.expect(never_configures());
    let (started, stopped) = soon("both", async { tokio::join!(stub.start(), stub.stop()) }).await;
    assert!(matches!(started, Err(StartError::Stopped)), "{started:?}");
    assert!(stopped.expect("not its own task").is_clean());
    end(stub, runtime).await;
}

fn never_configures() -> Script {
    let mut script = Script::default();
    script.configure = ConfigureWhen::Never;
    script
}

#[tokio::test(start_paused = true)]
async fn two_a_failed_start_does_not_spoil_the_next() {
    let runtime = TestRuntime::new();
    let script = dies_before_it_configures(&runtime).await;
    let stub = plugin(&runtime).build().expect("sound");
    for generation in (1..20).step_by(2) {
        runtime.expect(script.clone());
        let _failed = soon("start", stub.start()).await.expect_err("cut");
        assert_eq!(soon("start", stub.start()).await.expect("started").generation, generation + 1);
        assert!(soon("stop", stub.stop()).await.expect("not its own task").is_clean());
    }
    end(stub, runtime).await;
}

#[tokio::test(start_paused = true)]
async fn three_on_close_tells_a_stop_a_refusal_and_a_loss_apart() {
    let (runtime, ends) = (TestRuntime::new(), Ends::default());
    let stub = ends.noted_by(plugin(&runtime)).build().expect("sound");
    soon("start", stub.start()).await.expect("started");
    soon("registration", runtime.next_plugin()).await.expect("a plugin");
    assert!(soon("stop", stub.stop()).await.expect("not its own task").is_clean());
    let mut script = Script::default();
    script.registration = Registration::Refuse("no".to_owned());
    runtime.expect(script);
    let _failed = soon("start", stub.start()).await.expect_err("refused");
    soon("start", stub.start()).await.expect("started");
    soon("registration", runtime.next_plugin()).await.expect("a plugin").close();
    soon("wait", stub.wait()).await;
    tokio::task::yield_now().await;
    let told: Vec<_> = ends.take().into_iter().map(|closed| (closed.generation, closed.cause)).collect();
    assert!(
        matches!(
            &told[..],
            [(1, CloseCause::Stopped), (2, CloseCause::Refused(_)), (3, CloseCause::Lost(Loss::Closed))]
        ),
        "{told:?}"
    );
    end(stub, runtime).await;
}

#[tokio::test(start_paused = true)]
async fn four_a_late_on_close_does_not_touch_the_next_generation() {
    let runtime = TestRuntime::new();
    let (hold, told) = (Arc::new(Notify::new()), Arc::new(Mutex::new(Vec::new())));
    let (held, noted) = (Arc::clone(&hold), Arc::clone(&told));
    let builder = plugin(&runtime).on_close(move |stub, closed| {
        let (held, noted) = (Arc::clone(&held), Arc::clone(&noted));
        async move {
            if closed.generation == 1 {
                held.notified().await;
            }
            noted.lock().expect("no panic").push((closed.generation, stub.phase()));
        }
    });
    let stub = builder.build().expect("sound");
    soon("start", stub.start()).await.expect("started");
    soon("registration", runtime.next_plugin()).await.expect("a plugin").close();
    soon("wait", stub.wait()).await;
    assert_eq!(soon("start", stub.start()).await.expect("started").generation, 2);
    let plugin = soon("registration", runtime.next_plugin()).await.expect("a plugin");
    hold.notify_one();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(*told.lock().expect("no panic"), [(1, Phase::Serving)]);
    soon("event", plugin.pod_event(Event::RunPodSandbox, pod("p"))).await.expect("answered");
    end(stub, runtime).await;
}

/// A runtime that is busy makes no update: it is asked while another of its plugins holds it up.
#[tokio::test(start_paused = true)]
async fn five_an_update_ends_at_its_deadline() {
    let runtime = TestRuntime::new();
    let mut script = Script::default();
    script.updates_answered = false;
    runtime.expect(script);
    let stub = plugin(&runtime).build().expect("sound");
    soon("start", stub.start()).await.expect("started");
    soon("registration", runtime.next_plugin()).await.expect("a plugin");
    let began = tokio::time::Instant::now();
    let update = Update::new("c", Resources::new().cpu_shares(2));
    let error = soon("update", stub.update([update.clone()])).await.expect_err("never answered");
    assert!(matches!(error, UpdateError::TimedOut { after } if after == Duration::from_secs(5)), "{error}");
    assert_eq!(began.elapsed(), Duration::from_secs(5));
    // And with the connection at once.
    let stop = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        stub.stop().await
    };
    let (failed, stopped) = soon("both", async { tokio::join!(stub.update([update]), stop) }).await;
    assert!(matches!(failed, Err(UpdateError::Stopped)), "{failed:?}");
    assert!(stopped.expect("not its own task").is_clean());
    end(stub, runtime).await;
}

#[tokio::test(start_paused = true)]
async fn six_a_stop_tells_handlers_and_waits_for_them() {
    let runtime = TestRuntime::new();
    let (entered, told) = (Arc::new(Notify::new()), Arc::new(Mutex::new(Vec::new())));
    let (enters, notes) = (Arc::clone(&entered), Arc::clone(&told));
    let builder = plugin(&runtime).on_run_pod_sandbox(move |cx, _| {
        let (enters, notes) = (Arc::clone(&enters), Arc::clone(&notes));
        async move {
            enters.notify_one();
            cx.token().cancelled().await;
            tokio::time::sleep(Duration::from_secs(1)).await;
            notes.lock().expect("no panic").push(cx.generation());
            Ok(())
        }
    });
    let stub = builder.build().expect("sound");
    soon("start", stub.start()).await.expect("started");
    let plugin = soon("registration", runtime.next_plugin()).await.expect("a plugin");
    let event = plugin.pod_event(Event::RunPodSandbox, pod("p"));
    let restart = async {
        entered.notified().await;
        let stopped = stub.stop().await.expect("not its own task");
        assert_eq!(*told.lock().expect("no panic"), [1], "the handler has ended before the stop");
        stub.start().await.expect("started again");
        stopped
    };
    let (answered, stopped) = soon("both", async { tokio::join!(event, restart) }).await;
    answered.expect("its answer is written before the socket is closed");
    assert!(stopped.is_clean(), "{stopped}");
    end(stub, runtime).await;
}

#[tokio::test(start_paused = true)]
async fn seven_a_refused_plugin_closes_its_connection() {
    let runtime = TestRuntime::new();
    let mut script = Script::default();
    script.registration = Registration::Refuse("invalid plugin index".to_owned());
    runtime.expect(script);
    let stub = plugin(&runtime).build().expect("sound");
    let error = soon("start", stub.start()).await.expect_err("refused");
    assert!(error.to_string().contains("10-logger: invalid plugin index"), "{error}");
    soon("the end of the connection", async {
        while runtime.open_connections() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    end(stub, runtime).await;
}
