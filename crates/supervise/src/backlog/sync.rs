//! The lock of a backlog, in one place so that a model checker can put its own here: loom's with `--cfg landfall_loom`.

use std::sync::PoisonError;

#[cfg(landfall_loom)]
use loom::sync as primitives;
#[cfg(not(landfall_loom))]
use std::sync as primitives;

pub(super) use self::primitives::MutexGuard;

/// A mutex without poisoning: what it guards is changed by this crate's code alone, never across a user's.
#[derive(Debug)]
pub(super) struct Mutex<T>(primitives::Mutex<T>);

impl<T> Mutex<T> {
    pub(super) fn new(value: T) -> Self {
        Self(primitives::Mutex::new(value))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
