//! `cargo xtask planted`: the tests that documents name for faults that they are there to find, each as it is, then with
//! its fault planted: so it has to fail.
//!
//! The build has the fault points in it (`--cfg landfall_faults`), in a target directory of its own, and none is armed
//! unless `LANDFALL_FAULT` says so. Each run is a process of its own.

mod table;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::child::{self, Ended, How};
use crate::models::LOOM;
use crate::tally::Tally;
use crate::workspace::Workspace;
use crate::{cargo, programs};

use self::table::{Pair, Row};

/// Packages, each with the document that names its tests.
const SUITES: &[(&str, &str)] = &[("landfall-pool", "docs/pool-issues.md"), ("landfall-stub", "docs/stub.md")];
/// How many rows may have nothing to plant.
const BY_DESCRIPTION_MAX: usize = 5;

/// How long one run may take. Tests have a watchdog of their own, which says which of them hangs.
const LIMIT: Duration = Duration::from_secs(60);
/// Runs at a time: a test that hangs mostly sleeps.
const AT_A_TIME: usize = 4;

/// What is said by a test that has failed, one that hangs, and a process that could not go on.
const EVIDENCE: &[&str] = &["test result: FAILED", " hangs", "has overflowed its stack", "panic in a destructor"];

/// The programs, by the tests in them.
type Tests = BTreeMap<String, PathBuf>;

/// One process.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Run {
    test: String,
    fault: Option<String>,
}

/// Runs them all and closes with the counts.
pub(crate) fn run() -> Result<bool, String> {
    Ok(all(&Workspace::load()?)?.close())
}

/// Runs each test of the documents as it is, then with its faults.
pub(crate) fn all(workspace: &Workspace) -> Result<Tally, String> {
    let mut tally = Tally::default();
    for (package, document) in SUITES {
        tally.add(suite(workspace, package, document)?);
    }
    Ok(tally)
}

fn suite(workspace: &Workspace, package: &str, document: &str) -> Result<Tally, String> {
    let path = workspace.root.join(document);
    let text = std::fs::read_to_string(&path).map_err(|error| format!("cannot read {document}: {error}"))?;
    let rows = table::rows(&text).map_err(|problem| format!("{document}: {problem}"))?;
    let tests = tests(workspace, package)?;
    let mut tally = Tally::default();
    let (runs, problems) = plan(&rows, &tests);
    problems.into_iter().for_each(|problem| tally.fail(format!("{document}: {problem}")));
    let mut results = Vec::new();
    // As they are first: with nothing beside them that spins.
    let (planted, sound): (Vec<_>, Vec<_>) = runs.into_iter().partition(|run| run.fault.is_some());
    for (runs, at_a_time) in [(sound, 1), (planted, AT_A_TIME)] {
        results.extend(run_all(runs, at_a_time, |run| start(run, &tests)));
    }
    for (run, result) in results {
        let Run { test, fault } = &run;
        let fault = fault.as_deref().unwrap_or("nothing");
        match result {
            Ok(said) => {
                println!("{test} with {fault} planted: {said}");
                tally.counts.passed += 1;
            }
            Err(problem) => tally.fail(format!("{test} with {fault} planted: {problem}")),
        }
    }
    Ok(tally)
}

/// Builds the unit tests and the tests of behaviour, and asks each program for its tests.
fn tests(workspace: &Workspace, package: &str) -> Result<Tests, String> {
    let mut tests = Tests::new();
    for (which, kind) in [(&["--lib"][..], "lib"), (&["--test", "it"][..], "test")] {
        let mut command = cargo::cargo(&["test", "--package", package, "--all-features", "--no-run"]);
        command
            .args(which)
            .current_dir(&workspace.root)
            .env("RUSTFLAGS", "--cfg landfall_faults")
            .env("CARGO_TARGET_DIR", workspace.target.join("faults"));
        for (_, program) in programs::build(&mut command, kind)? {
            let listed = cargo::output(Command::new(&program).arg("--list"))?;
            let names = listed.lines().filter_map(|line| line.strip_suffix(": test"));
            tests.extend(names.map(|name| (name.to_owned(), program.clone())));
        }
    }
    Ok(tests)
}

/// What is to be run, each once, and what is wrong with the table. Models run elsewhere, with their faults: here it is
/// only looked up that they do.
fn plan(rows: &[Row], tests: &Tests) -> (BTreeSet<Run>, Vec<String>) {
    let (mut runs, mut problems) = (BTreeSet::new(), Vec::new());
    let described = rows.iter().filter(|row| row.pairs.is_empty()).count();
    if described > BY_DESCRIPTION_MAX {
        problems.push(format!("{described} rows are held by description; at most {BY_DESCRIPTION_MAX} may be"));
    }
    for Row { line, pairs } in rows {
        for Pair { test, fault } in pairs {
            if test.contains("models::") {
                if !LOOM.iter().any(|checker| checker.plants(fault, test)) {
                    problems.push(format!("line {line}: no model `{test}` has to catch `{fault}`"));
                }
                continue;
            }
            let named: Vec<&String> = tests.keys().filter(|known| is_named(known, test)).collect();
            let [known] = named[..] else {
                problems.push(format!("line {line}: {} tests are called `{test}`", named.len()));
                continue;
            };
            runs.insert(Run { test: known.clone(), fault: None });
            runs.insert(Run { test: known.clone(), fault: Some(fault.clone()) });
        }
    }
    (runs, problems)
}

