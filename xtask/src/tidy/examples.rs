//! Examples are numbered in the order in which they are read: `01-first-service.rs`.

use super::finding::Finding;
use super::tree::Tree;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    tree.with_extension("rs")
        .filter(|(file, _)| name(&file.path).is_some_and(|name| !is_numbered(name)))
        .map(|(file, _)| Finding::of(&file.path, "begins with no number: `01-name`"))
        .collect()
}

/// The name of an example, of a crate or of `tests`.
fn name(path: &str) -> Option<&str> {
    match path.split('/').collect::<Vec<_>>()[..] {
        ["crates", _, "examples", name, ..] | ["tests", "examples", name, ..] => Some(name),
        _ => None,
    }
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
        for path in ["crates/pool/examples/claim.rs", "crates/pool/examples/1-claim.rs", "tests/examples/axum.rs"] {
            assert_found(&check(&Tree::planted(&[(path, "")])), path, "no number");
        }
    }
}
