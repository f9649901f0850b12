//! How what the server does for a connection is stopped from outside.

use std::sync::Arc;
use std::time::Duration;

use landfall_lifecycle::internal::log;
use landfall_pool::{Backend, BoxError};
use tokio::io::AsyncReadExt;
use tokio_postgres::{CancelToken, NoTls};

use super::ends::Ends;
use super::session::Source;

/// How long after a request to cancel the next one follows, doubled each time up to the longest: one that comes before the
/// server has begun is lost.
const AGAIN_MIN: Duration = Duration::from_millis(50);
const AGAIN_MAX: Duration = Duration::from_secs(1);

/// What it takes to have the server cancel what it does for one session.
pub(super) struct Canceller {
    pub(super) token: CancelToken,
    pub(super) source: Arc<Source>,
    pub(super) backend: Backend,
}

impl Canceller {
    /// Asks again and again, until the session is over: it is, when what was cancelled has ended, since its connection sends
    /// nothing more. So is this if the server stays silent, once the session's task has given it up.
    pub(super) async fn cancel_until(self: Arc<Self>, ends: Arc<Ends>) {
        let mut pause = AGAIN_MIN;
        loop {
            let cancels = async {
                if let Err(error) = self.cancel().await {
                    log(
                        || tracing::debug!(backend.addr = %self.backend.address, error, "a query could not be cancelled"),
                    );
                }
                tokio::time::sleep(pause).await;
            };
            tokio::select! {
                () = ends.over() => return,
                () = cancels => pause = (pause * 2).min(AGAIN_MAX),
            }
        }
    }

    async fn cancel(&self) -> Result<(), BoxError> {
        // The key that cancels is a secret too: it goes the way that all else goes.
        let mut stream = self.source.encryption.open(&self.backend, &self.source.shown).await?;
        self.token.cancel_query_raw(&mut stream, NoTls).await?;
        // The server ends it when it has passed the request on.
        while stream.read(&mut [0; 64]).await? > 0 {}
        Ok(())
    }
}
