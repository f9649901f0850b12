//! A claim: from the call to the handle.

mod error;
#[cfg(feature = "tower")]
mod owned;

use std::fmt::{self, Debug, Formatter};
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

pub use self::error::{ClaimError, ConnectError, TryClaimError, WaitedFor, WarmUpError};
#[cfg(feature = "tower")]
pub use self::owned::OwnedClaim;
use crate::connector::Connector;
use crate::core::{At, Begun, Polled, Taken, Waiter, WaiterId};
use crate::handle::Handle;
use crate::shared::{Lease, Ready, Shared};

/// A claim under way. Made by [`Pool::claim`](crate::Pool::claim) and
/// [`Pool::claim_within`](crate::Pool::claim_within).
///
/// | from      | event                                    | to                   |
/// |-----------|------------------------------------------|----------------------|
/// | `New`     | polled, a fit connection is idle         | done, with a handle  |
/// | `New`     | polled, none is                          | `Joining`            |
/// | `Joining` | at once                                  | `Waiting`, in line   |
/// | `Waiting` | polled, one was granted, and is fit      | done, with a handle  |
/// | `Waiting` | polled, one was granted, and is broken   | `Joining`, to be first |
/// | `Waiting` | polled, its time is over, or the pool's  | done, with an error  |
/// | `Waiting` | dropped                                  | done; a grant goes on|
#[must_use = "a claim does nothing unless it is awaited"]
pub struct Claim<'a, K: Connector> {
    shared: &'a Arc<Shared<K>>,
    /// None stands for the policy's.
    timeout: Option<Duration>,
    place: &'static Location<'static>,
    stage: Stage,
}

enum Stage {
    New,
    Joining { times: Times, is_first: bool },
    Waiting(Times, WaiterId),
    Done,
}

/// When a claim began and until when it may take.
#[derive(Clone, Copy)]
struct Times {
    began: At,
    deadline: At,
}

impl<'a, K: Connector> Claim<'a, K> {
    pub(crate) fn new(
        shared: &'a Arc<Shared<K>>,
        timeout: Option<Duration>,
        place: &'static Location<'static>,
    ) -> Self {
        Self { shared, timeout, place, stage: Stage::New }
    }

    /// The way without a wait: nearly every claim's. Leads to the next stage if there is none.
    #[inline]
    fn take(&mut self) -> Option<Result<Handle<K>, ClaimError>> {
        if !self.shared.may_have_idle() {
            self.join();
            return None;
        }
        let now = self.shared.recent();
        match self.shared.take(now, self.place, true) {
            Taken::Hit(grip, connection) => {
                match self.shared.make_ready(self.shared.lease(grip, connection, now, None, self.place)) {
                    Ready::Handle(handle) => return Some(Ok(handle)),
                    // Another one may be idle: this is looked at there.
                    Ready::Broken => self.join(),
                    Ready::Prepare(lease) => self.prepare(lease, self.times()),
                }
            }
            Taken::Miss => self.join(),
            Taken::Closed => return Some(Err(self.shared.closed_error())),
        }
        None
    }

    #[inline(never)]
    fn join(&mut self) {
        self.stage = Stage::Joining { times: self.times(), is_first: false };
    }

    fn times(&self) -> Times {
        let began = self.shared.now();
        Times { began, deadline: began.plus(self.timeout()) }
    }

    fn timeout(&self) -> Duration {
        self.timeout.unwrap_or(self.shared.claim_timeout)
    }

    /// Leaves the connection to the pool until it is ready for this claim.
    #[cold]
    fn prepare(&mut self, lease: Lease<K>, times: Times) {
        // The waker comes with the next poll, which follows at once.
        let waiter = self.waiter(times, std::task::Waker::noop());
        let waiter = self.shared.check_for_claim(lease, waiter);
        self.stage = Stage::Waiting(times, waiter);
    }

    fn waiter(&self, times: Times, waker: &std::task::Waker) -> Waiter {
        Waiter { waker: waker.clone(), began: times.began, deadline: times.deadline }
    }

    /// The way with a wait. Apart from the other, which is nearly every claim's and stays small so.
    #[inline(never)]
    fn poll_on(&mut self, cx: &Context<'_>) -> Poll<Result<Handle<K>, ClaimError>> {
        loop {
            if let Some(poll) = self.step(cx) {
                if poll.is_ready() {
                    self.stage = Stage::Done;
                }
                return poll;
            }
        }
    }

    /// One step of it; none if there is another one to make.
    fn step(&mut self, cx: &Context<'_>) -> Option<Poll<Result<Handle<K>, ClaimError>>> {
        let (times, lease, is_prepared) = match self.stage {
            Stage::Joining { times, is_first } => {
                // The first time it has just begun: reading the clock is what costs most here.
                let now = if is_first { self.shared.now() } else { times.began };
                match self.shared.take_or_wait(now, self.waiter(times, cx.waker()), self.place, is_first) {
                    Begun::Hit(grip, connection) => {
                        (times, self.shared.lease(grip, connection, now, None, self.place), false)
                    }
                    Begun::Waits(id) => {
                        self.stage = Stage::Waiting(times, id);
                        return Some(Poll::Pending);
                    }
                    Begun::Full { waiting } => return Some(Poll::Ready(Err(self.shared.full_error(waiting)))),
                    Begun::Closed => return Some(Poll::Ready(Err(self.shared.closed_error()))),
                }
            }
            Stage::Waiting(times, id) => match self.shared.poll_waiter(id, cx.waker(), self.place) {
                Polled::Waits => return Some(Poll::Pending),
                Polled::Failed(failure) => {
                    return Some(Poll::Ready(Err(self.shared.failed_error(failure, self.timeout()))));
                }
                Polled::Hit { grip, connection, since, waited, is_prepared } => {
                    (times, self.shared.lease(grip, connection, since, Some(waited), self.place), is_prepared)
                }
            },
            // Never ready again. The first poll has left `New` before it comes here.
            Stage::New | Stage::Done => return Some(Poll::Pending),
        };
        let ready =
            if is_prepared { Ready::Handle(self.shared.hand_out(lease)) } else { self.shared.make_ready(lease) };
        match ready {
            Ready::Handle(handle) => return Some(Poll::Ready(Ok(handle))),
            // The wait is over, and the connection gone: it joins the line again, at its head.
            Ready::Broken => self.stage = Stage::Joining { times, is_first: true },
            Ready::Prepare(lease) => self.prepare(lease, times),
        }
        None
    }
}

impl<K: Connector> Future for Claim<'_, K> {
    type Output = Result<Handle<K>, ClaimError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Stage::New = self.stage
            && let Some(done) = self.take()
        {
            self.stage = Stage::Done;
            return Poll::Ready(done);
        }
        self.poll_on(cx)
    }
}

impl<K: Connector> Drop for Claim<'_, K> {
    #[inline]
    fn drop(&mut self) {
        if let Stage::Waiting(_, id) = self.stage {
            self.shared.cancel(id);
        }
    }
}

impl<K: Connector> Debug for Claim<'_, K> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim").field("pool", &self.shared.name()).field("place", &self.place).finish_non_exhaustive()
    }
}
