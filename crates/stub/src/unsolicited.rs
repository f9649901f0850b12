//! Updates that a plugin sends without being asked.

use std::time::Duration;

use prost::Message;
use tokio::time::{Instant, timeout_at};

use crate::life::{Life, RUNTIME_SERVICE};
use crate::messages::{ContainerUpdate, UpdateContainersRequest, UpdateContainersResponse};
use crate::stub::Stub;
use crate::update::{Update, into_messages};
use crate::wire::{CallError, Code, Loss, Method};
use crate::wish_error::WishError;
use landfall_lifecycle::Terminate;

const UPDATE: Method = Method { service: RUNTIME_SERVICE, name: "UpdateContainers" };

/// Why an unsolicited update was not made, or is not known to have been.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpdateError {
    /// One of the updates is not well formed; none was sent.
    #[error("an update is not well formed")]
    Wish(#[from] WishError),
    /// The plugin is not serving; nothing was sent.
    #[error("the plugin is not serving: start it first")]
    NotServing,
    /// It was asked for inside of a handler, which the runtime waits for before it would make the update; nothing was
    /// sent.
    #[error(
        "the handler of {task} waits for an update, which waits for the handler: return updates from it instead, or ask from a task of your own"
    )]
    InHandler {
        /// The handler's method.
        task: String,
    },
    /// Handlers ran all the time; nothing was sent.
    #[error("handlers ran for {after:?} without a pause: see `StubOptions::update_timeout`")]
    Busy {
        /// How long it was waited for.
        after: Duration,
    },
    /// The runtime did not answer in time; it may have made the update, or make it yet.
    #[error("the runtime did not answer within {after:?}: see `StubOptions::update_timeout`")]
    TimedOut {
        /// How long it was waited for.
        after: Duration,
    },
    /// The runtime answered with an error.
    #[error("the runtime refused the update: {message} ({code})")]
    Refused {
        /// The status code.
        code: Code,
        /// What the runtime says.
        message: String,
    },
    /// The updates are too long for one message; nothing was sent.
    #[error("the updates have {bytes} bytes, and {bytes_max} are allowed: send fewer at once")]
    TooLong {
        /// How long they are.
        bytes: usize,
        /// What is allowed.
        bytes_max: usize,
    },
    /// Too many calls wait for their answers; nothing was sent.
    #[error("{calls_max} calls wait for their answers: see `StubOptions::calls_max`")]
    TooMany {
        /// How many may.
        calls_max: usize,
    },
    /// The runtime's answer cannot be read; it may have made the update.
    #[error("the runtime's answer cannot be read: {message}")]
    Unreadable {
        /// Why.
        message: String,
    },
    /// The connection was lost; the runtime may have made the update.
    #[error("the connection was lost")]
    Lost(#[source] Loss),
    /// The plugin was stopped; the runtime may have made the update.
    #[error("the plugin was stopped")]
    Stopped,
}

impl Stub {
    /// Updates containers without being asked by the runtime, and gives those updates that failed.
    ///
    /// Waits until no handler runs: the runtime makes no update before it has the answers to its requests. The whole
    /// takes [`update_timeout`](crate::StubOptions::update_timeout) at most.
    ///
    /// # Errors
    ///
    /// An [`UpdateError`], which says whether anything was sent.
    ///
    /// # Cancel safety
    ///
    /// Dropped while handlers run, nothing is sent. Dropped later, the update is sent whole and its answer is lost.
    pub async fn update(&self, updates: impl IntoIterator<Item = Update>) -> Result<Vec<ContainerUpdate>, UpdateError> {
        let update = into_messages(updates.into_iter().collect(), None)?;
        let (generation, wire) = match &*self.core().life.borrow() {
            Life::Serving(generation, wire) => (generation.clone(), wire.clone()),
            _ => return Err(UpdateError::NotServing),
        };
        if let Some(task) = generation.handlers.calling_task() {
            return Err(UpdateError::InHandler { task });
        }
        let after = self.core().plugin.options.update_timeout;
        let deadline = Instant::now() + after;
        let idle = async {
            tokio::select! {
                biased;
                loss = wire.lost() => Err(UpdateError::Lost(loss)),
                () = wire.running().none() => Ok(()),
            }
        };
        timeout_at(deadline, idle).await.map_err(|_| UpdateError::Busy { after })??;
        let left = deadline.saturating_duration_since(Instant::now());
        let request = UpdateContainersRequest { update, evict: Vec::new() };
        let answer = wire.call(&UPDATE, &request, left).await.map_err(|error| UpdateError::of(error, after))?;
        let answer = UpdateContainersResponse::decode(answer);
        Ok(answer.map_err(|error| UpdateError::Unreadable { message: error.to_string() })?.failed)
    }
}

impl UpdateError {
    fn of(error: CallError, after: Duration) -> Self {
        match error {
            CallError::Answered(status) => Self::Refused { code: status.code, message: status.message },
            CallError::TimedOut { .. } => Self::TimedOut { after },
            CallError::TooLong { bytes, bytes_max } => Self::TooLong { bytes, bytes_max },
            CallError::TooMany { calls_max } => Self::TooMany { calls_max },
            CallError::Unreadable { message } => Self::Unreadable { message },
            CallError::Lost(loss) => Self::Lost(loss),
            CallError::Closing => Self::Stopped,
        }
    }
}
