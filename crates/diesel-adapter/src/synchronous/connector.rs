//! How connections of threads are made, checked and closed.

use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use diesel::Connection;
use landfall_pool::{Backend, BoxError, ConnectCx, Connected, Connector, Fitness, Moment, Spawner};
use tokio::sync::oneshot;

use super::connection::SyncConnection;
use super::mailbox::Mailbox;
use super::open::Open;
use super::open_error::OpenError;
use super::run_error::Unusable;
use super::worker::work;
use crate::brake::Brake;

/// Opens synchronous Diesel connections, each on a thread of its own in the pool's task set. Made by [`DieselPool`].
///
/// [`DieselPool`]: crate::DieselPool
pub struct SyncConnector<C> {
    source: Arc<Source<C>>,
    health_query: Arc<str>,
    threads: Threads,
}

/// What a connection's thread does first.
pub(super) struct Source<C> {
    /// What may be shown of the address.
    pub(super) shown: String,
    pub(super) address: String,
    pub(super) opening: Box<dyn Open<C>>,
    pub(super) on_open: Vec<OnOpen<C>>,
}

pub(super) type OnOpen<C> = Box<dyn Fn(&mut C) -> Result<(), BoxError> + Send + Sync>;

impl<C> Source<C> {
    pub(super) fn open(&self, brake: &Arc<Brake>) -> Result<C, OpenError> {
        let database = || self.shown.clone();
        let opened = self.opening.open(&self.address, brake);
        let mut connection = opened.map_err(|source| OpenError::Refused { database: database(), source })?;
        for hook in &self.on_open {
            hook(&mut connection).map_err(|source| OpenError::SetUp { database: database(), source })?;
        }
        Ok(connection)
    }
}

impl<C: Connection + 'static> SyncConnector<C> {
    pub(super) fn new(source: Source<C>, health_query: String, threads_max: usize) -> Self {
        let threads = Threads { alive: Arc::default(), max: threads_max };
        Self { source: Arc::new(source), health_query: health_query.into(), threads }
    }
}

impl<C: Connection + 'static> Connector for SyncConnector<C> {
    type Connection = SyncConnection<C>;

    async fn connect(&self, _: &Backend, cx: &ConnectCx) -> Result<Connected<SyncConnection<C>>, BoxError> {
        let source = &self.source;
        let database = || source.shown.clone();
        let Some(counted) = self.threads.enter() else {
            return Err(OpenError::TooManyThreads { database: database(), threads_max: self.threads.max }.into());
        };
        let mailbox = Arc::new(Mailbox::new());
        // Dropped with this future: then the thread closes what it opens.
        let connection = SyncConnection::new(Arc::clone(&mailbox), Arc::clone(source));
        let (opened, answer) = oneshot::channel();
        let runs = {
            let (mailbox, source) = (Arc::clone(&mailbox), Arc::clone(source));
            move || work(&mailbox, &source, counted, opened)
        };
        let name = format!("connection to {}", source.shown);
        cx.spawner().spawn_thread(name, runs).map_err(|source| OpenError::Thread { database: database(), source })?;
        let gone = |_| OpenError::Panicked { database: database(), message: "its thread gave no answer".to_owned() };
        answer.await.map_err(gone)??;
        let interrupt = move |_: &Spawner| mailbox.close(Unusable::Terminating);
        Ok(Connected::from(connection).with_interrupt(interrupt))
    }

    fn fitness(&self, connection: &mut SyncConnection<C>, _: Moment) -> Fitness {
        if connection.is_fit() { Fitness::Fit } else { Fitness::Broken }
    }

    async fn is_valid(&self, connection: &mut SyncConnection<C>) -> Result<(), BoxError> {
        let query = Arc::clone(&self.health_query);
        Ok(connection.run(move |connection| connection.batch_execute(&query)).await?)
    }

    async fn close(&self, connection: SyncConnection<C>) {
        connection.close().await;
    }
}

impl<C> Debug for SyncConnector<C> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("SyncConnector").field("database", &self.source.shown).finish_non_exhaustive()
    }
}

/// How many threads are alive. A slot whose close was given up is free, though its operation may go on.
struct Threads {
    alive: Arc<AtomicUsize>,
    max: usize,
}

/// One of them.
pub(super) struct Counted(Arc<AtomicUsize>);

impl Threads {
    fn enter(&self) -> Option<Counted> {
        let more = |alive| (alive < self.max).then_some(alive + 1);
        self.alive.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Counted(Arc::clone(&self.alive)))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
