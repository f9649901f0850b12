//! Every public function of a library that gives a future is cut at each of its polls by a test of that library, or by one
//! of `tests`: it is called in a file that calls `cancel_at_every_poll`.

use super::allow_list;
use super::finding::Finding;
use super::futures::of_products;
use super::tree::Tree;
use crate::roster::{self, Member};

const CUTS: &str = "cancel_at_every_poll";
/// What is cut by none, with the reason: `path::name: reason`.
const LIST: &str = "xtask/allow/uncut.txt";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut listed = allow_list::read(tree, LIST, &mut findings);
    for (path, future) in of_products(tree, &mut findings) {
        let Some(owner) = roster::owner_of(path).filter(|owner| owner.is_library()) else { continue };
        if future.is_of_trait || is_cut(tree, owner, &future.name) {
            continue;
        }
        let what = format!("{path}::{}", future.name);
        match listed.iter().position(|entry| entry.what == what) {
            Some(place) => drop(listed.swap_remove(place)),
            None => {
                let message = format!("no test with `{CUTS}` calls `{}`; add one, or say why in {LIST}", future.name);
                findings.push(Finding::at(path, future.line, message));
            }
        }
    }
    let stale = |entry: allow_list::Entry<'_>| {
        Finding::at(LIST, entry.line, format!("`{}` is cut, or gone: take it out", entry.what))
    };
    findings.extend(listed.into_iter().map(stale));
    findings
}

fn is_cut(tree: &Tree, owner: &Member, name: &str) -> bool {
    let (called, own) = ([format!(".{name}("), format!("::{name}(")], format!("{}/", owner.dir));
    tree.with_extension("rs")
        .filter(|(file, _)| file.path.starts_with(&own) || file.path.starts_with("tests/"))
        .any(|(_, text)| text.contains(CUTS) && called.iter().any(|call| text.contains(call)))
}

#[cfg(test)]
mod tests {
    use super::super::finding::assert_found;
    use super::*;

    const PATH: &str = "crates/pool/src/pool.rs";
    const TESTS: &str = "crates/pool/tests/it/cancel.rs";

    fn found(source: &str, test: (&str, &str), list: &str) -> Vec<Finding> {
        check(&Tree::planted(&[(PATH, source), test, (LIST, list)]))
    }

    #[test]
    fn a_public_future_that_no_test_cuts_is_found() {
        let source = "impl Pool { pub async fn claim(&self) {} }";
        for test in [
            (TESTS, "cancel_at_every_poll(async || pool.warm_up().await)"),
            (TESTS, "pool.claim().await"),
            ("crates/stub/tests/it/cancel.rs", "cancel_at_every_poll(async || pool.claim().await)"),
        ] {
            assert_found(&found(source, test, ""), &format!("{PATH}:1"), "`claim`");
        }
    }

    #[test]
    fn what_is_cut_or_not_of_a_library_or_of_a_trait_passes() {
        let cut = "cancel_at_every_poll(async || pool.claim().await)";
        let source = "impl Pool { pub async fn claim(&self) {} }\npub trait Resolver { async fn next(&self); }";
        for test in [TESTS, "crates/pool/src/pool/tests.rs", "tests/tests/it/pool.rs"] {
            assert_eq!(found(source, (test, cut), ""), []);
        }
        let demo = Tree::planted(&[("crates/demo/src/relay.rs", "pub async fn run() {}"), (LIST, "")]);
        assert_eq!(check(&demo), []);
    }

    #[test]
    fn what_is_listed_passes_and_a_stale_entry_is_found() {
        let (source, list) = ("pub async fn claim() {}", format!("{PATH}::claim: it is never pending"));
        assert_eq!(found(source, (TESTS, ""), &list), []);
        let cut = (TESTS, "cancel_at_every_poll(async || landfall_pool::claim().await)");
        assert_found(&found(source, cut, &list), &format!("{LIST}:1"), "take it out");
    }
}
