//! The synchronisation primitives of the core, in one place so that a model checker can put its own here.
//!
//! Built with `--cfg landfall_loom` they are loom's, with `--cfg landfall_shuttle` shuttle's, else std's. `Arc` is std's
//! in every build, because the others cannot hold a `dyn` or make a waker: the order in which counts drop is not
//! explored. What only marks who is inside which entry (`current.rs`) and what only numbers sets is left out too.

mod notify;

#[cfg(all(test, any(landfall_loom, landfall_shuttle)))]
mod models;

#[cfg(landfall_loom)]
pub(crate) use loom::{sync as primitives, thread};
#[cfg(landfall_shuttle)]
pub(crate) use shuttle::{sync as primitives, thread};
#[cfg(not(any(landfall_loom, landfall_shuttle)))]
pub(crate) use std::{sync as primitives, thread};

use std::sync::PoisonError;
pub(crate) use std::sync::{Arc, Weak};

pub use self::notify::Notify;
pub use self::primitives::{MutexGuard, atomic};

/// A thread's own value. Loom and shuttle run all threads on one of the system's, and take no constant.
macro_rules! per_thread {
    (static $name:ident: $type:ty = $value:expr;) => {
        #[cfg(landfall_loom)]
        loom::thread_local! { static $name: $type = $value; }
        #[cfg(landfall_shuttle)]
        shuttle::thread_local! { static $name: $type = $value; }
        #[cfg(not(any(landfall_loom, landfall_shuttle)))]
        std::thread_local! { static $name: $type = const { $value }; }
    };
}
pub(crate) use per_thread;

/// A mutex without poisoning: what it guards is changed by this crate's code alone, never across a user's.
#[derive(Debug, Default)]
pub struct Mutex<T>(primitives::Mutex<T>);

impl<T> Mutex<T> {
    /// Makes one that nobody has locked.
    pub fn new(value: T) -> Self {
        Self(primitives::Mutex::new(value))
    }

    /// Locks it, also when whoever had it panicked.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A condition variable for [`Mutex`].
#[derive(Debug, Default)]
pub(crate) struct Condvar(primitives::Condvar);

impl Condvar {
    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }

    pub(crate) fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.0.wait(guard).unwrap_or_else(PoisonError::into_inner)
    }

    /// In a model no time passes by itself: whoever plays the clock wakes those whose time has come.
    pub(crate) fn wait_timeout<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        timeout: std::time::Duration,
    ) -> MutexGuard<'a, T> {
        self.0.wait_timeout(guard, timeout).unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Whether joining this thread would return at once. The checkers cannot tell: then it is joined later.
pub(crate) fn is_finished(thread: &thread::JoinHandle<()>) -> bool {
    #[cfg(not(any(landfall_loom, landfall_shuttle)))]
    {
        thread.is_finished()
    }
    #[cfg(any(landfall_loom, landfall_shuttle))]
    {
        let _ = thread;
        false
    }
}
