//! `cargo xtask leak-check`: builds the scenario programs, starts each as a child process, and judges how it ends.
//!
//! A scenario is a program of landfall-tests named `scenario-..`. `--list-faults` has it print its faults, one a line:
//! `NAME product` if the fault sits in the product's own code, behind `--cfg landfall_faults`, else `NAME planted`.
//! It is started with `--json --seed N`, and either with `--no-twin --rounds N`, where nothing may be found, or with
//! `--fault NAME`, which has to be found. The last line it prints is one JSON object:
//!
//! ```json
//! {"scenario": "..", "seed": 7, "passed": true, "clean": true, "detail": "..", "rounds": 20,
//!  "twins": [{"fault": "..", "caught": true, "detail": ".."}],
//!  "leaks": [{"kind": "..", "name": "..", "place": "file:line", "detail": ".."}],
//!  "took_ms": {"median": 12, "max": 30}, "report": {}}
//! ```
//!
//! with `"skipped": reason` when it could not run. `took_ms`, `report` and `place` may be missing. How long a run may
//! take, and how often a scenario that is not cheap is run, stand in the manifest of landfall-tests:
//!
//! ```toml
//! [package.metadata.scenario-seconds-max]
//! scenario-relay-restarts = 300
//! [package.metadata.scenario-rounds]
//! scenario-relay-restarts = { gate = 1, full = 10 }
//! ```

mod build;
mod cell;
mod fault;
mod options;
mod page;
mod plan;
mod scenario;
mod verdict;
mod watch;

use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::Path;

use serde_json::{Value, json};

use crate::skips::Skip;
use crate::table;
use crate::tally::Tally;
use crate::workspace::Workspace;

use self::build::{Build, Builds};
use self::cell::{Cell, Outcome};
use self::plan::Listed;
use self::verdict::Verdict;

pub(crate) use self::options::Options;

/// Does what was asked for, and closes with the counts.
pub(crate) fn run(options: &Options) -> Result<bool, String> {
    let workspace = Workspace::load()?;
    if let Some(watch) = &options.watch {
        return watch::run(&workspace, options, watch);
    }
    let mut builds = Builds::new(&workspace);
    let listed = listed(&workspace, options.scenario.as_deref(), &mut builds)?;
    if options.list {
        println!("\n{}", list(&listed));
        return Ok(true);
    }
    Ok(check(&workspace, &listed, &mut builds, options)?.close())
}

/// Runs the gate's selection of all scenarios.
pub(crate) fn all(workspace: &Workspace) -> Result<Tally, String> {
    let mut builds = Builds::new(workspace);
    let listed = listed(workspace, None, &mut builds)?;
    check(workspace, &listed, &mut builds, &Options::default())
}

fn listed(workspace: &Workspace, asked: Option<&str>, builds: &mut Builds<'_>) -> Result<Vec<Listed>, String> {
    let mut listed = Vec::new();
    for scenario in scenario::select(workspace, asked)? {
        let program = builds.program(Build::Plain, &scenario.program)?;
        let faults = fault::of(scenario.name(), &program)?;
        listed.push((scenario, faults));
    }
    Ok(listed)
}

fn list(listed: &[Listed]) -> String {
    let row = |(scenario, faults): &Listed| {
        let faults: Vec<&str> = faults.iter().map(|fault| fault.name.as_str()).collect();
        let rounds = format!("{} or {}", scenario.rounds.gate, scenario.rounds.full);
        vec![scenario.name().to_owned(), format!("{} s", scenario.limit.as_secs()), rounds, faults.join(", ")]
    };
    table::render(&["scenario", "limit", "quiet rounds", "faults"], &listed.iter().map(row).collect::<Vec<_>>())
}

fn check(
    workspace: &Workspace,
    listed: &[Listed],
    builds: &mut Builds<'_>,
    options: &Options,
) -> Result<Tally, String> {
    let cells = plan::cells(listed, options.fault.as_deref(), options.full)?;
    let seed = options.seed.unwrap_or_else(draw_seed);
    // Made before the first cell runs: a program that cannot be built is said at once.
    let mut programs = Vec::new();
    for cell in &cells {
        programs.push(builds.program(cell.build, &format!("{}{}", scenario::PREFIX, cell.scenario))?);
    }
    println!("leak check with seed {seed}, {} cells", cells.len());
    let mut outcomes = Vec::new();
    for (cell, program) in cells.into_iter().zip(programs) {
        let outcome = cell.run(&program, &workspace.root, seed, options.full)?;
        show(&outcome);
        outcomes.push(outcome);
    }
    println!("\n{}", table::render(HEAD, &outcomes.iter().map(row).collect::<Vec<_>>()));
    let kept = kept(seed, options.full, &outcomes);
    if let Some(file) = &options.json {
        write(file, &format!("{kept}\n"))?;
    }
    if let Some(file) = &options.html {
        write(file, &page::cells(&kept))?;
    }
    let mut tally = Tally::default();
    outcomes.into_iter().for_each(|outcome| record(&mut tally, outcome));
    Ok(tally)
}

