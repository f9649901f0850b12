//! A connection, in the pool's hands and on its way into a user's.

use std::panic::Location;
use std::sync::Arc;

use landfall_lifecycle::internal::dispose;

use crate::backend::Backend;
use crate::connector::Connector;
use crate::core::{Hold, Noted, SlotId};
use crate::handle::Handle;
use crate::interrupt::Interrupt;

/// A connection in the pool's hands: one allocation, made when it is opened, that moves in and out of its slot.
pub(crate) struct Live<C> {
    pub(crate) connection: C,
    pub(crate) backend: Arc<Backend>,
    /// The core refers to it weakly.
    pub(crate) interrupt: Option<Arc<dyn Interrupt>>,
}

impl<C> Live<C> {
    /// Drops what is the user's, each by itself: two destructors that panic at once would end the process.
    pub(super) fn dispose(self) {
        let Self { connection, interrupt, .. } = self;
        dispose(connection);
        dispose(interrupt);
    }
}

/// A claimed connection on its way into a handle.
pub(crate) struct Lease<K: Connector> {
    pub(crate) id: SlotId,
    pub(crate) connection: Box<Live<K::Connection>>,
    pub(crate) hold: Hold,
    /// How long its claim waited, if it did.
    pub(crate) waited: Option<Noted>,
    pub(crate) place: &'static Location<'static>,
}

/// What became of a connection that a claim was given.
pub(crate) enum Ready<K: Connector> {
    Handle(Handle<K>),
    Broken,
    Prepare(Lease<K>),
}
