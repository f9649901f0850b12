//! How much a backlog holds, for how long, and what gives way when it is full.

use std::time::Duration;

/// The most requests that may be asked for.
const REQUESTS_MAX: usize = 16_777_216;
/// The longest timeout that may be asked for: 365 days.
const TIMEOUT_MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// How much a [`Backlog`](super::Backlog) holds, for how long, and what gives way when it is full.
///
/// What the child has taken and not answered counts, so that what it loses always has its place.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// How many requests are held at most, 1 to 16,777,216. Default 512 (brod: `partition_buffer_limit`).
    pub requests_max: usize,
    /// How many bytes they are together at most, by what [`Builder::bytes`](super::Builder::bytes) says of each; at
    /// least 1. Default 64 MiB.
    pub bytes_max: usize,
    /// How long a caller waits for an answer at most, unless it says otherwise; more than 0, at most 365 days. Default
    /// 30 s.
    pub request_timeout: Duration,
    /// What gives way when a request does not fit. Default: the newcomer is refused.
    pub when_full: WhenFull,
}

/// What gives way when a request does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenFull {
    /// The newcomer: its caller is refused, and has it back.
    Refuse,
    /// Those that wait longest, as many as have to, and their callers are told. One that was committed stays; if only such
    /// are left the newcomer is refused (Kotlin: `BufferOverflow.DROP_OLDEST`).
    DropOldest,
    /// The newcomer, as if it had been taken in: who waits for its answer is told (Kotlin: `BufferOverflow.DROP_LATEST`).
    DropNewest,
}

/// A field of a backlog's setup that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LimitsError {
    /// The name is empty.
    #[error("the name of the backlog is empty")]
    EmptyName,
    /// A number or a time is out of its bounds.
    #[error("{field} is {value}: allowed is {allowed}")]
    OutOfBounds {
        /// The field of [`Limits`].
        field: &'static str,
        /// What was given.
        value: String,
        /// What is allowed.
        allowed: &'static str,
    },
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests_max: 512,
            bytes_max: 64 * 1024 * 1024,
            request_timeout: Duration::from_secs(30),
            when_full: WhenFull::Refuse,
        }
    }
}

impl Limits {
    pub(super) fn check(&self) -> Result<(), LimitsError> {
        let out_of_bounds = |field, value, allowed| Err(LimitsError::OutOfBounds { field, value, allowed });
        if !(1..=REQUESTS_MAX).contains(&self.requests_max) {
            return out_of_bounds("requests_max", self.requests_max.to_string(), "1 to 16777216");
        }
        if self.bytes_max == 0 {
            return out_of_bounds("bytes_max", "0".to_owned(), "at least 1");
        }
        if self.request_timeout.is_zero() || self.request_timeout > TIMEOUT_MAX {
            let value = format!("{:?}", self.request_timeout);
            return out_of_bounds("request_timeout", value, "more than 0, at most 365 days");
        }
        Ok(())
    }

    /// How long a caller waits that wants so long.
    pub(super) fn timeout(wanted: Duration) -> Duration {
        wanted.min(TIMEOUT_MAX)
    }
}
