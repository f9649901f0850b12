//! What a handler knows of the request that it handles.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::update_queue::Updates;
use crate::wire::{Metadata, Request};

/// What a handler knows of its request besides the pod and the container.
#[derive(Clone, Debug)]
pub struct HandlerCx {
    generation: u64,
    deadline: Option<tokio::time::Instant>,
    metadata: Metadata,
    token: CancellationToken,
    updates: Updates,
}

impl HandlerCx {
    pub(crate) fn of(request: &mut Request, generation: u64, updates: Updates) -> Self {
        Self {
            generation,
            deadline: request.deadline,
            metadata: std::mem::take(&mut request.metadata),
            token: request.token.clone(),
            updates,
        }
    }

    pub(crate) fn updates(&self) -> &Updates {
        &self.updates
    }

    /// Which generation of the stub the request came to.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// When the runtime stops to wait for the answer; none if it said nothing. What comes later is dropped, and unless
    /// the plugin's failure policy says otherwise the runtime closes the connection.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline.map(tokio::time::Instant::into_std)
    }

    /// How long the runtime still waits.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(tokio::time::Instant::now()))
    }

    /// Is cancelled when the runtime has stopped to wait, when the connection is lost, and when the plugin stops. The
    /// handler should finish then: it is aborted after [`StubOptions::stop_grace`](crate::StubOptions::stop_grace).
    #[must_use]
    pub fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// What the runtime sent along, such as a trace context.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}
