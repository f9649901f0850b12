//! Only the packages of the roster exist, each in its place, and each uses what it may; dev-dependencies count.

use super::finding::Finding;
use crate::roster;
use crate::workspace::{Package, Workspace};

pub(super) fn check(workspace: &Workspace) -> Vec<Finding> {
    workspace.packages.iter().flat_map(of_package).collect()
}

fn of_package(package: &Package) -> Vec<Finding> {
    let Some(member) = roster::member(&package.name) else {
        return vec![Finding::of(&package.name, "is not in the roster, xtask/src/roster.rs")];
    };
    let mut findings = Vec::new();
    if package.dir != member.dir {
        findings.push(Finding::of(&package.name, format!("lies in {}, not in {}", package.dir, member.dir)));
    }
    for dependency in package.dependencies.iter().filter(|dependency| dependency.name.starts_with("landfall-")) {
        let allowed = roster::member(&dependency.name).is_some_and(|other| member.may_use(other));
        // A package may name itself to turn on its own features for its tests.
        let itself = dependency.name == package.name && dependency.kind == "dev";
        if !allowed && !itself {
            let message = format!("may not use `{}` (a {} dependency)", dependency.name, dependency.kind);
            findings.push(Finding::of(&package.name, message));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::finding::assert_found;
    use super::*;
    use crate::workspace::tests::planted;

    #[test]
    fn an_arrow_that_points_up_or_aside_is_found() {
        let arrows: &[(&str, &str, &str, Option<&str>)] = &[
            ("landfall-lifecycle", "crates/lifecycle", "landfall-pool", None),
            ("landfall-lifecycle", "crates/lifecycle", "landfall-pool", Some("dev")),
            ("landfall-supervise", "crates/supervise", "landfall-pool", Some("dev")),
            ("landfall-pool", "crates/pool", "landfall-tests", Some("dev")),
            ("landfall-demo", "crates/demo", "landfall-tests", Some("build")),
            ("landfall-pool", "crates/pool", "landfall-nonesuch", None),
            ("landfall-xtask", "xtask", "landfall-lifecycle", None),
        ];
        for (from, dir, to, kind) in arrows {
            let findings = check(&planted(&[(from, dir, &[("tokio", None), (to, *kind)])]));
            assert_found(&findings, from, &format!("`{to}`"));
        }
    }

    #[test]
    fn arrows_that_point_down_pass() {
        let sound = planted(&[
            ("landfall-lifecycle", "crates/lifecycle", &[("tokio", None), ("landfall-lifecycle", Some("dev"))]),
            ("landfall-pool", "crates/pool", &[("landfall-lifecycle", None)]),
            ("landfall-tests", "tests", &[("landfall-demo", None), ("landfall-pool", Some("dev"))]),
        ]);
        assert_eq!(check(&sound), []);
    }

    #[test]
    fn a_package_nobody_knows_or_in_the_wrong_place_is_found() {
        assert_found(&check(&planted(&[("landfall-common", "crates/common", &[])])), "landfall-common", "roster");
        assert_found(&check(&planted(&[("landfall-pool", "crates/pools", &[])])), "landfall-pool", "crates/pools");
    }
}
