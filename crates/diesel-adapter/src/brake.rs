//! How an operation that blocks learns that it is to end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
#[cfg(feature = "sqlite")]
use std::time::{Duration, Instant};

/// Pulled once, from any thread, when nobody wants a connection's operation any more. What can be interrupted looks at it,
/// and what waits on the connection's thread waits here.
#[derive(Debug, Default)]
pub(crate) struct Brake {
    is_pulled: AtomicBool,
    waits: Mutex<()>,
    pulled: Condvar,
}

impl Brake {
    pub(crate) fn pull(&self) {
        // Under the lock: whoever looks and then waits holds it from the one to the other.
        let _waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        self.is_pulled.store(true, Ordering::Release);
        self.pulled.notify_all();
    }

    pub(crate) fn is_pulled(&self) -> bool {
        self.is_pulled.load(Ordering::Acquire)
    }

    /// Waits for so long, or until it is pulled; whether it is.
    #[cfg(feature = "sqlite")]
    pub(crate) fn wait(&self, limit: Duration) -> bool {
        let until = Instant::now() + limit;
        let mut waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        while !self.is_pulled() {
            let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) else { break };
            waits = self.pulled.wait_timeout(waits, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(waits);
        self.is_pulled()
    }
}
