//! Backends that others do better than: which are left out, for how long, and how they come back.

use std::sync::Arc;

use super::backends::Entry;
use super::slots::{Retired, SlotState};
use super::standing::{Standing, Tried};
use super::{At, Check, Core, Effects, SlotId};
use crate::change::{BackendChange, CloseReason, EjectReason};
#[cfg(landfall_faults)]
use crate::faults::{Fault, is_armed};

/// A failure rate of one.
const ALL: u64 = 100_000;

impl<T> Core<T> {
    /// A holder reports that the backend failed him.
    pub(crate) fn report_failure(&mut self, id: SlotId, now: At) -> Effects<T> {
        let mut effects = Effects::none();
        if self.live_slot(id).is_some() {
            self.slots[id.index as usize].has_failed = true;
            self.note_tried(id.index, Tried::Use, false, now, &mut effects);
            self.plan(now, &mut effects);
        }
        effects
    }

    /// A connection comes back from its holder: what he reported is counted, else how it came back.
    pub(super) fn note_use(&mut self, index: u32, is_well: bool, now: At, effects: &mut Effects<T>) {
        let slot = &mut self.slots[index as usize];
        if !std::mem::take(&mut slot.has_failed) {
            self.note_tried(index, Tried::Use, is_well, now, effects);
        }
    }

    /// A use or a check of a connection went well, or did not.
    pub(super) fn note_tried(&mut self, index: u32, tried: Tried, is_well: bool, now: At, effects: &mut Effects<T>) {
        let backend = self.slot(index).backend;
        if self.is_closed || self.backends.get(backend).is_removed {
            return;
        }
        self.tally.uses_failed += u64::from(tried == Tried::Use && !is_well);
        let entry = self.backends.get_mut(backend);
        entry.uses_failed += u64::from(tried == Tried::Use && !is_well);
        match &mut entry.standing {
            // What comes back late from an ejected one says nothing new.
            Standing::Ejected { .. } => {}
            Standing::OnTrial { slot, .. } if *slot != Some(index) => {}
            Standing::OnTrial { passed, .. } => {
                *passed += u32::from(tried == Tried::Use);
                let has_passed = *passed as usize >= self.policy.trial_uses;
                if !is_well {
                    self.eject(backend, EjectReason::TrialFailed, now, effects);
                } else if has_passed {
                    self.take_back_in(backend, now, effects);
                }
            }
            Standing::Full => {
                if is_well && !entry.record.is_open() {
                    return;
                }
                entry.record.note(tried, is_well, now, &self.policy);
                entry.note_watched();
                self.judge(backend, now, effects);
            }
        }
    }

    /// Ejects a backend if its record says so and enough others are left.
    fn judge(&mut self, backend: u32, now: At, effects: &mut Effects<T>) {
        #[cfg(landfall_faults)]
        if is_armed(Fault::NeverEject) {
            return;
        }
        let Some(why) = self.backends.get(backend).record.verdict(&self.policy) else { return };
        let rate = match why {
            EjectReason::FailureRate => self.failure_rate(self.backends.get(backend), now),
            EjectReason::FailuresInARow | EjectReason::TrialFailed => ALL,
        };
        if self.may_eject(backend) && !self.others_fail_alike(backend, rate, now) {
            self.eject(backend, why, now, effects);
        }
    }

    /// Whether enough others are left: one at least that answers, and no larger part of all is left out than may be.
    fn may_eject(&self, backend: u32) -> bool {
        #[cfg(landfall_faults)]
        if is_armed(Fault::EjectAll) {
            return true;
        }
        let all = &self.backends.current;
        let is_left = |index: &&u32| **index != backend && self.backends.get(**index).is_available();
        let out = all.iter().filter(|index| self.backends.get(**index).standing != Standing::Full).count();
        all.iter().any(|index| is_left(&index))
            && (out + 1) * 100 <= usize::from(self.policy.ejected_percent_max) * all.len()
    }

    /// Whether uses fail everywhere, half as often at least: then it is not for this backend that they do.
    fn others_fail_alike(&self, backend: u32, rate: u64, now: At) -> bool {
        let others = self.backends.current.iter().filter(|index| **index != backend);
        let mut others = others.map(|index| self.backends.get(*index)).filter(|entry| entry.is_available());
        others.all(|other| self.failure_rate(other, now) * 2 > rate)
    }

    fn failure_rate(&self, entry: &Entry, now: At) -> u64 {
        entry.record.failure_rate(now, &self.policy).unwrap_or_default()
    }

