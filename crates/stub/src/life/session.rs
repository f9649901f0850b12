//! What the runtime asks of one generation: the service `Plugin`.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use prost::Message;
use tokio::sync::watch;

use super::drive::Definition;
use crate::events::EventMask;
use crate::handler_cx::HandlerCx;
use crate::handlers::{decode, failed, unreadable};
use crate::messages::{
    ConfigureRequest, ConfigureResponse, Malformed, SynchronizeRequest, SynchronizeResponse, argument_of,
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
    all: SynchronizeRequest,
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
            "Synchronize" => self.synchronize(cx, request.payload, request.weight).await,
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

    async fn synchronize(&self, cx: HandlerCx, part: Bytes, weight: usize) -> Result<Vec<u8>, Status> {
        // They are held until the handler has returned, so that a runtime cannot begin one after the other.
        let Some(Parts { all, held: _held }) = self.add_part(&part, weight)? else {
            return Ok(SynchronizeResponse { update: Vec::new(), more: true }.encode_to_vec());
        };
        // The handler may take its time, and what was made of them is all it needs.
        drop(part);
        let update = match &self.plugin.handlers.synchronize {
            None => Vec::new(),
            Some(handler) => {
                let updates = handler(cx, all.pods, all.containers).await.map_err(failed)?;
                into_messages(updates, None).map_err(|error| failed(error.into()))?
            }
        };
        Ok(SynchronizeResponse { update, more: false }.encode_to_vec())
    }

    /// Decodes a part behind those that are kept, and gives all of them if it is the last. After a part that is refused
    /// none is kept.
    fn add_part(&self, part: &[u8], weight: usize) -> Result<Option<Parts>, Status> {
        let mut kept = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut parts = std::mem::take(&mut *kept);
        self.hold(&mut parts, weight)?;
        // What a part does not say would stay as the one before has it.
        parts.all.more = false;
        parts.all.merge_part(part).map_err(unreadable)?;
        if !parts.all.more {
            return Ok(Some(parts));
        }
        *kept = parts;
        Ok(None)
    }

    fn hold(&self, parts: &mut Parts, weight: usize) -> Result<(), Status> {
        let bytes_max = self.plugin.options.synchronize_bytes_max;
        let Some(held) = self.synchronized.take(weight) else {
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
        Ok(())
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

#[cfg(test)]
mod tests {
    use landfall_lifecycle::TaskSet;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::messages::{Container, PodSandbox};
    use crate::options::StubOptions;
    use crate::stub::Stub;
    use crate::wire::Metadata;

    const BYTES_MAX: usize = 4 << 20;

    type Told = Arc<Mutex<Vec<Vec<String>>>>;

    /// A session whose handler notes the ids of what it is told.
    fn session(told: &Told) -> Arc<Session> {
        let options = StubOptions { synchronize_bytes_max: BYTES_MAX, ..StubOptions::default() };
        let (updates, _) = Updates::new("told", TaskSet::new("handlers"), &options);
        let told = Arc::clone(told);
        let stub = Stub::builder("told", 0).options(options).on_stop_pod_sandbox(async |_, _| Ok(())).on_synchronize(
            move |_, pods, containers| {
                let ids = pods.into_iter().map(|it| it.id).chain(containers.into_iter().map(|it| it.id)).collect();
                told.lock().expect("no panic").push(ids);
                async { Ok(Vec::new()) }
            },
        );
        let plugin = Arc::clone(&stub.build().expect("sound").core().plugin);
        Arc::new(Session::new(plugin, 1, updates))
    }

    fn send(session: &Arc<Session>, payload: Vec<u8>, weight: usize) -> Result<SynchronizeResponse, Code> {
        let request = Request {
            service: PLUGIN_SERVICE.to_owned(),
            method: "Synchronize".to_owned(),
            payload: payload.into(),
            weight,
            metadata: Metadata::default(),
            deadline: None,
            token: CancellationToken::new(),
        };
        let answer = Arc::clone(session).call(request).now_or_never().expect("the handler does not wait");
        let answer = answer.map_err(|status| status.code)?;
        Ok(SynchronizeResponse::decode(&answer[..]).expect("an answer"))
    }

    fn part(pods: &[&str], containers: &[&str], more: bool) -> Vec<u8> {
        let pods = pods.iter().map(|id| PodSandbox { id: (*id).to_owned(), ..Default::default() }).collect();
        let containers = containers.iter().map(|id| Container { id: (*id).to_owned(), ..Default::default() }).collect();
        SynchronizeRequest { pods, containers, more }.encode_to_vec()
    }

    #[test]
    fn parts_come_to_the_handler_in_order_and_once() {
        let told = Told::default();
        let session = session(&told);
        for _ in 0..2 {
            assert!(send(&session, part(&["p1", "p2"], &[], true), 1).expect("taken").more);
            assert!(send(&session, part(&[], &["c1"], true), 1).expect("taken").more);
            assert!(!send(&session, part(&["p3"], &["c2"], false), 1).expect("taken").more);
            assert_eq!(told.lock().expect("no panic").pop().expect("told"), ["p1", "p2", "p3", "c1", "c2"]);
            assert_eq!(session.synchronized.used(), 0);
        }
    }

    /// What is left of a synchronization that failed would be told as a part of the next.
    #[test]
    fn a_part_that_is_refused_takes_those_before_it_along() {
        let told = Told::default();
        let session = session(&told);
        for (refused, weight, code) in [
            (vec![0xff], 1, Code::INVALID_ARGUMENT),
            // One pod that is sound, and one that is none.
            ([part(&["p2"], &[], true), vec![0x0a, 1, 0xff]].concat(), 1, Code::INVALID_ARGUMENT),
            (part(&["p2"], &[], true), BYTES_MAX, Code::RESOURCE_EXHAUSTED),
        ] {
            assert!(send(&session, part(&["p1"], &["c1"], true), 1).expect("taken").more);
            assert_eq!(send(&session, refused, weight), Err(code));
            assert_eq!(session.synchronized.used(), 0);
            assert!(!send(&session, part(&["p3"], &[], false), 1).expect("taken").more);
            assert_eq!(told.lock().expect("no panic").pop().expect("told"), ["p3"]);
        }
    }
}
