//! Panics of users' code, turned into text.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `body`, and gives the text of its panic if it panicked.
pub(crate) fn contain<T>(body: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(body)).map_err(into_message)
}

/// Drops what is a user's, one after the other: a destructor that panics keeps none of the others from running, and
/// never meets a second panic.
pub(crate) fn drop_each<T>(of: &str, each: impl IntoIterator<Item = T>) {
    for one in each {
        if let Err(error) = contain(|| drop(one)) {
            tracing::error!(supervisor = of, error, "a destructor panicked");
        }
    }
}

/// Takes the text out of a panic's payload and drops the payload, whatever its destructor does.
#[expect(clippy::mem_forget, reason = "a payload whose destructor panics again can only be leaked")]
pub(crate) fn into_message(payload: Box<dyn Any + Send>) -> String {
    let message = match payload.downcast_ref::<&'static str>() {
        Some(text) => (*text).to_owned(),
        None => payload.downcast_ref::<String>().cloned().unwrap_or_else(|| "panic without a text".to_owned()),
    };
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(second);
    }
    message
}
