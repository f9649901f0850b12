//! Keeps the instants of one termination tree on a thread of its own.
//!
//! With both workers held by busy tasks a tokio timer never fires, so deadlines must not depend on a runtime. The
//! thread is made when the first watch comes, ends when the last one goes, and is joined before the termination that
//! used it returns.

mod keep;
#[cfg(all(test, any(landfall_loom, landfall_shuttle)))]
mod models;

use std::cell::Cell;
use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use super::clock::{Clock, Kind};
use crate::ended_threads::EndedThreads;
use crate::panics::{contain, log};
use crate::sync::thread::JoinHandle;
use crate::sync::{Arc, Condvar, Mutex, Notify};

/// Something that wants to be called at an instant.
pub(crate) trait Watched: Send + Sync {
    /// Called when `at` has come, or was forced before; gives the next instant, or none when it is done.
    ///
    /// `at` is the instant that was asked for. Called on the timekeeper's thread and must not block.
    fn on_due(self: Arc<Self>, at: Instant, now: Instant) -> Option<Instant>;
}

/// One watch of a [`Timekeeper`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct WatchId(u64);

/// A watch of which the thread has not been told.
#[derive(Debug)]
pub(crate) struct Added {
    pub(crate) id: WatchId,
    is_next: bool,
}

/// No thread could be made to keep the deadlines.
#[derive(Debug)]
pub(crate) struct NoClockThread;

/// The clock, the force switch and the thread of one termination tree.
pub(crate) struct Timekeeper {
    clock: Clock,
    force: CancellationToken,
    state: Mutex<State>,
    /// The thread waits here.
    wake_thread: Condvar,
    /// The task that stands in for the thread on a test clock waits here.
    wake_task: tokio::sync::Notify,
    /// Those who join the thread wait here until it is about to return, or is needed after all.
    called: Notify,
    /// Joined with no lock held: a thread that leaves wakes those who wait for it, and a waker may come back here.
    ended: EndedThreads,
}

struct State {
    watches: HashMap<WatchId, Watch>,
    /// When each watch is due; in step with `watches`.
    queue: BTreeSet<(Instant, WatchId)>,
    /// How many of the watches are being called and may be gone after it.
    calling: usize,
    next_id: u64,
    keeper: Keeper,
    /// When force was called.
    forced_at: Option<Instant>,
    /// Force was called and the watches have not been told yet.
    force_untold: bool,
    /// When the first termination of the tree began.
    began: Option<Instant>,
}

struct Watch {
    at: Instant,
    target: Arc<dyn Watched>,
}

/// | from      | event               | to        |
/// |-----------|---------------------|-----------|
/// | `None`    | first watch         | `Running` |
/// | `Running` | no watch left       | `None`    |
///
/// A thread that has left has nothing but its epilogue before it, and is among the `ended`.
enum Keeper {
    None,
    Running(Option<JoinHandle<()>>),
}

crate::sync::per_thread! {
    static PROBING: Cell<bool> = Cell::new(false);
}

/// Runs what must not wait for the timekeeper's thread: what that thread calls, and what asks only how things stand.
pub(crate) fn probe<T>(body: impl FnOnce() -> T) -> T {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            PROBING.with(|probing| probing.set(self.0));
        }
    }
    let _restore = Restore(PROBING.with(|probing| probing.replace(true)));
    body()
}

