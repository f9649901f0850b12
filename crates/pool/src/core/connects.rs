//! Which connections are opened where, and what is known of a backend by how that went.

use std::cmp::Ordering;
use std::sync::{Arc, Weak};

use super::backends::Entry;
use super::slots::{Kind, SlotState};
use super::standing::Standing;
use super::{At, Core, Effects, Slot, SlotId};
use crate::change::{BackendChange, PoolChange, SlotChange};
use crate::claim::ConnectError;
#[cfg(landfall_faults)]
use crate::faults::{Fault, is_armed};
use crate::interrupt::Interrupt;

/// For how many slots room is made at least.
const SLOTS_ROOM_MIN: usize = 16;

impl<T> Core<T> {
    /// Opens what is needed, as far as the caps and the backends allow.
    ///
    /// Needed is a connection for each claim in line, and the spares. Connects belong to nobody: a claim that gives up
    /// wastes none, and no more are begun than somebody waits for.
    pub(super) fn plan(&mut self, now: At, effects: &mut Effects<T>) {
        if self.is_closed {
            return;
        }
        self.review_ejected(now, effects);
        self.prefer_best(now, effects);
        while self.lacks_connections() {
            if self.counts.used() >= self.policy.slots_max {
                self.cancel_a_probe(effects);
                break;
            }
            let Some(backend) = self.choose_to_connect() else { break };
            self.begin_connect(backend, false, now, effects);
        }
        self.begin_trials(now, effects);
        self.probe(now, effects);
        self.renew_unanswered(now, effects);
        self.note_offline(now, effects);
    }

    /// Whether fewer connections are there or on their way than are needed.
    pub(super) fn lacks_connections(&self) -> bool {
        self.surplus() < 0
    }

    /// How many connections more than needed are there or on their way. Probes do not count: they are not to be relied
    /// on.
    pub(super) fn surplus(&self) -> isize {
        let needed = self.counts.out() + self.queue.checking() + self.queue.queued() + self.policy.spares_wanted;
        #[cfg(landfall_faults)]
        if is_armed(Fault::ConnectEach) {
            let open = self.counts.live() - self.counts.of(Kind::Connecting);
            return open as isize - needed.max(self.policy.slots_min) as isize;
        }
        self.counts.live() as isize - self.backends.probes as isize - needed.max(self.policy.slots_min) as isize
    }

    /// Whether there is no connection, and no backend that can be expected to give one.
    pub(super) fn is_offline(&self) -> bool {
        self.backends.is_offline() && self.counts.live() == self.counts.of(Kind::Connecting)
    }

    fn note_offline(&mut self, now: At, effects: &mut Effects<T>) {
        if !self.is_offline() {
            if self.timers.offline_since.take().is_some() {
                self.tell_pool(|| PoolChange::Online, effects);
            }
            return;
        }
        if self.timers.offline_since.is_none() {
            effects.is_news = true;
            self.tell_pool(|| PoolChange::Offline, effects);
        }
        self.timers.offline_since.get_or_insert(now);
        self.timers.note_waiter(now.plus(self.policy.offline_wait), &mut effects.is_earlier);
    }

    /// Of the backends that are preferred, take part and have room the one with the fewest slots for its weight; of
    /// several such one at random.
    pub(super) fn choose_to_connect(&mut self) -> Option<u32> {
        let best = self.backends.best();
        let (mut picked, mut seen): (Option<u32>, _) = (None, 0);
        for &index in &self.backends.current {
            let entry = self.backends.get(index);
            if !self.may_open(entry, best) {
                continue;
            }
            let with_it = |entry: &Entry| entry.weighed(entry.counts.used() + 1);
            let order = picked.map_or(Ordering::Less, |picked| with_it(entry).cmp(&with_it(self.backends.get(picked))));
            seen = if order.is_lt() { 1 } else { seen + usize::from(order.is_eq()) };
            if order.is_lt() || order.is_eq() && self.random.below(seen) == 0 {
                picked = Some(index);
            }
        }
        picked
    }

