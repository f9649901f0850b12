//! The pools that are compared, each as it comes: with its own defaults for everything but the number of connections.

mod bb8;
mod deadpool;
mod fast_pool;
mod mobc;
mod ours;
mod planted;
mod qorb;

use std::ops::DerefMut;
use std::sync::Arc;

pub(super) use self::bb8::Bb8;
pub(super) use self::deadpool::Deadpool;
pub(super) use self::fast_pool::FastPool;
pub(super) use self::mobc::Mobc;
pub(super) use self::ours::Ours;
pub(super) use self::planted::{Planted, PlantedStorm};
pub(super) use self::qorb::Qorb;
use super::backend::{Backend, Connection};

/// A pool, as far as all of them are alike.
pub(super) trait Candidate: Send + Sync + Sized + 'static {
    /// What it is called in the results.
    const NAME: &'static str;

    /// What a claim gives; dropped, it gives the connection back.
    type Handle<'a>: DerefMut<Target = Connection> + Send;

    /// A pool of so many connections. Which are open is its own affair.
    fn build(backend: Arc<Backend>, slots: usize) -> impl Future<Output = Self> + Send;

    /// A connection, unless the pool gives none.
    fn claim(&self) -> impl Future<Output = Option<Self::Handle<'_>>> + Send;
}

/// A pool whose connections are all open.
pub(super) async fn warm<P: Candidate>(backend: &Arc<Backend>, slots: usize) -> P {
    let pool = P::build(Arc::clone(backend), slots).await;
    drop(hold_all(&pool, slots).await);
    pool
}

/// So many handles at a time.
pub(super) async fn hold_all<P: Candidate>(pool: &P, slots: usize) -> Vec<P::Handle<'_>> {
    let mut handles = Vec::with_capacity(slots);
    let mut refused = 0;
    while handles.len() < slots {
        match pool.claim().await {
            Some(handle) => handles.push(handle),
            // Some pass on that a connect has failed.
            None => refused += 1,
        }
        assert!(refused <= slots, "{} has opened {} of {slots} connections", P::NAME, handles.len());
    }
    handles
}
