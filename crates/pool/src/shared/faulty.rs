//! Planted faults of the pool's hands that take more than a line.

use std::sync::Arc;

use landfall_lifecycle::TaskSet;

use super::{Live, Shared};
use crate::connector::Connector;
use crate::core::SlotId;
use crate::faults::{Fault, is_armed};

impl<K: Connector> Shared<K> {
    /// Lets go of a connection as a faulty pool would; gives it back if no such fault is armed.
    pub(super) fn faulty_close(
        self: &Arc<Self>,
        slot: SlotId,
        connection: Box<Live<K::Connection>>,
    ) -> Option<Box<Live<K::Connection>>> {
        if is_armed(Fault::CloseInline) {
            connection.dispose();
        } else if is_armed(Fault::KeepSocket) {
            let _kept = Box::leak(connection);
        } else {
            return Some(connection);
        }
        let now = self.now();
        let effects = self.lock().vacated(slot, false, now);
        self.perform(effects);
        None
    }
}

/// A set that nobody ends.
pub(crate) fn forgotten() -> &'static TaskSet {
    Box::leak(Box::new(TaskSet::new("forgotten")))
}

/// Takes the set of backends along when its resolver ends.
pub(super) struct EmptySet<K: Connector>(pub(super) Arc<Shared<K>>);

impl<K: Connector> Drop for EmptySet<K> {
    fn drop(&mut self) {
        let now = self.0.now();
        let effects = self.0.lock().set_backends(Vec::new(), now);
        self.0.perform(effects);
    }
}
