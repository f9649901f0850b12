//! `cargo xtask fuzz`: runs the fuzz targets of landfall-stub for a while each, from the inputs that are kept.
//!
//! They need nightly Rust and cargo-fuzz, and are a workspace of their own. What is kept under `tests/corpus` the tests of
//! the crate give to the same functions, on stable; what is found here stays below the target directory until somebody
//! keeps it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cargo;
use crate::counts::Counts;
use crate::skips::Skip;
use crate::tally::Tally;
use crate::workspace::Workspace;

/// Where the targets are, and the inputs that are kept.
const PLACE: &str = "crates/stub/fuzz";
const KEPT: &str = "crates/stub/tests/corpus";

/// How long each target runs unless it is said.
const SECONDS: u64 = 60;
/// How many bytes an input may have: what matters happens in few.
const BYTES_MAX: u32 = 4096;
/// An input that takes longer has found something.
const INPUT_SECONDS_MAX: u32 = 20;

/// Runs one target, or each after the other, and closes with the counts.
pub(crate) fn run(target: Option<&str>, seconds: Option<u64>) -> Result<bool, String> {
    let workspace = Workspace::load()?;
    let targets = chosen(targets(&workspace.root)?, target)?;
    let mut tally = Tally::default();
    match missing() {
        Some(reason) => {
            let skips = targets.into_iter().map(|name| Skip { name: format!("fuzz {name}"), reason: reason.clone() });
            tally.skips.extend(skips);
            tally.counts.skipped = tally.skips.len() as u64;
        }
        None => {
            for name in targets {
                match fuzz(&workspace, &name, seconds.unwrap_or(SECONDS)) {
                    Ok(()) => tally.counts += Counts::PASSED,
                    Err(problem) => tally.fail(format!("{name}: {problem}")),
                }
            }
        }
    }
    Ok(tally.close())
}

/// The targets, by the names of their files.
fn targets(root: &Path) -> Result<Vec<String>, String> {
    let folder = root.join(PLACE).join("fuzz_targets");
    let failed = |error: std::io::Error| format!("cannot read {}: {error}", folder.display());
    let mut targets = Vec::new();
    for entry in fs::read_dir(&folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        targets.extend(name.to_string_lossy().strip_suffix(".rs").map(str::to_owned));
    }
    targets.sort();
    Ok(targets)
}

fn chosen(targets: Vec<String>, asked: Option<&str>) -> Result<Vec<String>, String> {
    match asked {
        None => Ok(targets),
        Some(asked) if targets.iter().any(|name| name == asked) => Ok(vec![asked.to_owned()]),
        Some(asked) => Err(format!("there is no fuzz target `{asked}`; the targets are {}", targets.join(", "))),
    }
}

/// What is not installed, if anything.
fn missing() -> Option<String> {
    let has = |arguments: &[&str]| cargo::succeeds(Command::new("rustup").args(["run", "nightly"]).args(arguments));
    if !has(&["cargo", "--version"]) {
        return Some("nightly Rust is not installed: rustup toolchain install nightly".to_owned());
    }
    if !has(&["cargo", "fuzz", "--version"]) {
        return Some("cargo-fuzz is not installed: cargo install cargo-fuzz".to_owned());
    }
    None
}

/// Runs a target: from what is kept and what earlier runs have found, which is added to.
fn fuzz(workspace: &Workspace, name: &str, seconds: u64) -> Result<(), String> {
    let folder = workspace.target.join("fuzz");
    let [found, failures] = ["corpus", "failures"].map(|what| folder.join(what).join(name));
    for made in [&found, &failures] {
        fs::create_dir_all(made).map_err(|error| format!("cannot make {}: {error}", made.display()))?;
    }
    let before = inputs(&failures)?;
    let mut command = Command::new("rustup");
    command
        .args(["run", "nightly", "cargo", "fuzz", "run", "--fuzz-dir", PLACE, "--target-dir"])
        .args([&folder, Path::new(name), &found, &workspace.root.join(KEPT).join(name)])
        .args(["--", &format!("-artifact_prefix={}/", failures.display())])
        .args([&format!("-max_total_time={seconds}"), &format!("-max_len={BYTES_MAX}")])
        .args([&format!("-timeout={INPUT_SECONDS_MAX}"), "-print_final_stats=1"])
        .current_dir(&workspace.root);
    cargo::run(&mut command).map_err(|problem| {
        let new: Vec<PathBuf> = inputs(&failures).unwrap_or_default();
        let new = new.iter().filter(|path| !before.contains(path)).map(|path| path.display().to_string());
        format!("{problem}; found: {}; keep it in {KEPT}/{name}", new.collect::<Vec<_>>().join(", "))
    })
}

fn inputs(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let failed = |error: std::io::Error| format!("cannot read {}: {error}", folder.display());
    let entries = fs::read_dir(folder).map_err(failed)?;
    entries.map(|entry| Ok(entry.map_err(failed)?.path())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_chosen_by_its_name_and_all_without_one() {
        let targets = || vec!["request".to_owned(), "stub".to_owned()];
        assert_eq!(chosen(targets(), None), Ok(targets()));
        assert_eq!(chosen(targets(), Some("stub")), Ok(vec!["stub".to_owned()]));
        let refusal = chosen(targets(), Some("mux")).expect_err("there is none");
        assert!(refusal.contains("`mux`") && refusal.contains("request, stub"), "{refusal}");
    }

    /// Each target has inputs that the tests of the crate replay, and the manifest builds each.
    #[test]
    fn every_target_is_built_and_has_inputs_that_are_kept() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("it is in the workspace");
        let targets = targets(root).expect("they are there");
        let manifest = fs::read_to_string(root.join(PLACE).join("Cargo.toml")).expect("it is there");
        assert!(!targets.is_empty());
        for name in targets {
            assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name} is not built");
            assert!(!inputs(&root.join(KEPT).join(&name)).expect("it is there").is_empty(), "{name}");
        }
    }
}
