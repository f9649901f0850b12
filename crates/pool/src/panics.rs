//! Panics of users' code, kept from those who cannot do anything about them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

#[cfg(landfall_faults)]
use crate::faults::{Fault, is_armed};

/// Runs `body`; none if it panicked. The panic has been shown by the panic hook.
pub(crate) fn contain<T>(body: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(output) => Some(output),
        Err(payload) => {
            dispose(payload);
            None
        }
    }
}

/// Logs. The subscriber is a user's code too: its panic must not stop whoever has something to do half-way.
pub(crate) fn log(line: impl FnOnce()) {
    #[cfg(landfall_faults)]
    if is_armed(Fault::LogUncontained) {
        return line();
    }
    // There is nobody to tell: it is the one who would hear of it.
    let _unheard = contain(line);
}

/// Wakes whoever waits; a waker is a user's code.
pub(crate) fn wake(waker: Waker) {
    #[cfg(landfall_faults)]
    if is_armed(Fault::WakeUncontained) {
        return waker.wake();
    }
    if contain(|| waker.wake()).is_none() {
        log(|| tracing::error!("waker panicked"));
    }
}

/// Drops a user's value and contains a panic of its destructor.
///
/// A panic's payload may panic in its own destructor, and so on: the second one is leaked, because nothing else ends
/// that chain.
#[expect(clippy::mem_forget, reason = "a payload whose destructor panics again can only be leaked")]
pub(crate) fn dispose<T>(value: T) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(value)))
        && let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload)))
    {
        std::mem::forget(second);
    }
}
