//! The span of a pool, which its tasks are in.

use landfall_lifecycle::internal::{contain, dispose};
use tracing::Span;
use tracing::span::Entered;

/// The span of a pool, a child of the one in which it was built. Tasks that are started inside of it stay in it: else
/// what a release starts would be in the span of whoever released.
///
/// A subscriber is a user's code: its panics stop nobody here.
#[derive(Debug)]
pub(crate) struct Scope(Span);

impl Scope {
    pub(crate) fn new(pool: &str) -> Self {
        Self(contain(|| tracing::info_span!("pool", pool.name = pool)).unwrap_or_else(|_| Span::none()))
    }

    /// Until the guard is dropped this thread is in the span.
    pub(crate) fn enter(&self) -> Inside<'_> {
        Inside(contain(|| self.0.enter()).ok())
    }
}

/// This thread is in the span of a pool.
#[must_use = "the span is left when this is dropped"]
pub(crate) struct Inside<'a>(Option<Entered<'a>>);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        dispose(self.0.take());
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        dispose(std::mem::replace(&mut self.0, Span::none()));
    }
}
