//! `cargo xtask loom` and `cargo xtask shuttle`: the models of a crate under a checker of schedules, each in a process
//! of its own, then once more with each planted fault that they have to catch.
//!
//! A model is a unit test in a module `models`. The build has a target directory of its own, with the fault points in
//! it (`--cfg landfall_faults`) and none armed unless `LANDFALL_FAULT` says so.

mod checker;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::child::{self, Ended, How};
use crate::tally::Tally;
use crate::workspace::Workspace;
use crate::{cargo, programs, table};

pub(crate) use self::checker::{Checker, LOOM, SHUTTLE};

/// How long one model may take.
const LIMIT: Duration = Duration::from_secs(120);
const LIMIT_FULL: Duration = Duration::from_secs(3_600);

/// What is asked of a checker.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Effort<'a> {
    /// More preemptions or schedules than the gate has time for.
    pub(crate) full: bool,
    /// This schedule alone, on the models as they are.
    pub(crate) seed: Option<&'a str>,
}

/// Explores all models and closes with the counts.
pub(crate) fn run(checkers: &[Checker], effort: Effort<'_>) -> Result<bool, String> {
    Ok(all(&Workspace::load()?, checkers, effort)?.close())
}

/// Explores all models of each package, then each planted fault.
pub(crate) fn all(workspace: &Workspace, checkers: &[Checker], effort: Effort<'_>) -> Result<Tally, String> {
    let mut tally = Tally::default();
    for checker in checkers.iter().filter(|checker| workspace.package(checker.package).is_some()) {
        tally.add(of(workspace, checker, effort)?);
    }
    Ok(tally)
}

fn of(workspace: &Workspace, checker: &Checker, effort: Effort<'_>) -> Result<Tally, String> {
    let program = build(workspace, checker)?;
    let models = list(&program, checker)?;
    let mut tally = Tally::default();
    for problem in checker.misses(&models) {
        tally.fail(problem);
    }
    let mut rows = Vec::new();
    let clean = models.iter().map(|model| (model.as_str(), None));
    let planted = checker.planted.iter().map(|(fault, model)| (*model, Some(*fault)));
    for (model, fault) in clean.chain(planted.filter(|_| effort.seed.is_none())) {
        let Some(path) = models.iter().find(|path| name(path) == name(model)) else { continue };
        let ended = explore(&program, checker, effort, path, fault)?;
        let verdict = judge(&ended, fault.is_some());
        if verdict.is_err() {
            println!("model {path} with {} planted:", fault.unwrap_or("nothing"));
            ended.said.iter().chain(&ended.complained).for_each(|line| println!("  {line}"));
        }
        let took = format!("{:.1} s", ended.took.as_secs_f64());
        let said = verdict.as_ref().map_or_else(Clone::clone, Clone::clone);
        rows.push([name(path), fault.unwrap_or(""), &took, &said].map(str::to_owned).to_vec());
        match verdict {
            Ok(_) => tally.counts.passed += 1,
            Err(problem) => tally.fail(format!("{} {}: {problem}", checker.name, name(path))),
        }
    }
    println!("\n{}", table::render(&["model", "planted", "took", ""], &rows));
    Ok(tally)
}

fn build(workspace: &Workspace, checker: &Checker) -> Result<PathBuf, String> {
    let package = ["test", "--package", checker.package, "--features", checker.features];
    let mut command = cargo::cargo(&[&package[..], &["--lib", "--release", "--no-run"]].concat());
    command
        .current_dir(&workspace.root)
        .env("RUSTFLAGS", format!("--cfg {} --cfg landfall_faults", checker.cfg))
        .env("CARGO_TARGET_DIR", workspace.target.join(checker.name));
    let programs = programs::build(&mut command, "lib")?;
    let program = programs.into_iter().next().ok_or_else(|| format!("cargo built no tests of {}", checker.package))?;
    Ok(program.1)
}

fn list(program: &Path, checker: &Checker) -> Result<Vec<String>, String> {
    let listed = cargo::output(Command::new(program).arg("--list"))?;
    let tests = listed.lines().filter_map(|line| line.strip_suffix(": test"));
    Ok(tests.filter(|test| checker.has(test)).map(str::to_owned).collect())
}

fn explore(
    program: &Path,
    checker: &Checker,
    effort: Effort<'_>,
    model: &str,
    fault: Option<&str>,
) -> Result<Ended, String> {
    let mut command = Command::new(program);
    command.args(["--exact", model, "--nocapture"]);
    command.env(checker.bound, if effort.full { checker.bound_full } else { checker.bound_gate });
    command.env_remove("LANDFALL_FAULT");
    if let Some(fault) = fault {
        command.env("LANDFALL_FAULT", fault);
    }
    if let Some(seed) = effort.seed {
        command.env("LANDFALL_SEED", seed);
    }
    child::run(&mut command, if effort.full { LIMIT_FULL } else { LIMIT })
}

/// What a run shows; with a fault planted it has to fail, and by what the model found.
fn judge(ended: &Ended, is_planted: bool) -> Result<String, String> {
    let explored = ended.said.iter().find(|line| line.ends_with(" schedules"));
    let is_unknown = ended.complained.iter().any(|line| line.contains("LANDFALL_FAULT is"));
    match (&ended.how, is_planted) {
        (How::Killed { limit }, _) => Err(format!("took longer than {} s", limit.as_secs())),
        (How::Succeeded, false) => explored.cloned().ok_or_else(|| "explored nothing".to_owned()),
        (How::Succeeded, true) => Err("the planted fault was not found".to_owned()),
        (How::Failed(status), false) => Err(format!("failed: {status}")),
        (How::Failed(_), true) if is_unknown => Err("there is no such fault".to_owned()),
        (How::Failed(status), true) => {
            let is_found = ended.complained.iter().any(|line| line.contains("panicked at"));
            if is_found { Ok("caught".to_owned()) } else { Err(format!("failed without a finding: {status}")) }
        }
    }
}

/// A model's name without its modules.
fn name(path: &str) -> &str {
    path.rsplit("::").next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(how: How, said: &str, complained: &str) -> Ended {
        let lines = |text: &str| text.lines().map(str::to_owned).collect();
        Ended { how, took: Duration::ZERO, said: lines(said), complained: lines(complained) }
    }

    fn failed() -> How {
        How::Failed("exit status: 101".to_owned())
    }

    #[test]
    fn a_model_that_was_explored_passes() {
        assert_eq!(judge(&ended(How::Succeeded, "42 schedules", ""), false), Ok("42 schedules".to_owned()));
    }

    #[test]
    fn a_model_that_explored_nothing_fails() {
        assert!(judge(&ended(How::Succeeded, "running 0 tests", ""), false).is_err());
        assert!(judge(&ended(failed(), "", "panicked at gate.rs"), false).is_err());
        assert!(judge(&ended(How::Killed { limit: LIMIT }, "", ""), false).is_err());
    }

    #[test]
    fn a_planted_fault_must_be_found_by_the_model() {
        assert!(judge(&ended(failed(), "", "thread 'gate' panicked at gate.rs:7"), true).is_ok());
        assert!(judge(&ended(How::Succeeded, "42 schedules", ""), true).is_err());
        assert!(judge(&ended(How::Killed { limit: LIMIT }, "", ""), true).is_err());
        assert!(judge(&ended(failed(), "", "Segmentation fault"), true).is_err());
        let unknown = "thread 'gate' panicked at faults.rs:7\nLANDFALL_FAULT is `x`; there are []";
        assert_eq!(judge(&ended(failed(), "", unknown), true), Err("there is no such fault".to_owned()));
    }
}
