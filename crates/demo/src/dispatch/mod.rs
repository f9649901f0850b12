//! Leases due events and starts a delivery for each.

use std::sync::Arc;
use std::time::Duration;

use landfall_lifecycle::{SpawnError, TaskSet, WeakTaskSet};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::backoff::Backoff;
use crate::delivery::{Attempt, Courier};
use crate::event::{EventId, Leased, Settlement};
use crate::random::Random;
use crate::status::Tally;
use crate::storage::{Storage, StoreError};
use crate::target::Target;

/// Longest time between two looks for due events: the database's clock may have jumped.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Pause after the storage failed.
const STORAGE_PAUSE: Duration = Duration::from_secs(1);

/// When an event is tried again, and when not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RetryPolicy {
    pub(crate) attempts_max: u32,
    pub(crate) backoff: Backoff,
}

impl RetryPolicy {
    /// Says what becomes of an event whose attempt failed, after so many that failed before.
    fn after_failure(self, attempts_before: u32, error: String) -> Settlement {
        let attempts = attempts_before.saturating_add(1);
        if attempts >= self.attempts_max {
            return Settlement::Dead { error };
        }
        Settlement::Retry { after: self.backoff.after(attempts, &mut Random::new()), error }
    }
}

/// The dispatcher: one task that leases, and a task for each delivery.
pub(crate) struct Dispatcher {
    office: Arc<Office>,
    slots: Arc<Semaphore>,
}

/// What every delivery needs.
struct Office {
    storage: Storage,
    courier: Courier,
    policy: RetryPolicy,
    tally: Arc<Tally>,
    /// Owns the deliveries.
    set: WeakTaskSet,
    stop: CancellationToken,
}

enum Event {
    Stop,
    Look,
}

impl Dispatcher {
    /// Starts to dispatch, as a task of the set. The deliveries become tasks of the same set.
    pub(crate) fn start(
        set: &TaskSet,
        storage: Storage,
        courier: Courier,
        policy: RetryPolicy,
        deliveries_max: u32,
        tally: Arc<Tally>,
    ) -> Result<(), SpawnError> {
        let slots = usize::try_from(deliveries_max).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        let office = Arc::new(Office { storage, courier, policy, tally, set: set.downgrade(), stop: set.token() });
        let dispatcher = Self { office, slots: Arc::new(Semaphore::new(slots)) };
        set.spawn("dispatcher", dispatcher.run()).map(|_| ())
    }

    async fn run(self) {
        while let Some(slot) = self.free_slot().await {
            let free = u32::try_from(self.slots.available_permits()).unwrap_or(u32::MAX).saturating_add(1);
            let wait = match self.office.storage.lease(free).await {
                Ok(due) if due.leased.is_empty() => due.next.unwrap_or(LOOK_AGAIN).min(LOOK_AGAIN),
                Ok(due) => {
                    self.begin_all(due.leased, slot);
                    continue;
                }
                Err(StoreError::Closed) => return,
                Err(error) => {
                    warn!(%error, "no events leased");
                    STORAGE_PAUSE
                }
            };
            drop(slot);
            match self.next_event(wait).await {
                Event::Stop => return,
                Event::Look => {}
            }
        }
    }

    async fn free_slot(&self) -> Option<OwnedSemaphorePermit> {
        tokio::select! {
            // Stop first: a slot may always be free.
            biased;
            () = self.office.stop.cancelled() => None,
            slot = Arc::clone(&self.slots).acquire_owned() => slot.ok(),
        }
    }

    async fn next_event(&self, wait: Duration) -> Event {
        tokio::select! {
            // Stop first: work may come all the time.
            biased;
            () = self.office.stop.cancelled() => Event::Stop,
            () = self.office.storage.work() => Event::Look,
            () = tokio::time::sleep(wait) => Event::Look,
        }
    }

    fn begin_all(&self, leased: Vec<Leased>, first: OwnedSemaphorePermit) {
        let mut slot = Some(first);
        for event in leased {
            // Nobody else takes slots, so there is one for each: no more were asked for.
            let slot = slot.take().or_else(|| Arc::clone(&self.slots).try_acquire_owned().ok());
            self.begin(event, slot);
        }
    }

    fn begin(&self, event: Leased, slot: Option<OwnedSemaphorePermit>) {
        let lease =
            Lease { id: event.id, attempts: event.attempts, state: LeaseState::Held, office: Arc::clone(&self.office) };
        let target: Result<Target, _> = event.target.parse();
        let name = match &target {
            Ok(target) => format!("delivery {} → {target}", event.id),
            Err(_) => format!("delivery {}", event.id),
        };
        let office = Arc::clone(&self.office);
        let delivery = async move {
            let _slot = slot;
            let attempt = match &target {
                Ok(target) => office.courier.attempt(&event, target).await,
                Err(error) => Attempt::Failed(error.to_string()),
            };
            lease.settle(attempt).await;
        };
        let Some(set) = self.office.set.upgrade() else { return };
        if let Err(error) = set.spawn(name, delivery) {
            // The lease went with the delivery, and gives itself back.
            debug!(%error, "delivery not begun");
        }
    }
}

/// The right to deliver an event, and the duty to say what came of it.
///
/// | from      | event                | to        |
/// |-----------|----------------------|-----------|
/// | `Held`    | outcome is durable   | `Settled` |
/// | `Held`    | dropped              | given back by a cleanup task |
struct Lease {
    id: EventId,
    attempts: u32,
    state: LeaseState,
    office: Arc<Office>,
}

enum LeaseState {
    Held,
    Settled,
}

impl Lease {
    /// Records what came of the attempt, for as long as it takes.
    async fn settle(mut self, attempt: Attempt) {
        let how = match attempt {
            Attempt::Delivered => Settlement::Delivered,
            Attempt::Failed(error) => {
                self.office.tally.failed();
                debug!(event.id = %self.id, error, "attempt failed");
                self.office.policy.after_failure(self.attempts, error)
            }
            Attempt::NotMade if self.office.stop.is_cancelled() => Settlement::GivenBack,
            // Or else it would be leased again at once, and so on.
            Attempt::NotMade => {
                self.office.policy.after_failure(self.attempts, "no connections can be made".to_owned())
            }
        };
        if let Settlement::Dead { error } = &how {
            warn!(event.id = %self.id, error, "dead letter");
        }
        loop {
            match self.office.storage.settle(self.id, how.clone()).await {
                // A storage that has closed has given back all leases.
                Ok(()) | Err(StoreError::Closed) => break,
                Err(error) => warn!(event.id = %self.id, %error, "outcome not recorded yet"),
            }
            tokio::time::sleep(STORAGE_PAUSE).await;
        }
        if how == Settlement::Delivered {
            self.office.tally.delivered();
        }
        self.state = LeaseState::Settled;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let LeaseState::Settled = self.state {
            return;
        }
        // An event that makes a delivery panic must not be tried for ever.
        let how = if std::thread::panicking() {
            self.office.policy.after_failure(self.attempts, "the delivery panicked".to_owned())
        } else {
            Settlement::GivenBack
        };
        let (id, storage) = (self.id, self.office.storage.clone());
        let give_back = async move {
            if let Err(error) = storage.settle(id, how).await {
                debug!(event.id = %id, %error, "lease not given back");
            }
        };
        let given = self.office.set.upgrade().map(|set| set.spawn_closing(format!("give back {id}"), give_back));
        if let None | Some(Err(_)) = given {
            // Too late for that; the storage frees all leases when it closes, or when it is opened again.
            debug!(event.id = %id, "lease left to the storage");
        }
    }
}

#[cfg(test)]
mod tests;
