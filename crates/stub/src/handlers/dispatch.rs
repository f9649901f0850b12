//! From a method and its bytes to a handler, and from its answer to bytes.

use bytes::Bytes;
use prost::{DecodeError, Message};

use super::{BoxError, Handlers};
#[cfg(landfall_faults)]
use crate::faults::{Fault, is_armed};
use crate::handler_cx::HandlerCx;
use crate::messages::{
    CreateContainerRequest, Event, PodSandbox, PostCreateContainerRequest, RunPodSandboxRequest, StateChangeEvent,
    StopContainerRequest, StopContainerResponse, UpdateContainerRequest, UpdateContainerResponse,
    UpdatePodSandboxRequest, ValidateContainerAdjustmentRequest, ValidateContainerAdjustmentResponse,
};
use crate::update::into_messages;
use crate::wire::{Code, Status};

/// What an answer without content is: its encoding is empty.
const EMPTY: Vec<u8> = Vec::new();

/// The event that has a method of its own; since NRI v0.12.0 each has.
fn event_of(method: &str) -> Option<Event> {
    Some(match method {
        "RunPodSandbox" => Event::RunPodSandbox,
        "StopPodSandbox" => Event::StopPodSandbox,
        "RemovePodSandbox" => Event::RemovePodSandbox,
        "CreateContainer" => Event::CreateContainer,
        "PostCreateContainer" => Event::PostCreateContainer,
        "StartContainer" => Event::StartContainer,
        "PostStartContainer" => Event::PostStartContainer,
        "UpdateContainer" => Event::UpdateContainer,
        "PostUpdateContainer" => Event::PostUpdateContainer,
        "StopContainer" => Event::StopContainer,
        "RemoveContainer" => Event::RemoveContainer,
        "UpdatePodSandbox" => Event::UpdatePodSandbox,
        "PostUpdatePodSandbox" => Event::PostUpdatePodSandbox,
        "ValidateContainerAdjustment" => Event::ValidateContainerAdjustment,
        _ => return None,
    })
}

impl Handlers {
    /// Hands an event to its handler; an event without one is answered with nothing, as Go's stub does.
    pub(crate) async fn on_method(&self, method: &str, cx: HandlerCx, payload: Bytes) -> Result<Vec<u8>, Status> {
        if method == "StateChange" {
            return self.on_state_change(cx, decode(payload)?).await;
        }
        #[cfg(landfall_faults)]
        let method =
            if is_armed(Fault::ConfuseEvents) && method == "StartContainer" { "RemoveContainer" } else { method };
        match event_of(method) {
            None => Err(unimplemented(method)),
            Some(Event::CreateContainer) => self.on_create(cx, decode(payload)?).await,
            Some(Event::UpdateContainer) => self.on_update(cx, decode(payload)?).await,
            Some(Event::StopContainer) => self.on_stop(cx, decode(payload)?).await,
            Some(Event::UpdatePodSandbox) => self.on_update_pod(cx, decode(payload)?).await,
            Some(Event::ValidateContainerAdjustment) => self.on_validate(cx, decode(payload)?).await,
            Some(event) if is_of_pod(event) => {
                // All of these requests have the same one field.
                let RunPodSandboxRequest { pod } = decode(payload)?;
                self.on_pod(event, cx, pod).await
            }
            Some(event) => {
                // And these the same two.
                self.on_container(event, cx, decode(payload)?).await
            }
        }
    }

    /// How runtimes before v0.12.0 tell of what has no answer.
    async fn on_state_change(&self, cx: HandlerCx, change: StateChangeEvent) -> Result<Vec<u8>, Status> {
        let StateChangeEvent { event, pod, container } = change;
        match Event::try_from(event) {
            Ok(event) if is_of_pod(event) => self.on_pod(event, cx, pod).await,
            Ok(event) => self.on_container(event, cx, PostCreateContainerRequest { pod, container }).await,
            Err(_) => {
                tracing::debug!(event, "an event that is not known was ignored");
                Ok(EMPTY)
            }
        }
    }

