//! `cargo xtask bench NAME`: builds the bench programs in release, runs them one after the other, and shows and judges
//! their figures.
//!
//! The programs of a bench are those of landfall-bench named `bench-NAME` or `bench-NAME-..`. Each prints one line of
//! JSON that holds every sample; what it must contain is written at the top of `result.rs`. With `--check` each
//! program is run once more with a planted fault, which has to miss a target that is met without: a judge that cannot
//! refuse is worth nothing.

mod result;
mod verdict;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::child::{self, How};
use crate::workspace::Workspace;
use crate::{cargo, interop, programs, roster, table};

use self::result::Cell;
use self::verdict::judge;

/// How long one program may take.
const LIMIT: Duration = Duration::from_secs(1_800);

/// Rounds are enough to see a slowdown that is many times what it slows down.
const ROUNDS_PLANTED: &str = "3";

/// The bench whose peer is the Go program of `tests/interop/nri`.
const WITH_GO: &str = "stub";

const HEAD: &[&str] = &["cell", "ours", "", "peer", "", "ratio [p25..p75]", "target", "met"];

/// Runs a bench; with `check` a target that is missed fails it.
pub(crate) fn run(name: &str, json: Option<&Path>, check: bool) -> Result<bool, String> {
    let workspace = Workspace::load()?;
    let mut figures = Vec::new();
    let programs = build(&workspace, name)?;
    let peer = if name == WITH_GO { Some(interop::nri::newest(&workspace)?) } else { None };
    let command = |path: &Path| {
        let mut command = Command::new(path);
        command.current_dir(&workspace.root).envs(peer.iter().map(|peer| ("LANDFALL_NRI_PROGRAM", peer)));
        command
    };
    for (program, path) in programs {
        figures.push(measure(program, &mut command(&path))?);
    }
    if let Some(file) = json {
        let raw: Vec<Value> = figures.iter().map(|of| json!({ "program": of.program, "result": of.printed })).collect();
        let text = format!("{}\n", json!({ "bench": name, "programs": raw }));
        fs::write(file, text).map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    }
    let rows: Vec<Vec<String>> = figures.iter().flat_map(Figures::rows).collect();
    println!("\n{}\n", table::render(HEAD, &rows));
    if !check {
        return Ok(true);
    }
    let mut passed = true;
    for sound in &figures {
        let mut planted = command(&sound.path);
        let planted = measure(sound.program.clone(), planted.args(["--plant", "--rounds", ROUNDS_PLANTED]))?;
        for kind in &sound.must_catch {
            let caught = sound.catches(kind, &planted);
            match caught {
                Some(cell) => println!("{}: the planted fault is caught by `{}`", sound.program, cell.name),
                None => println!("{}: THE PLANTED FAULT MAKES NO TARGET BE MISSED {kind}", sound.program),
            }
            passed &= caught.is_some();
        }
        passed &= sound.missed() == 0;
    }
    println!("{} targets missed", figures.iter().map(Figures::missed).sum::<usize>());
    Ok(passed)
}

/// What one program came to.
struct Figures {
    program: String,
    path: PathBuf,
    printed: Value,
    cells: Vec<Cell>,
    /// Beginnings of names: a cell of each must miss its target when the fault is planted.
    must_catch: Vec<String>,
}

fn measure(program: String, command: &mut Command) -> Result<Figures, String> {
    let printed = printed(&program, command)?;
    let at = |problem| format!("{program}: {problem}");
    let cells = result::read(&printed).map_err(at)?;
    let must_catch = result::must_catch(&printed, &cells).map_err(at)?;
    Ok(Figures { path: PathBuf::from(command.get_program()), printed, cells, must_catch, program })
}

impl Figures {
    fn rows(&self) -> Vec<Vec<String>> {
        self.cells.iter().map(|cell| judge(cell).row(cell)).collect()
    }

    fn missed(&self) -> usize {
        self.cells.iter().filter(|cell| judge(cell).met == Some(false)).count()
    }

    /// A cell of a kind that meets its target in these figures and misses it in those with the planted fault.
    fn catches<'a>(&self, kind: &str, planted: &'a Self) -> Option<&'a Cell> {
        let pairs = self.cells.iter().zip(&planted.cells);
        pairs
            .filter(|(sound, _)| sound.name.starts_with(kind))
            .map(|(sound, planted)| (judge(sound).met, planted))
            .find_map(|(sound, planted)| (sound == Some(true) && judge(planted).met == Some(false)).then_some(planted))
    }
}

fn build(workspace: &Workspace, name: &str) -> Result<Vec<(String, PathBuf)>, String> {
    let known = workspace.package(roster::BENCH).map(|package| package.targets_of_kind("bin")).unwrap_or_default();
    if !known.iter().any(|program| belongs(program, name)) {
        return Err(format!("there is no bench `{name}`; the programs are {}", known.join(", ")));
    }
    let mut command = cargo::cargo(&["build", "--release", "--package", roster::BENCH, "--bins"]);
    let mut programs = programs::build(command.current_dir(&workspace.root), "bin")?;
    programs.retain(|(program, _)| belongs(program, name));
    Ok(programs)
}

