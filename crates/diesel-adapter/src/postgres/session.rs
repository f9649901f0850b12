//! The task of one connection: it opens it, speaks for it, and does not end before the server has.

use std::error::Error as StdError;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::FutureExt;
use landfall_lifecycle::internal::log;
use landfall_pool::Backend;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_postgres::tls::NoTlsStream;
use tokio_postgres::{Client, Config, Connection, NoTls};

use super::encryption::Encryption;
use super::ends::Ends;
use super::open_error::PgOpenError;
use super::wire::Wire;

/// For how long the server's end is waited for once nobody uses a connection any more; a termination may be shorter.
const GOODBYE_MAX: Duration = Duration::from_secs(30);

/// What is connected to, and how.
#[derive(Debug)]
pub(super) struct Source {
    /// What may be shown of the address.
    pub(super) shown: String,
    pub(super) config: Config,
    pub(super) encryption: Encryption,
}

type PgSpeaker<'wire> = Connection<&'wire mut Wire, NoTlsStream>;

pub(super) type Opened = oneshot::Sender<Result<Client, PgOpenError>>;

/// Connects, and then speaks for the connection until both sides have ended it. If nobody waits for the connection any
/// more it is ended in the same way: a session that was half open would be left on the server.
pub(super) async fn drive(source: Arc<Source>, backend: Backend, opened: Opened, ends: Arc<Ends>) {
    // Also if this is aborted.
    let _over = Over(Arc::clone(&ends));
    let mut speaks = std::pin::pin!(speak(&source, &backend, opened, &ends));
    tokio::select! {
        () = &mut speaks => return,
        () = ends.left() => {}
    }
    // It is polled again, so a cut is seen by the wire.
    if timeout(GOODBYE_MAX, speaks).await.is_err() {
        let elapsed = GOODBYE_MAX;
        log(|| tracing::warn!(backend.addr = %backend.address, ?elapsed, "the end of a session was not seen"));
    }
}

async fn speak(source: &Source, backend: &Backend, mut opened: Opened, ends: &Arc<Ends>) {
    let stream = tokio::select! {
        // First, so that nothing is begun that nobody waits for.
        biased;
        () = opened.closed() => return,
        stream = source.encryption.open(backend, &source.shown) => stream,
    };
    let stream = match stream {
        Ok(stream) => stream,
        Err(error) => return drop(opened.send(Err(error))),
    };
    let mut wire = Wire::new(stream, Arc::clone(ends));
    let begun = tokio::select! {
        biased;
        () = opened.closed() => None,
        // Encrypted or not, the wire has seen to that.
        begun = source.config.connect_raw(&mut wire, NoTls) => Some(begun),
    };
    match begun {
        None => {}
        Some(Ok((client, mut connection))) => {
            // A client that nobody takes is dropped, and then the connection says goodbye.
            drop(opened.send(Ok(client)));
            // Before it is dropped, and with it the answers that are waited for.
            converse(&mut connection, ends).await;
        }
        Some(Err(error)) => drop(opened.send(Err(PgOpenError::of(source.shown.clone(), error)))),
    }
    ends.leave();
    wire.goodbye().await;
}

/// Speaks until the connection has ended; or, once it is cut, until its user takes no answer: the server may wait for that
/// in turn, and it hears nothing of its end before it has sent what it has. The wire can read it without anybody.
async fn converse(connection: &mut PgSpeaker<'_>, ends: &Ends) {
    let converses = poll_fn(|cx| {
        ends.read(false);
        match connection.poll_unpin(cx) {
            Poll::Pending if ends.is_cut() && !ends.waits() => {
                ends.fail("its rows were not taken when it was interrupted".to_owned());
                Poll::Ready(Ok(()))
            }
            polled => polled,
        }
    });
    if let Err(error) = converses.await {
        ends.fail(whole(&error));
    }
}

/// An error with what it came from.
fn whole(error: &tokio_postgres::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

struct Over(Arc<Ends>);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.end();
    }
}
