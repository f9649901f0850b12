//! The updates that a plugin asks for by itself: sent one after the other, whenever no handler runs.

use std::convert::Infallible;
use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use landfall_lifecycle::{TaskSet, Terminate};
use prost::Message;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use crate::life::RUNTIME_SERVICE;
use crate::messages::{
    ContainerUpdate, Malformed, UPDATE_CONTAINERS_RESPONSE, UpdateContainersRequest, UpdateContainersResponse,
};
use crate::options::StubOptions;
use crate::unsolicited::UpdateError;
use crate::wire::{Method, Wire};

const UPDATE: Method = Method { service: RUNTIME_SERVICE, name: "UpdateContainers" };

/// Those updates that failed, or why nothing is known of any.
pub(crate) type Outcome = Result<Vec<ContainerUpdate>, UpdateError>;

/// Where updates of one generation are asked for.
#[derive(Clone, Debug)]
pub(crate) struct Updates {
    queue: mpsc::Sender<Asked>,
    timeout: Duration,
    waits_max: usize,
    decoded_bytes_max: usize,
    asker: Asker,
}

/// Who asks: a plugin, by its name, and the set that its handlers are in.
#[derive(Clone, Debug)]
struct Asker {
    name: Arc<str>,
    handlers: TaskSet,
}

/// Where they are taken from. What is in it when it is dropped is not sent, and its askers are told.
#[derive(Debug)]
pub(crate) struct UpdateQueue(mpsc::Receiver<Asked>);

/// Whether an update is sent if nobody waits for its outcome any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    WhileAwaited,
    Anyway,
}

/// An update that was asked for. Its asker is told however it goes.
#[derive(Debug)]
struct Asked {
    update: Vec<ContainerUpdate>,
    deadline: Instant,
    after: Duration,
    decoded_bytes_max: usize,
    wanted: Wanted,
    is_sent: bool,
    /// None once it was told.
    answer: Option<oneshot::Sender<Outcome>>,
    name: Arc<str>,
}

/// An update that was asked for inside of a handler: a future of those updates that failed.
///
/// The update is sent whether or not anybody awaits this, once no handler runs. A failure of which nobody hears, because
/// this was dropped, is logged as a warning.
///
/// Await it in a task of your own. Polled inside of a handler, which the update waits for, it gives
/// [`UpdateError::InHandler`] at once, and can be awaited outside all the same.
///
/// # Cancel safety
///
/// Dropping it forgets the outcome, which then goes to the log if it is a failure; the update is sent all the same.
#[derive(Debug)]
pub struct PendingUpdate {
    /// None once it has given its outcome.
    answer: Option<oneshot::Receiver<Outcome>>,
    wanted: Wanted,
    asker: Asker,
}

impl Updates {
    pub(crate) fn new(name: &str, handlers: TaskSet, options: &StubOptions) -> (Self, UpdateQueue) {
        let StubOptions { update_timeout, calls_max, decoded_bytes_max, .. } = *options;
        let (queue, taken) = mpsc::channel(calls_max);
        let asker = Asker { name: name.into(), handlers };
        (Self { queue, timeout: update_timeout, waits_max: calls_max, decoded_bytes_max, asker }, UpdateQueue(taken))
    }

    /// The handler that is running this, if one is.
    pub(crate) fn calling_handler(&self) -> Option<String> {
        self.asker.handlers.calling_task()
    }

    /// Queues an update, whose time begins now.
    pub(crate) fn ask(&self, update: Vec<ContainerUpdate>, wanted: Wanted) -> Result<PendingUpdate, UpdateError> {
        let permit = self.queue.try_reserve().map_err(|error| match error {
            mpsc::error::TrySendError::Full(()) => UpdateError::TooMany { calls_max: self.waits_max },
            mpsc::error::TrySendError::Closed(()) => UpdateError::NotServing,
        })?;
        let (answer, asker) = (oneshot::channel(), self.asker.clone());
        permit.send(Asked {
            update,
            deadline: Instant::now() + self.timeout,
            after: self.timeout,
            decoded_bytes_max: self.decoded_bytes_max,
            wanted,
            is_sent: false,
            answer: Some(answer.0),
            name: Arc::clone(&asker.name),
        });
        Ok(PendingUpdate { answer: Some(answer.1), wanted, asker })
    }
}

