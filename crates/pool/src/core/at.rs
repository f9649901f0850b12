//! Instants of one pool, as small as the core needs them.

use std::time::Duration;

/// An instant: nanoseconds since the pool was made. Sums stay at the end of time, half a millennium later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct At(u64);

impl At {
    /// Never.
    pub(crate) const NEVER: Self = Self(u64::MAX);
    /// How old a time may be that claims and releases bring along: as old as the kernel's ticks are long.
    pub(crate) const LAG_MAX: Duration = Duration::from_millis(10);

    pub(crate) fn after_start(since: Duration) -> Self {
        Self(nanos(since))
    }

    pub(crate) const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    pub(crate) fn since_start(self) -> Duration {
        Duration::from_nanos(self.0)
    }

    /// How long after `earlier`; nothing if it is not.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    pub(crate) fn nanos_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    pub(crate) fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(nanos(by)))
    }

    /// `by` later, or never.
    pub(crate) fn plus_if(self, by: Option<Duration>) -> Self {
        by.map_or(Self::NEVER, |by| self.plus(by))
    }
}

pub(super) fn nanos(duration: Duration) -> u64 {
    // Unlike `as_nanos`, without a product of 128 bits.
    duration.as_secs().saturating_mul(1_000_000_000).saturating_add(u64::from(duration.subsec_nanos()))
}
