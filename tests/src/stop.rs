//! How a program ended, and what is to be said against it.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::deadline::Deadline;
use crate::findings::{Findings, Kind};
use crate::process::{Process, Signal};
use crate::sink::CANARY;

/// How much of what a program complained of is told.
const TOLD_CHARS_MAX: usize = 400;

/// How long after the bound a program that is late is still waited for, to know how late.
const PATIENCE: Duration = Duration::from_secs(2);

/// An end, as it was seen.
#[derive(Clone, Debug)]
pub struct Stop {
    /// The status; `None` if it had not ended.
    pub status: Option<ExitStatus>,
    /// From the signal to the end.
    pub took: Duration,
    /// What was printed.
    pub stdout: String,
    /// What was complained of.
    pub stderr: String,
}

impl Stop {
    /// Sends a signal and waits for the end, for a little longer than it may take.
    pub fn by(process: &mut Process, signal: Signal, limit: Duration) -> Self {
        let began = Instant::now();
        process.signal(signal);
        Self::of(process, began, limit)
    }

    /// Waits for the end of what was told to end at `began`.
    pub fn of(process: &mut Process, began: Instant, limit: Duration) -> Self {
        let left = (limit + PATIENCE).saturating_sub(began.elapsed());
        let status = process.wait(Deadline::after(left));
        let took = began.elapsed();
        Self { status, took, stdout: process.stdout(), stderr: process.stderr() }
    }

    /// The report that was printed as JSON.
    pub fn report(&self) -> Option<Value> {
        let last = self.stdout.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
        serde_json::from_str(self.stdout.trim()).or_else(|_| serde_json::from_str(last)).ok().filter(Value::is_object)
    }

    /// Whether it came by the limit.
    pub fn in_time(&self, limit: Duration) -> Findings {
        let mut findings = Findings::default();
        let (took, limit_ms) = (self.took, limit.as_millis());
        match self.status {
            None => findings.add(Kind::Late, format!("had not ended after {took:.1?}; {limit_ms} ms were allowed")),
            Some(_) if took > limit => {
                findings.add(Kind::Late, format!("ended after {took:.1?}; {limit_ms} ms were allowed"));
            }
            Some(_) => {}
        }
        findings
    }

    /// Whether it came with this code.
    pub fn with_code(&self, code: i32) -> Findings {
        let mut findings = Findings::default();
        let Some(status) = self.status else { return findings };
        findings.check(status.code() == Some(code), Kind::WrongExit, || {
            let ended = status.signal().map_or_else(
                || format!("code {}", status.code().unwrap_or_default()),
                |signal| format!("signal {signal}"),
            );
            format!("ended with {ended} instead of code {code}: {}", shortened(&self.stderr))
        });
        findings
    }

    /// Whether the report says so.
    pub fn clean(&self) -> Findings {
        let mut findings = Findings::default();
        match self.report().map(|report| report["clean"] == Value::Bool(true)) {
            Some(true) => {}
            Some(false) => findings.add(Kind::Unclean, format!("the report is not clean: {}", shortened(&self.stdout))),
            None => findings.add(Kind::Unclean, format!("there is no report: {}", shortened(&self.stderr))),
        }
        findings
    }

    /// Whether the report has an entry with these words in its name.
    pub fn names(&self, words: &str) -> Findings {
        let mut findings = Findings::default();
        let is_named = self.report().is_some_and(|report| tasks(&report).iter().any(|name| name.contains(words)));
        findings.check(is_named, Kind::Unnamed, || format!("the report does not name `{words}`"));
        findings
    }

    /// Whether it came before the grace was over: what has nothing to wait for does not wait. Tells what it waited for.
    pub fn without_waiting(&self, grace: Duration) -> Findings {
        let mut findings = Findings::default();
        let waited_for = || self.report().map(|report| tasks(&report).join(", ")).unwrap_or_default();
        findings.check(self.took < grace, Kind::Late, || {
            format!("waited until its grace was over ({:.1?}) for: {}", self.took, waited_for())
        });
        findings
    }

    /// Whether nothing panicked.
    pub fn without_panic(&self) -> Findings {
        let mut findings = Findings::default();
        let panicked = self.stderr.lines().find(|line| line.contains("panicked"));
        findings.check(panicked.is_none(), Kind::Panicked, || shortened(panicked.unwrap_or_default()));
        findings
    }

    /// Whether the secret of the targets was printed nowhere.
    pub fn without_secret(&self) -> Findings {
        let mut findings = Findings::default();
        for (stream, text) in [("standard output", &self.stdout), ("standard error", &self.stderr)] {
            let told = text.lines().find(|line| line.contains(CANARY));
            findings.check(told.is_none(), Kind::Secret, || {
                format!("{stream} has a target's secret: {}", shortened(told.unwrap_or_default()))
            });
        }
        findings
    }

