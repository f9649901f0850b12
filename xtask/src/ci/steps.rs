//! The steps of the gate.

use std::process::Command;

use crate::counts::Counts;
use crate::skips::{self, Skip};
use crate::tally::Tally;
use crate::workspace::{Package, Workspace};
use crate::{cargo, codegen, conformance, interop, leak_check, miri, models, planted, roster, test, tidy};

/// One step of the gate.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) run: fn(&Workspace) -> Result<Outcome, String>,
}

/// What a step came to; an error of its own is a failure too.
#[derive(Debug)]
pub(crate) enum Outcome {
    Passed,
    Failed(String),
    Skipped(String),
    /// A step made of tests.
    Counted(Tally),
}

/// All steps, quick ones first.
pub(crate) const STEPS: &[Step] = &[
    Step { name: "fmt", about: "rustfmt has nothing to change", run: fmt },
    Step { name: "tidy", about: "the house rules", run: house_rules },
    Step { name: "codegen", about: "the messages of landfall-stub are what their `.proto` says", run: messages },
    Step { name: "clippy", about: "all targets with all features, warnings refused", run: clippy },
    Step { name: "features", about: "each library with no feature and with each feature alone", run: features },
    Step { name: "docs", about: "rustdoc, warnings refused", run: docs },
    Step { name: "deny", about: "licences, bans and sources of what is depended on", run: deny },
    Step { name: "msrv", about: "everything compiles with the oldest Rust promised", run: msrv },
    Step { name: "test", about: "`cargo xtask test`, started as the README has it", run: tests },
    Step { name: "integration", about: "the tests of landfall-tests", run: integration },
    Step { name: "conformance", about: "each case of OTP's suites has its test, and it passed", run: otp_table },
    Step { name: "interop", about: "supervisors against OTP's own, scenario by scenario", run: otp },
    Step { name: "interop-nri", about: "plugins against NRI's own adaptation, beside those on Go's stub", run: nri },
    Step { name: "loom", about: "the models of the core under every schedule", run: loom },
    Step { name: "shuttle", about: "a tree of task sets under random schedules", run: shuttle },
    Step { name: "miri", about: "the unit tests of the core under miri", run: under_miri },
    Step { name: "planted", about: "tests that must fail with the fault planted that they are for", run: with_faults },
    Step { name: "leak-check", about: "the scenario programs, quiet and with each planted fault", run: leaks },
];

fn at_root(workspace: &Workspace, arguments: &[&str]) -> Command {
    let mut command = cargo::cargo(arguments);
    command.current_dir(&workspace.root);
    command
}

fn fmt(workspace: &Workspace) -> Result<Outcome, String> {
    cargo::run(&mut at_root(workspace, &["fmt", "--all", "--check"]))?;
    Ok(Outcome::Passed)
}

fn house_rules(workspace: &Workspace) -> Result<Outcome, String> {
    Ok(match tidy::check(workspace, false)? {
        0 => Outcome::Passed,
        findings => Outcome::Failed(format!("{findings} findings, listed above")),
    })
}

fn messages(workspace: &Workspace) -> Result<Outcome, String> {
    codegen::all(workspace, true)?;
    Ok(Outcome::Passed)
}

fn clippy(workspace: &Workspace) -> Result<Outcome, String> {
    let arguments = ["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"];
    cargo::run(&mut at_root(workspace, &arguments))?;
    Ok(Outcome::Passed)
}

/// Clippy rather than `cargo check`: it can refuse warnings without building what is depended on anew.
fn features(workspace: &Workspace) -> Result<Outcome, String> {
    let mut failed = Vec::new();
    for (package, feature) in each_feature(workspace) {
        let arguments = [
            "clippy",
            "--package",
            package,
            "--lib",
            "--no-default-features",
            "--features",
            feature,
            "--",
            "-D",
            "warnings",
        ];
        if let Err(problem) = cargo::run(&mut at_root(workspace, &arguments)) {
            println!("{problem}");
            failed.push(format!("{package} with `{feature}`"));
        }
    }
    if failed.is_empty() { Ok(Outcome::Passed) } else { Ok(Outcome::Failed(failed.join(", "))) }
}

/// Of every library: no feature, then each feature alone.
fn each_feature(workspace: &Workspace) -> Vec<(&str, &str)> {
    let is_library = |name: &str| roster::member(name).is_some_and(roster::Member::is_library);
    workspace.packages.iter().filter(|package| is_library(&package.name)).flat_map(features_of).collect()
}

fn features_of(package: &Package) -> Vec<(&str, &str)> {
    let named = package.features.keys().map(String::as_str).filter(|feature| *feature != "default");
    [""].into_iter().chain(named).map(|feature| (package.name.as_str(), feature)).collect()
}

fn docs(workspace: &Workspace) -> Result<Outcome, String> {
    let mut command = at_root(workspace, &["doc", "--workspace", "--no-deps", "--all-features"]);
    cargo::run(command.env("RUSTDOCFLAGS", "-D warnings"))?;
    Ok(Outcome::Passed)
}

/// Advisories are left to the hosted CI: they need RustSec's database, which changes without us.
fn deny(workspace: &Workspace) -> Result<Outcome, String> {
    if !cargo::succeeds(&mut at_root(workspace, &["deny", "--version"])) {
        return Ok(Outcome::Skipped("cargo-deny is not installed".to_owned()));
    }
    cargo::run(&mut at_root(workspace, &["deny", "--all-features", "check", "licenses", "bans", "sources"]))?;
    Ok(Outcome::Passed)
}

