//! Every public future, dropped after each of its polls: the stub is as good as before.

use std::sync::{Arc, Mutex};

use landfall_lifecycle::testing::cancel_at_every_poll_on;
use landfall_stub::messages::{
    Event, LinuxResources, StateChangeEvent, UpdatePodSandboxRequest, ValidateContainerAdjustmentRequest,
};
use landfall_stub::testing::{TestPlugin, TestRuntime};
use landfall_stub::{PendingUpdate, Phase, Resources, Stub, Update};
use tokio_util::sync::CancellationToken;

use crate::harness::{container, end, plugin, pod, soon};

struct World {
    stub: Stub,
    runtime: TestRuntime,
    plugin: Option<TestPlugin>,
}

async fn built() -> World {
    let runtime = TestRuntime::new();
    World { stub: plugin(&runtime).build().expect("sound"), runtime, plugin: None }
}

async fn serving() -> World {
    let world = built().await;
    soon("start", world.stub.start()).await.expect("started");
    let plugin = Some(soon("registration", world.runtime.next_plugin()).await.expect("a plugin"));
    World { plugin, ..world }
}

impl World {
    /// Ends what is there, starts anew, and uses it.
    async fn check(self) {
        let report = soon("stop", self.stub.stop()).await.expect("not its own task");
        assert_eq!(report.stragglers().count(), 0, "{report}");
        assert_eq!(self.stub.phase(), Phase::Idle);
        soon("start", self.stub.start()).await.expect("started");
        self.used().await;
    }

    async fn used(self) {
        let plugin = loop {
            // Those of generations before come first; only the last is connected still.
            let plugin = soon("registration", self.runtime.next_plugin()).await;
            if let Ok(plugin) = plugin
                && plugin.create_container(pod("p"), container("c")).await.is_ok()
            {
                break plugin;
            }
        };
        soon("event", plugin.pod_event(Event::RunPodSandbox, pod("p"))).await.expect("answered");
        end(self.stub, self.runtime).await;
    }
}

#[tokio::test]
async fn start() {
    cancel_at_every_poll_on(built, async |world: &mut World| world.stub.start().await.map(drop))
        .check(async |world, cut| {
            if !cut.completed {
                soon("the end of what was dropped", world.stub.wait()).await;
                assert_eq!(world.stub.phase(), Phase::Idle);
            }
            world.check().await;
        })
        .await;
}

#[tokio::test]
async fn stop() {
    cancel_at_every_poll_on(serving, async |world: &mut World| world.stub.stop().await)
        .check(async |world, cut| {
            if cut.polls > 0 {
                // It goes on without its caller.
                soon("the end", world.stub.wait()).await;
            }
            world.check().await;
        })
        .await;
}

#[tokio::test]
async fn wait() {
    cancel_at_every_poll_on(serving, async |world: &mut World| {
        let stub = world.stub.clone();
        tokio::join!(world.stub.wait(), async { stub.stop().await.map(drop) })
    })
    .check(async |world, _| world.check().await)
    .await;
}

#[tokio::test]
async fn run() {
    cancel_at_every_poll_on(built, async |world: &mut World| {
        let token = CancellationToken::new();
        tokio::join!(world.stub.run(&token), async {
            drop(world.runtime.next_plugin().await);
            token.cancel();
        })
    })
    .check(async |world, _| world.check().await)
    .await;
}

#[tokio::test]
async fn update() {
    cancel_at_every_poll_on(serving, async |world: &mut World| {
        world.stub.update([Update::new("c", Resources::new().cpu_shares(2))]).await.map(drop)
    })
    .check(async |world, _| {
        let update = Update::new("d", Resources::new().cpu_shares(2));
        assert_eq!(soon("update", world.stub.update([update])).await.expect("answered"), []);
        world.check().await;
    })
    .await;
}

/// Dropped or not, what a handler asked for is made.
#[tokio::test]
async fn pending_update() {
    let asking = async || {
        let (runtime, asked) = (TestRuntime::new(), Arc::new(Mutex::new(None)));
        let asks = Arc::clone(&asked);
        let builder = plugin(&runtime).on_start_container(move |cx, _, _| {
            let pending = cx.update_later([Update::new("c", Resources::new().cpu_shares(2))]);
            *asks.lock().expect("no panic") = pending.ok();
            async { Ok(()) }
        });
        let stub = builder.build().expect("sound");
        soon("start", stub.start()).await.expect("started");
        let plugin = soon("registration", runtime.next_plugin()).await.expect("a plugin");
        let event = plugin.container_event(Event::StartContainer, pod("p"), container("c"));
        soon("event", event).await.expect("answered");
        let pending = asked.lock().expect("no panic").take();
        (World { stub, runtime, plugin: Some(plugin) }, pending)
    };
    cancel_at_every_poll_on(asking, async |(_, pending): &mut (World, Option<PendingUpdate>)| {
        pending.take().expect("it was asked for").await.map(drop)
    })
    .check(async |(world, _), _| {
        let update = Update::new("d", Resources::new().cpu_shares(2));
        assert_eq!(soon("update", world.stub.update([update])).await.expect("answered"), []);
        let made: Vec<_> = world.runtime.updates().into_iter().map(|update| update.container_id).collect();
        assert_eq!(made, ["c", "d"]);
        world.check().await;
    })
    .await;
}

#[tokio::test]
async fn requests_of_the_runtime() {
    cancel_at_every_poll_on(serving, async |world: &mut World| {
        let (plugin, event) = (world.plugin.as_ref().expect("it serves"), Event::StartContainer);
        plugin.pod_event(Event::RunPodSandbox, pod("p")).await.expect("answered");
        plugin.container_event(event, pod("p"), container("c")).await.expect("answered");
        let change = StateChangeEvent { event: event.into(), pod: Some(pod("p")), ..StateChangeEvent::default() };
        plugin.state_change(change).await.expect("answered");
        plugin.create_container(pod("p"), container("c")).await.expect("answered");
        plugin.update_container(pod("p"), container("c"), LinuxResources::default()).await.expect("answered");
        plugin.stop_container(pod("p"), container("c")).await.expect("answered");
        plugin.update_pod_sandbox(UpdatePodSandboxRequest::default()).await.expect("answered");
        plugin.validate(ValidateContainerAdjustmentRequest::default()).await.expect("answered");
    })
    .check(async |world, _| world.check().await)
    .await;
}
