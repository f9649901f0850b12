//! How many restarts there were in the last period.

use std::collections::VecDeque;
use std::time::Duration;

use crate::policy::WindowClock;

/// The stamps of the latest restarts: at most one more than the intensity, which is enough to tell.
#[derive(Debug)]
pub(super) struct Window {
    intensity: u32,
    period: Duration,
    clock: WindowClock,
    /// Oldest first.
    stamps: VecDeque<Duration>,
}

impl Window {
    pub(super) fn new(intensity: u32, period: Duration, clock: WindowClock) -> Self {
        Self { intensity, period, clock, stamps: VecDeque::new() }
    }

    /// Counts a restart at `now`; false if this one is more than the intensity allows.
    ///
    /// A stamp counts while it is not older than the period, its last instant included.
    pub(super) fn allows_one_more(&mut self, now: Duration) -> bool {
        let now = match self.clock {
            WindowClock::Precise => now,
            WindowClock::WholeSeconds => Duration::from_secs(now.as_secs()),
        };
        while self.stamps.front().is_some_and(|stamp| *stamp + self.period < now) {
            self.stamps.pop_front();
        }
        if self.stamps.len() > self.intensity as usize {
            self.stamps.pop_front();
        }
        self.stamps.push_back(now);
        self.stamps.len() <= self.intensity as usize
    }

    /// Forgets all restarts.
    pub(super) fn clear(&mut self) {
        self.stamps.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[track_caller]
    fn check(clock: WindowClock, intensity: u32, stamps: &[u64], allowed: &[bool]) {
        let mut window = Window::new(intensity, millis(1_000), clock);
        let found: Vec<_> = stamps.iter().map(|stamp| window.allows_one_more(millis(*stamp))).collect();
        assert_eq!(found, allowed);
        assert!(window.stamps.len() <= intensity as usize + 1);
    }

    #[test]
    fn both_ends_of_the_window_count() {
        check(WindowClock::Precise, 1, &[0, 1_000], &[true, false]);
        check(WindowClock::Precise, 1, &[0, 1_001, 2_001], &[true, true, false]);
        check(WindowClock::Precise, 0, &[5], &[false]);
    }

    /// 1.999 s after the first one is 1 s in whole seconds, which is within a period of 1 s.
    #[test]
    fn whole_seconds_stretch_the_window_by_up_to_a_second() {
        check(WindowClock::WholeSeconds, 1, &[0, 1_999], &[true, false]);
        check(WindowClock::WholeSeconds, 1, &[0, 2_000], &[true, true]);
        check(WindowClock::WholeSeconds, 1, &[999, 2_000], &[true, true]);
        check(WindowClock::Precise, 1, &[0, 1_999], &[true, true]);
    }

    #[test]
    fn restarts_over_the_intensity_count_too_and_keep_no_more_stamps() {
        check(WindowClock::Precise, 2, &[0, 0, 0, 0, 0, 1_001, 1_001], &[true, true, false, false, false, true, true]);
        check(WindowClock::Precise, 2, &[0, 500, 900, 1_400, 1_901], &[true, true, false, false, true]);
    }
}
