//! Telling those who listen what changes. Without a listener each of these is one look at a number, and none of them is
//! on the way of a claim that finds an idle connection, or of its release.

use std::sync::Arc;

use super::slots::Retired;
use super::{At, Check, Core, Effects, SlotId};
use crate::change::{BackendChange, CloseReason, PoolChange, PoolEvent, SlotChange};
use crate::events::Journal;

impl<T> Core<T> {
    pub(crate) fn journal(&self) -> &Arc<Journal> {
        &self.journal
    }

    #[cold]
    pub(super) fn tell_pool(&self, change: impl FnOnce() -> PoolChange, effects: &mut Effects<T>) {
        self.tell(|| PoolEvent::Pool(change()), effects);
    }

    #[cold]
    pub(super) fn tell_backend(&self, index: u32, change: BackendChange, effects: &mut Effects<T>) {
        self.tell(|| PoolEvent::Backend { backend: Arc::clone(&self.backends.get(index).backend), change }, effects);
    }

    /// Tells of a slot that is in use.
    #[cold]
    pub(super) fn tell_slot(&self, index: u32, change: impl FnOnce() -> SlotChange, effects: &mut Effects<T>) {
        let event = || {
            let backend = Arc::clone(&self.backends.get(self.slot(index).backend).backend);
            PoolEvent::Slot { slot: self.id_of(index), backend, change: change() }
        };
        self.tell(event, effects);
    }

    /// Tells that a connection is being closed: for a reason that lies in the slot, else for the one given.
    #[cold]
    pub(super) fn tell_closing(&self, index: u32, otherwise: CloseReason, now: At, effects: &mut Effects<T>) {
        self.tell_slot(index, || SlotChange::Closing(self.reason_to_close(index, otherwise, now)), effects);
    }

    /// Has a check look at a connection.
    pub(super) fn begin_check(&self, id: SlotId, connection: T, check: Check, effects: &mut Effects<T>) {
        self.tell_slot(id.index, || SlotChange::Checking(check), effects);
        effects.check(id, connection, check);
    }

    /// Ends the stream: the pool has ended, and its last connection is gone.
    #[cold]
    pub(super) fn finish_telling(&self, effects: &mut Effects<T>) {
        self.journal.finish();
        effects.is_news = true;
    }

    fn reason_to_close(&self, index: u32, otherwise: CloseReason, now: At) -> CloseReason {
        let slot = self.slot(index);
        match otherwise {
            CloseReason::CheckFailed => otherwise,
            _ if self.is_closed => CloseReason::Terminating,
            _ if self.backends.get(slot.backend).is_removed => CloseReason::BackendRemoved,
            _ => match slot.retired {
                Some(Retired::Evicted) => CloseReason::Evicted,
                Some(Retired::Ejected) => CloseReason::Ejected,
                Some(Retired::Moved) => CloseReason::Rebalanced,
                None if slot.expires <= now => CloseReason::Expired,
                None => otherwise,
            },
        }
    }

    fn tell(&self, event: impl FnOnce() -> PoolEvent, effects: &mut Effects<T>) {
        if self.journal.is_heard() {
            effects.forget_event(self.journal.tell(event()));
            effects.is_news = true;
        }
    }
}
