//! Claims that are granted a connection before they are called, under the lock.

use std::sync::Arc;
use std::task::Waker;

use super::Shared;
use crate::claim::ClaimError;
use crate::connector::Connector;
use crate::core::{At, Grant, Refusal, Waiter, WaiterId};

impl<K: Connector> Shared<K> {
    pub(crate) fn wait_for_grant(self: &Arc<Self>, now: At, waiter: Waiter) -> Result<WaiterId, ClaimError> {
        let mut core = self.lock();
        let (joined, effects) = core.wait_for_grant(now, waiter);
        self.note_idle(core.has_idle());
        drop(core);
        self.perform(effects);
        joined.map_err(|refusal| match refusal {
            Refusal::Full { waiting } => self.full_error(waiting),
            Refusal::Closed => self.closed_error(),
        })
    }

    pub(crate) fn poll_grant(self: &Arc<Self>, id: WaiterId, waker: &Waker) -> Grant {
        let waker = waker.clone();
        let (grant, effects) = self.lock().poll_grant(id, waker, || self.now());
        self.perform(effects);
        grant
    }

    pub(crate) fn call_waiter(self: &Arc<Self>, id: WaiterId, now: At, deadline: At) {
        let effects = self.lock().call_waiter(id, now, deadline);
        self.perform(effects);
    }

    /// Why no claim is served any more, if so it is.
    pub(crate) fn refusal(&self) -> Option<ClaimError> {
        self.lock().is_closed().then(|| self.closed_error())
    }
}
