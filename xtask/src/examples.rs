//! The examples, those of the crates and those of `tests` that need several: built, and each run to its end.

use std::process::Command;
use std::time::Duration;

use crate::child::{self, How};
use crate::counts::Counts;
use crate::tally::Tally;
use crate::workspace::Workspace;
use crate::{cargo, programs};

/// How long an example may take: it shows something and ends.
const LIMIT: Duration = Duration::from_secs(60);

/// Builds and runs every example of these packages; each counts as a test. The same selection of packages and features as
/// for the tests, so that nothing is built twice.
pub(crate) fn run(workspace: &Workspace, which: &[&str]) -> Result<Tally, String> {
    let mut tally = Tally::default();
    if !workspace.packages.iter().any(|package| !package.targets_of_kind("example").is_empty()) {
        return Ok(tally);
    }
    let mut command = cargo::cargo(&["build", "--all-features", "--examples"]);
    command.args(which).current_dir(&workspace.root);
    let built = programs::build(&mut command, "example")?;
    println!("\nrunning {} examples", built.len());
    for (name, path) in built {
        let ended = child::run(Command::new(path).current_dir(&workspace.root), LIMIT)?;
        let problem = match ended.how {
            How::Succeeded => None,
            How::Failed(status) => Some(format!("example {name} ended with {status}")),
            How::Killed { limit } => Some(format!("example {name} had not ended after {} s", limit.as_secs())),
        };
        println!("example {name} ... {}", if problem.is_none() { "ok" } else { "FAILED" });
        match problem {
            None => tally.counts += Counts::PASSED,
            Some(problem) => {
                ended.said.iter().chain(&ended.complained).for_each(|line| println!("  {line}"));
                tally.fail(problem);
            }
        }
    }
    Ok(tally)
}
