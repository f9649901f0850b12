//! What a scenario comes to, as one line of JSON or as text.

use std::time::Duration;

use serde_json::{Value, json};

use crate::findings::Findings;
use crate::twin::Caught;

/// What a run of a scenario found.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// What is wrong.
    pub findings: Findings,
    /// What was done and counted, with its name.
    pub counts: Vec<(&'static str, u64)>,
    /// Parts that could not be run, each with the reason.
    pub skipped: Vec<String>,
    /// How long each termination took.
    pub took: Vec<Duration>,
    /// The last termination's report, as JSON.
    pub report: Option<Value>,
}

impl Outcome {
    /// Adds a later round. Counts add up, but times, whose names begin with `ms`, keep the longest.
    pub fn add_round(&mut self, number: u64, round: Self) {
        self.findings.extend(&format!("round {number}"), round.findings);
        for (name, count) in round.counts {
            match self.counts.iter_mut().find(|(known, _)| *known == name) {
                Some((_, so_far)) if name.starts_with("ms ") => *so_far = count.max(*so_far),
                Some((_, so_far)) => *so_far += count,
                None => self.counts.push((name, count)),
            }
        }
        for reason in round.skipped {
            if !self.skipped.contains(&reason) {
                self.skipped.push(reason);
            }
        }
        self.took.extend(round.took);
        self.report = round.report.or(self.report.take());
    }

    /// Whether nothing of it could be run.
    pub fn is_skipped(&self) -> bool {
        !self.skipped.is_empty() && self.counts.is_empty() && self.findings.is_empty()
    }

    /// How long the terminations took; null if none was measured.
    fn took_ms(&self) -> Value {
        let mut took: Vec<u64> = self.took.iter().map(|it| u64::try_from(it.as_millis()).unwrap_or(u64::MAX)).collect();
        took.sort_unstable();
        let Some(max) = took.last() else { return Value::Null };
        json!({ "median": took[took.len() / 2], "max": max })
    }
}

