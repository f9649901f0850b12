//! How others make requests on a connection.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;
use std::marker::PhantomData;
use tokio::sync::{mpsc, oneshot};

use super::Peer;
use crate::settings::Settings;
use crate::wire::{Api, EncodeError, FrameError, decoded, encoded};

/// The way to a connection while it is up.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    peer: Arc<Peer>,
    client_id: StrBytes,
    calls: mpsc::Sender<Call>,
}

/// A request on its way to a connection. Dropping it tells who waits that it is lost.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) api: &'static str,
    pub(super) frame: BytesMut,
    pub(super) answer: oneshot::Sender<Bytes>,
}

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// It may have been done.
    #[error("the connection to {peer} was lost before it answered {api}")]
    Lost { peer: Arc<Peer>, api: &'static str },
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// It may have been done, too.
    #[error("{peer} gave an answer that is none")]
    Answer { peer: Arc<Peer>, source: FrameError },
}

/// The wait for an answer. Dropping it forgets the answer; the request goes on.
#[derive(Debug)]
pub(crate) struct Answer<A> {
    peer: Arc<Peer>,
    frame: oneshot::Receiver<Bytes>,
    api: PhantomData<fn() -> A>,
}

impl Link {
    pub(super) fn new(peer: &Peer, calls: mpsc::Sender<Call>, settings: &Settings) -> Self {
        let client_id = StrBytes::from_string(settings.client_id.clone());
        Self { peer: Arc::new(peer.clone()), client_id, calls }
    }

    pub(crate) fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Gives a request to the connection, which sends in this order; waits while it has too many.
    pub(crate) async fn begin<A: Api>(&self, request: &A) -> Result<Answer<A>, CallError> {
        let frame = encoded(request, &self.client_id)?;
        let (answer, received) = oneshot::channel();
        let call = Call { api: A::NAME, frame, answer };
        if self.calls.send(call).await.is_err() {
            return Err(CallError::Lost { peer: Arc::clone(&self.peer), api: A::NAME });
        }
        Ok(Answer { peer: Arc::clone(&self.peer), frame: received, api: PhantomData })
    }

    /// Makes a request and waits for its answer.
    pub(crate) async fn call<A: Api>(&self, request: &A) -> Result<A::Response, CallError> {
        self.begin(request).await?.received().await
    }

    /// Whether this is the same connection, and not one that was made anew.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.calls.same_channel(&other.calls)
    }
}

impl<A: Api> Answer<A> {
    /// Waits for the answer. Cancel safe: a dropped wait loses nothing.
    pub(crate) async fn received(&mut self) -> Result<A::Response, CallError> {
        let lost = || CallError::Lost { peer: Arc::clone(&self.peer), api: A::NAME };
        let frame = (&mut self.frame).await.map_err(|_| lost())?;
        decoded::<A>(frame).map_err(|source| CallError::Answer { peer: Arc::clone(&self.peer), source })
    }
}

/// How much longer than a broker's own limit a request has before it is given up.
pub(crate) fn broker_timeout(settings: &Settings) -> i32 {
    let half: Duration = settings.request_timeout / 2;
    i32::try_from(half.as_millis()).unwrap_or(i32::MAX)
}
