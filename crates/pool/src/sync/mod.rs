//! The synchronisation primitives of the pool, in one place.

mod notify;

use std::sync::{MutexGuard, PoisonError};

pub(crate) use self::notify::Notify;

/// A mutex without poisoning: what it guards is changed by this crate's code alone, never across a user's.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(std::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(std::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
