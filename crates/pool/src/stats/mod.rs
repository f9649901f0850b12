//! What a pool tells about itself: itself at one instant. What changes is told by [`Events`](crate::Events).

#[cfg(feature = "metrics")]
mod exposition;
#[cfg(feature = "serde")]
mod json;
mod text;

use std::time::Duration;

use landfall_lifecycle::Place;

#[cfg(feature = "metrics")]
pub use self::exposition::Exposition;
use crate::backend::Backend;
use crate::change::SlotId;
use crate::claim::ConnectError;
use crate::core::Tally;

/// A pool at one instant. Every figure is taken from the states themselves, under one lock: they agree with each other.
///
/// It is shown as text with one line for the pool and one for each backend; with the feature `serde` it is serialized,
/// spans of time as whole milliseconds in fields whose names end with `_ms`; with the feature `metrics`
/// [`Exposition`](crate::Exposition) shows it to Prometheus.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct PoolStats {
    /// How many slots are in each state.
    pub slots: SlotCounts,
    /// How many slots there may be, see [`slots_max`](crate::Policy::slots_max).
    pub slots_max: usize,
    /// How many connections are kept ready, see [`spares_wanted`](crate::Policy::spares_wanted).
    pub spares_wanted: usize,
    /// How many claims wait in line.
    pub waiting: usize,
    /// Whether there is neither a connection nor a backend to expect one from.
    pub is_offline: bool,
    /// Each backend, those that have gone and still have connections included.
    pub backends: Vec<BackendStats>,
    /// Each slot that is in use.
    pub each_slot: Vec<SlotStats>,
    /// What has been counted since the pool was made.
    pub totals: Totals,
    /// How long served claims took; those that did not wait count as nothing.
    pub waits: Histogram,
    /// For how long connections were held that have come back.
    pub holds: Histogram,
    /// How long it took to open each connection that was opened, from the begin of the connect. Each is timed.
    pub connects: Histogram,
}

/// One backend.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct BackendStats {
    /// Which.
    pub backend: Backend,
    /// Whether the resolver has it no longer.
    pub is_removed: bool,
    /// Whether it is tried at its own pace only, because connects have failed.
    pub is_failing: bool,
    /// How many connects have failed in a row, or given connections that were never fit for a claim; those begun
    /// together count once.
    pub failures_in_a_row: u32,
    /// When it is tried next, while it is failing and not being tried.
    #[cfg_attr(feature = "serde", serde(rename = "retry_in_ms", serialize_with = "json::millis_if"))]
    pub retry_in: Option<Duration>,
    /// Whether it takes part, or is left out because its uses failed.
    pub standing: Standing,
    /// How often it was ejected.
    pub ejections: u64,
    /// How many uses failed: connections that came back broken, were discarded, or whose holders reported a failure.
    pub uses_failed: u64,
    /// How long its connections are usually held of late; none if that is not known, as where it is the only one.
    #[cfg_attr(feature = "serde", serde(rename = "usual_hold_ms", serialize_with = "json::millis_if"))]
    pub usual_hold: Option<Duration>,
    /// What the last failed connect came to, until one succeeds.
    #[cfg_attr(feature = "serde", serde(serialize_with = "json::error_if"))]
    pub last_error: Option<ConnectError>,
    /// How many of its slots are in each state.
    pub slots: SlotCounts,
    /// How many connects were begun.
    pub connects: u64,
    /// How many of them failed.
    pub connects_failed: u64,
    /// How many claims it has served.
    pub claims: u64,
}

/// Whether a backend takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case", tag = "state"))]
#[non_exhaustive]
pub enum Standing {
    /// It does.
    Full,
    /// It is left out, because its uses failed.
    Ejected {
        /// For how long yet.
        #[cfg_attr(feature = "serde", serde(rename = "remaining_ms", serialize_with = "json::millis"))]
        remaining: Duration,
    },
    /// It has one connection, and takes part again once that was used well.
    OnTrial {
        /// How many uses went well by now, of [`trial_uses`](crate::Policy::trial_uses).
        passed: u32,
    },
}

/// How many slots are in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SlotCounts {
    /// A connection is being opened.
    pub connecting: usize,
    /// A connection waits for a claim.
    pub idle: usize,
    /// A connection waits for the claim that it was granted to.
    pub granted: usize,
    /// A handle is out.
    pub claimed: usize,
    /// A connection is being checked or recycled.
    pub checking: usize,
    /// A connection is being closed.
    pub closing: usize,
}

/// One slot.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SlotStats {
    /// Which.
    pub id: SlotId,
    /// Whose it is.
    pub backend: Backend,
    /// Where it is in its life.
    pub status: SlotStatus,
    /// How long ago its connection was opened, or begun to be.
    #[cfg_attr(feature = "serde", serde(rename = "age_ms", serialize_with = "json::millis"))]
    pub age: Duration,
    /// How many claims its connection has served.
    pub claims: u64,
}

/// Where a slot is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case", tag = "state"))]
#[non_exhaustive]
pub enum SlotStatus {
    /// A connection is being opened.
    Connecting,
    /// A connection waits for a claim.
    Idle {
        /// For how long.
        #[cfg_attr(feature = "serde", serde(rename = "since_ms", serialize_with = "json::millis"))]
        since: Duration,
    },
    /// A connection waits for the claim that it was granted to.
    Granted,
    /// A handle is out.
    Claimed {
        /// Where it was claimed.
        place: Place,
        /// For how long it has been out.
        #[cfg_attr(feature = "serde", serde(rename = "age_ms", serialize_with = "json::millis"))]
        age: Duration,
    },
    /// A connection is being checked or recycled.
    Checking,
    /// A connection is being closed.
    Closing,
}

