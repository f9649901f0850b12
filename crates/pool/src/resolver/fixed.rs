//! A fixed list of backends.

use std::future::ready;

use super::Resolver;
use crate::backend::Backend;

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
