//! How long a delayed restart waits.

use std::time::Duration;

/// The delay of restarts that come too often: the first delay, its growth, a cap, jitter, and when it starts anew.
///
/// Restarts within the supervisor's intensity are immediate. One over it does not end the supervisor but waits
/// (supervisor3: `{permanent, Delay}`).
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Backoff {
    /// The first delay. Default: 1 s.
    pub first: Duration,
    /// By how much each delay is longer than the one before, from 1 (always the same) to 100. Default: 2.
    pub growth: f64,
    /// The longest delay, before jitter. At least `first`, at most 1 day. Default: 30 s.
    pub max: Duration,
    /// Up to which part of itself a delay is made shorter at random, from 0 (never) to 1, so that many children that
    /// failed together do not come back together. Default: 0.1.
    pub jitter: f64,
    /// After how long a run the delays begin at `first` again. Default: 60 s.
    pub reset_after: Duration,
}

/// The longest delay that may be asked for.
const MAX_MAX: Duration = Duration::from_secs(24 * 60 * 60);
const GROWTH_MAX: f64 = 100.0;

impl Default for Backoff {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            growth: 2.0,
            max: Duration::from_secs(30),
            jitter: 0.1,
            reset_after: Duration::from_secs(60),
        }
    }
}

impl Backoff {
    /// The same delay each time, as supervisor3 has it: no growth, no jitter.
    #[must_use]
    pub fn constant(delay: Duration) -> Self {
        Self { first: delay, growth: 1.0, max: delay, jitter: 0.0, ..Self::default() }
    }

    /// Delays from `first` to `max`, doubled each time, with the default jitter.
    #[must_use]
    pub fn exponential(first: Duration, max: Duration) -> Self {
        Self { first, max, ..Self::default() }
    }

    /// Sets [`jitter`](Self::jitter).
    #[must_use]
    pub fn jitter(self, jitter: f64) -> Self {
        Self { jitter, ..self }
    }

    /// Sets [`reset_after`](Self::reset_after).
    #[must_use]
    pub fn reset_after(self, reset_after: Duration) -> Self {
        Self { reset_after, ..self }
    }

    /// The field that is out of its bounds, with what is allowed.
    pub(crate) fn fault(&self) -> Option<(&'static str, String, &'static str)> {
        if self.first > self.max {
            return Some(("backoff.first", format!("{:?}", self.first), "at most `max`"));
        }
        if self.max > MAX_MAX {
            return Some(("backoff.max", format!("{:?}", self.max), "at most 1 day"));
        }
        if !(1.0..=GROWTH_MAX).contains(&self.growth) {
            return Some(("backoff.growth", self.growth.to_string(), "from 1 to 100"));
        }
        if !(0.0..=1.0).contains(&self.jitter) {
            return Some(("backoff.jitter", self.jitter.to_string(), "from 0 to 1"));
        }
        None
    }

    /// The delay after `step` earlier ones; `random` is from 0 to below 1.
    pub(crate) fn delay(&self, step: u32, random: f64) -> Duration {
        let max = self.max.as_secs_f64();
        let steps = i32::try_from(step).unwrap_or(i32::MAX);
        // The growth may overflow to infinity, which the cap takes away; 0 times infinity is no number, and is 0.
        let grown = (self.first.as_secs_f64() * self.growth.powi(steps)).min(max);
        let grown = if self.first.is_zero() { 0.0 } else { grown };
        Duration::from_secs_f64(grown * (1.0 - self.jitter * random))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_the_cap_and_jitter_only_shortens() {
        let backoff = Backoff::exponential(Duration::from_secs(1), Duration::from_secs(10)).jitter(0.5);
        let delays: Vec<_> = (0..6).map(|step| backoff.delay(step, 0.0).as_secs()).collect();
        assert_eq!(delays, [1, 2, 4, 8, 10, 10]);
        assert_eq!(backoff.delay(u32::MAX, 0.0).as_secs(), 10);
        assert_eq!(backoff.delay(2, 0.5), Duration::from_secs(3));
        assert_eq!(Backoff::constant(Duration::ZERO).delay(u32::MAX, 0.9), Duration::ZERO);
    }

    #[test]
    fn each_bound_is_checked() {
        assert_eq!(Backoff::default().fault(), None);
        let field = |backoff: Backoff| backoff.fault().map(|(field, ..)| field);
        let second = Duration::from_secs(1);
        assert_eq!(field(Backoff { max: Duration::ZERO, ..Backoff::default() }), Some("backoff.first"));
        assert_eq!(field(Backoff { max: MAX_MAX + second, ..Backoff::default() }), Some("backoff.max"));
        assert_eq!(field(Backoff { growth: 0.5, ..Backoff::default() }), Some("backoff.growth"));
        assert_eq!(field(Backoff { growth: f64::NAN, ..Backoff::default() }), Some("backoff.growth"));
        assert_eq!(field(Backoff { jitter: 1.5, ..Backoff::default() }), Some("backoff.jitter"));
    }
}
