//! How long to wait between two attempts.

use std::time::Duration;

use crate::random::Random;

/// Waits that double from `min` to `max`, less up to half of each at random, so that targets that failed together are
/// not tried again together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    pub(crate) min: Duration,
    pub(crate) max: Duration,
}

impl Backoff {
    /// The wait after so many failed attempts.
    pub(crate) fn after(self, attempts: u32, random: &mut Random) -> Duration {
        let doublings = attempts.saturating_sub(1).min(63);
        let whole = self.min.as_secs_f64() * 2.0_f64.powi(i32::try_from(doublings).unwrap_or(63));
        let capped = whole.min(self.max.as_secs_f64());
        let jittered = capped * (1.0 - random.fraction() / 2.0);
        Duration::try_from_secs_f64(jittered).unwrap_or(self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(min: Duration, max: Duration, attempts: u32, whole: Duration) {
        let backoff = Backoff { min, max };
        let mut random = Random::seeded(u64::from(attempts));
        for _ in 0..1_000 {
            let wait = backoff.after(attempts, &mut random);
            // Seconds as a double are exact to well below a microsecond here.
            let slack = whole / 1_000_000;
            assert!(wait >= whole / 2 - slack && wait <= whole + slack, "{wait:?} after {attempts} with {backoff:?}");
        }
    }

    #[test]
    fn waits_double_up_to_the_limit_and_lose_at_most_half() {
        let (min, max) = (Duration::from_millis(500), Duration::from_secs(300));
        check(min, max, 0, min);
        check(min, max, 1, min);
        check(min, max, 2, Duration::from_secs(1));
        check(min, max, 5, Duration::from_secs(8));
        check(min, max, 10, Duration::from_secs(256));
        check(min, max, 11, max);
        check(min, max, u32::MAX, max);
        let year = Duration::from_secs(365 * 24 * 3600);
        check(year, year, 1_000, year);
        check(Duration::from_millis(1), Duration::from_millis(1), 7, Duration::from_millis(1));
    }
}
