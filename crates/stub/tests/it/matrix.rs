//! A connection that is cut or goes silent after each of its bytes: the plugin always ends in time, starts again and
//! serves, and no handler of the old generation is left.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::FutureExt;
use landfall_stub::messages::Event;
use landfall_stub::testing::{ConfigureWhen, Direction, Fault, FaultKind, Script, TestRuntime};
use landfall_stub::{
    Adjustment, CloseCause, Closed, HandlerCx, Loss, Phase, Reconnect, Resources, StartError, Stub, StubBuilder, Update,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::harness::{Ends, container, end, plugin, pod, soon};

/// The longest a generation may take to end by itself here: a configuration that never comes, then the stop.
const BOUND: Duration = Duration::from_secs(10 + 3 + 1);

struct World {
    stub: Stub,
    runtime: TestRuntime,
    ends: Ends,
    /// One more reference for each handler that is alive.
    alive: Arc<()>,
}

/// Which handler of the first generation stops the plugin.
type Stops = Option<&'static str>;

/// A stop from inside of a handler: it begins, and the handler is told that it may not wait for it.
async fn stop_inside(stops: Stops, name: &str, cx: HandlerCx, own: &OnceLock<Stub>) {
    if stops == Some(name) && cx.generation() == 1 {
        let refused =
            own.get().expect("set before the start").stop().await.expect_err("a handler waits for its own end");
        assert_eq!(refused.task, name);
    }
}

impl World {
    fn new() -> Self {
        Self::stopping_in(None, |builder| builder)
    }

    fn stopping_in(stops: Stops, also: impl FnOnce(StubBuilder) -> StubBuilder) -> Self {
        let (runtime, ends, alive) = (TestRuntime::new(), Ends::default(), Arc::new(()));
        let own = Arc::new(OnceLock::new());
        let handles = |name: &'static str| {
            let (own, alive) = (Arc::clone(&own), Arc::clone(&alive));
            move |cx| {
                let (own, alive) = (Arc::clone(&own), Arc::clone(&alive));
                async move {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    stop_inside(stops, name, cx, &own).await;
                    drop(alive);
                }
            }
        };
        let [configure, synchronize, run, create] =
            ["Configure", "Synchronize", "RunPodSandbox", "CreateContainer"].map(handles);
        let builder = plugin(&runtime)
            .on_configure(move |cx, configuration| {
                let handled = configure(cx);
                async move {
                    handled.await;
                    Ok(configuration.events)
                }
            })
            .on_synchronize(move |cx, _, _| synchronize(cx).map(|()| Ok(Vec::new())))
            .on_run_pod_sandbox(move |cx, _| run(cx).map(Ok))
            .on_create_container(move |cx, _, _| create(cx).map(|()| Ok(Adjustment::new().env("A", "b"))));
        let stub = also(ends.noted_by(builder)).build().expect("sound");
        own.set(stub.clone()).expect("once");
        Self { stub, runtime, ends, alive }
    }

    /// Starts, and has every sort of message sent, in both directions; ends at what fails, and says if it was the start.
    async fn visit(&self) -> Result<(), Option<StartError>> {
        let generation = self.stub.start().await.map_err(Some)?.generation;
        let messages = async {
            let plugin = loop {
                match self.runtime.next_plugin().await {
                    Ok(plugin) => break plugin,
                    Err(_) if generation == 1 => return None,
                    // The runtime has given up the connection before only now.
                    Err(_) => {}
                }
            };
            plugin.pod_event(Event::RunPodSandbox, pod("p")).await.ok()?;
            plugin.create_container(pod("p"), container("c")).await.ok()?;
            self.stub.update([Update::new("d", Resources::new().cpu_shares(2))]).await.ok()
        };
        tokio::select! {
            biased;
            result = messages => result.map(|_| ()).ok_or(None),
            _ = self.stub.wait() => Err(None),
        }
    }

    /// After its generation has ended: one end was told, no handler is left, and a new start is as good as a first one.
    async fn check_and_end(self, what: &str, cause: impl Fn(&CloseCause) -> bool) {
        assert_eq!(self.stub.phase(), Phase::Idle, "{what}");
        assert_eq!(Arc::strong_count(&self.alive), 1 + 4, "{what}: a handler of the old generation is alive");
        // What the runtime has made of the first connection.
        while self.runtime.next_plugin().now_or_never().is_some() {}
        soon(what, self.visit()).await.unwrap_or_else(|error| panic!("{what}: the next visit failed: {error:?}"));
        let told: Vec<Closed> = self.ends.take();
        assert!(matches!(&told[..], [one] if one.generation == 1 && cause(&one.cause)), "{what}: {told:?}");
        assert_eq!(self.runtime.connections(), 2, "{what}");
        let report = soon(what, self.stub.stop()).await.expect("not its own task");
        assert!(report.is_clean(), "{what}: {report}");
        drop(self.alive);
        end(self.stub, self.runtime).await;
    }
}

