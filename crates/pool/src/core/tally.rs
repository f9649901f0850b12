//! What is counted: as sums that only grow, and how long things took in powers of two.

use std::time::Duration;

use super::At;
use crate::stats::Histogram;

/// Counted since the pool was made. What changes with each claim comes first, for the reason given at
/// [`Core`](super::Core).
#[derive(Clone, Debug, Default)]
#[repr(C)]
pub(crate) struct Tally {
    pub(crate) claims: u64,
    pub(crate) claims_waited: u64,
    pub(crate) sampler: Sampler,
    pub(crate) holds: Timings,
    /// Of those that waited.
    pub(crate) waits: Timings,
    /// Of those that gave a connection.
    pub(crate) connects: Timings,
    pub(crate) timed_out: u64,
    pub(crate) offline: u64,
    pub(crate) refused: u64,
    pub(crate) cancelled: u64,
    pub(crate) grants_passed_on: u64,
    pub(crate) discarded: u64,
    pub(crate) taken_out: u64,
    pub(crate) checks_failed: u64,
    pub(crate) held_long: u64,
    pub(crate) uses_failed: u64,
    pub(crate) ejections: u64,
    pub(crate) moved: u64,
    /// What was shown last of `claims` and `claims_waited`: of those that are not served after all one may have been
    /// among them for a moment, and what is shown never falls.
    pub(crate) claims_shown: u64,
    pub(crate) claims_waited_shown: u64,
}

/// How long things of one sort took. Where very many are short only a sample of these is timed, and stands for the rest.
#[derive(Clone, Debug, Default)]
#[repr(C)]
pub(crate) struct Timings {
    /// How many the next one that is timed stands for besides itself. One less than none if one of those that another
    /// stood for was taken back.
    untimed: i64,
    pub(crate) histogram: Histogram,
}

/// How long something took, as it was counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Noted {
    nanos: u64,
    /// By itself, and not with the next one that is timed.
    is_single: bool,
}

impl Noted {
    /// Whether it was timed, or took so long that it need not be.
    #[inline]
    pub(crate) fn is_single(self) -> bool {
        self.is_single
    }
}

impl Timings {
    /// What takes this long is counted one by one: the recent time is near enough for that.
    pub(crate) const LONG: Duration = Duration::from_millis(20);

    /// Counts one; `nanos` is exact if it was timed.
    #[inline]
    pub(crate) fn note(&mut self, nanos: u64, is_timed: bool) -> Noted {
        let is_long = nanos >= Self::LONG.as_nanos() as u64;
        let is_single = is_long || is_timed && self.untimed >= 0;
        if !is_single {
            self.untimed += 1;
        } else {
            let others = if is_long { 0 } else { std::mem::take(&mut self.untimed) };
            self.histogram.note(nanos, 1 + others as u64);
        }
        Noted { nanos, is_single }
    }

    /// Takes one back that was counted.
    pub(crate) fn take_back(&mut self, noted: Noted) {
        if noted.is_single {
            self.histogram.take_back(noted.nanos);
        } else {
            self.untimed -= 1;
        }
    }
}

/// Picks what is timed: up to 64 in each 4 ms, then one in sixteen. To time one takes as long as half a claim.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sampler {
    window: u64,
    seen: u32,
}

impl Sampler {
    /// The length of a window, as a power of two of nanoseconds.
    const WINDOW_BITS: u32 = 22;
    const PER_WINDOW: u32 = 64;
    const ONE_IN: u32 = 16;

    #[inline]
    pub(crate) fn picks(&mut self, now: At) -> bool {
        let window = now.nanos_since(At::default()) >> Self::WINDOW_BITS;
        if window != self.window {
            (self.window, self.seen) = (window, 0);
        }
        self.seen = self.seen.wrapping_add(1);
        self.seen <= Self::PER_WINDOW || self.seen.is_multiple_of(Self::ONE_IN)
    }
}

impl Histogram {
    fn note(&mut self, nanos: u64, times: u64) {
        self.count += times;
        self.nanos = self.nanos.saturating_add(nanos.saturating_mul(times));
        self.buckets[Self::bucket(nanos)] += times;
    }

    fn take_back(&mut self, nanos: u64) {
        self.count -= 1;
        self.nanos -= nanos;
        self.buckets[Self::bucket(nanos)] -= 1;
    }

    fn bucket(nanos: u64) -> usize {
        ((u64::BITS - nanos.leading_zeros()) as usize).min(Self::BUCKETS - 1)
    }

    /// Counts those that took no time.
    pub(super) fn note_nothing(&mut self, times: u64) {
        self.note(0, times);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn few_are_all_timed_and_of_many_one_in_sixteen() {
        let mut sampler = Sampler::default();
        let mut picked = |count: u32, at: u64| (0..count).filter(|_| sampler.picks(At::from_nanos(at))).count();
        assert_eq!(picked(64, 5 * MS), 64);
        assert_eq!(picked(1_600, 6 * MS), 100);
        assert_eq!(picked(64, 10 * MS), 64, "a window later");
    }

    #[test]
    fn short_ones_stand_for_others_and_long_ones_for_themselves() {
        let mut timings = Timings::default();
        for _ in 0..15 {
            timings.note(4 * MS, false);
        }
        timings.note(30 * MS, false);
        timings.note(40 * MS, true);
        assert_eq!(timings.histogram.count(), 2);
        timings.note(1_000, true);
        let of_size: Vec<_> = timings.histogram.buckets().map(|(_, count)| count).collect();
        assert_eq!(of_size, [16, 1, 1]);
        assert_eq!(timings.histogram.sum(), Duration::from_nanos(16 * 1_000 + 70 * MS));
    }

    #[test]
    fn what_is_taken_back_was_never_counted() {
        let mut timings = Timings::default();
        let [long, timed, untimed] =
            [(30 * MS, false), (2_000, true), (4 * MS, false)].map(|(nanos, is_timed)| timings.note(nanos, is_timed));
        timings.take_back(long);
        timings.take_back(timed);
        assert_eq!((timings.histogram.count(), timings.histogram.sum()), (0, Duration::ZERO));
        // This one stands for the one before it as well, which is then taken back, so that the next stands for none.
        timings.note(1_000, true);
        timings.take_back(untimed);
        timings.note(1_000, true);
        timings.note(1_000, true);
        assert_eq!(timings.histogram.count(), 3);
    }
}
