//! How many bytes may be held at once, as they came or as they are decoded.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[cfg(landfall_faults)]
use crate::faults::{Fault, is_armed};

/// Bytes of several holders under one cap.
#[derive(Clone, Debug)]
pub(crate) struct Budget(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    bytes_max: usize,
    used: AtomicUsize,
}

/// Bytes taken from a [`Budget`]; they go back when it is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    budget: Arc<Shared>,
    bytes: usize,
}

impl Budget {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self(Arc::new(Shared { bytes_max, used: AtomicUsize::new(0) }))
    }

    /// Takes `bytes`, unless the cap would be passed.
    pub(crate) fn take(&self, bytes: usize) -> Option<Held> {
        let shared = &self.0;
        let fits = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= shared.bytes_max);
        #[cfg(landfall_faults)]
        if is_armed(Fault::ForgetHeld) {
            return Some(Held { budget: Arc::clone(shared), bytes: 0 });
        }
        shared.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).ok()?;
        Some(Held { budget: Arc::clone(shared), bytes })
    }

    /// The most there may be.
    pub(super) fn bytes_max(&self) -> usize {
        self.0.bytes_max
    }

    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn used(&self) -> usize {
        self.0.used.load(Ordering::Relaxed)
    }
}

impl Held {
    /// Both as one.
    pub(crate) fn join(&mut self, mut other: Self) {
        self.bytes += std::mem::take(&mut other.bytes);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_comes_back() {
        let budget = Budget::new(10);
        let six = budget.take(6).expect("it fits");
        assert!(budget.take(5).is_none() && budget.take(usize::MAX).is_none());
        let four = budget.take(4).expect("it fits exactly");
        let mut ten = six;
        ten.join(four);
        assert_eq!(budget.used(), 10);
        drop(ten);
        assert_eq!(budget.used(), 0);
    }
}
