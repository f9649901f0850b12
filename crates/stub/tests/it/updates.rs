//! Updates that handlers ask for: made once no handler runs, in order, each within its own time, and none lost unheard.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use landfall_stub::messages::Event;
use landfall_stub::testing::{RequestError, Script, TestPlugin, TestRuntime};
use landfall_stub::{HandlerCx, PendingUpdate, Resources, Stub, StubBuilder, StubOptions, Update, UpdateError};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::harness::{clock, end, plugin, pod, soon};
use crate::log;

/// A plugin whose handler of a pod asks for updates of the containers named by the pod's id, and then waits.
#[derive(Clone, Default)]
struct Asking {
    asked: Arc<Mutex<Vec<PendingUpdate>>>,
    refused: Arc<Mutex<Vec<UpdateError>>>,
    entered: Arc<Notify>,
    hold: Arc<Notify>,
}

fn shares(container: &str) -> Update {
    Update::new(container, Resources::new().cpu_shares(2))
}

impl Asking {
    fn ask(&self, cx: &HandlerCx, containers: &str) {
        for container in containers.split(' ') {
            match cx.update_later([shares(container)]) {
                Ok(pending) => self.asked.lock().expect("no panic").push(pending),
                Err(error) => self.refused.lock().expect("no panic").push(error),
            }
        }
    }

    fn builder(&self, runtime: &TestRuntime) -> StubBuilder {
        self.clone().on(plugin(runtime))
    }

    fn on(self, builder: StubBuilder) -> StubBuilder {
        let this = self;
        builder.on_run_pod_sandbox(move |cx, pod| {
            let this = this.clone();
            async move {
                this.ask(&cx, &pod.id);
                this.entered.notify_one();
                this.hold.notified().await;
                Ok(())
            }
        })
    }

    fn take(&self) -> Vec<PendingUpdate> {
        std::mem::take(&mut *self.asked.lock().expect("no panic"))
    }

    /// Has the handler run until it has asked; gives its request, which goes on.
    async fn enter(&self, plugin: &TestPlugin, containers: &str) -> impl Future<Output = Result<(), RequestError>> {
        let (plugin, pod) = (plugin.clone(), pod(containers));
        let mut event = Box::pin(async move { plugin.pod_event(Event::RunPodSandbox, pod).await });
        tokio::select! {
            biased;
            () = self.entered.notified() => {}
            answered = &mut event => panic!("the handler does not wait: {answered:?}"),
        }
        event
    }
}

/// Serves on a runtime that waits for a minute, so that nothing but the stub's own bounds ends anything.
async fn serving(builder: StubBuilder, runtime: &TestRuntime) -> (Stub, TestPlugin) {
    let mut script = Script::default();
    script.request_timeout = Duration::from_secs(60);
    serving_by(script, builder, runtime).await
}

async fn serving_by(script: Script, builder: StubBuilder, runtime: &TestRuntime) -> (Stub, TestPlugin) {
    runtime.expect(script);
    let stub = builder.build().expect("sound");
    soon("start", stub.start()).await.expect("started");
    let plugin = soon("registration", runtime.next_plugin()).await.expect("a plugin");
    (stub, plugin)
}

fn ids(runtime: &TestRuntime) -> Vec<String> {
    runtime.updates().into_iter().map(|update| update.container_id).collect()
}

#[tokio::test(start_paused = true)]
async fn what_a_handler_asks_for_is_made_in_order_once_it_has_returned() {
    let (runtime, asking) = (TestRuntime::new(), Asking::default());
    let (stub, plugin) = serving(asking.builder(&runtime), &runtime).await;
    let event = asking.enter(&plugin, "a b c").await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(ids(&runtime), [""; 0], "nothing is made while a handler runs");
    let mut beside = Box::pin(stub.update([shares("d")]));
    assert!(futures_util::poll!(beside.as_mut()).is_pending());
    asking.hold.notify_one();
    soon("event", event).await.expect("answered");
    for pending in asking.take() {
        assert_eq!(soon("outcome", pending).await.expect("made"), []);
    }
    soon("update", beside).await.expect("made");
    assert_eq!(ids(&runtime), ["a", "b", "c", "d"]);
    end(stub, runtime).await;
}

