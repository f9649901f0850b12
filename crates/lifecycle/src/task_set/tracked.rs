//! A future that is owned by a set and polled by somebody else.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::error::TaskError;
use super::owned::Owned;
use super::registry::TaskId;
use super::task::{OutputCell, Task};
use crate::sync::Arc;

/// A future that counts as a task of its set, polled by whoever holds it. Made by
/// [`TaskSet::track`](crate::TaskSet::track).
///
/// It gives the output, or [`TaskError::Aborted`] once the set has aborted it: then the inner future has been dropped.
/// Dropping it drops the inner future and ends the entry as completed. Forgetting it (`mem::forget`) leaves a
/// straggler that the report names.
///
/// # Cancel safety
///
/// As the inner future's.
#[pin_project::pin_project]
#[must_use = "a future does nothing unless polled"]
pub struct Tracked<F: Future> {
    #[pin]
    owned: Owned<F, Arc<OutputCell<F::Output>>>,
    output: Task<F::Output>,
}

impl<F: Future> Tracked<F> {
    pub(super) fn new(owned: Owned<F, Arc<OutputCell<F::Output>>>, output: Task<F::Output>) -> Self {
        Self { owned, output }
    }

    /// Which entry of its set it is.
    #[must_use]
    pub fn id(&self) -> TaskId {
        self.output.id()
    }
}

impl<F: Future> Future for Tracked<F> {
    type Output = Result<F::Output, TaskError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if this.owned.poll(cx).is_pending() {
            return Poll::Pending;
        }
        Pin::new(this.output).poll(cx)
    }
}

impl<F: Future> fmt::Debug for Tracked<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracked").field("id", &self.output.id()).finish_non_exhaustive()
    }
}
