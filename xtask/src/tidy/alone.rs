//! Each library builds alone without its features, and then pulls in few packages and none that is refused.

use std::collections::BTreeSet;

use super::finding::Finding;
use crate::cargo;
use crate::roster::{self, Alone, Member, Role};
use crate::workspace::Workspace;

pub(super) fn check(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in &workspace.packages {
        let Some(Member { role: Role::Library { alone, .. }, .. }) = roster::member(&package.name) else { continue };
        match pulled_in(workspace, &package.name) {
            Ok(tree) => findings.extend(judge(alone, &tree).into_iter().map(|fault| Finding::of(&package.name, fault))),
            Err(problem) => findings.push(Finding::of(&package.name, problem)),
        }
    }
    findings
}

/// Builds the library alone, and gives its dependency tree as cargo prints it.
fn pulled_in(workspace: &Workspace, name: &str) -> Result<String, String> {
    let alone = ["--package", name, "--no-default-features"];
    let mut check = cargo::cargo(&["check", "--quiet", "--lib"]);
    cargo::output(check.args(alone).current_dir(&workspace.root))?;
    let mut tree = cargo::cargo(&["tree", "--edges", "normal,no-proc-macro", "--prefix", "none"]);
    cargo::output(tree.args(alone).current_dir(&workspace.root))
}

fn judge(alone: &Alone, tree: &str) -> Vec<String> {
    // `name v1.2.3 (*)`: a mark for what was shown before, and a path for what is ours.
    let packages: BTreeSet<(&str, &str)> = tree
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            Some((words.next()?, words.next()?))
        })
        .collect();
    let refused = packages.iter().filter(|(name, _)| alone.refused.contains(name));
    let mut faults: Vec<String> =
        refused.map(|(name, _)| format!("pulls in {name} without being asked for it")).collect();
    if packages.len() > alone.packages_max {
        faults.push(format!("pulls in {} packages, and {} are allowed", packages.len(), alone.packages_max));
    }
    if packages.is_empty() {
        faults.push("cargo tree printed nothing".to_owned());
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALONE: Alone = Alone { packages_max: 3, refused: &["hyper"] };
    const TREE: &str = "landfall-pool v0.1.0 (crates/pool)\ntokio v1.54.1\nbytes v1.12.1\ntokio v1.54.1 (*)\n";

    #[test]
    fn a_light_tree_passes() {
        assert_eq!(judge(&ALONE, TREE), Vec::<String>::new());
    }

    #[test]
    fn what_is_refused_too_much_or_unknown_is_found() {
        let heavy = TREE.replace("bytes v1.12.1", "hyper v1.8.0");
        assert_eq!(judge(&ALONE, &heavy), ["pulls in hyper without being asked for it"]);
        let many = format!("{TREE}bytes v0.5.0\n");
        assert_eq!(judge(&ALONE, &many), ["pulls in 4 packages, and 3 are allowed"]);
        assert_eq!(judge(&ALONE, ""), ["cargo tree printed nothing"]);
    }
}
