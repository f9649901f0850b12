//! Our calls: their ids, who waits for which answer, and until when.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use prost::Message;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{Instant, timeout_at};

use super::envelope::{RequestBody, ResponseBody, Status};
use super::frame::{BODY_BYTES_MAX, Channel, Kind};
use super::loss::Loss;
use super::outbox::{Outbox, Outgoing, Slot};
#[cfg(landfall_faults)]
use crate::faults::{Fault, is_armed};

/// The calls under way on one connection.
#[derive(Debug)]
pub(crate) struct Calls {
    channel: Channel,
    outbox: Arc<Outbox>,
    slots: Arc<Semaphore>,
    calls_max: usize,
    table: Mutex<Table>,
}

#[derive(Debug)]
struct Table {
    /// The id of the next call: odd, and never used again. None when they are used up.
    next: Option<u32>,
    pending: HashMap<u32, Pending>,
    /// What all calls fail with once no answer can come.
    over: Option<CallError>,
}

#[derive(Debug)]
struct Pending {
    answer: oneshot::Sender<Result<Bytes, CallError>>,
    _slot: Slot,
}

/// Why a call got no answer that it can use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CallError {
    #[error("the runtime answered with an error: {0}")]
    Answered(Status),
    #[error("the runtime did not answer within {after:?}")]
    TimedOut { after: Duration },
    #[error("the message has {bytes} bytes, and {bytes_max} are allowed")]
    TooLong { bytes: usize, bytes_max: usize },
    #[error("{calls_max} calls are waiting for their answers already")]
    TooMany { calls_max: usize },
    #[error("the answer does not fit beside what is held already, or cannot be read: {message}")]
    Unreadable { message: String },
    #[error(transparent)]
    Lost(Loss),
    #[error("the connection is being closed")]
    Closing,
}

/// A method of a service.
#[derive(Clone, Debug)]
pub(crate) struct Method {
    pub(crate) service: &'static str,
    pub(crate) name: &'static str,
}

impl Calls {
    pub(super) fn new(channel: Channel, outbox: Arc<Outbox>, calls_max: usize) -> Self {
        let table = Table { next: Some(1), pending: HashMap::new(), over: None };
        Self { channel, outbox, slots: Arc::new(Semaphore::new(calls_max)), calls_max, table: Mutex::new(table) }
    }

    /// Calls `method` and waits for its answer, for `limit` at most; the peer is told that limit.
    ///
    /// # Cancel safety
    ///
    /// Dropping it forgets the answer. The request is written all the same, and whole, if it was queued.
    pub(crate) async fn call(
        &self,
        method: &Method,
        argument: &impl Message,
        limit: Duration,
    ) -> Result<Bytes, CallError> {
        let deadline = Instant::now() + limit;
        let (stream, answer) = self.begin(method, argument, limit)?;
        let withdrawn = Withdrawn { calls: self, stream };
        let result = timeout_at(deadline, answer).await;
        drop(withdrawn);
        match result {
            Ok(Ok(result)) => result,
            // The table has gone with the wire.
            Ok(Err(_)) => Err(CallError::Closing),
            Err(_) => Err(CallError::TimedOut { after: limit }),
        }
    }

    /// Queues the request under the next id. The ids go out in order, since they are given under the lock under which
    /// the request is queued.
    fn begin(&self, method: &Method, argument: &impl Message, limit: Duration) -> Result<Begun, CallError> {
        let body = RequestBody {
            service: method.service.to_owned(),
            method: method.name.to_owned(),
            payload: argument.encode_to_vec().into(),
            timeout_nanos: i64::try_from(limit.as_nanos()).unwrap_or(i64::MAX),
            metadata: Vec::new(),
        }
        .encode_to_vec();
        let slot = Arc::clone(&self.slots).try_acquire_owned();
        let slot = Arc::new(slot.map_err(|_| CallError::TooMany { calls_max: self.calls_max })?);
        let mut table = self.lock();
        if let Some(error) = &table.over {
            return Err(error.clone());
        }
        let Some(stream) = table.next else { return Err(CallError::Lost(Loss::IdsUsedUp)) };
        let held = Arc::clone(&slot);
        #[cfg(landfall_faults)]
        let held = if is_armed(Fault::FreeSlotEarly) { spare_slot() } else { held };
        let message = Outgoing::new(self.channel, Kind::Request, stream, body, held)
            .map_err(|(bytes, _)| CallError::TooLong { bytes, bytes_max: BODY_BYTES_MAX })?;
        if !self.outbox.push(message) {
            return Err(CallError::Closing);
        }
        table.next = stream.checked_add(2);
        let (sender, receiver) = oneshot::channel();
        table.pending.insert(stream, Pending { answer: sender, _slot: slot });
        Ok((stream, receiver))
    }

    /// Hands an answer to who waits for it; one that nobody waits for is dropped.
    pub(super) fn answer(&self, stream: u32, body: Option<Bytes>) {
        let Some(pending) = self.lock().pending.remove(&stream) else {
            tracing::debug!(stream, "an answer to nobody was dropped");
            return;
        };
        let result = match body {
            None => Err(CallError::Unreadable { message: "too many bytes are held".to_owned() }),
            Some(body) => match ResponseBody::decode(body) {
                Err(error) => Err(CallError::Unreadable { message: error.to_string() }),
                Ok(response) => response.into_result().map_err(CallError::Answered),
            },
        };
        // Whoever waited may have gone: then nobody wants it.
        drop(pending.answer.send(result));
    }

    /// Fails all calls, those to come too.
    pub(super) fn fail(&self, error: &CallError) {
        let mut table = self.lock();
        table.over.get_or_insert_with(|| error.clone());
        let pending = std::mem::take(&mut table.pending);
        drop(table);
        for pending in pending.into_values() {
            drop(pending.answer.send(Err(error.clone())));
        }
    }

    #[cfg(test)]
    pub(super) fn begin_at(&self, next: u32) {
        self.lock().next = Some(next);
    }

    #[cfg(test)]
    pub(super) fn pending(&self) -> usize {
        self.lock().pending.len()
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A slot of nobody's.
#[cfg(landfall_faults)]
fn spare_slot() -> Slot {
    Arc::new(Arc::new(Semaphore::new(1)).try_acquire_owned().expect("it was just made"))
}

type Begun = (u32, oneshot::Receiver<Result<Bytes, CallError>>);

/// Takes a call out of the table when its caller stops to wait, answered or not.
struct Withdrawn<'a> {
    calls: &'a Calls,
    stream: u32,
}

impl Drop for Withdrawn<'_> {
    fn drop(&mut self) {
        let pending = self.calls.lock().pending.remove(&self.stream);
        drop(pending);
    }
}