    /// Leaves a backend out for a while: its connections go.
    fn eject(&mut self, backend: u32, why: EjectReason, now: At, effects: &mut Effects<T>) {
        let entry = self.backends.get_mut(backend);
        let whole = entry.ejections.add(now, &self.policy);
        // By half at random, so that many clients do not come back at once.
        let time = whole / 2 + self.random.part_of(whole / 2);
        entry.record = Default::default();
        entry.stand(Standing::Ejected { until: now.plus(time) });
        self.tally.ejections += 1;
        self.timers.note_backend(now.plus(time), &mut effects.is_earlier);
        self.tell_standing(backend, BackendChange::Ejected { why, time }, effects);
        self.retire(Retired::Ejected, |slot| slot.backend == backend, now, effects);
    }

    /// It takes part again.
    fn take_back_in(&mut self, backend: u32, now: At, effects: &mut Effects<T>) {
        let entry = self.backends.get_mut(backend);
        entry.ejections.note_return(now);
        entry.stand(Standing::Full);
        // It may be preferred to what is in use, and nobody else may look for long.
        self.timers.note_backend(now, &mut effects.is_earlier);
        self.tell_standing(backend, BackendChange::Returned, effects);
    }

    /// Does what is due for backends that are left out: ends their time, and takes all of them back where no other
    /// answers.
    pub(super) fn review_ejected(&mut self, now: At, effects: &mut Effects<T>) {
        if self.backends.current.iter().all(|index| self.backends.get(*index).standing == Standing::Full) {
            return;
        }
        let is_one_left = self.backends.current.iter().any(|index| self.backends.get(*index).is_available());
        let best = self.backends.best();
        for place in 0..self.backends.current.len() {
            let index = self.backends.current[place];
            match self.backends.get(index).standing {
                Standing::Full => {}
                _ if !is_one_left => self.take_back_in(index, now, effects),
                Standing::OnTrial { .. } => {}
                #[cfg(landfall_faults)]
                Standing::Ejected { until } if until <= now && is_armed(Fault::ReturnUntried) => {
                    self.take_back_in(index, now, effects);
                }
                Standing::Ejected { until } if until <= now => {
                    self.backends.get_mut(index).stand(Standing::OnTrial { slot: None, passed: 0 });
                    self.tell_standing(index, BackendChange::OnTrial, effects);
                    // One that is not preferred has no trial for now.
                    if self.backends.get(index).is_preferred(best) {
                        self.make_room(now, effects);
                    }
                }
                Standing::Ejected { until } => self.timers.note_backend(until, &mut effects.is_earlier),
            }
        }
    }

    /// Opens the one connection of each backend that is on trial, and has none.
    pub(super) fn begin_trials(&mut self, now: At, effects: &mut Effects<T>) {
        let best = self.backends.best();
        for place in 0..self.backends.current.len() {
            let index = self.backends.current[place];
            let entry = self.backends.get(index);
            // One that does not answer is tried at its own pace.
            let lacks_one = matches!(entry.standing, Standing::OnTrial { slot: None, .. }) && !entry.is_failing();
            let has_room =
                self.counts.used() < self.policy.slots_max && entry.counts.used() < self.policy.slots_per_backend();
            // Those that are not preferred have no connections at all.
            if lacks_one && has_room && entry.is_preferred(best) {
                self.begin_connect(index, false, now, effects);
            }
        }
    }

    /// A connection of a backend that is on trial has been opened: the first one is validated, others are not wanted.
    /// Gives it back if its backend is not on trial.
    pub(super) fn try_out(&mut self, index: u32, connection: T, now: At, effects: &mut Effects<T>) -> Option<T> {
        let backend = self.slot(index).backend;
        let Standing::OnTrial { slot, .. } = &mut self.backends.get_mut(backend).standing else {
            return Some(connection);
        };
        let is_other = |slot: &u32| *slot != index;
        if let Some(other) = slot.filter(is_other)
            && !matches!(self.slots[other as usize].state, SlotState::Connecting { .. })
        {
            self.begin_close(index, connection, CloseReason::Ejected, now, effects);
            return None;
        }
        *slot = Some(index);
        if self.is_surplus(index, now) {
            return Some(connection);
        }
        drop(self.enter(index, SlotState::Checking { until: None, check: Check::Trial }));
        self.begin_check(self.id_of(index), connection, Check::Trial, effects);
        None
    }

    fn tell_standing(&mut self, backend: u32, change: BackendChange, effects: &mut Effects<T>) {
        effects.log_standing(Arc::clone(&self.backends.get(backend).backend), change);
        self.tell_backend(backend, change, effects);
    }
}
