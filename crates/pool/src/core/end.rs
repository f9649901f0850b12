//! How the core ends: nobody gets anything any more, what is idle goes, what is out is known.

use std::panic::Location;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::queue::{Failure, Wait};
use super::slots::{Kind, Retired, SlotState};
use super::{At, Core, Effects};
use crate::backend::Backend;
use crate::change::PoolChange;
use crate::claim::ConnectError;
#[cfg(landfall_faults)]
use crate::faults::{Fault, is_armed};
use crate::interrupt::Interrupt;

/// A handle that is out.
#[derive(Clone, Debug)]
pub(crate) struct Out {
    pub(crate) backend: Arc<Backend>,
    pub(crate) place: &'static Location<'static>,
    pub(crate) age: Duration,
}

impl<T> Core<T> {
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Closes the gate: claims that wait fail, connects are given up, idle connections go.
    pub(crate) fn close(&mut self, now: At) -> Effects<T> {
        let mut effects = Effects::none();
        if std::mem::replace(&mut self.is_closed, true) {
            return effects;
        }
        self.tell_pool(|| PoolChange::Terminating, &mut effects);
        let waiting: Vec<_> = self.queue.each().map(|(id, wait, ..)| (id, wait)).collect();
        for (id, wait) in waiting {
            match wait {
                Wait::Failed(_) => continue,
                #[cfg(landfall_faults)]
                Wait::Granted { .. } | Wait::Prepared { .. } if is_armed(Fault::KeepGranted) => {}
                Wait::Granted { slot, .. } | Wait::Prepared { slot, .. } => {
                    self.pass_on(id, slot, now, &mut effects);
                }
                Wait::Queued | Wait::Checking | Wait::Late => {}
            }
            effects.wake(self.queue.set(id, Wait::Failed(Failure::Closed)));
        }
        self.retire(Retired::Evicted, |_| true, now, &mut effects);
        if self.counts.used() == 0 {
            self.finish_telling(&mut effects);
        }
        effects.is_news = true;
        effects
    }

    /// How many backends there are, and the last error of any.
    pub(crate) fn offline(&self) -> (usize, Option<ConnectError>) {
        (self.backends.current.len(), self.backends.last_error())
    }

    /// The same at the time when claims failed because of it.
    pub(crate) fn outage(&self) -> (usize, Option<ConnectError>) {
        self.outage.clone()
    }

    /// The handles that are out.
    pub(crate) fn out(&self, now: At) -> Vec<Out> {
        let claimed = self.slots.iter().filter_map(|slot| match &slot.state {
            SlotState::Claimed(claimed) => Some((slot, claimed)),
            _ => None,
        });
        let out = claimed.map(|(slot, claimed)| {
            let backend = Arc::clone(&self.backends.get(slot.backend).backend);
            Out { backend, place: claimed.place, age: now.since(claimed.since) }
        });
        out.collect()
    }

    /// The ways to interrupt what is out, each to be used once.
    pub(crate) fn take_interrupts(&mut self) -> Vec<Weak<dyn Interrupt>> {
        let claimed = self.slots.iter().zip(0_u32..).filter(|(slot, _)| slot.state.kind() == Kind::Claimed);
        claimed.filter_map(|(_, index)| self.interrupts.take(index)).collect()
    }
}
