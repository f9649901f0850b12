//! Every knob, with its default, its unit and what it may be.

use std::sync::Arc;
use std::time::Duration;

use landfall_lifecycle::Clock;
use landfall_supervise::Backoff;
use landfall_supervise::backlog::Limits;

use crate::dial::{Dial, Endpoint, Tcp};

/// The longest time that may be asked for.
const TIME_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// A broker knows the last five batches of a producer again, and no more.
const IN_FLIGHT_MAX: usize = 5;

/// What all of a client's tree is set to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// Where the cluster is asked for its brokers; at least one.
    pub bootstrap: Vec<Endpoint>,
    /// What the client calls itself. Default: `landfall`.
    pub client_id: String,
    /// How long a connection gets to be up, the first exchange included. Default 5 s.
    pub connect_timeout: Duration,
    /// How long a request may go without its answer; then its connection is given up. Default 10 s.
    pub request_timeout: Duration,
    /// The bytes of an answer at most, 1 KiB to 1 GiB. Default 64 MiB.
    pub frame_bytes_max: usize,
    /// Requests that a connection has taken and that have no answer, 1 to 1,000; further ones wait. Default 64.
    pub requests_max: usize,
    /// Brokers that are known at most, 1 to 10,000; of further ones nothing is known. Default 100.
    pub brokers_max: usize,
    /// After how long the cluster is asked again, though nothing is amiss. Default 300 s.
    pub metadata_age_max: Duration,
    /// How long a connection waits before it is made anew. Default: from 100 ms, doubled, to 10 s, with jitter.
    pub reconnect: Backoff,
    /// The pause before something is tried again that a broker refused for now: doubled each time, from `retry_first`,
    /// 100 ms by default, to `retry_max`.
    pub retry_first: Duration,
    /// See [`retry_first`](Self::retry_first). Default 2 s.
    pub retry_max: Duration,
    /// How connections are made. Default: TCP.
    pub dial: Arc<dyn Dial>,
    /// The clock of the tree's end. Default: the system's.
    pub clock: Clock,
}

impl Settings {
    /// The defaults, for a cluster that is asked there.
    #[must_use]
    pub fn new(bootstrap: Vec<Endpoint>) -> Self {
        Self {
            bootstrap,
            client_id: "landfall".to_owned(),
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(10),
            frame_bytes_max: 64 * 1024 * 1024,
            requests_max: 64,
            brokers_max: 100,
            metadata_age_max: Duration::from_secs(300),
            reconnect: Backoff::exponential(Duration::from_millis(100), Duration::from_secs(10))
                .reset_after(Duration::from_secs(10)),
            retry_first: Duration::from_millis(100),
            retry_max: Duration::from_secs(2),
            dial: Arc::new(Tcp),
            clock: Clock::system(),
        }
    }

    pub(crate) fn check(&self) -> Result<(), SettingsError> {
        if self.bootstrap.is_empty() {
            return Err(SettingsError {
                field: "bootstrap",
                value: "empty".to_owned(),
                allowed: "one address or more",
            });
        }
        time("connect_timeout", self.connect_timeout)?;
        time("request_timeout", self.request_timeout)?;
        time("metadata_age_max", self.metadata_age_max)?;
        time("retry_first", self.retry_first)?;
        time("retry_max", self.retry_max)?;
        number("frame_bytes_max", self.frame_bytes_max, 1_024, 1024 * 1024 * 1024, "1 KiB to 1 GiB")?;
        number("requests_max", self.requests_max, 1, 1_000, "1 to 1000")?;
        number("brokers_max", self.brokers_max, 1, 10_000, "1 to 10000")
    }
}

/// Which copies of a record have to be there before a broker acknowledges it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Acks {
    /// The leader's. What it acknowledged is lost if it is lost before others have it.
    Leader,
    /// Those of all replicas that are in sync.
    #[default]
    All,
}

/// What the producer of a partition is set to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ProducerSettings {
    /// How many records are held, for how long, and what gives way. Default: [`Limits::default`].
    pub backlog: Limits,
    /// Which copies have to be there. Default: all.
    pub acks: Acks,
    /// Batches that are with the broker at once, 1 to 5: it knows the last five again. Default 5.
    pub in_flight_max: usize,
    /// Records of a batch at most, 1 to 100,000. Default 10,000.
    pub batch_records_max: usize,
    /// Bytes of a batch at most, 1 KiB to 1 GiB, before what the protocol adds; a record that is larger by itself is
    /// refused. Default 1,000,000, a little below what brokers take.
    pub batch_bytes_max: usize,
    /// How long a producer that is ended goes on sending what it holds, at most. Default 5 s.
    pub flush_max: Duration,
}

impl Default for ProducerSettings {
    fn default() -> Self {
        Self {
            backlog: Limits::default(),
            acks: Acks::default(),
            in_flight_max: IN_FLIGHT_MAX,
            batch_records_max: 10_000,
            batch_bytes_max: 1_000_000,
            flush_max: Duration::from_secs(5),
        }
    }
}