fn msrv(workspace: &Workspace) -> Result<Outcome, String> {
    let Some(version) = workspace.packages.iter().find_map(|package| package.rust_version.clone()) else {
        return Err("no package states a rust-version".to_owned());
    };
    let toolchain = |arguments: &[&str]| {
        let mut command = Command::new("rustup");
        command.args(["run", &version, "cargo"]).args(arguments).current_dir(&workspace.root);
        command
    };
    if !cargo::succeeds(&mut toolchain(&["--version"])) {
        return Ok(Outcome::Skipped(format!("Rust {version} is not installed")));
    }
    // A target directory of its own: two compilers in one would build everything anew each time.
    let mut check = toolchain(&["check", "--workspace", "--all-features", "--all-targets"]);
    cargo::run(check.env("CARGO_TARGET_DIR", workspace.target.join("msrv")))?;
    Ok(Outcome::Passed)
}

/// A child process, so that what the README tells people to type is what is tested, and is tested once.
fn tests(workspace: &Workspace) -> Result<Outcome, String> {
    let mut command = at_root(workspace, &["xtask", "test"]);
    let line = cargo::line(&command);
    println!("$ {line}");
    let mut tally = Tally::default();
    let mut closed = false;
    let success = test::shown(&mut command, &mut std::io::stdout(), |line| {
        if let Some(skip) = skip_listed(line) {
            tally.skips.push(skip);
        }
        if let Some(counts) = Counts::of_closing_line(line) {
            tally.counts = counts;
            closed = true;
        }
    })?;
    if !closed {
        return Err(format!("`{line}` did not close with its counts"));
    }
    if !success && tally.passed(skips::strict()) {
        return Err(format!("`{line}` failed"));
    }
    Ok(Outcome::Counted(tally))
}

/// Reads `SKIPPED: reason (test)`.
fn skip_listed(line: &str) -> Option<Skip> {
    let (reason, name) = line.strip_prefix("SKIPPED: ")?.strip_suffix(')')?.rsplit_once(" (")?;
    Some(Skip { name: name.to_owned(), reason: reason.to_owned() })
}

fn integration(workspace: &Workspace) -> Result<Outcome, String> {
    if workspace.package(roster::TESTS).is_none() {
        return Ok(Outcome::Skipped(format!("there is no package {}", roster::TESTS)));
    }
    Ok(Outcome::Counted(test::integration(workspace)?))
}

fn otp_table(workspace: &Workspace) -> Result<Outcome, String> {
    Ok(Outcome::Counted(conformance::otp(workspace)?))
}

fn otp(workspace: &Workspace) -> Result<Outcome, String> {
    if workspace.package(roster::TESTS).is_none() {
        return Ok(Outcome::Skipped(format!("there is no package {}", roster::TESTS)));
    }
    // The same scenarios in each run, so that a change is to blame for what fails; the verb draws its own seed.
    Ok(Outcome::Counted(interop::otp::all(workspace, 1)?))
}

fn nri(workspace: &Workspace) -> Result<Outcome, String> {
    if workspace.package(roster::TESTS).is_none() {
        return Ok(Outcome::Skipped(format!("there is no package {}", roster::TESTS)));
    }
    Ok(Outcome::Counted(interop::nri::all(workspace, false)?))
}

fn loom(workspace: &Workspace) -> Result<Outcome, String> {
    Ok(Outcome::Counted(models::all(workspace, models::LOOM, models::Effort::default())?))
}

fn shuttle(workspace: &Workspace) -> Result<Outcome, String> {
    Ok(Outcome::Counted(models::all(workspace, models::SHUTTLE, models::Effort::default())?))
}

fn under_miri(workspace: &Workspace) -> Result<Outcome, String> {
    Ok(match miri::missing(workspace) {
        Some(reason) => Outcome::Skipped(reason),
        None => Outcome::Counted(miri::all(workspace)?),
    })
}

fn with_faults(workspace: &Workspace) -> Result<Outcome, String> {
    Ok(Outcome::Counted(planted::all(workspace)?))
}

fn leaks(workspace: &Workspace) -> Result<Outcome, String> {
    let tally = leak_check::all(workspace)?;
    if tally.counts == Counts::default() {
        return Ok(Outcome::Skipped("there are no scenarios".to_owned()));
    }
    Ok(Outcome::Counted(tally))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::tests::planted;

    #[test]
    fn features_of_libraries_are_checked_but_for_the_default() {
        let workspace = planted(&[("landfall-pool", "crates/pool", &[]), ("landfall-demo", "crates/demo", &[])]);
        assert_eq!(each_feature(&workspace), [("landfall-pool", ""), ("landfall-pool", "serde")]);
    }

    #[test]
    fn listed_skips_are_read_back() {
        let skip = skip_listed("SKIPPED: no PostgreSQL (looked in PATH) (pg::claims)").expect("it is one");
        assert_eq!((skip.reason.as_str(), skip.name.as_str()), ("no PostgreSQL (looked in PATH)", "pg::claims"));
        assert_eq!(skip_listed("running 3 tests"), None);
    }

    #[test]
    fn without_the_package_of_tests_the_steps_that_need_it_are_skipped() {
        let workspace = planted(&[("landfall-pool", "crates/pool", &[])]);
        assert!(matches!(integration(&workspace), Ok(Outcome::Skipped(_))));
        assert!(matches!(leaks(&workspace), Ok(Outcome::Skipped(_))));
    }
}
