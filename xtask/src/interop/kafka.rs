//! `cargo xtask interop kafka`: a client's tree against a real broker, which is killed, stopped and started again.
//!
//! The broker's jars come by Maven into the target directory, as `tests/interop/kafka/pom.xml` names them. There is no
//! second implementation to compare with: the driver judges, and names each of its scenarios.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::counts::Counts;
use crate::skips::Skip;
use crate::tally::Tally;
use crate::workspace::Workspace;
use crate::{cargo, programs, roster};

const PLACE: &str = "tests/interop/kafka";
const DRIVER: &str = "kafka-driver";

/// Runs all scenarios.
pub(crate) fn all(workspace: &Workspace) -> Result<Tally, String> {
    let is_missing = |(program, _): &(&str, &str)| !cargo::succeeds(Command::new(program).arg("-version"));
    if let Some((program, what)) = [("java", "Java 17"), ("mvn", "Maven")].iter().find(|tool| is_missing(tool)) {
        let skip = Skip { name: "interop kafka".to_owned(), reason: format!("there is no `{program}`: {what} has it") };
        return Ok(Tally { counts: Counts::SKIPPED, skips: vec![skip], ..Tally::default() });
    }
    // The driver starts the program, which lies beside it.
    let mut build = cargo::cargo(&["build", "--package", roster::KAFKA, "--bins"]);
    let built = programs::build(build.current_dir(&workspace.root), "bin")?;
    let Some((_, driver)) = built.into_iter().find(|(name, _)| name == DRIVER) else {
        return Err(format!("cargo built no {DRIVER}"));
    };
    let jars = jars(workspace)?;
    let names = cargo::output(Command::new(&driver).arg("--list"))?;
    let said = cargo::output(Command::new(&driver).arg("--jars").arg(&jars))?;
    print!("{said}");
    Ok(judged(&names, &said))
}

/// Fetches the jars, unless those that are named are there.
fn jars(workspace: &Workspace) -> Result<PathBuf, String> {
    let failed = |error: std::io::Error| format!("cannot keep the broker's jars: {error}");
    let (project, folder) = (workspace.root.join(PLACE), workspace.target.join("interop/kafka"));
    let (named, fetched, jars) = (project.join("pom.xml"), folder.join("pom.xml"), folder.join("jars"));
    if jars.is_dir() && fs::read(&fetched).is_ok_and(|fetched| fs::read(&named).is_ok_and(|named| named == fetched)) {
        return Ok(jars);
    }
    if jars.is_dir() {
        fs::remove_dir_all(&jars).map_err(failed)?;
    }
    let mut fetch = Command::new("mvn");
    fetch.args(["-q", "-B", "dependency:copy-dependencies"]).arg(format!("-DoutputDirectory={}", jars.display()));
    cargo::run(fetch.current_dir(&project))?;
    fs::copy(&named, &fetched).map_err(failed)?;
    Ok(jars)
}

/// Judges each scenario by what the driver says of it; one of which it says nothing has failed.
fn judged(names: &str, said: &str) -> Tally {
    let mut tally = Tally::default();
    let of = |word: &str, name: &str| {
        said.lines().find_map(|line| line.strip_prefix(word)?.strip_prefix(name)?.strip_prefix(": "))
    };
    let mut scenarios = 0;
    for name in names.lines().filter_map(|line| line.strip_prefix("scenario ")) {
        scenarios += 1;
        match (of("ok ", name), of("failed ", name)) {
            (Some(_), None) => tally.counts += Counts::PASSED,
            (_, Some(why)) => tally.fail(format!("{name}: {why}")),
            (None, None) => tally.fail(format!("{name}: the driver says nothing of it")),
        }
    }
    if scenarios == 0 {
        tally.fail("the driver has no scenarios".to_owned());
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_a_silence_and_no_scenario_are_failures() {
        let counted = |names, said| judged(names, said).counts;
        let names = "scenario a\nscenario a-b\n";
        let both = counted(names, "ok a: x\nok a-b: y\n");
        assert_eq!((both.passed, both.failed), (2, 0));
        let one = judged(names, "ok a: x\nfailed a-b: no answer\n");
        assert_eq!((one.counts.passed, one.counts.failed), (1, 1));
        assert_eq!(counted(names, "ok a: x\n").failed, 1);
        assert_eq!(counted("", "ok a: x\n").failed, 1);
    }
}
