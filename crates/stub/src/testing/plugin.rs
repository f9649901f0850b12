//! A plugin as a test's runtime sees it, and the requests it sends it.

use std::sync::Arc;
use std::time::Duration;

use prost::Message;
use tokio::sync::RwLock;

use crate::events::EventMask;
use crate::messages::{
    ConfigureRequest, ConfigureResponse, Container, CreateContainerRequest, CreateContainerResponse, Event,
    LinuxResources, PodSandbox, PostCreateContainerRequest, RegisterPluginRequest, RunPodSandboxRequest,
    StateChangeEvent, StopContainerRequest, StopContainerResponse, SynchronizeRequest, SynchronizeResponse,
    UpdateContainerRequest, UpdateContainerResponse, UpdatePodSandboxRequest, ValidateContainerAdjustmentRequest,
    ValidateContainerAdjustmentResponse,
};
use crate::wire::{CallError, Code, Loss, Method, Wire};

/// A plugin that has registered, was configured and synchronized.
#[derive(Clone)]
pub struct TestPlugin {
    pub(super) registered: RegisterPluginRequest,
    pub(super) configured: ConfigureResponse,
    pub(super) synchronized: SynchronizeResponse,
    pub(super) requests: Requests,
}

/// What sends requests over one connection.
#[derive(Clone)]
pub(super) struct Requests {
    pub(super) wire: Wire,
    pub(super) limit: Duration,
    /// A runtime makes no unsolicited update while it waits for a plugin's answer.
    pub(super) busy: Arc<RwLock<()>>,
}

/// Why a request of a test's runtime got no answer that is of use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The plugin answered with an error.
    #[error("the plugin answered with an error: {message} ({code})")]
    Answered {
        /// Its code.
        code: Code,
        /// Its text.
        message: String,
    },
    /// The plugin did not answer in time.
    #[error("the plugin did not answer within {after:?}")]
    TimedOut {
        /// How long it was waited for.
        after: Duration,
    },
    /// The connection was lost.
    #[error("the connection was lost")]
    Lost(#[source] Loss),
    /// The request was not sent, or its answer could not be read.
    #[error("the request failed: {message}")]
    Failed {
        /// Why.
        message: String,
    },
}

impl RequestError {
    pub(super) fn failed(message: impl Into<String>) -> Self {
        Self::Failed { message: message.into() }
    }
}

impl From<CallError> for RequestError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Answered(status) => Self::Answered { code: status.code, message: status.message },
            CallError::TimedOut { after } => Self::TimedOut { after },
            CallError::Lost(loss) => Self::Lost(loss),
            error => Self::failed(error.to_string()),
        }
    }
}

impl TestPlugin {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.registered.plugin_name
    }

    /// Its index, two digits.
    #[must_use]
    pub fn index(&self) -> &str {
        &self.registered.plugin_idx
    }

    /// What it subscribed to.
    #[must_use]
    pub fn events(&self) -> EventMask {
        let bits = u32::try_from(self.configured.events).unwrap_or_default();
        EventMask::from_bits(bits).unwrap_or_default()
    }

    /// How it answered its configuration.
    #[must_use]
    pub fn configured(&self) -> &ConfigureResponse {
        &self.configured
    }

    /// How it answered the last part of its synchronization.
    #[must_use]
    pub fn synchronized(&self) -> &SynchronizeResponse {
        &self.synchronized
    }

    /// Tells it of a pod sandbox, by the method that the event has since NRI v0.12.0.
    ///
    /// # Errors
    ///
    /// A [`RequestError`].
    ///
    /// # Cancel safety
    ///
    /// Dropping it forgets the answer, as with all requests here.
    pub async fn pod_event(&self, event: Event, pod: PodSandbox) -> Result<(), RequestError> {
        self.requests.send_unit(method_of(event)?, &RunPodSandboxRequest { pod: Some(pod) }).await
    }

    /// Tells it of a container, by the method that the event has since NRI v0.12.0.
    ///
    /// # Errors
    ///
    /// A [`RequestError`].
    ///
    /// # Cancel safety
    ///
    /// Dropping it forgets the answer.
    pub async fn container_event(
        &self,
        event: Event,
        pod: PodSandbox,
        container: Container,
    ) -> Result<(), RequestError> {
        let request = PostCreateContainerRequest { pod: Some(pod), container: Some(container) };
        self.requests.send_unit(method_of(event)?, &request).await
    }

    /// Tells it of a pod sandbox or a container as runtimes before NRI v0.12.0 do.
    ///
    /// # Errors
    ///
    /// A [`RequestError`].
    ///
    /// # Cancel safety
    ///
    /// Dropping it forgets the answer.
    pub async fn state_change(&self, change: StateChangeEvent) -> Result<(), RequestError> {
        self.requests.send_unit("StateChange", &change).await
    }

    /// Asks how to adjust a container.
    ///
    /// # Errors
    ///
    /// A [`RequestError`].
    ///
    /// # Cancel safety
    ///
    /// Dropping it forgets the answer.
    pub async fn create_container(
        &self,
        pod: PodSandbox,
        container: Container,
    ) -> Result<CreateContainerResponse, RequestError> {
        let request = CreateContainerRequest { pod: Some(pod), container: Some(container) };
        self.requests.send("CreateContainer", &request).await
    }

    /// Asks how to change the update of a container.
    ///
    /// # Errors
    ///
    /// A [`RequestError`].
    ///
    /// # Cancel safety
    ///
    /// Dropping it forgets the answer.
    pub async fn update_container(
        &self,
        pod: PodSandbox,
        container: Container,
        resources: LinuxResources,
    ) -> Result<UpdateContainerResponse, RequestError> {
        let (pod, container, linux_resources) = (Some(pod), Some(container), Some(resources));
        self.requests.send("UpdateContainer", &UpdateContainerRequest { pod, container, linux_resources }).await
    }

    /// Tells it that a container has stopped.
    ///
    /// # Errors
    ///
    /// A [`RequestError`].
    ///
    /// # Cancel safety
    ///
    /// Dropping it forgets the answer.
    pub async fn stop_container(
        &self,
        pod: PodSandbox,
        container: Container,
    ) -> Result<StopContainerResponse, RequestError> {
        let request = StopContainerRequest { pod: Some(pod), container: Some(container) };
        self.requests.send("StopContainer", &request).await
    }

    /// Tells it of the resources that a pod sandbox is about to get.
    ///
    /// # Errors
    ///
    /// A [`RequestError`].
    ///
    /// # Cancel safety
    ///
    /// Dropping it forgets the answer.
    pub async fn update_pod_sandbox(&self, request: UpdatePodSandboxRequest) -> Result<(), RequestError> {
        self.requests.send_unit("UpdatePodSandbox", &request).await
    }

    /// Has it look at what all plugins have adjusted of a container.
    ///
    /// # Errors
    ///
    /// A [`RequestError`].
    ///
    /// # Cancel safety
    ///
    /// Dropping it forgets the answer.
    pub async fn validate(
        &self,
        request: ValidateContainerAdjustmentRequest,
    ) -> Result<ValidateContainerAdjustmentResponse, RequestError> {
        self.requests.send("ValidateContainerAdjustment", &request).await
    }

    /// Closes the connection, as a runtime does that has had enough of a plugin.
    pub fn close(&self) {
        self.requests.wire.close();
    }

    /// Waits until its connection has gone, and says how; closed from here counts as closed.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropping it forgets the wait and nothing else.
    pub async fn gone(&self) -> Loss {
        self.requests.wire.lost().await
    }
}

