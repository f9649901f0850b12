//! What a scenario's end and its last line come to. Whoever says nothing, or ends otherwise than it says, has failed.

use serde_json::Value;

use crate::child::{Ended, How};

use super::fault::Fault;

/// The kinds of leaks that are things; the others are what went otherwise than it should.
const THINGS: &[&str] =
    &["task", "foreign task", "thread", "descriptor", "socket", "child process", "file", "server session"];

/// What became of a cell, with what there is to say.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Passed(String),
    Failed(String),
    Skipped(String),
}

/// What the program was asked for.
#[derive(Debug)]
pub(super) struct Expected<'a> {
    pub(super) scenario: &'a str,
    pub(super) seed: u64,
    pub(super) rounds: u64,
    pub(super) fault: Option<&'a Fault>,
    /// Whether tokio tells the place of each task in this build, so that a task must be found with it.
    pub(super) names_places: bool,
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

/// Judges a program that has ended, and gives what it said, null if that cannot be read.
pub(super) fn judge(expected: &Expected<'_>, ended: &Ended) -> (Verdict, Value) {
    let line = last_line(ended);
    let said = line.clone().unwrap_or_default();
    let told = line.and_then(|line| told(expected, &line));
    let verdict = match &ended.how {
        How::Killed { limit } => Verdict::Failed(format!("had not ended after {} s and was killed", limit.as_secs())),
        How::Succeeded => told.unwrap_or_else(Verdict::Failed),
        How::Failed(status) => Verdict::Failed(match told {
            Ok(Verdict::Failed(detail)) => detail,
            Ok(verdict) => format!("says {}, but ended with {status}", verdict.word()),
            Err(problem) => format!("ended with {status}; {problem}"),
        }),
    };
    (verdict, said)
}

fn last_line(ended: &Ended) -> Result<Value, String> {
    let line = ended.said.iter().rev().find(|line| !line.trim().is_empty()).ok_or("printed nothing")?;
    serde_json::from_str(line).map_err(|_| format!("its last line is not JSON: {line}"))
}

fn told(expected: &Expected<'_>, line: &Value) -> Result<Verdict, String> {
    let scenario = line["scenario"].as_str().unwrap_or_default();
    if scenario.strip_prefix("scenario-").unwrap_or(scenario) != expected.scenario {
        return Err(format!("its last line speaks of the scenario `{scenario}`"));
    }
    if line["seed"].as_u64() != Some(expected.seed) {
        return Err(format!("was given the seed {}, and its last line has {}", expected.seed, line["seed"]));
    }
    let detail = line["detail"].as_str().unwrap_or_default().to_owned();
    if let Some(reason) = line["skipped"].as_str() {
        return Ok(Verdict::Skipped(reason.to_owned()));
    }
    let Some(clean) = line["clean"].as_bool() else {
        return Err("its last line does not say whether the end was clean".to_owned());
    };
    match line["passed"].as_bool() {
        Some(false) if detail.is_empty() => Ok(Verdict::Failed(format!("gives no detail; clean: {clean}"))),
        Some(false) => Ok(Verdict::Failed(detail)),
        None => Err("its last line does not say whether it passed".to_owned()),
        Some(true) => match expected.fault {
            None => quiet(expected, line, clean),
            Some(fault) => caught(expected, line, fault),
        }
        .map(|()| Verdict::Passed(detail)),
    }
}

/// A quiet run that passes has done its rounds and found nothing.
fn quiet(expected: &Expected<'_>, line: &Value, clean: bool) -> Result<(), String> {
    if !clean {
        return Err("says passed, but not that the end was clean".to_owned());
    }
    if let Some(leak) = leaks(line).first() {
        return Err(format!("says passed, but found a leak: {leak}"));
    }
    match line["rounds"].as_u64() {
        Some(rounds) if rounds >= expected.rounds => Ok(()),
        Some(rounds) => Err(format!("says passed, but after {rounds} of {} rounds", expected.rounds)),
        None => Err("its last line does not say how many rounds it ran".to_owned()),
    }
}