fn belongs(program: &str, bench: &str) -> bool {
    let rest = program.strip_prefix("bench-").and_then(|rest| rest.strip_prefix(bench));
    !bench.is_empty() && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// Runs a program to its end, and gives the last line it printed.
fn printed(program: &str, command: &mut Command) -> Result<Value, String> {
    println!("$ {}", cargo::line(command));
    let ended = child::run(command, LIMIT)?;
    let problem = match ended.how {
        How::Succeeded => None,
        How::Failed(status) => Some(format!("ended with {status}")),
        How::Killed { limit } => Some(format!("had not ended after {} s", limit.as_secs())),
    };
    if let Some(problem) = problem {
        ended.complained.iter().for_each(|line| println!("  {line}"));
        return Err(format!("{program} {problem}"));
    }
    let last = ended.said.last().map(String::as_str).unwrap_or_default();
    serde_json::from_str(last).map_err(|error| format!("{program} did not close with its result: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_programs_of_a_bench_are_told_by_their_names() {
        assert!(belongs("bench-lifecycle", "lifecycle"));
        assert!(belongs("bench-lifecycle-bytes", "lifecycle"));
        for (program, bench) in [("bench-lifecycle", "life"), ("bench-pool", "lifecycle"), ("bench-pool", "")] {
            assert!(!belongs(program, bench), "{program} is not of {bench}");
        }
    }

    #[test]
    fn what_a_program_prints_last_is_its_result() {
        let script = |text: &str| printed("bench-x", Command::new("sh").args(["-c", text]));
        assert_eq!(script("echo building; echo '{\"rounds\": 3}'"), Ok(json!({ "rounds": 3 })));
        let refused = |text| script(text).expect_err("it is no result");
        assert!(refused("echo '{}'; exit 3").contains("bench-x ended with exit status: 3"));
        assert!(refused("echo done").contains("bench-x did not close with its result"));
    }

    /// Two cells: a time that is compared, and a size.
    fn canned(ours: f64, bytes: f64) -> Figures {
        let printed = json!({ "cells": [
            {
                "name": "spawn", "unit": "ns", "bound": { "of": "ratio", "max": 1.2 },
                "ours": { "of": "TaskSet", "samples": [10.0, ours, 30.0] },
                "peer": { "of": "JoinSet", "samples": [10.0, 10.0, 10.0] },
            },
            {
                "name": "memory", "unit": "bytes", "bound": { "of": "value", "max": 200.0 },
                "ours": { "of": "TaskSet", "samples": [bytes] }, "peer": null,
            },
        ] });
        let cells = result::read(&printed).expect("it is complete");
        let must_catch = vec![String::new()];
        Figures { program: "bench-x".to_owned(), path: PathBuf::new(), printed, cells, must_catch }
    }

    #[test]
    fn the_table_has_a_line_for_each_cell() {
        let lines = [
            "spawn TaskSet 20.00 ns JoinSet 10.00 ns 2.00 [1.00..3.00] ratio ≤ 1.2 NO",
            "memory TaskSet 176.35 bytes ≤ 200 bytes yes",
        ];
        let table = table::render(HEAD, &canned(20.0, 176.35).rows());
        let squeezed = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(table.lines().skip(1).map(squeezed).collect::<Vec<_>>(), lines);
    }

    #[test]
    fn missed_targets_are_counted() {
        assert_eq!([canned(12.0, 200.0), canned(20.0, 176.0), canned(20.0, 201.0)].map(|of| of.missed()), [0, 1, 2]);
    }

    /// A target that is missed anyway catches nothing.
    #[test]
    fn a_planted_fault_is_caught_by_a_target_that_was_met() {
        let caught =
            |sound: Figures, kind, planted: &Figures| sound.catches(kind, planted).map(|cell| cell.name.clone());
        assert_eq!(caught(canned(12.0, 176.0), "", &canned(20.0, 176.0)).as_deref(), Some("spawn"));
        assert_eq!(caught(canned(20.0, 176.0), "", &canned(20.0, 300.0)).as_deref(), Some("memory"));
        assert_eq!(caught(canned(20.0, 176.0), "", &canned(90.0, 176.0)), None);
        assert_eq!(caught(canned(12.0, 176.0), "", &canned(12.0, 176.0)), None);
        // Another kind of target does not stand in.
        assert_eq!(caught(canned(12.0, 176.0), "memory", &canned(20.0, 176.0)), None);
        assert_eq!(caught(canned(12.0, 176.0), "memory", &canned(12.0, 300.0)).as_deref(), Some("memory"));
    }
}
