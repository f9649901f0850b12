//! What a scenario comes to, as one line of JSON or as text.

use serde_json::{Value, json};

use crate::findings::{Findings, Kind};

/// What a run of a scenario found.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// What is wrong.
    pub findings: Findings,
    /// What was done and counted, with its name.
    pub counts: Vec<(&'static str, u64)>,
    /// Parts that could not be run, each with the reason.
    pub skipped: Vec<String>,
}

/// A planted fault, and what has to find it.
#[derive(Clone, Copy, Debug)]
pub struct Twin {
    /// The fault's name.
    pub fault: &'static str,
    /// What it has to be found as.
    pub finds: Kind,
}

/// Whether a planted fault was found.
#[derive(Clone, Debug)]
pub struct Caught {
    /// Which one.
    pub fault: &'static str,
    /// Whether it was.
    pub caught: bool,
    /// What was found instead, or besides.
    pub detail: String,
}

impl Caught {
    /// Judges the run of a twin; one that could not be run to its end has caught nothing.
    pub fn judge(twin: Twin, outcome: &Result<Outcome, String>) -> Self {
        let (caught, detail) = match outcome {
            Ok(outcome) if outcome.findings.is_empty() => (false, "nothing was found".to_owned()),
            Ok(outcome) => (outcome.findings.has(twin.finds), outcome.findings.to_string()),
            Err(failure) => (false, failure.clone()),
        };
        Self { fault: twin.fault, caught, detail }
    }
}

/// What there is to say at the end.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The scenario.
    pub scenario: &'static str,
    /// The seed of all that was random.
    pub seed: u64,
    /// The run itself, or why there is none; `None` if only the twins were asked for.
    pub run: Option<Result<Outcome, String>>,
    /// The twins.
    pub twins: Vec<Caught>,
    /// The command that does the same again.
    pub replay: String,
}

impl Verdict {
    /// Whether all is as it should be: nothing found in the run, and every twin caught.
    pub fn passed(&self) -> bool {
        let is_fine = |run: &Result<Outcome, String>| run.as_ref().is_ok_and(|outcome| outcome.findings.is_empty());
        self.run.as_ref().is_none_or(is_fine) && self.twins.iter().all(|twin| twin.caught)
    }

    /// Whether the run was clean; a twin alone never is.
    fn clean(&self) -> bool {
        self.run.as_ref().is_some_and(|run| run.as_ref().is_ok_and(|outcome| outcome.findings.is_empty()))
    }

    /// One line.
    pub fn detail(&self) -> String {
        let mut parts = Vec::new();
        match &self.run {
            Some(Ok(outcome)) => {
                let counts = outcome.counts.iter().map(|(name, count)| format!("{count} {name}"));
                parts.push(counts.collect::<Vec<_>>().join(", "));
                if !outcome.findings.is_empty() {
                    parts.insert(0, outcome.findings.to_string());
                }
            }
            Some(Err(failure)) => parts.push(failure.clone()),
            None => {}
        }
        for twin in &self.twins {
            parts.push(if twin.caught {
                format!("twin {} caught", twin.fault)
            } else {
                format!("twin {} NOT caught: {}", twin.fault, twin.detail)
            });
        }
        if !self.passed() {
            parts.push(format!("replay: {}", self.replay));
        }
        parts.retain(|part| !part.is_empty());
        parts.join("; ")
    }

    /// What was not run, if the rest passed: a part that is skipped must not look like one that passed.
    pub fn skipped(&self) -> Option<String> {
        let Some(Ok(outcome)) = &self.run else { return None };
        (self.passed() && !outcome.skipped.is_empty()).then(|| outcome.skipped.join("; "))
    }

    /// As JSON.
    pub fn to_json(&self) -> Value {
        let mut object = json!({
            "scenario": self.scenario,
            "clean": self.clean(),
            "passed": self.passed(),
            "detail": self.detail(),
            "seed": self.seed,
            "twins": self.twins.iter().map(|it| json!({ "fault": it.fault, "caught": it.caught })).collect::<Value>(),
        });
        if let Some(Ok(outcome)) = &self.run {
            object["counts"] = outcome.counts.iter().map(|(name, count)| ((*name).to_owned(), json!(count))).collect();
        }
        if let Some(reason) = self.skipped() {
            object["skipped"] = reason.into();
        }
        object
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOSSY: Twin = Twin { fault: "lossy", finds: Kind::Lost };

    fn outcome(found: Option<Kind>) -> Result<Outcome, String> {
        let mut findings = Findings::default();
        if let Some(kind) = found {
            findings.add(kind, "event 3");
        }
        Ok(Outcome { findings, counts: vec![("accepted", 5)], skipped: Vec::new() })
    }

    fn verdict(run: Option<Result<Outcome, String>>, twin: &Result<Outcome, String>) -> Verdict {
        let twins = vec![Caught::judge(LOSSY, twin)];
        Verdict { scenario: "relay-x", seed: 7, run, twins, replay: "cargo run -- --seed 7".to_owned() }
    }

    #[test]
    fn a_run_without_findings_whose_twin_was_caught_passes() {
        let json = verdict(Some(outcome(None)), &outcome(Some(Kind::Lost))).to_json();
        let expected = json!({
            "scenario": "relay-x", "clean": true, "passed": true, "seed": 7, "counts": { "accepted": 5 },
            "detail": "5 accepted; twin lossy caught", "twins": [{ "fault": "lossy", "caught": true }],
        });
        assert_eq!(json, expected);
    }

    #[test]
    fn a_twin_that_was_not_caught_fails_the_scenario() {
        for twin in [outcome(None), outcome(Some(Kind::Late)), Err("did not start".to_owned())] {
            let verdict = verdict(Some(outcome(None)), &twin);
            assert!(!verdict.passed() && verdict.detail().contains("NOT caught"), "{}", verdict.detail());
        }
    }

    #[test]
    fn a_finding_or_a_failure_fails_the_scenario_and_says_how_to_replay_it() {
        for run in [outcome(Some(Kind::Lost)), Err("no relay".to_owned())] {
            let verdict = verdict(Some(run), &outcome(Some(Kind::Lost)));
            let json = verdict.to_json();
            assert_eq!((&json["passed"], &json["clean"]), (&json!(false), &json!(false)));
            assert!(verdict.detail().ends_with("replay: cargo run -- --seed 7"), "{}", verdict.detail());
        }
    }

    #[test]
    fn a_twin_alone_passes_by_being_caught_and_is_not_clean() {
        let json = verdict(None, &outcome(Some(Kind::Lost))).to_json();
        assert_eq!((&json["passed"], &json["clean"]), (&json!(true), &json!(false)));
    }

    #[test]
    fn a_part_that_was_skipped_shows() {
        let run = outcome(None).map(|outcome| Outcome { skipped: vec!["read-only: no root".to_owned()], ..outcome });
        let json = verdict(Some(run), &outcome(Some(Kind::Lost))).to_json();
        assert_eq!(json["skipped"], "read-only: no root");
    }
}
