//! The tasks that have a slot's connection: opening, checking, closing it.

use std::collections::HashMap;
use std::sync::Arc;

use landfall_lifecycle::internal::{contain, dispose, log};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::{Live, Shared};
use crate::backend::Backend;
use crate::claim::ConnectError;
use crate::connector::{BoxError, ConnectCx, Connected, Connector};
use crate::core::{At, Check, SlotId};
#[cfg(landfall_faults)]
use crate::faults::{Fault, is_armed};
use crate::sync::MutexGuard;

/// For how many connects room is kept.
const CONNECTS_ROOM_MAX: usize = 64;

/// A slot in the hands of a task. However the task ends, the slot does not get lost: if it is dropped, so is the
/// connection, and then the slot is free.
pub(super) struct Job<K: Connector> {
    shared: Arc<Shared<K>>,
    id: SlotId,
    connection: Option<Box<Live<K::Connection>>>,
    /// Where a connect goes to.
    target: Option<Arc<Backend>>,
    is_done: bool,
}

impl<K: Connector> Job<K> {
    pub(super) fn with(shared: &Arc<Shared<K>>, id: SlotId, connection: Box<Live<K::Connection>>) -> Self {
        Self { shared: Arc::clone(shared), id, connection: Some(connection), target: None, is_done: false }
    }

    pub(super) fn to_connect(shared: &Arc<Shared<K>>, id: SlotId, target: Arc<Backend>) -> Self {
        Self { shared: Arc::clone(shared), id, connection: None, target: Some(target), is_done: false }
    }

    /// The core is about to hear of the end: the slot is no longer this job's.
    fn finish(&mut self) -> SlotId {
        self.is_done = true;
        if self.target.is_some() {
            // Before the core hears of it, since then the slot may be used for another connect.
            let mut connects = self.shared.connects();
            let done = connects.remove(&self.id.index);
            if connects.is_empty() && connects.capacity() > CONNECTS_ROOM_MAX {
                // A large pool opens its first connections all at once, and never so many again.
                *connects = HashMap::new();
            }
            drop(connects);
            drop(done);
        }
        self.id
    }

    /// The connection is gone: so the slot is free.
    fn free(&mut self) {
        let id = self.finish();
        let now = self.shared.now();
        let effects = self.shared.lock().vacated(id, std::thread::panicking(), now);
        self.shared.perform(effects);
    }

    fn fail(&mut self, failure: ConnectError) {
        // What an error says of itself is a user's code as well.
        log(|| {
            let error = match &failure {
                ConnectError::Failed { source, .. } => source.to_string(),
                ConnectError::TimedOut { .. } | ConnectError::Panicked { .. } => failure.to_string(),
            };
            let address = self.target.as_ref().map(|target| tracing::field::display(target.address));
            tracing::warn!(
                pool.name = self.shared.name(),
                slot.id = self.id.index,
                backend.addr = address,
                error,
                "connect failed"
            );
        });
        let id = self.finish();
        let now = self.shared.now();
        let effects = self.shared.lock().connect_failed(id, failure, now);
        self.shared.perform(effects);
    }
}

impl<K: Connector> Drop for Job<K> {
    fn drop(&mut self) {
        #[cfg(landfall_faults)]
        if is_armed(Fault::LoseRefused) {
            drop(self.connection.take().map(Box::leak));
        }
        if let Some(live) = self.connection.take() {
            live.dispose();
        }
        if self.is_done {
            return;
        }
        if let Some(target) = self.target.clone().filter(|_| std::thread::panicking()) {
            return self.fail(ConnectError::Panicked { backend: (*target).clone() });
        }
        #[cfg(landfall_faults)]
        if is_armed(Fault::NestRefused) {
            return self.free();
        }
        if self.target.is_some() {
            // It was not given up, and had no time to fail: the runtime has gone, and would refuse any other attempt in
            // the same way, inside of this one.
            self.shared.on_runtime_gone();
        }
        self.free();
    }
}

impl<K: Connector> Shared<K> {
    pub(super) fn connects(&self) -> MutexGuard<'_, HashMap<u32, CancellationToken>> {
        self.connects.lock()
    }
}

/// Tells what an attempt has begun elsewhere that it is over, unless it has succeeded. Its token is not the pool's own:
/// what a user has wait for it may panic when it is woken, and would keep others from hearing of their end.
struct Unwanted(Option<CancellationToken>);

impl Drop for Unwanted {
    fn drop(&mut self) {
        if let Some(token) = self.0.take() {
            let _panicked = contain(|| token.cancel());
        }
    }
}

