//! The thread that owns the database: takes all that waits, does it in one transaction, then answers all.

use std::sync::{Arc, PoisonError};

use diesel::result::Error;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::database::Database;
use super::transaction::{Due, Transaction};
use super::{Shared, StoreError};
use crate::event::{EventId, EventView, NewEvent, Settlement};

/// Something to do. What clients ask for also holds a place among the requests that may wait.
pub(crate) enum Command {
    Insert(Asked<NewEvent, Option<EventId>>, OwnedSemaphorePermit),
    Find(Asked<EventId, Option<EventView>>, OwnedSemaphorePermit),
    Lease(Asked<u32, Due>),
    Settle(Asked<(EventId, Settlement), ()>),
}

/// A question, and where its answer goes.
pub(crate) struct Asked<Q, A> {
    question: Q,
    reply: oneshot::Sender<Result<A, StoreError>>,
    /// Kept until it is known that the transaction holds.
    answer: Option<A>,
}

/// What the thread runs.
pub(crate) struct Worker {
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) shared: Arc<Shared>,
    pub(super) commit_max: usize,
}

enum Turn {
    Work,
    Stop,
}

impl Worker {
    /// Works until `stop` is cancelled or nobody can send any more; then does what waits, and closes the database.
    ///
    /// Fails if a transaction could neither be finished nor undone, or if the database could not be closed in order;
    /// what was answered is on the disk all the same.
    pub(crate) fn run(mut self, mut database: Database, stop: &CancellationToken) -> Result<(), Error> {
        self.publish(&database);
        let mut batch = Vec::new();
        while let Turn::Work = self.next_turn(&mut batch, stop) {
            self.commit(&mut database, &mut batch)?;
        }
        // Whoever asks from now on is refused at once; those before get an answer.
        self.commands.close();
        while futures_executor::block_on(self.commands.recv_many(&mut batch, self.commit_max)) > 0 {
            self.commit(&mut database, &mut batch)?;
        }
        database.close()
    }

    fn next_turn(&mut self, batch: &mut Vec<Command>, stop: &CancellationToken) -> Turn {
        futures_executor::block_on(async {
            tokio::select! {
                // Stop first: what waits then is done after the queue is closed, so it is bounded.
                biased;
                () = stop.cancelled() => Turn::Stop,
                taken = self.commands.recv_many(batch, self.commit_max) => match taken {
                    0 => Turn::Stop,
                    _ => Turn::Work,
                },
            }
        })
    }

    fn commit(&self, database: &mut Database, batch: &mut Vec<Command>) -> Result<(), Error> {
        let result =
            database.transaction(|transaction| batch.iter_mut().try_for_each(|command| command.run(transaction)));
        match result {
            Ok(()) => {
                self.publish(database);
                let wakes = batch.iter().any(Command::makes_work);
                batch.drain(..).for_each(|command| command.finish(None));
                if wakes {
                    self.shared.work.notify_one();
                }
                Ok(())
            }
            Err(error) => {
                tracing::error!(%error, commands = batch.len(), "transaction failed");
                let broken = matches!(error, Error::BrokenTransactionManager | Error::RollbackErrorOnCommit { .. });
                let failed = StoreError::Failed(Arc::new(error));
                batch.drain(..).for_each(|command| command.finish(Some(&failed)));
                // Nothing can be done on this connection any more. The file is as the last commit left it.
                if broken { Err(Error::BrokenTransactionManager) } else { Ok(()) }
            }
        }
    }

    fn publish(&self, database: &Database) {
        *self.shared.progress.lock().unwrap_or_else(PoisonError::into_inner) = database.progress();
    }
}

impl Command {
    fn run(&mut self, transaction: &mut Transaction<'_>) -> Result<(), Error> {
        match self {
            Self::Insert(asked, _) => asked.answer = Some(transaction.insert(&asked.question)?),
            Self::Find(asked, _) => asked.answer = Some(transaction.find(asked.question)?),
            Self::Lease(asked) => asked.answer = Some(transaction.lease(asked.question)?),
            Self::Settle(asked) => asked.answer = Some(transaction.settle(asked.question.0, &asked.question.1)?),
        }
        Ok(())
    }

    /// Whether a dispatcher that found nothing due should look again.
    fn makes_work(&self) -> bool {
        match self {
            Self::Insert(..) => true,
            Self::Settle(asked) => matches!(asked.question.1, Settlement::Retry { .. } | Settlement::GivenBack),
            Self::Find(..) | Self::Lease(_) => false,
        }
    }

    fn finish(self, failed: Option<&StoreError>) {
        match self {
            Self::Insert(asked, _place) => asked.finish(failed),
            Self::Find(asked, _place) => asked.finish(failed),
            Self::Lease(asked) => asked.finish(failed),
            Self::Settle(asked) => asked.finish(failed),
        }
    }
}

impl<Q, A> Asked<Q, A> {
    pub(crate) fn new(question: Q) -> (Self, oneshot::Receiver<Result<A, StoreError>>) {
        let (reply, answer) = oneshot::channel();
        (Self { question, reply, answer: None }, answer)
    }

    /// Answers. Whoever has gone meanwhile loses nothing: an insert was asked for and is done, and a lease that nobody
    /// took is freed when this instance ends.
    fn finish(self, failed: Option<&StoreError>) {
        let answer = match failed {
            Some(error) => Err(error.clone()),
            None => self.answer.ok_or(StoreError::Closed),
        };
        drop(self.reply.send(answer));
    }
}
