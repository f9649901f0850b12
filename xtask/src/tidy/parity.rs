//! `docs/pool.md` names for each feature and each defect of qorb the tests that show what became of it; all of them exist.
//!
//! A table whose last column is headed *shown by* is one of these. A row without a test says *to come*, *not here* or *no
//! test*.

use super::finding::Finding;
use super::guarantees::{is_named, names, tests};
use super::tree::Tree;

const PATH: &str = "docs/pool.md";
const HEADING: &str = "shown by";
const WITHOUT: &[&str] = &["to come", "not here", "no test"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let Some(text) = tree.text(PATH) else { return vec![Finding::of(PATH, "is missing")] };
    let tests = tests(tree);
    let (mut findings, mut rows, mut is_one) = (Vec::new(), 0, false);
    for (index, line) in text.lines().enumerate() {
        let cells: Option<Vec<&str>> =
            line.strip_prefix('|').and_then(|it| it.strip_suffix('|')).map(|it| it.split('|').map(str::trim).collect());
        let Some(cells) = cells else {
            is_one = false;
            continue;
        };
        let last = cells.last().copied().unwrap_or_default();
        if last == HEADING {
            is_one = true;
            continue;
        }
        if !is_one || last.starts_with("---") {
            continue;
        }
        rows += 1;
        let named: Vec<&str> = names(last).into_iter().filter(|name| name.contains("::")).collect();
        let says = |words: &&str| cells.iter().any(|cell| cell.starts_with(words));
        if named.is_empty() && !WITHOUT.iter().any(says) {
            findings.push(Finding::at(PATH, index + 1, "is shown by no test, and does not say why"));
        }
        let gone = named.into_iter().filter(|name| !tests.iter().any(|test| is_named(test, name)));
        findings.extend(gone.map(|name| Finding::at(PATH, index + 1, format!("there is no test `{name}`"))));
    }
    if rows == 0 {
        findings.push(Finding::of(PATH, "has no table of what is shown by which test"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::finding::assert_found;
    use super::*;

    fn found(row: &str) -> Vec<Finding> {
        let text =
            format!("| qorb | here |\n|---|---|\n| a | `b::c` |\n\n| qorb | here | shown by |\n|---|---|---|\n{row}\n");
        check(&Tree::planted(&[(PATH, &text), ("crates/pool/tests/it/claims.rs", "#[test]\nfn waits() {}")]))
    }

    #[test]
    fn rows_with_tests_that_exist_or_a_reason_pass() {
        for row in
            ["| a | b | `claims::waits` |", "| a | to come | |", "| a | not here: why | |", "| a | b | no test: why |"]
        {
            assert_eq!(found(row), [], "{row}");
        }
    }

    #[test]
    fn a_row_whose_test_is_not_there_is_found() {
        assert_found(
            &found("| a | b | `claims::waits`, `claims::gone` |"),
            &format!("{PATH}:7"),
            "no test `claims::gone`",
        );
        assert_found(&found("| a | b | |"), &format!("{PATH}:7"), "shown by no test");
        assert_found(&found("| a | b | `waits` |"), &format!("{PATH}:7"), "shown by no test");
        assert_found(&found(""), PATH, "has no table");
        assert_found(&check(&Tree::planted(&[])), PATH, "is missing");
    }
}
