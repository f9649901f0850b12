//! One run of a future, up to the poll after which it is dropped.

use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll, Wake, Waker};

use crate::sync::{Arc, Mutex};

/// What the wakers of one run share.
#[derive(Debug, Default)]
pub(super) struct Signal(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// How often the future was polled, which is also the number of the only waker that counts.
    polls: usize,
    is_woken: bool,
    /// Wakes by the waker of an earlier poll: `Future::poll` promises nothing for them.
    stale: usize,
    /// Of the task that runs the test.
    outer: Option<Waker>,
}

/// The waker of one poll.
struct PollWaker {
    signal: Arc<Signal>,
    number: usize,
}

impl Wake for PollWaker {
    fn wake(self: Arc<Self>) {
        let mut state = self.signal.0.lock();
        if state.polls != self.number {
            state.stale += 1;
            return;
        }
        state.is_woken = true;
        let outer = state.outer.take();
        drop(state);
        if let Some(outer) = outer {
            outer.wake();
        }
    }
}

impl Signal {
    /// How often the future was polled, and how often it woke by a waker of an earlier poll.
    pub(super) fn seen(&self) -> (usize, usize) {
        let state = self.0.lock();
        (state.polls, state.stale)
    }

    /// Whether the future is to be polled now; if not, the task is woken when it is.
    fn is_due(&self, outer: &Waker) -> bool {
        let outer = outer.clone();
        let mut state = self.0.lock();
        if state.polls == 0 || state.is_woken {
            return true;
        }
        let before = state.outer.replace(outer);
        drop(state);
        drop(before);
        false
    }

    /// The waker of the next poll.
    fn next(self: &Arc<Self>) -> (usize, Waker) {
        let mut state = self.0.lock();
        state.polls += 1;
        state.is_woken = false;
        let number = state.polls;
        drop(state);
        (number, Waker::from(Arc::new(PollWaker { signal: Arc::clone(self), number })))
    }
}

/// Polls a future until it is ready or was polled `cut` times, and drops it; gives whether it was ready.
///
/// Between two polls it waits to be woken, by the waker of the last poll. With `spurious` it is polled once more after
/// each wait began, without a wake, as a `join!` or a `select!` around it would.
pub(super) async fn run<F: Future>(future: F, cut: usize, spurious: bool, signal: &Arc<Signal>) -> bool {
    if cut == 0 {
        return false;
    }
    let mut future = pin!(future);
    poll_fn(|outer| {
        while signal.is_due(outer.waker()) {
            for _ in 0..=usize::from(spurious) {
                let (number, waker) = signal.next();
                match future.as_mut().poll(&mut Context::from_waker(&waker)) {
                    Poll::Ready(output) => {
                        drop(output);
                        return Poll::Ready(true);
                    }
                    Poll::Pending if number == cut => return Poll::Ready(false),
                    Poll::Pending => {}
                }
            }
            // What woke itself waits its turn: other tasks of a current-thread runtime must run in between.
            if signal.0.lock().is_woken {
                outer.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
        Poll::Pending
    })
    .await
}
