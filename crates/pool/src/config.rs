//! A policy for serde, as configuration files have it.

use std::time::Duration;

use serde::de::{Deserializer, Error};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

use crate::policy::Policy;

/// The fields of [`Policy`], spans of time in milliseconds and named so. Defaults are those of a [`Policy`]: serde asks
/// for one of this too, and does not use it.
#[derive(Default, Deserialize, Serialize)]
#[serde(remote = "Policy", default, deny_unknown_fields)]
struct Fields {
    slots_max: usize,
    slots_per_backend_max: Option<usize>,
    slots_min: usize,
    spares_wanted: usize,
    waiters_max: usize,
    #[serde(rename = "claim_timeout_ms", with = "millis")]
    claim_timeout: Duration,
    #[serde(rename = "grant_hold_max_ms", with = "millis")]
    grant_hold_max: Duration,
    #[serde(rename = "offline_wait_ms", with = "millis")]
    offline_wait: Duration,
    #[serde(rename = "connect_timeout_ms", with = "millis")]
    connect_timeout: Duration,
    #[serde(rename = "check_timeout_ms", with = "millis")]
    check_timeout: Duration,
    #[serde(rename = "close_timeout_ms", with = "millis")]
    close_timeout: Duration,
    #[serde(rename = "backoff_min_ms", with = "millis")]
    backoff_min: Duration,
    #[serde(rename = "backoff_max_ms", with = "millis")]
    backoff_max: Duration,
    #[serde(rename = "backoff_waiting_max_ms", with = "millis")]
    backoff_waiting_max: Duration,
    probes_max: usize,
    #[serde(rename = "probe_overlap_after_ms", with = "millis")]
    probe_overlap_after: Duration,
    #[serde(rename = "lifetime_max_ms", with = "millis_if")]
    lifetime_max: Option<Duration>,
    lifetime_jitter_percent: u8,
    #[serde(rename = "idle_timeout_ms", with = "millis_if")]
    idle_timeout: Option<Duration>,
    #[serde(rename = "keepalive_ms", with = "millis_if")]
    keepalive: Option<Duration>,
    #[serde(rename = "validate_after_ms", with = "millis_if")]
    validate_after: Option<Duration>,
    #[serde(rename = "held_report_after_ms", with = "millis_if")]
    held_report_after: Option<Duration>,
    #[serde(rename = "rebalance_interval_ms", with = "millis_if")]
    rebalance_interval: Option<Duration>,
    ejection_failures: Option<usize>,
    ejection_failure_percent: Option<u8>,
    ejection_uses_min: usize,
    #[serde(rename = "ejection_window_ms", with = "millis")]
    ejection_window: Duration,
    #[serde(rename = "ejection_time_ms", with = "millis")]
    ejection_time: Duration,
    #[serde(rename = "ejection_time_max_ms", with = "millis")]
    ejection_time_max: Duration,
    ejected_percent_max: u8,
    trial_uses: usize,
}

/// Spans of time are numbers of milliseconds, and the names of their fields end with `_ms`.
impl Serialize for Policy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Fields::serialize(self, serializer)
    }
}

/// As it is serialized. A field that is not there has its default, one whose default can be switched off is so by null,
/// one that is not known is refused, and so is whatever [`Policy::check`] refuses.
impl<'de> Deserialize<'de> for Policy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let policy = Fields::deserialize(deserializer)?;
        policy.check().map_err(D::Error::custom)?;
        Ok(policy)
    }
}

/// Milliseconds: a whole number where it is one.
mod millis {
    use super::*;

    pub(super) fn serialize<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        match u64::try_from(span.as_millis()) {
            Ok(whole) if Duration::from_millis(whole) == *span => serializer.serialize_u64(whole),
            _ => serializer.serialize_f64(span.as_secs_f64() * 1e3),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let millis = f64::deserialize(deserializer)?;
        let span = Duration::try_from_secs_f64(millis / 1e3);
        span.map_err(|error| D::Error::custom(format_args!("{millis} ms: {error}")))
    }
}

/// The same, or null.
mod millis_if {
    use super::*;

    #[derive(Deserialize, Serialize)]
    struct Millis(#[serde(with = "millis")] Duration);

    pub(super) fn serialize<S: Serializer>(span: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        span.map(Millis).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<Millis>::deserialize(deserializer)?.map(|Millis(span)| span))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Policy, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    #[track_caller]
    fn check_refused(text: &str, says: &str) {
        let error = read(text).expect_err(text);
        assert!(error.contains(says), "{error}");
    }

    #[test]
    fn what_is_written_is_read_again() {
        let odd = Policy {
            slots_max: 40,
            slots_per_backend_max: Some(7),
            claim_timeout: Duration::from_micros(1_500),
            backoff_min: Duration::new(1, 1),
            lifetime_max: None,
            keepalive: Some(Duration::from_secs(365 * 24 * 60 * 60)),
            held_report_after: None,
            ..Policy::default()
        };
        for policy in [Policy::default(), odd] {
            let text = serde_json::to_string(&policy).unwrap();
            assert_eq!(read(&text), Ok(policy), "{text}");
        }
    }

    #[test]
    fn a_field_that_is_not_there_has_its_default_and_null_switches_off() {
        assert_eq!(read("{}"), Ok(Policy::default()));
        let policy = read(r#"{ "claim_timeout_ms": 250, "idle_timeout_ms": null, "offline_wait_ms": 0.5 }"#).unwrap();
        assert_eq!(policy.claim_timeout, Duration::from_millis(250));
        assert_eq!((policy.idle_timeout, policy.offline_wait), (None, Duration::from_micros(500)));
        assert_eq!(policy.lifetime_max, Policy::default().lifetime_max);
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_name() {
        check_refused(r#"{ "claim_timeout": 30 }"#, "unknown field `claim_timeout`");
        check_refused(r#"{ "slots_max": 0 }"#, "policy field slots_max is 0; allowed: 1 to 1000000");
        check_refused(r#"{ "slots_max": 4, "slots_min": 9 }"#, "slots_min is 9");
        check_refused(r#"{ "claim_timeout_ms": 1e300 }"#, "ms: ");
        check_refused(r#"{ "claim_timeout_ms": -1 }"#, "-1 ms: ");
        check_refused(r#"{ "claim_timeout_ms": "30s" }"#, "invalid type");
        check_refused(r#"{ "claim_timeout_ms": null }"#, "invalid type");
    }
}
