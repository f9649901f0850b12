//! Those who wait for the pool to be warm.

use super::slots::Kind;
use super::{At, Core, Effects};

impl<T> Core<T> {
    /// Somebody begins to wait until the pool is warm: backends that fail are tried as for a claim, and when he has
    /// waited for as long as one does while nothing is online there is news for him.
    pub(crate) fn begin_warm_up(&mut self, now: At) -> Effects<T> {
        let mut effects = Effects::none();
        self.warming += 1;
        self.timers.note_waiter(now.plus(self.policy.offline_wait), &mut effects.is_earlier);
        self.plan(now, &mut effects);
        effects
    }

    /// He waits no longer.
    pub(crate) fn end_warm_up(&mut self) {
        self.warming -= 1;
    }

    /// Whether as many connections are there as the policy keeps, as far as the caps allow.
    pub(crate) fn is_warm(&self) -> bool {
        let wanted = self.policy.slots_min.max(self.counts.out() + self.policy.spares_wanted);
        let room = self.policy.slots_per_backend().saturating_mul(self.backends.current.len());
        let open = self.counts.live() - self.counts.of(Kind::Connecting);
        self.backends.is_resolved && open > 0 && open >= wanted.min(self.policy.slots_max).min(room)
            || (self.backends.is_resolved && wanted == 0)
    }

    /// Whether it has been offline for as long as one waits who began then.
    pub(crate) fn is_offline_for(&self, began: At, now: At) -> bool {
        self.timers.offline_since.is_some_and(|since| now.since(since.max(began)) >= self.policy.offline_wait)
    }
}