/// A twin that passes was caught: by its name and, in the product's own code, with the kind and name of what it left.
fn caught(expected: &Expected<'_>, line: &Value, fault: &Fault) -> Result<(), String> {
    let twins = line["twins"].as_array().map(Vec::as_slice).unwrap_or_default();
    let Some(twin) = twins.iter().find(|twin| twin["fault"] == fault.name.as_str()) else {
        return Err(format!("says passed, but nothing of the twin `{}`", fault.name));
    };
    if twin["caught"] != true {
        let detail = twin["detail"].as_str().unwrap_or("no detail");
        return Err(format!("says passed, but the twin `{}` was NOT caught: {detail}", fault.name));
    }
    if !fault.in_product {
        return Ok(());
    }
    let leaks = leaks(line);
    if leaks.iter().any(|leak| is_told(leak, expected.names_places)) {
        return Ok(());
    }
    let found: Vec<String> = leaks.iter().map(Value::to_string).collect();
    let what = if expected.names_places { "its kind, and its name or place" } else { "its kind and name" };
    Err(format!("the twin `{}` was caught, but nothing that it left with {what}: {}", fault.name, found.join(", ")))
}

/// Whether a leak has its kind and, if it is a thing that was left, what it is called or where it came from.
fn is_told(leak: &Value, names_places: bool) -> bool {
    let has = |field: &str| leak[field].as_str().is_some_and(|text| !text.is_empty());
    match leak["kind"].as_str().unwrap_or_default() {
        "" => false,
        // Stable tokio has no more than their number.
        "foreign task" if !names_places => true,
        "task" | "foreign task" if names_places => has("place"),
        kind if THINGS.contains(&kind) => has("name") || has("place"),
        _ => has("detail"),
    }
}

