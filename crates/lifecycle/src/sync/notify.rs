//! Wakes all who wait for a change.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::Mutex;
#[cfg(landfall_faults)]
use crate::faults::{Fault, is_armed};
use crate::panics::{dispose, wake};

/// Tells everybody who waits that something has changed.
///
/// Each waker is called by itself, with no lock held, and a panic of one keeps no other from being woken: tokio's
/// `Notify` can leave out some of those that waited beside it.
#[derive(Debug, Default)]
pub struct Notify(Mutex<Waiters>);

#[derive(Debug, Default)]
struct Waiters {
    /// How many changes there have been.
    changes: u64,
    next_key: u64,
    wakers: BTreeMap<u64, Waker>,
}

/// The wait for the next change after it was made, whether it has been polled by then or not.
#[derive(Debug)]
#[must_use = "a wait does nothing unless polled"]
pub struct Notified<'a> {
    notify: &'a Notify,
    changes: u64,
    key: Option<u64>,
}

impl Notify {
    /// Begins to wait for the next change.
    pub fn notified(&self) -> Notified<'_> {
        Notified { notify: self, changes: self.0.lock().changes, key: None }
    }

    /// Tells of a change: whoever has begun to wait is woken.
    pub fn notify_all(&self) {
        let wakers = {
            let mut waiters = self.0.lock();
            waiters.changes += 1;
            std::mem::take(&mut waiters.wakers)
        };
        for waker in wakers.into_values() {
            wake(waker);
            #[cfg(landfall_faults)]
            if is_armed(Fault::WakeFirstOnly) {
                return;
            }
        }
    }
}

impl Future for Notified<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // A waker's clone and its destructor are a user's code: outside of the lock.
        let waker = cx.waker().clone();
        let mut waiters = self.notify.0.lock();
        if waiters.changes != self.changes {
            drop(waiters);
            dispose(waker);
            return Poll::Ready(());
        }
        #[cfg(landfall_faults)]
        if is_armed(Fault::WakerAfterCheck) {
            drop(waiters);
            waiters = self.notify.0.lock();
        }
        let key = self.key.unwrap_or(waiters.next_key);
        waiters.next_key = waiters.next_key.max(key + 1);
        let before = waiters.wakers.insert(key, waker);
        drop(waiters);
        dispose(before);
        self.key = Some(key);
        Poll::Pending
    }
}

impl Drop for Notified<'_> {
    fn drop(&mut self) {
        let Some(key) = self.key else { return };
        let mut waiters = self.notify.0.lock();
        #[cfg(landfall_faults)]
        let key = match waiters.wakers.last_key_value() {
            Some((last, _)) if is_armed(Fault::ForgetLastWaiter) => *last,
            _ => key,
        };
        let waker = waiters.wakers.remove(&key);
        drop(waiters);
        dispose(waker);
    }
}
