//! Any bytes as the argument of a method.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use landfall_lifecycle::TaskSet;
use prost::Message;
use prost::bytes::Bytes;
use tokio_util::sync::CancellationToken;

use crate::adjust::Adjustment;
use crate::handlers::BoxError;
use crate::life::{PLUGIN_SERVICE, Session};
use crate::messages::{
    ConfigureRequest, ConfigureResponse, CreateContainerRequest, CreateContainerResponse, PostCreateContainerRequest,
    RunPodSandboxRequest, StateChangeEvent, StopContainerRequest, StopContainerResponse, SynchronizeRequest,
    SynchronizeResponse, UpdateContainerRequest, UpdateContainerResponse, UpdatePodSandboxRequest,
    ValidateContainerAdjustmentRequest, ValidateContainerAdjustmentResponse,
};
use crate::options::StubOptions;
use crate::resources::Resources;
use crate::stub::Stub;
use crate::update::Update;
use crate::update_queue::Updates;
use crate::wire::{Code, Metadata, Request, Service};

/// A method: its name, whether bytes are an argument of it, and whether they are an answer.
pub(super) type Method = (&'static str, fn(&[u8]) -> bool, fn(&[u8]) -> bool);

/// All methods of a plugin, and one that there is not.
pub(super) const METHODS: &[Method] = &[
    ("Configure", is::<ConfigureRequest>, is::<ConfigureResponse>),
    ("Synchronize", is::<SynchronizeRequest>, is::<SynchronizeResponse>),
    ("Shutdown", |_| true, is::<()>),
    ("StateChange", is::<StateChangeEvent>, is::<()>),
    ("CreateContainer", is::<CreateContainerRequest>, is::<CreateContainerResponse>),
    ("UpdateContainer", is::<UpdateContainerRequest>, is::<UpdateContainerResponse>),
    ("StopContainer", is::<StopContainerRequest>, is::<StopContainerResponse>),
    ("UpdatePodSandbox", is::<UpdatePodSandboxRequest>, is::<()>),
    (
        "ValidateContainerAdjustment",
        is::<ValidateContainerAdjustmentRequest>,
        is::<ValidateContainerAdjustmentResponse>,
    ),
    ("RunPodSandbox", is::<RunPodSandboxRequest>, is::<()>),
    ("StopPodSandbox", is::<RunPodSandboxRequest>, is::<()>),
    ("RemovePodSandbox", is::<RunPodSandboxRequest>, is::<()>),
    ("PostUpdatePodSandbox", is::<RunPodSandboxRequest>, is::<()>),
    ("PostCreateContainer", is::<PostCreateContainerRequest>, is::<()>),
    ("StartContainer", is::<PostCreateContainerRequest>, is::<()>),
    ("PostStartContainer", is::<PostCreateContainerRequest>, is::<()>),
    ("PostUpdateContainer", is::<PostCreateContainerRequest>, is::<()>),
    ("RemoveContainer", is::<PostCreateContainerRequest>, is::<()>),
    ("NoSuchMethod", |_| true, |_| false),
];

fn is<M: Message + Default>(bytes: &[u8]) -> bool {
    M::decode(bytes).is_ok()
}

/// Calls the method that the first byte of `data` chooses with the rest as its argument, on a plugin that has all
/// handlers: what cannot be decoded is refused and reaches none, everything else reaches the one that it is for, and the
/// answer can be read.
///
/// # Panics
///
/// If any of this is not so, or if a request of a plugin waits for something.
pub fn request(data: &[u8]) {
    let Some((method, payload)) = data.split_first() else { return };
    let (method, is_argument, is_answer) = METHODS[usize::from(*method) % METHODS.len()];
    let seen = Seen::default();
    let request = Request {
        service: PLUGIN_SERVICE.to_owned(),
        method: method.to_owned(),
        payload: Bytes::copy_from_slice(payload),
        weight: payload.len(),
        metadata: Metadata::default(),
        deadline: None,
        token: CancellationToken::new(),
    };
    let (updates, _queue) = Updates::new("fuzzed", TaskSet::new("handlers"), &StubOptions::default());
    let session = Arc::new(Session::new(Arc::clone(&plugin(&seen).core().plugin), 1, updates));
    let answer = session.call(request).now_or_never().expect("no handler of these waits");
    let seen = seen.take();
    let of_its_own = match method {
        "Shutdown" | "NoSuchMethod" => None,
        "StateChange" => event_of_state_change(payload),
        // A part that is not the last one is kept.
        "Synchronize" => SynchronizeRequest::decode(payload).ok().filter(|it| !it.more).map(|_| method),
        method => is_argument(payload).then_some(method),
    };
    assert_eq!(seen, Vec::from_iter(of_its_own), "{method}");
    match answer {
        Ok(answer) => assert!(is_argument(payload) && is_answer(&answer), "{method} was answered with {answer:?}"),
        Err(status) if method == "NoSuchMethod" => assert_eq!(status.code, Code::UNIMPLEMENTED),
        Err(status) if !is_argument(payload) => assert_eq!(status.code, Code::INVALID_ARGUMENT, "{status}"),
        // What a handler wishes of what it was told may be refused: an update of a container without an id, say.
        Err(status) => assert_eq!(status.code, Code::UNKNOWN, "{method}: {status}"),
    }
}

/// The handler that hears of an event of old runtimes; those with answers of their own do not come this way.
fn event_of_state_change(payload: &[u8]) -> Option<&'static str> {
    use crate::messages::Event as E;
    let event = E::try_from(StateChangeEvent::decode(payload).ok()?.event).ok()?;
    Some(match event {
        E::RunPodSandbox => "RunPodSandbox",
        E::StopPodSandbox => "StopPodSandbox",
        E::RemovePodSandbox => "RemovePodSandbox",
        E::PostUpdatePodSandbox => "PostUpdatePodSandbox",
        E::PostCreateContainer => "PostCreateContainer",
        E::StartContainer => "StartContainer",
        E::PostStartContainer => "PostStartContainer",
        E::PostUpdateContainer => "PostUpdateContainer",
        E::RemoveContainer => "RemoveContainer",
        _ => return None,
    })
}

