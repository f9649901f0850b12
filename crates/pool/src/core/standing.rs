//! Whether a backend takes part: how its uses went, and what follows from that.

use std::time::Duration;

use super::At;
use crate::change::EjectReason;
use crate::policy::Policy;

/// How a backend stands with the pool, whether it answers connects or not.
///
/// | from | event | to |
/// |---|---|---|
/// | `Full` | too many uses or checks fail, and enough others are left | `Ejected` |
/// | `Ejected` | its time is over | `OnTrial` |
/// | `OnTrial` | the connection on trial was used so often, each time well | `Full` |
/// | `OnTrial` | a use or a check of it fails | `Ejected`, for longer |
/// | `Ejected`, `OnTrial` | no other is left that answers; the resolver has it no longer | `Full` |
///
/// An ejected backend has no connections but those that are out, which are closed when they come back. One on trial has
/// one, which is validated first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Standing {
    #[default]
    Full,
    Ejected {
        until: At,
    },
    OnTrial {
        /// The slot that the trial is made with, if it has one by now.
        slot: Option<u32>,
        /// How many uses of it went well.
        passed: u32,
    },
}

/// What is remembered of how the uses of a backend went. Nothing while all goes well.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    /// How many uses have failed in a row.
    pub(crate) uses_failed: u32,
    /// How many checks have failed in a row.
    pub(crate) checks_failed: u32,
    window: Option<Window>,
}

/// Uses are counted from a failure on, for a while.
#[derive(Clone, Debug)]
struct Window {
    began: At,
    uses: u32,
    failed: u32,
}

impl Window {
    fn is_over(&self, now: At, policy: &Policy) -> bool {
        now >= self.began.plus(policy.ejection_window)
    }
}

/// How often a backend was ejected.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ejections {
    pub(crate) count: u64,
    /// How many followed each other with no long healthy time in between.
    in_a_row: u32,
    /// Since when it takes part; never while it does not.
    returned_at: At,
}

/// What was done with a connection, and may have gone well or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tried {
    Use,
    Check,
}

impl Record {
    /// Whether what goes well is of interest too.
    pub(crate) fn is_open(&self) -> bool {
        self.uses_failed > 0 || self.checks_failed > 0 || self.window.is_some()
    }

    pub(crate) fn note(&mut self, tried: Tried, is_well: bool, now: At, policy: &Policy) {
        self.window = self.window.take().filter(|window| !window.is_over(now, policy));
        match (tried, is_well) {
            (Tried::Use, true) => (self.uses_failed, self.checks_failed) = (0, 0),
            (Tried::Use, false) => self.uses_failed += 1,
            (Tried::Check, true) => self.checks_failed = 0,
            (Tried::Check, false) => self.checks_failed += 1,
        }
        if tried == Tried::Use {
            if !is_well {
                self.window.get_or_insert(Window { began: now, uses: 0, failed: 0 });
            }
            if let Some(window) = &mut self.window {
                window.uses += 1;
                window.failed += u32::from(!is_well);
            }
        }
    }

    /// Why the backend is to be ejected, if it is.
    pub(crate) fn verdict(&self, policy: &Policy) -> Option<EjectReason> {
        let failed = self.uses_failed.max(self.checks_failed);
        if policy.ejection_failures.is_some_and(|most| failed as usize >= most) {
            return Some(EjectReason::FailuresInARow);
        }
        let (uses, failed) = self.window.as_ref().map(|window| (window.uses, window.failed))?;
        let percent = u64::from(policy.ejection_failure_percent?);
        let is_judged = uses as usize >= policy.ejection_uses_min;
        (is_judged && u64::from(failed) * 100 >= percent * u64::from(uses)).then_some(EjectReason::FailureRate)
    }

    /// How many of 100,000 uses fail of late; none while none do.
    pub(crate) fn failure_rate(&self, now: At, policy: &Policy) -> Option<u64> {
        let window = self.window.as_ref().filter(|window| !window.is_over(now, policy))?;
        Some(u64::from(window.failed) * 100_000 / u64::from(window.uses.max(1)))
    }
}

impl Ejections {
    /// Counts one more, and says for how long it is before anything is drawn from it at random.
    pub(crate) fn add(&mut self, now: At, policy: &Policy) -> Duration {
        if self.returned_at.plus(policy.ejection_time_max) <= now {
            self.in_a_row = 0;
        }
        // A trial that fails is no end of a healthy time, however long it was out before.
        self.returned_at = At::NEVER;
        let doublings = self.in_a_row.min(31);
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.count += 1;
        policy.ejection_time.saturating_mul(1 << doublings).min(policy.ejection_time_max)
    }

    pub(crate) fn note_return(&mut self, now: At) {
        self.returned_at = now;
    }

    /// Takes the next one for the first in a row.
    pub(crate) fn begin_anew(&mut self) {
        self.in_a_row = 0;
    }
}

