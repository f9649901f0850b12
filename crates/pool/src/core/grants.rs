//! Claims that are granted a connection and leave it in its slot until they are called: what readiness is to tower.

use std::task::Waker;

use super::queue::{Failure, Wait, Waiter, WaiterId};
use super::{At, Core, Effects};

/// What a claim finds that is to be granted a connection, and does not take it yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grant {
    Waits,
    /// It is in its slot, for as long as the policy lets a grant wait.
    Given,
    Failed(Failure),
}

/// Why a claim may not wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// As many wait as may.
    Full {
        waiting: usize,
    },
    Closed,
}

impl<T> Core<T> {
    /// Puts a claim in line, whether a connection is idle or not: that one is granted to it.
    pub(crate) fn wait_for_grant(&mut self, now: At, waiter: Waiter) -> (Result<WaiterId, Refusal>, Effects<T>) {
        let mut effects = Effects::none();
        if self.is_closed {
            effects.forget(Some(waiter.waker));
            return (Err(Refusal::Closed), effects);
        }
        let joined = self.join_line(now, waiter, false, &mut effects);
        (joined.map_err(|waiting| Refusal::Full { waiting }), effects)
    }

    /// What a claim finds that has not been called yet. Without an answer it leaves its waker; with a failure it is out
    /// of here; with a grant it stays, and has no deadline until it is called.
    pub(crate) fn poll_grant(&mut self, id: WaiterId, waker: Waker, now: impl Fn() -> At) -> (Grant, Effects<T>) {
        let mut effects = Effects::none();
        self.look_again_if_late(id, now, &mut effects);
        let grant = match self.queue.wait(id) {
            Some(Wait::Queued | Wait::Checking | Wait::Late) => {
                effects.forget(self.queue.park(id, waker));
                return (Grant::Waits, effects);
            }
            Some(Wait::Granted { .. } | Wait::Prepared { .. }) => {
                self.queue.set_deadline(id, At::NEVER);
                Grant::Given
            }
            Some(Wait::Failed(failure)) => {
                effects.forget(self.queue.remove(id));
                Grant::Failed(failure)
            }
            None => Grant::Failed(Failure::Closed),
        };
        effects.forget(Some(waker));
        (grant, effects)
    }

    /// A claim is called that waits or has been granted something: its limit of time begins. For one whose grant has
    /// passed on the wait begins too; it was not waiting before.
    pub(crate) fn call_waiter(&mut self, id: WaiterId, now: At, deadline: At) -> Effects<T> {
        let mut effects = Effects::none();
        let Some(wait) = self.queue.wait(id) else { return effects };
        self.queue.set_deadline(id, deadline);
        if wait == Wait::Late {
            self.queue.begin_anew(id, now);
        }
        self.timers.note_waiter(deadline, &mut effects.is_earlier);
        effects
    }

    /// How much is asked of the pool: handles that are out, grants, and claims in line.
    pub(crate) fn pending(&self) -> usize {
        self.counts.out() + self.queue.queued()
    }
}
