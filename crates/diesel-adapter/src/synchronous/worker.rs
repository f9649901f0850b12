//! The thread of a connection.

use std::sync::Arc;

use diesel::Connection;
use diesel::connection::TransactionManager;
use landfall_lifecycle::internal::{contain, log};
use tokio::sync::oneshot;

use super::connector::{Counted, Source};
use super::mailbox::Mailbox;
use super::open_error::OpenError;
use super::run_error::{RunError, Unusable};
#[cfg(landfall_faults)]
use crate::faults::{Fault, is_armed};

/// Opens a connection, does what is posted until it is closed, and closes it. The connection never leaves the thread.
pub(super) fn work<C: Connection>(
    mailbox: &Arc<Mailbox<C>>,
    source: &Source<C>,
    counted: Counted,
    opened: oneshot::Sender<Result<(), OpenError>>,
) {
    // Declared first, dropped last: who waits for the end waits for the connection's too.
    let _ends = EndOnDrop(mailbox);
    // Before who waits hears of it: the next connection may need the room.
    let _counted = counted;
    let mut connection = match open(mailbox, source) {
        Ok(connection) => connection,
        Err(error) => return tell(opened, Err(error)),
    };
    mailbox.done(false);
    tell(opened, Ok(()));
    while let Some(job) = mailbox.next() {
        if contain(|| job(&mut connection, mailbox)).is_err() {
            mailbox.close(Unusable::Panicked);
        }
    }
    #[cfg(landfall_faults)]
    if is_armed(Fault::KeepConnection) {
        let _kept = Box::leak(Box::new(connection));
        return;
    }
    if let Err(error) = contain(|| drop(connection)) {
        log(|| tracing::warn!(database = source.shown, error, "closing a connection panicked"));
    }
}

fn open<C: Connection>(mailbox: &Mailbox<C>, source: &Source<C>) -> Result<C, OpenError> {
    contain(|| source.open(mailbox.brake()))
        .unwrap_or_else(|message| Err(OpenError::Panicked { database: source.shown.clone(), message }))
}

/// Runs an operation and says how it went: after this the connection is free, or closing.
pub(super) fn perform<C: Connection, T, E>(
    connection: &mut C,
    mailbox: &Mailbox<C>,
    source: &Source<C>,
    operation: impl FnOnce(&mut C) -> Result<T, E>,
) -> Result<T, RunError<E>> {
    let database = || source.shown.clone();
    let result = match contain(|| operation(connection)) {
        Ok(result) => result,
        Err(message) => {
            // Not free in between: nobody else may get it.
            mailbox.close(Unusable::Panicked);
            return Err(RunError::Panicked { database: database(), message });
        }
    };
    mailbox.done(is_in_transaction(connection, source));
    match result {
        Ok(value) => Ok(value),
        // The error that it failed with says no more than that.
        Err(_) if mailbox.brake().is_pulled() => Err(RunError::Interrupted { database: database() }),
        Err(error) => Err(RunError::Failed(error)),
    }
}

/// Whether a transaction is open that is no test's, or could not be ended.
fn is_in_transaction<C: Connection>(connection: &mut C, source: &Source<C>) -> bool {
    let status = C::TransactionManager::transaction_manager_status_mut(connection);
    let is_known = !matches!(status.transaction_depth(), Ok(None));
    // What Diesel knows of it judges: it leaves those of tests open.
    if is_known {
        C::TransactionManager::is_broken_transaction_manager(connection)
    } else {
        source.opening.is_in_transaction()
    }
}

/// Sends an answer. Whoever waited may have gone, and then the answer's destructor runs here; so may a waker.
pub(super) fn tell<T>(to: oneshot::Sender<T>, answer: T) {
    if let Err(error) = contain(|| drop(to.send(answer))) {
        log(|| tracing::warn!(error, "the end of an operation panicked"));
    }
}

struct EndOnDrop<'a, C>(&'a Mailbox<C>);

impl<C> Drop for EndOnDrop<'_, C> {
    fn drop(&mut self) {
        self.0.end();
    }
}
