//! When a plugin starts again by itself.

use std::hash::{BuildHasher, RandomState};
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::build_error::BuildError;
use crate::life::StartError;
use crate::options::within;

/// When a stub starts again by itself, for [`StubBuilder::reconnect`](crate::StubBuilder::reconnect).
///
/// A lost connection is followed by a delay and a start; a start that fails by what may pass, as when the runtime is not
/// up yet, by a longer delay and another one. A stop ends it, wherever it is. There is never more than one connection:
/// the delay begins when the old one is closed.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use landfall_stub::{Adjustment, Reconnect, Stub};
///
/// let mut reconnect = Reconnect::default();
/// (reconnect.first, reconnect.max) = (Duration::from_millis(500), Duration::from_secs(10));
/// let stub = Stub::builder("logger", 10)
///     .on_create_container(async |_cx, _pod, _container| Ok(Adjustment::new()))
///     .reconnect(reconnect)
///     .build()?;
/// # Ok::<(), landfall_stub::BuildError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Reconnect {
    /// The first delay, 0 to [`max`](Self::max). Default 100 ms.
    pub first: Duration,
    /// By how much each delay is longer than the one before, 1 to 100. Default 2.
    pub growth: f64,
    /// The longest delay, 0 to 1 h. Default 30 s.
    pub max: Duration,
    /// Up to which part of itself a delay is made shorter at random, 0 to 1, so that the plugins of many machines do not
    /// come back together. Default 0.1.
    pub jitter: f64,
    /// How long the plugin has to serve for the delays to begin at [`first`](Self::first) again, and the attempts at
    /// none, 0 to 1 day. Default 60 s.
    pub reset_after: Duration,
    /// How many attempts there are in a row before it gives up, 1 or more; none is without end. Default none.
    pub attempts_max: Option<u32>,
    /// Whether it goes on after a refusal too: the runtime took neither name nor index, or the plugin did not accept its
    /// configuration. Default no: both mostly come again.
    pub after_refusal: bool,
}

impl Default for Reconnect {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(100),
            growth: 2.0,
            max: Duration::from_secs(30),
            jitter: 0.1,
            reset_after: Duration::from_secs(60),
            attempts_max: None,
            after_refusal: false,
        }
    }
}

const MAX: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(3600);
const RESET: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(24 * 3600);

impl Reconnect {
    pub(crate) fn check(&self) -> Result<(), BuildError> {
        within("Reconnect::max", self.max, MAX)?;
        within("Reconnect::first", self.first, Duration::ZERO..=self.max)?;
        within("Reconnect::growth", self.growth, 1.0..=100.0)?;
        within("Reconnect::jitter", self.jitter, 0.0..=1.0)?;
        within("Reconnect::reset_after", self.reset_after, RESET)?;
        within("Reconnect::attempts_max", self.attempts_max.unwrap_or(1), 1..=u32::MAX)
    }

    /// Whether another start may do better than the one that failed so.
    pub(crate) fn is_worth_it(&self, error: &StartError) -> bool {
        error.is_transient() || (self.after_refusal && error.is_refusal())
    }

    /// The delay before the next attempt, after so many in a row; none if there were enough.
    pub(crate) fn delay(&self, attempts: u32) -> Option<Duration> {
        if self.attempts_max.is_some_and(|attempts_max| attempts >= attempts_max) {
            return None;
        }
        // The upper half of a hash of nothing, by keys that are random for each one.
        let random = f64::from((RandomState::new().hash_one(()) >> 32) as u32) / f64::from(u32::MAX);
        Some(self.delay_by(attempts, random))
    }

    fn delay_by(&self, attempts: u32, random: f64) -> Duration {
        if self.first.is_zero() {
            return Duration::ZERO;
        }
        let attempts = i32::try_from(attempts).unwrap_or(i32::MAX);
        // The growth may overflow to infinity, which the cap takes away.
        let grown = (self.first.as_secs_f64() * self.growth.powi(attempts)).min(self.max.as_secs_f64());
        Duration::from_secs_f64(grown * (1.0 - self.jitter * random))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(first: u64, max: u64) -> Reconnect {
        let (first, max) = (Duration::from_secs(first), Duration::from_secs(max));
        Reconnect { first, max, jitter: 0.5, ..Reconnect::default() }
    }

    #[test]
    fn delays_grow_to_the_cap_and_jitter_only_shortens() {
        let reconnect = seconds(1, 10);
        let delays: Vec<_> = (0..6).map(|attempts| reconnect.delay_by(attempts, 0.0).as_secs()).collect();
        assert_eq!(delays, [1, 2, 4, 8, 10, 10]);
        assert_eq!(reconnect.delay_by(u32::MAX, 0.0).as_secs(), 10);
        assert_eq!(reconnect.delay_by(2, 0.5), Duration::from_secs(3));
        assert_eq!(seconds(0, 10).delay_by(u32::MAX, 0.9), Duration::ZERO);
        for attempts in 0..100 {
            let delay = reconnect.delay(attempts).expect("without end");
            assert!(delay >= Duration::from_millis(500) && delay <= reconnect.max, "{delay:?}");
        }
    }

    #[test]
    fn after_so_many_attempts_it_gives_up() {
        let reconnect = Reconnect { attempts_max: Some(3), ..Reconnect::default() };
        let given: Vec<_> = (0..5).map(|attempts| reconnect.delay(attempts).is_some()).collect();
        assert_eq!(given, [true, true, true, false, false]);
    }
}
