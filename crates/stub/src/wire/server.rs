//! The requests of the peer: which are taken, which are refused, and the task that handles one.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use landfall_lifecycle::internal::into_message;
use landfall_lifecycle::{SpawnError, TaskSet};
use prost::Message;
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::budget::{Budget, Held};
use super::decode::{Body, Incoming};
use super::envelope::{Code, Metadata, RequestBody, ResponseBody, Status};
use super::frame::{BODY_BYTES_MAX, Channel, Kind};
use super::loss::Loss;
use super::outbox::{Outbox, Outgoing, Refusal, Slot};
use super::trunk::Limits;
use crate::messages::{Malformed, Shape};

/// How much of a method's name is kept as the name of its handler's task.
const NAME_CHARS_MAX: usize = 64;

/// The longest name of a service or method that is looked at: errors repeat it, and answers are not under the cap on what
/// is received.
const NAME_BYTES_MAX: usize = 1024;

/// What answers requests.
pub(crate) trait Service: Send + Sync + 'static {
    /// Answers a request with an encoded message, or with a status.
    fn call(self: Arc<Self>, request: Request) -> BoxFuture<'static, Result<Vec<u8>, Status>>;

    /// How much memory the argument of a method takes at most, decoded; an error if it cannot be decoded.
    fn weigh(&self, method: &str, argument: &[u8]) -> Result<usize, Malformed>;
}

/// A request that has come.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) service: String,
    pub(crate) method: String,
    pub(crate) payload: Bytes,
    /// How much it takes at most, decoded.
    pub(crate) weight: usize,
    pub(crate) metadata: Metadata,
    /// When the caller stops to wait.
    pub(crate) deadline: Option<Instant>,
    /// Cancelled when the caller has stopped to wait, and when the plugin stops.
    pub(crate) token: CancellationToken,
}

/// Why a request gets no handler.
enum Refused {
    Answered(Code, &'static str),
    /// It takes so many bytes, decoded: the connection is given up.
    TooHeavy(usize),
}

impl Refused {
    const EXHAUSTED: Self = Self::Answered(Code::RESOURCE_EXHAUSTED, "the plugin holds too many bytes of requests");
    const UNREADABLE: Self = Self::Answered(Code::INVALID_ARGUMENT, "the request cannot be decoded");
}

/// Takes requests and starts a task for each.
pub(crate) struct Server {
    channel: Channel,
    outbox: Arc<Outbox>,
    handlers: TaskSet,
    service: Arc<dyn Service>,
    slots: Arc<Semaphore>,
    /// What requests under way take, decoded.
    decoded: Budget,
    /// The last id of the peer: its ids are odd and increase.
    last: AtomicU32,
    running: Arc<Running>,
}

/// How many handlers run, and whoever waits for none.
#[derive(Debug, Default)]
pub(crate) struct Running {
    count: AtomicUsize,
    none: Notify,
}

/// One handler that runs.
struct Counted(Arc<Running>);

impl Server {
    pub(super) fn new(
        channel: Channel,
        outbox: Arc<Outbox>,
        handlers: TaskSet,
        service: Arc<dyn Service>,
        limits: &Limits,
    ) -> Self {
        let (slots, decoded) = (Arc::new(Semaphore::new(limits.handlers_max)), Budget::new(limits.decoded_bytes_max));
        Self { channel, outbox, handlers, service, slots, decoded, last: AtomicU32::new(0), running: Arc::default() }
    }

    pub(super) fn channel(&self) -> Channel {
        self.channel
    }

    pub(super) fn running(&self) -> &Arc<Running> {
        &self.running
    }

    /// Takes a message of the peer, at once; what cannot be taken is refused.
    ///
    /// # Errors
    ///
    /// [`Loss::Flooded`] when even the refusal finds no room, [`Loss::MessageTooHeavy`] for what no plugin should decode.
    pub(super) fn take(&self, message: Incoming) -> Result<(), Loss> {
        let stream = message.stream;
        match self.admit(message) {
            Ok(()) => Ok(()),
            Err(Refused::Answered(code, message)) => {
                self.outbox.refuse(Refusal { channel: self.channel, stream, code, message })
            }
            Err(Refused::TooHeavy(bytes)) => Err(Loss::MessageTooHeavy { bytes, bytes_max: self.decoded.bytes_max() }),
        }
    }

    fn admit(&self, message: Incoming) -> Result<(), Refused> {
        let Incoming { kind, stream, body, .. } = message;
        if stream.is_multiple_of(2) {
            return Err(Refused::Answered(Code::INVALID_ARGUMENT, "the id of a stream must be odd"));
        }
        match kind {
            Kind::Request => {}
            Kind::Data => return Err(Refused::Answered(Code::INVALID_ARGUMENT, "the stream is not active")),
            // A later version of ttrpc may have more kinds: they are ignored, as Go's server does.
            Kind::Response | Kind::Unknown(_) => return Ok(()),
        }
        if stream <= self.last.load(Ordering::Relaxed) {
            let why = "the id of a stream must be higher than those before";
            return Err(Refused::Answered(Code::INVALID_ARGUMENT, why));
        }
        self.last.store(stream, Ordering::Relaxed);
        let Some(Body { bytes, held }) = body else {
            return Err(Refused::EXHAUSTED);
        };
        // What is around the argument first: metadata are a list as well.
        let around = self.weigh(Shape::ENVELOPE.weigh(&bytes), 0)?;
        let request = RequestBody::decode(bytes).map_err(|_| Refused::UNREADABLE)?;
        if request.service.len().max(request.method.len()) > NAME_BYTES_MAX {
            let why = "there is no service or method with so long a name";
            return Err(Refused::Answered(Code::UNIMPLEMENTED, why));
        }
        let weight = self.weigh(self.service.weigh(&request.method, &request.payload), around)?;
        let decoded = self.decoded.take(weight).ok_or(Refused::EXHAUSTED)?;
        let slot = Arc::clone(&self.slots).try_acquire_owned();
        let slot =
            slot.map_err(|_| Refused::Answered(Code::RESOURCE_EXHAUSTED, "the plugin handles too many requests"))?;
        self.start(stream, request, weight, (held, decoded), Arc::new(slot))
            .map_err(|_| Refused::Answered(Code::UNAVAILABLE, "the plugin is stopping"))
    }

