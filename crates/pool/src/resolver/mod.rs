//! Where the backends come from.

mod changes;
mod fixed;
mod merged;

pub use self::changes::{BackendsChange, ChangesResolver};
pub use self::fixed::FixedResolver;
pub use self::merged::MergedResolver;

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