/// How many bytes a whole visit takes in each direction.
async fn bytes_of_a_visit(configure: ConfigureWhen) -> [(Direction, usize); 2] {
    let world = World::new();
    world.runtime.expect(script(configure, None));
    soon("a visit", world.visit()).await.expect("nothing fails");
    let directions = [Direction::ToPlugin, Direction::ToRuntime];
    let bytes = directions.map(|direction| (direction, world.runtime.bytes(direction)));
    end(world.stub, world.runtime).await;
    bytes
}

fn script(configure: ConfigureWhen, fault: Option<Fault>) -> Script {
    let mut script = Script::default();
    script.configure = configure;
    script.pods = vec![pod("p")];
    script.fault = fault;
    script
}

/// Runs `check` with a fault after each byte of a visit, in both directions and both orders of the handshake.
async fn after_each_byte(kind: FaultKind, check: impl AsyncFn(World, String)) {
    for configure in [ConfigureWhen::BeforeAnswer, ConfigureWhen::AfterAnswer] {
        after_each_byte_of(World::new, kind, configure, &check).await;
    }
}

async fn after_each_byte_of(
    world: impl Fn() -> World,
    kind: FaultKind,
    configure: ConfigureWhen,
    check: &impl AsyncFn(World, String),
) {
    for (direction, bytes) in bytes_of_a_visit(configure).await {
        assert!(bytes > 100, "{bytes} bytes are no visit");
        for after_bytes in 0..bytes {
            let world = world();
            world.runtime.expect(script(configure, Some(Fault { kind, direction, after_bytes })));
            check(world, format!("{kind:?} {direction:?} after {after_bytes} of {bytes} bytes, {configure:?}")).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_cut_after_any_byte_ends_the_generation_and_the_next_serves() {
    after_each_byte(FaultKind::Cut, async |world, what| {
        let began = Instant::now();
        let failed = soon(&what, world.visit()).await.expect_err(&what);
        if let Some(error) = failed {
            assert!(matches!(error, StartError::Lost(_) | StartError::Configuration { .. }), "{what}: {error}");
        }
        soon(&what, world.stub.wait()).await;
        assert!(began.elapsed() < BOUND, "{what}: {:?}", began.elapsed());
        world.check_and_end(&what, |cause| matches!(cause, CloseCause::Lost(_))).await;
    })
    .await;
}

/// Nobody notices a connection that goes silent while nothing is asked: then it is stopped from outside.
#[tokio::test(start_paused = true)]
async fn a_silence_after_any_byte_can_be_stopped_and_the_next_generation_serves() {
    after_each_byte(FaultKind::Stall, async |world, what| {
        let failed = soon(&what, world.visit()).await.expect_err(&what);
        let began = Instant::now();
        let report = soon(&what, world.stub.stop()).await.expect("not its own task");
        assert!(report.is_clean(), "{what}: {report}");
        assert!(began.elapsed() < BOUND, "{what}: {:?}", began.elapsed());
        let is_start = failed.is_some();
        world
            .check_and_end(&what, |cause| match cause {
                CloseCause::Refused(_) => is_start,
                CloseCause::Stopped => !is_start,
                // The runtime gave up: it heard no answer to its configuration.
                CloseCause::Lost(loss) => *loss == Loss::Closed,
                _ => false,
            })
            .await;
    })
    .await;
}

/// A stop while the start waits for a connection that has gone silent: at each point of the handshake.
#[tokio::test(start_paused = true)]
async fn a_start_can_be_stopped_wherever_it_waits() {
    after_each_byte(FaultKind::Stall, async |world, what| {
        let stopped = async {
            // As long as the connect, the calls and the answers take; none of the waits ends before.
            tokio::time::sleep(Duration::from_millis(1)).await;
            world.stub.stop().await.expect("not its own task")
        };
        let began = Instant::now();
        let (started, report) = soon(&what, async { tokio::join!(world.stub.start(), stopped) }).await;
        assert!(report.is_clean(), "{what}: {report}");
        assert!(began.elapsed() < Duration::from_secs(4), "{what}: {:?}", began.elapsed());
        assert!(matches!(started, Ok(_) | Err(StartError::Stopped)), "{what}: {started:?}");
        soon(&what, world.stub.wait()).await;
        world.check_and_end(&what, |cause| *cause == CloseCause::Stopped).await;
    })
    .await;
}

/// Wherever the connection goes silent or is cut before a handler stops the plugin, meanwhile or after that: the stop is
/// begun, the generation ends in time, and the next one serves.
async fn stopped_beside_a_fault_after_any_byte(handler: &'static str) {
    for kind in [FaultKind::Stall, FaultKind::Cut] {
        let world = || World::stopping_in(Some(handler), |builder| builder);
        after_each_byte_of(world, kind, ConfigureWhen::AfterAnswer, &async |world: World, what| {
            let what = format!("{what}, stopped in {handler}");
            let began = Instant::now();
            let _failed = soon(&what, world.visit()).await.expect_err(&what);
            // Where it went silent before the handler could run, nobody has stopped it yet.
            let report = soon(&what, world.stub.stop()).await.expect("not its own task");
            assert_eq!(report.stragglers().count(), 0, "{what}: {report}");
            assert!(began.elapsed() < 2 * BOUND, "{what}: {:?}", began.elapsed());
            let fits = |cause: &CloseCause| match cause {
                CloseCause::Stopped => true,
                CloseCause::Lost(_) => kind == FaultKind::Cut || *cause == CloseCause::Lost(Loss::Closed),
                CloseCause::Refused(_) => kind == FaultKind::Stall,
                _ => false,
            };
            world.check_and_end(&what, fits).await;
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_from_configure_beside_a_fault_after_any_byte_ends_the_generation() {
    stopped_beside_a_fault_after_any_byte("Configure").await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_from_synchronize_beside_a_fault_after_any_byte_ends_the_generation() {
    stopped_beside_a_fault_after_any_byte("Synchronize").await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_from_a_pod_s_event_beside_a_fault_after_any_byte_ends_the_generation() {
    stopped_beside_a_fault_after_any_byte("RunPodSandbox").await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_from_a_creation_beside_a_fault_after_any_byte_ends_the_generation() {
    stopped_beside_a_fault_after_any_byte("CreateContainer").await;
}

/// Without a fault, so that what ends it is the stop alone.
#[tokio::test(start_paused = true)]
async fn a_stop_from_any_handler_is_what_ends_the_generation() {
    for handler in ["Configure", "Synchronize", "RunPodSandbox", "CreateContainer"] {
        for configure in [ConfigureWhen::BeforeAnswer, ConfigureWhen::AfterAnswer] {
            let world = World::stopping_in(Some(handler), |builder| builder);
            world.runtime.expect(script(configure, None));
            let began = Instant::now();
            let _failed = soon(handler, world.visit()).await.expect_err(handler);
            soon(handler, world.stub.wait()).await;
            assert!(began.elapsed() < Duration::from_secs(1), "{handler}: {:?}", began.elapsed());
            world.check_and_end(handler, |cause| *cause == CloseCause::Stopped).await;
        }
    }
}

/// A runtime that is slow, but answers within its time, is as good as any.
#[tokio::test(start_paused = true)]
async fn a_pause_after_any_byte_changes_nothing() {
    after_each_byte(FaultKind::Pause(Duration::from_secs(1)), async |world, what| {
        soon(&what, world.visit()).await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
        assert_eq!((world.stub.phase(), world.runtime.connections()), (Phase::Serving, 1), "{what}");
        end(world.stub, world.runtime).await;
    })
    .await;
}

/// A runtime that was killed and is there again: with a policy the plugin serves again by itself.
#[tokio::test(start_paused = true)]
async fn a_cut_after_any_byte_is_followed_by_the_next_generation_by_itself() {
    let reconnecting = || World::stopping_in(None, |builder| builder.reconnect(Reconnect::default()));
    let kind = FaultKind::Cut;
    after_each_byte_of(reconnecting, kind, ConfigureWhen::AfterAnswer, &async |world: World, what| {
        let token = CancellationToken::new();
        let use_it = async {
            loop {
                if let Ok(plugin) = world.runtime.next_plugin().await
                    && plugin.pod_event(Event::RunPodSandbox, pod("p")).await.is_ok()
                    && plugin.create_container(pod("p"), container("c")).await.is_ok()
                    && world.stub.update([Update::new("d", Resources::new().cpu_shares(2))]).await.is_ok()
                {
                    break;
                }
            }
            assert_eq!(world.runtime.open_connections(), 1, "{what}");
            token.cancel();
        };
        let (ended, ()) = soon(&what, async { tokio::join!(world.stub.run(&token), use_it) }).await;
        assert!(ended.is_ok(), "{what}: {ended:?}");
        assert_eq!((world.stub.phase(), world.runtime.connections()), (Phase::Idle, 2), "{what}");
        end(world.stub, world.runtime).await;
    })
    .await;
}
