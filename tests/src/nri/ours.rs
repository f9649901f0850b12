//! A plugin on our stub, which does what a script says and keeps what its handlers see.

use std::future::poll_fn;
use std::path::Path;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use landfall_stub::messages::{Container, ContainerUpdate, PodSandbox};
use landfall_stub::{BoxError, EventMask, HandlerCx, PendingUpdate, Stub, StubBuilder, Update, UpdateError};
use prost::Message;
use serde_json::Value;
use tokio::sync::Notify;

use super::peer::Trouble;
use super::script::Script;
use super::wishes;

/// A word of a line: what it says, or a message that Go is to show as it shows its own.
#[derive(Clone, Debug)]
pub(super) enum Part {
    Text(String),
    Message(&'static str, Vec<u8>),
}

/// What a line is made of.
pub(super) type Line = Vec<Part>;

/// A plugin on our stub.
pub(super) struct Ours {
    stub: Stub,
    plugin: Arc<Plugin>,
}

struct Plugin {
    /// The runtime's configuration has another one for a plugin that it launches.
    script: Mutex<Script>,
    seen: Mutex<Vec<Line>>,
    /// What a handler has asked for, and whether it has been looked at.
    inside: Mutex<Option<PendingUpdate>>,
    asks: Notify,
    asked: Notify,
}

impl Ours {
    pub(super) async fn start(script: Script, socket: &Path) -> Result<Self, Trouble> {
        let index = script.index.parse().map_err(|_| Trouble::Ours(format!("{} is no index", script.index)))?;
        let plugin = Plugin::new(script.clone());
        let stub = Arc::clone(&plugin).on(Stub::builder(script.name, index).socket_path(socket));
        let stub = stub.build().map_err(|error| Trouble::of(&error))?;
        stub.start().await.map_err(|error| Trouble::of(&error))?;
        Ok(Self { stub, plugin })
    }

    pub(super) fn take_seen(&self) -> Vec<Line> {
        std::mem::take(&mut *self.plugin.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn unsolicited(&self, wish: &str) -> impl Future<Output = Result<Vec<Line>, Trouble>> + use<> {
        let updates = unasked(wish);
        let stub = self.stub.clone();
        async move { Ok(told(stub.update(updates?).await)) }
    }

    /// The outcome of what the handler of a creation asks for, which waits until that has been looked at.
    pub(super) fn unsolicited_from_inside(&self) -> impl Future<Output = Result<Vec<Line>, Trouble>> + use<> {
        let plugin = Arc::clone(&self.plugin);
        async move {
            plugin.asks.notified().await;
            let pending = plugin.inside.lock().unwrap_or_else(PoisonError::into_inner).take();
            let mut pending = pending.ok_or_else(|| Trouble::Ours("no handler asked for an update".to_owned()))?;
            let early = poll_fn(|cx| Poll::Ready(pin!(&mut pending).poll(cx))).await;
            plugin.asked.notify_one();
            match early {
                Poll::Ready(_) => Err(Trouble::Ours("an update went out while a handler ran".to_owned())),
                Poll::Pending => Ok(told(pending.await)),
            }
        }
    }

    pub(super) async fn restart(&self) -> Result<(), Trouble> {
        self.stop().await?;
        self.stub.start().await.map_err(|error| Trouble::of(&error))?;
        Ok(())
    }

    pub(super) async fn stop(&self) -> Result<(), Trouble> {
        let report = self.stub.stop().await.map_err(|error| Trouble::of(&error))?;
        if report.is_clean() { Ok(()) } else { Err(Trouble::Ours(format!("the stop was not clean: {report}"))) }
    }
}

/// Whether this program was launched by a runtime.
#[must_use]
pub fn is_launched() -> bool {
    std::env::var_os("NRI_PLUGIN_SOCKET").is_some()
}

/// Is the plugin that a runtime has launched, until the runtime goes.
///
/// # Errors
///
/// Why the plugin did not start.
pub fn serve() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let stub = Plugin::new(Script::sees()).on(Stub::builder("launched", 0).launched()).build()?;
        stub.start().await?;
        stub.wait().await;
        Ok(())
    })
}

pub(super) const UPDATE: &str = "ContainerUpdate";

/// As Go's plugin does it: of `container-0`, which fails, and of `container-1`.
fn unasked(wish: &str) -> Result<Vec<Update>, Trouble> {
    ["container-0", "container-1"].into_iter().map(|container| wishes::update(wish, container)).collect()
}

fn told(outcome: Result<Vec<ContainerUpdate>, UpdateError>) -> Vec<Line> {
    let failed = match outcome {
        Err(error) => return vec![vec![Part::Text(format!("= error {error}"))]],
        Ok(failed) => failed,
    };
    let failed = failed.iter().map(|update| Part::Message(UPDATE, update.encode_to_vec()));
    let failed = failed.map(|update| vec![Part::Text("failed".to_owned()), update]);
    failed.chain([vec![Part::Text("= ok".to_owned())]]).collect()
}

impl Plugin {
    fn new(script: Script) -> Arc<Self> {
        Arc::new(Self {
            script: Mutex::new(script),
            seen: Mutex::default(),
            inside: Mutex::default(),
            asks: Notify::new(),
            asked: Notify::new(),
        })
    }

