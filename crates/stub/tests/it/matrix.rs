//! A connection that is cut or goes silent after each of its bytes: the plugin always ends in time, starts again and
//! serves, and no handler of the old generation is left.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use landfall_stub::messages::Event;
use landfall_stub::testing::{ConfigureWhen, Direction, Fault, FaultKind, Script, TestRuntime};
use landfall_stub::{Adjustment, CloseCause, Closed, Loss, Phase, Resources, StartError, Stub, Update};
use tokio::time::Instant;

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

impl World {
    fn new() -> Self {
        let (runtime, ends, alive) = (TestRuntime::new(), Ends::default(), Arc::new(()));
        let (create, run) = (Arc::clone(&alive), Arc::clone(&alive));
        let builder = plugin(&runtime)
            .on_create_container(move |_, _, _| {
                let alive = Arc::clone(&create);
                async move {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    drop(alive);
                    Ok(Adjustment::new().env("A", "b"))
                }
            })
            .on_run_pod_sandbox(move |_, _| {
                let alive = Arc::clone(&run);
                async move {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    drop(alive);
                    Ok(())
                }
            });
        let stub = ends.noted_by(builder).build().expect("sound");
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
        assert_eq!(Arc::strong_count(&self.alive), 3, "{what}: a handler of the old generation is alive");
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
        for (direction, bytes) in bytes_of_a_visit(configure).await {
            assert!(bytes > 100, "{bytes} bytes are no visit");
            for after_bytes in 0..bytes {
                let world = World::new();
                world.runtime.expect(script(configure, Some(Fault { kind, direction, after_bytes })));
                check(world, format!("{kind:?} {direction:?} after {after_bytes} of {bytes} bytes, {configure:?}"))
                    .await;
            }
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
