//! Work that the check starts in an owner, and what it sees of it.

use std::fmt::{self, Formatter};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::sync::Notify;

use crate::block_on::block_on;
use crate::sync::{Arc, Mutex};

/// Work to be started in the owner under test. It heeds no token and never ends by itself.
///
/// A future to spawn, or [`block`](Self::block) for owners of threads. An owner that refuses work drops it.
#[must_use = "work that is dropped cannot show how the owner ends it"]
pub struct Work {
    shared: Arc<Shared>,
    act: Option<Act>,
}

/// What the work does from the inside, once when it starts and once when it is dropped.
type Act = Box<dyn FnMut(Moment) + Send>;

/// Where work is when it acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    Poll,
    Drop,
}

/// The check's side of a [`Work`]; the drop of it lets the work end.
#[derive(Debug)]
pub(super) struct Seen(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    stage: Stage,
    /// Whether anything of it ever ran.
    has_run: bool,
    /// It holds a thread, which nobody can take from it.
    blocks: bool,
    is_released: bool,
    waker: Option<Waker>,
}

/// | from      | event   | to        |
/// |-----------|---------|-----------|
/// | `Made`    | polled  | `Runs`    |
/// | any       | dropped | `Gone`    |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd)]
enum Stage {
    #[default]
    Made,
    Runs,
    Gone,
}

impl Work {
    pub(super) fn new(act: Option<Box<dyn FnMut(Moment) + Send>>) -> (Self, Seen) {
        let shared = Arc::<Shared>::default();
        (Self { shared: Arc::clone(&shared), act }, Seen(shared))
    }

    /// Blocks the calling thread, until the check is done with it.
    pub fn block(self) {
        self.shared.state.lock().blocks = true;
        block_on(self);
    }
}

impl Future for Work {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let waker = cx.waker().clone();
        let mut state = this.shared.state.lock();
        let is_first = !std::mem::replace(&mut state.has_run, true);
        let is_released = state.is_released;
        let before = state.waker.replace(waker);
        drop(state);
        drop(before);
        if let Some(act) = this.act.as_mut().filter(|_| is_first) {
            act(Moment::Poll);
        }
        this.shared.to(Stage::Runs);
        if is_released { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if let Some(act) = self.act.as_mut().filter(|_| self.shared.state.lock().has_run) {
            act(Moment::Drop);
        }
        self.shared.to(Stage::Gone);
    }
}

impl Shared {
    fn to(&self, stage: Stage) {
        self.state.lock().stage = stage;
        self.changed.notify_waiters();
    }

    async fn reached(&self, stage: Stage) {
        loop {
            let changed = self.changed.notified();
            if self.state.lock().stage >= stage {
                return;
            }
            changed.await;
        }
    }
}

impl Seen {
    /// Waits until the work runs, or was refused.
    pub(super) async fn started(&self) -> bool {
        self.0.reached(Stage::Runs).await;
        self.has_run()
    }

    /// Waits until nothing of the work is left.
    pub(super) async fn gone(&self) {
        self.0.reached(Stage::Gone).await;
    }

    pub(super) fn is_gone(&self) -> bool {
        self.0.state.lock().stage == Stage::Gone
    }

    pub(super) fn has_run(&self) -> bool {
        self.0.state.lock().has_run
    }

    pub(super) fn blocks(&self) -> bool {
        self.0.state.lock().blocks
    }

    /// Lets the work end.
    pub(super) fn release(&self) {
        let waker = {
            let mut state = self.0.state.lock();
            state.is_released = true;
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Drop for Seen {
    fn drop(&mut self) {
        self.release();
    }
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Work").field("shared", &self.shared).finish_non_exhaustive()
    }
}