/// Opens a connection.
pub(super) async fn connect<K: Connector>(mut job: Job<K>, backend: Arc<Backend>, cancelled: CancellationToken) {
    let shared = Arc::clone(&job.shared);
    let limit = shared.lock().policy().connect_timeout;
    let mut unwanted = Unwanted(Some(CancellationToken::new()));
    #[cfg(landfall_faults)]
    if is_armed(Fault::ShareToken) {
        unwanted.0 = Some(cancelled.clone());
    }
    let told = unwanted.0.clone().unwrap_or_default();
    let cx = ConnectCx { deadline: Instant::now() + limit, cancelled: told, spawner: shared.spawner.clone() };
    let opened = tokio::select! {
        // First, so that a connector that is always ready does not outlive its pool.
        biased;
        () = cancelled.cancelled() => return job.free(),
        opened = timeout_at(cx.deadline, shared.connector.connect(&backend, &cx)) => opened,
    };
    let failure = match opened {
        Ok(Ok(Connected { connection, interrupt })) => {
            unwanted.0 = None;
            log(|| {
                tracing::debug!(pool.name = shared.name(), slot.id = job.id.index,
                    backend.addr = %backend.address, "connected");
            });
            let weak = interrupt.as_ref().map(Arc::downgrade);
            let live = Box::new(Live { connection, backend, interrupt });
            let id = job.finish();
            let now = shared.now();
            let effects = shared.lock().connected(id, live, weak, now);
            return shared.perform(effects);
        }
        Ok(Err(error)) => ConnectError::Failed { backend: (*backend).clone(), source: Arc::from(error) },
        Err(_) => ConnectError::TimedOut { backend: (*backend).clone(), after: limit },
    };
    job.fail(failure);
}

/// Checks a connection, and closes it if it is no good.
pub(super) async fn check<K: Connector>(mut job: Job<K>, kind: Check) {
    let shared = Arc::clone(&job.shared);
    let limit = shared.lock().policy().check_timeout;
    #[cfg(landfall_faults)]
    let limit = if is_armed(Fault::NoCheckLimit) { std::time::Duration::MAX } else { limit };
    #[cfg(landfall_faults)]
    let stop = if kind == Check::Trial && is_armed(Fault::LeaveTrial) {
        CancellationToken::new()
    } else {
        shared.stop.clone()
    };
    #[cfg(not(landfall_faults))]
    let stop = &shared.stop;
    let outcome = match &mut job.connection {
        None => return,
        Some(live) => {
            let checked = hook(&shared.connector, &mut live.connection, kind);
            tokio::select! {
                // A termination waits for no check.
                biased;
                () = stop.cancelled() => Err("the pool terminates".into()),
                outcome = timeout(limit, checked) => {
                    outcome.unwrap_or_else(|_| Err(format!("no answer within {limit:?}").into()))
                }
            }
        }
    };
    let now = shared.now();
    match (outcome, job.connection.take()) {
        (Ok(()), Some(live)) => {
            let effects = shared.lock().checked(job.finish(), live, now);
            shared.perform(effects);
        }
        (outcome, live) => {
            if let (Err(error), false) = (outcome, shared.stop.is_cancelled()) {
                log(|| {
                    tracing::debug!(pool.name = shared.name(), slot.id = job.id.index, check = kind.name(),
                        %error, "check failed");
                });
            }
            job.connection = live;
            let effects = shared.lock().check_failed(job.id, now);
            shared.perform(effects);
            close(job).await;
        }
    }
}

async fn hook<K: Connector>(connector: &K, connection: &mut K::Connection, kind: Check) -> Result<(), BoxError> {
    match kind {
        Check::Keepalive | Check::Validate | Check::Trial => connector.is_valid(connection).await,
        Check::OnClaim => connector.on_claim(connection).await,
        Check::OnRecycle => connector.on_recycle(connection).await,
    }
}

/// Closes a connection. The slot is free when this is over.
pub(super) async fn close<K: Connector>(mut job: Job<K>) {
    let shared = Arc::clone(&job.shared);
    let Some(live) = job.connection.take() else { return };
    let limit = shared.lock().policy().close_timeout;
    let Live { connection, backend, interrupt } = *live;
    let mut close = Close { shared: &shared, slot: job.id, backend: &backend, began: shared.now(), is_done: false };
    // Before the connection: were the destructors of both to panic at once, the process would end.
    dispose(interrupt);
    if timeout(limit, shared.connector.close(connection)).await.is_ok() {
        close.is_done = true;
        log(|| {
            tracing::debug!(pool.name = shared.name(), slot.id = job.id.index, backend.addr = %backend.address, "closed");
        });
    }
}

/// A close under way. If it is cut, nobody knows whether the other side has ended the connection too.
struct Close<'a, K: Connector> {
    shared: &'a Shared<K>,
    slot: SlotId,
    backend: &'a Backend,
    began: At,
    is_done: bool,
}

impl<K: Connector> Drop for Close<'_, K> {
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        let elapsed = self.shared.now().since(self.began);
        log(|| {
            tracing::warn!(pool.name = self.shared.name(), slot.id = self.slot.index,
                backend.addr = %self.backend.address, ?elapsed, "the end of a connection was not seen");
        });
        if self.shared.stop.is_cancelled() {
            self.shared.unseen().push((self.backend.clone(), self.began));
        }
    }
}