/// Whoever asks need not wait: the update is made all the same.
#[tokio::test(start_paused = true)]
async fn what_nobody_awaits_is_made_all_the_same() {
    let (runtime, asking) = (TestRuntime::new(), Asking::default());
    let (stub, plugin) = serving(asking.builder(&runtime), &runtime).await;
    let event = asking.enter(&plugin, "a b").await;
    drop(asking.take());
    asking.hold.notify_one();
    soon("event", event).await.expect("answered");
    soon("update", stub.update([shares("c")])).await.expect("made");
    assert_eq!(ids(&runtime), ["a", "b", "c"]);
    end(stub, runtime).await;
}

/// An update that its caller has dropped is not made, and does not hold up those behind it.
#[tokio::test(start_paused = true)]
async fn a_dropped_update_is_withdrawn() {
    let (runtime, asking) = (TestRuntime::new(), Asking::default());
    let (stub, plugin) = serving(asking.builder(&runtime), &runtime).await;
    let event = asking.enter(&plugin, "a").await;
    let mut dropped = Box::pin(stub.update([shares("dropped")]));
    assert!(futures_util::poll!(dropped.as_mut()).is_pending());
    drop(dropped);
    asking.hold.notify_one();
    soon("event", event).await.expect("answered");
    soon("update", stub.update([shares("b")])).await.expect("made");
    assert_eq!(ids(&runtime), ["a", "b"]);
    end(stub, runtime).await;
}

#[tokio::test(start_paused = true)]
async fn an_update_that_a_handler_waits_for_is_refused_there_and_made_later() {
    let runtime = TestRuntime::new();
    let (given, gives) = (Arc::new(Mutex::new(None)), Arc::new(Mutex::new(None)));
    let (outside, inside) = (Arc::clone(&given), Arc::clone(&gives));
    let builder = plugin(&runtime).on_run_pod_sandbox(move |cx, _| {
        let (outside, inside) = (Arc::clone(&outside), Arc::clone(&inside));
        async move {
            let mut pending = cx.update_later([shares("a")])?;
            *inside.lock().expect("no panic") = Some((&mut pending).await);
            *outside.lock().expect("no panic") = Some(pending);
            Ok(())
        }
    });
    let (stub, plugin) = serving(builder, &runtime).await;
    soon("event", plugin.pod_event(Event::RunPodSandbox, pod("p"))).await.expect("answered at once");
    let refused = gives.lock().expect("no panic").take().expect("it was polled");
    assert!(matches!(refused, Err(UpdateError::InHandler { task }) if task == "RunPodSandbox"));
    let pending: PendingUpdate = given.lock().expect("no panic").take().expect("it was kept");
    assert_eq!(soon("outcome", pending).await.expect("made"), []);
    assert_eq!(ids(&runtime), ["a"]);
    end(stub, runtime).await;
}

/// Its time begins when it is asked for, and is the same whether its handler or another holds it up.
#[tokio::test(start_paused = true)]
async fn an_update_has_its_own_deadline() {
    let (runtime, asking) = (TestRuntime::new(), Asking::default());
    let (stub, plugin) = serving(asking.builder(&runtime), &runtime).await;
    let event = asking.enter(&plugin, "a").await;
    let began = Instant::now();
    let pending = asking.take().pop().expect("asked");
    let error = soon("outcome", pending).await.expect_err("the handler never pauses");
    assert!(matches!(error, UpdateError::Busy { after } if after == Duration::from_secs(5)), "{error}");
    assert_eq!(began.elapsed(), Duration::from_secs(5));
    asking.hold.notify_one();
    soon("event", event).await.expect("answered");
    soon("update", stub.update([shares("b")])).await.expect("made");
    assert_eq!(ids(&runtime), ["b"], "what was told as not sent is not sent");
    end(stub, runtime).await;
}

