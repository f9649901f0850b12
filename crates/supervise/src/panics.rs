//! Panics of users' code, turned into text.

pub(crate) use landfall_lifecycle::internal::{contain, into_message};

/// Drops what is a user's, one after the other: a destructor that panics keeps none of the others from running, and
/// never meets a second panic.
pub(crate) fn drop_each<T>(of: &str, each: impl IntoIterator<Item = T>) {
    for one in each {
        if let Err(error) = contain(|| drop(one)) {
            tracing::error!(supervisor = of, error, "a destructor panicked");
        }
    }
}
