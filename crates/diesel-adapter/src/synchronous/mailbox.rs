//! Between the holder of a connection and its thread.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use landfall_lifecycle::internal::{contain, dispose};
use tokio_util::sync::CancellationToken;

use super::run_error::Unusable;
use super::stage::{Effect, Stage};
use crate::brake::Brake;
#[cfg(landfall_faults)]
use crate::faults::{Fault, is_armed};

/// An operation, with the way of its answer.
pub(super) type Job<C> = Box<dyn FnOnce(&mut C, &Mailbox<C>) + Send>;

/// Room for one operation. No lock is held while a user's code runs.
pub(super) struct Mailbox<C> {
    stage: Mutex<Stage<C>>,
    changed: Condvar,
    brake: Arc<Brake>,
    ended: CancellationToken,
}

impl<C> Mailbox<C> {
    /// For a thread that is about to open its connection.
    pub(super) fn new() -> Self {
        Self {
            stage: Mutex::new(Stage::Running),
            changed: Condvar::new(),
            brake: Arc::default(),
            ended: CancellationToken::new(),
        }
    }

    pub(super) fn brake(&self) -> &Arc<Brake> {
        &self.brake
    }

    pub(super) fn post(&self, job: Job<C>) -> Result<(), Unusable> {
        let posted = self.stage().post(job);
        // A closure that is refused is dropped here: its destructor is the caller's own code.
        posted.map_err(|(why, _refused)| why)?;
        self.changed.notify_one();
        Ok(())
    }

    /// Waits for an operation; none when the thread is to end.
    pub(super) fn next(&self) -> Option<Job<C>> {
        let mut stage = self.stage();
        loop {
            if let Stage::Closing(_) | Stage::Ended(_) = *stage {
                return None;
            }
            if let Some(job) = stage.take() {
                return Some(job);
            }
            stage = self.changed.wait(stage).unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(super) fn done(&self, in_transaction: bool) {
        self.stage().done(in_transaction);
    }

    pub(super) fn give_up(&self) {
        let effect = self.stage().give_up();
        self.perform(effect);
    }

    pub(super) fn close(&self, why: Unusable) {
        let effect = self.stage().close(why);
        self.perform(effect);
    }

    /// The connection is gone, and so is its thread but for a few instructions.
    pub(super) fn end(&self) {
        let effect = self.stage().end();
        self.perform(effect);
        // A waker is a user's code.
        drop(contain(|| self.ended.cancel()));
    }

    pub(super) async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// Why it takes no operation any more, or would not.
    pub(super) fn why_closed(&self) -> Unusable {
        match *self.stage() {
            Stage::Closing(why) | Stage::Ended(why) => why,
            Stage::Idle { .. } | Stage::Posted { .. } | Stage::Running => Unusable::Closed,
        }
    }

    /// Whether another user may have it.
    pub(super) fn is_fit(&self) -> bool {
        matches!(*self.stage(), Stage::Idle { in_transaction: false })
    }

    fn perform(&self, effect: Effect<C>) {
        #[cfg(landfall_faults)]
        let effect = Effect { pulls_brake: effect.pulls_brake && !is_armed(Fault::ForgetBrake), ..effect };
        if effect.pulls_brake {
            self.brake.pull();
        }
        self.changed.notify_one();
        // Contained: this runs where handles are dropped, and where a pool ends.
        dispose(effect.unwanted);
    }

    fn stage(&self) -> MutexGuard<'_, Stage<C>> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