    /// An end as it should be: in time, with code 0, clean, without a panic, and with no secret told.
    pub fn orderly(&self, place: &str, limit: Duration) -> Findings {
        let mut findings = Findings::default();
        let found = [self.in_time(limit), self.with_code(0), self.clean(), self.without_panic(), self.without_secret()];
        for found in found {
            findings.extend(place, found);
        }
        findings
    }
}

/// The names of all tasks in a report, each with its owner.
fn tasks(report: &Value) -> Vec<String> {
    let list = |field: &str| report[field].as_array().map(Vec::as_slice).unwrap_or_default();
    let text = |value: &Value| value["name"].as_str().unwrap_or_default().to_owned();
    let own = list("tasks").iter().map(|task| format!("{} of {}", text(task), text(report)));
    own.chain(list("children").iter().flat_map(tasks)).collect()
}

/// The end of a text, on one line.
pub fn shortened(text: &str) -> String {
    let line = text.trim().replace('\n', " | ");
    let skipped = line.chars().count().saturating_sub(TOLD_CHARS_MAX);
    let kept: String = line.chars().skip(skipped).collect();
    if skipped == 0 { kept } else { format!("…{kept}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(3);

    const REPORT: &str = r#"{"clean": true, "tasks": [], "children":
        [{"name": "dispatchers", "clean": true, "children": [], "tasks": [{"name": "delivery 7 to there"}]}]}"#;

    fn stop(code: i32, took: Duration, stdout: &str, stderr: &str) -> Stop {
        let status = Some(ExitStatus::from_raw(code << 8));
        Stop { status, took, stdout: stdout.to_owned(), stderr: stderr.to_owned() }
    }

    #[track_caller]
    fn check(stop: &Stop, expected: Kind) {
        let found = stop.orderly("here", LIMIT);
        assert!(found.has(expected), "{found}");
    }

    #[test]
    fn an_end_as_it_should_be_has_nothing_against_it() {
        let found = stop(0, LIMIT, REPORT, "").orderly("here", LIMIT);
        assert!(found.is_empty(), "{found}");
    }

    #[test]
    fn a_late_end_is_found() {
        check(&stop(0, LIMIT + Duration::from_millis(1), REPORT, ""), Kind::Late);
        check(&Stop { status: None, ..stop(0, LIMIT, REPORT, "") }, Kind::Late);
    }

    #[test]
    fn a_wrong_code_or_a_signal_is_found() {
        check(&stop(1, LIMIT, REPORT, ""), Kind::WrongExit);
        check(&Stop { status: Some(ExitStatus::from_raw(9)), ..stop(0, LIMIT, REPORT, "") }, Kind::WrongExit);
    }

    #[test]
    fn a_secret_in_either_stream_is_found() {
        check(&stop(0, LIMIT, REPORT, &format!("refused: http://there/hook?key={CANARY}")), Kind::Secret);
        check(&stop(0, LIMIT, &format!("{CANARY}\n{{\"clean\": true}}"), ""), Kind::Secret);
    }

    #[test]
    fn a_report_that_is_missing_or_not_clean_is_found() {
        check(&stop(0, LIMIT, "", ""), Kind::Unclean);
        check(&stop(0, LIMIT, "half {", ""), Kind::Unclean);
        check(&stop(0, LIMIT, r#"{"clean": false}"#, ""), Kind::Unclean);
        check(&stop(0, LIMIT, "{}", ""), Kind::Unclean);
    }

    #[test]
    fn a_panic_is_found() {
        check(&stop(0, LIMIT, REPORT, "thread 'main' panicked at src/x.rs:1:2:\nno\n"), Kind::Panicked);
    }

    #[test]
    fn a_report_that_does_not_name_the_delivery_is_found() {
        let named = stop(0, LIMIT, REPORT, "");
        assert!(named.names("delivery 7 ").is_empty());
        assert!(named.names("delivery 8 ").has(Kind::Unnamed));
        assert!(stop(0, LIMIT, "", "").names("delivery 7 ").has(Kind::Unnamed));
    }

    #[test]
    fn an_end_that_waited_says_for_what() {
        let stop = stop(0, LIMIT, REPORT, "");
        assert!(stop.without_waiting(LIMIT * 2).is_empty());
        let found = stop.without_waiting(LIMIT);
        assert!(found.has(Kind::Late), "{found}");
        assert!(found.to_string().ends_with("for: delivery 7 to there of dispatchers"), "{found}");
    }

    #[test]
    fn the_report_may_follow_other_lines() {
        let stop = stop(0, LIMIT, "hello\n{\"clean\": true}\n\n", "");
        assert_eq!(stop.report(), Some(serde_json::json!({ "clean": true })));
    }

    #[test]
    fn long_complaints_are_cut() {
        assert_eq!(shortened("a\nb\n"), "a | b");
        assert_eq!(shortened(&"x".repeat(900)).chars().count(), TOLD_CHARS_MAX + 1);
    }
}
