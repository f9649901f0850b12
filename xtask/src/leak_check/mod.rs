//! `cargo xtask leak-check`: builds the scenario programs, starts each as a child process, and judges how it ends.
//!
//! A scenario is a program of landfall-tests named `scenario-..`. It is started with `--json`, and the last line it
//! prints is one JSON object: `{"scenario", "passed", "clean", "detail"}`, with `"skipped": reason` when it could not run.
//! How long it may take stands in the manifest of landfall-tests:
//!
//! ```toml
//! [package.metadata.scenario-seconds-max]
//! scenario-relay-restarts = 300
//! ```

mod scenario;
mod verdict;

use std::process::Command;

use crate::skips::Skip;
use crate::tally::Tally;
use crate::workspace::Workspace;
use crate::{child, programs, table};

use self::scenario::Scenario;
use self::verdict::{Verdict, judge};

/// Runs one scenario or all of them, or lists them, and closes with the counts.
pub(crate) fn run(scenario: Option<&str>, list: bool) -> Result<bool, String> {
    let workspace = Workspace::load()?;
    let scenarios = scenario::select(&workspace, scenario)?;
    if list {
        for scenario in scenarios {
            println!("{}  (at most {} s)", scenario.name(), scenario.limit.as_secs());
        }
        return Ok(true);
    }
    Ok(check(&workspace, &scenarios)?.close())
}

/// Runs all scenarios, for the gate.
pub(crate) fn all(workspace: &Workspace) -> Result<Tally, String> {
    check(workspace, &scenario::select(workspace, None)?)
}

fn check(workspace: &Workspace, scenarios: &[Scenario]) -> Result<Tally, String> {
    let mut tally = Tally::default();
    if scenarios.is_empty() {
        return Ok(tally);
    }
    let programs = programs::build_all(workspace)?;
    let mut rows = Vec::new();
    for scenario in scenarios {
        let Some((_, program)) = programs.iter().find(|(name, _)| *name == scenario.program) else {
            return Err(format!("cargo built no program `{}`", scenario.program));
        };
        let ended = child::run(Command::new(program).arg("--json").current_dir(&workspace.root), scenario.limit)?;
        let verdict = judge(scenario.name(), &ended);
        println!("scenario {} ... {} in {:.1} s", scenario.name(), verdict.word(), ended.took.as_secs_f64());
        if matches!(verdict, Verdict::Failed(_)) {
            ended.said.iter().chain(&ended.complained).for_each(|line| println!("  {line}"));
        }
        let seconds = format!("{:.1} s", ended.took.as_secs_f64());
        let cells = [scenario.name(), &seconds, verdict.word(), verdict.detail()];
        rows.push(cells.map(str::to_owned).to_vec());
        record(&mut tally, scenario, verdict);
    }
    println!("\n{}", table::render(&["scenario", "ended in", "", "detail"], &rows));
    Ok(tally)
}

fn record(tally: &mut Tally, scenario: &Scenario, verdict: Verdict) {
    match verdict {
        Verdict::Passed(_) => tally.counts.passed += 1,
        Verdict::Failed(detail) => tally.fail(format!("scenario {}: {detail}", scenario.name())),
        Verdict::Skipped(reason) => {
            tally.counts.skipped += 1;
            tally.skips.push(Skip { name: format!("scenario {}", scenario.name()), reason });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn recorded(verdict: Verdict) -> Tally {
        let scenario = Scenario { program: "scenario-relay".to_owned(), limit: Duration::from_secs(1) };
        let mut tally = Tally::default();
        record(&mut tally, &scenario, verdict);
        tally
    }

    #[test]
    fn a_failed_scenario_fails_the_run() {
        let tally = recorded(Verdict::Failed("3 events lost".to_owned()));
        assert!(!tally.passed(false));
        assert_eq!(tally.problems, ["scenario relay: 3 events lost"]);
    }

    #[test]
    fn a_skipped_scenario_fails_the_run_only_when_strict() {
        let tally = recorded(Verdict::Skipped("no broker".to_owned()));
        assert!(tally.passed(false));
        assert!(!tally.passed(true));
    }

    #[test]
    fn a_passed_scenario_counts_as_passed() {
        assert_eq!(recorded(Verdict::Passed(String::new())).counts.passed, 1);
    }
}
