//! The programs of landfall-tests hold no tests: the gate builds them once, as programs, and would never run any.

use super::finding::Finding;
use super::tree::Tree;

const PROGRAMS: &str = "tests/src/bin/";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let programs = tree.with_extension("rs").filter(|(file, _)| file.path.starts_with(PROGRAMS));
    let lines =
        programs.flat_map(|(file, text)| text.lines().enumerate().map(move |(index, line)| (file, index, line)));
    lines
        .filter(|(_, _, line)| line.contains("test]") || line.contains("cfg(test)"))
        .map(|(file, index, _)| Finding::at(&file.path, index + 1, "holds a test that nothing runs".to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::finding::assert_found;
    use super::*;

    #[test]
    fn a_test_in_a_program_is_found() {
        for test in ["#[test]", "#[tokio::test]", "#[cfg(test)]"] {
            let tree = Tree::planted(&[("tests/src/bin/scenario-x.rs", &format!("fn main() {{}}\n{test}"))]);
            assert_found(&check(&tree), "tests/src/bin/scenario-x.rs:2", "nothing runs");
            assert_eq!(check(&Tree::planted(&[("tests/src/x.rs", test)])), []);
        }
    }
}
