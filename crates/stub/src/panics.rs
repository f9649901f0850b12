//! Panics of users' code, as a value.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `body`; its panic comes back as a message. The panic has been shown by the panic hook.
pub(crate) fn contain<T>(body: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(body)).map_err(message_of)
}

/// What a panic said; its payload is dropped.
pub(crate) fn message_of(payload: Box<dyn Any + Send>) -> String {
    let message = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(message), _) => (*message).to_owned(),
        (_, Some(message)) => message.clone(),
        _ => "a panic without a message".to_owned(),
    };
    dispose(payload);
    message
}

/// Drops a payload, whose destructor may panic, as may the payload of that panic: the second one is leaked, because
/// nothing else ends that chain.
#[expect(clippy::mem_forget, reason = "a payload whose destructor panics again can only be leaked")]
fn dispose(payload: Box<dyn Any + Send>) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(payload)))
        && let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload)))
    {
        std::mem::forget(second);
    }
}
