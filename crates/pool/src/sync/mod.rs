//! The synchronisation primitives of the pool, in one place so that a model checker can put its own here.
//!
//! Built with `--cfg landfall_loom` they are loom's, else std's. `Arc` is std's in every build, and so is the flag that
//! tells why the gate is closed: errors alone read it. Tokio's `Notify` and the tokens count as one step each.

mod notify;

use std::sync::PoisonError;

#[cfg(landfall_loom)]
pub(crate) use loom::sync as primitives;
#[cfg(not(landfall_loom))]
pub(crate) use std::sync as primitives;

pub(crate) use self::notify::Notify;
pub(crate) use self::primitives::MutexGuard;

/// A mutex without poisoning: what it guards is changed by this crate's code alone, never across a user's.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(primitives::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(primitives::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
