//! A plugin as a type whose methods are the handlers.

mod register;

use std::future::ready;

use crate::adjust::Adjustment;
use crate::events::EventMask;
use crate::handler_cx::HandlerCx;
use crate::handlers::BoxError;
use crate::messages::{
    Container, LinuxResources, PodSandbox, UpdatePodSandboxRequest, ValidateContainerAdjustmentRequest,
};
use crate::runtime_info::Configuration;
use crate::update::Update;

/// A plugin whose handlers are methods, for [`StubBuilder::plugin`](crate::StubBuilder::plugin).
///
/// [`events`](Self::events) says what it is told of, since nobody can see which methods a type has of its own. A method
/// of an event that is not in there is never called; an event without a method of its own is answered with nothing.
///
/// Write a method as `async fn`. Its failure's text goes to the runtime, which fails the operation for it; a panic counts
/// as a failure. Methods may run at the same time.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use landfall_stub::messages::{Container, Event, PodSandbox};
/// use landfall_stub::{Adjustment, BoxError, EventMask, HandlerCx, Plugin, Stub};
///
/// struct Logger {
///     mark: String,
/// }
///
/// impl Plugin for Logger {
///     fn events(&self) -> EventMask {
///         EventMask::NONE.with(Event::CreateContainer)
///     }
///
///     async fn create_container(&self, _: HandlerCx, _: PodSandbox, _: Container) -> Result<Adjustment, BoxError> {
///         Ok(Adjustment::new().env("SEEN", &self.mark))
///     }
/// }
///
/// let logger = Arc::new(Logger { mark: "1".to_owned() });
/// let stub = Stub::builder("logger", 10).plugin(&logger).build()?;
/// # Ok::<(), landfall_stub::BuildError>(())
/// ```
pub trait Plugin: Send + Sync + 'static {
    /// The events that it has handlers for; asked for once, when it is given to the builder.
    fn events(&self) -> EventMask;

    /// As [`StubBuilder::on_configure`](crate::StubBuilder::on_configure). By itself it takes all events that are there.
    ///
    /// # Cancel safety
    ///
    /// Dropped where it waits when it outlives the grace of a stop.
    fn configure(
        &self,
        _cx: HandlerCx,
        configuration: Configuration,
    ) -> impl Future<Output = Result<EventMask, BoxError>> + Send {
        ready(Ok(configuration.events))
    }

    /// As [`StubBuilder::on_synchronize`](crate::StubBuilder::on_synchronize).
    ///
    /// # Cancel safety
    ///
    /// Dropped where it waits when it outlives the grace of a stop.
    fn synchronize(
        &self,
        _cx: HandlerCx,
        _pods: Vec<PodSandbox>,
        _containers: Vec<Container>,
    ) -> impl Future<Output = Result<Vec<Update>, BoxError>> + Send {
        ready(Ok(Vec::new()))
    }

    /// As [`StubBuilder::on_run_pod_sandbox`](crate::StubBuilder::on_run_pod_sandbox).
    ///
    /// # Cancel safety
    ///
    /// Dropped where it waits when it outlives the grace of a stop.
    fn run_pod_sandbox(&self, _cx: HandlerCx, _pod: PodSandbox) -> impl Future<Output = Result<(), BoxError>> + Send {
        ready(Ok(()))
    }

    /// As [`StubBuilder::on_update_pod_sandbox`](crate::StubBuilder::on_update_pod_sandbox).
    ///
    /// # Cancel safety
    ///
    /// Dropped where it waits when it outlives the grace of a stop.
    fn update_pod_sandbox(
        &self,
        _cx: HandlerCx,
        _request: UpdatePodSandboxRequest,
    ) -> impl Future<Output = Result<(), BoxError>> + Send {
        ready(Ok(()))
    }

    /// As [`StubBuilder::on_post_update_pod_sandbox`](crate::StubBuilder::on_post_update_pod_sandbox).
    ///
    /// # Cancel safety
    ///
    /// Dropped where it waits when it outlives the grace of a stop.
    fn post_update_pod_sandbox(
        &self,
        _cx: HandlerCx,
        _pod: PodSandbox,
    ) -> impl Future<Output = Result<(), BoxError>> + Send {
        ready(Ok(()))
    }

    /// As [`StubBuilder::on_stop_pod_sandbox`](crate::StubBuilder::on_stop_pod_sandbox).
    ///
    /// # Cancel safety
    ///
    /// Dropped where it waits when it outlives the grace of a stop.
    fn stop_pod_sandbox(&self, _cx: HandlerCx, _pod: PodSandbox) -> impl Future<Output = Result<(), BoxError>> + Send {
        ready(Ok(()))
    }

    /// As [`StubBuilder::on_remove_pod_sandbox`](crate::StubBuilder::on_remove_pod_sandbox).
    ///
    /// # Cancel safety
    ///
    /// Dropped where it waits when it outlives the grace of a stop.
    fn remove_pod_sandbox(
        &self,
        _cx: HandlerCx,
        _pod: PodSandbox,
    ) -> impl Future<Output = Result<(), BoxError>> + Send {
        ready(Ok(()))
    }

    /// As [`StubBuilder::on_create_container`](crate::StubBuilder::on_create_container).
    ///
    /// # Cancel safety
    ///
    /// Dropped where it waits when it outlives the grace of a stop.
    fn create_container(
        &self,
        _cx: HandlerCx,
        _pod: PodSandbox,
        _container: Container,
    ) -> impl Future<Output = Result<Adjustment, BoxError>> + Send {
        ready(Ok(Adjustment::new()))
    }

    /// As [`StubBuilder::on_post_create_container`](crate::StubBuilder::on_post_create_container).
    ///
    /// # Cancel safety
    ///
    /// Dropped where it waits when it outlives the grace of a stop.
    fn post_create_container(
        &self,
        _cx: HandlerCx,
        _pod: PodSandbox,
        _container: Container,
    ) -> impl Future<Output = Result<(), BoxError>> + Send {
        ready(Ok(()))
    }

    /// As [`StubBuilder::on_start_container`](crate::StubBuilder::on_start_container).
    ///
    /// # Cancel safety
    ///
    /// Dropped where it waits when it outlives the grace of a stop.
    fn start_container(
        &self,
        _cx: HandlerCx,
        _pod: PodSandbox,
        _container: Container,
    ) -> impl Future<Output = Result<(), BoxError>> + Send {
        ready(Ok(()))
    }

    /// As [`StubBuilder::on_post_start_container`](crate::StubBuilder::on_post_start_container).
    ///
    /// # Cancel safety
    ///
    /// Dropped where it waits when it outlives the grace of a stop.
    fn post_start_container(
        &self,
        _cx: HandlerCx,
        _pod: PodSandbox,
        _container: Container,
    ) -> impl Future<Output = Result<(), BoxError>> + Send {
        ready(Ok(()))
    }

    /// As [`StubBuilder::on_update_container`](crate::StubBuilder::on_update_container).
    ///
    /// # Cancel safety
    ///
    /// Dropped where it waits when it outlives the grace of a stop.
    fn update_container(
        &self,
        _cx: HandlerCx,
        _pod: PodSandbox,
        _container: Container,
        _resources: LinuxResources,
    ) -> impl Future<Output = Result<Vec<Update>, BoxError>> + Send {
        ready(Ok(Vec::new()))
    }

    /// As [`StubBuilder::on_post_update_container`](crate::StubBuilder::on_post_update_container).
    ///
    /// # Cancel safety
    ///
    /// Dropped where it waits when it outlives the grace of a stop.
    fn post_update_container(
        &self,
        _cx: HandlerCx,
        _pod: PodSandbox,
        _container: Container,
    ) -> impl Future<Output = Result<(), BoxError>> + Send {
        ready(Ok(()))
    }

    /// As [`StubBuilder::on_stop_container`](crate::StubBuilder::on_stop_container).
    ///
    /// # Cancel safety
    ///
    /// Dropped where it waits when it outlives the grace of a stop.
    fn stop_container(
        &self,
        _cx: HandlerCx,
        _pod: PodSandbox,
        _container: Container,
    ) -> impl Future<Output = Result<Vec<Update>, BoxError>> + Send {
        ready(Ok(Vec::new()))
    }

    /// As [`StubBuilder::on_remove_container`](crate::StubBuilder::on_remove_container).
    ///
    /// # Cancel safety
    ///
    /// Dropped where it waits when it outlives the grace of a stop.
    fn remove_container(
        &self,
        _cx: HandlerCx,
        _pod: PodSandbox,
        _container: Container,
    ) -> impl Future<Output = Result<(), BoxError>> + Send {
        ready(Ok(()))
    }

    /// As [`StubBuilder::on_validate_container_adjustment`](crate::StubBuilder::on_validate_container_adjustment).
    ///
    /// # Cancel safety
    ///
    /// Dropped where it waits when it outlives the grace of a stop.
    fn validate_container_adjustment(
        &self,
        _cx: HandlerCx,
        _request: ValidateContainerAdjustmentRequest,
    ) -> impl Future<Output = Result<(), BoxError>> + Send {
        ready(Ok(()))
    }
}
