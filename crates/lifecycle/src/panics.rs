//! Panics of users' code, turned into text.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

/// Runs `body`, and gives the text of its panic if it panicked.
pub(crate) fn contain<T>(body: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(body)).map_err(into_message)
}

/// Logs. The subscriber is a user's code too: its panic must not stop whoever has something to tell half-way.
pub(crate) fn log(line: impl FnOnce()) {
    // There is nobody to tell: it is the one who would hear of it.
    drop(contain(line));
}

/// Wakes whoever waits; a waker is a user's code.
pub(crate) fn wake(waker: Waker) {
    if let Err(error) = contain(|| waker.wake()) {
        log(|| tracing::error!(error, "waker panicked"));
    }
}

/// Takes the text out of a panic's payload and drops the payload, whatever its destructor does.
pub(crate) fn into_message(payload: Box<dyn Any + Send>) -> String {
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
pub(crate) fn dispose<T>(value: T) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(value)))
        && let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload)))
    {
        std::mem::forget(second);
    }
}
