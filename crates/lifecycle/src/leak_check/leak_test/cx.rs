//! What the body of a leak test is given.

use std::fmt::{self, Debug, Formatter};

use crate::leak_check::LeakCheck;
use crate::shutdown::Shutdown;
use crate::sync::{Arc, Mutex};
use crate::task_set::{Core, TaskSet};
use crate::terminate::Terminate;

/// Where the body of a leak test says what is to be ended and watched.
///
/// Clones are the same test.
#[derive(Clone, Default)]
pub struct LeakCx(Arc<Mutex<Parts>>);

#[derive(Default)]
struct Parts {
    owned: Vec<Arc<dyn Terminate>>,
    watched: Vec<Arc<Core>>,
}

impl LeakCx {
    /// Hands an owner over: it is terminated when the body has returned, the last one first, and then nothing that its
    /// report names may be left.
    pub fn own(&self, owner: impl Terminate + 'static) {
        self.0.lock().owned.push(Arc::new(owner));
    }

    /// Watches a set that the body ends itself: nothing may live in it, or in a set below it, when the body has
    /// returned. Keeps no handle to it, so a set that the body drops is aborted then, as ever.
    pub fn watch(&self, set: &TaskSet) {
        self.0.lock().watched.push(Arc::clone(set.core()));
    }

    /// Terminates what was handed over, and has all of it watched.
    pub(super) async fn end(self, how: &Shutdown, mut check: LeakCheck) -> LeakCheck {
        let Parts { owned, watched } = std::mem::take(&mut *self.0.lock());
        for owner in owned.iter().rev() {
            // What it says now may have settled when the check looks, so the check asks again.
            drop(owner.terminate(how).await);
        }
        for owner in owned {
            check = check.watch_owner(owner);
        }
        for set in watched {
            check = check.watch_core(set);
        }
        check
    }
}

impl Debug for LeakCx {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeakCx").finish_non_exhaustive()
    }
}
