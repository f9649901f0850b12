//! Lints are silenced by `#[expect(.., reason)]` only, no test is ignored, and exceptions from the ban are counted.
//!
//! The budget of each package stands in a list that is checked in: more of them is refused until somebody raises it and
//! says why, and fewer is refused so that the list stays true.

use std::collections::BTreeMap;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::allow_list;
use super::finding::Finding;
use super::signatures::mentions;
use super::tree::Tree;
use crate::roster;

const LIST: &str = "xtask/allow/spawns.txt";
const BAN: &[&str] = &["disallowed_methods", "disallowed_types"];

/// The one small module each of the crates that cannot do without unsafe code; every block says why it is sound.
const UNSAFE: &[&str] = &["crates/diesel-adapter/src/sqlite/hooks.rs", "crates/stub/src/inherited.rs"];

/// Lint groups that hold the ban: expecting one would be an uncounted exception.
const GROUPS: &[&str] = &["all", "style", "warnings"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut used: BTreeMap<&str, usize> = BTreeMap::new();
    for (file, text) in tree.with_extension("rs") {
        let Ok(tokens) = text.parse::<TokenStream>() else {
            findings.push(Finding::of(&file.path, "does not parse"));
            continue;
        };
        let mut attributes = Vec::new();
        collect(tokens, &mut attributes);
        for (line, attribute) in attributes {
            let exceptions = look_at(&file.path, line, attribute, &mut findings);
            let owner = roster::owner_of(&file.path).map_or("no package", |owner| owner.name);
            *used.entry(owner).or_default() += exceptions;
        }
    }
    used.retain(|_, count| *count > 0);
    compare(tree, &used, &mut findings);
    findings
}

/// Every attribute, also those in the bodies of macros; with its line.
fn collect(tokens: TokenStream, attributes: &mut Vec<(usize, TokenStream)>) {
    let mut after_hash = false;
    for token in tokens {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '#' => after_hash = true,
            TokenTree::Punct(punct) if punct.as_char() == '!' && after_hash => {}
            TokenTree::Group(group) => {
                if after_hash && group.delimiter() == Delimiter::Bracket {
                    attributes.push((group.span_open().start().line, group.stream()));
                } else {
                    collect(group.stream(), attributes);
                }
                after_hash = false;
            }
            _ => after_hash = false,
        }
    }
}

/// Judges one attribute and gives how many exceptions from the ban it makes.
fn look_at(path: &str, line: usize, attribute: TokenStream, findings: &mut Vec<Finding>) -> usize {
    let mut exceptions = 0;
    let mut previous = String::new();
    for token in attribute {
        if previous == "ignore" || matches!(&token, TokenTree::Ident(word) if word == "ignore") {
            findings.push(Finding::at(path, line, "a test is ignored: let it run, or let it skip with a reason"));
            return exceptions;
        }
        if let TokenTree::Group(group) = &token {
            match previous.as_str() {
                "allow" => findings.push(Finding::at(path, line, "`allow` is refused: `expect` with a reason")),
                "expect" => exceptions += expectation(path, line, group.stream(), findings),
                "cfg_attr" => exceptions += look_at(path, line, group.stream(), findings),
                _ => {}
            }
        }
        previous = token.to_string();
    }
    exceptions
}

fn expectation(path: &str, line: usize, lints: TokenStream, findings: &mut Vec<Finding>) -> usize {
    if mentions(lints.clone(), GROUPS) {
        findings.push(Finding::at(path, line, "a whole group of lints is expected: name the lint"));
    }
    if !mentions(lints.clone(), &["reason"]) {
        findings.push(Finding::at(path, line, "`expect` gives no `reason = \"..\"`"));
    }
    if mentions(lints.clone(), &["unsafe_code"]) && !UNSAFE.contains(&path) {
        findings.push(Finding::at(path, line, "unsafe code is expected outside of the modules that are named for it"));
    }
    usize::from(mentions(lints, BAN))
}

fn compare(tree: &Tree, used: &BTreeMap<&str, usize>, findings: &mut Vec<Finding>) {
    let mut budgets: BTreeMap<&str, usize> = BTreeMap::new();
    for entry in allow_list::read(tree, LIST, findings) {
        let parsed =
            entry.what.split_once(' ').and_then(|(package, count)| Some((package, count.trim().parse().ok()?)));
        match parsed {
            Some((package, count)) if budgets.insert(package, count).is_none() => {}
            _ => findings.push(Finding::at(LIST, entry.line, "is not `package count: reason`, once a package")),
        }
    }
    for package in used.keys().chain(budgets.keys()).collect::<std::collections::BTreeSet<_>>() {
        let (used, budget) = (used.get(package).unwrap_or(&0), budgets.get(package).unwrap_or(&0));
        if used != budget {
            let message = format!("{used} exceptions from the ban on spawning, and the budget in {LIST} is {budget}");
            findings.push(Finding::of(package, message));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::assert_found;
    use super::*;

    const PATH: &str = "crates/pool/src/pool.rs";
    const EXCEPTION: &str = "#[expect(clippy::disallowed_methods, reason = \"ended by x\")] fn f() {}";

    fn found(text: &str, list: &str) -> Vec<Finding> {
        check(&Tree::planted(&[(PATH, text), (LIST, list)]))
    }

    #[test]
    fn what_silences_without_a_reason_or_a_count_is_found() {
        let faults = [
            ("#[allow(dead_code)] fn f() {}", "`allow`"),
            ("#![allow(dead_code, reason = \"later\")]", "`allow`"),
            ("#[cfg_attr(unix, allow(dead_code))] fn f() {}", "`allow`"),
            ("macro_rules! m { () => { #[allow(dead_code)] fn f() {} } }", "`allow`"),
            ("fn f() { #[expect(unused)] let x = 1; }", "`reason"),
            ("#[expect(clippy::style, reason = \"x\")] fn f() {}", "group"),
            ("#[expect(unsafe_code, reason = \"fast\")] fn f() {}", "unsafe"),
            ("#[test] #[ignore] fn f() {}", "ignored"),
            ("#[test] #[ignore = \"slow\"] fn f() {}", "ignored"),
            ("#[cfg_attr(miri, ignore)] fn f() {}", "ignored"),
        ];
        for (fault, says) in faults {
            assert_found(&found(fault, ""), &format!("{PATH}:1"), says);
        }
    }

    #[test]
    fn exceptions_from_the_ban_are_held_to_the_budget() {
        assert_eq!(found(EXCEPTION, "landfall-pool 1: one driver, ended by x"), []);
        assert_found(&found(EXCEPTION, ""), "landfall-pool", "1 exceptions");
        assert_found(&found("", "landfall-pool 1: one driver"), "landfall-pool", "0 exceptions");
        let both = "#[cfg_attr(unix, expect(clippy::disallowed_types, reason = \"x\"))] fn g() {}";
        assert_eq!(found(&format!("{EXCEPTION}\n{both}"), "landfall-pool 2: two drivers"), []);
    }

    #[test]
    fn a_budget_that_cannot_be_read_is_found() {
        assert_found(&found("", "landfall-pool many: drivers"), &format!("{LIST}:1"), "`package count: reason`");
    }

    #[test]
    fn other_attributes_and_calls_named_so_pass() {
        let text = "#[expect(unused, reason = \"x\")] #[derive(Debug)] struct S; fn f() { a.expect(\"b\"); allow(c); }";
        assert_eq!(found(text, ""), []);
    }
}