    /// Whether a connection that somebody relies on may be opened there, where this priority is the best.
    pub(super) fn may_open(&self, entry: &Entry, best: Option<u16>) -> bool {
        entry.is_available() && entry.is_preferred(best) && entry.counts.used() < self.policy.slots_per_backend()
    }

    pub(super) fn begin_connect(&mut self, backend: u32, is_probe: bool, now: At, effects: &mut Effects<T>) {
        let entry = self.backends.get_mut(backend);
        let round = entry.round;
        entry.tried_at = now;
        entry.connects += 1;
        entry.probes += u32::from(is_probe);
        self.backends.probes += u32::from(is_probe);
        let target = Arc::clone(&self.backends.get(backend).backend);
        let index = self.free_slot(backend);
        if let Standing::OnTrial { slot: slot @ None, .. } = &mut self.backends.get_mut(backend).standing {
            *slot = Some(index);
        }
        self.slots[index as usize].opened = now;
        drop(self.enter(index, SlotState::Connecting { round, is_probe, is_cancelled: false }));
        self.tell_slot(index, || SlotChange::Connecting, effects);
        effects.connect(self.id_of(index), target);
    }

    fn free_slot(&mut self, backend: u32) -> u32 {
        if let Some(index) = self.vacant.pop() {
            let slot = &mut self.slots[index as usize];
            (slot.backend, slot.retired, slot.is_proven, slot.has_failed) = (backend, None, false, false);
            return index;
        }
        let index = u32::try_from(self.slots.len()).expect("slots_max is below this");
        if self.slots.len() == self.slots.capacity() {
            // By an eighth, and no more room than there may be slots: they are what an idle connection costs.
            let missing = self.policy.slots_max.saturating_sub(self.slots.len());
            self.slots.reserve_exact(SLOTS_ROOM_MIN.max(self.slots.len() / 8).min(missing.max(1)));
        }
        self.slots.push(Slot {
            generation: 0,
            backend,
            retired: None,
            is_proven: false,
            has_failed: false,
            state: SlotState::Vacant,
            opened: At::default(),
            expires: At::NEVER,
            used: At::default(),
            sound: At::default(),
            claims: 0,
        });
        index
    }

    /// A connect has given a connection.
    pub(crate) fn connected(
        &mut self,
        id: SlotId,
        connection: T,
        interrupt: Option<Weak<dyn Interrupt>>,
        now: At,
    ) -> Effects<T> {
        let mut effects = Effects::none();
        let Some(&Slot { state: SlotState::Connecting { is_probe, .. }, backend, .. }) = self.live_slot(id) else {
            debug_assert!(false, "only a connect gives it");
            return effects;
        };
        let life = self.policy.lifetime_max.map(|life| {
            life - self.random.part_of(life.mul_f64(f64::from(self.policy.lifetime_jitter_percent) / 100.0))
        });
        #[cfg(landfall_faults)]
        let life = life.filter(|_| !is_armed(Fault::ForgetLifetime));
        let slot = &mut self.slots[id.index as usize];
        let began = slot.opened;
        (slot.opened, slot.used, slot.sound, slot.expires) = (now, now, now, now.plus_if(life));
        self.tally.connects.note(now.nanos_since(began), true);
        self.interrupts.put(id.index, interrupt);
        self.backends.probes -= u32::from(is_probe);
        let entry = self.backends.get_mut(backend);
        let was_failing = entry.is_failing();
        entry.failures = 0;
        let has_recovered = was_failing && !entry.is_failing();
        effects.forget_error(entry.last_error.take());
        entry.probes -= u32::from(is_probe);
        // So that a release never has to make room.
        let missing = entry.counts.live().saturating_sub(entry.idle.len());
        entry.idle.reserve(missing);
        self.tell_slot(id.index, || SlotChange::Connected, &mut effects);
        if has_recovered {
            self.tell_backend(backend, BackendChange::Recovered, &mut effects);
        }
        self.timers.note_slot(now, now.plus_if(life), &self.policy, &mut effects.is_earlier);
        if let Some(connection) = self.try_out(id.index, connection, now, &mut effects) {
            self.settle(id.index, connection, now, &mut effects);
        }
        if has_recovered || self.backends.get(backend).was_silent {
            self.give_up_unanswered(backend, began, &mut effects);
        }
        self.plan(now, &mut effects);
        effects.is_news = true;
        effects
    }

