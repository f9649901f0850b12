//! What all handles of a pool share: the core under its lock, and the hands that do what it says.

mod clock;
mod errors;
#[cfg(landfall_faults)]
mod faulty;
#[cfg(feature = "tower")]
mod grants;
mod jobs;
mod lease;
mod maintenance;
#[cfg(all(test, landfall_loom))]
mod models;
mod owner;
mod perform;
mod scope;

use std::collections::HashMap;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;
use std::time::Duration;

use landfall_lifecycle::internal::{contain, log, wake};
use landfall_lifecycle::{Ending, TaskName, TaskSet};
use tokio::runtime::Handle as Runtime;
use tokio::sync::Notify as NotifyOne;
use tokio_util::sync::CancellationToken;

use self::clock::Clock;
#[cfg(landfall_faults)]
pub(crate) use self::faulty::forgotten;
pub(crate) use self::lease::{Lease, Live, Ready};
pub(crate) use self::maintenance::{maintain, resolve};
pub(crate) use self::owner::Handles;
use self::scope::Scope;
use crate::backend::Backend;
use crate::claim::WarmUpError;
use crate::connector::{Connector, Fitness, Moment, Spawner};
use crate::core::{
    At, Back, Begun, Core, Grip, Hold, Noted, Polled, Random, Returned, SlotId, Taken, Waiter, WaiterId,
};
use crate::events::Journal;
#[cfg(landfall_faults)]
use crate::faults::{Fault, is_armed};
use crate::handle::Handle;
use crate::policy::{Policy, PolicyError};
use crate::sync::{Mutex, MutexGuard, atomic};

type Inner<K> = Core<Box<Live<<K as Connector>::Connection>>>;

/// Somebody waits until the pool is warm, since then.
struct Warming<'a, K: Connector>(&'a Shared<K>, At);

impl<K: Connector> Drop for Warming<'_, K> {
    fn drop(&mut self) {
        self.0.lock().end_warm_up(self.1);
    }
}

/// What all handles of a pool share.
///
/// The lock comes first, so that it shares a cache line with the count of handles: both change with each claim.
#[repr(C)]
pub(crate) struct Shared<K: Connector> {
    core: Mutex<Inner<K>>,
    name: TaskName,
    connector: K,
    pub(crate) claim_timeout: Duration,
    /// Whether a connection was idle when a claim or a release looked last. A hint: connections become idle, and cease to
    /// be, in other ways too.
    had_idle: atomic::AtomicBool,
    clock: Clock,
    pub(crate) scope: Scope,
    spawner: Spawner,
    /// Cancelled when the termination begins, or the runtime goes.
    stop: CancellationToken,
    /// The connects under way, to be given up one by one.
    connects: Mutex<HashMap<u32, CancellationToken>>,
    /// Something is due earlier than the maintenance task thinks.
    earlier: NotifyOne,
    /// What changes that is no claim's business.
    journal: Arc<Journal>,
    runtime_gone: AtomicBool,
    ending: Ending,
    /// What would be tasks: the model is the runtime.
    #[cfg(landfall_loom)]
    jobs: Mutex<Vec<futures_util::future::BoxFuture<'static, ()>>>,
    /// Connections whose close was cut after the pool had begun to end, each with when it had begun. At most as many as
    /// there are slots, for none is opened any more.
    unseen: Mutex<Vec<(Backend, At)>>,
}

impl<K: Connector> Shared<K> {
    pub(crate) fn new(name: TaskName, connector: K, policy: Policy, tasks: TaskSet, runtime: Runtime) -> Self {
        let claim_timeout = policy.claim_timeout;
        let core = Core::new(policy, Random::from_process());
        Self {
            scope: Scope::new(name.as_str()),
            name,
            connector,
            claim_timeout,
            journal: Arc::clone(core.journal()),
            core: Mutex::new(core),
            had_idle: atomic::AtomicBool::new(true),
            clock: Clock::start(),
            spawner: Spawner { tasks, runtime },
            stop: CancellationToken::new(),
            connects: Mutex::default(),
            earlier: NotifyOne::new(),
            runtime_gone: AtomicBool::new(false),
            ending: Ending::new(),
            #[cfg(landfall_loom)]
            jobs: Mutex::default(),
            unseen: Mutex::default(),
        }
    }

    pub(crate) fn name(&self) -> &str {
        self.name.as_str()
    }

    pub(crate) fn journal(&self) -> &Arc<Journal> {
        &self.journal
    }

