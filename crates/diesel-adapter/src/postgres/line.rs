//! What a connection's user, its operations and its pool share.

use std::fmt::{self, Debug, Formatter};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use diesel::result::{DatabaseErrorKind, Error, QueryResult};
use landfall_pool::Spawner;
use tokio::sync::oneshot;

use super::cancel::Canceller;
use super::ends::Ends;
use super::usage::{Event, Usage};
use crate::synchronous::Unusable;

/// One connection, as seen from all sides.
pub(super) struct Line {
    usage: Mutex<Usage>,
    /// An operation has failed since this was asked last.
    has_failed: AtomicBool,
    ends: Arc<Ends>,
    canceller: Arc<Canceller>,
    spawner: Spawner,
}

/// An operation that has begun. Dropped before its end, it costs the connection.
pub(super) struct Begun<'line>(Option<&'line Line>);

impl Line {
    pub(super) fn new(ends: Arc<Ends>, canceller: Canceller, spawner: Spawner) -> Self {
        let (usage, has_failed) = (Mutex::new(Usage::Ready), AtomicBool::new(false));
        Self { usage, has_failed, ends, canceller: Arc::new(canceller), spawner }
    }

    /// Lets an operation in.
    pub(super) fn begin(&self) -> QueryResult<Begun<'_>> {
        let refused = |why: Unusable| {
            let text = format!("the connection to {} takes no operation any more: {why}", self.canceller.source.shown);
            Err(Error::DatabaseError(DatabaseErrorKind::ClosedConnection, Box::new(text)))
        };
        let mut usage = self.usage();
        match (usage.on(Event::Begun), *usage) {
            (Some(running), _) => {
                *usage = running;
                Ok(Begun(Some(self)))
            }
            (None, Usage::Cut(why)) => refused(why),
            (None, _) => refused(Unusable::Abandoned),
        }
    }

    /// Ends the connection, whatever the server does for it, and has that cancelled.
    pub(super) fn cut(&self, why: Unusable) {
        let mut usage = self.usage();
        let Some(cut) = usage.on(Event::Cut(why)) else { return };
        *usage = cut;
        drop(usage);
        self.ends.cut();
        if !self.ends.are_over() {
            let cancels = Arc::clone(&self.canceller).cancel_until(Arc::clone(&self.ends));
            // Refused only when the pool's termination is over, or its runtime has gone: so has the connection then.
            drop(self.spawner.spawn("cancel", cancels));
        }
    }

    pub(super) fn usage(&self) -> MutexGuard<'_, Usage> {
        self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn ends(&self) -> &Arc<Ends> {
        &self.ends
    }

    /// Whether an operation has failed since this was asked last.
    pub(super) fn take_failed(&self) -> bool {
        self.has_failed.swap(false, Ordering::Relaxed)
    }

    /// Waits for so long, at most until the connection is over. The time is kept on the pool's runtime, since the one of
    /// who waits may have no timers; if that runtime has gone, there is no pause.
    pub(super) async fn pause(&self, limit: Duration) {
        let (mut waits, is_over) = oneshot::channel::<()>();
        let pauses = async move {
            tokio::select! {
                () = tokio::time::sleep(limit) => {}
                () = waits.closed() => {}
            }
        };
        if self.spawner.spawn("pause", pauses).is_ok() {
            tokio::select! {
                _ = is_over => {}
                () = self.ends.over() => {}
            }
        }
    }

    fn happen(&self, event: Event) {
        let mut usage = self.usage();
        if let Some(next) = usage.on(event) {
            *usage = next;
        }
    }
}

impl Begun<'_> {
    /// The operation has ended so. After what is no answer of the server's, the connection is of no more use.
    pub(super) fn end<T>(mut self, result: QueryResult<T>) -> QueryResult<T> {
        let Some(line) = self.0.take() else { return result };
        if let Err(Error::DatabaseError(kind, _)) = &result {
            line.has_failed.store(true, Ordering::Relaxed);
            if matches!(kind, DatabaseErrorKind::UnableToSendCommand | DatabaseErrorKind::ClosedConnection) {
                line.cut(Unusable::Closed);
                return result.map_err(|error| line.explained(error));
            }
            if matches!(kind, DatabaseErrorKind::Unknown) {
                // With such an error a server ends a session, too; Diesel does not tell which it is.
                line.happen(Event::Left);
                return result;
            }
        }
        line.happen(Event::Answered);
        result
    }

    /// The operation's rows are wanted no more, though there may be others.
    pub(super) fn leave_rows(mut self) {
        if let Some(line) = self.0.take() {
            line.happen(Event::Left);
        }
    }
}

impl Line {
    /// The error of an operation whose connection has ended, with why it has.
    fn explained(&self, error: Error) -> Error {
        match (error, self.ends.why()) {
            (Error::DatabaseError(_, said), Some(why)) => {
                let text = format!("{}: {why}", said.message());
                Error::DatabaseError(DatabaseErrorKind::ClosedConnection, Box::new(text))
            }
            (error, _) => error,
        }
    }
}

impl Debug for Line {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let database = &self.canceller.source.shown;
        f.debug_struct("Line").field("database", database).field("usage", &*self.usage()).finish_non_exhaustive()
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        if let Some(line) = self.0.take() {
            line.cut(Unusable::Abandoned);
        }
    }
}
