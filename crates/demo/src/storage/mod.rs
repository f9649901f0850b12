//! The events, kept in SQLite by one thread. Whoever needs them holds a [`Storage`] and asks.

mod database;
mod open_error;
mod place;
mod schema;
mod transaction;
mod worker;

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, Semaphore, mpsc, oneshot};

pub(crate) use database::{Database, Limits, Progress};
pub use open_error::OpenError;
pub(crate) use place::{Place, TemporaryFolder};
use transaction::Due;
use worker::{Asked, Command, Worker};

use crate::event::{EventId, EventView, NewEvent, Settlement};

/// Why the storage did not do what it was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// `--queue-max` requests wait already.
    #[error("too many requests wait for the database")]
    QueueFull,
    /// `--backlog-max` events wait already.
    #[error("too many events wait for delivery")]
    BacklogFull,
    /// The storage has ended, or is ending.
    #[error("the storage is closed")]
    Closed,
    /// The transaction failed, and nothing of it was done.
    #[error("the database failed")]
    Failed(#[source] Arc<diesel::result::Error>),
}

/// Asks the storage thread. Clones ask the same one.
#[derive(Clone)]
pub(crate) struct Storage {
    commands: mpsc::Sender<Command>,
    /// Bounds what clients wait for, so that dispatchers always find room in the queue.
    places: Arc<Semaphore>,
    shared: Arc<Shared>,
}

/// What the storage thread tells without being asked.
struct Shared {
    /// Told when events may have become due.
    work: Notify,
    progress: Mutex<Progress>,
}

impl Storage {
    /// Makes the two ends: who asks, and what the thread runs. At most `queue_max` requests of clients wait at once,
    /// besides `dispatch_max` of dispatchers.
    pub(crate) fn new(queue_max: u32, dispatch_max: u32, commit_max: u32) -> (Self, Worker) {
        let size = |number: u32| usize::try_from(number).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS / 4);
        let (queue_max, dispatch_max) = (size(queue_max), size(dispatch_max));
        let (sender, commands) = mpsc::channel(queue_max + dispatch_max);
        let shared = Arc::new(Shared { work: Notify::new(), progress: Mutex::default() });
        let worker = Worker { commands, shared: Arc::clone(&shared), commit_max: size(commit_max) };
        (Self { commands: sender, places: Arc::new(Semaphore::new(queue_max)), shared }, worker)
    }

    /// Stores an event durably.
    ///
    /// Dropping the future once it was polled does not take the event back: it may be stored and delivered even so.
    pub(crate) async fn insert(&self, event: NewEvent) -> Result<EventId, StoreError> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| StoreError::QueueFull)?;
        let (asked, answer) = Asked::new(event);
        self.send(Command::Insert(asked, place), answer).await?.ok_or(StoreError::BacklogFull)
    }

    /// Looks an event up.
    pub(crate) async fn find(&self, id: EventId) -> Result<Option<EventView>, StoreError> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| StoreError::QueueFull)?;
        let (asked, answer) = Asked::new(id);
        self.send(Command::Find(asked, place), answer).await
    }

    /// Leases up to `max` due events.
    ///
    /// If the future is dropped once it was polled, the events it leased stay leased until this instance ends.
    pub(crate) async fn lease(&self, max: u32) -> Result<Due, StoreError> {
        let (asked, answer) = Asked::new(max);
        self.send(Command::Lease(asked), answer).await
    }

    /// Ends a lease durably. Once polled, dropping the future does not take it back.
    pub(crate) async fn settle(&self, id: EventId, how: Settlement) -> Result<(), StoreError> {
        let (asked, answer) = Asked::new((id, how));
        self.send(Command::Settle(asked), answer).await
    }

    async fn send<A>(
        &self,
        command: Command,
        answer: oneshot::Receiver<Result<A, StoreError>>,
    ) -> Result<A, StoreError> {
        self.commands.try_send(command).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => StoreError::QueueFull,
            mpsc::error::TrySendError::Closed(_) => StoreError::Closed,
        })?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Waits until events may have become due by a change in the database; time alone is not waited for.
    pub(crate) async fn work(&self) {
        self.shared.work.notified().await;
    }

    /// Waits until the thread takes no commands any more.
    pub(crate) async fn closed(&self) {
        self.commands.closed().await;
    }

    pub(crate) fn is_open(&self) -> bool {
        !self.commands.is_closed()
    }

    /// How things were after the last commit.
    pub(crate) fn progress(&self) -> Progress {
        *self.shared.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
