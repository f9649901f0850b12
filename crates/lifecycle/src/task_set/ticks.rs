//! Ages, counted in steps of 10 ms on a clock that costs next to nothing to read.

use std::time::Duration;

/// Steps of 10 ms fit into half a word: 497 days, then they stand still.
const TICK: Duration = Duration::from_millis(10);
const TICKS_PER_SECOND: u64 = 100;

/// When a set was made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Epoch(clock::Moment);

/// Time since the set was made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticks(pub(super) u32);

impl Epoch {
    pub(super) fn now() -> Self {
        Self(clock::now())
    }

    pub(super) fn elapsed(&self) -> Ticks {
        Ticks(u32::try_from(clock::ticks_since(self.0)).unwrap_or(u32::MAX))
    }
}

impl Ticks {
    /// The time from `self` to `later`.
    pub(super) fn until(self, later: Self) -> Duration {
        TICK * later.0.saturating_sub(self.0)
    }
}

/// The kernel keeps a reading of the monotonic clock that it renews with each of its own ticks, 1 to 10 ms apart. To
/// look at it takes a tenth of what reading the clock itself takes, which is more than all the rest of a spawn's
/// bookkeeping.
#[cfg(any(target_os = "linux", target_os = "android"))]
mod clock {
    use rustix::time::{ClockId, clock_gettime};

    use super::{TICK, TICKS_PER_SECOND};

    /// Ticks since the system was started.
    pub(super) type Moment = u64;

    pub(super) fn now() -> Moment {
        let time = clock_gettime(ClockId::MonotonicCoarse);
        // Neither is ever negative.
        time.tv_sec as u64 * TICKS_PER_SECOND + time.tv_nsec as u64 / TICK.as_nanos() as u64
    }

    pub(super) fn ticks_since(moment: Moment) -> u64 {
        now().saturating_sub(moment)
    }
}

/// Where the standard library's clock is the only one.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod clock {
    use std::time::Instant;

    use super::TICKS_PER_SECOND;

    pub(super) type Moment = Instant;

    pub(super) fn now() -> Moment {
        Instant::now()
    }

    pub(super) fn ticks_since(moment: Moment) -> u64 {
        let elapsed = moment.elapsed();
        // Not `as_millis`, which divides 128 bits.
        elapsed.as_secs().saturating_mul(TICKS_PER_SECOND) + u64::from(elapsed.subsec_millis()) / 10
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_tick_is_ten_milliseconds() {
        let (epoch, began) = (Epoch::now(), Instant::now());
        while epoch.elapsed().0 < 3 {
            std::thread::yield_now();
        }
        // The first step may have been almost over, and the reading as much behind.
        assert!(began.elapsed() >= Duration::from_millis(10));
    }

    #[test]
    fn an_age_is_never_negative_and_never_starts_anew() {
        assert_eq!(Ticks(3).until(Ticks(5)), Duration::from_millis(20));
        assert_eq!(Ticks(5).until(Ticks(3)), Duration::ZERO);
        assert_eq!(Ticks(0).until(Ticks(u32::MAX)).as_secs() / 86_400, 497);
    }
}
