//! What is to be written, in order, and the refusals, which have a lane of their own.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use prost::Message as _;
use tokio::sync::{Notify, OwnedSemaphorePermit};

use super::envelope::{Code, ResponseBody, Status};
use super::frame::{BODY_BYTES_MAX, Channel, Head, Kind};
use super::loss::Loss;

/// How many refusals may wait for the writer. One more is a flood, and ends the connection.
pub(crate) const REFUSALS_MAX: usize = 64;

/// The queue between everybody and the writer. Nobody waits to put something in: a request or reply brings the slot
/// that allowed it, so there are as many as there are slots, and refusals fill a lane of fixed length.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    gate: Gate,
    messages: VecDeque<Outgoing>,
    refusals: VecDeque<Refusal>,
}

/// | from   | event                 | to       |
/// |--------|-----------------------|----------|
/// | `Open` | the wire is closed    | `Closing`: what is queued is still written |
/// | any    | the connection is gone | `Gone`: what is queued is dropped          |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Gate {
    #[default]
    Open,
    Closing,
    Gone,
}

/// A request or a reply, ready to be framed.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(super) channel: Channel,
    pub(super) kind: Kind,
    pub(super) stream: u32,
    body: Vec<u8>,
    /// What allowed it. A request's is free again once it is written, a reply's just before: whoever has read a reply may
    /// send the next request, and has to find the slot free.
    slot: Option<Slot>,
}

/// What bounds the number of requests and replies that are under way.
pub(crate) type Slot = std::sync::Arc<OwnedSemaphorePermit>;

/// A status for a request that got no handler.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refusal {
    pub(crate) channel: Channel,
    pub(crate) stream: u32,
    pub(crate) code: Code,
    pub(crate) message: &'static str,
}

/// What the writer takes out.
#[derive(Debug)]
pub(super) enum Taken {
    Message(Outgoing),
    Refusal { refusal: Refusal, body: Vec<u8> },
}

impl Outgoing {
    /// Makes a message of an encoded body, unless that is too long: then its length comes back.
    pub(super) fn new(
        channel: Channel,
        kind: Kind,
        stream: u32,
        body: Vec<u8>,
        slot: Slot,
    ) -> Result<Self, (usize, Slot)> {
        match body.len() {
            bytes if bytes > BODY_BYTES_MAX => Err((bytes, slot)),
            _ => Ok(Self { channel, kind, stream, body, slot: Some(slot) }),
        }
    }
}

impl Taken {
    pub(super) fn head(&self) -> (Channel, Head) {
        let (channel, kind, stream) = match self {
            Self::Message(message) => (message.channel, message.kind, message.stream),
            Self::Refusal { refusal, .. } => (refusal.channel, Kind::Response, refusal.stream),
        };
        (channel, Head { bytes: self.body().len(), stream, kind })
    }

    pub(super) fn body(&self) -> &[u8] {
        match self {
            Self::Message(message) => &message.body,
            Self::Refusal { body, .. } => body,
        }
    }
}

impl Outbox {
    /// Queues a message; false if the connection takes none any more.
    pub(super) fn push(&self, message: Outgoing) -> bool {
        let mut state = self.lock();
        if state.gate != Gate::Open {
            return false;
        }
        state.messages.push_back(message);
        drop(state);
        self.changed.notify_one();
        true
    }

    /// Queues a refusal.
    ///
    /// # Errors
    ///
    /// [`Loss::Flooded`] when the lane is full.
    pub(super) fn refuse(&self, refusal: Refusal) -> Result<(), Loss> {
        let mut state = self.lock();
        if state.gate == Gate::Gone {
            return Ok(());
        }
        if state.refusals.len() == REFUSALS_MAX {
            return Err(Loss::Flooded { refusals_max: REFUSALS_MAX });
        }
        state.refusals.push_back(refusal);
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    /// Takes no messages any more; what is queued is still written.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        if state.gate == Gate::Open {
            state.gate = Gate::Closing;
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Drops what is queued: nothing can be written any more.
    pub(super) fn abandon(&self) {
        let mut state = self.lock();
        state.gate = Gate::Gone;
        let dropped = (std::mem::take(&mut state.messages), std::mem::take(&mut state.refusals));
        drop(state);
        drop(dropped);
        self.changed.notify_one();
    }

    /// What is next, if anything is there.
    pub(super) fn try_next(&self) -> Option<Taken> {
        let mut state = self.lock();
        if let Some(refusal) = state.refusals.pop_front() {
            drop(state);
            let Refusal { code, message, .. } = refusal;
            let body = ResponseBody::of(Err(Status::new(code, message))).encode_to_vec();
            return Some(Taken::Refusal { refusal, body });
        }
        let mut message = state.messages.pop_front()?;
        drop(state);
        if message.kind == Kind::Response {
            message.slot = None;
        }
        Some(Taken::Message(message))
    }

    /// Waits for what is next; none once the gate is closed and all is written.
    pub(super) async fn next(&self) -> Option<Taken> {
        loop {
            if let Some(taken) = self.try_next() {
                return Some(taken);
            }
            if self.lock().gate != Gate::Open {
                return None;
            }
            // A permit of `notify_one` is kept for the one writer, so nothing is missed in between.
            self.changed.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
