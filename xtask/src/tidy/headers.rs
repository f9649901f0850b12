//! Every Rust file opens with a `//!` line that says what the file is.

use super::finding::Finding;
use super::tree::Tree;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    tree.with_extension("rs")
        .filter(|(_, text)| !opens_well(text))
        .map(|(file, _)| Finding::at(&file.path, 1, "the first line is not `//!` and what the file is"))
        .collect()
}

fn opens_well(text: &str) -> bool {
    let first = text.lines().next().unwrap_or_default();
    first.strip_prefix("//! ").is_some_and(|says| !says.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::finding::assert_found;
    use super::*;

    #[test]
    fn a_file_that_does_not_say_what_it_is_is_found() {
        for text in ["", "use std::io;\n//! Late.\n", "//!\n", "/// An item.\nfn f() {}\n"] {
            let tree = Tree::planted(&[("crates/pool/src/lib.rs", "//! A pool.\n"), ("xtask/src/x.rs", text)]);
            assert_found(&check(&tree), "xtask/src/x.rs:1", "`//!`");
        }
    }
}
