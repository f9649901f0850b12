//! Panics of users' code, turned into text.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `body`, and gives the text of its panic if it panicked.
pub(crate) fn contain<T>(body: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(body)).map_err(into_message)
}

/// Logs. The subscriber is a user's code too: its panic must not stop whoever has something to do half-way.
pub(crate) fn log(line: impl FnOnce()) {
    // There is nobody to tell: it is the one who would hear of it.
    drop(contain(line));
}

/// Drops a user's value, and says what its destructor panicked with.
///
/// A panic's payload may panic in its own destructor, and so on: the second one is leaked, because nothing else ends
/// that chain.
pub(crate) fn dispose<T>(value: T) -> Result<(), String> {
    contain(|| drop(value))
}

#[expect(clippy::mem_forget, reason = "a payload whose destructor panics can only be leaked")]
fn into_message(payload: Box<dyn Any + Send>) -> String {
    let message = match payload.downcast_ref::<&'static str>() {
        Some(text) => (*text).to_owned(),
        None => payload.downcast_ref::<String>().cloned().unwrap_or_else(|| "panic without a text".to_owned()),
    };
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(second);
    }
    message
}