fn leaks(line: &Value) -> &[Value] {
    line["leaks"].as_array().map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    fn ended(how: How, said: &[&str]) -> Ended {
        let said = said.iter().map(|line| (*line).to_owned()).collect();
        Ended { how, took: Duration::from_secs(1), said, complained: Vec::new() }
    }

    fn judged(fault: Option<&Fault>, names_places: bool, how: How, said: &[&str]) -> Verdict {
        let expected = Expected { scenario: "relay", seed: 7, rounds: 20, fault, names_places };
        judge(&expected, &ended(how, said)).0
    }

    #[track_caller]
    fn check(how: How, said: &[&str], expected: Verdict) {
        assert_eq!(judged(None, false, how, said), expected);
    }

    fn failed(detail: &str) -> Verdict {
        Verdict::Failed(detail.to_owned())
    }

    fn passed() -> Value {
        json!({ "scenario": "scenario-relay", "seed": 7, "clean": true, "passed": true, "rounds": 20, "detail": "10 stops" })
    }

    /// The line of a quiet run, with one field another.
    fn with(field: &str, value: Value) -> String {
        let mut line = passed();
        line[field] = value;
        line.to_string()
    }

    #[test]
    fn the_last_line_decides() {
        let (passed, lost) = (passed().to_string(), with("passed", json!(false)));
        check(How::Succeeded, &["posting", &passed, ""], Verdict::Passed("10 stops".to_owned()));
        check(How::Succeeded, &[&passed, &lost], failed("10 stops"));
        check(How::Succeeded, &[&with("skipped", json!("no broker"))], Verdict::Skipped("no broker".to_owned()));
    }

    #[test]
    fn one_that_says_nothing_has_failed() {
        check(How::Succeeded, &[], failed("printed nothing"));
        check(How::Succeeded, &[&passed().to_string(), "bye"], failed("its last line is not JSON: bye"));
        check(How::Succeeded, &["{}"], failed("its last line speaks of the scenario ``"));
        check(How::Succeeded, &[&with("passed", Value::Null)], failed("its last line does not say whether it passed"));
        let clean = with("clean", Value::Null);
        check(How::Succeeded, &[&clean], failed("its last line does not say whether the end was clean"));
        let rounds = with("rounds", Value::Null);
        check(How::Succeeded, &[&rounds], failed("its last line does not say how many rounds it ran"));
    }

    #[test]
    fn one_that_contradicts_itself_or_us_has_failed() {
        check(
            How::Succeeded,
            &[&with("scenario", json!("pool"))],
            failed("its last line speaks of the scenario `pool`"),
        );
        let seed = with("seed", json!(8));
        check(How::Succeeded, &[&seed], failed("was given the seed 7, and its last line has 8"));
        check(How::Succeeded, &[&with("clean", json!(false))], failed("says passed, but not that the end was clean"));
        check(How::Succeeded, &[&with("rounds", json!(3))], failed("says passed, but after 3 of 20 rounds"));
        let leaks = with("leaks", json!([{ "kind": "thread", "name": "x" }]));
        let Verdict::Failed(detail) = judged(None, false, How::Succeeded, &[&leaks]) else { panic!("it passed") };
        assert!(detail.contains("found a leak") && detail.contains("thread"), "{detail}");
    }

    #[test]
    fn one_that_outlived_its_limit_has_failed_whatever_it_said() {
        let killed = How::Killed { limit: Duration::from_secs(7) };
        check(killed, &[&passed().to_string()], failed("had not ended after 7 s and was killed"));
    }

    #[test]
    fn one_that_ended_badly_has_failed_whatever_it_said() {
        let status = || How::Failed("signal: 6".to_owned());
        check(status(), &[&passed().to_string()], failed("says passed, but ended with signal: 6"));
        let skipped = with("skipped", json!("no broker"));
        check(status(), &[&skipped], failed("says skipped, but ended with signal: 6"));
        check(status(), &[&with("passed", json!(false))], failed("10 stops"));
        check(status(), &[], failed("ended with signal: 6; printed nothing"));
    }

    /// What is said of the twin `skip-join`, with these twins and leaks on its line.
    fn twin(in_product: bool, names_places: bool, twins: &Value, leaks: &Value) -> Verdict {
        let fault = Fault { name: "skip-join".to_owned(), in_product };
        let line = json!({
            "scenario": "relay", "seed": 7, "clean": false, "passed": true, "detail": "found it",
            "twins": twins, "leaks": leaks,
        });
        judged(Some(&fault), names_places, How::Succeeded, &[&line.to_string()])
    }

    #[track_caller]
    fn not_caught(verdict: &Verdict, says: &str) {
        assert!(
            matches!(verdict, Verdict::Failed(detail) if detail.contains(says)),
            "{verdict:?} does not say `{says}`"
        );
    }

    #[test]
    fn a_twin_passes_only_by_being_caught() {
        let (caught, leaks) = (json!([{ "fault": "skip-join", "caught": true }]), json!([]));
        assert_eq!(twin(false, false, &caught, &leaks), Verdict::Passed("found it".to_owned()));
        let missed = json!([{ "fault": "skip-join", "caught": false, "detail": "all was clean" }]);
        not_caught(&twin(false, false, &missed, &leaks), "NOT caught: all was clean");
        for other in [json!([]), json!([{ "fault": "keep-clone", "caught": true }]), Value::Null] {
            not_caught(&twin(false, false, &other, &leaks), "nothing of the twin `skip-join`");
        }
    }

    #[test]
    fn a_twin_in_the_product_is_caught_with_kind_and_name_and_a_task_with_its_place_where_that_is_told() {
        let caught = json!([{ "fault": "skip-join", "caught": true }]);
        let leak = |kind: &str, name: Value, place: Value| json!([{ "kind": kind, "name": name, "place": place }]);
        let passes = |names_places, leaks: Value| {
            let verdict = twin(true, names_places, &caught, &leaks);
            assert_eq!(verdict, Verdict::Passed("found it".to_owned()), "{leaks}");
        };
        passes(true, leak("task", json!("worker"), json!("a.rs:3")));
        passes(true, leak("foreign task", Value::Null, json!("a.rs:3")));
        passes(false, leak("foreign task", Value::Null, Value::Null));
        passes(true, leak("thread", json!("worker"), Value::Null));
        passes(true, json!([{ "kind": "grace cut", "detail": "there was no thread" }]));
        let refused = |names_places, leaks: Value| {
            not_caught(&twin(true, names_places, &caught, &leaks), "nothing that it left with its kind");
        };
        refused(true, leak("foreign task", Value::Null, Value::Null));
        refused(true, leak("task", json!("worker"), Value::Null));
        refused(false, leak("thread", json!(""), Value::Null));
        refused(false, leak("", json!("worker"), Value::Null));
        refused(false, json!([]));
    }
}
