//! Doing what the core asks for, once its lock is free.

use std::sync::Arc;

#[cfg(not(landfall_loom))]
use landfall_lifecycle::internal::contain;
use landfall_lifecycle::internal::{dispose, log, wake};
use tokio_util::sync::CancellationToken;

use super::jobs::{Job, check, close, connect};
use super::{Live, Shared};
use crate::backend::Backend;
use crate::change::BackendChange;
use crate::connector::Connector;
use crate::core::{Check, Effects, Held, Rest, SlotId};
#[cfg(landfall_faults)]
use crate::faults::{Fault, is_armed};

impl<K: Connector> Shared<K> {
    /// Does what a change asks for: nearly always nothing.
    #[inline]
    pub(super) fn perform(self: &Arc<Self>, effects: Effects<Box<Live<K::Connection>>>) {
        if !effects.is_nothing() {
            self.perform_some(effects);
        }
    }

    fn perform_some(self: &Arc<Self>, effects: Effects<Box<Live<K::Connection>>>) {
        #[cfg(landfall_faults)]
        let _locked = is_armed(Fault::WakeUnderLock).then(|| self.lock());
        let Effects { is_earlier, is_news, is_return_at_end, .. } = effects;
        // Those who wait come first; the rest may take a while.
        let (first, rest) = effects.into_parts();
        if let Some(waker) = first {
            wake(waker);
        }
        self.tell_if_earlier(is_earlier);
        if is_news {
            self.journal.news.notify_all();
        }
        if let Some(rest) = rest {
            self.perform_rest(*rest);
        }
        if is_return_at_end {
            self.finish_if_over();
        }
    }

    fn perform_rest(self: &Arc<Self>, rest: Rest<Box<Live<K::Connection>>>) {
        let Rest { wake: wakers, forget, errors, close, check, connect, cancel, held, came_back, standing } = rest;
        wakers.into_iter().for_each(wake);
        // One by one: a panic while another one unwinds would end the process.
        forget.into_iter().for_each(dispose);
        errors.into_iter().for_each(dispose);
        for slot in cancel {
            self.cancel_connect(slot);
        }
        for (slot, connection) in close {
            self.start_close(slot, connection);
        }
        for (slot, backend) in connect {
            self.start_connect(slot, backend);
        }
        for (slot, connection, kind) in check {
            self.start_check(slot, connection, kind);
        }
        for (backend, change) in standing {
            self.log_standing(&backend, change);
        }
        for held in held {
            let place = held.place;
            log(|| {
                tracing::warn!(pool.name = self.name(), slot.id = held.slot.index,
                    backend.addr = %held.backend.address, loc.file = place.file(), loc.line = place.line(),
                    elapsed = ?held.age, "connection held for long");
            });
        }
        if let Some(Held { place, age, .. }) = came_back {
            log(|| {
                tracing::info!(pool.name = self.name(), loc.file = place.file(), loc.line = place.line(),
                    elapsed = ?age, "long-held connection came back");
            });
        }
    }

    fn log_standing(&self, backend: &Backend, change: BackendChange) {
        let (name, address) = (self.name(), backend.address);
        log(|| match change {
            BackendChange::Ejected { why, time } => {
                tracing::warn!(pool.name = name, backend.addr = %address, %why, ?time, "backend ejected");
            }
            change => tracing::info!(pool.name = name, backend.addr = %address, %change, "backend comes back"),
        });
    }

    fn start_close(self: &Arc<Self>, slot: SlotId, connection: Box<Live<K::Connection>>) {
        #[cfg(landfall_faults)]
        let connection = match self.faulty_close(slot, connection) {
            Some(connection) => connection,
            None => return,
        };
        let name = format!("close {}", connection.backend);
        self.start(name, close(Job::with(self, slot, connection)));
    }

    fn start_check(self: &Arc<Self>, slot: SlotId, connection: Box<Live<K::Connection>>, kind: Check) {
        let name = format!("{} {}", kind.name(), connection.backend);
        #[cfg(landfall_faults)]
        if kind == Check::Trial && is_armed(Fault::LeaveTrial) {
            let _refused = super::forgotten().spawn(name, check(Job::with(self, slot, connection), kind));
            return;
        }
        self.start(name, check(Job::with(self, slot, connection), kind));
    }

    /// Starts a task that has to see its connection to the end, also while the pool terminates. Where none can be
    /// started any more, the connection is dropped here.
    #[cfg(not(landfall_loom))]
    fn start(self: &Arc<Self>, name: String, future: impl Future<Output = ()> + Send + 'static) {
        // What a refused job drops is a user's.
        let _inside = self.scope.enter();
        let _refused = contain(|| drop(self.spawner.spawn(name, future)));
    }

    #[cfg(landfall_loom)]
    fn start(self: &Arc<Self>, _: String, future: impl Future<Output = ()> + Send + 'static) {
        self.jobs.lock().push(Box::pin(future));
    }

    fn start_connect(self: &Arc<Self>, slot: SlotId, backend: Arc<Backend>) {
        let cancelled = self.stop.child_token();
        self.connects().insert(slot.index, cancelled.clone());
        // Whoever has given it up since it was decided on has found nothing here to cancel.
        if self.lock().is_given_up(slot) {
            cancelled.cancel();
        }
        let name = format!("connect {backend}");
        let job = Job::to_connect(self, slot, Arc::clone(&backend));
        self.start_until_end(name, connect(job, backend, cancelled));
    }

    /// Starts a task that the termination need not wait for.
    #[cfg(not(landfall_loom))]
    fn start_until_end(self: &Arc<Self>, name: String, future: impl Future<Output = ()> + Send + 'static) {
        let _entered = self.spawner.runtime.enter();
        let _inside = self.scope.enter();
        let _refused = contain(|| drop(self.spawner.tasks.spawn(name, future)));
    }

    #[cfg(landfall_loom)]
    fn start_until_end(self: &Arc<Self>, _: String, future: impl Future<Output = ()> + Send + 'static) {
        self.jobs.lock().push(Box::pin(future));
    }

    fn cancel_connect(&self, slot: SlotId) {
        let token: Option<CancellationToken> = self.connects().get(&slot.index).cloned();
        // It wakes the task, outside of the lock.
        if let Some(token) = token {
            token.cancel();
        }
    }
}
