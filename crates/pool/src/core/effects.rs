//! What has to be done after a change of the core, once its lock is free.

use std::panic::Location;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use crate::backend::Backend;
use crate::change::{BackendChange, Check, PoolEvent, SlotChange, SlotId};
use crate::claim::ConnectError;

/// What a change asks for. None of it may be done under the lock: all of it is, or leads to, users' code.
///
/// It is made for each claim and release, nearly always with nothing in it, and at most one claim to wake: so that is
/// what costs nothing.
#[derive(Debug)]
#[must_use = "somebody waits for it"]
pub(crate) struct Effects<T> {
    wake: Option<Waker>,
    /// The maintenance task has to look earlier than it meant to.
    pub(crate) is_earlier: bool,
    /// Something changed that somebody may wait for who waits for no slot.
    pub(crate) is_news: bool,
    /// A handle has come back after the end has begun: it may have been the last.
    pub(crate) is_return_at_end: bool,
    rest: Option<Box<Rest<T>>>,
}

/// What is seldom asked for.
#[derive(Debug)]
pub(crate) struct Rest<T> {
    /// Further claims that have something to look at.
    pub(crate) wake: Vec<Waker>,
    /// Wakers nobody needs any more.
    pub(crate) forget: Vec<Waker>,
    /// Errors nobody needs any more.
    pub(crate) errors: Vec<ConnectError>,
    pub(crate) close: Vec<(SlotId, T)>,
    pub(crate) check: Vec<(SlotId, T, Check)>,
    pub(crate) connect: Vec<(SlotId, Arc<Backend>)>,
    /// Connects that are not wanted any more.
    pub(crate) cancel: Vec<SlotId>,
    pub(crate) held: Vec<Held>,
    /// It had been reported before.
    pub(crate) came_back: Option<Held>,
    /// Backends that are left out, or take part again.
    pub(crate) standing: Vec<(Arc<Backend>, BackendChange)>,
}

/// A handle that has been out for long.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) slot: SlotId,
    pub(crate) backend: Arc<Backend>,
    pub(crate) place: &'static Location<'static>,
    pub(crate) age: Duration,
}

impl<T> Effects<T> {
    pub(crate) const fn none() -> Self {
        Self { wake: None, is_earlier: false, is_news: false, is_return_at_end: false, rest: None }
    }

    pub(crate) fn is_nothing(&self) -> bool {
        let is_flagged = self.is_earlier | self.is_news | self.is_return_at_end;
        self.wake.is_none() && self.rest.is_none() && !is_flagged
    }

    /// Has a claim look.
    pub(super) fn wake(&mut self, waker: Option<Waker>) {
        let Some(waker) = waker else { return };
        match &mut self.wake {
            None => self.wake = Some(waker),
            Some(_) => self.rest().wake.push(waker),
        }
    }

    /// Drops a waker.
    pub(super) fn forget(&mut self, waker: Option<Waker>) {
        if let Some(waker) = waker {
            self.rest().forget.push(waker);
        }
    }

    /// Drops an error.
    pub(super) fn forget_error(&mut self, error: Option<ConnectError>) {
        if let Some(error) = error {
            self.rest().errors.push(error);
        }
    }

    /// Drops an event that nobody can read any more.
    pub(super) fn forget_event(&mut self, event: Option<PoolEvent>) {
        if let Some(PoolEvent::Slot { change: SlotChange::ConnectFailed(error), .. }) = event {
            self.forget_error(Some(error));
        }
    }

    pub(super) fn close(&mut self, slot: SlotId, connection: T) {
        self.rest().close.push((slot, connection));
    }

    pub(super) fn check(&mut self, slot: SlotId, connection: T, check: Check) {
        self.rest().check.push((slot, connection, check));
    }

    pub(super) fn connect(&mut self, slot: SlotId, backend: Arc<Backend>) {
        self.rest().connect.push((slot, backend));
    }

    pub(super) fn cancel(&mut self, slot: SlotId) {
        self.rest().cancel.push(slot);
    }

    pub(super) fn report_held(&mut self, held: Held) {
        self.rest().held.push(held);
    }

    pub(super) fn log_standing(&mut self, backend: Arc<Backend>, change: BackendChange) {
        self.rest().standing.push((backend, change));
    }

    pub(super) fn came_back(&mut self, held: Held) {
        self.rest().came_back = Some(held);
    }

    #[cold]
    fn rest(&mut self) -> &mut Rest<T> {
        self.rest.get_or_insert_with(|| {
            let (wake, forget, errors, held) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
            let (close, check, connect, cancel) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
            let (came_back, standing) = (None, Vec::new());
            Box::new(Rest { wake, forget, errors, close, check, connect, cancel, held, came_back, standing })
        })
    }

    /// The claim to wake first, and what is seldom there.
    pub(crate) fn into_parts(self) -> (Option<Waker>, Option<Box<Rest<T>>>) {
        (self.wake, self.rest)
    }
}
