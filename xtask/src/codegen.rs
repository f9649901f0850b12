//! `cargo xtask codegen`: landfall-codegen, in a build of its own, writes the messages of landfall-stub or checks them.

use crate::workspace::Workspace;
use crate::{cargo, roster};

/// Writes the messages anew, or only looks whether they would change.
pub(crate) fn run(check: bool) -> Result<bool, String> {
    all(&Workspace::load()?, check).map(|()| true)
}

/// As [`run`], for the gate: what is wrong is an error.
pub(crate) fn all(workspace: &Workspace, check: bool) -> Result<(), String> {
    let mut command = cargo::cargo(&["run", "--quiet", "--package", roster::CODEGEN, "--"]);
    command.args(check.then_some("--check")).current_dir(&workspace.root);
    cargo::run(&mut command)
}
