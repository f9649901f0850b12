//! Updates that a plugin sends without being asked.

use std::time::Duration;

use crate::handler_cx::HandlerCx;
use crate::life::Life;
use crate::messages::ContainerUpdate;
use crate::stub::Stub;
use crate::update::{Update, into_messages};
use crate::update_queue::{PendingUpdate, Wanted};
use crate::wire::{CallError, Code, Loss};
use crate::wish_error::WishError;

/// Why an unsolicited update was not made, or is not known to have been.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpdateError {
    /// One of the updates is not well formed; none was sent.
    #[error("an update is not well formed")]
    Wish(#[from] WishError),
    /// The plugin is not serving, or stopped serving before the update had its turn; nothing was sent.
    #[error("the plugin is not serving: start it first")]
    NotServing,
    /// It was awaited inside of a handler, which the runtime waits for before it would make the update.
    /// [`Stub::update`] has sent nothing; a [`PendingUpdate`] is sent all the same, once the handler has returned.
    #[error(
        "the handler of {task} waits for an update, which waits for the handler: ask by `HandlerCx::update_later`, and await that outside of it"
    )]
    InHandler {
        /// The handler's method.
        task: String,
    },
    /// Handlers ran all the time, or updates before it took too long; nothing was sent.
    #[error("handlers, or updates asked for before, took {after:?}: see `StubOptions::update_timeout`")]
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
    /// Too many updates wait; nothing was sent.
    #[error("{calls_max} updates wait already: see `StubOptions::calls_max`")]
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
    /// Waits until no handler runs: the runtime makes no update before it has the answers to its requests. Updates are
    /// made one after the other, in the order in which they were asked for, those of
    /// [`HandlerCx::update_later`](crate::HandlerCx::update_later) among them. The whole takes
    /// [`update_timeout`](crate::StubOptions::update_timeout) at most.
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
        let updates = match &*self.core().life.borrow() {
            Life::Serving(_, updates) => updates.clone(),
            _ => return Err(UpdateError::NotServing),
        };
        if let Some(task) = updates.calling_handler() {
            return Err(UpdateError::InHandler { task });
        }
        updates.ask(update, Wanted::WhileAwaited)?.await
    }
}

impl HandlerCx {
    /// Asks for updates of containers that are made once no handler runs, this one included.
    ///
    /// The runtime holds its lock until the handler has answered, so nothing can be updated before that, but for what
    /// the answer itself has. The update is queued behind those that wait already, and has
    /// [`update_timeout`](crate::StubOptions::update_timeout) from now on. What comes of it is the outcome of the
    /// [`PendingUpdate`]: await it in a task of your own, or drop it, and failures are logged as warnings.
    ///
    /// # Errors
    ///
    /// - [`UpdateError::Wish`] if an update is not well formed.
    /// - [`UpdateError::NotServing`] if the plugin is stopping.
    /// - [`UpdateError::TooMany`] if [`calls_max`](crate::StubOptions::calls_max) updates wait already.
    ///
    /// # Examples
    ///
    /// ```
    /// use landfall_stub::{Resources, Stub, Update};
    ///
    /// let stub = Stub::builder("yield", 10).on_start_container(async |cx, pod, _container| {
    ///     // A start has no answer that updates could be part of.
    ///     if let Some(other) = pod.annotations.get("yields.example.com") {
    ///         cx.update_later([Update::new(other, Resources::new().cpu_shares(2))])?;
    ///     }
    ///     Ok(())
    /// });
    /// ```
    pub fn update_later(&self, updates: impl IntoIterator<Item = Update>) -> Result<PendingUpdate, UpdateError> {
        let update = into_messages(updates.into_iter().collect(), None)?;
        self.updates().ask(update, Wanted::Anyway)
    }
}

impl UpdateError {
    pub(crate) fn of(error: CallError, after: Duration) -> Self {
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
