//! `cargo xtask test`: every test that needs nothing but Rust and a C compiler, and the examples, run to their end.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use crate::counts::Counts;
use crate::skips::{self, SkipFile};
use crate::tally::Tally;
use crate::workspace::Workspace;
use crate::{cargo, examples, programs, roster};

/// Runs the tests and closes with the counts.
pub(crate) fn run() -> Result<bool, String> {
    let workspace = Workspace::load()?;
    // One build with all features for all crates: each feature alone is the gate's `features` step.
    let which = selected(&workspace, &["--workspace", "--exclude", roster::TESTS]);
    let mut tally = packages(&workspace, &which)?;
    tally.add(examples::run(&workspace, &which)?);
    Ok(tally.close())
}

/// Runs the tests of landfall-tests, which may need more than Rust; the gate starts it after [`run`].
pub(crate) fn integration(workspace: &Workspace) -> Result<Tally, String> {
    programs::build(&mut programs::all(workspace), "bin")?;
    // Not the programs' own tests: they have none, and each would be built once more to say so.
    let mut tally = packages(workspace, &["--package", roster::TESTS, "--lib", "--test", "*"])?;
    tally.add(examples::run(workspace, &["--package", roster::TESTS])?);
    Ok(tally)
}

/// Cargo warns about an excluded package that is not there.
fn selected<'a>(workspace: &Workspace, which: &[&'a str]) -> Vec<&'a str> {
    match workspace.package(roster::TESTS) {
        Some(_) => which.to_vec(),
        None => which.iter().copied().filter(|word| !matches!(*word, "--exclude" | roster::TESTS)).collect(),
    }
}

fn packages(workspace: &Workspace, which: &[&str]) -> Result<Tally, String> {
    let skip_file = SkipFile::create(&workspace.target)?;
    let mut command = cargo::cargo(&["test", "--all-features", "--no-fail-fast"]);
    command.args(which).current_dir(&workspace.root);
    println!("$ {}", cargo::line(&command));
    command.env(skips::VARIABLE, skip_file.path());
    let (counts, success) = counted(&mut command, &mut std::io::stdout())?;
    let mut tally = Tally { counts, ..Tally::default() };
    tally.take_skips(skip_file.read()?);
    if !success && tally.counts.failed == 0 {
        // A build that failed, or a test program that died before it could count.
        tally.fail(format!("`{}` failed without a failed test", cargo::line(&command)));
    }
    Ok(tally)
}

/// Runs a command, passes on what it prints to `out` and shows each line to `see`; gives whether it succeeded.
pub(crate) fn shown(command: &mut Command, out: &mut dyn Write, mut see: impl FnMut(&str)) -> Result<bool, String> {
    let failed = |error: std::io::Error| format!("cannot run a command to its end: {error}");
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(failed)?;
    if let Some(stream) = child.stdout.take() {
        for line in BufReader::new(stream).split(b'\n') {
            let line = line.map_err(failed)?;
            // A closed standard output must not end the tests half way.
            let _ = out.write_all(&line).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush());
            see(&String::from_utf8_lossy(&line));
        }
    }
    Ok(child.wait().map_err(failed)?.success())
}

/// Runs tests and adds up what all of their programs counted.
fn counted(command: &mut Command, out: &mut dyn Write) -> Result<(Counts, bool), String> {
    let mut counts = Counts::default();
    let success = shown(command, out, |line| {
        if let Some(more) = Counts::of_libtest(line) {
            counts += more;
        }
    })?;
    Ok((counts, success))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(text: &str) -> (Counts, bool) {
        counted(Command::new("sh").args(["-c", text]), &mut std::io::sink()).expect("there is a shell")
    }

    #[test]
    fn the_counts_of_all_test_programs_are_added_up() {
        let line = |passed, failed| {
            format!("test result: ok. {passed} passed; {failed} failed; 0 ignored; 0 measured; 0 filtered out")
        };
        let text = format!("echo '{}'; echo noise; echo '{}'; exit 1", line(3, 0), line(2, 1));
        // Into a sink: whoever runs these tests would count the lines too.
        assert_eq!(script(&text), (Counts { passed: 5, failed: 1, skipped: 0 }, false));
    }

    #[test]
    fn a_command_that_prints_nothing_counts_nothing() {
        assert_eq!(script("exit 0"), (Counts::default(), true));
    }
}