    /// What a request takes at most, decoded: more than one may is no matter of what else there is.
    fn weigh(&self, part: Result<usize, Malformed>, others: usize) -> Result<usize, Refused> {
        let sum = part.map_err(|Malformed| Refused::UNREADABLE)?.saturating_add(others);
        if sum > self.decoded.bytes_max() { Err(Refused::TooHeavy(sum)) } else { Ok(sum) }
    }

    fn start(
        &self,
        stream: u32,
        request: RequestBody,
        weight: usize,
        held: (Held, Held),
        slot: Slot,
    ) -> Result<(), SpawnError> {
        let counted = Counted::new(&self.running);
        let timeout = request.timeout();
        let task = Handling {
            channel: self.channel,
            stream,
            outbox: Arc::clone(&self.outbox),
            slot,
            deadline: timeout.and_then(|timeout| Instant::now().checked_add(timeout)),
            timeout,
            token: self.handlers.token().child_token(),
        };
        // The name is a peer's: reports and logs need no more of it than this.
        let name: String = request.method.chars().take(NAME_CHARS_MAX).collect();
        let service = Arc::clone(&self.service);
        self.handlers.spawn(name.clone(), async move {
            let answered = task.run(service, request, weight, name).await;
            // They are held until the handler has dropped what it made of them, and are free again when the runtime
            // can know: its next request may follow the answer at once.
            drop(held);
            answered.send();
            drop(counted);
        })?;
        Ok(())
    }
}

/// One request while its handler runs.
struct Handling {
    channel: Channel,
    stream: u32,
    outbox: Arc<Outbox>,
    slot: Slot,
    deadline: Option<Instant>,
    timeout: Option<Duration>,
    token: CancellationToken,
}

/// A handler's answer, or none if nobody waits for it any more.
struct Answered {
    handling: Handling,
    answer: Option<Result<Vec<u8>, Status>>,
}

impl Handling {
    async fn run(self, service: Arc<dyn Service>, body: RequestBody, weight: usize, name: String) -> Answered {
        let RequestBody { service: of, method, payload, metadata, .. } = body;
        let request = Request {
            service: of,
            method,
            payload,
            weight,
            metadata: Metadata::of(metadata),
            deadline: self.deadline,
            token: self.token.clone(),
        };
        // The call itself is a user's code too: it may panic before there is a future.
        let mut handler = Box::pin(AssertUnwindSafe(async move { service.call(request).await }).catch_unwind());
        let in_time = match self.deadline {
            None => Some(handler.as_mut().await),
            Some(deadline) => tokio::time::timeout_at(deadline, handler.as_mut()).await.ok(),
        };
        let is_late = in_time.is_none();
        let result = match in_time {
            Some(result) => result,
            None => {
                tracing::warn!(handler = name, timeout = ?self.timeout, "handler outlived the runtime's timeout");
                self.token.cancel();
                handler.as_mut().await
            }
        };
        let answer = result.unwrap_or_else(|payload| {
            let message = into_message(payload);
            tracing::error!(handler = name, error = message, "handler panicked");
            Err(Status::new(Code::INTERNAL, format!("the plugin's handler of {name} panicked: {message}")))
        });
        if is_late {
            tracing::warn!(handler = name, "late answer of a handler was dropped");
        }
        Answered { handling: self, answer: (!is_late).then_some(answer) }
    }
}

impl Answered {
    /// Queues the answer; one that is too long becomes an error that says how long.
    fn send(self) {
        let Self { handling: Handling { channel, stream, outbox, slot, .. }, answer } = self;
        let Some(answer) = answer else { return };
        let body = ResponseBody::of(answer).encode_to_vec();
        let message = Outgoing::new(channel, Kind::Response, stream, body, slot).or_else(|(bytes, slot)| {
            let text = format!("the answer has {bytes} bytes, and {BODY_BYTES_MAX} are allowed");
            tracing::error!(bytes, bytes_max = BODY_BYTES_MAX, "answer of a handler is too long");
            let body = ResponseBody::of(Err(Status::new(Code::RESOURCE_EXHAUSTED, text))).encode_to_vec();
            Outgoing::new(channel, Kind::Response, stream, body, slot)
        });
        if let Ok(message) = message {
            outbox.push(message);
        }
    }
}

impl Running {
    /// Waits until no handler runs.
    pub(crate) async fn none(&self) {
        loop {
            let changed = self.none.notified();
            if self.count.load(Ordering::Acquire) == 0 {
                return;
            }
            changed.await;
        }
    }
}

impl Counted {
    fn new(running: &Arc<Running>) -> Self {
        running.count.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(running))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.none.notify_waiters();
        }
    }
}
