//! What is due when: the instants that the pool's one maintenance task waits for.
//!
//! For each sort of timer only a lower bound is kept; when it comes, all of that sort are looked at. So neither a claim
//! nor a release has to touch a timer: what they could make due is due later than the bound, or makes it earlier by one
//! comparison.

use std::sync::Arc;
use std::time::Duration;

use super::queue::{Cause, Failure, Shortage, Wait};
use super::slots::{Kind, SlotState};
use super::{At, Check, Core, Effects, Held};
use crate::change::{CloseReason, SlotChange};
#[cfg(landfall_faults)]
use crate::faults::{Fault, is_armed};
use crate::policy::Policy;

/// Slots are looked at in steps of this, so that many that come due one by one do not cost a look each.
const SLOTS_STEP: Duration = Duration::from_millis(50);

/// How soon after a claim took a spare the next one is opened.
const SPARES_STEP: Duration = Duration::from_millis(1);

#[derive(Debug)]
pub(super) struct Timers {
    waiters: At,
    slots: At,
    backends: At,
    rebalance: At,
    /// When the maintenance task looks next.
    planned: At,
    /// When it looked last.
    looked: At,
    /// Since when there has been neither a connection nor a backend to expect one from.
    pub(super) offline_since: Option<At>,
}

impl Default for Timers {
    fn default() -> Self {
        // The task looks once when it starts; before that nobody has to be told.
        let (waiters, slots, backends, rebalance) = (At::NEVER, At::NEVER, At::NEVER, At::NEVER);
        Self { waiters, slots, backends, rebalance, planned: At::default(), looked: At::default(), offline_since: None }
    }
}

impl Timers {
    #[inline]
    pub(super) fn note_waiter(&mut self, at: At, is_earlier: &mut bool) {
        if at < self.waiters {
            self.waiters = at;
            self.expect(at, is_earlier);
        }
    }

    pub(super) fn note_backend(&mut self, at: At, is_earlier: &mut bool) {
        self.backends = self.backends.min(at);
        self.expect(at, is_earlier);
    }

    /// Spares are to be opened in a little while: after the last look if that was later than `now`, which may lag. Else
    /// each claim would have the task look.
    pub(super) fn note_spares(&mut self, now: At, is_earlier: &mut bool) {
        self.note_backend(now.max(self.looked).plus(SPARES_STEP), is_earlier);
    }

    /// A connection is there: from now on it may become due for something.
    pub(super) fn note_slot(&mut self, now: At, expires: At, policy: &Policy, is_earlier: &mut bool) {
        let at = expires.min(now.plus_if(soonest(policy)));
        self.slots = self.slots.min(at);
        self.expect(at, is_earlier);
    }

    /// Plans the next look at how connections are spread, if there is something to spread over and none is planned.
    pub(super) fn plan_rebalance(&mut self, now: At, policy: &Policy, backends: usize, is_earlier: &mut bool) {
        if self.rebalance == At::NEVER && backends > 1 {
            self.rebalance = now.plus_if(policy.rebalance_interval);
            self.expect(self.rebalance, is_earlier);
        }
    }

    fn expect(&mut self, at: At, is_earlier: &mut bool) {
        if at < self.planned {
            self.planned = at;
            *is_earlier = true;
        }
    }
}

/// How soon after a use a connection may be due for something.
fn soonest(policy: &Policy) -> Option<Duration> {
    [policy.idle_timeout, policy.keepalive, policy.held_report_after].into_iter().flatten().min()
}

impl<T> Core<T> {
    /// Does what is due, and gives the instant of the next look.
    pub(crate) fn tick(&mut self, now: At) -> (At, Effects<T>) {
        let mut effects = Effects::none();
        if self.timers.waiters <= now {
            self.timers.waiters = At::NEVER;
            self.look_at_waiters(now, &mut effects);
            effects.is_news |= self.timers.offline_since.is_some();
        }
        if self.timers.slots <= now {
            self.timers.slots = At::NEVER;
            self.look_at_slots(now, &mut effects);
        }
        if self.timers.backends <= now {
            self.timers.backends = At::NEVER;
            self.plan(now, &mut effects);
        }
        if self.timers.rebalance <= now {
            self.timers.rebalance = At::NEVER;
            self.rebalance(now, &mut effects);
        }
        let Timers { waiters, slots, backends, rebalance, .. } = self.timers;
        let next = waiters.min(slots).min(backends).min(rebalance);
        (self.timers.planned, self.timers.looked) = (next, now);
        effects.is_earlier = false;
        (next, effects)
    }