/// Short enough to be typed.
fn draw_seed() -> u64 {
    RandomState::new().build_hasher().finish() % 1_000_000_000
}

fn show(outcome: &Outcome) {
    let (word, took) = (outcome.verdict.word(), outcome.took.as_secs_f64());
    println!("{} ... {word} in {took:.1} s", outcome.cell.name());
    outcome.lines.iter().for_each(|line| println!("  {line}"));
    if matches!(outcome.verdict, Verdict::Failed(_)) {
        println!("  again: {}", outcome.replay);
    }
}

/// How many characters of a detail the table shows.
const DETAIL_MAX: usize = 110;

const HEAD: &[&str] = &["scenario", "fault", "build", "ended in", "", "detail"];

fn row(outcome: &Outcome) -> Vec<String> {
    let Cell { scenario, build, .. } = &outcome.cell;
    let took = format!("{:.1} s", outcome.took.as_secs_f64());
    let verdict = &outcome.verdict;
    let detail = shortened(verdict.detail(), DETAIL_MAX);
    [scenario, outcome.cell.column(), build.name(), &took, verdict.word(), &detail].map(str::to_owned).to_vec()
}

/// The beginning of a detail; all of it is in what `--json` keeps.
fn shortened(detail: &str, chars_max: usize) -> String {
    let mut letters = detail.chars();
    let kept: String = letters.by_ref().take(chars_max).collect();
    if letters.next().is_none() { kept } else { format!("{kept}..") }
}

/// All cells with all their details.
fn kept(seed: u64, is_full: bool, outcomes: &[Outcome]) -> Value {
    json!({ "seed": seed, "full": is_full, "cells": outcomes.iter().map(Outcome::to_json).collect::<Value>() })
}

fn write(file: &Path, text: &str) -> Result<(), String> {
    fs::write(file, text).map_err(|error| format!("cannot write {}: {error}", file.display()))
}

fn record(tally: &mut Tally, outcome: Outcome) {
    let name = outcome.cell.name();
    match outcome.verdict {
        Verdict::Passed(_) => tally.counts.passed += 1,
        Verdict::Failed(detail) => tally.fail(format!("{name}: {detail}; again: {}", outcome.replay)),
        Verdict::Skipped(reason) => {
            tally.counts.skipped += 1;
            tally.skips.push(Skip { name, reason });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn outcome(verdict: Verdict) -> Outcome {
        let replay = "cargo xtask leak-check --scenario relay".to_owned();
        let took = Duration::from_secs(1);
        Outcome { cell: cell::tests::quiet(), verdict, took, said: Value::Null, lines: Vec::new(), replay }
    }

    fn recorded(verdict: Verdict) -> Tally {
        let mut tally = Tally::default();
        record(&mut tally, outcome(verdict));
        tally
    }

    #[test]
    fn a_failed_cell_fails_the_run_and_tells_how_to_run_it_again() {
        let tally = recorded(Verdict::Failed("3 events lost".to_owned()));
        assert!(!tally.passed(false));
        let expected = "relay quiet (plain): 3 events lost; again: cargo xtask leak-check --scenario relay";
        assert_eq!(tally.problems, [expected]);
    }

    #[test]
    fn a_skipped_cell_fails_the_run_only_when_strict() {
        let tally = recorded(Verdict::Skipped("no broker".to_owned()));
        assert!(tally.passed(false));
        assert!(!tally.passed(true));
    }

    #[test]
    fn the_table_shows_the_beginning_of_a_detail() {
        assert_eq!(shortened("10 stops", DETAIL_MAX), "10 stops");
        assert_eq!(shortened(&"é".repeat(DETAIL_MAX + 1), DETAIL_MAX), format!("{}..", "é".repeat(DETAIL_MAX)));
    }

    #[test]
    fn a_passed_cell_counts_as_passed() {
        assert_eq!(recorded(Verdict::Passed(String::new())).counts.passed, 1);
    }
}