    async fn on_pod(&self, event: Event, cx: HandlerCx, pod: Option<PodSandbox>) -> Result<Vec<u8>, Status> {
        let Some(handler) = self.pods.get(&event) else { return Ok(EMPTY) };
        handler(cx, pod.unwrap_or_default()).await.map_err(failed)?;
        Ok(EMPTY)
    }

    async fn on_container(
        &self,
        event: Event,
        cx: HandlerCx,
        request: PostCreateContainerRequest,
    ) -> Result<Vec<u8>, Status> {
        let Some(handler) = self.containers.get(&event) else { return Ok(EMPTY) };
        let PostCreateContainerRequest { pod, container } = request;
        handler(cx, pod.unwrap_or_default(), container.unwrap_or_default()).await.map_err(failed)?;
        Ok(EMPTY)
    }

    async fn on_create(&self, cx: HandlerCx, request: CreateContainerRequest) -> Result<Vec<u8>, Status> {
        let Some(handler) = &self.create else { return Ok(EMPTY) };
        let CreateContainerRequest { pod, container } = request;
        let container = container.unwrap_or_default();
        let id = container.id.clone();
        let adjustment = handler(cx, pod.unwrap_or_default(), container).await.map_err(failed)?;
        Ok(adjustment.into_reply(&id).map_err(|error| failed(error.into()))?.encode_to_vec())
    }

    async fn on_update(&self, cx: HandlerCx, request: UpdateContainerRequest) -> Result<Vec<u8>, Status> {
        let Some(handler) = &self.update else { return Ok(EMPTY) };
        let UpdateContainerRequest { pod, container, linux_resources } = request;
        let resources = linux_resources.unwrap_or_default();
        let updates = handler(cx, pod.unwrap_or_default(), container.unwrap_or_default(), resources).await;
        let update = into_messages(updates.map_err(failed)?, None).map_err(|error| failed(error.into()))?;
        Ok(UpdateContainerResponse { update, evict: Vec::new() }.encode_to_vec())
    }

    async fn on_stop(&self, cx: HandlerCx, request: StopContainerRequest) -> Result<Vec<u8>, Status> {
        let Some(handler) = &self.stop else { return Ok(EMPTY) };
        let StopContainerRequest { pod, container } = request;
        let updates = handler(cx, pod.unwrap_or_default(), container.unwrap_or_default()).await;
        let update = into_messages(updates.map_err(failed)?, None).map_err(|error| failed(error.into()))?;
        Ok(StopContainerResponse { update }.encode_to_vec())
    }

    async fn on_update_pod(&self, cx: HandlerCx, request: UpdatePodSandboxRequest) -> Result<Vec<u8>, Status> {
        let Some(handler) = &self.update_pod else { return Ok(EMPTY) };
        handler(cx, request).await.map_err(failed)?;
        Ok(EMPTY)
    }

    /// A validator that fails rejects the container: that is an answer, no error of the call.
    async fn on_validate(&self, cx: HandlerCx, request: ValidateContainerAdjustmentRequest) -> Result<Vec<u8>, Status> {
        let Some(handler) = &self.validate else { return Ok(EMPTY) };
        let (reject, reason) = match handler(cx, request).await {
            Ok(()) => (false, String::new()),
            Err(error) => (true, error.to_string()),
        };
        Ok(ValidateContainerAdjustmentResponse { reject, reason }.encode_to_vec())
    }
}

const fn is_of_pod(event: Event) -> bool {
    matches!(
        event,
        Event::RunPodSandbox | Event::StopPodSandbox | Event::RemovePodSandbox | Event::PostUpdatePodSandbox
    )
}

/// Decodes the argument of a method.
pub(crate) fn decode<M: Message + Default>(payload: Bytes) -> Result<M, Status> {
    M::decode(payload).map_err(unreadable)
}

/// The status of a request that cannot be decoded.
pub(crate) fn unreadable(error: DecodeError) -> Status {
    Status::new(Code::INVALID_ARGUMENT, format!("the request cannot be decoded: {error}"))
}

/// The status of a failed handler: what Go's server makes of an error without a code.
pub(crate) fn failed(error: BoxError) -> Status {
    Status::new(Code::UNKNOWN, error.to_string())
}

fn unimplemented(method: &str) -> Status {
    Status::new(Code::UNIMPLEMENTED, format!("this plugin has no method {method:?}"))
}