impl Timekeeper {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            force: CancellationToken::new(),
            state: Mutex::new(State {
                watches: HashMap::new(),
                queue: BTreeSet::new(),
                calling: 0,
                next_id: 0,
                keeper: Keeper::None,
                forced_at: None,
                force_untold: false,
                began: None,
            }),
            wake_thread: Condvar::default(),
            wake_task: tokio::sync::Notify::new(),
            called: Notify::default(),
            ended: EndedThreads::default(),
        }
    }

    pub(crate) fn now(&self) -> Instant {
        self.clock.now()
    }

    /// Notes that a termination of this tree begins, and gives the instant of the first one.
    pub(crate) fn began(&self, now: Instant) -> Instant {
        *self.state.lock().began.get_or_insert(now)
    }

    pub(super) fn force(&self) {
        let now = self.now();
        {
            let mut state = self.state.lock();
            if state.forced_at.is_some() {
                return;
            }
            state.forced_at = Some(now);
        }
        #[cfg(landfall_faults)]
        if crate::faults::is_armed(crate::faults::Fault::ForceUnseen) {
            self.state.lock().force_untold = true;
            self.wake();
            self.force.cancel();
            return;
        }
        // It wakes whoever waits for it, and a waker is a user's code.
        if let Err(error) = contain(|| self.force.cancel()) {
            log(|| tracing::error!(error, "waker panicked"));
        }
        // Only now, because the watches that are told look at the token.
        self.state.lock().force_untold = true;
        self.wake();
    }

    /// When force was called, if it was.
    pub(crate) fn forced_at(&self) -> Option<Instant> {
        // The token answers without the lock, which is what nearly every call needs.
        if self.force.is_cancelled() { self.state.lock().forced_at } else { None }
    }

    /// Lets the time of a model pass, and wakes the thread as the end of its wait would.
    #[cfg(all(test, any(landfall_loom, landfall_shuttle)))]
    pub(crate) fn pass(&self, time: std::time::Duration) {
        let state = self.state.lock();
        self.clock.pass(time);
        drop(state);
        self.wake_thread.notify_all();
    }

    /// Whether there is no thread, not one in its last instructions either.
    #[cfg(all(test, any(landfall_loom, landfall_shuttle)))]
    pub(crate) fn is_joined(&self) -> bool {
        matches!(self.state.lock().keeper, Keeper::None) && self.ended.is_empty()
    }

    /// The runtime that keeps the time instead of a thread, on a test clock.
    pub(crate) fn runtime(&self) -> Option<&tokio::runtime::Handle> {
        match &self.clock.0 {
            Kind::System => None,
            #[cfg(any(landfall_loom, landfall_shuttle))]
            Kind::Model(_) => None,
            #[cfg(feature = "test-clock")]
            Kind::Tokio(runtime) => Some(runtime),
        }
    }

    pub(crate) fn forced(&self) -> CancellationToken {
        self.force.clone()
    }

    /// Calls `target` at `at`, and at each instant it then asks for.
    pub(crate) fn watch(self: &Arc<Self>, at: Instant, target: Arc<dyn Watched>) -> Result<WatchId, NoClockThread> {
        let added = self.add(at, target)?;
        self.tell_of(&added);
        Ok(added.id)
    }

    /// The part of [`watch`](Self::watch) that wakes nobody, for who holds a lock; [`tell_of`](Self::tell_of) follows.
    pub(crate) fn add(self: &Arc<Self>, at: Instant, target: Arc<dyn Watched>) -> Result<Added, NoClockThread> {
        let mut state = self.state.lock();
        if matches!(state.keeper, Keeper::None) {
            state.keeper = Keeper::Running(self.start()?);
        }
        let id = WatchId(state.next_id);
        state.next_id += 1;
        state.watches.insert(id, Watch { at, target });
        state.queue.insert((at, id));
        Ok(Added { id, is_next: state.queue.first() == Some(&(at, id)) })
    }

    pub(crate) fn tell_of(&self, added: &Added) {
        self.ended.join_gone();
        if added.is_next {
            self.wake();
        }
        // The thread stays: those who wait for its end must not wait for as long as this watch lasts.
        self.called.notify_all();
    }

    /// Forgets a watch. Its target may be in a call at this moment, but gets no other one.
    pub(crate) fn unwatch(&self, id: WatchId) {
        let mut state = self.state.lock();
        let watch = state.remove(id);
        let is_last = state.watches.is_empty();
        drop(state);
        if watch.is_some() && is_last {
            self.wake();
        }
    }

    /// Waits until the thread is gone, unless other watches still need it; those before it are gone in any case.
    pub(crate) async fn settle(&self) {
        loop {
            // At each poll, for it may be that thread which polls.
            if PROBING.with(Cell::get) {
                return;
            }
            let called = self.called.notified();
            let is_leaving = {
                let state = self.state.lock();
                state.watches.len() <= state.calling && matches!(state.keeper, Keeper::Running(_))
            };
            if !is_leaving {
                return self.ended.join_all();
            }
            called.await;
        }
    }

    fn wake(&self) {
        self.wake_thread.notify_all();
        self.wake_task.notify_one();
    }
}

impl State {
    fn remove(&mut self, id: WatchId) -> Option<Watch> {
        let watch = self.watches.remove(&id)?;
        self.queue.remove(&(watch.at, id));
        Some(watch)
    }
}

impl std::fmt::Debug for Timekeeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Timekeeper")
            .field("clock", &self.clock)
            .field("forced", &self.force.is_cancelled())
            .finish_non_exhaustive()
    }
}
