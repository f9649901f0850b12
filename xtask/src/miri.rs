//! `cargo xtask miri`: tests of the core under miri, which sees undefined behaviour in what we depend on and memory that
//! is never freed, then once more with a planted leak that nothing else would see.

use std::process::Command;

use crate::cargo;
use crate::counts::Counts;
use crate::skips::Skip;
use crate::tally::Tally;
use crate::test::shown;
use crate::workspace::Workspace;

const PACKAGE: &str = "landfall-lifecycle";

/// The modules of the core, and what in them takes long under an interpreter for nothing that it shows there.
const CORE: &[&str] = &["block_on::", "ending::", "shutdown::", "task_set::"];
const SLOW: &str = "an_earlier_watch_is_heard_while_the_thread_goes_to_sleep";

/// The fault that only miri sees, and a test that runs through it.
const FAULT: &str = "keep-job";
const TEST: &str = "task_set::blocking::tests::a_job_that_has_run_leaves_its_set";

/// Runs them and closes with the counts.
pub(crate) fn run() -> Result<bool, String> {
    let workspace = Workspace::load()?;
    let tally = match missing(&workspace) {
        Some(reason) => {
            let skips = vec![Skip { name: "miri".to_owned(), reason }];
            Tally { counts: Counts::SKIPPED, skips, ..Tally::default() }
        }
        None => all(&workspace)?,
    };
    Ok(tally.close())
}

/// Why miri cannot be run here, if it cannot.
pub(crate) fn missing(workspace: &Workspace) -> Option<String> {
    let is_there = cargo::succeeds(&mut miri(workspace, &["--version"]));
    (!is_there).then(|| "nightly Rust with the component miri is not installed".to_owned())
}

/// Runs the unit tests of the core and the planted leak.
pub(crate) fn all(workspace: &Workspace) -> Result<Tally, String> {
    let mut core = miri(workspace, &["test", "--package", PACKAGE, "--lib", "--", "--skip", SLOW]);
    let mut tally = tests(core.args(CORE))?;
    let mut planted = miri(workspace, &["test", "--package", PACKAGE, "--lib", "--", "--exact", TEST]);
    match leaks(planted.env("LANDFALL_FAULT", FAULT)) {
        Ok(()) => tally.counts.passed += 1,
        Err(problem) => tally.fail(format!("miri with `{FAULT}` planted: {problem}")),
    }
    Ok(tally)
}

fn miri(workspace: &Workspace, arguments: &[&str]) -> Command {
    let mut command = Command::new("rustup");
    command
        .args(["run", "nightly", "cargo", "miri"])
        .args(arguments)
        .current_dir(&workspace.root)
        .env("CARGO_TARGET_DIR", workspace.target.join("miri"))
        .env("RUSTFLAGS", "--cfg landfall_faults")
        // The clock is miri's own and counts what it interprets: a busy machine makes no test late.
        .env("MIRIFLAGS", "-Zmiri-env-forward=LANDFALL_FAULT")
        .env_remove("LANDFALL_FAULT");
    command
}

fn tests(command: &mut Command) -> Result<Tally, String> {
    let line = cargo::line(command);
    println!("$ {line}");
    let mut tally = Tally::default();
    let success = shown(command, &mut std::io::stdout(), |line| {
        if let Some(more) = Counts::of_libtest(line) {
            tally.counts += more;
        }
    })?;
    if tally.counts == Counts::default() {
        tally.fail(format!("`{line}` ran no test"));
    } else if !success && tally.counts.failed == 0 {
        tally.fail(format!("`{line}` failed after its tests: what they left is told above"));
    }
    Ok(tally)
}

/// The test itself must pass, and miri must then name what was not freed.
fn leaks(command: &mut Command) -> Result<(), String> {
    println!("$ {}", cargo::line(command));
    let output = command.output().map_err(|error| format!("cannot start miri: {error}"))?;
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let passed = said.lines().filter_map(Counts::of_libtest).map(|counts| counts.passed).sum();
    verdict(output.status.success(), passed, &complained)
}

fn verdict(is_clean: bool, passed: u64, complained: &str) -> Result<(), String> {
    match (passed, is_clean, complained.contains("memory leaked")) {
        (1, false, true) => Ok(()),
        (1, true, _) => Err("miri saw no leak".to_owned()),
        (1, false, false) => Err(format!("miri failed for another reason:\n{complained}")),
        _ => Err(format!("the test did not pass:\n{complained}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_planted_leak_must_be_named_after_a_test_that_passed() {
        assert_eq!(verdict(false, 1, "error: memory leaked: alloc12"), Ok(()));
        assert!(verdict(true, 1, "").is_err());
        assert!(verdict(false, 1, "error: abnormal termination").is_err());
        assert!(verdict(false, 0, "error: memory leaked: alloc12").is_err());
    }

    #[test]
    fn tests_that_ran_none_are_a_failure() {
        let tally = tests(Command::new("sh").args(["-c", "exit 0"])).expect("there is a shell");
        assert_eq!(tally.counts, Counts { passed: 0, failed: 1, skipped: 0 });
    }

    #[test]
    fn a_leak_after_tests_that_passed_is_a_failure() {
        let line = "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out";
        let tally = tests(Command::new("sh").args(["-c", &format!("echo '{line}'; exit 1")])).expect("a shell");
        assert_eq!(tally.counts, Counts { passed: 3, failed: 1, skipped: 0 });
    }
}
