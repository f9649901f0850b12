//! Those who wait for the pool to be warm.

use super::slots::Kind;
use super::{At, Core, Effects};

impl<T> Core<T> {
    /// Somebody begins to wait until the pool is warm: backends that fail are tried as for a claim, and when he has
    /// waited for as long as one does while nothing is online there is news for him.
    pub(crate) fn begin_warm_up(&mut self, now: At) -> Effects<T> {
        let mut effects = Effects::none();
        self.warming.push(now);
        self.timers.note_waiter(now.plus(self.policy.offline_wait), &mut effects.is_earlier);
        self.plan(now, &mut effects);
        effects
    }

    /// He who began then waits no longer.
    pub(crate) fn end_warm_up(&mut self, began: At) {
        if let Some(place) = self.warming.iter().position(|it| *it == began) {
            self.warming.swap_remove(place);
        }
    }

    /// When there is news next for one of those who wait, if nothing comes online meanwhile.
    pub(super) fn warming_offline_at(&self, now: At) -> At {
        let Some(since) = self.timers.offline_since else { return At::NEVER };
        let ends = self.warming.iter().map(|began| since.max(*began).plus(self.policy.offline_wait));
        ends.filter(|at| *at > now).min().unwrap_or(At::NEVER)
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