    fn look_at_waiters(&mut self, now: At, effects: &mut Effects<T>) {
        let offline_ends = self.timers.offline_since.map(|since| (since, self.policy.offline_wait));
        #[cfg(landfall_faults)]
        let offline_ends = offline_ends.filter(|_| !is_armed(Fault::WaitOffline));
        let (mut failed, mut late) = (Vec::new(), Vec::new());
        let mut next = self.warming_offline_at(now);
        for (id, wait, began, deadline) in self.queue.each() {
            let offline_at = offline_ends.map_or(At::NEVER, |(since, wait)| since.max(began).plus(wait));
            let at = match wait {
                Wait::Queued => deadline.min(offline_at),
                Wait::Checking | Wait::Late => deadline,
                Wait::Granted { since, .. } | Wait::Prepared { since, .. } => self.grant_ends(since),
                Wait::Failed(_) => At::NEVER,
            };
            match wait {
                _ if at > now => next = next.min(at),
                Wait::Granted { slot, .. } | Wait::Prepared { slot, .. } => {
                    late.push((id, slot));
                    next = next.min(deadline);
                }
                _ if deadline <= now => failed.push((id, Failure::TimedOut(self.shortage(wait)))),
                _ => failed.push((id, Failure::Offline)),
            }
        }
        self.timers.note_waiter(next, &mut effects.is_earlier);
        if failed.iter().any(|(_, failure)| *failure == Failure::Offline) {
            let outage = self.offline();
            effects.forget_error(std::mem::replace(&mut self.outage, outage).1);
        }
        // First, so that nothing passes on to one of them.
        for (id, failure) in failed {
            match failure {
                Failure::TimedOut(_) => self.tally.timed_out += 1,
                Failure::Offline => self.tally.offline += 1,
                Failure::Closed => {}
            }
            effects.wake(self.queue.set(id, Wait::Failed(failure)));
        }
        for (id, slot) in late {
            self.pass_on(id, slot, now, effects);
        }
    }

    /// What a claim that waits like this lacks.
    fn shortage(&self, wait: Wait) -> Shortage {
        let claimed = self.counts.of(Kind::Claimed);
        let connecting = self.counts.of(Kind::Connecting);
        let cause = match wait {
            #[cfg(landfall_faults)]
            _ if is_armed(Fault::BlameConnect) => Cause::Connect,
            Wait::Checking => Cause::Check,
            _ if !self.backends.is_resolved => Cause::Resolver,
            // Late: it had one and did not take it.
            _ if connecting == 0 || claimed >= self.policy.slots_max => Cause::Slot,
            _ => Cause::Connect,
        };
        let busy = if cause == Cause::Connect { connecting } else { claimed };
        Shortage { cause, waiting: self.queue.queued() as u32, busy: busy as u32 }
    }

    fn look_at_slots(&mut self, now: At, effects: &mut Effects<T>) {
        self.was_resized &= self.is_beyond_caps();
        let mut next = if self.counts.live() == 0 { At::NEVER } else { now.plus_if(soonest(&self.policy)) };
        for index in 0..self.slots.len() as u32 {
            let at = match &mut self.slots[index as usize].state {
                SlotState::Idle { .. } => self.look_at_idle(index, now, effects),
                SlotState::Claimed(claimed) if !claimed.is_reported => {
                    let at = self.policy.held_report_after.map_or(At::NEVER, |after| claimed.since.plus(after));
                    #[cfg(landfall_faults)]
                    let at = if is_armed(Fault::ForgetHeld) { At::NEVER } else { at };
                    if at <= now {
                        claimed.is_reported = true;
                        let (place, age) = (claimed.place, now.since(claimed.since));
                        let slot = self.slot(index);
                        let backend = Arc::clone(&self.backends.get(slot.backend).backend);
                        self.tell_slot(index, || SlotChange::Held { place: place.into(), age }, effects);
                        effects.report_held(Held { slot: self.id_of(index), backend, place, age });
                        self.tally.held_long += 1;
                    }
                    at
                }
                _ => At::NEVER,
            };
            if at > now {
                next = next.min(at);
            }
            // What is not idle now will be, and nobody tells of that.
            let slot = &self.slots[index as usize];
            if slot.state.may_become_idle() && slot.expires > now {
                next = next.min(slot.expires);
            }
        }
        self.timers.slots = self.timers.slots.min(next.max(now.plus(SLOTS_STEP)));
        self.timers.expect(self.timers.slots, &mut effects.is_earlier);
    }

