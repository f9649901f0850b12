//! The changelog exists and has a section for what is not released yet.

use super::finding::Finding;
use super::tree::Tree;

const PATH: &str = "CHANGELOG.md";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    match tree.text(PATH) {
        None => vec![Finding::of(PATH, "is missing")],
        Some(text) if text.lines().any(|line| matches!(line.trim_end(), "## Unreleased" | "## [Unreleased]")) => {
            Vec::new()
        }
        Some(_) => vec![Finding::of(PATH, "has no section `## Unreleased`")],
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::assert_found;
    use super::*;

    #[test]
    fn a_missing_changelog_or_section_is_found() {
        assert_found(&check(&Tree::planted(&[])), PATH, "missing");
        assert_found(&check(&Tree::planted(&[(PATH, "# Changelog\n\n## 0.1.0\n")])), PATH, "Unreleased");
        assert_eq!(check(&Tree::planted(&[(PATH, "# Changelog\n\n## Unreleased\n")])), []);
    }
}
