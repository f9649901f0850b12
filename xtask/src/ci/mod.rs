//! `cargo xtask ci`: the gate, step by step. A failed step does not keep the later ones from running.

mod steps;

use std::time::{Duration, Instant};

use crate::counts::Counts;
use crate::skips::Skip;
use crate::table;
use crate::tally::Tally;
use crate::workspace::Workspace;

use self::steps::{Outcome, STEPS, Step};

/// Runs the steps named, or all of them, or lists them.
pub(crate) fn run(names: &[String], list: bool) -> Result<bool, String> {
    let steps = select(names)?;
    if list {
        let rows: Vec<Vec<String>> =
            steps.iter().map(|step| vec![step.name.to_owned(), step.about.to_owned()]).collect();
        println!("{}", table::render(&["step", "what it does"], &rows));
        return Ok(true);
    }
    let workspace = Workspace::load()?;
    let mut tally = Tally::default();
    let mut rows = Vec::new();
    let began = Instant::now();
    for step in steps {
        println!("\n=== {}: {}", step.name, step.about);
        let began = Instant::now();
        let outcome = (step.run)(&workspace).unwrap_or_else(Outcome::Failed);
        rows.push(row(step, &outcome, began.elapsed()));
        record(&mut tally, step, outcome);
    }
    println!("\n{}", table::render(&["step", "took", "", "detail"], &rows));
    println!(
        "\nin {}; counted: each test, example and cell of the leak check, and each other step as one",
        shown(began.elapsed())
    );
    Ok(tally.close())
}

fn select(names: &[String]) -> Result<Vec<&'static Step>, String> {
    if let Some(unknown) = names.iter().find(|name| STEPS.iter().all(|step| step.name != name.as_str())) {
        let known: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
        return Err(format!("there is no step `{unknown}`; the steps are {}", known.join(", ")));
    }
    Ok(STEPS.iter().filter(|step| names.is_empty() || names.iter().any(|name| name == step.name)).collect())
}

fn record(tally: &mut Tally, step: &Step, outcome: Outcome) {
    match outcome {
        Outcome::Passed => tally.counts += Counts::PASSED,
        Outcome::Failed(problem) => tally.fail(format!("{}: {problem}", step.name)),
        Outcome::Skipped(reason) => {
            tally.counts += Counts::SKIPPED;
            tally.skips.push(Skip { name: format!("step {}", step.name), reason });
        }
        Outcome::Counted(more) => tally.add(more),
    }
}

fn row(step: &Step, outcome: &Outcome, took: Duration) -> Vec<String> {
    let (word, detail) = match outcome {
        Outcome::Passed => ("passed", String::new()),
        Outcome::Failed(problem) => ("FAILED", problem.clone()),
        Outcome::Skipped(reason) => ("skipped", reason.clone()),
        Outcome::Counted(tally) => (if tally.passed(false) { "passed" } else { "FAILED" }, tally.counts.to_string()),
    };
    vec![step.name.to_owned(), shown(took), word.to_owned(), detail]
}

fn shown(took: Duration) -> String {
    format!("{}:{:02}", took.as_secs() / 60, took.as_secs() % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Step = Step { name: "deny", about: "licences", run: |_| Ok(Outcome::Passed) };

    fn recorded(outcome: Outcome) -> Tally {
        let mut tally = Tally::default();
        record(&mut tally, &STEP, outcome);
        tally
    }

    #[test]
    fn an_unknown_step_is_refused_with_the_list() {
        let refusal = select(&["lint".to_owned()]).expect_err("there is no such step");
        assert!(refusal.contains("`lint`") && refusal.contains("fmt, tidy"), "{refusal}");
    }

    #[test]
    fn steps_run_in_the_order_of_the_gate() {
        let names = |asked: &[&str]| {
            let asked: Vec<String> = asked.iter().map(|name| (*name).to_owned()).collect();
            select(&asked).expect("they exist").iter().map(|step| step.name).collect::<Vec<_>>()
        };
        assert_eq!(names(&["msrv", "fmt"]), ["fmt", "msrv"]);
        assert_eq!(names(&[]).len(), STEPS.len());
    }

    #[test]
    fn a_failed_step_fails_the_gate_and_is_named() {
        let tally = recorded(Outcome::Failed("2 licences refused".to_owned()));
        assert!(!tally.passed(false));
        assert_eq!(tally.problems, ["deny: 2 licences refused"]);
    }

    #[test]
    fn a_skipped_step_fails_the_gate_only_when_strict() {
        let tally = recorded(Outcome::Skipped("cargo-deny is not installed".to_owned()));
        assert!(tally.passed(false) && !tally.passed(true));
    }

    #[test]
    fn failed_tests_fail_the_gate() {
        let counts = Counts { passed: 9, failed: 1, skipped: 0 };
        let tests = || Tally { counts, ..Tally::default() };
        assert!(!recorded(Outcome::Counted(tests())).passed(false));
        assert_eq!(row(&STEP, &Outcome::Counted(tests()), Duration::from_secs(61))[1..3], ["1:01", "FAILED"]);
    }
}
