//! `docs/guarantees.md` holds every guarantee to a place, to tests, and to faults that were caught; all of them exist.
//!
//! A row of its table is `| P | place | tests | faults |`. Places are links, which another rule follows. A test is
//! `module::name`, with as many modules as tell it from others. A fault is `scenario/fault`, a twin of the leak check,
//! one that `docs/pool-issues.md` plants for a test, or a test again: a control that runs what is wrong and finds it. A guarantee whose crate is not there yet has the
//! one word `not before PACKAGE` for its place, until that crate is there.

use super::finding::Finding;
use super::tree::Tree;
use crate::roster;

const PATH: &str = "docs/guarantees.md";
const GUARANTEES: usize = 9;
/// What `cargo xtask planted` reads.
const PLANTED: &str = "docs/pool-issues.md";
const LATER: &str = "not before ";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let Some(text) = tree.text(PATH) else { return vec![Finding::of(PATH, "is missing")] };
    let rows: Vec<Row> = text.lines().enumerate().filter_map(|(index, line)| Row::read(index + 1, line)).collect();
    let tests = tests(tree);
    let mut findings: Vec<Finding> = rows.iter().flat_map(|row| row.check(tree, &tests)).collect();
    for number in 1..=GUARANTEES {
        let of_it: Vec<&Row> = rows.iter().filter(|row| row.guarantee == format!("P{number}")).collect();
        if of_it.is_empty() {
            findings.push(Finding::of(PATH, format!("P{number} has no row")));
        } else if of_it.iter().all(|row| row.faults.is_empty() && row.later().is_none()) {
            findings
                .push(Finding::of(PATH, format!("P{number} has caught no fault: what shows that its tests can fail?")));
        }
    }
    findings
}

/// A row of the table.
struct Row<'a> {
    line: usize,
    guarantee: &'a str,
    place: &'a str,
    tests: Vec<&'a str>,
    faults: Vec<&'a str>,
}

impl<'a> Row<'a> {
    /// Reads a row of the table of guarantees; other lines and other tables are none.
    fn read(line: usize, text: &'a str) -> Option<Self> {
        let cells: Vec<&str> = text.strip_prefix('|')?.strip_suffix('|')?.split('|').map(str::trim).collect();
        let [guarantee, place, tests, faults] = cells.as_slice() else { return None };
        let is_one = guarantee.strip_prefix('P').is_some_and(|number| number.parse::<usize>().is_ok());
        is_one.then(|| Row { line, guarantee, place, tests: names(tests), faults: names(faults) })
    }

    /// The package that this guarantee waits for.
    fn later(&self) -> Option<&'a str> {
        self.place.strip_prefix(LATER).map(|package| package.trim_matches('`'))
    }

    fn check(&self, tree: &Tree, tests: &[String]) -> Vec<Finding> {
        let found = |message: String| Finding::at(PATH, self.line, message);
        if let Some(package) = self.later() {
            return match roster::member(package) {
                Some(member) if tree.has(member.dir) => vec![found(format!("`{package}` is there now"))],
                Some(_) => Vec::new(),
                None => vec![found(format!("there will be no package `{package}`"))],
            };
        }
        let mut findings = Vec::new();
        if !self.place.contains("](") {
            findings.push(found(format!("{} has no place that it leads to", self.guarantee)));
        }
        if self.tests.is_empty() {
            findings.push(found(format!("{} is held by no test", self.guarantee)));
        }
        let has_test = |name: &str| tests.iter().any(|test| is_named(test, name));
        for name in self.tests.iter().filter(|name| !has_test(name)) {
            findings.push(found(format!("there is no test `{name}`")));
        }
        for name in self.faults.iter().filter(|name| !has_test(name) && !is_twin(tree, name) && !is_planted(tree, name))
        {
            findings.push(found(format!("there is no twin and no control `{name}`")));
        }
        findings
    }
}

/// What stands in backticks.
pub(super) fn names(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// Whether a test's whole path ends with these modules and this name.
pub(super) fn is_named(test: &str, name: &str) -> bool {
    name.contains("::") && test.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with("::"))
}

/// Whether a scenario plants a fault of this name: in its program, in its load, or among those that all observed ones
/// have.
fn is_twin(tree: &Tree, name: &str) -> bool {
    let Some((scenario, fault)) = name.split_once('/') else { return false };
    let program = format!("tests/src/bin/scenario-{scenario}.rs");
    // Scenarios with one beginning may have one load.
    let beginning = scenario.split('-').next().unwrap_or(scenario);
    let names = [scenario.replace('-', "_"), scenario.replacen('-', "/", 1), beginning.to_owned()];
    let loads = names.map(|name| format!("tests/src/loads/{name}"));
    let has = |path: &str| tree.text(path).is_some_and(|text| text.contains(&format!("\"{fault}\"")));
    let is_observed = tree.text(&program).is_some_and(|text| text.contains("Observed::new"));
    let has_load = loads.iter().any(|load| has(&format!("{load}.rs")) || has(&format!("{load}/mod.rs")));
    has(&program) || has_load || is_observed && has("tests/src/observed/planted.rs")
}

