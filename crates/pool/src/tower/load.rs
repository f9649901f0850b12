//! How loaded a pool is, to tower's balancer.

use std::fmt::{self, Debug, Formatter};
use std::ops::{Deref, DerefMut};

use tower::load::{Load, TrackCompletion};

use super::pooled::PooledService;
use super::service::ClaimService;
use crate::connector::Connector;
use crate::handle::Handle;
use crate::pool::Pool;

/// Pending work: how many handles are out or granted, and how many claims wait in line.
impl<K: Connector> Load for ClaimService<K> {
    type Metric = usize;

    fn load(&self) -> usize {
        pending(self.pool())
    }
}

/// As of [`ClaimService`].
impl<K: Connector> Load for PooledService<K> {
    type Metric = usize;

    fn load(&self) -> usize {
        pending(self.pool())
    }
}

fn pending<K: Connector>(pool: &Pool<K>) -> usize {
    pool.shared().lock().pending()
}

/// Has tower's `PendingRequests` and `PeakEwma` count a claim until its handle is released, where `CompleteOnResponse`
/// would count it until the handle is there.
///
/// For a [`ClaimService`]. A [`PooledService`] has released its connection when it answers: `CompleteOnResponse` is
/// right for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompleteOnRelease;

/// A handle with what counts it; both go when it is dropped.
#[must_use = "a handle that is dropped gives its connection back"]
pub struct Tracked<K: Connector, H> {
    // The connection is back before it counts no longer.
    handle: Handle<K>,
    _counts: H,
}

impl<K: Connector, H> TrackCompletion<H, Handle<K>> for CompleteOnRelease {
    type Output = Tracked<K, H>;

    fn track_completion(&self, counts: H, handle: Handle<K>) -> Tracked<K, H> {
        Tracked { handle, _counts: counts }
    }
}

impl<K: Connector, H> Deref for Tracked<K, H> {
    type Target = Handle<K>;

    fn deref(&self) -> &Handle<K> {
        &self.handle
    }
}

impl<K: Connector, H> DerefMut for Tracked<K, H> {
    fn deref_mut(&mut self) -> &mut Handle<K> {
        &mut self.handle
    }
}

impl<K: Connector, H> Debug for Tracked<K, H> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tracked").field(&self.handle).finish()
    }
}
