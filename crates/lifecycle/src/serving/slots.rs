//! How many connections are open, and a place to wait until one has ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// The places for connections of one server.
///
/// Only the accept loop takes places and waits, which is why one stored permit of `Notify` is enough: an end between
/// its look at the count and its wait is not missed.
#[derive(Debug)]
pub(super) struct Slots {
    open: AtomicUsize,
    max: usize,
    ended: Notify,
}

/// One connection's place, free again when dropped.
#[derive(Debug)]
pub(super) struct Slot(Arc<Slots>);

impl Slots {
    pub(super) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { open: AtomicUsize::new(0), max, ended: Notify::new() })
    }

    pub(super) fn open(&self) -> usize {
        self.open.load(Ordering::Acquire)
    }

    /// Waits until a place is free.
    pub(super) async fn free(&self) {
        while self.open() >= self.max {
            self.ended.notified().await;
        }
    }

    /// Waits until a connection has ended. An end since the last wait may count: a try too many does no harm.
    pub(super) async fn one_ended(&self) {
        self.ended.notified().await;
    }

    pub(super) fn take(self: &Arc<Self>) -> Slot {
        self.open.fetch_add(1, Ordering::AcqRel);
        Slot(Arc::clone(self))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::AcqRel);
        self.0.ended.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn a_full_server_has_room_again_when_a_connection_ends() {
        let slots = Slots::new(1);
        assert!(slots.free().now_or_never().is_some());
        let slot = slots.take();
        assert_eq!(slots.open(), 1);
        assert!(slots.free().now_or_never().is_none());
        drop(slot);
        assert_eq!(slots.open(), 0);
        assert!(slots.free().now_or_never().is_some());
    }

    #[test]
    fn an_end_before_the_wait_is_not_missed() {
        let slots = Slots::new(2);
        drop(slots.take());
        assert!(slots.one_ended().now_or_never().is_some());
        assert!(slots.one_ended().now_or_never().is_none());
    }
}