impl std::fmt::Debug for TestPlugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestPlugin").field("registered", &self.registered).finish_non_exhaustive()
    }
}

impl Requests {
    pub(super) async fn configure(&self, request: &ConfigureRequest) -> Result<ConfigureResponse, RequestError> {
        self.send("Configure", request).await
    }

    /// Synchronizes in as few parts as fit, and gives the answer to the last.
    pub(super) async fn synchronize(
        &self,
        mut pods: Vec<PodSandbox>,
        mut containers: Vec<Container>,
    ) -> Result<SynchronizeResponse, RequestError> {
        let mut share = 1.0f64;
        loop {
            let part = |count: usize| ((count as f64 * share).ceil() as usize).min(count);
            let (first_pods, first_containers) = (part(pods.len()), part(containers.len()));
            let more = first_pods < pods.len() || first_containers < containers.len();
            let request = SynchronizeRequest {
                pods: pods[..first_pods].to_vec(),
                containers: containers[..first_containers].to_vec(),
                more,
            };
            match self.send_raw::<SynchronizeResponse>("Synchronize", &request).await {
                Err(CallError::TooLong { bytes, bytes_max }) if first_pods + first_containers > 1 => {
                    share *= (bytes_max as f64 / bytes as f64).min(0.9);
                }
                Err(error) => return Err(error.into()),
                Ok(answer) if !more => return Ok(answer),
                Ok(answer) if answer.more && answer.update.is_empty() => {
                    pods.drain(..first_pods);
                    containers.drain(..first_containers);
                    share = 1.0;
                }
                Ok(_) => return Err(RequestError::failed("the plugin answered a part as if it were the last")),
            }
        }
    }

    async fn send<M: Message + Default>(&self, name: &'static str, request: &impl Message) -> Result<M, RequestError> {
        Ok(self.send_raw(name, request).await?)
    }

    async fn send_unit(&self, name: &'static str, request: &impl Message) -> Result<(), RequestError> {
        self.send(name, request).await
    }

    async fn send_raw<M: Message + Default>(&self, name: &'static str, request: &impl Message) -> Result<M, CallError> {
        let _busy = self.busy.read().await;
        let method = Method { service: crate::life::PLUGIN_SERVICE, name };
        let answer = self.wire.call(&method, request, self.limit).await?;
        M::decode(answer).map_err(|error| CallError::Unreadable { message: error.to_string() })
    }
}

/// The method of an event that has no answer.
fn method_of(event: Event) -> Result<&'static str, RequestError> {
    Ok(match event {
        Event::RunPodSandbox => "RunPodSandbox",
        Event::StopPodSandbox => "StopPodSandbox",
        Event::RemovePodSandbox => "RemovePodSandbox",
        Event::PostUpdatePodSandbox => "PostUpdatePodSandbox",
        Event::PostCreateContainer => "PostCreateContainer",
        Event::StartContainer => "StartContainer",
        Event::PostStartContainer => "PostStartContainer",
        Event::PostUpdateContainer => "PostUpdateContainer",
        Event::RemoveContainer => "RemoveContainer",
        event => return Err(RequestError::failed(format!("{event:?} is an event with an answer of its own"))),
    })
}
