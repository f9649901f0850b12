//! What a holder has: a claimed connection.

use std::fmt::{self, Debug, Formatter};
use std::ops::{Deref, DerefMut};
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use landfall_lifecycle::Place;
use landfall_lifecycle::internal::dispose;

use crate::backend::Backend;
use crate::connector::{Connector, Fitness, Moment};
use crate::core::{Hold, Returned, SlotId};
use crate::shared::{Lease, Live, Shared};

/// A claimed connection. It goes back to the pool when this is dropped.
///
/// The drop does not block, whatever the state of the pool, and needs no runtime: it is well anywhere, after the pool
/// has ended too. Then the connection is closed there.
#[must_use = "a handle that is dropped gives its connection back"]
pub struct Handle<K: Connector> {
    shared: Arc<Shared<K>>,
    /// Empty only while it is being dropped or taken out.
    connection: Option<Box<Live<K::Connection>>>,
    id: SlotId,
    hold: Hold,
    place: &'static Location<'static>,
    is_broken: bool,
}

impl<K: Connector> Handle<K> {
    pub(crate) fn new(shared: Arc<Shared<K>>, lease: Lease<K>) -> Self {
        let Lease { id, connection, hold, place, .. } = lease;
        Self { shared, connection: Some(connection), id, hold, place, is_broken: false }
    }

    /// Which backend the connection is to.
    #[must_use]
    pub fn backend(&self) -> &Backend {
        &self.live().backend
    }

    /// Where it was claimed.
    #[must_use]
    pub fn place(&self) -> Place {
        self.place.into()
    }

    /// For how long it has been held, within 10 ms. A claim that waited holds from the moment at which the connection was
    /// granted to it, which is before it took it.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.shared.now().since(self.hold.since)
    }

    /// Has the connection closed rather than reused when it goes back. The pool opens another one if it is needed.
    pub fn mark_broken(&mut self) {
        self.is_broken = true;
    }

    /// Reports that the backend failed what it was asked, though the connection may be as good as ever: it answered that
    /// it is overloaded, for example. Uses that fail more often than at other backends have it ejected, see
    /// [`ejection_failures`](crate::Policy::ejection_failures).
    ///
    /// For failures of the backend: what is wrong with a request is none.
    pub fn report_failure(&self) {
        self.shared.report_failure(self.id);
    }

    /// Gives the connection back to be closed, now.
    pub fn discard(mut self) {
        self.is_broken = true;
    }

    /// Takes the connection out of the pool for good. It counts against the caps no longer, and the pool neither closes
    /// nor interrupts it: it is the caller's.
    #[must_use = "the connection is the caller's to close"]
    pub fn take_out(mut self) -> K::Connection {
        let live = self.connection.take().expect("only the drop takes it too, and comes later");
        let Live { connection, interrupt, .. } = *live;
        self.shared.take_out(self.id, self.hold);
        dispose(interrupt);
        connection
    }

    fn live(&self) -> &Live<K::Connection> {
        self.connection.as_ref().expect("only the drop takes it")
    }
}

impl<K: Connector> Deref for Handle<K> {
    type Target = K::Connection;

    fn deref(&self) -> &K::Connection {
        &self.live().connection
    }
}

impl<K: Connector> DerefMut for Handle<K> {
    fn deref_mut(&mut self) -> &mut K::Connection {
        &mut self.connection.as_mut().expect("only the drop takes it").connection
    }
}

impl<K: Connector> Drop for Handle<K> {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        let how = if self.is_broken {
            Returned::Broken
        } else {
            match self.shared.fitness(&mut connection.connection, Moment::Release) {
                Fitness::Fit => Returned::Fit,
                Fitness::Prepare => Returned::Recycle,
                Fitness::Broken => Returned::Broken,
            }
        };
        self.shared.give_back(self.id, connection, self.hold, how);
    }
}

impl<K: Connector> Debug for Handle<K> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("pool", &self.shared.name())
            .field("backend", &self.connection.as_ref().map(|live| &*live.backend))
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}
