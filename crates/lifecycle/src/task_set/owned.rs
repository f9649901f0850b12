//! The wrapper around every future of a set: nothing of the user's is left when it lets its entry go.

use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project::{pin_project, pinned_drop};

use super::core::{Core, Park};
use super::history::Left;
use super::task::{Sink, finish};
use super::{TaskError, TaskId};
use crate::current;
use crate::panics::contain;
use crate::report::{Outcome, TaskKind};
use crate::sync::Arc;

/// An owned future. Its own output is nothing: the user's output, or the payload of its panic, is handed to the sink
/// or dropped in here, and the future itself is cleared, before the entry leaves the set.
#[pin_project(PinnedDrop)]
pub(super) struct Owned<F: Future, S: Sink<F::Output>> {
    core: Arc<Core>,
    sink: S,
    index: u32,
    kind: TaskKind,
    /// A task keeps one waker all its life, so one that has been left need not be left again.
    is_parked: bool,
    #[pin]
    future: Option<F>,
}

impl<F: Future, S: Sink<F::Output>> Owned<F, S> {
    pub(super) fn new(core: Arc<Core>, id: TaskId, kind: TaskKind, sink: S, future: F) -> Self {
        Self { core, sink, index: id.index(), kind, is_parked: false, future: Some(future) }
    }
}

/// How a future came to its end.
enum End<T> {
    Ready(T),
    Panicked(String),
    Cut(Outcome),
    /// The holder of a tracked future dropped it.
    Dropped,
}

impl<F: Future, S: Sink<F::Output>> Owned<F, S> {
    fn end(self: Pin<&mut Self>, end: End<F::Output>) {
        let mut this = self.project();
        let in_drop = contain(|| this.future.set(None)).err();
        let (result, left) = match (end, in_drop) {
            (End::Ready(output), None) => (Ok(output), Left::Completed),
            (End::Dropped, None) => (Err(TaskError::Aborted), Left::Completed),
            (End::Cut(outcome), None) => (Err(TaskError::of(&outcome)), Left::Abnormal(outcome)),
            (End::Panicked(message), _) => panicked(message, false),
            (End::Ready(output), Some(message)) => {
                crate::panics::dispose(output);
                panicked(message, true)
            }
            (End::Cut(_) | End::Dropped, Some(message)) => panicked(message, true),
        };
        finish(this.core, *this.index, this.sink, result, left);
    }
}

fn panicked<T>(message: String, in_drop: bool) -> (Result<T, TaskError>, Left) {
    let error = TaskError::Panicked { message: message.clone() };
    (Err(error), Left::Abnormal(Outcome::Panicked { message, in_drop }))
}

impl<F: Future, S: Sink<F::Output>> Future for Owned<F, S> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.as_mut().project();
        let Some(future) = this.future.as_pin_mut() else { return Poll::Ready(()) };
        let _inside = current::enter(this.core.id(), *this.index);
        if this.core.must_abort(*this.index, *this.kind) {
            self.end(End::Cut(Outcome::Aborted));
            return Poll::Ready(());
        }
        let end = match contain(|| future.poll(cx)) {
            Ok(Poll::Ready(output)) => End::Ready(output),
            Err(message) => End::Panicked(message),
            Ok(Poll::Pending) => {
                // A tracked future may be polled by another waker each time.
                if *this.is_parked && *this.kind != TaskKind::Tracked {
                    return Poll::Pending;
                }
                match this.core.park(*this.index, cx.waker()) {
                    Park::Parked => {
                        *this.is_parked = true;
                        return Poll::Pending;
                    }
                    Park::Abort => End::Cut(Outcome::Aborted),
                }
            }
        };
        self.end(end);
        Poll::Ready(())
    }
}

#[pinned_drop]
impl<F: Future, S: Sink<F::Output>> PinnedDrop for Owned<F, S> {
    fn drop(self: Pin<&mut Self>) {
        if self.future.is_none() {
            return;
        }
        let _inside = current::enter(self.core.id(), self.index);
        let end = if self.core.must_abort(self.index, self.kind) {
            End::Cut(Outcome::Aborted)
        } else if self.kind == TaskKind::Tracked {
            End::Dropped
        } else {
            End::Cut(Outcome::RuntimeGone)
        };
        self.end(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task_set::task::Detached;

    #[test]
    fn the_wrapper_of_an_empty_future_takes_24_bytes() {
        fn size<F: Future<Output = ()>>(_: &F) -> usize {
            size_of::<Owned<F, Detached>>()
        }
        assert!(size(&async {}) <= 24);
    }
}
