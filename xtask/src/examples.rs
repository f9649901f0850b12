//! The examples of the crates: built, and each run to its end.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::child::{self, How};
use crate::counts::Counts;
use crate::tally::Tally;
use crate::workspace::Workspace;
use crate::{cargo, roster};

/// How long an example may take: it shows something and ends.
const LIMIT: Duration = Duration::from_secs(60);

/// Builds and runs every example under `crates`; each counts as a test.
pub(crate) fn run(workspace: &Workspace) -> Result<Tally, String> {
    let mut tally = Tally::default();
    if !workspace.packages.iter().any(|package| !package.targets_of_kind("example").is_empty()) {
        return Ok(tally);
    }
    // The same selection of packages and features as for the tests, so that nothing is built twice.
    let mut command = cargo::cargo(&["build", "--workspace", "--all-features", "--examples"]);
    if workspace.package(roster::TESTS).is_some() {
        command.args(["--exclude", roster::TESTS]);
    }
    command.current_dir(&workspace.root);
    let built = programs(&mut command, "example")?;
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

/// Builds, and gives the names and paths of the programs of one kind that came of it, in the order of their names.
pub(crate) fn programs(command: &mut Command, kind: &str) -> Result<Vec<(String, PathBuf)>, String> {
    println!("$ {}", cargo::line(command));
    let messages = cargo::output(command.arg("--message-format=json-render-diagnostics"))?;
    let mut programs: Vec<(String, PathBuf)> = messages.lines().filter_map(|line| program(line, kind)).collect();
    programs.sort();
    Ok(programs)
}

fn program(message: &str, kind: &str) -> Option<(String, PathBuf)> {
    let message: Value = serde_json::from_str(message).ok()?;
    let path = message["executable"].as_str()?;
    let is_kind = message["target"]["kind"].as_array()?.iter().any(|it| it == kind);
    is_kind.then_some((message["target"]["name"].as_str()?.to_owned(), PathBuf::from(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_in_what_cargo_says() {
        let artifact =
            r#"{"reason":"compiler-artifact","target":{"kind":["bin"],"name":"relay"},"executable":"/t/relay"}"#;
        let library = r#"{"reason":"compiler-artifact","target":{"kind":["lib"],"name":"pool"},"executable":null}"#;
        assert_eq!(program(artifact, "bin"), Some(("relay".to_owned(), PathBuf::from("/t/relay"))));
        assert_eq!(program(artifact, "example"), None);
        assert_eq!(program(library, "lib"), None);
        assert_eq!(program("Compiling relay", "bin"), None);
    }
}