/// Whether it is planted for a test, which has to fail then.
fn is_planted(tree: &Tree, name: &str) -> bool {
    tree.text(PLANTED).is_some_and(|text| text.contains(&format!("`{name}`")))
}

/// Every test function with the modules that its file's path gives it: `crates::pool::tests::it::claim::waits`.
pub(super) fn tests(tree: &Tree) -> Vec<String> {
    let mut tests = Vec::new();
    for (file, text) in tree.with_extension("rs") {
        let path = file.path.trim_end_matches(".rs").trim_end_matches("/mod").trim_end_matches("/main");
        let modules = path.replace('/', "::");
        let mut is_test = false;
        for line in text.lines().map(str::trim) {
            is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
            let Some((before, after)) = line.split_once("fn ") else { continue };
            if is_test && matches!(before, "" | "async ") {
                let name: String = after.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                tests.push(format!("{modules}::{name}"));
            }
            is_test = false;
        }
    }
    tests
}

#[cfg(test)]
mod tests {
    use super::super::finding::assert_found;
    use super::*;

    const ROW: &str = "| P1 | [`a`](../a.rs) | `claim::waits` | `pool/keep` |";

    fn found(rows: &[String]) -> Vec<Finding> {
        let text = format!("# Guarantees\n\n| P | place | tests | faults |\n|---|---|---|---|\n{}\n", rows.join("\n"));
        check(&Tree::planted(&[
            (PATH, &text),
            (
                "crates/lifecycle/tests/it/claim.rs",
                "#[tokio::test]\nasync fn waits() {}\nfn helps() {}\n#[test]\nfn fails() {}",
            ),
            ("crates/lifecycle/tests/it/deep/mod.rs", "#[test]\n#[should_panic]\nfn ends() {}"),
            (PLANTED, "| 1 | `claim::waits` | `pool/late` |"),
            ("tests/src/loads/stub/mod.rs", "const FAULTS: &[&str] = &[\"stub/deaf\"];"),
            ("tests/src/bin/scenario-pool.rs", "const FAULTS: &[&str] = &[\"keep\"];"),
            ("tests/src/bin/scenario-stub.rs", "//! No faults."),
            ("tests/src/observed/planted.rs", "const FAULTS: &[&str] = &[\"thread\"];"),
        ]))
    }

    /// Sound rows for all of them but one, and that one.
    fn with(changed: usize, row: &str) -> Vec<String> {
        let sound = |number| if number == changed { row.to_owned() } else { ROW.replace("P1", &format!("P{number}")) };
        (1..=GUARANTEES).map(sound).collect()
    }

    #[test]
    fn a_table_that_is_true_passes() {
        assert_eq!(found(&with(0, "")), []);
        assert_eq!(found(&with(7, "| P7 | not before `landfall-pool` | | |")), []);
        let by_control = "| P3 | [`a`](../a.rs) | `it::deep::ends`, `claim::waits` | `claim::fails` |";
        assert_eq!(found(&with(3, by_control)), []);
        let planted = "| P5 | [`a`](../a.rs) | `claim::waits` | `pool/late`, `stub/stub/deaf` |";
        assert_eq!(found(&with(5, planted)), []);
    }

    #[test]
    fn what_is_not_there_is_found() {
        for (row, says) in [
            ("| P2 | [`a`](../a.rs) | `claim::gone` | `pool/keep` |", "no test `claim::gone`"),
            ("| P2 | [`a`](../a.rs) | `claim::helps` | `pool/keep` |", "no test `claim::helps`"),
            ("| P2 | [`a`](../a.rs) | `laim::waits` | `pool/keep` |", "no test `laim::waits`"),
            ("| P2 | [`a`](../a.rs) | | `pool/keep` |", "held by no test"),
            ("| P2 | `a` | `claim::waits` | `pool/keep` |", "no place"),
            ("| P2 | [`a`](../a.rs) | `claim::waits` | `pool/lose` |", "`pool/lose`"),
            ("| P2 | [`a`](../a.rs) | `claim::waits` | `stub/keep` |", "`stub/keep`"),
            ("| P2 | [`a`](../a.rs) | `claim::waits` | `stub/thread` |", "`stub/thread`"),
            ("| P2 | not before `landfall-lifecycle` | | |", "is there now"),
            ("| P2 | not before `landfall-pond` | | |", "`landfall-pond`"),
        ] {
            assert_found(&found(&with(2, row)), &format!("{PATH}:6"), says);
        }
    }

    #[test]
    fn a_guarantee_with_no_row_or_no_fault_is_found() {
        assert_found(&found(&with(9, "")), PATH, "P9 has no row");
        assert_found(&found(&with(9, "| P9 | [`a`](../a.rs) | `claim::waits` | |")), PATH, "P9 has caught no fault");
        assert_found(&check(&Tree::planted(&[])), PATH, "is missing");
    }
}
