//! What is counted: as sums that only grow, and how long things took in powers of two.

use crate::stats::Histogram;

/// Counted since the pool was made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) claims: u64,
    pub(crate) claims_waited: u64,
    pub(crate) timed_out: u64,
    pub(crate) offline: u64,
    pub(crate) refused: u64,
    pub(crate) cancelled: u64,
    pub(crate) grants_passed_on: u64,
    pub(crate) discarded: u64,
    pub(crate) taken_out: u64,
    pub(crate) checks_failed: u64,
    pub(crate) held_long: u64,
    pub(crate) waits: Histogram,
    pub(crate) holds: Histogram,
}

impl Histogram {
    pub(super) fn note(&mut self, nanos: u64) {
        self.count += 1;
        self.nanos = self.nanos.saturating_add(nanos);
        let bucket = (u64::BITS - nanos.leading_zeros()) as usize;
        self.buckets[bucket.min(Self::BUCKETS - 1)] += 1;
    }
}