/// The one before it gets no answer, and costs it its time; then the runtime may have made the first, and never the second.
#[tokio::test(start_paused = true)]
async fn an_update_behind_one_without_an_answer_is_not_sent() {
    let (runtime, asking) = (TestRuntime::new(), Asking::default());
    let mut script = Script::default();
    script.updates_answered = false;
    let (stub, plugin) = serving_by(script, asking.builder(&runtime), &runtime).await;
    let event = asking.enter(&plugin, "a b").await;
    asking.hold.notify_one();
    soon("event", event).await.expect("answered");
    let mut asked = asking.take().into_iter();
    let (first, second) = (asked.next().expect("asked"), asked.next().expect("asked"));
    let error = soon("first", first).await.expect_err("no answer");
    assert!(matches!(error, UpdateError::TimedOut { .. }), "{error}");
    let error = soon("second", second).await.expect_err("no time");
    assert!(matches!(error, UpdateError::Busy { .. }), "{error}");
    end(stub, runtime).await;
}

#[tokio::test(start_paused = true)]
async fn what_waits_or_is_under_way_at_an_end_is_told_so() {
    let (runtime, asking) = (TestRuntime::new(), Asking::default());
    let (stub, plugin) = serving(asking.builder(&runtime), &runtime).await;
    // Stopped while they wait.
    let event = asking.enter(&plugin, "a").await;
    let stopping = stub.clone();
    let (stopped, _) = soon("stop", async { tokio::join!(stopping.stop(), event) }).await;
    assert_eq!(stopped.expect("not its own task").stragglers().count(), 0);
    let waited = soon("outcome", asking.take().pop().expect("asked")).await;
    assert!(matches!(waited, Err(UpdateError::NotServing)), "{waited:?}");

    // Stopped while the runtime has it; what is behind it was not sent.
    let mut script = Script::default();
    script.updates_answered = false;
    runtime.expect(script.clone());
    soon("start", stub.start()).await.expect("started");
    let plugin = soon("registration", runtime.next_plugin()).await.expect("a plugin");
    let event = asking.enter(&plugin, "b c").await;
    asking.hold.notify_one();
    soon("event", event).await.expect("answered");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(soon("stop", stub.stop()).await.expect("not its own task").is_clean());
    let [sent, unsent] = <[PendingUpdate; 2]>::try_from(asking.take()).expect("two");
    assert!(matches!(soon("outcome", sent).await, Err(UpdateError::Stopped)));
    assert!(matches!(soon("outcome", unsent).await, Err(UpdateError::NotServing)));

    // Lost while the runtime has it.
    runtime.expect(script);
    soon("start", stub.start()).await.expect("started");
    let plugin = soon("registration", runtime.next_plugin()).await.expect("a plugin");
    let event = asking.enter(&plugin, "d e").await;
    asking.hold.notify_one();
    soon("event", event).await.expect("answered");
    plugin.close();
    for pending in asking.take() {
        let lost = soon("outcome", pending).await;
        assert!(matches!(lost, Err(UpdateError::Lost(_))), "{lost:?}");
    }
    end(stub, runtime).await;
}

