//! `cargo xtask interop nri`: plugins on Go's stub and on ours, against NRI's own adaptation; the histories must be equal.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::history::{self, Histories, TAMPERINGS};
use crate::counts::Counts;
use crate::skips::Skip;
use crate::tally::Tally;
use crate::workspace::Workspace;
use crate::{cargo, programs, roster};

const PLACE: &str = "tests/interop/nri";
const DRIVER: &str = "program-nri-driver";
/// How the driver begins a line on a scenario that could not be run.
const TROUBLE: &str = "trouble: ";

/// A version of the adaptation.
struct Version {
    name: &'static str,
    /// How Go builds it, and how the driver is told that it lacks something.
    build: &'static [&'static str],
    driver: &'static [&'static str],
}

/// The newest first.
const VERSIONS: &[Version] = &[
    Version { name: "v0.12.5", build: &[], driver: &[] },
    Version { name: "v0.10.0", build: &["-modfile=v010.mod", "-tags=nri010"], driver: &["--older"] },
    Version { name: "v0.8.0", build: &["-modfile=v08.mod", "-tags=nri08"], driver: &["--older"] },
];

/// Compares all scenarios against the newest adaptation, or against older ones too.
pub(crate) fn all(workspace: &Workspace, full: bool) -> Result<Tally, String> {
    // Only one that is not there is skipped: one that fails, fails below.
    if Command::new("go").arg("version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
        let reason = "there is no Go: https://go.dev/dl has it".to_owned();
        let skip = Skip { name: "interop nri".to_owned(), reason };
        return Ok(Tally { counts: Counts::SKIPPED, skips: vec![skip], ..Tally::default() });
    }
    let mut build = cargo::cargo(&["build", "--package", roster::TESTS, "--bin", DRIVER]);
    let built = programs::build(build.current_dir(&workspace.root), "bin")?;
    let Some((_, driver)) = built.into_iter().find(|(name, _)| name == DRIVER) else {
        return Err(format!("cargo built no {DRIVER}"));
    };
    let mut tally = Tally::default();
    for version in &VERSIONS[..if full { VERSIONS.len() } else { 1 }] {
        let program = program(workspace, version)?;
        let run = |flags: &[&str]| {
            let mut command = Command::new(&driver);
            cargo::output(command.arg("--program").arg(&program).args(version.driver).args(flags))
        };
        let (go, ours) = (history::read(&run(&["--go"])?), history::read(&run(&[])?));
        tally.add(compared(version.name, &run(&["--list"])?, &go, &ours));
    }
    Ok(tally)
}

/// Builds the Go program with the newest adaptation.
pub(crate) fn newest(workspace: &Workspace) -> Result<PathBuf, String> {
    program(workspace, &VERSIONS[0])
}

/// Builds the Go program.
fn program(workspace: &Workspace, version: &Version) -> Result<PathBuf, String> {
    let folder = workspace.target.join("xtask");
    fs::create_dir_all(&folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    let program = folder.join(format!("nri-adaptation-{}", version.name));
    let mut build = Command::new("go");
    // go.sum says what may come; without symbols it is built and copied faster.
    build.args(["build", "-mod=readonly", "-buildvcs=false", "-ldflags=-s -w"]).args(version.build);
    cargo::run(build.arg("-o").arg(&program).arg(".").current_dir(workspace.root.join(PLACE)))?;
    Ok(program)
}

/// Judges each scenario, and each of them with its history tampered with, which must be noticed.
fn compared(version: &str, names: &str, go: &Histories, ours: &Histories) -> Tally {
    let mut tally = Tally::default();
    let (mut scenarios, mut planted) = (0, 0);
    for name in names.lines().filter_map(|line| line.strip_prefix("scenario ")) {
        scenarios += 1;
        let of_go = go.get(name).map(Vec::as_slice);
        let of_ours = ours.get(name).map(Vec::as_slice);
        let trouble = [of_go, of_ours].into_iter().flatten().flatten().find(|line| line.starts_with(TROUBLE));
        match trouble.cloned().or_else(|| history::judge(of_go, of_ours, None)) {
            Some(problem) => tally.fail(format!("{version}: {name}: {problem}")),
            None => tally.counts += Counts::PASSED,
        }
        for (what, tamper) in TAMPERINGS {
            let Some(mut tampered) = ours.get(name).cloned() else { continue };
            tamper(&mut tampered);
            planted += 1;
            if history::judge(of_go, Some(&tampered), None).is_none() {
                tally.fail(format!("{version}: {name}: not noticed: {what}"));
            }
        }
    }
    if scenarios == 0 {
        tally.fail(format!("{version}: the driver has no scenarios"));
    }
    println!("NRI {version}: {scenarios} scenarios; {planted} planted differences");
    tally
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: &str = "scenario a\n";
    const HISTORY: &str = "scenario a\n> CreateContainer\nCreateContainer {}\n= ok\n";

    fn counted(names: &str, go: &str, ours: &str) -> Counts {
        compared("v0", names, &history::read(go), &history::read(ours)).counts
    }

    #[test]
    fn a_difference_a_missing_history_and_no_scenario_are_failures() {
        assert_eq!(counted(NAMES, HISTORY, HISTORY), Counts::PASSED);
        assert_eq!(counted(NAMES, HISTORY, &HISTORY.replace("= ok", "= error")).failed, 1);
        assert_eq!(counted(NAMES, HISTORY, "").failed, 1);
        assert_eq!(counted(NAMES, "", HISTORY).failed, 1);
        assert_eq!(counted("", HISTORY, HISTORY).failed, 1);
    }

    #[test]
    fn a_scenario_that_could_be_run_on_neither_side_is_a_failure() {
        let trouble = format!("scenario a\n{TROUBLE}the Go program did not answer\n");
        assert_eq!(counted(NAMES, &trouble, &trouble).failed, 1);
    }
}
