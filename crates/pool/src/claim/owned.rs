//! A claim that owns a handle to its pool, and may be granted a connection before it is called.

use std::fmt::{self, Debug, Formatter};
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use super::{Claim, ClaimError, Stage, Times};
use crate::connector::Connector;
use crate::core::Grant;
use crate::handle::Handle;
use crate::policy::clamp;
use crate::pool::Pool;
use crate::shared::Shared;

/// A claim under way that owns a handle to its pool, as [`ClaimService`](crate::tower::ClaimService) gives it.
///
/// # Cancel safety
///
/// As for [`Pool::claim`]: dropped, it leaves the line, and a connection that was granted to it goes on.
#[must_use = "a claim does nothing unless it is awaited"]
pub struct OwnedClaim<K: Connector> {
    pool: Pool<K>,
    rest: Rest,
}

/// A claim without its pool.
enum Rest {
    Claim { timeout: Option<Duration>, place: &'static Location<'static>, stage: Stage },
    Failed(ClaimError),
    Done,
}

impl<K: Connector> OwnedClaim<K> {
    pub(crate) fn new(pool: Pool<K>, place: &'static Location<'static>) -> Self {
        Self { pool, rest: Rest::Claim { timeout: None, place, stage: Stage::New } }
    }

    /// One that will say this.
    pub(crate) fn failed(pool: Pool<K>, error: ClaimError) -> Self {
        Self { pool, rest: Rest::Failed(error) }
    }

    /// Waits until a connection is granted to it, and leaves it where it is. After an error it is over.
    pub(crate) fn poll_granted(&mut self, cx: &Context<'_>) -> Poll<Result<(), ClaimError>> {
        match std::mem::replace(&mut self.rest, Rest::Done) {
            Rest::Claim { timeout, place, stage } => {
                let mut claim = Claim { shared: self.pool.shared(), timeout, place, stage };
                let polled = claim.poll_granted(cx);
                self.rest = claim.pause();
                polled
            }
            Rest::Failed(error) => Poll::Ready(Err(error)),
            Rest::Done => Poll::Pending,
        }
    }

    /// Its limit of time begins now, be it granted something or not.
    pub(crate) fn call(mut self, limit: Option<Duration>) -> Self {
        let Rest::Claim { timeout, stage, .. } = &mut self.rest else { return self };
        *timeout = limit.map(clamp);
        if let Stage::Waiting(times, id) = stage {
            let shared: &Arc<Shared<K>> = self.pool.shared();
            let now = shared.now();
            *times = Times { began: now, deadline: now.plus(timeout.unwrap_or(shared.claim_timeout)) };
            shared.call_waiter(*id, now, times.deadline);
        }
        self
    }
}

impl<K: Connector> Claim<'_, K> {
    fn poll_granted(&mut self, cx: &Context<'_>) -> Poll<Result<(), ClaimError>> {
        if let Stage::New = self.stage {
            let times = self.times();
            // The waker comes with the look that follows at once: a grant would wake who is here already.
            match self.shared.wait_for_grant(times.began, self.waiter(times, Waker::noop())) {
                Ok(id) => self.stage = Stage::Waiting(times, id),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        let Stage::Waiting(_, id) = self.stage else { return Poll::Pending };
        match self.shared.poll_grant(id, cx.waker()) {
            Grant::Waits => Poll::Pending,
            Grant::Given => Poll::Ready(Ok(())),
            Grant::Failed(failure) => {
                self.stage = Stage::Done;
                Poll::Ready(Err(self.shared.failed_error(failure, self.timeout())))
            }
        }
    }

    /// All but the pool, to go on with later.
    fn pause(mut self) -> Rest {
        let stage = std::mem::replace(&mut self.stage, Stage::Done);
        Rest::Claim { timeout: self.timeout, place: self.place, stage }
    }
}

impl<K: Connector> Future for OwnedClaim<K> {
    type Output = Result<Handle<K>, ClaimError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        match std::mem::replace(&mut this.rest, Rest::Done) {
            Rest::Claim { timeout, place, stage } => {
                let mut claim = Claim { shared: this.pool.shared(), timeout, place, stage };
                let polled = Pin::new(&mut claim).poll(cx);
                this.rest = claim.pause();
                Poll::Ready(ready!(polled))
            }
            Rest::Failed(error) => Poll::Ready(Err(error)),
            // Never ready again.
            Rest::Done => Poll::Pending,
        }
    }
}

impl<K: Connector> Drop for OwnedClaim<K> {
    fn drop(&mut self) {
        if let Rest::Claim { stage: Stage::Waiting(_, id), .. } = self.rest {
            self.pool.shared().cancel(id);
        }
    }
}

impl<K: Connector> Debug for OwnedClaim<K> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedClaim").field("pool", &self.pool.name()).finish_non_exhaustive()
    }
}
