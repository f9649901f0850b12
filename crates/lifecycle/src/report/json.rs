//! `serde::Serialize` for reports.

use std::time::Duration;

use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::Report;

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Named one by one: a new field that is forgotten here is an error.
        let Self {
            name,
            reason,
            began_after,
            took,
            grace_cut,
            counts,
            tasks,
            tasks_omitted,
            remnants,
            children,
            error,
        } = self;
        let mut report = serializer.serialize_struct("Report", 12)?;
        report.serialize_field("name", name)?;
        report.serialize_field("clean", &self.is_clean())?;
        report.serialize_field("reason", reason)?;
        report.serialize_field("began_after_ms", &whole_millis(*began_after))?;
        report.serialize_field("took_ms", &whole_millis(*took))?;
        report.serialize_field("grace_cut", grace_cut)?;
        report.serialize_field("counts", counts)?;
        report.serialize_field("tasks", tasks)?;
        report.serialize_field("tasks_omitted", tasks_omitted)?;
        report.serialize_field("remnants", remnants)?;
        report.serialize_field("children", children)?;
        report.serialize_field("error", error)?;
        report.end()
    }
}

/// For `serialize_with`: whole milliseconds, rounded down.
pub(super) fn millis<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(whole_millis(*span))
}

fn whole_millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::sample;
    use super::*;

    #[test]
    fn says_clean_or_not_for_each_owner() {
        let report = serde_json::to_value(sample::unclean()).unwrap();
        let clean = |owner: &serde_json::Value| (owner["name"].clone(), owner["clean"].clone());
        assert_eq!(clean(&report), (json!("relay"), json!(false)));
        let children: Vec<_> = report["children"].as_array().unwrap().iter().map(clean).collect();
        assert_eq!(
            children,
            [
                (json!("listener"), json!(true)),
                (json!("dispatchers"), json!(false)),
                (json!("pool"), json!(false)),
                (json!("storage"), json!(false)),
            ]
        );
    }

    #[test]
    fn lengths_of_time_are_whole_milliseconds() {
        let mut report = Report::new("absurd", crate::Reason::Signal(15)).with_took(Duration::MAX);
        report.began_after = Duration::from_micros(1_999);
        let report = serde_json::to_value(report.with_task(sample::straggler("busy"))).unwrap();
        let expected = json!({
            "name": "absurd",
            "clean": false,
            "reason": { "signal": 15 },
            "began_after_ms": 1,
            "took_ms": u64::MAX,
            "grace_cut": null,
            "counts": {
                "completed": 0, "drained": 0, "aborted": 0, "never_started": 0,
                "runtime_gone": 0, "panicked": 0, "stragglers": 1,
            },
            "tasks": [{
                "name": "busy",
                "kind": "task",
                "place": { "file": "src/dispatch.rs", "line": 88, "column": 9 },
                "age_ms": 3_200,
                "outcome": { "how": "straggler", "activity": { "doing": "busy", "at_least_ms": 1_300 } },
            }],
            "tasks_omitted": 0,
            "remnants": [],
            "children": [],
            "error": null,
        });
        assert_eq!(report, expected);
    }

    #[test]
    fn remnants_and_panics_have_all_their_fields() {
        let report = Report::new("pool", crate::Reason::Requested)
            .with_remnant(sample::remnant("db"))
            .with_task(sample::panicked("ping", "no answer"));
        let report = serde_json::to_value(report).unwrap();
        let place = json!({ "file": "src/claim.rs", "line": 12, "column": 5 });
        assert_eq!(report["remnants"], json!([{ "kind": "handle", "name": "db", "place": place, "age_ms": 41_000 }]));
        let outcome = json!({ "how": "panicked", "message": "no answer", "in_drop": false });
        assert_eq!(report["tasks"][0]["outcome"], outcome);
    }
}
