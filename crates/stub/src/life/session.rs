//! What the runtime asks of one generation: the service `Plugin`.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use prost::Message;
use tokio::sync::watch;

use super::drive::Definition;
use crate::events::EventMask;
use crate::handler_cx::HandlerCx;
use crate::handlers::{decode, failed};
use crate::messages::{
    ConfigureRequest, ConfigureResponse, Container, Malformed, PodSandbox, SynchronizeRequest, SynchronizeResponse,
    argument_of,
};
use crate::runtime_info::{Configuration, RuntimeInfo};
use crate::update::into_messages;
use crate::update_queue::Updates;
use crate::wire::{Budget, Code, Held, Request, Service, Status};

/// The service of NRI that a plugin serves.
pub(crate) const PLUGIN_SERVICE: &str = "nri.pkg.api.v1alpha1.Plugin";

/// What one generation serves.
pub(crate) struct Session {
    plugin: Arc<Definition>,
    generation: u64,
    updates: Updates,
    /// What came of the first `Configure`; nothing yet, before it.
    configured: watch::Sender<Option<Configured>>,
    /// The parts of a synchronization that have come. They go with the session, so a broken one leaves none behind.
    parts: Mutex<Parts>,
    /// What the parts of all synchronizations take that are there.
    synchronized: Budget,
}

pub(super) type Configured = Result<RuntimeInfo, String>;

#[derive(Default)]
struct Parts {
    pods: Vec<PodSandbox>,
    containers: Vec<Container>,
    /// What they take.
    held: Option<Held>,
}

impl Session {
    pub(crate) fn new(plugin: Arc<Definition>, generation: u64, updates: Updates) -> Self {
        let synchronized = Budget::new(plugin.options.synchronize_bytes_max);
        let (configured, parts) = (watch::Sender::new(None), Mutex::default());
        Self { plugin, generation, updates, configured, parts, synchronized }
    }

    /// Waits until the runtime has configured the plugin, or the plugin has refused its configuration.
    pub(super) async fn configured(&self) -> Configured {
        let mut changes = self.configured.subscribe();
        match changes.wait_for(Option::is_some).await {
            Ok(configured) => configured.clone().unwrap_or_else(|| Err("it never came".to_owned())),
            Err(_) => Err("it never came".to_owned()),
        }
    }

    /// Why the plugin did not accept its configuration, if it has one by now.
    pub(super) fn refusal(&self) -> Option<String> {
        self.configured.borrow().as_ref()?.as_ref().err().cloned()
    }

    async fn answer(&self, mut request: Request) -> Result<Vec<u8>, Status> {
        if request.service != PLUGIN_SERVICE {
            let message = format!("this plugin has no service {:?}", request.service);
            return Err(Status::new(Code::UNIMPLEMENTED, message));
        }
        let cx = HandlerCx::of(&mut request, self.generation, self.updates.clone());
        match request.method.as_str() {
            "Configure" => self.configure(cx, decode(request.payload)?).await,
            "Synchronize" => {
                let weight = request.weight;
                self.synchronize(cx, decode(request.payload)?, weight).await
            }
            // No runtime sends it; what it would mean is that the connection will be closed.
            "Shutdown" => Ok(Vec::new()),
            method => self.plugin.handlers.on_method(method, cx, request.payload).await,
        }
    }

    async fn configure(&self, cx: HandlerCx, request: ConfigureRequest) -> Result<Vec<u8>, Status> {
        let runtime = RuntimeInfo::of(&request);
        let subscribed = self.subscribe(cx, runtime.clone(), request.config).await;
        let result = match &subscribed {
            Ok(events) => {
                let failure_policy = self.plugin.failure_policy;
                let events = i32::try_from(events.bits()).unwrap_or(i32::MAX);
                Ok(ConfigureResponse { events, failure_policy }.encode_to_vec())
            }
            Err(error) => Err(failed(error.clone().into())),
        };
        let configured = subscribed.map(|_| runtime);
        self.configured.send_if_modified(|before| before.is_none() && before.replace(configured).is_none());
        result
    }

    /// What the plugin subscribes to: never nothing, which a runtime reads as everything.
    async fn subscribe(&self, cx: HandlerCx, runtime: RuntimeInfo, config: String) -> Result<EventMask, String> {
        let (registered, known) = (self.plugin.handlers.events(), runtime.known_events());
        let events = registered.and(known);
        let version = runtime.version.clone();
        if events != registered {
            let unknown = registered.without(known);
            tracing::warn!(runtime.version = version, %unknown, "the runtime is too old for some handlers");
        }
        let chosen = match &self.plugin.handlers.configure {
            None => events,
            Some(handler) => {
                let configuration = Configuration { runtime, config, events };
                handler(cx, configuration).await.map_err(|error| error.to_string())?
            }
        };
        let wider = chosen.without(events);
        if !wider.is_empty() {
            return Err(format!(
                "`on_configure` chose events that have no handler, or that the runtime lacks: {wider}"
            ));
        }
        if chosen.is_empty() {
            return Err(format!("nothing to subscribe to is left: {registered} of runtime {version}"));
        }
        Ok(chosen)
    }

    async fn synchronize(&self, cx: HandlerCx, request: SynchronizeRequest, weight: usize) -> Result<Vec<u8>, Status> {
        let SynchronizeRequest { pods, containers, more } = request;
        let Some(all) = self.add_part(pods, containers, weight, more)? else {
            return Ok(SynchronizeResponse { update: Vec::new(), more: true }.encode_to_vec());
        };
        // Held until the handler has returned, so that a runtime cannot begin one after the other.
        let _held = all.held;
        let update = match &self.plugin.handlers.synchronize {
            None => Vec::new(),
            Some(handler) => {
                let updates = handler(cx, all.pods, all.containers).await.map_err(failed)?;
                into_messages(updates, None).map_err(|error| failed(error.into()))?
            }
        };
        Ok(SynchronizeResponse { update, more: false }.encode_to_vec())
    }

    /// Keeps a part, or gives all of them if it is the last.
    fn add_part(
        &self,
        pods: Vec<PodSandbox>,
        containers: Vec<Container>,
        weight: usize,
        more: bool,
    ) -> Result<Option<Parts>, Status> {
        let bytes_max = self.plugin.options.synchronize_bytes_max;
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(held) = self.synchronized.take(weight) else {
            let dropped = std::mem::take(&mut *parts);
            drop((parts, dropped));
            let message = format!(
                "the synchronization takes more than {bytes_max} bytes: see `StubOptions::synchronize_bytes_max`"
            );
            tracing::error!(bytes_max, "synchronization is too long");
            return Err(Status::new(Code::RESOURCE_EXHAUSTED, message));
        };
        match &mut parts.held {
            Some(before) => before.join(held),
            before => *before = Some(held),
        }
        parts.pods.extend(pods);
        parts.containers.extend(containers);
        Ok((!more).then(|| std::mem::take(&mut *parts)))
    }
}

impl Service for Session {
    fn call(self: Arc<Self>, request: Request) -> BoxFuture<'static, Result<Vec<u8>, Status>> {
        async move { self.answer(request).await }.boxed()
    }

    fn weigh(&self, method: &str, argument: &[u8]) -> Result<usize, Malformed> {
        match argument_of(method) {
            Some(shape) => shape.weigh(argument),
            None => Ok(argument.len()),
        }
    }
}