/// The handlers that were called.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<&'static str>>>);

impl Seen {
    fn take(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A handler that notes that it was called, and gives `answer`.
    fn notes<T>(&self, name: &'static str, answer: T) -> std::future::Ready<Result<T, BoxError>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(name);
        std::future::ready(Ok(answer))
    }
}

/// A plugin that has all handlers, and wishes what it is told.
fn plugin(seen: &Seen) -> Stub {
    let noted = |name| {
        let seen = seen.clone();
        move || seen.notes(name, ())
    };
    let (run, stop, remove) = (noted("RunPodSandbox"), noted("StopPodSandbox"), noted("RemovePodSandbox"));
    let (updated_pod, update_pod) = (noted("PostUpdatePodSandbox"), noted("UpdatePodSandbox"));
    let (created, start, started) =
        (noted("PostCreateContainer"), noted("StartContainer"), noted("PostStartContainer"));
    let (updated, removed) = (noted("PostUpdateContainer"), noted("RemoveContainer"));
    let validate = noted("ValidateContainerAdjustment");
    let [configure, synchronize, create, update, stopped] = std::array::from_fn(|_| seen.clone());
    let builder = Stub::builder("fuzzed", 0)
        .on_configure(move |_, configuration| configure.notes("Configure", configuration.events))
        .on_synchronize(move |_, _, containers| {
            let updates = containers.into_iter().map(|it| Update::new(it.id, Resources::new().cpu_shares(2)));
            synchronize.notes("Synchronize", updates.collect())
        })
        .on_create_container(move |_, _, container| {
            let wish = container.env.iter().fold(Adjustment::new(), |wish, word| wish.env(word.as_str(), "1"));
            let wish = container.mounts.into_iter().fold(wish, Adjustment::mount);
            create.notes("CreateContainer", wish.annotation(container.name, container.id))
        })
        .on_update_container(move |_, _, container, _| {
            update.notes("UpdateContainer", vec![Update::new(container.id, Resources::new().pids_limit(1))])
        })
        .on_stop_container(move |_, _, container| {
            stopped.notes("StopContainer", vec![Update::new(container.id, Resources::new().memory_limit(1))])
        })
        .on_run_pod_sandbox(move |_, _| run())
        .on_stop_pod_sandbox(move |_, _| stop())
        .on_remove_pod_sandbox(move |_, _| remove())
        .on_post_update_pod_sandbox(move |_, _| updated_pod())
        .on_update_pod_sandbox(move |_, _| update_pod())
        .on_post_create_container(move |_, _, _| created())
        .on_start_container(move |_, _, _| start())
        .on_post_start_container(move |_, _, _| started())
        .on_post_update_container(move |_, _, _| updated())
        .on_remove_container(move |_, _, _| removed())
        .on_validate_container_adjustment(move |_, _| validate());
    builder.build().expect("it is sound")
}