/// What there is to say at the end.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The scenario.
    pub scenario: &'static str,
    /// The seed of all that was random.
    pub seed: u64,
    /// How many rounds the run has.
    pub rounds: u64,
    /// The run itself, or why there is none; `None` if only twins were asked for.
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
        self.run.as_ref().is_none_or(is_fine) && self.twins.iter().all(|twin| twin.caught || twin.is_skipped())
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
            parts.push(match (twin.caught, &self.run) {
                (true, Some(_)) => format!("twin {} caught", twin.fault),
                (false, _) if twin.is_skipped() => String::new(),
                // What it was caught as is all there is to say.
                (true, None) => format!("twin {} caught: {}", twin.fault, twin.detail),
                (false, _) => format!("twin {} NOT caught: {}", twin.fault, twin.detail),
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
        let of_twins = self.twins.iter().filter(|twin| twin.is_skipped()).filter_map(|twin| twin.outcome.as_ref());
        let run = self.run.iter().filter_map(|run| run.as_ref().ok());
        let mut reasons: Vec<&str> = Vec::new();
        for reason in run.chain(of_twins).flat_map(|outcome| &outcome.skipped) {
            if !reasons.contains(&reason.as_str()) {
                reasons.push(reason);
            }
        }
        (self.passed() && !reasons.is_empty()).then(|| reasons.join("; "))
    }

    /// The run, or the twin if only one was asked for: where the leaks, the times and the report are from.
    fn shown(&self) -> Option<&Outcome> {
        match (&self.run, self.twins.as_slice()) {
            (Some(run), _) => run.as_ref().ok(),
            (None, [twin]) => twin.outcome.as_ref(),
            (None, _) => None,
        }
    }

    /// As JSON.
    pub fn to_json(&self) -> Value {
        let twin = |it: &Caught| json!({ "fault": it.fault, "caught": it.caught, "detail": it.detail });
        let shown = self.shown();
        let mut object = json!({
            "scenario": self.scenario,
            "clean": self.clean(),
            "passed": self.passed(),
            "detail": self.detail(),
            "seed": self.seed,
            "rounds": self.rounds,
            "twins": self.twins.iter().map(twin).collect::<Value>(),
            "took_ms": shown.map(Outcome::took_ms),
            "leaks": shown.map_or_else(|| json!([]), |outcome| outcome.findings.to_json()),
            "report": shown.and_then(|outcome| outcome.report.clone()),
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
    use crate::findings::Kind;
    use crate::twin::Twin;

    const LOSSY: Twin = Twin::planted("lossy", Kind::Lost);

    fn outcome(found: Option<Kind>) -> Result<Outcome, String> {
        let mut findings = Findings::default();
        if let Some(kind) = found {
            findings.add(kind, "event 3");
        }
        Ok(Outcome { findings, counts: vec![("accepted", 5)], ..Outcome::default() })
    }

    fn verdict(run: Option<Result<Outcome, String>>, twin: Result<Outcome, String>) -> Verdict {
        let twins = vec![Caught::judge(LOSSY, 1, twin)];
        let rounds = u64::from(run.is_some());
        Verdict { scenario: "relay-x", seed: 7, rounds, run, twins, replay: "cargo run -- --seed 7".to_owned() }
    }

    #[test]
    fn a_run_without_findings_whose_twin_was_caught_passes() {
        let json = verdict(Some(outcome(None)), outcome(Some(Kind::Lost))).to_json();
        let expected = json!({
            "scenario": "relay-x", "clean": true, "passed": true, "seed": 7, "rounds": 1, "counts": { "accepted": 5 },
            "detail": "5 accepted; twin lossy caught", "took_ms": null, "leaks": [], "report": null,
            "twins": [{ "fault": "lossy", "caught": true, "detail": "lost: event 3" }],
        });
        assert_eq!(json, expected);
    }

    #[test]
    fn a_twin_that_was_not_caught_fails_the_scenario() {
        for twin in [outcome(None), outcome(Some(Kind::Late)), Err("did not start".to_owned())] {
            let verdict = verdict(Some(outcome(None)), twin);
            assert!(!verdict.passed() && verdict.detail().contains("NOT caught"), "{}", verdict.detail());
        }
    }

    #[test]
    fn a_finding_or_a_failure_fails_the_scenario_and_says_how_to_replay_it() {
        for run in [outcome(Some(Kind::Lost)), Err("no relay".to_owned())] {
            let verdict = verdict(Some(run), outcome(Some(Kind::Lost)));
            let json = verdict.to_json();
            assert_eq!((&json["passed"], &json["clean"]), (&json!(false), &json!(false)));
            assert!(verdict.detail().ends_with("replay: cargo run -- --seed 7"), "{}", verdict.detail());
        }
    }

    #[test]
    fn a_twin_alone_passes_by_being_caught_and_is_not_clean() {
        let json = verdict(None, outcome(Some(Kind::Lost))).to_json();
        assert_eq!((&json["passed"], &json["clean"]), (&json!(true), &json!(false)));
        let leak = json!({ "kind": "lost", "name": null, "place": null, "detail": "event 3", "times": 1 });
        assert_eq!((&json["leaks"], &json["rounds"]), (&json!([leak]), &json!(0)));
    }

    #[test]
    fn a_part_that_was_skipped_shows() {
        let run = outcome(None).map(|outcome| Outcome { skipped: vec!["read-only: no root".to_owned()], ..outcome });
        let json = verdict(Some(run), outcome(Some(Kind::Lost))).to_json();
        assert_eq!(json["skipped"], "read-only: no root");
    }

    /// A twin whose run could not begin has neither been caught nor missed.
    #[test]
    fn what_could_not_be_run_at_all_is_skipped_and_its_twin_too() {
        let none = || Ok(Outcome { skipped: vec!["no server".to_owned()], ..Outcome::default() });
        for run in [None, Some(none())] {
            let json = verdict(run, none()).to_json();
            assert_eq!((&json["passed"], &json["skipped"]), (&json!(true), &json!("no server")));
            assert_eq!(json["twins"][0]["caught"], false);
        }
        let done = || Ok(Outcome { skipped: vec!["no root".to_owned()], ..outcome(None).expect("it is one") });
        assert!(!verdict(None, done()).passed(), "a twin that ran has to be caught");
    }

    #[test]
    fn rounds_add_up_and_keep_the_longest_times_and_the_last_report() {
        let round = |ms: u64, kind| Outcome {
            counts: vec![("tasks", 2), ("ms the slowest", ms)],
            took: vec![Duration::from_millis(ms)],
            report: Some(json!(ms)),
            ..outcome(kind).expect("it is made so")
        };
        let mut all = Outcome::default();
        for (number, ms) in [(1, 5), (2, 90), (3, 7)] {
            all.add_round(number, round(ms, (number == 2).then_some(Kind::Thread)));
        }
        assert_eq!(all.counts, [("tasks", 6), ("ms the slowest", 90)]);
        assert_eq!(all.took_ms(), json!({ "median": 7, "max": 90 }));
        assert_eq!((all.report, all.findings.to_string()), (Some(json!(7)), "thread: round 2: event 3".to_owned()));
    }
}
