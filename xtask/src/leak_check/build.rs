//! The builds of the programs, each in a target directory of its own: what is compiled in differs.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::workspace::Workspace;
use crate::{cargo, programs};

/// One way to build everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Build {
    /// As everybody builds it.
    Plain,
    /// With the fault points in the product's own code.
    Faults,
    /// The same, and tokio tells where a task that is not ours was spawned.
    Unstable,
}

impl Build {
    /// The word that it has in tables and files.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Faults => "faults",
            Self::Unstable => "unstable",
        }
    }

    fn flags(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Faults => "--cfg landfall_faults",
            Self::Unstable => "--cfg landfall_faults --cfg tokio_unstable",
        }
    }
}

/// The programs of the builds that were asked for so far.
#[derive(Debug)]
pub(super) struct Builds<'a> {
    workspace: &'a Workspace,
    built: BTreeMap<Build, Vec<(String, PathBuf)>>,
}

impl<'a> Builds<'a> {
    pub(super) fn new(workspace: &'a Workspace) -> Self {
        Self { workspace, built: BTreeMap::new() }
    }

    /// Where a program of a build is; the first time, all programs of that build are made.
    pub(super) fn program(&mut self, build: Build, name: &str) -> Result<PathBuf, String> {
        if !self.built.contains_key(&build) {
            let made = self.make(build)?;
            self.built.insert(build, made);
        }
        let found = self.built.get(&build).into_iter().flatten().find(|(program, _)| program == name);
        found.map(|(_, path)| path.clone()).ok_or_else(|| format!("cargo built no program `{name}`"))
    }

    fn make(&self, build: Build) -> Result<Vec<(String, PathBuf)>, String> {
        let mut command = programs::all(self.workspace);
        if build != Build::Plain {
            // Other flags in the same directory would build everything anew each time.
            command.env("CARGO_TARGET_DIR", self.workspace.target.join(build.name()));
            command.env("RUSTFLAGS", with_flags(std::env::var("RUSTFLAGS").ok().as_deref(), build));
        }
        let line = cargo::line(&command);
        programs::build(&mut command, "bin").map_err(|problem| {
            format!("{problem}\nthe programs of the {} build cannot be made: see above, and try `{line}`", build.name())
        })
    }
}

/// What the caller sets for rustc stays set.
fn with_flags(given: Option<&str>, build: Build) -> String {
    let given = given.unwrap_or_default().trim();
    format!("{given} {}", build.flags()).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_added_to_those_given() {
        assert_eq!(with_flags(None, Build::Faults), "--cfg landfall_faults");
        assert_eq!(with_flags(Some("-D warnings "), Build::Faults), "-D warnings --cfg landfall_faults");
        assert!(with_flags(None, Build::Unstable).contains("--cfg tokio_unstable"));
    }
}