impl ProducerSettings {
    pub(crate) fn check(&self) -> Result<(), SettingsError> {
        number("in_flight_max", self.in_flight_max, 1, IN_FLIGHT_MAX, "1 to 5")?;
        number("batch_records_max", self.batch_records_max, 1, 100_000, "1 to 100000")?;
        number("batch_bytes_max", self.batch_bytes_max, 1_024, 1024 * 1024 * 1024, "1 KiB to 1 GiB")?;
        time("flush_max", self.flush_max)
    }
}

/// Where a consumer begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Begin {
    /// With the oldest record there is.
    Earliest,
    /// With what is written from now on.
    #[default]
    Latest,
    /// At this offset.
    At(i64),
}

/// What a consumer does whose offset the broker does not have any more, or not yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OutOfRange {
    /// It tells its reader, and ends (brod: `reset_by_subscriber`).
    #[default]
    Fail,
    /// It goes on with the oldest record there is.
    Earliest,
    /// It goes on with what is written from then on.
    Latest,
}

/// What the consumer of a partition is set to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ConsumerSettings {
    /// Where it begins. Default: with what is written from now on.
    pub begin: Begin,
    /// What it does when its offset is out of range. Default: it fails.
    pub out_of_range: OutOfRange,
    /// Bytes that are asked for at once, 1 KiB to half of [`frame_bytes_max`](Settings::frame_bytes_max); a batch that is larger by itself comes whole. Default 1 MiB.
    pub fetch_bytes_max: usize,
    /// How long a broker waits for records when there are none. Default 500 ms.
    pub fetch_wait_max: Duration,
    /// Records that wait for the reader, 1 to 1,000,000; with so many nothing more is asked for. Default 1,000.
    pub prefetch_records: usize,
    /// Bytes that wait for the reader; with so many nothing more is asked for, so that at most one answer more is held.
    /// Default 1 MiB.
    pub prefetch_bytes: usize,
}

impl Default for ConsumerSettings {
    fn default() -> Self {
        Self {
            begin: Begin::default(),
            out_of_range: OutOfRange::default(),
            fetch_bytes_max: 1024 * 1024,
            fetch_wait_max: Duration::from_millis(500),
            prefetch_records: 1_000,
            prefetch_bytes: 1024 * 1024,
        }
    }
}

impl ConsumerSettings {
    pub(crate) fn check(&self, settings: &Settings) -> Result<(), SettingsError> {
        if self.fetch_bytes_max > settings.frame_bytes_max / 2 {
            let (field, value) = ("fetch_bytes_max", self.fetch_bytes_max.to_string());
            return Err(SettingsError { field, value, allowed: "half of frame_bytes_max at most" });
        }
        number("fetch_bytes_max", self.fetch_bytes_max, 1_024, usize::MAX, "at least 1 KiB")?;
        number("prefetch_records", self.prefetch_records, 1, 1_000_000, "1 to 1000000")?;
        number("prefetch_bytes", self.prefetch_bytes, 1, usize::MAX, "at least 1")?;
        time("fetch_wait_max", self.fetch_wait_max)
    }
}

/// A setting that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} is {value}: allowed is {allowed}")]
#[non_exhaustive]
pub struct SettingsError {
    /// Its field.
    pub field: &'static str,
    /// What was given.
    pub value: String,
    /// What is allowed.
    pub allowed: &'static str,
}

fn time(field: &'static str, value: Duration) -> Result<(), SettingsError> {
    if value.is_zero() || value > TIME_MAX {
        return Err(SettingsError { field, value: format!("{value:?}"), allowed: "more than 0, at most 1 day" });
    }
    Ok(())
}

fn number(
    field: &'static str,
    value: usize,
    least: usize,
    most: usize,
    allowed: &'static str,
) -> Result<(), SettingsError> {
    if (least..=most).contains(&value) {
        Ok(())
    } else {
        Err(SettingsError { field, value: value.to_string(), allowed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bound_is_checked() {
        let field = |change: &dyn Fn(&mut Settings)| {
            let mut settings = Settings::new(vec!["127.0.0.1:9092".parse().unwrap()]);
            change(&mut settings);
            settings.check().err().map(|error| error.field)
        };
        assert_eq!(field(&|_| {}), None);
        assert_eq!(field(&|settings| settings.bootstrap.clear()), Some("bootstrap"));
        assert_eq!(field(&|settings| settings.connect_timeout = Duration::ZERO), Some("connect_timeout"));
        assert_eq!(field(&|settings| settings.frame_bytes_max = 1), Some("frame_bytes_max"));
        assert_eq!(field(&|settings| settings.retry_max = Duration::MAX), Some("retry_max"));
        let producer = ProducerSettings { in_flight_max: 6, ..ProducerSettings::default() };
        let error = producer.check().unwrap_err();
        assert_eq!(error.to_string(), "in_flight_max is 6: allowed is 1 to 5");
        let mut settings = Settings::new(Vec::new());
        assert_eq!(ConsumerSettings::default().check(&settings), Ok(()));
        // Else each answer would be refused, and its connection with it.
        settings.frame_bytes_max = 1024 * 1024;
        let error = ConsumerSettings::default().check(&settings).unwrap_err();
        assert_eq!(error.to_string(), "fetch_bytes_max is 1048576: allowed is half of frame_bytes_max at most");
    }
}
