//! One cell of the leak check: a scenario in one build, quiet or with one planted fault.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::child::{self, Ended};

use super::build::Build;
use super::fault::Fault;
use super::verdict::{self, Expected, Verdict};

/// What `--fault` is called that asks for the quiet rounds alone.
pub(super) const QUIET: &str = "none";

/// What is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    /// The scenario's name.
    pub(super) scenario: String,
    /// What it has to find; nothing in quiet rounds.
    pub(super) fault: Option<Fault>,
    pub(super) build: Build,
    /// How many quiet rounds; one with a fault.
    pub(super) rounds: u64,
    pub(super) limit: Duration,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) cell: Cell,
    pub(super) verdict: Verdict,
    pub(super) took: Duration,
    /// The last line of its standard output.
    pub(super) said: Value,
    /// The end of what it printed, if it failed.
    pub(super) lines: Vec<String>,
    /// The command that runs this cell again.
    pub(super) replay: String,
}

impl Cell {
    /// The column it stands in.
    pub(super) fn column(&self) -> &str {
        self.fault.as_ref().map_or("quiet", |fault| &fault.name)
    }

    /// Its name, for whoever reads along.
    pub(super) fn name(&self) -> String {
        format!("{} {} ({})", self.scenario, self.column(), self.build.name())
    }

    /// Runs it to its end, or to its limit.
    pub(super) fn run(self, program: &Path, root: &Path, seed: u64, is_full: bool) -> Result<Outcome, String> {
        let ended = child::run(Command::new(program).args(self.arguments(seed)).current_dir(root), self.limit)?;
        let replay = self.replay(seed, is_full);
        Ok(self.judged(ended, seed, replay))
    }

    fn arguments(&self, seed: u64) -> Vec<String> {
        let mut arguments = vec!["--json".to_owned(), "--seed".to_owned(), seed.to_string()];
        match &self.fault {
            None => arguments.extend(["--no-twin", "--rounds"].map(str::to_owned)),
            Some(_) => arguments.push("--fault".to_owned()),
        }
        arguments.push(self.fault.as_ref().map_or_else(|| self.rounds.to_string(), |fault| fault.name.clone()));
        arguments
    }

    fn replay(&self, seed: u64, is_full: bool) -> String {
        let fault = self.fault.as_ref().map_or(QUIET, |fault| &fault.name);
        let full = if is_full { " --full" } else { "" };
        format!("cargo xtask leak-check --scenario {} --fault {fault} --seed {seed}{full}", self.scenario)
    }

    fn judged(self, ended: Ended, seed: u64, replay: String) -> Outcome {
        let expected = Expected {
            scenario: &self.scenario,
            seed,
            rounds: self.rounds,
            fault: self.fault.as_ref(),
            names_places: self.build == Build::Unstable,
        };
        let (verdict, said) = verdict::judge(&expected, &ended);
        let mut lines = Vec::new();
        if matches!(verdict, Verdict::Failed(_)) {
            lines.extend(ended.said.into_iter().chain(ended.complained));
        }
        Outcome { verdict, took: ended.took, said, lines, replay, cell: self }
    }
}

impl Outcome {
    /// All that is known of it.
    pub(super) fn to_json(&self) -> Value {
        let took = u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX);
        json!({
            "scenario": self.cell.scenario,
            "fault": self.cell.fault.as_ref().map(|fault| &fault.name),
            "build": self.cell.build.name(),
            "verdict": self.verdict.word(),
            "detail": self.verdict.detail(),
            "took_ms": took,
            "replay": self.replay,
            "said": self.said,
            "lines": self.lines,
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    pub(in super::super) fn quiet() -> Cell {
        Cell { scenario: "relay".to_owned(), fault: None, build: Build::Plain, rounds: 20, limit: LONG }
    }

    pub(in super::super) fn twin() -> Cell {
        let fault = Fault { name: "skip-join".to_owned(), in_product: true };
        Cell { fault: Some(fault), build: Build::Faults, rounds: 1, ..quiet() }
    }

    /// Runs a planted program, a shell script, in place of the scenario.
    fn planted(cell: Cell, script: &str) -> Outcome {
        let ended = child::run(Command::new("sh").args(["-c", script]), cell.limit).expect("there is a shell");
        let replay = cell.replay(7, false);
        cell.judged(ended, 7, replay)
    }

    #[test]
    fn a_cell_is_given_its_seed_and_its_rounds_or_its_fault() {
        assert_eq!(quiet().arguments(7).join(" "), "--json --seed 7 --no-twin --rounds 20");
        assert_eq!(twin().arguments(7).join(" "), "--json --seed 7 --fault skip-join");
    }

    #[test]
    fn one_command_runs_a_cell_again() {
        let skip_join = "cargo xtask leak-check --scenario relay --fault skip-join --seed 7";
        assert_eq!(twin().replay(7, false), skip_join);
        assert_eq!(twin().replay(7, true), format!("{skip_join} --full"));
        assert!(quiet().replay(7, false).ends_with("--fault none --seed 7"));
    }

    #[test]
    fn a_program_that_dies_keeps_its_last_words() {
        let died = planted(quiet(), "echo begun; echo 'thread panicked' >&2; kill -ABRT $$");
        assert!(matches!(&died.verdict, Verdict::Failed(detail) if detail.contains("signal: 6")), "{died:?}");
        assert_eq!(died.lines, ["begun", "thread panicked"]);
    }

    #[test]
    fn a_program_that_hangs_is_ended_and_has_failed() {
        let hung = planted(Cell { limit: Duration::from_millis(300), ..twin() }, "exec sleep 600");
        assert!(matches!(&hung.verdict, Verdict::Failed(detail) if detail.contains("killed")), "{hung:?}");
    }

    #[test]
    fn a_file_of_cells_holds_what_the_program_said() {
        let line = r#"{"scenario":"relay","seed":7,"clean":true,"passed":true,"rounds":20,"detail":"fine","leaks":[],"twins":[]}"#;
        let json = planted(quiet(), &format!("echo '{line}'")).to_json();
        assert_eq!((&json["verdict"], &json["fault"]), (&json!("passed"), &Value::Null));
        assert_eq!((&json["said"]["rounds"], &json["lines"]), (&json!(20), &json!([])));
    }
}
