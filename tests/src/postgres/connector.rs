//! The connector: what a pool of `tokio-postgres` connections needs so that none outlives it on the server.

use std::sync::Arc;

use landfall_pool::{Backend, BoxError, ConnectCx, Connected, Connector, Fitness, Moment, Spawner};
use tokio::sync::oneshot;

use super::session::{Session, drive, end_writing};

/// Connects to PostgreSQL.
#[derive(Clone, Copy, Debug, Default)]
pub struct Postgres {
    /// How it takes its leave.
    pub manners: Manners,
}

/// How a connector takes its leave of the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Manners {
    /// It waits for the server's end of file.
    #[default]
    Waits,
    /// Planted: it says goodbye, and waits for its own task only, as the pools of others do.
    DoesNotWait,
    /// Planted: an attempt that is given up half way is left as it is.
    Forgets,
}

impl Connector for Postgres {
    type Connection = Session;

    /// All of it is done by the task, so that a dropped attempt leaves nothing half open on the server.
    async fn connect(&self, backend: &Backend, cx: &ConnectCx) -> Result<Connected<Session>, BoxError> {
        let (opened, opens) = oneshot::channel();
        let (over, is_over) = oneshot::channel();
        let name = format!("session on {backend}");
        cx.spawner().spawn(name, drive(backend.address, self.manners, opened, over))?;
        let (client, stream) = opens.await??;
        let session = Session::new(client, is_over, backend.address);
        let stop = session.stop();
        let interrupt = move |spawner: &Spawner| {
            let (stop, stream) = (stop.clone(), Arc::clone(&stream));
            let interrupts = async move {
                // Whoever waits for an answer gets an error now; and the session ends, whatever its holder does.
                let cancelled = stop.cancel().await;
                end_writing(&stream);
                if let Err(error) = cancelled {
                    tracing::debug!(error, "a query could not be cancelled");
                }
            };
            // Refused only when the termination is over.
            drop(spawner.spawn("interrupt", interrupts));
        };
        Ok(Connected::from(session).with_interrupt(interrupt))
    }

    fn fitness(&self, session: &mut Session, _: Moment) -> Fitness {
        if session.is_closed() || session.is_busy() { Fitness::Broken } else { Fitness::Fit }
    }

    async fn is_valid(&self, session: &mut Session) -> Result<(), BoxError> {
        session.query("").await?;
        Ok(())
    }

    async fn close(&self, session: Session) {
        if session.is_busy() && !session.is_closed() {
            // The goodbye would wait in line behind what still runs. If this fails, it does.
            drop(session.stop().cancel().await);
        }
        session.end().await;
    }
}
