//! Where the backends come from.

use std::future::ready;

use crate::backend::Backend;

/// Finds the backends of a service, and says when they change.
pub trait Resolver: Send + 'static {
    /// Waits for the next set of backends, all of them each time; none when it will never change again.
    ///
    /// Runs as an entry of the pool's task set, named `resolver`. The last set stays in force while this waits, after
    /// none, and when it panics. Backends that are no longer in a set are drained: idle connections are closed, claimed
    /// ones when they come back. An empty set is taken at its word.
    ///
    /// # Cancel safety
    ///
    /// It is dropped when the pool terminates.
    fn next(&mut self) -> impl Future<Output = Option<Vec<Backend>>> + Send;
}

/// A fixed list of backends.
#[derive(Clone, Debug)]
pub struct FixedResolver {
    backends: Option<Vec<Backend>>,
}

impl FixedResolver {
    /// A list of addresses, or of backends with names of their own.
    ///
    /// Of several that are equal one is taken. With an empty list claims fail with
    /// [`ClaimError::NoBackends`](crate::ClaimError::NoBackends).
    #[must_use]
    pub fn new<B: Into<Backend>>(backends: impl IntoIterator<Item = B>) -> Self {
        Self { backends: Some(backends.into_iter().map(Into::into).collect()) }
    }
}

impl Resolver for FixedResolver {
    fn next(&mut self) -> impl Future<Output = Option<Vec<Backend>>> + Send {
        ready(self.backends.take())
    }
}
