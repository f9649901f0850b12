//! Random numbers for choices and jitter: quick, seeded, and no secret.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// xorshift64*.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// With a seed that differs from process to process and from call to call.
    pub(crate) fn from_process() -> Self {
        Self::seeded(RandomState::new().hash_one(0))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `bound`, which is not 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        // The upper half times the bound: no division, and the bias is below one in four thousand million.
        let wide = u128::from(self.next()) * bound as u128;
        (wide >> 64) as usize
    }

    /// Two different numbers below `bound`, which is at least 2.
    #[inline]
    pub(crate) fn two_below(&mut self, bound: usize) -> [usize; 2] {
        let first = self.below(bound);
        [first, (first + 1 + self.below(bound - 1)) % bound]
    }

    /// A part of `whole`.
    pub(crate) fn part_of(&mut self, whole: Duration) -> Duration {
        whole.mul_f64(self.next() as f64 / u64::MAX as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_below_their_bound_and_reach_all_below_it() {
        let mut random = Random::seeded(7);
        let mut seen = [0; 5];
        for _ in 0..1_000 {
            seen[random.below(5)] += 1;
            assert!(random.part_of(Duration::from_secs(1)) <= Duration::from_secs(1));
        }
        assert!(seen.iter().all(|times| *times > 100), "{seen:?}");
    }
}
