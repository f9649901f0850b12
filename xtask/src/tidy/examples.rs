//! Examples are numbered in the order in which they are read: `01-first-service.rs`.

use super::finding::Finding;
use super::tree::Tree;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let is_example = |path: &str| path.starts_with("crates/") && path.split('/').nth(2) == Some("examples");
    tree.with_extension("rs")
        .filter(|(file, _)| is_example(&file.path))
        .filter(|(file, _)| !is_numbered(file.path.split('/').nth(3).unwrap_or_default()))
        .map(|(file, _)| Finding::of(&file.path, "begins with no number: `01-name`"))
        .collect()
}

fn is_numbered(name: &str) -> bool {
    let mut bytes = name.bytes();
    let mut next_is = |wanted: fn(&u8) -> bool| bytes.next().as_ref().is_some_and(wanted);
    next_is(u8::is_ascii_digit) && next_is(u8::is_ascii_digit) && next_is(|byte| *byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::super::finding::assert_found;
    use super::*;

    #[test]
    fn an_example_without_a_number_is_found() {
        let sound =
            ["crates/pool/examples/01-claim.rs", "crates/pool/examples/02-tower/main.rs", "crates/pool/src/a.rs"];
        assert_eq!(check(&Tree::planted(&sound.map(|path| (path, "")))), []);
        for path in ["crates/pool/examples/claim.rs", "crates/pool/examples/1-claim.rs"] {
            assert_found(&check(&Tree::planted(&[(path, "")])), path, "no number");
        }
    }
}
