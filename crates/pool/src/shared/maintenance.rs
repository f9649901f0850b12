//! The two tasks that a pool has as such: one that keeps all its timers, one that asks the resolver.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use landfall_lifecycle::internal::log;
use tokio::time::{Instant, sleep_until};

use super::Shared;
#[cfg(landfall_faults)]
use super::faulty::EmptySet;
use crate::connector::Connector;
use crate::core::At;
#[cfg(landfall_faults)]
use crate::faults::{Fault, is_armed};
use crate::resolver::Resolver;

/// Notes that the runtime has gone if the task is dropped before its time.
struct Presence<K: Connector>(Arc<Shared<K>>);

impl<K: Connector> Drop for Presence<K> {
    fn drop(&mut self) {
        self.0.on_runtime_gone();
    }
}

impl<K: Connector> Shared<K> {
    /// Nobody would serve those who wait.
    pub(super) fn on_runtime_gone(self: &Arc<Self>) {
        if self.stop.is_cancelled() {
            return;
        }
        #[cfg(landfall_faults)]
        assert!(!is_armed(Fault::PanicAtExit), "the runtime has gone");
        self.runtime_gone.store(true, Ordering::Release);
        log(|| tracing::warn!(pool.name = self.name(), "the runtime of the pool has gone"));
        self.close();
    }

    /// Closes the gate, at most once.
    pub(super) fn close(self: &Arc<Self>) {
        let now = self.now();
        let effects = self.lock().close(now);
        self.stop.cancel();
        self.perform(effects);
    }
}

/// Keeps all timers of the pool. The runtime's end is noticed even if it comes before the first poll.
pub(crate) fn maintain<K: Connector>(shared: Arc<Shared<K>>) -> impl Future<Output = ()> + Send {
    #[cfg(landfall_faults)]
    let shared = if is_armed(Fault::PresentLate) { Err(shared) } else { Ok(Presence(shared)) };
    #[cfg(landfall_faults)]
    return async { keep_timers(shared.unwrap_or_else(Presence)).await };
    #[cfg(not(landfall_faults))]
    keep_timers(Presence(shared))
}

async fn keep_timers<K: Connector>(presence: Presence<K>) {
    let shared = &presence.0;
    loop {
        shared.clock.look_for_pause();
        let now = shared.now();
        let (next, effects) = shared.lock().tick(now);
        shared.perform(effects);
        let next = (next < At::NEVER).then(|| shared.clock.instant(next));
        tokio::select! {
            // Stop first: nothing is due any more.
            biased;
            () = shared.stop.cancelled() => return,
            () = shared.earlier.notified() => {}
            () = async { sleep_until(next.unwrap_or_else(Instant::now)).await }, if next.is_some() => {}
        }
    }
}

/// Takes over what the resolver finds, for as long as it finds something.
pub(crate) async fn resolve<K: Connector>(shared: Arc<Shared<K>>, mut resolver: impl Resolver) {
    #[cfg(landfall_faults)]
    let _last = is_armed(Fault::DropSet).then(|| EmptySet(Arc::clone(&shared)));
    #[cfg(landfall_faults)]
    if is_armed(Fault::JoinResolver) {
        drop(resolver.next().await);
    }
    loop {
        let found = tokio::select! {
            // Stop first: a resolver that is always ready must not hold up the end.
            biased;
            () = shared.stop.cancelled() => None,
            found = resolver.next() => found,
        };
        let Some(backends) = found else { return };
        log(|| tracing::debug!(pool.name = shared.name(), backends = backends.len(), "backends resolved"));
        let now = shared.now();
        let effects = shared.lock().set_backends(backends, now);
        shared.perform(effects);
        // A resolver that finds something at once and for ever lets the others have their turn.
        tokio::task::yield_now().await;
    }
}
