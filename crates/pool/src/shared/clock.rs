//! The pool's time, on two clocks: one that is exact, and one that costs next to nothing to read.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::time::Instant;

use crate::core::At;

/// Tells the time since the pool was made.
#[derive(Debug)]
pub(super) struct Clock {
    /// On tokio's clock, on which the pool sleeps.
    epoch: Instant,
    /// The same instant on the system's clock.
    system_epoch: system::Moment,
    /// Tokio's clock has been seen to be another than the system's: a test has paused it.
    is_paused: AtomicBool,
}

impl Clock {
    pub(super) fn start() -> Self {
        // In this order: a timer that is late by what lies between is heard once, one that is early again and again.
        let system_epoch = system::exact();
        let clock = Self { epoch: Instant::now(), system_epoch, is_paused: AtomicBool::new(false) };
        clock.look_for_pause();
        clock
    }

    /// The exact time.
    #[inline]
    pub(super) fn now(&self) -> At {
        if self.is_paused.load(Ordering::Relaxed) {
            return At::after_start(self.epoch.elapsed());
        }
        system::since(self.system_epoch, system::exact())
    }

    /// A recent time: what the exact one was at the kernel's last tick, not more than [`At::LAG_MAX`] ago.
    ///
    /// To read the exact one twice is half of what a claim and its release may cost.
    #[inline]
    pub(super) fn recent(&self) -> At {
        if self.is_paused.load(Ordering::Relaxed) {
            return At::after_start(self.epoch.elapsed());
        }
        system::since(self.system_epoch, system::recent())
    }

    /// When that is on tokio's clock.
    pub(super) fn instant(&self, at: At) -> Instant {
        self.epoch + at.since_start()
    }

    /// Looks whether tokio's clock is the system's. If it is not, nothing but tokio's is read from now on.
    ///
    /// There is no way to ask. So this is done when the pool is made, and whenever its timers are looked at.
    pub(super) fn look_for_pause(&self) {
        let before = std::time::Instant::now();
        let told = Instant::now().into_std();
        let after = std::time::Instant::now();
        if told < before || told > after {
            self.is_paused.store(true, Ordering::Relaxed);
        }
    }
}

/// The kernel keeps a reading of its monotonic clock that it renews with each of its own ticks, 1 to 10 ms apart.
#[cfg(any(target_os = "linux", target_os = "android"))]
mod system {
    use rustix::time::{ClockId, clock_gettime};

    use crate::core::At;

    /// Nanoseconds since the system was started.
    pub(super) type Moment = u64;

    #[inline]
    pub(super) fn exact() -> Moment {
        read(ClockId::Monotonic)
    }

    #[inline]
    pub(super) fn recent() -> Moment {
        read(ClockId::MonotonicCoarse)
    }

    fn read(clock: ClockId) -> Moment {
        let time = clock_gettime(clock);
        // Neither is ever negative, and the sum fits for half a millennium.
        (time.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec as u64)
    }

    #[inline]
    pub(super) fn since(epoch: Moment, moment: Moment) -> At {
        At::from_nanos(moment.saturating_sub(epoch))
    }
}

/// Where the standard library's clock is the only one.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod system {
    use std::time::Instant;

    use crate::core::At;

    pub(super) type Moment = Instant;

    #[inline]
    pub(super) fn exact() -> Moment {
        Instant::now()
    }

    #[inline]
    pub(super) fn recent() -> Moment {
        Instant::now()
    }

    #[inline]
    pub(super) fn since(epoch: Moment, moment: Moment) -> At {
        At::after_start(moment.saturating_duration_since(epoch))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_recent_time_lags_and_moves_on() {
        let clock = Clock::start();
        let mut last = At::default();
        while last < At::after_start(Duration::from_millis(30)) {
            let (recent, now) = (clock.recent(), clock.now());
            assert!(last <= recent && recent <= now, "{last:?} {recent:?} {now:?}");
            last = recent;
        }
    }

    #[test]
    fn a_paused_clock_is_noticed_whenever_it_is_paused() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let before = Clock::start();
            before.look_for_pause();
            assert!(!before.is_paused.load(Ordering::Relaxed));
            tokio::time::pause();
            let after = Clock::start();
            before.look_for_pause();
            for clock in [before, after] {
                let (now, recent) = (clock.now(), clock.recent());
                assert_eq!(now, recent);
                tokio::time::advance(Duration::from_secs(3_600)).await;
                let hour_later = now.plus(Duration::from_secs(3_600));
                assert_eq!((clock.now(), clock.recent()), (hour_later, hour_later));
                assert_eq!(clock.instant(hour_later), Instant::now());
            }
        });
    }
}
