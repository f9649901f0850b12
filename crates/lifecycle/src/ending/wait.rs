//! How callers wait for the end of an owner.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use futures_util::future::select;

use super::begun::Stage;
use super::{Ending, Owner, State, tell};
use crate::report::{GraceCut, Report};
use crate::shutdown::{Shutdown, Timekeeper};
use crate::sync::Arc;
use crate::sync::atomic::Ordering;
use crate::terminate::SelfJoin;

impl Ending {
    /// Terminates `owner` and gives the report; see [`Terminate::terminate`](crate::Terminate::terminate).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a dropped wait loses nothing.
    pub async fn terminate<O: Owner>(owner: Arc<O>, how: Shutdown) -> Result<Report, SelfJoin> {
        if let Some(task) = owner.calling_task() {
            return Err(SelfJoin { owner: owner.name().into_owned(), task });
        }
        let ending = owner.ending();
        let _awaiting = Awaiting::new(&owner);
        Self::begin(&owner, &how);
        let force = how.forced();
        let report = loop {
            let changed = pin!(ending.changed.notified());
            match ending.stand() {
                Stand::Going => {}
                Stand::Clockless => {
                    // Without a thread to keep the time it is this task that must look at the clock.
                    Self::advance(&owner, how.clock_now());
                    yield_once().await;
                    continue;
                }
                Stand::Overdue => break Self::report(&owner),
                Stand::Over => {
                    tell(|| owner.settle());
                    break Self::report(&owner);
                }
            }
            if how.is_forced() {
                Self::begin(&owner, &how);
                changed.await;
            } else {
                select(changed, pin!(force.cancelled())).await;
            }
        };
        for timekeeper in ending.timekeepers() {
            timekeeper.settle().await;
        }
        ending.is_delivered.store(true, Ordering::Release);
        Ok(report)
    }

    fn timekeepers(&self) -> Vec<Arc<Timekeeper>> {
        match &*self.state.lock() {
            State::Open => Vec::new(),
            State::Begun(begun) => begun.timekeepers(),
            State::Over(over) => over.timekeepers.clone(),
        }
    }

    /// Waits until `owner` has ended.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropping it forgets the wait and nothing else.
    pub async fn ended<O: Owner>(owner: Arc<O>) {
        loop {
            let changed = owner.ending().changed.notified();
            if owner.ending().is_over() {
                return tell(|| owner.settle());
            }
            changed.await;
        }
    }

    pub(super) fn stand(&self) -> Stand {
        match &*self.state.lock() {
            State::Over(_) => Stand::Over,
            State::Begun(begun) if begun.stage == Stage::Overdue => Stand::Overdue,
            State::Begun(begun) if begun.grace_cut == Some(GraceCut::NoClockThread) => Stand::Clockless,
            State::Begun(_) | State::Open => Stand::Going,
        }
    }
}

/// Where a caller stands.
pub(super) enum Stand {
    Going,
    Clockless,
    Overdue,
    Over,
}

impl Stand {
    pub(super) fn is_reported(&self) -> bool {
        matches!(self, Self::Overdue | Self::Over)
    }
}

/// Counts a caller while it waits. The last one that goes without its report leaves it to the log.
struct Awaiting<'a, O: Owner>(&'a Arc<O>);

impl<'a, O: Owner> Awaiting<'a, O> {
    fn new(owner: &'a Arc<O>) -> Self {
        owner.ending().awaiting.fetch_add(1, Ordering::AcqRel);
        Self(owner)
    }
}

impl<O: Owner> Drop for Awaiting<'_, O> {
    fn drop(&mut self) {
        let ending = self.0.ending();
        let is_last = ending.awaiting.fetch_sub(1, Ordering::AcqRel) == 1;
        if is_last && !ending.is_delivered.load(Ordering::Acquire) && ending.stand().is_reported() {
            ending.log_if_unawaited(self.0);
        }
    }
}

/// Lets others run. Tokio's own defers its wake to the worker it is on, which [`block_on`](crate::block_on) holds.
async fn yield_once() {
    let mut has_yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut has_yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