impl UpdateQueue {
    /// Sends what is asked for, for as long as it is polled.
    ///
    /// # Cancel safety
    ///
    /// What was under way is told as stopped; what waits stays in the queue.
    pub(crate) async fn send_all(&mut self, wire: &Wire) -> Infallible {
        while let Some(mut asked) = self.0.recv().await {
            let outcome = asked.send(wire).await;
            asked.tell(outcome);
        }
        pending().await
    }
}

impl Asked {
    async fn send(&mut self, wire: &Wire) -> Outcome {
        let idle = async {
            tokio::select! {
                biased;
                loss = wire.lost() => Err(UpdateError::Lost(loss)),
                () = wire.running().none() => Ok(()),
            }
        };
        let busy = UpdateError::Busy { after: self.after };
        match timeout_at(self.deadline, idle).await {
            Ok(turn) => turn?,
            Err(_) => return Err(busy),
        }
        if self.wanted == Wanted::WhileAwaited && self.answer.as_ref().is_none_or(oneshot::Sender::is_closed) {
            // It was withdrawn, and nobody hears of this.
            return Ok(Vec::new());
        }
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(busy);
        }
        self.is_sent = true;
        let request = UpdateContainersRequest { update: std::mem::take(&mut self.update), evict: Vec::new() };
        let answer = wire.call(&UPDATE, &request, left).await;
        let answer = answer.map_err(|error| UpdateError::of(error, self.after))?;
        let unreadable = |message| UpdateError::Unreadable { message };
        match UPDATE_CONTAINERS_RESPONSE.weigh(&answer) {
            Ok(bytes) if bytes <= self.decoded_bytes_max => {}
            Ok(bytes) => {
                return Err(unreadable(format!("it takes {bytes} bytes, see `StubOptions::decoded_bytes_max`")));
            }
            Err(Malformed) => return Err(unreadable("it is no message".to_owned())),
        }
        Ok(UpdateContainersResponse::decode(answer).map_err(|error| unreadable(error.to_string()))?.failed)
    }

    /// Tells whoever waits; if nobody does any more, and nobody withdrew it, the log.
    fn tell(&mut self, outcome: Outcome) {
        let Some(answer) = self.answer.take() else { return };
        if let Err(unheard) = answer.send(outcome)
            && self.wanted == Wanted::Anyway
        {
            log(&self.name, &unheard);
        }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.tell(Err(if self.is_sent { UpdateError::Stopped } else { UpdateError::NotServing }));
    }
}

impl Future for PendingUpdate {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        if let Some(task) = self.asker.handlers.calling_task() {
            return Poll::Ready(Err(UpdateError::InHandler { task }));
        }
        let Some(answer) = &mut self.answer else { return Poll::Pending };
        let outcome = ready!(Pin::new(answer).poll(cx));
        self.answer = None;
        // What was asked for tells of its end wherever it is dropped.
        Poll::Ready(outcome.unwrap_or(Err(UpdateError::NotServing)))
    }
}

impl Drop for PendingUpdate {
    fn drop(&mut self) {
        if let Some(answer) = &mut self.answer
            && let Ok(unheard) = answer.try_recv()
            && self.wanted == Wanted::Anyway
        {
            log(&self.asker.name, &unheard);
        }
    }
}

fn log(name: &str, unheard: &Outcome) {
    match unheard {
        Ok(failed) if failed.is_empty() => {}
        Ok(failed) => {
            let containers: Vec<_> = failed.iter().map(|update| &update.container_id).collect();
            tracing::warn!(plugin.name = name, ?containers, "updates that a handler asked for failed");
        }
        Err(error) => tracing::warn!(plugin.name = name, %error, "update that a handler asked for failed"),
    }
}