    pub(crate) fn ending(&self) -> &Ending {
        &self.ending
    }

    /// The pool's own time.
    pub(crate) fn now(&self) -> At {
        self.clock.now()
    }

    /// What that was a few milliseconds ago at most.
    pub(crate) fn recent(&self) -> At {
        self.clock.recent()
    }

    /// Only this crate's code runs under it, and it panics nowhere: what a poisoned lock guards is sound.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner<K>> {
        self.core.lock()
    }

    /// Asks the connector whether a connection that was claimed is fit, and makes a handle of it if it is.
    #[inline]
    pub(crate) fn make_ready(self: &Arc<Self>, mut lease: Lease<K>) -> Ready<K> {
        match self.fitness(&mut lease.connection.connection, Moment::Claim) {
            Fitness::Fit => Ready::Handle(self.hand_out(lease)),
            Fitness::Prepare => Ready::Prepare(lease),
            Fitness::Broken => {
                self.give_back_unfit(lease);
                Ready::Broken
            }
        }
    }

    /// What a claim has of a connection that it was given at `now`, which may be a few milliseconds old.
    #[inline]
    pub(crate) fn lease(
        &self,
        grip: Grip,
        connection: Box<Live<K::Connection>>,
        now: At,
        waited: Option<Noted>,
        place: &'static Location<'static>,
    ) -> Lease<K> {
        let since = if grip.is_timed { self.now() } else { now };
        Lease { id: grip.id, connection, hold: Hold { since, is_timed: grip.is_timed }, waited, place }
    }

    #[inline]
    pub(crate) fn hand_out(self: &Arc<Self>, lease: Lease<K>) -> Handle<K> {
        Handle::new(Arc::clone(self), lease)
    }

    #[inline]
    pub(crate) fn fitness(&self, connection: &mut K::Connection, at: Moment) -> Fitness {
        contain(|| self.connector.fitness(connection, at)).unwrap_or_else(|error| {
            log(|| tracing::warn!(pool.name = self.name(), error, "connector panicked"));
            Fitness::Broken
        })
    }

    /// Whether a first look is worth a lock: where it is not, [`Self::take_or_wait`] needs none.
    #[inline]
    pub(crate) fn may_have_idle(&self) -> bool {
        self.had_idle.load(Ordering::Relaxed)
    }

    /// To be called under the lock. Nearly always it is as it was, and a look costs less than a change.
    #[inline]
    fn note_idle(&self, has_idle: bool) {
        if self.may_have_idle() != has_idle {
            self.had_idle.store(has_idle, Ordering::Relaxed);
        }
    }

    #[inline]
    pub(crate) fn take_or_wait(
        self: &Arc<Self>,
        now: At,
        waiter: Waiter,
        place: &'static Location<'static>,
        is_first: bool,
    ) -> Begun<Box<Live<K::Connection>>> {
        let mut core = self.lock();
        let mut is_earlier = false;
        let waiter = if is_first { Err(waiter) } else { core.line_up(waiter, &mut is_earlier) };
        let waiter = match waiter {
            Ok(id) => {
                drop(core);
                self.tell_if_earlier(is_earlier);
                return Begun::Waits(id);
            }
            Err(waiter) => waiter,
        };
        let (begun, effects) = core.take_or_wait(now, waiter, place, is_first);
        self.note_idle(core.has_idle());
        drop(core);
        self.perform(effects);
        begun
    }

    /// Takes an idle connection, validated or not.
    #[inline]
    pub(crate) fn take(
        &self,
        now: At,
        place: &'static Location<'static>,
        validates: bool,
    ) -> Taken<Box<Live<K::Connection>>> {
        let mut is_earlier = false;
        let taken = {
            let mut core = self.lock();
            let taken = core.take(now, place, validates, &mut is_earlier);
            self.note_idle(core.has_idle());
            taken
        };
        self.tell_if_earlier(is_earlier);
        taken
    }

    /// Tells the maintenance task that something is due earlier than it thinks.
    #[inline]
    fn tell_if_earlier(&self, is_earlier: bool) {
        if is_earlier {
            self.earlier.notify_one();
        }
    }

    pub(crate) fn check_for_claim(self: &Arc<Self>, lease: Lease<K>, waiter: Waiter) -> WaiterId {
        let now = self.now();
        let (id, effects) = self.lock().check_for_claim(lease.id, lease.connection, lease.waited, waiter, now);
        self.perform(effects);
        #[cfg(landfall_faults)]
        if is_armed(Fault::ForgetPrepared) {
            return id;
        }
        // The pool has it again: the end may have been waiting for that.
        self.finish_if_over();
        id
    }

    /// Leaves a claimed connection to be prepared, though nobody waits for it.
    pub(crate) fn prepare_for_nobody(self: &Arc<Self>, lease: Lease<K>) {
        let effects = self.lock().prepare_for_nobody(lease.id, lease.connection);
        self.perform(effects);
        self.finish_if_over();
    }

    #[inline]
    pub(crate) fn poll_waiter(
        self: &Arc<Self>,
        id: WaiterId,
        waker: &Waker,
        place: &'static Location<'static>,
    ) -> Polled<Box<Live<K::Connection>>> {
        if let Some(polled) = self.lock().collect(id, place, || self.now()) {
            return polled;
        }
        // Cloning a waker is a user's code: not under the lock, and only for who has to go on waiting.
        let waker = waker.clone();
        let (polled, effects) = self.lock().poll_waiter(id, waker, place, || self.now());
        self.perform(effects);
        polled
    }

    pub(crate) fn cancel(self: &Arc<Self>, id: WaiterId) {
        #[cfg(landfall_faults)]
        if is_armed(Fault::ForgetCancelled) {
            return;
        }
        let now = self.now();
        let effects = self.lock().cancel(id, now);
        self.perform(effects);
    }

    #[cold]
    fn give_back_unfit(self: &Arc<Self>, lease: Lease<K>) {
        let Lease { id, connection, waited, .. } = lease;
        let now = self.now();
        let effects = self.lock().give_back_unfit(id, connection, waited, now);
        self.perform(effects);
    }

    #[inline]
    pub(crate) fn give_back(
        self: &Arc<Self>,
        id: SlotId,
        connection: Box<Live<K::Connection>>,
        hold: Hold,
        how: Returned,
    ) {
        let now = if hold.is_timed || how != Returned::Fit { self.now() } else { self.recent() };
        #[cfg(landfall_faults)]
        let was_closed = self.lock().is_closed();
        let back = {
            let mut core = self.lock();
            let back = core.give_back(id, connection, how, hold, now);
            self.note_idle(core.has_idle());
            back
        };
        match back {
            Back::Idle => {}
            Back::Passed { wake: waker, is_earlier } => {
                waker.into_iter().for_each(wake);
                self.tell_if_earlier(is_earlier);
            }
            #[cfg(landfall_faults)]
            Back::Other(mut effects) if is_armed(Fault::EndUnlooked) => {
                effects.is_return_at_end = was_closed;
                self.perform(effects);
            }
            Back::Other(effects) => self.perform(effects),
        }
    }

    pub(crate) fn report_failure(self: &Arc<Self>, id: SlotId) {
        let now = self.now();
        let effects = self.lock().report_failure(id, now);
        self.perform(effects);
    }

    pub(crate) fn take_out(self: &Arc<Self>, id: SlotId, hold: Hold) {
        let now = self.now();
        let effects = self.lock().take_out(id, hold, now);
        self.perform(effects);
    }

    pub(crate) fn evict(self: &Arc<Self>) {
        let now = self.now();
        let effects = self.lock().evict(now);
        self.perform(effects);
    }

    pub(crate) fn resize(self: &Arc<Self>, slots_max: usize) -> Result<(), PolicyError> {
        let now = self.now();
        let effects = {
            let mut core = self.lock();
            let policy = Policy { slots_max, ..core.policy().clone() };
            policy.check()?;
            core.resize(policy, now)
        };
        self.perform(effects);
        Ok(())
    }

    /// Waits until as many connections as the policy keeps are open.
    pub(crate) async fn warm_up(self: &Arc<Self>) -> Result<(), WarmUpError> {
        let began = self.now();
        let effects = self.lock().begin_warm_up(began);
        let _warming = Warming(self, began);
        self.perform(effects);
        loop {
            let news = self.journal.news.notified();
            let now = self.now();
            let (is_closed, is_warm, is_offline, (backends, last)) = {
                let core = self.lock();
                (core.is_closed(), core.is_warm(), core.is_offline_for(began, now), core.offline())
            };
            if is_closed {
                return Err(WarmUpError::Terminating { pool: self.name().to_owned() });
            }
            if is_warm {
                return Ok(());
            }
            if is_offline {
                return Err(WarmUpError::NoneOnline { pool: self.name().to_owned(), backends, last });
            }
            news.await;
        }
    }
}
