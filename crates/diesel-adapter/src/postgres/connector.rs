//! How connections to PostgreSQL are opened, checked and closed.

use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;
use std::time::Duration;

use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use futures_util::future::BoxFuture;
use landfall_pool::{Backend, BoxError, ConnectCx, Connected, Connector, Fitness, Moment, Spawner};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::cancel::Canceller;
use super::connection::{Leaving, PgConnection};
use super::ends::Ends;
use super::line::Line;
use super::open_error::PgOpenError;
use super::session::{Source, drive};
use super::usage::Usage;
use crate::synchronous::Unusable;

/// How long the rest of an answer that nobody wants is waited for when a handle goes back.
const SETTLE_MAX: Duration = Duration::from_millis(100);

/// Has a server of version 14 and later look each second whether its client is still there, while it works for it: so a
/// session ends though nobody could say goodbye. Others have no such setting.
const NOTICE_END: &str = "SELECT set_config(name, '1000', false) FROM pg_settings \
                          WHERE name = 'client_connection_check_interval' AND setting = '0'";

/// Opens connections to PostgreSQL, each with a task in the pool's task set that speaks for it. Made by
/// [`DieselPool`](crate::DieselPool).
pub struct PgConnector {
    source: Arc<Source>,
    health_query: String,
    on_open: Vec<OnOpen>,
}

pub(super) type OnOpen =
    Box<dyn for<'conn> Fn(&'conn mut PgConnection) -> BoxFuture<'conn, Result<(), BoxError>> + Send + Sync>;

impl PgConnector {
    pub(super) fn new(source: Source, health_query: String, on_open: Vec<OnOpen>) -> Self {
        Self { source: Arc::new(source), health_query, on_open }
    }

    async fn set_up(&self, connection: &mut PgConnection) -> Result<(), BoxError> {
        connection.batch_execute(NOTICE_END).await?;
        for hook in &self.on_open {
            hook(connection).await?;
        }
        Ok(())
    }
}

impl Connector for PgConnector {
    type Connection = PgConnection;

    /// All of it is done by the task, so that a dropped attempt leaves nothing half open on the server.
    async fn connect(&self, backend: &Backend, cx: &ConnectCx) -> Result<Connected<PgConnection>, BoxError> {
        let database = || self.source.shown.clone();
        let (source, ends) = (Arc::clone(&self.source), Arc::new(Ends::default()));
        let (opened, opens) = oneshot::channel();
        let drives = drive(Arc::clone(&source), backend.clone(), opened, Arc::clone(&ends));
        let task = |source| PgOpenError::Task { database: database(), source };
        cx.spawner().spawn(format!("connection to {backend}"), drives).map_err(task)?;
        let client = opens.await.map_err(|_| PgOpenError::Aborted { database: database() })??;
        let canceller = Canceller { token: client.cancel_token(), source, backend: backend.clone() };
        let line = Leaving(Arc::new(Line::new(ends, canceller, cx.spawner().clone())));
        let interrupted = Arc::clone(&line.0);
        let set_up = |source| PgOpenError::SetUp { database: database(), source };
        let inner = AsyncPgConnection::try_from(client).await.map_err(|error| set_up(error.into()))?;
        let mut connection = PgConnection::new(inner, line);
        self.set_up(&mut connection).await.map_err(set_up)?;
        let interrupt = move |_: &Spawner| interrupted.cut(Unusable::Terminating);
        Ok(Connected::from(connection).with_interrupt(interrupt))
    }

    fn fitness(&self, connection: &mut PgConnection, _: Moment) -> Fitness {
        match connection.is_fit() {
            Some(Usage::Ready) => Fitness::Fit,
            Some(_) => Fitness::Prepare,
            None => Fitness::Broken,
        }
    }

    async fn is_valid(&self, connection: &mut PgConnection) -> Result<(), BoxError> {
        Ok(connection.batch_execute(&self.health_query).await?)
    }

    /// Rows that were dropped before their end are read to it, and a session that is about to end has ended: the server
    /// answers in order. What takes longer is cut.
    async fn on_recycle(&self, connection: &mut PgConnection) -> Result<(), BoxError> {
        Ok(timeout(SETTLE_MAX, connection.batch_execute("")).await??)
    }

    async fn close(&self, connection: PgConnection) {
        connection.close().await;
    }
}

impl Debug for PgConnector {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgConnector").field("database", &self.source.shown).finish_non_exhaustive()
    }
}
