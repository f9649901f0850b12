//! What a scenario's end and its last line come to. Whoever says nothing, or ends otherwise than it says, has failed.

use serde_json::Value;

use crate::child::{Ended, How};

/// What became of a scenario, with what there is to say.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Passed(String),
    Failed(String),
    Skipped(String),
}

impl Verdict {
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Passed(_) => "passed",
            Self::Failed(_) => "FAILED",
            Self::Skipped(_) => "skipped",
        }
    }

    pub(crate) fn detail(&self) -> &str {
        match self {
            Self::Passed(detail) | Self::Failed(detail) | Self::Skipped(detail) => detail,
        }
    }
}

/// Judges the scenario of this name.
pub(crate) fn judge(name: &str, ended: &Ended) -> Verdict {
    match &ended.how {
        How::Killed { limit } => Verdict::Failed(format!("had not ended after {} s and was killed", limit.as_secs())),
        How::Succeeded => match said(name, ended) {
            Ok(verdict) => verdict,
            Err(problem) => Verdict::Failed(problem),
        },
        How::Failed(status) => match said(name, ended) {
            Ok(Verdict::Failed(detail)) => Verdict::Failed(detail),
            Ok(verdict) => Verdict::Failed(format!("says {}, but ended with {status}", verdict.word())),
            Err(problem) => Verdict::Failed(format!("ended with {status}; {problem}")),
        },
    }
}

fn said(name: &str, ended: &Ended) -> Result<Verdict, String> {
    let Some(line) = ended.said.iter().rev().find(|line| !line.trim().is_empty()) else {
        return Err("printed nothing".to_owned());
    };
    let value: Value = serde_json::from_str(line).map_err(|_| format!("its last line is not JSON: {line}"))?;
    let scenario = value["scenario"].as_str().unwrap_or_default();
    if scenario.strip_prefix("scenario-").unwrap_or(scenario) != name {
        return Err(format!("its last line speaks of the scenario `{scenario}`"));
    }
    let detail = value["detail"].as_str().unwrap_or_default();
    if let Some(reason) = value["skipped"].as_str() {
        return Ok(Verdict::Skipped(reason.to_owned()));
    }
    let Some(clean) = value["clean"].as_bool() else {
        return Err("its last line does not say whether the end was clean".to_owned());
    };
    match value["passed"].as_bool() {
        // A planted leak passes by being found: there `clean` is false.
        Some(true) => Ok(Verdict::Passed(detail.to_owned())),
        Some(false) if detail.is_empty() => Ok(Verdict::Failed(format!("gives no detail; clean: {clean}"))),
        Some(false) => Ok(Verdict::Failed(detail.to_owned())),
        None => Err("its last line does not say whether it passed".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn ended(how: How, said: &[&str]) -> Ended {
        let said = said.iter().map(|line| (*line).to_owned()).collect();
        Ended { how, took: Duration::from_secs(1), said, complained: Vec::new() }
    }

    #[track_caller]
    fn check(how: How, said: &[&str], expected: Verdict) {
        assert_eq!(judge("relay", &ended(how, said)), expected);
    }

    fn failed(detail: &str) -> Verdict {
        Verdict::Failed(detail.to_owned())
    }

    const PASSED: &str = r#"{"scenario":"scenario-relay","clean":true,"passed":true,"detail":"10 stops"}"#;
    const LOST: &str = r#"{"scenario":"relay","clean":true,"passed":false,"detail":"3 lost"}"#;
    const SKIPPED: &str = r#"{"scenario":"relay","clean":true,"passed":true,"skipped":"no broker"}"#;

    #[test]
    fn the_last_line_decides() {
        check(How::Succeeded, &["posting", PASSED, ""], Verdict::Passed("10 stops".to_owned()));
        check(How::Succeeded, &[PASSED, LOST], failed("3 lost"));
        check(How::Succeeded, &[SKIPPED], Verdict::Skipped("no broker".to_owned()));
    }

    #[test]
    fn a_planted_leak_that_was_found_has_passed() {
        let found = r#"{"scenario":"relay","clean":false,"passed":true,"detail":"found it"}"#;
        check(How::Succeeded, &[found], Verdict::Passed("found it".to_owned()));
    }

    #[test]
    fn one_that_says_nothing_has_failed() {
        check(How::Succeeded, &[], failed("printed nothing"));
        check(How::Succeeded, &[PASSED, "bye"], failed("its last line is not JSON: bye"));
        check(How::Succeeded, &["{}"], failed("its last line speaks of the scenario ``"));
        let half = r#"{"scenario":"relay","clean":true}"#;
        check(How::Succeeded, &[half], failed("its last line does not say whether it passed"));
        let other_half = r#"{"scenario":"relay","passed":true}"#;
        check(How::Succeeded, &[other_half], failed("its last line does not say whether the end was clean"));
    }

    #[test]
    fn one_that_speaks_of_another_has_failed() {
        let other = r#"{"scenario":"pool","clean":true,"passed":true}"#;
        check(How::Succeeded, &[other], failed("its last line speaks of the scenario `pool`"));
    }

    #[test]
    fn one_that_outlived_its_limit_has_failed_whatever_it_said() {
        let killed = How::Killed { limit: Duration::from_secs(7) };
        check(killed, &[PASSED], failed("had not ended after 7 s and was killed"));
    }

    #[test]
    fn one_that_ended_badly_has_failed_whatever_it_said() {
        let status = || How::Failed("signal: 6".to_owned());
        check(status(), &[PASSED], failed("says passed, but ended with signal: 6"));
        check(status(), &[SKIPPED], failed("says skipped, but ended with signal: 6"));
        check(status(), &[LOST], failed("3 lost"));
        check(status(), &[], failed("ended with signal: 6; printed nothing"));
    }
}
