//! The core as statistics show it.

use std::time::Duration;

use super::slots::{Kind, SlotState};
use super::standing::Standing;
use super::{At, Core, Counts};
use crate::change::SlotId;
use crate::stats::{self, BackendStats, PoolStats, SlotCounts, SlotStats, SlotStatus, Totals};

impl Counts {
    fn shown(&self) -> SlotCounts {
        SlotCounts {
            connecting: self.of(Kind::Connecting),
            idle: self.of(Kind::Idle),
            granted: self.of(Kind::Granted),
            claimed: self.of(Kind::Claimed),
            checking: self.of(Kind::Checking),
            closing: self.of(Kind::Closing),
        }
    }
}

impl Counts {
    /// A backend's: so many of those that count as claimed are granted only.
    fn shown_with(&self, granted: usize) -> SlotCounts {
        let shown = self.shown();
        SlotCounts { granted, claimed: shown.claimed - granted, ..shown }
    }
}

impl Standing {
    fn shown(self, now: At) -> stats::Standing {
        match self {
            Self::Full => stats::Standing::Full,
            Self::Ejected { until } => stats::Standing::Ejected { remaining: until.since(now) },
            Self::OnTrial { passed, .. } => stats::Standing::OnTrial { passed },
        }
    }
}

impl<T> Core<T> {
    pub(crate) fn counts(&self) -> SlotCounts {
        self.counts.shown()
    }

    pub(crate) fn stats(&mut self, now: At) -> PoolStats {
        // What backends do not count themselves, so that claims need not touch them.
        let mut granted = vec![0; self.backends.places()];
        let mut claims = vec![0; self.backends.places()];
        for slot in self.slots.iter().filter(|slot| slot.state.kind() != Kind::Vacant) {
            granted[slot.backend as usize] += usize::from(slot.state.kind() == Kind::Granted);
            claims[slot.backend as usize] += slot.claims;
        }
        for (place, entry) in self.backends.each_with_place_mut() {
            entry.claims_shown = entry.claims_shown.max(entry.claims + claims[place]);
        }
        let tally = &mut self.tally;
        tally.claims_shown = tally.claims_shown.max(tally.claims);
        tally.claims_waited_shown = tally.claims_waited_shown.max(tally.claims_waited);
        let backends = self.backends.each_with_place().map(|(place, entry)| BackendStats {
            backend: (*entry.backend).clone(),
            is_removed: entry.is_removed,
            is_failing: entry.is_failing(),
            failures_in_a_row: entry.failures_in_a_row(),
            retry_in: (entry.is_failing() && entry.probes == 0).then(|| entry.retry_at.since(now)),
            standing: entry.standing.shown(now),
            ejections: entry.ejections.count,
            uses_failed: entry.uses_failed,
            usual_hold: Some(entry.holds.usual(now)).filter(|nanos| *nanos > 0).map(Duration::from_nanos),
            last_error: entry.last_error.clone(),
            slots: entry.counts.shown_with(granted[place]),
            connects: entry.connects,
            connects_failed: entry.connects_failed,
            claims: entry.claims_shown,
        });
        let slots = self.slots.iter().enumerate().filter_map(|(index, slot)| {
            let status = match &slot.state {
                SlotState::Vacant => return None,
                SlotState::Connecting { .. } => SlotStatus::Connecting,
                SlotState::Idle { .. } => SlotStatus::Idle { since: now.since(slot.used) },
                SlotState::Granted { .. } => SlotStatus::Granted,
                SlotState::Claimed(claimed) => {
                    SlotStatus::Claimed { place: claimed.place.into(), age: now.since(claimed.since) }
                }
                SlotState::Checking { .. } => SlotStatus::Checking,
                SlotState::Closing => SlotStatus::Closing,
            };
            let backend = (*self.backends.get(slot.backend).backend).clone();
            let id = SlotId { index: index as u32, generation: slot.generation };
            Some(SlotStats { id, backend, status, age: now.since(slot.opened), claims: slot.claims })
        });
        let mut waits = self.tally.waits.histogram.clone();
        waits.note_nothing(self.tally.claims - self.tally.claims_waited);
        PoolStats {
            slots: self.counts.shown(),
            slots_max: self.policy.slots_max,
            spares_wanted: self.policy.spares_wanted,
            waiting: self.queue.queued(),
            is_offline: self.is_offline(),
            backends: backends.collect(),
            each_slot: slots.collect(),
            totals: Totals::of(&self.tally),
            waits,
            holds: self.tally.holds.histogram.clone(),
            connects: self.tally.connects.histogram.clone(),
        }
    }
}
