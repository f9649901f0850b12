//! What a plugin does on what the runtime asks: its handlers, and which request goes to which.

mod dispatch;
mod register;

pub(crate) use self::dispatch::{decode, failed, unreadable};

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::adjust::Adjustment;
use crate::events::EventMask;
use crate::handler_cx::HandlerCx;
use crate::messages::{
    Container, Event, LinuxResources, PodSandbox, UpdatePodSandboxRequest, ValidateContainerAdjustmentRequest,
};
use crate::runtime_info::Configuration;
use crate::update::Update;

/// Why a handler failed; the runtime gets its text.
pub type BoxError = Box<dyn Error + Send + Sync>;

type Answer<T> = BoxFuture<'static, Result<T, BoxError>>;
type Handler1<A, T> = Arc<dyn Fn(HandlerCx, A) -> Answer<T> + Send + Sync>;
type Handler2<A, B, T> = Arc<dyn Fn(HandlerCx, A, B) -> Answer<T> + Send + Sync>;
type Handler3<A, B, C, T> = Arc<dyn Fn(HandlerCx, A, B, C) -> Answer<T> + Send + Sync>;

/// The handlers of a plugin, each if it is registered.
#[derive(Default)]
pub(crate) struct Handlers {
    pub(crate) configure: Option<Handler1<Configuration, EventMask>>,
    pub(crate) synchronize: Option<Handler2<Vec<PodSandbox>, Vec<Container>, Vec<Update>>>,
    /// Those that are told of a pod and answer nothing.
    pub(crate) pods: BTreeMap<Event, Handler1<PodSandbox, ()>>,
    pub(crate) update_pod: Option<Handler1<UpdatePodSandboxRequest, ()>>,
    /// Those that are told of a container and answer nothing.
    pub(crate) containers: BTreeMap<Event, Handler2<PodSandbox, Container, ()>>,
    pub(crate) create: Option<Handler2<PodSandbox, Container, Adjustment>>,
    pub(crate) update: Option<Handler3<PodSandbox, Container, LinuxResources, Vec<Update>>>,
    pub(crate) stop: Option<Handler2<PodSandbox, Container, Vec<Update>>>,
    pub(crate) validate: Option<Handler1<ValidateContainerAdjustmentRequest, ()>>,
}

impl Handlers {
    /// The events that have a handler: what the plugin subscribes to.
    pub(crate) fn events(&self) -> EventMask {
        let alone = [
            (self.update_pod.is_some(), Event::UpdatePodSandbox),
            (self.create.is_some(), Event::CreateContainer),
            (self.update.is_some(), Event::UpdateContainer),
            (self.stop.is_some(), Event::StopContainer),
            (self.validate.is_some(), Event::ValidateContainerAdjustment),
        ];
        let alone = alone.into_iter().filter(|(is_there, _)| *is_there).map(|(_, event)| event);
        alone.chain(self.pods.keys().copied()).chain(self.containers.keys().copied()).collect()
    }
}
