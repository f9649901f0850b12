//! Manifests inherit edition, rust-version, licence, lints and dependencies; libraries have no default features.

use toml::{Table, Value};

use super::finding::Finding;
use super::tree::Tree;
use crate::roster;

const ROOT: &str = "Cargo.toml";
const INHERITED: &[&str] = &["version", "edition", "rust-version", "license"];
const DEPENDENCIES: &[&str] = &["dependencies", "dev-dependencies", "build-dependencies"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, text) in tree.with_extension("toml").filter(|(file, _)| file.path.ends_with(ROOT)) {
        let table = match text.parse::<Table>() {
            Ok(table) => table,
            Err(error) => {
                findings.push(Finding::of(&file.path, format!("does not parse: {}", error.message())));
                continue;
            }
        };
        let faults = if file.path == ROOT { root(&table) } else { package(&file.path, &table) };
        findings.extend(faults.into_iter().map(|fault| Finding::of(&file.path, fault)));
    }
    findings
}

/// Every dependency of the workspace has a version and leaves default features to who wants them.
fn root(table: &Table) -> Vec<String> {
    let Some(dependencies) = at(table, &["workspace", "dependencies"]).and_then(Value::as_table) else {
        return vec!["has no [workspace.dependencies]".to_owned()];
    };
    let mut faults = Vec::new();
    for (name, dependency) in dependencies {
        if dependency.get("default-features").and_then(Value::as_bool) != Some(false) {
            faults.push(format!("`{name}` does not say `default-features = false`"));
        }
        if dependency.get("version").and_then(Value::as_str).is_none_or(|version| version.contains('*')) {
            faults.push(format!("`{name}` has no version, or any"));
        }
    }
    faults
}

fn package(path: &str, table: &Table) -> Vec<String> {
    let mut faults = Vec::new();
    for field in INHERITED {
        if !inherits(at(table, &["package", field])) {
            faults.push(format!("`package.{field}` is not inherited: `{field}.workspace = true`"));
        }
    }
    if !inherits(table.get("lints")) {
        faults.push("`lints` are not inherited: `[lints] workspace = true`".to_owned());
    }
    match roster::owner_of(path) {
        Some(owner) if owner.is_library() => {
            let default = at(table, &["features", "default"]).and_then(Value::as_array);
            if !default.is_some_and(Vec::is_empty) {
                faults.push("a library says `default = []` in its features".to_owned());
            }
        }
        _ if at(table, &["package", "publish"]).and_then(Value::as_bool) != Some(false) => {
            faults.push("only libraries are published: `publish = false`".to_owned());
        }
        _ => {}
    }
    let targets = table.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values);
    for section in targets.filter_map(Value::as_table).chain([table]) {
        faults.extend(not_inherited(section));
    }
    faults
}

fn not_inherited(section: &Table) -> Vec<String> {
    let tables = DEPENDENCIES.iter().filter_map(|kind| section.get(*kind)?.as_table());
    tables
        .flatten()
        .filter(|(_, dependency)| !inherits(Some(dependency)))
        .map(|(name, _)| format!("`{name}` is not inherited: `{name}.workspace = true`"))
        .collect()
}

fn inherits(value: Option<&Value>) -> bool {
    value.and_then(|value| value.get("workspace")).and_then(Value::as_bool) == Some(true)
}

fn at<'a>(table: &'a Table, path: &[&str]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(table.get(*first)?, |value, key| value.get(key))
}

#[cfg(test)]
mod tests {
    use super::super::finding::assert_found;
    use super::*;

    const SOUND: &str = "[package]\nversion.workspace = true\nedition.workspace = true\n\
        rust-version.workspace = true\nlicense.workspace = true\n\
        [features]\ndefault = []\n\
        [dependencies]\ntokio = { workspace = true, features = [\"rt\"] }\n\
        [lints]\nworkspace = true\n";

    #[track_caller]
    fn check_library(change: (&str, &str), says: &str) {
        let path = "crates/pool/Cargo.toml";
        assert!(SOUND.contains(change.0));
        let text = SOUND.replace(change.0, change.1);
        assert_found(&check(&Tree::planted(&[(path, &text)])), path, says);
    }

    #[test]
    fn what_a_library_does_not_inherit_is_found() {
        assert_eq!(check(&Tree::planted(&[("crates/pool/Cargo.toml", SOUND)])), []);
        check_library(("edition.workspace = true", "edition = \"2021\""), "`package.edition`");
        check_library(("license.workspace = true", ""), "`package.license`");
        check_library(("[lints]\nworkspace = true", ""), "`lints`");
        check_library(("[lints]\nworkspace = true", "[lints.clippy]\nall = \"allow\""), "`lints`");
        check_library(("default = []", "default = [\"dns\"]"), "`default = []`");
        check_library(("default = []", ""), "`default = []`");
        check_library(("workspace = true, features", "version = \"1\", features"), "`tokio`");
        check_library(("[lints]", "[target.'cfg(unix)'.dev-dependencies]\nlibc = \"1\"\n[lints]"), "`libc`");
        check_library(("[package]", "[package"), "does not parse");
    }

    #[test]
    fn what_is_no_library_is_not_published() {
        let path = "crates/demo/Cargo.toml";
        assert_found(&check(&Tree::planted(&[(path, SOUND)])), path, "`publish = false`");
        let unpublished = SOUND.replace("[package]", "[package]\npublish = false");
        assert_eq!(check(&Tree::planted(&[(path, &unpublished)])), []);
    }

    #[test]
    fn dependencies_of_the_workspace_leave_their_defaults_off() {
        let found = |line: &str| check(&Tree::planted(&[(ROOT, &format!("[workspace.dependencies]\n{line}\n"))]));
        assert_eq!(found("tokio = { version = \"1\", default-features = false }"), []);
        assert_found(&found("tokio = { version = \"1\" }"), ROOT, "`default-features = false`");
        assert_found(&found("tokio = { version = \"*\", default-features = false }"), ROOT, "no version");
        assert_found(&found("tokio = { git = \"x\", default-features = false }"), ROOT, "no version");
    }
}
