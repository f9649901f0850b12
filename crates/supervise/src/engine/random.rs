//! The random numbers of the jitter: from a seed, so that a run can be repeated.

/// `SplitMix64`.
#[derive(Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// From 0 to below 1.
    pub(super) fn next_part(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        // Half of the bits are enough for a jitter, and fit a float exactly.
        f64::from(((mixed ^ (mixed >> 31)) >> 32) as u32) / (f64::from(u32::MAX) + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_spread_and_repeatable() {
        let parts = |seed| {
            let mut random = Random::new(seed);
            (0..1_000).map(|_| random.next_part()).collect::<Vec<_>>()
        };
        assert_eq!(parts(7), parts(7));
        assert_ne!(parts(7), parts(8));
        assert!(parts(7).iter().all(|part| (0.0..1.0).contains(part)));
        let mean = parts(7).iter().sum::<f64>() / 1_000.0;
        assert!((0.45..0.55).contains(&mean), "{mean}");
    }
}
