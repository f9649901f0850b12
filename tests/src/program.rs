//! Where the programs are that scenarios start.

use std::env;
use std::path::{Path, PathBuf};

/// Names a relay to use instead of the one that was built with the scenario.
const RELAY_VARIABLE: &str = "LANDFALL_DEMO_BIN";

/// A program is not where it should be.
#[derive(Debug, thiserror::Error)]
#[error("there is no program {}; build it with `{build}`", path.display())]
pub struct Missing {
    /// Where it should be.
    pub path: PathBuf,
    /// The command that makes it.
    pub build: String,
}

/// The relay: what `LANDFALL_DEMO_BIN` names, else what lies beside this program.
///
/// # Errors
///
/// When there is no such file.
pub fn relay() -> Result<PathBuf, Missing> {
    let path = env::var_os(RELAY_VARIABLE).map_or_else(|| beside("landfall-demo"), PathBuf::from);
    existing(path, "cargo build -p landfall-demo")
}

/// A program of this package.
///
/// # Errors
///
/// When it was not built.
pub fn own(name: &str) -> Result<PathBuf, Missing> {
    existing(beside(name), &format!("cargo build -p landfall-tests --bin {name}"))
}

fn existing(path: PathBuf, build: &str) -> Result<PathBuf, Missing> {
    if path.is_file() {
        return Ok(path);
    }
    let release = if cfg!(debug_assertions) { "" } else { " --release" };
    Err(Missing { path, build: format!("{build}{release}") })
}

fn beside(name: &str) -> PathBuf {
    let own = env::current_exe().unwrap_or_default();
    let folder = own.parent().unwrap_or(Path::new(""));
    // Tests lie one folder deeper than programs.
    let folder = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
    folder.join(format!("{name}{}", env::consts::EXE_SUFFIX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_said_with_the_command_that_builds_it() {
        let missing = own("program-that-is-not").expect_err("there is none").to_string();
        assert!(missing.contains("cargo build -p landfall-tests --bin program-that-is-not"), "{missing}");
    }
}