    /// A connect has failed, or taken too long.
    pub(crate) fn connect_failed(&mut self, id: SlotId, failure: ConnectError, now: At) -> Effects<T> {
        let mut effects = Effects::none();
        if let Some(slot) = self.live_slot(id).filter(|slot| slot.state.kind() == Kind::Connecting) {
            let (backend, began) = (slot.backend, slot.opened);
            if matches!(failure, ConnectError::Failed { .. }) && self.backends.get(backend).was_silent {
                self.give_up_unanswered(backend, began, &mut effects);
            }
            self.connect_over(id.index, now, Some(failure), &mut effects);
        }
        effects.is_news = true;
        effects
    }

    /// A connect is over without a connection; without a failure it was dropped.
    pub(super) fn connect_over(
        &mut self,
        index: u32,
        now: At,
        failure: Option<ConnectError>,
        effects: &mut Effects<T>,
    ) {
        let slot = self.slot(index);
        let (backend, SlotState::Connecting { round, is_probe, is_cancelled }) = (slot.backend, &slot.state) else {
            return;
        };
        let (round, is_probe, is_cancelled) = (*round, *is_probe, *is_cancelled);
        self.tell_slot(
            index,
            || failure.clone().map_or(SlotChange::ConnectGivenUp, SlotChange::ConnectFailed),
            effects,
        );
        self.backends.probes -= u32::from(is_probe);
        let entry = self.backends.get_mut(backend);
        entry.probes -= u32::from(is_probe);
        let was_failing = entry.is_failing();
        if !is_cancelled {
            entry.connects_failed += 1;
            entry.failed_at = now;
            // Several attempts that were begun together fail together: that is one failure.
            if round == entry.round {
                entry.round += 1;
                entry.failures = entry.failures.saturating_add(1);
            }
            let pause = self.pause(backend);
            self.backends.get_mut(backend).retry_at = now.plus(pause);
            if failure.is_some() {
                effects.forget_error(std::mem::replace(&mut self.backends.get_mut(backend).last_error, failure));
            }
        } else {
            effects.forget_error(failure);
        }
        if !was_failing && self.backends.get(backend).is_failing() {
            self.tell_backend(backend, BackendChange::Failing, effects);
        }
        self.vacate(index, effects);
        self.plan(now, effects);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::Random;
    use crate::policy::Policy;

    #[test]
    fn there_is_room_for_no_more_slots_than_may_be() {
        let policy = Policy { slots_max: 1_100, slots_min: 1_100, ..Policy::default() };
        let mut core: Core<()> = Core::new(policy, Random::seeded(1));
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
        drop(core.set_backends(vec![address.into()], At::default()));
        assert_eq!((core.slots.len(), core.slots.capacity()), (1_100, 1_100));
    }

    #[test]
    fn the_error_of_a_connect_that_was_given_up_is_not_dropped_under_the_lock() {
        let policy = Policy { slots_max: 1, slots_min: 1, ..Policy::default() };
        let mut core: Core<()> = Core::new(policy, Random::seeded(1));
        let backend = crate::backend::Backend::from(std::net::SocketAddr::from(([127, 0, 0, 1], 1)));
        drop(core.set_backends(vec![backend.clone()], At::default()));
        let id = core.id_of(0);
        drop(core.set_backends(Vec::new(), At::default()));
        let source: Arc<dyn std::error::Error + Send + Sync> = Arc::from(crate::BoxError::from("planned"));
        let kept = Arc::downgrade(&source);
        let effects = core.connect_failed(id, ConnectError::Failed { backend, source }, At::default());
        assert_eq!(kept.strong_count(), 1, "it is left to who has no lock");
        drop(effects);
        assert_eq!(kept.strong_count(), 0);
    }
}
