//! The handle of one task, and the cell its output passes through.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::core::Core;
use super::error::TaskError;
use super::history::Left;
use super::registry::TaskId;
#[cfg(landfall_faults)]
use crate::faults::{Fault, is_armed};
use crate::panics::{contain, dispose, wake};
use crate::report::Outcome;
use crate::sync::{Arc, Mutex};

/// A handle to a task: a future of its output.
///
/// Dropping it detaches the task, which goes on and is still owned by its set. An output that no handle waits for is
/// dropped before the task counts as ended; one that a held handle has not taken counts as handed out.
///
/// # Cancel safety
///
/// Cancel safe: awaiting it by `&mut` and dropping that wait loses nothing. After it gave its output it stays pending.
pub struct Task<T> {
    id: TaskId,
    core: Arc<Core>,
    cell: Arc<OutputCell<T>>,
}

/// | from      | event               | to        |
/// |-----------|---------------------|-----------|
/// | `Waiting` | task gives a result | `Held`    |
/// | `Held`    | task left its set   | `Full`    |
/// | `Full`    | handle polled       | `Closed`  |
/// | any       | handle dropped      | `Closed`  |
#[derive(Debug)]
enum Cell<T> {
    Waiting(Option<Waker>),
    /// The result is handed out, and shown once the task has left: then a handle that gives it belongs to a task that
    /// has ended.
    Held(Result<T, TaskError>, Option<Waker>),
    Full(Result<T, TaskError>),
    Closed,
}

pub(super) struct OutputCell<T>(Mutex<Cell<T>>);

impl<T> OutputCell<T> {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Cell::Waiting(None))))
    }

    /// Drops the result later than the lock.
    fn close(&self) -> Cell<T> {
        std::mem::replace(&mut *self.0.lock(), Cell::Closed)
    }
}

/// Where an output goes.
pub(super) trait Sink<T> {
    /// Hands the result over, or gives it back if nobody wants it.
    fn deliver(&self, result: Result<T, TaskError>) -> Result<(), Result<T, TaskError>>;
    /// The task has left its set: shows the result and wakes who waits for it.
    fn release(&self);
}

/// Nobody waits.
pub(super) struct Detached;

impl<T> Sink<T> for Detached {
    fn deliver(&self, result: Result<T, TaskError>) -> Result<(), Result<T, TaskError>> {
        Err(result)
    }

    fn release(&self) {}
}

impl<T> Sink<T> for Arc<OutputCell<T>> {
    fn deliver(&self, result: Result<T, TaskError>) -> Result<(), Result<T, TaskError>> {
        let mut cell = self.0.lock();
        match std::mem::replace(&mut *cell, Cell::Closed) {
            #[cfg(landfall_faults)]
            Cell::Waiting(waker) if is_armed(Fault::FullAtDelivery) => {
                *cell = Cell::Full(result);
                drop(cell);
                waker.into_iter().for_each(wake);
                Ok(())
            }
            Cell::Waiting(waker) => {
                *cell = Cell::Held(result, waker);
                Ok(())
            }
            Cell::Held(..) | Cell::Full(_) | Cell::Closed => Err(result),
        }
    }

    fn release(&self) {
        #[cfg(landfall_faults)]
        if is_armed(Fault::FullAtDelivery) {
            return;
        }
        let mut cell = self.0.lock();
        let before = std::mem::replace(&mut *cell, Cell::Closed);
        if let Cell::Held(result, waker) = before {
            *cell = Cell::Full(result);
            drop(cell);
            if let Some(waker) = waker {
                wake(waker);
            }
        }
    }
}

/// Ends a task: hands its result over or drops it, lets its entry leave, and shows the result to who waits for it.
pub(super) fn finish<T>(core: &Arc<Core>, index: u32, sink: &impl Sink<T>, result: Result<T, TaskError>, left: Left) {
    let left = match (sink.deliver(result), left) {
        (Ok(()), left) => left,
        (Err(unwanted), left) => match (contain(|| drop(unwanted)), left) {
            (Err(message), Left::Completed) => Left::Abnormal(Outcome::Panicked { message, in_drop: true }),
            (_, left) => left,
        },
    };
    core.leave(index, left);
    sink.release();
}

impl<T> Task<T> {
    pub(super) fn new(id: TaskId, core: Arc<Core>, cell: Arc<OutputCell<T>>) -> Self {
        Self { id, core, cell }
    }

    /// Which entry of its set it is.
    #[must_use]
    pub fn id(&self) -> TaskId {
        self.id
    }

    /// Asks for the task to be dropped at its next poll. A blocking job that has not started is dropped, unrun, when
    /// its turn comes; one that runs is not touched. Idempotent; the task has ended when the handle gives its result.
    pub fn abort(&self) {
        self.core.abort_one(self.id);
    }

    /// Whether the task has ended and its result is here or was taken.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        !matches!(*self.cell.0.lock(), Cell::Waiting(_) | Cell::Held(..))
    }

    /// Lets the drop of the handle abort the task.
    #[must_use = "dropping it aborts the task"]
    pub fn abort_on_drop(self) -> AbortOnDrop<T> {
        AbortOnDrop(self)
    }
}

impl<T> Future for Task<T> {
    type Output = Result<T, TaskError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let waker = cx.waker().clone();
        let mut cell = self.cell.0.lock();
        let (now, before) = match std::mem::replace(&mut *cell, Cell::Closed) {
            Cell::Full(result) => return Poll::Ready(result),
            Cell::Closed => return Poll::Pending,
            Cell::Waiting(before) => (Cell::Waiting(Some(waker)), before),
            #[cfg(landfall_faults)]
            Cell::Held(result, before) if is_armed(Fault::ForgetHeldWaker) => (Cell::Held(result, before), Some(waker)),
            Cell::Held(result, before) => (Cell::Held(result, Some(waker)), before),
        };
        *cell = now;
        drop(cell);
        dispose(before);
        Poll::Pending
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        drop(self.cell.close());
    }
}

impl<T> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").field("id", &self.id).field("finished", &self.is_finished()).finish()
    }
}

/// A task's handle whose drop aborts the task. Made by [`Task::abort_on_drop`].
#[must_use = "dropping it aborts the task"]
#[derive(Debug)]
pub struct AbortOnDrop<T>(Task<T>);

impl<T> Future for AbortOnDrop<T> {
    type Output = Result<T, TaskError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl TaskError {
    /// What a handle is told of an end that is recorded as `outcome`.
    pub(super) fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::NeverStarted => Self::NeverStarted,
            Outcome::RuntimeGone => Self::RuntimeGone,
            Outcome::Panicked { message, .. } => Self::Panicked { message: message.clone() },
            Outcome::Aborted | Outcome::Straggler { .. } => Self::Aborted,
        }
    }
}
