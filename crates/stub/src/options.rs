//! Every bound of a stub, with its default and what it may be.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::build_error::BuildError;
use crate::wire::Limits;

/// How long a stub waits, and how much it holds. Checked when the stub is built.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StubOptions {
    /// How long a connect may take, 1 ms to 1 h. Default 5 s.
    pub connect_timeout: Duration,
    /// How long the runtime may take to answer the registration, 1 ms to 1 h. Default 5 s, which is what runtimes give
    /// a plugin for it.
    pub registration_timeout: Duration,
    /// How long after the registration was sent the plugin has to be configured, 1 ms to 1 h. Default 10 s.
    pub configure_timeout: Duration,
    /// How long an unsolicited update may take, the wait for handlers included, 1 ms to 1 h. Default 5 s.
    pub update_timeout: Duration,
    /// How long the runtime may read nothing before the connection is given up, 1 ms to 1 h. Default 10 s.
    pub write_timeout: Duration,
    /// How long handlers get to finish when the plugin stops or loses its connection, 0 to 1 h; then they are aborted.
    /// Default 2 s.
    pub stop_grace: Duration,
    /// How long after [`stop_grace`](Self::stop_grace) cleanup gets, 0 to 1 h. A stop returns at the latest one second
    /// after it. Default 1 s.
    pub stop_abort: Duration,
    /// How many of our calls may wait for their answers, and how many updates for their turn, 1 to 128. Default 64: the
    /// Go side's queue has 256 frames, and a call takes two at most.
    pub calls_max: usize,
    /// How many handlers may run at once, 1 to 4,096. Default 64.
    pub handlers_max: usize,
    /// How many bytes of messages that arrive or are handled may be held, 8 MiB to 1 GiB. Default 16 MiB.
    pub received_bytes_max: usize,
    /// How many bytes the messages that are handled may take once they are decoded, 8 MiB to 4 GiB. Default 64 MiB. What
    /// two bytes stand for may take some hundred; a runtime that sends one message of more than this is hostile, and loses
    /// its connection.
    pub decoded_bytes_max: usize,
    /// How many bytes the parts of a synchronization may take once they are decoded, 4 MiB to 4 GiB. Default 128 MiB:
    /// 6,000 objects of 2 kB take about 30 MiB.
    pub synchronize_bytes_max: usize,
}

impl Default for StubOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            registration_timeout: Duration::from_secs(5),
            configure_timeout: Duration::from_secs(10),
            update_timeout: Duration::from_secs(5),
            write_timeout: Duration::from_secs(10),
            stop_grace: Duration::from_secs(2),
            stop_abort: Duration::from_secs(1),
            calls_max: 64,
            handlers_max: 64,
            received_bytes_max: 16 << 20,
            decoded_bytes_max: 64 << 20,
            synchronize_bytes_max: 128 << 20,
        }
    }
}

const HOUR: Duration = Duration::from_secs(3600);
const WAIT: RangeInclusive<Duration> = Duration::from_millis(1)..=HOUR;

impl StubOptions {
    pub(crate) fn check(&self) -> Result<(), BuildError> {
        within("connect_timeout", self.connect_timeout, WAIT)?;
        within("registration_timeout", self.registration_timeout, WAIT)?;
        within("configure_timeout", self.configure_timeout, WAIT)?;
        within("update_timeout", self.update_timeout, WAIT)?;
        within("write_timeout", self.write_timeout, WAIT)?;
        within("stop_grace", self.stop_grace, Duration::ZERO..=HOUR)?;
        within("stop_abort", self.stop_abort, Duration::ZERO..=HOUR)?;
        within("calls_max", self.calls_max, 1..=128)?;
        within("handlers_max", self.handlers_max, 1..=4096)?;
        within("received_bytes_max", self.received_bytes_max, 8 << 20..=1 << 30)?;
        within("decoded_bytes_max", self.decoded_bytes_max, 8 << 20..=4 << 30)?;
        within("synchronize_bytes_max", self.synchronize_bytes_max, 4 << 20..=4 << 30)
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits {
            calls_max: self.calls_max,
            handlers_max: self.handlers_max,
            received_bytes_max: self.received_bytes_max,
            decoded_bytes_max: self.decoded_bytes_max,
            write_timeout: self.write_timeout,
        }
    }
}

pub(crate) fn within<T>(field: &'static str, value: T, allowed: RangeInclusive<T>) -> Result<(), BuildError>
where
    T: PartialOrd + std::fmt::Debug,
{
    if allowed.contains(&value) {
        return Ok(());
    }
    Err(BuildError::Option { field, value: format!("{value:?}"), allowed: format!("{allowed:?}") })
}