/// Whether a test's path ends with these modules and this name.
fn is_named(path: &str, name: &str) -> bool {
    name.contains("::") && path.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with("::"))
}

/// Runs several at a time, in order.
fn run_all<T: Send>(runs: Vec<Run>, at_a_time: usize, start: impl Fn(&Run) -> T + Sync) -> Vec<(Run, T)> {
    let (left, done) = (Mutex::new(VecDeque::from(runs)), Mutex::new(Vec::new()));
    let next = || left.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    let work = || {
        while let Some(run) = next() {
            let result = start(&run);
            done.lock().unwrap_or_else(PoisonError::into_inner).push((run, result));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..at_a_time {
            scope.spawn(work);
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by(|(one, _), (other, _)| one.cmp(other));
    done
}

fn start(run: &Run, tests: &Tests) -> Result<String, String> {
    let program: &Path = tests.get(&run.test).ok_or("there is no such test")?;
    let mut command = Command::new(program);
    command.args(["--exact", &run.test, "--nocapture"]).env_remove("LANDFALL_FAULT");
    if let Some(fault) = &run.fault {
        command.env("LANDFALL_FAULT", fault);
    }
    judge(&child::run(&mut command, LIMIT)?, run.fault.is_some())
}

/// What a run shows; with a fault planted the test has to fail.
fn judge(ended: &Ended, is_planted: bool) -> Result<String, String> {
    let lines = || ended.said.iter().chain(&ended.complained);
    let evidence = lines().find(|line| EVIDENCE.iter().any(|words| line.contains(words)));
    let took = format!("in {:.1} s", ended.took.as_secs_f64());
    match (&ended.how, is_planted) {
        (How::Killed { limit }, _) => Err(format!("neither passed nor failed within {} s", limit.as_secs())),
        (How::Succeeded, false) if lines().any(|line| line.contains(" 1 passed")) => Ok(format!("passed {took}")),
        (How::Succeeded, false) => Err("it did not run".to_owned()),
        (How::Failed(status), false) => Err(format!("{status}, {}", evidence.map_or("no word", String::as_str))),
        (How::Succeeded, true) => Err("the planted fault was not found".to_owned()),
        (How::Failed(_), true) if lines().any(|line| line.contains("LANDFALL_FAULT is")) => {
            Err("there is no such fault".to_owned())
        }
        (How::Failed(status), true) => match evidence {
            Some(line) if line.contains(" hangs") => Ok(format!("caught {took}: it hangs")),
            Some(_) => Ok(format!("caught {took}")),
            None => Err(format!("failed without a finding: {status}")),
        },
    }
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

    const PASSED: &str = "test result: ok. 1 passed; 0 failed";
    const FAILED: &str = "test result: FAILED. 0 passed; 1 failed";

    #[test]
    fn a_test_must_pass_as_it_is() {
        assert!(judge(&ended(How::Succeeded, PASSED, ""), false).is_ok());
        assert!(judge(&ended(How::Succeeded, "test result: ok. 0 passed", ""), false).is_err());
        assert!(judge(&ended(failed(), FAILED, ""), false).is_err());
    }

    #[test]
    fn a_test_must_fail_with_its_fault_and_by_itself() {
        assert!(judge(&ended(failed(), FAILED, ""), true).is_ok());
        assert!(judge(&ended(failed(), "", "the test a::b at b.rs:1 hangs"), true).is_ok());
        assert!(judge(&ended(How::Succeeded, PASSED, ""), true).is_err());
        assert!(judge(&ended(failed(), "", "Segmentation fault"), true).is_err());
        assert!(judge(&ended(How::Killed { limit: LIMIT }, "", ""), true).is_err());
        let unknown = judge(&ended(failed(), FAILED, "LANDFALL_FAULT is `pool/x`; there are []"), true);
        assert_eq!(unknown, Err("there is no such fault".to_owned()));
    }

    fn planned(test: &str, fault: &str) -> (usize, Vec<String>) {
        let pair = Pair { test: test.to_owned(), fault: fault.to_owned() };
        let tests = ["core::model::holds", "cancel::all", "other::cancel::all"];
        let tests = tests.map(|test| (test.to_owned(), PathBuf::new())).into_iter().collect();
        let (runs, problems) = plan(&[Row { line: 7, pairs: vec![pair] }], &tests);
        (runs.len(), problems)
    }

    #[test]
    fn a_table_that_names_what_is_not_there_is_told_so() {
        assert_eq!(planned("model::holds", "pool/x"), (2, Vec::new()));
        assert!(planned("model::gone", "pool/x").1[0].contains("line 7: 0 tests"));
        assert!(planned("cancel::all", "pool/x").1[0].contains("2 tests"));
        assert!(planned("holds", "pool/x").1[0].contains("0 tests"));
        assert!(planned("models::gone", "pool/x").1[0].contains("no model"));
        let described = |count| {
            plan(
                &vec![table::rows("| test | fault |\n| x | by description |").unwrap().remove(0); count],
                &Tests::new(),
            )
            .1
        };
        assert!(described(BY_DESCRIPTION_MAX).is_empty() && described(BY_DESCRIPTION_MAX + 1).len() == 1);
    }

    #[test]
    fn all_runs_are_run_and_come_back_in_order() {
        let run = |test: &str| Run { test: test.to_owned(), fault: None };
        let done = run_all(vec![run("b"), run("a"), run("c")], 2, |run| run.test.clone());
        assert_eq!(done.into_iter().map(|(_, said)| said).collect::<Vec<_>>(), ["a", "b", "c"]);
    }
}
