//! hyper's executor on a task set.

use std::panic::Location;

use hyper::rt::Executor;
use tracing::debug;

use crate::task_set::{TaskName, TaskSet, WeakTaskSet};

/// Runs the tasks that hyper makes, the streams of an HTTP/2 server or the driver of an HTTP/2 client, on a
/// [`TaskSet`].
///
/// It is what to give hyper and hyper-util where they ask for an executor; hyper-util's own one starts tasks that have
/// no owner. Every task runs under the one name given here, and reports show the place where the executor was made. Clones
/// are cheap.
///
/// The executor holds its set weakly. hyper keeps the executor inside the tasks that run on the set, and a task that
/// kept its own set alive would keep the set from ever being dropped.
///
/// # When the set refuses
///
/// [`Executor::execute`] cannot fail, so a future that the set refuses (its termination has begun, it is gone, there is
/// no runtime) is dropped where hyper calls, which is logged at debug. To HTTP/2 that means:
///
/// - Server: the request ends with a reset of its stream, `CANCEL`. The service's future is dropped, by tower's
///   contract before the service was called; the connection goes on. A client does not retry that by itself. So let
///   the set of the streams end *after* the set of their connections, as [`Server`](super::Server) does: between a
///   server's two `GOAWAY` frames new streams are still legal, and clients count on them.
/// - Client: the handshake succeeds, but nobody drives the connection. The first request fails as canceled.
///
/// # Examples
///
/// ```
/// use landfall_lifecycle::TaskSet;
/// use landfall_lifecycle::serving::HyperExecutor;
///
/// let streams = TaskSet::new("streams");
/// let http2 = hyper::server::conn::http2::Builder::new(HyperExecutor::new(&streams, "request"));
/// # let _ = http2;
/// ```
#[derive(Clone, Debug)]
pub struct HyperExecutor {
    set: WeakTaskSet,
    name: TaskName,
    place: &'static Location<'static>,
}

impl HyperExecutor {
    /// An executor that spawns on `set`, each task under `name`.
    #[must_use]
    #[track_caller]
    pub fn new(set: &TaskSet, name: impl Into<TaskName>) -> Self {
        Self::at(Location::caller(), set.downgrade(), name)
    }

    pub(super) fn at(place: &'static Location<'static>, set: WeakTaskSet, name: impl Into<TaskName>) -> Self {
        Self { set, name: name.into(), place }
    }
}

impl<F> Executor<F> for HyperExecutor
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        let Some(set) = self.set.upgrade() else {
            debug!(task.name = %self.name, "spawn refused: the set is gone");
            return;
        };
        if let Err(error) = set.spawn_at(self.place, self.name.clone(), future) {
            debug!(task.name = %self.name, %error, "spawn refused");
        }
    }
}