    fn script(&self) -> Script {
        self.script.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn see(&self, text: impl Into<String>, messages: impl IntoIterator<Item = Part>) {
        let line = [Part::Text(text.into())].into_iter().chain(messages).collect();
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    fn updates(wish: &str) -> Result<Vec<Update>, BoxError> {
        if wish.is_empty() { Ok(Vec::new()) } else { Ok(vec![wishes::update(wish, "container-1")?]) }
    }

    /// Registers a handler for everything.
    fn on(self: Arc<Self>, builder: StubBuilder) -> StubBuilder {
        let of = |event: &'static str| {
            let plugin = Arc::clone(&self);
            move |_: HandlerCx, pod: PodSandbox| {
                plugin.see(event, [of_pod(&pod)]);
                async { Ok(()) }
            }
        };
        let of_both = |event: &'static str| {
            let plugin = Arc::clone(&self);
            move |_: HandlerCx, pod: PodSandbox, container: Container| {
                plugin.see(event, [of_pod(&pod), of_container(&container)]);
                async { Ok(()) }
            }
        };
        let builder = builder
            .on_run_pod_sandbox(of("RunPodSandbox"))
            .on_post_update_pod_sandbox(of("PostUpdatePodSandbox"))
            .on_stop_pod_sandbox(of("StopPodSandbox"))
            .on_remove_pod_sandbox(of("RemovePodSandbox"))
            .on_post_create_container(of_both("PostCreateContainer"))
            .on_start_container(of_both("StartContainer"))
            .on_post_start_container(of_both("PostStartContainer"))
            .on_post_update_container(of_both("PostUpdateContainer"))
            .on_remove_container(of_both("RemoveContainer"));
        self.on_what_is_answered(builder)
    }

    fn on_what_is_answered(self: Arc<Self>, builder: StubBuilder) -> StubBuilder {
        let [configures, synchronizes, updates_pod, creates, updates, stops, validates] =
            std::array::from_fn(|_| Arc::clone(&self));
        builder
            .on_configure(move |_, configuration| {
                if let Ok(script) = configuration.config.parse::<Value>() {
                    *configures.script.lock().unwrap_or_else(PoisonError::into_inner) = Script::from_json(&script);
                }
                let runtime = &configuration.runtime;
                let said = format!("Configure `{}` {} {}", configuration.config, runtime.name, runtime.version);
                configures.see(said, []);
                let events = configures.script().events;
                async move {
                    if events.is_empty() {
                        return Ok(configuration.events);
                    }
                    // An old runtime has not all of them, and refuses a plugin that asks for one that it has not.
                    Ok(events.parse::<EventMask>()?.and(configuration.events))
                }
            })
            .on_synchronize(move |_, pods, containers| {
                let ids = pods.iter().map(|pod| &pod.id).chain(containers.iter().map(|container| &container.id));
                let hash = fnv(ids.flat_map(|id| id.bytes().chain(*b"\n")));
                let said = format!("Synchronize {} pods, {} containers, {hash:x}", pods.len(), containers.len());
                synchronizes.see(said, []);
                let updates = Self::updates(&synchronizes.script().update_at_sync);
                async { updates }
            })
            .on_update_pod_sandbox(move |_, request| {
                let resources =
                    [request.overhead_linux_resources, request.linux_resources].map(Option::unwrap_or_default);
                let resources = resources.iter().map(|resources| message("LinuxResources", resources));
                updates_pod
                    .see("UpdatePodSandbox", [of_pod(&request.pod.unwrap_or_default())].into_iter().chain(resources));
                async { Ok(()) }
            })
            .on_create_container(move |cx, pod, container| {
                creates.see("CreateContainer", [of_pod(&pod), of_container(&container)]);
                let plugin = Arc::clone(&creates);
                async move { plugin.create(&cx).await }
            })
            .on_update_container(move |_, pod, container, resources| {
                let resources = message("LinuxResources", &resources);
                updates.see("UpdateContainer", [of_pod(&pod), of_container(&container), resources]);
                let answer = Self::updates(&updates.script().update);
                async { answer }
            })
            .on_stop_container(move |_, pod, container| {
                stops.see("StopContainer", [of_pod(&pod), of_container(&container)]);
                let answer = Self::updates(&stops.script().update);
                async { answer }
            })
            .on_validate_container_adjustment(move |_, request| {
                let adjust = message("ContainerAdjustment", &request.adjust.unwrap_or_default());
                let container = of_container(&request.container.unwrap_or_default());
                validates.see("ValidateContainerAdjustment", [container, adjust]);
                let reject = validates.script().reject;
                async { if reject.is_empty() { Ok(()) } else { Err(reject.into()) } }
            })
    }

    async fn create(&self, cx: &HandlerCx) -> Result<landfall_stub::Adjustment, BoxError> {
        let script = self.script();
        if !script.fail.is_empty() {
            return Err(script.fail.into());
        }
        if !script.inside.is_empty() {
            let pending = cx.update_later(unasked(&script.inside)?)?;
            *self.inside.lock().unwrap_or_else(PoisonError::into_inner) = Some(pending);
            self.asks.notify_one();
            self.asked.notified().await;
        }
        let adjustment = match script.adjust.as_str() {
            "" => landfall_stub::Adjustment::new(),
            wish => wishes::adjustment(wish)?,
        };
        Ok(Self::updates(&script.update)?.into_iter().fold(adjustment, landfall_stub::Adjustment::update))
    }
}

fn message(kind: &'static str, message: &impl Message) -> Part {
    Part::Message(kind, message.encode_to_vec())
}

fn of_pod(pod: &PodSandbox) -> Part {
    message("PodSandbox", pod)
}

fn of_container(container: &Container) -> Part {
    message("Container", container)
}

/// FNV-1a of 64 bits, as Go's library has it.
fn fnv(bytes: impl IntoIterator<Item = u8>) -> u64 {
    bytes
        .into_iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}