/// A handler may still run when the plugin stops: it is told that it asks in vain.
#[tokio::test(start_paused = true)]
async fn a_handler_of_a_stopping_plugin_is_refused() {
    let (runtime, refused) = (TestRuntime::new(), Arc::new(Mutex::new(None)));
    let told = Arc::clone(&refused);
    let builder = plugin(&runtime).on_run_pod_sandbox(move |cx, _| {
        let told = Arc::clone(&told);
        async move {
            cx.token().cancelled().await;
            *told.lock().expect("no panic") = Some(cx.update_later([shares("a")]).map(drop));
            Ok(())
        }
    });
    let (stub, plugin) = serving(builder, &runtime).await;
    let event = plugin.pod_event(Event::RunPodSandbox, pod("p"));
    let stop = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        stub.stop().await
    };
    let (event, stopped) = soon("both", async { tokio::join!(event, stop) }).await;
    event.expect("answered before the socket is closed");
    assert!(stopped.expect("not its own task").is_clean());
    let refused = refused.lock().expect("no panic").take().expect("it asked");
    assert!(matches!(refused, Err(UpdateError::NotServing)), "{refused:?}");
    end(stub, runtime).await;
}

#[tokio::test(start_paused = true)]
async fn only_so_many_updates_wait_and_malformed_ones_are_refused_at_once() {
    let (runtime, asking) = (TestRuntime::new(), Asking::default());
    let mut options = StubOptions::default();
    options.calls_max = 2;
    let (stub, plugin) = serving(asking.builder(&runtime).options(options), &runtime).await;
    let event = asking.enter(&plugin, "a").await;
    // It is under way by now, and two may wait behind it.
    tokio::task::yield_now().await;
    let other = asking.enter(&plugin, "b c d ").await;
    let refused = std::mem::take(&mut *asking.refused.lock().expect("no panic"));
    assert!(
        matches!(refused[..], [UpdateError::TooMany { calls_max: 2 }, UpdateError::Wish(_)]),
        "the fourth is one too many, and the last is of no container: {refused:?}"
    );
    asking.hold.notify_waiters();
    soon("events", async { tokio::try_join!(event, other) }).await.expect("answered");
    for pending in asking.take() {
        soon("outcome", pending).await.expect("made");
    }
    assert_eq!(ids(&runtime), ["a", "b", "c"]);
    end(stub, runtime).await;
}

/// While it starts, and while it is synchronized, a plugin may ask too.
#[tokio::test(start_paused = true)]
async fn what_is_asked_for_during_the_handshake_is_made_once_the_plugin_serves() {
    let (runtime, asking) = (TestRuntime::new(), Asking::default());
    let (configures, synchronizes) = (asking.clone(), asking.clone());
    let builder = asking
        .builder(&runtime)
        .on_configure(move |cx, configuration| {
            configures.ask(&cx, "a");
            async move { Ok(configuration.events) }
        })
        .on_synchronize(move |cx, _, _| {
            synchronizes.ask(&cx, "b");
            async { Ok(Vec::new()) }
        });
    let (stub, _plugin) = serving(builder, &runtime).await;
    for pending in asking.take() {
        assert_eq!(soon("outcome", pending).await.expect("made"), []);
    }
    assert_eq!(ids(&runtime), ["a", "b"]);
    end(stub, runtime).await;
}

/// A failure is heard by whoever waits for it, or else is in the log: once, and with the plugin's name.
#[tokio::test(start_paused = true)]
async fn a_failure_that_nobody_hears_is_logged() {
    log::capture();
    let (runtime, asking) = (TestRuntime::new(), Asking::default());
    let builder = asking.clone().on(Stub::builder("unheard", 10).dialer(runtime.dialer()).clock(clock()));
    let (stub, plugin) = serving(builder, &runtime).await;
    let event = asking.enter(&plugin, "a b c").await;
    let [dropped_before, heard, dropped_after] = <[PendingUpdate; 3]>::try_from(asking.take()).expect("three");
    drop(dropped_before);
    soon("outcome", heard).await.expect_err("the handler never pauses");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let lines = || log::lines_with("unheard", "that a handler asked for failed");
    assert_eq!(lines().len(), 1, "{:?}", lines());
    drop(dropped_after);
    assert!(matches!(&lines()[..], [_, line] if line.starts_with("WARN") && line.contains("took 5s")), "{:?}", lines());
    asking.hold.notify_one();
    soon("event", event).await.expect("answered");
    end(stub, runtime).await;
}
