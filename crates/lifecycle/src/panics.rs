//! Panics of users' code, turned into text.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

#[cfg(landfall_faults)]
use crate::faults::{Fault, is_armed};

/// Runs `body`, and gives the text of its panic if it panicked.
pub fn contain<T>(body: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(body)).map_err(into_message)
}

/// Logs. The subscriber is a user's code too: its panic must not stop whoever has something to tell half-way.
pub fn log(line: impl FnOnce()) {
    #[cfg(landfall_faults)]
    if is_armed(Fault::LogUncontained) {
        return line();
    }
    // There is nobody to tell: it is the one who would hear of it.
    drop(contain(line));
}

/// Wakes whoever waits; a waker is a user's code.
pub fn wake(waker: Waker) {
    #[cfg(landfall_faults)]
    if is_armed(Fault::WakeUncontained) {
        return waker.wake();
    }
    if let Err(error) = contain(|| waker.wake()) {
        log(|| tracing::error!(error, "waker panicked"));
    }
}

/// Takes the text out of a panic's payload and drops the payload, whatever its destructor does.
pub fn into_message(payload: Box<dyn Any + Send>) -> String {
    let message = match payload.downcast_ref::<&'static str>() {
        Some(text) => (*text).to_owned(),
        None => payload.downcast_ref::<String>().cloned().unwrap_or_else(|| "panic without a text".to_owned()),
    };
    dispose(payload);
    message
}

/// Drops a user's value and contains a panic of its destructor.
///
/// A destructor's panic payload may panic in its own destructor, and so on: the second one is leaked, because nothing
/// else ends that chain.
#[expect(clippy::mem_forget, reason = "a payload whose destructor panics again can only be leaked")]
pub fn dispose<T>(value: T) {
    #[cfg(landfall_faults)]
    if is_armed(Fault::DropUncontained) {
        return drop(value);
    }
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(value)))
        && let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload)))
    {
        std::mem::forget(second);
    }
}
