//! `cargo xtask interop otp`: scenarios run by OTP's own supervisor and by ours; the histories must be equal, or differ
//! as the scenario says and gives a reason for.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::counts::Counts;
use crate::skips::Skip;
use crate::tally::Tally;
use crate::workspace::Workspace;
use crate::{cargo, programs, roster};

use super::generate;
use super::history::{self, Histories, TAMPERINGS};

const PLACE: &str = "tests/interop/otp";
const DRIVER: &str = "program-otp-driver";
/// How many scenarios are made from the seed: some ten seconds.
const GENERATED: usize = 300;

/// Compares all scenarios, those written and those of the seed.
pub(crate) fn all(workspace: &Workspace, seed: u64) -> Result<Tally, String> {
    let escript = workspace.root.join(PLACE).join("supervisor.escript");
    // Only one that is not there is skipped: one that fails, fails below.
    if Command::new("escript").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
        return Ok(skipped("there is no escript: Debian has it in erlang-base"));
    }
    let mut build = cargo::cargo(&["build", "--package", roster::TESTS, "--bin", DRIVER]);
    let built = programs::build(build.current_dir(&workspace.root), "bin")?;
    let Some((_, driver)) = built.into_iter().find(|(name, _)| name == DRIVER) else {
        return Err(format!("cargo built no {DRIVER}"));
    };
    let mut files = written(&workspace.root.join(PLACE))?;
    println!("seed {seed}: `cargo xtask interop otp --seed {seed}` makes the same scenarios");
    let made = generated(&workspace.target, seed)?;
    files.push(made.clone());
    let mut tally = Tally::default();
    for file in &files {
        let text = fs::read_to_string(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
        let otp = history::read(&cargo::output(Command::new("escript").arg(&escript).arg(file))?);
        let ours = history::read(&cargo::output(Command::new(&driver).arg(file))?);
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        tally.add(compared(&name, &text, &otp, &ours));
    }
    if tally.passed(false) {
        fs::remove_file(&made).map_err(|error| format!("cannot remove {}: {error}", made.display()))?;
    }
    Ok(tally)
}

fn skipped(reason: &str) -> Tally {
    let skip = Skip { name: "interop otp".to_owned(), reason: reason.to_owned() };
    Tally { counts: Counts::SKIPPED, skips: vec![skip], ..Tally::default() }
}

/// The files of scenarios in a folder, in the order of their names.
fn written(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let failed = |error: std::io::Error| format!("cannot list {}: {error}", folder.display());
    let entries = fs::read_dir(folder).map_err(failed)?.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    let is_scenarios = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "scenarios");
    let mut files: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).filter(is_scenarios).collect();
    files.sort();
    if files.is_empty() { Err(format!("{} has no scenarios", folder.display())) } else { Ok(files) }
}

fn generated(target: &Path, seed: u64) -> Result<PathBuf, String> {
    let folder = target.join("xtask");
    let file = folder.join(format!("generated-{seed}.scenarios"));
    fs::create_dir_all(&folder)
        .and_then(|()| fs::write(&file, generate::scenarios(seed, GENERATED)))
        .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    Ok(file)
}

/// Judges each scenario of a file, and each of them with its history tampered with, which must be noticed.
fn compared(file: &str, scenarios: &str, otp: &Histories, ours: &Histories) -> Tally {
    let mut tally = Tally::default();
    let named = history::pinned(scenarios);
    let (mut differ, mut planted) = (0, 0);
    for (name, pinned) in &named {
        let pinned = pinned.as_ref();
        let of_otp = otp.get(name).map(Vec::as_slice);
        match history::judge(of_otp, ours.get(name).map(Vec::as_slice), pinned) {
            Some(problem) => tally.fail(format!("{file}: {name}: {problem}")),
            None => tally.counts += Counts::PASSED,
        }
        if let Some(pinned) = pinned {
            println!("differs on purpose: {name}: {}", pinned.reason);
            differ += 1;
        }
        for (what, tamper) in TAMPERINGS {
            let Some(mut tampered) = ours.get(name).cloned() else { continue };
            tamper(&mut tampered);
            planted += 1;
            if history::judge(of_otp, Some(&tampered), pinned).is_none() {
                tally.fail(format!("{file}: {name}: not noticed: {what}"));
            }
        }
    }
    let strays = otp.keys().chain(ours.keys()).filter(|name| named.iter().all(|(known, _)| known != *name));
    for stray in strays {
        tally.fail(format!("{file}: there is a history of `{stray}`, and no such scenario"));
    }
    println!("{file}: {} scenarios, {differ} of them differ on purpose; {planted} planted differences", named.len());
    tally
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCENARIOS: &str = "scenario a\nsupervisor root\nstart\nstop\n";
    const HISTORY: &str = "scenario a\n> start\n= ok\n> stop\nended root shutdown\n= ok\n";

    fn counted(otp: &str, ours: &str) -> Counts {
        compared("file", SCENARIOS, &history::read(otp), &history::read(ours)).counts
    }

    #[test]
    fn a_difference_a_missing_history_and_a_stray_one_are_failures() {
        assert_eq!(counted(HISTORY, HISTORY), Counts::PASSED);
        assert_eq!(counted(HISTORY, &HISTORY.replace("shutdown", "crash")).failed, 1);
        assert_eq!(counted(HISTORY, "").failed, 1);
        assert_eq!(counted("", HISTORY).failed, 1);
        let stray = format!("{HISTORY}scenario b\n");
        assert_eq!(counted(HISTORY, &stray).failed, 1);
    }
}
