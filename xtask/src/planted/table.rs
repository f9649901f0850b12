//! The tables that say which test is there to find which fault.

/// A row: something that hurt users, the tests that show that it does not hurt here, and the faults they fail with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) line: usize,
    /// Tests with their faults; none where the row is held by its description alone.
    pub(super) pairs: Vec<Pair>,
}

/// A test, and the fault that it has to fail with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pair {
    pub(super) test: String,
    pub(super) fault: String,
}

/// What the cell of the faults says where there is none to plant.
const BY_DESCRIPTION: &str = "by description";

/// Reads the rows of all tables of a document whose last two columns are `test` and `fault`.
pub(super) fn rows(text: &str) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    let mut is_inside = false;
    for (index, line) in text.lines().enumerate() {
        let Some(cells) = cells(line) else {
            is_inside = false;
            continue;
        };
        if matches!(cells[..], [.., "test", "fault"]) {
            is_inside = true;
        } else if is_inside && !cells.iter().all(|cell| cell.trim_matches('-').is_empty()) {
            rows.push(row(index + 1, &cells)?);
        }
    }
    if rows.is_empty() { Err("it has no table whose last columns are `test` and `fault`".to_owned()) } else { Ok(rows) }
}

fn cells(line: &str) -> Option<Vec<&str>> {
    Some(line.strip_prefix('|')?.strip_suffix('|')?.split('|').map(str::trim).collect())
}

fn row(line: usize, cells: &[&str]) -> Result<Row, String> {
    let [.., tests, faults] = cells else { return Err(format!("line {line} has too few columns")) };
    if faults.starts_with(BY_DESCRIPTION) {
        return Ok(Row { line, pairs: Vec::new() });
    }
    let (tests, faults) = (names(tests), names(faults));
    if tests.is_empty() || tests.len() != faults.len() {
        let (tests, faults) = (tests.len(), faults.len());
        return Err(format!(
            "line {line} has {tests} tests and {faults} faults: the first fault is for the first test"
        ));
    }
    let pairs = tests.into_iter().zip(faults).map(|(test, fault)| Pair { test, fault }).collect();
    Ok(Row { line, pairs })
}

/// What stands in backticks.
fn names(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "| # | symptom | test | fault |\n|---|---|---|---|\n";

    fn read(rows_of: &str) -> Result<Vec<Row>, String> {
        rows(&format!("# Issues\n\n| word | meaning |\n|---|---|\n| a | b |\n\n{HEAD}{rows_of}\n\nThe end."))
    }

    #[test]
    fn rows_pair_tests_with_faults() {
        let pair = |test: &str, fault: &str| Pair { test: test.to_owned(), fault: fault.to_owned() };
        let text = "| 1 | lost | `cancel::a`, `model::b` | `pool/lose`, `pool/keep` |\n| 2 | leap | none | by description: x |";
        let rows = read(text).expect("a table");
        assert_eq!(rows[0].pairs, [pair("cancel::a", "pool/lose"), pair("model::b", "pool/keep")]);
        assert_eq!(rows[1], Row { line: 10, pairs: Vec::new() });
    }

    #[test]
    fn a_test_without_a_fault_is_refused_with_its_line() {
        for row in ["| 1 | lost | `a::b`, `c::d` | `pool/lose` |", "| 1 | lost | | |", "| 1 | lost | `a::b` | |"] {
            let refusal = read(row).expect_err("it is no pair");
            assert!(refusal.contains("line 9"), "{refusal}");
        }
        assert!(rows("no table").is_err() && rows(HEAD).is_err());
    }
}
