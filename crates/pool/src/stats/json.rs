//! Statistics for serde: spans of time with their units, errors as text.

use std::time::Duration;

use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::Histogram;
use super::text::chain;
use crate::claim::ConnectError;

/// Whole milliseconds, rounded down.
pub(super) fn millis<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    whole_millis(*span).serialize(serializer)
}

pub(super) fn millis_if<S: Serializer>(span: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    span.map(whole_millis).serialize(serializer)
}

pub(super) fn error_if<S: Serializer>(error: &Option<ConnectError>, serializer: S) -> Result<S::Ok, S::Error> {
    error.as_ref().map(chain).serialize(serializer)
}

fn whole_millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

impl Serialize for Histogram {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(serde::Serialize)]
        struct Bucket {
            below_ns: u64,
            count: u64,
        }
        let whole = |span: Duration| u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        let buckets = self.buckets().map(|(below, count)| Bucket { below_ns: whole(below), count });
        let mut histogram = serializer.serialize_struct("Histogram", 3)?;
        histogram.serialize_field("count", &self.count())?;
        histogram.serialize_field("sum_ns", &whole(self.sum()))?;
        histogram.serialize_field("buckets", &buckets.collect::<Vec<_>>())?;
        histogram.end()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::sample;

    #[test]
    fn what_a_pool_tells_has_units_in_its_names() {
        let stats = serde_json::to_value(sample()).unwrap();
        assert_eq!(
            (&stats["slots"]["idle"], &stats["slots_max"], &stats["waiting"]),
            (&json!(2), &json!(16), &json!(4))
        );
        let backend = &stats["backends"][1];
        assert_eq!(backend["backend"], json!({ "name": "db", "address": "127.0.0.1:2", "priority": 0, "weight": 1 }));
        assert_eq!((&backend["retry_in_ms"], &backend["last_error"]), (&json!(1_500), &json!(null)));
        assert_eq!(stats["each_slot"][0]["status"], json!({ "state": "idle", "since_ms": 20 }));
        assert_eq!(stats["each_slot"][0]["age_ms"], json!(40));
        let waits = json!({ "count": 3, "sum_ns": 3_000, "buckets": [{ "below_ns": 1_024, "count": 3 }] });
        assert_eq!(stats["waits"], waits);
        assert_eq!(stats["connects"]["sum_ns"], json!(2_000_000));
    }
}