/// How long connections of a backend are held: what is usual now, half of it the last one that was timed. It halves with
/// each [`Self::HALVES_AFTER_BITS`] in which none was, so that a backend which was slow is tried again.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Holds {
    nanos: u64,
    at: At,
}

impl Holds {
    /// A power of two of nanoseconds: 134 ms.
    const HALVES_AFTER_BITS: u32 = 27;
    /// What is held for longer counts as this: it says more of the holder than of the backend.
    const NANOS_MAX: u64 = 1_000_000_000;

    pub(crate) fn note(&mut self, nanos: u64, now: At) {
        let nanos = nanos.min(Self::NANOS_MAX);
        let before = self.usual(now);
        self.nanos = if before == 0 { nanos } else { before.midpoint(nanos) };
        self.at = now;
    }

    /// In nanoseconds; 0 if nothing is known.
    pub(crate) fn usual(&self, now: At) -> u64 {
        let halvings = now.nanos_since(self.at) >> Self::HALVES_AFTER_BITS;
        if halvings < 64 { self.nanos >> halvings } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn at(ms: u32) -> At {
        At::after_start(MS * ms)
    }

    #[test]
    fn failures_in_a_row_are_ended_by_a_use_that_goes_well_and_not_by_a_check() {
        let policy = Policy { ejection_failures: Some(3), ..Policy::default() };
        let mut record = Record::default();
        for (tried, is_well) in [
            (Tried::Use, false),
            (Tried::Use, false),
            (Tried::Check, true),
            (Tried::Check, false),
            (Tried::Check, false),
        ] {
            record.note(tried, is_well, at(0), &policy);
            assert_eq!(record.verdict(&policy), None);
        }
        let mut ended = record.clone();
        ended.note(Tried::Use, true, at(0), &policy);
        ended.note(Tried::Use, false, at(0), &policy);
        ended.note(Tried::Check, false, at(0), &policy);
        assert_eq!(ended.verdict(&policy), None);
        record.note(Tried::Use, false, at(0), &policy);
        assert_eq!(record.verdict(&policy), Some(EjectReason::FailuresInARow));
    }

    #[test]
    fn a_rate_is_judged_from_enough_uses_of_the_same_while() {
        let policy =
            Policy { ejection_failures: None, ejection_uses_min: 10, ejection_window: 100 * MS, ..Policy::default() };
        let mut record = Record::default();
        for use_ in 0..9 {
            record.note(Tried::Use, use_ % 2 == 1, at(0), &policy);
            assert_eq!(record.verdict(&policy), None, "{use_}");
        }
        let mut late = record.clone();
        late.note(Tried::Use, true, at(100), &policy);
        assert!(!late.is_open(), "{late:?}");
        record.note(Tried::Use, true, at(99), &policy);
        assert_eq!(record.verdict(&policy), Some(EjectReason::FailureRate));
        assert_eq!(record.failure_rate(at(99), &policy), Some(50_000));
        assert_eq!(record.failure_rate(at(100), &policy), None, "that was long ago");
    }

    #[test]
    fn ejections_grow_up_to_their_cap_until_a_healthy_time() {
        let policy = Policy { ejection_time: 100 * MS, ejection_time_max: 500 * MS, ..Policy::default() };
        let mut ejections = Ejections::default();
        let times = [600, 610, 620, 630].map(|ms| {
            let time = ejections.add(at(ms), &policy);
            ejections.note_return(at(ms));
            time
        });
        assert_eq!(times, [100, 200, 400, 500].map(|ms| MS * ms));
        assert_eq!(ejections.add(at(1_130), &policy), 100 * MS);
        assert_eq!(ejections.count, 5);
        // From trial to trial, none of which it passes.
        let times = [2_000, 3_000, 4_000, 5_000].map(|ms| ejections.add(at(ms), &policy));
        assert_eq!(times, [200, 400, 500, 500].map(|ms| MS * ms));
        ejections.begin_anew();
        assert_eq!(ejections.add(at(6_000), &policy), 100 * MS);
    }

    #[test]
    fn what_is_usual_follows_what_is_timed_and_is_forgotten_where_nothing_is() {
        let mut holds = Holds::default();
        let usual = |holds: Holds, ms| Duration::from_nanos(holds.usual(at(ms)));
        for ms in 0..6 {
            holds.note(20_000_000, at(ms));
        }
        assert_eq!(usual(holds, 5), 20 * MS);
        holds.note(1_000_000, at(6));
        assert!((10 * MS..11 * MS).contains(&usual(holds, 6)), "{holds:?}");
        assert!(usual(holds, 606) < MS, "{holds:?}");
        holds.note(u64::MAX, at(10_000));
        assert_eq!(usual(holds, 10_000), Duration::from_secs(1));
        assert_eq!(usual(holds, u32::MAX), Duration::ZERO);
    }
}
