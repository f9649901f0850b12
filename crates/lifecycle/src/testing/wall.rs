//! Limits of wall-clock time for what a test waits for, kept by a thread: they need no runtime and no timer of one.

use std::io::Write;
use std::pin::pin;
use std::time::{Duration, Instant};

use futures_util::future::{Either, select};

use crate::shutdown::{Shutdown, WatchId, Watched};
use crate::sync::Arc;

/// How long after its limit a wait that did not come back is called blocked.
const BLOCKED_AFTER: Duration = Duration::from_secs(2);

/// The wall clock of one check.
#[derive(Clone, Debug)]
pub(super) struct Wall(Shutdown);

/// What is said on standard error if the thread that waits is itself held up, which no future can tell of.
struct Blocked(String);

impl Watched for Blocked {
    fn on_due(self: Arc<Self>, at: Instant, now: Instant) -> Option<Instant> {
        if now < at {
            return Some(at);
        }
        // Not through `eprintln`, which the test harness captures and never shows of a test that hangs.
        let _unheard = writeln!(std::io::stderr(), "{}: the thread that polls is blocked", self.0);
        None
    }
}

struct Naming<'a>(&'a Shutdown, Option<WatchId>);

impl Drop for Naming<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.1 {
            self.0.timekeeper().unwatch(id);
        }
    }
}

impl Wall {
    pub(super) fn new() -> Self {
        Self(Shutdown::now())
    }

    /// Waits for a future, at most until an instant; none if it was not ready by then.
    ///
    /// `what` is said if not even the instant could be seen because a poll does not come back.
    pub(super) async fn until<F: Future>(&self, at: Instant, what: String, future: F) -> Option<F::Output> {
        let blocked = Arc::new(Blocked(what));
        let id = self.0.timekeeper().watch(at + BLOCKED_AFTER, blocked).ok();
        let _naming = Naming(&self.0, id);
        match select(pin!(future), self.0.sleep_until(at)).await {
            Either::Left((output, _)) => Some(output),
            Either::Right(_) if Instant::now() >= at => None,
            // No thread could be made to keep the time: better no limit than one that is no limit.
            Either::Right(((), future)) => Some(future.await),
        }
    }

    /// As [`until`](Self::until), from now on.
    pub(super) async fn within<F: Future>(&self, limit: Duration, what: String, future: F) -> Option<F::Output> {
        self.until(Instant::now() + limit, what, future).await
    }

    /// Joins the thread, so that a check leaves nothing behind.
    pub(super) async fn settle(&self) {
        self.0.timekeeper().settle().await;
    }
}