/// What has been counted since the pool was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Totals {
    /// Claims that were served.
    pub claims: u64,
    /// Those of them that had to wait.
    pub claims_waited: u64,
    /// Claims whose time was over.
    pub timed_out: u64,
    /// Claims that failed because nothing was online.
    pub offline: u64,
    /// Claims that were refused because too many waited.
    pub refused: u64,
    /// Claims that were dropped while they waited.
    pub cancelled: u64,
    /// Connections that passed on because the claim they were granted to did not take them.
    pub grants_passed_on: u64,
    /// Connections that came back broken, or were discarded.
    pub discarded: u64,
    /// Connections that were taken out.
    pub taken_out: u64,
    /// Checks that failed or took too long.
    pub checks_failed: u64,
    /// Handles that were reported as held for long.
    pub held_long: u64,
    /// Uses that failed: connections that came back broken, were discarded, or whose holders reported a failure.
    pub uses_failed: u64,
    /// Ejections of backends.
    pub ejections: u64,
    /// Connections that were closed to open one at a backend with fewer.
    pub moved: u64,
}

/// How long something took, counted in powers of two.
///
/// What takes 20 ms or longer is counted one by one, to within 10 ms. Of what is shorter the first 64 in each 4 ms are
/// timed exactly, and one in sixteen of those that follow; each of these stands for those that were not timed since the
/// last. So the figures can stay on: to time a claim and its release takes as long as to make them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    pub(crate) count: u64,
    pub(crate) nanos: u64,
    /// The n-th counts what took less than 2^n ns, and not less than half of that.
    pub(crate) buckets: [u64; Self::BUCKETS],
}

impl Histogram {
    pub(crate) const BUCKETS: usize = 48;

    /// How many were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// How long they took together.
    #[must_use]
    pub fn sum(&self) -> Duration {
        Duration::from_nanos(self.nanos)
    }

    /// How many there are of each size: an upper bound, which is a power of two nanoseconds, and how many took less
    /// than that and not less than half of it. The last bound stands for all that is longer. Empty sizes are left out.
    pub fn buckets(&self) -> impl Iterator<Item = (Duration, u64)> + '_ {
        let all = self.buckets.iter().enumerate().filter(|(_, count)| **count > 0);
        all.map(|(bit, count)| (Duration::from_nanos(1 << bit), *count))
    }

    /// An upper bound of what the given part of them took: `at_most(0.5)` is not below the median, and not above twice
    /// it. Nothing if nothing was counted.
    #[must_use]
    pub fn at_most(&self, part: f64) -> Duration {
        let wanted = (self.count as f64 * part.clamp(0.0, 1.0)).ceil() as u64;
        let mut seen = 0;
        for (bound, count) in self.buckets() {
            seen += count;
            if seen >= wanted {
                return bound;
            }
        }
        Duration::ZERO
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self { count: 0, nanos: 0, buckets: [0; Self::BUCKETS] }
    }
}

impl Totals {
    pub(crate) fn of(tally: &Tally) -> Self {
        Self {
            claims: tally.claims_shown,
            claims_waited: tally.claims_waited_shown,
            timed_out: tally.timed_out,
            offline: tally.offline,
            refused: tally.refused,
            cancelled: tally.cancelled,
            grants_passed_on: tally.grants_passed_on,
            discarded: tally.discarded,
            taken_out: tally.taken_out,
            checks_failed: tally.checks_failed,
            held_long: tally.held_long,
            uses_failed: tally.uses_failed,
            ejections: tally.ejections,
            moved: tally.moved,
        }
    }
}

/// A pool with two backends, one of them failing, for the tests of what is shown.
#[cfg(test)]
fn sample() -> PoolStats {
    let address = |port: u16| std::net::SocketAddr::from(([127, 0, 0, 1], port));
    let (idle, claims) = (SlotCounts { idle: 2, claimed: 1, ..SlotCounts::default() }, 7);
    let sound = BackendStats {
        backend: address(1).into(),
        is_removed: false,
        is_failing: false,
        failures_in_a_row: 0,
        retry_in: None,
        standing: Standing::Full,
        ejections: 0,
        uses_failed: 0,
        usual_hold: None,
        last_error: None,
        slots: idle,
        connects: 3,
        connects_failed: 0,
        claims,
    };
    let failing = BackendStats {
        backend: Backend::new("db", address(2)),
        is_removed: true,
        is_failing: true,
        failures_in_a_row: 2,
        retry_in: Some(Duration::from_millis(1_500)),
        slots: SlotCounts::default(),
        connects: 2,
        connects_failed: 2,
        claims: 0,
        ..sound.clone()
    };
    let status = SlotStatus::Idle { since: Duration::from_millis(20) };
    let id = SlotId { index: 0, generation: 1 };
    let slot = SlotStats { id, backend: address(1).into(), status, age: Duration::from_millis(40), claims };
    let mut waits = Histogram { count: 3, nanos: 3_000, ..Histogram::default() };
    waits.buckets[10] = 3;
    PoolStats {
        slots: idle,
        slots_max: 16,
        spares_wanted: 2,
        waiting: 4,
        is_offline: false,
        backends: vec![sound, failing],
        each_slot: vec![slot],
        totals: Totals { claims, timed_out: 2, cancelled: 1, ..Totals::default() },
        waits,
        holds: Histogram::default(),
        connects: Histogram { count: 1, nanos: 2_000_000, buckets: std::array::from_fn(|bit| u64::from(bit == 21)) },
    }
}
