//! How handlers are registered with the builder.

use std::sync::Arc;

use futures_util::FutureExt;

use super::BoxError;
use crate::adjust::Adjustment;
use crate::builder::StubBuilder;
use crate::events::EventMask;
use crate::handler_cx::HandlerCx;
use crate::messages::{
    Container, Event, LinuxResources, PodSandbox, UpdatePodSandboxRequest, ValidateContainerAdjustmentRequest,
};
use crate::runtime_info::Configuration;
use crate::update::Update;

/// The handlers. A failure's text goes to the runtime, which fails the operation on the pod or the container for it; a
/// panic counts as a failure. Registering one of a kind again replaces the one before.
impl StubBuilder {
    /// Is told what the plugin is configured with, and gives the events that it wants: those of the configuration, or
    /// fewer of them. A failure fails the start.
    pub fn on_configure<F, Fut>(mut self, handler: F) -> Self
    where
        F: Fn(HandlerCx, Configuration) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<EventMask, BoxError>> + Send + 'static,
    {
        self.handlers.configure = Some(Arc::new(move |cx, configuration| handler(cx, configuration).boxed()));
        self
    }

    /// Is told once a generation of all pods and containers that exist, and gives updates of containers.
    pub fn on_synchronize<F, Fut>(mut self, handler: F) -> Self
    where
        F: Fn(HandlerCx, Vec<PodSandbox>, Vec<Container>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Vec<Update>, BoxError>> + Send + 'static,
    {
        self.handlers.synchronize = Some(Arc::new(move |cx, pods, containers| handler(cx, pods, containers).boxed()));
        self
    }

    /// Is told of a pod sandbox before it runs.
    pub fn on_run_pod_sandbox<F, Fut>(self, handler: F) -> Self
    where
        F: Fn(HandlerCx, PodSandbox) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        self.pod(Event::RunPodSandbox, handler)
    }

    /// Is told of the resources that a pod sandbox is about to get.
    pub fn on_update_pod_sandbox<F, Fut>(mut self, handler: F) -> Self
    where
        F: Fn(HandlerCx, UpdatePodSandboxRequest) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        self.handlers.update_pod = Some(Arc::new(move |cx, request| handler(cx, request).boxed()));
        self
    }

    /// Is told of a pod sandbox that was updated.
    pub fn on_post_update_pod_sandbox<F, Fut>(self, handler: F) -> Self
    where
        F: Fn(HandlerCx, PodSandbox) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        self.pod(Event::PostUpdatePodSandbox, handler)
    }

    /// Is told of a pod sandbox that is stopped.
    pub fn on_stop_pod_sandbox<F, Fut>(self, handler: F) -> Self
    where
        F: Fn(HandlerCx, PodSandbox) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        self.pod(Event::StopPodSandbox, handler)
    }

    /// Is told of a pod sandbox that is removed.
    pub fn on_remove_pod_sandbox<F, Fut>(self, handler: F) -> Self
    where
        F: Fn(HandlerCx, PodSandbox) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        self.pod(Event::RemovePodSandbox, handler)
    }

    /// Adjusts a container that is about to be created.
    pub fn on_create_container<F, Fut>(mut self, handler: F) -> Self
    where
        F: Fn(HandlerCx, PodSandbox, Container) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Adjustment, BoxError>> + Send + 'static,
    {
        self.handlers.create = Some(Arc::new(move |cx, pod, container| handler(cx, pod, container).boxed()));
        self
    }

    /// Is told of a container that was created.
    pub fn on_post_create_container<F, Fut>(self, handler: F) -> Self
    where
        F: Fn(HandlerCx, PodSandbox, Container) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        self.container(Event::PostCreateContainer, handler)
    }

    /// Is told of a container that is about to be started.
    pub fn on_start_container<F, Fut>(self, handler: F) -> Self
    where
        F: Fn(HandlerCx, PodSandbox, Container) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        self.container(Event::StartContainer, handler)
    }

    /// Is told of a container that was started.
    pub fn on_post_start_container<F, Fut>(self, handler: F) -> Self
    where
        F: Fn(HandlerCx, PodSandbox, Container) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        self.container(Event::PostStartContainer, handler)
    }

    /// Changes the update that a container is about to get, whose resources come last, and updates others.
    pub fn on_update_container<F, Fut>(mut self, handler: F) -> Self
    where
        F: Fn(HandlerCx, PodSandbox, Container, LinuxResources) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Vec<Update>, BoxError>> + Send + 'static,
    {
        let handler = move |cx, pod, container, resources| handler(cx, pod, container, resources).boxed();
        self.handlers.update = Some(Arc::new(handler));
        self
    }

    /// Is told of a container that was updated.
    pub fn on_post_update_container<F, Fut>(self, handler: F) -> Self
    where
        F: Fn(HandlerCx, PodSandbox, Container) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        self.container(Event::PostUpdateContainer, handler)
    }

    /// Is told of a container that has stopped, or was not created after all, and updates others.
    pub fn on_stop_container<F, Fut>(mut self, handler: F) -> Self
    where
        F: Fn(HandlerCx, PodSandbox, Container) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Vec<Update>, BoxError>> + Send + 'static,
    {
        self.handlers.stop = Some(Arc::new(move |cx, pod, container| handler(cx, pod, container).boxed()));
        self
    }

    /// Is told of a container that is removed.
    pub fn on_remove_container<F, Fut>(self, handler: F) -> Self
    where
        F: Fn(HandlerCx, PodSandbox, Container) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        self.container(Event::RemoveContainer, handler)
    }

    /// Looks at what all plugins together have adjusted of a container; a failure rejects it, with its text as the
    /// reason.
    pub fn on_validate_container_adjustment<F, Fut>(mut self, handler: F) -> Self
    where
        F: Fn(HandlerCx, ValidateContainerAdjustmentRequest) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        self.handlers.validate = Some(Arc::new(move |cx, request| handler(cx, request).boxed()));
        self
    }

    fn pod<F, Fut>(mut self, event: Event, handler: F) -> Self
    where
        F: Fn(HandlerCx, PodSandbox) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        self.handlers.pods.insert(event, Arc::new(move |cx, pod| handler(cx, pod).boxed()));
        self
    }

    fn container<F, Fut>(mut self, event: Event, handler: F) -> Self
    where
        F: Fn(HandlerCx, PodSandbox, Container) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        let handler = move |cx, pod, container| handler(cx, pod, container).boxed();
        self.handlers.containers.insert(event, Arc::new(handler));
        self
    }
}
