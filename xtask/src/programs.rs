//! Building programs of the workspace, and where cargo put them.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::workspace::Workspace;
use crate::{cargo, roster};

/// What builds every program of the workspace but xtask's, codegen's, the benches and the Kafka client's, which no scenario
/// starts: a scenario or a test may start an application, which it finds beside itself.
pub(crate) fn all(workspace: &Workspace) -> Command {
    let mut command = cargo::cargo(&["build", "--workspace", "--exclude", roster::XTASK, "--bins"]);
    // Cargo warns about an excluded package that is not there.
    for other in [roster::BENCH, roster::CODEGEN, roster::KAFKA] {
        if workspace.package(other).is_some() {
            command.args(["--exclude", other]);
        }
    }
    command.current_dir(&workspace.root);
    command
}

/// Builds, and gives the names and paths of the programs of one kind that came of it, in the order of their names.
pub(crate) fn build(command: &mut Command, kind: &str) -> Result<Vec<(String, PathBuf)>, String> {
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