    /// Closes an idle connection, checks it, or says when there will be something to do.
    fn look_at_idle(&mut self, index: u32, now: At, effects: &mut Effects<T>) -> At {
        let slot = self.slot(index);
        let (expires, checks) = (slot.expires, self.policy.keepalive.map_or(At::NEVER, |after| slot.sound.plus(after)));
        let too_long = self.policy.idle_timeout.map_or(At::NEVER, |after| slot.used.plus(after));
        let is_spared = too_long <= now && self.surplus() <= 0;
        if expires <= now || (too_long <= now && !is_spared) {
            self.close_idle(index, CloseReason::Unused, now, effects);
            return At::NEVER;
        }
        // Those that were opened together are due together: most of them stay ready meanwhile.
        let may_check = self.counts.of(Kind::Checking) <= self.counts.live() / 4;
        if checks <= now && !may_check {
            return now.plus(SLOTS_STEP);
        }
        if checks <= now
            && let Some(connection) =
                self.take_idle(index, SlotState::Checking { until: None, check: Check::Keepalive })
        {
            self.begin_check(self.id_of(index), connection, Check::Keepalive, effects);
            return At::NEVER;
        }
        expires.min(checks).min(if is_spared { At::NEVER } else { too_long })
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::panic::Location;
    use std::sync::Arc;
    use std::task::Waker;

    use super::*;
    use crate::backend::Backend;
    use crate::claim::ConnectError;
    use crate::core::{Back, Begun, Hold, Polled, Random, Returned, SlotId, Taken, Waiter};

    #[test]
    fn a_connection_that_is_out_when_another_one_expires_has_its_own_end_noticed() {
        let policy = Policy {
            slots_max: 2,
            slots_min: 2,
            lifetime_max: Some(Duration::from_secs(60)),
            lifetime_jitter_percent: 0,
            idle_timeout: None,
            keepalive: None,
            validate_after: None,
            held_report_after: None,
            ..Policy::default()
        };
        let mut core: Core<u32> = Core::new(policy, Random::seeded(1));
        let at = |seconds| At::after_start(Duration::from_secs(seconds));
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
        drop(core.set_backends(vec![address.into()], at(0)));
        for index in 0..2 {
            let id = SlotId { index, generation: 0 };
            drop(core.connected(id, index, None, at(10 * u64::from(index))));
        }
        let Taken::Hit(grip, 1) = core.take(at(20), Location::caller(), true, &mut false) else {
            panic!("the younger one is idle");
        };
        let (_, effects) = core.tick(at(60));
        drop(effects);
        assert_eq!(core.counts.of(Kind::Closing), 1);
        let hold = Hold { since: at(20), is_timed: false };
        assert!(matches!(core.give_back(grip.id, 1, Returned::Fit, hold, at(61)), Back::Idle));
        let (next, effects) = core.tick(at(62));
        drop(effects);
        assert_eq!(next, at(70));
    }

    #[test]
    fn a_claim_that_failed_offline_is_told_why_though_the_backend_is_back_when_it_looks() {
        let policy = Policy { claim_timeout: Duration::from_secs(9), ..Policy::default() };
        let at = |seconds| At::after_start(Duration::from_secs(seconds));
        let mut core: Core<u32> = Core::new(policy, Random::seeded(1));
        let backend = Backend::from(std::net::SocketAddr::from(([127, 0, 0, 1], 1)));
        drop(core.set_backends(vec![backend.clone()], at(0)));
        let waiter = Waiter { waker: Waker::noop().clone(), began: at(0), deadline: at(9) };
        let (Begun::Waits(id), _) = core.take_or_wait(at(0), waiter, Location::caller(), false) else {
            panic!("nothing is there to take");
        };
        let source: Arc<dyn Error + Send + Sync> = Arc::from(crate::BoxError::from("planned"));
        let failed = ConnectError::Failed { backend, source };
        // The last retry is under way when the claim fails, and succeeds before it looks.
        let attempt = |core: &Core<u32>| {
            let index = core.slots.iter().position(|slot| slot.state.kind() == Kind::Connecting);
            core.id_of(index.expect("it is due") as u32)
        };
        for second in 1..=3 {
            drop(core.connect_failed(attempt(&core), failed.clone(), at(second)));
            drop(core.tick(at(second + 1)));
        }
        drop(core.tick(at(5)));
        assert_eq!(core.queue.wait(id), Some(Wait::Failed(Failure::Offline)));
        drop(core.connected(attempt(&core), 1, None, at(6)));
        let (polled, _) = core.poll_waiter(id, Waker::noop().clone(), Location::caller(), || at(6));
        assert!(matches!(polled, Polled::Failed(Failure::Offline)), "{polled:?}");
        assert!(matches!(core.outage(), (1, Some(ConnectError::Failed { .. }))), "{:?}", core.outage());
        assert!(matches!(core.offline(), (1, None)), "it has recovered");
    }
}
